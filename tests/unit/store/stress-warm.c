/* Threads that warm beside threads that write, delete, flush and invalidate: for the thread sanitizer, and what must hold at the end.
 *
 * Deleters delete keys that are in the file and nobody writes: once deleted, they never come back. */
#include "base/clock.h"
#include "store/rule.h"
#include "store/warm.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 60000, WARMERS = 2, BATCH = 200 };

static struct store *store;
static _Atomic bool over;
static _Atomic unsigned next_batch;
static _Atomic bool deleted[KEYS];

static struct key key(char *text, size_t cap, unsigned n) {
    int len = snprintf(text, cap, "key:%u", n);
    return store_key(store_seed(store), (struct slice){text, (size_t)len});
}

static void *warmer(void *arg) {
    struct store_stats stats = {0};
    const uint64_t expect[STORE_DATABASES] = {1500};
    struct warm_counts counts = {0};
    struct warm_item item[BATCH], spare[BATCH];
    (void)arg;
    for (unsigned from; (from = atomic_fetch_add(&next_batch, BATCH)) < KEYS;) {
        for (unsigned i = 0; i < BATCH; i++) {
            char text[32];
            struct key k = key(text, sizeof text, from + i);
            struct entry_spec spec = {.type = VALUE_STRING, .key = {k.p, k.n}, .valuelen = 0};
            item[i] = warm_item_of(entry_new(&spec), k.hash, 0);
        }
        warm_put(store, item, spare, BATCH, clock_ms(), &stats, &(struct warm_how){.expect = expect}, &counts);
    }
    return NULL;
}

static void *deleter(void *arg) {
    struct store_stats stats = {0};
    unsigned x = 17;
    (void)arg;
    while (!atomic_load(&over)) {
        char text[32];
        struct view v;
        unsigned n = (x = x * 1664525 + 1013904223) % KEYS;
        if (n % 2) continue;
        struct key k = key(text, sizeof text, n);
        view_init(&v, store, 0, clock_ms(), &stats);
        store_lock(store, store_shard_of(k.hash));
        view_unlink(&v, &k);
        atomic_store(&deleted[n], true);
        store_unlock(store, store_shard_of(k.hash));
    }
    return NULL;
}

/* In a database of its own, and a rule for keys that only the file has. */
static void *other(void *arg) {
    struct store_stats stats = {0};
    (void)arg;
    for (unsigned i = 0; !atomic_load(&over); i++) {
        char text[32];
        struct view v;
        struct key k = key(text, sizeof text, i % 1000);
        view_init(&v, store, 1, clock_ms(), &stats);
        store_lock(store, store_shard_of(k.hash));
        view_set(&v, &k, SLICE("value"), 0, FORM_AUTO);
        store_unlock(store, store_shard_of(k.hash));
        if (i % 5000 == 0) store_flush(store, 1, false);
        if (i % 2000 == 0) {
            struct rule *r;
            struct slice pattern = SLICE("key:77*");
            if (rule_add(store, 0, &pattern, 1, &r)) rule_release(r);
        }
        rule_sweep_step(store, 0, 1, 50);
        store_trash_step(store, 50);
    }
    return NULL;
}

int main(void) {
    struct store_config config = {.policy = POLICY_ALLKEYS_LRU, .threads = 5, .databases = STORE_DATABASES};
    struct store_stats stats = {0};
    pthread_t thread[WARMERS + 3];
    unsigned wrong = 0;
    clock_start();
    home_limits_default(&config.limits);
    store = store_new(&config);
    if (!warm_begin(store)) return 1;
    pthread_create(&thread[WARMERS], NULL, deleter, NULL);
    pthread_create(&thread[WARMERS + 1], NULL, deleter, NULL);
    pthread_create(&thread[WARMERS + 2], NULL, other, NULL);
    for (int i = 0; i < WARMERS; i++) pthread_create(&thread[i], NULL, warmer, NULL);
    for (int i = 0; i < WARMERS; i++) pthread_join(thread[i], NULL);
    atomic_store(&over, true);
    for (int i = WARMERS; i < WARMERS + 3; i++) pthread_join(thread[i], NULL);
    warm_end(store);
    unsigned there = 0;
    for (unsigned n = 0; n < KEYS; n++) {
        char text[32];
        struct view v;
        struct key k = key(text, sizeof text, n);
        view_init(&v, store, 0, clock_ms(), &stats);
        store_lock(store, store_shard_of(k.hash));
        bool has = view_peek(&v, &k);
        store_unlock(store, store_shard_of(k.hash));
        there += has;
        if (has && atomic_load(&deleted[n])) wrong++;
        if (!has && n % 2 && n / 1000 != 77 && strncmp(text, "key:77", 6) != 0) wrong++;
    }
    const char *broken = store_check(store);
    printf("stress-warm: %u of %u keys there, %u wrong, %s\n", there, KEYS, wrong, broken ? broken : "tables right");
    store_free(store);
    return wrong || broken || !there;
}
