/* keeper: the thread that does what may take its time: takes out of the near store what rules and TTLs made invisible, and writes what
 * had to wait for the server.
 *
 * Thread rule: keeper_wake from any thread. It belongs to the handle.
 */
#ifndef LARDER_L1_KEEPER_H
#define LARDER_L1_KEEPER_H

#include "l1/larder.h"

#include <pthread.h>

struct keeper {
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    bool stop, woken, made, started;
};

int keeper_init(struct keeper *k);                     /* 0 or an errno */
int keeper_start(struct keeper *k, struct larder *l);
void keeper_stop(struct keeper *k);
void keeper_wake(struct keeper *k);

#endif
