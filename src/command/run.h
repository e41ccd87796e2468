/* run: executes a request under the locks of its keys. The only place that takes shard locks for a command.
 *
 * Thread rule: the session's thread; no lock held.
 */
#ifndef LARDER_COMMAND_RUN_H
#define LARDER_COMMAND_RUN_H

#include "command/batch.h"
#include "command/tracking.h"
#include "command/wait.h"

/* Before each run. */
static inline void call_begin(struct call *c, const struct request *q) {
    c->cmd = q->command;
    c->argc = q->argc;
    c->argv = q->argv;
    c->need = 0;
    c->busy = c->failed = c->closed = c->again = false;
}

void run_locked(struct call *c);
/* Once more, with what it wanted: that it looked for its keys was counted the first time. */
void run_again(struct call *c);

/* -- for the short path ------------------------------------------------------------------------------------------------------- */

void run_many(struct call *c);
/* It has made a collection, with its shard's lock held: there may be somebody waiting for it. */
void run_unlock_born(struct call *c, struct lock *lock);

/* `tracked`: what it reads is noted, under the same locks. */
static inline void run_handler(struct call *c, bool tracked) {
    c->cmd->run(c);
    if (tracked) tracking_read(c->s, &c->v, c->key, c->keys);
}

static inline void run_one(struct call *c, bool tracked) {
    unsigned shard = store_shard_of(c->key->hash);
    struct lock *lock = store_lock_of(c->v.store, shard);
    lock_acquire(lock);
    if (wait_far(c->waits, shard) && (c->cmd->flags & C_WRITE)) {
        lock_release(lock);
        run_many(c);
        return;
    }
    run_handler(c, tracked);
    if (__builtin_expect(c->v.born & WAIT_TYPES, 0)) run_unlock_born(c, lock);
    else lock_release(lock);
}

/* With no lock held: replies that lie packed get their bytes. */
static inline void run_settle(struct call *c) {
    if (__builtin_expect(c->aside, 0)) owing_pay(c);
}

#endif
