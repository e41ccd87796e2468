#include "base/bits.h"

#include <string.h>

static inline uint64_t load(const void *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void store(void *p, uint64_t v) { memcpy(p, &v, sizeof v); }

static inline uint64_t big_endian(uint64_t v) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

/* -- counting ---------------------------------------------------------------------------------------------------------- */

/* Four sums, because each addition would else wait for the one before. */
static inline __attribute__((always_inline)) uint64_t count_words(const uint8_t *p, size_t n) {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (; n >= 32; p += 32, n -= 32) {
        a += (unsigned)__builtin_popcountll(load(p));
        b += (unsigned)__builtin_popcountll(load(p + 8));
        c += (unsigned)__builtin_popcountll(load(p + 16));
        d += (unsigned)__builtin_popcountll(load(p + 24));
    }
    for (; n >= 8; p += 8, n -= 8) a += (unsigned)__builtin_popcountll(load(p));
    uint64_t rest = 0;
    if (n) memcpy(&rest, p, n);
    return a + b + c + d + (unsigned)__builtin_popcountll(rest);
}

#if defined(__x86_64__)
/* Nearly every processor has the instruction, but a build for any of them may not take it for granted. */
static __attribute__((target("popcnt"))) uint64_t count_popcnt(const uint8_t *p, size_t n) { return count_words(p, n); }

uint64_t bits_count(const void *p, size_t n) {
    return __builtin_cpu_supports("popcnt") ? count_popcnt(p, n) : count_words(p, n);
}
#else
uint64_t bits_count(const void *p, size_t n) { return count_words(p, n); }
#endif

/* -- finding ----------------------------------------------------------------------------------------------------------- */

uint64_t bits_find(const void *at, size_t n, bool bit) {
    const uint8_t *const start = at, *p = start, *const end = start + n;
    const uint64_t flip = bit ? 0 : UINT64_MAX; /* a set bit is looked for in what is flipped */
    for (; end - p >= 32; p += 32)
        if ((load(p) ^ flip) | (load(p + 8) ^ flip) | (load(p + 16) ^ flip) | (load(p + 24) ^ flip)) break;
    for (; end - p >= 8; p += 8) {
        uint64_t v = load(p) ^ flip;
        if (v) return (uint64_t)(p - start) * 8 + (unsigned)__builtin_clzll(big_endian(v));
    }
    for (; p < end; p++) {
        uint8_t v = *p ^ (uint8_t)flip;
        if (v) return (uint64_t)(p - start) * 8 + (unsigned)__builtin_clz(v) - 24;
    }
    return (uint64_t)n * 8;
}

/* -- parts ------------------------------------------------------------------------------------------------------------- */

static inline uint8_t mask_from(uint64_t bit) { return (uint8_t)(0xff >> (bit & 7)); }     /* it and those behind it */
static inline uint8_t mask_to(uint64_t bit) { return (uint8_t)(0xff << (7 - (bit & 7))); } /* it and those before it */

uint64_t bits_count_part(const void *at, uint64_t from, uint64_t to) {
    const uint8_t *p = at;
    uint64_t first = from >> 3, last = to >> 3;
    if (from > to) return 0;
    if (first == last) return (unsigned)__builtin_popcount(p[first] & mask_from(from) & mask_to(to));
    return (unsigned)__builtin_popcount(p[first] & mask_from(from)) + (unsigned)__builtin_popcount(p[last] & mask_to(to)) +
        bits_count(p + first + 1, last - first - 1);
}

/* In one byte, where only the bits of the mask count; 8: not there. */
static inline unsigned find_masked(uint8_t byte, uint8_t mask, bool bit) {
    uint8_t v = (bit ? byte : (uint8_t)~byte) & mask;
    return v ? (unsigned)__builtin_clz(v) - 24 : 8;
}

uint64_t bits_find_part(const void *at, uint64_t from, uint64_t to, bool bit) {
    const uint8_t *p = at;
    uint64_t first = from >> 3, last = to >> 3;
    if (from > to) return to + 1;
    unsigned k = find_masked(p[first], first == last ? mask_from(from) & mask_to(to) : mask_from(from), bit);
    if (k < 8) return first * 8 + k;
    if (first == last) return to + 1;
    uint64_t inner = bits_find(p + first + 1, last - first - 1, bit);
    if (inner < (last - first - 1) * 8) return (first + 1) * 8 + inner;
    k = find_masked(p[last], mask_to(to), bit);
    return k < 8 ? last * 8 + k : to + 1;
}

/* -- numbers ----------------------------------------------------------------------------------------------------------- */

/* The nine bytes at `byte`, as far as there are any: 64 bits and the eight behind them. */
static inline uint64_t nine_bytes(const uint8_t *p, size_t n, uint64_t byte, unsigned *ninth) {
    uint8_t window[9] = {0};
    if (byte < n) memcpy(window, p + byte, n - byte < sizeof window ? n - byte : sizeof window);
    *ninth = window[8];
    return big_endian(load(window));
}

uint64_t bits_get(const void *p, size_t n, uint64_t at, unsigned width) {
    unsigned ninth, shift = (unsigned)(at & 7);
    uint64_t v = nine_bytes(p, n, at >> 3, &ninth);
    if (shift) v = v << shift | ninth >> (8 - shift);
    return v >> (64 - width);
}

void bits_put(void *to, uint64_t at, unsigned width, uint64_t value) {
    uint8_t *p = (uint8_t *)to + (at >> 3), window[9] = {0};
    unsigned shift = (unsigned)(at & 7);
    size_t touched = (shift + width + 7) / 8;
    memcpy(window, p, touched);
    uint64_t mask = UINT64_MAX << (64 - width), v = value << (64 - width);
    store(window, big_endian((big_endian(load(window)) & ~(mask >> shift)) | v >> shift));
    if (shift + width > 64) {
        uint8_t low = (uint8_t)(mask << (8 - shift)); /* the bits that did not fit into the eight bytes */
        window[8] = (uint8_t)((window[8] & ~low) | (uint8_t)(v << (8 - shift)));
    }
    memcpy(p, window, touched);
}

/* -- combining --------------------------------------------------------------------------------------------------------- */

#define COMBINE(WORD, BYTE)                                                                                                        \
    for (; n >= 32; a += 32, b += 32, n -= 32) {                                                                                   \
        uint64_t x[4], y[4];                                                                                                       \
        memcpy(x, a, sizeof x);                                                                                                    \
        memcpy(y, b, sizeof y);                                                                                                    \
        for (int i = 0; i < 4; i++) x[i] = WORD;                                                                                   \
        memcpy(a, x, sizeof x);                                                                                                    \
    }                                                                                                                              \
    for (; n; a++, b++, n--) *a = (uint8_t)(BYTE);                                                                                 \
    break

void bits_combine(enum bits_op op, void *to, const void *from, size_t n) {
    uint8_t *a = to;
    const uint8_t *b = from;
    switch (op) {
    case BITS_AND:
        COMBINE(x[i] & y[i], *a & *b);
    case BITS_OR:
        COMBINE(x[i] | y[i], *a | *b);
    case BITS_XOR:
        COMBINE(x[i] ^ y[i], *a ^ *b);
    case BITS_NOT:
        COMBINE(~y[i], ~*b);
    }
}
