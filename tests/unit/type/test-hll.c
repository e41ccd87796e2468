#include "type/hll.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct twin {
    struct hll h;
    uint8_t reg[HLL_REGISTERS];
    uint8_t space[2 * HLL_GROWTH];
};

static uint64_t next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static struct slice whole(const struct hll *h) { return (struct slice){(const char *)h->p, h->n}; }

static void twin_new(struct twin *t, size_t sparse_max) {
    memset(t->reg, 0, sizeof t->reg);
    t->h = (struct hll){t->space, 0, sparse_max};
    hll_new(&t->h);
}

/* Header, lengths, registers; in the sparse form also: no two neighbours that Redis would have joined at the place of the last
 * change need be equal, but every run is within its bounds and all of them make 16384. */
static void twin_check(const struct twin *t) {
    uint8_t got[HLL_REGISTERS] = {0};
    cr_assert(hll_valid(whole(&t->h)));
    cr_assert(hll_gather(whole(&t->h), got));
    cr_assert(!memcmp(got, t->reg, sizeof got));
    if (hll_is_dense(whole(&t->h))) {
        cr_assert_eq(t->h.n, HLL_DENSE);
        return;
    }
    struct hll_run run = {0};
    uint32_t all = 0;
    while (hll_next_run(whole(&t->h), &run)) {
        cr_assert_eq(run.first, all);
        cr_assert(run.n >= 1 && run.value <= 32 && (run.value ? run.n <= 4 && !run.wide : run.wide || run.n <= 64));
        all += run.n;
    }
    cr_assert_eq(all, HLL_REGISTERS);
    cr_assert(t->h.n <= t->h.sparse_max || t->h.n == HLL_EMPTY);
}

static void twin_raise(struct twin *t, struct hll_place at) {
    enum hll_change want = t->reg[at.reg] < at.value ? HLL_CHANGED : HLL_SAME;
    cr_assert_eq(hll_try(whole(&t->h), at), want);
    cr_assert_eq(hll_raise(&t->h, at), want);
    if (want == HLL_CHANGED) t->reg[at.reg] = at.value;
}

Test(hll, registers_are_those_of_a_plain_array) {
    static struct twin t;
    uint64_t seed = 99;
    for (int round = 0; round < 60; round++) {
        twin_new(&t, next(&seed) % 2 ? 3000 : 16 + next(&seed) % 9000);
        uint32_t span = round % 3 ? HLL_REGISTERS : 1 + (uint32_t)(next(&seed) % 200), from = (uint32_t)(next(&seed) % (HLL_REGISTERS - span + 1));
        unsigned high = round % 4 ? 1 + (unsigned)(next(&seed) % 32) : 51;
        for (int i = 0; i < 3000; i++) {
            twin_raise(&t, (struct hll_place){from + (uint32_t)(next(&seed) % span), (uint8_t)(1 + next(&seed) % high)});
            if (i % 50 == 0) twin_check(&t);
        }
        twin_check(&t);
    }
}

Test(hll, every_register_alone) {
    static struct twin t;
    for (uint32_t r = 0; r < HLL_REGISTERS; r += 1 + r % 7) {
        twin_new(&t, 3000);
        twin_raise(&t, (struct hll_place){r, 1});
        twin_raise(&t, (struct hll_place){HLL_REGISTERS - 1 - r, 32});
        twin_check(&t);
        cr_assert(!hll_is_dense(whole(&t.h)));
        twin_raise(&t, (struct hll_place){r, 33});
        cr_assert(hll_is_dense(whole(&t.h)));
        twin_raise(&t, (struct hll_place){r / 2, 63});
        twin_check(&t);
    }
}

Test(hll, spreading_is_raising_one_by_one) {
    static struct twin a, b;
    static uint8_t reg[HLL_REGISTERS];
    uint64_t seed = 4;
    for (int round = 0; round < 200; round++) {
        size_t max = round % 2 ? 3000 : 20000;
        twin_new(&a, max);
        twin_new(&b, max);
        for (unsigned i = 0, n = (unsigned)(next(&seed) % 300); i < n; i++) {
            struct hll_place at = {(uint32_t)(next(&seed) % HLL_REGISTERS), (uint8_t)(1 + next(&seed) % 5)};
            twin_raise(&a, at);
            twin_raise(&b, at);
        }
        memset(reg, 0, sizeof reg);
        unsigned high = round % 5 ? 3 : 40, dense = 1 + (unsigned)(next(&seed) % 60);
        for (uint32_t r = 0; r < HLL_REGISTERS; r++)
            if (next(&seed) % dense == 0 && (dense > 3 || r < 3000)) reg[r] = (uint8_t)(1 + next(&seed) % high);
        for (uint32_t r = 0; r < HLL_REGISTERS; r++)
            if (reg[r]) twin_raise(&a, (struct hll_place){r, reg[r]});
        cr_assert(hll_spread(&b.h, reg));
        cr_assert_eq(a.h.n, b.h.n, "round %d: %zu, %zu", round, a.h.n, b.h.n);
        cr_assert(!memcmp(a.h.p, b.h.p, a.h.n), "round %d", round);
        for (uint32_t r = 0; r < HLL_REGISTERS; r++)
            if (b.reg[r] < reg[r]) b.reg[r] = reg[r];
        twin_check(&b);
    }
}

/* What redis-server 7.0.15 answers for "a1" .. "aN". */
Test(hll, estimates_are_those_of_redis) {
    static const struct {
        int n;
        uint64_t count;
    } known[] = {
        {1, 1}, {2, 2}, {3, 3}, {10, 10}, {50, 50}, {100, 99}, {300, 300}, {500, 496}, {1000, 999}, {2000, 2002},
        {5000, 5000}, {10000, 10057}, {20000, 20095}, {40000, 39891}, {60000, 60020}, {100000, 100415}, {200000,
        199329},
    };
    static struct twin t, d;
    twin_new(&t, 3000);
    twin_new(&d, 3000);
    cr_assert(hll_to_dense(&d.h));
    size_t k = 0;
    for (int i = 1; k < sizeof known / sizeof *known; i++) {
        char text[16];
        struct hll_place at = hll_place((struct slice){text, (size_t)snprintf(text, sizeof text, "a%d", i)});
        twin_raise(&t, at);
        twin_raise(&d, at);
        if (i != known[k].n) continue;
        uint64_t sparse, dense;
        cr_assert(hll_count(whole(&t.h), &sparse) && hll_count(whole(&d.h), &dense));
        cr_assert_eq(sparse, known[k].count, "%d: %llu", i, (unsigned long long)sparse);
        cr_assert_eq(dense, sparse);
        cr_assert_eq(hll_count_registers(t.reg), sparse);
        k++;
    }
}

Test(hll, what_is_cached_is_valid_until_forgotten) {
    static struct twin t;
    uint64_t count = 1;
    twin_new(&t, 3000);
    cr_assert(hll_cached(whole(&t.h), &count) && count == 0);
    hll_set_cached(t.h.p, 123456789012ull);
    cr_assert(hll_cached(whole(&t.h), &count) && count == 123456789012ull);
    hll_forget(t.h.p);
    cr_assert(!hll_cached(whole(&t.h), &count));
}

/* Bytes that somebody set: nothing is read beyond them, whatever they say. */
Test(hll, corrupt_values_are_found_out) {
    uint64_t seed = 31, count;
    uint8_t reg[HLL_REGISTERS];
    for (int round = 0; round < 20000; round++) {
        size_t n = HLL_HEADER + next(&seed) % 40, room = n + HLL_GROWTH;
        uint8_t *tight = malloc(n), *p = malloc(room);
        memset(tight, 0, n);
        memcpy(tight, "HYLL\1", 5);
        for (size_t i = HLL_HEADER; i < n; i++) tight[i] = (uint8_t)next(&seed);
        if (n > HLL_HEADER + 2 && round % 2) tight[HLL_HEADER] = 0x7f, tight[HLL_HEADER + 1] = (uint8_t)(0xff - n);
        struct slice v = {(char *)tight, n};
        cr_assert(hll_valid(v));
        uint32_t all = 0;
        size_t used = HLL_HEADER;
        for (struct hll_run run = {0}; hll_next_run(v, &run);) all += run.n, used = run.next;
        bool good = all == HLL_REGISTERS && used == n;
        memset(reg, 0, sizeof reg);
        cr_assert_eq(hll_gather(v, reg), good);
        cr_assert_eq(hll_count(v, &count), good);
        struct hll h = {p, n, 3000};
        memcpy(p, tight, n);
        struct hll_place at = {(uint32_t)(next(&seed) % HLL_REGISTERS), (uint8_t)(1 + next(&seed) % 40)};
        enum hll_change said = hll_try(v, at), did = hll_raise(&h, at);
        cr_assert(said == did || (at.value > 32 && !good && did == HLL_CORRUPT));
        if (at.value <= 32) cr_assert_eq(said == HLL_CORRUPT, at.reg >= all);
        memcpy(p, tight, n);
        h.n = n;
        cr_assert_eq(hll_to_dense(&h), good);
        cr_assert(good || (h.n == n && !memcmp(p, tight, n)));
        free(tight);
        free(p);
    }
    cr_assert(!hll_valid(SLICE("HYLL\1")));
    cr_assert(!hll_valid(SLICE("HYLL\2...........")));
    cr_assert(!hll_valid(SLICE("HYLL\0...........")));
    cr_assert(!hll_valid(SLICE("hyll\1...........")));
}
