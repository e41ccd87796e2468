/* warm: records of a snapshot put into a store that serves at the same time; what clients did meanwhile wins.
 *
 * While a warm-up runs, what is deleted, expires or is evicted leaves a grave: the hash of its key, per shard. A record whose key
 * has a grave, or is there, is not put in. FLUSHALL and FLUSHDB bury all that is still to come of a database, SWAPDB turns where it
 * goes, and a rule (rule.h) that is added buries what it matches: records are older than all of that.
 *
 * Records come as entries that were made without a lock, many at a time: they are put in shard by shard, so a lock is
 * taken once for several and held for some microseconds, and the memory they will go to is fetched ahead.
 * Thread rule: as said beside each function; one warm-up at a time. The store owns the graves, the caller its items, the entries go to
 * the store.
 */
#ifndef LARDER_STORE_WARM_H
#define LARDER_STORE_WARM_H

#include "store/view.h"

struct warm_item {
    struct entry *entry;
    uint64_t hash;  /* of its key */
    unsigned db;    /* as the file says */
};

struct warm_counts {
    uint64_t loaded;
    uint64_t present;   /* the key was there */
    uint64_t buried;    /* deleted, expired, evicted, flushed or invalidated meanwhile */
    uint64_t no_room;   /* maxmemory */
    unsigned born;      /* bits by enum value_type: what was put in */
};

bool warm_begin(struct store *s); /* no lock held. False: there is one already */
void warm_end(struct store *s);   /* no lock held, and no warm_put is under way */
bool warm_on(const struct store *s);

/* Puts n items in, or frees them. `spare`: room for as many. No lock held; any number of threads. `replace`: what is there goes, and
 * whoever watches is told, with these stats (store/watch.h); nobody is told of keys that were not there. */
void warm_put(struct store *s, struct warm_item *item, struct warm_item *spare, size_t n, int64_t now, struct store_stats *stats,
    bool replace, struct warm_counts *counts);

#endif
