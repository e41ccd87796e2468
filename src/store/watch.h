/* watch: who wants to know what changes in the store.
 *
 * The hook is called for each change of a key under its shard's lock, as soon as it is done: keep it short. While nobody watches
 * only what expires and is evicted is told. What CACHE INVALIDATE removes is not told key by key, but its pattern once, when it
 * is in force and before anybody is told that it is, under the rules' lock. Of FLUSHED the key is NULL and all locks are held; db
 * STORE_DATABASES: all.
 * Thread rule: the hook is set before use; watching from any thread. Nothing is owned.
 */
#ifndef LARDER_STORE_WATCH_H
#define LARDER_STORE_WATCH_H

#include "store/store.h"

enum store_event {
    STORE_EXPIRED, STORE_EVICTED, /* `e` is what is about to go */
    STORE_WRITTEN,                /* it is there, with another value, members or deadline */
    STORE_DELETED,                /* by a command; it may not have been there */
    STORE_BORN,                   /* the key is new; told before what follows, and only if `tell_born` */
    STORE_FADED,                  /* members went by their own deadlines; `e` NULL: all of them, and the key */
    STORE_FLUSHED,
    STORE_INVALIDATED,            /* the key is the pattern, without a hash */
};
typedef void store_hook(void *arg, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k, const struct entry *e);
void store_set_hook(struct store *s, store_hook *hook, void *arg);
void store_watch(struct store *s, int more); /* so many more (or less) want to know */

#endif
