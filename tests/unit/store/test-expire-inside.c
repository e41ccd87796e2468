/* Fields of hashes past their deadline go by themselves, and the key with the last of them. */
#include "fixture.h"
#include "store/holder.h"
#include "type/hash.h"

static struct fixture f;
static void begin(void) { fixture_open(&f); }
static void end(void) { fixture_close(&f); }
TestSuite(expire_inside, .init = begin, .fini = end);

/* Puts fields first..first+n-1 into the hash of key `key`, due one after the other from `due` on, `step` ms apart; 0: none. */
static void put(unsigned key, unsigned first, unsigned n, int64_t due, int64_t step, int64_t now) {
    char text[32];
    struct view v = fixture_view(&f, now);
    struct key k = fixture_key(&f, text, sizeof text, key);
    struct holder h;
    store_lock(f.store, store_shard_of(k.hash));
    holder_open(&h, &v, &k, view_peek(&v, &k), VALUE_HASH);
    for (unsigned i = first; i < first + n; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, "field:%u", i);
        hash_put(&h.home, &(struct member){.name = {name, (size_t)len}, .value = SLICE("a value"), .due = due ? due + (i - first) * step : 0}, now);
    }
    cr_assert(holder_close(&h));
    store_unlock(f.store, store_shard_of(k.hash));
}

/* How many fields the hash has, those past their deadline included. */
static size_t count(unsigned key, int64_t now, int64_t *due) {
    char text[32];
    struct view v = fixture_view(&f, now);
    struct key k = fixture_key(&f, text, sizeof text, key);
    struct holder h;
    store_lock(f.store, store_shard_of(k.hash));
    holder_look(&h, f.store, view_peek(&v, &k), VALUE_HASH);
    size_t n = h.entry ? hash_count(&h.home) : 0;
    const char *wrong = h.entry ? hash_check(&h.home) : NULL;
    cr_assert_null(wrong, "%s", wrong);
    if (due) *due = h.entry ? hash_due(&h.home) : 0;
    store_unlock(f.store, store_shard_of(k.hash));
    return n;
}

static unsigned expire(int64_t now) {
    unsigned steps = 0;
    while (store_expire_step(f.store, 0, 1, now, &f.stats, 250)) cr_assert(++steps < 100000);
    const char *wrong = store_check(f.store);
    cr_assert_null(wrong, "%s", wrong);
    while (store_trash_step(f.store, 250)) {}
    return steps;
}

Test(expire_inside, of_small_hashes) {
    for (unsigned key = 0; key < 2000; key++) {
        put(key, 0, 3, 0, 0, NOW);
        put(key, 3, 4, NOW + 100 + key % 10, 100, NOW); /* due at 1xx, 2xx, 3xx, 4xx */
    }
    expire(NOW + 50);
    cr_assert_eq(count(7, NOW + 50, NULL), 7);
    expire(NOW + 1000); /* some rest after a look */
    for (unsigned key = 0; key < 2000; key++) cr_assert_eq(count(key, NOW + 1000, NULL), 3, "key %u", key);
    cr_assert_eq(counter_get(&f.stats.expired_inside), 8000);
    cr_assert_eq(counter_get(&f.stats.expired), 0);
    cr_assert_eq(store_count(f.store, 0), 2000);
}

Test(expire_inside, one_after_the_other) {
    int64_t due;
    put(1, 0, 10, NOW + 1000, 1000, NOW);
    for (int64_t i = 0; i <= 9; i++) {
        expire(NOW + 500 + 1000 * i);
        cr_assert_eq(count(1, NOW, &due), (size_t)(10 - i));
        cr_assert(due > NOW + 500 + 1000 * i && due <= NOW + 1000 + 1000 * i, "the earliest follows");
    }
    expire(NOW + 10500);
    cr_assert_eq(store_count(f.store, 0), 0, "the key went with its last field");
    cr_assert_eq(counter_get(&f.stats.expired_inside), 10);
}

Test(expire_inside, all_of_a_large_hash_in_slices) {
    uint64_t before = mem_used(MEM_DATA);
    put(1, 0, 60000, NOW + 500, 0, NOW);
    put(2, 0, 60000, NOW + 500, 0, NOW);
    put(2, 60000, 5, 0, 0, NOW);
    int64_t due;
    expire(NOW + 499);
    cr_assert_eq(count(1, NOW, &due), 60000);
    expire(NOW + 999);
    cr_assert_eq(count(1, NOW, NULL), 0);
    cr_assert_eq(count(2, NOW, &due), 5);
    cr_assert_eq(due, 0);
    cr_assert_eq(counter_get(&f.stats.expired_inside), 120000);
    cr_assert_eq(store_count(f.store, 0), 1);
    cr_assert(mem_used(MEM_DATA) < before + 100000, "their memory is free");
}

Test(expire_inside, a_large_hash_goes_in_several_steps) {
    put(1, 0, 100000, NOW + 500, 0, NOW);
    unsigned steps = 0;
    size_t last = 100000;
    while (store_expire_step(f.store, 0, 1, NOW + 1000, &f.stats, 60)) {
        size_t left = count(1, NOW, NULL);
        cr_assert(last - left <= 20000, "%zu went at once", last - left);
        last = left;
        steps++;
    }
    cr_assert(steps > 3, "%u", steps);
    cr_assert_eq(count(1, NOW, NULL), 0);
}

Test(expire_inside, one_that_is_read_waits) {
    put(1, 0, 1000, NOW + 500, 0, NOW);
    char text[32];
    struct view v = fixture_view(&f, NOW);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    struct holder h;
    store_lock(f.store, store_shard_of(k.hash));
    holder_look(&h, f.store, view_peek(&v, &k), VALUE_HASH);
    cr_assert_not_null(h.home.object);
    value_hold(h.home.object);
    store_unlock(f.store, store_shard_of(k.hash));
    expire(NOW + 1000);
    cr_assert_eq(count(1, NOW, NULL), 1000);
    holder_release(f.store, VALUE_HASH, h.home.object);
    expire(NOW + 2000);
    cr_assert_eq(count(1, NOW, NULL), 0);
}

Test(expire_inside, a_deadline_of_the_key_counts_first) {
    char text[32];
    put(1, 0, 5, NOW + 5000, 0, NOW);
    struct view v = fixture_view(&f, NOW);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    store_lock(f.store, store_shard_of(k.hash));
    view_set_deadline(&v, &k, view_peek(&v, &k), NOW + 700);
    store_unlock(f.store, store_shard_of(k.hash));
    put(1, 5, 1, NOW + 600, 0, NOW);
    expire(NOW + 650);
    cr_assert_eq(count(1, NOW, NULL), 5);
    expire(NOW + 1200);
    cr_assert_eq(store_count(f.store, 0), 0);
    cr_assert_eq(counter_get(&f.stats.expired), 1);
    cr_assert_eq(counter_get(&f.stats.expired_inside), 1);
}

/* A long key, so that with a small hash the block is in the slabs and with a larger one it is not. */
Test(expire_inside, where_the_block_changes_its_place) {
    static char name[2000];
    memset(name, 'k', sizeof name);
    struct view v = fixture_view(&f, NOW);
    struct key k = store_key(store_seed(f.store), (struct slice){name, sizeof name});
    struct holder h;
    store_lock(f.store, store_shard_of(k.hash));
    holder_open(&h, &v, &k, NULL, VALUE_HASH);
    hash_put(&h.home, &(struct member){.name = SLICE("stays"), .value = SLICE("here")}, NOW);
    for (unsigned i = 0; i < 35; i++)
        hash_put(&h.home, &(struct member){.name = {name, i}, .value = {name, 40}, .due = NOW + 500}, NOW);
    cr_assert(holder_close(&h));
    cr_assert_null(h.home.object);
    store_unlock(f.store, store_shard_of(k.hash));
    expire(NOW + 1000);
    store_lock(f.store, store_shard_of(k.hash));
    holder_look(&h, f.store, view_peek(&v, &k), VALUE_HASH);
    struct member m;
    cr_assert_eq(hash_count(&h.home), 1);
    cr_assert(hash_get(&h.home, SLICE("stays"), 0, &m) && slice_equal(m.value, SLICE("here")));
    store_unlock(f.store, store_shard_of(k.hash));
}
