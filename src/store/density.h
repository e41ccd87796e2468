/* density: how many hits a byte of an entry may still bring, learned from the cache's own hits and evictions.
 *
 * The policy allkeys-lhd evicts what has the least hit density: expected hits per byte and per use of the cache (Beckmann, Chen,
 * Cidon: LHD, NSDI 2018; here with frequency and size in place of their classes, a prior in place of their explorers, and a
 * memory of what was evicted). An entry belongs to one of 32 classes: how often it was used (8) and how large it is beside the
 * mean (4). For each class and age, which is the number of uses of the whole cache since the entry's last one, two counts are
 * kept: hits and evictions. From them follows for each class and age how many hits came later, and in how much time: their
 * quotient is the density. So scans, loops and shifts of what is popular show in the counts, and nothing is assumed of them but
 * the prior, which has the weight of ten events: frequency over age.
 *
 * An entry's access word is 26 bits of the clock of uses and 6 bits of frequency, halved for each PERIOD caches full of uses. What
 * is evicted leaves its frequency in a table of two bytes per entry expected.
 * Thread rule: a lane belongs to its thread; the rest from any thread, entries' words under their shard's lock. The store owns
 * both.
 */
#ifndef LARDER_STORE_DENSITY_H
#define LARDER_STORE_DENSITY_H

#include "base/thread.h"

#include <stddef.h>

#define DENSITY_FREQUENCIES 8
#define DENSITY_SIZES 4
#define DENSITY_CLASSES (DENSITY_FREQUENCIES * DENSITY_SIZES)
#define DENSITY_AGES 96
#define DENSITY_AGE_BITS 26
#define DENSITY_FREQUENCY_BITS 6

struct density;
struct density_lane; /* what one thread has seen */

struct density *density_new(void);
void density_free(struct density *d); /* and all its lanes */
struct density_lane *density_lane_new(struct density *d);

void density_limit(struct density *d, uint64_t limit); /* maxmemory; before the first words are made, or they tell wrong ages */
/* The access word of a new entry with that hash, and of one that is used once more. bytes: what it takes, all in all. */
uint32_t density_born(struct density *d, struct density_lane *l, uint64_t hash);
uint32_t density_used(struct density *d, struct density_lane *l, uint32_t word, size_t bytes);
/* For several entries at one moment: what is the same for all of them is looked up once, and the rest is told for four at once. An
 * entry's cell is its class and its age. The arrays have room for a multiple of four. */
struct density_moment {
    const struct density *of;
    uint64_t clock;
    uint32_t now, size_below[DENSITY_SIZES - 1]; /* in the clock's units; bytes */
};
struct density_moment density_moment(const struct density *d);
/* Cells, and ranks: floats from 0 on, as their bits, which compare as they do. Higher: evict sooner. */
void density_ranks(const struct density_moment *m, unsigned n, const uint32_t *restrict word, const uint32_t *restrict bytes,
    int32_t *restrict rank, uint32_t *restrict cell);
/* The same, but nothing that was learned is in the ranks: by age alone; or by frequency, and of those used as often by age. */
void density_ranks_plain(const struct density_moment *m, bool by_age, unsigned n, const uint32_t *restrict word,
    const uint32_t *restrict bytes, int32_t *restrict rank, uint32_t *restrict cell);
/* One of that cell went; word: its last. */
void density_evicted(struct density *d, struct density_lane *l, uint32_t cell, uint32_t word, uint64_t hash);
float density_hits(const struct density *d); /* what part hits are of all uses of the cache, lately; 1 as long as nothing is known */
float density_rank(const struct density *d, uint64_t clock, uint32_t word, size_t bytes);
uint64_t density_clock(const struct density *d);
unsigned density_frequency(uint32_t word); /* OBJECT FREQ */

/* Learns from what was seen since the last time if there was enough of it. keys and bytes: what the cache holds; limit: maxmemory.
 * A tenth of a millisecond; no lock held. */
uint64_t density_age(const struct density *d, uint64_t clock, uint32_t word); /* since its last use, in uses of the cache */
bool density_due(const struct density *d);
void density_learn(struct density *d, uint64_t keys, uint64_t bytes, uint64_t limit);
/* The memory of what was evicted: bytes that one for that limit takes, 0 where it is there; and making it. */
size_t density_wants(const struct density *d, uint64_t limit);
void density_remember(struct density *d, uint64_t limit);

#endif
