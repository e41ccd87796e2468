/* rdb_file: a whole RDB file, read as a stream: Redis's versions 1 to 12 and Valkey's own (magic VALKEY, version 80 on).
 *
 * What it holds in memory is a window of the file and one value. Long strings are given in pieces. What larder has no place for
 * (streams, modules' values of the second form and their data, functions, slots) is parsed, passed by and counted, or refused, as the
 * holder wants; what cannot be parsed, and types and versions that are not known, end the reading with their number and place. The
 * checksum is compared at the end, unless the file has none.
 * Thread rule: one thread at a time. The holder owns it, and the descriptor. A record's slices and home are good until the next step.
 */
#ifndef LARDER_SNAPSHOT_RDB_FILE_H
#define LARDER_SNAPSHOT_RDB_FILE_H

#include "snapshot/rdb.h"
#include "snapshot/record.h"

#define RDB_FILE_VALKEY_LEAST 80
#define RDB_FILE_VALKEY_MOST 80 /* versions of Valkey's that are read */

enum rdb_file_status {
    RDB_FILE_RECORD,
    RDB_FILE_LARGE,   /* a record whose string comes in pieces: rdb_file_more, up to RDB_FILE_END */
    RDB_FILE_PASSED,  /* one that the holder does not want, or has no room for: it is gone */
    RDB_FILE_END,     /* of the file, and all of it was right */
    RDB_FILE_NOT,     /* not an RDB file */
    RDB_FILE_NEWER,   /* a version that is not known */
    RDB_FILE_DAMAGED, /* cut off, not what it should be, or of a type that is not known */
    RDB_FILE_REFUSED, /* right, but with something that the holder does not want passed by */
    RDB_FILE_FAILED,  /* the file could not be read: errno */
};

struct rdb_file_options {
    const struct type_limits *limits;
    uint64_t seed;
    int64_t now;        /* fields of hashes past it are left out */
    bool refuse;        /* what there is no place for */
    bool (*wants)(void *arg, struct record *r); /* of which key, database and times are known; a deadline may be changed. NULL: all */
    bool (*room)(void *arg, size_t built, size_t n); /* of a collection: see allowance.h; same arg. NULL: always */
    void *arg;
};

struct rdb_file_about {
    unsigned version;
    bool valkey;
    char server[32];    /* version of the server that wrote it, as it says; empty: it does not */
    int64_t created;    /* seconds since 1970; 0: it does not say */
    uint64_t used_memory;
    uint64_t keys_told; /* by RESIZEDB, so far */
    uint64_t records;
    uint64_t streams, modules, module_data, functions; /* passed by */
    uint64_t empty, past; /* collections of nothing; hashes whose fields are all past their deadlines: left out */
};

struct rdb_file;

struct rdb_file *rdb_file_new(int fd, const struct rdb_file_options *o);
void rdb_file_free(struct rdb_file *f); /* NULL: nothing */
/* A record has `string`, or `home`, whose object the caller may take with rdb_file_taken; *total: of a large one, its length. */
enum rdb_file_status rdb_file_next(struct rdb_file *f, struct record *r, uint64_t *total);
enum rdb_file_status rdb_file_more(struct rdb_file *f, struct slice *piece);
void rdb_file_taken(struct rdb_file *f);
const struct rdb_file_about *rdb_file_about(const struct rdb_file *f);
uint64_t rdb_file_offset(const struct rdb_file *f); /* how far it has been read */
const char *rdb_file_why(struct rdb_file *f);       /* what is wrong, with its place, after a status that says so */
bool rdb_file_looks_right(const void *p, size_t n); /* do the first bytes of a file say that it is one? */

#endif
