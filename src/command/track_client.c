/* CLIENT TRACKING and its kin. */
#include "command/admin.h"
#include "command/reach.h"
#include "command/roster.h"
#include "command/topic.h"
#include "command/tracking.h"

#include <stdlib.h>

struct wish {
    struct roster roster; /* asks who REDIRECT names */
    struct tracking how;
    bool on;
    struct buf prefixes;  /* of slices, into `text` once it is kept */
    struct buf text;
};

static void wish_free(struct wish *w) {
    reach_release(w->how.target);
    buf_free(&w->prefixes);
    buf_free(&w->text);
    mem_free(MEM_CLIENT, w);
}

static const struct slice *prefix_of(const struct wish *w) { return (const struct slice *)(const void *)w->prefixes.p; }
static size_t prefixes_of(const struct wish *w) { return w->prefixes.n / sizeof(struct slice); }

/* -- words --------------------------------------------------------------------------------------------------------------------------- */

static bool read_redirect(struct call *c, int arg, struct wish *w) {
    int64_t id;
    if (w->how.redirect) {
        reply_error(c, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!call_i64(c, arg, &id)) return false;
    w->how.redirect = (uint64_t)id;
    if (id > 0) return true;
    reply_error(c, "ERR The client ID you want redirect to does not exist");
    return false;
}

static bool read_words(struct call *c, struct wish *w) {
    for (int i = 3; i < c->argc; i++) {
        bool more = i + 1 < c->argc;
        if (call_is(c, i, "redirect") && more) {
            if (!read_redirect(c, ++i, w)) return false;
        } else if (call_is(c, i, "bcast")) {
            w->how.bcast = true;
        } else if (call_is(c, i, "optin")) {
            w->how.optin = true;
        } else if (call_is(c, i, "optout")) {
            w->how.optout = true;
        } else if (call_is(c, i, "noloop")) {
            w->how.noloop = true;
        } else if (call_is(c, i, "prefix") && more) {
            buf_put(&w->prefixes, &c->argv[++i], sizeof(struct slice));
        } else {
            reply_syntax(c);
            return false;
        }
    }
    w->on = call_is(c, 2, "on");
    if (w->on || call_is(c, 2, "off")) return true;
    reply_syntax(c);
    return false;
}

static const char *contradiction(const struct session *s, const struct wish *w) {
    const struct tracking *now = s->tracking && s->tracking->self ? s->tracking : NULL, *how = &w->how;
    if (!how->bcast && prefixes_of(w)) return "ERR PREFIX option requires BCAST mode to be enabled";
    if (now && now->bcast != how->bcast)
        return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    if (how->bcast && (how->optin || how->optout)) return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    if (how->optin && how->optout) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    if (now && ((how->optin && now->optout) || (how->optout && now->optin)))
        return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
    return NULL;
}

static bool overlap(struct slice a, struct slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    return !n || !memcmp(a.p, b.p, n);
}

static bool prefixes_ok(struct call *c, const struct wish *w) {
    const struct slice *p = prefix_of(w);
    const char *tail = "Prefixes for a single client must not overlap.";
    for (size_t i = 0; i < prefixes_of(w); i++) {
        const struct seat *seat = topic_seats(c->s, TOPIC_PREFIX) ? c->s->seats->first[TOPIC_PREFIX] : NULL;
        for (; seat; seat = seat->next) {
            struct slice had = seat->topic->name;
            if (!overlap(p[i], had)) continue;
            reply_errorf(c, "ERR Prefix '%.*s' overlaps with an existing prefix '%.*s'. %s", (int)p[i].n, p[i].p, (int)had.n, had.p, tail);
            return false;
        }
        for (size_t j = i + 1; j < prefixes_of(w); j++) {
            if (!overlap(p[i], p[j])) continue;
            reply_errorf(c, "ERR Prefix '%.*s' overlaps with another provided prefix '%.*s'. %s", (int)p[i].n, p[i].p, (int)p[j].n, p[j].p, tail);
            return false;
        }
    }
    return true;
}

/* -- REDIRECT: the session that it names ----------------------------------------------------------------------------------------------- */

static void look(struct roster *r, struct lane *l) {
    struct wish *w = (struct wish *)(void *)r;
    for (struct session *s = l->sessions; s && !w->how.target; s = s->next) {
        if (s->id != w->how.redirect || s->killed || s->closing) continue;
        if (!s->reach) s->reach = reach_new(s);
        if (s->task && !s->attends) s->mid_reply = true; /* how far its reply is nobody has looked at */
        s->attends |= ATTEND_TARGET;
        w->how.target = reach_hold(s->reach);
    }
}

static void switch_on(struct session *s, struct wish *w) {
    tracking_on(s, &w->how, prefix_of(w), prefixes_of(w));
    w->how.target = NULL; /* it is the session's now */
    resp_ok(&s->writer);
}

static const char *answer(struct roster *r, struct session *asker) {
    struct wish *w = (struct wish *)(void *)r;
    if (!w->how.target) return "ERR The client ID you want redirect to does not exist";
    switch_on(asker, w);
    return NULL;
}

static void drop(struct roster *r) { wish_free((struct wish *)(void *)r); }

/* The request's words are gone when the answer comes. */
static void keep_prefixes(struct wish *w) {
    struct slice *p = (struct slice *)(void *)w->prefixes.p;
    size_t at = 0;
    for (size_t i = 0; i < prefixes_of(w); i++) buf_put(&w->text, p[i].p, p[i].n);
    for (size_t i = 0; i < prefixes_of(w); i++) {
        p[i].p = w->text.p + at;
        at += p[i].n;
    }
}

/* -- handlers -------------------------------------------------------------------------------------------------------------------------- */

void tracking_run(struct call *c) {
    struct wish *w = mem_zalloc(MEM_CLIENT, sizeof *w);
    w->roster = (struct roster){.look = look, .answer = answer, .drop = drop};
    buf_init(&w->prefixes, MEM_CLIENT);
    buf_init(&w->text, MEM_CLIENT);
    bool ok = read_words(c, w);
    const char *wrong = ok && w->on ? contradiction(c->s, w) : NULL;
    if (wrong) reply_error(c, wrong);
    ok = ok && !wrong && (!w->on || prefixes_ok(c, w));
    if (ok && w->on && w->how.redirect) {
        keep_prefixes(w);
        roster_ask(c, &w->roster);
        return;
    }
    if (ok && w->on) {
        switch_on(c->s, w);
    } else if (ok) {
        tracking_off(c->s);
        resp_ok(c->w);
    }
    wish_free(w);
}

void tracking_caching(struct call *c) {
    struct tracking *t = c->s->tracking;
    bool yes = call_is(c, 2, "yes"), no = call_is(c, 2, "no");
    if (!t || !t->self) {
        reply_error(c, "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
    } else if (!yes && !no) {
        reply_syntax(c);
    } else if (yes && !t->optin) {
        reply_error(c, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    } else if (no && !t->optout) {
        reply_error(c, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    } else {
        t->caching = true;
        resp_ok(c->w);
    }
}

void tracking_getredir(struct call *c) {
    const struct tracking *t = c->s->tracking;
    resp_int(c->w, t && t->self ? (int64_t)t->redirect : -1);
}

static int compare_slices(const void *a, const void *b) {
    const struct slice *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* In their order as bytes, as Redis has them. */
static void put_prefixes(struct call *c) {
    size_t n = topic_seats(c->s, TOPIC_PREFIX), at = 0;
    resp_array(c->w, n);
    if (!n) return;
    struct slice *name = mem_alloc(MEM_CLIENT, n * sizeof *name);
    for (const struct seat *seat = c->s->seats->first[TOPIC_PREFIX]; seat; seat = seat->next) name[at++] = seat->topic->name;
    qsort(name, n, sizeof *name, compare_slices);
    for (size_t i = 0; i < n; i++) resp_bulk(c->w, name[i].p, name[i].n);
    mem_free(MEM_CLIENT, name);
}

void tracking_info(struct call *c) {
    static const struct tracking none;
    const struct tracking *t = c->s->tracking ? c->s->tracking : &none;
    const char *flag[8];
    size_t n = 0;
    flag[n++] = t->self ? "on" : "off";
    if (t->bcast) flag[n++] = "bcast";
    if (t->optin) flag[n++] = "optin";
    if (t->optin && t->caching) flag[n++] = "caching-yes";
    if (t->optout) flag[n++] = "optout";
    if (t->optout && t->caching) flag[n++] = "caching-no";
    if (t->noloop) flag[n++] = "noloop";
    if (t->broken) flag[n++] = "broken_redirect";
    resp_map(c->w, 3);
    resp_text(c->w, "flags");
    resp_set(c->w, n);
    for (size_t i = 0; i < n; i++) resp_text(c->w, flag[i]);
    resp_text(c->w, "redirect");
    resp_int(c->w, t->self ? (int64_t)t->redirect : -1);
    resp_text(c->w, "prefixes");
    put_prefixes(c);
}
