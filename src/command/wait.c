#include "command/wait.h"

#include "base/clock.h"

#include <assert.h>
#include <math.h>

#define SERVED_AT_ONCE 1000 /* then the locks are released for a moment */
#define FIRST_BUCKETS 4

/* Who waits for one key of one database, in order of arrival. */
struct wait_queue {
    struct wait_queue *chain;  /* of its bucket */
    struct wait_place *first, *last;
    struct wait_queue *next;   /* of a list that is being worked on */
    uint64_t mark;             /* of the walk that has been here */
    struct key key;            /* its bytes lie behind the structure */
    unsigned db;
    bool ready;                /* it is in the list */
};

struct waits *waits_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct waits)); }

void waits_free(struct waits *ws) {
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        assert(!ws->shard[i].queues);
        mem_free(MEM_CLIENT, ws->shard[i].bucket);
    }
    mem_free(MEM_MISC, ws);
}

/* -- queues: under the lock of their shard ----------------------------------------------------------------------------------- */

static struct wait_queue **bucket_of(struct wait_shard *s, uint64_t hash) { return &s->bucket[hash & (s->buckets - 1)]; }

static bool is_for(const struct wait_queue *q, const struct key *k) {
    return q->key.hash == k->hash && q->key.n == k->n && !memcmp(q->key.p, k->p, k->n);
}

/* The next one for this key behind `q` (NULL: the first), whatever its database. */
static struct wait_queue *queue_next(struct waits *ws, const struct key *k, const struct wait_queue *q) {
    struct wait_shard *s = &ws->shard[store_shard_of(k->hash)];
    if (!s->queues) return NULL;
    struct wait_queue *at = q ? q->chain : *bucket_of(s, k->hash);
    while (at && !is_for(at, k)) at = at->chain;
    return at;
}

static struct wait_queue *queue_find(struct waits *ws, const struct key *k, unsigned db) {
    struct wait_queue *q = NULL;
    while ((q = queue_next(ws, k, q)) && q->db != db) {}
    return q;
}

static void buckets_grow(struct wait_shard *s) {
    struct wait_shard wide = {.buckets = s->buckets ? s->buckets * 2 : FIRST_BUCKETS, .queues = s->queues};
    wide.bucket = mem_zalloc(MEM_CLIENT, wide.buckets * sizeof *wide.bucket);
    for (uint32_t i = 0; i < s->buckets; i++)
        for (struct wait_queue *q = s->bucket[i], *next; q; q = next) {
            struct wait_queue **at = bucket_of(&wide, q->key.hash);
            next = q->chain;
            q->chain = *at;
            *at = q;
        }
    mem_free(MEM_CLIENT, s->bucket);
    *s = wide;
}

static struct wait_queue *queue_make(struct waits *ws, const struct key *k, unsigned db) {
    struct wait_queue *q = queue_find(ws, k, db);
    struct wait_shard *s = &ws->shard[store_shard_of(k->hash)];
    if (q) return q;
    if (s->queues == s->buckets) buckets_grow(s);
    q = mem_zalloc(MEM_CLIENT, sizeof *q + k->n);
    if (k->n) memcpy(q + 1, k->p, k->n);
    q->key = (struct key){(const char *)(q + 1), k->n, k->hash};
    q->db = db;
    struct wait_queue **at = bucket_of(s, k->hash);
    q->chain = *at;
    *at = q;
    s->queues++;
    atomic_fetch_add_explicit(&ws->keys, 1, memory_order_relaxed);
    return q;
}

static void queue_free_if_empty(struct waits *ws, struct wait_queue *q) {
    struct wait_shard *s = &ws->shard[store_shard_of(q->key.hash)];
    if (q->first || q->ready) return;
    struct wait_queue **at = bucket_of(s, q->key.hash);
    while (*at != q) at = &(*at)->chain;
    *at = q->chain;
    mem_free(MEM_CLIENT, q);
    atomic_fetch_sub_explicit(&ws->keys, 1, memory_order_relaxed);
    if (--s->queues) return;
    mem_free(MEM_CLIENT, s->bucket);
    *s = (struct wait_shard){0};
}

static void far_add(struct waits *ws, const struct wait_place *p, uint32_t n) {
    if (!p->waiter->target.p) return;
    uint32_t now = atomic_load_explicit(&ws->far[p->shard], memory_order_relaxed);
    atomic_store_explicit(&ws->far[p->shard], now + n, memory_order_relaxed);
}

static void place_join(struct waits *ws, struct wait_place *p, struct wait_queue *q) {
    p->shard = store_shard_of(q->key.hash);
    p->queue = q;
    p->prev = q->last;
    if (q->last) q->last->next = p;
    else q->first = p;
    q->last = p;
    far_add(ws, p, 1);
}

/* The queue may be empty then, and stays. */
static void place_leave(struct waits *ws, struct wait_place *p) {
    struct wait_queue *q = p->queue;
    if (p->prev) p->prev->next = p->next;
    else q->first = p->next;
    if (p->next) p->next->prev = p->prev;
    else q->last = p->prev;
    p->queue = NULL;
    far_add(ws, p, (uint32_t)-1);
}

/* -- a waiter ------------------------------------------------------------------------------------------------------------------ */

static void waiter_release(struct waiter *w) {
    if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1) return;
    if (w->kind->drop) w->kind->drop(w);
    mem_free(MEM_CLIENT, w);
}

static enum wait_fate fate_of(const struct waiter *w) { return atomic_load_explicit(&w->fate, memory_order_acquire); }

static bool fate_change(struct waiter *w, enum wait_fate to) {
    enum wait_fate seen = WAIT_WAITING;
    return atomic_compare_exchange_strong_explicit(&w->fate, &seen, to, memory_order_acq_rel, memory_order_acquire);
}

bool wait_claim(struct waiter *w) { return fate_change(w, WAIT_CLAIMED); }

/* Nobody's serving is waited for here: who has claimed it is about to be done, and tells. */
static enum task_state waiter_step(struct task *t, struct session *s, int64_t slice_us) {
    struct waiter *w = (struct waiter *)(void *)t;
    if (t->wake_us && clock_mono_us() >= t->wake_us) {
        t->wake_us = 0;
        fate_change(w, WAIT_LEFT);
    }
    switch (fate_of(w)) {
    case WAIT_WAITING:
    case WAIT_CLAIMED:
        return TASK_WAIT;
    case WAIT_SERVED:
        return w->kind->reply(w, s, slice_us) ? TASK_DONE : TASK_AGAIN;
    case WAIT_LEFT:
        if (w->with_error) session_error(s, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
        else w->kind->nothing(w, s);
        break;
    }
    return TASK_DONE;
}

static bool waiter_unblock(struct task *t, struct session *s, bool with_error) {
    struct waiter *w = (struct waiter *)(void *)t;
    (void)s;
    if (!fate_change(w, WAIT_LEFT)) return false;
    w->with_error = with_error;
    return true;
}

static void waiter_leave(struct task *t) { fate_change((struct waiter *)(void *)t, WAIT_LEFT); }

/* On its lane, with no locks: what was not taken out of a queue by who served it leaves it now. */
static void waiter_drop(struct task *t) {
    struct waiter *w = (struct waiter *)(void *)t;
    struct env *e = w->lane->env;
    fate_change(w, WAIT_LEFT);
    w->session = NULL;
    for (unsigned i = 0; i < w->places; i++) {
        struct wait_place *p = &w->place[i];
        store_lock(e->store, p->shard);
        struct wait_queue *q = p->queue;
        if (q) {
            place_leave(e->waits, p);
            queue_free_if_empty(e->waits, q);
        }
        store_unlock(e->store, p->shard);
    }
    waiter_release(w);
}

void *wait_new(struct call *c, size_t size, const struct wait_kind *kind, int keys, int target) {
    size_t places = (size + 15) / 16 * 16, bytes = places + (size_t)keys * sizeof(struct wait_place);
    const struct key *far = target < 0 ? NULL : &c->key[target];
    struct waiter *w = mem_zalloc(MEM_CLIENT, bytes + (far ? far->n + 1 : 0));
    w->task = (struct task){.step = waiter_step, .drop = waiter_drop, .unblock = waiter_unblock, .leave = waiter_leave};
    w->kind = kind;
    w->lane = c->s->lane;
    w->session = c->s;
    w->db = c->v.db;
    w->place = (struct wait_place *)(void *)((char *)w + places);
    w->places = (unsigned)keys;
    atomic_init(&w->refs, 1);
    atomic_init(&w->fate, WAIT_WAITING);
    if (far) {
        char *at = (char *)w + bytes;
        if (far->n) memcpy(at, far->p, far->n);
        w->target = (struct key){at, far->n, far->hash};
    }
    return w;
}

void wait_start(struct call *c, struct waiter *w, int64_t ms) {
    struct waits *ws = call_env(c)->waits;
    unsigned keys = w->places;
    w->places = 0;
    for (unsigned i = 0; i < keys; i++) {
        struct wait_queue *q = queue_make(ws, &c->key[i], w->db);
        if (q->last && q->last->waiter == w) continue; /* the same key twice */
        struct wait_place *p = &w->place[w->places++];
        p->waiter = w;
        place_join(ws, p, q);
    }
    if (ms) {
        int64_t now = clock_mono_us();
        w->task.wake_us = ms > (INT64_MAX - now) / 1000 ? INT64_MAX : now + ms * 1000;
    }
    session_park(c->s, &w->task);
}

bool wait_timeout(struct call *c, int arg, int64_t *ms) {
    long double seconds;
    if (!num_long_double(c->argv[arg], &seconds)) {
        reply_error(c, "ERR timeout is not a float or out of range");
        return false;
    }
    long double wanted = ceill(seconds * 1000);
    if (wanted < 0) {
        reply_error(c, "ERR timeout is negative");
    } else if (wanted > (long double)(INT64_MAX - c->v.now)) {
        reply_error(c, "ERR timeout is out of range");
    } else {
        *ms = (int64_t)wanted;
        return true;
    }
    return false;
}

/* -- a list of queues to be worked on; all their shards are locked by who works ------------------------------------------------ */

struct queue_list {
    struct wait_queue *first, *last;
};

static void list_add(struct queue_list *l, struct wait_queue *q) {
    q->next = NULL;
    q->ready = true;
    if (l->last) l->last->next = q;
    else l->first = q;
    l->last = q;
}

static struct wait_queue *list_take(struct queue_list *l) {
    struct wait_queue *q = l->first;
    if (!q) return NULL;
    l->first = q->next;
    if (!l->first) l->last = NULL;
    q->ready = false;
    return q;
}

static void list_add_key(struct waits *ws, struct queue_list *l, const struct key *k) {
    for (struct wait_queue *q = NULL; (q = queue_next(ws, k, q));)
        if (!q->ready) list_add(l, q);
}

/* -- locking as far as serving reaches ------------------------------------------------------------------------------------------ */

static bool is_locked(const struct store_locks *l, unsigned shard) { return l->bits[shard / 64] >> shard % 64 & 1; }

/* Adds the shards that serving the queue's movers changes; what is behind one that is locked already is looked at too. */
static bool queue_reaches(struct waits *ws, struct wait_queue *q, struct queue_list *list, uint64_t mark, struct store_locks *locks) {
    bool more = false;
    for (struct wait_place *p = q->first; p; p = p->next) {
        const struct key *k = &p->waiter->target;
        unsigned shard = store_shard_of(k->hash);
        if (!k->p) continue;
        if (!is_locked(locks, shard)) {
            store_locks_add(locks, shard);
            more = true;
        } else if (!more) {
            struct wait_queue *next = queue_find(ws, k, q->db);
            if (!next || next->mark == mark || next->ready) continue;
            next->mark = mark;
            list_add(list, next);
        }
    }
    return more;
}

/* True: *locks has more now than was locked. */
static bool keys_reach(struct waits *ws, const struct key *key, int keys, struct store_locks *locks) {
    struct queue_list list = {0};
    bool more = false;
    uint64_t mark = 0;
    for (int i = 0; i < keys; i++)
        if (wait_far(ws, store_shard_of(key[i].hash))) list_add_key(ws, &list, &key[i]);
    if (list.first) mark = atomic_fetch_add_explicit(&ws->marks, 1, memory_order_relaxed) + 1;
    for (struct wait_queue *q; (q = list_take(&list));) {
        q->mark = mark;
        if (!more) more = queue_reaches(ws, q, &list, mark, locks);
    }
    return more;
}

void wait_lock(struct lane *l, const struct key *key, int keys, struct store_locks *locks) {
    struct store *store = l->env->store;
    for (int i = 0; i < keys; i++) store_locks_add(locks, store_shard_of(key[i].hash));
    for (;;) {
        struct store_locks taken = *locks;
        store_lock_many(store, locks);
        if (!keys_reach(l->env->waits, key, keys, locks)) return;
        store_unlock_many(store, &taken); /* all anew, in their order; each time it is more, so that comes to an end */
    }
}

/* -- serving ---------------------------------------------------------------------------------------------------------------------- */

struct serving {
    struct lane *lane;
    struct view v;
    struct queue_list ready;
    struct waiter *told, **last; /* in the order of being served */
    unsigned served;
};

struct again {
    unsigned db;
    size_t n;
    char key[];
};

/* What could not be done now: as if the key had just come to be. */
static void serve_again(struct lane *l, void *arg) {
    struct again *a = arg;
    struct store_locks locks = {{0}};
    struct key k = store_key(store_seed(l->env->store), (struct slice){a->key, a->n});
    struct view v;
    view_init(&v, l->env->store, a->db, clock_ms(), &l->store_stats);
    v.born = WAIT_TYPES;
    wait_lock(l, &k, 1, &locks);
    view_rules(&v);
    wait_unlock(l, &v, &k, 1, &locks);
    mem_free(MEM_CLIENT, a);
}

static void queue_postpone(struct serving *sv, const struct wait_queue *q) {
    struct host *host = sv->lane->env->host;
    struct again *a = mem_alloc(MEM_CLIENT, sizeof *a + q->key.n);
    a->db = q->db;
    a->n = q->key.n;
    if (a->n) memcpy(a->key, q->key.p, a->n);
    host->post(host, sv->lane->index, serve_again, a);
}

static void serving_gave(struct serving *sv, struct waiter *w) {
    struct waits *ws = sv->lane->env->waits;
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    w->next = NULL;
    *sv->last = w;
    sv->last = &w->next;
    sv->served++;
    if (w->target.p && sv->v.born & WAIT_TYPES) {
        struct wait_queue *q = queue_find(ws, &w->target, w->db);
        if (q && !q->ready) list_add(&sv->ready, q);
    }
    sv->v.born = 0;
    atomic_store_explicit(&w->fate, WAIT_SERVED, memory_order_release);
}

/* One queue, until its key has nothing more or nobody wants it. */
static void queue_serve(struct serving *sv, struct wait_queue *q) {
    struct waits *ws = sv->lane->env->waits;
    sv->v.db = q->db;
    for (struct wait_place *p = q->first, *next; p; p = next) {
        struct waiter *w = p->waiter;
        next = p->next;
        if (fate_of(w) != WAIT_WAITING) {
            place_leave(ws, p);
            continue;
        }
        struct entry *e = view_peek(&sv->v, &q->key);
        if (!e) break;
        if (entry_type(e) != w->kind->type) continue;
        enum wait_served given = sv->served < SERVED_AT_ONCE ? w->kind->serve(w, &sv->v, &q->key, e) : WAIT_LATER;
        if (given == WAIT_LATER) {
            queue_postpone(sv, q);
            break;
        }
        if (given == WAIT_KEPT) continue;
        place_leave(ws, p);
        serving_gave(sv, w);
    }
    queue_free_if_empty(ws, q);
}

static void add_all(struct waits *ws, struct queue_list *ready) {
    for (unsigned s = 0; s < STORE_SHARDS; s++)
        for (uint32_t i = 0; ws->shard[s].queues && i < ws->shard[s].buckets; i++)
            for (struct wait_queue *q = ws->shard[s].bucket[i]; q; q = q->chain) list_add(ready, q);
}

struct waiter *wait_serve(struct lane *l, struct view *v, const struct key *key, int keys) {
    struct waits *ws = l->env->waits;
    struct serving sv = {.lane = l};
    v->born = 0;
    for (int i = 0; i < keys; i++) list_add_key(ws, &sv.ready, &key[i]);
    if (!keys) add_all(ws, &sv.ready);
    if (!sv.ready.first) return NULL;
    sv.v = *v;
    sv.last = &sv.told;
    for (struct wait_queue *q; (q = list_take(&sv.ready));) queue_serve(&sv, q);
    return sv.told;
}

static void tell(struct lane *l, void *arg) {
    struct waiter *w = arg;
    if (w->session) l->env->host->wake(w->session);
    waiter_release(w);
}

void wait_tell(struct lane *l, struct waiter *served) {
    struct host *host = l->env->host;
    for (struct waiter *w = served, *next; w; w = next) {
        next = w->next;
        if (w->lane == l) tell(l, w);
        else host->post(host, w->lane->index, tell, w);
    }
}

void wait_unlock(struct lane *l, struct view *v, const struct key *key, int keys, struct store_locks *locks) {
    struct waiter *served = __builtin_expect(v->born & WAIT_TYPES, 0) ? wait_serve(l, v, key, keys) : NULL;
    store_unlock_many(l->env->store, locks);
    wait_tell(l, served);
}
