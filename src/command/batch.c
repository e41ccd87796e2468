#include "command/pack.h"

#include "base/clock.h"
#include "command/persist.h"
#include "resp/quick.h"
#include "store/capture.h"

#include <assert.h>

#define KEEP 65536 /* bytes of scratch that stay after a request of very many keys */

struct batch *batch_new(void) {
    struct batch *b = mem_zalloc(MEM_MISC, sizeof *b);
    buf_init(&b->keys, MEM_CLIENT); /* as the request is that they are of */
    buf_init(&b->places, MEM_CLIENT);
    b->pack = pack_new();
    owing_init(&b->owing);
    b->call.owing = &b->owing;
    return b;
}

void batch_free(struct batch *b) {
    buf_free(&b->keys);
    buf_free(&b->places);
    pack_free(b->pack);
    owing_free(&b->owing);
    mem_free(MEM_MISC, b);
}

/* The shortest duration that SLOWLOG or LATENCY care about, in ticks. */
static uint64_t slow_ticks(int64_t slower, int64_t threshold, double per_us) {
    double us = -1;
    if (slower >= 0) us = (double)slower;
    if (threshold > 0 && (us < 0 || (double)threshold * 1000 < us)) us = (double)threshold * 1000;
    return us < 0 || us > 1e12 ? UINT64_MAX : (uint64_t)(us * per_us);
}

/* Divisions only where a setting has changed: this runs for each input. */
static void refresh_slow(struct batch *b, const struct env_config *f) {
    int64_t slower = option_get(&f->slowlog_max_len) > 0 ? option_get(&f->slowlog_slower_than) : -1;
    int64_t threshold = option_get(&f->latency_threshold);
    if (__builtin_expect(b->ns_per_tick && slower == b->slower && threshold == b->threshold, 1)) return;
    double per_us = clock_ticks_per_us();
    b->slower = slower;
    b->threshold = threshold;
    b->slow = slow_ticks(slower, threshold, per_us);
    b->ticks_ms = (uint64_t)(per_us * 1000);
    b->ns_per_tick = (uint64_t)(1000 / per_us * (1 << 20));
}

void batch_refresh(struct batch *b, struct session *s) {
    struct lane *l = s->lane;
    struct env *e = l->env;
    const struct env_config *f = &e->config;
    struct call *c = &b->call;
    c->s = s;
    c->w = &s->writer;
    c->waits = e->waits;
    view_init(&c->v, e->store, s->db, clock_ms(), &l->store_stats);
    c->v.touch = !s->no_touch;
    refresh_slow(b, f);
    b->ticks_late = clock_ticks() + b->ticks_ms;
    b->seed = store_seed(e->store);
    b->limited = option_get(&e->store_config.maxmemory) != 0 || capture_on(e->store);
    b->tracking = option_get(&f->latency_tracking) != 0;
    b->monitored = option_get(&f->monitor_any) != 0;
    bool locked = session_needs_auth(s);
    b->careful = locked || s->replies_off || s->reply_skip || s->reply_skip_next || b->monitored || s->attends ||
        atomic_load_explicit(&e->pause_until_ms, memory_order_relaxed) > c->v.now || persist_refuses(e) ||
        atomic_load_explicit(&e->loading, memory_order_relaxed) || atomic_load_explicit(&e->writes_held, memory_order_relaxed);
    b->limits = (struct resp_limits){option_get(&f->proto_max_bulk_len), INT32_MAX, 65536, locked};
    b->pack_from = s->pack ? 0 : pack_from(&e->store_config); /* 0: its next request is being packed */
    b->refresh = false;
}

static __attribute__((noinline)) void look_up_with_faults(struct batch *b, struct request *q, const struct command *c) {
    q->command = c;
    q->simple = false;
    q->fault = FAULT_UNKNOWN;
    if (!c) return;
    if (c->sub && q->argc > 1) {
        const struct command *sub = command_find_sub(c, q->argv[1]);
        q->fault = FAULT_UNKNOWN_SUB;
        if (!sub) return;
        q->command = c = sub;
    }
    q->fault = command_arity_ok(c, q->argc) ? FAULT_NONE : FAULT_ARITY;
    if (c->only_key && !q->fault) q->key = store_key(b->seed, q->argv[c->only_key]);
}

/* Pipelines repeat themselves: `last` is the request before. Two bytes follow a name, so four may be read at once. */
static inline bool same_command(const struct request *q, const struct request *last) {
    uint32_t a, b;
    if (q->argc != last->argc || q->argv->n != last->argv->n || q->argv->n - 2 > 2) return false;
    memcpy(&a, q->argv->p, 4);
    memcpy(&b, last->argv->p, 4);
    return a == b && last->simple;
}

static inline void request_look_up(struct batch *b, struct request *q, const struct request *last) {
    const struct command *c;
    if (last && same_command(q, last)) {
        c = last->command;
    } else {
        c = command_find(q->argv[0]);
        if (__builtin_expect(!c || !c->simple || !command_arity_ok(c, q->argc), 0)) {
            look_up_with_faults(b, q, c);
            return;
        }
    }
    q->command = c;
    q->fault = FAULT_NONE;
    q->simple = true;
    q->key = store_key(b->seed, q->argv[c->only_key]);
}

void batch_cut(struct batch *b, const char *p, size_t n) {
    const char *at = p, *const end = p + n;
    struct slice *word = b->word, *const words_end = b->word + BATCH_WORDS;
    struct request *q = b->request, *const full = q + BATCH_REQUESTS;
    const uint32_t max_bulk = quick_max_bulk(&b->limits);
    for (; q < full && max_bulk; q++) {
        uint32_t argc;
        const char *next = quick_request(at, end, max_bulk, word, (size_t)(words_end - word), &argc);
        if (!next) break;
        q->argv = word;
        q->argc = (int)argc;
        q->size = (size_t)(next - at);
        q->end = (size_t)(next - p);
        at = next;
        word += argc;
    }
    b->n = (unsigned)(q - b->request);
    const struct request *last = NULL;
    for (struct request *r = b->request; r < q; last = r++) request_look_up(b, r, last);
}

void batch_single(struct batch *b, const struct resp_request *r) {
    struct request *q = &b->request[0];
    *q = (struct request){.argv = r->argv, .argc = (int)r->argc, .size = r->used, .end = r->used};
    look_up_with_faults(b, q, command_find(q->argv[0]));
    b->n = 1;
}

/* First the slots of all, then, while those arrive, the entries of all. */
void batch_bring_near(struct batch *b) {
    struct store *store = b->call.v.store;
    if (b->n < 2 || !store_prefetch_pays(store)) return;
    for (int stage = 0; stage < 2; stage++)
        for (unsigned i = 0; i < b->n; i++) {
            const struct request *q = &b->request[i];
            if (!q->fault && q->command->only_key) store_prefetch(store, b->call.v.db, &q->key, stage);
        }
}

#define FORESEE_WORDS 8

/* Nearly every command's key is its first argument; where it is not, a line is fetched for nothing. */
void dispatch_foresee(struct session *s, const char *p, size_t n) {
    struct batch *b = s->lane->batch;
    struct slice word[FORESEE_WORDS];
    uint32_t argc;
    if (b->foreseen_n == BATCH_FORESEEN || !resp_reader_idle(&s->reader)) return;
    if (!quick_request(p, p + n, UINT32_MAX, word, FORESEE_WORDS, &argc) || argc < 2) return;
    b->foreseen[b->foreseen_n++] = (struct foreseen){store_key(store_seed(s->lane->env->store), word[1]), s->db};
}

void dispatch_bring_near(struct lane *l) {
    struct batch *b = l->batch;
    struct store *store = l->env->store;
    if (b->foreseen_n > 1 && store_prefetch_pays(store)) {
        for (int stage = 0; stage < 2; stage++)
            for (unsigned i = 0; i < b->foreseen_n; i++)
                store_prefetch(store, b->foreseen[i].db, &b->foreseen[i].key, stage);
    }
    b->foreseen_n = 0;
}

static void keys_bring_near(struct batch *b) {
    const struct call *c = &b->call;
    if (c->keys < 2 || !store_prefetch_pays(c->v.store)) return;
    for (int from = 0; from < c->keys; from += BATCH_REQUESTS) {
        int to = from + BATCH_REQUESTS < c->keys ? from + BATCH_REQUESTS : c->keys;
        for (int stage = 0; stage < 2; stage++)
            for (int i = from; i < to; i++) store_prefetch(c->v.store, c->v.db, &c->key[i], stage);
    }
}

static void buf_reuse(struct buf *b) {
    b->n = 0;
    if (b->cap > KEEP) buf_free(b);
}

void request_keys(struct batch *b, struct request *q) {
    struct call *c = &b->call;
    const struct command *cmd = q->command;
    c->key = &q->key;
    c->keys = 1;
    if (__builtin_expect(cmd->only_key, 1)) return;
    c->keys = 0;
    if (!cmd->find_keys && cmd->keys[0].how == KEYS_NONE) return;
    buf_reuse(&b->keys);
    buf_reuse(&b->places);
    int *at = (int *)(void *)buf_room(&b->places, (size_t)q->argc * sizeof *at);
    int n = command_keys(cmd, q->argv, q->argc, at, q->argc);
    if (n <= 0) return; /* wrong arguments: the handler says which */
    struct key *key = (struct key *)(void *)buf_room(&b->keys, (size_t)n * sizeof *key);
    for (int i = 0; i < n; i++) key[i] = store_key(b->seed, q->argv[at[i]]);
    c->key = key;
    c->keys = n;
    keys_bring_near(b);
}
