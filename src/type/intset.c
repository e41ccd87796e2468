#include "type/intset.h"

#include <string.h>

#define WIDTH_2 1
#define WIDTH_4 2
#define WIDTH_8 3

static inline uint8_t width_for(int64_t v) { return v == (int16_t)v ? WIDTH_2 : v == (int32_t)v ? WIDTH_4 : WIDTH_8; }

static inline __attribute__((always_inline)) int64_t get(const uint8_t *first, size_t i, uint8_t width) {
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (width) {
    case WIDTH_2:
        memcpy(&two, first + i * sizeof two, sizeof two);
        return two;
    case WIDTH_4:
        memcpy(&four, first + i * sizeof four, sizeof four);
        return four;
    default:
        memcpy(&eight, first + i * sizeof eight, sizeof eight);
        return eight;
    }
}

static inline void put(uint8_t *first, size_t i, uint8_t width, int64_t v) {
    int16_t two = (int16_t)v;
    int32_t four = (int32_t)v;
    if (width == WIDTH_2) memcpy(first + i * sizeof two, &two, sizeof two);
    else if (width == WIDTH_4) memcpy(first + i * sizeof four, &four, sizeof four);
    else memcpy(first + i * sizeof v, &v, sizeof v);
}

int64_t intset_at(const uint8_t *p, size_t i) { return get(p + 1, i, p[0]); }

/* How many are less than v; halving without a branch that could be guessed wrong. */
static inline __attribute__((always_inline)) size_t below(const uint8_t *first, size_t count, uint8_t width, int64_t v) {
    size_t from = 0;
    while (count > 1) {
        size_t half = count >> 1;
        from += get(first, from + half - 1, width) < v ? half : 0;
        count -= half;
    }
    return from + (count && get(first, from, width) < v);
}

static inline __attribute__((always_inline)) bool find(const uint8_t *p, size_t count, uint8_t width, int64_t v, size_t *at) {
    /* Numbers that grow are added behind all others. */
    if (get(p + 1, count - 1, width) < v) {
        *at = count;
        return false;
    }
    *at = below(p + 1, count, width, v);
    return get(p + 1, *at, width) == v;
}

bool intset_find(const uint8_t *p, size_t n, int64_t v, size_t *at) {
    if (!n) {
        *at = 0;
        return false;
    }
    switch (p[0]) {
    case WIDTH_2:
        return find(p, (n - 1) >> WIDTH_2, WIDTH_2, v, at);
    case WIDTH_4:
        return find(p, (n - 1) >> WIDTH_4, WIDTH_4, v, at);
    default:
        return find(p, (n - 1) >> WIDTH_8, WIDTH_8, v, at);
    }
}

static uint8_t width_with(const uint8_t *p, size_t n, int64_t v) {
    uint8_t need = width_for(v);
    return n && p[0] > need ? p[0] : need;
}

size_t intset_grown(const uint8_t *p, size_t n, int64_t v) {
    return 1 + ((intset_count(p, n) + 1) << width_with(p, n, v));
}

void intset_insert(uint8_t *p, size_t n, int64_t v, size_t at) {
    size_t count = intset_count(p, n);
    uint8_t width = width_with(p, n, v), *first = p + 1;
    if (!n || width == p[0]) {
        uint8_t *gap = first + (at << width);
        memmove(gap + ((size_t)1 << width), gap, (count - at) << width);
    } else { /* wider than all others it is less than all of them, or greater: each moves to a place that was read already */
        for (size_t i = count; i--;) put(first, i + (at == 0), width, get(first, i, p[0]));
    }
    p[0] = width;
    put(first, at, width, v);
}

size_t intset_remove(uint8_t *p, size_t n, size_t at) {
    size_t count = intset_count(p, n);
    uint8_t width = p[0], *there = p + 1 + (at << width);
    memmove(there, there + ((size_t)1 << width), (count - at - 1) << width);
    return count > 1 ? n - ((size_t)1 << width) : 0;
}

const char *intset_check(const uint8_t *p, size_t n) {
    if (!n) return NULL;
    if (p[0] < WIDTH_2 || p[0] > WIDTH_8) return "an integer's width is none";
    size_t count = intset_count(p, n);
    if (!count || n != 1 + (count << p[0])) return "the length is no multiple of the width";
    for (size_t i = 1; i < count; i++)
        if (intset_at(p, i - 1) >= intset_at(p, i)) return "integers are not in order";
    return NULL;
}
