#include "base/bits.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 300 };

static uint64_t next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Long runs of one bit as well as noise. */
static void fill(uint8_t *p, size_t n, uint64_t *seed) {
    unsigned kind = next(seed) % 4;
    for (size_t i = 0; i < n; i++) p[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)(next(seed) >> 9);
    if (kind < 2 && n && next(seed) % 3) p[next(seed) % n] ^= (uint8_t)(1u << next(seed) % 8);
}

static bool bit_at(const uint8_t *p, uint64_t at) { return p[at >> 3] >> (7 - (at & 7)) & 1; }

Test(bits, parts_are_counted_and_searched_as_bit_by_bit) {
    uint64_t seed = 20240601;
    uint8_t bytes[MOST + 8];
    for (int round = 0; round < 4000; round++) {
        size_t shift = next(&seed) % 8, n = 1 + next(&seed) % MOST;
        uint8_t *p = bytes + shift;
        fill(p, n, &seed);
        uint64_t from = next(&seed) % (n * 8), to = from + next(&seed) % (n * 8 - from), count = 0, first[2] = {to + 1, to + 1};
        for (uint64_t i = from; i <= to; i++) {
            bool b = bit_at(p, i);
            count += b;
            if (first[b] > i) first[b] = i;
        }
        cr_assert_eq(bits_count_part(p, from, to), count);
        cr_assert_eq(bits_find_part(p, from, to, false), first[0]);
        cr_assert_eq(bits_find_part(p, from, to, true), first[1]);
        cr_assert_eq(bits_count(p, n), bits_count_part(p, 0, n * 8 - 1));
        cr_assert_eq(bits_find(p, n, true), bits_find_part(p, 0, n * 8 - 1, true));
    }
    cr_assert_eq(bits_count(bytes, 0), 0);
    cr_assert_eq(bits_find(bytes, 0, true), 0);
    cr_assert_eq(bits_count_part(bytes, 5, 4), 0);
    cr_assert_eq(bits_find_part(bytes, 5, 4, true), 5);
}

Test(bits, large_counts) {
    size_t n = 1 << 20;
    uint8_t *p = malloc(n);
    memset(p, 0xff, n);
    cr_assert_eq(bits_count(p, n), n * 8);
    cr_assert_eq(bits_find(p, n, false), n * 8);
    p[n - 1] = 0xfe;
    cr_assert_eq(bits_find(p, n, false), n * 8 - 1);
    free(p);
}

Test(bits, numbers_of_any_width_at_any_place) {
    uint64_t seed = 77;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[24], before[24];
        size_t n = next(&seed) % 25;
        fill(bytes, sizeof bytes, &seed);
        memcpy(before, bytes, sizeof bytes);
        unsigned width = 1 + (unsigned)(next(&seed) % 64);
        uint64_t at = next(&seed) % 200, want = 0;
        for (unsigned i = 0; i < width; i++) want = want << 1 | (at + i < n * 8 ? bit_at(bytes, at + i) : 0);
        cr_assert_eq(bits_get(bytes, n, at, width), want);

        at = next(&seed) % (sizeof bytes * 8 - width + 1);
        uint64_t value = next(&seed);
        bits_put(bytes, at, width, value);
        uint64_t mask = width == 64 ? UINT64_MAX : (1ull << width) - 1;
        cr_assert_eq(bits_get(bytes, sizeof bytes, at, width), value & mask);
        for (uint64_t i = 0; i < sizeof bytes * 8; i++)
            if (i < at || i >= at + width) cr_assert_eq(bit_at(bytes, i), bit_at(before, i), "bit %d", (int)i);
    }
    /* Nothing behind the end is read. */
    uint8_t *tight = malloc(1);
    *tight = 0xa5;
    cr_assert_eq(bits_get(tight, 1, 0, 64), 0xa500000000000000ull);
    cr_assert_eq(bits_get(tight, 1, 4, 4), 5);
    bits_put(tight, 4, 4, 0xf);
    cr_assert_eq(*tight, 0xaf);
    free(tight);
}

Test(bits, combining) {
    uint64_t seed = 5;
    for (int round = 0; round < 1000; round++) {
        uint8_t a[100], b[100], was[100];
        size_t n = next(&seed) % 101;
        enum bits_op op = (enum bits_op)(next(&seed) % 4);
        fill(a, sizeof a, &seed);
        fill(b, sizeof b, &seed);
        memcpy(was, a, sizeof a);
        bits_combine(op, a, b, n);
        for (size_t i = 0; i < sizeof a; i++) {
            uint8_t want = was[i];
            if (i < n) want = op == BITS_AND ? want & b[i] : op == BITS_OR ? want | b[i] : op == BITS_XOR ? want ^ b[i] : (uint8_t)~b[i];
            cr_assert_eq(a[i], want);
        }
    }
}
