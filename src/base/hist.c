#include "base/hist.h"

#include "base/mem.h"

/* The highest value that falls into the bucket. */
static uint64_t bucket_end(unsigned b) {
    if (b < HIST_STEPS) return b;
    unsigned shift = b / HIST_STEPS - 1;
    return ((uint64_t)(HIST_STEPS + b % HIST_STEPS + 1) << shift) - 1;
}

counter *hist_open(struct hist *h) {
    counter *b = mem_zalloc(MEM_UPKEEP, sizeof *b * HIST_BUCKETS);
    atomic_store_explicit(&h->bucket, b, memory_order_release);
    return b;
}

void hist_reset(struct hist *h) {
    counter *b = atomic_load_explicit(&h->bucket, memory_order_acquire);
    if (!b) return;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) counter_reset(&b[i]);
}

void hist_free(struct hist *h) {
    mem_free(MEM_UPKEEP, atomic_load_explicit(&h->bucket, memory_order_acquire));
    atomic_store_explicit(&h->bucket, NULL, memory_order_relaxed);
}

void hist_sum_add(struct hist_sum *s, const struct hist *h) {
    const counter *b = atomic_load_explicit((counter *_Atomic *)&h->bucket, memory_order_acquire);
    if (!b) return;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        uint64_t n = counter_get(&b[i]);
        s->bucket[i] += n;
        s->total += n;
    }
}

double hist_percentile_us(const struct hist_sum *s, double percentile) {
    if (!s->total) return 0;
    if (percentile > 100) percentile = 100;
    uint64_t rank = (uint64_t)(percentile / 100 * (double)s->total + 0.5), seen = 0;
    if (rank < 1) rank = 1;
    if (rank > s->total) rank = s->total;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += s->bucket[i];
        if (seen >= rank) return (double)bucket_end(i) / 1000;
    }
    return (double)bucket_end(HIST_BUCKETS - 1) / 1000;
}

uint64_t hist_count_below(const struct hist_sum *s, uint64_t ns) {
    uint64_t sum = 0;
    for (unsigned i = 0, last = hist_bucket(ns); i <= last; i++) sum += s->bucket[i];
    return sum;
}
