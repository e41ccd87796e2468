/* stale: values that are past their TTL, and are remembered for a while for CACHE FETCH alone.
 *
 * A key says by itself how long it is of use behind its deadline (entry_stale). When it expires its value comes here: a large one by
 * reference, a small one as a copy. It is forgotten when its time is over, with the next change of the key, with an invalidation or
 * a flush of its database, and, the oldest first, when all take more than stale-max-memory.
 * Thread rule: all but the counts under the lock of the key's shard. The env owns it; what is here is counted as data.
 */
#ifndef LARDER_COMMAND_STALE_H
#define LARDER_COMMAND_STALE_H

#include "command/call.h"

struct stales;

struct stale {
    struct stale *chain;
    struct stale *next, *prev; /* in order of arrival */
    uint64_t hash, born;
    unsigned db;
    int64_t until_ms;
    size_t taken;        /* bytes that it stands for */
    struct entry *entry; /* its key and value: what was the table's, by reference, or a copy */
    bool refers;
};

struct stales *stales_new(void);
void stales_free(struct stales *x);

/* The entry is about to go because its time is over. */
void stale_keep(struct env *e, unsigned db, const struct key *k, const struct entry *entry);
struct stale *stale_find(struct env *e, unsigned db, const struct key *k, int64_t now_ms); /* NULL: there is none */
void stale_forget(struct env *e, unsigned db, const struct key *k);
/* All of a database that match the pattern; no shard's lock held. */
void stale_invalidate(struct env *e, unsigned db, struct slice pattern);
void stale_flush(struct env *e, unsigned db); /* STORE_DATABASES: all; any locks */
/* In the background, no lock held: a few shards of those that are `part` of `parts`. */
void stale_sweep(struct env *e, unsigned part, unsigned parts);

struct stale_facts {
    uint64_t values, bytes, served;
};
void stale_reset_stats(struct env *e); /* CONFIG RESETSTAT */
struct stale_facts stale_facts(const struct env *e);

#endif
