#include "snapshot/rdb_wire.h"

#include <isa-l/crc64.h>
#include <lzf.h>

#define LITERALS 32 /* bytes that one byte of LZF can announce as they are */

void rdb_writer_free(struct rdb_writer *w) { buf_free(&w->scratch); }

static void put_little(struct buf *out, uint64_t v, int n) {
    uint8_t *p = (uint8_t *)buf_room(out, (size_t)n);
    for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> 8 * i);
    out->n += (size_t)n;
}

static void put_big(struct buf *out, uint64_t v, int n) {
    uint8_t *p = (uint8_t *)buf_room(out, (size_t)n);
    for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    out->n += (size_t)n;
}

void rdb_writer_u8(struct rdb_writer *w, uint8_t v) { put_little(w->out, v, 1); }
void rdb_writer_u64(struct rdb_writer *w, uint64_t v) { put_little(w->out, v, 8); }

void rdb_writer_double(struct rdb_writer *w, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    rdb_writer_u64(w, bits);
}

void rdb_writer_length(struct rdb_writer *w, uint64_t n) {
    if (n < 1 << 6) {
        rdb_writer_u8(w, (uint8_t)n);
    } else if (n < 1 << 14) {
        put_big(w->out, n | 0x4000, 2);
    } else {
        bool wide = n > UINT32_MAX;
        rdb_writer_u8(w, wide ? 0x81 : 0x80);
        put_big(w->out, n, wide ? 8 : 4);
    }
}

static bool put_integer(struct rdb_writer *w, struct slice s) {
    int64_t v;
    if (s.n > 11 || !num_i64(s, &v) || v < INT32_MIN || v > INT32_MAX) return false;
    int form = v >= INT8_MIN && v <= INT8_MAX ? 0 : v >= INT16_MIN && v <= INT16_MAX ? 1 : 2;
    rdb_writer_u8(w, (uint8_t)(0xc0 | form));
    put_little(w->out, (uint64_t)v, 1 << form);
    return true;
}

/* Pieces may simply follow each other: LZF has no head, and refers to what came before by distance. What does not get shorter is
 * announced as it is. */
void rdb_wire_lzf_add(struct buf *out, const void *p, size_t n) {
    const uint8_t *from = p;
    uint8_t *to = (uint8_t *)buf_room(out, n + n / LITERALS + 1);
    unsigned packed = lzf_compress(from, (unsigned)n, to, (unsigned)n);
    if (packed) {
        out->n += packed;
        return;
    }
    for (size_t k; n; n -= k, from += k) {
        k = n < LITERALS ? n : LITERALS;
        to = (uint8_t *)buf_room(out, k + 1);
        to[0] = (uint8_t)(k - 1);
        memcpy(to + 1, from, k);
        out->n += k + 1;
    }
}

void rdb_wire_lzf_head(struct rdb_writer *w, size_t packed, size_t n) {
    rdb_writer_u8(w, 0xc3);
    rdb_writer_length(w, packed);
    rdb_writer_length(w, n);
}

static bool put_packed(struct rdb_writer *w, struct slice s) {
    if (!w->compress || s.n <= RDB_LZF_MIN || s.n > UINT32_MAX) return false;
    w->scratch.n = 0;
    for (size_t at = 0; at < s.n; at += RDB_LZF_PIECE)
        rdb_wire_lzf_add(&w->scratch, s.p + at, s.n - at < RDB_LZF_PIECE ? s.n - at : RDB_LZF_PIECE);
    if (!rdb_wire_lzf_pays(w->scratch.n, s.n)) return false;
    rdb_wire_lzf_head(w, w->scratch.n, s.n);
    buf_put(w->out, w->scratch.p, w->scratch.n);
    return true;
}

void rdb_writer_blob(struct rdb_writer *w, struct slice s) {
    if (put_packed(w, s)) return;
    rdb_writer_length(w, s.n);
    buf_put(w->out, s.p, s.n);
}

void rdb_writer_string(struct rdb_writer *w, struct slice s) {
    if (!put_integer(w, s)) rdb_writer_blob(w, s);
}

/* ISA-L's inverts what it begins with and what it returns. */
uint64_t rdb_wire_sum(uint64_t sum, const void *p, size_t n) { return ~crc64_jones_refl(~sum, p, n); }
