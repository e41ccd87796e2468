#include "base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, clocks_agree) {
    clock_start();
    int64_t ms = clock_ms(), us = clock_us();
    cr_assert(us / 1000 - ms >= 0 && us / 1000 - ms < 2000);
    cr_assert(ms / 1000 - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - ms / 1000 <= 2);
    int64_t mono = clock_mono_us(), cpu = clock_cpu_us();
    uint64_t ticks = clock_ticks();
    while (clock_mono_us() - mono < 20000) {}
    int64_t measured = clock_ticks_us(clock_ticks() - ticks), passed = clock_mono_us() - mono;
    cr_assert(measured >= 18000 && measured <= passed * 11 / 10 + 1000, "%lld of %lld", (long long)measured,
        (long long)passed);
    cr_assert(clock_cpu_us() > cpu && clock_cpu_us() - cpu <= clock_mono_us() - mono + 1000);
    cr_assert(clock_ticks_per_us() > 1);
    cr_assert(clock_ticks_slow() > 0);
}
