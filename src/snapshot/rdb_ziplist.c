/* The packed blobs that older Redises wrote, and intsets. */
#include "snapshot/rdb_pack.h"

/* -- ziplist --------------------------------------------------------------------------------------------------------------- */

/* Bytes of the form and the length; in *more those of the value, in *integer whether it is one. 0: no such form, or cut off. */
static size_t ziplist_form(const uint8_t *p, size_t have, size_t *more, bool *integer) {
    uint8_t b = *p;
    *integer = b >= 0xc0;
    switch (b >> 6) {
    case 0: *more = b & 63; return 1;
    case 1:
        if (have < 2) return 0;
        *more = (size_t)(b & 63) << 8 | p[1];
        return 2;
    case 2:
        if (have < 5 || b != 0x80) return 0;
        *more = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        return 5;
    }
    switch (b) {
    case 0xc0: *more = 2; return 1;
    case 0xd0: *more = 4; return 1;
    case 0xe0: *more = 8; return 1;
    case 0xf0: *more = 3; return 1;
    case 0xfe: *more = 1; return 1;
    }
    *more = 0;
    return b > 0xf0 && b < 0xfe ? 1 : 0; /* 0 to 12, in the form itself */
}

enum rdb_status rdb_pack_ziplist(struct rdb_pack *k, struct rdb_item *item) {
    const uint8_t *p = k->p;
    size_t have = (size_t)(k->end - p), at = *p < 254 ? 1 : 5, more, head;
    bool integer;
    if (*p == 255 || have <= at) return RDB_BAD;
    if ((at == 1 ? *p : rdb_little(p + 1, 4)) != k->before) return RDB_BAD;
    head = ziplist_form(p + at, have - at, &more, &integer);
    if (!head || more > have - at - head) return RDB_BAD;
    const uint8_t *value = p + at + head;
    if (!integer) item->s = (struct slice){(const char *)value, more};
    else rdb_item_number(item, more ? rdb_signed(rdb_little(value, more), (int)more * 8) : p[at] - 0xf1);
    k->p = value + more;
    k->before = (size_t)(k->p - p);
    if (k->p == k->end && p != k->start + k->tail) return RDB_BAD;
    return RDB_OK;
}

/* -- zipmap ---------------------------------------------------------------------------------------------------------------- */

static bool zipmap_length(const uint8_t **p, const uint8_t *end, size_t *n) {
    if (*p == end || **p == 255) return false;
    if (**p < 254) {
        *n = *(*p)++;
        return true;
    }
    if (end - *p < 5) return false;
    *n = (size_t)rdb_little(*p + 1, 4);
    *p += 5;
    return true;
}

/* Keys and values take turns. */
enum rdb_status rdb_pack_zipmap(struct rdb_pack *k, struct rdb_item *item) {
    const uint8_t *p = k->p;
    size_t n, unused = 0;
    bool value = k->seen & 1;
    if (!zipmap_length(&p, k->end, &n)) return RDB_BAD;
    if (value) {
        if (p == k->end) return RDB_BAD;
        unused = *p++;
    }
    size_t have = (size_t)(k->end - p);
    if (n > have || unused > have - n) return RDB_BAD;
    item->s = (struct slice){(const char *)p, n};
    k->p = p + n + unused;
    return value || k->p != k->end ? RDB_OK : RDB_BAD;
}

/* -- intset ---------------------------------------------------------------------------------------------------------------- */

enum rdb_status rdb_pack_intset(struct rdb_pack *k, struct rdb_item *item) {
    int64_t v = rdb_signed(rdb_little(k->p, k->width), (int)k->width * 8);
    if (k->seen && v <= k->last) return RDB_BAD;
    k->last = v;
    k->p += k->width;
    rdb_item_number(item, v);
    return RDB_OK;
}

void rdb_pack_put_intset(struct buf *out, const int64_t *v, size_t n) {
    int64_t low = n ? v[0] : 0, high = n ? v[n - 1] : 0;
    unsigned width = low >= INT16_MIN && high <= INT16_MAX ? 2 : low >= INT32_MIN && high <= INT32_MAX ? 4 : 8;
    uint8_t *p = (uint8_t *)buf_room(out, 8 + n * width);
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (uint8_t)(width >> 8 * i);
        p[4 + i] = (uint8_t)(n >> 8 * i);
    }
    p += 8;
    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < width; b++) *p++ = (uint8_t)((uint64_t)v[i] >> 8 * b);
    out->n += 8 + n * width;
}
