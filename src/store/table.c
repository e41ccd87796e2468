#include "store/table.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

static uint64_t bit_of(uint64_t hash, unsigned depth) { return hash << STORE_SHARD_BITS << depth >> 63; }

static void counter_sub(counter *c, uint64_t n) { counter_add(c, 0 - n); }

static void table_open(struct table *t) {
    t->dir = mem_alloc(MEM_INDEX, sizeof *t->dir);
    t->dir[0] = segment_new(0, 0);
    t->depth = 0;
    t->deepest = 1;
    counter_add(&t->segments, 1);
}

/* Puts s in all places of the segment that covers `place` at depth `depth`. */
static void table_point(struct table *t, uint64_t place, unsigned depth, struct segment *s) {
    uint64_t span = 1ull << (t->depth - depth), first = place & ~(span - 1);
    for (uint64_t i = 0; i < span; i++) t->dir[first + i] = s;
}

static void table_double(struct table *t) {
    uint64_t n = 1ull << t->depth;
    t->dir = mem_realloc(MEM_INDEX, t->dir, n * 2 * sizeof *t->dir);
    for (uint64_t i = n; i-- > 0;) t->dir[2 * i] = t->dir[2 * i + 1] = t->dir[i];
    t->depth++;
    t->deepest = 0;
}

/* Places whose neighbours hold the same segment everywhere: half of them will do. */
static void table_halve(struct table *t) {
    while (t->depth && !t->deepest) {
        uint64_t n = 1ull << --t->depth;
        for (uint64_t i = 0; i < n; i++) t->dir[i] = t->dir[2 * i];
        t->dir = mem_realloc(MEM_INDEX, t->dir, n * sizeof *t->dir);
        for (uint64_t i = 0; i < n; i++) t->deepest += t->dir[i]->depth == t->depth;
    }
}

/* Splits by the next bit of the hashes, which only the keys know: they are brought nearer ahead of the loop. */
static void table_split(struct table *t, uint64_t place, uint64_t seed) {
    struct segment *s = t->dir[place];
    uint64_t slots[SEGMENT_SLOTS_MAX], ones = 0;
    uint8_t half_of[SEGMENT_SLOTS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->slots; i++)
        if (s->slot[i]) slots[n++] = s->slot[i];
    for (uint32_t i = 0; i < n; i++) {
        if (i + 8 < n) __builtin_prefetch(segment_entry(slots[i + 8]));
        struct slice key = entry_key(segment_entry(slots[i]));
        uint64_t one = bit_of(hash_bytes(key.p, key.n, seed), s->depth);
        half_of[i] = (uint8_t)one;
        ones += one;
    }
    struct segment *half[2] = {segment_new(n - ones, s->depth + 1u), segment_new(ones, s->depth + 1u)};
    uint32_t at[2] = {0, 0};
    for (uint32_t i = 0; i < n; i++) {
        unsigned h = half_of[i];
        /* A run too long for the spill of a smaller size: the tags of one half crowd at the end. */
        while (!segment_append(half[h], &at[h], slots[i])) {
            struct segment *larger = segment_larger(half[h]);
            if (!larger) abort(); /* hundreds of equal hashes under a random seed */
            segment_free(half[h]);
            half[h] = larger;
            for (at[h] = larger->slots; at[h] && !larger->slot[at[h] - 1]; at[h]--) {}
        }
    }
    for (unsigned h = 0; h < 2; h++) half[h]->earliest = half[h]->beyond = s->earliest;
    half[0]->swept = half[1]->swept = s->swept;
    unsigned depth = s->depth;
    if (depth == t->depth) {
        table_double(t);
        place *= 2;
    }
    uint64_t span = 1ull << (t->depth - depth), first = place & ~(span - 1);
    table_point(t, first, depth + 1, half[0]);
    table_point(t, first + span / 2, depth + 1, half[1]);
    if (depth + 1 == t->depth) t->deepest += 2;
    counter_add(&t->segments, 1);
    segment_free(s);
}

static void table_grow(struct table *t, uint64_t place, uint64_t seed) {
    struct segment *s = t->dir[place], *larger = segment_larger(s);
    if (larger) {
        table_point(t, place, s->depth, larger);
        segment_free(s);
    } else {
        if (s->depth == TABLE_MAX_DEPTH) abort(); /* 2^45 keys */
        table_split(t, place, seed);
    }
}

void table_insert(struct table *t, uint64_t hash, struct entry *e, uint64_t seed) {
    if (!t->dir) table_open(t);
    uint64_t slot = segment_slot(table_tag(hash), e, t->mark);
    struct segment *s = t->dir[table_place(t, hash)];
    while (segment_full(s) || !segment_insert(s, slot)) {
        table_grow(t, table_place(t, hash), seed);
        s = t->dir[table_place(t, hash)];
    }
    segment_note(s, table_tag(hash), entry_due(e));
    counter_add(&t->keys, 1);
    if (entry_deadline(e)) counter_add(&t->volatiles, 1);
}

/* -- many at a time ---------------------------------------------------------------------------------------------------------- */

#define RESERVED_EACH 860 /* of a segment on average: the largest have room for a few more than that, by chance */
#define RESERVED_DEEPEST 12

size_t table_reserved_bytes(uint64_t keys) { return (size_t)keys * 16 + 8192; }

void table_reserve(struct table *t, uint64_t keys) {
    unsigned depth = 0;
    while (depth < RESERVED_DEEPEST && keys >> depth > RESERVED_EACH) depth++;
    uint64_t n = 1ull << depth;
    t->dir = mem_alloc(MEM_INDEX, n * sizeof *t->dir);
    for (uint64_t i = 0; i < n; i++) t->dir[i] = segment_new_for(keys >> depth, depth);
    t->depth = (uint8_t)depth;
    t->deepest = (uint32_t)n;
    counter_add(&t->segments, n);
}

void table_begin(struct table *t, struct table *reserved, uint32_t swept) {
    assert(!t->dir && !counter_get(&reserved->keys));
    t->dir = reserved->dir;
    t->depth = reserved->depth;
    t->deepest = reserved->deepest;
    counter_add(&t->segments, t->deepest);
    for (uint32_t i = 0; i < t->deepest; i++) t->dir[i]->swept = swept;
    *reserved = (struct table){.dir = NULL};
}

bool table_insert_quick(struct table *t, uint64_t hash, struct entry *e, int64_t due, bool deadline) {
    uint32_t tag = table_tag(hash);
    struct segment *s = t->dir[table_place(t, hash)];
    if (segment_full(s)) return false;
    uint32_t i = segment_seek(s, tag);
    if (s->slot[i] && segment_tag(s->slot[i]) == tag) return false; /* it may be the same key */
    if (!segment_insert_at(s, i, segment_slot(tag, e, t->mark))) return false;
    segment_note(s, tag, due);
    counter_add(&t->keys, 1);
    if (deadline) counter_add(&t->volatiles, 1);
    return true;
}

/* -- changes ----------------------------------------------------------------------------------------------------------------- */

void table_changed(struct table *t, struct spot at, int64_t before) {
    const struct entry *e = segment_entry(at.segment->slot[at.i]);
    int64_t now = entry_deadline(e);
    if (now && !before) counter_add(&t->volatiles, 1);
    if (!now && before) counter_sub(&t->volatiles, 1);
    /* Who comes at the time that was noted before finds the later one. */
    if (before && now >= before && entry_type(e) != VALUE_HASH) return;
    segment_note(at.segment, segment_tag(at.segment->slot[at.i]), entry_due(e));
}

void table_replace(struct table *t, struct spot at, struct entry *e) {
    uint64_t *slot = &at.segment->slot[at.i];
    int64_t before = entry_deadline(segment_entry(*slot));
    *slot = segment_slot(segment_tag(*slot), e, t->mark);
    table_changed(t, at, before);
}

#define MERGE_BELOW 4096

/* After entries went: a smaller segment, or one with the neighbour. */
static void table_shrink(struct table *t, uint64_t place) {
    struct segment *s = t->dir[place];
    struct segment *smaller = segment_smaller(s);
    if (smaller) {
        table_point(t, place, s->depth, smaller);
        segment_free(s);
        s = smaller;
    }
    while (s->depth && segment_bytes(s) < MERGE_BELOW) { /* nearly empty for a segment that was once split off */
        uint64_t span = 1ull << (t->depth - s->depth), first = place & ~(span - 1);
        struct segment *other = t->dir[first ^ span];
        if (other->depth != s->depth || other->swept != s->swept || other->used + s->used > 400) return;
        struct segment *one = segment_merged(s, other);
        if (!one) return;
        if (s->depth == t->depth) t->deepest -= 2;
        if (one->depth == t->depth) t->deepest++;
        table_point(t, place, one->depth, one);
        segment_free(s);
        segment_free(other);
        counter_sub(&t->segments, 1);
        s = one;
        unsigned before = t->depth;
        table_halve(t);
        place >>= before - t->depth;
    }
}

bool table_settle(struct table *t, uint64_t *place, unsigned most) {
    for (; most && table_segment(t, place); most--) {
        unsigned depth = t->depth;
        if (segment_sparse(t->dir[*place])) table_shrink(t, *place);
        *place >>= depth - t->depth;
        table_segment(t, place); /* it may be one with those before it now */
        *place = table_next(t, *place);
    }
    return table_segment(t, place);
}

void table_remove(struct table *t, uint64_t hash, struct spot at) {
    struct entry *e = segment_entry(at.segment->slot[at.i]);
    if (entry_deadline(e)) counter_sub(&t->volatiles, 1);
    segment_remove(at.segment, at.i);
    counter_sub(&t->keys, 1);
    if (__builtin_expect(segment_sparse(at.segment), 0)) table_shrink(t, table_place(t, hash));
}

size_t table_room(const struct table *t, uint64_t hash) {
    if (!t->dir) return 256;
    const struct segment *s = t->dir[table_place(t, hash)];
    if (!segment_full(s)) return 0; /* a crowded run may still force growth: store_fits keeps a reserve for that */
    return segment_bytes_next(s) + (s->depth == t->depth ? sizeof *t->dir << (t->depth + 1) : 0);
}

struct sifting {
    struct table *t;
    segment_keep *keep;
    void *arg;
};

static struct entry *sift_one(void *arg, struct entry *e, uint32_t tag) {
    struct sifting *s = arg;
    bool deadline = entry_deadline(e) != 0;
    struct entry *kept = s->keep(s->arg, e, tag);
    if (!kept && deadline) counter_sub(&s->t->volatiles, 1);
    return kept;
}

static size_t sifted(struct table *t, uint64_t place, size_t gone) {
    counter_sub(&t->keys, gone);
    if (segment_sparse(t->dir[place])) table_shrink(t, place);
    return gone;
}

size_t table_sift(struct table *t, uint64_t place, segment_keep *keep, void *arg, const struct table_due *due) {
    struct sifting s = {t, keep, arg};
    size_t gone = segment_sift(t->dir[place], sift_one, &s);
    if (due) segment_schedule(t->dir[place], due->sheet, due->beyond);
    return sifted(t, place, gone);
}

size_t table_sift_due(struct table *t, uint64_t place, int64_t now, segment_keep *keep, void *arg) {
    struct sifting s = {t, keep, arg};
    uint16_t tag[AGENDA_ROOM_MAX];
    unsigned n = segment_take_due(t->dir[place], now, tag);
    return sifted(t, place, segment_sift_tags(t->dir[place], tag, n, sift_one, &s));
}

void table_clear(struct table *t) {
    if (!t->dir) return;
    for (uint64_t place = 0, next; !(place >> t->depth); place = next) {
        next = table_next(t, place);
        segment_free(t->dir[place]);
    }
    mem_free(MEM_INDEX, t->dir);
    *t = (struct table){.mark = t->mark};
}

size_t table_bytes(const struct table *t) {
    if (!t->dir) return 0;
    size_t sum = sizeof *t->dir << t->depth;
    for (uint64_t place = 0; !(place >> t->depth); place = table_next(t, place)) sum += segment_bytes(t->dir[place]);
    return sum;
}

static const char *check_entries(const struct segment *s, unsigned shard, uint64_t prefix, uint64_t seed, uint64_t *volatiles) {
    for (uint32_t i = 0; i < s->slots; i++) {
        if (!s->slot[i]) continue;
        struct slice key = entry_key(segment_entry(s->slot[i]));
        uint64_t h = hash_bytes(key.p, key.n, seed);
        if (store_shard_of(h) != shard) return "a key is in a shard that is not its own";
        if (s->depth && h << STORE_SHARD_BITS >> (64 - s->depth) != prefix) return "a key is in a segment that is not its own";
        if (table_tag(h) != segment_tag(s->slot[i])) return "a tag is not its key's";
        *volatiles += entry_deadline(segment_entry(s->slot[i])) != 0;
    }
    return NULL;
}

const char *table_check(const struct table *t, unsigned shard, uint64_t seed) {
    uint64_t keys = 0, volatiles = 0, segments = 0, deepest = 0;
    if (!t->dir) return counter_get(&t->keys) ? "keys without a directory" : NULL;
    for (uint64_t place = 0; !(place >> t->depth); place = table_next(t, place)) {
        const struct segment *s = t->dir[place];
        if (s->depth > t->depth) return "a segment is deeper than the directory";
        uint64_t span = 1ull << (t->depth - s->depth);
        if (place & (span - 1)) return "a segment begins at a place that is not its own";
        for (uint64_t i = 0; i < span; i++)
            if (t->dir[place + i] != s) return "a segment does not stand in all its places";
        const char *wrong = segment_check(s);
        if (!wrong) wrong = check_entries(s, shard, place >> (t->depth - s->depth), seed, &volatiles);
        if (wrong) return wrong;
        keys += s->used;
        segments++;
        deepest += s->depth == t->depth;
    }
    if (keys != counter_get(&t->keys)) return "the count of keys is wrong";
    if (volatiles != counter_get(&t->volatiles)) return "the count of keys with a deadline is wrong";
    if (segments != counter_get(&t->segments)) return "the count of segments is wrong";
    return deepest == t->deepest ? NULL : "the count of deepest segments is wrong";
}
