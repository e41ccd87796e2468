/* near_find: the lookup's usual case, in line for who looks up most; near_get is the whole. See near.h for what it promises.
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

/* Most keys are this short: two words, which may overlap, are compared instead of calling memcmp. */
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

static inline _Atomic uintptr_t *near_find_pin(struct near_record *r, const struct near_entry *e) {
    _Atomic uintptr_t *place = &r->pins.entry[0];
    if (__builtin_expect(atomic_load_explicit(place, memory_order_acquire) != 0, 0) && !(place = near_pin_more(r))) return NULL;
    atomic_store_explicit(place, (uintptr_t)e, memory_order_release);
    return place;
}

static inline void near_find_used(struct near_entry *e) {
    uint8_t uses = atomic_load_explicit(&e->uses, memory_order_relaxed);
    if (__builtin_expect(uses < 3, 0)) atomic_store_explicit(&e->uses, uses + 1, memory_order_relaxed);
}

/* The usual case, in as few instructions as can be, because the processor overlaps lookups only as far as it sees ahead: no rules, the first
 * candidate of the key's own line is the key's, there is a value, it is fresh, and `trusted` is not over. NULL: near_get is to look. The line is fetched before the clock is asked. */
static inline __attribute__((always_inline)) const struct near_entry *near_find_quick(
    struct near *s, struct near_record *r, struct slice key, uint64_t hash, _Atomic int64_t *trusted, _Atomic uintptr_t **pin) {
    uint32_t bits = near_bits(hash);
    const struct near_entry *found = NULL;
    near_find_enter(s, r);
    const struct near_rules *rules = atomic_load_explicit(&s->rules, memory_order_acquire);
    uint64_t view = atomic_load_explicit(&s->view[near_shard_of(s, hash)], memory_order_acquire);
    struct near_line *line = near_view_line(view) + ((uint64_t)bits * near_view_lines(view) >> 32);
    __builtin_prefetch(line);
    int64_t now = near_find_now(s);
    bool good = now < atomic_load_explicit(trusted, memory_order_acquire) && !rules;
    uint64_t same = near_candidates(atomic_load_explicit(&line->tags, memory_order_acquire), bits);
    if (__builtin_expect(good && same, 1)) {
        uint64_t v = atomic_load_explicit(&line->slot[__builtin_ctzll(same) / 8], memory_order_acquire);
        struct near_entry *e = near_slot_entry(v);
        bool key_is = v >> 48 == (bits & 0xffff) && e && near_find_same(e, key);
        if (__builtin_expect(key_is && (int32_t)(e->until - (uint32_t)now) > 0 && !(near_flags(e) & NEAR_ABSENT), 1)) {
            if (__builtin_expect((*pin = near_find_pin(r, e)) != NULL, 1)) {
                near_find_used(e);
                found = e;
            }
        }
    }
    near_find_leave(r);
    return found;
}

#endif
