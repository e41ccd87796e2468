/* image_reader: larder's own snapshot files, read: which blocks there are, hottest first, and the records of each.
 *
 * The index at the end says where blocks are; where it is missing or damaged the heads of all blocks are looked for from the front
 * on. What is damaged costs the block that it is in. A job is what can be loaded by itself: a block of records, or the chain of pieces
 * of one large value. Jobs stand in the order in which they are worth loading: the hottest first.
 *
 *   image_reader_open(&r, fd, why);
 *   for each job: image_cursor_open(c, r, job), then image_cursor_next until it says no more
 *
 * Thread rule: a reader is made by one thread and read by any; a cursor belongs to one thread. The reader does not own the
 * descriptor; it is read by pread. A record's slices are good until the cursor's next step, a
 * large one's key until the next record.
 */
#ifndef LARDER_SNAPSHOT_IMAGE_READER_H
#define LARDER_SNAPSHOT_IMAGE_READER_H

#include "snapshot/native.h"
#include "snapshot/record.h"

enum image_read {
    IMAGE_READ_OK,
    IMAGE_READ_END,     /* no more */
    IMAGE_READ_NOT,     /* no such file at all: another magic */
    IMAGE_READ_NEWER,   /* of a newer major version */
    IMAGE_READ_DAMAGED, /* of a block or chain: what is left of it is lost, the others are not */
    IMAGE_READ_FAILED,  /* the file could not be read: errno */
    IMAGE_READ_NO_ROOM, /* whoever was asked said so */
};

struct image_job {
    uint64_t first;     /* of its blocks in the reader's table */
    uint32_t blocks;
    uint8_t heat;
    bool chain;
    uint64_t bytes;     /* that are read from the file for it */
    uint64_t records;   /* that its blocks are said to have */
};

struct image_about {
    struct native_head head;
    uint64_t size, blocks, records, bytes; /* of the file; as the index says; bytes: of all jobs */
    uint64_t lost;      /* bytes in which no block was found */
    uint64_t unknown;   /* blocks of kinds that are not known */
    uint64_t broken;    /* chains of which a piece is missing */
    bool whole;         /* it has its tail and its index: nothing was cut off */
};

struct image_reader;
struct image_cursor;

/* Anything but IMAGE_READ_OK: *out is NULL and `why` says what is wrong. */
enum image_read image_reader_open(struct image_reader **out, int fd, struct buf *why);
void image_reader_free(struct image_reader *r); /* NULL: nothing */
const struct image_about *image_reader_about(const struct image_reader *r);
size_t image_reader_jobs(const struct image_reader *r);
const struct image_job *image_reader_job(const struct image_reader *r, size_t i);
const struct native_block *image_reader_block(const struct image_reader *r, uint64_t i);

struct image_cursor *image_cursor_new(const struct image_reader *r);
void image_cursor_free(struct image_cursor *c); /* NULL: nothing */
enum image_read image_cursor_open(struct image_cursor *c, const struct image_job *job);
/* The next record. `*large`: it is in pieces, its whole length is *total, and image_cursor_more gives them, up to IMAGE_READ_END. */
enum image_read image_cursor_next(struct image_cursor *c, struct record *r, bool *large, uint64_t *total);
enum image_read image_cursor_more(struct image_cursor *c, struct slice *piece);
/* The members of a large collection, into an empty home; all of its pieces are read. */
enum image_read image_cursor_fill(struct image_cursor *c, const struct record *r, struct home *home, int64_t now);
void image_cursor_ask(struct image_cursor *c, struct allowance_giver g); /* whether what is filled from now on has room */

#endif
