/* feed_ring: the ring of the feed: blocks of changes as they are sent.
 *
 * Invariant: bytes below a block's `used` never change; `used` only grows while the block is the newest. Numbers go on from block to block
 * without a gap. Thread rule: any thread, everything under the ring's lock, which is taken inside. References keep a block, not
 * its place in the ring.
 */
#ifndef LARDER_COMMAND_FEED_RING_H
#define LARDER_COMMAND_FEED_RING_H

#include "command/feed.h"

#define FEED_BLOCK 65536
#define FEED_LONGEST 4096 /* bytes of a key that is told as it is */

struct feed_block {
    struct feed_block *next;
    _Atomic uint32_t refs;
    uint32_t used, entries;
    uint64_t first; /* number of its first change */
    bool gone;      /* out of the ring */
    char data[];
};

struct feed_place {
    struct feed_block *block; /* with a reference; NULL: nowhere */
    uint32_t at;
    uint64_t seq;             /* of the change that is there, or will be */
};

struct feed_piece {
    struct feed_block *block; /* with a reference; NULL: what was there is lost */
    uint32_t from, to;
    uint64_t first, next;
};

struct feed_note {
    uint64_t hash; /* 0: always told */
    uint32_t n;    /* bytes */
};

enum feed_status { FEED_NEW, FEED_RESUMED, FEED_OVERRUN, FEED_IDLE, FEED_OTHER_LIFE };

/* One more listens, from `seq` on, or from now on (0, or where `seq` is not there: then the status says why). */
enum feed_status feed_ring_join(struct env *e, uint64_t seq, struct feed_place *p);
void feed_ring_part(struct env *e, struct feed_place *p); /* one less; *p may be nowhere */
/* The rest of the block that the place is in, or what comes next; the place is behind it then. False: there is nothing new. */
bool feed_ring_next(struct feed *f, struct feed_place *p, struct feed_piece *out);
void feed_ring_put(struct env *e, const char *text, const struct feed_note *note, size_t n);
void feed_ring_release(void *block); /* a chain_release */

#endif
