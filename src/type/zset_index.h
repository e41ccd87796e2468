/* zset_index: in which leaf a member of a large zset lies, found by 32 bits of its hash; the member's bytes are only in the leaf.
 *
 * Linear hashing (Litwin, 1980): buckets are added and taken away one at a time, in order, as the count changes. A bucket is a
 * bare row of words (hash below, leaf above); its address and its length share the word that names it. A member is found by
 * looking into each leaf that its hash is noted with: nearly always one. Two words that are equal are as good as each other.
 * The hashes of a bucket, their bits reversed, are a range: so a position among reversed hashes is a cursor that outlives
 * growth and shrinking. Thread rule and ownership: those of the zset that has it. Zeroed it is empty.
 */
#ifndef LARDER_TYPE_ZSET_INDEX_H
#define LARDER_TYPE_ZSET_INDEX_H

#include "type/zset_slots.h"

struct zset_index {
    struct zset_slots buckets;
    uint64_t count;
    uint32_t mask;  /* one bit more than the buckets' number needs at least */
    size_t bytes;   /* of the buckets' rows */
};

static inline uint64_t zset_index_word(uint32_t hash, uint32_t leaf) { return (uint64_t)leaf << 32 | hash; }
static inline uint32_t zset_index_leaf(uint64_t word) { return (uint32_t)(word >> 32); }

/* A bucket's word: 48 bits of address, 16 of length. */
static inline uint64_t *zset_index_row(uint64_t bucket) { return (uint64_t *)(uintptr_t)(bucket & 0xffffffffffffull); }
static inline uint32_t zset_index_length(uint64_t bucket) { return (uint32_t)(bucket >> 48); }

static inline size_t zset_index_bucket(const struct zset_index *x, uint32_t hash) {
    size_t b = hash & x->mask;
    return b < x->buckets.n ? b : b & x->mask >> 1;
}
/* The words among which those of that hash are. */
static inline const uint64_t *zset_index_find(const struct zset_index *x, uint32_t hash, uint32_t *n) {
    if (!x->buckets.n) {
        *n = 0;
        return NULL;
    }
    uint64_t bucket = *zset_slots_at(&x->buckets, zset_index_bucket(x, hash));
    *n = zset_index_length(bucket);
    return zset_index_row(bucket);
}

void zset_index_add(struct zset_index *x, uint64_t word);
void zset_index_remove(struct zset_index *x, uint64_t word);             /* it is there */
void zset_index_move(struct zset_index *x, uint64_t word, uint32_t to);  /* to another leaf */
/* The same of a word that was at `at` (NULL: not known) since when none was added or removed; it may have been told another leaf in place
 * of one that was its equal. */
static inline void zset_index_move_from(struct zset_index *x, const uint64_t *at, uint64_t word, uint32_t to) {
    if (__builtin_expect(at && *at == word, 1)) *(uint64_t *)(uintptr_t)at = zset_index_word((uint32_t)word, to);
    else zset_index_move(x, word, to);
}
/* The words of hashes that come next from the position on, in the order of their reversed bits; moves it on, 0 at the end. Of
 * the bucket's words those count whose reversed hash is not below `cursor`. */
const uint64_t *zset_index_walk(const struct zset_index *x, uint32_t cursor, uint64_t *next, uint32_t *n);
uint32_t zset_index_reverse(uint32_t v);

static inline size_t zset_index_memory(const struct zset_index *x) { return x->bytes + x->buckets.bytes; }
void zset_index_drop(struct zset_index *x);  /* the last bucket, whatever it holds: for freeing in pieces */
void zset_index_clone(struct zset_index *to, const struct zset_index *from);
const char *zset_index_check(const struct zset_index *x);

#endif
