#include "fixture.h"

static struct fixture f;
static void setup(void) { fixture_open(&f); }
static void teardown(void) { fixture_close(&f); }
TestSuite(store, .init = setup, .fini = teardown);

/* Random commands against arrays of what should be there. */
Test(store, agrees_with_a_naive_twin) {
    enum { N = 6000 };
    static struct { bool there; unsigned char value; unsigned len; int64_t deadline; } twin[N];
    static char bytes[6000];
    uint64_t x = 88172645463325252ull;
    int64_t now = NOW;
    for (int step = 0; step < 300000; step++) {
        unsigned n = (unsigned)(fixture_random(&x) % N), what = (unsigned)(fixture_random(&x) % 100);
        char text[32];
        struct view v = fixture_view(&f, now);
        struct key k = fixture_key(&f, text, sizeof text, n);
        bool alive = twin[n].there && (!twin[n].deadline || twin[n].deadline > now);
        store_lock(f.store, store_shard_of(k.hash));
        struct entry *e = view_get(&v, &k);
        cr_assert_eq(e != NULL, alive);
        if (e) {
            cr_assert_eq(entry_value(e).n, twin[n].len);
            cr_assert_eq(entry_deadline(e), twin[n].deadline);
            if (twin[n].len) cr_assert_eq((unsigned char)entry_value(e).p[twin[n].len - 1], twin[n].value);
        }
        if (!alive) twin[n].there = false;
        if (what < 40) {
            twin[n].value = (unsigned char)what;
            twin[n].len = (unsigned)(fixture_random(&x) % (what < 4 ? sizeof bytes : 200));
            twin[n].deadline = what % 2 ? now + 1 + (int64_t)(fixture_random(&x) % 5000) : 0;
            memset(bytes, what, twin[n].len);
            view_set(&v, &k, (struct slice){bytes, twin[n].len}, twin[n].deadline, FORM_AUTO);
            twin[n].there = true;
        } else if (what < 60) {
            cr_assert_eq(view_delete(&v, &k), alive);
            twin[n].there = false;
        } else if (what < 70 && e) {
            unsigned more = twin[n].len + 1 + (unsigned)(fixture_random(&x) % 300);
            char *p = view_edit(&v, &k, e, more, FORM_RAW);
            p[more - 1] = (char)(twin[n].value = (unsigned char)what);
            twin[n].len = more;
        } else if (what < 80 && e) {
            twin[n].deadline = what % 2 ? now + (int64_t)(fixture_random(&x) % 5000) + 1 : 0;
            view_set_deadline(&v, &k, e, twin[n].deadline);
        }
        store_unlock(f.store, store_shard_of(k.hash));
        if (what < 90) continue;
        now += (int64_t)(fixture_random(&x) % 20);
        if (step % 64 == 0)
            while (store_expire_step(f.store, 0, 1, now, &f.stats, 1000)) {}
    }
    uint64_t alive = 0;
    for (unsigned n = 0; n < N; n++) {
        bool should = twin[n].there && (!twin[n].deadline || twin[n].deadline > now);
        cr_assert_eq(fixture_has(&f, n, now), should);
        alive += should;
    }
    cr_assert_eq(store_count(f.store, 0), alive, "looking at each key removed the expired ones");
}

static void mark(void *arg, struct entry *e) {
    unsigned n;
    if (sscanf(entry_key(e).p, "key:%u", &n) == 1) ((unsigned char *)arg)[n] = 1;
}

/* SCAN's promise while the table splits, merges and shrinks under it. */
Test(store, a_scan_sees_every_key_that_stays_whatever_else_happens) {
    enum { STAY = 20000, N = 120000 };
    static unsigned char seen[N + 1];
    for (int round = 0; round < 6; round++) {
        memset(seen, 0, sizeof seen);
        store_flush(f.store, 0, true);
        for (unsigned n = 0; n < STAY; n++) fixture_set(&f, n, "x", 1, 0, NOW);
        bool grow = round % 2 == 0;
        if (!grow)
            for (unsigned n = STAY; n < N; n++) fixture_set(&f, n, "x", 1, 0, NOW);
        uint64_t cursor = 0;
        unsigned other = STAY, calls = 0;
        do {
            cursor = store_scan(f.store, 0, cursor, 10 + (size_t)round * 30, NOW, mark, seen);
            cr_assert_lt(cursor, 1ull << 53);
            for (int i = 0; i < 120 && other < N; i++, other++) {
                if (grow) fixture_set(&f, other, "x", 1, 0, NOW);
                else fixture_delete(&f, other, NOW);
            }
            calls++;
        } while (cursor);
        for (unsigned n = 0; n < STAY; n++) cr_assert(seen[n], "key %u was missed in round %d", n, round);
        cr_assert_gt(calls, STAY / (10 + (unsigned)round * 30) / 3);
        cr_assert_null(store_check(f.store));
    }
}

Test(store, load_stays_high_at_any_number_of_keys) {
    for (unsigned n = 0; n < 1000000; n++) {
        fixture_set(&f, n, "x", 1, 0, NOW);
        if (n < 300000 || n % 50000) continue;
        struct store_shape shape;
        store_shape(f.store, 0, &shape);
        cr_assert_eq(shape.keys, n + 1);
        cr_assert_lt((double)shape.index_bytes / (double)shape.keys, 11.2, "%.2f bytes of index per key at %u keys",
            (double)shape.index_bytes / (double)shape.keys, n + 1);
    }
}

Test(store, what_is_deleted_gives_its_index_back) {
    for (unsigned n = 0; n < 300000; n++) fixture_set(&f, n, "x", 1, 0, NOW);
    uint64_t full = mem_used(MEM_INDEX);
    for (unsigned n = 0; n < 299000; n++) cr_assert(fixture_delete(&f, n, NOW));
    cr_assert_null(store_check(f.store));
    cr_assert_lt(mem_used(MEM_INDEX), full / 12);
    for (unsigned n = 299000; n < 300000; n++) cr_assert(fixture_has(&f, n, NOW));
}

Test(store, expiry_removes_what_is_due_and_nothing_else) {
    for (unsigned n = 0; n < 50000; n++) fixture_set(&f, n, "x", 1, n % 2 ? NOW + 1000 + n : 0, NOW);
    cr_assert_eq(store_volatile(f.store, 0), 25000);
    while (store_expire_step(f.store, 0, 1, NOW + 900, &f.stats, 250)) {}
    cr_assert_eq(store_count(f.store, 0), 50000);
    while (store_expire_step(f.store, 0, 1, NOW + 26000, &f.stats, 250)) {}
    cr_assert_eq(counter_get(&f.stats.expired), 12500);
    cr_assert_eq(store_count(f.store, 0), 37500);
    /* Half of those with a deadline: a twentieth of that, as it is the first pass that found any. */
    cr_assert_eq(counter_get(&f.stats.stale_share), STORE_SHARE / 2 / 20);
    while (store_expire_step(f.store, 0, 1, NOW + 60000, &f.stats, 250)) {}
    cr_assert_eq(counter_get(&f.stats.stale_share), STORE_SHARE / 40 * 19 / 20 + STORE_SHARE / 20);
    while (store_expire_step(f.store, 0, 1, NOW + 70000, &f.stats, 250)) {}
    cr_assert_lt(counter_get(&f.stats.stale_share), STORE_SHARE / 40 * 19 / 20 + STORE_SHARE / 20);
    cr_assert_eq(store_count(f.store, 0), 25000);
    cr_assert_eq(store_volatile(f.store, 0), 0);
}

Test(store, parts_share_the_work_and_leave_none_out) {
    for (unsigned n = 0; n < 20000; n++) fixture_set(&f, n, "x", 1, NOW + 10, NOW);
    for (unsigned part = 0; part < 3; part++)
        while (store_expire_step(f.store, part, 3, NOW + 1000, &f.stats, 250)) {}
    cr_assert_eq(store_count(f.store, 0), 0);
}

Test(store, flushing_and_swapping_databases) {
    struct view v = fixture_view(&f, NOW);
    for (unsigned n = 0; n < 5000; n++) fixture_set(&f, n, "zero", 4, NOW + 9999, NOW);
    v.db = 3;
    struct key k = store_key(store_seed(f.store), SLICE("three"));
    store_lock(f.store, store_shard_of(k.hash));
    view_set(&v, &k, SLICE("3"), 0, FORM_AUTO);
    store_unlock(f.store, store_shard_of(k.hash));
    store_lock_all(f.store);
    store_swap(f.store, 0, 3);
    store_unlock_all(f.store);
    cr_assert_eq(store_count(f.store, 0), 1);
    cr_assert_eq(store_count(f.store, 3), 5000);
    cr_assert_eq(store_volatile(f.store, 3), 5000);
    cr_assert_eq(store_flush(f.store, 3, false), 5000);
    cr_assert_eq(store_count(f.store, 3), 0);
    cr_assert_eq(store_trash(f.store), 5000);
    while (store_trash_step(f.store, 250)) {}
    cr_assert_eq(store_trash(f.store), 0);
    cr_assert_eq(store_trash_freed(f.store), 5000);
    cr_assert_eq(store_count(f.store, 0), 1);
}

static void count_db(void *arg, struct entry *e) {
    unsigned n;
    cr_assert_eq(sscanf(entry_key(e).p, "key:%u", &n), 1);
    ((unsigned *)arg)[n]++;
}

Test(store, random_keys_are_spread) {
    enum { N = 200 };
    static unsigned hits[N];
    uint64_t x = 5;
    unsigned found = 0;
    cr_assert_not(store_sample(f.store, 0, NOW, 1, count_db, hits));
    for (unsigned n = 0; n < N; n++) fixture_set(&f, n, "x", 1, n < 100 ? 0 : NOW + 5, NOW);
    for (int i = 0; i < 40000; i++) found += store_sample(f.store, 0, NOW + 10, fixture_random(&x), count_db, hits);
    cr_assert_gt(found, 39900, "16 tries at half of them");
    for (unsigned n = 0; n < 100; n++) cr_assert(hits[n] > 100 && hits[n] < 1600, "key %u was drawn %u times of 40000", n, hits[n]);
    for (unsigned n = 100; n < N; n++) cr_assert_eq(hits[n], 0);
}

Test(store, renaming_and_copying_keep_value_and_deadline) {
    struct view v = fixture_view(&f, NOW), w = v;
    struct key a = store_key(store_seed(f.store), SLICE("a")), b = store_key(store_seed(f.store), SLICE("a much longer name"));
    w.db = 5;
    store_lock_all(f.store);
    view_set(&v, &a, SLICE("value"), NOW + 77, FORM_AUTO);
    view_set(&w, &b, SLICE("old"), 0, FORM_AUTO);
    view_rename(&v, &a, &w, &b);
    cr_assert_null(view_peek(&v, &a));
    struct entry *e = view_peek(&w, &b);
    cr_assert_not_null(e);
    cr_assert(slice_equal(entry_value(e), SLICE("value")));
    cr_assert_eq(entry_deadline(e), NOW + 77);
    view_copy(&w, e, &v, &a);
    e = view_peek(&v, &a);
    cr_assert(slice_equal(entry_value(e), SLICE("value")));
    cr_assert_eq(entry_deadline(e), NOW + 77);
    cr_assert(slice_equal(entry_key(e), SLICE("a")));
    store_unlock_all(f.store);
}

static unsigned events[STORE_FLUSHED + 1];
static void note(void *arg, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k, const struct entry *e) {
    (void)arg, (void)stats, (void)db;
    cr_assert(event == STORE_FLUSHED || k->n > 4);
    cr_assert(event > STORE_EVICTED || slice_equal(entry_key(e), (struct slice){k->p, k->n}));
    events[event]++;
}

Test(store, whoever_listens_hears_of_expiry) {
    store_set_hook(f.store, note, NULL);
    fixture_set(&f, 1, "x", 1, NOW + 5, NOW);
    fixture_set(&f, 2, "x", 1, NOW + 5, NOW);
    cr_assert_not(fixture_has(&f, 1, NOW + 5));
    while (store_expire_step(f.store, 0, 1, NOW + 500, &f.stats, 250)) {}
    cr_assert_eq(events[STORE_EXPIRED], 2);
    cr_assert_eq(counter_get(&f.stats.expired), 2);
}

Test(store, whoever_watches_hears_of_every_change) {
    char text[2][64];
    struct key k = fixture_key(&f, text[0], sizeof text[0], 1), other = fixture_key(&f, text[1], sizeof text[1], 2);
    struct view v;
    store_set_hook(f.store, note, NULL);
    view_init(&v, f.store, 0, NOW, &f.stats);
    view_set(&v, &k, SLICE("v"), 0, FORM_AUTO);
    cr_assert_eq(events[STORE_WRITTEN], 0, "nobody watches");
    store_watch(f.store, 1);
    struct entry *e = view_set(&v, &k, SLICE("w"), 0, FORM_AUTO);
    cr_assert_eq(events[STORE_WRITTEN], 1);
    e = view_set_deadline(&v, &k, e, NOW + 50);
    cr_assert_eq(events[STORE_WRITTEN], 2);
    view_set_deadline(&v, &k, e, NOW + 50);
    cr_assert_eq(events[STORE_WRITTEN], 2, "nothing has changed");
    view_edit(&v, &k, view_peek(&v, &k), 100, FORM_RAW);
    cr_assert_eq(events[STORE_WRITTEN], 3);
    view_rename(&v, &k, &v, &other);
    cr_assert_eq(events[STORE_WRITTEN], 4);
    cr_assert_eq(events[STORE_DELETED], 1);
    cr_assert(view_delete(&v, &other));
    cr_assert_not(view_unlink(&v, &other));
    cr_assert_eq(events[STORE_DELETED], 3, "also of what was not there");
    store_flush(f.store, 0, true);
    cr_assert_eq(events[STORE_FLUSHED], 1);
    store_watch(f.store, -1);
    view_set(&v, &k, SLICE("v"), 0, FORM_AUTO);
    cr_assert_eq(events[STORE_WRITTEN], 4);
}

static void count_one(void *arg, struct entry *e) {
    (void)e;
    ++*(unsigned *)arg;
}

/* INFO samples TTLs, and so must not look for the last key that lives among millions that do not. */
Test(store, samples_give_up_where_all_are_over) {
    unsigned found = 0;
    for (unsigned n = 0; n < 3000; n++) fixture_set(&f, n, "v", 1, NOW + 10, NOW);
    cr_assert(store_sample(f.store, 0, NOW, 1, count_one, &found));
    cr_assert(!store_sample(f.store, 0, NOW + 20, 1, count_one, &found));
    cr_assert_eq(store_mean_ttl(f.store, 0, NOW + 20), 0);
    cr_assert_eq(found, 1);
}
