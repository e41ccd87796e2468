/* Does what ought to go, go? */
#include "fixture.h"

static struct fixture f;
static void setup(void) { fixture_open(&f); }
static void teardown(void) { fixture_close(&f); }
TestSuite(pool, .init = setup, .fini = teardown);

static char bytes[200000];

static void shrink_by(uint64_t n, int64_t now) {
    f.config.maxmemory = (int64_t)(mem_limited() - n);
    while (store_make_room(f.store, 0, now, &f.stats, STORE_SLICE_US) == FIT_LATER) {}
}

/* Of keys 0 ... n - 1, written in this order `step` ms apart and as large as `size`. */
static int64_t fill(unsigned n, size_t size, int64_t step, bool deadlines) {
    int64_t now = NOW;
    for (unsigned k = 0; k < n; k++, now += step)
        fixture_set(&f, k, bytes, size, deadlines && k % 16 == 0 ? now + 100000000 - k * 1000ll : 0, now);
    return now;
}

static unsigned missing(unsigned from, unsigned to, int64_t now) {
    unsigned gone = 0;
    for (unsigned k = from; k < to; k++) gone += !fixture_has(&f, k, now);
    return gone;
}

Test(pool, under_lru_those_go_that_exact_lru_would_evict) {
    enum { N = 40000 };
    int64_t now = fill(N, 200, POLICY_TICK, false);
    shrink_by(N / 4 * 220ull, now);
    unsigned gone = missing(0, N, now);
    cr_assert(gone > N / 5 && gone < N / 3, "%u", gone);
    /* Exact LRU: all of these and no others. */
    unsigned right = missing(0, gone, now);
    cr_assert_gt(right, gone - gone / 8, "%u of %u", right, gone);
    cr_assert_eq(missing(gone * 2, N, now), 0, "none of the young ones");
    cr_assert_eq(counter_get(&f.stats.evicted), gone);
    uint64_t age = counter_get(&f.stats.evicted_age_ms) / gone, exact = (N - gone / 2) * (uint64_t)POLICY_TICK;
    cr_assert(age > exact - exact / 10 && age < exact + exact / 10, "a mean age of %lu where %lu was due", age, exact);
}

Test(pool, few_large_ones_are_compared_wherever_they_are) {
    enum { N = 60 };
    int64_t now = fill(N, sizeof bytes, 1000, false);
    shrink_by(N / 2 * sizeof bytes, now);
    unsigned gone = missing(0, N, now);
    cr_assert(gone >= N / 4 && gone <= N / 2 + 4, "%u", gone);
    cr_assert_geq(missing(0, gone + 8, now) + 2, gone, "%u", missing(0, gone + 8, now));
    cr_assert_eq(missing(N - N / 5, N, now), 0);
}

Test(pool, of_those_with_a_deadline_the_nearest_goes) {
    enum { N = 40000 };
    f.config.policy = POLICY_VOLATILE_TTL;
    int64_t now = fill(N, 400, 1, true); /* the later it was written the sooner it ends */
    shrink_by(400ull * (N / 16 / 4), now);
    unsigned gone = missing(0, N, now), late = 0;
    cr_assert(gone > N / 16 / 6 && gone < N / 16 / 2, "%u", gone);
    for (unsigned k = 0; k < N; k++) {
        bool has = fixture_has(&f, k, now);
        cr_assert(has || k % 16 == 0, "%u has no deadline", k);
        late += !has && k >= N - gone * 16;
    }
    cr_assert_gt(late, gone - gone / 8, "%u of %u", late, gone);
}

Test(pool, what_was_used_since_it_was_looked_at_stays) {
    enum { N = 5000 };
    int64_t now = fill(N, 200, POLICY_TICK, false);
    shrink_by(20000, now); /* the pool is full of the oldest now */
    unsigned before = missing(0, N, now);
    char text[32];
    struct view v = fixture_view(&f, now += 1000);
    for (unsigned k = 0; k < N / 2; k++) {
        struct key key = fixture_key(&f, text, sizeof text, k);
        store_lock(f.store, store_shard_of(key.hash));
        view_get(&v, &key);
        store_unlock(f.store, store_shard_of(key.hash));
    }
    shrink_by(100 * 220, now);
    cr_assert_gt(missing(0, N, now), before);
    cr_assert_eq(missing(0, N / 2, now), before, "only those that were not used");
}

Test(pool, all_policies_tell_the_age_of_what_they_evict) {
    const enum policy_kind kinds[] = {POLICY_ALLKEYS_LRU, POLICY_ALLKEYS_LFU, POLICY_ALLKEYS_RANDOM, POLICY_ALLKEYS_LHD};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        enum { N = 3000 };
        f.config.maxmemory = 0;
        f.config.policy = kinds[i];
        store_flush(f.store, -1, true);
        f.stats.evicted = f.stats.evicted_age_ms = 0;
        int64_t now = fill(N, 200, 0, false) + 600000; /* all at one moment, ten minutes ago */
        shrink_by(N / 8 * 200, now);
        uint64_t gone = counter_get(&f.stats.evicted);
        cr_assert_gt(gone, 0);
        uint64_t age = counter_get(&f.stats.evicted_age_ms) / gone;
        /* The learned policy's clock has no date yet: since the store was made, at the least. */
        if (kinds[i] != POLICY_ALLKEYS_LHD) cr_assert_eq(age, 600000, "policy %u: %lu", (unsigned)kinds[i], age);
    }
}
