#include "type/list_spine.h"

#include <assert.h>

static uint64_t slot_of(struct list_chunk *c) {
    assert(c->count && c->count <= UINT16_MAX);
    return (uint64_t)(uintptr_t)c | (uint64_t)c->count << 48;
}

struct list_place list_spine_find(const struct list_spine *s, uint64_t *rank) {
    assert(*rank < s->elements);
    struct list_place at = {0, 0};
    if (*rank < s->elements / 2) {
        for (const struct list_ref *r = list_spine_ref(s, 0); *rank >= r->elements; r++, at.block++) *rank -= r->elements;
    } else {
        uint64_t before = s->elements;
        at.block = s->n;
        do before -= list_spine_ref(s, --at.block)->elements;
        while (before > *rank);
        *rank -= before;
    }
    for (const uint64_t *slot = list_spine_slot(s, at); *rank >= list_slot_count(*slot); slot++, at.slot++)
        *rank -= list_slot_count(*slot);
    return at;
}

bool list_spine_step(const struct list_spine *s, struct list_place *at, enum list_end to) {
    if (to == LIST_TAIL) {
        if (at->slot + 1 < list_spine_ref(s, at->block)->block->n) {
            at->slot++;
            return true;
        }
        if (at->block + 1 == s->n) return false;
        *at = (struct list_place){at->block + 1, 0};
        return true;
    }
    if (at->slot) {
        at->slot--;
        return true;
    }
    if (!at->block) return false;
    at->block--;
    at->slot = list_spine_ref(s, at->block)->block->n - 1;
    return true;
}

struct list_place list_spine_end(const struct list_spine *s, enum list_end end) {
    if (end == LIST_HEAD) return (struct list_place){0, 0};
    return (struct list_place){s->n - 1, list_spine_ref(s, s->n - 1)->block->n - 1};
}

/* An empty ref before number `at`. */
static struct list_ref *refs_insert(struct list_spine *s, uint32_t at) {
    if (!at && s->first) {
        s->first--;
    } else {
        if (s->first + s->n == s->cap) {
            uint32_t cap = s->n + s->n / 2 + 8, first = (cap - s->n) / 2;
            struct list_ref *refs = mem_alloc(MEM_DATA, cap * sizeof *refs);
            if (s->n) memcpy(refs + first, s->refs + s->first, s->n * sizeof *refs);
            mem_free(MEM_DATA, s->refs);
            s->refs = refs;
            s->first = first;
            s->cap = cap;
        }
        struct list_ref *r = list_spine_ref(s, at);
        memmove(r + 1, r, (s->n - at) * sizeof *r);
    }
    s->n++;
    *list_spine_ref(s, at) = (struct list_ref){NULL, 0};
    return list_spine_ref(s, at);
}

static void refs_remove(struct list_spine *s, uint32_t at) {
    struct list_ref *r = list_spine_ref(s, at);
    if (!at) s->first++;
    else memmove(r, r + 1, (s->n - at - 1) * sizeof *r);
    if (!--s->n) {
        mem_free(MEM_DATA, s->refs);
        s->refs = NULL;
        s->first = s->cap = 0;
    }
}

static struct list_block *block_new(uint32_t first) {
    struct list_block *b = mem_alloc(MEM_DATA, sizeof *b);
    b->first = first;
    b->n = 0;
    return b;
}

static void count_in(struct list_spine *s, uint32_t block, int64_t elements, int chunks) {
    list_spine_ref(s, block)->elements += (uint64_t)elements;
    s->elements += (uint64_t)elements;
    s->chunks += (uint64_t)(int64_t)chunks;
}

void list_spine_push(struct list_spine *s, enum list_end end, struct list_chunk *c) {
    uint32_t at = end == LIST_HEAD ? 0 : s->n - 1;
    struct list_block *b = s->n ? list_spine_ref(s, at)->block : NULL;
    if (!b || (end == LIST_HEAD ? !b->first : b->first + b->n == LIST_BLOCK)) {
        at = end == LIST_HEAD ? 0 : s->n;
        b = refs_insert(s, at)->block = block_new(end == LIST_HEAD ? LIST_BLOCK : 0);
    }
    b->slot[end == LIST_HEAD ? --b->first : b->first + b->n] = slot_of(c);
    b->n++;
    count_in(s, at, c->count, 1);
}

void list_spine_remove(struct list_spine *s, struct list_place at) {
    struct list_block *b = list_spine_ref(s, at.block)->block;
    uint64_t *slot = &b->slot[b->first + at.slot];
    count_in(s, at.block, -(int64_t)list_slot_count(*slot), -1);
    if (!at.slot) b->first++;
    else memmove(slot, slot + 1, (b->n - at.slot - 1) * sizeof *slot);
    if (--b->n) return;
    mem_free(MEM_DATA, b);
    refs_remove(s, at.block);
}

struct list_chunk *list_spine_pull(struct list_spine *s, enum list_end end) {
    struct list_place at = list_spine_end(s, end);
    struct list_chunk *c = list_spine_chunk(s, at);
    list_spine_remove(s, at);
    return c;
}

void list_spine_replace(struct list_spine *s, struct list_place at, struct list_chunk *c) {
    uint64_t *slot = list_spine_slot(s, at);
    count_in(s, at.block, (int64_t)c->count - list_slot_count(*slot), 0);
    *slot = slot_of(c);
}

/* Makes two blocks of a full one. */
static void block_halve(struct list_spine *s, uint32_t at) {
    struct list_ref *behind = refs_insert(s, at + 1), *r = list_spine_ref(s, at);
    struct list_block *a = r->block, *b = behind->block = block_new(LIST_BLOCK / 4);
    b->n = a->n / 2;
    a->n -= b->n;
    memcpy(b->slot + b->first, a->slot + a->first + a->n, b->n * sizeof *b->slot);
    for (uint32_t i = 0; i < b->n; i++) behind->elements += list_slot_count(b->slot[b->first + i]);
    r->elements -= behind->elements;
}

void list_spine_insert(struct list_spine *s, struct list_place at, struct list_chunk *c) {
    struct list_block *b = list_spine_ref(s, at.block)->block;
    if (b->n == LIST_BLOCK) {
        block_halve(s, at.block);
        if (at.slot > b->n) {
            at = (struct list_place){at.block + 1, at.slot - b->n};
            b = list_spine_ref(s, at.block)->block;
        }
    }
    uint64_t *slot = b->slot + b->first;
    if (b->first + b->n == LIST_BLOCK) {
        memmove(slot - 1, slot, at.slot * sizeof *slot);
        slot = b->slot + --b->first;
    } else {
        memmove(slot + at.slot + 1, slot + at.slot, (b->n - at.slot) * sizeof *slot);
    }
    slot[at.slot] = slot_of(c);
    b->n++;
    count_in(s, at.block, c->count, 1);
}

void list_spine_give(struct list_spine *s, uint32_t block, struct list_spine *to) {
    struct list_ref r = *list_spine_ref(s, block);
    s->elements -= r.elements;
    s->chunks -= r.block->n;
    refs_remove(s, block);
    *refs_insert(to, to->n) = r;
    to->elements += r.elements;
    to->chunks += r.block->n;
}

bool list_spine_free(struct list_spine *s, size_t most) {
    for (; s->n && most; most--) list_chunk_free(list_spine_pull(s, LIST_TAIL));
    return !s->n;
}

size_t list_spine_memory(const struct list_spine *s) {
    return (s->cap ? mem_class(s->cap * sizeof *s->refs) : 0) + s->n * mem_class(sizeof(struct list_block));
}

const char *list_spine_check(const struct list_spine *s) {
    uint64_t elements = 0, chunks = 0;
    if (s->first + s->n > s->cap) return "refs beyond their room";
    for (uint32_t i = 0; i < s->n; i++) {
        const struct list_ref *r = list_spine_ref(s, i);
        const struct list_block *b = r->block;
        uint64_t here = 0;
        if (!b->n || b->first + b->n > LIST_BLOCK) return "a block's slots";
        for (uint32_t k = 0; k < b->n; k++) {
            uint64_t slot = b->slot[b->first + k];
            if (list_slot_chunk(slot)->count != list_slot_count(slot) || !list_slot_count(slot)) return "a slot's count";
            here += list_slot_count(slot);
        }
        if (here != r->elements) return "a block's count";
        elements += here;
        chunks += b->n;
    }
    return elements != s->elements || chunks != s->chunks ? "the spine's count" : NULL;
}
