#include "store/warm.h"

#include "store/inside.h"

#define AHEAD 32 /* entries that are put in under one lock; their places are fetched ahead */
#define WORTH_RESERVING 256 /* keys of a shard; fewer are one segment, which grows soon enough */

bool warm_begin(struct store *s) {
    struct graves *g = graves_new();
    store_lock_all(s);
    lock_acquire(&s->rules.lock);
    bool free_now = !s->graves;
    if (free_now) s->graves = g;
    lock_release(&s->rules.lock);
    store_unlock_all(s);
    if (free_now) store_watch(s, 1); /* for what is deleted */
    else graves_free(g);
    return free_now;
}

void warm_end(struct store *s) {
    store_lock_all(s);
    lock_acquire(&s->rules.lock);
    struct graves *g = s->graves;
    s->graves = NULL;
    lock_release(&s->rules.lock);
    store_unlock_all(s);
    store_watch(s, -1);
    graves_free(g);
}

bool warm_on(const struct store *s) { return s->graves; }

/* -- by shards ------------------------------------------------------------------------------------------------------------------ */

static void by_bits(const struct warm_item *from, struct warm_item *to, size_t n, unsigned shift) {
    size_t at[256] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) at[from[i].hash >> shift & 255]++;
    for (unsigned i = 0; i < 256; i++) {
        size_t k = at[i];
        at[i] = sum;
        sum += k;
    }
    for (size_t i = 0; i < n; i++) to[at[from[i].hash >> shift & 255]++] = from[i];
}

/* By shards, and within them by segments: neighbours in a segment share what is fetched of it. */
static void by_place(struct warm_item *item, struct warm_item *spare, size_t n) {
    by_bits(item, spare, n, 64 - STORE_SHARD_BITS - 8);
    by_bits(spare, item, n, 64 - STORE_SHARD_BITS);
}

static const struct segment *segment_of(struct store *s, const struct warm_item *item) {
    const struct table *t = store_table(s, store_shard_of(item->hash), s->graves->store_db[item->db]);
    return t->dir ? t->dir[table_place(t, item->hash)] : NULL;
}

/* The heads of segments, then the slots: what is waited for is waited for together. */
static void fetch(struct store *s, const struct warm_item *item, size_t n) {
    const struct segment *seg[AHEAD];
    for (size_t i = 0; i < n; i++) {
        seg[i] = segment_of(s, &item[i]);
        __builtin_prefetch(seg[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (!seg[i]) continue;
        const uint64_t *home = &seg[i]->slot[segment_home(seg[i], table_tag(item[i].hash))];
        __builtin_prefetch(home, 1);
        __builtin_prefetch(home + 8, 1);
    }
    __asm__ volatile("" ::: "memory"); /* gcc takes a function that does nothing but fetch for one that does nothing */
}

struct putting {
    struct view v;
    const struct warm_how *how;
    struct warm_counts *counts;
};

/* An empty table begins with room for what is to come. Made without the lock, which is given back and taken again. */
static void reserve(struct putting *w, unsigned shard, unsigned file_db) {
    struct store *s = w->v.store;
    struct graves *g = s->graves;
    uint64_t keys = w->how->expect[file_db];
    if (keys < WORTH_RESERVING || store_table(s, shard, g->store_db[file_db])->dir || g->flushed[file_db]) return;
    if (!store_fits(s, table_reserved_bytes(keys))) return;
    struct table made = {.dir = NULL};
    store_unlock(s, shard);
    table_reserve(&made, keys);
    store_lock(s, shard);
    struct table *t = store_table(s, shard, g->store_db[file_db]);
    view_rules(&w->v); /* it is swept for those that there are now, having nothing that they could match */
    if (!t->dir && !g->flushed[file_db]) {
        table_begin(t, &made, w->v.rules);
        w->counts->reserved++;
    }
    table_clear(&made);
}

static void reserve_for(struct putting *w, unsigned shard, const struct warm_item *item, size_t n) {
    for (size_t i = 0; w->how->expect && i < n; i++)
        if (!i || item[i].db != item[i - 1].db) reserve(w, shard, item[i].db);
}

/* What is usual: the key is not there, nobody has done anything to it or its segment, which has room. False: that is not so. */
static bool put_quickly(struct putting *w, const struct warm_item *item) {
    struct view *v = &w->v;
    struct graves *g = v->store->graves;
    struct table *t = store_table(v->store, store_shard_of(item->hash), g->store_db[item->db]);
    view_rules(v);
    if (!t->dir || t->dir[table_place(t, item->hash)]->swept != v->rules) return false;
    if (atomic_load(&g->any_pattern) || graves_hold_hash(g, item->db, item->hash)) return false;
    if ((v->policy.kind & POLICY_LHD) && duel_has(v->store->duel, item->hash)) return false;
    if (!table_insert_quick(t, item->hash, item->entry, item->due, item->deadline)) return false;
    counter_add(&v->stats->sets, 1);
    w->counts->loaded++;
    w->counts->born |= 1u << item->type;
    return true;
}

/* True: the entry is the table's. */
static bool put(struct putting *w, const struct warm_item *item) {
    struct view *v = &w->v;
    struct graves *g = v->store->graves;
    struct slice key = entry_key(item->entry);
    struct key k = {key.p, key.n, item->hash};
    v->db = g->store_db[item->db];
    view_rules(v); /* before the patterns are looked at: a rule that comes now is either seen here, or sees this entry */
    struct spot at;
    /* Without replacing nobody is told anything: what is past its deadline stays, and has won as well. */
    bool there = w->how->replace ? view_peek(v, &k) != NULL : table_find(view_table(v, &k), &k, &at) != NULL;
    if (graves_hold(g, item->db, &k)) {
        w->counts->buried++;
        return false;
    }
    if (there && !w->how->replace) {
        w->counts->present++;
        return false;
    }
    if (!store_fits(v->store, there ? 0 : table_room(view_table(v, &k), k.hash))) {
        w->counts->no_room++;
        return false;
    }
    if (there) view_put(v, &k, item->entry);
    else view_insert(v, &k, item->entry);
    w->counts->loaded++;
    w->counts->born |= 1u << entry_type(item->entry);
    return true;
}

void warm_put(struct store *s, struct warm_item *item, struct warm_item *spare, size_t n, int64_t now, struct store_stats *stats,
    const struct warm_how *how, struct warm_counts *counts) {
    struct putting w = {.how = how, .counts = counts};
    size_t left = 0;
    if (!s->graves) { /* it has ended */
        for (size_t i = 0; i < n; i++) store_drop(s, item[i].entry, true);
        return;
    }
    view_init(&w.v, s, 0, now, stats);
    by_place(item, spare, n);
    for (size_t i = 0, end; i < n; i = end) {
        unsigned shard = store_shard_of(item[i].hash);
        for (end = i + 1; end < n && end < i + AHEAD && store_shard_of(item[end].hash) == shard;) end++;
        store_lock(s, shard);
        reserve_for(&w, shard, item + i, end - i);
        fetch(s, item + i, end - i);
        bool quick = !how->replace && store_fits(s, 0);
        for (size_t k = i; k < end; k++)
            if (!(quick && put_quickly(&w, &item[k])) && !put(&w, &item[k])) spare[left++] = item[k];
        store_unlock(s, shard);
    }
    for (size_t i = 0; i < left; i++) store_drop(s, spare[i].entry, true);
}

#define SETTLE 8 /* segments under one lock: giving back all of one takes some ten microseconds */

void warm_settle(struct store *s) {
    for (unsigned shard = 0; shard < STORE_SHARDS; shard++)
        for (unsigned db = 0; db < STORE_DATABASES; db++) {
            uint64_t place = 0;
            for (bool more = true; more;) {
                store_lock(s, shard);
                more = table_settle(store_table(s, shard, db), &place, SETTLE);
                store_unlock(s, shard);
            }
        }
}
