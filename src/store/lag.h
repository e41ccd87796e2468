/* lag: how long after their deadlines keys went.
 *
 * Milliseconds, in buckets a quarter of a power of two wide; and the worst of the present and the last minute.
 * Thread rule: one writer; readers at any time, through sums of several. Nothing is owned.
 */
#ifndef LARDER_STORE_LAG_H
#define LARDER_STORE_LAG_H

#include "base/thread.h"

#define LAG_BUCKETS 64 /* up to two minutes; the last one has what is more */
#define LAG_WINDOW_MS 60000

struct lag {
    counter sum_ms, window, worst_ms[2]; /* window: the number of the present minute; [1]: the one before it */
    counter bucket[LAG_BUCKETS];
};

void lag_add(struct lag *l, int64_t deadline, int64_t now);
void lag_reset(struct lag *l);

struct lag_sum {
    uint64_t count, sum_ms, worst_ms, bucket[LAG_BUCKETS];
};
void lag_sum_add(struct lag_sum *sum, const struct lag *l, int64_t now);
double lag_mean_ms(const struct lag_sum *sum);
uint64_t lag_percentile_ms(const struct lag_sum *sum, double percentile); /* the end of its bucket; 0 where nothing went */

#endif
