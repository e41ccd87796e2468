/* zset_slots: words in a row that grows and shrinks at its end, in chunks, so that no growth copies more than a chunk.
 *
 * Invariant: all chunks but the last are full; while there is but one, it is only as large as it must be. Thread rule and
 * ownership: those of the zset that has it. Zeroed it is empty.
 */
#ifndef LARDER_TYPE_ZSET_SLOTS_H
#define LARDER_TYPE_ZSET_SLOTS_H

#include "base/mem.h"

#define ZSET_SLOTS_CHUNK 512

struct zset_slots {
    uint64_t **chunk;
    size_t n, bytes; /* bytes: what it takes */
};

static inline uint64_t *zset_slots_at(const struct zset_slots *s, size_t i) {
    return &s->chunk[i / ZSET_SLOTS_CHUNK][i % ZSET_SLOTS_CHUNK];
}
void zset_slots_push(struct zset_slots *s, uint64_t word);
void zset_slots_pop(struct zset_slots *s); /* the last one */
void zset_slots_free(struct zset_slots *s);

/* What the allocator gives for n bytes (1..4096): 16 apart up to 128, then four steps to each power of two. Blocks are made of
 * these sizes, so that no byte of them lies idle; should an allocator have others, only that is lost. */
static inline size_t zset_slots_class(size_t n) {
    if (n <= 128) return (n + 15) & ~(size_t)15;
    size_t step = (size_t)1 << (61 - __builtin_clzl(n - 1)); /* an eighth of the power of two above */
    return (n + step - 1) & ~(step - 1);
}

#endif
