/* rdb_pack: the packed blobs in which Redis serializes small collections, as walks over their items.
 *
 *   listpack  bytes (4), items (2; 65535: many), items, 0xff; an item: form and value, then its length read from behind
 *   ziplist   bytes (4), offset of the last item (4), items (2), items, 0xff; an item: length of the one before, form, value
 *   zipmap    items, or 254 and more; key's length, key, value's length, unused bytes, value, unused; 0xff
 *   intset    width (4), items (4), integers in order
 * All little endian. A walk believes nothing: it ends with RDB_BAD at the first byte that is not as it must be, and with
 * RDB_END only if every number in the blob was right.
 * Thread rule: pure functions on the caller's bytes. Items refer to the blob or hold the text of an integer themselves.
 */
#ifndef LARDER_SNAPSHOT_RDB_PACK_H
#define LARDER_SNAPSHOT_RDB_PACK_H

#include "snapshot/rdb_wire.h"

enum rdb_pack_kind { RDB_PACK_LISTPACK, RDB_PACK_ZIPLIST, RDB_PACK_ZIPMAP, RDB_PACK_INTSET };

struct rdb_pack {
    enum rdb_pack_kind kind;
    const uint8_t *start, *p, *end; /* end: before the 0xff, where there is one */
    uint64_t told, seen;            /* items; told UINT64_MAX: the blob does not say */
    uint32_t width, tail;           /* of an intset; of a ziplist */
    size_t before;                  /* a ziplist's item before this one, in bytes */
    int64_t last;                   /* an intset's */
};

struct rdb_item {
    struct slice s;
    char text[NUM_I64_MAX];
};

enum rdb_status rdb_pack_open(struct rdb_pack *k, enum rdb_pack_kind kind, struct slice blob);
enum rdb_status rdb_pack_next(struct rdb_pack *k, struct rdb_item *item);

/* The steps of the kinds, by which rdb_pack_next goes. */
enum rdb_status rdb_pack_ziplist(struct rdb_pack *k, struct rdb_item *item);
enum rdb_status rdb_pack_zipmap(struct rdb_pack *k, struct rdb_item *item);
enum rdb_status rdb_pack_intset(struct rdb_pack *k, struct rdb_item *item);
void rdb_item_number(struct rdb_item *item, int64_t v);

/* Writing a listpack to the end of a buf: begin, add, ..., end with what begin returned. */
size_t rdb_pack_begin(struct buf *out);
void rdb_pack_add(struct buf *out, struct slice s);
size_t rdb_pack_size(struct slice s); /* bytes that rdb_pack_add takes */
void rdb_pack_end(struct buf *out, size_t begin, size_t items);
/* Writes an intset of n integers, ascending. */
void rdb_pack_put_intset(struct buf *out, const int64_t *v, size_t n);

#endif
