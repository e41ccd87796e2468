#include "l1/inside.h"

#include "base/clock.h"

#include <stdlib.h>

struct tally *tally_of(struct near_record *r) {
    if (!r) return NULL;
    struct tally *t = atomic_load_explicit(&r->more, memory_order_relaxed);
    if (t) return t;
    t = calloc(1, sizeof *t);
    atomic_store_explicit(&r->more, t, memory_order_release);
    return t;
}

void tally_drop(void *tally) {
    struct tally *t = tally;
    for (unsigned i = 0; i < TIMES; i++) hist_free(&t->hist[i]);
    free(t);
}

void tally_count(struct near_record *r, enum counted what, uint64_t n) {
    struct tally *t = tally_of(r);
    if (t) counter_add(&t->count[what], n);
}

void tally_time(struct near_record *r, enum timed what, int64_t ns) {
    struct tally *t = tally_of(r);
    uint64_t took = ns > 0 ? (uint64_t)ns : 0;
    if (!t) return;
    hist_add(&t->hist[what], took);
    counter_add(&t->sum_ns[what], took);
    counter_add(&t->n[what], 1);
}

struct sums {
    uint64_t hits, stale, misses, count[COUNTS], sum_ns[TIMES], n[TIMES];
    struct hist_sum hist[TIMES];
};

static void sums_read(struct larder *l, struct sums *s) {
    for (struct near_record *r = NULL; (r = near_record_next(l->near, r));) {
        s->hits += counter_get(&r->hits);
        s->stale += counter_get(&r->stale);
        s->misses += counter_get(&r->misses);
        struct tally *t = atomic_load_explicit(&r->more, memory_order_acquire);
        if (!t) continue;
        for (unsigned i = 0; i < COUNTS; i++) s->count[i] += counter_get(&t->count[i]);
        for (unsigned i = 0; i < TIMES; i++) {
            s->sum_ns[i] += counter_get(&t->sum_ns[i]);
            s->n[i] += counter_get(&t->n[i]);
            hist_sum_add(&s->hist[i], &t->hist[i]);
        }
    }
}

static void times_put(const struct sums *s, enum timed what, double *mean, double *p99) {
    *mean = s->n[what] ? (double)s->sum_ns[what] / (double)s->n[what] / 1000 : 0;
    *p99 = hist_percentile_us(&s->hist[what], 99);
}

static double share(uint64_t part, uint64_t rest) { return part + rest ? (double)part / (double)(part + rest) : 0; }

static void sums_put(const struct sums *s, larder_stats *out) {
    const struct {
        uint64_t *to;
        enum counted from;
    } counts[] = {{&out->l2_hits, COUNT_L2_HITS}, {&out->l2_misses, COUNT_L2_MISSES}, {&out->loads, COUNT_LOADS},
        {&out->load_failures, COUNT_LOAD_FAILURES}, {&out->waits, COUNT_WAITS}, {&out->early_refreshes, COUNT_EARLY},
        {&out->stale_refreshes, COUNT_STALE}, {&out->l2_errors, COUNT_ERRORS}, {&out->l2_timeouts, COUNT_TIMEOUTS},
        {&out->queued, COUNT_QUEUED}, {&out->dropped, COUNT_DROPPED}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) *counts[i].to = s->count[counts[i].from];
    out->l1_hits = s->hits;
    out->l1_stale = s->stale;
    out->l1_misses = s->misses;
    out->l1_hit_ratio = share(s->hits + s->stale, s->misses);
    out->hit_ratio = share(s->hits + s->stale + out->l2_hits, out->l2_misses);
    times_put(s, TIMED_L1, &out->l1_mean_us, &out->l1_p99_us);
    times_put(s, TIMED_L2, &out->l2_mean_us, &out->l2_p99_us);
    times_put(s, TIMED_LOAD, &out->load_mean_us, &out->load_p99_us);
}

int larder_trouble(larder *l, char *text, size_t size, int64_t *ago_ms) {
    if (!l || (!text && size)) return LARDER_INVALID;
    bool any = trouble_read(&l->trouble, text, size, ago_ms);
    if (ago_ms) *ago_ms /= 1000;
    return any ? LARDER_OK : LARDER_NOT_FOUND;
}

int larder_stats_read(larder *l, larder_stats *stats) {
    if (!l || !stats || stats->size != sizeof *stats) return LARDER_INVALID;
    struct sums *s = calloc(1, sizeof *s);
    struct near_stats near;
    if (!s) return LARDER_BUSY;
    *stats = (larder_stats){.size = sizeof *stats};
    sums_read(l, s);
    sums_put(s, stats);
    free(s);
    near_stats_read(l->near, &near);
    stats->l1_entries = near.entries;
    stats->l1_bytes = near.bytes;
    stats->l1_limit = near.limit;
    stats->l1_pinned_bytes = near.pinned;
    stats->l1_evictions = near.evictions;
    stats->l1_expired = near.expired;
    stats->l1_refused = near.refused;
    stats->invalidations = l->invalidations;
    stats->flushes = l->flushes;
    stats->resumes = l->resumes;
    stats->feed_losses = l->losses;
    stats->circuit_opened = breaker_opened(&l->breaker);
    stats->circuit = (int)breaker_state(&l->breaker);
    stats->trusted = read_trusted(l, near_now(l->near));
    stats->feed = l->has_feed;
    stats->leases = l->leases;
    return LARDER_OK;
}
