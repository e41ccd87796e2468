/* behind: loads that nobody waits for, because a value that is stale or soon will be was given out: a few threads and a queue.
 *
 * Threads are started when there is something to do for the first time. Where the queue is full the load is left out: the next read
 * asks again. Thread rule: any thread; behind_stop once, before what the loads need is taken down.
 */
#ifndef LARDER_L1_BEHIND_H
#define LARDER_L1_BEHIND_H

#include "l1/larder.h"

#include <pthread.h>

#define BEHIND_QUEUE 256

struct behind_task {
    larder_lease *lease;
    larder_loader *loader;
    void *arg;
};

struct behind {
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t *thread;
    unsigned threads, max, idle;
    unsigned head, n;
    bool stop, made;
    struct behind_task task[BEHIND_QUEUE];
};

int behind_init(struct behind *b, unsigned threads); /* 0 or an errno */
void behind_stop(struct behind *b);                  /* what has not begun is abandoned */
bool behind_add(struct behind *b, larder_lease *lease, larder_loader *loader, void *arg); /* false: full; the lease stays the caller's */

#endif
