/* duel: which of three ways to choose what is evicted would have hit most, found out on a few keys and all the time.
 *
 * What was learned is no good for a while when the load changes of a sudden, and where what was used last is used next nothing beats
 * LRU. So of all keys some are drawn by their hash, DUEL_KEYS to twice as many of those that the cache holds, and three small caches as much
 * smaller than the real one play their uses: one goes by hit density, one by age, one by frequency. Only keys and sizes are in them.
 * When one of the others hits significantly more than the one that the real cache goes by, the cache goes by that one from then on.
 *
 * Thread rule: any thread; a lock that is only tried, so that a use may be missed. The store owns it.
 */
#ifndef LARDER_STORE_DUEL_H
#define LARDER_STORE_DUEL_H

#include "store/density.h"

#define DUEL_KEYS 1024
/* Huge is what takes more than the first part of a cache, and the place of more than so many of the others. */
#define DUEL_HUGE_SHARE 8
#define DUEL_HUGE_PLACES 64

enum duel_way { DUEL_DENSITY, DUEL_AGE, DUEL_FREQUENCY, DUEL_WAYS };

struct duel;
struct duel_drawn { /* what a duel begins with */
    _Atomic uint64_t mask; /* of the hash, 16 bits up: a key is drawn where these bits are 0 */
};

struct duel *duel_new(struct density *d);
void duel_free(struct duel *u);

/* Is that key one of those that are drawn? */
static inline bool duel_has(const struct duel *u, uint64_t hash) {
    return !(hash >> 16 & atomic_load_explicit(&((struct duel_drawn *)(uintptr_t)u)->mask, memory_order_relaxed));
}
/* A use of such a key; word: its access word from now on. */
void duel_use(struct duel *u, uint64_t hash, uint32_t word, size_t bytes);
enum duel_way duel_way(const struct duel *u); /* that the cache goes by */
/* Ranks by that way, and cells, as density_ranks. Higher: evict sooner. */
void duel_ranks(const struct density_moment *m, enum duel_way way, unsigned n, const uint32_t *word, const uint32_t *bytes, int32_t *rank,
    uint32_t *cell);
/* What would be lost, about, if the worst of what a cache holds in which there is nothing huge went, so many bytes of it, behind the first
 * ones, which are gone already. */
struct duel_loss {
    float hits;   /* of each use of the cache, as long as they are gone */
    float misses; /* until they are all back */
};
struct duel_loss duel_loss(struct duel *u, uint64_t first, uint64_t bytes);
/* What the cache holds now that it is full: how large the small caches are, and whether too few keys are drawn. */
void duel_size(struct duel *u, uint64_t keys, uint64_t bytes);

#endif
