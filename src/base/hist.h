/* hist: how often a duration fell into which range, with a relative error below 1/32 from 1 ns to over an hour.
 *
 * Buckets are logarithmic with linear steps inside each power of two. Thread rule: one writer, readers at any time may see
 * counts a moment old. Memory is taken at the first hist_add.
 */
#ifndef LARDER_BASE_HIST_H
#define LARDER_BASE_HIST_H

#include "base/thread.h"

#define HIST_STEPS 32
#define HIST_POWERS 39 /* up to 2^43 ns, over two hours */
#define HIST_BUCKETS (HIST_STEPS * HIST_POWERS)

struct hist {
    counter *_Atomic bucket; /* HIST_BUCKETS of them */
};

counter *hist_open(struct hist *h); /* takes the memory */

/* Values below HIST_STEPS have a bucket each; above, a power of two is cut into HIST_STEPS equal ranges. */
static inline unsigned hist_bucket(uint64_t ns) {
    if (ns < HIST_STEPS) return (unsigned)ns;
    unsigned shift = 58 - (unsigned)__builtin_clzll(ns); /* 63 - 5 bits of steps */
    if (shift > HIST_POWERS - 2) return HIST_BUCKETS - 1;
    return shift * HIST_STEPS + (unsigned)(ns >> shift);
}
static inline void hist_add(struct hist *h, uint64_t ns) {
    counter *b = atomic_load_explicit(&h->bucket, memory_order_relaxed);
    if (__builtin_expect(!b, 0)) b = hist_open(h);
    counter_add(&b[hist_bucket(ns)], 1);
}
void hist_reset(struct hist *h);
void hist_free(struct hist *h);

/* Sums of several writers' histograms, to ask questions of. */
struct hist_sum {
    uint64_t total;
    uint64_t bucket[HIST_BUCKETS];
};
void hist_sum_add(struct hist_sum *s, const struct hist *h);
double hist_percentile_us(const struct hist_sum *s, double percentile);
/* How many were at most `ns` (rounded up to a bucket's end). */
uint64_t hist_count_below(const struct hist_sum *s, uint64_t ns);

#endif
