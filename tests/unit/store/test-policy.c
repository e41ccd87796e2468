#include "fixture.h"
#include "store/policy.h"

#include <criterion/criterion.h>

Test(policy, lru_ranks_by_time_since_use_and_tells_it) {
    struct policy p = {.kind = POLICY_ALLKEYS_LRU, .now = 1700000000000};
    uint32_t old = policy_born(&p);
    p.now += 5000;
    uint32_t young = policy_touched(&p, old, 1);
    p.now += 60000;
    cr_assert_gt(policy_rank(&p, p.now, old, 0, 0), policy_rank(&p, p.now, young, 0, 0));
    cr_assert_eq(policy_idle_ms(&p, old), 65000);
    cr_assert_eq(policy_idle_ms(&p, young), 60000);
    cr_assert_eq(policy_idle_ms(&p, policy_word_idle(&p, 7000)), 7000);
}

Test(policy, what_was_idle_for_a_quarter_of_a_year_is_not_taken_for_new) {
    const int64_t day = 86400000;
    struct policy p = {.kind = POLICY_ALLKEYS_LRU, .now = 1700000000000};
    uint32_t word = policy_born(&p), long_ago = policy_word_idle(&p, 1000 * day), lately = policy_word_idle(&p, 90 * day);
    cr_assert_eq(policy_idle_ms(&p, lately), 90 * day);
    cr_assert_eq(policy_idle_ms(&p, long_ago) / day, 99, "the longest that can be asked for");
    cr_assert_eq(policy_word_idle(&p, INT64_MAX), long_ago);
    cr_assert_gt(policy_rank(&p, p.now, long_ago, 0, 0), policy_rank(&p, p.now, lately, 0, 0));
    p.now += 60 * day;
    cr_assert_eq(policy_idle_ms(&p, lately), 150 * day);
    cr_assert_eq(policy_idle_ms(&p, word), 60 * day);
    p.now -= 60 * day + 1000;
    cr_assert_eq(policy_idle_ms(&p, word), 0, "used by a thread whose clock is ahead");
}

Test(policy, lru_survives_the_wrap_of_its_clock) {
    struct policy p = {.kind = POLICY_ALLKEYS_LRU, .now = ((int64_t)UINT32_MAX * POLICY_TICK) - 100};
    uint32_t before = policy_born(&p);
    p.now += 1000;
    uint32_t after = policy_born(&p);
    cr_assert_lt(after, before, "the clock wrapped");
    p.now += 1000;
    cr_assert_gt(policy_rank(&p, p.now, before, 0, 0), policy_rank(&p, p.now, after, 0, 0));
}

Test(policy, lfu_counts_up_slowly_and_falls_by_the_minute) {
    struct policy p = {.kind = POLICY_ALLKEYS_LFU, .lfu_log_factor = 10, .lfu_decay_minutes = 1, .now = 1700000000000};
    uint32_t word = policy_born(&p);
    cr_assert_eq(policy_frequency(&p, word), POLICY_LFU_START);
    uint64_t r = 99;
    for (int i = 0; i < 1000; i++) {
        r = r * 6364136223846793005ull + 1442695040888963407ull;
        word = policy_touched(&p, word, r >> 8);
    }
    unsigned after = policy_frequency(&p, word);
    cr_assert(after > 10 && after < 40, "1000 uses counted as %u", after); /* Redis documents 18 for factor 10 */
    p.now += 3 * 60000;
    cr_assert_eq(policy_frequency(&p, word), after - 3);
    p.lfu_decay_minutes = 0;
    cr_assert_eq(policy_frequency(&p, word), after);
    cr_assert_eq(policy_frequency(&p, policy_word_frequency(&p, 200)), 200);
}

Test(policy, ttl_prefers_the_nearest_deadline) {
    struct policy p = {.kind = POLICY_VOLATILE_TTL, .now = 1000};
    cr_assert_gt(policy_rank(&p, p.now, 0, 2000, 0), policy_rank(&p, p.now, 0, 3000, 0));
}

Test(policy, ranks_of_four_are_the_ranks_of_each) {
    uint64_t x = 1;
    for (unsigned round = 0; round < 1000; round++) {
        uint32_t word[12];
        int32_t rank[12];
        unsigned n = 1 + round % 9;
        uint32_t base = policy_base((int64_t)(fixture_random(&x) >> 24));
        for (unsigned k = 0; k < 12; k++) word[k] = (uint32_t)fixture_random(&x) >> fixture_random(&x) % 32;
        policy_ranks_idle(base, n, word, rank);
        for (unsigned k = 0; k < n; k++) {
            cr_assert_eq(rank[k], policy_rank_idle(base, word[k]));
            cr_assert_geq(rank[k], 0);
        }
    }
}
