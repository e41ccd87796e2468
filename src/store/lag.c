#include "store/lag.h"

#define STEPS 4

static unsigned bucket_of(uint64_t ms) {
    if (ms < STEPS) return (unsigned)ms;
    unsigned shift = 61 - (unsigned)__builtin_clzll(ms);
    unsigned b = shift * STEPS + (unsigned)(ms >> shift);
    return b < LAG_BUCKETS ? b : LAG_BUCKETS - 1;
}

/* The most that falls into it. */
static uint64_t bucket_end(unsigned b) {
    if (b < STEPS) return b;
    unsigned shift = b / STEPS - 1;
    return ((uint64_t)(b % STEPS + STEPS + 1) << shift) - 1;
}

static void set(counter *c, uint64_t v) { atomic_store_explicit(c, v, memory_order_relaxed); }

void lag_add(struct lag *l, int64_t deadline, int64_t now) {
    uint64_t ms = now > deadline ? (uint64_t)(now - deadline) : 0, window = (uint64_t)(now / LAG_WINDOW_MS), last = counter_get(&l->window);
    counter_add(&l->sum_ms, ms);
    counter_add(&l->bucket[bucket_of(ms)], 1);
    if (window != last) {
        set(&l->worst_ms[1], window == last + 1 ? counter_get(&l->worst_ms[0]) : 0);
        set(&l->worst_ms[0], 0);
        set(&l->window, window);
    }
    if (ms > counter_get(&l->worst_ms[0])) set(&l->worst_ms[0], ms);
}

void lag_reset(struct lag *l) {
    counter_reset(&l->sum_ms);
    for (unsigned i = 0; i < 2; i++) counter_reset(&l->worst_ms[i]);
    for (unsigned i = 0; i < LAG_BUCKETS; i++) counter_reset(&l->bucket[i]);
}

void lag_sum_add(struct lag_sum *sum, const struct lag *l, int64_t now) {
    uint64_t past = (uint64_t)(now / LAG_WINDOW_MS) - counter_get(&l->window);
    for (unsigned i = 0; i < 2 && i + past < 2; i++)
        if (counter_get(&l->worst_ms[i]) > sum->worst_ms) sum->worst_ms = counter_get(&l->worst_ms[i]);
    sum->sum_ms += counter_get(&l->sum_ms);
    for (unsigned i = 0; i < LAG_BUCKETS; i++) {
        uint64_t n = counter_get(&l->bucket[i]);
        sum->bucket[i] += n;
        sum->count += n;
    }
}

double lag_mean_ms(const struct lag_sum *sum) { return sum->count ? (double)sum->sum_ms / (double)sum->count : 0; }

uint64_t lag_percentile_ms(const struct lag_sum *sum, double percentile) {
    uint64_t seen = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < LAG_BUCKETS; i++) {
        if (!sum->bucket[i]) continue;
        last = i;
        seen += sum->bucket[i];
        if ((double)seen >= (double)sum->count * percentile / 100) break;
    }
    return sum->count ? bucket_end(last) : 0;
}
