#include "store/warm.h"

#include "store/inside.h"

#define AHEAD 16 /* entries that are put in under one lock; their places are fetched ahead */

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

static void by_shard(struct warm_item *item, struct warm_item *spare, size_t n) {
    size_t at[STORE_SHARDS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) at[store_shard_of(item[i].hash)]++;
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        size_t k = at[i];
        at[i] = sum;
        sum += k;
    }
    for (size_t i = 0; i < n; i++) spare[at[store_shard_of(item[i].hash)]++] = item[i];
    memcpy(item, spare, n * sizeof *item);
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
        __builtin_prefetch(item[i].entry);
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
    bool replace;
    struct warm_counts *counts;
};

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
    bool there = w->replace ? view_peek(v, &k) != NULL : table_find(view_table(v, &k), &k, &at) != NULL;
    if (graves_hold(g, item->db, &k)) {
        w->counts->buried++;
        return false;
    }
    if (there && !w->replace) {
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
    bool replace, struct warm_counts *counts) {
    struct putting w = {.replace = replace, .counts = counts};
    size_t left = 0;
    if (!s->graves) { /* it has ended */
        for (size_t i = 0; i < n; i++) store_drop(s, item[i].entry, true);
        return;
    }
    view_init(&w.v, s, 0, now, stats);
    by_shard(item, spare, n);
    for (size_t i = 0, end; i < n; i = end) {
        unsigned shard = store_shard_of(item[i].hash);
        for (end = i + 1; end < n && end < i + AHEAD && store_shard_of(item[end].hash) == shard;) end++;
        store_lock(s, shard);
        fetch(s, item + i, end - i);
        for (size_t k = i; k < end; k++)
            if (!put(&w, &item[k])) spare[left++] = item[k];
        store_unlock(s, shard);
    }
    for (size_t i = 0; i < left; i++) store_drop(s, spare[i].entry, true);
}
