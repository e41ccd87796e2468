#include "store/tell.h"
#include "store/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

struct store *store_new(const struct store_config *config) {
    struct store *s = mem_aligned(MEM_MISC, sizeof *s, 64);
    memset(s, 0, sizeof *s);
    s->config = config;
    s->density = density_new();
    s->capture = captures_new();
    sieve_init(&s->rules.sieve);
    s->duel = duel_new(s->density);
    claims_open(&s->claims);
    s->started = clock_ms();
    if (getrandom(&s->seed, sizeof s->seed, 0) != (ssize_t)sizeof s->seed) s->seed = clock_ticks() ^ (uintptr_t)s;
    return s;
}

void store_free(struct store *s) {
    assert(!s->capturing);
    store_flush(s, -1, true);
    captures_free(s->capture);
    store_compact_free(s);
    duel_free(s->duel);
    density_free(s->density);
    graves_free(s->graves);
    pool_free_all(s);
    rules_free(s);
    for (unsigned i = 0; i < STORE_PARTS; i++)
        if (s->part[i].sheet) agenda_free(s->part[i].sheet);
    while (slab_trim()) {}
    mem_free(MEM_MISC, s);
}

uint64_t store_seed(const struct store *s) { return s->seed; }

void store_set_hook(struct store *s, store_hook *hook, void *arg) {
    s->hook = hook;
    s->hook_arg = arg;
}

void store_watch(struct store *s, int more) { atomic_fetch_add(&s->watched, more); }

void store_event(struct store *s, struct store_stats *stats, enum store_event event, unsigned db, const struct entry *e) {
    if (!s->hook && !s->graves) return;
    struct key k = store_key(s->seed, entry_key(e));
    store_event_of(s, stats, event, db, &k, e);
}

void store_event_of(struct store *s, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k,
    const struct entry *e) {
    graves_bury(s->graves, db, k->hash);
    if (s->hook) s->hook(s->hook_arg, stats, event, db, k, e);
}

void store_tell(struct store *s, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k) {
    if (event == STORE_DELETED) graves_bury(s->graves, db, k->hash);
    if (s->hook) s->hook(s->hook_arg, stats, event, db, k, NULL);
}

void store_expired(struct store *s, unsigned db, const struct entry *e, int64_t now, struct store_stats *stats) {
    store_event(s, stats, STORE_EXPIRED, db, e);
    counter_add(&stats->expired, 1);
    lag_add(&stats->lag, entry_deadline(e), now);
}

struct policy store_policy(const struct store *s, int64_t now) {
    return (struct policy){.kind = (enum policy_kind)option_get(&s->config->policy),
        .lfu_log_factor = (unsigned)option_get(&s->config->lfu_log_factor),
        .lfu_decay_minutes = (unsigned)option_get(&s->config->lfu_decay_time),
        .now = now, .density = s->density};
}

uint32_t store_cost_slow(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    size_t n = (size_t)(p.value - (const char *)e) + p.valuelen + STORE_SLOT_BYTES;
    if (entry_form(e) == FORM_POINTER) n += value_ops(entry_type(e))->memory(entry_pointer(e));
    return n < INT32_MAX ? (uint32_t)n : INT32_MAX;
}

/* -- locks ------------------------------------------------------------------------------------------------------------ */

struct lock *store_lock_of(struct store *s, unsigned shard) { return &s->shard[shard].lock; }
void store_lock(struct store *s, unsigned shard) { lock_acquire(&s->shard[shard].lock); }
void store_unlock(struct store *s, unsigned shard) { lock_release(&s->shard[shard].lock); }

static void each_lock(struct store *s, const struct store_locks *l, void (*f)(struct lock *)) {
    for (unsigned w = 0; w < STORE_SHARDS / 64; w++)
        for (uint64_t bits = l->bits[w]; bits; bits &= bits - 1) f(&s->shard[w * 64 + (unsigned)__builtin_ctzll(bits)].lock);
}

void store_lock_many(struct store *s, const struct store_locks *l) { each_lock(s, l, lock_acquire); }
void store_unlock_many(struct store *s, const struct store_locks *l) { each_lock(s, l, lock_release); }
void store_lock_all(struct store *s) {
    for (unsigned i = 0; i < STORE_SHARDS; i++) lock_acquire(&s->shard[i].lock);
}
void store_unlock_all(struct store *s) {
    for (unsigned i = 0; i < STORE_SHARDS; i++) lock_release(&s->shard[i].lock);
}

bool store_prefetch_pays(const struct store *s) { return atomic_load_explicit(&s->large, memory_order_relaxed); }

void store_prefetch(struct store *s, unsigned db, const struct key *k, int stage) {
    struct shard *shard = &s->shard[store_shard_of(k->hash)];
    struct table *t = &shard->table[db];
    lock_acquire(&shard->lock);
    if (t->dir) {
        struct segment *seg = t->dir[table_place(t, k->hash)];
        uint32_t tag = table_tag(k->hash);
        if (!stage) {
            const uint64_t *home = &seg->slot[segment_home(seg, tag)];
            __builtin_prefetch(home);
            __builtin_prefetch(home + 8);
        } else {
            uint64_t slot = seg->slot[segment_seek(seg, tag)];
            if (segment_tag(slot) == tag) {
                __builtin_prefetch(segment_entry(slot));
                __builtin_prefetch((const char *)segment_entry(slot) + 64);
            }
        }
    }
    lock_release(&shard->lock);
}

/* -- whole databases -------------------------------------------------------------------------------------------------- */

uint64_t store_count(const struct store *s, unsigned db) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < STORE_SHARDS; i++) sum += counter_get(&s->shard[i].table[db].keys);
    return sum;
}

uint64_t store_volatile(const struct store *s, unsigned db) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < STORE_SHARDS; i++) sum += counter_get(&s->shard[i].table[db].volatiles);
    return sum;
}

/* Moving a table moves its counters, which others may be reading: field by field. */
static void table_take(struct table *to, struct table *from) {
    to->dir = from->dir;
    to->depth = from->depth;
    to->deepest = from->deepest;
    to->mark = from->mark;
    counter *const in[] = {&from->keys, &from->volatiles, &from->segments}, *const out[] = {&to->keys, &to->volatiles, &to->segments};
    for (unsigned i = 0; i < 3; i++) {
        atomic_store_explicit(out[i], counter_get(in[i]), memory_order_relaxed);
        counter_reset(in[i]);
    }
    from->dir = NULL;
    from->depth = 0;
    from->deepest = 0;
}

static void trash_push(struct store *s, struct trash *item) {
    lock_acquire(&s->trash_lock);
    item->next = s->trash;
    s->trash = item;
    lock_release(&s->trash_lock);
}

void store_trash_table(struct store *s, struct table *t, unsigned db) {
    if (!t->dir) return;
    struct trash *item = mem_zalloc(MEM_UPKEEP, sizeof *item);
    item->capture = captures_table(s, db);
    table_take(&item->table, t);
    atomic_fetch_add(&s->trash_objects, counter_get(&item->table.keys));
    trash_push(s, item);
}

uint64_t store_flush(struct store *s, int db, bool sync) {
    uint64_t gone = 0;
    store_lock_all(s);
    for (unsigned i = 0; i < STORE_SHARDS; i++)
        for (unsigned d = 0; d < STORE_DATABASES; d++) {
            struct table *t = store_table(s, i, d);
            if (db >= 0 && d != (unsigned)db) continue;
            gone += counter_get(&t->keys);
            store_trash_table(s, t, d);
        }
    graves_flush(s->graves, db);
    if (store_watched(s)) store_tell(s, NULL, STORE_FLUSHED, db < 0 ? STORE_DATABASES : (unsigned)db, NULL);
    store_unlock_all(s);
    while (sync && store_trash_step(s, STORE_SLICE_US)) {}
    return gone;
}

void store_swap(struct store *s, unsigned a, unsigned b) {
    if (a == b) return;
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        struct table spare = {0};
        table_take(&spare, store_table(s, i, a));
        table_take(store_table(s, i, a), store_table(s, i, b));
        table_take(store_table(s, i, b), &spare);
    }
    rules_swap(s, a, b);
    captures_swap(s, a, b);
    graves_swap(s->graves, a, b);
    if (!store_watched(s)) return;
    store_tell(s, NULL, STORE_FLUSHED, a, NULL);
    store_tell(s, NULL, STORE_FLUSHED, b, NULL);
}

/* -- trash ------------------------------------------------------------------------------------------------------------ */

#define LAZY_BYTES (64u << 10) /* freeing larger blocks may call the kernel */
#define VACATE_BYTES (128u << 10) /* of a large entry, at a time */
#define ENTRY_HEAD_MOST 64      /* bytes that tell its size and references */
#define SEGMENT_WORK 64         /* small entries that are freed without a look at the clock */
#define ENTRY_WORK 16           /* so many of them take as long as one of the allocator's */
#define LAZY_EFFORT 64          /* as Redis: more frees than this are left to the background */

static void trash_item(struct store *s, struct trash what) {
    struct trash *item = mem_alloc(MEM_UPKEEP, sizeof *item);
    *item = what;
    atomic_fetch_add(&s->trash_objects, 1);
    trash_push(s, item);
}

bool store_drop_object(struct store *s, enum value_type t, void *object) {
    bool large = value_ops(t)->effort(object) > LAZY_EFFORT;
    if (large) trash_item(s, (struct trash){.type = t, .object = object, .aside = mem_is_aside()});
    else value_free(t, object);
    return large;
}

/* Collections of any size go to the trash even if nobody asked for it: nothing may hold up the others. */
bool store_drop(struct store *s, struct entry *e, bool lazily) {
    if (entry_form(e) == FORM_POINTER) {
        void *object = entry_pointer(e);
        enum value_type t = entry_type(e);
        bool large = value_release(object) && store_drop_object(s, t, object);
        entry_free_block(e);
        return large;
    }
    bool large = lazily && (entry_kind(e) & ENTRY_EXTENDED) && entry_value(e).n > LAZY_BYTES;
    if (large) trash_item(s, (struct trash){.entry = e});
    else entry_free(e);
    return large;
}

enum trash_state { TRASH_MORE, TRASH_DONE, TRASH_WAITS };

/* Of a large entry, that no reply refers to, the pages behind its head go a few at a time; true when none are left. Pieces end where
 * pages do: what would lie in two of them would stay, and be left to the one call that frees the block. */
static bool vacated(struct trash *item) {
    uintptr_t begin = (uintptr_t)item->entry + ENTRY_HEAD_MOST, end = (uintptr_t)item->entry + entry_size(item->entry);
    uintptr_t from = (begin & ~(uintptr_t)(VACATE_BYTES - 1)) + VACATE_BYTES * (uintptr_t)item->place++, to = from + VACATE_BYTES;
    if (entry_pinned(item->entry) || from >= end) return true;
    if (from < begin) from = begin;
    if (to > end) to = end;
    mem_vacate((void *)from, to - from);
    return false;
}

/* Frees some entries of a detached table's segment; their slots are empty then. Adds how many are gone for good. */
static bool segment_emptied(struct store *s, struct trash *item, struct segment *seg, uint64_t *freed) {
    for (size_t work = 0; item->slot < seg->slots && work < SEGMENT_WORK; item->slot++) {
        uint64_t slot = seg->slot[item->slot];
        if (!slot) continue;
        struct entry *e = segment_entry(slot);
        seg->slot[item->slot] = 0;
        seg->used--;
        work += entry_size(e) > SLAB_MAX ? ENTRY_WORK : 1;
        if (store_drop(s, e, true)) atomic_fetch_sub(&s->trash_objects, 1); /* it was counted again */
        else ++*freed;
    }
    return item->slot == seg->slots;
}

/* Of a detached table. */
static enum trash_state trash_entries(struct store *s, struct trash *item, uint64_t *freed) {
    struct segment *seg = table_segment(&item->table, &item->place);
    if (!seg) {
        table_clear(&item->table);
        if (item->capture) captures_table_done(s);
        return TRASH_DONE;
    }
    if (!item->slot && item->capture && !captures_keep_segment(s, item->capture - 1, seg)) return TRASH_WAITS;
    if (segment_emptied(s, item, seg, freed)) {
        item->place = table_next(&item->table, item->place);
        item->slot = 0;
    }
    return TRASH_MORE;
}

/* Frees some entries, or a part of one or of an object. */
static enum trash_state trash_some(struct store *s, struct trash *item) {
    uint64_t freed = 0;
    enum trash_state state;
    if (item->entry) {
        state = vacated(item) ? TRASH_DONE : TRASH_MORE;
        if (state == TRASH_DONE) entry_free(item->entry);
        freed = state == TRASH_DONE;
    } else if (item->object) {
        bool was = mem_aside(item->aside);
        state = value_ops(item->type)->free(item->object, LAZY_EFFORT) ? TRASH_DONE : TRASH_MORE;
        mem_aside(was);
        freed = state == TRASH_DONE;
    } else {
        state = trash_entries(s, item, &freed);
    }
    atomic_fetch_sub(&s->trash_objects, freed);
    atomic_fetch_add(&s->trash_freed, freed);
    return state;
}

bool store_trash_step(struct store *s, int64_t slice_us) {
    uint64_t start = clock_ticks();
    do {
        lock_acquire(&s->trash_lock);
        struct trash *item = s->trash;
        if (item) s->trash = item->next;
        lock_release(&s->trash_lock);
        if (!item) return false;
        enum trash_state state = TRASH_MORE;
        while (state == TRASH_MORE && !slice_over(start, slice_us - 50)) state = trash_some(s, item);
        if (state == TRASH_DONE) {
            mem_free(MEM_UPKEEP, item);
            continue;
        }
        trash_push(s, item);
        if (state == TRASH_WAITS) return false;
    } while (!slice_over(start, slice_us - 50));
    return true;
}

uint64_t store_trash(const struct store *s) { return atomic_load(&s->trash_objects); }
uint64_t store_trash_freed(const struct store *s) { return atomic_load(&s->trash_freed); }

/* -- walks over segments ---------------------------------------------------------------------------------------------- */

#define AHEAD 8 /* segments that are on their way to the processor's caches */

void walk_start(struct walk *w, unsigned part) { *w = (struct walk){.shard = part, .running = true}; }

static void fetch_first(const struct table *t) {
    uint64_t span = table_next(t, 0);
    for (uint64_t i = 1; i < AHEAD && !(i * span >> t->depth); i++) __builtin_prefetch(t->dir[i * span]);
}

bool walk_next(struct store *s, struct walk *w, unsigned parts, struct stop *at) {
    for (; w->shard < STORE_SHARDS; w->shard += parts, w->db = 0) {
        store_lock(s, w->shard);
        if (w->rules) s->shard[w->shard].swept = atomic_load_explicit(w->rules, memory_order_relaxed);
        for (; w->db < STORE_DATABASES; w->db++, w->position = 0) {
            unsigned db = w->databases ? w->databases[w->db] : w->db;
            struct table *t = store_table(s, w->shard, db);
            uint64_t place = w->position >> (TABLE_MAX_DEPTH - t->depth);
            if (!place && t->dir && t->depth) fetch_first(t);
            struct segment *seg = table_segment(t, &place);
            if (!seg) continue;
            *at = (struct stop){t, seg, place, w->shard, db};
            w->position = table_next(t, place) << (TABLE_MAX_DEPTH - t->depth);
            return true;
        }
        store_unlock(s, w->shard);
    }
    w->running = false;
    return false;
}

bool walk_past(struct walk *w, struct stop *at) {
    const struct table *t = at->table;
    uint64_t place = table_next(t, at->place), span = place - at->place, ahead = place + AHEAD * span;
    if (place >> t->depth) return false;
    if (!(ahead >> t->depth)) __builtin_prefetch(t->dir[ahead]);
    at->segment = table_segment(t, &place);
    at->place = place;
    w->position = table_next(t, place) << (TABLE_MAX_DEPTH - t->depth);
    return true;
}

/* -- shape and checks ------------------------------------------------------------------------------------------------- */

void store_shape_add(struct store *s, unsigned db, unsigned shard, struct store_shape *sum) {
    store_lock(s, shard);
    struct table *t = store_table(s, shard, db);
    sum->keys += counter_get(&t->keys);
    sum->segments += counter_get(&t->segments);
    sum->index_bytes += table_bytes(t);
    if (t->dir) {
        sum->directory_entries += 1ull << t->depth;
        for (uint64_t place = 0; !(place >> t->depth); place = table_next(t, place)) sum->slots += t->dir[place]->slots;
    }
    store_unlock(s, shard);
}

void store_shape(struct store *s, unsigned db, struct store_shape *out) {
    *out = (struct store_shape){0};
    for (unsigned i = 0; i < STORE_SHARDS; i++) store_shape_add(s, db, i, out);
}

/* A segment that is behind a rule which is over would have it looked at, long freed. */
static const char *check_rules(const struct store *s, const struct table *t) {
    uint32_t over = atomic_load(&s->rules.over);
    for (uint64_t place = 0; t->dir && !(place >> t->depth); place = table_next(t, place))
        if ((int32_t)(t->dir[place]->swept - over) < 0) return "a segment was not swept for a rule that is over";
    return NULL;
}

const char *store_check(struct store *s) {
    const char *wrong = NULL;
    store_lock_all(s);
    for (unsigned i = 0; i < STORE_SHARDS && !wrong; i++)
        for (unsigned d = 0; d < STORE_DATABASES && !wrong; d++) {
            wrong = table_check(store_table(s, i, d), i, s->seed);
            if (!wrong) wrong = check_rules(s, store_table(s, i, d));
        }
    store_unlock_all(s);
    return wrong;
}
