#include "snapshot/native.h"

#include "base/hash.h"

#include <lz4.h>

#define SAVES 16  /* a block is compressed where that saves a sixteenth */
#define TAIL_MAGIC "LARDTAIL"
#define BLOCK_MAGIC 0x4b4c424cu /* "LBLK" */
#define LZ4_RATIO 255

static void put(uint8_t *p, uint64_t v, int n) {
    for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> 8 * i);
}
static uint64_t get(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

uint64_t native_sum(const void *p, size_t n) { return hash_bytes(p, n, 0); }

static void seal(uint8_t *p, size_t n) { put(p + n - 8, native_sum(p, n - 8), 8); }
static bool sealed(const uint8_t *p, size_t n) { return get(p + n - 8, 8) == native_sum(p, n - 8); }

void native_put_head(uint8_t out[NATIVE_HEAD], const struct native_head *h) {
    memset(out, 0, NATIVE_HEAD);
    memcpy(out, NATIVE_MAGIC, 8);
    put(out + 8, h->major, 2);
    put(out + 10, h->minor, 2);
    put(out + 12, NATIVE_HEAD, 4);
    put(out + 16, (uint64_t)h->now, 8);
    put(out + 24, h->used_memory, 8);
    seal(out, NATIVE_HEAD);
}

/* The version is looked at first: what else the head of a newer one has, nobody knows. */
enum native_status native_get_head(const uint8_t in[NATIVE_HEAD], struct native_head *h) {
    if (memcmp(in, NATIVE_MAGIC, 8) != 0) return NATIVE_BAD;
    *h = (struct native_head){.major = (unsigned)get(in + 8, 2), .minor = (unsigned)get(in + 10, 2), .now = (int64_t)get(in + 16, 8),
        .used_memory = get(in + 24, 8)};
    if (h->major > NATIVE_MAJOR) return NATIVE_NEWER;
    return sealed(in, NATIVE_HEAD) && get(in + 12, 4) == NATIVE_HEAD ? NATIVE_OK : NATIVE_BAD;
}

void native_put_block(uint8_t out[NATIVE_BLOCK], struct native_block *b, const void *stored) {
    b->sum = native_sum(stored, b->stored);
    put(out, BLOCK_MAGIC, 4);
    out[4] = b->kind;
    out[5] = b->codec;
    out[6] = b->heat;
    out[7] = b->flags;
    put(out + 8, b->records, 4);
    put(out + 12, b->stored, 4);
    put(out + 16, b->plain, 4);
    put(out + 20, b->piece, 4);
    put(out + 24, b->chain, 8);
    put(out + 32, b->sum, 8);
    seal(out, NATIVE_BLOCK);
}

enum native_status native_get_block(const uint8_t in[NATIVE_BLOCK], struct native_block *b) {
    if (get(in, 4) != BLOCK_MAGIC || !sealed(in, NATIVE_BLOCK)) return NATIVE_BAD;
    uint64_t offset = b->offset;
    *b = (struct native_block){.offset = offset, .kind = in[4], .codec = in[5], .heat = in[6], .flags = in[7],
        .records = (uint32_t)get(in + 8, 4), .stored = (uint32_t)get(in + 12, 4), .plain = (uint32_t)get(in + 16, 4),
        .piece = (uint32_t)get(in + 20, 4), .chain = get(in + 24, 8), .sum = get(in + 32, 8)};
    return NATIVE_OK;
}

void native_put_entry(uint8_t out[NATIVE_ENTRY], const struct native_block *b) {
    put(out, b->offset, 8);
    put(out + 8, b->stored, 4);
    put(out + 12, b->records, 4);
    out[16] = b->kind;
    out[17] = b->heat;
    out[18] = b->flags;
    out[19] = 0;
    put(out + 20, b->piece, 4);
    put(out + 24, b->chain, 8);
}

void native_get_entry(const uint8_t in[NATIVE_ENTRY], struct native_block *b) {
    *b = (struct native_block){.offset = get(in, 8), .stored = (uint32_t)get(in + 8, 4), .records = (uint32_t)get(in + 12, 4),
        .kind = in[16], .heat = in[17], .flags = in[18], .piece = (uint32_t)get(in + 20, 4), .chain = get(in + 24, 8)};
}

void native_put_tail(uint8_t out[NATIVE_TAIL], const struct native_tail *t) {
    memset(out, 0, NATIVE_TAIL);
    memcpy(out, TAIL_MAGIC, 8);
    put(out + 8, t->index, 8);
    put(out + 16, t->indexes, 4);
    put(out + 24, t->blocks, 8);
    put(out + 32, t->records, 8);
    put(out + 40, t->size, 8);
    seal(out, NATIVE_TAIL);
}

enum native_status native_get_tail(const uint8_t in[NATIVE_TAIL], struct native_tail *t) {
    if (memcmp(in, TAIL_MAGIC, 8) != 0 || !sealed(in, NATIVE_TAIL)) return NATIVE_BAD;
    *t = (struct native_tail){.index = get(in + 8, 8), .indexes = (uint32_t)get(in + 16, 4), .blocks = get(in + 24, 8),
        .records = get(in + 32, 8), .size = get(in + 40, 8)};
    return NATIVE_OK;
}

struct slice native_press(const void *p, size_t n, bool compress, struct buf *scratch, uint8_t *codec) {
    *codec = NATIVE_PLAIN;
    struct slice as_it_is = {p, n};
    size_t most = n - n / SAVES;
    if (!compress || n < 64) return as_it_is;
    scratch->n = 0;
    int packed = LZ4_compress_default(p, buf_room(scratch, most), (int)n, (int)most);
    if (packed <= 0) return as_it_is;
    *codec = NATIVE_LZ4;
    return (struct slice){scratch->p, (size_t)packed};
}

static bool unpack(const void *p, size_t n, void *out, size_t original) {
    return n <= INT32_MAX && original <= INT32_MAX && LZ4_decompress_safe(p, out, (int)n, (int)original) == (int)original;
}

enum native_status native_open(const struct native_block *b, const void *stored, struct buf *space, struct slice *out) {
    if (b->stored > NATIVE_BLOCK_MOST || b->plain > NATIVE_BLOCK_MOST || native_sum(stored, b->stored) != b->sum) return NATIVE_BAD;
    if (b->codec == NATIVE_PLAIN) {
        *out = (struct slice){stored, b->stored};
        return b->plain == b->stored ? NATIVE_OK : NATIVE_BAD;
    }
    if (b->codec != NATIVE_LZ4 || b->plain / LZ4_RATIO > b->stored) return NATIVE_BAD;
    space->n = 0;
    *out = (struct slice){buf_room(space, b->plain), b->plain};
    return unpack(stored, b->stored, space->p, b->plain) ? NATIVE_OK : NATIVE_BAD;
}
