#include "store/calendar.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(calendar, an_even_clock_is_told_exactly) {
    struct calendar c = {0};
    for (int64_t t = 0; t <= 1000000; t += 50) calendar_note(&c, (uint64_t)t * 3, 5000 + t);
    cr_assert_leq(c.n, CALENDAR_PAGES);
    for (int64_t t = 0; t <= 1000000; t += 777) {
        int64_t told = calendar_ms(&c, (uint64_t)t * 3), off = told - 5000 - t;
        cr_assert(off <= 1 && off >= -1, "%ld instead of %ld", (long)told, (long)(5000 + t));
    }
}

/* A clock that stands still, runs and races, against a log of every note. */
Test(calendar, an_uneven_clock_is_told_in_proportion_to_age) {
    enum { N = 200000 };
    struct calendar c = {0};
    uint64_t *log = malloc(N * sizeof *log), number = 0, x = 12345;
    int64_t step = 100, now = (N - 1) * step;
    for (int64_t i = 0; i < N; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        number += i / 1000 % 3 ? (x >> 60) * (1 + (uint64_t)(i / 5000 % 7) * 10) : 1;
        log[i] = number;
        calendar_note(&c, number, i * step);
    }
    for (int64_t i = 0; i < N; i += 97) {
        double told = (double)(now - calendar_ms(&c, log[i])), age = (double)(now - i * step);
        cr_assert(told <= age * 1.6 + 500 && told >= age / 1.6 - 500, "an age of %.0f, told as %.0f", age, told);
    }
    free(log);
}

Test(calendar, before_the_first_page_and_behind_the_last) {
    struct calendar c = {0};
    cr_assert_eq(calendar_ms(&c, 7), 0);
    calendar_note(&c, 10, 1000);
    calendar_note(&c, 20, 1001); /* too soon */
    calendar_note(&c, 30, 2000);
    cr_assert_eq(calendar_ms(&c, 5), 1000);
    cr_assert_eq(calendar_ms(&c, 20), 1500);
    cr_assert_eq(calendar_ms(&c, 99), 2000);
    calendar_note(&c, 29, 9000);
    cr_assert_eq(calendar_ms(&c, 30), 2000, "a number that goes back is no news");
}
