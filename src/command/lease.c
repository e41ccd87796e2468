#include "command/lease.h"

#include "base/clock.h"
#include "base/match.h"
#include "command/changes.h"

#include <assert.h>
#include <stddef.h>

#define BUCKETS_FIRST 4
#define SWEEP_SHARDS 32 /* at a time */

struct lease {
    struct lease *chain;
    struct key key; /* its bytes are behind */
    unsigned db;
    uint64_t token;      /* 0: nobody has it */
    uint64_t born;       /* how many invalidations had begun */
    int64_t until_us;
    struct fetch *first, *last;
    bool unsettled;      /* it is in some lane's list */
};

struct lease_shard {
    struct lease **bucket;
    uint32_t buckets, n;
};

struct leases {
    _Atomic uint64_t count;
    struct lease_shard shard[STORE_SHARDS];
    _Atomic uint64_t waiting, tokens;
    _Atomic uint64_t invalidations; /* that have begun */
    _Atomic uint64_t invalidating;  /* that are at it */
};

struct lease_lane {
    unsigned swept;    /* shards, by lease_sweep */
    bool all;          /* all that are void are to be settled */
    struct buf settle; /* of each its database, its hash, the length of its key, the key */
};

struct settle_head {
    unsigned db;
    uint64_t hash;
    size_t n;
};

struct leases *leases_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct leases)); }

struct lease_lane *lease_lane_new(void) {
    struct lease_lane *ll = mem_zalloc(MEM_MISC, sizeof *ll);
    buf_init(&ll->settle, MEM_CLIENT);
    return ll;
}

void lease_lane_free(struct lease_lane *ll) {
    buf_free(&ll->settle);
    mem_free(MEM_MISC, ll);
}

/* -- the table ------------------------------------------------------------------------------------------------------------------ */

static struct lease_shard *shard_of(struct env *e, uint64_t hash) { return &e->leases->shard[store_shard_of(hash)]; }
static struct lease **bucket_of(struct lease_shard *s, uint64_t hash) { return &s->bucket[hash & (s->buckets - 1)]; }

struct lease *lease_find(struct env *e, unsigned db, const struct key *k) {
    struct lease_shard *s = shard_of(e, k->hash);
    if (!s->n) return NULL;
    struct lease *l = *bucket_of(s, k->hash);
    while (l && (l->db != db || l->key.hash != k->hash || l->key.n != k->n || memcmp(l->key.p, k->p, k->n))) l = l->chain;
    return l;
}

static void buckets_grow(struct lease_shard *s) {
    struct lease_shard wide = {.buckets = s->buckets ? s->buckets * 2 : BUCKETS_FIRST, .n = s->n};
    wide.bucket = mem_zalloc(MEM_CLIENT, wide.buckets * sizeof *wide.bucket);
    for (uint32_t i = 0; i < s->buckets; i++)
        for (struct lease *l = s->bucket[i], *next; l; l = next) {
            struct lease **at = bucket_of(&wide, l->key.hash);
            next = l->chain;
            l->chain = *at;
            *at = l;
        }
    mem_free(MEM_CLIENT, s->bucket);
    *s = wide;
}

static struct lease *lease_make(struct env *e, unsigned db, const struct key *k) {
    struct lease *l = lease_find(e, db, k);
    struct lease_shard *s = shard_of(e, k->hash);
    if (l) return l;
    if (s->n == s->buckets) buckets_grow(s);
    l = mem_zalloc(MEM_CLIENT, sizeof *l + k->n);
    if (k->n) memcpy(l + 1, k->p, k->n);
    l->key = (struct key){(const char *)(l + 1), k->n, k->hash};
    l->db = db;
    struct lease **at = bucket_of(s, k->hash);
    l->chain = *at;
    *at = l;
    s->n++;
    atomic_fetch_add(&e->leases->count, 1);
    changes_watch(e, 1);
    return l;
}

static void lease_free(struct env *e, struct lease *l) {
    struct lease_shard *s = shard_of(e, l->key.hash);
    struct lease **at = bucket_of(s, l->key.hash);
    while (*at != l) at = &(*at)->chain;
    *at = l->chain;
    mem_free(MEM_CLIENT, l);
    atomic_fetch_sub(&e->leases->count, 1);
    changes_watch(e, -1);
    if (--s->n) return;
    mem_free(MEM_CLIENT, s->bucket);
    *s = (struct lease_shard){0};
}

static void free_if_idle(struct env *e, struct lease *l) {
    if (!l->token && !l->first) lease_free(e, l);
}

/* What nobody came back for. */
void leases_free(struct leases *ls) {
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        struct lease_shard *s = &ls->shard[i];
        for (uint32_t b = 0; b < s->buckets; b++)
            for (struct lease *l = s->bucket[b], *next; l; l = next) {
                assert(!l->first);
                next = l->chain;
                mem_free(MEM_CLIENT, l);
            }
        mem_free(MEM_CLIENT, s->bucket);
    }
    mem_free(MEM_MISC, ls);
}

/* -- tokens --------------------------------------------------------------------------------------------------------------------- */

/* Nobody guesses another's: it is a hash, with the daemon's seed, of a number that is never used twice. */
static uint64_t token_new(struct env *e) {
    uint64_t n, token;
    do {
        n = atomic_fetch_add(&e->leases->tokens, 1) + 1;
        token = hash_bytes(&n, sizeof n, store_seed(e->store));
    } while (!token);
    return token;
}

static bool is_over(const struct lease *l) { return l->token && l->until_us <= clock_mono_us(); }

bool lease_is_free(const struct lease *l) { return !l || !l->token || is_over(l); }

int64_t lease_left_ms(const struct lease *l) {
    int64_t us = l->token ? l->until_us - clock_mono_us() : 0;
    return us > 0 ? (us + 999) / 1000 : 0;
}

static void grant(struct env *e, struct lease *l, int64_t ms) {
    l->token = token_new(e);
    l->born = atomic_load(&e->leases->invalidations);
    l->until_us = clock_mono_us() + ms * 1000;
}

uint64_t lease_take(struct env *e, unsigned db, const struct key *k, int64_t ms) {
    struct lease *l = lease_make(e, db, k);
    assert(!l->first);
    grant(e, l, ms);
    return l->token;
}

/* While an invalidation is looking for the leases that it voids, those that are older than it may not be used. */
bool lease_good(struct env *e, const struct lease *l, uint64_t token) {
    if (!l || !token || l->token != token || is_over(l)) return false;
    return !atomic_load(&e->leases->invalidating) || l->born == atomic_load(&e->leases->invalidations);
}

/* -- who waits -------------------------------------------------------------------------------------------------------------------- */

void fetch_hold(struct fetch *f) { atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed); }
void fetch_release(struct fetch *f) {
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1) mem_free(MEM_CLIENT, f);
}

static void told(struct lane *to, struct letter *m) {
    struct fetch *f = (struct fetch *)(void *)((char *)m - offsetof(struct fetch, letter));
    store_lock(to->env->store, store_shard_of(f->key.hash));
    f->told = false;
    store_unlock(to->env->store, store_shard_of(f->key.hash));
    if (f->session) to->env->host->wake(f->session);
    fetch_release(f);
}

static void tell(struct lane *l, struct fetch *f) {
    if (f->told) return;
    f->told = true;
    fetch_hold(f);
    f->letter.open = told;
    mail_send(l, f->lane->index, &f->letter);
}

void lease_join(struct lane *l, struct fetch *f) {
    struct lease *lease = lease_make(l->env, f->db, &f->key);
    f->lease = lease;
    f->fate = FETCH_WAITS;
    f->next = NULL;
    f->prev = lease->last;
    if (lease->last) lease->last->next = f;
    else lease->first = f;
    lease->last = f;
    atomic_fetch_add(&l->env->leases->waiting, 1);
}

static void unlink_fetch(struct env *e, struct fetch *f) {
    struct lease *lease = f->lease;
    if (f->prev) f->prev->next = f->next;
    else lease->first = f->next;
    if (f->next) f->next->prev = f->prev;
    else lease->last = f->prev;
    f->lease = NULL;
    atomic_fetch_sub(&e->leases->waiting, 1);
}

void lease_leave(struct lane *l, struct fetch *f) {
    struct lease *lease = f->lease;
    if (!lease) return;
    unlink_fetch(l->env, f);
    free_if_idle(l->env, lease);
}

void lease_next(struct lane *l, struct lease *lease) {
    struct fetch *f = lease->first;
    if (!lease_is_free(lease)) return;
    lease->token = 0;
    if (!f) {
        lease_free(l->env, lease);
        return;
    }
    unlink_fetch(l->env, f);
    grant(l->env, lease, f->lease_ms);
    f->token = lease->token;
    f->token_until_us = lease->until_us;
    f->fate = FETCH_LEASED;
    tell(l, f);
    for (f = lease->first; f; f = f->next) tell(l, f); /* they wait for this one's end now */
}

bool lease_give_up(struct lane *l, unsigned db, const struct key *k, uint64_t token) {
    struct lease *lease = lease_find(l->env, db, k);
    if (!lease || !token || lease->token != token) return false;
    bool good = !is_over(lease);
    lease->token = 0;
    lease_next(l, lease);
    return good;
}

/* -- changes ---------------------------------------------------------------------------------------------------------------------- */

static void settle_later(struct lane *l, struct lease *lease) {
    struct settle_head h = {lease->db, lease->key.hash, lease->key.n};
    if (lease->unsettled) return;
    lease->unsettled = true;
    buf_put(&l->lease->settle, &h, sizeof h);
    buf_put(&l->lease->settle, lease->key.p, lease->key.n);
    l->unsettled = true;
}

void lease_changed(struct lane *l, unsigned db, const struct key *k) {
    struct lease *lease = lease_find(l->env, db, k);
    if (!lease) return;
    lease->token = 0;
    settle_later(l, lease);
}

/* Its shard is locked: is the key there? Then all may look, else the first is to load it. */
static void settle(struct lane *l, struct lease *lease) {
    struct view v;
    lease->unsettled = false;
    if (lease->token) return; /* somebody was given it meanwhile */
    view_init(&v, l->env->store, lease->db, clock_ms(), &l->store_stats);
    if (!view_peek(&v, &lease->key)) {
        lease_next(l, lease);
        return;
    }
    for (struct fetch *f; (f = lease->first);) {
        unlink_fetch(l->env, f);
        f->fate = FETCH_LOOKS;
        tell(l, f);
    }
    free_if_idle(l->env, lease);
}

static void each_lease(struct env *e, unsigned shard, void (*each)(void *arg, struct lease *lease), void *arg) {
    struct lease_shard *s = &e->leases->shard[shard];
    for (uint32_t i = 0; i < s->buckets; i++)
        for (struct lease *l = s->bucket[i]; l; l = l->chain) each(arg, l);
}

static void settle_void(void *arg, struct lease *lease) {
    if (!lease->token) settle_later(arg, lease);
}

void lease_settle_all(struct lane *l) {
    if (!atomic_load(&l->env->leases->count)) return;
    l->lease->all = true;
    l->unsettled = true;
}

static void settle_all(struct lane *l) {
    struct env *e = l->env;
    l->lease->all = false;
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        store_lock(e->store, i);
        each_lease(e, i, settle_void, l);
        store_unlock(e->store, i);
    }
}

void lease_settle(struct lane *l) {
    if (l->lease->all) settle_all(l);
    struct buf list = l->lease->settle;
    if (!list.n) return;
    buf_init(&l->lease->settle, MEM_CLIENT);
    for (const char *p = list.p, *end = p + list.n; p < end;) {
        struct settle_head h;
        memcpy(&h, p, sizeof h);
        struct key k = {p + sizeof h, h.n, h.hash};
        store_lock(l->env->store, store_shard_of(h.hash));
        struct lease *lease = lease_find(l->env, h.db, &k);
        if (lease) settle(l, lease);
        store_unlock(l->env->store, store_shard_of(h.hash));
        p = k.p + k.n;
    }
    buf_free(&list);
}

static void void_one(void *arg, struct lease *lease) {
    unsigned db = *(unsigned *)arg;
    if (db == STORE_DATABASES || db == lease->db) lease->token = 0;
}

void lease_flushed(struct env *e, unsigned db) {
    if (!atomic_load(&e->leases->count)) return;
    for (unsigned i = 0; i < STORE_SHARDS; i++) each_lease(e, i, void_one, &db);
}

struct voiding {
    struct lane *lane;
    unsigned db;
    struct slice pattern;
};

static void void_matching(void *arg, struct lease *lease) {
    struct voiding *v = arg;
    struct slice key = {lease->key.p, lease->key.n};
    if (lease->db != v->db || !(slice_equal(v->pattern, SLICE("*")) || match_glob(v->pattern, key))) return;
    lease->token = 0;
    settle_later(v->lane, lease);
}

void lease_invalidate_begin(struct env *e) {
    atomic_fetch_add(&e->leases->invalidating, 1);
    atomic_fetch_add(&e->leases->invalidations, 1);
}
void lease_invalidate_end(struct env *e) { atomic_fetch_sub(&e->leases->invalidating, 1); }

void lease_invalidate(struct lane *l, unsigned db, struct slice pattern) {
    struct env *e = l->env;
    struct voiding v = {l, db, pattern};
    if (!atomic_load(&e->leases->count)) return;
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        store_lock(e->store, i);
        each_lease(e, i, void_matching, &v);
        store_unlock(e->store, i);
    }
}

void lease_sweep(struct lane *l) {
    struct env *e = l->env;
    if (!atomic_load(&e->leases->count)) return;
    for (unsigned n = 0; n < SWEEP_SHARDS; n++) {
        unsigned shard = l->lease->swept++ % STORE_SHARDS;
        struct lease_shard *s = &e->leases->shard[shard];
        store_lock(e->store, shard);
        for (uint32_t i = 0; i < s->buckets; i++)
            for (struct lease *lease = s->bucket[i], *next; lease; lease = next) {
                next = lease->chain;
                if (!is_over(lease)) continue;
                lease_next(l, lease);
                if (!s->n) break; /* it was the last: there are no buckets any more */
            }
        store_unlock(e->store, shard);
    }
}

struct lease_facts lease_facts(const struct env *e) {
    return (struct lease_facts){atomic_load(&e->leases->count), atomic_load(&e->leases->waiting)};
}

/* -- the book ---------------------------------------------------------------------------------------------------------------------- */

struct held {
    struct held *next;
    uint64_t token, hash;
    int64_t until_us;
    unsigned db;
    size_t n;
    char key[];
};

struct lease_book {
    struct held *first;
    size_t n, look_at; /* so many are looked through for those that are over */
};

static void book_prune(struct lease_book *b) {
    int64_t now = clock_mono_us();
    for (struct held **at = &b->first; *at;) {
        struct held *h = *at;
        if (h->until_us > now) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        b->n--;
        mem_free(MEM_CLIENT, h);
    }
    b->look_at = b->n * 2 + 16;
}

void lease_book_add(struct session *s, unsigned db, const struct key *k, uint64_t token, int64_t until_us) {
    if (!s->leases) s->leases = mem_zalloc(MEM_CLIENT, sizeof *s->leases);
    struct lease_book *b = s->leases;
    if (b->n >= b->look_at) book_prune(b);
    struct held *h = mem_alloc(MEM_CLIENT, sizeof *h + k->n);
    *h = (struct held){b->first, token, k->hash, until_us, db, k->n};
    if (k->n) memcpy(h->key, k->p, k->n);
    b->first = h;
    b->n++;
}

void lease_book_close(struct session *s) {
    struct lease_book *b = s->leases;
    struct store *store = s->lane->env->store;
    if (!b) return;
    for (struct held *h = b->first, *next; h; h = next) {
        struct key k = {h->key, h->n, h->hash};
        next = h->next;
        store_lock(store, store_shard_of(h->hash));
        lease_give_up(s->lane, h->db, &k, h->token);
        store_unlock(store, store_shard_of(h->hash));
        mem_free(MEM_CLIENT, h);
    }
    mem_free(MEM_CLIENT, b);
    s->leases = NULL;
}
