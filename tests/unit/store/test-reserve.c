/* Tables that begin with room for what is to come, beside tables that have grown. */
#include "fixture.h"
#include "store/table.h"

enum { KEYS = 12000, MANY = 400000 };

static const uint64_t seed = 99;

static struct table grown, reserved;

static struct entry *thing(unsigned n, struct key *k, char *text, size_t cap) {
    int len = snprintf(text, cap, "key:%u", n);
    *k = store_key(seed, (struct slice){text, (size_t)len});
    struct entry_spec spec = {.type = VALUE_STRING, .key = {k->p, k->n}, .deadline = n % 3 ? 0 : NOW + n};
    return entry_new(&spec);
}

/* Those of the first n keys that belong to shard 0, into both tables. How many there are. */
static uint64_t fill(unsigned from, unsigned n) {
    uint64_t quick = 0;
    for (unsigned i = from; i < from + n; i++) {
        char text[32];
        struct key k;
        struct entry *e = thing(i, &k, text, sizeof text);
        if (store_shard_of(k.hash)) {
            entry_free(e);
            continue;
        }
        if (table_insert_quick(&reserved, k.hash, e, entry_due(e), entry_deadline(e))) quick++;
        else table_insert(&reserved, k.hash, e, seed);
        table_insert(&grown, k.hash, thing(i, &k, text, sizeof text), seed);
    }
    return quick;
}

static void begin(uint64_t keys) {
    struct table made = {.dir = NULL};
    table_reserve(&made, keys);
    size_t bytes = table_bytes(&made);
    cr_assert_leq(bytes, table_reserved_bytes(keys));
    reserved.mark = 1;
    table_begin(&reserved, &made, 5);
    cr_assert_null(made.dir);
    cr_assert_eq(reserved.mark, 1);
    cr_assert_eq(table_bytes(&reserved), bytes);
    for (uint64_t place = 0; !(place >> reserved.depth); place = table_next(&reserved, place))
        cr_assert_eq(reserved.dir[place]->swept, 5);
}

static void check(void) {
    const struct table *both[] = {&grown, &reserved};
    for (unsigned i = 0; i < 2; i++) {
        const char *wrong = table_check(both[i], 0, seed);
        cr_assert_null(wrong, "%s", wrong);
    }
    cr_assert_eq(counter_get(&reserved.keys), counter_get(&grown.keys));
    cr_assert_eq(counter_get(&reserved.volatiles), counter_get(&grown.volatiles));
}

static void same(unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "key:%u", i);
        struct key k = store_key(seed, (struct slice){text, (size_t)len});
        struct spot at;
        if (store_shard_of(k.hash)) continue;
        struct entry *a = table_find(&grown, &k, &at), *b = table_find(&reserved, &k, &at);
        cr_assert_eq(a != NULL, b != NULL, "key %u", i);
        cr_assert_eq(segment_mark(at.segment->slot[at.i]), 1u);
    }
}

static void drop(struct table *t) {
    for (uint64_t place = 0; !(place >> t->depth); place = table_next(t, place))
        for (uint32_t i = 0; i < t->dir[place]->slots; i++)
            if (t->dir[place]->slot[i]) entry_free(segment_entry(t->dir[place]->slot[i]));
    table_clear(t);
}

/* As many keys as were said: the index hardly grows, and is no larger than one that has grown. */
Test(reserve, for_what_comes) {
    for (unsigned share = 1; share <= 4; share++) {
        unsigned n = MANY * share / 4;
        begin(n / STORE_SHARDS);
        size_t before = table_bytes(&reserved);
        uint64_t quick = fill(0, n);
        check();
        same(n);
        cr_assert_gt(quick * 10, counter_get(&reserved.keys) * 9);
        cr_assert_leq(table_bytes(&reserved) * 100, before * 115, "%zu of %zu", table_bytes(&reserved), before);
        cr_assert_leq(table_bytes(&reserved) * 100, table_bytes(&grown) * 120, "%zu of %zu", table_bytes(&reserved), table_bytes(&grown));
        drop(&grown);
        drop(&reserved);
    }
}

/* Far more come than were said. */
Test(reserve, too_little) {
    begin(400);
    fill(0, MANY);
    check();
    same(MANY);
    drop(&grown);
    drop(&reserved);
}

/* Far fewer: what was reserved for them goes back, some segments at a time. */
Test(reserve, too_much) {
    static const unsigned come[] = {0, 300, 20000, 200000};
    for (unsigned i = 0; i < sizeof come / sizeof *come; i++) {
        begin(KEYS);
        fill(0, 2000);
        fill(2000, come[i]);
        uint64_t place = 0;
        unsigned steps = 1;
        for (; table_settle(&reserved, &place, 3); steps++) cr_assert_lt(steps, 100u);
        check();
        same(2000 + come[i]);
        cr_assert_leq(table_bytes(&reserved) * 10, table_bytes(&grown) * 20 + 20000, "%zu of %zu", table_bytes(&reserved), table_bytes(&grown));
        drop(&grown);
        drop(&reserved);
    }
}

/* A key that has the same tag as another in its segment may be that one: that is not for the quick way to say. */
Test(reserve, quick_only_where_it_is_sure) {
    char text[32];
    struct key k;
    begin(1000);
    struct entry *e = thing(3, &k, text, sizeof text);
    cr_assert(table_insert_quick(&reserved, k.hash, e, entry_due(e), true));
    cr_assert_not(table_insert_quick(&reserved, k.hash, e, entry_due(e), true));
    cr_assert_eq(counter_get(&reserved.keys), 1);
    cr_assert_eq(counter_get(&reserved.volatiles), 1);
    cr_assert_eq(reserved.dir[table_place(&reserved, k.hash)]->earliest, entry_due(e));
    drop(&reserved);
}
