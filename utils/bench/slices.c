/* slices: how much CPU the longest slice of the store's work takes, whatever there is to do. The store is in the process, so what is
 * timed is nothing but the step, by the thread's CPU clock (which also counts what the kernel does for it).
 *
 *   bench-slices [--small N]    N: how many small keys there are (1,000,000)
 *
 * Prints an object of JSON: for each kind of work how many slices it took, and the mean, the 99.9th percentile and the longest of them
 * in microseconds. The first kind is a loop that does nothing: what is longer there is the machine's own.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "store/density.h"
#include "store/holder.h"
#include "store/rule.h"
#include "type/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE_US = 250, BACKGROUND_US = 60, MEGABYTE = 1 << 20 };

struct bench {
    struct store_config config;
    struct store_stats stats;
    struct store *store;
    int64_t now;
    size_t small; /* keys */
    uint64_t *ns; /* of each slice */
    size_t n, cap;
    bool some; /* kinds have been printed */
};

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* -- what is in the store ---------------------------------------------------------------------------------------------------- */

static void bench_open(struct bench *b, enum policy_kind policy) {
    b->config = (struct store_config){.policy = policy, .lfu_log_factor = 10, .lfu_decay_time = 1, .threads = 1, .active_expire = 1,
        .databases = STORE_DATABASES};
    home_limits_default(&b->config.limits);
    b->stats = (struct store_stats){0};
    b->store = store_new(&b->config);
    b->now = clock_ms();
}

static void bench_close(struct bench *b) {
    store_free(b->store);
    mem_purge();
}

struct place {
    char text[32];
    struct key key;
    struct view view;
};

static void place_of(struct bench *b, struct place *p, const char *family, size_t i) {
    int n = snprintf(p->text, sizeof p->text, "%s:%zu", family, i);
    p->key = store_key(store_seed(b->store), (struct slice){p->text, (size_t)n});
    view_init(&p->view, b->store, 0, b->now, &b->stats);
}

static void put(struct bench *b, const char *family, size_t i, size_t length, int64_t deadline) {
    static char *value;
    struct place p;
    if (!value) value = malloc((size_t)128 * MEGABYTE);
    if (!value) abort();
    memset(value, (int)i, length);
    place_of(b, &p, family, i);
    store_lock(b->store, store_shard_of(p.key.hash));
    view_set(&p.view, &p.key, (struct slice){value, length}, deadline, FORM_RAW);
    store_unlock(b->store, store_shard_of(p.key.hash));
}

static void fill(struct bench *b, const char *family, size_t n, size_t length, int64_t deadline) {
    for (size_t i = 0; i < n; i++) put(b, family, i, length, deadline);
}

static void put_hash(struct bench *b, size_t fields) {
    struct holder h;
    struct place p;
    char name[32];
    place_of(b, &p, "hash", 0);
    store_lock(b->store, store_shard_of(p.key.hash));
    holder_open(&h, &p.view, &p.key, NULL, VALUE_HASH);
    for (size_t i = 0; i < fields; i++) {
        int n = snprintf(name, sizeof name, "field:%zu", i);
        hash_put(&h.home, &(struct member){{name, (size_t)n}, {name, (size_t)n}, 0}, 0);
    }
    holder_close(&h);
    store_unlock(b->store, store_shard_of(p.key.hash));
}

/* -- timing ------------------------------------------------------------------------------------------------------------------ */

typedef bool step(struct bench *b, void *arg); /* is there more? */

static int by_size(const void *x, const void *y) {
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

static void print(struct bench *b, const char *name) {
    uint64_t sum = 0;
    for (size_t i = 0; i < b->n; i++) sum += b->ns[i];
    qsort(b->ns, b->n, sizeof *b->ns, by_size);
    printf("%s\"%s\": {\"slices\": %zu, \"mean\": %.1f, \"p99.9\": %.1f, \"longest\": %.1f}", b->some ? ",\n " : "{", name, b->n,
        b->n ? (double)sum / (double)b->n / 1000 : 0, b->n ? (double)b->ns[b->n - 1 - b->n / 1000] / 1000 : 0,
        b->n ? (double)b->ns[b->n - 1] / 1000 : 0);
    fflush(stdout);
    b->some = true;
    b->n = 0;
}

/* One slice. */
static bool timed(struct bench *b, step *f, void *arg) {
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 1024;
        b->ns = realloc(b->ns, b->cap * sizeof *b->ns);
        if (!b->ns) abort();
    }
    uint64_t start = cpu_ns();
    bool more = f(b, arg);
    b->ns[b->n++] = cpu_ns() - start;
    return more;
}

static void run(struct bench *b, const char *name, step *f, void *arg) {
    while (timed(b, f, arg)) {}
    print(b, name);
}

/* -- kinds of work ----------------------------------------------------------------------------------------------------------- */

/* What the machine adds: a slice that looks at the clock until its time is over, so it should take that. */
static bool nothing(struct bench *b, void *left) {
    (void)b;
    for (uint64_t start = clock_ticks(); clock_ticks_us(clock_ticks() - start) < SLICE_US - 5;) {}
    return --*(unsigned *)left;
}

static bool evict(struct bench *b, void *need) {
    return store_make_room(b->store, *(size_t *)need, b->now, &b->stats, SLICE_US) == FIT_LATER;
}

static bool expire(struct bench *b, void *arg) {
    (void)arg;
    b->now = clock_ms();
    store_expire_step(b->store, 0, 1, b->now, &b->stats, BACKGROUND_US);
    return store_count(b->store, 0) != 0;
}

static bool sweep(struct bench *b, void *arg) {
    (void)arg;
    return rule_sweep_step(b->store, 0, 1, BACKGROUND_US);
}

static bool trash(struct bench *b, void *arg) {
    (void)arg;
    return store_trash_step(b->store, BACKGROUND_US);
}

/* Until there is nothing to move, and what is free has gone back. */
static bool compact(struct bench *b, void *arg) {
    unsigned *quiet = arg;
    if (store_compact_step(b->store, 0, 1, &b->stats, BACKGROUND_US)) {
        *quiet = 0;
        return true;
    }
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    return ++*quiet < 15;
}

static void compacting(struct bench *b, const char *name) {
    unsigned quiet = 0;
    run(b, name, compact, &quiet);
}

/* maxmemory goes down to a part of what is used. */
static void limit(struct bench *b, uint64_t bytes) { b->config.maxmemory = (int64_t)bytes; }

static void evictions(struct bench *b, enum policy_kind policy, const char *names[4]) {
    size_t none = 0, large = (size_t)50 * MEGABYTE;
    bench_open(b, policy);
    put(b, "large", 0, (size_t)100 * MEGABYTE, 0);
    limit(b, mem_limited() - 50 * MEGABYTE);
    run(b, names[0], evict, &none);
    bench_close(b);

    bench_open(b, policy);
    put_hash(b, b->small);
    limit(b, mem_limited() / 2);
    run(b, names[1], evict, &none);
    bench_close(b);

    bench_open(b, policy);
    fill(b, "small", b->small, 50, 0);
    limit(b, mem_limited() / 4);
    run(b, names[2], evict, &none);
    bench_close(b);

    bench_open(b, policy);
    fill(b, "small", b->small, 50, 0);
    limit(b, mem_limited());
    run(b, names[3], evict, &large);
    bench_close(b);
}

static void background(struct bench *b) {
    bench_open(b, POLICY_ALLKEYS_LRU);
    fill(b, "small", b->small, 50, 0);
    if (!rule_add(b->store, 0, &SLICE("*1?"), 1, NULL)) abort();
    run(b, "sweep after an invalidation", sweep, NULL);
    compacting(b, "compaction after it");
    bench_close(b);

    bench_open(b, POLICY_ALLKEYS_LRU);
    int64_t at = clock_ms() + 200 + (int64_t)b->small / 500;
    fill(b, "small", b->small, 50, at);
    while (clock_ms() < at) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    run(b, "expiry of all at one moment", expire, NULL);
    compacting(b, "compaction after it (2)");
    bench_close(b);

    bench_open(b, POLICY_ALLKEYS_LRU);
    fill(b, "small", b->small, 50, 0);
    store_flush(b->store, -1, false);
    run(b, "FLUSHALL of small keys", trash, NULL);
    fill(b, "middling", b->small / 100, 60000, 0);
    store_flush(b->store, -1, false);
    run(b, "FLUSHALL of strings of 60 KB", trash, NULL);
    fill(b, "large", b->small / 5000, 3 * MEGABYTE, 0);
    store_flush(b->store, -1, false);
    run(b, "FLUSHALL of strings of 3 MB", trash, NULL);
    compacting(b, "compaction after all");
    bench_close(b);
}

int main(int argc, char **argv) {
    static const char *lru[] = {"eviction of a string of 100 MB", "eviction of a hash", "eviction of small keys", "room for 50 MB"};
    static const char *lhd[] = {"the same, allkeys-lhd: a string", "a hash", "small keys", "room"};
    struct bench b = {.small = 1000000};
    if (argc == 3 && !strcmp(argv[1], "--small")) b.small = strtoul(argv[2], NULL, 10);
    else if (argc != 1 || b.small < 5000) return fprintf(stderr, "usage: bench-slices [--small N]\n"), 2;
    clock_start();
    mem_background();
    mem_leave_to_background();
    unsigned times = 3000;
    run(&b, "nothing, for 245 us", nothing, &times);
    evictions(&b, POLICY_ALLKEYS_LRU, lru);
    evictions(&b, POLICY_ALLKEYS_LHD, lhd);
    background(&b);
    printf("}\n");
    free(b.ns);
    return 0;
}
