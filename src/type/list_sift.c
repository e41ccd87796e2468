#include "type/list_sift.h"

#include "type/list_large.h"

#include <assert.h>

/* A chunk that loses elements. */
struct sifted {
    struct list_spot spot;
    struct list_chunk *made; /* NULL: it loses all */
    size_t bytes;            /* what goes */
};

struct list_sift {
    const struct list *list;
    struct list_needle needle;
    enum list_end end;
    uint64_t most, found;
    struct list_spot spot; /* looked at next */
    bool over;
    struct sifted *sifted;
    size_t n, cap;
    struct list *was;
    uint8_t scratch[LIST_CHUNK_FULL];
};

struct list_sift *list_sift_new(const struct home *h, const struct list_needle *needle, enum list_end end, uint64_t most) {
    struct list_sift *s = mem_alloc(MEM_CLIENT, sizeof *s);
    const struct list *l = h->object;
    *s = (struct list_sift){.list = l, .needle = *needle, .end = end, .most = most};
    uint64_t rank = end == LIST_HEAD ? 0 : l->count - 1;
    assert(l->count);
    s->spot = list_large_find(l, &rank);
    s->was = list_large_new(h->limits);
    return s;
}

uint64_t list_sift_found(const struct list_sift *s) { return s->found; }

static void note(struct list_sift *s, struct list_chunk *made, size_t bytes) {
    if (s->n == s->cap) {
        s->cap = s->cap * 2 + 8;
        s->sifted = mem_realloc(MEM_CLIENT, s->sifted, s->cap * sizeof *s->sifted);
    }
    s->sifted[s->n++] = (struct sifted){s->spot, made, bytes};
}

/* Copies the chunk's entries without those matches that go: `goes` of them, after the first `spared`. */
static void sift_chunk(struct list_sift *s, const struct list_chunk *c, const uint8_t *p, uint32_t spared, uint32_t goes) {
    const uint8_t *to = p + list_chunk_bytes(c);
    size_t core = s->needle.n + s->needle.text.n, bytes = (core + list_pack_back(core)) * goes;
    if (goes == c->count) {
        note(s, NULL, bytes);
        return;
    }
    struct list_chunk *made = list_chunk_new(list_chunk_bytes(c) - bytes, LIST_TAIL);
    uint8_t *out = made->data;
    made->count = c->count - goes;
    for (size_t size; p < to; p += size) {
        size = list_pack_size(p);
        if (goes && list_needle_at(&s->needle, p, to)) {
            if (!spared) {
                goes--;
                continue;
            }
            spared--;
        }
        memcpy(out, p, size);
        out += size;
    }
    made->n = (size_t)(out - made->data);
    assert(made->n == list_chunk_bytes(c) - bytes);
    note(s, c->plain ? list_chunk_pack(made) : made, bytes);
}

static void look(struct list_sift *s) {
    const struct list_chunk *c = list_large_chunk(s->list, s->spot);
    const uint8_t *from = list_chunk_read(c, s->scratch), *to = from + list_chunk_bytes(c);
    uint32_t matches = 0;
    for (const uint8_t *p = from; p < to; p += list_pack_size(p)) matches += list_needle_at(&s->needle, p, to);
    if (!matches) return;
    uint64_t left = s->most - s->found;
    uint32_t goes = matches < left ? matches : (uint32_t)left;
    sift_chunk(s, c, from, s->end == LIST_TAIL ? matches - goes : 0, goes);
    s->found += goes;
}

bool list_sift_on(struct list_sift *s) {
    if (s->over || s->found == s->most) return false;
    look(s);
    s->over = !list_large_step(s->list, &s->spot, !s->end);
    return !s->over && s->found < s->most;
}

static const struct sifted *nth_from_tail(const struct list_sift *s, size_t i) {
    return &s->sifted[s->end == LIST_TAIL ? i : s->n - 1 - i];
}

#define AHEAD 8 /* chunks whose heads are fetched while others are put in their places */

void list_sift_put(struct list_sift *s, struct home *h) {
    struct list *l = h->object;
    assert(l == s->list);
    list_large_cool(l);
    for (size_t i = 0; i < s->n; i++) { /* from the tail on: a slot that goes moves only those behind it */
        if (i + AHEAD < s->n) {
            const struct sifted *soon = nth_from_tail(s, i + AHEAD);
            __builtin_prefetch(list_large_chunk(l, soon->spot));
            __builtin_prefetch(soon->made);
        }
        const struct sifted *one = nth_from_tail(s, i);
        struct list_chunk *c = list_large_chunk(l, one->spot);
        list_large_replace(l, one->spot, one->made, -(int64_t)one->bytes);
        list_large_append(s->was, c, list_chunk_bytes(c));
    }
    s->n = 0;
}

void *list_sift_free(struct list_sift *s) {
    struct list *was = s->was;
    for (size_t i = 0; i < s->n; i++)
        if (s->sifted[i].made) list_chunk_free(s->sifted[i].made);
    mem_free(MEM_CLIENT, s->sifted);
    mem_free(MEM_CLIENT, s);
    if (was->count) return was;
    list_large_free(was, 1);
    return NULL;
}
