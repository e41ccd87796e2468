#include "command/run.h"

static bool is_tracked(const struct call *c) { return c->s->attends & ATTEND_TRACKING && c->cmd->flags & C_READONLY; }

/* What moves a value from one key to another must know of each rule that the other's segment may have been swept for: so the rules
 * are looked at behind the locks. A command of one key may be under those that there were when its batch began. */
void run_many(struct call *c) {
    struct store_locks locks = {{0}};
    wait_lock(c->s->lane, c->key, c->keys, &locks);
    view_rules(&c->v);
    run_handler(c, is_tracked(c));
    wait_unlock(c->s->lane, &c->v, c->key, c->keys, &locks);
}

static void run_with_all(struct call *c) {
    struct lane *l = c->s->lane;
    store_lock_all(c->v.store);
    view_rules(&c->v);
    run_handler(c, is_tracked(c));
    struct waiter *served = c->v.born & WAIT_TYPES ? wait_serve(l, &c->v, c->key, c->keys) : NULL;
    store_unlock_all(c->v.store);
    wait_tell(l, served);
}

void run_unlock_born(struct call *c, struct lock *lock) {
    struct waiter *served = wait_serve(c->s->lane, &c->v, c->key, 1);
    lock_release(lock);
    wait_tell(c->s->lane, served);
}

void run_locked(struct call *c) {
    const struct command *cmd = c->cmd;
    if (__builtin_expect(cmd->flags & C_ALL_LOCKS, 0) && (!cmd->needs_all || cmd->needs_all(c->argv, c->argc))) {
        run_with_all(c);
    } else if (__builtin_expect(c->keys == 1, 1)) {
        run_one(c, is_tracked(c));
    } else if (c->keys) {
        run_many(c);
    } else {
        cmd->run(c);
    }
    run_settle(c);
}

/* Once more, with what it wanted: that it looked for its keys was counted the first time. */
void run_again(struct call *c) {
    struct store_stats *stats = c->v.stats;
    uint64_t hits = counter_get(&stats->hits), misses = counter_get(&stats->misses);
    bool touch = c->v.touch;
    c->v.touch = false;
    c->anew = true;
    run_locked(c);
    c->anew = false;
    c->v.touch = touch;
    counter_add(&stats->hits, hits - counter_get(&stats->hits));
    counter_add(&stats->misses, misses - counter_get(&stats->misses));
}
