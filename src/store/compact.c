/* Emptying sparse slabs: entries can be moved, because a slot is all that points to one.
 *
 * When more than WASTE percent of the slabs' touched bytes are free, the sparsest slabs are marked (slab_plan_new) and every
 * thread walks its part of the shards once, moving what lies in a marked slab. A slab is found by its address, so entries
 * elsewhere are not even looked at. Then the first part's thread ends the plan, which frees the emptied slabs; as it made it: in slices.
 */
#include "store/inside.h"

#include <assert.h>

#define WASTE 5
#define TRIM_US 100000

/* The last thread to finish leaves the plan to the first part's, which ends it. */
static void compact_done(struct store *s) {
    if (atomic_fetch_sub(&s->plan_parts_left, 1) != 1) return;
    atomic_store(&s->plan_ending, atomic_load(&s->plan)); /* first: at no moment there seems to be none */
    atomic_store(&s->plan, NULL);
}

/* From slot *at on. Returns whether there is more to be moved: behind *at, when the segment's turn comes again. What has come before that
 * place by then is not looked at, and its slab is used on. Moving one entry may mean to give a page back to the kernel, or to get one. */
static bool compact_segment(const struct slab_plan *plan, struct segment *seg, uint32_t *at, uint64_t start, int64_t slice_us,
    struct store_stats *stats) {
    for (uint32_t i = *at; i < seg->slots; i++) {
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
        *at = i + 1;
        if (slice_over(start, slice_us)) return true;
    }
    *at = 0;
    return false;
}

/* What is free goes back to the kernel, whether there is a plan or not; and prefetching is told whether it pays. */
static bool compact_trim(struct store *s, struct part *p) {
    int64_t now = clock_mono_us();
    if (!p->trimming && now - p->trimmed_us < TRIM_US) return false;
    p->trimmed_us = now;
    atomic_store_explicit(&s->large, mem_used(MEM_DATA) > STORE_CACHED_BYTES, memory_order_relaxed);
    return p->trimming = slab_trim();
}

/* Ends the last plan, or makes one if it is time; a step of it. */
static bool compact_plan(struct store *s, unsigned parts) {
    struct slab_plan *ending = atomic_load(&s->plan_ending);
    if (ending) {
        if (slab_plan_end(ending)) return true;
        atomic_store(&s->plan_ending, NULL);
        return false; /* the next one is made at another time */
    }
    if (!s->plan_making) s->plan_making = slab_plan_new(WASTE);
    if (!s->plan_making) return false;
    if (slab_plan_make(s->plan_making)) return true;
    struct slab_plan *plan = s->plan_making;
    s->plan_making = NULL;
    if (!slab_plan_marked(plan)) {
        slab_plan_end(plan);
        return false;
    }
    atomic_store(&s->plan_parts_left, parts);
    atomic_store(&s->plan, plan);
    atomic_fetch_add(&s->plan_round, 1);
    return true;
}

/* The first part does what is not done by shards. */
static bool compact_first(struct store *s, struct part *p, unsigned parts) {
    if (compact_trim(s, p)) return true;
    return !atomic_load(&s->plan) && compact_plan(s, parts);
}

void store_compact_free(struct store *s) {
    struct slab_plan *plans[] = {s->plan, s->plan_making, s->plan_ending};
    for (unsigned i = 0; i < 3; i++)
        while (plans[i] && slab_plan_end(plans[i])) {}
}

bool store_compact_step(struct store *s, unsigned part, unsigned parts, struct store_stats *stats, int64_t slice_us) {
    struct part *p = &s->part[part];
    uint64_t start = clock_ticks();
    if (!part)
        while (compact_first(s, p, parts))
            if (slice_over(start, slice_us / 2)) return true;
    if (!p->compact.running) {
        unsigned round = atomic_load(&s->plan_round);
        if (p->compact_round == round) return false; /* this part is done, or there is no plan */
        p->compact_round = round;
        walk_start(&p->compact, part);
    }
    /* Read behind the round: a plan is set before its round begins, and lasts until every part has done it. */
    const struct slab_plan *plan = atomic_load(&s->plan);
    struct walk here = p->compact;
    for (struct stop at; walk_next(s, &p->compact, parts, &at); here = p->compact) {
        if (compact_segment(plan, at.segment, &p->compact_slot, start, slice_us / 2, stats)) p->compact = here;
        store_unlock(s, at.shard);
        if (slice_over(start, slice_us / 2)) return true;
    }
    compact_done(s);
    return !part && atomic_load(&s->plan_ending);
}
