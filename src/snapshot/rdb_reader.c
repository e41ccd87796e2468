#include "snapshot/rdb_wire.h"

#include <lzf.h>
#include <math.h>

#define LZF_MOST 88 /* three bytes of LZF say 264 at most */

void rdb_space_free(struct rdb_space *s) { buf_free(&s->bytes); }

static uint64_t big(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

enum rdb_status rdb_reader_u8(struct rdb_reader *r, uint8_t *out) {
    if (!rdb_reader_has(r, 1)) return RDB_SHORT;
    *out = *r->p++;
    return RDB_OK;
}

enum rdb_status rdb_reader_u64(struct rdb_reader *r, uint64_t *out) {
    if (!rdb_reader_has(r, 8)) return RDB_SHORT;
    *out = rdb_little(r->p, 8);
    r->p += 8;
    return RDB_OK;
}

enum rdb_status rdb_reader_head(struct rdb_reader *r, uint64_t *out, bool *special) {
    uint8_t first;
    int more;
    enum rdb_status st = rdb_reader_u8(r, &first);
    if (st) return st;
    *special = first >= 0xc0;
    switch (first >> 6) {
    case 0:
    case 3:
        *out = first & 63;
        return RDB_OK;
    case 1: more = 1; break;
    default:
        if (first > 0x81) return RDB_BAD;
        more = first == 0x80 ? 4 : 8;
    }
    if (!rdb_reader_has(r, (size_t)more)) return RDB_SHORT;
    *out = big(r->p, more);
    if (more == 1) *out |= (uint64_t)(first & 63) << 8;
    r->p += more;
    return RDB_OK;
}

enum rdb_status rdb_reader_length(struct rdb_reader *r, uint64_t *out) {
    bool special;
    enum rdb_status st = rdb_reader_head(r, out, &special);
    return st ? st : special ? RDB_BAD : RDB_OK;
}

static enum rdb_status read_integer(struct rdb_reader *r, int bytes, struct rdb_space *space, struct slice *out) {
    if (!rdb_reader_has(r, (size_t)bytes)) return RDB_SHORT;
    int64_t v = rdb_signed(rdb_little(r->p, (size_t)bytes), 8 * bytes);
    r->p += bytes;
    *out = (struct slice){space->text, num_put_i64(space->text, v)};
    return RDB_OK;
}

enum rdb_status rdb_reader_packed(struct rdb_reader *r, uint64_t *packed, uint64_t *n) {
    enum rdb_status st = rdb_reader_length(r, packed);
    if (!st) st = rdb_reader_length(r, n);
    if (st) return st;
    return !*packed || !*n || *packed > UINT32_MAX || *n > UINT32_MAX || *n / LZF_MOST > *packed ? RDB_BAD : RDB_OK;
}

enum rdb_status rdb_reader_unpack(struct rdb_reader *r, uint64_t packed, uint64_t n, struct rdb_space *space, struct slice *out) {
    if (!rdb_reader_has(r, packed)) return RDB_SHORT;
    space->bytes.n = 0;
    char *to = buf_room(&space->bytes, n);
    if (lzf_decompress(r->p, (unsigned)packed, to, (unsigned)n) != n) return RDB_BAD;
    r->p += packed;
    *out = (struct slice){to, n};
    return RDB_OK;
}

enum rdb_status rdb_reader_body(struct rdb_reader *r, uint64_t n, bool special, struct rdb_space *space, struct slice *out) {
    if (special && n == RDB_PACKED) {
        uint64_t packed;
        enum rdb_status st = rdb_reader_packed(r, &packed, &n);
        return st ? st : rdb_reader_unpack(r, packed, n, space, out);
    }
    if (special) return n < 3 ? read_integer(r, 1 << n, space, out) : RDB_BAD;
    if (n > UINT32_MAX) return RDB_BAD; /* nothing that long can be held */
    if (!rdb_reader_has(r, n)) return RDB_SHORT;
    *out = (struct slice){(const char *)r->p, n};
    if (r->refill && n && !r->direct) {
        space->bytes.n = 0;
        buf_put(&space->bytes, r->p, n);
        out->p = space->bytes.p;
    }
    r->p += n;
    return RDB_OK;
}

enum rdb_status rdb_reader_string(struct rdb_reader *r, struct rdb_space *space, struct slice *out) {
    uint64_t n;
    bool special;
    enum rdb_status st = rdb_reader_head(r, &n, &special);
    return st ? st : rdb_reader_body(r, n, special, space, out);
}

enum rdb_status rdb_reader_double(struct rdb_reader *r, double *out) {
    uint64_t bits;
    enum rdb_status st = rdb_reader_u64(r, &bits);
    if (!st) memcpy(out, &bits, sizeof *out);
    return st;
}

enum rdb_status rdb_reader_old_double(struct rdb_reader *r, double *out) {
    uint8_t n;
    enum rdb_status st = rdb_reader_u8(r, &n);
    if (st) return st;
    if (n >= 253) {
        *out = n == 253 ? NAN : n == 254 ? INFINITY : -INFINITY;
        return RDB_OK;
    }
    if (!rdb_reader_has(r, n)) return RDB_SHORT;
    if (!num_double((struct slice){(const char *)r->p, n}, out)) return RDB_BAD;
    r->p += n;
    return RDB_OK;
}
