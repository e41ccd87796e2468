/* Sorted integers of one width against a naive twin. */
#include "type/intset.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MOST 600

static uint64_t state;
static uint64_t next(uint64_t below) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % below;
}

static int64_t twin[MOST];
static size_t there;
static uint8_t bytes[1 + 8 * MOST];
static size_t used;

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool twin_has(int64_t v) {
    for (size_t i = 0; i < there; i++)
        if (twin[i] == v) return true;
    return false;
}

static void as_twin(void) {
    const char *wrong = intset_check(bytes, used);
    cr_assert(!wrong, "%s", wrong);
    cr_assert(intset_count(bytes, used) == there);
    qsort(twin, there, sizeof *twin, by_value);
    for (size_t i = 0; i < there; i++) cr_assert(intset_at(bytes, i) == twin[i]);
}

static void add(int64_t v) {
    size_t at;
    bool found = intset_find(bytes, used, v, &at);
    cr_assert(found == twin_has(v));
    if (found) {
        cr_assert(intset_at(bytes, at) == v);
        return;
    }
    size_t n = intset_grown(bytes, used, v);
    cr_assert(n <= sizeof bytes);
    intset_insert(bytes, used, v, at);
    used = n;
    twin[there++] = v;
}

static void take(int64_t v) {
    size_t at;
    bool found = intset_find(bytes, used, v, &at);
    cr_assert(found == twin_has(v));
    if (!found) return;
    used = intset_remove(bytes, used, at);
    for (size_t i = 0; i < there; i++)
        if (twin[i] == v) {
            twin[i] = twin[--there];
            break;
        }
}

/* Numbers around the borders of the widths, as far as `bits` of them. */
static int64_t number(unsigned bits) {
    int64_t v = (int64_t)(next(1u << 31) << 33 ^ next(1u << 31) << 5 ^ next(32));
    return v >> (64 - bits);
}

Test(intset, random_operations) {
    state = 1;
    for (int round = 0; round < 60; round++) {
        used = there = 0;
        unsigned bits = (unsigned[]){4, 8, 16, 17, 32, 33, 64}[next(7)];
        for (int i = 0; i < 300; i++) {
            if (!next(50)) bits = (unsigned[]){8, 16, 17, 32, 33, 64}[next(6)];
            if (next(3)) add(number(bits));
            else if (there) take(next(2) ? twin[next(there)] : number(bits));
            if (i % 10 == 0) as_twin();
        }
        while (there) take(twin[next(there)]);
        cr_assert(!used, "nothing is left of an empty one");
    }
}

Test(intset, borders) {
    const int64_t border[] = {0, -1, 32767, 32768, -32768, -32769, 2147483647, 2147483648, -2147483648LL, -2147483649LL, INT64_MAX,
        INT64_MIN};
    const size_t n = sizeof border / sizeof *border;
    for (size_t first = 0; first < n; first++) {
        used = there = 0;
        for (size_t i = 0; i < n; i++) {
            add(border[(first + i) % n]);
            as_twin();
        }
        for (size_t i = 0; i < n; i++) {
            take(border[(first + i * 5) % n]);
            as_twin();
        }
    }
}

Test(intset, as_small_as_can_be) {
    used = there = 0;
    for (int i = 0; i < 16; i++) add(i * 2047);
    cr_assert(used == 1 + 16 * 2);
    add(32768);
    cr_assert(used == 1 + 17 * 4);
    add(-2147483649LL);
    cr_assert(used == 1 + 18 * 8);
    as_twin();
}
