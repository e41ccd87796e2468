#include "command/stale.h"

#include "base/clock.h"
#include "base/match.h"
#include "command/changes.h"

#include <assert.h>

#define BUCKETS_FIRST 8
#define WALKED_MOST 4096   /* values that an invalidation looks at; of more, all of the database are forgotten */
#define SWEEP_SHARDS 16    /* at a time */

struct stale_shard {
    struct stale **bucket;
    uint32_t buckets, n;
    struct stale *first, *last;
};

struct stales {
    _Atomic uint64_t values;
    struct stale_shard shard[STORE_SHARDS];
    _Atomic uint64_t bytes, served;
    _Atomic uint64_t clock;                  /* grows with each value and each flush */
    _Atomic uint64_t floor[STORE_DATABASES]; /* what was born before is forgotten */
    _Atomic unsigned swept;
};

static struct stale_shard *shard_of(struct env *e, uint64_t hash) { return &e->stales->shard[store_shard_of(hash)]; }
static struct stale **bucket_of(struct stale_shard *s, uint64_t hash) { return &s->bucket[hash & (s->buckets - 1)]; }

static void entry_drop(struct stale *x) {
    if (x->refers) entry_release(x->entry);
    else entry_free(x->entry);
}

struct stales *stales_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct stales)); }

/* -- one value ------------------------------------------------------------------------------------------------------------------ */

static void take_out(struct env *e, struct stale_shard *s, struct stale *x) {
    struct stale **at = bucket_of(s, x->hash);
    while (*at != x) at = &(*at)->chain;
    *at = x->chain;
    if (x->prev) x->prev->next = x->next;
    else s->first = x->next;
    if (x->next) x->next->prev = x->prev;
    else s->last = x->prev;
    s->n--;
    atomic_fetch_sub(&e->stales->values, 1);
    atomic_fetch_sub(&e->stales->bytes, x->taken);
    changes_watch(e, -1);
    entry_drop(x);
    mem_free(MEM_DATA, x);
    if (s->n) return;
    mem_free(MEM_DATA, s->bucket);
    s->bucket = NULL;
    s->buckets = 0;
}

void stales_free(struct stales *x) {
    for (unsigned i = 0; i < STORE_SHARDS; i++)
        for (struct stale *v = x->shard[i].first, *next; v; v = next) {
            next = v->next;
            entry_drop(v);
            mem_free(MEM_DATA, v);
            if (!next) mem_free(MEM_DATA, x->shard[i].bucket);
        }
    mem_free(MEM_MISC, x);
}

static bool is_over(const struct env *e, const struct stale *x, int64_t now_ms) {
    return x->until_ms <= now_ms || x->born < atomic_load(&e->stales->floor[x->db]);
}

static struct stale *look_up(struct env *e, unsigned db, const struct key *k) {
    struct stale_shard *s = shard_of(e, k->hash);
    if (!s->n) return NULL;
    struct stale *x = *bucket_of(s, k->hash);
    while (x && (x->hash != k->hash || x->db != db || !slice_equal(entry_key(x->entry), (struct slice){k->p, k->n}))) x = x->chain;
    return x;
}

struct stale *stale_find(struct env *e, unsigned db, const struct key *k, int64_t now_ms) {
    struct stale *x = look_up(e, db, k);
    if (x && is_over(e, x, now_ms)) {
        take_out(e, shard_of(e, k->hash), x);
        return NULL;
    }
    if (x) atomic_fetch_add_explicit(&e->stales->served, 1, memory_order_relaxed);
    return x;
}

void stale_forget(struct env *e, unsigned db, const struct key *k) {
    struct stale *x = look_up(e, db, k);
    if (x) take_out(e, shard_of(e, k->hash), x);
}

/* -- keeping ---------------------------------------------------------------------------------------------------------------------- */

static void buckets_grow(struct stale_shard *s) {
    uint32_t n = s->buckets ? s->buckets * 2 : BUCKETS_FIRST;
    mem_free(MEM_DATA, s->bucket);
    s->bucket = mem_zalloc(MEM_DATA, n * sizeof *s->bucket);
    s->buckets = n;
    for (struct stale *x = s->first; x; x = x->next) {
        struct stale **at = bucket_of(s, x->hash);
        x->chain = *at;
        *at = x;
    }
}

static struct stale *stale_new(const struct key *k, const struct entry *entry) {
    struct entry *held = (struct entry *)(uintptr_t)entry;
    struct stale *x = mem_alloc(MEM_DATA, sizeof *x);
    *x = (struct stale){.hash = k->hash, .entry = held, .refers = entry_pin(held)};
    if (!x->refers) {
        struct entry_spec spec = entry_spec_of(entry);
        x->entry = entry_new(&spec);
        memcpy((char *)(uintptr_t)entry_value(x->entry).p, entry_value(entry).p, spec.valuelen);
    }
    x->taken = mem_usable(x) + entry_memory(x->entry);
    return x;
}

/* Is there room under stale-max-memory, once the oldest of this shard have gone? */
static bool make_room(struct env *e, struct stale_shard *s, size_t n) {
    uint64_t most = (uint64_t)option_get(&e->config.stale_max_memory);
    while (s->first && atomic_load(&e->stales->bytes) + n > most) take_out(e, s, s->first);
    return atomic_load(&e->stales->bytes) + n <= most && store_fits(e->store, n);
}

void stale_keep(struct env *e, unsigned db, const struct key *k, const struct entry *entry) {
    struct stale_shard *s = shard_of(e, k->hash);
    struct stales *all = e->stales;
    int64_t until = entry_deadline(entry) + entry_stale(entry);
    if (until <= clock_ms() || !make_room(e, s, entry_size(entry) + sizeof(struct stale))) return;
    stale_forget(e, db, k);
    struct stale *x = stale_new(k, entry);
    x->db = db;
    x->until_ms = until;
    x->born = atomic_fetch_add(&all->clock, 1);
    x->prev = s->last;
    if (s->last) s->last->next = x;
    else s->first = x;
    s->last = x;
    if (s->n++ == s->buckets) {
        buckets_grow(s); /* and takes it in */
    } else {
        struct stale **at = bucket_of(s, x->hash);
        x->chain = *at;
        *at = x;
    }
    atomic_fetch_add(&all->values, 1);
    atomic_fetch_add(&all->bytes, x->taken);
    changes_watch(e, 1);
}

/* -- forgetting -------------------------------------------------------------------------------------------------------------------- */

void stale_flush(struct env *e, unsigned db) {
    uint64_t now = atomic_fetch_add(&e->stales->clock, 1) + 1;
    for (unsigned d = 0; d < STORE_DATABASES; d++)
        if (db == d || db == STORE_DATABASES) atomic_store(&e->stales->floor[d], now);
}

void stale_invalidate(struct env *e, unsigned db, struct slice pattern) {
    struct stales *all = e->stales;
    if (!atomic_load(&all->values)) return;
    if (atomic_load(&all->values) > WALKED_MOST) {
        stale_flush(e, db);
        return;
    }
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        store_lock(e->store, i);
        for (struct stale *x = all->shard[i].first, *next; x; x = next) {
            next = x->next;
            bool hit = x->db == db && (slice_equal(pattern, SLICE("*")) || match_glob(pattern, entry_key(x->entry)));
            if (hit) take_out(e, &all->shard[i], x);
        }
        store_unlock(e->store, i);
    }
}

void stale_sweep(struct env *e, unsigned part, unsigned parts) {
    struct stales *all = e->stales;
    if (!atomic_load(&all->values)) return;
    int64_t now = clock_ms();
    unsigned first = atomic_fetch_add_explicit(&all->swept, 1, memory_order_relaxed) * SWEEP_SHARDS;
    for (unsigned n = 0; n < SWEEP_SHARDS; n++) {
        unsigned i = (first + n) * parts % STORE_SHARDS + part;
        i %= STORE_SHARDS;
        store_lock(e->store, i);
        for (struct stale *x = all->shard[i].first, *next; x; x = next) {
            next = x->next;
            if (is_over(e, x, now)) take_out(e, &all->shard[i], x);
        }
        store_unlock(e->store, i);
    }
}

struct stale_facts stale_facts(const struct env *e) {
    return (struct stale_facts){atomic_load(&e->stales->values), atomic_load(&e->stales->bytes), atomic_load(&e->stales->served)};
}

void stale_reset_stats(struct env *e) { atomic_store(&e->stales->served, 0); }
