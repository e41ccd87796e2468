#include "base/clock.h"

#include <time.h>

static double per_us = 1000; /* ns, where ticks are the monotonic clock */

static int64_t read_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#if defined(__x86_64__)
/* Both clocks at one moment: of several tries the one that took least, as any of them may be interrupted half-way. */
static int64_t read_pair(uint64_t *ticks) {
    uint64_t least = UINT64_MAX;
    int64_t ns = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t before = clock_ticks();
        int64_t now = read_ns(CLOCK_MONOTONIC_RAW);
        uint64_t took = clock_ticks() - before;
        if (took >= least) continue;
        least = took;
        *ticks = before + took / 2;
        ns = now;
    }
    return ns;
}
#endif

void clock_start(void) {
#if defined(__x86_64__)
    uint64_t t0, t1;
    int64_t n0 = read_pair(&t0);
    while (read_ns(CLOCK_MONOTONIC_RAW) - n0 < 2000000) {}
    int64_t n1 = read_pair(&t1);
    per_us = (double)(t1 - t0) / ((double)(n1 - n0) / 1000);
#endif
}

int64_t clock_ms(void) { return read_ns(CLOCK_REALTIME) / 1000000; }
int64_t clock_us(void) { return read_ns(CLOCK_REALTIME) / 1000; }
int64_t clock_mono_us(void) { return read_ns(CLOCK_MONOTONIC) / 1000; }
int64_t clock_cpu_us(void) { return read_ns(CLOCK_THREAD_CPUTIME_ID) / 1000; }
uint64_t clock_ticks_slow(void) { return (uint64_t)read_ns(CLOCK_MONOTONIC); }
double clock_ticks_per_us(void) { return per_us; }
