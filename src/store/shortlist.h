/* shortlist: the few highest of many ranks seen, and the way back to the entries that have them.
 *
 * Ranks are numbers from 0 on, compared down to their sixteenths (SHORTLIST_STEP): the lowest bits say where in the list one stands, so
 * that the highest and the lowest are found with a few comparisons of four at once, and no order is kept.
 * When the list is full, what comes in takes the lowest one's place, and nothing lower comes in. What was taken out leaves a hole; until
 * there are more than a few of these, still nothing lower than before comes in: it would be thrown out next.
 *
 * An entry is told by its hash and its access word: the list refers to nothing.
 * Thread rule: a list belongs to its thread. shortlist_clear makes an empty one.
 */
#ifndef LARDER_STORE_SHORTLIST_H
#define LARDER_STORE_SHORTLIST_H

#include <stdbool.h>
#include <stdint.h>

#define SHORTLIST_ROOM 16
#define SHORTLIST_STEP 16 /* policy.h's POLICY_RANK_STEP */
#define SHORTLIST_HOLES 4

struct candidate {
    uint64_t hash;
    uint32_t word, db;
    int32_t rank; /* 0 ... INT32_MAX */
    uint32_t note; /* of who looked, for himself */
};

struct shortlist {
    int32_t key[SHORTLIST_ROOM] __attribute__((aligned(16))); /* rank, and in its lowest bits the number here; negative: a hole */
    uint32_t mark[SHORTLIST_ROOM] __attribute__((aligned(16))); /* of the hashes */
    struct candidate at[SHORTLIST_ROOM];
    unsigned n;
    int32_t lowest, bar; /* of the keys; ranks have to be above the bar */
};

void shortlist_clear(struct shortlist *s);
static inline bool shortlist_wants(const struct shortlist *s, int32_t rank) { return rank > s->bar; }
bool shortlist_has(const struct shortlist *s, uint64_t hash); /* may take another one for it, one time in 2^28 */
void shortlist_add(struct shortlist *s, const struct candidate *c); /* it is wanted */
bool shortlist_take(struct shortlist *s, struct candidate *c);      /* the highest; false: there is none */

#endif
