#include "store/pool.h"

#include "store/calendar.h"
#include "store/heads.h"
#include "store/shortlist.h"
#include "store/tell.h"

#define AGES_ALL 256         /* ages of so many evicted are told, and then of one in so many: */
#define AGES_EACH 32
#define SPARED_MOST 256
#define STALE_MS 10000      /* ranks change with time, those of LRU all alike */

struct pool {
    struct pool *next;
    enum policy_kind kind;
    enum duel_way way; /* of LHD */
    int64_t since;     /* ms: when it was empty last */
    unsigned takes;    /* that may be done before the next look around */
    uint64_t spared_at; /* huge ones that have earned to stay: how many in a row, when so many had been evicted */
    unsigned spared;
    struct patrol patrol;
    struct shortlist list;
    struct calendar calendar; /* of density's clock */
};

/* One look around. */
struct look {
    struct store *store;
    const struct policy *policy;
    struct pool *pool;
    struct density_moment moment;
    enum duel_way way;
    bool all; /* may all keys go? */
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
    patrol_put(&stats->pool->patrol, pool_random());
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
    int64_t stale = p->kind & POLICY_LRU ? POLICY_AHEAD / 2 * (int64_t)POLICY_TICK : STALE_MS;
    if (pool->kind == p->kind && pool->way == way && p->now - pool->since < stale) return;
    pool->kind = p->kind;
    pool->way = way;
    pool->since = p->now;
    pool->takes = 0;
    shortlist_clear(&pool->list);
}

/* -- ranks: higher goes sooner --------------------------------------------------------------------------------------------------- */

/* Some entries next to each other. */
struct ranked {
    struct heads heads;
    int32_t rank[POOL_LOOKS] __attribute__((aligned(16)));
    uint32_t cell[POOL_LOOKS] __attribute__((aligned(16))); /* of LHD: density's */
};

static void rank_by_density(const struct look *l, const struct reach *at, struct ranked *r) {
    heads_read_costs(&r->heads, at);
    duel_ranks(&l->moment, l->way, at->n, r->heads.word, r->heads.bytes, r->rank, r->cell);
}

static void rank_by_idle(const struct look *l, const struct reach *at, struct ranked *r) {
    heads_read(&r->heads, at);
    policy_ranks_idle(policy_base(l->pool->since), at->n, r->heads.word, r->rank);
}

static void rank_by_others(const struct look *l, const struct reach *at, struct ranked *r) {
    const struct policy *p = l->policy;
    heads_read(&r->heads, at);
    for (unsigned k = 0; k < at->n; k++)
        r->rank[k] = policy_rank(p, l->pool->since, r->heads.word[k], entry_deadline(at->entry[k]), pool_random());
}

static void rank(const struct look *l, const struct reach *at, struct ranked *r) {
    if (l->policy->kind & POLICY_LRU) rank_by_idle(l, at, r);
    else if (l->policy->kind & POLICY_LHD) rank_by_density(l, at, r);
    else rank_by_others(l, at, r);
    if (__builtin_expect(!r->heads.deadlines, 1)) return;
    for (unsigned k = 0; k < at->n; k++) {
        int64_t deadline = entry_deadline(at->entry[k]);
        if (deadline && deadline <= l->policy->now) r->rank[k] = INT32_MAX;
    }
}

/* -- looking around -------------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void consider(struct look *l, const struct reach *at, const struct ranked *r, unsigned k) {
    struct shortlist *list = &l->pool->list;
    uint64_t hash = store_key(l->store->seed, entry_key(at->entry[k])).hash;
    if (shortlist_has(list, hash)) return;
    shortlist_add(list, &(struct candidate){.rank = r->rank[k], .hash = hash, .word = r->heads.word[k], .db = l->pool->patrol.db,
        .note = l->policy->kind & POLICY_LHD ? r->cell[k] : 0});
}

static void look_at(struct look *l, const struct reach *at) {
    struct ranked r;
    rank(l, at, &r);
    for (unsigned k = at->n; k < POOL_LOOKS; k++) r.rank[k] = INT32_MIN; /* not wanted */
#pragma GCC unroll 16
    for (unsigned k = 0; k < POOL_LOOKS; k++)
        if (__builtin_expect(shortlist_wants(&l->pool->list, r.rank[k]), 0)) consider(l, at, &r, k);
}

/* Until enough was seen: where there are few keys, that is many shards. False: what is invalid already was swept, which made room too. */
static bool look_around(struct look *l) {
    struct patrol *p = &l->pool->patrol;
    struct reach at;
    uint64_t passed = p->passed + STORE_SHARDS, searched = p->searched + PATROL_SEARCH;
    if (l->policy->kind & POLICY_ANY) patrol_throw(p, l->store, l->all, pool_random(), pool_random());
    for (unsigned seen = 0; seen < POOL_LOOKS && p->passed <= passed && (!seen || p->searched < searched); seen += at.n) {
        patrol_reach(p, l->store, l->all, POOL_LOOKS - seen, &at);
        if (__builtin_expect(at.swept, 0)) return false;
        if (!at.n) continue;
        look_at(l, &at);
        store_unlock(l->store, p->shard);
    }
    return true;
}

/* -- evicting -------------------------------------------------------------------------------------------------------------------- */

/* How long nobody had used it, ms. */
static int64_t age_of(const struct look *l, const struct entry *e) {
    if (!(l->policy->kind & POLICY_LHD)) return policy_age_ms(l->policy, entry_access(e));
    uint64_t clock = l->moment.clock, age = density_age(l->policy->density, clock, entry_access(e));
    int64_t ms = l->policy->now - calendar_ms(&l->pool->calendar, age < clock ? clock - age : 0);
    return ms < 0 ? 0 : ms;
}

/* Under LHD an age takes longer to tell, so beyond the first ones one stands for several. */
static void count_evicted(const struct look *l, struct store_stats *stats, const struct entry *e, const struct candidate *c) {
    uint64_t n = counter_get(&stats->evicted);
    unsigned stands_for = l->policy->kind & POLICY_LHD && n >= AGES_ALL ? AGES_EACH : 1;
    counter_add(&stats->evicted, 1);
    if (n % stands_for == 0) counter_add(&stats->evicted_age_ms, (uint64_t)age_of(l, e) * stands_for);
    if (l->policy->kind & POLICY_LHD) density_evicted(l->policy->density, store_density_lane(l->store, stats), c->note, c->word, c->hash);
}

static void evict(struct look *l, struct table *t, const struct candidate *c, struct spot at, struct store_stats *stats) {
    struct entry *e = segment_entry(at.segment->slot[at.i]);
    int64_t deadline = entry_deadline(e);
    if (deadline && deadline <= l->policy->now) {
        store_expired(l->store, c->db, e, l->policy->now, stats);
    } else {
        struct slice key = entry_key(e);
        store_event_of(l->store, stats, STORE_EVICTED, c->db, &(struct key){key.p, key.n, c->hash}, e);
        store_keep(l->store, c->db, at);
        count_evicted(l, stats, e, c);
    }
    table_remove(t, c->hash, at);
    store_drop(l->store, e, true);
}

/* Has it earned to stay? (claim.h) But where nothing else is found any more it goes. */
static bool spared(const struct look *l, const struct entry *e, uint64_t hash, struct store_stats *stats) {
    struct store *s = l->store;
    struct pool *pool = l->pool;
    int64_t deadline = entry_deadline(e);
    if (!(l->policy->kind & POLICY_LHD) || !claims_may_be(&s->claims, store_cost(e)) || (deadline && deadline <= l->policy->now)) return false;
    if (pool->spared_at != counter_get(&stats->evicted)) pool->spared = 0;
    pool->spared_at = counter_get(&stats->evicted);
    return ++pool->spared <= SPARED_MOST &&
        claims_keep(&s->claims, s->duel, hash, (uint64_t)option_get(&s->config->maxmemory), l->moment.clock);
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
        if (__builtin_expect(claims_any_in(&l->store->claims), 0) && spared(l, e, c->hash, stats)) return false;
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

/* The worst of those that are still there. False: none is. */
static bool take(struct look *l, struct store_stats *stats, bool *any) {
    for (struct candidate c; shortlist_take(&l->pool->list, &c);) {
        *any = true;
        if (evict_candidate(l, &c, stats)) return true;
    }
    return false;
}

bool pool_evict(struct store *s, const struct policy *p, struct store_stats *stats) {
    struct look l = {.store = s, .policy = p, .pool = pool_of(s, p->now, stats), .moment = density_moment(p->density),
        .way = duel_way(s->duel), .all = p->kind & POLICY_ALL_KEYS};
    bool any = false;
    pool_refresh(l.pool, p, l.way);
    calendar_note(&l.pool->calendar, l.moment.clock, p->now);
    if (l.pool->takes) {
        l.pool->takes--;
        if (take(&l, stats, &any)) return true;
    }
    l.pool->takes = POOL_TAKES - 1;
    if (!look_around(&l)) return true; /* maybe it is enough */
    take(&l, stats, &any);
    return any;
}
