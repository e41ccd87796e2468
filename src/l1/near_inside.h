/* near_inside: what the parts of the near store share; nobody else includes it.
 *
 * Invariant of a shard under its lock: each entry in its table is counted in `bytes` and in the bytes of its queue; each has at least
 * one element in that queue (its hash; elements whose entry is gone or elsewhere are skipped). Thread rule: the shard's lock, except
 * for what is atomic. The store owns it all.
 */
#ifndef LARDER_L1_NEAR_INSIDE_H
#define LARDER_L1_NEAR_INSIDE_H

#include "base/deltas.h"
#include "base/hash.h"
#include "l1/near_table.h"

#include <pthread.h>

#define NEAR_SHARDS_MAX 64
#define NEAR_STAMPS 64
#define NEAR_OVERHEAD 24 /* bytes counted for an entry besides its block: allocator's word, slot, queues */
#define NEAR_RULES_MAX 64
#define NEAR_MEMORY_WAYS 8

struct near_queue { /* of 32-bit hashes, oldest first */
    uint32_t *at;
    uint32_t head, n, cap;
    uint32_t live; /* entries that stand in it */
    uint64_t bytes;
};

struct near_memory { /* 16 bits of the hashes of what left the small queue, in sets of eight: a set forgets its oldest */
    uint16_t *set;
    uint32_t sets;
};

struct near_waiting {
    void *block;
    uint64_t turn, bytes;
};

struct near_shard {
    struct lock lock;
    struct near_table *table;
    uint64_t bytes; /* of what is in the table */
    struct near_queue small, main;
    struct near_memory memory;
    struct near_waiting *waiting; /* out of the table, perhaps still read */
    uint32_t waiting_n, waiting_cap, waiting_due; /* looked at when there are so many */
    uint64_t waiting_bytes;
    uint64_t evictions, expired, erased, refused;
    _Atomic uint32_t stamp[NEAR_STAMPS];
} __attribute__((aligned(64)));

struct near_rule {
    uint32_t at, n; /* its pattern's bytes, in the same block; everything: n is 0 */
    uint16_t number;
};

struct near_rules { /* one block, never changed once published */
    uint32_t n, bytes;
    struct near_rule rule[NEAR_RULES_MAX];
    char text[];
};

struct near {
    _Atomic uint64_t seed; /* changed with all shards' locks held */
    uint64_t shard_limit;
    unsigned shards, shift; /* a power of two: the shard is in the hash's highest bits */
    bool fences;            /* readers need no fence of their own: who frees has the kernel make one for all */
    int64_t base_ms;
    pthread_key_t key;
    void (*drop)(void *more);
    struct near_rules *_Atomic rules; /* NULL: none */
    _Atomic uint16_t rule_number;
    _Atomic uint32_t stamp;           /* moves with each rule */
    struct near_record *_Atomic records;
    struct lock rules_lock;
    _Alignas(64) _Atomic uint64_t turn;
    _Alignas(64) _Atomic uint64_t view[NEAR_SHARDS_MAX]; /* near_view of each shard's table: all that readers need of it, in few cache lines */
    struct near_shard shard[NEAR_SHARDS_MAX];
};

static inline unsigned near_shard_of(const struct near *s, uint64_t hash) { return (unsigned)(hash >> s->shift) & (s->shards - 1); }
static inline struct near_shard *near_shard(struct near *s, uint64_t hash) { return &s->shard[near_shard_of(s, hash)]; }
static inline uint32_t near_bits(uint64_t hash) { return (uint32_t)hash; }
/* Where a key stands follows from DELTAS_BITS bits, the hash that a daemon tells. They choose the shard, so in it their highest are all
 * alike: what chooses the line is mixed of them. */
static inline uint64_t near_spread(uint32_t told) { return (uint64_t)told << (64 - DELTAS_BITS) | (uint32_t)(told * UINT32_C(0x9e3779b1)); }
static inline uint64_t near_key_hash(const struct near *s, const void *p, size_t n) {
    return near_spread(deltas_of_hash(hash_bytes(p, n, atomic_load_explicit(&((struct near *)s)->seed, memory_order_acquire))));
}
static inline struct slice near_key(const struct near_entry *e) { return (struct slice){e->bytes, e->key_n}; }
static inline uint8_t near_flags(const struct near_entry *e) {
    return atomic_load_explicit((_Atomic uint8_t *)&e->flags, memory_order_relaxed);
}
uint64_t near_bytes(const struct near_entry *e); /* as counted */
bool near_ruled(const struct near_rules *rules, const struct near_entry *e);

/* near_queue: S3-FIFO, under the shard's lock */
bool near_queue_enter(struct near *s, struct near_shard *h, uint32_t bits, struct near_entry *e); /* into the queue that it earns */
void near_queue_leave(struct near_shard *h, struct near_entry *e, uint64_t bytes);
bool near_queue_evict(struct near *s, struct near_shard *h); /* one entry; false: there is none */
void near_queue_free(struct near_shard *h);

void near_wipe(struct near *s); /* near_rule: takes out everything by hand */

/* near_reclaim */
int near_reclaim_start(struct near *s); /* 0 or an errno */
void near_reclaim_stop(struct near *s);
void near_reclaim_later(struct near *s, struct near_shard *h, void *block, uint64_t bytes); /* under the shard's lock */
void near_reclaim(struct near *s, struct near_shard *h);                                    /* frees what can be freed */
void near_take_out(struct near *s, struct near_shard *h, uint32_t bits, const struct near_place *place); /* from table and queue */

#endif
