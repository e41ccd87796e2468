/* fixture: a store with its settings, and short words for what tests do with it. */
#ifndef LARDER_TESTS_STORE_FIXTURE_H
#define LARDER_TESTS_STORE_FIXTURE_H

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/view.h"
#include "store/watch.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define NOW 1700000000000ll

struct fixture {
    struct store_config config;
    struct store_stats stats;
    struct store *store;
};

static inline void fixture_open(struct fixture *f) {
    memset(f, 0, sizeof *f);
    clock_start();
    f->config.policy = POLICY_ALLKEYS_LRU;
    f->config.lfu_log_factor = 10;
    f->config.lfu_decay_time = 1;
    f->config.threads = 1;
    f->config.active_expire = 1;
    f->config.databases = STORE_DATABASES;
    home_limits_default(&f->config.limits);
    f->store = store_new(&f->config);
}

static inline void fixture_close(struct fixture *f) {
    const char *wrong = store_check(f->store);
    cr_assert_null(wrong, "%s", wrong);
    store_free(f->store);
}

static inline struct view fixture_view(struct fixture *f, int64_t now) {
    struct view v;
    view_init(&v, f->store, 0, now, &f->stats);
    return v;
}

static inline struct key fixture_key(struct fixture *f, char *text, size_t cap, unsigned n) {
    int len = snprintf(text, cap, "key:%u", n);
    return store_key(store_seed(f->store), (struct slice){text, (size_t)len});
}

/* Sets, with the lock that a dispatcher would hold. */
static inline void fixture_set(struct fixture *f, unsigned n, const char *value, size_t len, int64_t deadline, int64_t now) {
    char text[32];
    struct view v = fixture_view(f, now);
    struct key k = fixture_key(f, text, sizeof text, n);
    store_lock(f->store, store_shard_of(k.hash));
    view_set(&v, &k, (struct slice){value, len}, deadline, FORM_AUTO);
    store_unlock(f->store, store_shard_of(k.hash));
}

static inline bool fixture_has(struct fixture *f, unsigned n, int64_t now) {
    char text[32];
    struct view v = fixture_view(f, now);
    struct key k = fixture_key(f, text, sizeof text, n);
    store_lock(f->store, store_shard_of(k.hash));
    bool has = view_peek(&v, &k) != NULL;
    store_unlock(f->store, store_shard_of(k.hash));
    return has;
}

static inline bool fixture_delete(struct fixture *f, unsigned n, int64_t now) {
    char text[32];
    struct view v = fixture_view(f, now);
    struct key k = fixture_key(f, text, sizeof text, n);
    store_lock(f->store, store_shard_of(k.hash));
    bool had = view_delete(&v, &k);
    store_unlock(f->store, store_shard_of(k.hash));
    return had;
}

static inline uint64_t fixture_random(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

#endif
