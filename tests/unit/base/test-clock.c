#include "base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, clocks_agree) {
    clock_start();
    int64_t ms = clock_ms(), us = clock_us();
    cr_assert(us / 1000 - ms >= 0 && us / 1000 - ms < 2000);
    cr_assert(ms / 1000 - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - ms / 1000 <= 2);
    /* Whenever the processor is taken away: the outer stretch is no shorter than the inner one, by either clock. */
    uint64_t outer_ticks = clock_ticks();
    int64_t mono = clock_mono_us(), cpu = clock_cpu_us();
    uint64_t inner_ticks = clock_ticks();
    while (clock_mono_us() - mono < 20000) {}
    int64_t inner = clock_ticks_us(clock_ticks() - inner_ticks), passed = clock_mono_us() - mono;
    int64_t outer = clock_ticks_us(clock_ticks() - outer_ticks);
    cr_assert(outer >= passed * 99 / 100, "%lld of %lld", (long long)outer, (long long)passed);
    cr_assert(inner <= passed * 101 / 100, "%lld of %lld", (long long)inner, (long long)passed);
    cr_assert(clock_cpu_us() > cpu && clock_cpu_us() - cpu <= clock_mono_us() - mono + 1000);
    cr_assert(clock_ticks_per_us() > 1);
    cr_assert(clock_ticks_slow() > 0);
}
