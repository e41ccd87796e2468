#include "store/patrol.h"

#include "store/inside.h"

void patrol_put(struct patrol *p, uint64_t random) {
    p->shard = (unsigned)(random >> 32) % STORE_SHARDS;
    p->db = 0;
    p->slot = 0;
    p->position = 0;
}

static uint64_t table_may_go(const struct table *t, bool all) { return counter_get(all ? &t->keys : &t->volatiles); }

/* -- in a segment: from its slot on --------------------------------------------------------------------------------------- */

static void reach_any(struct patrol *p, const struct segment *seg, unsigned most, struct reach *out) {
    const uint64_t *at = &seg->slot[p->slot], *end = &seg->slot[seg->slots];
    unsigned n = 0;
    while (at < end && n < most) {
        const struct entry *e = segment_entry(*at);
        __builtin_prefetch(e);
        out->entry[n] = e;
        n += *at++ != 0;
    }
    out->n = n;
    p->slot = (uint32_t)(at - seg->slot);
}

static void reach_volatile(struct patrol *p, const struct segment *seg, unsigned most, struct reach *out) {
    uint32_t first = p->slot, i = seg->earliest == AGENDA_NEVER ? seg->slots : first;
    for (; i < seg->slots && out->n < most && i - first < PATROL_SEARCH; i++)
        if (seg->slot[i] && entry_deadline(segment_entry(seg->slot[i]))) out->entry[out->n++] = segment_entry(seg->slot[i]);
    if (seg->earliest != AGENDA_NEVER) p->searched += i - first;
    p->slot = i;
}

/* -- from segment to segment, table to table ------------------------------------------------------------------------------------- */

/* False: on to the next table. */
static bool reach_in_table(struct patrol *p, struct store *s, struct table *t, bool all, unsigned most, struct reach *out) {
    const uint64_t searched = p->searched + PATROL_SEARCH;
    if (!t->dir || !table_may_go(t, all)) return false;
    uint32_t last = atomic_load_explicit(&s->rules.last, memory_order_acquire);
    for (;;) {
        uint64_t place = p->position >> (TABLE_MAX_DEPTH - t->depth);
        const struct segment *seg = table_segment(t, &place);
        if (!seg) return false;
        if (__builtin_expect(seg->swept != last, 0)) {
            rules_sweep(s, t, place, last, p->db);
            out->swept = true;
            return true; /* the directory may be another one now */
        }
        if (p->slot < seg->slots) {
            if (__builtin_expect(all, 1)) reach_any(p, seg, most, out);
            else reach_volatile(p, seg, most, out);
            if (out->n || p->searched >= searched) return true;
        }
        p->slot = 0;
        p->position = table_next(t, place) << (TABLE_MAX_DEPTH - t->depth);
    }
}

void patrol_reach(struct patrol *p, struct store *s, bool all, unsigned most, struct reach *out) {
    out->n = 0;
    out->swept = false;
    store_lock(s, p->shard);
    for (; p->db < STORE_DATABASES; p->db++, p->position = 0, p->slot = 0) {
        if (!reach_in_table(p, s, store_table(s, p->shard, p->db), all, most, out)) continue;
        if (!out->n) store_unlock(s, p->shard);
        return;
    }
    store_unlock(s, p->shard);
    p->shard = (p->shard + 1) % STORE_SHARDS;
    p->db = 0;
    p->passed++;
}

/* -- anywhere -------------------------------------------------------------------------------------------------------------------- */

void patrol_throw(struct patrol *p, struct store *s, bool all, uint64_t random, uint64_t again) {
    patrol_put(p, random);
    store_lock(s, p->shard);
    uint64_t total = 0;
    for (unsigned d = 0; d < STORE_DATABASES; d++) total += table_may_go(store_table(s, p->shard, d), all);
    uint64_t pick = total ? (random & UINT32_MAX) % total : 0;
    for (uint64_t here; p->db < STORE_DATABASES - 1; pick -= here, p->db++) {
        here = table_may_go(store_table(s, p->shard, p->db), all);
        if (pick < here) break;
    }
    const struct table *t = store_table(s, p->shard, p->db);
    if (t->dir) {
        uint64_t place = (again >> 32) & ((1ull << t->depth) - 1);
        p->position = place << (TABLE_MAX_DEPTH - t->depth);
        p->slot = (uint32_t)again % t->dir[place]->slots;
    }
    store_unlock(s, p->shard);
}
