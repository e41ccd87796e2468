#include "l1/near_inside.h"

#include <stdlib.h>

/* Full enough to spend about 11 bytes of slots on an entry, empty enough that most lookups read one line. */
#define FULL(slots) ((slots) - (slots) / 8)
#define GROWN(lines) ((lines) + (lines) / 8 + 1)
#define PASSED_MAX 255 /* a line that so many passed is never again thought to have been passed by none */

struct near_table *near_table_new(uint32_t lines) {
    struct near_table *t = NULL;
    size_t n = sizeof *t + (size_t)lines * sizeof t->line[0];
    if (posix_memalign((void **)&t, 64, n)) return NULL;
    memset((void *)t, 0, n);
    t->lines = lines;
    return t;
}

static inline uint32_t line_of(const struct near_table *t, uint32_t bits) { return (uint32_t)((uint64_t)bits * t->lines >> 32); }

struct wanted {
    struct near *s;
    struct slice key;
    uint8_t mask, flags;
};
typedef bool near_table_is(const struct wanted *w, const struct near_entry *e, uint32_t bits);

static inline __attribute__((always_inline)) struct near_place search(
    struct near_table *t, uint32_t bits, near_table_is *is, const struct wanted *w) {
    uint32_t at = line_of(t, bits);
    for (uint32_t tries = t->lines; tries; tries--) {
        struct near_line *line = &t->line[at];
        uint64_t tags = atomic_load_explicit(&line->tags, memory_order_relaxed);
        for (uint64_t same = near_candidates(tags, bits); same; same &= same - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(same) / 8;
            uint64_t v = atomic_load_explicit(&line->slot[slot], memory_order_relaxed);
            struct near_entry *e = near_slot_entry(v);
            if (e && v >> 48 == (bits & 0xffff) && is(w, e, bits)) return (struct near_place){line, slot, e};
        }
        if (!(tags >> 56)) break;
        if (++at == t->lines) at = 0;
    }
    return (struct near_place){.line = NULL};
}

static bool has_key(const struct wanted *w, const struct near_entry *e, uint32_t bits) {
    (void)bits;
    return slice_equal(near_key(e), w->key);
}

static bool has_flags(const struct wanted *w, const struct near_entry *e, uint32_t bits) {
    return (near_flags(e) & w->mask) == w->flags && near_bits(near_hash(w->s, near_key(e))) == bits;
}

struct near_place near_table_find(struct near_table *t, uint32_t bits, struct slice key) {
    return search(t, bits, has_key, &(struct wanted){.key = key});
}

struct near_place near_table_flagged(struct near *s, struct near_table *t, uint32_t bits, uint8_t mask, uint8_t flags) {
    return search(t, bits, has_flags, &(struct wanted){.s = s, .mask = mask, .flags = flags});
}

static void tags_set(struct near_line *line, uint64_t tags) { atomic_store_explicit(&line->tags, tags, memory_order_release); }

/* The slot before its tag: a reader that sees the tag sees the entry. */
void near_table_add(struct near_table *t, uint32_t bits, const struct near_entry *e) {
    uint64_t tag = bits & 0xff;
    tag += !tag;
    for (uint32_t at = line_of(t, bits);;) {
        struct near_line *line = &t->line[at];
        uint64_t tags = atomic_load_explicit(&line->tags, memory_order_relaxed);
        for (unsigned i = 0; i < NEAR_LINE; i++) {
            if (tags >> (i * 8) & 0xff) continue;
            atomic_store_explicit(&line->slot[i], near_slot(bits, e), memory_order_release);
            tags_set(line, tags | tag << (i * 8));
            t->used++;
            return;
        }
        if (tags >> 56 != PASSED_MAX) tags_set(line, tags + (UINT64_C(1) << 56));
        if (++at == t->lines) at = 0;
    }
}

void near_table_remove(struct near_table *t, uint32_t bits, const struct near_place *place) {
    struct near_line *line = place->line;
    tags_set(line, atomic_load_explicit(&line->tags, memory_order_relaxed) & ~(UINT64_C(0xff) << (place->slot * 8)));
    atomic_store_explicit(&line->slot[place->slot], 0, memory_order_release);
    t->used--;
    for (uint32_t at = line_of(t, bits); &t->line[at] != line;) {
        uint64_t tags = atomic_load_explicit(&t->line[at].tags, memory_order_relaxed);
        if (tags >> 56 != PASSED_MAX) tags_set(&t->line[at], tags - (UINT64_C(1) << 56));
        if (++at == t->lines) at = 0;
    }
}

static void fetch(const struct near_line *line) {
    for (unsigned i = 0; i < NEAR_LINE; i++)
        __builtin_prefetch(near_slot_entry(atomic_load_explicit((_Atomic uint64_t *)&line->slot[i], memory_order_relaxed)));
}

void near_table_publish(struct near *s, struct near_shard *h, struct near_table *t) {
    h->table = t;
    atomic_store_explicit(&s->view[h - s->shard], near_view(t), memory_order_release);
}

static bool rebuild(struct near *s, struct near_shard *h, uint32_t lines) {
    struct near_table *from = h->table, *to = lines <= NEAR_LINES_MAX ? near_table_new(lines) : NULL;
    if (!to) return false;
    for (uint32_t at = 0; at < from->lines; at++) {
        if (at + 1 < from->lines) fetch(&from->line[at + 1]);
        for (unsigned i = 0; i < NEAR_LINE; i++) {
            struct near_entry *e = near_slot_entry(atomic_load_explicit(&from->line[at].slot[i], memory_order_relaxed));
            if (e) near_table_add(to, near_bits(near_hash(s, near_key(e))), e);
        }
    }
    near_table_publish(s, h, to);
    near_reclaim_later(s, h, from, from->lines * sizeof from->line[0]);
    near_reclaim(s, h); /* at once: of tables that wait some would be as large as all the entries */
    return true;
}

bool near_table_room(struct near *s, struct near_shard *h) {
    struct near_table *t = h->table;
    uint32_t slots = t->lines * NEAR_LINE;
    if (t->used >= FULL(slots)) return rebuild(s, h, GROWN(t->lines)) || t->used + 1 < slots;
    if (t->lines > 8 && t->used < slots / 4) rebuild(s, h, t->used / 4 + 1); /* it was larger once; no memory: it stays so */
    return true;
}
