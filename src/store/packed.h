/* packed: a long string made smaller by LZ4, as it lies in an entry of FORM_LZ4.
 *
 *   1,2,5 bytes  length of the plain string (base/varint.h), at least PACKED_LEAST
 *   4 n          if it is longer than PACKED_BLOCK: what each of its n blocks takes, little endian; the top bit: it is as it was
 *   bytes        the blocks, each an LZ4 block of its own of PACKED_BLOCK plain bytes; the last has what is left
 *
 * So a part can be read without the rest, and long ones are done in slices. It is never longer than seven eighths of the plain
 * string: what would be is not packed. The bytes mean the same on every machine; snapshots write them as they lie.
 * Thread rule: a packer belongs to one thread at a time; all else is pure, but for the process-wide count of what entries hold.
 * Nothing here may be done under a shard's lock but packed_length. Who calls owns the bytes.
 */
#ifndef LARDER_STORE_PACKED_H
#define LARDER_STORE_PACKED_H

#include "base/buf.h"
#include "base/varint.h"

#define PACKED_BLOCK 65536
#define PACKED_LEAST 32 /* bytes: shorter strings are not worth it, and may be numbers */

/* Of the plain string. */
static inline size_t packed_length(struct slice stored) {
    const uint8_t *p = (const uint8_t *)stored.p;
    return varint_get(&p);
}

/* Is it what a packer wrote? For bytes from elsewhere: looks at all of it, block by block, in `space` of PACKED_BLOCK bytes. */
bool packed_sound(struct slice stored, char *space);

/* -- reading: stored is sound, else it asserts ----------------------------------------------------------------------------- */

/* A place in the plain string; its blocks are read one after the other. */
struct packed_at {
    struct slice stored;
    size_t length, at;   /* plain bytes: all, and before this place */
    const uint8_t *next; /* the block that `at` lies in */
    size_t block;
};
void packed_open(struct packed_at *r, struct slice stored, size_t from);
/* The next bytes, at most to the end of the block and at most `most`: written to `out`. `space` as above. Returns how many. */
size_t packed_read(struct packed_at *r, char *out, size_t most, char *space);
/* n bytes from `from` on. */
void packed_part(struct slice stored, size_t from, size_t n, char *out, char *space);

/* -- writing --------------------------------------------------------------------------------------------------------------- */

struct packer; /* LZ4's working memory, some 16 KB, and PACKED_BLOCK bytes of space for who reads */
struct packer *packer_new(void);
void packer_free(struct packer *p);
char *packer_space(struct packer *p);

/* One string being packed; its bytes gather at the end of `out`, from `start` on. */
struct packing {
    struct slice plain;
    struct buf *out;
    size_t start, at;
    int acceleration; /* LZ4's: 1 packs best, each more is a few percent faster */
    bool doubtful;    /* it will hardly pay: the first bytes are tried alone, however long it is */
};
enum packed_state { PACKED_MORE, PACKED_DONE, PACKED_NOT /* it does not pay: out is as it was */ };
void packing_begin(struct packing *g, struct slice plain, int acceleration, struct buf *out);
enum packed_state packing_step(struct packing *g, struct packer *p); /* one block */

/* -- what entries hold, in all --------------------------------------------------------------------------------------------- */

struct packed_totals {
    uint64_t values, stored, plain; /* bytes of values, without keys and headers */
};
void packed_count(int64_t values, int64_t stored, int64_t plain); /* the entries' */
void packed_totals(struct packed_totals *out);                    /* exact once threads are quiet */

#endif
