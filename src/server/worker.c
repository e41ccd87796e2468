#include "server/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/feed.h"
#include "server/conn.h"
#include "server/crash.h"
#include "server/cron.h"
#include "server/server.h"

#include <signal.h>
#include <stdio.h>

#define BRIEF_US 50 /* tasks that take no longer than this in all share a turn */

/* Steps the tasks that stand in the list, each once, until they have taken some time: of those that wait for a key, or have just
 * been given one, there may be many, and each is over in no time. */
static void step_some(struct worker *w) {
    uint64_t end = clock_ticks() + (uint64_t)(BRIEF_US * clock_ticks_per_us());
    struct conn *c, *last = TAILQ_LAST(&w->run, conn_list);
    bool more = true;
    while (more && (c = TAILQ_FIRST(&w->run))) {
        more = c != last && clock_ticks() < end;
        TAILQ_REMOVE(&w->run, c, queue);
        c->running = false;
        conn_step(c);
    }
}

/* One slice a turn: tasks', or background work's. */
static bool worker_idle(void *owner) {
    struct worker *w = owner;
    if (!TAILQ_EMPTY(&w->run) && (!w->background || !w->task_last)) {
        w->task_last = true;
        step_some(w);
    } else if (w->background) {
        w->task_last = false;
        cron_step(w);
    }
    return !TAILQ_EMPTY(&w->run) || w->background;
}

static void foresee(void *owner, const struct loop_read *reads, unsigned n) { conn_foresee(owner, reads, n); }

void worker_queue(struct worker *w, struct conn *c) {
    if (c->running || c->stream.closing || c->stream.finishing) return;
    c->running = true;
    TAILQ_INSERT_TAIL(&w->run, c, queue);
    loop_idle_start(&w->loop);
}

/* -- CLIENT PAUSE --------------------------------------------------------------------------------------------------------- */

static void release_held(void *arg) {
    struct worker *w = arg;
    struct conn_list list = TAILQ_HEAD_INITIALIZER(list);
    TAILQ_CONCAT(&list, &w->held, queue);
    struct conn *c;
    while ((c = TAILQ_FIRST(&list))) {
        TAILQ_REMOVE(&list, c, queue);
        c->held = false;
        conn_continue(c); /* what is still held up comes back to the list */
    }
}

static void set_pause_timer(struct worker *w) {
    const struct env *e = w->lane->env;
    int64_t left = atomic_load(&e->pause_until_ms) - clock_ms();
    if (left <= 0 && atomic_load(&e->writes_held)) loop_timer_off(w->pause_timer); /* whoever holds them says when that is over */
    else loop_timer_set(w->pause_timer, left > 0 ? (uint64_t)left : 0, 0);
}

void worker_hold(struct worker *w, struct conn *c) {
    if (c->held) return;
    c->held = true;
    TAILQ_INSERT_TAIL(&w->held, c, queue);
    set_pause_timer(w);
}

static void pause_changed(void *to, void *arg) {
    (void)arg;
    release_held(to);
}

void worker_look_at_pause(struct worker *w) { loop_post(&w->loop, pause_changed, w, NULL); }

static void background_begins(void *to, void *arg) {
    (void)arg;
    cron_look(to);
}

void worker_look_at_background(struct worker *w) { loop_post(&w->loop, background_begins, w, NULL); }

/* -- connections ------------------------------------------------------------------------------------------------------------ */

static void arrive(void *to, void *arg) { conn_open(to, (int)(intptr_t)arg); }

void worker_give(struct worker *w, int fd) {
    atomic_fetch_add(&w->load, 1);
    if (pthread_equal(w->thread, pthread_self()))
        conn_open(w, fd);
    else
        loop_post(&w->loop, arrive, w, (void *)(intptr_t)fd);
}

/* -- life ------------------------------------------------------------------------------------------------------------------- */

static void alarm_fired(void *arg) { feed_alarm(arg); }
void worker_alarm(struct worker *w, int64_t ms) { loop_timer_set(w->alarm, ms > 0 ? (uint64_t)ms : 0, 0); }

int worker_init(struct worker *w, struct server *server, struct lane *lane) {
    *w = (struct worker){.server = server, .lane = lane};
    TAILQ_INIT(&w->conns);
    TAILQ_INIT(&w->run);
    TAILQ_INIT(&w->held);
    lane->host_lane = w;
    int rc = loop_init(&w->loop, NULL, worker_idle, w);
    if (rc) return rc;
    w->loop.at_reads = foresee;
    w->alarm = loop_timer_new(&w->loop, alarm_fired, w->lane);
    w->pause_timer = loop_timer_new(&w->loop, release_held, w);
    cron_start(w);
    return 0;
}

static void close_all(struct worker *w) {
    struct conn *c, *next;
    for (c = TAILQ_FIRST(&w->conns); c; c = next) {
        next = TAILQ_NEXT(c, all);
        if (!chain_empty(&c->session.out)) stream_flush(&c->stream);
        conn_close(c);
    }
    loop_turn(&w->loop, false); /* lets them go */
}

void worker_run(struct worker *w) {
    void *stack = crash_stack_new();
    mem_leave_to_background();
    loop_run(&w->loop);
    close_all(w);
    crash_stack_free(stack);
}

static void *worker_thread(void *arg) {
    struct worker *w = arg;
    char name[16];
    snprintf(name, sizeof name, "larder-%u", w->lane->index);
    thread_name(name);
    worker_run(w);
    return NULL;
}

int worker_start(struct worker *w) {
    /* Signals are the main thread's. */
    sigset_t all, before;
    sigfillset(&all);
    crash_signals_unblocked(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, worker_thread, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

void worker_stop(struct worker *w) { loop_stop(&w->loop); }
void worker_join(struct worker *w) { pthread_join(w->thread, NULL); }

bool worker_drain(struct worker *w) {
    bool any = loop_drain(&w->loop);
    close_all(w); /* a connection may have been on its way */
    return any;
}

void worker_free(struct worker *w) {
    loop_timer_free(w->tick);
    loop_timer_free(w->pause_timer);
    loop_timer_free(w->alarm);
    loop_free(&w->loop);
}
