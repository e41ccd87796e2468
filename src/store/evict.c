/* Room under maxmemory: the worst candidate goes (pool.h), again and again, until there is enough. */
#include "store/inside.h"
#include "store/pool.h"

#define RESERVE 32768 /* what a caller cannot know: a segment that must grow for a crowded run, a block of the next class */
#define RESERVE_LEAST 4096
#define RESERVE_SHARE 512 /* of maxmemory, where that is less: small caches have small segments */
#define SAVE_STEP 2048
#define AHEAD 1024 /* that is made free beyond what is asked for: so small values that follow need not ask, one by one */
#define AHEAD_SHARE 8192 /* of maxmemory, where that is less */
#define STORE_TRASH_US 60 /* of freeing between two looks at what there is room for */
#define EVICT_SPARE_US 80 /* of a slice: for what is done between two looks at the clock, such freeing too, and what the machine takes */

/* What may be used under that limit: 1/part of the reserve stays free. */
static inline uint64_t evict_limit(const struct store *s, uint64_t limit, unsigned part) {
    uint64_t reserve = limit / RESERVE_SHARE;
    if (reserve > RESERVE) reserve = RESERVE;
    if (reserve < RESERVE_LEAST) reserve = RESERVE_LEAST;
    reserve = reserve / part + atomic_load_explicit(&s->aside, memory_order_relaxed);
    return limit > reserve ? limit - reserve : 0;
}

static inline bool fits_beside(const struct store *s, size_t n, unsigned part) {
    uint64_t limit = (uint64_t)option_get(&s->config->maxmemory);
    return __builtin_expect(!limit, 0) || mem_fits(evict_limit(s, limit, part), n, (unsigned)option_get(&s->config->threads));
}

bool store_fits(const struct store *s, size_t n) { return fits_beside(s, n, 1); }

bool store_spare(const struct store *s, size_t n) { return fits_beside(s, n, 4); }

bool store_far(const struct store *s, size_t n, size_t spare) {
    uint64_t limit = (uint64_t)option_get(&s->config->maxmemory);
    return !limit || mem_far(evict_limit(s, limit, 1), n, spare, (unsigned)option_get(&s->config->threads));
}

static uint64_t evict_count_all(const struct store *s) {
    uint64_t keys = 0;
    for (unsigned d = 0; d < STORE_DATABASES; d++) keys += store_count(s, d);
    return keys;
}

/* What the cache holds now, for learning from what was evicted of it. */
static void evict_learn(struct store *s, uint64_t limit) {
    uint64_t keys = evict_count_all(s), bytes = mem_used(MEM_DATA) + mem_used(MEM_INDEX), all = mem_limited();
    density_learn(s->density, keys, bytes, limit);
    duel_size(s->duel, keys, bytes + (limit > all ? limit - all : 0)); /* when it is full */
}

/* What is to be remembered of the evicted takes megabytes where the limit is large: more than a slice can free. So each keeps a little
 * free, until it is enough. Returns how much more that is now. */
static size_t evict_save(struct store *s, const struct policy *p, uint64_t limit) {
    size_t wants = p->kind & POLICY_LHD ? density_wants(s->density, limit) : 0;
    uint64_t aside = atomic_load_explicit(&s->aside, memory_order_relaxed);
    if (wants && aside >= wants) {
        density_remember(s->density, limit);
        wants = 0;
    }
    if (!wants && aside) atomic_store(&s->aside, 0);
    return wants < SAVE_STEP ? wants : SAVE_STEP;
}

/* One value that would take more than an eighth of the limit, and the place of many others, drives none of them out under the policy
 * that weighs sizes: it gets what is free, until it has earned more. */
static bool evict_refused(struct store *s, uint64_t hash, size_t n, uint64_t limit) {
    uint64_t keys = evict_count_all(s);
    if (!keys || n / DUEL_HUGE_PLACES <= mem_limited() / keys) return false;
    if (density_due(s->density)) evict_learn(s, limit); /* nothing may ever go */
    return !hash || !claims_let_in(&s->claims, s->duel, hash, n, limit, density_clock(s->density));
}

enum store_fit store_make_room(struct store *s, size_t n, int64_t now, struct store_stats *stats, int64_t slice_us) {
    return store_make_room_for(s, 0, n, now, stats, slice_us);
}

enum store_fit store_make_room_for(struct store *s, uint64_t hash, size_t n, int64_t now, struct store_stats *stats, int64_t slice_us) {
    if (store_fits(s, n)) return FIT_YES;
    struct policy p = store_policy(s, now);
    uint64_t limit = (uint64_t)option_get(&s->config->maxmemory);
    if (p.kind == POLICY_NOEVICTION || n > limit) return FIT_NO;
    if (p.kind & POLICY_LHD && __builtin_expect(n > limit / DUEL_HUGE_SHARE, 0) && evict_refused(s, hash, n, limit)) return FIT_NO;
    uint64_t start = clock_ticks();
    enum store_fit fit = FIT_YES;
    size_t save = evict_save(s, &p, limit), ahead = limit / AHEAD_SHARE < AHEAD ? limit / AHEAD_SHARE : AHEAD;
    if (p.kind & POLICY_LHD && density_due(s->density)) evict_learn(s, limit); /* 40 us: at the beginning, when there is time */
    counter_add(&stats->evict_slices, 1);
    do {
        /* What was dropped already comes back before anything else is dropped: a large collection takes many slices. */
        if (store_trash(s)) store_trash_step(s, STORE_TRASH_US);
        else if (capture_owes(s) || capture_pressed(s)) fit = FIT_LATER; /* its consumer is at it */
        else if (!pool_evict(s, &p, stats)) {
            fit = FIT_NO;
            break;
        }
        if (fit == FIT_LATER) break;
        if (slice_over(start, slice_us - EVICT_SPARE_US)) {
            fit = FIT_LATER;
            break;
        }
    } while (!store_fits(s, n + save + ahead));
    if (save && fit == FIT_YES) atomic_fetch_add(&s->aside, save);
    uint64_t us = (uint64_t)clock_ticks_us(clock_ticks() - start);
    if (us > counter_get(&stats->evict_us_worst)) atomic_store_explicit(&stats->evict_us_worst, us, memory_order_relaxed);
    /* What was dropped may still wait in the trash, or for a reply: not lost, only late. */
    return fit != FIT_YES && store_fits(s, n) ? FIT_YES : fit;
}
