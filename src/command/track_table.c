#include "command/track_table.h"

#include <assert.h>

#define BUCKETS_FIRST 8

static struct track_key **bucket_of(const struct track_shard *s, uint64_t hash) { return &s->bucket[hash & (s->buckets - 1)]; }

static struct track_key **find(struct track_shard *s, const struct key *k) {
    struct track_key **at = bucket_of(s, k->hash);
    while (*at && ((*at)->hash != k->hash || (*at)->keylen != k->n || memcmp((*at)->key, k->p, k->n))) at = &(*at)->chain;
    return at;
}

static void resize(struct track_shard *s, uint32_t buckets) {
    struct track_shard other = {.buckets = buckets, .n = s->n};
    other.bucket = mem_zalloc(MEM_CLIENT, buckets * sizeof *other.bucket);
    for (uint32_t i = 0; i < s->buckets; i++)
        for (struct track_key *k = s->bucket[i], *next; k; k = next) {
            struct track_key **at = bucket_of(&other, k->hash);
            next = k->chain;
            k->chain = *at;
            *at = k;
        }
    mem_free(MEM_CLIENT, s->bucket);
    *s = other;
}

static void take_out(struct track_table *t, struct track_shard *s, struct track_key **at) {
    struct track_key *k = *at;
    *at = k->chain;
    k->chain = NULL;
    s->n--;
    atomic_fetch_sub_explicit(&t->keys, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&t->items, k->n, memory_order_relaxed);
}

static void shrink(struct track_shard *s) {
    if (!s->n) {
        mem_free(MEM_CLIENT, s->bucket);
        *s = (struct track_shard){0};
    } else if (s->buckets > BUCKETS_FIRST && s->n < s->buckets / 4) {
        resize(s, s->buckets / 2);
    }
}

/* -- readers ---------------------------------------------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static uint32_t place_of(struct track_key *k, const struct reach *who) {
    struct reach **r = track_table_readers(k);
    uint32_t low = 0, high = k->n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if ((uintptr_t)r[mid] < (uintptr_t)who) low = mid + 1;
        else high = mid;
    }
    return low;
}

static bool reader_add(struct track_key *k, struct reach *who) {
    uint32_t at = place_of(k, who);
    if (at < k->n && track_table_readers(k)[at] == who) return false;
    if (k->n == k->room) {
        uint32_t room = k->room == 1 ? 4 : k->room * 2;
        struct reach **many = mem_alloc(MEM_CLIENT, room * sizeof(struct reach *));
        memcpy(many, track_table_readers(k), k->n * sizeof(struct reach *));
        if (k->room > 1) mem_free(MEM_CLIENT, k->many);
        k->many = many;
        k->room = room;
    }
    struct reach **r = track_table_readers(k);
    memmove(r + at + 1, r + at, (k->n - at) * sizeof *r);
    r[at] = reach_hold(who);
    k->n++;
    return true;
}

void track_table_add(struct track_table *t, const struct key *k, struct reach *who) {
    struct track_shard *s = &t->shard[store_shard_of(k->hash)];
    if (s->n == s->buckets) resize(s, s->buckets ? s->buckets * 2 : BUCKETS_FIRST);
    struct track_key **at = find(s, k);
    if (!*at) {
        struct track_key *fresh = mem_alloc(MEM_CLIENT, sizeof *fresh + k->n);
        *fresh = (struct track_key){.hash = k->hash, .room = 1, .keylen = k->n};
        if (k->n) memcpy(fresh->key, k->p, k->n);
        *at = fresh;
        s->n++;
        atomic_fetch_add_explicit(&t->keys, 1, memory_order_relaxed);
    }
    if (reader_add(*at, who)) atomic_fetch_add_explicit(&t->items, 1, memory_order_relaxed);
}

void track_table_drop(struct track_table *t, struct track_key *k) {
    (void)t;
    struct reach **r = track_table_readers(k);
    for (uint32_t i = 0; i < k->n; i++) reach_release(r[i]);
    if (k->room > 1) mem_free(MEM_CLIENT, k->many);
    mem_free(MEM_CLIENT, k);
}

/* -- taking out -------------------------------------------------------------------------------------------------------------------- */

struct track_key *track_table_take(struct track_table *t, const struct key *k) {
    struct track_shard *s = &t->shard[store_shard_of(k->hash)];
    if (!s->n) return NULL;
    struct track_key **at = find(s, k), *found = *at;
    if (!found) return NULL;
    take_out(t, s, at);
    shrink(s);
    return found;
}

struct track_key *track_table_some(struct track_table *t, unsigned shard, const struct key *but) {
    struct track_shard *s = &t->shard[shard];
    struct track_key **chosen = NULL;
    for (uint32_t i = 0; i < s->buckets && !(chosen && (*chosen)->hash != but->hash); i++) {
        struct track_key **at = &s->bucket[(but->hash + 1 + i) & (s->buckets - 1)];
        if (*at) chosen = at;
    }
    if (!chosen) return NULL;
    struct track_key *k = *chosen;
    take_out(t, s, chosen);
    shrink(s);
    return k;
}

void track_table_sift(struct track_table *t, unsigned shard, bool (*which)(void *arg, struct track_key *k),
    void (*taken)(void *arg, struct track_key *k), void *arg) {
    struct track_shard *s = &t->shard[shard];
    for (uint32_t i = 0; i < s->buckets; i++)
        for (struct track_key **at = &s->bucket[i]; *at;) {
            struct track_key *k = *at;
            if (!which(arg, k)) {
                at = &k->chain;
                continue;
            }
            take_out(t, s, at);
            taken(arg, k);
        }
    shrink(s);
}

struct track_shard track_table_detach(struct track_table *t, unsigned shard) {
    struct track_shard *s = &t->shard[shard], whole = *s;
    uint64_t items = 0;
    for (uint32_t i = 0; i < s->buckets; i++)
        for (const struct track_key *k = s->bucket[i]; k; k = k->chain) items += k->n;
    atomic_fetch_sub_explicit(&t->keys, whole.n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&t->items, items, memory_order_relaxed);
    *s = (struct track_shard){0};
    return whole;
}

struct cleaning {
    struct track_table *table;
};

static bool clean_one(void *arg, struct track_key *k) {
    struct cleaning *c = arg;
    struct reach **r = track_table_readers(k);
    uint32_t n = 0, before = k->n;
    for (uint32_t i = 0; i < before; i++) {
        if (atomic_load_explicit(&r[i]->over, memory_order_acquire)) reach_release(r[i]);
        else r[n++] = r[i];
    }
    k->n = n;
    atomic_fetch_sub_explicit(&c->table->items, before - n, memory_order_relaxed);
    return !n;
}

static void drop_one(void *arg, struct track_key *k) { track_table_drop(((struct cleaning *)arg)->table, k); }

void track_table_clean(struct track_table *t, unsigned shard) {
    struct cleaning c = {t};
    track_table_sift(t, shard, clean_one, drop_one, &c);
}
