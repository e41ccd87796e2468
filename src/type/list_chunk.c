#include "type/list_chunk.h"

#include "base/squeeze.h"

#include <assert.h>

#define HEAD sizeof(struct list_chunk)
#define WORTH 512 /* shorter chunks are left as they are */

/* All that the allocator's class has, up to LIST_CHUNK_FULL; for a longer element just what it needs, so that nothing joins it. */
static size_t cap_for(size_t room) {
    if (room > LIST_CHUNK_FULL) return room;
    size_t cap = mem_class(HEAD + room) - HEAD;
    return cap > LIST_CHUNK_FULL ? LIST_CHUNK_FULL : cap;
}

static struct list_chunk *chunk_take(size_t room) {
    size_t cap = cap_for(room);
    struct list_chunk *c = mem_alloc(MEM_DATA, HEAD + cap);
    *c = (struct list_chunk){.cap = cap};
    return c;
}

struct list_chunk *list_chunk_new(size_t room, enum list_end end) {
    struct list_chunk *c = chunk_take(room);
    if (end == LIST_HEAD) c->off = c->cap;
    return c;
}

void list_chunk_free(struct list_chunk *c) { mem_free(MEM_DATA, c); }

/* A copy with `off` and `cap` as told. */
static struct list_chunk *chunk_copy(const struct list_chunk *c, size_t cap, size_t off) {
    struct list_chunk *made = chunk_take(cap);
    made->off = off;
    made->n = c->n;
    made->count = c->count;
    made->plain = c->plain;
    made->tried = c->tried;
    memcpy(made->data + off, c->data + c->off, c->n);
    return made;
}

struct list_chunk *list_chunk_clone(const struct list_chunk *c) { return chunk_copy(c, c->n, 0); }

static struct list_chunk *chunk_swap(struct list_chunk *c, struct list_chunk *made) {
    list_chunk_free(c);
    return made;
}

/* Where the entries begin if the free room is to be at `end`, with a little left at the other. */
static size_t place_for(size_t cap, size_t n, size_t size, enum list_end end) {
    size_t other = (cap - n - size) / 8;
    return end == LIST_HEAD ? cap - n - other : other;
}

struct list_chunk *list_chunk_room(struct list_chunk *c, enum list_end end, size_t size) {
    size_t want = c->n + size;
    if (c->cap >= want + c->n / 4) {
        size_t off = place_for(c->cap, c->n, size, end);
        memmove(c->data + off, list_chunk_from(c), c->n);
        c->off = off;
        return c;
    }
    if (want > LIST_CHUNK_FULL && c->n) return NULL;
    if (want < c->n + c->n / 2) want = c->n + c->n / 2;
    if (want > LIST_CHUNK_FULL && size < LIST_CHUNK_FULL) want = LIST_CHUNK_FULL;
    want = cap_for(want);
    return chunk_swap(c, chunk_copy(c, want, end == LIST_HEAD ? want - c->n : 0));
}

struct list_chunk *list_chunk_trim(struct list_chunk *c) {
    if (cap_for(c->n) == c->cap) return c;
    return chunk_swap(c, chunk_copy(c, c->n, 0));
}

struct list_chunk *list_chunk_pack(struct list_chunk *c) {
    uint8_t out[LIST_CHUNK_FULL];
    if (c->plain || c->tried || c->n < WORTH || c->n > LIST_CHUNK_FULL) return c;
    size_t n = squeeze_pack(out, c->n - c->n / 8, list_chunk_from(c), c->n);
    if (!n || mem_class(HEAD + n) > mem_class(HEAD + c->n) * 7 / 8) {
        c->tried = 1;
        return c;
    }
    struct list_chunk *made = chunk_take(n);
    made->n = n;
    made->count = c->count;
    made->plain = (uint32_t)c->n & INT32_MAX;
    memcpy(made->data, out, n);
    return chunk_swap(c, made);
}

struct list_chunk *list_chunk_unpack(struct list_chunk *c) {
    if (!c->plain) return c;
    struct list_chunk *made = chunk_take(c->plain);
    made->n = c->plain;
    made->count = c->count;
    squeeze_unpack(made->data, made->n, c->data, c->n);
    return chunk_swap(c, made);
}

struct list_chunk *list_chunk_change(struct list_chunk *c, size_t at, size_t old, size_t size, int64_t elements) {
    size_t behind = c->n - at - old;
    assert(!c->plain);
    if (c->n - old + size > c->cap || c->cap > LIST_CHUNK_FULL) {
        struct list_chunk *made = chunk_take(c->n - old + size);
        made->count = c->count;
        memcpy(made->data, list_chunk_from(c), at);
        memcpy(made->data + at + size, list_chunk_from(c) + at + old, behind);
        c = chunk_swap(c, made);
    } else {
        uint8_t *from = list_chunk_from(c);
        if (c->off + c->n - old + size > c->cap) { /* to the front: this way round nothing is written over before it moved */
            memmove(c->data, from, at);
            c->off = 0;
        }
        memmove(list_chunk_from(c) + at + size, from + at + old, behind);
    }
    c->n = at + size + behind;
    c->count = (uint32_t)(c->count + elements);
    c->tried = 0;
    return c;
}

struct list_chunk *list_chunk_split(struct list_chunk *c, size_t at, uint32_t elements) {
    struct list_chunk *made = chunk_take(c->n - at);
    made->n = c->n - at;
    made->count = elements;
    memcpy(made->data, list_chunk_from(c) + at, made->n);
    c->n = at;
    c->count -= elements;
    c->tried = 0;
    return made;
}

const uint8_t *list_chunk_read(const struct list_chunk *c, uint8_t *scratch) {
    if (!c->plain) return c->data + c->off;
    squeeze_unpack(scratch, c->plain, c->data, c->n);
    return scratch;
}

size_t list_chunk_seek(const uint8_t *from, const uint8_t *to, uint32_t count, uint32_t rank) {
    const uint8_t *p = from;
    if (rank <= count / 2) {
        while (rank--) p += list_pack_size(p);
    } else {
        for (p = to; rank < count; rank++) p -= list_pack_size_before(p);
    }
    return (size_t)(p - from);
}
