#include "net/loop.h"

#include <criterion/criterion.h>
#include <pthread.h>

struct count {
    struct loop loop;
    unsigned jobs, ends, idles, idle_left, fired;
    unsigned last_of[4];
    bool in_order;
};

static void at_end(void *owner) { ((struct count *)owner)->ends++; }

static bool at_idle(void *owner) {
    struct count *c = owner;
    c->idles++;
    return --c->idle_left > 0;
}

static void job(void *to, void *arg) {
    struct count *c = to;
    uintptr_t v = (uintptr_t)arg;
    unsigned from = (unsigned)(v >> 32), number = (unsigned)v;
    if (number != c->last_of[from] + 1) c->in_order = false;
    c->last_of[from] = number;
    c->jobs++;
}

static void stop(void *to, void *arg) {
    (void)arg;
    loop_stop(&((struct count *)to)->loop);
}

static void begin(struct count *c) {
    *c = (struct count){.in_order = true};
    cr_assert_eq(loop_init(&c->loop, at_end, at_idle, c), 0);
}

#define EACH 20000
static void *poster(void *arg) {
    uintptr_t *a = arg;
    struct count *c = (struct count *)a[0];
    for (uintptr_t i = 1; i <= EACH; i++) loop_post(&c->loop, job, c, (void *)(a[1] << 32 | i));
    return NULL;
}

Test(loop, jobs_of_many_threads_each_run_once_and_in_order) {
    struct count c;
    begin(&c);
    pthread_t t[4];
    uintptr_t args[4][2];
    for (unsigned i = 0; i < 4; i++) {
        args[i][0] = (uintptr_t)&c;
        args[i][1] = i;
        pthread_create(&t[i], NULL, poster, args[i]);
    }
    while (c.jobs < 4 * EACH) loop_turn(&c.loop, true);
    for (unsigned i = 0; i < 4; i++) pthread_join(t[i], NULL);
    cr_assert(c.in_order);
    cr_assert_eq(c.jobs, 4 * EACH);
    loop_free(&c.loop);
}

static void repost(void *to, void *arg) {
    struct count *c = to;
    uintptr_t left = (uintptr_t)arg;
    c->jobs++;
    if (left) loop_post(&c->loop, repost, c, (void *)(left - 1));
}

Test(loop, drain_runs_what_jobs_post) {
    struct count c;
    begin(&c);
    loop_post(&c.loop, repost, &c, (void *)3);
    cr_assert_eq(c.jobs, 0, "never at once");
    cr_assert(loop_drain(&c.loop));
    cr_assert_eq(c.jobs, 4);
    cr_assert_not(loop_drain(&c.loop));
    loop_post(&c.loop, repost, &c, NULL);
    loop_free(&c.loop);
    cr_assert_eq(c.jobs, 5, "what is left is run at the end");
}

static void *stopper(void *arg) {
    loop_stop(arg);
    return NULL;
}

Test(loop, turns_and_their_time_are_counted) {
    struct count c;
    begin(&c);
    for (unsigned i = 0; i < 3; i++) loop_turn(&c.loop, false);
    cr_assert_eq(c.loop.turns, 3);
    cr_assert_gt(c.loop.turn_ticks, 0);
    loop_free(&c.loop);
}

Test(loop, stops_from_another_thread_and_before_it_runs) {
    struct count c;
    begin(&c);
    pthread_t t;
    pthread_create(&t, NULL, stopper, &c.loop);
    loop_run(&c.loop);
    pthread_join(t, NULL);
    loop_free(&c.loop);
    begin(&c);
    loop_stop(&c.loop);
    loop_run(&c.loop);
    loop_free(&c.loop);
}

static void idle_over(void *arg) {
    struct count *c = arg;
    c->fired++;
    if (c->idle_left == 0) loop_stop(&c->loop);
}

Test(loop, idle_hook_runs_once_a_turn_while_there_is_work) {
    struct count c;
    begin(&c);
    c.idle_left = 5;
    loop_idle_start(&c.loop);
    loop_idle_start(&c.loop);
    for (int i = 0; i < 5; i++) loop_turn(&c.loop, false);
    cr_assert_eq(c.idles, 5);
    for (int i = 0; i < 3; i++) loop_turn(&c.loop, false);
    cr_assert_eq(c.idles, 5, "no work, no calls");
    cr_assert_geq(c.ends, 8, "the end hook runs in each turn");
    c.idle_left = 2;
    loop_idle_start(&c.loop);
    struct loop_timer *t = loop_timer_new(&c.loop, idle_over, &c);
    loop_timer_set(t, 1, 1);
    loop_run(&c.loop);
    cr_assert_eq(c.idles, 7);
    cr_assert_geq(c.fired, 1);
    loop_timer_free(t);
    loop_timer_free(NULL);
    loop_free(&c.loop);
}

static void fire(void *arg) {
    struct count *c = arg;
    if (++c->fired == 3) loop_stop(&c->loop);
}

Test(loop, timers_fire_repeat_and_are_turned_off) {
    struct count c, never = {.fired = 0};
    begin(&c);
    struct loop_timer *t = loop_timer_new(&c.loop, fire, &c), *off = loop_timer_new(&c.loop, fire, &never);
    loop_timer_set(off, 0, 0);
    loop_timer_off(off);
    loop_timer_set(t, 1, 1);
    loop_run(&c.loop);
    cr_assert_eq(c.fired, 3);
    cr_assert_eq(never.fired, 0);
    loop_timer_free(t);
    loop_timer_free(off);
    loop_free(&c.loop);
}

static void on_signal(void *arg, int number) {
    struct count *c = arg;
    c->fired = (unsigned)number;
    loop_post(&c->loop, stop, c, NULL);
}

Test(loop, signals_arrive_on_the_loop) {
    struct count c;
    begin(&c);
    struct loop_signal *s = loop_signal_new(&c.loop, SIGUSR2, on_signal, &c);
    cr_assert(s);
    raise(SIGUSR2);
    loop_run(&c.loop);
    cr_assert_eq(c.fired, (unsigned)SIGUSR2);
    loop_signal_free(s);
    loop_free(&c.loop);
}
