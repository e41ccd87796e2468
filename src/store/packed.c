#include "store/packed.h"

#include "base/thread.h"

#include <assert.h>
#include <lz4.h>

#define AS_IT_WAS 0x80000000u
#define TRY_FROM 16384 /* of what is longer, the first bytes are tried alone */
#define TRY 4096
#define TRY_DOUBTFUL 512
#define LOOK_EVERY 4 /* blocks: does it pay so far? */

struct packer {
    LZ4_stream_t lz4;
    char space[PACKED_BLOCK];
};

static size_t blocks_of(size_t length) { return length > PACKED_BLOCK ? (length + PACKED_BLOCK - 1) / PACKED_BLOCK : 0; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static uint32_t word_at(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static void word_put(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* Seven eighths. */
static size_t most_of(size_t plain) { return plain - plain / 8; }

/* -- reading --------------------------------------------------------------------------------------------------------------- */

/* The table of a string of several blocks. */
static const uint8_t *table_of(struct slice stored) {
    const uint8_t *p = (const uint8_t *)stored.p;
    varint_get(&p);
    return p;
}

static const uint8_t *end_of(struct slice stored) { return (const uint8_t *)stored.p + stored.n; }

/* Bytes that a block takes, and whether they are as they were. The only block of a short string is all that is left. */
static size_t block_size(struct slice stored, size_t length, size_t block, const uint8_t *at, bool *as_it_was) {
    uint32_t v = length > PACKED_BLOCK ? word_at(table_of(stored) + 4 * block) : (uint32_t)(end_of(stored) - at);
    *as_it_was = v & AS_IT_WAS;
    return v & ~AS_IT_WAS;
}

/* Plain bytes of a block. */
static size_t block_length(size_t length, size_t block) { return least(length - block * PACKED_BLOCK, PACKED_BLOCK); }

static bool block_sound(struct slice stored, size_t length, size_t block, const uint8_t *at, char *space) {
    bool as_it_was;
    size_t n = block_size(stored, length, block, at, &as_it_was), plain = block_length(length, block);
    if (n > (size_t)(end_of(stored) - at)) return false;
    if (as_it_was) return n == plain;
    return n < plain && LZ4_decompress_safe((const char *)at, space, (int)n, (int)plain) == (int)plain;
}

bool packed_sound(struct slice stored, char *space) {
    const uint8_t *p = (const uint8_t *)stored.p, *end = end_of(stored);
    bool as_it_was;
    if (!stored.n || stored.n < (*p < 128 ? 1u : *p < 192 ? 2u : 5u) || *p > 192) return false;
    size_t length = varint_get(&p), blocks = blocks_of(length);
    if (length < PACKED_LEAST || p != (const uint8_t *)stored.p + varint_size(length) || (size_t)(end - p) < 4 * blocks) return false;
    p += 4 * blocks;
    for (size_t i = 0; i < (blocks ? blocks : 1); i++) {
        if (!block_sound(stored, length, i, p, space)) return false;
        p += block_size(stored, length, i, p, &as_it_was);
    }
    return p == end;
}

void packed_open(struct packed_at *r, struct slice stored, size_t from) {
    const uint8_t *table = table_of(stored);
    size_t length = packed_length(stored), block = from / PACKED_BLOCK;
    assert(from <= length);
    *r = (struct packed_at){.stored = stored, .length = length, .at = from, .block = block, .next = table + 4 * blocks_of(length)};
    for (size_t i = 0; i < block && length > PACKED_BLOCK; i++) r->next += word_at(table + 4 * i) & ~AS_IT_WAS;
}

size_t packed_read(struct packed_at *r, char *out, size_t most, char *space) {
    if (r->at == r->length || !most) return 0;
    bool as_it_was;
    size_t n = block_size(r->stored, r->length, r->block, r->next, &as_it_was), length = block_length(r->length, r->block);
    size_t skip = r->at - r->block * PACKED_BLOCK, take = least(length - skip, most);
    assert(n <= (size_t)(end_of(r->stored) - r->next));
    if (as_it_was) {
        memcpy(out, r->next + skip, take);
    } else if (take == length) {
        int got = LZ4_decompress_safe((const char *)r->next, out, (int)n, (int)length);
        assert(got == (int)length);
        (void)got;
    } else {
        int got = LZ4_decompress_safe_partial((const char *)r->next, space, (int)n, (int)(skip + take), PACKED_BLOCK);
        assert(got >= (int)(skip + take));
        (void)got;
        memcpy(out, space + skip, take);
    }
    r->at += take;
    if (skip + take == length) {
        r->next += n;
        r->block++;
    }
    return take;
}

void packed_part(struct slice stored, size_t from, size_t n, char *out, char *space) {
    struct packed_at r;
    packed_open(&r, stored, from);
    for (size_t got; n; n -= got, out += got) {
        got = packed_read(&r, out, n, space);
        assert(got);
    }
}

/* -- writing --------------------------------------------------------------------------------------------------------------- */

struct packer *packer_new(void) {
    struct packer *p = mem_alloc(MEM_CLIENT, sizeof *p);
    LZ4_initStream(&p->lz4, sizeof p->lz4);
    return p;
}

void packer_free(struct packer *p) { mem_free(MEM_CLIENT, p); }
char *packer_space(struct packer *p) { return p->space; }

/* Bytes written to `out`, which has room for any outcome: then LZ4 cannot fail, and keeps its table from one string to the next,
 * so that nothing is to be cleared. */
static size_t squeeze(struct packer *p, const char *from, size_t n, char *out, int acceleration) {
    LZ4_resetStream_fast(&p->lz4);
    int got = LZ4_compress_fast_continue(&p->lz4, from, out, (int)n, LZ4_compressBound((int)n), acceleration);
    assert(got > 0);
    return (size_t)got;
}

void packing_begin(struct packing *g, struct slice plain, int acceleration, struct buf *out) {
    assert(plain.n >= PACKED_LEAST && plain.n <= UINT32_MAX);
    *g = (struct packing){.plain = plain, .out = out, .start = out->n, .acceleration = acceleration};
}

static enum packed_state give_up(struct packing *g) {
    g->out->n = g->start;
    return PACKED_NOT;
}

/* The head, and whether the rest is worth a try. */
static bool begin(struct packing *g, struct packer *p) {
    size_t head = varint_size(g->plain.n) + 4 * blocks_of(g->plain.n);
    varint_put((uint8_t *)buf_room(g->out, head), g->plain.n);
    g->out->n += head;
    size_t some = g->plain.n > TRY_FROM ? TRY : g->doubtful && g->plain.n > TRY_DOUBTFUL ? TRY_DOUBTFUL : 0;
    return !some || squeeze(p, g->plain.p, some, p->space, g->acceleration) <= most_of(some);
}

/* A string of one block. */
static enum packed_state pack_short(struct packing *g, struct packer *p) {
    size_t n = g->plain.n;
    char *to = buf_room(g->out, (size_t)LZ4_compressBound((int)n));
    g->out->n += squeeze(p, g->plain.p, n, to, g->acceleration);
    return g->out->n - g->start > most_of(n) ? give_up(g) : PACKED_DONE;
}

static enum packed_state pack_block(struct packing *g, struct packer *p) {
    size_t block = g->at / PACKED_BLOCK, length = block_length(g->plain.n, block);
    char *to = buf_room(g->out, (size_t)LZ4_compressBound(PACKED_BLOCK));
    size_t n = squeeze(p, g->plain.p + g->at, length, to, g->acceleration);
    uint32_t word = (uint32_t)n;
    if (n >= length) {
        memcpy(to, g->plain.p + g->at, length);
        n = length;
        word = (uint32_t)n | AS_IT_WAS;
    }
    word_put((uint8_t *)g->out->p + g->start + varint_size(g->plain.n) + 4 * block, word);
    g->out->n += n;
    g->at += length;
    bool over = g->at == g->plain.n;
    if ((over || block % LOOK_EVERY == 0) && g->out->n - g->start > most_of(g->at) + (over ? 0 : 4 * blocks_of(g->plain.n)))
        return give_up(g);
    return over ? PACKED_DONE : PACKED_MORE;
}

enum packed_state packing_step(struct packing *g, struct packer *p) {
    if (!g->at && !begin(g, p)) return give_up(g);
    return g->plain.n <= PACKED_BLOCK ? pack_short(g, p) : pack_block(g, p);
}

/* -- what entries hold ----------------------------------------------------------------------------------------------------- */

struct count {
    _Atomic int64_t values, stored, plain; /* one writer: below 0 where a thread frees what others made */
} __attribute__((aligned(64)));

/* One for the process, as memory's. */
static struct count counts[THREAD_MAX];

static void add(_Atomic int64_t *v, int64_t n) {
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

void packed_count(int64_t values, int64_t stored, int64_t plain) {
    struct count *c = &counts[thread_index()];
    add(&c->values, values);
    add(&c->stored, stored);
    add(&c->plain, plain);
}

void packed_totals(struct packed_totals *out) {
    int64_t values = 0, stored = 0, plain = 0;
    for (int i = 0; i < THREAD_MAX; i++) {
        values += atomic_load_explicit(&counts[i].values, memory_order_relaxed);
        stored += atomic_load_explicit(&counts[i].stored, memory_order_relaxed);
        plain += atomic_load_explicit(&counts[i].plain, memory_order_relaxed);
    }
    if (stored < 0) stored = 0;
    if (plain < stored) plain = stored; /* read while others count */
    *out = (struct packed_totals){values > 0 ? (uint64_t)values : 0, (uint64_t)stored, (uint64_t)plain};
}
