/* list_chunk: some kilobytes of a large list: elements one behind the other, with free room in front and behind, or compressed.
 *
 * Invariant: off + n <= cap; compressed: off is 0, count says how many elements are in it. An element of more than
 * LIST_CHUNK_FULL bytes has a chunk of its own. What a chunk takes of memory is cap and its head, the allocator's class included.
 * Thread rule and ownership: the list's.
 */
#ifndef LARDER_TYPE_LIST_CHUNK_H
#define LARDER_TYPE_LIST_CHUNK_H

#include "type/list.h"
#include "type/list_pack.h"

struct list_chunk {
    size_t cap, off, n; /* the entries are data[off .. off + n) */
    uint32_t count;
    uint32_t plain : 31; /* not 0: data is compressed; the bytes that it was made of */
    uint32_t tried : 1;  /* it was tried to compress these entries, for nothing */
    uint8_t data[];
};

#define LIST_CHUNK_FULL (8192 - sizeof(struct list_chunk))

static inline size_t list_chunk_memory(const struct list_chunk *c) {
    return c->cap > LIST_CHUNK_FULL ? mem_class(sizeof *c + c->cap) : sizeof *c + c->cap;
}
static inline size_t list_chunk_bytes(const struct list_chunk *c) { return c->plain ? c->plain : c->n; } /* of entries */
static inline uint8_t *list_chunk_from(struct list_chunk *c) { return c->data + c->off; }
static inline uint8_t *list_chunk_to(struct list_chunk *c) { return c->data + c->off + c->n; }

/* An empty one, for at least `room` bytes; the room is where pushes at `end` want it. */
struct list_chunk *list_chunk_new(size_t room, enum list_end end);
struct list_chunk *list_chunk_clone(const struct list_chunk *c);
void list_chunk_free(struct list_chunk *c);

/* Is there room for `size` bytes at that end as it is? */
static inline bool list_chunk_fits(const struct list_chunk *c, enum list_end end, size_t size) {
    return (end == LIST_HEAD ? c->off : c->cap - c->off - c->n) >= size;
}
/* Puts a word at an end where it fits. */
static inline void list_chunk_push(struct list_chunk *c, enum list_end end, const struct list_word *w) {
    uint8_t *p = list_chunk_to(c);
    if (end == LIST_HEAD) p = c->data + (c->off -= w->size);
    c->n += w->size;
    c->count++;
    list_word_put(w, p);
}
/* The entry at an end; there is one. */
static inline uint8_t *list_chunk_at(struct list_chunk *c, enum list_end end) {
    return end == LIST_HEAD ? list_chunk_from(c) : list_chunk_to(c) - list_pack_size_before(list_chunk_to(c));
}
static inline void list_chunk_drop(struct list_chunk *c, enum list_end end) {
    size_t size;
    if (end == LIST_HEAD) c->off += size = list_pack_size(list_chunk_from(c));
    else size = list_pack_size_before(list_chunk_to(c));
    c->n -= size;
    c->count--;
}

/* These may move the chunk: what they return takes its place. */
/* Makes room for `size` at an end by moving what is there, or by growing. NULL: it is full. */
struct list_chunk *list_chunk_room(struct list_chunk *c, enum list_end end, size_t size);
struct list_chunk *list_chunk_trim(struct list_chunk *c);   /* no more room than needed */
struct list_chunk *list_chunk_pack(struct list_chunk *c);   /* compressed, if that saves an eighth */
struct list_chunk *list_chunk_unpack(struct list_chunk *c); /* plain */
/* Makes the `old` bytes at `at` (an offset in the entries of a plain chunk) into `size`, `elements` more than before. */
struct list_chunk *list_chunk_change(struct list_chunk *c, size_t at, size_t old, size_t size, int64_t elements);
/* A new chunk of the entries from offset `at` on, of which there are `elements`; they are taken out of c. */
struct list_chunk *list_chunk_split(struct list_chunk *c, size_t at, uint32_t elements);

/* The entries, plain: in the chunk itself, or in `scratch` of LIST_CHUNK_FULL bytes. */
const uint8_t *list_chunk_read(const struct list_chunk *c, uint8_t *scratch);
/* The offset of the element with that rank in the entries of a chunk: from, to where they lie; count: how many. */
size_t list_chunk_seek(const uint8_t *from, const uint8_t *to, uint32_t count, uint32_t rank);

#endif
