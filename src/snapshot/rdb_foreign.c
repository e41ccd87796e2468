/* What larder has no place for, passed by: nothing of it is kept. */
#include "snapshot/rdb_foreign.h"

enum { MODULE_END, MODULE_SIGNED, MODULE_UNSIGNED, MODULE_FLOAT, MODULE_DOUBLE, MODULE_STRING };

static enum rdb_status skip(struct rdb_reader *in, size_t n) {
    if (!rdb_reader_has(in, n)) return RDB_SHORT;
    in->p += n;
    return RDB_OK;
}

enum rdb_status rdb_foreign_lengths(struct rdb_reader *in, unsigned n) {
    enum rdb_status st = RDB_OK;
    uint64_t ignored;
    while (!st && n--) st = rdb_reader_length(in, &ignored);
    return st;
}

/* Long ones go through the window piece by piece. */
enum rdb_status rdb_foreign_string(struct rdb_reader *in) {
    uint64_t n;
    bool special;
    enum rdb_status st = rdb_reader_head(in, &n, &special);
    if (st) return st;
    if (special && n < 3) return skip(in, (size_t)1 << n);
    if (special) {
        uint64_t packed, plain;
        if (n > 3) return RDB_BAD;
        st = rdb_reader_length(in, &packed);
        if (!st) st = rdb_reader_length(in, &plain);
        n = packed;
    }
    for (uint64_t k; !st && n; n -= k) {
        k = n < 65536 ? n : 65536;
        st = skip(in, (size_t)k);
    }
    return st;
}

/* Every part says what it is, up to the end's mark. */
enum rdb_status rdb_foreign_module(struct rdb_reader *in) {
    for (;;) {
        uint64_t part;
        enum rdb_status st = rdb_reader_length(in, &part);
        if (st) return st;
        switch (part) {
        case MODULE_END: return RDB_OK;
        case MODULE_SIGNED:
        case MODULE_UNSIGNED: st = rdb_foreign_lengths(in, 1); break;
        case MODULE_FLOAT: st = skip(in, 4); break;
        case MODULE_DOUBLE: st = skip(in, 8); break;
        case MODULE_STRING: st = rdb_foreign_string(in); break;
        default: return RDB_BAD;
        }
        if (st) return st;
    }
}

/* A length, and for each up to it what `each` reads. */
static enum rdb_status many(struct rdb_reader *in, enum rdb_status (*each)(struct rdb_reader *in, uint8_t type), uint8_t type) {
    uint64_t n;
    enum rdb_status st = rdb_reader_length(in, &n);
    while (!st && n--) st = each(in, type);
    return st;
}

static enum rdb_status node(struct rdb_reader *in, uint8_t type) {
    (void)type;
    enum rdb_status st = rdb_foreign_string(in);
    return st ? st : rdb_foreign_string(in);
}

static enum rdb_status pending(struct rdb_reader *in, uint8_t type) { /* id, time of delivery, how often */
    (void)type;
    enum rdb_status st = skip(in, 16 + 8);
    return st ? st : rdb_foreign_lengths(in, 1);
}

static enum rdb_status pending_of_one(struct rdb_reader *in, uint8_t type) {
    (void)type;
    return skip(in, 16);
}

static enum rdb_status consumer(struct rdb_reader *in, uint8_t type) {
    enum rdb_status st = rdb_foreign_string(in);
    if (!st) st = skip(in, type == RDB_STREAM_3 ? 16 : 8); /* when it was seen, and when active */
    return st ? st : many(in, pending_of_one, type);
}

static enum rdb_status group(struct rdb_reader *in, uint8_t type) {
    enum rdb_status st = rdb_foreign_string(in);
    if (!st) st = rdb_foreign_lengths(in, type == RDB_STREAM ? 2 : 3); /* last id; how many were read */
    if (!st) st = many(in, pending, type);
    return st ? st : many(in, consumer, type);
}

enum rdb_status rdb_foreign_stream(struct rdb_reader *in, uint8_t type) {
    enum rdb_status st = many(in, node, type);
    /* items, last id; first id, highest deleted id, how many were ever added */
    if (!st) st = rdb_foreign_lengths(in, type == RDB_STREAM ? 3 : 8);
    return st ? st : many(in, group, type);
}
