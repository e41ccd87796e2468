/* heads: what ranking some entries needs of them, read from the first bytes of each.
 *
 * An entry's first eight bytes are kind, access word, and what mostly are its lengths: one load for each, and the rest is told for four
 * at once.
 * Thread rule: under the lock of the entries' shard. Nothing is owned; what is read stays true when the entries are gone.
 */
#ifndef LARDER_STORE_HEADS_H
#define LARDER_STORE_HEADS_H

#include "store/patrol.h"

struct heads { /* from n up to the next multiple of four they are those of nobody */
    uint32_t word[PATROL_MOST] __attribute__((aligned(16)));  /* access words */
    uint32_t bytes[PATROL_MOST] __attribute__((aligned(16))); /* costs, where they were asked for */
    bool deadlines;                                           /* has any of them one? */
};

void heads_read(struct heads *h, const struct reach *at);       /* but for the costs */
void heads_read_costs(struct heads *h, const struct reach *at); /* these are store_cost's */

#endif
