/* near_find: the lookup, in line for who looks up most: near_get is this. See near.h for what it promises.
 *
 * Thread rule: any thread, with its own record. It owns nothing.
 */
#ifndef LARDER_L1_NEAR_FIND_H
#define LARDER_L1_NEAR_FIND_H

#include "l1/near_inside.h"

#include <time.h>

_Atomic uintptr_t *near_pin_more(struct near_record *r); /* where the first place of a record is taken; NULL: no memory */

static inline int64_t near_find_now(const struct near *s) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + (int64_t)((uint32_t)t.tv_nsec / 1000000) - s->base_ms;
}

static inline void near_find_enter(struct near *s, struct near_record *r) {
    uint64_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
    if (__builtin_expect(s->fences, 1)) {
        atomic_store_explicit(&r->inside, turn, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        atomic_exchange(&r->inside, turn);
#if !defined(__SANITIZE_THREAD__) && !defined(__x86_64__) /* there the exchange is a fence already */
        atomic_thread_fence(memory_order_seq_cst);
#endif
    }
}

static inline void near_find_leave(struct near_record *r) { atomic_store_explicit(&r->inside, 0, memory_order_release); }

/* Keys are mostly this short: two words, which may overlap, are compared instead of calling memcmp. */
static inline bool near_find_same(const struct near_entry *e, struct slice key) {
    uint64_t a[2], b[2];
    if (e->key_n != key.n) return false;
    if (key.n - 8 > 8) return !memcmp(e->bytes, key.p, key.n);
    memcpy(&a[0], e->bytes, 8);
    memcpy(&b[0], key.p, 8);
    memcpy(&a[1], e->bytes + key.n - 8, 8);
    memcpy(&b[1], key.p + key.n - 8, 8);
    return !((a[0] ^ b[0]) | (a[1] ^ b[1]));
}

/* As near_table_find, beside writers. Which slot it is cannot be predicted, so it is computed: a branch that guesses wrong would keep
 * the processor from beginning with the next lookup while it waits for this line. */
static inline struct near_entry *near_find_entry(struct near_table *t, uint32_t bits, struct slice key) {
    uint32_t at = (uint32_t)((uint64_t)bits * t->lines >> 32);
    for (uint32_t tries = t->lines; tries; tries--) {
        struct near_line *line = &t->line[at];
        uint64_t tags = atomic_load_explicit(&line->tags, memory_order_acquire);
        for (uint64_t same = near_candidates(tags, bits); same; same &= same - 1) {
            uint64_t v = atomic_load_explicit(&line->slot[__builtin_ctzll(same) / 8], memory_order_acquire);
            struct near_entry *e = near_slot_entry(v);
            if (v >> 48 == (bits & 0xffff) && e && near_find_same(e, key)) return e;
        }
        if (__builtin_expect(!(tags >> 56), 1)) return NULL;
        if (++at == t->lines) at = 0;
    }
    return NULL;
}

static inline _Atomic uintptr_t *near_find_pin(struct near_record *r, const struct near_entry *e) {
    _Atomic uintptr_t *place = &r->pins.entry[0];
    if (__builtin_expect(atomic_load_explicit(place, memory_order_acquire) != 0, 0) && !(place = near_pin_more(r))) return NULL;
    atomic_store_explicit(place, (uintptr_t)e, memory_order_release);
    return place;
}

static inline __attribute__((always_inline)) bool near_find(struct near *s, struct near_record *r, struct slice key, uint64_t hash, int64_t now, struct near_found *out) {
    near_find_enter(s, r);
    const struct near_rules *rules = atomic_load_explicit(&s->rules, memory_order_acquire);
    struct near_table *t = atomic_load_explicit(&near_shard(s, hash)->table, memory_order_acquire);
    struct near_entry *e = near_find_entry(t, near_bits(hash), key);
    bool found = false;
    if (e && !(__builtin_expect(rules != NULL, 0) && near_ruled(rules, e))) {
        out->left = (int32_t)(e->until - (uint32_t)now);
        found = out->left > 0 || (uint32_t)-out->left < near_unpack(e->stale);
        if (found && (found = (out->pin = near_find_pin(r, e)) != NULL)) {
            out->entry = e;
            uint8_t uses = atomic_load_explicit(&e->uses, memory_order_relaxed);
            if (uses < 3) atomic_store_explicit(&e->uses, uses + 1, memory_order_relaxed);
        }
    }
    near_find_leave(r);
    return found;
}

#endif
