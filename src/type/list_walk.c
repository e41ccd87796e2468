/* Reading a list from a rank on, in either direction. */
#include "type/list_large.h"

static struct list_spot spot_of(const struct list_at *at) {
    return (struct list_spot){(enum list_where)at->where, {at->block, at->slot}};
}

static void set_spot(struct list_at *at, struct list_spot spot) {
    at->where = spot.where;
    at->block = spot.at.block;
    at->slot = spot.at.slot;
}

/* The chunk's entries, plain. */
static void open_chunk(struct list_at *at, const struct list_chunk *c) {
    if (c->plain && !at->scratch) at->scratch = mem_alloc(MEM_CLIENT, LIST_CHUNK_FULL);
    at->from = list_chunk_read(c, at->scratch);
    at->to = at->from + list_chunk_bytes(c);
}

static bool arrive(struct list_at *at, const uint8_t *p) {
    at->p = p;
    at->text = list_pack_text(p, at->digits);
    return true;
}

bool list_seek(const struct home *h, struct list_at *at, int64_t rank) {
    size_t count = list_count(h);
    if (rank < 0) rank += (int64_t)count;
    if (rank < 0 || (uint64_t)rank >= count) return false;
    at->rank = (uint64_t)rank;
    at->scratch = NULL;
    uint64_t inside = (uint64_t)rank;
    if (h->object) {
        struct list_spot spot = list_large_find(h->object, &inside);
        const struct list_chunk *c = list_large_chunk(h->object, spot);
        set_spot(at, spot);
        open_chunk(at, c);
        count = c->count;
    } else {
        at->where = at->block = at->slot = 0;
        at->from = h->p + LIST_PACKED_HEAD;
        at->to = h->p + h->n;
    }
    return arrive(at, at->from + list_chunk_seek(at->from, at->to, (uint32_t)count, (uint32_t)inside));
}

static bool step_chunk(const struct home *h, struct list_at *at, enum list_end to) {
    struct list_spot spot = spot_of(at);
    if (!h->object || !list_large_step(h->object, &spot, to)) return false;
    set_spot(at, spot);
    open_chunk(at, list_large_chunk(h->object, spot));
    return true;
}

bool list_next(const struct home *h, struct list_at *at) {
    const uint8_t *p = at->p + list_pack_size(at->p);
    if (__builtin_expect(p == at->to, 0)) {
        if (!step_chunk(h, at, LIST_TAIL)) return false;
        p = at->from;
    }
    at->rank++;
    return arrive(at, p);
}

bool list_prev(const struct home *h, struct list_at *at) {
    if (__builtin_expect(at->p == at->from, 0)) {
        if (!step_chunk(h, at, LIST_HEAD)) return false;
        at->p = at->to;
    }
    at->rank--;
    return arrive(at, at->p - list_pack_size_before(at->p));
}

void list_leave(struct list_at *at) {
    mem_free(MEM_CLIENT, at->scratch);
    at->scratch = NULL;
}

void list_needle_make(struct list_needle *needle, struct slice text) {
    struct list_word w;
    list_word_make(&w, text);
    needle->text = w.text;
    needle->n = w.n;
    memcpy(needle->head, w.head, sizeof needle->head);
}

bool list_skip_to(struct list_at *at, const struct list_needle *needle) {
    const uint8_t *p = at->p;
    for (;;) {
        if (list_needle_at(needle, p, at->to)) {
            arrive(at, p);
            return true;
        }
        const uint8_t *next = p + list_pack_size(p);
        if (next == at->to) break;
        p = next;
        at->rank++;
    }
    arrive(at, p);
    return false;
}
