#include "command/clients.h"

#include "base/clock.h"
#include "command/roster.h"

#include <stdlib.h>

/* The kinds that session_kind tells, under all the names that clients use for them; NULL: no such kind. */
static const char *kind_named(struct slice word) {
    static const char *const kinds[] = {"normal", "master", "replica", "pubsub", NULL};
    for (size_t i = 0; kinds[i]; i++)
        if (slice_is(word, kinds[i])) return kinds[i];
    return slice_is(word, "slave") ? "replica" : NULL;
}

static const char *read_kind(struct call *c, int arg) {
    struct slice word = c->argv[arg];
    const char *kind = kind_named(word);
    if (!kind) reply_errorf(c, "ERR Unknown client type '%.*s'", (int)(word.n < 128 ? word.n : 128), word.p);
    return kind;
}

static char *copy(struct slice s) {
    char *p = mem_alloc(MEM_CLIENT, s.n + 1);
    memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

/* -- LIST -------------------------------------------------------------------------------------------- */

struct line {
    uint64_t id;
    size_t at, n; /* in the text */
};

struct listing {
    struct roster roster;
    const char *kind; /* NULL: all */
    uint64_t *id;     /* those that were asked for, in that order; NULL: all */
    uint64_t *sorted; /* the same, ascending */
    size_t ids;
    struct buf text, lines;
};

static int compare_ids(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_lines(const void *a, const void *b) {
    const struct line *x = a, *y = b;
    return compare_ids(&x->id, &y->id);
}

static void listing_look(struct roster *r, struct lane *l) {
    struct listing *g = (struct listing *)(void *)r;
    for (const struct session *s = l->sessions; s; s = s->next) {
        if (s->killed || (g->kind && strcmp(session_kind(s), g->kind))) continue;
        if (g->id && !bsearch(&s->id, g->sorted, g->ids, sizeof *g->sorted, compare_ids)) continue;
        struct line line = {.id = s->id, .at = g->text.n};
        session_describe(s, &g->text);
        line.n = g->text.n - line.at;
        buf_put(&g->lines, &line, sizeof line);
    }
}

/* In order of arrival; those that were asked for by number, as they were asked for. */
static const char *listing_answer(struct roster *r, struct session *asker) {
    struct listing *g = (struct listing *)(void *)r;
    struct line *line = (struct line *)(void *)g->lines.p;
    size_t lines = g->lines.n / sizeof *line;
    struct buf out;
    buf_init(&out, MEM_CLIENT);
    if (lines) qsort(line, lines, sizeof *line, compare_lines);
    if (!g->id)
        for (size_t i = 0; i < lines; i++) buf_put(&out, g->text.p + line[i].at, line[i].n);
    for (size_t i = 0; i < g->ids && lines; i++) {
        struct line want = {.id = g->id[i]};
        const struct line *found = bsearch(&want, line, lines, sizeof *line, compare_lines);
        if (found) buf_put(&out, g->text.p + found->at, found->n);
    }
    resp_verbatim(&asker->writer, "txt", buf_slice(&out));
    buf_free(&out);
    return NULL;
}

static void listing_drop(struct roster *r) {
    struct listing *g = (struct listing *)(void *)r;
    mem_free(MEM_CLIENT, g->id);
    mem_free(MEM_CLIENT, g->sorted);
    buf_free(&g->text);
    buf_free(&g->lines);
    mem_free(MEM_CLIENT, g);
}

static bool read_ids(struct call *c, struct listing *g) {
    g->ids = (size_t)c->argc - 3;
    g->id = mem_alloc(MEM_CLIENT, g->ids * sizeof *g->id);
    g->sorted = mem_alloc(MEM_CLIENT, g->ids * sizeof *g->sorted);
    for (size_t i = 0; i < g->ids; i++) {
        int64_t id;
        if (!call_i64_or(c, (int)i + 3, &id, "ERR Invalid client ID")) return false;
        g->id[i] = g->sorted[i] = (uint64_t)id;
    }
    qsort(g->sorted, g->ids, sizeof *g->sorted, compare_ids);
    return true;
}

static bool listing_parse(struct call *c, struct listing *g) {
    if (c->argc == 2) return true;
    if (c->argc == 4 && call_is(c, 2, "type")) return (g->kind = read_kind(c, 3)) != NULL;
    if (c->argc > 3 && call_is(c, 2, "id")) return read_ids(c, g);
    reply_syntax(c);
    return false;
}

void clients_list(struct call *c) {
    struct listing *g = mem_zalloc(MEM_CLIENT, sizeof *g);
    g->roster = (struct roster){.look = listing_look, .answer = listing_answer, .drop = listing_drop};
    buf_init(&g->text, MEM_CLIENT);
    buf_init(&g->lines, MEM_CLIENT);
    c->s->last = c->cmd; /* the line of the asking session tells of this command */
    if (listing_parse(c, g))
        roster_ask(c, &g->roster);
    else
        listing_drop(&g->roster);
}

/* -- KILL -------------------------------------------------------------------------------------------- */

struct killing {
    struct roster roster;
    uint64_t asker_id;
    bool plain; /* the old form: one address, reply OK */
    bool skip_me;
    bool kills_me;
    uint64_t id;        /* 0: any */
    int64_t max_age_us; /* 0: any */
    const char *kind;   /* NULL: any; so below */
    char *address, *local_address;
    uint64_t killed;
};

static bool killing_fits(const struct killing *k, const struct session *s, int64_t now) {
    if (s->killed) return false;
    if (k->address && strcmp(k->address, s->address)) return false;
    if (k->local_address && strcmp(k->local_address, s->local_address)) return false;
    if (k->kind && strcmp(k->kind, session_kind(s))) return false;
    if (k->id && k->id != s->id) return false;
    if (k->max_age_us && now - s->born_us < k->max_age_us) return false;
    return !(k->skip_me && s->id == k->asker_id);
}

static void killing_look(struct roster *r, struct lane *l) {
    struct killing *k = (struct killing *)(void *)r;
    int64_t now = clock_mono_us();
    for (struct session *s = l->sessions; s; s = s->next) {
        if (k->plain && k->killed) return;
        if (!killing_fits(k, s, now)) continue;
        k->killed++;
        if (s->id == k->asker_id) { /* it gets its reply first */
            k->kills_me = true;
        } else {
            s->killed = s->closing = true;
            l->env->host->close(s, false);
        }
    }
}

static const char *killing_answer(struct roster *r, struct session *asker) {
    struct killing *k = (struct killing *)(void *)r;
    if (k->plain && !k->killed) return "ERR No such client";
    if (k->plain)
        resp_ok(&asker->writer);
    else
        resp_int(&asker->writer, (int64_t)k->killed);
    if (k->kills_me) asker->closing = true;
    return NULL;
}

static void killing_drop(struct roster *r) {
    struct killing *k = (struct killing *)(void *)r;
    mem_free(MEM_CLIENT, k->address);
    mem_free(MEM_CLIENT, k->local_address);
    mem_free(MEM_CLIENT, k);
}

static bool read_id(struct call *c, int arg, struct killing *k) {
    int64_t id;
    if (!call_range(c, arg, 1, INT64_MAX, &id, "ERR client-id should be greater than 0")) return false;
    k->id = (uint64_t)id;
    return true;
}

static bool read_user(struct call *c, int arg) {
    struct slice user = c->argv[arg];
    if (slice_equal(user, SLICE("default"))) return true;
    reply_errorf(c, "ERR No such user '%.*s'", (int)(user.n < 128 ? user.n : 128), user.p);
    return false;
}

static bool read_age(struct call *c, int arg, struct killing *k) {
    int64_t seconds;
    if (!call_i64_or(c, arg, &seconds, "ERR maxage is not an integer or out of range")) return false;
    if (seconds <= 0) {
        reply_error(c, "ERR maxage should be greater than 0");
        return false;
    }
    k->max_age_us = seconds > INT64_MAX / 1000000 ? INT64_MAX : seconds * 1000000;
    return true;
}

static bool read_skip(struct call *c, int arg, struct killing *k) {
    k->skip_me = call_is(c, arg, "yes");
    if (k->skip_me || call_is(c, arg, "no")) return true;
    reply_syntax(c);
    return false;
}

static bool read_address(struct call *c, int arg, char **field) {
    mem_free(MEM_CLIENT, *field);
    *field = copy(c->argv[arg]);
    return true;
}

static bool killing_option(struct call *c, int arg, struct killing *k) {
    if (arg + 1 < c->argc) {
        if (call_is(c, arg, "id")) return read_id(c, arg + 1, k);
        if (call_is(c, arg, "maxage")) return read_age(c, arg + 1, k);
        if (call_is(c, arg, "type")) return (k->kind = read_kind(c, arg + 1)) != NULL;
        if (call_is(c, arg, "addr")) return read_address(c, arg + 1, &k->address);
        if (call_is(c, arg, "laddr")) return read_address(c, arg + 1, &k->local_address);
        if (call_is(c, arg, "user")) return read_user(c, arg + 1);
        if (call_is(c, arg, "skipme")) return read_skip(c, arg + 1, k);
    }
    reply_syntax(c);
    return false;
}

static bool killing_parse(struct call *c, struct killing *k) {
    k->plain = c->argc == 3;
    if (k->plain) return read_address(c, 2, &k->address);
    k->skip_me = true;
    for (int i = 2; i < c->argc; i += 2)
        if (!killing_option(c, i, k)) return false;
    return true;
}

void clients_kill(struct call *c) {
    struct killing *k = mem_zalloc(MEM_CLIENT, sizeof *k);
    k->roster = (struct roster){.look = killing_look, .answer = killing_answer, .drop = killing_drop};
    k->asker_id = c->s->id;
    if (killing_parse(c, k))
        roster_ask(c, &k->roster);
    else
        killing_drop(&k->roster);
}

/* -- UNBLOCK ----------------------------------------------------------------------------------------- */

struct unblocking {
    struct roster roster;
    uint64_t id;
    bool with_error, done;
};

static void unblocking_look(struct roster *r, struct lane *l) {
    struct unblocking *u = (struct unblocking *)(void *)r;
    for (struct session *s = l->sessions; s && !u->done; s = s->next) {
        if (s->id != u->id || s->killed) continue;
        if (!s->task || !s->task->unblock || !s->task->unblock(s->task, s, u->with_error)) return;
        u->done = true;
        l->env->host->wake(s);
    }
}

static const char *unblocking_answer(struct roster *r, struct session *asker) {
    resp_int(&asker->writer, ((struct unblocking *)(void *)r)->done);
    return NULL;
}

static void unblocking_drop(struct roster *r) { mem_free(MEM_CLIENT, r); }

void clients_unblock(struct call *c) {
    int64_t id;
    bool with_error = c->argc == 4 && call_is(c, 3, "error");
    if (c->argc > 4) {
        reply_bad_sub(c);
        return;
    }
    if (c->argc == 4 && !with_error && !call_is(c, 3, "timeout")) {
        reply_error(c, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!call_i64(c, 2, &id)) return;
    struct unblocking *u = mem_zalloc(MEM_CLIENT, sizeof *u);
    u->roster =
        (struct roster){.look = unblocking_look, .answer = unblocking_answer, .drop = unblocking_drop};
    u->id = (uint64_t)id;
    u->with_error = with_error;
    roster_ask(c, &u->roster);
}
