/* Captures with threads: writers, upkeep, eviction, flushes and a consumer at the same time. Without Criterion, so that it runs under
 * the thread sanitizer.
 *
 * A writer raises the number at one of its keys, then at that key's partner, which lies in another shard: at no moment is the partner
 * ahead, or more than one behind. A capture is of one moment, so neither may it say so. */
#include "base/clock.h"
#include "base/num.h"
#include "store/capture.h"
#include "store/view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW 1700000000000ll

enum { WRITERS = 2, PAIRS = 1500, NOISE = 3000, ROUNDS = 60, LONGEST = 40000 };

static struct store_config config = {.policy = POLICY_VOLATILE_LRU, .threads = WRITERS + 2, .active_expire = 1, .databases = STORE_DATABASES};
static struct store *store;
static _Atomic bool stop, wrong;
static _Atomic unsigned ready;
static _Atomic uint64_t evicted;
static uint64_t seen[2][PAIRS];

static void fail(const char *what, uint64_t a, uint64_t b, uint64_t c) {
    if (!atomic_exchange(&wrong, true))
        fprintf(stderr, "%s: %llu %llu %llu\n", what, (unsigned long long)a, (unsigned long long)b, (unsigned long long)c);
}

static uint64_t draw(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* The number, then as many bytes as it pleases. */
static void put(unsigned db, const char *kind, unsigned i, uint64_t number, size_t extra, int64_t deadline, struct store_stats *stats) {
    static _Thread_local char value[LONGEST + 64];
    char text[32];
    int n = snprintf(text, sizeof text, "%s:%u", kind, i);
    struct key k = store_key(store_seed(store), (struct slice){text, (size_t)n});
    struct view v;
    size_t len = (size_t)snprintf(value, 64, "%llu ", (unsigned long long)number) + extra;
    view_init(&v, store, db, NOW, stats);
    store_lock(store, store_shard_of(k.hash));
    view_set(&v, &k, (struct slice){value, len}, deadline, FORM_AUTO);
    store_unlock(store, store_shard_of(k.hash));
}

static void *write_on(void *arg) {
    unsigned index = *(unsigned *)arg;
    struct store_stats stats = {0};
    uint64_t x = index + 77, at[PAIRS] = {0};
    for (uint64_t step = 0; !atomic_load(&stop); step++) {
        while (capture_pressed(store)) capture_step(store, index, 100);
        unsigned i = (unsigned)(draw(&x) % (PAIRS / WRITERS)) * WRITERS + index;
        size_t extra = draw(&x) % 200 ? draw(&x) % 100 : draw(&x) % LONGEST;
        at[i]++;
        put(0, "first", i, at[i], extra, 0, &stats);
        put(0, "second", i, at[i], extra, 0, &stats);
        put(1, "noise", (unsigned)(draw(&x) % NOISE), step, draw(&x) % 500, draw(&x) % 3 ? NOW + 100000 : NOW + 1, &stats);
        store_make_room(store, 0, NOW, &stats, 100);
        if (step % 3 == 0) capture_step(store, index, 20);
        if (step % 16 == 0) store_expire_step(store, index, WRITERS, NOW + 2, &stats, 100);
        if (step % 16 == 1) store_compact_step(store, index, WRITERS, &stats, 100);
        if (step % 16 == 2) store_trash_step(store, 100);
        if (step % 4001 == 0) store_flush(store, 1, false);
        if (step == 3000) atomic_fetch_add(&ready, 1);
    }
    atomic_fetch_add(&evicted, counter_get(&stats.evicted));
    return NULL;
}

static void *consume(void *arg) {
    struct capture_item item;
    (void)arg;
    for (struct parcel *p; (p = capture_take(store));) {
        while (capture_next(p, &item)) {
            char text[48] = {0};
            unsigned i;
            if (item.db) continue;
            struct slice key = entry_key(item.entry);
            memcpy(text, key.p, key.n);
            bool second = text[0] == 's';
            if (sscanf(text, second ? "second:%u" : "first:%u", &i) != 1 || i >= PAIRS) fail("a strange key", 0, 0, 0);
            else if (seen[second][i]) fail("a key twice", i, 0, 0);
            else seen[second][i] = strtoull(item.value.p, NULL, 10); /* a space ends it */
        }
        capture_give(store, p);
    }
    return NULL;
}

static void capture_one(unsigned round) {
    pthread_t thread;
    memset(seen, 0, sizeof seen);
    if (!capture_begin(store, &(struct capture_plan){.parts = WRITERS + 1, .budget = 256u << 10, .now = NOW})) fail("it is on", 0, 0, 0);
    if (pthread_create(&thread, NULL, consume, NULL)) abort();
    while (capture_step(store, WRITERS, 100) != CAPTURE_DONE) {
        store_trash_step(store, 100);
        if (round % 7 == 6) capture_cancel(store);
    }
    while (store_trash_step(store, 250)) {}
    pthread_join(thread, NULL);
    if (!capture_end(store)) return;
    for (unsigned i = 0; i < PAIRS; i++)
        if (seen[0][i] < seen[1][i] || seen[0][i] > seen[1][i] + 1) fail("not of one moment", i, seen[0][i], seen[1][i]);
}

int main(void) {
    pthread_t thread[WRITERS];
    unsigned index[WRITERS];
    clock_start();
    home_limits_default(&config.limits);
    store = store_new(&config);
    config.maxmemory = (int64_t)mem_limited() + (1200 << 10);
    for (unsigned i = 0; i < WRITERS; i++) {
        index[i] = i;
        if (pthread_create(&thread[i], NULL, write_on, &index[i])) abort();
    }
    while (atomic_load(&ready) < WRITERS) {}
    for (unsigned round = 0; round < ROUNDS && !atomic_load(&wrong); round++) capture_one(round);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < WRITERS; i++) pthread_join(thread[i], NULL);
    const char *bad = store_check(store);
    if (bad) fail(bad, 0, 0, 0);
    if (!atomic_load(&evicted)) fail("eviction had no work", 0, 0, 0);
    store_free(store);
    printf("%d passed, %d failed\n", !wrong, (int)wrong);
    return wrong;
}
