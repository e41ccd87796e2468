/* deltas: a set of 28-bit numbers in few bytes: sorted, as differences, in Golomb-Rice code. N random ones take about 2 + log2(2^28 / N) bits
 * each: 1.9 bytes for twenty thousand. They are parts of hashes; with 28 bits of one in a cache of a million entries one change in 270 meets
 * an entry of another key, and 4 bits less for each are a fifth of what is sent.
 *
 *   a byte: R, 0 to 27;  four: N, the lowest first;  then bits, the lowest of a byte first: N times Q ones, a zero, the R bits of a rest
 *
 * where Q * 2^R + the rest is how much larger a number is than the one before, which for the first is 0. Invariant: whatever bytes are
 * read, reading ends, stays inside of them, and gives numbers that do not fall. Thread rule: pure functions. They own nothing.
 */
#ifndef LARDER_BASE_DELTAS_H
#define LARDER_BASE_DELTAS_H

#include "base/buf.h"

#define DELTAS_HEAD 5
#define DELTAS_BITS 28
#define DELTAS_MAX ((UINT32_C(1) << DELTAS_BITS) - 1)

static inline uint32_t deltas_of_hash(uint64_t hash) { return (uint32_t)hash >> (32 - DELTAS_BITS); }

/* Sorts n numbers up to DELTAS_MAX and drops what is there twice; returns how many are left. `room` has place for n as well. */
size_t deltas_sort(uint32_t *v, size_t n, uint32_t *room);
void deltas_put(struct buf *out, const uint32_t *v, size_t n); /* sorted */

struct deltas { /* what is still to be read */
    const unsigned char *at, *end;
    uint64_t bits; /* read ahead, the next one lowest */
    unsigned held, rest;
    uint32_t left, last;
};

bool deltas_open(struct deltas *d, struct slice bytes); /* false: it cannot be one */
bool deltas_next(struct deltas *d, uint32_t *v);        /* false: at the end, or broken: then d->left is not 0 */

#endif
