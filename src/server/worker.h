/* worker: one thread with its loop, its lane and its connections.
 *
 * Tasks of parked sessions and background work of the store run in slices between the turns of the loop, one slice a turn,
 * by turns, so that other connections are served in between. Lists: every connection is in `conns`; one whose task can go on
 * is in `run`; one that CLIENT PAUSE holds up is in `held`.
 * Thread rule: its own thread; worker_post, `load` and worker_stop from any. The server owns its workers, a worker its
 * connections.
 */
#ifndef LARDER_SERVER_WORKER_H
#define LARDER_SERVER_WORKER_H

#include "command/session.h"
#include "net/loop.h"

#include <pthread.h>
#include <sys/queue.h>

struct conn;
struct server;

TAILQ_HEAD(conn_list, conn);

struct worker {
    struct loop loop;
    struct server *server;
    struct lane *lane;
    pthread_t thread;
    _Atomic unsigned load;          /* connections given to it */
    struct conn_list conns, run, held;
    struct loop_timer *tick, *pause_timer, *alarm;
    unsigned background;            /* cron's kinds of work with more to do */
    unsigned next_kind;
    uint64_t ticks;
    int64_t background_us, buffers_us; /* when the store was last asked; when buffers were last told */
    _Atomic uint64_t client_bytes;  /* what its connections hold, while maxmemory-clients is set */
    size_t largest_input, largest_output; /* buffers seen in this round of cron's over the connections */
    uint64_t turns, turn_ticks;     /* of the loop's, those that the lane was told of */
    bool task_last;                 /* the last slice was a task's */
};

int worker_init(struct worker *w, struct server *server, struct lane *lane); /* 0 or a negative errno */
void worker_alarm(struct worker *w, int64_t ms); /* feed_alarm on its lane after so long; its thread */
int worker_start(struct worker *w);             /* on a thread of its own */
void worker_run(struct worker *w);              /* on this thread, until worker_stop */
void worker_stop(struct worker *w);             /* any thread */
void worker_join(struct worker *w);
bool worker_drain(struct worker *w);            /* after all have stopped: runs what was posted; was there anything? */
void worker_free(struct worker *w);             /* after worker_drain found nothing in any */

void worker_give(struct worker *w, int fd);     /* a new connection; any thread */
void worker_look_at_pause(struct worker *w);    /* CLIENT PAUSE began, changed or ended; any thread */
void worker_look_at_background(struct worker *w); /* there is something for cron to do; any thread */
/* For conn: its task can go on; its next request is held up by a pause. */
void worker_queue(struct worker *w, struct conn *c);
void worker_hold(struct worker *w, struct conn *c);

#endif
