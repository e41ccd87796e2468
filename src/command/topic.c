#include "command/topic.h"

#include "base/hash.h"

#include <assert.h>

#define BUCKETS_FIRST 16

struct topics {
    struct lock lock;
    struct topic **bucket;
    size_t buckets, n;
    struct topic *first[TOPIC_KINDS], *last[TOPIC_KINDS];
    _Atomic uint64_t count[TOPIC_KINDS];
};

struct topic_hall {
    struct seat **bucket;
    size_t buckets, n;
};

struct topics *topics_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct topics)); }
void topics_free(struct topics *ts) {
    assert(!ts->n);
    mem_free(MEM_CLIENT, ts->bucket);
    mem_free(MEM_MISC, ts);
}

struct topic_hall *topic_hall_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct topic_hall)); }
void topic_hall_free(struct topic_hall *h) {
    assert(!h->n);
    mem_free(MEM_CLIENT, h->bucket);
    mem_free(MEM_MISC, h);
}

/* -- the table: under the lock --------------------------------------------------------------------------------------------------- */

static struct topic **bucket_of(struct topics *ts, enum topic_kind kind, struct slice name) {
    return &ts->bucket[hash_bytes(name.p, name.n, kind) & (ts->buckets - 1)];
}

static struct topic *find(struct topics *ts, enum topic_kind kind, struct slice name) {
    if (!ts->n) return NULL;
    struct topic *t = *bucket_of(ts, kind, name);
    while (t && (t->kind != kind || !slice_equal(t->name, name))) t = t->chain;
    return t;
}

static void buckets_grow(struct topics *ts) {
    mem_free(MEM_CLIENT, ts->bucket);
    ts->buckets = ts->buckets ? ts->buckets * 2 : BUCKETS_FIRST;
    ts->bucket = mem_zalloc(MEM_CLIENT, ts->buckets * sizeof(struct topic *));
    for (int k = 0; k < TOPIC_KINDS; k++)
        for (struct topic *t = ts->first[k]; t; t = t->next) {
            struct topic **at = bucket_of(ts, t->kind, t->name);
            t->chain = *at;
            *at = t;
        }
}

static struct topic *make(struct topics *ts, enum topic_kind kind, struct slice name, unsigned lanes) {
    if (ts->n == ts->buckets) buckets_grow(ts);
    struct topic *t = mem_zalloc(MEM_CLIENT, sizeof *t + lanes * sizeof *t->lane + name.n);
    t->lane = (struct topic_lane *)(void *)(t + 1);
    t->name = (struct slice){(char *)(t->lane + lanes), name.n};
    if (name.n) memcpy((char *)(uintptr_t)t->name.p, name.p, name.n);
    t->kind = kind;
    atomic_init(&t->refs, 1); /* the table's */
    struct topic **at = bucket_of(ts, kind, name);
    t->chain = *at;
    *at = t;
    t->prev = ts->last[kind];
    if (t->prev) t->prev->next = t;
    else ts->first[kind] = t;
    ts->last[kind] = t;
    ts->n++;
    atomic_fetch_add(&ts->count[kind], 1);
    return t;
}

static void take_out(struct topics *ts, struct topic *t) {
    struct topic **at = bucket_of(ts, t->kind, t->name);
    while (*at != t) at = &(*at)->chain;
    *at = t->chain;
    if (t->prev) t->prev->next = t->next;
    else ts->first[t->kind] = t->next;
    if (t->next) t->next->prev = t->prev;
    else ts->last[t->kind] = t->prev;
    ts->n--;
    atomic_fetch_sub(&ts->count[t->kind], 1);
}

void topic_release(struct topic *t, unsigned lanes) {
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1) return;
    for (unsigned i = 0; i < lanes; i++) mem_free(MEM_CLIENT, t->lane[i].seat);
    mem_free(MEM_CLIENT, t);
}

void topic_each(struct env *e, enum topic_kind kind, const struct slice *name, void (*each)(void *arg, struct topic *t), void *arg) {
    struct topics *ts = e->topics;
    if (!topic_count(e, kind)) return;
    lock_acquire(&ts->lock);
    struct topic *t = name ? find(ts, kind, *name) : ts->first[kind];
    for (struct topic *next; t; t = next) {
        next = name ? NULL : t->next;
        each(arg, t);
    }
    lock_release(&ts->lock);
}

uint64_t topic_count(const struct env *e, enum topic_kind kind) { return atomic_load(&e->topics->count[kind]); }

/* -- seats: on their lane ---------------------------------------------------------------------------------------------------------- */

static struct seat **seat_bucket(struct topic_hall *h, const struct topic *t, const struct session *s) {
    uint64_t mixed = ((uintptr_t)t ^ (uintptr_t)s * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
    return &h->bucket[mixed >> 32 & (h->buckets - 1)];
}

static struct seat *seat_find(struct session *s, const struct topic *t) {
    struct topic_hall *h = s->lane->hall;
    if (!h->n) return NULL;
    struct seat *seat = *seat_bucket(h, t, s);
    while (seat && (seat->topic != t || seat->session != s)) seat = seat->chain;
    return seat;
}

static void hall_grow(struct topic_hall *h) {
    struct topic_hall wide = {.buckets = h->buckets ? h->buckets * 2 : BUCKETS_FIRST, .n = h->n};
    wide.bucket = mem_zalloc(MEM_CLIENT, wide.buckets * sizeof *wide.bucket);
    for (size_t i = 0; i < h->buckets; i++)
        for (struct seat *seat = h->bucket[i], *next; seat; seat = next) {
            struct seat **at = seat_bucket(&wide, seat->topic, seat->session);
            next = seat->chain;
            seat->chain = *at;
            *at = seat;
        }
    mem_free(MEM_CLIENT, h->bucket);
    *h = wide;
}

static void seat_take(struct session *s, struct topic *t) {
    struct topic_hall *h = s->lane->hall;
    struct topic_lane *tl = &t->lane[s->lane->index];
    if (h->n++ == h->buckets) hall_grow(h);
    struct seat *seat = mem_zalloc(MEM_CLIENT, sizeof *seat), **at = seat_bucket(h, t, s);
    *seat = (struct seat){.topic = t, .session = s, .chain = *at, .at = tl->n, .prev = s->seats->last[t->kind]};
    *at = seat;
    if (tl->n == tl->room) {
        tl->room = tl->room ? tl->room * 2 : 4;
        tl->seat = mem_realloc(MEM_CLIENT, tl->seat, tl->room * sizeof(struct seat *));
    }
    tl->seat[tl->n++] = seat;
    atomic_store(&tl->count, tl->n);
    if (seat->prev) seat->prev->next = seat;
    else s->seats->first[t->kind] = seat;
    s->seats->last[t->kind] = seat;
    s->seats->n[t->kind]++;
}

static void seat_leave(struct seat *seat) {
    struct session *s = seat->session;
    struct topic *t = seat->topic;
    struct topic_hall *h = s->lane->hall;
    struct topic_lane *tl = &t->lane[s->lane->index];
    struct seat **at = seat_bucket(h, t, s);
    while (*at != seat) at = &(*at)->chain;
    *at = seat->chain;
    h->n--;
    tl->seat[seat->at] = tl->seat[--tl->n];
    tl->seat[seat->at]->at = seat->at;
    atomic_store(&tl->count, tl->n);
    if (seat->prev) seat->prev->next = seat->next;
    else s->seats->first[t->kind] = seat->next;
    if (seat->next) seat->next->prev = seat->prev;
    else s->seats->last[t->kind] = seat->prev;
    s->seats->n[t->kind]--;
    mem_free(MEM_CLIENT, seat);
}

bool topic_join(struct session *s, enum topic_kind kind, struct slice name) {
    struct topics *ts = s->lane->env->topics;
    if (!s->seats) s->seats = mem_zalloc(MEM_CLIENT, sizeof *s->seats);
    lock_acquire(&ts->lock);
    struct topic *t = find(ts, kind, name);
    if (!t) t = make(ts, kind, name, s->lane->env->lanes);
    bool fresh = !seat_find(s, t);
    t->seats += fresh;
    if (fresh) seat_take(s, t);
    lock_release(&ts->lock);
    return fresh;
}

static void leave(struct session *s, struct seat *seat) {
    struct topics *ts = s->lane->env->topics;
    struct topic *t = seat->topic;
    seat_leave(seat);
    if (--t->seats) return;
    take_out(ts, t);
    topic_release(t, s->lane->env->lanes);
}

bool topic_part(struct session *s, enum topic_kind kind, struct slice name) {
    struct topics *ts = s->lane->env->topics;
    lock_acquire(&ts->lock);
    struct topic *t = find(ts, kind, name);
    struct seat *seat = t ? seat_find(s, t) : NULL;
    if (seat) leave(s, seat);
    lock_release(&ts->lock);
    return seat != NULL;
}

void topic_part_all(struct session *s, enum topic_kind kind) {
    struct topics *ts = s->lane->env->topics;
    if (!topic_seats(s, kind)) return;
    lock_acquire(&ts->lock);
    for (struct seat *seat; (seat = s->seats->first[kind]);) leave(s, seat);
    lock_release(&ts->lock);
}

size_t topic_seats(const struct session *s, enum topic_kind kind) { return s->seats ? s->seats->n[kind] : 0; }
