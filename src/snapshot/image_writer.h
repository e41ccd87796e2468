/* image_writer: the bytes of a whole snapshot, native or RDB, out of records. No file, no store: records in, bytes to a sink.
 *
 *   w = image_writer_new(&options);
 *   t = image_writer_tray(w);            one for each thread that has records
 *   tray_put(t, &record);                under a lock, say: it copies, nothing else. True: something is ready to be written
 *   image_writer_flush(w);               no lock held: compresses, sums, writes what is ready
 *   image_writer_large(w, &record);      instead of tray_put where record_large(): begins one in pieces,
 *   image_writer_step(w)                 again and again, writes it: neither needs a lock, if who calls holds the entry
 *   image_writer_finish(w);              what is left in the trays, the index, the end
 *
 * A tray has a block for each class of heat, which is taken over by the writer when it is full (IMAGE_BLOCK bytes); so what a writer
 * needs is about RECORD_HEATS * IMAGE_BLOCK for each tray, and what waits for a flush (image_writer_waiting).
 * Thread rule: a tray belongs to one thread at a time, trays may be filled side by side and while the writer writes; everything
 * else from one thread. Between image_writer_large and the end of its steps no image_writer_flush is made: an RDB file has its values in
 * one piece. The writer owns its trays. Nothing of a record is referred to after tray_put; of a large one until its last step.
 */
#ifndef LARDER_SNAPSHOT_IMAGE_WRITER_H
#define LARDER_SNAPSHOT_IMAGE_WRITER_H

#include "snapshot/record.h"

#define IMAGE_BLOCK ((size_t)256 << 10) /* bytes of records in a block, about */

enum image_format { IMAGE_NATIVE, IMAGE_RDB };

enum image_status {
    IMAGE_OK,
    IMAGE_MORE,   /* go on */
    IMAGE_FAILED, /* the sink did: its errno is kept in image_writer_errno; the writer is of no more use */
};

/* Takes n bytes; false with errno if it cannot. */
typedef bool image_sink(void *arg, const void *p, size_t n);

struct image_options {
    enum image_format format;
    bool compress;                    /* blocks by LZ4; in RDB, strings by LZF (rdbcompression) */
    bool checksum;                    /* in RDB (rdbchecksum); native blocks always have theirs */
    const struct type_limits *limits; /* which encodings an RDB file gets */
    uint64_t seed;                    /* of the store, for homes that are made on the way to RDB */
    int64_t now;                      /* ms: when the snapshot is of */
    uint64_t used_memory;             /* said in the file's head */
    unsigned rdb_version;             /* 0: RDB_VERSION. Below 12, a hash goes as a whole at its fields' earliest deadline */
    image_sink *sink;
    void *arg;
};

struct image_facts {
    uint64_t records, volatiles, blocks;
    uint64_t plain, written; /* bytes of blocks before compression; bytes given to the sink */
};

struct image_writer;
struct tray;

struct image_writer *image_writer_new(const struct image_options *o);
void image_writer_free(struct image_writer *w); /* at any time; NULL: nothing */
struct tray *image_writer_tray(struct image_writer *w);

bool tray_put(struct tray *t, const struct record *r); /* !record_large(r) */
size_t image_writer_waiting(struct image_writer *w);   /* bytes that are ready to be written; any thread */

enum image_status image_writer_flush(struct image_writer *w);
enum image_status image_writer_large(struct image_writer *w, const struct record *r);
enum image_status image_writer_step(struct image_writer *w); /* writes one piece. IMAGE_OK: that was the last */
enum image_status image_writer_finish(struct image_writer *w);
int image_writer_errno(const struct image_writer *w);
struct image_facts image_writer_facts(const struct image_writer *w); /* as of the last call of the others */

#endif
