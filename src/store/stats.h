/* stats: what happened in the store, counted by each thread for itself.
 *
 * Thread rule: one writer, any readers. The lane (or who else executes) owns it.
 */
#ifndef LARDER_STORE_STATS_H
#define LARDER_STORE_STATS_H

#include "store/lag.h"

#define STORE_SHARE 1000000u

/* One of these for each thread that executes commands; summed for INFO. */
struct store_stats {
    counter hits, misses, sets, invalidations, expired, expired_inside, evicted, evict_slices, evict_us_worst; /* inside: fields of hashes */
    struct lag lag;             /* of `expired` */
    counter changes;            /* keys and members that commands wrote or deleted; as Redis counts them for save points, about */
    counter stale_share;        /* in STORE_SHARE-ths: of keys with a deadline, those past it and still there (expire.c) */
    counter moved, packed, pack_failed, pack_passed; /* out of sparse slabs; strings packed, for which it did not pay, not tried */
    counter evicted_age_ms;     /* of all evicted together: how long nobody had used them */
    struct density_lane *density; struct pool *pool; /* what the thread has seen, its candidates for eviction; the store's */
};

#endif
