/* Emptying sparse slabs: entries can be moved, because a slot is all that points to one.
 *
 * When more than WASTE percent of the slabs' touched bytes are free, the sparsest slabs are marked (slab_plan_new) and every
 * thread walks its part of the shards once, moving what lies in a marked slab. A slab is found by its address, so entries
 * elsewhere are not even looked at. The last thread to finish ends the plan, which frees the emptied slabs.
 */
#include "store/inside.h"

#include <assert.h>

#define WASTE 5
#define TRIM_US 100000
#define MOVES_MOST 256 /* without a look at the clock */

/* Makes a plan if it is time, one thread at a time. */
static void compact_plan(struct store *s, unsigned parts) {
    if (!lock_try(&s->plan_lock)) return;
    if (!atomic_load(&s->plan)) {
        struct slab_plan *plan = slab_plan_new(WASTE);
        if (plan) {
            atomic_store(&s->plan_parts_left, parts);
            atomic_store(&s->plan, plan);
            atomic_fetch_add(&s->plan_round, 1);
        }
    }
    lock_release(&s->plan_lock);
}

static void compact_done(struct store *s) {
    if (atomic_fetch_sub(&s->plan_parts_left, 1) != 1) return;
    lock_acquire(&s->plan_lock);
    struct slab_plan *plan = atomic_exchange(&s->plan, NULL);
    slab_plan_free(plan);
    lock_release(&s->plan_lock);
}

/* Returns whether there is more to be moved. */
static bool compact_segment(const struct slab_plan *plan, struct segment *seg, struct store_stats *stats) {
    unsigned moved_here = 0;
    for (uint32_t i = 0; i < seg->slots; i++) {
        uint64_t slot = seg->slot[i];
        if (!slot || !slab_plan_has(plan, segment_entry(slot))) continue;
        struct entry *e = segment_entry(slot);
        size_t n = entry_size(e);
        assert(n <= SLAB_MAX); /* its page is a slab's */
        struct entry *moved = slab_alloc(n);
        memcpy(moved, e, n);
        seg->slot[i] = segment_moved(slot, moved);
        slab_free(e);
        counter_add(&stats->moved, 1);
        if (++moved_here == MOVES_MOST) return true;
    }
    return false;
}

/* What is free goes back to the kernel, whether there is a plan or not; and prefetching is told whether it pays. */
static void compact_trim(struct store *s, struct part *p) {
    int64_t now = clock_mono_us();
    if (now - p->trimmed_us < TRIM_US) return;
    p->trimmed_us = now;
    atomic_store_explicit(&s->large, mem_used(MEM_DATA) > STORE_CACHED_BYTES, memory_order_relaxed);
    slab_trim();
    mem_decay();
}

bool store_compact_step(struct store *s, unsigned part, unsigned parts, struct store_stats *stats, int64_t slice_us) {
    struct part *p = &s->part[part];
    if (!part) compact_trim(s, p);
    if (!p->compact.running) {
        unsigned round = atomic_load(&s->plan_round);
        if (p->compact_round == round) { /* this part is done, or there is no plan */
            if (part || atomic_load(&s->plan)) return false;
            compact_plan(s, parts);
            return atomic_load(&s->plan) != NULL;
        }
        p->compact_round = round;
        walk_start(&p->compact, part);
    }
    /* Read behind the round: a plan is set before its round begins, and lasts until every part has done it. */
    const struct slab_plan *plan = atomic_load(&s->plan);
    uint64_t start = clock_ticks();
    struct walk here = p->compact;
    for (struct stop at; walk_next(s, &p->compact, parts, &at); here = p->compact) {
        if (compact_segment(plan, at.segment, stats)) p->compact = here;
        store_unlock(s, at.shard);
        if (slice_over(start, slice_us / 2)) return true;
    }
    compact_done(s);
    return false;
}
