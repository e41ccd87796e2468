/* inside: the store's own structure, for the files of this folder only.
 *
 * Lock order: shard locks ascending, then one of the small ones (trash), then a slab arena's. Thread rule: what is in a shard,
 * under its lock; the rest as said beside it.
 */
#ifndef LARDER_STORE_INSIDE_H
#define LARDER_STORE_INSIDE_H

#include "base/clock.h"
#include "base/mem.h"
#include "store/duel.h"
#include "store/slab.h"
#include "store/captures.h"
#include "store/claim.h"
#include "store/graves.h"
#include "store/holder.h"
#include "store/rules.h"
#include "store/watch.h"
#include "store/table.h"

struct shard {
    struct lock lock;
    uint32_t swept; /* a sweep for rules up to this number has come here, so what begins here now is behind them */
    struct table table[STORE_DATABASES];
} __attribute__((aligned(64)));

struct trash { /* a detached table, one entry, or one object */
    struct trash *next;
    struct table table;
    uint64_t place;         /* how far the table, or the entry, is emptied */
    uint32_t slot, capture; /* how far its segment there; of a table with something for a capture: 1 + the database that it was */
    struct entry *entry;
    enum value_type type;
    bool aside; /* the object was made aside (mem.h) */
    void *object;
};

#define STORE_CACHED_BYTES (16u << 20) /* beyond this many bytes of entries a lookup waits for memory */
struct part { /* belongs to the thread that steps it */
    struct walk expire, compact;
    int64_t expire_started; /* ms */
    uint64_t expire_ticks;  /* that this pass took */
    bool expire_again, trimming; /* the walk goes on with the segment that it was at; there was more to give back */
    uint64_t expire_found;  /* in this pass */
    struct agenda *sheet;   /* of full size, to write the next agenda on; NULL before the first pass */
    int64_t trimmed_us;     /* monotonic */
    unsigned compact_round;
    uint32_t compact_slot;  /* how far the segment is that the walk goes on with */
} __attribute__((aligned(64)));

struct store {
    const struct store_config *config;
    uint64_t seed;
    int64_t started; /* ms */
    store_hook *hook;
    void *hook_arg;
    _Atomic int watched; /* how many want to know of each change */
    struct shard shard[STORE_SHARDS];
    struct part part[STORE_PARTS];

    struct density *density;
    struct duel *duel;
    struct claims claims;
    _Atomic uint64_t aside;  /* bytes kept free for what density wants to have at once */
    struct lock pools_lock; /* the list */
    struct pool *pools;     /* of all threads */
    struct rules rules;
    struct lock trash_lock; /* the list */
    struct trash *trash;
    _Atomic uint64_t trash_objects, trash_freed;
    _Atomic bool large; /* the keys exceed the processor's caches */
    _Atomic bool capturing;  /* changes under all locks, as does: */
    unsigned mark;           /* that new entries' slots get (capture.h) */
    struct capture *capture;
    struct graves *graves;   /* while a warm-up runs (warm.h); changes under all locks and that of the rules */
    struct slab_plan *_Atomic plan, *_Atomic plan_ending, *plan_making; /* the last is the first part's */
    _Atomic unsigned plan_round, plan_parts_left;
};

static inline struct table *store_table(struct store *s, unsigned shard, unsigned db) { return &s->shard[shard].table[db]; }
static inline struct table *view_table(struct view *v, const struct key *k) {
    return store_table(v->store, store_shard_of(k->hash), v->db);
}

/* The entry at that spot is about to be changed, or to go other than by expiry or invalidation. */
static inline void store_keep(struct store *s, unsigned db, struct spot at) {
    if (__builtin_expect(atomic_load_explicit(&s->capturing, memory_order_relaxed), 0)) captures_keep(s, db, at);
}

void view_insert(struct view *v, const struct key *k, struct entry *e); /* the key is not there */
void view_bear(struct view *v, const struct key *k, struct entry *e);   /* the same by a command: it may be told */
struct policy store_policy(const struct store *s, int64_t now);

static inline struct density_lane *store_density_lane(struct store *s, struct store_stats *stats) {
    if (__builtin_expect(!stats->density, 0)) stats->density = density_lane_new(s->density);
    return stats->density;
}
#define STORE_SLOT_BYTES 11 /* with the room that segments keep free */
uint32_t store_cost_slow(const struct entry *e); /* INT32_MAX at the most */
/* Bytes that would be free without it, about: its slot and its object included. Of a string, mostly, from its header's first bytes. */
static inline uint32_t store_cost(const struct entry *e) {
    const uint8_t *p = (const uint8_t *)e;
    unsigned kind = p[0], key = p[5], value = p[6];
    if (__builtin_expect(kind & (ENTRY_EXTENDED | VALUE_OBJECT << 3) || key >= 128 || value >= 192, 0)) return store_cost_slow(e);
    unsigned n = 5 + 2 + STORE_SLOT_BYTES + key + (kind & ENTRY_DEADLINE ? ENTRY_NARROW : 0);
    return value < 128 ? n + value : n + 1 + ((value & 63) << 8 | p[7]);
}

void store_compact_free(struct store *s); /* the plan that there may be */

/* Frees an entry that is out of its table: now, or through the trash if that takes long. */
bool store_drop(struct store *s, struct entry *e, bool lazily); /* did it go to the trash? */
bool store_drop_object(struct store *s, enum value_type t, void *object); /* the same; nobody refers to it any more */
void store_trash_table(struct store *s, struct table *t, unsigned db); /* takes what it holds; *t is empty then; all locks held */
bool store_spare(const struct store *s, size_t n); /* n more bytes for upkeep: as store_fits, and out of what that leaves */
static inline bool slice_over(uint64_t start, int64_t slice_us) { return clock_ticks_us(clock_ticks() - start) >= slice_us; }

#endif
