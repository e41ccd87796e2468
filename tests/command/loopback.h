/* loopback: an env and its sessions with no socket and no thread: a host driven by hand.
 *
 * What a client sends is dispatched at once; jobs posted between lanes, tasks and closings are carried out until nothing is
 * left to do. Thread rule: one thread, which plays all lanes. The loopback owns its env, its peers and their bytes.
 */
#ifndef LARDER_TESTS_LOOPBACK_H
#define LARDER_TESTS_LOOPBACK_H

#include "command/session.h"

struct loopback;

struct peer {
    struct session session;
    struct loopback *net;
    struct peer *next;
    struct buf input, output; /* not yet taken by dispatch; not yet taken by the test */
    bool open, ending, end_now, ready;
    const struct task *task; /* the one that `ready` is about */
    size_t need;
};

/* Fills e->config and e->store_config with what Redis has by default; `configure` may change them and add options. */
struct loopback *loopback_new(unsigned lanes, void (*configure)(struct env *e, void *arg), void *arg);
void loopback_free(struct loopback *l);
struct env *loopback_env(struct loopback *l);

struct peer *loopback_open(struct loopback *l, unsigned lane);
void peer_send(struct peer *p, const void *bytes, size_t n);        /* and runs until quiet */
void peer_request(struct peer *p, const struct slice *argv, size_t argc); /* as a RESP array */

void loopback_run(struct loopback *l);                    /* until nothing is to be done right now */
bool loopback_wait(struct loopback *l, int64_t most_ms);  /* until a task's time comes, then runs; false: none is waiting */
unsigned loopback_shutdowns(const struct loopback *l);    /* how often a command asked the host to shut down */
void loopback_manual(struct loopback *l, bool manual);    /* jobs between lanes stay in the queue ... */
bool loopback_deliver(struct loopback *l);                /* ... until one is delivered; false: none there */

#endif
