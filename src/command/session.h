/* session: one client, as commands know it: no sockets, no buffers of the kernel.
 *
 * The host (a connection, or a test) feeds it bytes and sends what gathers in `out`. A session that waits for something
 * (WAIT, a walk in slices, CLIENT PAUSE) has a task; until that is over, its later requests are not read.
 * Thread rule: its lane's thread only. The host owns it; the session owns its task and its output.
 */
#ifndef LARDER_COMMAND_SESSION_H
#define LARDER_COMMAND_SESSION_H

#include "base/chain.h"
#include "command/env.h"
#include "resp/writer.h"

struct wanted;
struct pack;

enum task_state { TASK_AGAIN /* more to do right away */, TASK_WAIT /* until woken, or task->wake_us */, TASK_DONE };

/* Something that goes on after its request returned. Made by a handler with session_park. */
struct task {
    enum task_state (*step)(struct task *t, struct session *s, int64_t slice_us);
    void (*drop)(struct task *t);     /* frees it; called once, when over or when the session ends */
    int64_t wake_us;                  /* monotonic; step is called then at the latest; 0: never by time */
    /* CLIENT UNBLOCK: reply as if the time were over, or with the error; false: this task cannot be unblocked. NULL: never. */
    bool (*unblock)(struct task *t, struct session *s, bool with_error);
    void (*leave)(struct task *t);    /* the client is gone, drop will follow: nothing more is to come to it. NULL: as it is */
    const struct command *command;    /* for statistics: set by dispatch */
    uint64_t ticks;                   /* CPU spent so far */
    bool timed;                       /* parked with a time to wake: session_park's */
};

enum { SESSION_NAME_MAX = 128 };
/* What a session listens to: more is to be looked at around each of its requests. */
enum { ATTEND_FEED = 1, ATTEND_CHANNELS = 2, ATTEND_TRACKING = 4, ATTEND_TARGET = 8 /* others' invalidations come to it */ };
enum session_hold { HOLD_NONE, HOLD_READ, HOLD_WRITE };

struct session {
    struct lane *lane;
    struct session *next, *prev;      /* in the lane */
    uint64_t id;
    unsigned db;
    enum session_hold held;           /* does the next request wait for CLIENT PAUSE to end? */
    bool authenticated, closing, monitor, no_evict, no_touch, replies_off, reply_skip, reply_skip_next, unix_socket, readonly;
    unsigned attends;
    bool mid_reply;                   /* its task has replied in part: push.h */
    struct chain *aside;              /* what waits behind that */
    struct lease_book *leases;        /* that it has */
    struct tracking *tracking;        /* CLIENT TRACKING; NULL: it was never on */
    struct reach *reach;              /* how those that redirect to it refer to it; NULL: nobody does */
    struct seats *seats;              /* in topics */
    struct listener *listener;        /* of the feed */
    bool killed;                      /* CLIENT KILL closed it; it is not listed any more */
    struct resp_writer writer;        /* writer.out is &out; writer.proto is 2 or 3 */
    struct chain out;
    struct resp_reader reader;
    struct task *task;
    struct wanted *wanted;            /* strings that its request wants plain: thaw.h */
    struct pack *pack;                /* values of its request, on which dispatch works in slices: pack.h */
    const struct command *last;       /* for CLIENT LIST */
    char *name, *lib_name, *lib_version; /* NULL: not set; MEM_CLIENT */
    char address[72], local_address[72]; /* "127.0.0.1:50210", "/path:0" */
    int fd;
    int64_t born_us, active_us;       /* monotonic */
    size_t query_bytes, query_room;   /* kept by the host: unread input, and free room behind it */
    counter net_in, net_out, commands;
    void *host_session;               /* the host's own */
};

void session_init(struct session *s, struct lane *lane);  /* joins the lane; takes the next id */
void session_end(struct session *s);                      /* leaves it, drops task, output, names */
void session_reset(struct session *s);                    /* RESET: as if new, but for the connection */
/* From a handler: the request goes on as `t`, which is stepped first when the host gets to it. */
void session_park(struct session *s, struct task *t);
static inline bool session_parked(const struct session *s) { return s->task != NULL; }
/* From the host, as soon as the session's end is certain; session_end follows. */
static inline void session_leave(struct session *s) {
    if (s->task && s->task->leave) s->task->leave(s->task);
}
bool session_needs_auth(const struct session *s);
/* Runs the task for at most slice_us. Returns its state; after TASK_DONE the task is gone and requests go on. */
enum task_state session_step(struct session *s, int64_t slice_us);
/* The line of CLIENT LIST and CLIENT INFO, with \n. */
void session_describe(const struct session *s, struct buf *out);
/* Around everything that a request of this session writes: takes back what CLIENT REPLY OFF and SKIP keep silent. */
void session_silence(struct session *s, const struct chain_mark *before);
/* After a request, or a step of its task: has it been replied to, whole or in part? What waited behind the reply comes. */
void session_replied(struct session *s, const struct chain_mark *before);
void session_request_over(struct session *s);            /* SKIP moves on to the next request */
size_t session_memory(const struct session *s);
void session_set_text(char **field, struct slice value);  /* name, lib_name, lib_version */
bool session_is_local(const struct session *s);           /* from this machine: what 'local' in the conf allows */
const char *session_kind(const struct session *s);        /* "normal", "pubsub", ... for limits and CLIENT LIST TYPE */

#endif
