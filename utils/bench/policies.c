/* policies: hit ratios of larderd's store under each of its policies, and of exact LRU, exact LFU and Belady by size, on a trace.
 *
 *   policies [options] <TRACE          see trace.h for what a trace is
 *     --share F       (0.1)            memory for F times the bytes of all distinct keys and values
 *     --budget N                       memory for so many bytes, in place of that
 *     --copies N --scale N --limit N   see trace.h
 *     --hours H       (1)              how long the trace lasts, for clocks
 *     --threads N     (1)              as larderd's, whose slack is taken as used
 *     --policy A,B    (all)            only these
 *
 * The store is the daemon's, without the daemon around it: maxmemory is what it takes when it is empty and the budget. The exact ones
 * are simulated with the same budget, of which every entry takes its key, its value and what an entry of the store took on top of
 * that in the mean, at the end: under allkeys-lru for LRU, under allkeys-lfu for LFU, which may hold much larger ones, under allkeys-lhd
 * for Belady; so that one has to be played as well. Belady evicts of 64 entries the one with the largest size times time to its next
 * use: no policy can know that. LFU counts as Redis does, but always finds the lowest count, the oldest of several.
 * Prints a line for each: name, hits, requests, ratio.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "store/view.h"
#include "trace.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = UINT32_MAX, CANDIDATES = 64, LFU_START = 5, LFU_FACTOR = 10 };
#define BEGINNING 1700000000000ll /* ms */

struct play {
    struct trace trace;
    uint64_t budget, requests, hits, threads, limit;
    uint32_t keys, *cost;    /* key and value of each */
    double share, hours, overhead;
    const char *only;
    uint64_t random;
    /* of the exact ones */
    bool *in;
    uint32_t *before, *after, *next; /* neighbours in a queue; Belady: when each request's key is used next */
    uint64_t used;
};

static void *need(void *p) {
    if (p) return p;
    fprintf(stderr, "policies: out of memory\n");
    exit(2);
}

static uint64_t draw(struct play *p) {
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    return p->random ^= p->random << 17;
}

static uint64_t weight(const struct play *p, uint32_t k) { return p->cost[k] + (uint64_t)p->overhead; }

/* -- exact LRU and LFU: queues, the newest in front ------------------------------------------------------------------------ */

struct queue {
    uint32_t first, last;
};

static void enqueue(struct play *p, struct queue *q, uint32_t k) {
    p->before[k] = NOBODY;
    p->after[k] = q->first;
    if (q->first != NOBODY) p->before[q->first] = k;
    else q->last = k;
    q->first = k;
}

static void dequeue(struct play *p, struct queue *q, uint32_t k) {
    if (p->before[k] != NOBODY) p->after[p->before[k]] = p->after[k];
    else q->first = p->after[k];
    if (p->after[k] != NOBODY) p->before[p->after[k]] = p->before[k];
    else q->last = p->before[k];
}

static void leave(struct play *p, struct queue *q, uint32_t k) {
    dequeue(p, q, k);
    p->in[k] = false;
    p->used -= weight(p, k);
}

static void enter(struct play *p, struct queue *q, uint32_t k) {
    enqueue(p, q, k);
    p->in[k] = true;
    p->used += weight(p, k);
}

static void exact_lru(struct play *p) {
    struct queue q = {NOBODY, NOBODY};
    for (uint64_t i = 0; i < p->requests; i++) {
        uint32_t k = trace_at(&p->trace, i);
        if (weight(p, k) > p->budget) continue;
        p->hits += p->in[k];
        if (p->in[k]) leave(p, &q, k);
        while (p->used + weight(p, k) > p->budget) leave(p, &q, q.last);
        enter(p, &q, k);
    }
}

/* A count falls by one a minute, so count + minute of last use stays what it is between uses: a queue for each such sum. */
static void exact_lfu(struct play *p) {
    uint32_t sums = 256 + (uint32_t)(p->hours * 60) + 2, lowest = 0, *sum = need(calloc(p->keys, sizeof *sum));
    struct queue *q = need(malloc(sums * sizeof *q));
    for (uint32_t s = 0; s < sums; s++) q[s] = (struct queue){NOBODY, NOBODY};
    for (uint64_t i = 0; i < p->requests; i++) {
        uint32_t k = trace_at(&p->trace, i), minute = (uint32_t)((double)i / (double)p->requests * p->hours * 60), count = LFU_START;
        if (weight(p, k) > p->budget) continue;
        if (p->in[k]) {
            p->hits++;
            leave(p, &q[sum[k]], k);
            count = sum[k] > minute ? sum[k] - minute : 0;
            uint32_t above = count > LFU_START ? count - LFU_START : 0;
            if (count < 255 && draw(p) % (above * LFU_FACTOR + 1) == 0) count++;
        }
        while (p->used + weight(p, k) > p->budget) {
            while (q[lowest].last == NOBODY) lowest++;
            leave(p, &q[lowest], q[lowest].last);
        }
        sum[k] = minute + count;
        if (sum[k] < lowest) lowest = sum[k];
        enter(p, &q[sum[k]], k);
    }
    free(q);
    free(sum);
}

/* -- Belady by size ---------------------------------------------------------------------------------------------------------- */

struct shelf { /* what is in the cache, in no order */
    uint32_t *key, *place, *due, n;
};

static void shelf_drop(struct play *p, struct shelf *s, uint32_t k) {
    p->in[k] = false;
    p->used -= weight(p, k);
    s->key[s->place[k]] = s->key[--s->n];
    s->place[s->key[s->n]] = s->place[k];
}

/* Of the newcomer and some others, who takes most room for the longest time until it is used again. */
static uint32_t shelf_worst(struct play *p, const struct shelf *s, uint32_t newcomer, uint64_t now) {
    uint32_t worst = NOBODY;
    double highest = -1;
    for (unsigned c = 0; c < CANDIDATES; c++) {
        uint32_t k = c ? s->key[draw(p) % s->n] : newcomer;
        double area = (double)(s->due[k] - now) * (double)weight(p, k);
        if (!p->in[k] || area <= highest) continue;
        highest = area;
        worst = k;
    }
    return worst;
}

static void belady_by_size(struct play *p) {
    struct shelf s = {need(malloc(p->keys * 4ull)), need(malloc(p->keys * 4ull)), need(malloc(p->keys * 4ull)), 0};
    p->next = need(malloc(p->requests * sizeof *p->next));
    for (uint32_t k = 0; k < p->keys; k++) s.due[k] = NOBODY;
    for (uint64_t i = p->requests; i-- > 0;) {
        uint32_t k = trace_at(&p->trace, i);
        p->next[i] = s.due[k];
        s.due[k] = (uint32_t)i;
    }
    for (uint64_t i = 0; i < p->requests; i++) {
        uint32_t k = trace_at(&p->trace, i);
        p->hits += p->in[k];
        s.due[k] = p->next[i];
        bool keep = p->next[i] != NOBODY && weight(p, k) <= p->budget;
        if (!keep && p->in[k]) shelf_drop(p, &s, k);
        if (!keep) continue;
        if (!p->in[k]) {
            p->in[k] = true;
            p->used += weight(p, k);
            s.key[s.place[k] = s.n++] = k;
        }
        while (p->used > p->budget) shelf_drop(p, &s, shelf_worst(p, &s, k, i));
    }
    free(s.key);
    free(s.place);
    free(s.due);
    free(p->next);
}

/* -- the store ------------------------------------------------------------------------------------------------------------------ */

struct store_play {
    struct store_config config;
    struct store_stats stats;
    struct store *store;
    uint64_t empty, largest;
    char *value;
};

static bool store_use(struct store_play *s, struct key k, int64_t now, uint64_t size) {
    struct view v;
    unsigned shard = store_shard_of(k.hash);
    view_init(&v, s->store, 0, now, &s->stats);
    store_lock(s->store, shard);
    bool hit = view_get(&v, &k) != NULL;
    if (!hit) view_missed(&v, &k);
    size_t room = hit ? 0 : view_room_for(&v, &k, size);
    store_unlock(s->store, shard);
    if (hit) return true;
    enum store_fit fit;
    do fit = store_make_room_for(s->store, k.hash, room, now, &s->stats, STORE_SLICE_US);
    while (fit == FIT_LATER);
    if (fit == FIT_NO) return false;
    store_lock(s->store, shard);
    view_set(&v, &k, (struct slice){s->value, size}, 0, FORM_AUTO);
    store_unlock(s->store, shard);
    return false;
}

/* What an entry takes beside its key and value, in the mean of those that are there. */
static void measure_overhead(struct play *p, struct store_play *s) {
    char text[TRACE_KEY_MAX];
    uint64_t inside = 0, keys = 0;
    for (uint32_t k = 0; k < p->keys; k++) {
        struct key key = store_key(store_seed(s->store), (struct slice){text, trace_key(&p->trace, k, text)});
        struct view v;
        view_init(&v, s->store, 0, BEGINNING, &s->stats);
        if (!view_peek(&v, &key)) continue;
        inside += p->cost[k];
        keys++;
    }
    if (keys) p->overhead = (double)(mem_limited() - s->empty - inside) / (double)keys;
}

static void play_store(struct play *p, enum policy_kind kind) {
    struct store_play s = {.config = {.policy = kind, .lfu_log_factor = LFU_FACTOR, .lfu_decay_time = 1, .active_expire = 1,
                               .databases = STORE_DATABASES, .threads = (int64_t)p->threads}};
    for (uint32_t k = 0; k < p->keys; k++)
        if (p->cost[k] > s.largest) s.largest = p->cost[k];
    s.value = need(malloc(s.largest));
    memset(s.value, 'x', s.largest);
    home_limits_default(&s.config.limits);
    s.store = store_new(&s.config);
    s.empty = mem_limited();
    s.config.maxmemory = (int64_t)(s.empty + p->budget);
    char text[TRACE_KEY_MAX];
    for (uint64_t i = 0; i < p->requests; i++) {
        uint32_t k = trace_at(&p->trace, i);
        size_t n = trace_key(&p->trace, k, text);
        int64_t now = BEGINNING + (int64_t)((double)i / (double)p->requests * p->hours * 3.6e6);
        p->hits += store_use(&s, store_key(store_seed(s.store), (struct slice){text, n}), now, p->cost[k] - n);
        if (i % 4096 == 0) store_compact_step(s.store, 0, 1, &s.stats, STORE_SLICE_US);
    }
    measure_overhead(p, &s);
    printf("# %lu keys, %.1f bytes each beside key and value, %lu of %lu bytes; %lu evicted\n", (unsigned long)store_count(s.store, 0),
        p->overhead, (unsigned long)(mem_limited() - s.empty), (unsigned long)p->budget, (unsigned long)counter_get(&s.stats.evicted));
    store_free(s.store);
    free(s.value);
}

/* -- all of them ------------------------------------------------------------------------------------------------------------------ */

static const struct row {
    const char *name;
    enum policy_kind kind;
    void (*exact)(struct play *p);
} rows[] = {{"allkeys-random", POLICY_ALLKEYS_RANDOM, NULL}, {"allkeys-lfu", POLICY_ALLKEYS_LFU, NULL}, {"lfu", 0, exact_lfu},
    {"allkeys-lru", POLICY_ALLKEYS_LRU, NULL}, {"lru", 0, exact_lru}, {"allkeys-lhd", POLICY_ALLKEYS_LHD, NULL}, {"belady", 0, belady_by_size}}; /* each exact one behind whose entries it takes */

static bool listed(const char *list, const char *name) {
    size_t n = strlen(name);
    if (!list) return true;
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (!strncmp(list, name, n) && (!list[n] || list[n] == ',')) return true;
    return false;
}

static void run(struct play *p, const struct row *row) {
    p->hits = p->used = 0;
    p->random = 88172645463325252;
    memset(p->in, 0, p->keys);
    if (row->exact) row->exact(p);
    else play_store(p, row->kind);
    printf("%-16s %lu %lu %.4f\n", row->name, (unsigned long)p->hits, (unsigned long)p->requests,
        (double)p->hits / (double)p->requests);
    fflush(stdout);
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: policies [--share F] [--budget N] [--copies N] [--scale N] [--limit N] [--hours H] [--threads N] [--policy A,B] <TRACE\n");
    exit(2);
}

static void read_options(struct play *p, int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        const char *o = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (!v) usage();
        if (!strcmp(o, "--share")) p->share = strtod(v, NULL);
        else if (!strcmp(o, "--budget")) p->budget = strtoull(v, NULL, 10);
        else if (!strcmp(o, "--copies")) p->trace.copies = (uint32_t)strtoul(v, NULL, 10);
        else if (!strcmp(o, "--scale")) p->trace.scale = (uint32_t)strtoul(v, NULL, 10);
        else if (!strcmp(o, "--limit")) p->limit = strtoull(v, NULL, 10);
        else if (!strcmp(o, "--hours")) p->hours = strtod(v, NULL);
        else if (!strcmp(o, "--threads")) p->threads = strtoull(v, NULL, 10);
        else if (!strcmp(o, "--policy")) p->only = v;
        else usage();
    }
}

int main(int argc, char **argv) {
    struct play *p = need(calloc(1, sizeof *p));
    *p = (struct play){.share = 0.1, .hours = 1, .threads = 1, .limit = UINT64_MAX};
    read_options(p, argc, argv);
    clock_start();
    trace_read(&p->trace, stdin, p->limit);
    p->requests = trace_requests(&p->trace);
    p->keys = trace_keys(&p->trace);
    if (!p->budget) p->budget = (uint64_t)((double)trace_bytes(&p->trace) * p->share);
    p->cost = need(malloc(p->keys * sizeof *p->cost));
    p->in = need(malloc(p->keys * sizeof *p->in));
    p->before = need(malloc(p->keys * sizeof *p->before));
    p->after = need(malloc(p->keys * sizeof *p->after));
    char text[TRACE_KEY_MAX];
    for (uint32_t k = 0; k < p->keys; k++) {
        size_t n = trace_key(&p->trace, k, text);
        p->cost[k] = (uint32_t)(n + trace_size(&p->trace, k, trace_hash(text, n)));
    }
    printf("# %lu requests, %u keys, budget %lu\n", (unsigned long)p->requests, p->keys, (unsigned long)p->budget);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (listed(p->only, rows[i].name)) run(p, &rows[i]);
    trace_free(&p->trace);
    free(p->cost);
    free(p->in);
    free(p->before);
    free(p->after);
    free(p);
    return 0;
}
