/* heat: how soon an entry will be asked for again, as its access word tells, beside the others: the order in which a snapshot is loaded.
 *
 * A sample of the store says where the classes end: the hottest has about 1 % of the entries, then 2, 4, 8, 15, 20, 25 and the
 * rest. So the classes mean the same under every policy and load.
 * Thread rule: heat_learn takes shard locks, one at a time; the rest are pure, the entry's lock held. The caller owns it.
 */
#ifndef LARDER_SNAPSHOT_HEAT_H
#define LARDER_SNAPSHOT_HEAT_H

#include "snapshot/record.h"
#include "store/store.h"

struct heat {
    struct policy policy;
    uint64_t floor[RECORD_HEATS]; /* a class begins there; of class 0: 0 */
};

void heat_learn(struct heat *h, struct store *s, int64_t now);
/* Sets heat, use and used of a record of e. */
void heat_describe(const struct heat *h, const struct entry *e, struct record *r);
/* The access word of an entry that was used so; `word`: what a new one has. */
uint32_t heat_word(const struct policy *p, const struct record *r, uint32_t word);

#endif
