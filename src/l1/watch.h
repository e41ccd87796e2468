/* watch: the thread that hears of changes: CACHE FEED where the server has it, else CLIENT TRACKING in broadcast mode.
 *
 * It finds the server, tells the pools which it is, takes out of the near store what changed, and says until when the store may be
 * trusted: each PING that comes back says that all changes before it have been heard, which is good for twice feed_check_ms from
 * when it was sent. Thread rule: a thread of its own; watch_stop from another. It belongs to the handle.
 */
#ifndef LARDER_L1_WATCH_H
#define LARDER_L1_WATCH_H

#include "l1/larder.h"
#include "l1/link.h"

#include <pthread.h>

struct watch {
    struct link link;
    pthread_t thread;
    int wake; /* an eventfd: stop */
    _Atomic bool stop;
    bool made, started;
    /* of the thread */
    bool following;             /* the server is ours and all changes since then were heard or are still to come */
    bool fed;                   /* by CACHE FEED: frames, and seq to resume from */
    bool hashed;                /* which tell keys as hashes with the near store's seed */
    uint64_t seq, random;
    char epoch[64];             /* whose seq that is; empty: nobody's */
    size_t server;              /* of the URLs */
    int64_t ping_us, ping_near; /* when the PING that is unanswered was sent; 0: none is */
    int64_t next_ping_us;
    bool fresh;                 /* nothing was heard on this connection yet but what came before its first PING */
    /* of the first attempt */
    pthread_mutex_t lock;
    pthread_cond_t tried;
    bool has_tried;
    enum link_status first;
    char error[160];
};

int watch_init(struct watch *w); /* 0 or an errno */
int watch_start(struct watch *w, struct larder *l);
/* Until it has tried all servers once; LINK_REFUSED: none will have us, `error` says why. */
enum link_status watch_first(struct watch *w, int64_t deadline_us, char *error, size_t error_size);
void watch_stop(struct watch *w);

int watch_thread(pthread_t *thread, void *(*serve)(void *), void *arg); /* pthread_create with all signals blocked in it */

#endif
