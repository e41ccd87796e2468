/* wait: sessions that wait for keys, and the handing over of what they wait for.
 *
 * A waiter stands in the queue of each of its keys; queues lie in the key's shard, under the shard's lock. Its handler runs with
 * the locks of all its keys, found them without what it wants, and joins the queues before they are released, so nothing can
 * come in between. When a command has brought a collection into being (view.born), the waiters of its keys are served before
 * its locks are released: whoever runs the command takes the elements out for the waiter and puts them into the waiter's own
 * memory; once the locks are gone the waiter's lane is told, and replies. So nobody can take what is meant for one who waits.
 *
 * Who takes from a key is in order of arrival in its queue; keys are served in the order in which they became ready, each until
 * nothing is left or nobody wants it; what is moved into a key for which others wait (BLMOVE) makes that one ready in turn.
 * Serving a mover changes a second key: where such waiters stand in a shard (`far`), wait_lock takes the locks of all that may be
 * reached from the command's keys before it runs, ascending as ever. Where none stand, that costs one look at one number, and a
 * command that makes no collection looks at nothing else.
 *
 * A waiter in several queues is given to one server only: its fate goes from WAIT_WAITING to WAIT_CLAIMED by one compare-and-swap;
 * its own lane takes it to WAIT_LEFT the same way (time over, CLIENT UNBLOCK, the client gone). Those who are not waiting any
 * more are skipped; their lane takes them out of all queues, one lock at a time.
 * Nothing here knows what is waited for: a kind of waiting brings its type and its functions.
 *
 * Thread rule: queues under their shard's lock, `task` and `session` on the waiter's lane, the kind's results by who claimed it
 * and, from WAIT_SERVED on, by the lane. References: one of the task's, one of a telling under way; who drops the last one frees.
 */
#ifndef LARDER_COMMAND_WAIT_H
#define LARDER_COMMAND_WAIT_H

#include "command/call.h"

struct waiter;
struct wait_queue;

enum wait_fate { WAIT_WAITING, WAIT_CLAIMED, WAIT_SERVED, WAIT_LEFT };
enum wait_served {
    WAIT_GIVEN, /* it was claimed, and has what it waited for */
    WAIT_KEPT,  /* not from this key now, or claimed by somebody else: the next one's turn */
    WAIT_LATER, /* the key cannot be changed now (it is read in slices): the queue is looked at again soon */
};

/* Constant; one for each kind of waiting. */
struct wait_kind {
    enum value_type type;
    /* Under the locks of the key's shard and the target's: e, at `key` in v, is of that type. Calls wait_claim first, and changes
     * nothing if that says no. What it leaves in w is its own. */
    enum wait_served (*serve)(struct waiter *w, struct view *v, const struct key *key, struct entry *e);
    bool (*reply)(struct waiter *w, struct session *s, int64_t slice_us); /* it was served; false: there is more to reply */
    void (*nothing)(struct waiter *w, struct session *s); /* its time is over */
    void (*drop)(struct waiter *w);                       /* frees what it has besides; any thread; may be NULL */
};

/* A waiter's place in a queue. */
struct wait_place {
    struct waiter *waiter;
    struct wait_queue *queue; /* NULL: not any more */
    struct wait_place *next, *prev;
    unsigned shard;
};

struct waiter {
    struct task task;
    const struct wait_kind *kind;
    struct lane *lane;
    struct session *session;  /* NULL once it has gone */
    _Atomic uint32_t refs;
    _Atomic enum wait_fate fate;
    bool with_error;          /* CLIENT UNBLOCK ... ERROR */
    unsigned db;
    struct key target;        /* what serving it also changes; p NULL: nothing */
    struct waiter *next;      /* of those to be told */
    unsigned places;
    struct wait_place *place;
};

/* From a handler whose call found nothing at its first `keys` keys: a waiter of `size` bytes (it begins with struct waiter), zeroed,
 * in nobody's queue yet. `target`: index of the key that serving it changes too, or -1. */
void *wait_new(struct call *c, size_t size, const struct wait_kind *kind, int keys, int target);
void wait_start(struct call *c, struct waiter *w, int64_t ms); /* joins the queues and parks the session; 0 ms: for ever */
/* From a kind's serve: is the waiter ours to give to? */
bool wait_claim(struct waiter *w);
/* A timeout in seconds, as Redis reads it; false after an error was replied. */
bool wait_timeout(struct call *c, int arg, int64_t *ms);

/* -- for those who lock shards: dispatch, work --------------------------------------------------------------------------- */

#define WAIT_TYPES (1u << VALUE_LIST | 1u << VALUE_ZSET | 1u << VALUE_STREAM) /* what there may be waiters for */

struct wait_shard {
    struct wait_queue **bucket; /* by hash; NULL while there never was a queue */
    uint32_t buckets, queues;
};

struct waits {
    _Atomic uint32_t far[STORE_SHARDS]; /* places of waiters with a target; changed under the shard's lock */
    struct wait_shard shard[STORE_SHARDS];
    _Atomic uint64_t keys;              /* queues in all: INFO total_blocking_keys */
    _Atomic uint64_t marks;
};

struct waits *waits_new(void);
void waits_free(struct waits *ws); /* nobody waits */

/* Under the shard's lock: may serving one of its waiters need further locks? */
static inline bool wait_far(const struct waits *ws, unsigned shard) {
    return __builtin_expect(atomic_load_explicit(&ws->far[shard], memory_order_relaxed) != 0, 0);
}
/* Takes the locks of the keys' shards and of all that serving their waiters may change; wait_unlock serves the waiters of the keys
 * if v->born says that there may be something for them, releases the locks and tells those who were served. */
void wait_lock(struct lane *l, const struct key *key, int keys, struct store_locks *locks);
void wait_unlock(struct lane *l, struct view *v, const struct key *key, int keys, struct store_locks *locks);

/* Its halves: under the locks; `keys` 0: all waiters of all keys (then all locks are held). Forgets what v->born says. */
struct waiter *wait_serve(struct lane *l, struct view *v, const struct key *key, int keys);
void wait_tell(struct lane *l, struct waiter *served); /* with no locks */

#endif
