#include "fixture.h"

#include "store/inside.h"

static struct fixture f;
static void setup(void) { fixture_open(&f); }
static void teardown(void) { fixture_close(&f); }
TestSuite(memory, .init = setup, .fini = teardown);

static char bytes[20000];

static enum store_fit fit(size_t n, int64_t now) {
    enum store_fit r;
    do r = store_make_room(f.store, n, now, &f.stats, 250);
    while (r == FIT_LATER);
    return r;
}

Test(memory, counts_come_back_to_where_they_were) {
    uint64_t data = mem_used(MEM_DATA), index = mem_used(MEM_INDEX);
    uint64_t x = 3;
    for (unsigned n = 0; n < 30000; n++) fixture_set(&f, n % 20000, bytes, fixture_random(&x) % 9000, 0, NOW);
    cr_assert_gt(mem_used(MEM_DATA), data);
    store_flush(f.store, -1, true);
    cr_assert_eq(mem_used(MEM_DATA), data);
    cr_assert_eq(mem_used(MEM_INDEX), index);
}

/* Every policy: as much goes as must, never less, and only what may go. */
Test(memory, used_memory_never_passes_the_limit) {
    const enum policy_kind kinds[] = {POLICY_ALLKEYS_LRU, POLICY_ALLKEYS_LFU, POLICY_ALLKEYS_RANDOM, POLICY_VOLATILE_LRU,
        POLICY_VOLATILE_LFU, POLICY_VOLATILE_RANDOM, POLICY_VOLATILE_TTL};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        store_flush(f.store, -1, true);
        uint64_t limit = mem_limited() + (8 << 20), x = 11;
        f.config.policy = kinds[k];
        f.config.maxmemory = 0;
        /* Keys 0..99 have no deadline: the volatile policies must leave them. */
        for (unsigned n = 0; n < 100; n++) fixture_set(&f, n, bytes, 100, 0, NOW);
        f.config.maxmemory = (int64_t)limit;
        int64_t now = NOW;
        for (unsigned n = 100; n < 60000; n++) {
            size_t len = fixture_random(&x) % (n % 50 ? 1000 : sizeof bytes);
            char text[32];
            struct view v = fixture_view(&f, now);
            struct key key = fixture_key(&f, text, sizeof text, n);
            store_lock(f.store, store_shard_of(key.hash));
            size_t room = view_room_for(&v, &key, len);
            store_unlock(f.store, store_shard_of(key.hash));
            cr_assert_eq(fit(room, now), FIT_YES);
            fixture_set(&f, n, bytes, len, now + 3600000, now);
            cr_assert_leq(mem_limited(), limit, "policy %u", (unsigned)kinds[k]);
            now += n % 7;
        }
        cr_assert_gt(store_count(f.store, 0), 5000, "no more goes than must");
        cr_assert_gt(mem_limited(), limit - (1 << 20));
        if (!(kinds[k] & POLICY_ALL_KEYS))
            for (unsigned n = 0; n < 100; n++) cr_assert(fixture_has(&f, n, now));
        f.config.maxmemory = 0;
    }
}

/* What learning wants to remember the evicted in is more than a slice frees: it is kept free little by little. */
Test(memory, learning_begins_in_short_slices) {
    uint64_t limit = mem_limited() + (20 << 20);
    f.config.policy = POLICY_ALLKEYS_LHD;
    f.config.maxmemory = (int64_t)limit;
    cr_assert_geq(density_wants(f.store->density, limit), 131072);
    for (unsigned n = 0; n < 350000; n++) {
        while (store_make_room(f.store, 1000, NOW, &f.stats, STORE_SLICE_US) == FIT_LATER) {}
        fixture_set(&f, n, bytes, 50, 0, NOW);
        cr_assert_leq(mem_limited(), limit);
    }
    cr_assert_gt(counter_get(&f.stats.evicted), 50000);
    cr_assert_eq(density_wants(f.store->density, limit), 0);
    cr_assert_eq(atomic_load(&f.store->aside), 0);
    cr_assert_gt(mem_limited(), limit - (1 << 20));
}

Test(memory, nothing_to_evict_is_said_and_not_waited_for) {
    for (unsigned n = 0; n < 1000; n++) fixture_set(&f, n, bytes, 100, 0, NOW);
    f.config.maxmemory = (int64_t)mem_limited();
    f.config.policy = POLICY_NOEVICTION;
    cr_assert_eq(fit(1000, NOW), FIT_NO);
    f.config.policy = POLICY_VOLATILE_LRU;
    cr_assert_eq(fit(1000, NOW), FIT_NO);
    cr_assert_eq(store_count(f.store, 0), 1000);
    f.config.policy = POLICY_ALLKEYS_LRU;
    cr_assert_eq(fit((size_t)f.config.maxmemory + 1, NOW), FIT_NO, "more than the limit never fits");
    cr_assert_eq(store_count(f.store, 0), 1000);
    cr_assert_eq(fit(10000, NOW), FIT_YES);
    cr_assert_lt(store_count(f.store, 0), 1000);
}

Test(memory, what_is_used_stays_under_lru) {
    f.config.maxmemory = (int64_t)mem_limited() + (4 << 20);
    int64_t now = NOW;
    char text[32];
    for (unsigned n = 0; n < 100000; n++, now += 2) {
        cr_assert_eq(fit(400, now), FIT_YES);
        fixture_set(&f, n + 100, bytes, 200, 0, now);
        /* A hundred keys are asked for all the time. */
        struct view v = fixture_view(&f, now);
        struct key k = fixture_key(&f, text, sizeof text, n % 100);
        store_lock(f.store, store_shard_of(k.hash));
        if (!view_get(&v, &k) && n < 200) view_set(&v, &k, (struct slice){bytes, 200}, 0, FORM_AUTO);
        store_unlock(f.store, store_shard_of(k.hash));
    }
    unsigned kept = 0;
    for (unsigned n = 0; n < 100; n++) kept += fixture_has(&f, n, now);
    cr_assert_eq(kept, 100, "%u of 100 were kept", kept);
}

Test(memory, sparse_pages_are_emptied_and_entries_stay_whole) {
    enum { N = 60000 };
    uint64_t x = 17;
    for (unsigned n = 0; n < N; n++) fixture_set(&f, n, bytes, 100 + n % 200, 0, NOW);
    for (unsigned n = 0; n < N; n++)
        if (fixture_random(&x) % 5) fixture_delete(&f, n, NOW);
    struct slab_totals before, after;
    slab_totals(&before);
    uint64_t keys = store_count(f.store, 0);
    unsigned quiet = 0; /* a plan that the other part has ended is taken back at the next look */
    for (int steps = 0; quiet < 2; steps++) {
        cr_assert_lt(steps, 100000, "it never ends");
        bool more = false;
        for (unsigned part = 0; part < 2; part++) more |= store_compact_step(f.store, part, 2, &f.stats, 250);
        quiet = more ? 0 : quiet + 1;
    }
    slab_totals(&after);
    cr_assert_gt(counter_get(&f.stats.moved), 0);
    /* A moved object may find room in the class next to its own. */
    cr_assert_lt(after.used, before.used + before.used / 50);
    cr_assert_gt(after.used, before.used - before.used / 50);
    cr_assert_lt(after.pages * 2, before.pages, "%lu of %lu pages left", (unsigned long)after.pages, (unsigned long)before.pages);
    cr_assert_eq(store_count(f.store, 0), keys);
    cr_assert_null(store_check(f.store));
}

/* Each entry that moves may mean to give a page back or to get one, so the clock is looked at behind each, and the walk goes on there. */
Test(memory, compaction_stops_within_a_segment) {
    for (unsigned n = 0; n < 60000; n++) fixture_set(&f, n, bytes, 200, 0, NOW);
    for (unsigned n = 0; n < 60000; n++)
        if (n % 8) fixture_delete(&f, n, NOW);
    struct slab_totals before, after;
    slab_totals(&before);
    for (unsigned quiet = 0, steps = 0; quiet < 20; steps++) {
        cr_assert_lt(steps, 200000, "it never ends");
        uint64_t moved = counter_get(&f.stats.moved);
        quiet = store_compact_step(f.store, 0, 1, &f.stats, 0) ? 0 : quiet + 1;
        cr_assert_leq(counter_get(&f.stats.moved), moved + 1);
    }
    slab_totals(&after);
    cr_assert_gt(counter_get(&f.stats.moved), 3000);
    cr_assert_lt(after.pages * 2, before.pages, "%lu of %lu pages left", (unsigned long)after.pages, (unsigned long)before.pages);
    cr_assert_eq(store_count(f.store, 0), 7500);
    cr_assert_null(store_check(f.store));
}
