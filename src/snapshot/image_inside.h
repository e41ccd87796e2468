/* image_inside: what the writers of both formats have in common, for image_writer.c and the two formats only.
 *
 * Thread rule: as image_writer.h; `ready` and `spare` under their lock.
 */
#ifndef LARDER_SNAPSHOT_IMAGE_INSIDE_H
#define LARDER_SNAPSHOT_IMAGE_INSIDE_H

#include "base/thread.h"
#include "snapshot/image_writer.h"
#include "snapshot/native.h"
#include "snapshot/rdb_wire.h"
#include "store/packed.h"

struct full { /* a block of records as trays make them, whatever becomes of it */
    struct full *next;
    struct buf bytes;
    uint32_t records, volatiles;
    uint8_t heat;
};

struct tray {
    struct image_writer *writer;
    struct tray *next;
    struct full *open[RECORD_HEATS]; /* NULL: nothing yet */
};

struct image_native {
    struct buf scratch, piece, index;
    struct record_pieces *pieces;
    uint64_t chain;
    uint32_t piece_number;
    uint8_t heat;
};

struct image_rdb {
    struct buf out, value;     /* value: of a string, unpacked */
    struct rdb_writer words;
    struct rdb_save *save;
    struct packed_at packed;   /* of a large packed string, while `unpacking` */
    bool unpacking;
    uint64_t sum;
    unsigned db;
    bool selected;
};

struct image_writer {
    struct image_options options;
    struct tray *trays;
    struct lock lock;
    struct full *ready, **ready_end; /* in the order they came */
    struct full *spare;
    unsigned spares;
    _Atomic size_t waiting;
    struct image_facts facts;
    bool begun;
    int error;
    struct image_native native;
    struct image_rdb rdb;
};

bool image_writer_out(struct image_writer *w, const void *p, size_t n); /* to the sink, counted; false: the error is kept */

void image_native_free(struct image_writer *w);
enum image_status image_native_begin(struct image_writer *w);
enum image_status image_native_full(struct image_writer *w, const struct full *f);
enum image_status image_native_large(struct image_writer *w, const struct record *r);
enum image_status image_native_step(struct image_writer *w);
enum image_status image_native_finish(struct image_writer *w);

void image_rdb_free(struct image_writer *w);
enum image_status image_rdb_begin(struct image_writer *w);
enum image_status image_rdb_full(struct image_writer *w, const struct full *f);
enum image_status image_rdb_large(struct image_writer *w, const struct record *r);
enum image_status image_rdb_step(struct image_writer *w);
enum image_status image_rdb_finish(struct image_writer *w);

#endif
