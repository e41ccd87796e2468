/* clock: what time it is, in the units that the rest uses.
 *
 * Deadlines are wall-clock milliseconds; uptime, timeouts and slices monotonic microseconds; durations of commands are
 * counted in ticks (the processor's time-stamp counter where it is constant), which cost a few cycles to read.
 * Thread rule: any thread; clock_start once, before the first thread.
 */
#ifndef LARDER_BASE_CLOCK_H
#define LARDER_BASE_CLOCK_H

#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

void clock_start(void);           /* measures a tick; about 2 ms */
int64_t clock_ms(void);           /* wall clock, ms since 1970 */
int64_t clock_us(void);           /* wall clock, us since 1970 */
int64_t clock_mono_us(void);      /* never goes back */
int64_t clock_cpu_us(void);       /* CPU time of this thread */
uint64_t clock_ticks_slow(void);
double clock_ticks_per_us(void);

static inline uint64_t clock_ticks(void) {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return clock_ticks_slow();
#endif
}
static inline int64_t clock_ticks_us(uint64_t ticks) { return (int64_t)((double)ticks / clock_ticks_per_us()); }

#endif
