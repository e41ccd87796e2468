/* patrol: goes round the whole store, from entry to entry, for a thread that looks for what may be evicted.
 *
 * So each entry is looked at once in a round. Where looks go to random places, some are not come to for several rounds' time, and what
 * should have gone lies there meanwhile: on a round half as many looks choose as well. Neighbours are as random as any two entries, for
 * they stand in order of their hashes.
 *
 * What changes meanwhile moves entries by a place or two, and segments split and merge: then some are missed in a round, or seen twice.
 * Thread rule: a patrol belongs to a thread.
 */
#ifndef LARDER_STORE_PATROL_H
#define LARDER_STORE_PATROL_H

#include "store/store.h"

#define PATROL_MOST 16
#define PATROL_SEARCH 2048 /* slots looked at under one lock where only those with a deadline may go */

struct patrol {
    unsigned shard, db;
    uint32_t slot;
    uint64_t position; /* as a walk's (walk.h) */
    uint64_t passed;   /* shards, since ever */
    uint64_t searched; /* slots, since ever; only where not all may go */
};

struct reach {
    unsigned n;
    bool swept; /* what is under a rule is not evicted, it went */
    const struct entry *entry[PATROL_MOST]; /* on their way to the processor */
};

void patrol_put(struct patrol *p, uint64_t random); /* to the beginning of any shard */
void patrol_throw(struct patrol *p, struct store *s, bool all, uint64_t random, uint64_t again); /* to any that may go */
/* The next entries that may go: of one segment, `most` or fewer, and their shard is locked then: unlock it. None: nothing is locked, and
 * it has come to the shard's end, or rests from searching. `all`: or only those with a deadline? */
void patrol_reach(struct patrol *p, struct store *s, bool all, unsigned most, struct reach *out);

#endif
