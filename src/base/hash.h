/* hash: the one hash of keys, XXH3 with a seed that differs at each start, so that nobody can prepare collisions.
 * Source: XXH3_64bits_withSeed of libxxhash, inlined. Thread rule: a pure function.
 */
#ifndef LARDER_BASE_HASH_H
#define LARDER_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Inlined over a short array whose use is guarded by its length, gcc warns of the branch for longer ones. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
#define XXH_INLINE_ALL
#include <xxhash.h>
#pragma GCC diagnostic pop

/* The seed of the n-th of several tables that share one. Far apart: with neighbours, short keys of one would have the hashes of others. */
static inline uint64_t hash_seed(uint64_t seed, uint64_t n) { return seed + n * 0x9e3779b97f4a7c15; }
static inline uint64_t hash_bytes(const void *p, size_t n, uint64_t seed) { return XXH3_64bits_withSeed(p, n, seed); }

#endif
