/* loop: one event loop of libuv, with an inbox, hooks and timers.
 *
 * Streams are watched by an epoll set of the loop's own, edge-triggered, so that a connection costs one epoll_ctl in its life
 * and nothing is asked twice; libuv, which does everything else, is one more descriptor in that set, run when it has
 * something to do (as its manual says of embedding it). A turn is: wait, read, give what was read, end hook, write; then
 * timers, signals, the inbox, the idle hook, and the same end again. What streams read is given to their holders once all
 * have read, so that they can look ahead; what they want to write is gathered too, so that every connection costs one write a
 * turn. The idle hook runs once a turn while there is work for it, and the loop does not wait then.
 * Invariant: jobs are run in the order in which they were posted, each exactly once, before loop_free returns.
 * Thread rule: the thread that runs the loop; loop_post and loop_stop from any thread. The holder owns the loop.
 */
#ifndef LARDER_NET_LOOP_H
#define LARDER_NET_LOOP_H

#include "base/mem.h"
#include "base/thread.h"

#include <uv.h>

#define LOOP_READ 65536     /* bytes read at a time */
#define LOOP_SCRATCH 262144 /* room for what all streams of the loop have read in a turn, until it is used */
#define LOOP_READS 64

struct stream;
typedef void loop_job(void *to, void *arg);

struct loop_message {
    loop_job *job;
    void *to, *arg;
};

/* Bytes that came in this turn: p[0..n), beginning with what the stream had kept. */
struct loop_read {
    struct stream *stream;
    char *p;
    size_t n;
};

struct loop {
    uv_loop_t uv;
    uint64_t turns, turn_ticks, woken; /* turns so far, their time between one wait and the next; when the last wait ended */
    uv_async_t wake;
    int set;                    /* the epoll set: streams, and libuv */
    struct lock inbox_lock;
    struct loop_message *inbox; /* under inbox_lock */
    size_t inbox_count, inbox_room;
    bool idle_on;
    _Atomic bool stopping;
    void (*at_end)(void *owner); /* after the streams' writes */
    bool (*at_idle)(void *owner);
    void *owner;
    struct stream *dirty_first, *dirty_last; /* streams with something to write */
    struct stream *again_first, *again_last; /* with something to read that no event will tell of */
    struct stream *closed;      /* gone at the end of the turn */
    char *scratch;
    size_t scratch_used;
    struct loop_read reads[LOOP_READS]; /* not given to their streams yet */
    unsigned reads_count;
    void (*at_reads)(void *owner, const struct loop_read *reads, unsigned n); /* may be NULL: they are about to be given */
};

/* 0, or a negative errno. Hooks may be NULL; at_idle says whether there is more to do. */
int loop_init(struct loop *l, void (*at_end)(void *owner), bool (*at_idle)(void *owner), void *owner);
/* Runs the jobs still in the inbox and the close callbacks; all streams, listeners and timers must be closed or freed. */
void loop_free(struct loop *l);
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* any thread */
bool loop_drain(struct loop *l); /* runs the jobs posted so far, and theirs; were there any? Not from a job */
void loop_turn(struct loop *l, bool wait); /* one turn */

/* Runs job(to, arg) on the loop's thread. Any thread, also the loop's own; never runs it at once. */
void loop_post(struct loop *l, loop_job *job, void *to, void *arg);
void loop_idle_start(struct loop *l); /* there is work for the idle hook */
static inline uint64_t loop_now_ms(const struct loop *l) { return uv_now(&l->uv); } /* monotonic, of this turn */

struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *t, uint64_t ms, uint64_t repeat_ms); /* from now; again every repeat_ms if not 0 */
void loop_timer_off(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *l, int number, void (*fire)(void *arg, int number), void *arg);
void loop_signal_free(struct loop_signal *s);

#endif
