#include "store/heads.h"

#include "base/quad.h"
#include "store/inside.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an entry's first byte is a load's lowest");

/* Of four entries. */
struct four {
    quad_unsigned word;
    quad_unsigned rest; /* bytes 5, 6 and 7, where the lengths are, and byte 0, the kind */
};

#define KIND_AT 24
#define ODD ((ENTRY_EXTENDED | (uint32_t)VALUE_OBJECT << 3) << KIND_AT | 0x80) /* so is a key's length of two bytes */
#define VALUE_ODD (3u << 14) /* and a value's of more than two, which begins with 11 */
#define LENGTH_AT 5
#define DEADLINES ((uint32_t)ENTRY_DEADLINE << KIND_AT)

static inline uint64_t first_of(const struct entry *e) {
    uint64_t v;
    memcpy(&v, e, sizeof v);
    return v;
}

static inline struct four four_read(const struct entry *const *e) {
    quad_unsigned a = (quad_unsigned)(quad_halves){first_of(e[0]), first_of(e[1])}, b = (quad_unsigned)(quad_halves){first_of(e[2]), first_of(e[3])};
    quad_unsigned low = __builtin_shufflevector(a, b, 0, 2, 4, 6), high = __builtin_shufflevector(a, b, 1, 3, 5, 7);
    return (struct four){low >> 8 | high << 24, high >> 8 | low << KIND_AT};
}

/* The last ones may be fewer. */
static inline struct four four_of(const struct reach *at, unsigned from) {
    static const uint64_t nobody;
    if (__builtin_expect(from + 4 <= at->n, 1)) return four_read(at->entry + from);
    const struct entry *e[4];
    for (unsigned k = 0; k < 4; k++) e[k] = from + k < at->n ? at->entry[from + k] : (const struct entry *)(const void *)&nobody;
    return four_read(e);
}

static inline quad four_costs(quad_unsigned rest) {
    quad x = (quad)rest, value = x >> 8 & 255, two = value > 127;
    quad length = (value & ~two) | ((((value & 63) << 8 | (x >> 16 & 255)) + 1) & two);
    quad deadline = (quad)(rest << 1) >> 31 & ENTRY_NARROW; /* where bit 30, ENTRY_DEADLINE, is set */
    return (x & 127) + length + deadline + (LENGTH_AT + 2 + STORE_SLOT_BYTES);
}

/* Those whose lengths are not where they mostly are. */
static __attribute__((noinline)) void costs_slow(struct heads *h, const struct reach *at, unsigned from) {
    for (unsigned k = from; k < from + 4 && k < at->n; k++) h->bytes[k] = store_cost(at->entry[k]);
}

static inline void read_all(struct heads *h, const struct reach *at, bool costs) {
    quad_unsigned kinds = {0};
    for (unsigned k = 0; k < at->n; k += 4) {
        struct four f = four_of(at, k);
        quad_store(h->word + k, (quad)f.word);
        kinds |= f.rest;
        if (!costs) continue;
        quad_store(h->bytes + k, four_costs(f.rest));
        if (__builtin_expect(quad_any((quad)(f.rest & ODD) | ((f.rest & VALUE_ODD) == VALUE_ODD)), 0)) costs_slow(h, at, k);
    }
    h->deadlines = quad_any((quad)(kinds & DEADLINES));
}

void heads_read(struct heads *h, const struct reach *at) { read_all(h, at, false); }

void heads_read_costs(struct heads *h, const struct reach *at) { read_all(h, at, true); }
