/* feed: the numbered stream of changes (doc/feed-and-leases.md): the ring that it is kept in, and who listens.
 *
 *   a lane's notes --feed_publish--> blocks of 64 KB: oldest -> ... -> newest --feed_give--> listeners, each at its own place
 *
 * The ring holds changes as they are sent, so that a listener's frame is a head of its own and a piece of a block, which is not copied
 * but referred to; while no listener needs keys, it holds their hashes alone. Blocks are only ever added to behind what anybody has
 * been given. A block that leaves the ring lives on while somebody refers to it; who stands in it has lost what was behind.
 *
 * Changes are noted under the shard's lock in the lane's own memory and published once the request is over, before its reply
 * is sent. A change of a key that nobody has been told of since its last one is that one. Listeners are told in turns, so that
 * telling takes a fortieth of a lane's time at the most where there are more than a few.
 * Thread rule: notes, listeners and pace are their lane's thread's; the ring under its lock. The env owns the feed, a lane its notes,
 * a session its listening.
 */
#ifndef LARDER_COMMAND_FEED_H
#define LARDER_COMMAND_FEED_H

#include "command/call.h"

struct feed;
struct feed_lane;

struct feed *feed_new(void);
void feed_free(struct feed *f);
struct feed_lane *feed_lane_new(void);
void feed_lane_free(struct feed_lane *fl);

/* What is recorded: keys by their hashes alone suffice where nobody asks for more. */
enum feed_level { FEED_OFF, FEED_HASHES, FEED_KEYS };
struct feed_head { /* a feed begins with it: what is looked at for each change */
    _Atomic unsigned char level;
    uint64_t seed; /* of the hashes that are told; not that of the store's hashes: listeners know it */
};
/* Is anything? Under the lock of a key's shard: who listens by then is not forgotten. */
static inline enum feed_level feed_on(const struct feed *f) {
    return (enum feed_level)atomic_load_explicit(&((const struct feed_head *)f)->level, memory_order_relaxed);
}
/* `kind`: k a key, p a pattern, f a database (db STORE_DATABASES: all). `hash`: of the text; 0: it is told each time. feed_note_key: where
 * hashes suffice, that alone. */
void feed_note(struct lane *l, char kind, unsigned db, struct slice text, uint64_t hash);
void feed_note_key(struct lane *l, unsigned db, struct slice key, uint64_t hash);
void feed_publish(struct lane *l); /* what the lane has noted; no shard's lock held, or not for long */
void feed_tick(struct env *e);     /* now and then: ends recording when nobody has listened for feed-keep seconds */

void feed_run(struct call *c);           /* CACHE FEED */
void feed_give(struct session *s, bool all); /* what it has not been given yet; all: also if it is slow to read */
void feed_leave(struct session *s);      /* it listens no more */
void feed_alarm(struct lane *l);         /* the host's alarm */

struct feed_facts { /* INFO */
    uint64_t listeners, next, oldest, bytes;
};
struct feed_facts feed_facts(struct env *e);

#endif
