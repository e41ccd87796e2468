/* inside: what a handle is made of, and how its parts ask the server; for the files of this folder.
 *
 * Thread rule: fields that are not atomic are set before larder_open returns, or have a lock of their own. The handle owns all of it;
 * larder_close stops the threads first.
 */
#ifndef LARDER_L1_INSIDE_H
#define LARDER_L1_INSIDE_H

#include "base/hist.h"
#include "l1/backlog.h"
#include "l1/behind.h"
#include "l1/breaker.h"
#include "l1/flight.h"
#include "l1/keeper.h"
#include "l1/larder.h"
#include "l1/near.h"
#include "l1/pool.h"
#include "l1/trouble.h"
#include "l1/watch.h"

#define ABSENT SLICE("\0larder:absent") /* what stands in the server for "there is no such thing" */
#define TIMED_SHARE 64                  /* one in so many near hits is timed */

enum counted {
    COUNT_L2_HITS, COUNT_L2_MISSES, COUNT_LOADS, COUNT_LOAD_FAILURES, COUNT_WAITS, COUNT_EARLY, COUNT_STALE, COUNT_ERRORS, COUNT_TIMEOUTS,
    COUNT_QUEUED, COUNT_DROPPED, COUNTS
};

enum timed { TIMED_L1, TIMED_L2, TIMED_LOAD, TIMES };

struct tally { /* of one thread: behind its near_record */
    counter count[COUNTS], sum_ns[TIMES], n[TIMES];
    struct hist hist[TIMES];
};

struct larder {
    larder_options o;
    struct url_list urls;
    struct near *near;
    size_t prefixes_n;
    struct slice *prefixes; /* n = 0: all keys are kept near */
    _Atomic int64_t trusted_until; /* of near_now: what is near is true so long */
    _Atomic int64_t lost_at;       /* of near_now: since when the feed is gone; 0: it is there */
    _Atomic bool leases, has_feed;
    _Atomic uint64_t invalidations, flushes, resumes, losses;
    _Atomic uint64_t load_ns; /* how long a load takes: a moving mean */
    double ticks_per_ns;
    struct trouble trouble;
    struct pool pool, waiters; /* for requests, and for those that the server lets wait */
    struct breaker breaker;
    struct watch watch;
    struct flights flights;
    struct behind behind;
    struct backlog backlog;
    struct keeper keeper;
};

/* A request and its replies: begin, ask over c.link, then end with what came of it. */
struct call {
    struct larder *l;
    struct pool *pool;
    struct link *link;
    int64_t began, deadline; /* us */
};

int call_begin(struct larder *l, struct call *c, int64_t wait_us); /* wait_us: what the server may wait on purpose; 0: an ordinary one */
/* Sends all that was asked; the first reply is then read with call_reply. */
int call_send(struct call *c);
int call_reply(struct call *c);     /* LARDER_OK, also where the reply is an error */
int call_end(struct call *c, int status);
/* One request, one reply: the link stays lent until call_end where LARDER_OK or LARDER_ERROR is returned; else it is given back. */
int call_one(struct larder *l, struct call *c, size_t argc, const struct slice *argv);
bool call_failed(int status);       /* the server did not answer as it should: not its word */

struct tally *tally_of(struct near_record *r); /* NULL: no memory */
void tally_drop(void *tally);
void tally_count(struct near_record *r, enum counted what, uint64_t n);
void tally_time(struct near_record *r, enum timed what, int64_t ns);

bool value_copy(larder_value *out, struct slice data, int flags);  /* on the heap, counted; false: no memory */
void value_share(larder_value *out, const larder_value *from);     /* one more of a heap value */
static inline bool value_counted(const larder_value *v) { return (uintptr_t)v->hold & 1; } /* on the heap; else pinned in the near store */

bool read_kept(const struct larder *l, struct slice key); /* is it one of those that are kept near? */
static inline bool read_trusted(struct larder *l, int64_t now) {
    return now < atomic_load_explicit(&l->trusted_until, memory_order_acquire);
}
void read_timed(struct larder *l, struct near_record *r, uint64_t ticks); /* a near hit that began then */
int read_hand_out(const struct near_found *f, larder_value *out); /* LARDER_OK, or LARDER_NOT_FOUND and unpinned */
/* The server failed with `status`: what may still be given out by the options, else `status`. `loading`: that the server has none does
 * not count, only what a loader said. */
int read_down(struct larder *l, struct near_record *r, struct slice key, uint64_t hash, int status, bool loading, larder_value *out);
static inline bool read_flagged(const struct near_found *f, uint8_t flag) {
    return atomic_load_explicit((_Atomic uint8_t *)&f->entry->flags, memory_order_relaxed) & flag;
}
/* Keeps near what the server said: ttl as PTTL says it, true at `since_us`. */
struct read_item {
    struct slice key, value;
    uint64_t hash, token;
    int64_t ttl, stale, cost, since_us;
    bool absent, negative, doubtful; /* negative: absent because a loader said so */
};
void read_put(struct larder *l, const struct read_item *item);
/* GET and PTTL over a call: LARDER_OK, LARDER_NOT_FOUND, LARDER_ERROR or how it failed; puts it near. */
void read_ask(struct call *c, struct slice key);
int read_answer(struct call *c, struct near_record *r, struct read_item *item, larder_value *out);

static inline bool slices_good(const larder_slice *s, size_t n) { /* no size without bytes */
    bool good = s || !n;
    for (size_t i = 0; good && i < n; i++) good = s[i].data || !s[i].size;
    return good;
}

int write_invalidate(struct larder *l, struct slice pattern, int64_t *count);
int write_queued(struct larder *l, size_t argc, const struct slice *argv); /* one of backlog's */

#endif
