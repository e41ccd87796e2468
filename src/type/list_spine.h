/* list_spine: the inner chunks of a large list, in blocks of pointers with how many elements each has.
 *
 *   refs   [block, elements] [block, elements] ...             a hundredth of the chunks: found by adding counts up
 *   block  slots first .. first + n of LIST_BLOCK: chunk (48 bits) and its count (16 bits)
 *
 * Invariant: no block and no slot is empty; a ref's elements are the sum of its slots'. At both ends pushing and pulling moves
 * nothing but, each hundred chunks, the refs; in the middle at most a block's slots move.
 * Thread rule and ownership: the list's. The spine owns its blocks and chunks.
 */
#ifndef LARDER_TYPE_LIST_SPINE_H
#define LARDER_TYPE_LIST_SPINE_H

#include "type/list_chunk.h"

#define LIST_BLOCK 120

struct list_block {
    uint32_t first, n;
    uint64_t slot[LIST_BLOCK];
};

struct list_ref {
    struct list_block *block;
    uint64_t elements;
};

struct list_spine {
    struct list_ref *refs; /* first .. first + n of cap */
    uint32_t first, n, cap;
    uint64_t elements, chunks;
};

/* A slot: the block's number from 0, and the slot's among those in use. */
struct list_place {
    uint32_t block, slot;
};

static inline struct list_ref *list_spine_ref(const struct list_spine *s, uint32_t block) { return &s->refs[s->first + block]; }
static inline uint64_t *list_spine_slot(const struct list_spine *s, struct list_place at) {
    struct list_block *b = list_spine_ref(s, at.block)->block;
    return &b->slot[b->first + at.slot];
}
static inline struct list_chunk *list_slot_chunk(uint64_t slot) { return (struct list_chunk *)(uintptr_t)(slot & 0xffffffffffff); }
static inline uint32_t list_slot_count(uint64_t slot) { return (uint32_t)(slot >> 48); }
static inline struct list_chunk *list_spine_chunk(const struct list_spine *s, struct list_place at) {
    return list_slot_chunk(*list_spine_slot(s, at));
}

/* Where the element of that rank is; *rank becomes its rank in the chunk. It is in the spine. */
struct list_place list_spine_find(const struct list_spine *s, uint64_t *rank);
/* One slot further; false at the last. */
bool list_spine_step(const struct list_spine *s, struct list_place *at, enum list_end to);
struct list_place list_spine_end(const struct list_spine *s, enum list_end end); /* there is one */

void list_spine_push(struct list_spine *s, enum list_end end, struct list_chunk *c);
struct list_chunk *list_spine_pull(struct list_spine *s, enum list_end end);
/* Puts c in the slot; what was there is the caller's. */
void list_spine_replace(struct list_spine *s, struct list_place at, struct list_chunk *c);
void list_spine_insert(struct list_spine *s, struct list_place at, struct list_chunk *c); /* before that slot */
void list_spine_remove(struct list_spine *s, struct list_place at);
/* Moves a whole block to the tail of another spine. */
void list_spine_give(struct list_spine *s, uint32_t block, struct list_spine *to);
/* Frees blocks and chunks, at most about `most`; what is left is still a spine. True: nothing is. */
bool list_spine_free(struct list_spine *s, size_t most);
size_t list_spine_memory(const struct list_spine *s); /* of refs and blocks */
const char *list_spine_check(const struct list_spine *s);

#endif
