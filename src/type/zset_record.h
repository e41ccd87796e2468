/* zset_record: one member with its score, as it lies in a packed zset and in a leaf of a large one: [score][length][member].
 *
 * A run is records one behind the other in order of (score, member). A score takes as few bytes as give back the very same
 * double: whole numbers 1 to 7, others 5 if a float holds them, else 9. In leaves a member longer than ZSET_INLINE lies in a
 * block of its own, and the record has its address. Scores are compared as numbers: 0 and -0 are equal, but kept as they are.
 * Thread rule: pure functions, but for the block of a long member, which whoever holds the record owns.
 */
#ifndef LARDER_TYPE_ZSET_RECORD_H
#define LARDER_TYPE_ZSET_RECORD_H

#include "base/slice.h"
#include "base/varint.h"

/* The first byte of a score: below PAIR the number itself; then 32 values with one more byte; then the width of what follows. */
enum zset_tag {
    ZSET_PAIR = 192, ZSET_WIDE = 224, ZSET_INT16 = ZSET_WIDE, ZSET_INT24, ZSET_INT32, ZSET_INT48, ZSET_FLOAT, ZSET_DOUBLE,
};
#define ZSET_PAIR_END (ZSET_PAIR + 32 * 256)
#define ZSET_SCORE_MAX 9
#define ZSET_INLINE 96 /* a leaf that is cut in two has room for one more on either side */
#define ZSET_APART 0xc1 /* in place of a length: no varint begins so */
#define ZSET_RECORD_MAX (ZSET_SCORE_MAX + 1 + ZSET_INLINE) /* in a leaf */

struct zset_long { /* a member apart */
    size_t n;
    char bytes[];
};

uint8_t *zset_record_put_score(uint8_t *p, double v); /* returns what is behind it */
double zset_record_wide_score(const uint8_t *p);

static inline size_t zset_record_score_size(uint8_t tag) {
    static const uint8_t wide[] = {3, 4, 5, 7, 5, 9};
    return tag < ZSET_PAIR ? 1 : tag < ZSET_WIDE ? 2 : wide[tag - ZSET_WIDE];
}

static inline double zset_record_score(const uint8_t *p) {
    uint8_t tag = *p;
    if (tag == ZSET_DOUBLE) {
        double v;
        memcpy(&v, p + 1, sizeof v);
        return v;
    }
    if (tag < ZSET_PAIR) return tag;
    if (tag < ZSET_WIDE) return (double)(ZSET_PAIR + ((tag - ZSET_PAIR) << 8 | p[1]));
    if (tag == ZSET_INT16) return (int16_t)(p[1] | p[2] << 8);
    return zset_record_wide_score(p);
}

/* The member whose length begins at p; *next: what is behind it. */
static inline struct slice zset_record_rest(const uint8_t *p, const uint8_t **next) {
    size_t n = *p;
    if (__builtin_expect(n < 128, 1)) {
        p++;
    } else if (n == ZSET_APART) {
        const struct zset_long *apart;
        memcpy(&apart, p + 1, sizeof apart);
        *next = p + 1 + sizeof apart;
        return (struct slice){apart->bytes, apart->n};
    } else {
        n = varint_get(&p);
    }
    *next = p + n;
    return (struct slice){(const char *)p, n};
}
static inline struct slice zset_record_member(const uint8_t *p, const uint8_t **next) {
    return zset_record_rest(p + zset_record_score_size(*p), next);
}
static inline const uint8_t *zset_record_next(const uint8_t *p) {
    const uint8_t *next;
    zset_record_member(p, &next);
    return next;
}

static inline int zset_record_compare(struct slice a, struct slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;
    return d ? d : (a.n > b.n) - (a.n < b.n);
}

/* The record of that member, or NULL; *index: how many are before it. */
const uint8_t *zset_record_find(const uint8_t *p, const uint8_t *end, struct slice member, uint32_t *index);
/* The first record that is not before (score, member), or `end`. */
const uint8_t *zset_record_place(const uint8_t *p, const uint8_t *end, double score, struct slice member, uint32_t *index);
/* How many records at the beginning of the run have a score below it (`after`: or the same one)... */
uint32_t zset_record_below_score(const uint8_t *p, const uint8_t *end, double score, bool after);
/* ... and how many a member below these bytes (or the same one). */
uint32_t zset_record_below_bytes(const uint8_t *p, const uint8_t *end, struct slice bytes, bool after);
static inline const uint8_t *zset_record_skip(const uint8_t *p, size_t n) {
    while (n--) p = zset_record_next(p);
    return p;
}

#endif
