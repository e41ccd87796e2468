#include "type/list_large.h"

#include <assert.h>

#define FIRST 1536 /* bytes of a chunk where there are few elements yet */

/* Chunks come and go, or become others, only between these two. */
static struct list_chunk *leaving(struct list *l, struct list_chunk *c) {
    l->memory -= list_chunk_memory(c);
    return c;
}
static struct list_chunk *coming(struct list *l, struct list_chunk *c) {
    l->memory += list_chunk_memory(c);
    return c;
}

struct list *list_large_new(const struct type_limits *limits) {
    struct list *l = mem_zalloc(MEM_DATA, sizeof *l);
    value_object_init(l);
    int64_t depth = option_get(&limits->list_depth);
    l->keep = depth > 2 ? (uint32_t)depth - 1 : 1;
    return l;
}

void list_large_take(struct list *l, enum list_end end, const uint8_t *p, size_t n, uint32_t count) {
    struct list_chunk *c = list_chunk_new(n + n / 2, end);
    if (end == LIST_HEAD) c->off -= n;
    memcpy(list_chunk_from(c), p, n);
    c->n = n;
    c->count = count;
    l->end[end] = coming(l, c);
    l->count = count;
    l->bytes = n;
}

/* -- compression --------------------------------------------------------------------------------------------- */

static void pack_slot(struct list *l, uint64_t *slot) {
    struct list_chunk *c = list_chunk_pack(leaving(l, list_slot_chunk(*slot)));
    c = coming(l, list_chunk_trim(c));
    *slot = (uint64_t)(uintptr_t)c | (uint64_t)c->count << 48;
}

/* The chunk changed last is compressed, before another one is or slots move. */
void list_large_cool(struct list *l) {
    if (!l->warm) return;
    pack_slot(l, &l->warm->slot[l->warm_slot]);
    l->warm = NULL;
}

/* The spine has one more at that end: another one is inner now. */
static void pack_inner(struct list *l, enum list_end end) {
    if (l->spine.chunks <= 2 * (uint64_t)l->keep) return;
    struct list_place at = list_spine_end(&l->spine, end);
    for (uint32_t i = 0; i < l->keep; i++) list_spine_step(&l->spine, &at, !end);
    pack_slot(l, list_spine_slot(&l->spine, at));
}

/* -- ends ---------------------------------------------------------------------------------------------------- */

static bool has(const struct list_chunk *c) { return c && c->count; }

/* What grows at an end goes into the spine. */
static void end_into_spine(struct list *l, enum list_end end) {
    struct list_chunk *c = l->end[end];
    l->end[end] = NULL;
    c->tried = 0;
    list_spine_push(&l->spine, end, coming(l, list_chunk_trim(leaving(l, c))));
    pack_inner(l, end);
}

/* Makes room in a chunk that is there; NULL: it is full. */
static struct list_chunk *end_room(struct list *l, enum list_end which, enum list_end end, size_t size) {
    struct list_chunk *c = l->end[which];
    if (list_chunk_fits(c, end, size)) return c;
    size_t before = list_chunk_memory(c);
    c = list_chunk_room(c, end, size);
    if (!c) return NULL;
    l->memory += list_chunk_memory(c) - before;
    return l->end[which] = c;
}

struct list_chunk *list_large_room(struct list *l, enum list_end end, size_t size) {
    struct list_chunk *c;
    if (!has(l->end[end]) && !l->spine.n && has(l->end[!end])) {
        c = end_room(l, !end, end, size);
        if (c) return c;
    }
    if (l->end[end]) {
        c = end_room(l, end, end, size);
        if (c) return c;
        end_into_spine(l, end);
    }
    size_t room = l->spine.n ? LIST_CHUNK_FULL : FIRST;
    return l->end[end] = coming(l, list_chunk_new(size > room ? size : room, end));
}

struct list_chunk *list_large_reach(struct list *l, enum list_end end) {
    if (!l->spine.n) return l->end[!end];
    if (l->end[end]) list_chunk_free(leaving(l, l->end[end]));
    list_large_cool(l);
    return l->end[end] = coming(l, list_chunk_unpack(leaving(l, list_spine_pull(&l->spine, end))));
}

void list_large_empty(struct list *l, struct list_chunk *c) {
    l->end[l->end[LIST_TAIL] == c] = NULL;
    list_chunk_free(leaving(l, c));
}

void list_large_tidy(struct list *l) {
    if (l->spine.n) return;
    for (int end = 0; end < 2; end++) {
        struct list_chunk *c = l->end[end];
        if (!c || c->cap < FIRST || c->n > c->cap / 4) continue;
        if (!c->count) {
            list_chunk_free(leaving(l, c));
            l->end[end] = NULL;
        } else {
            l->end[end] = coming(l, list_chunk_trim(leaving(l, c)));
        }
    }
}

/* -- chunks in the middle ------------------------------------------------------------------------------------ */

struct list_spot list_large_find(const struct list *l, uint64_t *rank) {
    uint64_t head = l->end[LIST_HEAD] ? l->end[LIST_HEAD]->count : 0;
    struct list_spot spot = {LIST_IN_HEAD, {0, 0}};
    if (*rank < head) return spot;
    *rank -= head;
    if (*rank < l->spine.elements) {
        spot.where = LIST_IN_SPINE;
        spot.at = list_spine_find(&l->spine, rank);
    } else {
        *rank -= l->spine.elements;
        spot.where = LIST_IN_TAIL;
        assert(l->end[LIST_TAIL] && *rank < l->end[LIST_TAIL]->count);
    }
    return spot;
}

bool list_large_step(const struct list *l, struct list_spot *at, enum list_end to) {
    enum list_where last = to == LIST_HEAD ? LIST_IN_HEAD : LIST_IN_TAIL;
    if (at->where == LIST_IN_SPINE) {
        if (list_spine_step(&l->spine, &at->at, to)) return true;
    } else if (at->where == last) {
        return false;
    } else if (l->spine.n) {
        at->where = LIST_IN_SPINE;
        at->at = list_spine_end(&l->spine, !to);
        return true;
    }
    at->where = last;
    return has(l->end[to]);
}

/* The chunk, plain, to be changed and put back with put_chunk. */
static struct list_chunk *open_chunk(struct list *l, struct list_spot spot) {
    struct list_chunk *c = list_large_chunk(l, spot);
    if (spot.where != LIST_IN_SPINE) return c;
    struct list_block *b = list_spine_ref(&l->spine, spot.at.block)->block;
    uint32_t slot = b->first + spot.at.slot;
    if (l->warm == b && l->warm_slot == slot && !c->plain) return c;
    list_large_cool(l);
    c = coming(l, list_chunk_unpack(leaving(l, c)));
    list_spine_replace(&l->spine, spot.at, c);
    l->warm = b;
    l->warm_slot = slot;
    return c;
}

static void put_chunk(struct list *l, struct list_spot spot, struct list_chunk *c) {
    if (spot.where == LIST_IN_SPINE) list_spine_replace(&l->spine, spot.at, c);
    else l->end[spot.where == LIST_IN_TAIL] = c;
}

/* Takes the spot out; its chunk is not freed. */
static void remove_spot(struct list *l, struct list_spot spot) {
    assert(!l->warm);
    if (spot.where == LIST_IN_SPINE) list_spine_remove(&l->spine, spot.at);
    else l->end[spot.where == LIST_IN_TAIL] = NULL;
}

/* Both may move slots; what was found before is not good any more. */
static void insert_behind(struct list *l, struct list_spot spot, struct list_chunk *c) {
    list_large_cool(l);
    coming(l, c);
    if (spot.where == LIST_IN_HEAD) {
        list_spine_push(&l->spine, LIST_HEAD, c);
    } else if (spot.where == LIST_IN_SPINE) {
        list_spine_insert(&l->spine, (struct list_place){spot.at.block, spot.at.slot + 1}, c);
    } else {
        end_into_spine(l, LIST_TAIL);
        l->end[LIST_TAIL] = c;
    }
}
static void insert_before(struct list *l, struct list_spot spot, struct list_chunk *c) {
    list_large_cool(l);
    coming(l, c);
    if (spot.where == LIST_IN_TAIL) {
        list_spine_push(&l->spine, LIST_TAIL, c);
    } else if (spot.where == LIST_IN_SPINE) {
        list_spine_insert(&l->spine, spot.at, c);
    } else {
        end_into_spine(l, LIST_HEAD);
        l->end[LIST_HEAD] = c;
    }
}

/* Makes two of the chunk, the second beginning with the element of that rank in it. */
static void split(struct list *l, struct list_spot spot, uint32_t rank) {
    struct list_chunk *c = open_chunk(l, spot);
    size_t at = list_chunk_seek(list_chunk_from(c), list_chunk_to(c), c->count, rank);
    struct list_chunk *right = list_chunk_split(c, at, c->count - rank);
    put_chunk(l, spot, c);
    insert_behind(l, spot, right);
}

/* -- elements in the middle ---------------------------------------------------------------------------------- */

static void change(struct list *l, struct list_spot spot, size_t at, size_t old, const struct list_word *w) {
    struct list_chunk *c = open_chunk(l, spot);
    c = coming(l, list_chunk_change(leaving(l, c), at, old, w->size, old ? 0 : 1));
    list_word_put(w, list_chunk_from(c) + at);
    put_chunk(l, spot, c);
    l->bytes += w->size - old;
    l->count += !old;
}

void list_large_set(struct list *l, uint64_t rank, const struct list_word *w) {
    uint64_t inside = rank;
    struct list_spot spot = list_large_find(l, &inside);
    struct list_chunk *c = open_chunk(l, spot);
    size_t at = list_chunk_seek(list_chunk_from(c), list_chunk_to(c), c->count, (uint32_t)inside);
    size_t old = list_pack_size(list_chunk_from(c) + at);
    if (c->n - old + w->size <= LIST_CHUNK_FULL || c->count == 1) {
        change(l, spot, at, old, w);
        return;
    }
    list_large_insert(l, rank, w); /* there are more than one in that chunk: the list is not empty in between */
    list_large_cut(l, rank + 1, 1, NULL);
}

void list_large_insert(struct list *l, uint64_t rank, const struct list_word *w) {
    for (;;) {
        uint64_t inside = rank;
        struct list_spot spot = list_large_find(l, &inside);
        struct list_chunk *c = open_chunk(l, spot);
        if (c->n + w->size <= LIST_CHUNK_FULL) {
            change(l, spot, list_chunk_seek(list_chunk_from(c), list_chunk_to(c), c->count, (uint32_t)inside), 0, w);
            return;
        }
        if (w->size <= LIST_CHUNK_FULL / 2 && c->count > 1) {
            split(l, spot, c->count / 2);
        } else if (inside) {
            split(l, spot, (uint32_t)inside);
        } else {
            struct list_chunk *made = list_chunk_new(w->size, LIST_TAIL);
            list_chunk_push(made, LIST_TAIL, w);
            insert_before(l, spot, made);
            l->bytes += w->size;
            l->count++;
            return;
        }
    }
}

void list_large_append(struct list *l, struct list_chunk *c, size_t bytes) {
    assert(!l->end[LIST_TAIL]);
    list_spine_push(&l->spine, LIST_TAIL, coming(l, c));
    l->count += c->count;
    l->bytes += bytes;
}

void list_large_replace(struct list *l, struct list_spot at, struct list_chunk *made, int64_t bytes) {
    assert(!l->warm);
    struct list_chunk *c = leaving(l, list_large_chunk(l, at));
    l->count += (made ? made->count : 0) - (uint64_t)c->count;
    l->bytes += (uint64_t)bytes;
    if (made) put_chunk(l, at, coming(l, made));
    else remove_spot(l, at);
}

/* All of a chunk of the spine or of an end. Returns how many elements. */
static uint64_t cut_chunk(struct list *l, struct list_spot spot, struct list *to) {
    struct list_chunk *c = leaving(l, list_large_chunk(l, spot));
    size_t bytes = list_chunk_bytes(c);
    uint32_t count = c->count;
    remove_spot(l, spot);
    if (to) list_large_append(to, c, bytes);
    else list_chunk_free(c);
    l->bytes -= bytes;
    l->count -= count;
    return count;
}

/* n elements inside of a chunk, not all of them. */
static void cut_part(struct list *l, struct list_spot spot, uint32_t rank, uint32_t n, struct list *to) {
    struct list_chunk *c = open_chunk(l, spot);
    size_t at = list_chunk_seek(list_chunk_from(c), list_chunk_to(c), c->count, rank);
    size_t end = list_chunk_seek(list_chunk_from(c), list_chunk_to(c), c->count, rank + n), size = end - at;
    if (to) {
        struct list_chunk *part = list_chunk_new(size, LIST_TAIL);
        memcpy(part->data, list_chunk_from(c) + at, size);
        part->n = size;
        part->count = n;
        list_large_append(to, part, size);
    }
    if (!at) {
        c->off += size;
        c->n -= size;
        c->count -= n;
    } else {
        c = coming(l, list_chunk_change(leaving(l, c), at, size, 0, -(int64_t)n));
    }
    put_chunk(l, spot, c);
    l->bytes -= size;
    l->count -= n;
}

/* A block of the spine whose first slot this is, and which is wanted whole. */
static uint64_t cut_block(struct list *l, struct list_place at, uint64_t most, struct list *to) {
    struct list_ref *r = list_spine_ref(&l->spine, at.block);
    uint64_t elements = r->elements;
    if (!to || at.slot || elements > most || to->end[LIST_TAIL]) return 0;
    const uint64_t *slot = &r->block->slot[r->block->first];
    for (uint32_t i = 0; i < r->block->n; i++) __builtin_prefetch(list_slot_chunk(slot[i]));
    for (uint32_t i = 0; i < r->block->n; i++) {
        struct list_chunk *c = leaving(l, list_slot_chunk(slot[i]));
        coming(to, c);
        l->bytes -= list_chunk_bytes(c);
        to->bytes += list_chunk_bytes(c);
    }
    list_spine_give(&l->spine, at.block, &to->spine);
    l->count -= elements;
    to->count += elements;
    return elements;
}

void list_large_swap(struct list *a, struct list *b) {
    struct list was = *a;
    memcpy((char *)a + sizeof a->object, (char *)b + sizeof b->object, sizeof *a - sizeof a->object);
    memcpy((char *)b + sizeof b->object, (char *)&was + sizeof was.object, sizeof was - sizeof was.object);
}

void list_large_cut(struct list *l, uint64_t rank, uint64_t n, struct list *to) {
    while (n) {
        list_large_cool(l);
        uint64_t inside = rank, went = 0;
        struct list_spot spot = list_large_find(l, &inside);
        if (!inside && spot.where == LIST_IN_SPINE) went = cut_block(l, spot.at, n, to);
        if (!went) {
            uint64_t here = list_large_chunk(l, spot)->count - inside;
            if (!inside && here <= n) {
                went = cut_chunk(l, spot, to);
            } else {
                went = here < n ? here : n;
                cut_part(l, spot, (uint32_t)inside, (uint32_t)went, to);
            }
        }
        n -= went;
    }
}

/* -- the whole ------------------------------------------------------------------------------------------------ */

bool list_large_free(struct list *l, size_t most) {
    if (!list_spine_free(&l->spine, most)) return false;
    for (int end = 0; end < 2; end++)
        if (l->end[end]) list_chunk_free(l->end[end]);
    mem_free(MEM_DATA, l);
    return true;
}

struct list *list_large_clone(const struct list *l) {
    struct list *made = mem_zalloc(MEM_DATA, sizeof *made);
    value_object_init(made);
    made->quick = l->quick;
    made->keep = l->keep;
    made->count = l->count;
    made->bytes = l->bytes;
    for (int end = 0; end < 2; end++)
        if (has(l->end[end])) made->end[end] = coming(made, list_chunk_clone(l->end[end]));
    if (!l->spine.n) return made;
    struct list_place at = list_spine_end(&l->spine, LIST_HEAD);
    do list_spine_push(&made->spine, LIST_TAIL, coming(made, list_chunk_clone(list_spine_chunk(&l->spine, at))));
    while (list_spine_step(&l->spine, &at, LIST_TAIL));
    return made;
}

size_t list_large_memory(const struct list *l) {
    return mem_class(sizeof *l) + l->memory + list_spine_memory(&l->spine);
}
