/* notify: keyspace events: what was done to a key, said to who has subscribed to one of two channels, as Redis does.
 *
 *   __keyspace@0__:KEY      the event's name
 *   __keyevent@0__:EVENT    the key
 *
 * Who changes a key says so under the lock of its shard, in the order in which Redis says it; there it is only noted, in one queue for
 * all threads, so that events of a key are told in the order in which they happened. changes_settle has them published when the request's
 * locks are gone and before its reply is sent. While notify-keyspace-events has not the event's class, and a K or an E, that is one branch.
 * Thread rule: notify_event under the shard's lock, on the lane's thread that the view counts for; the rest as said. The env owns the queue.
 */
#ifndef LARDER_COMMAND_NOTIFY_H
#define LARDER_COMMAND_NOTIFY_H

#include "command/env.h"
#include "command/events.h"
#include "store/view.h"

struct notices;
struct notices *notices_new(void);
void notices_free(struct notices *n);

static inline bool notify_wants(const struct lane *l, int64_t class) {
    return __builtin_expect((option_get(&l->env->config.notify_events) & class) != 0, 0);
}
void notify_note(struct lane *l, const char *event, unsigned db, struct slice key); /* `event` is constant */

/* An event of the view's database; its class says who wants it. */
static inline void notify_event(const struct view *v, int64_t class, const char *event, const struct key *k) {
    struct lane *l = lane_of_stats(v->stats);
    if (notify_wants(l, class)) notify_note(l, event, v->db, (struct slice){k->p, k->n});
}
int64_t notify_class(enum value_type t); /* of what is done to a value of that type */

void notify_publish(struct lane *l); /* what was noted; no lock held */

#endif
