#include "net/loop.h"

#include "base/clock.h"
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256 /* looked at in one turn */

bool loop_drain(struct loop *l) {
    for (bool any = false;; any = true) {
        lock_acquire(&l->inbox_lock);
        struct loop_message *list = l->inbox;
        size_t n = l->inbox_count;
        if (n) {
            l->inbox = NULL;
            l->inbox_count = l->inbox_room = 0;
        }
        lock_release(&l->inbox_lock);
        if (!n) return any;
        for (size_t i = 0; i < n; i++) list[i].job(list[i].to, list[i].arg);
        /* Give the array back, unless more came meanwhile: posting is usual, so its memory stays. */
        lock_acquire(&l->inbox_lock);
        bool keep = !l->inbox && n <= 1024;
        if (keep) {
            l->inbox = list;
            l->inbox_room = mem_usable(list) / sizeof *list;
        }
        bool again = l->inbox_count > 0;
        lock_release(&l->inbox_lock);
        if (!keep) mem_free(MEM_MISC, list);
        if (!again) return true;
    }
}

static void on_wake(uv_async_t *a) { loop_drain(a->data); }

int loop_init(struct loop *l, void (*at_end)(void *owner), bool (*at_idle)(void *owner), void *owner) {
    *l = (struct loop){.at_end = at_end, .at_idle = at_idle, .owner = owner};
    l->set = epoll_create1(EPOLL_CLOEXEC);
    if (l->set < 0) return -errno;
    int rc = uv_loop_init(&l->uv);
    if (rc) {
        close(l->set);
        return rc;
    }
    struct epoll_event e = {.events = EPOLLIN}; /* its pointer is NULL: streams have one */
    if (epoll_ctl(l->set, EPOLL_CTL_ADD, uv_backend_fd(&l->uv), &e))
        rc = -errno;
    else
        rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc) {
        uv_loop_close(&l->uv);
        close(l->set);
        return rc;
    }
    l->wake.data = l;
    l->scratch = mem_alloc(MEM_CLIENT, LOOP_SCRATCH);
    return 0;
}

void loop_free(struct loop *l) {
    loop_drain(l);
    stream_bury(l);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&l->uv);
    assert(rc == 0);
    (void)rc;
    loop_drain(l);
    close(l->set);
    mem_free(MEM_MISC, l->inbox);
    mem_free(MEM_CLIENT, l->scratch);
    l->inbox = NULL;
    l->scratch = NULL;
}

/* -- a turn --------------------------------------------------------------------------------------------------------------- */

static void end_of_turn(struct loop *l) {
    stream_give_all(l);
    /* The end hook may close sessions, whose farewell makes further output. */
    do {
        stream_flush_all(l);
        if (l->at_end) l->at_end(l->owner);
    } while (l->dirty_first);
    stream_bury(l);
}

/* Timers, signals, the inbox, listeners, close callbacks. */
static void run_others(struct loop *l) {
    uv_run(&l->uv, UV_RUN_NOWAIT);
    if (l->idle_on) {
        l->idle_on = false;
        if (l->at_idle && l->at_idle(l->owner)) l->idle_on = true;
    }
    end_of_turn(l);
}

void loop_turn(struct loop *l, bool wait) {
    struct epoll_event event[EVENTS];
    int timeout = wait && !l->idle_on && !l->again_first ? uv_backend_timeout(&l->uv) : 0;
    int n = epoll_wait(l->set, event, EVENTS, timeout);
    uint64_t woken = clock_ticks();
    bool others = l->idle_on;
    uv_update_time(&l->uv);
    stream_read_again(l);
    for (int i = 0; i < n; i++) {
        if (i + 1 < n) __builtin_prefetch(event[i + 1].data.ptr);
        if (event[i].data.ptr)
            stream_event(event[i].data.ptr, event[i].events);
        else
            others = true;
    }
    end_of_turn(l);
    if (others || uv_backend_timeout(&l->uv) == 0) run_others(l);
    l->turn_ticks += clock_ticks() - woken;
    l->turns++;
}

void loop_run(struct loop *l) {
    while (!atomic_load_explicit(&l->stopping, memory_order_acquire)) loop_turn(l, true);
}

void loop_stop(struct loop *l) {
    atomic_store_explicit(&l->stopping, true, memory_order_release);
    uv_async_send(&l->wake);
}

void loop_post(struct loop *l, loop_job *job, void *to, void *arg) {
    lock_acquire(&l->inbox_lock);
    if (l->inbox_count == l->inbox_room) {
        l->inbox_room = l->inbox_room ? l->inbox_room * 2 : 16;
        l->inbox = mem_realloc(MEM_MISC, l->inbox, l->inbox_room * sizeof *l->inbox);
    }
    bool first = l->inbox_count == 0;
    l->inbox[l->inbox_count++] = (struct loop_message){job, to, arg};
    lock_release(&l->inbox_lock);
    /* Who puts the first message in wakes the loop; it then takes everything that came until it looks. */
    if (first) uv_async_send(&l->wake);
}

void loop_idle_start(struct loop *l) { l->idle_on = true; }

struct loop_timer {
    uv_timer_t uv;
    void (*fire)(void *arg);
    void *arg;
};

static void timer_fired(uv_timer_t *u) {
    struct loop_timer *t = u->data;
    t->fire(t->arg);
}

static void timer_closed(uv_handle_t *h) { mem_free(MEM_MISC, h->data); }

struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *arg), void *arg) {
    struct loop_timer *t = mem_zalloc(MEM_MISC, sizeof *t);
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    t->fire = fire;
    t->arg = arg;
    return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t ms, uint64_t repeat_ms) {
    uv_update_time(t->uv.loop);
    uv_timer_start(&t->uv, timer_fired, ms, repeat_ms);
}

void loop_timer_off(struct loop_timer *t) { uv_timer_stop(&t->uv); }

void loop_timer_free(struct loop_timer *t) {
    if (t) uv_close((uv_handle_t *)&t->uv, timer_closed);
}

struct loop_signal {
    uv_signal_t uv;
    void (*fire)(void *arg, int number);
    void *arg;
};

static void signal_fired(uv_signal_t *u, int number) {
    struct loop_signal *s = u->data;
    s->fire(s->arg, number);
}

struct loop_signal *loop_signal_new(struct loop *l, int number, void (*fire)(void *arg, int number), void *arg) {
    struct loop_signal *s = mem_zalloc(MEM_MISC, sizeof *s);
    int rc = uv_signal_init(&l->uv, &s->uv);
    if (rc) {
        mem_free(MEM_MISC, s);
        return NULL;
    }
    s->uv.data = s;
    s->fire = fire;
    s->arg = arg;
    rc = uv_signal_start(&s->uv, signal_fired, number);
    if (rc) {
        loop_signal_free(s);
        return NULL;
    }
    return s;
}

void loop_signal_free(struct loop_signal *s) {
    if (s) uv_close((uv_handle_t *)&s->uv, timer_closed);
}
