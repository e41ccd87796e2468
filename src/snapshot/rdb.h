/* rdb: Redis's serialization of single values, as DUMP and RDB files have it.
 *
 * Read: every form of strings, lists, sets, sorted sets and hashes from RDB version 1 to 12 (Redis 7.4, with deadlines of
 * fields). Written: what Redis 7.0 reads (version 10), but for hashes with deadlines of fields, which are new in version 12.
 * Both go in steps, so that a large value takes nobody's time at a stretch. Streams and modules are refused.
 * Malformed input ends with a status: nothing is read outside of the input, and nothing large is allocated because of a number
 * in it. Thread rule: one thread at a time; of a home that is written, the lock of its key or a reference to its object.
 */
#ifndef LARDER_SNAPSHOT_RDB_H
#define LARDER_SNAPSHOT_RDB_H

#include "snapshot/allowance.h"
#include "type/value.h"

#define RDB_VERSION_MOST 12   /* that is read */
#define RDB_VERSION 10        /* that is written, unless fields have deadlines: */
#define RDB_VERSION_FIELDS 12

enum rdb_status {
    RDB_OK,
    RDB_MORE,        /* not done yet: go on */
    RDB_END,         /* of a walk: there was no more */
    RDB_SHORT,       /* the input ends too early */
    RDB_BAD,         /* it is not what it should be */
    RDB_EMPTY,       /* a collection of nothing */
    RDB_PAST,        /* a hash whose fields are all past their deadlines */
    RDB_UNSUPPORTED, /* right maybe, but a type that is not built */
    RDB_ROOM,        /* of rdb_load_wait: there is no room for the next member */
};

enum rdb_type {
    RDB_STRING = 0, RDB_LIST = 1, RDB_SET = 2, RDB_ZSET = 3, RDB_HASH = 4, RDB_ZSET_2 = 5, RDB_MODULE = 6, RDB_MODULE_2 = 7,
    RDB_HASH_ZIPMAP = 9, RDB_LIST_ZIPLIST = 10, RDB_SET_INTSET = 11, RDB_ZSET_ZIPLIST = 12, RDB_HASH_ZIPLIST = 13,
    RDB_LIST_QUICKLIST = 14, RDB_STREAM = 15, RDB_HASH_LISTPACK = 16, RDB_ZSET_LISTPACK = 17, RDB_LIST_QUICKLIST_2 = 18,
    RDB_STREAM_2 = 19, RDB_SET_LISTPACK = 20, RDB_STREAM_3 = 21,
    RDB_HASH_FIELDS_OLD = 22, RDB_HASH_LISTPACK_FIELDS_OLD = 23, /* 7.4 before its release: deadlines as they are */
    RDB_HASH_FIELDS = 24, RDB_HASH_LISTPACK_FIELDS = 25,         /* relative to the earliest, which comes first */
};

struct rdb_reader; /* rdb_wire.h */
struct rdb_load;
struct rdb_save;

/* -- reading --------------------------------------------------------------------------------------------------------------- */
/* From behind the type's byte on. The reader, the limits and what it reads from stay the caller's, until rdb_load_free.
 * `now`: fields past their deadlines are left out. Refused at once: RDB_UNSUPPORTED or RDB_BAD, and *out is NULL. */
enum rdb_status rdb_load_new(struct rdb_load **out, struct rdb_reader *in, uint8_t type, const struct type_limits *limits,
    uint64_t seed, int64_t now);
/* Before the first step: in Valkey's own versions a type's byte means something else than in Redis's. */
void rdb_load_valkey(struct rdb_load *l);
/* Before the first step: who is asked for the room that its members take. If there is none, what was built is freed, and the rest is
 * read and left out, as if rdb_load_forget had been called. */
void rdb_load_ask(struct rdb_load *l, struct allowance_giver g);
/* The same, of a reader of bytes that lie in memory: RDB_ROOM until there is room for the next member; then it goes on with that one. */
void rdb_load_wait(struct rdb_load *l, struct allowance_giver g);
size_t rdb_load_wants(const struct rdb_load *l, size_t *built); /* behind RDB_ROOM: for how much it asked, and what is there, about */
void rdb_load_forget(struct rdb_load *l);
bool rdb_load_forgotten(const struct rdb_load *l);
/* Reads on, about `most` bytes of the value. RDB_OK: all of it is there. */
enum rdb_status rdb_load_step(struct rdb_load *l, size_t most);
enum value_type rdb_load_type(const struct rdb_load *l);
/* What was read: of a string its bytes, good until rdb_load_free. Of all others a home: who stores its object (view_set_home)
 * says so with rdb_load_taken. */
struct slice rdb_load_string(const struct rdb_load *l);
const struct home *rdb_load_home(const struct rdb_load *l);
void rdb_load_taken(struct rdb_load *l);
void rdb_load_free(struct rdb_load *l); /* NULL: nothing */

/* -- writing --------------------------------------------------------------------------------------------------------------- */
/* The type's byte and the value. What is written gathers in rdb_save_out, whose owner empties it between steps as he likes
 * (n = 0). The home or the string stays as it is until rdb_save_free. */
struct rdb_save *rdb_save_new(enum value_type t, const struct home *home, bool compress);
struct rdb_save *rdb_save_new_string(struct slice s, bool compress);
/* Writes on, about `most` bytes of the value. RDB_OK: that was all; else RDB_MORE. */
enum rdb_status rdb_save_step(struct rdb_save *s, size_t most);
struct buf *rdb_save_out(struct rdb_save *s);
unsigned rdb_save_version(const struct rdb_save *s); /* the RDB version that has such values; known from the start on */
void rdb_save_no_fields(struct rdb_save *s);           /* before the first step: fields without their deadlines, for older versions */
/* Of a list, once it was written: the nodes that it was cut into, and their bytes before they were compressed. */
struct rdb_nodes {
    size_t nodes, bytes;
};
struct rdb_nodes rdb_save_nodes(const struct rdb_save *s);
void rdb_save_free(struct rdb_save *s); /* NULL: nothing */

#endif
