/* near_hashed: keys that are known by their hashes alone. */
#include "l1/near_inside.h"

#define TOGETHER 64 /* erased under one lock, their lines fetched ahead */

static void erase_some(struct near *s, struct near_shard *h, const uint32_t *told, size_t n) {
    lock_acquire(&h->lock);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = near_bits(near_spread(told[i]));
        __builtin_prefetch(&h->table->line[(uint64_t)bits * h->table->lines >> 32], 1);
    }
    for (size_t i = 0; i < n; i++) {
        struct near_place place;
        uint32_t bits = near_bits(near_spread(told[i]));
        atomic_fetch_add_explicit(&h->stamp[bits % NEAR_STAMPS], 1, memory_order_release);
        while ((place = near_table_flagged(s, h->table, bits, 0, 0)).line) {
            near_take_out(s, h, bits, &place);
            h->erased++;
        }
    }
    lock_release(&h->lock);
}

void near_erase_hashed(struct near *s, const uint32_t *told, size_t n) {
    while (n) {
        struct near_shard *h = near_shard(s, near_spread(told[0]));
        size_t same = 1;
        while (same < n && same < TOGETHER && near_shard(s, near_spread(told[same])) == h) same++;
        erase_some(s, h, told, same);
        told += same;
        n -= same;
    }
}

static void empty(struct near *s, struct near_shard *h) {
    for (uint32_t line = 0; line < h->table->lines; line++)
        for (unsigned i = 0; i < NEAR_LINE; i++) {
            struct near_line *l = &h->table->line[line];
            struct near_place place = {l, i, near_slot_entry(atomic_load_explicit(&l->slot[i], memory_order_relaxed))};
            if (place.entry) near_take_out(s, h, near_bits(near_hash(s, near_key(place.entry))), &place);
        }
}

/* All locks at once: where an entry stands follows from the seed, so there may be none of two seeds. */
void near_reseed(struct near *s, uint64_t seed) {
    if (atomic_load(&s->seed) == seed) return;
    for (unsigned i = 0; i < s->shards; i++) lock_acquire(&s->shard[i].lock);
    for (unsigned i = 0; i < s->shards; i++) empty(s, &s->shard[i]);
    atomic_store(&s->seed, seed);
    atomic_fetch_add_explicit(&s->stamp, 1, memory_order_seq_cst);
    for (unsigned i = 0; i < s->shards; i++) lock_release(&s->shard[i].lock);
}
