/* pool: connections to one server, lent to one thread at a time; opened when needed, kept when they come back.
 *
 * Invariant: at most `max` are lent or kept. Those of an earlier server (pool_turn) are closed when they come back or are found.
 * Thread rule: any thread; no lock is held while a connection is opened or used. Who has taken one gives it back with pool_give.
 */
#ifndef LARDER_L1_POOL_H
#define LARDER_L1_POOL_H

#include "l1/link.h"
#include "l1/trouble.h"

#include <pthread.h>

struct pool_link {
    struct link link; /* first: a lent link is this */
    struct pool_link *next;
    uint64_t turn;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct pool_link *idle; /* the one used last comes first */
    unsigned lent, kept, max;
    uint64_t turn;
    const struct url *url;
    const char *name;
    struct trouble *trouble; /* where it is told why there is no connection */
};

enum pool_status { POOL_OK, POOL_FULL, POOL_NO_SERVER };

int pool_init(struct pool *p, unsigned max, const char *name, struct trouble *trouble); /* 0 or an errno */
void pool_free(struct pool *p);                                /* all are back */
void pool_turn(struct pool *p, const struct url *url);         /* from now on connections go to `url`, and to a new life of the server */
enum pool_status pool_take(struct pool *p, int64_t connect_deadline, int64_t wait_deadline, struct link **out);
void pool_give(struct pool *p, struct link *k, enum link_status status); /* anything but LINK_OK closes it */

#endif
