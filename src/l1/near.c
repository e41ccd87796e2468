#include "l1/near_find.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define CLOCK_STEP 4 /* ms: how far the coarse clock may be behind */
#define SHARD_BYTES (UINT64_C(1) << 20)

int64_t near_now(const struct near *s) { return near_find_now(s); }

uint64_t near_hash(const struct near *s, struct slice key) { return near_key_hash(s, key.p, key.n); }

/* Three bits behind the highest one, and how far they are shifted: as hist's buckets. */
uint8_t near_pack(int64_t ms) {
    if (ms <= 0) return 0;
    uint32_t v = ms > NEAR_TTL_MAX ? NEAR_TTL_MAX : (uint32_t)ms;
    if (v < 8) return (uint8_t)v;
    unsigned shift = 28 - (unsigned)__builtin_clz(v);
    return (uint8_t)(shift * 8 + (v >> shift));
}

uint32_t near_unpack(uint8_t packed) {
    if (packed < 16) return packed;
    unsigned shift = packed / 8u - 1;
    return (uint32_t)(8 + packed % 8) << shift;
}

uint64_t near_bytes(const struct near_entry *e) { return malloc_usable_size((void *)e) + NEAR_OVERHEAD; }

struct near *near_open(size_t limit, void (*drop)(void *more)) {
    struct near *s = NULL;
    int failed = posix_memalign((void **)&s, 64, sizeof *s);
    if (failed) {
        errno = failed;
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->shards = 1;
    while (s->shards < NEAR_SHARDS_MAX && limit / (s->shards * 2) >= SHARD_BYTES) s->shards *= 2;
    s->shift = s->shards > 1 ? 64 - (unsigned)__builtin_ctz(s->shards) : 63;
    s->shard_limit = limit / s->shards;
    s->base_ms = near_find_now(s) - 1;
    s->turn = 1;
    s->drop = drop;
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = (uintptr_t)s ^ (uint64_t)s->base_ms << 20;
    s->seed = seed;
    if ((failed = near_reclaim_start(s))) goto out;
    for (unsigned i = 0; i < s->shards; i++) {
        struct near_table *t = near_table_new(1);
        if (t) {
            near_table_publish(s, &s->shard[i], t);
            continue;
        }
        failed = ENOMEM;
        near_close(s);
        s = NULL;
        goto out;
    }
    return s;
out:
    free(s);
    errno = failed;
    return NULL;
}

void near_close(struct near *s) {
    for (unsigned i = 0; i < s->shards; i++) {
        struct near_shard *h = &s->shard[i];
        struct near_table *t = h->table;
        for (uint32_t at = 0; t && at < t->lines; at++)
            for (unsigned j = 0; j < NEAR_LINE; j++) free(near_slot_entry(t->line[at].slot[j]));
        free(t);
        near_queue_free(h);
    }
    free(s->rules);
    near_reclaim_stop(s);
    free(s);
}

/* --- reading --- */

_Atomic uintptr_t *near_pin_more(struct near_record *r) {
    struct near_pins *block = &r->pins;
    for (;;) {
        for (unsigned i = 0; i < NEAR_PINS; i++)
            if (!atomic_load_explicit(&block->entry[i], memory_order_acquire)) return &block->entry[i];
        struct near_pins *next = atomic_load_explicit(&block->next, memory_order_relaxed);
        if (!next) {
            if (posix_memalign((void **)&next, sizeof *next, sizeof *next)) return NULL;
            memset(next, 0, sizeof *next);
            /* Next to the first block, where it is found at once as long as it has room. */
            atomic_store_explicit(&next->next, atomic_load_explicit(&r->pins.next, memory_order_relaxed), memory_order_relaxed);
            atomic_store_explicit(&r->pins.next, next, memory_order_release);
            return &next->entry[0];
        }
        block = next;
    }
}

/* As near_table_find, beside writers. Which slot it is cannot be predicted, so it is computed: a branch that guesses wrong would keep
 * the processor from beginning with the next lookup while it waits for this line. */
static struct near_entry *entry_of(uint64_t view, uint32_t bits, struct slice key) {
    uint32_t lines = near_view_lines(view), at = (uint32_t)((uint64_t)bits * lines >> 32);
    for (uint32_t tries = lines; tries; tries--) {
        struct near_line *line = near_view_line(view) + at;
        uint64_t tags = atomic_load_explicit(&line->tags, memory_order_acquire);
        for (uint64_t same = near_candidates(tags, bits); same; same &= same - 1) {
            uint64_t v = atomic_load_explicit(&line->slot[__builtin_ctzll(same) / 8], memory_order_acquire);
            struct near_entry *e = near_slot_entry(v);
            if (v >> 48 == (bits & 0xffff) && e && near_find_same(e, key)) return e;
        }
        if (__builtin_expect(!(tags >> 56), 1)) return NULL;
        if (++at == lines) at = 0;
    }
    return NULL;
}

bool near_get(struct near *s, struct near_record *r, struct slice key, uint64_t hash, int64_t now, struct near_found *out) {
    near_find_enter(s, r);
    const struct near_rules *rules = atomic_load_explicit(&s->rules, memory_order_acquire);
    uint64_t view = atomic_load_explicit(&s->view[near_shard_of(s, hash)], memory_order_acquire);
    struct near_entry *e = entry_of(view, near_bits(hash), key);
    bool found = false;
    if (e && !(__builtin_expect(rules != NULL, 0) && near_ruled(rules, e))) {
        out->left = (int32_t)(e->until - (uint32_t)now);
        found = out->left > 0 || (uint32_t)-out->left < near_unpack(e->stale);
        if (found && (found = (out->pin = near_find_pin(r, e)) != NULL)) {
            out->entry = e;
            near_find_used(e);
        }
    }
    near_find_leave(r);
    return found;
}

/* --- tokens --- */

static inline _Atomic uint32_t *stamp_of(const struct near *s, uint64_t hash) {
    return &near_shard((struct near *)s, hash)->stamp[near_bits(hash) % NEAR_STAMPS];
}

uint64_t near_token(const struct near *s, uint64_t hash) {
    uint64_t all = atomic_load_explicit(&((struct near *)s)->stamp, memory_order_acquire);
    return all << 32 | atomic_load_explicit(stamp_of(s, hash), memory_order_acquire);
}

bool near_token_good(const struct near *s, uint64_t hash, uint64_t token) { return near_token(s, hash) == token; }

/* --- changing --- */

static struct near_entry *entry_new(struct near *s, const struct near_item *item) {
    int64_t ttl = (item->ttl > NEAR_TTL_MAX ? NEAR_TTL_MAX : item->ttl) - CLOCK_STEP;
    size_t n = sizeof(struct near_entry) + item->key.n + item->value.n + 1;
    if (ttl <= 0 || item->key.n > NEAR_KEY_MAX || item->value.n > UINT32_MAX / 2) return NULL;
    if (n + NEAR_OVERHEAD > s->shard_limit / 4) return NULL; /* one value must not empty a shard */
    struct near_entry *e = malloc(n);
    if (!e) return NULL;
    memset(e, 0, sizeof *e);
    e->until = (uint32_t)(near_now(s) + ttl);
    e->size = (uint32_t)item->value.n;
    e->key_n = (uint16_t)item->key.n;
    e->stale = near_pack(item->stale);
    e->cost = near_pack(item->cost);
    e->flags = item->flags & (NEAR_ABSENT | NEAR_NEGATIVE | NEAR_DOUBTFUL);
    memcpy(e->bytes, item->key.p, item->key.n);
    if (item->value.n) memcpy(e->bytes + e->key_n, item->value.p, item->value.n);
    e->bytes[e->key_n + e->size] = 0;
    return e;
}

void near_take_out(struct near *s, struct near_shard *h, uint32_t bits, const struct near_place *place) {
    uint64_t bytes = near_bytes(place->entry);
    near_table_remove(h->table, bits, place);
    near_queue_leave(h, place->entry, bytes);
    h->bytes -= bytes;
    near_reclaim_later(s, h, place->entry, bytes);
}

/* The new entry stands where the old one did, in the table and in its queue. */
static void replace(struct near *s, struct near_shard *h, const struct near_place *place, uint32_t bits, struct near_entry *e) {
    struct near_entry *old = place->entry;
    uint64_t before = near_bytes(old), after = near_bytes(e);
    struct near_queue *q = near_flags(old) & NEAR_MAIN ? &h->main : &h->small;
    atomic_store_explicit(&e->flags, near_flags(e) | (near_flags(old) & NEAR_MAIN), memory_order_relaxed);
    atomic_store_explicit(&e->uses, atomic_load_explicit(&old->uses, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(&place->line->slot[place->slot], near_slot(bits, e), memory_order_release);
    q->bytes += after - before;
    h->bytes += after - before;
    near_reclaim_later(s, h, old, before);
}

bool near_put(struct near *s, const struct near_item *item) {
    struct near_shard *h = near_shard(s, item->hash);
    uint32_t bits = near_bits(item->hash);
    struct near_entry *e = entry_new(s, item);
    bool done = false;
    lock_acquire(&h->lock);
    /* The rule's number is read before the stamps: a rule moves them in the other order (near_rule). */
    uint16_t born = atomic_load_explicit(&s->rule_number, memory_order_acquire);
    if (near_token_good(s, item->hash, item->token) && near_hash(s, item->key) == item->hash) { /* not of another seed */
        struct near_place place = near_table_find(h->table, bits, item->key);
        if (e) atomic_store_explicit(&e->born, born, memory_order_relaxed);
        if (place.line && e) {
            replace(s, h, &place, bits, e);
            done = true;
        } else if (place.line) {
            near_take_out(s, h, bits, &place); /* what does not fit is newer all the same */
        } else if (e && near_table_room(s, h) && near_queue_enter(s, h, bits, e)) {
            near_table_add(h->table, bits, e);
            h->bytes += near_bytes(e);
            done = true;
        }
        while (h->bytes > s->shard_limit && near_queue_evict(s, h)) {}
    }
    h->refused += !done;
    lock_release(&h->lock);
    if (!done) free(e);
    return done;
}

static void erase(struct near *s, struct slice key, uint64_t hash) {
    struct near_shard *h = near_shard(s, hash);
    lock_acquire(&h->lock);
    atomic_fetch_add_explicit(stamp_of(s, hash), 1, memory_order_release);
    struct near_place place = near_table_find(h->table, near_bits(hash), key);
    if (place.line) {
        near_take_out(s, h, near_bits(hash), &place);
        h->erased++;
    }
    lock_release(&h->lock);
}

void near_erase(struct near *s, struct slice key, uint64_t hash) {
    for (uint64_t then = hash, now = hash;; then = now) { /* the seed may change meanwhile */
        erase(s, key, now);
        if ((now = near_hash(s, key)) == then) return;
    }
}

void near_stats_read(struct near *s, struct near_stats *out) {
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < s->shards; i++) {
        struct near_shard *h = &s->shard[i];
        lock_acquire(&h->lock);
        near_reclaim(s, h);
        out->entries += h->table->used;
        out->bytes += h->bytes;
        out->pinned += h->waiting_bytes;
        out->evictions += h->evictions;
        out->expired += h->expired;
        out->erased += h->erased;
        out->refused += h->refused;
        lock_release(&h->lock);
    }
    out->limit = s->shard_limit * s->shards;
    lock_acquire(&s->rules_lock);
    out->rules = s->rules ? s->rules->n : 0;
    lock_release(&s->rules_lock);
}
