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

void hist_add(struct hist *h, uint64_t ns);
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
