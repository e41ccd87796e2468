/* list_large: the object of a list that is too long to lie in its entry.
 *
 *   end[HEAD]   spine: chunk chunk chunk ... chunk   end[TAIL]
 *
 * Elements are in that order; an end may be missing or empty while another part is not: the next push makes it, the next pop
 * fills it from the spine, or takes from the other end's chunk if that is all there is. The chunk next to an end stays plain, so
 * that pushing and popping at a chunk's border compresses nothing; those further inside are compressed when one more comes
 * between them and the end. A chunk of the spine that is changed is plain until another one is (`warm`).
 * Invariant: count and bytes are those of all entries; memory is what all chunks take.
 * Thread rule and ownership: as type/home.h. The object owns its chunks.
 */
#ifndef LARDER_TYPE_LIST_LARGE_H
#define LARDER_TYPE_LIST_LARGE_H

#include "type/list_spine.h"

struct list {
    struct value_object object;
    bool quick;            /* OBJECT ENCODING says quicklist */
    uint32_t keep;         /* how many chunks of the spine stay plain at either end */
    uint64_t count;
    size_t bytes, memory;
    struct list_chunk *end[2];
    struct list_spine spine;
    struct list_block *warm; /* NULL: none */
    uint32_t warm_slot;      /* in the block's array: ends that move do not change it */
};

enum list_where { LIST_IN_HEAD, LIST_IN_SPINE, LIST_IN_TAIL };

struct list_spot { /* a chunk */
    enum list_where where;
    struct list_place at;
};

struct list *list_large_new(const struct type_limits *limits);
/* The first elements of a new one, as entries lie. */
void list_large_take(struct list *l, enum list_end end, const uint8_t *p, size_t n, uint32_t count);

/* Room for `size` bytes at an end, slowly: returns the chunk that has it. */
struct list_chunk *list_large_room(struct list *l, enum list_end end, size_t size);
/* The chunk that holds the element at an end, with nothing compressed; the list is not empty. */
struct list_chunk *list_large_reach(struct list *l, enum list_end end);

static inline void list_large_push(struct list *l, enum list_end end, const struct list_word *w) {
    struct list_chunk *c = l->end[end];
    if (__builtin_expect(!c || !list_chunk_fits(c, end, w->size), 0)) c = list_large_room(l, end, w->size);
    list_chunk_push(c, end, w);
    l->count++;
    l->bytes += w->size;
}
static inline struct list_chunk *list_large_end(struct list *l, enum list_end end) {
    struct list_chunk *c = l->end[end];
    return __builtin_expect(c && c->count, 1) ? c : list_large_reach(l, end);
}

void list_large_empty(struct list *l, struct list_chunk *c); /* an end's chunk that lost its only, very long element */
static inline void list_large_drop(struct list *l, enum list_end end) {
    struct list_chunk *c = list_large_end(l, end);
    size_t before = c->n;
    list_chunk_drop(c, end);
    l->bytes -= before - c->n;
    l->count--;
    if (__builtin_expect(c->cap > LIST_CHUNK_FULL, 0)) list_large_empty(l, c);
}

/* The chunk of that rank, which exists; *rank becomes the rank in it. */
struct list_spot list_large_find(const struct list *l, uint64_t *rank);
bool list_large_step(const struct list *l, struct list_spot *at, enum list_end to); /* to the next chunk that is not empty */
static inline struct list_chunk *list_large_chunk(const struct list *l, struct list_spot at) {
    if (at.where == LIST_IN_SPINE) return list_spine_chunk(&l->spine, at.at);
    return l->end[at.where == LIST_IN_TAIL];
}

void list_large_set(struct list *l, uint64_t rank, const struct list_word *w);
void list_large_insert(struct list *l, uint64_t rank, const struct list_word *w); /* 0 < rank < count */
/* Moves n elements from that rank on to another list's tail (NULL: nowhere). */
void list_large_cut(struct list *l, uint64_t rank, uint64_t n, struct list *to);
void list_large_swap(struct list *a, struct list *b); /* what they hold; not who holds them */
void list_large_cool(struct list *l);                 /* no chunk is warm */
/* Nothing is warm. Puts `made` (NULL: nothing) in place of a chunk, which is the caller's then; `bytes` more entries than before. */
void list_large_replace(struct list *l, struct list_spot at, struct list_chunk *made, int64_t bytes);
void list_large_append(struct list *l, struct list_chunk *c, size_t bytes); /* a whole chunk at the tail of the spine */
void list_large_tidy(struct list *l); /* gives back room at the ends that popping left */

bool list_large_free(struct list *l, size_t most);
struct list *list_large_clone(const struct list *l);
size_t list_large_memory(const struct list *l);

#endif
