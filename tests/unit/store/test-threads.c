#include "fixture.h"

#include <pthread.h>

static struct fixture f;
static void setup(void) { fixture_open(&f); }
static void teardown(void) { fixture_close(&f); }
TestSuite(threads, .init = setup, .fini = teardown);

enum { WORKERS = 3, STEPS = 30000, KEYS = 3000 };

struct worker {
    pthread_t thread;
    unsigned index;
    struct store_stats stats;
    uint64_t passed; /* how often memory was over the limit */
};

static void touch(void *arg, struct entry *e) { *(size_t *)arg += entry_size(e); }

/* What a daemon's threads do at the same time: commands, walks, expiry, eviction, compaction, flushes. */
static void *work(void *arg) {
    struct worker *w = arg;
    uint64_t x = 1000003 * (w->index + 1), limit = (uint64_t)option_get(&f.config.maxmemory);
    static char bytes[3000];
    for (int step = 0; step < STEPS; step++) {
        int64_t now = NOW + step;
        char text[32];
        struct view v;
        size_t len = fixture_random(&x) % sizeof bytes, walked = 0;
        view_init(&v, f.store, (unsigned)(step % 2), now, &w->stats);
        struct key k = fixture_key(&f, text, sizeof text, (unsigned)(fixture_random(&x) % KEYS));
        while (store_make_room(f.store, len + 10000, now, &w->stats, 250) == FIT_LATER) {}
        store_prefetch(f.store, v.db, &k, step % 2);
        store_lock(f.store, store_shard_of(k.hash));
        if (step % 3) view_set(&v, &k, (struct slice){bytes, len}, step % 5 ? 0 : now + 50, FORM_AUTO);
        else if (!view_get(&v, &k)) view_delete(&v, &k);
        store_unlock(f.store, store_shard_of(k.hash));
        if (mem_limited() > limit) w->passed++;
        store_expire_step(f.store, w->index, WORKERS, now, &w->stats, 250);
        store_compact_step(f.store, w->index, WORKERS, &w->stats, 250);
        store_trash_step(f.store, 250);
        if (step % 64 == 0) store_scan(f.store, 0, fixture_random(&x) & 0x1fffffffffffffull, 50, now, touch, &walked);
        if (step % 999 == 0) store_swap(f.store, 0, 1);
        if (step % 7777 == 0) store_flush(f.store, 1, false);
    }
    return NULL;
}

Test(threads, a_store_used_from_several_threads_stays_whole, .timeout = 120) {
    static struct worker w[WORKERS];
    f.config.threads = WORKERS + 1;
    f.config.maxmemory = (int64_t)mem_limited() + (3 << 20);
    for (unsigned i = 0; i < WORKERS; i++) {
        w[i].index = i;
        cr_assert_eq(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) pthread_join(w[i].thread, NULL);
    uint64_t evicted = 0, passed = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        evicted += counter_get(&w[i].stats.evicted);
        passed += w[i].passed;
    }
    cr_assert_gt(evicted, 0);
    cr_assert_eq(passed, 0, "memory was over the limit %lu times", (unsigned long)passed);
}
