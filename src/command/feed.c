/* Who listens to the feed: notes on their way to the ring, frames on their way out of it. */
#include "command/feed_frame.h"

#include "base/clock.h"
#include "command/feed_sieve.h"
#include "command/push.h"

#include <inttypes.h>
#include <stdio.h>

#define NOTES_MOST 16384   /* bytes that a lane keeps before it publishes in the middle of a batch */
#define NOTES 512          /* changes */
#define BARE 1024          /* of keys of which the hash suffices */
#define WINDOW 262144      /* bytes that may wait to be sent to a listener before it is left behind */
#define COPIED 4096        /* pieces up to this are copied, longer ones referred to */
#define FEW 2              /* listeners that are told at once in any case */
#define COST_US 8          /* what it takes to tell one, about, and so many bytes a microsecond */
#define BYTES_PER_US 8000
#define TURN_US 250        /* in one turn of the loop */
#define SIFT_US 80         /* a step of the sieve, about */
#define PACE 40            /* a share of so many of the time may go into that */
#define BURST_US 1000
#define LATEST_US 50000
#define SLOW_MS 5          /* when to look again at who is slow to read */

struct listener {
    struct session *s;
    struct listener *next, **at;
    struct feed_place place;
    uint64_t told; /* it was told what is below: behind that comes, if its place is further on, what it does not want */
    struct feed_wish wish;
    struct feed_mesh *mesh; /* with prefixes: its wish in the lane's sieve; else NULL */
};

/* All listeners of a lane are told in a round, which may take several turns of the loop. */
struct feed_round {
    struct listener *next; /* who comes next; NULL: there is no round */
    uint64_t until, old;   /* it is about what is below; who was told nothing since `old` is told that there was nothing */
    bool behind;           /* somebody is slow to read */
    bool sifting;          /* it is still looked for what those with prefixes are to be told */
    int64_t cost;          /* us, about */
};

struct feed_lane {
    char *text;              /* as it will be sent; room for one more beyond NOTES_MOST */
    size_t used, n;
    struct feed_note *note;  /* NOTES of them */
    uint32_t *bare;          /* BARE of them: keys, by the hash that is told */
    size_t bares;
    struct listener *listeners;
    unsigned count;
    _Atomic bool any;        /* listeners */
    _Atomic bool posted;     /* the lane will look at the ring */
    int64_t seen_us, credit; /* when they were told last; microseconds that they may cost, as a debt below 0 */
    struct feed_round round;
    struct feed_shelf shelf;
    struct feed_sieve *sieve;
};

/* -- notes ------------------------------------------------------------------------------------------------------------------- */

struct feed_lane *feed_lane_new(void) {
    struct feed_lane *fl = mem_zalloc(MEM_MISC, sizeof *fl);
    fl->text = mem_alloc(MEM_CLIENT, NOTES_MOST + FEED_LONGEST + 64);
    fl->note = mem_alloc(MEM_CLIENT, NOTES * sizeof *fl->note);
    fl->bare = mem_alloc(MEM_CLIENT, BARE * sizeof *fl->bare);
    fl->sieve = feed_sieve_new();
    return fl;
}

void feed_lane_free(struct feed_lane *fl) {
    feed_frame_clear(&fl->shelf);
    feed_sieve_free(fl->sieve);
    mem_free(MEM_CLIENT, fl->text);
    mem_free(MEM_CLIENT, fl->note);
    mem_free(MEM_CLIENT, fl->bare);
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

void feed_note_key(struct lane *l, unsigned db, struct slice key, uint64_t hash) {
    const struct feed *f = l->env->feed;
    if (__builtin_expect(feed_on(f) != FEED_HASHES || key.n > FEED_LONGEST, 0)) {
        feed_note(l, 'k', db, key, hash);
        return;
    }
    uint32_t told = feed_ring_hash(feed_ring_seed(f), db, key);
    struct feed_lane *fl = l->feed;
    fl->bare[fl->bares++] = told;
    l->unsettled = true;
    if (__builtin_expect(fl->bares == BARE, 0)) feed_publish(l);
}

void feed_note(struct lane *l, char kind, unsigned db, struct slice text, uint64_t hash) {
    struct feed_lane *fl = l->feed;
    if (__builtin_expect(text.n > FEED_LONGEST || fl->used > NOTES_MOST || fl->n == NOTES, 0)) {
        note_unusual(l, kind, db, text, hash);
        return;
    }
    char *const p = fl->text + fl->used, *end = put_change(p, kind, db, text);
    bool key = kind == 'k';
    uint32_t told = key ? feed_ring_hash(feed_ring_seed(l->env->feed), db, text) : 0;
    fl->note[fl->n++] = (struct feed_note){hash, told, (uint32_t)(end - p) & INT32_MAX, !key};
    fl->used += (size_t)(end - p);
    l->unsettled = true;
}

static void feed_job(struct lane *l, void *arg);

static void tell_lanes(struct env *e) {
    for (unsigned i = 0; i < e->lanes; i++) {
        struct feed_lane *fl = e->lane[i]->feed;
        /* Who takes it back looks at the ring behind that, under its lock: what was put in before is seen. */
        if (!atomic_load(&fl->any) || atomic_load(&fl->posted) || atomic_exchange(&fl->posted, true)) continue;
        e->host->post(e->host, i, feed_job, NULL);
    }
}

void feed_publish(struct lane *l) {
    struct feed_lane *fl = l->feed;
    if (!fl->n && !fl->bares) return;
    if (fl->bares) feed_ring_put_bare(l->env, fl->bare, fl->bares);
    if (fl->n) feed_ring_put(l->env, fl->text, fl->note, fl->n);
    fl->used = fl->n = fl->bares = 0;
    tell_lanes(l->env);
}

/* -- frames ------------------------------------------------------------------------------------------------------------------ */

static void send_part(struct resp_writer *w, const char *p, size_t n, _Atomic uint32_t *refs, chain_release *release, void *arg) {
    if (n <= COPIED) {
        if (n) resp_raw(w, p, n);
        return;
    }
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
    chain_ref(w->out, p, n, release, arg);
}

/* To who wants everything: what lies in the ring, as it lies there. */
static bool give_piece(struct listener *li) {
    struct session *s = li->s;
    struct feed_piece piece;
    if (!feed_ring_next(s->lane->env->feed, &li->place, &piece)) return false;
    struct resp_writer w = push_begin(s);
    resp_push(&w, 4);
    RESP_RAW(&w, "$4\r\nfeed\r\n");
    resp_int(&w, (int64_t)piece.first);
    resp_int(&w, (int64_t)piece.next);
    if (piece.block && !piece.bare) {
        resp_array(&w, piece.next - piece.first);
        send_part(&w, piece.block->data + piece.from, piece.to - piece.from, &piece.block->refs, feed_ring_release, piece.block);
    } else {
        resp_null_array(&w);
    }
    push_end(s);
    if (piece.block) feed_ring_release(piece.block);
    li->told = li->place.seq;
    return true;
}

/* That there was nothing for it is told where somebody asks, or it would be forgotten from where on it may come back. */
static bool give_frame(struct listener *li, uint64_t until, bool empty) {
    struct session *s = li->s;
    struct feed_lane *fl = s->lane->feed;
    struct feed_span span = {.from = &li->place, .first = li->told, .until = until};
    span.found = feed_sieve_get(fl->sieve, li->mesh, &li->place, &span.end);
    if (span.found && !span.found->n && !span.found->hashes.n && !empty && li->told >= fl->round.old) {
        feed_ring_move(&li->place, span.end);
        return true;
    }
    struct feed_frame *v = feed_frame_get(&fl->shelf, s->lane->env, &li->wish, &span);
    if (!v) return false;
    feed_ring_move(&li->place, &v->end);
    if (!v->n && !v->lost && !empty && li->told >= fl->round.old) return true;
    struct resp_writer w = push_begin(s);
    send_part(&w, v->text.p, v->text.n, &v->refs, feed_frame_release, v);
    push_end(s);
    li->told = li->place.seq;
    return true;
}

/* Nothing new, but the last it was told is not the last that there was. */
static void give_place(struct listener *li) {
    struct buf head;
    buf_init(&head, MEM_CLIENT);
    feed_frame_head(&head, li->wish.proto, li->told, li->place.seq);
    buf_puts(&head, "*0\r\n");
    struct resp_writer w = push_begin(li->s);
    resp_raw(&w, head.p, head.n);
    push_end(li->s);
    buf_free(&head);
    li->told = li->place.seq;
}

/* What is below `until`. False: it is behind, and slow to read. */
static bool give(struct listener *li, uint64_t until, bool all) {
    struct session *s = li->s;
    bool direct = !li->wish.hashed && !li->wish.prefixes.n;
    if (s->closing) return true;
    if (s->mid_reply) return false;
    li->wish.proto = s->writer.proto;
    while (li->place.seq < until && (all || chain_size(&s->out) < WINDOW))
        if (!(direct ? give_piece(li) : give_frame(li, until, all))) break;
    if (all && li->told < li->place.seq) give_place(li);
    return all || li->place.seq >= until || chain_size(&s->out) < WINDOW;
}

void feed_give(struct session *s, bool all) { give(s->listener, UINT64_MAX, all); }

/* -- rounds ------------------------------------------------------------------------------------------------------------------ */

static void look_again(struct lane *l, int64_t ms) {
    atomic_store(&l->feed->posted, true);
    l->env->host->alarm(l, ms);
}

/* What came while the round went on was posted by nobody. */
static void round_over(struct lane *l) {
    struct feed_lane *fl = l->feed;
    uint64_t old;
    feed_frame_clear(&fl->shelf);
    feed_sieve_clear(fl->sieve);
    if (fl->count > FEW) fl->credit -= fl->round.cost * PACE;
    if (fl->round.behind) {
        look_again(l, SLOW_MS);
        return;
    }
    atomic_store(&fl->posted, false); /* before the ring is looked at: what comes later is told of anew */
    if (fl->count && feed_ring_end(l->env->feed, &old) > fl->round.until && !atomic_exchange(&fl->posted, true))
        l->env->host->post(l->env->host, l->index, feed_job, NULL);
}

/* As many as a turn has time for. What they are given is sent at the end of the turn. */
static void tell_some(struct lane *l) {
    struct feed_lane *fl = l->feed;
    struct feed_round *r = &fl->round;
    int64_t cost = 0, looked = 0;
    for (; r->sifting && looked < TURN_US; looked += SIFT_US) r->sifting = feed_sieve_step(fl->sieve, l->env, &r->until);
    while (r->next && !r->sifting && cost + looked < TURN_US) {
        struct listener *li = r->next;
        r->next = li->next;
        size_t before = chain_size(&li->s->out);
        if (!give(li, r->until, false)) r->behind = true;
        size_t more = chain_size(&li->s->out) - before;
        cost += more ? COST_US + (int64_t)(more / BYTES_PER_US) : 0;
    }
    r->cost += cost;
    if (!r->next) round_over(l);
    else l->env->host->post(l->env->host, l->index, feed_job, NULL);
}

static const struct listener *first_mesh(const struct feed_lane *fl) {
    const struct listener *li = fl->listeners;
    while (li && !li->mesh) li = li->next;
    return li;
}

void feed_alarm(struct lane *l) {
    struct feed_lane *fl = l->feed;
    if (fl->round.next) return;
    fl->round = (struct feed_round){.next = fl->listeners};
    fl->round.until = feed_ring_end(l->env->feed, &fl->round.old);
    const struct listener *first = first_mesh(fl);
    fl->round.sifting = first && feed_sieve_begin(fl->sieve, &first->place);
    fl->seen_us = clock_mono_us();
    tell_some(l);
}

/* Where there are many listeners it is told less often, and more at a time. */
static void feed_job(struct lane *l, void *arg) {
    struct feed_lane *fl = l->feed;
    (void)arg;
    if (fl->round.next) {
        tell_some(l);
        return;
    }
    int64_t now = clock_mono_us();
    fl->credit += now - fl->seen_us;
    if (fl->credit > BURST_US * PACE) fl->credit = BURST_US * PACE;
    fl->seen_us = now;
    if (fl->count > FEW && fl->credit < 0) {
        int64_t wait = -fl->credit < LATEST_US ? -fl->credit : LATEST_US;
        look_again(l, (wait + 999) / 1000);
        return;
    }
    feed_alarm(l);
}

/* -- CACHE FEED -------------------------------------------------------------------------------------------------------------- */

void feed_leave(struct session *s) {
    struct listener *li = s->listener;
    if (!li) return;
    struct feed_lane *fl = s->lane->feed;
    if (fl->round.next == li) fl->round.next = li->next; /* where that was the last, the job that goes on finds none and ends it */
    *li->at = li->next;
    if (li->next) li->next->at = li->at;
    atomic_store(&fl->any, --fl->count != 0);
    feed_ring_part(s->lane->env, feed_wish_keys(&li->wish), &li->place);
    if (li->mesh) feed_sieve_part(fl->sieve, li->mesh);
    buf_free(&li->wish.prefixes);
    mem_free(MEM_CLIENT, li);
    s->listener = NULL;
    s->attends &= ~ATTEND_FEED;
}

struct joining {
    uint64_t from;
    bool other_life;
    struct feed_wish wish;
};

static bool read_from(struct call *c, int i, struct joining *w) {
    int64_t v;
    if (!call_range(c, i, 0, INT64_MAX, &v, "ERR sequence number is not an integer or out of range")) return false;
    w->from = (uint64_t)v ? (uint64_t)v : 1; /* 0 was never given either */
    return true;
}

static bool is_option(const struct call *c, int i) {
    return call_is(c, i, "FROM") || call_is(c, i, "EPOCH") || call_is(c, i, "PREFIX") || call_is(c, i, "HASHED");
}

static bool read_wish(struct call *c, struct joining *w) {
    for (int i = 2; i < c->argc; i++) {
        bool more = i + 1 < c->argc;
        if (call_is(c, i, "FROM") && more) {
            if (!read_from(c, ++i, w)) return false;
        } else if (call_is(c, i, "EPOCH") && more) {
            w->other_life = !slice_equal(c->argv[++i], slice_of(call_env(c)->run_id));
        } else if (call_is(c, i, "HASHED")) {
            w->wish.hashed = true;
        } else if (call_is(c, i, "PREFIX") && more) {
            do feed_wish_add(&w->wish, c->argv[++i]);
            while (i + 1 < c->argc && !is_option(c, i + 1));
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static void reply_joined(struct call *c, enum feed_status status, uint64_t seq, bool hashed) {
    static const char *const reasons[] = {[FEED_NEW] = "", [FEED_RESUMED] = "", [FEED_OVERRUN] = "overrun", [FEED_IDLE] = "idle",
        [FEED_OTHER_LIFE] = "epoch"};
    resp_map(c->w, hashed ? 6 : 4);
    resp_text(c->w, "epoch");
    resp_text(c->w, call_env(c)->run_id);
    resp_text(c->w, "seq");
    resp_int(c->w, (int64_t)seq);
    resp_text(c->w, "status");
    resp_text(c->w, status == FEED_NEW ? "new" : status == FEED_RESUMED ? "resumed" : "lost");
    resp_text(c->w, "reason");
    resp_text(c->w, reasons[status]);
    if (!hashed) return;
    char seed[17];
    snprintf(seed, sizeof seed, "%016" PRIx64, feed_ring_seed(call_env(c)->feed));
    resp_text(c->w, "hash");
    resp_text(c->w, "xxh3-28");
    resp_text(c->w, "seed");
    resp_text(c->w, seed);
}

void feed_run(struct call *c) {
    struct session *s = c->s;
    struct feed_lane *fl = s->lane->feed;
    struct joining w = {0};
    buf_init(&w.wish.prefixes, MEM_CLIENT);
    if (!read_wish(c, &w)) {
        buf_free(&w.wish.prefixes);
        return;
    }
    struct feed_place old = {0};
    bool old_keys = false;
    feed_publish(s->lane); /* what was noted before keys were asked for */
    if (s->listener) { /* it stays one, so that recording does not end in between */
        old = s->listener->place;
        old_keys = feed_wish_keys(&s->listener->wish);
        s->listener->place.block = NULL;
        feed_leave(s);
    }
    struct listener *li = mem_zalloc(MEM_CLIENT, sizeof *li);
    enum feed_status status = feed_ring_join(call_env(c), w.other_life && w.from ? 1 : w.from, feed_wish_keys(&w.wish), &li->place);
    feed_ring_part(call_env(c), old_keys, &old);
    li->s = s;
    li->told = li->place.seq;
    li->wish = w.wish;
    if (li->wish.prefixes.n) li->mesh = feed_sieve_join(fl->sieve, &li->wish);
    li->next = fl->listeners;
    if (li->next) li->next->at = &li->next;
    li->at = &fl->listeners;
    fl->listeners = li;
    fl->count++;
    atomic_store(&fl->any, true);
    s->listener = li;
    s->attends |= ATTEND_FEED;
    reply_joined(c, status, li->place.seq, li->wish.hashed);
    if (status == FEED_RESUMED && !atomic_exchange(&fl->posted, true))
        call_env(c)->host->post(call_env(c)->host, s->lane->index, feed_job, NULL);
}
