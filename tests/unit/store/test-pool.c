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
    enum { N = 5000, USED = N / 8 }; /* that eight looks find none but these is hardly to be seen */
    int64_t now = fill(N, 200, POLICY_TICK, false);
    shrink_by(20000, now); /* the pool is full of the oldest now */
    unsigned before = missing(0, N, now), used_before = missing(0, USED, now);
    char text[32];
    struct view v = fixture_view(&f, now += 1000);
    for (unsigned k = 0; k < USED; k++) {
        struct key key = fixture_key(&f, text, sizeof text, k);
        store_lock(f.store, store_shard_of(key.hash));
        view_get(&v, &key);
        store_unlock(f.store, store_shard_of(key.hash));
    }
    shrink_by(100 * 220, now);
    cr_assert_gt(missing(0, N, now), before);
    cr_assert_eq(missing(0, USED, now), used_before, "only those that were not used");
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

/* By chance: each of 16 groups of keys (in order of writing) loses a share that binomial chance allows. */
static void assert_even(enum policy_kind kind, unsigned part) {
    enum { N = 48000, GROUPS = 16 };
    f.config.policy = kind;
    int64_t now = NOW;
    for (unsigned k = 0; k < N; k++, now++) fixture_set(&f, k, bytes, 100, k % part ? 0 : now + 100000000 + k, now);
    for (unsigned k = 0; k < N; k += 7) { /* uses do not count */
        char text[32];
        struct view v = fixture_view(&f, now);
        struct key key = fixture_key(&f, text, sizeof text, k);
        store_lock(f.store, store_shard_of(key.hash));
        cr_assert(view_get(&v, &key));
        store_unlock(f.store, store_shard_of(key.hash));
    }
    shrink_by(N / part / 3 * 120ull, now);
    double gone = missing(0, N, now), share = gone / (N / part), each = (double)N / part / GROUPS;
    cr_assert(share > 0.15 && share < 0.6, "%f", share);
    double chi = 0;
    for (unsigned g = 0; g < GROUPS; g++) {
        double off = missing(N / GROUPS * g, N / GROUPS * (g + 1), now) - each * share;
        chi += off * off / (each * share * (1 - share));
    }
    cr_assert_lt(chi, 45, "%f: one time in ten thousand by chance, with 16 groups", chi);
    cr_assert_gt(chi, 2, "%f: too even to be chance", chi);
    for (unsigned k = 0; k < N; k++) cr_assert(k % part == 0 || fixture_has(&f, k, now), "%u has no deadline", k);
}

Test(pool, random_is_even_among_all_keys) { assert_even(POLICY_ALLKEYS_RANDOM, 1); }
Test(pool, random_is_even_among_those_with_a_deadline) { assert_even(POLICY_VOLATILE_RANDOM, 4); }

/* Each policy after each other, in a full cache that is written to all the time: it stays under its limit and goes on evicting what the
 * new policy says, whatever words the old one left. */
Test(pool, policies_follow_each_other_in_a_full_cache) {
    static const enum policy_kind kinds[] = {POLICY_ALLKEYS_LRU, POLICY_ALLKEYS_LFU, POLICY_ALLKEYS_RANDOM, POLICY_ALLKEYS_LHD,
        POLICY_VOLATILE_LRU, POLICY_VOLATILE_LFU, POLICY_VOLATILE_RANDOM, POLICY_VOLATILE_TTL};
    enum { KINDS = sizeof kinds / sizeof *kinds, HOT = 200, N = 6000 };
    int64_t now = fill(N, 200, 1, false);
    f.config.maxmemory = (int64_t)mem_limited();
    unsigned next = N;
    for (unsigned from = 0; from < KINDS; from++)
        for (unsigned to = 0; to < KINDS; to++)
            for (unsigned step = 0; step < 2; step++) {
                f.config.policy = kinds[step ? to : from];
                uint64_t before = counter_get(&f.stats.evicted);
                for (unsigned k = 0; k < 400; k++, next++, now += POLICY_TICK) {
                    enum store_fit fit;
                    do fit = store_make_room(f.store, 2000, now, &f.stats, STORE_SLICE_US);
                    while (fit == FIT_LATER);
                    cr_assert_eq(fit, FIT_YES, "%u to %u", from, to);
                    fixture_set(&f, next, bytes, 200, now + 10000000 + next % 1000, now);
                    cr_assert_leq(mem_limited(), (uint64_t)f.config.maxmemory);
                }
                uint64_t gone = counter_get(&f.stats.evicted) - before;
                cr_assert(gone > 300 && gone < 600, "%u to %u: %lu went for 400", from, to, gone);
            }
}

/* And what it evicts then is right: after a change to LRU from each other policy, those go first that were not used since. */
Test(pool, words_of_another_policy_mislead_for_one_use_only) {
    static const enum policy_kind kinds[] = {POLICY_ALLKEYS_LFU, POLICY_ALLKEYS_RANDOM, POLICY_ALLKEYS_LHD};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        enum { N = 4000 };
        f.config.maxmemory = 0;
        f.config.policy = kinds[i];
        store_flush(f.store, -1, true);
        int64_t now = fill(N, 200, POLICY_TICK, false);
        shrink_by(N / 10 * 220ull, now);
        f.config.policy = POLICY_ALLKEYS_LRU;
        char text[32];
        struct view v = fixture_view(&f, now += 1000);
        unsigned used = 0;
        for (unsigned k = 0; k < N; k++) { /* all of them, the even ones a second later once more */
            struct key key = fixture_key(&f, text, sizeof text, k);
            store_lock(f.store, store_shard_of(key.hash));
            used += view_get(&v, &key) != NULL;
            store_unlock(f.store, store_shard_of(key.hash));
        }
        v = fixture_view(&f, now += 1000);
        for (unsigned k = 0; k < N; k += 2) {
            struct key key = fixture_key(&f, text, sizeof text, k);
            store_lock(f.store, store_shard_of(key.hash));
            view_get(&v, &key);
            store_unlock(f.store, store_shard_of(key.hash));
        }
        unsigned even = 0, before = 0, after = 0;
        for (unsigned k = 0; k < N; k += 2) before += fixture_has(&f, k, now);
        shrink_by(used / 4 * 220ull, now + 1000);
        for (unsigned k = 0; k < N; k += 2) even += fixture_has(&f, k, now);
        for (unsigned k = 0; k < N; k++) after += fixture_has(&f, k, now);
        cr_assert_lt(after, used - used / 6);
        cr_assert_geq(even + 8, before, "policy %u: %u of %u that were used last", (unsigned)kinds[i], before - even, before);
    }
}
