/* Huge values under the policy that weighs sizes: they empty nobody's cache, and get what they have earned. */
#include "fixture.h"

#include "store/claim.h"

enum { SMALL = 12000, SIZE = 200, HUGE = 700000, FIRST_HUGE = 1 << 20 };
enum { PAIR = 1150000 }; /* two of these have no room beside each other, and one is worth its own by far where each second use is one */

static struct fixture f;
static char bytes[2 * HUGE + HUGE / 2];
static uint64_t random_state;

static void setup(void) {
    fixture_open(&f);
    f.config.policy = POLICY_ALLKEYS_LHD;
    f.config.maxmemory = (int64_t)mem_limited() + 2400000; /* about 10,000 of the small ones */
    random_state = 88172645463325252;
}
static void teardown(void) { fixture_close(&f); }
TestSuite(claim, .init = setup, .fini = teardown);

static struct key key_of(unsigned n) {
    static char text[32];
    return fixture_key(&f, text, sizeof text, n);
}

static bool get(unsigned n) {
    struct key k = key_of(n);
    struct view v = fixture_view(&f, NOW);
    store_lock(f.store, store_shard_of(k.hash));
    bool hit = view_get(&v, &k) != NULL;
    if (!hit) view_missed(&v, &k);
    store_unlock(f.store, store_shard_of(k.hash));
    return hit;
}

static bool set(unsigned n, size_t size) {
    struct key k = key_of(n);
    struct view v = fixture_view(&f, NOW);
    store_lock(f.store, store_shard_of(k.hash));
    size_t room = view_room_for(&v, &k, size);
    store_unlock(f.store, store_shard_of(k.hash));
    enum store_fit fit;
    int tries = 0;
    do fit = store_make_room_for(f.store, k.hash, room, NOW, &f.stats, STORE_SLICE_US);
    while (fit == FIT_LATER && ++tries < 100000);
    cr_assert_neq(fit, FIT_LATER);
    if (fit == FIT_YES) fixture_set(&f, n, bytes, size, 0, NOW);
    cr_assert_leq(mem_limited(), (uint64_t)f.config.maxmemory);
    return fit == FIT_YES;
}

/* As a client does: what is missing is made. */
static bool use(unsigned n, size_t size) {
    if (get(n)) return true;
    set(n, size);
    return false;
}

/* Some are used more often than others. */
static void use_small(unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        uint64_t a = fixture_random(&random_state) % SMALL, b = fixture_random(&random_state) % SMALL;
        use((unsigned)(a * b / SMALL), SIZE);
    }
}

static uint64_t evicted(void) { return counter_get(&f.stats.evicted); }

Test(claim, what_nobody_looks_for_drives_nobody_out) {
    use_small(60000);
    uint64_t before = evicted(), keys = store_count(f.store, 0);
    for (int i = 0; i < 5000; i++) cr_assert(!set(FIRST_HUGE + (unsigned)i % 3, HUGE), "%d", i);
    cr_assert_eq(evicted(), before);
    for (int i = 0; i < 3000; i++) { /* and while others are used */
        use_small(4);
        cr_assert(!set(FIRST_HUGE, HUGE), "%d", i);
    }
    cr_assert_gt(store_count(f.store, 0), keys * 9 / 10);
}

Test(claim, many_who_look_at_one_moment_are_no_reason) {
    use_small(60000);
    for (unsigned herd = 0; herd < 40; herd++) {
        for (int i = 0; i < 100; i++) cr_assert(!get(FIRST_HUGE + herd));
        for (int i = 0; i < 100; i++) cr_assert(!set(FIRST_HUGE + herd, HUGE));
        for (int i = 0; i < 100; i++) get(FIRST_HUGE + herd);
        use_small(100);
    }
    cr_assert_gt(store_count(f.store, 0), 8500);
}

Test(claim, who_is_looked_for_often_enough_is_let_in_and_goes_when_it_no_longer_is) {
    unsigned hits = 0;
    use_small(60000);
    for (unsigned i = 0; i < 4000; i++) {
        hits += use(FIRST_HUGE, HUGE);
        use_small(10);
    }
    cr_assert_gt(hits, 3900, "%u of 4000", hits);
    uint64_t beside = store_count(f.store, 0);
    cr_assert_gt(beside, 6000, "the others have what is left: %lu", beside);
    use_small(60000);
    cr_assert(!fixture_has(&f, FIRST_HUGE, NOW));
    cr_assert_gt(store_count(f.store, 0), beside * 5 / 4, "and they have its room");
}

Test(claim, who_is_looked_for_seldom_is_not) {
    unsigned hits = 0;
    use_small(60000);
    uint64_t keys = store_count(f.store, 0);
    for (unsigned i = 0; i < 200; i++) {
        hits += use(FIRST_HUGE, HUGE);
        use_small(1000);
    }
    cr_assert_lt(hits, 20, "its room is worth far more than one hit in a thousand: %u", hits);
    cr_assert_gt(store_count(f.store, 0), keys * 9 / 10);
}

Test(claim, two_that_have_no_room_beside_each_other_do_not_change_places) {
    unsigned hits = 0, changes = 0;
    bool there[2] = {false, false};
    use_small(60000);
    for (unsigned i = 0; i < 8000; i++) {
        unsigned n = i % 2;
        bool hit = use(FIRST_HUGE + n, PAIR);
        hits += hit;
        changes += there[n] != hit;
        there[n] = hit;
        use_small(1);
    }
    cr_assert_gt(hits, 3000, "one of them is in: %u", hits);
    cr_assert_lt(changes, 20, "%u", changes);
}

Test(claim, one_that_is_looked_for_more_often_takes_the_place_of_another) {
    unsigned hits = 0;
    use_small(60000);
    for (unsigned i = 0; i < 2000; i++) {
        use(FIRST_HUGE, PAIR);
        use_small(2);
    }
    cr_assert(fixture_has(&f, FIRST_HUGE, NOW));
    for (unsigned i = 0; i < 4000; i++) {
        if (i % 10 == 0) use(FIRST_HUGE, PAIR);
        hits += use(FIRST_HUGE + 1, PAIR);
        use_small(1);
    }
    cr_assert_gt(hits, 3000, "%u of 4000", hits);
}

/* One that is worth its room by far. */
static void let_one_in(void) {
    use_small(60000);
    for (unsigned i = 0; i < 1000; i++) {
        use(FIRST_HUGE, 2 * HUGE);
        use_small(1);
    }
    cr_assert(fixture_has(&f, FIRST_HUGE, NOW));
}

Test(claim, none_stays_that_is_larger_than_a_limit_that_comes_down) {
    let_one_in();
    f.config.maxmemory -= 1200000;
    use_small(20000);
    cr_assert(!fixture_has(&f, FIRST_HUGE, NOW));
    cr_assert_gt(store_count(f.store, 0), 3000);
}

Test(claim, where_all_others_are_gone_it_goes_too) {
    let_one_in();
    for (unsigned n = 0; n < SMALL; n++) fixture_delete(&f, n, NOW);
    f.config.maxmemory = (int64_t)mem_limited() + 20000;
    for (unsigned n = 0; n < 20; n++) cr_assert(set(n, HUGE / 10), "%u", n);
}

/* A table of a few: who was not looked for for the longest time is forgotten, and those that are in are not. */
Test(claim, a_stream_of_huge_ones_does_not_make_it_forget_who_is_in) {
    unsigned hits = 0;
    use_small(60000);
    for (unsigned i = 0; i < 3000; i++) {
        hits += use(FIRST_HUGE, HUGE);
        for (unsigned k = 0; k < 2; k++) use(FIRST_HUGE + 1 + i * 2 + k, HUGE);
        use_small(6);
    }
    cr_assert_gt(hits, 2900, "%u", hits);
}
