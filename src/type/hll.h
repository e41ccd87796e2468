/* hll: HyperLogLog in Redis's stored form, byte for byte, so that values can move between the two.
 *
 *   "HYLL"  encoding: 0 dense, 1 sparse (1 byte)  unused (3)  cached estimate (8, little endian; top bit: not valid)  registers
 *
 * There are 16384 registers of 6 bits. Dense: one after the other, lowest bits first. Sparse: runs, in order,
 *   00nnnnnn            n + 1 registers that are 0
 *   01nnnnnn nnnnnnnn   n + 1 registers that are 0
 *   1vvvvvnn            n + 1 registers that are v + 1
 * A sparse one becomes dense when a register passes 32 or its bytes pass a limit, and never goes back.
 * The estimate is Otmar Ertl's (arXiv:1702.01284).
 * Thread rule: pure functions. The caller owns the bytes.
 */
#ifndef LARDER_TYPE_HLL_H
#define LARDER_TYPE_HLL_H

#include "base/slice.h"

#define HLL_REGISTERS 16384
#define HLL_HEADER 16
#define HLL_EMPTY 18                                      /* bytes of a new one */
#define HLL_DENSE (HLL_HEADER + HLL_REGISTERS * 6 / 8)    /* bytes of a dense one */
#define HLL_GROWTH (HLL_HEADER + HLL_REGISTERS * 2)       /* bytes that changes can add to one, at most */

struct hll { /* to be changed: n bytes at p, with room for HLL_GROWTH more */
    uint8_t *p;
    size_t n;
    size_t sparse_max; /* bytes: a sparse one that would become longer becomes dense */
};

/* Which register a member raises, and to what. */
struct hll_place {
    uint32_t reg;
    uint8_t value;
};
struct hll_place hll_place(struct slice member);

bool hll_valid(struct slice v); /* is it one, by its header? Sparse runs may still be wrong: see HLL_CORRUPT, false */
static inline bool hll_is_dense(struct slice v) { return v.p[4] == 0; }
void hll_new(struct hll *h);    /* writes an empty one of HLL_EMPTY bytes */

enum hll_change { HLL_SAME, HLL_CHANGED, HLL_CORRUPT };
enum hll_change hll_try(struct slice v, struct hll_place at); /* what hll_raise would say */
enum hll_change hll_raise(struct hll *h, struct hll_place at);
bool hll_to_dense(struct hll *h);                             /* false: corrupt, nothing was changed */

bool hll_cached(struct slice v, uint64_t *count);
void hll_set_cached(uint8_t *p, uint64_t count);
void hll_forget(uint8_t *p);                                  /* the cached estimate is no longer valid */

bool hll_count(struct slice v, uint64_t *count);              /* false: corrupt */
uint64_t hll_count_registers(const uint8_t *reg);
bool hll_gather(struct slice v, uint8_t *reg);                /* each of HLL_REGISTERS becomes the larger of both; false: corrupt */
/* The same the other way: h's registers become the larger of both. False: corrupt. */
bool hll_spread(struct hll *h, const uint8_t *reg);

/* The runs of a sparse one, one at a time. Begins zeroed. */
struct hll_run {
    size_t next;     /* bytes */
    uint32_t first, n;
    uint8_t value;   /* 0: zeros */
    bool wide;       /* in two bytes */
};
bool hll_next_run(struct slice v, struct hll_run *r); /* false at the end, or where a run is cut off */

#endif
