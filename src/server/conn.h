/* conn: a client's session joined to its stream: bytes to requests, replies to bytes, limits, and the reasons to part.
 *
 * Invariant: a conn is freed only in the stream's `gone`, after every callback, so whoever closes one may go on using it for
 * the rest of the turn. Thread rule: its worker's thread. The worker owns its conns.
 */
#ifndef LARDER_SERVER_CONN_H
#define LARDER_SERVER_CONN_H

#include "net/stream.h"
#include "server/worker.h"

struct conn {
    struct stream stream; /* first: the stream's callbacks find the conn by it */
    struct session session;
    struct worker *worker;
    TAILQ_ENTRY(conn) all, queue; /* queue: of `run` or `held` */
    struct loop_timer *timer;     /* of a task that waits until some time */
    uint64_t counted;             /* of stream.received */
    int64_t soft_since_us;        /* when the output came over its soft limit; 0: it is not */
    bool running, held;           /* in worker->run, in worker->held */
    bool waiting;                 /* its task waits: nothing is lost if the client leaves */
};

/* Takes fd over. The session is open, or was closed again where it cannot be. */
void conn_open(struct worker *w, int fd);
void conn_close(struct conn *c);         /* at once */
void conn_close_later(struct conn *c);   /* once the replies are sent */
void conn_evict(struct conn *c);         /* maxmemory-clients */
size_t conn_memory(const struct conn *c);
void conn_step(struct conn *c);          /* one slice of its task */
void conn_continue(struct conn *c);      /* its task or pause is over: on with the requests */
void conn_output(struct conn *c);        /* there may be something to send */
void conn_foresee(struct worker *w, const struct loop_read *reads, unsigned n); /* these are about to be executed */
void conn_tick(struct conn *c, int64_t now_us); /* now and then: timeout, soft limits */
static inline struct conn *conn_of(const struct session *s) { return s->host_session; }

#endif
