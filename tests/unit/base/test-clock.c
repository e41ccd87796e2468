#include "base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, clocks_agree) {
    clock_start();
    /* Whenever the processor is taken away: what was read between two others lies between them. time() may be a tick behind. */
    int64_t first_s = time(NULL), first_us = clock_us(), ms = clock_ms(), last_us = clock_us(), last_s = time(NULL);
    cr_assert(first_us / 1000 <= ms && ms <= last_us / 1000);
    cr_assert(first_s <= ms / 1000 && ms / 1000 <= last_s + 1);
    /* The outer stretch is no shorter than the inner one, by either clock. */
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
