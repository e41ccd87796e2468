#include "store/pool.h"

#include "store/calendar.h"
#include "store/tell.h"

#define REACH 256        /* slots looked at in a segment of which all may go */
#define SEARCH 2048      /* slots looked at under one lock where only those with a deadline may go */
#define STALE_MS 10000   /* ranks change with time, those of LRU all alike */

struct candidate {
    uint64_t rank, hash;
    uint32_t word, db;
};

struct pool {
    struct pool *next;
    enum policy_kind kind;
    enum duel_way way;   /* of LHD */
    int64_t since;       /* ms: when it was empty last */
    unsigned n;
    struct candidate at[POOL_ROOM]; /* by rank, the one that goes first at the end */
    struct calendar calendar;       /* of density's clock */
};

/* One look around. */
struct look {
    struct store *store;
    const struct policy *policy;
    struct pool *pool;
    uint64_t clock;      /* density's */
    struct density_moment moment;
    enum duel_way way;
    unsigned seen, searched;
    bool swept;
};

static uint64_t pool_random(void) {
    static _Thread_local uint64_t x;
    if (!x) x = clock_ticks() | 1;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x * 0x2545f4914f6cdd1dull;
}

/* -- candidates ---------------------------------------------------------------------------------------------------------------- */

static struct pool *pool_of(struct store *s, int64_t now, struct store_stats *stats) {
    if (__builtin_expect(stats->pool != NULL, 1)) return stats->pool;
    stats->pool = mem_zalloc(MEM_UPKEEP, sizeof *stats->pool);
    calendar_note(&stats->pool->calendar, 0, s->started < now ? s->started : now);
    lock_acquire(&s->pools_lock);
    stats->pool->next = s->pools;
    s->pools = stats->pool;
    lock_release(&s->pools_lock);
    return stats->pool;
}

void pool_free_all(struct store *s) {
    for (struct pool *p = s->pools, *next; p; p = next) {
        next = p->next;
        mem_free(MEM_UPKEEP, p);
    }
    s->pools = NULL;
}

static void pool_refresh(struct pool *pool, const struct policy *p, enum duel_way way) {
    if (pool->kind == p->kind && pool->way == way && ((p->kind & POLICY_LRU) || p->now - pool->since < STALE_MS)) return;
    pool->kind = p->kind;
    pool->way = way;
    pool->since = p->now;
    pool->n = 0;
}

/* Higher: goes sooner. */
static uint64_t rank_of(const struct look *l, const struct entry *e) {
    const struct policy *p = l->policy;
    int64_t deadline = entry_deadline(e);
    if (deadline && deadline <= p->now) return UINT64_MAX; /* what is over goes first */
    if (p->kind & POLICY_LHD) {
        float rank = __builtin_expect(l->way == DUEL_DENSITY, 1) ? density_rank_then(&l->moment, entry_access(e), store_cost(e))
                                                                 : duel_rank(p->density, l->way, l->clock, entry_access(e), store_cost(e));
        uint32_t bits; /* of a positive number: in its order */
        memcpy(&bits, &rank, sizeof bits);
        return bits;
    }
    uint64_t rank = policy_rank(p, entry_access(e), deadline, pool_random());
    /* Comparable with ranks of another moment: minus the time of last use. */
    return p->kind & POLICY_LRU ? (1ull << 62) + rank - (uint64_t)(p->now / POLICY_TICK) : rank;
}

static bool pool_has(const struct pool *pool, uint64_t hash) {
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->at[i].hash == hash) return true;
    return false;
}

static void pool_add(struct pool *pool, struct candidate c) {
    unsigned i = pool->n;
    if (i < POOL_ROOM) {
        for (pool->n++; i && pool->at[i - 1].rank > c.rank; i--) pool->at[i] = pool->at[i - 1];
        pool->at[i] = c;
        return;
    }
    for (i = 0; i + 1 < POOL_ROOM && pool->at[i + 1].rank < c.rank; i++) pool->at[i] = pool->at[i + 1];
    pool->at[i] = c;
}

static void look_at(struct look *l, const struct entry *e, unsigned db) {
    struct pool *pool = l->pool;
    uint64_t rank = rank_of(l, e);
    if (pool->n == POOL_ROOM && rank <= pool->at[0].rank) return;
    uint64_t hash = store_key(l->store->seed, entry_key(e)).hash;
    if (pool_has(pool, hash)) return;
    pool_add(pool, (struct candidate){.rank = rank, .hash = hash, .word = entry_access(e), .db = db});
}

/* -- looking around -------------------------------------------------------------------------------------------------------------- */

/* Entries of a segment that may go, next to each other and fetched towards the processor. */
static void look_in_segment(struct look *l, const struct segment *seg, unsigned db) {
    bool all = l->policy->kind & POLICY_ALL_KEYS;
    if (!all && seg->earliest == AGENDA_NEVER) return;
    const struct entry *found[POOL_LOOKS];
    uint32_t start = (uint32_t)(pool_random() >> 32) % seg->slots, n = 0, most = POOL_LOOKS - l->seen;
    uint32_t reach = seg->slots < REACH || !all ? seg->slots : REACH;
    for (uint32_t i = start, left = reach; left && n < most; left--) {
        if (seg->slot[i]) {
            const struct entry *e = segment_entry(seg->slot[i]);
            if (all) __builtin_prefetch(e);
            if (all || entry_deadline(e)) found[n++] = e;
        }
        if (++i == seg->slots) i = 0;
        l->searched += !all;
    }
    for (uint32_t k = 0; k < n; k++) look_at(l, found[k], db);
    l->seen += n;
}

static bool looked_enough(const struct look *l) {
    return l->swept || l->seen == POOL_LOOKS || (l->seen && l->searched > SEARCH);
}

/* Keys of a table that may go. */
static uint64_t table_may_go(const struct table *t, const struct policy *p) {
    return counter_get(p->kind & POLICY_ALL_KEYS ? &t->keys : &t->volatiles);
}

static void look_in_table(struct look *l, struct table *t, unsigned db) {
    if (!t->dir || !table_may_go(t, l->policy)) return;
    uint64_t places = 1ull << t->depth, place = pool_random() & (places - 1);
    uint32_t last = atomic_load_explicit(&l->store->rules.last, memory_order_acquire);
    for (uint64_t passed = 0; passed < places && !looked_enough(l);) {
        if (t->dir[place]->swept != last) { /* what is invalid already is not evicted, it goes */
            rules_sweep(l->store, t, place, last, db);
            l->swept = true;
            return; /* the directory may be another one now */
        }
        const struct segment *seg = t->dir[place];
        look_in_segment(l, seg, db);
        uint64_t span = 1ull << (t->depth - seg->depth);
        place = ((place & ~(span - 1)) + span) & (places - 1);
        passed += span;
    }
}

/* Of its databases in proportion to their keys; if that does not give enough, of the others too. */
static void look_in_shard(struct look *l, unsigned shard) {
    uint64_t total = 0;
    for (unsigned d = 0; d < STORE_DATABASES; d++) total += table_may_go(store_table(l->store, shard, d), l->policy);
    if (!total) return;
    uint64_t pick = (pool_random() >> 8) % total;
    unsigned first = 0;
    for (uint64_t here; first < STORE_DATABASES - 1; pick -= here, first++) {
        here = table_may_go(store_table(l->store, shard, first), l->policy);
        if (pick < here) break;
    }
    store_lock(l->store, shard);
    for (unsigned d = 0; d < STORE_DATABASES && !looked_enough(l); d++) {
        unsigned db = (first + d) % STORE_DATABASES;
        look_in_table(l, store_table(l->store, shard, db), db);
    }
    store_unlock(l->store, shard);
}

/* From a random shard on, until enough was seen: where there are few keys, that is many shards. */
static void look_around(struct look *l) {
    unsigned first = (unsigned)(pool_random() >> 40);
    for (unsigned n = 0; n < STORE_SHARDS && !looked_enough(l); n++) look_in_shard(l, (first + n) % STORE_SHARDS);
}

/* -- evicting -------------------------------------------------------------------------------------------------------------------- */

/* How long nobody had used it, ms. */
static int64_t age_of(const struct look *l, const struct entry *e) {
    if (!(l->policy->kind & POLICY_LHD)) return policy_age_ms(l->policy, entry_access(e));
    uint64_t age = density_age(l->policy->density, l->clock, entry_access(e));
    int64_t ms = l->policy->now - calendar_ms(&l->pool->calendar, age < l->clock ? l->clock - age : 0);
    return ms < 0 ? 0 : ms;
}

static void count_evicted(const struct look *l, struct store_stats *stats, const struct entry *e, uint64_t hash) {
    struct store *s = l->store;
    counter_add(&stats->evicted, 1);
    counter_add(&stats->evicted_age_ms, (uint64_t)age_of(l, e));
    if (l->policy->kind & POLICY_LHD) density_evicted(s->density, store_density_lane(s, stats), entry_access(e), store_cost(e), hash);
}

static void evict(struct look *l, struct table *t, const struct candidate *c, struct spot at, struct store_stats *stats) {
    struct entry *e = segment_entry(at.segment->slot[at.i]);
    int64_t deadline = entry_deadline(e);
    if (deadline && deadline <= l->policy->now) {
        store_expired(l->store, c->db, e, l->policy->now, stats);
    } else {
        store_event(l->store, stats, STORE_EVICTED, c->db, e);
        store_keep(l->store, c->db, at);
        count_evicted(l, stats, e, c->hash);
    }
    table_remove(t, c->hash, at);
    store_drop(l->store, e, true);
}

/* The candidate goes if it still is what it was; what is invalid in its segment goes in place of it. */
static bool evict_from(struct look *l, struct table *t, const struct candidate *c, struct store_stats *stats) {
    uint64_t place = table_place(t, c->hash);
    struct segment *seg = t->dir[place];
    uint32_t last = atomic_load_explicit(&l->store->rules.last, memory_order_acquire);
    if (seg->swept != last) {
        rules_sweep(l->store, t, place, last, c->db);
        return true;
    }
    const uint32_t tag = table_tag(c->hash);
    for (uint32_t i = segment_seek(seg, tag); seg->slot[i] && segment_tag(seg->slot[i]) == tag; i++) {
        const struct entry *e = segment_entry(seg->slot[i]);
        if (entry_access(e) != c->word || (!(l->policy->kind & POLICY_ALL_KEYS) && !entry_deadline(e))) continue;
        evict(l, t, c, (struct spot){seg, i}, stats);
        return true;
    }
    return false;
}

static bool evict_candidate(struct look *l, const struct candidate *c, struct store_stats *stats) {
    unsigned shard = store_shard_of(c->hash);
    store_lock(l->store, shard);
    struct table *t = store_table(l->store, shard, c->db);
    bool done = t->dir && evict_from(l, t, c, stats);
    store_unlock(l->store, shard);
    return done;
}

bool pool_evict(struct store *s, const struct policy *p, struct store_stats *stats) {
    struct look l = {.store = s, .policy = p, .pool = pool_of(s, p->now, stats), .clock = density_clock(p->density),
        .way = duel_way(s->duel)};
    if (p->kind & POLICY_LHD) l.moment = density_moment(p->density, l.clock);
    pool_refresh(l.pool, p, l.way);
    calendar_note(&l.pool->calendar, l.clock, p->now);
    look_around(&l);
    if (l.swept) return true; /* that made room too: maybe enough */
    bool any = l.pool->n;
    while (l.pool->n) {
        struct candidate c = l.pool->at[--l.pool->n];
        if (evict_candidate(&l, &c, stats)) break;
    }
    return any;
}
