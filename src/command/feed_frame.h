/* feed_frame: frames that several listeners are given as they are: what one wish makes of what is in the ring from some place on.
 *
 * Who listens to hashes, or to some prefixes only, stands where the others with the same wish stand, as a rule. So a thread makes
 * each frame once, and its listeners refer to it. Who wants everything, as it lies in the ring, needs none of this.
 * Thread rule: made and found by the thread of the shelf; released by any. A frame owns its bytes and refers to a block of the ring; a
 * shelf refers to its frames.
 */
#ifndef LARDER_COMMAND_FEED_FRAME_H
#define LARDER_COMMAND_FEED_FRAME_H

#include "command/feed_ring.h"
#include "command/feed_wish.h"

#define FEED_SHELF 8

struct feed_frame {
    _Atomic uint32_t refs;
    struct feed_wish wish;
    uint64_t first;        /* the number that it says it begins with */
    struct feed_place from, end; /* where it begins in the ring (no reference), and what is behind it */
    size_t n;              /* bulks in it */
    bool lost;             /* a part of it was not there any more: all of it is said to be lost */
    struct buf text;       /* as it is sent */
};

struct feed_shelf {
    struct feed_frame *frame[FEED_SHELF]; /* the youngest first; NULL: none */
};

/* Where a frame begins and what is known of what will be in it. */
struct feed_span {
    const struct feed_place *from, *end; /* end: where what was found ends */
    uint64_t first;                      /* who is told was told what is below */
    uint64_t until;                      /* with prefixes: no further than that */
    struct feed_found *found;            /* NULL: it is to be looked for */
};

/* What there is of it. NULL: nothing. The shelf refers to it: it is good until the next call, or until feed_frame_hold's counterpart. */
struct feed_frame *feed_frame_get(struct feed_shelf *shelf, struct env *e, const struct feed_wish *w, const struct feed_span *span);
void feed_frame_hold(struct feed_frame *v);
void feed_frame_release(void *frame); /* a chain_release */
void feed_frame_clear(struct feed_shelf *shelf);
void feed_frame_head(struct buf *out, int proto, uint64_t first, uint64_t next);

#endif
