#include "l1/near_inside.h"

#include <stdlib.h>

#define PROMOTED 2 /* uses in the small queue that earn the main one */
#define SMALL_SHARE 10

/* --- the queues --- */

static uint32_t *element(struct near_queue *q, uint32_t i) {
    uint32_t at = q->head + i;
    return &q->at[at >= q->cap ? at - q->cap : at];
}

static bool resize(struct near_queue *q, uint32_t cap) {
    uint32_t *to = malloc(cap * sizeof *to);
    if (!to) return false;
    for (uint32_t i = 0; i < q->n; i++) to[i] = *element(q, i);
    free(q->at);
    q->at = to;
    q->cap = cap;
    q->head = 0;
    return true;
}

/* Leaves one element for each entry that stands in the queue, the youngest where there were several. */
static void settle(struct near *s, struct near_shard *h, struct near_queue *q) {
    uint8_t want = q == &h->main ? NEAR_MAIN : 0;
    uint32_t to = q->n;
    for (uint32_t i = q->n; i-- > 0;) {
        uint32_t bits = *element(q, i);
        struct near_entry *e = near_table_flagged(s, h->table, bits, NEAR_MAIN | NEAR_SEEN, want).entry;
        if (!e) continue;
        atomic_store_explicit(&e->flags, near_flags(e) | NEAR_SEEN, memory_order_relaxed);
        *element(q, --to) = bits;
    }
    q->head = (uint32_t)(((uint64_t)q->head + to) % (q->cap ? q->cap : 1));
    q->n -= to;
    for (uint32_t i = 0; i < q->n; i++) {
        struct near_entry *e;
        while ((e = near_table_flagged(s, h->table, *element(q, i), NEAR_MAIN | NEAR_SEEN, want | NEAR_SEEN).entry))
            atomic_store_explicit(&e->flags, near_flags(e) & ~NEAR_SEEN, memory_order_relaxed);
    }
}

static bool push(struct near *s, struct near_shard *h, struct near_queue *q, uint32_t bits) {
    if (q->n == q->cap && q->n > q->live + q->live / 8 + 8) settle(s, h, q);
    if (q->n == q->cap && !resize(q, q->cap + q->cap / 8 + 16)) return false;
    *element(q, q->n++) = bits;
    return true;
}

static bool pop(struct near_queue *q, uint32_t *bits) {
    if (!q->n) return false;
    *bits = q->at[q->head];
    if (++q->head == q->cap) q->head = 0;
    q->n--;
    return true;
}

/* --- what left the small queue --- */

static uint16_t *memory_set(struct near_memory *m, uint32_t bits) {
    return &m->set[((uint64_t)bits * m->sets >> 32) * NEAR_MEMORY_WAYS];
}

static uint16_t memory_mark(uint32_t bits) { return bits & 0xffff ? (uint16_t)bits : 1; }

/* As many as half the entries; what was in it is lost when it grows, which is while little leaves. */
static void memory_fit(struct near_shard *h) {
    struct near_memory *m = &h->memory;
    uint32_t want = h->table->used / 2 / NEAR_MEMORY_WAYS + 1;
    if (want <= m->sets + m->sets / 2 && m->sets <= want * 3) return;
    uint16_t *set = calloc((size_t)want * NEAR_MEMORY_WAYS, sizeof *set);
    if (!set) return;
    free(m->set);
    m->set = set;
    m->sets = want;
}

static void memory_add(struct near_shard *h, uint32_t bits) {
    memory_fit(h);
    if (!h->memory.sets) return;
    uint16_t *set = memory_set(&h->memory, bits);
    memmove(set + 1, set, (NEAR_MEMORY_WAYS - 1) * sizeof *set);
    set[0] = memory_mark(bits);
}

static bool memory_take(struct near_shard *h, uint32_t bits) {
    if (!h->memory.sets) return false;
    uint16_t *set = memory_set(&h->memory, bits), mark = memory_mark(bits);
    for (unsigned i = 0; i < NEAR_MEMORY_WAYS; i++) {
        if (set[i] != mark) continue;
        memmove(set + i, set + i + 1, (NEAR_MEMORY_WAYS - 1 - i) * sizeof *set);
        set[NEAR_MEMORY_WAYS - 1] = 0;
        return true;
    }
    return false;
}

/* --- S3-FIFO --- */

static struct near_queue *queue_of(struct near_shard *h, const struct near_entry *e) {
    return near_flags(e) & NEAR_MAIN ? &h->main : &h->small;
}

static void flag_main(struct near_entry *e) { atomic_store_explicit(&e->flags, near_flags(e) | NEAR_MAIN, memory_order_relaxed); }

bool near_queue_enter(struct near *s, struct near_shard *h, uint32_t bits, struct near_entry *e) {
    if (memory_take(h, bits)) flag_main(e);
    struct near_queue *q = queue_of(h, e);
    if (!push(s, h, q, bits)) return false;
    q->live++;
    q->bytes += near_bytes(e);
    return true;
}

void near_queue_leave(struct near_shard *h, struct near_entry *e, uint64_t bytes) {
    struct near_queue *q = queue_of(h, e);
    q->live--;
    q->bytes -= bytes;
}

static void evict(struct near *s, struct near_shard *h, uint32_t bits, const struct near_place *place) {
    near_take_out(s, h, bits, place);
    h->evictions++;
}

/* The oldest of the small queue goes, or moves to the main one if it was used. Returns whether one went. */
static bool evict_small(struct near *s, struct near_shard *h) {
    uint32_t bits;
    while (pop(&h->small, &bits)) {
        struct near_place place = near_table_flagged(s, h->table, bits, NEAR_MAIN, 0);
        struct near_entry *e = place.entry;
        if (!e) continue;
        if (atomic_load_explicit(&e->uses, memory_order_relaxed) >= PROMOTED && push(s, h, &h->main, bits)) {
            uint64_t bytes = near_bytes(e);
            near_queue_leave(h, e, bytes);
            flag_main(e);
            atomic_store_explicit(&e->uses, 0, memory_order_relaxed);
            h->main.live++;
            h->main.bytes += bytes;
            if (h->small.bytes <= s->shard_limit / SMALL_SHARE) return false;
            continue;
        }
        evict(s, h, bits, &place);
        memory_add(h, bits);
        return true;
    }
    return false;
}

static bool evict_main(struct near *s, struct near_shard *h) {
    uint32_t bits;
    for (uint64_t tries = 4 * (uint64_t)h->main.n; pop(&h->main, &bits);) {
        struct near_place place = near_table_flagged(s, h->table, bits, NEAR_MAIN, NEAR_MAIN);
        struct near_entry *e = place.entry;
        if (!e) continue;
        uint8_t uses = atomic_load_explicit(&e->uses, memory_order_relaxed);
        if (uses && tries && push(s, h, &h->main, bits)) {
            tries--;
            atomic_store_explicit(&e->uses, uses - 1, memory_order_relaxed);
            continue;
        }
        evict(s, h, bits, &place);
        return true;
    }
    return false;
}

bool near_queue_evict(struct near *s, struct near_shard *h) {
    if (h->small.bytes > s->shard_limit / SMALL_SHARE || !h->main.live)
        if (evict_small(s, h)) return true;
    return evict_main(s, h) || evict_small(s, h);
}

void near_queue_free(struct near_shard *h) {
    free(h->small.at);
    free(h->main.at);
    free(h->memory.set);
}
