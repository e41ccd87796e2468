#include "command/track_told.h"

#include "command/push.h"
#include "command/tracking.h"

struct told *track_told_new(void) {
    struct told *t = mem_zalloc(MEM_CLIENT, sizeof *t);
    atomic_init(&t->refs, 1);
    buf_init(&t->keys, MEM_CLIENT);
    return t;
}

void track_told_add(struct told *t, uint64_t by, struct slice key) {
    struct told_key k = {by, key.n};
    buf_put(&t->keys, &k, sizeof k);
    buf_put(&t->keys, key.p, key.n);
    t->n++;
}

struct told *track_told_hold(struct told *t) {
    if (t) atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void track_told_release(struct told *t) {
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1) return;
    buf_free(&t->keys);
    mem_free(MEM_CLIENT, t);
}

void track_told_each(const struct told *t, void (*each)(void *arg, uint64_t by, struct slice key), void *arg) {
    for (const char *p = t->keys.p, *end = p + t->keys.n; p < end;) {
        struct told_key k;
        memcpy(&k, p, sizeof k);
        p += sizeof k;
        each(arg, k.by, (struct slice){p, k.n});
        p += k.n;
    }
}

/* -- the message ------------------------------------------------------------------------------------------------------------------- */

static void put_key(void *arg, uint64_t by, struct slice key) {
    (void)by;
    resp_bulk(arg, key.p, key.n);
}

/* A subscriber in RESP2 gets it as a message; who is none cannot get it at all. */
static void put(struct session *s, const struct told *t) {
    bool message = s->writer.proto == 2;
    if (s->closing || (message && !(s->attends & ATTEND_CHANNELS))) return;
    struct resp_writer w = push_begin(s);
    resp_push(&w, message ? 3 : 2);
    resp_text(&w, message ? "message" : "invalidate");
    if (message) resp_text(&w, "__redis__:invalidate");
    if (t) {
        resp_array(&w, t->n);
        track_told_each(t, put_key, &w);
    } else {
        resp_null(&w);
    }
    push_end(s);
}

/* -- letters ----------------------------------------------------------------------------------------------------------------------- */

struct notice {
    struct letter letter;
    struct reach *to, *from; /* with references; from NULL: it is not redirected */
    struct told *told;
};

static void notice_free(struct notice *n) {
    reach_release(n->to);
    reach_release(n->from);
    track_told_release(n->told);
    mem_free(MEM_CLIENT, n);
}

static void send(struct lane *from, struct notice *n) { mail_send(from, n->to->lane, &n->letter); }

static struct notice *notice_new(void (*open)(struct lane *l, struct letter *m), struct reach *to, struct reach *from, struct told *t) {
    struct notice *n = mem_alloc(MEM_CLIENT, sizeof *n);
    *n = (struct notice){.letter = {.open = open}, .to = reach_hold(to), .from = from ? reach_hold(from) : NULL, .told = track_told_hold(t)};
    return n;
}

/* Back where it came from: nobody is there. */
static void open_broken(struct lane *l, struct letter *m) {
    struct notice *n = (struct notice *)(void *)m;
    struct session *s = n->to->session;
    (void)l;
    if (s && s->tracking->target == n->from) {
        s->tracking->broken = true;
        if (s->writer.proto > 2 && !s->closing) {
            struct resp_writer w = push_begin(s);
            resp_push(&w, 2);
            resp_text(&w, "tracking-redir-broken");
            resp_int(&w, (int64_t)s->tracking->redirect);
            push_end(s);
        }
    }
    notice_free(n);
}

static void open_redirected(struct lane *l, struct letter *m) {
    struct notice *n = (struct notice *)(void *)m;
    if (n->to->session) put(n->to->session, n->told);
    else send(l, notice_new(open_broken, n->from, n->to, NULL));
    notice_free(n);
}

void track_told_say(struct session *s, struct told *t) {
    struct tracking *k = s->tracking;
    if (!k || !k->self) return;
    if (k->target) send(s->lane, notice_new(open_redirected, k->target, k->self, t));
    else if (s->writer.proto > 2) put(s, t);
}

static void open_notice(struct lane *l, struct letter *m) {
    struct notice *n = (struct notice *)(void *)m;
    (void)l;
    if (n->to->session) track_told_say(n->to->session, n->told);
    notice_free(n);
}

void track_told_send(struct lane *from, struct reach *to, struct told *t) { send(from, notice_new(open_notice, to, NULL, t)); }
