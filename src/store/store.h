/* store: all keys of all databases, in shards; who may touch them when; what the background does to them.
 *
 * A key's hash says its shard; a shard has one lock and, for each database, one table. A thread that holds several locks
 * took them in ascending order. Everything else is in view.h (what a command does with keys) and here: locks, walks,
 * whole databases, memory, background work in slices.
 * Thread rule: each function says whether its caller holds locks. The store owns its tables; one may make several stores.
 */
#ifndef LARDER_STORE_STORE_H
#define LARDER_STORE_STORE_H

#include "base/hash.h"
#include "store/policy.h"
#include "store/stats.h"

#define STORE_SHARD_BITS 8
#define STORE_SHARDS (1u << STORE_SHARD_BITS)
#define STORE_DATABASES 16
#define STORE_SLICE_US 250 /* no longer than this at a time: background work, walks */

/* Settings that the store reads; the server binds option rows to them. Set before use, changed at any time. */
struct store_config {
    setting maxmemory;          /* bytes, 0: no limit */
    setting policy;             /* enum policy_kind */
    setting lfu_log_factor, lfu_decay_time;
    setting threads;            /* how many threads take memory at the same time */
    setting active_expire;      /* DEBUG SET-ACTIVE-EXPIRE */
    setting sweep_held, tell_born; /* DEBUG SET-ACTIVE-SWEEP 0; the hook is told of new keys */
    setting databases, compression, compression_min_size, compression_acceleration; /* min_size 0: never (packed.h) */
    struct type_limits limits; /* see type/home.h */
};

struct key {
    const char *p;
    size_t n;
    uint64_t hash;
};

struct store;
struct view;

struct store *store_new(const struct store_config *config);
void store_free(struct store *s);
uint64_t store_seed(const struct store *s);
static inline struct key store_key(uint64_t seed, struct slice k) {
    return (struct key){k.p, k.n, hash_bytes(k.p, k.n, seed)};
}
static inline unsigned store_shard_of(uint64_t hash) { return (unsigned)(hash >> (64 - STORE_SHARD_BITS)); }

/* -- locks ------------------------------------------------------------------------------------------------------------ */
struct store_locks {
    uint64_t bits[STORE_SHARDS / 64];
};
static inline void store_locks_add(struct store_locks *l, unsigned shard) { l->bits[shard / 64] |= 1ull << shard % 64; }
void store_lock(struct store *s, unsigned shard);
void store_unlock(struct store *s, unsigned shard);
struct lock *store_lock_of(struct store *s, unsigned shard);           /* for who takes it and gives it back at once */
void store_lock_many(struct store *s, const struct store_locks *l);    /* ascending */
void store_unlock_many(struct store *s, const struct store_locks *l);
void store_lock_all(struct store *s);
void store_unlock_all(struct store *s);

/* Brings the key's slots, then its entry, nearer; `stage` 0, then 1. Takes the lock for a moment; hold none. */
bool store_prefetch_pays(const struct store *s); /* false while everything fits the caches anyway */
void store_prefetch(struct store *s, unsigned db, const struct key *k, int stage);

/* -- whole databases -------------------------------------------------------------------------------------------------- */
uint64_t store_count(const struct store *s, unsigned db);     /* keys, expired ones not yet removed included; no lock */
uint64_t store_volatile(const struct store *s, unsigned db);  /* keys with a deadline; no lock */
int64_t store_mean_ttl(const struct store *s, unsigned db, int64_t now); /* ms, estimated from a sample; holds no lock */
/* Detaches all tables of a database (db < 0: of all) at one moment, all locks held inside. What was detached is freed by
 * store_trash_step or at once with `sync`. Returns how many keys went. */
uint64_t store_flush(struct store *s, int db, bool sync);
void store_swap(struct store *s, unsigned a, unsigned b);     /* the caller holds all locks */

/* -- walks ------------------------------------------------------------------------------------------------------------
 * In hash order, one segment at a time under its shard's lock, which `each` must not keep longer than it takes to look:
 * it gets live entries only, and must not change the table. Keys present from start to end are seen at least once,
 * whatever is inserted, deleted, split or merged meanwhile. Cursor 0 starts, 0 back means done. */
typedef void store_each(void *arg, struct entry *e);
uint64_t store_scan(struct store *s, unsigned db, uint64_t cursor, size_t count, int64_t now, store_each *each, void *arg);
/* A random live entry, `each` called once under its lock; false where 16 tries found none: nearly all are past their
 * deadlines, or still to be loaded. */
bool store_sample(struct store *s, unsigned db, int64_t now, uint64_t random, store_each *each, void *arg);

/* -- memory -----------------------------------------------------------------------------------------------------------
 * No lock held. Evicts until n more bytes fit under maxmemory, or until `slice_us` of CPU are gone. */
enum store_fit { FIT_YES, FIT_LATER /* the slice is over: call again */, FIT_NO /* nothing to evict */ };
enum store_fit store_make_room(struct store *s, size_t n, int64_t now, struct store_stats *stats, int64_t slice_us);
/* The same for what is to be stored at the key with that hash, which may have earned to drive out many others (claim.h). */
enum store_fit store_make_room_for(struct store *s, uint64_t hash, size_t n, int64_t now, struct store_stats *stats, int64_t slice_us);
bool store_fits(const struct store *s, size_t n); /* would n more bytes stay under maxmemory? cheap; any lock */
bool store_far(const struct store *s, size_t n, size_t spare); /* the same, and is there much more? cheaper; false: ask store_fits */

/* -- background, in slices; no lock held; `part` of `parts` shares the shards among threads ----------------------------- */
/* Removes what is past its deadline. Returns whether there is more to do right away. */
bool store_expire_step(struct store *s, unsigned part, unsigned parts, int64_t now, struct store_stats *stats, int64_t slice_us);
/* Moves entries out of sparse slabs while that frees pages. Returns whether there is more to do right away. */
bool store_compact_step(struct store *s, unsigned part, unsigned parts, struct store_stats *stats, int64_t slice_us);
/* Frees what FLUSHALL ASYNC, UNLINK or a table's shrinking left. */
bool store_trash_step(struct store *s, int64_t slice_us);
uint64_t store_trash(const struct store *s);                  /* INFO lazyfree_pending_objects */
uint64_t store_trash_freed(const struct store *s);            /* INFO lazyfreed_objects */

struct store_shape { /* of a database's tables, for DEBUG HTSTATS and tests */
    uint64_t keys, slots, segments, directory_entries, index_bytes;
};
void store_shape(struct store *s, unsigned db, struct store_shape *out);
void store_shape_add(struct store *s, unsigned db, unsigned shard, struct store_shape *sum); /* one shard's, on top */
const char *store_check(struct store *s); /* every invariant of every table: NULL if all hold, else what does not; locks all inside */

#endif
