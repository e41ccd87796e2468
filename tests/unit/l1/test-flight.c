#include "l1/backlog.h"
#include "l1/flight.h"
#include "l1/inside.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct flights *flights_new(unsigned loads) {
    static struct flights f;
    cr_assert_eq(flights_init(&f, loads), 0);
    return &f;
}

struct waiter {
    struct flights *f;
    struct flight *flight;
    int status;
    larder_value value;
};

static void *wait_for_it(void *arg) {
    struct waiter *w = arg;
    w->status = flight_wait(w->f, w->flight, 5, clock_mono_us() + 20000000, &w->value);
    return NULL;
}

Test(flight, one_flies_and_the_others_get_what_it_brings) {
    enum { WAITERS = 8 };
    struct flights *f = flights_new(2);
    bool mine;
    struct flight *x = flight_join(f, SLICE("k"), 77, 5, &mine);
    cr_assert(x && mine);
    struct waiter w[WAITERS];
    pthread_t t[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        w[i] = (struct waiter){.f = f, .flight = flight_join(f, SLICE("k"), 77, 5, &mine)};
        cr_assert(w[i].flight == x && !mine);
        pthread_create(&t[i], NULL, wait_for_it, &w[i]);
    }
    struct flight *other = flight_join(f, SLICE("l"), 77, 5, &mine);
    cr_assert(other != x && mine, "the same hash, another key");
    larder_value v;
    cr_assert(value_copy(&v, SLICE("value"), 0));
    flight_end(f, x, LARDER_OK, &v);
    larder_release(&v);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(t[i], NULL);
        cr_assert_eq(w[i].status, LARDER_OK);
        cr_assert_str_eq(w[i].value.data, "value");
        larder_release(&w[i].value);
    }
    flight_end(f, other, LARDER_NOT_FOUND, NULL);
    cr_assert(flight_join(f, SLICE("k"), 77, 5, &mine) && mine, "it begins anew");
}

Test(flight, who_came_after_an_invalidation_does_not_get_what_was_loaded_before) {
    struct flights *f = flights_new(2);
    bool mine;
    larder_value v, out = {.data = NULL};
    struct flight *x = flight_join(f, SLICE("k"), 1, 5, &mine), *late = flight_join(f, SLICE("k"), 1, 6, &mine);
    cr_assert(late == x && !mine);
    cr_assert(value_copy(&v, SLICE("old"), 0));
    flight_end(f, x, LARDER_OK, &v);
    larder_release(&v);
    cr_assert_eq(flight_wait(f, late, 6, clock_mono_us() + 1000000, &out), LARDER_LOAD);
    cr_assert_null(out.data);
}

Test(flight, waiting_ends) {
    struct flights *f = flights_new(1);
    bool mine;
    larder_value out = {.data = NULL};
    struct flight *x = flight_join(f, SLICE("k"), 1, 5, &mine);
    flight_join(f, SLICE("k"), 1, 5, &mine);
    cr_assert_eq(flight_wait(f, x, 5, clock_mono_us() + 10000, &out), LARDER_TIMEOUT);
    flight_end(f, x, LARDER_OK, NULL);
    cr_assert(flight_gate_enter(f, clock_mono_us()));
    cr_assert_not(flight_gate_enter(f, clock_mono_us() + 10000), "one at a time");
    flight_gate_leave(f);
    cr_assert(flight_gate_enter(f, clock_mono_us()));
}

Test(backlog, keeps_order_and_its_bound) {
    struct backlog b;
    char text[16];
    unsigned in = 0, out = 0;
    backlog_init(&b, 4096);
    for (;; in++) {
        struct slice argv[] = {SLICE("SET"), {text, (size_t)sprintf(text, "%u", in)}};
        if (!backlog_add(&b, 2, argv)) break;
    }
    cr_assert(in > 10 && b.bytes <= 4096);
    for (const struct backlog_item *item; (item = backlog_oldest(&b)); out++) {
        sprintf(text, "%u", out);
        cr_assert(slice_equal(item->argv[1], slice_of(text)));
        backlog_done(&b);
    }
    cr_assert(in == out && backlog_empty(&b) && !b.bytes);
    backlog_free(&b);
}
