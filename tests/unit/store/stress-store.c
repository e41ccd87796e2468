/* A program of its own and without Criterion, so that it runs under the thread sanitizer, whose memory layout Criterion's
 * sandbox does not get along with. */
#include "base/clock.h"
#include "base/mem.h"
#include "store/view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW 1700000000000ll

static struct store_config config = {.policy = POLICY_ALLKEYS_LRU, .lfu_log_factor = 10, .lfu_decay_time = 1,
    .active_expire = 1, .databases = STORE_DATABASES};
static struct store *store;

static uint64_t draw(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

enum { WORKERS = 3, STEPS = 30000, KEYS = 3000 };

struct worker {
    pthread_t thread;
    unsigned index;
    struct store_stats stats;
    uint64_t huge;   /* hits of huge values */
    uint64_t passed; /* how often memory was over the limit */
};

static void touch(void *arg, struct entry *e) { *(size_t *)arg += entry_size(e); }

/* One policy after the other, in a cache that stays full. */
static void change_policy(unsigned n) {
    static const enum policy_kind kinds[] = {POLICY_ALLKEYS_LRU, POLICY_ALLKEYS_LHD, POLICY_ALLKEYS_RANDOM, POLICY_VOLATILE_TTL,
        POLICY_ALLKEYS_LHD, POLICY_ALLKEYS_LFU, POLICY_VOLATILE_RANDOM, POLICY_VOLATILE_LRU};
    config.policy = kinds[n % (sizeof kinds / sizeof *kinds)];
}

/* A value of a sixth of the cache: it is looked for so often that it is let in, and goes and comes again. */
static void use_huge(struct worker *w, struct view *v, unsigned number) {
    static char bytes[700000];
    char text[32];
    int n = snprintf(text, sizeof text, "huge:%u", number);
    struct key k = store_key(store_seed(store), (struct slice){text, (size_t)n});
    store_lock(store, store_shard_of(k.hash));
    bool hit = view_get(v, &k);
    if (!hit) view_missed(v, &k);
    size_t room = hit ? 0 : view_room_for(v, &k, sizeof bytes) + 10000;
    store_unlock(store, store_shard_of(k.hash));
    w->huge += hit;
    if (hit) return;
    enum store_fit fit;
    do fit = store_make_room_for(store, k.hash, room, v->now, &w->stats, 250);
    while (fit == FIT_LATER);
    store_lock(store, store_shard_of(k.hash));
    if (fit == FIT_YES) view_set(v, &k, (struct slice){bytes, sizeof bytes}, 0, FORM_AUTO);
    store_unlock(store, store_shard_of(k.hash));
}

/* What a daemon's threads do at the same time: commands, walks, expiry, eviction, compaction, flushes, settings. */
static void *work(void *arg) {
    struct worker *w = arg;
    uint64_t x = 1000003 * (w->index + 1), limit = (uint64_t)option_get(&config.maxmemory);
    static char bytes[3000];
    for (int step = 0; step < STEPS; step++) {
        int64_t now = NOW + step;
        char text[32];
        struct view v;
        size_t len = draw(&x) % sizeof bytes, walked = 0;
        view_init(&v, store, (unsigned)(step % 2), now, &w->stats);
        int n = snprintf(text, sizeof text, "key:%u", (unsigned)(draw(&x) % KEYS));
        struct key k = store_key(store_seed(store), (struct slice){text, (size_t)n});
        enum store_fit fit;
        do fit = store_make_room(store, len + 10000, now, &w->stats, 250);
        while (fit == FIT_LATER);
        store_prefetch(store, v.db, &k, step % 2);
        store_lock(store, store_shard_of(k.hash));
        if (step % 3 && fit == FIT_YES) view_set(&v, &k, (struct slice){bytes, len}, step % 5 ? 0 : now + 50, FORM_AUTO);
        else if (!view_get(&v, &k)) view_delete(&v, &k);
        store_unlock(store, store_shard_of(k.hash));
        if (step % 4 == 0) use_huge(w, &v, (unsigned)step / 2000 % 3);
        if (mem_limited() > limit) w->passed++;
        store_expire_step(store, w->index, WORKERS, now, &w->stats, 250);
        store_compact_step(store, w->index, WORKERS, &w->stats, 250);
        store_trash_step(store, 250);
        if (step % 64 == 0) store_scan(store, 0, draw(&x) & 0x1fffffffffffffull, 50, now, touch, &walked);
        if (step % 999 == 0) {
            store_lock_all(store);
            store_swap(store, 0, 1);
            store_unlock_all(store);
        }
        if (w->index == 0 && step % 700 == 0) change_policy((unsigned)step / 700);
        if (step % 7777 == 0) store_flush(store, 1, false);
    }
    return NULL;
}

int main(void) {
    static struct worker w[WORKERS];
    clock_start();
    store = store_new(&config);
    config.threads = WORKERS + 1;
    config.maxmemory = (int64_t)mem_limited() + (3 << 20);
    for (unsigned i = 0; i < WORKERS; i++) {
        w[i].index = i;
        if (pthread_create(&w[i].thread, NULL, work, &w[i])) abort();
    }
    uint64_t evicted = 0, expired = 0, passed = 0, huge = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(w[i].thread, NULL);
        evicted += counter_get(&w[i].stats.evicted);
        expired += counter_get(&w[i].stats.expired);
        passed += w[i].passed;
        huge += w[i].huge;
    }
    const char *wrong = store_check(store);
    struct {
        const char *what;
        bool ok;
    } tests[] = {{"every invariant holds", !wrong}, {"memory was never over the limit", !passed}, {"eviction had work", evicted > 0},
        {"expiry had work", expired > 0}, {"huge values were there", huge > 0}};
    unsigned failed = 0, n = sizeof tests / sizeof *tests;
    for (unsigned i = 0; i < n; i++) {
        failed += !tests[i].ok;
        if (!tests[i].ok) printf("FAILED: %s%s%s\n", tests[i].what, wrong ? ": " : "", wrong ? wrong : "");
    }
    store_free(store);
    printf("%u passed, %u failed\n", n - failed, failed);
    return failed != 0;
}
