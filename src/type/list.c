#include "type/list.h"

#include "type/list_large.h"
#include "type/list_sift.h"

#include <assert.h>

#define PACKED_MAX 1024 /* longer ones are objects: a push at the head moves all bytes */
#define FOLD 384        /* an object that has no more becomes packed again */
#define LISTPACK 7      /* what Redis's listpack has besides its entries */

static inline uint32_t packed_count(const struct home *h) { return h->n ? h->p[0] | (uint32_t)h->p[1] << 8 : 0; }
static inline void packed_count_add(struct home *h, int n) {
    uint32_t count = packed_count(h) + (uint32_t)n;
    h->p[0] = (uint8_t)count;
    h->p[1] = (uint8_t)(count >> 8);
}

size_t list_count(const struct home *h) {
    return h->object ? ((const struct list *)h->object)->count : packed_count(h);
}

/* -- encodings as Redis reports them ------------------------------------------------------------------------- */

/* list-max-listpack-size: a number of elements, or -1 .. -5 for 4 .. 64 kilobytes. */
struct bound {
    size_t bytes, elements;
};
static struct bound bound_of(const struct home *h) {
    int64_t fill = option_get(&h->limits->list_size);
    if (fill >= 0) return (struct bound){SIZE_MAX, fill ? (size_t)fill : 1};
    return (struct bound){(size_t)4096 << (fill < -5 ? 4 : -fill - 1), SIZE_MAX};
}

size_t list_bytes(const struct home *h) {
    if (h->object) return ((const struct list *)h->object)->bytes;
    return h->n ? h->n - LIST_PACKED_HEAD : 0;
}

static bool is_quick(const struct home *h) {
    return h->object ? ((const struct list *)h->object)->quick : h->form == VALUE_PACKED_ALT;
}
static void set_quick(struct home *h, bool quick) {
    if (h->object) ((struct list *)h->object)->quick = quick;
    else h->form = quick ? VALUE_PACKED_ALT : VALUE_PACKED;
}

#define SAFE 8192 /* bytes that a listpack may have where only its elements are limited */

void list_growing(struct home *h, size_t bytes, size_t elements) {
    if (is_quick(h)) return;
    struct bound b = bound_of(h);
    size_t sum = list_bytes(h) + LISTPACK + bytes;
    bool over = b.elements == SIZE_MAX ? sum > b.bytes : sum > SAFE || list_count(h) + elements > b.elements;
    if (over) set_quick(h, true);
}

/* An object that is short now lies in the entry again. */
static void fold(struct home *h, struct list *l) {
    uint32_t count = (uint32_t)l->count;
    h->object = NULL;
    h->form = l->quick ? VALUE_PACKED_ALT : VALUE_PACKED;
    h->n = 0;
    home_grow(h, LIST_PACKED_HEAD + l->bytes);
    uint8_t *p = h->p + LIST_PACKED_HEAD;
    for (int end = 0; end < 2; end++) {
        struct list_chunk *c = l->end[end];
        if (!c || !c->count) continue;
        memcpy(p, list_chunk_from(c), c->n);
        p += c->n;
    }
    h->n = LIST_PACKED_HEAD + l->bytes;
    assert(p == h->p + h->n);
    h->p[0] = (uint8_t)count;
    h->p[1] = (uint8_t)(count >> 8);
    if (value_release(l)) list_large_free(l, SIZE_MAX);
}

void list_shrunk(struct home *h) {
    struct list *l = h->object;
    if (l ? l->quick : h->form == VALUE_PACKED_ALT) {
        struct bound b = bound_of(h);
        if (list_bytes(h) + LISTPACK <= b.bytes / 2 && list_count(h) <= b.elements / 2) set_quick(h, false);
    }
    if (!l || l->spine.n || !l->count) return;
    if (l->bytes <= FOLD) fold(h, l);
    else list_large_tidy(l);
}

/* -- ends ---------------------------------------------------------------------------------------------------- */

static uint8_t *packed_open(struct home *h, size_t at, size_t size) {
    if (!h->n) {
        home_grow(h, LIST_PACKED_HEAD + size);
        h->n = LIST_PACKED_HEAD;
        h->p[0] = h->p[1] = 0;
    }
    packed_count_add(h, 1);
    return home_insert(h, at, size);
}

static bool packed_has_room(const struct home *h, const struct list_word *w) {
    return (h->n ? h->n : LIST_PACKED_HEAD) + w->size <= PACKED_MAX;
}

static struct list *become_large(struct home *h, enum list_end end) {
    struct list *l = list_large_new(h->limits);
    l->quick = h->form == VALUE_PACKED_ALT;
    if (h->n > LIST_PACKED_HEAD) list_large_take(l, end, h->p + LIST_PACKED_HEAD, h->n - LIST_PACKED_HEAD, packed_count(h));
    home_become(h, l);
    return l;
}

void list_push(struct home *h, enum list_end end, struct slice element) {
    struct list_word w;
    list_word_make(&w, element);
    struct list *l = h->object;
    if (!l) {
        if (packed_has_room(h, &w)) {
            list_word_put(&w, packed_open(h, end == LIST_HEAD || !h->n ? LIST_PACKED_HEAD : h->n, w.size));
            return;
        }
        l = become_large(h, end);
    }
    list_large_push(l, end, &w);
}

static uint8_t *packed_end(const struct home *h, enum list_end end) {
    return end == LIST_HEAD ? h->p + LIST_PACKED_HEAD : h->p + h->n - list_pack_size_before(h->p + h->n);
}

struct slice list_peek(struct home *h, enum list_end end, char digits[NUM_I64_MAX]) {
    if (!h->object) return list_pack_text(packed_end(h, end), digits);
    return list_pack_text(list_chunk_at(list_large_end(h->object, end), end), digits);
}

void list_drop(struct home *h, enum list_end end) {
    struct list *l = h->object;
    if (!l) {
        uint8_t *p = packed_end(h, end);
        packed_count_add(h, -1);
        home_remove(h, (size_t)(p - h->p), end == LIST_HEAD ? list_pack_size(p) : (size_t)(h->p + h->n - p));
        return;
    }
    list_large_drop(l, end);
}

/* -- the middle ---------------------------------------------------------------------------------------------- */

static size_t packed_seek(const struct home *h, uint64_t rank) {
    return LIST_PACKED_HEAD + list_chunk_seek(h->p + LIST_PACKED_HEAD, h->p + h->n, packed_count(h), (uint32_t)rank);
}

void list_set(struct home *h, uint64_t rank, struct slice element) {
    struct list_word w;
    list_word_make(&w, element);
    if (!h->object) {
        size_t at = packed_seek(h, rank), old = list_pack_size(h->p + at);
        if (h->n - old + w.size <= PACKED_MAX) {
            list_word_put(&w, home_resize_part(h, at, old, w.size));
            return;
        }
        become_large(h, LIST_TAIL);
    }
    list_large_set(h->object, rank, &w);
}

void list_insert(struct home *h, uint64_t rank, struct slice element) {
    if (!rank || rank == list_count(h)) {
        list_push(h, rank ? LIST_TAIL : LIST_HEAD, element);
        return;
    }
    struct list_word w;
    list_word_make(&w, element);
    if (!h->object) {
        if (packed_has_room(h, &w)) {
            list_word_put(&w, packed_open(h, packed_seek(h, rank), w.size));
            return;
        }
        become_large(h, LIST_TAIL);
    }
    list_large_insert(h->object, rank, &w);
}

void *list_cut(struct home *h, uint64_t rank, uint64_t n) {
    struct list *l = h->object;
    if (!n) return NULL;
    if (!l) {
        size_t at = packed_seek(h, rank), end = packed_seek(h, rank + n);
        packed_count_add(h, -(int)n);
        home_remove(h, at, end - at);
        return NULL;
    }
    struct list *to = n > LIST_CUT_MUCH ? list_large_new(h->limits) : NULL;
    if (n <= LIST_CUT_MUCH || n <= l->count / 2) {
        list_large_cut(l, rank, n, to);
        return to;
    }
    uint64_t rest = l->count - rank - n; /* it is less work to move what stays */
    to->quick = l->quick;
    list_large_cut(l, 0, rank, to);
    list_large_cut(l, n, rest, to);
    list_large_swap(l, to);
    return to;
}

static size_t packed_remove(struct home *h, const struct list_needle *needle, enum list_end end, size_t most) {
    size_t went = 0, at = end == LIST_HEAD ? LIST_PACKED_HEAD : h->n;
    while (went < most && (end == LIST_HEAD ? at < h->n : at > LIST_PACKED_HEAD)) {
        if (end == LIST_TAIL) at -= list_pack_size_before(h->p + at);
        size_t size = list_pack_size(h->p + at);
        if (list_needle_at(needle, h->p + at, h->p + h->n)) {
            home_remove(h, at, size);
            went++;
        } else if (end == LIST_HEAD) {
            at += size;
        }
    }
    if (went) packed_count_add(h, -(int)went);
    return went;
}

size_t list_remove(struct home *h, const struct list_needle *needle, enum list_end end, size_t most) {
    if (!h->object) return packed_remove(h, needle, end, most);
    struct list_sift *s = list_sift_new(h, needle, end, most);
    while (list_sift_on(s)) {}
    size_t went = list_sift_found(s);
    list_sift_put(s, h);
    struct list *rest = list_sift_free(s);
    if (rest) list_large_free(rest, SIZE_MAX);
    return went;
}

/* -- as a value ---------------------------------------------------------------------------------------------- */

static const char *list_encoding(const struct home *h) { return is_quick(h) ? "quicklist" : "listpack"; }
static size_t list_memory(const void *object) { return list_large_memory(object); }
static size_t list_effort(const void *object) { return ((const struct list *)object)->spine.chunks + 3; }
static bool list_free(void *object, size_t most) { return list_large_free(object, most); }
static void *list_clone(const void *object) { return list_large_clone(object); }

const struct value_ops *list_ops(void) {
    static const struct value_ops ops = {.encoding = list_encoding,
        .count = list_count,
        .memory = list_memory,
        .effort = list_effort,
        .free = list_free,
        .clone = list_clone};
    return &ops;
}

/* -- invariants ---------------------------------------------------------------------------------------------- */

/* Do entries lie from p to `to`, as many as told, each in its shortest form? */
static const char *check_entries(const uint8_t *p, const uint8_t *to, uint64_t count) {
    uint64_t seen = 0;
    for (; p < to; seen++) {
        char digits[NUM_I64_MAX];
        struct list_word w;
        size_t size = list_pack_size(p);
        if (size > (size_t)(to - p)) return "an entry beyond the end";
        if (list_pack_size_before(p + size) != size) return "an entry's length behind it";
        list_word_make(&w, list_pack_text(p, digits));
        if (w.size != size || memcmp(w.head, p, w.n)) return "an entry not in its shortest form";
        p += size;
    }
    return p != to || seen != count ? "a count" : NULL;
}

static const char *check_chunk(const struct list_chunk *c, struct list *sum) {
    uint8_t scratch[LIST_CHUNK_FULL];
    const uint8_t *p = list_chunk_read(c, scratch);
    if (c->off + c->n > c->cap || (c->plain && c->off)) return "a chunk's room";
    if (c->cap < LIST_CHUNK_FULL && c->cap + sizeof *c != mem_class(c->cap + sizeof *c)) return "a chunk's class";
    if (c->cap > LIST_CHUNK_FULL && c->n != c->cap) return "the room of a long element's chunk";
    if (list_chunk_bytes(c) > LIST_CHUNK_FULL && c->count > 1) return "a chunk too long";
    sum->count += c->count;
    sum->bytes += list_chunk_bytes(c);
    sum->memory += list_chunk_memory(c);
    return check_entries(p, p + list_chunk_bytes(c), c->count);
}

static const char *check_large(const struct list *l) {
    struct list sum = {.count = 0};
    const char *wrong = list_spine_check(&l->spine);
    for (int end = 0; end < 2 && !wrong; end++) {
        if (l->end[end] && l->end[end]->plain) return "an end that is compressed";
        if (l->end[end]) wrong = check_chunk(l->end[end], &sum);
    }
    if (!wrong && l->spine.n) {
        struct list_place at = list_spine_end(&l->spine, LIST_HEAD);
        do wrong = check_chunk(list_spine_chunk(&l->spine, at), &sum);
        while (!wrong && list_spine_step(&l->spine, &at, LIST_TAIL));
    }
    if (wrong) return wrong;
    return sum.count != l->count || sum.bytes != l->bytes || sum.memory != l->memory ? "the list's sums" : NULL;
}

const char *list_check(const struct home *h) {
    if (h->object) return h->form != VALUE_OBJECT ? "the form" : check_large(h->object);
    if (!h->n) return NULL;
    if (h->n < LIST_PACKED_HEAD || h->n > h->room || h->n > PACKED_MAX) return "packed bytes";
    return check_entries(h->p + LIST_PACKED_HEAD, h->p + h->n, packed_count(h));
}
