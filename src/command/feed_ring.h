/* feed_ring: the ring of the feed: blocks of changes as they are sent.
 *
 * A block fills from both ends: changes as they are sent from the front, their hashes from the back, so that both can be sent from
 * where they lie. While nobody wants to be told keys as they are, blocks are bare: a change of a key is 4 bytes then. Who wants keys
 * begins a new block; if it meets a bare one all the same (a change that was under way), that is lost to it.
 * Invariant: bytes below a block's `used` never change; `used` only grows while the block is the newest. Numbers go on from block to block
 * without a gap. Thread rule: any thread, everything under the ring's lock, which is taken inside. References keep a block, not
 * its place in the ring.
 */
#ifndef LARDER_COMMAND_FEED_RING_H
#define LARDER_COMMAND_FEED_RING_H

#include "base/deltas.h"
#include "base/hash.h"
#include "command/feed.h"

#define FEED_BLOCK 65536
#define FEED_LONGEST 4096 /* bytes of a key that is told as it is */

struct feed_block {
    struct feed_block *next;
    _Atomic uint32_t refs;
    uint32_t used, entries;
    uint32_t odd;   /* entries that are no keys */
    uint64_t first; /* number of its first change */
    bool gone;      /* out of the ring */
    bool bare;      /* of keys there are hashes only; in front of a change that is told stands which entry it is */
    char data[];    /* changes ->      <- their hashes, of 4 bytes each */
};

struct feed_place {
    struct feed_block *block; /* with a reference; NULL: nowhere */
    uint32_t at;
    uint64_t seq;             /* of the change that is there, or will be */
};

struct feed_piece {
    struct feed_block *block; /* with a reference; NULL: what was there is lost */
    uint32_t from, to;
    bool odd;                 /* there may be others than keys in it */
    bool bare;                /* keys are in it as hashes only */
    uint64_t first, next;
};

struct feed_note {
    uint64_t hash;     /* 0: always told */
    uint32_t told;     /* hash that is told in place of the key */
    uint32_t n : 31;   /* bytes */
    uint32_t odd : 1;  /* no key */
};

enum feed_status { FEED_NEW, FEED_RESUMED, FEED_OVERRUN, FEED_IDLE, FEED_OTHER_LIFE };

/* One more listens, from `seq` on, or from now on (0, or where `seq` is not there: then the status says why). `keys`: hashes alone will not
 * do. */
enum feed_status feed_ring_join(struct env *e, uint64_t seq, bool keys, struct feed_place *p);
void feed_ring_part(struct env *e, bool keys, struct feed_place *p); /* one less; *p may be nowhere */
/* The rest of the block that the place is in, or what comes next; the place is behind it then. False: there is nothing new. */
bool feed_ring_next(struct feed *f, struct feed_place *p, struct feed_piece *out);
void feed_ring_move(struct feed_place *p, const struct feed_place *to); /* both somewhere */
void feed_ring_put(struct env *e, const char *text, const struct feed_note *note, size_t n);
void feed_ring_put_bare(struct env *e, const uint32_t *told, size_t n); /* keys, as hashes */
/* The change that stands at *at of a bare block, as it is sent, of `n` bytes; moves *at behind it; returns which entry of the block it is. */
uint32_t feed_ring_odd(const struct feed_block *b, uint32_t *at, struct slice *text);
void feed_ring_hold(struct feed_block *b);
void feed_ring_release(void *block); /* a chain_release */
uint64_t feed_ring_end(struct feed *f, uint64_t *old); /* the next number; *old: what is below is in the oldest quarter of the ring, or gone */
static inline uint64_t feed_ring_seed(const struct feed *f) { return ((const struct feed_head *)f)->seed; }

/* The hash of a block's first change; those of the others lie in front of it. */
static inline uint32_t *feed_ring_hashes(struct feed_block *b) { return (uint32_t *)(void *)((char *)b + FEED_BLOCK) - 1; }
/* The hash of a key as listeners are told it: doc/feed-and-leases.md. */
static inline uint32_t feed_ring_hash(uint64_t seed, unsigned db, struct slice key) { return deltas_of_hash(hash_bytes(key.p, key.n, hash_seed(seed, db))); }

#endif
