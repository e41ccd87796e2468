/* Who listens to the feed: notes on their way to the ring, frames on their way out of it. */
#include "command/feed_ring.h"

#include "base/clock.h"
#include "base/match.h"
#include "command/push.h"

#include <stdlib.h>

#define NOTES_MOST 16384   /* bytes that a lane keeps before it publishes in the middle of a batch */
#define NOTES 512          /* changes */
#define WINDOW 262144      /* bytes that may wait to be sent to a listener before it is left behind */
#define COPIED 4096        /* pieces up to this are copied, longer ones referred to */
#define FEW 2              /* listeners that are told at once in any case */
#define COST_US 12         /* what it takes to tell one, about */
#define PACE 16            /* a share of so many of the time may go into that */
#define BURST_US 1000
#define LATEST_US 25000
#define SLOW_MS 5          /* when to look again at who is slow to read */

/* A piece without what no prefix of a set wants; several listeners of a lane with that set are given the same. */
struct feed_sieve {
    _Atomic uint32_t refs;
    struct feed_block *block; /* with a reference */
    uint32_t from, to;
    struct buf prefixes, text;
    size_t n;                 /* changes in text */
};

struct listener {
    struct session *s;
    struct listener *next, **at;
    struct feed_place place;
    struct buf prefixes; /* of each its length and its bytes; none: everything */
};

struct feed_lane {
    char *text;              /* as it will be sent; room for one more beyond NOTES_MOST */
    size_t used, n;
    struct feed_note *note;  /* NOTES of them */
    struct listener *listeners;
    unsigned count;
    _Atomic bool any;        /* listeners */
    _Atomic bool posted;     /* the lane will look at the ring */
    int64_t seen_us, credit; /* when they were told last; microseconds that they may cost, as a debt below 0 */
    struct feed_sieve *sieve;
};

/* -- notes ------------------------------------------------------------------------------------------------------------------- */

struct feed_lane *feed_lane_new(void) {
    struct feed_lane *fl = mem_zalloc(MEM_MISC, sizeof *fl);
    fl->text = mem_alloc(MEM_CLIENT, NOTES_MOST + FEED_LONGEST + 64);
    fl->note = mem_alloc(MEM_CLIENT, NOTES * sizeof *fl->note);
    return fl;
}

static void sieve_release(void *arg) {
    struct feed_sieve *v = arg;
    if (atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    feed_ring_release(v->block);
    buf_free(&v->prefixes);
    buf_free(&v->text);
    mem_free(MEM_CLIENT, v);
}

void feed_lane_free(struct feed_lane *fl) {
    if (fl->sieve) sieve_release(fl->sieve);
    mem_free(MEM_CLIENT, fl->text);
    mem_free(MEM_CLIENT, fl->note);
    mem_free(MEM_MISC, fl);
}

/* A key that is too long to be told: a pattern that it matches, of its first bytes. */
static void note_long(struct lane *l, unsigned db, struct slice key) {
    char pattern[2 * 256 + 1];
    size_t n = 0;
    for (size_t i = 0; i < 256; i++) {
        if (memchr("*?[]\\^", key.p[i], 6)) pattern[n++] = '\\';
        pattern[n++] = key.p[i];
    }
    pattern[n++] = '*';
    feed_note(l, 'p', db, (struct slice){pattern, n}, 0);
}

/* n bytes, most often some ten to thirty. Up to 32 bytes behind `to` may be written. */
static inline void copy_short(char *to, const char *p, size_t n) {
    if (__builtin_expect(n >= 8 && n <= 32, 1)) {
        size_t half = n > 16 ? 16 : 8;
        if (half == 16) {
            memcpy(to, p, 16);
            memcpy(to + n - 16, p + n - 16, 16);
        } else {
            memcpy(to, p, 8);
            memcpy(to + n - 8, p + n - 8, 8);
        }
    } else if (n) {
        memcpy(to, p, n);
    }
}

/* As it is sent: $, the length, the mark ('k', 'p' or 'f', the database, a space), the text. */
static inline char *put_change(char *at, char kind, unsigned db, struct slice text) {
    unsigned marked = db < 10 || db == STORE_DATABASES ? 3 : 4;
    size_t n = marked + text.n;
    at[0] = '$';
    if (__builtin_expect(n - 10 < 90, 1)) {
        unsigned tens = (unsigned)n * 103 >> 10; /* n / 10 below 100 */
        at[1] = (char)('0' + tens);
        at[2] = (char)('0' + (unsigned)n - tens * 10);
        at += 3;
    } else {
        at += 1 + num_put_u64(at + 1, n);
    }
    at[0] = '\r';
    at[1] = '\n';
    at[2] = kind;
    if (__builtin_expect(marked == 3, 1)) {
        at[3] = db == STORE_DATABASES ? '*' : (char)('0' + db);
        at[4] = ' ';
    } else {
        at[3] = '1';
        at[4] = (char)('0' + db - 10);
        at[5] = ' ';
    }
    at += 2 + marked;
    copy_short(at, text.p, text.n);
    at += text.n;
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

static __attribute__((noinline)) void note_unusual(struct lane *l, char kind, unsigned db, struct slice text, uint64_t hash) {
    if (text.n > FEED_LONGEST) {
        if (kind == 'k') note_long(l, db, text);
        else feed_note(l, 'f', db, SLICE(""), 0); /* a pattern that long: the whole database */
        return;
    }
    feed_publish(l);
    feed_note(l, kind, db, text, hash);
}

void feed_note(struct lane *l, char kind, unsigned db, struct slice text, uint64_t hash) {
    struct feed_lane *fl = l->feed;
    if (__builtin_expect(text.n > FEED_LONGEST || fl->used > NOTES_MOST || fl->n == NOTES, 0)) {
        note_unusual(l, kind, db, text, hash);
        return;
    }
    char *const p = fl->text + fl->used, *end = put_change(p, kind, db, text);
    fl->note[fl->n++] = (struct feed_note){hash, (uint32_t)(end - p)};
    fl->used += (size_t)(end - p);
    l->unsettled = true;
}

static void feed_job(struct lane *l, void *arg);

static void tell_lanes(struct env *e) {
    for (unsigned i = 0; i < e->lanes; i++) {
        struct feed_lane *fl = e->lane[i]->feed;
        if (!atomic_load(&fl->any) || atomic_exchange(&fl->posted, true)) continue;
        e->host->post(e->host, i, feed_job, NULL);
    }
}

void feed_publish(struct lane *l) {
    struct feed_lane *fl = l->feed;
    if (!fl->n) return;
    feed_ring_put(l->env, fl->text, fl->note, fl->n);
    fl->used = fl->n = 0;
    tell_lanes(l->env);
}

/* -- sifting ----------------------------------------------------------------------------------------------------------------- */

/* One change, as it is sent. */
struct change {
    const char *at;
    size_t n; /* all of it */
    char kind;
    struct slice text;
};

static struct change change_at(const char *p) {
    struct change c = {.at = p};
    size_t len = 0;
    for (p++; *p != '\r'; p++) len = len * 10 + (size_t)(*p - '0');
    p += 2;
    c.kind = *p;
    const char *space = memchr(p, ' ', len);
    c.text = (struct slice){space + 1, len - (size_t)(space + 1 - p)};
    c.n = (size_t)(p + len + 2 - c.at);
    return c;
}

static bool begins(struct slice text, struct slice prefix) { return text.n >= prefix.n && !memcmp(text.p, prefix.p, prefix.n); }

static bool is_wanted(const struct change *c, const struct buf *prefixes) {
    if (c->kind == 'f') return true;
    for (const char *p = prefixes->p, *end = p + prefixes->n; p < end;) {
        struct slice prefix;
        memcpy(&prefix.n, p, sizeof prefix.n);
        prefix.p = p + sizeof prefix.n;
        p = prefix.p + prefix.n;
        if (c->kind == 'k' ? begins(c->text, prefix) : match_may_begin(c->text, prefix)) return true;
    }
    return false;
}

static bool same_bytes(const struct buf *a, const struct buf *b) { return a->n == b->n && !memcmp(a->p, b->p, a->n); }

static struct feed_sieve *sift(struct feed_lane *fl, const struct listener *li, const struct feed_piece *piece) {
    struct feed_sieve *v = fl->sieve;
    if (v && v->block == piece->block && v->from == piece->from && v->to == piece->to && same_bytes(&v->prefixes, &li->prefixes)) return v;
    if (v) sieve_release(v);
    fl->sieve = v = mem_zalloc(MEM_CLIENT, sizeof *v);
    atomic_init(&v->refs, 1);
    v->block = piece->block;
    atomic_fetch_add_explicit(&v->block->refs, 1, memory_order_relaxed);
    v->from = piece->from;
    v->to = piece->to;
    buf_init(&v->prefixes, MEM_CLIENT);
    buf_init(&v->text, MEM_CLIENT);
    buf_put(&v->prefixes, li->prefixes.p, li->prefixes.n);
    for (const char *p = v->block->data + v->from, *end = v->block->data + v->to; p < end;) {
        struct change c = change_at(p);
        if (is_wanted(&c, &li->prefixes)) {
            buf_put(&v->text, c.at, c.n);
            v->n++;
        }
        p += c.n;
    }
    return v;
}

/* -- frames ------------------------------------------------------------------------------------------------------------------ */

static void put_body(struct resp_writer *w, const char *p, size_t n, _Atomic uint32_t *refs, chain_release *release, void *arg) {
    if (n <= COPIED) {
        if (n) resp_raw(w, p, n);
        return;
    }
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
    chain_ref(w->out, p, n, release, arg);
}

static void put_frame(struct resp_writer *w, struct feed_lane *fl, const struct listener *li, const struct feed_piece *piece) {
    resp_push(w, 4);
    RESP_RAW(w, "$4\r\nfeed\r\n");
    resp_int(w, (int64_t)piece->first);
    resp_int(w, (int64_t)piece->next);
    if (!piece->block) {
        resp_null_array(w);
    } else if (li->prefixes.n) {
        struct feed_sieve *v = sift(fl, li, piece);
        resp_array(w, v->n);
        put_body(w, v->text.p, v->text.n, &v->refs, sieve_release, v);
    } else {
        resp_array(w, piece->next - piece->first);
        put_body(w, piece->block->data + piece->from, piece->to - piece->from, &piece->block->refs, feed_ring_release, piece->block);
    }
}

/* False: it is behind, and slow to read. */
static bool give(struct listener *li, bool all) {
    struct session *s = li->s;
    struct feed_lane *fl = s->lane->feed;
    struct feed_piece piece;
    if (s->closing) return true;
    if (s->mid_reply) return false;
    while (all || chain_size(&s->out) < WINDOW) {
        if (!feed_ring_next(s->lane->env->feed, &li->place, &piece)) return true;
        struct resp_writer w = push_begin(s);
        put_frame(&w, fl, li, &piece);
        push_end(s);
        if (piece.block) feed_ring_release(piece.block);
    }
    return false;
}

void feed_give(struct session *s, bool all) { give(s->listener, all); }

static void look_again(struct lane *l, int64_t ms) {
    atomic_store(&l->feed->posted, true);
    l->env->host->alarm(l, ms);
}

static void tell_all(struct lane *l) {
    struct feed_lane *fl = l->feed;
    bool behind = false;
    atomic_store(&fl->posted, false); /* before the ring is looked at: what comes later is told of anew */
    for (struct listener *li = fl->listeners; li; li = li->next)
        if (!give(li, false)) behind = true;
    if (behind) look_again(l, SLOW_MS);
}

void feed_alarm(struct lane *l) {
    if (l->feed->listeners) tell_all(l);
    else atomic_store(&l->feed->posted, false);
}

/* Where there are many listeners it is told less often, and more at a time. */
static void feed_job(struct lane *l, void *arg) {
    struct feed_lane *fl = l->feed;
    int64_t now = clock_mono_us();
    (void)arg;
    fl->credit += now - fl->seen_us;
    if (fl->credit > BURST_US * PACE) fl->credit = BURST_US * PACE;
    fl->seen_us = now;
    if (fl->count > FEW && fl->credit < 0) {
        int64_t wait = -fl->credit < LATEST_US ? -fl->credit : LATEST_US;
        look_again(l, (wait + 999) / 1000);
        return;
    }
    fl->credit -= (int64_t)fl->count * COST_US * PACE;
    feed_alarm(l);
}

/* -- CACHE FEED -------------------------------------------------------------------------------------------------------------- */

void feed_leave(struct session *s) {
    struct listener *li = s->listener;
    if (!li) return;
    struct feed_lane *fl = s->lane->feed;
    *li->at = li->next;
    if (li->next) li->next->at = li->at;
    atomic_store(&fl->any, --fl->count != 0);
    feed_ring_part(s->lane->env, &li->place);
    buf_free(&li->prefixes);
    mem_free(MEM_CLIENT, li);
    s->listener = NULL;
    s->attends &= ~ATTEND_FEED;
}

struct wish {
    uint64_t from;
    bool other_life;
    struct buf prefixes;
};

static bool read_from(struct call *c, int i, struct wish *w) {
    int64_t v;
    if (!call_range(c, i, 0, INT64_MAX, &v, "ERR sequence number is not an integer or out of range")) return false;
    w->from = (uint64_t)v ? (uint64_t)v : 1; /* 0 was never given either */
    return true;
}

static void add_prefix(struct wish *w, struct slice prefix) {
    buf_put(&w->prefixes, &prefix.n, sizeof prefix.n);
    buf_put(&w->prefixes, prefix.p, prefix.n);
}

static bool read_wish(struct call *c, struct wish *w) {
    for (int i = 2; i < c->argc; i++) {
        bool more = i + 1 < c->argc;
        if (call_is(c, i, "FROM") && more) {
            if (!read_from(c, ++i, w)) return false;
        } else if (call_is(c, i, "EPOCH") && more) {
            w->other_life = !slice_equal(c->argv[++i], slice_of(call_env(c)->run_id));
        } else if (call_is(c, i, "PREFIX") && more) {
            do add_prefix(w, c->argv[++i]);
            while (i + 1 < c->argc && !call_is(c, i + 1, "FROM") && !call_is(c, i + 1, "EPOCH") && !call_is(c, i + 1, "PREFIX"));
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static void reply_joined(struct call *c, enum feed_status status, uint64_t seq) {
    static const char *const reasons[] = {[FEED_NEW] = "", [FEED_RESUMED] = "", [FEED_OVERRUN] = "overrun", [FEED_IDLE] = "idle",
        [FEED_OTHER_LIFE] = "epoch"};
    resp_map(c->w, 4);
    resp_text(c->w, "epoch");
    resp_text(c->w, call_env(c)->run_id);
    resp_text(c->w, "seq");
    resp_int(c->w, (int64_t)seq);
    resp_text(c->w, "status");
    resp_text(c->w, status == FEED_NEW ? "new" : status == FEED_RESUMED ? "resumed" : "lost");
    resp_text(c->w, "reason");
    resp_text(c->w, reasons[status]);
}

void feed_run(struct call *c) {
    struct session *s = c->s;
    struct feed_lane *fl = s->lane->feed;
    struct wish w = {0};
    buf_init(&w.prefixes, MEM_CLIENT);
    if (!read_wish(c, &w)) {
        buf_free(&w.prefixes);
        return;
    }
    struct feed_place old = {0};
    if (s->listener) { /* it stays one, so that recording does not end in between */
        old = s->listener->place;
        s->listener->place.block = NULL;
        feed_leave(s);
    }
    struct listener *li = mem_zalloc(MEM_CLIENT, sizeof *li);
    enum feed_status status = feed_ring_join(call_env(c), w.other_life && w.from ? 1 : w.from, &li->place);
    feed_ring_part(call_env(c), &old);
    li->s = s;
    li->prefixes = w.prefixes;
    li->next = fl->listeners;
    if (li->next) li->next->at = &li->next;
    li->at = &fl->listeners;
    fl->listeners = li;
    fl->count++;
    atomic_store(&fl->any, true);
    s->listener = li;
    s->attends |= ATTEND_FEED;
    reply_joined(c, status, li->place.seq);
    if (status == FEED_RESUMED && !atomic_exchange(&fl->posted, true))
        call_env(c)->host->post(call_env(c)->host, s->lane->index, feed_job, NULL);
}
