/* capture: all keys of all databases as they were at one moment, handed out while they go on changing; what a snapshot is made of.
 *
 * Each slot has a mark (segment.h), each table the mark that new entries get. capture_begin turns the tables' marks over, under all
 * locks: with that every slot has the other mark, which now means "as it was then, and not handed out yet", though none was touched.
 * Walks, one for each part of the shards, hand out what they come to and turn its mark over; who changes, moves or removes an
 * entry hands it out first if it is not yet (view.c, holder.c, evict.c, and the trash for detached tables). So everything is handed
 * out once, as it was, and an entry's being handed out costs one copy of it and nothing before or after.
 *
 * What is handed out is copied into parcels, which one consumer takes, reads and gives back. Larger values are referred to: a
 * string's block is pinned, a collection held (who wants to change it waits, and its parcel is taken first). Walks pause while
 * half of the budget is out; writers are to be held back while all of it is (capture_pressed): no memory but the budget is taken.
 * Walks leave large values to a second round, when nobody is pressed any more.
 *
 * Past their deadline when the capture began, or invalid (rule.h) when they are come to: not handed out. What expires in between
 * may be or not. FLUSHDB and SWAPDB are seen through (but for a flush while a rule runs: that cancels). A capture that is cancelled
 * goes on to turn the marks over, quickly, and ends.
 * Thread rule: as said beside each function; one capture and one consumer at a time. The store owns it.
 */
#ifndef LARDER_STORE_CAPTURE_H
#define LARDER_STORE_CAPTURE_H

#include "store/store.h"

struct capture_plan {
    unsigned parts;          /* walks: capture_step is called for each of 0 .. parts - 1, by one thread at a time */
    size_t budget;           /* bytes of parcels */
    int64_t now;             /* wall clock, ms */
    void (*room)(void *arg); /* walks that paused may go on; on the consumer's thread, no lock held. May be NULL */
    void *arg;
};

struct capture_item {
    unsigned db;               /* in which it was when the capture began */
    const struct entry *entry; /* a copy, whose header and key may be read; not its value: */
    struct slice value;        /* of a string, or a packed collection */
    void *object;              /* a large collection, held; else NULL */
};

struct capture_facts {
    bool on, cancelled;
    uint64_t keys_total, keys_done; /* those there were at its beginning; about how many have been come to */
};

enum capture_progress {
    CAPTURE_MORE, /* call again */
    CAPTURE_FULL, /* call again after plan.room, or some time */
    CAPTURE_DONE, /* this part has nothing to do (any more) */
};

struct parcel;

/* Takes all locks for a moment. False: there is one already. */
bool capture_begin(struct store *s, const struct capture_plan *plan);
enum capture_progress capture_step(struct store *s, unsigned part, int64_t slice_us); /* no lock held */
/* May be called from any thread at any time; what is taken from then on is worth nothing. capture_end is still to be waited for. */
void capture_cancel(struct store *s);
bool capture_on(const struct store *s);
/* No writes for now: the budget is spent. Any thread; false while there is no capture. */
bool capture_pressed(const struct store *s);
bool capture_owes(const struct store *s); /* memory of large values that have gone will come back soon; any thread */
void capture_facts(const struct store *s, struct capture_facts *out); /* any thread */

/* -- the consumer, on a thread that holds no lock ------------------------------------------------------------------------------ */
struct parcel *capture_take(struct store *s);  /* waits for the next one; NULL: that was all, now call capture_end */
bool capture_next(struct parcel *p, struct capture_item *out); /* false at its end */
void capture_give(struct store *s, struct parcel *p);
bool capture_end(struct store *s);             /* false: it was cancelled, by whomever */

#endif
