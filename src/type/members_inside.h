/* members_inside: the structure of a set of members, and where in it a hash belongs: for members*.c only.
 *
 * Buckets lie in the order of their places, in parts of 128; members.c says how numbers, which are in the order of hashes, and places
 * go together. No deadline in a part is before its `earliest`. Thread rule and ownership: as members.h.
 */
#ifndef LARDER_TYPE_MEMBERS_INSIDE_H
#define LARDER_TYPE_MEMBERS_INSIDE_H

#include "base/hash.h"
#include "type/members_record.h"

#define PART_BITS 7   /* buckets are in groups of 128 */
#define PART ((size_t)1 << PART_BITS)
#define NEVER INT64_MAX
#define POSITION_BITS 53 /* a client may keep it in a double */

typedef unsigned wide __attribute__((mode(TI)));

struct bucket {
    uint32_t used; /* bytes of records */
    uint16_t n;
    uint16_t size; /* of the block, in units of 8 */
    uint8_t records[];
};

struct part {
    struct bucket **bucket; /* NULL: an empty one */
    int64_t earliest;
};

struct members {
    struct value_object object;
    bool values;
    uint8_t marks;
    uint32_t widest; /* no bucket has ever had more records since there was but one */
    uint64_t seed;
    size_t count, buckets;
    unsigned shift; /* 62 - floor(log2(buckets)) */
    size_t bytes, longs, deadlines;
    struct part *part;
    size_t parts_room, first_room;
    int64_t earliest;
    struct { /* a sweep for what is due, from the last bucket to the first: those that are merged meanwhile are done already */
        bool running, begun;  /* begun: a part, and not to its end */
        size_t at;            /* the bucket before this is next */
        int64_t part, beyond; /* the earliest that stays: in this part so far, in all before and meanwhile */
    } sweep;
};

static inline uint64_t hash_of(const struct members *m, struct slice name) { return hash_bytes(name.p, name.n, m->seed); }
static inline uint8_t tag_of(uint64_t hash) { return (uint8_t)hash; }
static inline uint64_t position_of(uint64_t hash) { return hash >> (64 - POSITION_BITS); }

/* 2^62 times about 2^u, where u = position / 2^53: 1 + u (11 + 5 u) / 16, which is never more than a hundredth off. */
static inline uint64_t curve(uint64_t position) {
    return (1ull << 62) + (uint64_t)((wide)position * (11 * (1ull << POSITION_BITS) + 5 * position) >> 48);
}

/* The number of the bucket that covers a position: from `buckets` to twice that. *shift: number = curve >> *shift. */
static inline uint64_t number_of(const struct members *m, uint64_t position, unsigned *shift) {
    uint64_t at = curve(position), i = at >> m->shift;
    bool was_split = i < m->buckets;
    *shift = m->shift - was_split;
    return at >> *shift;
}

/* Bucket i lies where i / 2 lay before it was split, if i is even; the odd ones come at the end. */
static inline size_t place_of_number(uint64_t i) { return i >> __builtin_ctzll(i) >> 1; }
static inline size_t place_of(const struct members *m, uint64_t hash) {
    unsigned shift;
    return place_of_number(number_of(m, position_of(hash), &shift));
}

static inline unsigned shift_for(size_t buckets) { return (unsigned)__builtin_clzll(buckets) - 1; }

static inline struct part *part_of(const struct members *m, size_t i) { return &m->part[i >> PART_BITS]; }
static inline struct bucket **slot_of(const struct members *m, size_t i) { return &part_of(m, i)->bucket[i & (PART - 1)]; }

static inline size_t block_size(const struct bucket *b) { return (size_t)b->size * 8; }
static inline uint8_t *tag_at(const struct bucket *b, size_t i) {
    return (uint8_t *)(uintptr_t)b + block_size(b) - 1 - i;
}

static inline void lower(int64_t *earliest, int64_t due) {
    if (due < *earliest) *earliest = due;
}

/* Bucket i has, or may have, a deadline of `due`. */
static inline void note_due(struct members *m, size_t i, int64_t due) {
    lower(&part_of(m, i)->earliest, due);
    lower(&m->earliest, due);
    if (!m->sweep.running) return;
    lower(&m->sweep.beyond, due);
    if (i >> PART_BITS == (m->sweep.at - 1) >> PART_BITS) lower(&m->sweep.part, due);
}

/* No deadline in bucket i is before this. */
static inline int64_t bound_of(const struct members *m, size_t i) {
    bool swept = m->sweep.begun && i >= m->sweep.at && i >> PART_BITS == (m->sweep.at - 1) >> PART_BITS;
    return swept ? m->sweep.part : part_of(m, i)->earliest;
}

static inline size_t size_for(const struct members *m, const struct member *what) {
    if (is_long(what)) return LONG_SIZE;
    return (m->values ? 2 : 1) + what->name.n + what->value.n + (what->due ? DUE_SIZE : 0);
}

#endif
