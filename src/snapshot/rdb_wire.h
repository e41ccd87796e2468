/* rdb_wire: the small parts that all of Redis's RDB encoding is made of: lengths, strings, doubles, the checksum.
 *
 *   length   00xxxxxx | 01xxxxxx x8 | 0x80 and 4 bytes | 0x81 and 8 bytes, all big endian; 11xxxxxx: a string in a special form
 *   string   a length and its bytes; or 0xC0/C1/C2 and an integer of 1/2/4 bytes, little endian;
 *            or 0xC3, the length packed, the length unpacked, LZF
 *
 * A reader is a cursor in a range of memory. Who reads a file gives it `refill`, which may move the range; nothing is then
 * handed out that lies in it. What is read is never believed: a length is held against what is there before anything is
 * allocated for it. After an error the reader is of no more use.
 * Thread rule: one thread at a time. The holder owns reader, writer and spaces; a slice lies where the comment says.
 */
#ifndef LARDER_SNAPSHOT_RDB_WIRE_H
#define LARDER_SNAPSHOT_RDB_WIRE_H

#include "base/buf.h"
#include "base/num.h"
#include "snapshot/rdb.h"

struct rdb_reader {
    const uint8_t *p, *end;
    /* Makes at least n bytes readable from p on, or says that there are not so many. NULL: p to end is all there is. */
    bool (*refill)(struct rdb_reader *r, size_t n);
    bool direct; /* strings may lie in the range in spite of refill: who asks is done with them before it reads on */
};

static inline uint64_t rdb_little(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}
/* The lower bits of v as a signed number of so many bits. */
static inline int64_t rdb_signed(uint64_t v, int bits) {
    uint64_t sign = 1ull << (bits - 1);
    return (int64_t)((v ^ sign) - sign);
}

/* Where a string lies that could not stay where it was read. */
struct rdb_space {
    struct buf bytes;
    char text[NUM_I64_MAX];
};
void rdb_space_free(struct rdb_space *s); /* a zeroed space is an empty one */

static inline bool rdb_reader_has(struct rdb_reader *r, size_t n) {
    return (size_t)(r->end - r->p) >= n || (r->refill && r->refill(r, n));
}
enum rdb_status rdb_reader_u8(struct rdb_reader *r, uint8_t *out);
enum rdb_status rdb_reader_u64(struct rdb_reader *r, uint64_t *out); /* 8 bytes, little endian */
enum rdb_status rdb_reader_length(struct rdb_reader *r, uint64_t *out);
/* The bytes are in the range (without refill) or in `space`, good until either is used again. */
enum rdb_status rdb_reader_string(struct rdb_reader *r, struct rdb_space *space, struct slice *out);
/* The same in two steps: a length, or (*special) the number of a special form; then the string. */
enum rdb_status rdb_reader_head(struct rdb_reader *r, uint64_t *n, bool *special);
enum rdb_status rdb_reader_body(struct rdb_reader *r, uint64_t n, bool special, struct rdb_space *space, struct slice *out);
/* Of the special form RDB_PACKED, in two steps: the lengths packed and plain; then the string (or rdb_lzf.h). */
enum { RDB_PACKED = 3 };
enum rdb_status rdb_reader_packed(struct rdb_reader *r, uint64_t *packed, uint64_t *n);
enum rdb_status rdb_reader_unpack(struct rdb_reader *r, uint64_t packed, uint64_t n, struct rdb_space *space, struct slice *out);
enum rdb_status rdb_reader_double(struct rdb_reader *r, double *out);       /* 8 bytes */
enum rdb_status rdb_reader_old_double(struct rdb_reader *r, double *out);   /* a byte and that many letters */

/* Writers append to a buf, which the caller empties when it likes. */
struct rdb_writer {
    struct buf *out;
    struct buf scratch; /* zeroed: empty */
    bool compress;      /* strings above 20 bytes by LZF, where that is shorter */
};
void rdb_writer_free(struct rdb_writer *w); /* its scratch */
void rdb_writer_u8(struct rdb_writer *w, uint8_t v);
void rdb_writer_u64(struct rdb_writer *w, uint64_t v);
void rdb_writer_length(struct rdb_writer *w, uint64_t n);
void rdb_writer_string(struct rdb_writer *w, struct slice s); /* the shortest form: as an integer, packed, as it is */
void rdb_writer_blob(struct rdb_writer *w, struct slice s);   /* the same, never as an integer */
void rdb_writer_double(struct rdb_writer *w, double v);

/* A string packed piece by piece, for those that are too long to be packed at once: rdb_wire_lzf_add until everything was, then, if
 * rdb_wire_lzf_pays, rdb_wire_lzf_head and what is in `out`. Pieces of RDB_LZF_PIECE but for the last. */
#define RDB_LZF_PIECE 32768
#define RDB_LZF_MIN 20
void rdb_wire_lzf_add(struct buf *out, const void *p, size_t n);
static inline bool rdb_wire_lzf_pays(size_t packed, size_t n) { return packed + 4 <= n; }
void rdb_wire_lzf_head(struct rdb_writer *w, size_t packed, size_t n);

/* CRC-64 as Redis has it (Jones, reflected, from 0, not inverted): begins with 0, goes on with what it was. */
uint64_t rdb_wire_sum(uint64_t sum, const void *p, size_t n);

#endif
