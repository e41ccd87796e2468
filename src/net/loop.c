#include "net/loop.h"

#include "base/clock.h"
#include "net/stream.h"

#include <assert.h>

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

static void on_wake(uv_async_t *a) {
    struct loop *l = a->data;
    loop_drain(l);
    if (atomic_load(&l->stopping)) uv_stop(&l->uv);
}

static void end_of_turn(struct loop *l) {
    /* The end hook may close sessions, whose farewell makes further output. */
    stream_give_all(l);
    do {
        stream_flush_all(l);
        if (l->at_end) l->at_end(l->owner);
    } while (l->dirty_first);
}

static void on_prepare(uv_prepare_t *p) {
    struct loop *l = p->data;
    end_of_turn(l);
    if (l->woken) l->turn_ticks += clock_ticks() - l->woken;
    l->turns++;
}

static void on_check(uv_check_t *c) {
    struct loop *l = c->data;
    l->woken = clock_ticks();
    end_of_turn(l);
}

static void on_idle(uv_idle_t *i) {
    struct loop *l = i->data;
    if (l->at_idle && l->at_idle(l->owner)) return;
    uv_idle_stop(i);
    l->idle_on = false;
}

int loop_init(struct loop *l, void (*at_end)(void *owner), bool (*at_idle)(void *owner), void *owner) {
    *l = (struct loop){.at_end = at_end, .at_idle = at_idle, .owner = owner};
    int rc = uv_loop_init(&l->uv);
    if (rc) return rc;
    rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc) {
        uv_loop_close(&l->uv);
        return rc;
    }
    /* These three cannot fail. They do not keep the loop alive, and nothing but loop_stop ends it. */
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->idle);
    l->wake.data = l->prepare.data = l->check.data = l->idle.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    l->scratch = mem_alloc(MEM_CLIENT, LOOP_SCRATCH);
    return 0;
}

void loop_free(struct loop *l) {
    loop_drain(l);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&l->uv);
    assert(rc == 0);
    (void)rc;
    loop_drain(l);
    mem_free(MEM_MISC, l->inbox);
    mem_free(MEM_CLIENT, l->scratch);
    l->inbox = NULL;
    l->scratch = NULL;
}

void loop_run(struct loop *l) {
    while (!atomic_load(&l->stopping)) uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_turn(struct loop *l) { uv_run(&l->uv, UV_RUN_NOWAIT); }

void loop_stop(struct loop *l) {
    atomic_store(&l->stopping, true);
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

void loop_idle_start(struct loop *l) {
    if (l->idle_on) return;
    l->idle_on = true;
    uv_idle_start(&l->idle, on_idle);
}

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
