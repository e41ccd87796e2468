/* l1: what the parts of bench-l1 share. Each part prints its figures as lines of one JSON object.
 *
 * What is compared is run in short rounds in turn, and each round gives a ratio, of which the median counts: whatever else the machine
 * does then slows both sides. Thread rule: as each part says. For the measuring tools only.
 */
#ifndef LARDER_BENCH_L1_H
#define LARDER_BENCH_L1_H

#include "base/slice.h"

#include <stdint.h>

enum { L1_KEYS = 1000000, L1_ORDER = 1 << 22, L1_VALUE = 100, L1_KEY_ROOM = 16 };

struct l1_keys {
    char (*key)[L1_KEY_ROOM];
    uint8_t *key_n;
    uint32_t *order; /* L1_ORDER of them, Zipf 0.99; what is popular lies anywhere */
};

void l1_keys_make(struct l1_keys *k);
void l1_keys_free(struct l1_keys *k);
static inline struct slice l1_key(const struct l1_keys *k, uint32_t i) { return (struct slice){k->key[i], k->key_n[i]}; }

double l1_percentile(double *v, unsigned n, double share); /* puts them in order */
static inline double l1_median(double *v, unsigned n) { return l1_percentile(v, n, 0.5); }
double l1_seconds(void); /* of the monotonic clock, the same in all processes */
void l1_figure(const char *name, double value);

int l1_hits(double seconds);
int l1_lookups(const char *which, long n);
int l1_evict(const char *path, int argc, char **argv);
int l1_reads(const char *url, double seconds);
int l1_heard(const char *url, unsigned rounds);

#endif
