/* Near hits beside a bare open-addressing table that compares keys by memcmp: the same keys, values and order. */
#include "l1.h"

#include "base/clock.h"
#include "l1/inside.h"
#include "l1/near_inside.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUND = L1_ORDER / 32, ROUNDS_MAX = 4096, FEW = 1000 };

struct item { /* what a bare table's slot points to: key and value in one block, as in the store */
    uint32_t key_n, size;
    char bytes[];
};

struct bench {
    struct l1_keys keys;
    struct item **table;
    uint64_t mask, seed;
    larder *l;
};

static size_t resident(void) {
    unsigned long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2) abort();
    fclose(f);
    return pages * 4096;
}

static void table_make(struct bench *b, const char *value, uint32_t keys) {
    b->mask = (UINT64_C(2) << (63 - __builtin_clzll(keys))) - 1; /* 1 M keys: 2^21 - 1 */
    while (b->mask < 2 * (uint64_t)keys) b->mask = b->mask * 2 + 1;
    b->seed = 12345;
    b->table = calloc(b->mask + 1, sizeof *b->table);
    for (uint32_t i = 0; i < keys; i++) {
        struct slice key = l1_key(&b->keys, i);
        struct item *e = malloc(sizeof *e + key.n + L1_VALUE);
        *e = (struct item){(uint32_t)key.n, L1_VALUE};
        memcpy(e->bytes, key.p, key.n);
        memcpy(e->bytes + key.n, value, L1_VALUE);
        uint64_t at = hash_bytes(key.p, key.n, b->seed) & b->mask;
        while (b->table[at]) at = (at + 1) & b->mask;
        b->table[at] = e;
    }
}

static __attribute__((noinline)) const char *table_get(const struct bench *b, const char *key, size_t n) {
    for (uint64_t at = hash_bytes(key, n, b->seed) & b->mask;; at = (at + 1) & b->mask) {
        const struct item *e = b->table[at];
        if (!e) return NULL;
        if (e->key_n == n && !memcmp(e->bytes, key, n)) return e->bytes + n;
    }
}

struct turn {
    struct bench *b;
    uint32_t from, n, keys; /* of the order; keys: only so many different ones */
    bool bare, chained;
    pthread_barrier_t *start;
    uint64_t sum;
    double cpu, wall; /* s */
};

/* Chained: which key comes next is known only once the value is there, as in a program that does something with it. */
static void *lookups(void *arg) {
    struct turn *t = arg;
    const struct bench *b = t->b;
    uint64_t extra = 0;
    if (t->start) pthread_barrier_wait(t->start);
    double wall = l1_seconds();
    int64_t cpu = clock_cpu_us();
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t k = b->keys.order[(i + t->from + extra) % L1_ORDER];
        if (t->keys) k %= t->keys;
        if (t->bare) {
            const char *value = table_get(b, b->keys.key[k], b->keys.key_n[k]);
            t->sum += value ? (unsigned char)*value : 0;
        } else {
            larder_value v;
            if (larder_get(b->l, b->keys.key[k], b->keys.key_n[k], &v) == LARDER_OK) t->sum += (unsigned char)*v.data;
            larder_release(&v);
        }
        if (t->chained) { /* nothing, but the compiler and the processor cannot know before the value is there */
            extra = t->sum;
            __asm__ volatile("and $0, %0" : "+r"(extra));
        }
    }
    t->cpu = (double)(clock_cpu_us() - cpu) / 1e6;
    t->wall = l1_seconds() - wall;
    return NULL;
}

/* ns of CPU for a lookup. Of two threads it is the slower one's; below 0 where they did not run at the same time. */
static double round_time(struct bench *b, uint32_t from, bool bare, bool chained, unsigned threads) {
    pthread_barrier_t start;
    struct turn t[2];
    pthread_t other;
    for (unsigned i = 0; i < threads; i++)
        t[i] = (struct turn){b, from + i * (L1_ORDER / 2), ROUND, 0, bare, chained, threads == 2 ? &start : NULL, 0, 0, 0};
    if (threads == 2) {
        pthread_barrier_init(&start, NULL, 2);
        pthread_create(&other, NULL, lookups, &t[1]);
    }
    lookups(&t[0]);
    if (threads == 2) {
        pthread_join(other, NULL);
        pthread_barrier_destroy(&start);
    }
    double slower = 0;
    bool together = true;
    for (unsigned i = 0; i < threads; i++) {
        if (t[i].sum != (uint64_t)ROUND * 'v') exit(fprintf(stderr, "bench-l1: not every lookup was a hit\n"));
        if (t[i].cpu > slower) slower = t[i].cpu;
        together &= t[i].wall < t[i].cpu * 1.1;
    }
    slower = slower / ROUND * 1e9;
    return threads == 2 && !together ? -slower : slower;
}

static void near_fill(struct bench *b, const char *value, uint32_t keys) {
    struct near *s = b->l->near;
    for (uint32_t i = 0; i < keys; i++) {
        struct slice key = l1_key(&b->keys, i);
        uint64_t hash = near_hash(s, key);
        near_put(s, &(struct near_item){.key = key, .value = {value, L1_VALUE}, .hash = hash, .token = near_token(s, hash), .ttl = 3600000});
    }
}

/* A handle that trusts what is near, as if a server told of changes: there are none. */
static bool bench_open(struct bench *b, char *value) {
    larder_options o;
    char error[128];
    larder_options_init(&o);
    o.l1_bytes = 1 << 30;
    o.l1_ttl_ms = 3600000;
    o.connect_timeout_ms = 50;
    memset(value, 'v', L1_VALUE);
    l1_keys_make(&b->keys);
    b->l = larder_open("unix:///nowhere", &o, error, sizeof error);
    if (!b->l) return fprintf(stderr, "bench-l1: %s\n", error), false;
    watch_stop(&b->l->watch);
    b->l->trusted_until = INT64_MAX;
    return true;
}

static void bench_close(struct bench *b) {
    for (uint64_t i = 0; b->table && i <= b->mask; i++) free(b->table[i]);
    free(b->table);
    larder_close(b->l);
    l1_keys_free(&b->keys);
}

static void memory_figures(struct bench *b, const char *value) {
    size_t before = resident();
    double payload = 0;
    for (uint32_t i = 0; i < L1_KEYS; i++) payload += b->keys.key_n[i] + L1_VALUE;
    double from = (double)clock_cpu_us();
    near_fill(b, value, L1_KEYS);
    l1_figure("ns to fill in one", ((double)clock_cpu_us() - from) / L1_KEYS * 1e3);
    struct near_stats st;
    near_stats_read(b->l->near, &st);
    if (st.entries != L1_KEYS) exit(fprintf(stderr, "bench-l1: only %llu entries\n", (unsigned long long)st.entries));
    l1_figure("bytes per entry, counted", ((double)st.bytes - payload) / L1_KEYS);
    l1_figure("bytes per entry, resident", ((double)(resident() - before) - payload) / L1_KEYS);
}

int l1_hits(double limit) {
    static const struct {
        const char *bare, *near, *ratio;
        bool chained;
    } rows[] = {{"ns bare", "ns near", "near over bare", false}, {"ns bare, one after the other", "ns near, one after the other", "near over bare, one after the other", true}};
    struct bench b = {.mask = 0};
    char value[L1_VALUE];
    static double bare[2][ROUNDS_MAX], near[2][ROUNDS_MAX], ratio[2][ROUNDS_MAX], two[ROUNDS_MAX], two_bare[ROUNDS_MAX];
    unsigned n = 0, both = 0;
    if (!bench_open(&b, value)) return 1;
    memory_figures(&b, value);
    table_make(&b, value, L1_KEYS);
    for (int warm = 0; warm < 32; warm++) round_time(&b, (uint32_t)warm * ROUND, warm % 2, false, 1);
    for (double end = l1_seconds() + limit; n < ROUNDS_MAX && (n < 3 || l1_seconds() < end); n++) {
        uint32_t from = n % 32 * ROUND;
        for (unsigned r = 0; r < 2; r++) {
            bare[r][n] = round_time(&b, from, true, rows[r].chained, 1);
            near[r][n] = round_time(&b, from, false, rows[r].chained, 1);
            ratio[r][n] = near[r][n] / bare[r][n];
        }
        double near_two = round_time(&b, from, false, false, 2), bare_two = round_time(&b, from, true, false, 2);
        if (near_two <= 0 || bare_two <= 0) continue;
        two[both] = 2 * near[0][n] / near_two;
        two_bare[both++] = 2 * bare[0][n] / bare_two;
    }
    for (unsigned r = 0; r < 2; r++) {
        l1_figure(rows[r].bare, l1_median(bare[r], n));
        l1_figure(rows[r].near, l1_median(near[r], n));
        l1_figure(rows[r].ratio, l1_median(ratio[r], n));
    }
    l1_figure("rounds", n);
    l1_figure("rounds in which two threads ran at the same time", both);
    l1_figure("two threads over one, near", l1_median(two, both));
    l1_figure("two threads over one, bare", l1_median(two_bare, both));
    bench_close(&b);
    return 0;
}

int l1_lookups(const char *which, long n) {
    struct bench b = {.mask = 0};
    char value[L1_VALUE];
    if (!bench_open(&b, value)) return 1;
    near_fill(&b, value, FEW);
    table_make(&b, value, FEW);
    struct turn t = {&b, 0, (uint32_t)n, FEW, !strcmp(which, "bare"), false, NULL, 0, 0, 0};
    lookups(&t);
    printf("%.1f ns\n", t.cpu / (double)n * 1e9);
    bench_close(&b);
    return t.sum != (uint64_t)n * 'v';
}
