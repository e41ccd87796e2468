#include "snapshot/rdb_pack.h"

#define HEAD 6
#define MANY 65535 /* items: count them yourself */

enum { /* first bytes of items */
    SIX = 0x80,      /* 10xxxxxx: a string of up to 63 */
    THIRTEEN = 0xc0, /* 110xxxxx: an integer of 13 bits */
    TWELVE = 0xe0,   /* 1110xxxx: a string of up to 4095 */
    LONG = 0xf0,     /* a string behind its length in 4 bytes */
    INT16 = 0xf1, INT24, INT32, INT64,
};

void rdb_item_number(struct rdb_item *item, int64_t v) { item->s = (struct slice){item->text, num_put_i64(item->text, v)}; }

/* The length behind an item, to be read from its end: seven bits a byte, all but the first byte with the high bit. These are
 * the limits that Redis goes by, which are not all powers of two. */
static size_t behind_size(size_t n) { return n <= 127 ? 1 : n < 16383 ? 2 : n < 2097151 ? 3 : n < 268435455 ? 4 : 5; }

static size_t behind_put(uint8_t *p, size_t n) {
    size_t size = behind_size(n);
    for (size_t i = 0; i < size; i++) p[i] = (uint8_t)((n >> 7 * (size - 1 - i) & 127) | (i ? 128 : 0));
    return size;
}

/* Bytes of the item's form and length, and in *more those of its value; 0: no such form. */
static size_t form(const uint8_t *p, size_t have, size_t *more) {
    uint8_t b = *p;
    *more = 0;
    if (b < SIX) return 1;
    if (b < THIRTEEN) {
        *more = b & 63;
        return 1;
    }
    if (b < TWELVE) return 2;
    if (b < LONG) {
        *more = have < 2 ? 0 : (size_t)(b & 15) << 8 | p[1];
        return 2;
    }
    if (b == LONG) {
        *more = have < 5 ? 0 : (size_t)rdb_little(p + 1, 4);
        return 5;
    }
    if (b > INT64) return 0;
    *more = b == INT64 ? 8 : (size_t)(b - INT16) + 2;
    return 1;
}

static enum rdb_status listpack_next(struct rdb_pack *k, struct rdb_item *item) {
    const uint8_t *p = k->p;
    size_t have = (size_t)(k->end - p), more, head = form(p, have, &more), n;
    uint8_t behind[5];
    if (!head || head > have || more > have - head) return RDB_BAD;
    n = head + more;
    size_t tail = behind_put(behind, n);
    if (tail > have - n || memcmp(p + n, behind, tail)) return RDB_BAD;
    if (*p < SIX) rdb_item_number(item, *p);
    else if (*p >= THIRTEEN && *p < TWELVE) rdb_item_number(item, rdb_signed((uint64_t)(*p & 31) << 8 | p[1], 13));
    else if (*p > LONG) rdb_item_number(item, rdb_signed(rdb_little(p + 1, more), (int)more * 8));
    else item->s = (struct slice){(const char *)p + head, more};
    k->p = p + n + tail;
    return RDB_OK;
}

/* -- all kinds ------------------------------------------------------------------------------------------------------------- */

static bool framed(struct rdb_pack *k, struct slice blob, size_t head, bool sized) {
    const uint8_t *p = (const uint8_t *)blob.p;
    if (blob.n < head + 1 || p[blob.n - 1] != 0xff || (sized && rdb_little(p, 4) != blob.n)) return false;
    k->p = p + head;
    k->end = p + blob.n - 1;
    return true;
}

static bool open_intset(struct rdb_pack *k, struct slice blob) {
    const uint8_t *p = (const uint8_t *)blob.p;
    if (blob.n < 8) return false;
    k->width = (uint32_t)rdb_little(p, 4);
    k->told = rdb_little(p + 4, 4);
    k->p = p + 8;
    k->end = p + blob.n;
    return (k->width == 2 || k->width == 4 || k->width == 8) && k->told * k->width == blob.n - 8;
}

enum rdb_status rdb_pack_open(struct rdb_pack *k, enum rdb_pack_kind kind, struct slice blob) {
    const uint8_t *p = (const uint8_t *)blob.p;
    *k = (struct rdb_pack){.kind = kind, .start = p, .told = UINT64_MAX};
    switch (kind) {
    case RDB_PACK_LISTPACK:
        if (!framed(k, blob, HEAD, true)) return RDB_BAD;
        if (rdb_little(p + 4, 2) != MANY) k->told = rdb_little(p + 4, 2);
        return RDB_OK;
    case RDB_PACK_ZIPLIST:
        if (!framed(k, blob, 10, true)) return RDB_BAD;
        k->tail = (uint32_t)rdb_little(p + 4, 4);
        if (rdb_little(p + 8, 2) != MANY) k->told = rdb_little(p + 8, 2);
        return RDB_OK;
    case RDB_PACK_ZIPMAP:
        if (!framed(k, blob, 1, false)) return RDB_BAD;
        if (*p < 254) k->told = 2 * (uint64_t)*p;
        return RDB_OK;
    case RDB_PACK_INTSET: return open_intset(k, blob) ? RDB_OK : RDB_BAD;
    }
    return RDB_BAD;
}

enum rdb_status rdb_pack_next(struct rdb_pack *k, struct rdb_item *item) {
    enum rdb_status st;
    if (k->p == k->end) return k->told == UINT64_MAX || k->told == k->seen ? RDB_END : RDB_BAD;
    if (k->seen == k->told) return RDB_BAD;
    switch (k->kind) {
    case RDB_PACK_LISTPACK: st = listpack_next(k, item); break;
    case RDB_PACK_ZIPLIST: st = rdb_pack_ziplist(k, item); break;
    case RDB_PACK_ZIPMAP: st = rdb_pack_zipmap(k, item); break;
    default: st = rdb_pack_intset(k, item);
    }
    if (!st) k->seen++;
    return st;
}

/* -- writing --------------------------------------------------------------------------------------------------------------- */

/* Form and value of an integer. */
static size_t number_put(uint8_t *p, int64_t v) {
    if (v >= 0 && v < 128) {
        p[0] = (uint8_t)v;
        return 1;
    }
    if (v >= -4096 && v < 4096) {
        p[0] = (uint8_t)(THIRTEEN | (v >> 8 & 31));
        p[1] = (uint8_t)v;
        return 2;
    }
    size_t n = v >= INT16_MIN && v <= INT16_MAX ? 2 : v >= -8388608 && v < 8388608 ? 3 : v >= INT32_MIN && v <= INT32_MAX ? 4 : 8;
    p[0] = (uint8_t)(n == 8 ? INT64 : INT16 + n - 2);
    for (size_t i = 0; i < n; i++) p[1 + i] = (uint8_t)((uint64_t)v >> 8 * i);
    return 1 + n;
}

static size_t head_put(uint8_t *p, size_t n) {
    if (n < 64) {
        p[0] = (uint8_t)(SIX | n);
        return 1;
    }
    if (n < 4096) {
        p[0] = (uint8_t)(TWELVE | n >> 8);
        p[1] = (uint8_t)n;
        return 2;
    }
    p[0] = LONG;
    for (int i = 0; i < 4; i++) p[1 + i] = (uint8_t)(n >> 8 * i);
    return 5;
}

size_t rdb_pack_size(struct slice s) {
    uint8_t head[16];
    int64_t v;
    size_t n = s.n < NUM_I64_MAX && num_i64(s, &v) ? number_put(head, v) : head_put(head, s.n) + s.n;
    return n + behind_size(n);
}

size_t rdb_pack_begin(struct buf *out) {
    size_t begin = out->n;
    buf_room(out, HEAD);
    out->n += HEAD;
    return begin;
}

void rdb_pack_add(struct buf *out, struct slice s) {
    int64_t v;
    uint8_t *p = (uint8_t *)buf_room(out, s.n + 16);
    size_t n;
    if (s.n < NUM_I64_MAX && num_i64(s, &v)) {
        n = number_put(p, v);
    } else {
        n = head_put(p, s.n);
        if (s.n) memcpy(p + n, s.p, s.n);
        n += s.n;
    }
    out->n += n + behind_put(p + n, n);
}

void rdb_pack_end(struct buf *out, size_t begin, size_t items) {
    *buf_room(out, 1) = (char)0xff;
    out->n++;
    size_t bytes = out->n - begin;
    uint8_t *p = (uint8_t *)out->p + begin;
    if (items > MANY) items = MANY;
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(bytes >> 8 * i);
    for (int i = 0; i < 2; i++) p[4 + i] = (uint8_t)(items >> 8 * i);
}
