#include "base/deltas.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state;
static uint32_t draw(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 36);
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The naive twin of deltas_sort. */
static size_t sort_plainly(uint32_t *v, size_t n) {
    size_t kept = 0;
    qsort(v, n, sizeof *v, by_value);
    for (size_t i = 0; i < n; i++)
        if (!i || v[i] != v[i - 1]) v[kept++] = v[i];
    return kept;
}

static void read_back(const struct buf *b, const uint32_t *v, size_t n) {
    struct deltas d;
    uint32_t one;
    cr_assert(deltas_open(&d, buf_slice(b)));
    for (size_t i = 0; i < n; i++) {
        cr_assert(deltas_next(&d, &one), "number %zu of %zu", i, n);
        cr_assert_eq(one, v[i], "number %zu of %zu", i, n);
    }
    cr_assert(!deltas_next(&d, &one) && !d.left);
}

static void round_trip(uint32_t *v, size_t n) {
    uint32_t *twin = malloc(n * sizeof *twin + 1), *room = malloc(n * sizeof *room + 1);
    struct buf b = {0};
    if (n) memcpy(twin, v, n * sizeof *v);
    size_t kept = deltas_sort(v, n, room);
    cr_assert_eq(kept, sort_plainly(twin, n));
    for (size_t i = 0; i < kept; i++) cr_assert_eq(v[i], twin[i]);
    deltas_put(&b, v, kept);
    read_back(&b, v, kept);
    free(twin);
    free(room);
    buf_free(&b);
}

Test(deltas, sets_of_all_sizes) {
    static const size_t sizes[] = {0, 1, 2, 3, 7, 31, 32, 33, 34, 64, 65, 1000, 4095, 4096, 4097, 20000};
    uint32_t *v = malloc(20000 * sizeof *v);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned mask = 0; mask < 6; mask++) {
            for (size_t k = 0; k < sizes[i]; k++)
                v[k] = draw() & (uint32_t[]){UINT32_MAX, 0xff, 0xffff000, 0x8000001, 0xffff, 0xfffff}[mask];
            round_trip(v, sizes[i]);
        }
    free(v);
}

/* Made-up sets, in which the highest bits tell nothing: falling ones, ever the same ones at different places. */
Test(deltas, sets_that_are_hard_to_sort) {
    static const size_t sizes[] = {32, 100, 3000, 50000};
    uint32_t *v = malloc(50000 * sizeof *v);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        for (size_t k = 0; k < n; k++) v[k] = (uint32_t)(n - k);
        round_trip(v, n);
        for (size_t k = 0; k < n; k++) v[k] = k < n / 2 ? (uint32_t)k : (uint32_t)(k % 7);
        round_trip(v, n);
        for (size_t k = 0; k < n; k++) v[k] = (uint32_t)(k % 2 ? k << 12 & DELTAS_MAX : n - k);
        round_trip(v, n);
    }
    free(v);
}

Test(deltas, the_ends_of_the_range) {
    round_trip((uint32_t[]){0}, 1);
    round_trip((uint32_t[]){DELTAS_MAX}, 1);
    round_trip((uint32_t[]){DELTAS_MAX, 0, DELTAS_MAX, 0}, 4);
    uint32_t high[500];
    for (uint32_t i = 0; i < 500; i++) high[i] = DELTAS_MAX - i; /* one long way, then short ones */
    round_trip(high, 500);
}

Test(deltas, random_numbers_take_two_bytes) {
    enum { N = 20000 };
    uint32_t *v = malloc(N * sizeof *v), *room = malloc(N * sizeof *room);
    struct buf b = {0};
    for (size_t i = 0; i < N; i++) v[i] = draw();
    size_t n = deltas_sort(v, N, room);
    deltas_put(&b, v, n);
    cr_assert(b.n < n * 2, "%zu bytes for %zu", b.n, n);
    free(v);
    free(room);
    buf_free(&b);
}

/* Reading what is cut, changed or made up ends, inside of the bytes (the sanitizers look), and numbers never fall. */
static void read_anything(struct slice bytes) {
    struct deltas d;
    uint32_t one, last = 0;
    char *copy = malloc(bytes.n ? bytes.n : 1);
    if (bytes.n) memcpy(copy, bytes.p, bytes.n);
    if (deltas_open(&d, (struct slice){copy, bytes.n})) {
        size_t n = 0;
        while (deltas_next(&d, &one)) {
            cr_assert(one >= last);
            last = one;
            n++;
        }
        cr_assert(n <= bytes.n * 8);
    }
    free(copy);
}

Test(deltas, broken_ones) {
    uint32_t v[200], room[200];
    struct buf b = {0};
    struct deltas d;
    uint32_t one;
    for (size_t i = 0; i < 200; i++) v[i] = draw();
    size_t n = deltas_sort(v, 200, room);
    deltas_put(&b, v, n);
    for (size_t cut = 0; cut < b.n; cut++) {
        read_anything((struct slice){b.p, cut});
        if (!deltas_open(&d, (struct slice){b.p, cut})) continue;
        while (deltas_next(&d, &one)) {}
        cr_assert(d.left, "a cut one is not taken for a whole one");
    }
    for (size_t at = 0; at < b.n; at++) {
        char was = b.p[at];
        for (unsigned bit = 0; bit < 8; bit++) {
            b.p[at] = (char)(was ^ 1 << bit);
            read_anything(buf_slice(&b));
        }
        b.p[at] = was;
    }
    for (size_t i = 0; i < 20000; i++) {
        char bytes[24];
        for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (char)(i % 2 ? draw() : 0xff);
        bytes[0] = (char)(draw() % 34);
        bytes[2] = bytes[3] = bytes[4] = 0;
        read_anything((struct slice){bytes, draw() % (sizeof bytes + 1)});
    }
    cr_assert(!deltas_open(&d, (struct slice){"\x1c\0\0\0\0", 5}), "a rest of 28 bits");
    cr_assert(!deltas_open(&d, (struct slice){"\0\x09\0\0\0\0", 6}), "more numbers than bits");
    buf_free(&b);
}
