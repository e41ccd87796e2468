/* Room under maxmemory: the worst of a small sample goes, again and again, until there is enough.
 *
 * A sample is a run of SAMPLE neighbouring entries at a random place. Neighbours by hash are as random as any, and they
 * lie in one or two cache lines of slots. Policies that may only take keys with a deadline look on until they have seen
 * enough of those.
 */
#include "store/inside.h"

#define SAMPLE 16
#define RESERVE 32768 /* what a caller cannot know: a segment that must grow for a crowded run, a block of the next class */
#define STORE_TRASH_US 60 /* of freeing between two looks at what there is room for */
#define REACH 256 /* slots looked at, at the most, in search of a sample */

static uint64_t evict_random(void) {
    static _Thread_local uint64_t x;
    if (!x) x = clock_ticks() | 1;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x * 0x2545f4914f6cdd1dull;
}

bool store_fits(const struct store *s, size_t n) {
    uint64_t limit = (uint64_t)option_get(&s->config->maxmemory);
    return !limit || mem_fits(limit, n + RESERVE, (unsigned)option_get(&s->config->threads));
}

bool store_spare(const struct store *s, size_t n) {
    uint64_t limit = (uint64_t)option_get(&s->config->maxmemory);
    return !limit || mem_fits(limit, n + RESERVE / 4, (unsigned)option_get(&s->config->threads));
}

/* Entries of a segment that may go, next to each other and fetched towards the processor; returns how many were found. */
static unsigned evict_sample(const struct segment *seg, const struct policy *p, uint32_t *at) {
    uint32_t start = (uint32_t)(evict_random() >> 32) % seg->slots, seen = 0;
    uint32_t reach = seg->slots < REACH || !(p->kind & POLICY_ALL_KEYS) ? seg->slots : REACH;
    for (uint32_t n = 0; n < reach && seen < SAMPLE; n++) {
        uint32_t i = start + n < seg->slots ? start + n : start + n - seg->slots;
        if (!seg->slot[i]) continue;
        const struct entry *e = segment_entry(seg->slot[i]);
        if (p->kind & POLICY_ALL_KEYS) __builtin_prefetch(e);
        else if (!entry_deadline(e)) continue;
        at[seen++] = i;
    }
    return seen;
}

/* Higher: goes sooner. */
static uint64_t evict_rank(const struct policy *p, const struct entry *e, uint64_t clock) {
    int64_t deadline = entry_deadline(e);
    if (deadline && deadline <= p->now) return UINT64_MAX; /* what is over goes first */
    if (!(p->kind & POLICY_LHD)) return policy_rank(p, entry_access(e), deadline, evict_random());
    float rank = density_rank(p->density, clock, entry_access(e), store_cost(e));
    uint32_t bits; /* of a positive number: in its order */
    memcpy(&bits, &rank, sizeof bits);
    return bits;
}

/* The worst of a sample of one segment, in *at; NULL if nothing may go there. */
static struct entry *evict_choose(struct segment *seg, const struct policy *p, struct spot *at) {
    uint32_t sample[SAMPLE];
    unsigned n = evict_sample(seg, p, sample);
    uint64_t highest = 0, clock = density_clock(p->density);
    struct entry *worst = NULL;
    for (unsigned k = 0; k < n; k++) {
        struct entry *e = segment_entry(seg->slot[sample[k]]);
        uint64_t rank = evict_rank(p, e, clock);
        if (worst && rank <= highest) continue;
        worst = e;
        highest = rank;
        *at = (struct spot){seg, sample[k]};
    }
    return worst;
}

/* Keys of a table that may go. */
static uint64_t evict_keys(const struct table *t, const struct policy *p) {
    return counter_get(p->kind & POLICY_ALL_KEYS ? &t->keys : &t->volatiles);
}

static void evict_noted(struct store *s, const struct entry *e, struct store_stats *stats) {
    density_evicted(s->density, store_density_lane(s, stats), entry_access(e), store_cost(e), store_key(s->seed, entry_key(e)).hash);
}

/* What the cache holds now, for learning from what was evicted of it. */
static void evict_learn(struct store *s, uint64_t limit) {
    uint64_t keys = 0;
    for (unsigned d = 0; d < STORE_DATABASES; d++) keys += store_count(s, d);
    density_learn(s->density, keys, mem_used(MEM_DATA) + mem_used(MEM_INDEX), limit);
}

/* Evicts one entry of a table; false if none may go. */
static bool evict_from(struct store *s, unsigned shard, unsigned db, const struct policy *p, struct store_stats *stats) {
    struct table *t = store_table(s, shard, db);
    if (!t->dir || !evict_keys(t, p)) return false;
    uint64_t places = 1ull << t->depth, first = evict_random() & (places - 1);
    for (uint64_t n = 0; n < places; n++) {
        uint64_t place = (first + n) & (places - 1);
        struct spot at = {NULL, 0};
        uint32_t last = atomic_load_explicit(&s->rules.last, memory_order_acquire);
        if (t->dir[place]->swept != last) { /* what is invalid already is not evicted, it goes */
            rules_sweep(s, t, place, last, db);
            return true;
        }
        struct entry *e = evict_choose(t->dir[place], p, &at);
        if (!e) continue;
        int64_t deadline = entry_deadline(e);
        bool over = deadline && deadline <= p->now;
        if (over) {
            store_expired(s, db, e, p->now, stats);
        } else {
            store_event(s, stats, STORE_EVICTED, db, e);
            counter_add(&stats->evicted, 1);
        }
        if (!over && p->kind & POLICY_LHD) evict_noted(s, e, stats);
        if (!over) store_keep(s, db, at);
        /* The place in the directory is all that table_remove needs of the hash. */
        table_remove(t, place << (63 - STORE_SHARD_BITS - t->depth) << 1, at);
        store_drop(s, e, false);
        return true;
    }
    return false;
}

/* Keys of a shard that may go. */
static uint64_t evict_count(struct store *s, unsigned shard, const struct policy *p) {
    uint64_t total = 0;
    for (unsigned d = 0; d < STORE_DATABASES; d++) total += evict_keys(store_table(s, shard, d), p);
    return total;
}

/* One entry of a shard, of its databases in proportion to their keys. */
static bool evict_from_shard(struct store *s, unsigned shard, const struct policy *p, struct store_stats *stats) {
    uint64_t total = evict_count(s, shard, p);
    if (!total) return false;
    uint64_t pick = (evict_random() >> 8) % total;
    store_lock(s, shard);
    bool done = false;
    for (unsigned k = 0; k < STORE_DATABASES * 2 && !done; k++) { /* twice: the pick may have gone meanwhile */
        uint64_t here = evict_keys(store_table(s, shard, k % STORE_DATABASES), p);
        if (k < STORE_DATABASES && pick >= here) {
            pick -= here;
            continue;
        }
        done = evict_from(s, shard, k % STORE_DATABASES, p, stats);
    }
    store_unlock(s, shard);
    return done;
}

/* Of two random shards the one with more keys: chosen blindly, the shards' sizes would drift apart, and from a small one
 * keys in use would go. If that has none, the shards behind it. */
static bool evict_one(struct store *s, const struct policy *p, struct store_stats *stats) {
    uint64_t r = evict_random();
    unsigned first = (unsigned)(r >> 40) % STORE_SHARDS, other = (unsigned)(r >> 24) % STORE_SHARDS;
    if (evict_count(s, other, p) > evict_count(s, first, p)) first = other;
    for (unsigned n = 0; n < STORE_SHARDS; n++)
        if (evict_from_shard(s, (first + n) % STORE_SHARDS, p, stats)) return true;
    return false;
}

enum store_fit store_make_room(struct store *s, size_t n, int64_t now, struct store_stats *stats, int64_t slice_us) {
    if (store_fits(s, n)) return FIT_YES;
    struct policy p = store_policy(s, now);
    uint64_t limit = (uint64_t)option_get(&s->config->maxmemory);
    if (p.kind == POLICY_NOEVICTION || n > limit) return FIT_NO;
    uint64_t start = clock_ticks();
    enum store_fit fit = FIT_YES;
    size_t wants = p.kind & POLICY_LHD ? density_wants(s->density, limit) : 0;
    counter_add(&stats->evict_slices, 1);
    while (!store_fits(s, n + wants)) {
        /* What was dropped already comes back before anything else is dropped: a large collection takes many slices. */
        bool waits = store_trash(s) != 0;
        if (waits) store_trash_step(s, STORE_TRASH_US);
        else if (capture_owes(s) || capture_pressed(s)) fit = FIT_LATER; /* its consumer is at it */
        else if (!evict_one(s, &p, stats)) {
            fit = FIT_NO;
            break;
        }
        if (fit == FIT_LATER) break;
        if (p.kind & POLICY_LHD && !wants && density_due(s->density)) evict_learn(s, limit);
        if (slice_over(start, slice_us - 5)) {
            fit = FIT_LATER;
            break;
        }
    }
    if (wants && fit == FIT_YES) evict_learn(s, limit);
    uint64_t us = (uint64_t)clock_ticks_us(clock_ticks() - start);
    if (us > counter_get(&stats->evict_us_worst)) atomic_store_explicit(&stats->evict_us_worst, us, memory_order_relaxed);
    /* What was dropped may still wait in the trash, or for a reply: not lost, only late. */
    return fit == FIT_NO && store_fits(s, n) ? FIT_YES : fit;
}
