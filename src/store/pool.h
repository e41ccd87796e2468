/* pool: candidates for eviction, kept from one eviction to the next.
 *
 * For each POOL_TAKES evictions a thread looks at the next POOL_LOOKS entries of its round (patrol.h) and keeps those that are worse than
 * the best of its candidates (shortlist.h); what goes is the worst of all, if it still is what it was. So that is nearly always of the
 * worst eighth of all entries, where the worst of a sample alone would often be a mediocre one.
 *
 * An entry in the pool is told by its hash and its access word: whoever used, changed or removed it meanwhile has saved it. The
 * pool refers to nothing. Entries are looked at where they lie next to each other: by hash, neighbours are as random as any.
 * Thread rule: a pool belongs to its thread; no lock held. The store owns all pools.
 */
#ifndef LARDER_STORE_POOL_H
#define LARDER_STORE_POOL_H

#include "store/store.h"

#define POOL_LOOKS 16 /* a multiple of four (density_ranks) */
#define POOL_TAKES 2

struct pool;

/* Something went, or is known not to be there any more: look at what there is room for. False: nothing may go. */
bool pool_evict(struct store *s, const struct policy *p, struct store_stats *stats);
void pool_free_all(struct store *s);

#endif
