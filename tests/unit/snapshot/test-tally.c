/* What a warm-up expects of a file, of which it has read some: no lie of the file's may make it take much. */
#include "snapshot/warmup_inside.h"

#include <criterion/criterion.h>

static struct store_config config;
static struct warmup w = {.config = {.store_config = &config}};

static uint64_t expect(const struct tally *t, unsigned db) {
    uint64_t all[STORE_DATABASES];
    tally_expect(t, &w, all);
    return all[db] * STORE_SHARDS;
}

static void about(uint64_t is, uint64_t should) {
    cr_assert_leq(is, should);
    cr_assert_gt(is + STORE_SHARDS, should);
}

Test(tally, expects_the_rest_to_be_as_what_was_read) {
    struct tally t = {.read = 1000, .records = 100, .taken = 80, .bytes = 8000, .of_db = {60, 0, 20}};
    w.count.bytes = 1000000;
    w.count.keys = 90000;
    about(expect(&t, 0), 90000 * 80 / 100 * 60 / 80);
    about(expect(&t, 2), 90000 * 80 / 100 * 20 / 80);
    cr_assert_eq(expect(&t, 1), 0);
    w.count.keys = 0; /* it does not say */
    about(expect(&t, 0), 100000 * 80 / 100 * 60 / 80);
    w.count.keys = UINT64_MAX; /* or lies */
    about(expect(&t, 0), 100000 * 80 / 100 * 60 / 80);
}

Test(tally, expects_nothing_of_nothing) {
    struct tally t = {.read = 0};
    w.count.bytes = w.count.keys = 1000000;
    cr_assert_eq(expect(&t, 0), 0);
    t.read = 1000;
    t.records = 10; /* none of them was wanted */
    cr_assert_eq(expect(&t, 0), 0);
}

/* No more than there is room for. */
Test(tally, knows_maxmemory) {
    struct tally t = {.read = 1000, .records = 100, .taken = 100, .bytes = 100 * 89, .of_db = {100}};
    w.count.bytes = 100000000;
    w.count.keys = 10000000;
    about(expect(&t, 0), 10000000);
    config.maxmemory = (int64_t)(mem_limited() + 100 * 50000);
    uint64_t most = expect(&t, 0);
    cr_assert(most > 49000 && most <= 50100, "%lu", (unsigned long)most);
    config.maxmemory = 1;
    cr_assert_leq(expect(&t, 0), 100);
}
