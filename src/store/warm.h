/* warm: records of a snapshot put into a store that serves at the same time; what clients did meanwhile wins.
 *
 * While a warm-up runs, what is deleted, expires or is evicted leaves a grave: the hash of its key, per shard. A record whose key
 * has a grave, or is there, is not put in. FLUSHALL and FLUSHDB bury all that is still to come of a database, SWAPDB turns where it
 * goes, and a rule (rule.h) that is added buries what it matches: records are older than all of that.
 *
 * Records come as entries that were made without a lock, many at a time: they are put in shard by shard, so a lock is
 * taken once for several and held for some microseconds, and the memory they will go to is fetched ahead. A table that is empty
 * begins with room for all that is expected.
 * Thread rule: as said beside each function; one warm-up at a time. The store owns the graves, the caller its items, the entries go to
 * the store.
 */
#ifndef LARDER_STORE_WARM_H
#define LARDER_STORE_WARM_H

#include "store/view.h"

struct warm_item {
    struct entry *entry;
    uint64_t hash;  /* of its key */
    int64_t due;    /* of the entry, and whether it has a deadline: so that it need not be looked at again */
    uint16_t db;    /* as the file says */
    uint8_t type;   /* enum value_type */
    bool deadline;
};
static inline struct warm_item warm_item_of(struct entry *e, uint64_t hash, unsigned db) {
    return (struct warm_item){e, hash, entry_due(e), (uint16_t)db, (uint8_t)entry_type(e), entry_kind(e) & ENTRY_DEADLINE};
}

struct warm_how {
    bool replace; /* what is there goes, and whoever watches is told; nobody is told of keys that were not there */
    const uint64_t *expect; /* of each database, as the file says: how many keys each shard will have, about. NULL: not known */
};

struct warm_counts {
    uint64_t loaded;
    uint64_t present;   /* the key was there */
    uint64_t buried;    /* deleted, expired, evicted, flushed or invalidated meanwhile */
    uint64_t no_room;   /* maxmemory */
    uint64_t reserved;  /* tables that began with room for what is expected */
    unsigned born;      /* bits by enum value_type: what was put in */
};

bool warm_begin(struct store *s); /* no lock held. False: there is one already */
void warm_end(struct store *s);   /* no lock held, and no warm_put is under way */
bool warm_on(const struct store *s);

/* Puts n items in, or frees them. `spare`: room for as many. No lock held; any number of threads. */
void warm_put(struct store *s, struct warm_item *item, struct warm_item *spare, size_t n, int64_t now, struct store_stats *stats,
    const struct warm_how *how, struct warm_counts *counts);
/* Gives back what was reserved for keys that did not come. No lock held; takes a millisecond for some million keys. */
void warm_settle(struct store *s);

#endif
