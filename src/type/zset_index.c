#include "type/zset_index.h"

#include <assert.h>
#include <string.h>

#define LOAD 12  /* words to a bucket, on the average */
#define SPARSE 7 /* below this on the average, buckets are taken away */

#define WORD sizeof(uint64_t)

static size_t row_size(uint32_t n) { return n ? zset_slots_class(n * WORD) : 0; }

static uint64_t bucket_word(uint64_t *row, uint32_t n) {
    assert(!((uintptr_t)row >> 48) && n <= UINT16_MAX);
    return (uint64_t)(uintptr_t)row | (uint64_t)n << 48;
}

/* The row with room for n words. */
static uint64_t *row_fit(struct zset_index *x, uint64_t bucket, uint32_t n) {
    size_t old = row_size(zset_index_length(bucket)), size = row_size(n);
    uint64_t *row = zset_index_row(bucket);
    if (size == old) return row;
    x->bytes += size - old;
    if (size) return mem_realloc(MEM_DATA, row, size);
    mem_free(MEM_DATA, row);
    return NULL;
}

static void bucket_put(struct zset_index *x, size_t b, uint64_t word) {
    uint64_t *slot = zset_slots_at(&x->buckets, b);
    uint32_t n = zset_index_length(*slot);
    uint64_t *row = row_fit(x, *slot, n + 1);
    row[n] = word;
    *slot = bucket_word(row, n + 1);
}

static uint64_t *word_find(const struct zset_index *x, uint64_t word) {
    uint64_t bucket = *zset_slots_at(&x->buckets, zset_index_bucket(x, (uint32_t)word));
    uint64_t *row = zset_index_row(bucket);
    for (uint32_t i = 0; i < zset_index_length(bucket); i++)
        if (row[i] == word) return &row[i];
    assert(!"every member is in the index");
    return NULL;
}

/* One bucket more: it takes over what belongs there from the one whose number has the highest bit less. */
static void split(struct zset_index *x) {
    uint32_t b = (uint32_t)x->buckets.n, mask = x->mask;
    uint64_t *slot = zset_slots_at(&x->buckets, b & mask >> 1);
    uint64_t *row = zset_index_row(*slot), *moved = NULL;
    uint32_t n = zset_index_length(*slot), stay = 0, go = 0;
    for (uint32_t i = 0; i < n; i++) go += ((uint32_t)row[i] & mask) == b;
    if (go) {
        moved = mem_alloc(MEM_DATA, row_size(go));
        x->bytes += row_size(go);
        go = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (((uint32_t)row[i] & mask) == b) moved[go++] = row[i];
            else row[stay++] = row[i];
        }
        row = row_fit(x, *slot, stay);
        *slot = bucket_word(row, stay);
    }
    zset_slots_push(&x->buckets, bucket_word(moved, go));
    if (x->buckets.n > mask) x->mask = mask << 1 | 1;
}

/* One less: what it has goes back. */
static void join(struct zset_index *x) {
    size_t b = x->buckets.n - 1;
    uint64_t last = *zset_slots_at(&x->buckets, b);
    if (b <= x->mask >> 1) x->mask >>= 1;
    uint64_t *slot = zset_slots_at(&x->buckets, b & x->mask >> 1);
    uint32_t n = zset_index_length(*slot), more = zset_index_length(last);
    if (more) {
        uint64_t *row = row_fit(x, *slot, n + more);
        memcpy(row + n, zset_index_row(last), more * WORD);
        *slot = bucket_word(row, n + more);
        x->bytes -= row_size(more);
        mem_free(MEM_DATA, zset_index_row(last));
    }
    zset_slots_pop(&x->buckets);
}

void zset_index_add(struct zset_index *x, uint64_t word) {
    if (!x->buckets.n) {
        zset_slots_push(&x->buckets, 0);
        x->mask = 1;
    }
    bucket_put(x, zset_index_bucket(x, (uint32_t)word), word);
    if (++x->count > x->buckets.n * LOAD && x->mask < UINT32_MAX) split(x);
}

void zset_index_remove(struct zset_index *x, uint64_t word) {
    uint64_t *slot = zset_slots_at(&x->buckets, zset_index_bucket(x, (uint32_t)word));
    uint32_t n = zset_index_length(*slot) - 1;
    *word_find(x, word) = zset_index_row(*slot)[n];
    uint64_t *row = row_fit(x, *slot, n);
    *slot = bucket_word(row, n);
    if (--x->count < (x->buckets.n - 1) * SPARSE) join(x);
}

void zset_index_move(struct zset_index *x, uint64_t word, uint32_t to) {
    *word_find(x, word) = zset_index_word((uint32_t)word, to);
}

uint32_t zset_index_reverse(uint32_t v) {
    v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1;
    v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2;
    v = (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(v);
}

const uint64_t *zset_index_walk(const struct zset_index *x, uint32_t cursor, uint64_t *next, uint32_t *n) {
    *next = 0;
    uint32_t hash = zset_index_reverse(cursor);
    const uint64_t *row = zset_index_find(x, hash, n);
    if (!x->buckets.n) return row;
    size_t b = zset_index_bucket(x, hash);
    /* So many low bits do the bucket's hashes share: those of the mask, or one less where that bucket was not split yet. */
    uint32_t shared = b + (x->mask >> 1) + 1 < x->buckets.n || b > x->mask >> 1 ? x->mask : x->mask >> 1;
    unsigned bits = (unsigned)__builtin_popcount(shared);
    uint64_t width = 1ull << (32 - bits), at = (cursor & ~(width - 1)) + width;
    *next = at > UINT32_MAX ? 0 : at;
    return row;
}

void zset_index_drop(struct zset_index *x) {
    uint64_t last = *zset_slots_at(&x->buckets, x->buckets.n - 1);
    if (zset_index_length(last)) mem_free(MEM_DATA, zset_index_row(last));
    zset_slots_pop(&x->buckets);
}

void zset_index_clone(struct zset_index *to, const struct zset_index *from) {
    *to = (struct zset_index){.count = from->count, .mask = from->mask, .bytes = from->bytes};
    for (size_t b = 0; b < from->buckets.n; b++) {
        uint64_t bucket = *zset_slots_at(&from->buckets, b), *row = NULL;
        uint32_t n = zset_index_length(bucket);
        if (n) row = memcpy(mem_alloc(MEM_DATA, row_size(n)), zset_index_row(bucket), n * WORD);
        zset_slots_push(&to->buckets, bucket_word(row, n));
    }
}

const char *zset_index_check(const struct zset_index *x) {
    uint64_t count = 0;
    size_t bytes = 0;
    if (x->buckets.n && (x->buckets.n > x->mask || x->buckets.n <= x->mask >> 1)) return "index: mask";
    for (size_t b = 0; b < x->buckets.n; b++) {
        uint64_t bucket = *zset_slots_at(&x->buckets, b);
        uint32_t n = zset_index_length(bucket);
        if (!n != !zset_index_row(bucket)) return "index: a row of no words";
        count += n;
        bytes += row_size(n);
        for (uint32_t i = 0; i < n; i++)
            if (zset_index_bucket(x, (uint32_t)zset_index_row(bucket)[i]) != b) return "index: in the wrong bucket";
    }
    if (count != x->count) return "index: count";
    if (bytes != x->bytes) return "index: bytes";
    return count > x->buckets.n * LOAD ? "index: too full" : NULL;
}
