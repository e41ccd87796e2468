/* image-twin: snapshots of made-up records for tests: written to memory, read from there, said as text. */
#ifndef LARDER_TESTS_SNAPSHOT_IMAGE_TWIN_H
#define LARDER_TESTS_SNAPSHOT_IMAGE_TWIN_H

#include "describe.h"
#include "snapshot/image_reader.h"
#include "snapshot/image_writer.h"
#include "snapshot/rdb_file.h"

struct twin {
    struct type_limits limits;
    struct image_options options;
    struct buf file;
    struct described wrote;
    size_t most;         /* bytes the sink takes: SIZE_MAX */
    bool small;          /* only short values */
    uint64_t random;
};

void twin_begin(struct twin *t, enum image_format format);
void twin_end(struct twin *t);
uint64_t twin_random(struct twin *t, uint64_t below);
/* n records of all types and of many sizes, some of them large if `large`. */
void twin_write(struct twin *t, size_t n, bool large);
/* One record, by its own hand. */
void twin_put(struct twin *t, struct image_writer *w, struct tray *tray, const struct record *r, struct slice plain);

struct twin_read {
    struct described read;
    size_t damaged;      /* native: blocks and chains */
    bool ended;          /* the file was right to its end */
    enum image_read native;
    enum rdb_file_status rdb;
    char why[256];
};
/* Reads n bytes as a native file, or as RDB. */
void twin_read_native(struct twin *t, const void *p, size_t n, struct twin_read *out);
void twin_read_rdb(struct twin *t, const void *p, size_t n, struct twin_read *out);
void twin_read_free(struct twin_read *out);

#endif
