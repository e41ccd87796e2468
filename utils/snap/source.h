/* source: the records of a snapshot file, larder's own or RDB, one after the other, each whole.
 *
 * Thread rule: one thread. The holder owns it; a record's string or home is good until the next step.
 */
#ifndef LARDER_SNAP_SOURCE_H
#define LARDER_SNAP_SOURCE_H

#include "snapshot/image_reader.h"
#include "snapshot/rdb_file.h"

struct source {
    int fd;
    const char *path;
    uint64_t size, done;     /* bytes, of which the bar tells */
    uint64_t file;           /* bytes of the file */
    int64_t now;             /* ms: fields past it are left out */
    struct image_reader *reader;
    struct image_cursor *cursor;
    size_t job;              /* the next one */
    bool in_job;
    struct rdb_file *rdb;
    struct type_limits limits;
    struct home home;        /* of a native file's collection */
    enum value_type home_type;
    struct buf whole;        /* of a large string */
    uint64_t damaged;        /* blocks of a native file */
    struct buf why;          /* the file's trouble, if it has any */
    bool bar;                /* show how far it is */
    unsigned shown;          /* permille */
};

bool source_open(struct source *s, const char *path); /* false: said on standard error */
bool source_next(struct source *s, struct record *r); /* false: the end, or it cannot go on: then `why` is not empty */
void source_close(struct source *s);

#endif
