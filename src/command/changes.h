/* changes: what becomes of a change of a key besides the change: who watches is told, what was promised about it is void.
 *
 * The store's hook runs under the shard's lock, in the middle of a command, and only notes; once the request is over and its
 * locks are gone, changes_settle does what follows: the feed, invalidations, messages, leases that became free. All of it is done before
 * the request's reply is sent, and what a session is told itself comes behind its own reply.
 * Thread rule: the lane's thread.
 */
#ifndef LARDER_COMMAND_CHANGES_H
#define LARDER_COMMAND_CHANGES_H

#include "command/env.h"

void changes_open(struct env *e); /* the store stands: from here on it is heard */
void changes_watch(struct env *e, int more); /* so many more want to know, besides the feed */
void changes_flushed(struct lane *l, unsigned db); /* a database was emptied; STORE_DATABASES: all */
/* All keys of a database that match one of the patterns are invalid from now on. */
void changes_invalidated(struct lane *l, unsigned db, const struct slice *pattern, size_t n);

void changes_settle_now(struct lane *l);
static inline void changes_settle(struct lane *l) {
    if (__builtin_expect(l->unsettled, 0)) changes_settle_now(l);
}

#endif
