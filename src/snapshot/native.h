/* native: the frame of larder's own snapshot files: head, blocks, index, tail; doc/snapshot-format.md has it byte by byte.
 *
 *   head (64)   magic, version, time
 *   block ...   head (48) with kind, codec, heat, lengths, checksums; then the stored bytes
 *   index ...   blocks that say of every block before them where it is and what it has
 *   tail (64)   where the index is; how many blocks and records there are
 *
 * All numbers are little endian. Every head has its own checksum, so a length is believed or the block is lost alone. Unknown kinds
 * of blocks are passed by; a newer major version is refused. Thread rule: pure functions on the caller's bytes.
 */
#ifndef LARDER_SNAPSHOT_NATIVE_H
#define LARDER_SNAPSHOT_NATIVE_H

#include "base/buf.h"

#define NATIVE_MAJOR 1
#define NATIVE_MINOR 0
#define NATIVE_HEAD 64
#define NATIVE_BLOCK 48
#define NATIVE_ENTRY 32
#define NATIVE_TAIL 64
#define NATIVE_MAGIC "LARDSNAP"
#define NATIVE_BLOCK_MOST ((uint32_t)16 << 20)  /* bytes in a block, stored or plain */
#define NATIVE_INDEX_MOST ((uint32_t)4 << 20)   /* of an index block */

enum native_kind { NATIVE_RECORDS = 1, NATIVE_PIECE = 2, NATIVE_INDEX = 3 };
enum native_codec { NATIVE_PLAIN, NATIVE_LZ4 };
enum { NATIVE_LAST = 1 }; /* flag: the chain ends here */

struct native_head {
    unsigned major, minor;
    int64_t now;          /* ms */
    uint64_t used_memory;
};

struct native_block {
    uint64_t offset;      /* of its head in the file */
    uint8_t kind, codec, heat, flags;
    uint32_t records, stored, plain;
    uint32_t piece;       /* its place in the chain */
    uint64_t chain;       /* number of the large value that it is a piece of; 0: none */
    uint64_t sum;         /* of the stored bytes */
};

struct native_tail {
    uint64_t index;       /* offset of the first index block */
    uint32_t indexes;
    uint64_t blocks, records, size;
};

enum native_status {
    NATIVE_OK,
    NATIVE_BAD,     /* not one, or damaged */
    NATIVE_NEWER,   /* of a newer major version, which is set */
};

uint64_t native_sum(const void *p, size_t n);

void native_put_head(uint8_t out[NATIVE_HEAD], const struct native_head *h);
enum native_status native_get_head(const uint8_t in[NATIVE_HEAD], struct native_head *h);
/* Sets b->sum by the stored bytes. */
void native_put_block(uint8_t out[NATIVE_BLOCK], struct native_block *b, const void *stored);
enum native_status native_get_block(const uint8_t in[NATIVE_BLOCK], struct native_block *b); /* all but the offset */
void native_put_entry(uint8_t out[NATIVE_ENTRY], const struct native_block *b);
void native_get_entry(const uint8_t in[NATIVE_ENTRY], struct native_block *b); /* the plain length, codec and sum are in the block only */
void native_put_tail(uint8_t out[NATIVE_TAIL], const struct native_tail *t);
enum native_status native_get_tail(const uint8_t in[NATIVE_TAIL], struct native_tail *t);

/* The smaller form of n bytes: *codec says which; `scratch` is where it lies if it is not `p` itself. */
struct slice native_press(const void *p, size_t n, bool compress, struct buf *scratch, uint8_t *codec);
/* The plain bytes of a block whose stored ones are at `stored`; checks sum and lengths. They lie at `stored` or in `space`. */
enum native_status native_open(const struct native_block *b, const void *stored, struct buf *space, struct slice *out);

#endif
