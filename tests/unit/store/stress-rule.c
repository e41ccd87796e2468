/* Invalidation with threads: whoever adds a rule sees nothing from then on that was written before, and what is written after it
 * stays. Without Criterion, so that it runs under the thread sanitizer. */
#include "base/clock.h"
#include "base/num.h"
#include "store/rule.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW 1700000000000ll

enum { WRITERS = 2, KEYS = 4000, ROUNDS = 60 };

static struct store_config config = {.policy = POLICY_NOEVICTION, .threads = WRITERS + 1, .active_expire = 1, .databases = STORE_DATABASES};
static struct store *store;
static _Atomic uint64_t written[KEYS]; /* the version whose writing is over; one writer for each key */
static _Atomic uint64_t writes[WRITERS];
static _Atomic bool stop, wrong;

static void fail(const char *what, unsigned key, uint64_t seen, uint64_t bound) {
    if (!atomic_exchange(&wrong, true))
        fprintf(stderr, "%s: key %u, version %llu, bound %llu\n", what, key, (unsigned long long)seen, (unsigned long long)bound);
}

static struct key key_of(unsigned i, char text[32]) {
    int n = snprintf(text, 32, "%s:%u", i % 2 ? "odd" : "even", i);
    return store_key(store_seed(store), (struct slice){text, (size_t)n});
}

static void put(unsigned i, uint64_t version, struct store_stats *stats) {
    char text[32], value[NUM_I64_MAX];
    struct key k = key_of(i, text);
    struct view v;
    size_t n = num_put_u64(value, version);
    view_init(&v, store, 0, NOW, stats);
    store_lock(store, store_shard_of(k.hash));
    view_set(&v, &k, (struct slice){value, n}, 0, FORM_AUTO);
    store_unlock(store, store_shard_of(k.hash));
    atomic_store(&written[i], version);
    atomic_fetch_add(&writes[i % WRITERS], 1);
}

/* What was being written when this began is written. */
static void await_writers(void) {
    for (unsigned w = 0; w < WRITERS; w++)
        for (uint64_t from = atomic_load(&writes[w]); atomic_load(&writes[w]) < from + 2;) {}
}

/* 0: it is not there. */
static uint64_t get(unsigned i, struct store_stats *stats) {
    char text[32];
    int64_t version = 0;
    struct key k = key_of(i, text);
    struct view v;
    view_init(&v, store, 0, NOW, stats);
    store_lock(store, store_shard_of(k.hash));
    struct entry *e = view_get(&v, &k);
    if (e && !num_i64(entry_value(e), &version)) fail("a value is no number", i, 0, 0);
    store_unlock(store, store_shard_of(k.hash));
    return (uint64_t)version;
}

static void *write_on(void *arg) {
    unsigned index = *(unsigned *)arg, part = index + 1;
    struct store_stats stats = {0};
    uint64_t x = index + 77;
    for (uint64_t version = 1; !atomic_load(&stop); version++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        unsigned i = (unsigned)(x >> 33) % (KEYS / WRITERS) * WRITERS + index;
        put(i, version, &stats);
        if (version % 16 == 0) rule_sweep_step(store, part, WRITERS + 1, 20);
        if (version % 64 == 0) store_compact_step(store, part, WRITERS + 1, &stats, 100);
    }
    for (unsigned i = index; i < KEYS; i += WRITERS) put(i, (uint64_t)1 << 40, &stats);
    while (rule_sweep_step(store, part, WRITERS + 1, 250)) {}
    return NULL;
}

static void check_round(unsigned round, struct store_stats *stats) {
    static uint64_t before[KEYS], cleared[KEYS]; /* the versions that a rule may have removed */
    struct slice patterns[] = {SLICE("odd:*"), SLICE("even:*"), SLICE("*:1??"), SLICE("nothing*")};
    unsigned n = 1 + round % 4;
    struct rule *rules[4];
    for (unsigned i = 0; i < KEYS; i++) before[i] = atomic_load(&written[i]);
    if (!rule_add(store, 0, patterns, n, rules)) fail("no room for a rule", 0, 0, 0);
    for (unsigned i = 0; i < KEYS; i++) {
        bool falls = i % 2 || n >= 2;
        uint64_t seen = get(i, stats);
        if (falls && seen && seen <= before[i]) fail("an invalid key was seen", i, seen, before[i]);
        if (!falls && before[i] > cleared[i] && seen < before[i]) fail("a valid key is gone", i, seen, before[i]);
    }
    await_writers();
    for (unsigned i = 0; i < KEYS; i++)
        if (i % 2 || n >= 2) cleared[i] = atomic_load(&written[i]);
    for (unsigned i = 0; i < n; i++) rule_release(rules[i]);
    while (rule_sweep_step(store, 0, WRITERS + 1, 250)) {}
}

int main(void) {
    pthread_t thread[WRITERS];
    unsigned index[WRITERS];
    struct store_stats stats = {0};
    clock_start();
    home_limits_default(&config.limits);
    store = store_new(&config);
    for (unsigned i = 0; i < WRITERS; i++) {
        index[i] = i;
        pthread_create(&thread[i], NULL, write_on, &index[i]);
    }
    for (unsigned round = 0; round < ROUNDS && !atomic_load(&wrong); round++) check_round(round, &stats);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < WRITERS; i++) pthread_join(thread[i], NULL);
    while (rule_sweep_step(store, 0, WRITERS + 1, 250)) {}
    for (unsigned p = 1; p <= WRITERS; p++) rule_sweep_step(store, p, WRITERS + 1, 250);
    for (unsigned i = 0; i < KEYS; i++)
        if (get(i, &stats) != (uint64_t)1 << 40) fail("what was written behind the last rule is gone", i, 0, 0);
    if (rule_running(store)) fail("a rule is not over", 0, rule_running(store), 0);
    const char *bad = store_check(store);
    if (bad) fail(bad, 0, 0, 0);
    store_free(store);
    printf("%d passed, %d failed\n", !wrong, (int)wrong);
    return wrong;
}
