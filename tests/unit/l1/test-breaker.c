#include "l1/breaker.h"

#include <criterion/criterion.h>

Test(breaker, opens_tries_once_and_closes) {
    struct breaker b = {.state = BREAKER_CLOSED};
    breaker_init(&b, 3, 100, 1000, 1);
    for (int i = 0; i < 2; i++) {
        cr_assert(breaker_enter(&b, 0));
        breaker_leave(&b, false, 0);
    }
    cr_assert(breaker_enter(&b, 0));
    breaker_leave(&b, true, 0); /* an answer: the count begins anew */
    for (int i = 0; i < 3; i++) {
        cr_assert(breaker_enter(&b, 0));
        breaker_leave(&b, false, 0);
    }
    cr_assert_eq(breaker_state(&b), BREAKER_OPEN);
    cr_assert_not(breaker_enter(&b, 49999), "half of the wait at least");
    cr_assert(breaker_enter(&b, 100001));
    cr_assert_eq(breaker_state(&b), BREAKER_HALF_OPEN);
    for (int i = 0; i < 10; i++) cr_assert_not(breaker_enter(&b, 100001), "one tries");
    breaker_leave(&b, true, 100002);
    cr_assert_eq(breaker_state(&b), BREAKER_CLOSED);
    cr_assert_eq(breaker_opened(&b), 1);
}

Test(breaker, waits_longer_each_time_up_to_a_limit) {
    struct breaker b = {.state = BREAKER_CLOSED};
    breaker_init(&b, 1, 100, 1000, 7);
    int64_t now = 0, wait = 100000;
    cr_assert(breaker_enter(&b, now));
    breaker_leave(&b, false, now);
    for (int i = 0; i < 8; i++) {
        cr_assert_not(breaker_enter(&b, now + wait / 2 - 1));
        now += wait + 1;
        cr_assert(breaker_enter(&b, now));
        breaker_leave(&b, false, now);
        wait = wait * 2 < 1000000 ? wait * 2 : 1000000;
    }
    cr_assert_eq(breaker_opened(&b), 1, "it never closed in between");
}

Test(breaker, a_hint_lets_one_try_at_once) {
    struct breaker b = {.state = BREAKER_CLOSED};
    breaker_init(&b, 1, 10000, 10000, 7);
    cr_assert(breaker_enter(&b, 0));
    breaker_leave(&b, false, 0);
    cr_assert_not(breaker_enter(&b, 10));
    breaker_hint(&b, 10);
    cr_assert(breaker_enter(&b, 10));
    breaker_cancel(&b);
    cr_assert(breaker_enter(&b, 10), "nothing was asked, so the next may");
}

Test(breaker, jitter_stays_within_half) {
    uint64_t random = 3;
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t v = breaker_jitter(&random, 1000);
        if (v < least) least = v;
        if (v > most) most = v;
    }
    cr_assert(least >= 500 && least < 520 && most <= 1000 && most > 980);
}
