/* What is past its deadline goes although nobody asks for it: keys, and fields of hashes.
 *
 * Each segment knows its earliest deadline, so a pass over the segments' heads finds those with work. After a look a segment
 * rests for REST_MS, or deadlines that follow each other closely would have all its entries looked at again for each. Where there
 * are more fields than INSIDE_MOST to look at, the walk goes on with the same segment.
 */
#include "store/inside.h"

#define REST_MS 400
#define REST_UNIT 50 /* ms, in which segments remember their last look; 16 bits of it, 54 minutes */
#define PASS_MS 100 /* a pass begins at most this often */
#define INSIDE_MOST 1500 /* members of collections that are looked at without a look at the clock */

static uint16_t clock_rest(int64_t now) { return (uint16_t)(now / REST_UNIT); }

struct expiring {
    struct store *store;
    unsigned db;
    int64_t now, next;
    struct store_stats *stats;
    size_t inside; /* so many members may still be looked at */
    bool more;     /* there are more */
};

/* The entry's packed collection has shrunk to what the home says. Only ever smaller, so it needs no more than it has. */
static struct entry *shrunk(struct entry *e, const struct home *home) {
    struct entry_spec spec = entry_spec_of(e);
    spec.form = (enum entry_form)home->form;
    spec.valuelen = home->n;
    if (entry_can_rewrite(e, &spec, false)) {
        entry_rewrite(e, &spec, home->n);
        return e;
    }
    struct entry *fresh = entry_new(&spec);
    memcpy((char *)(uintptr_t)entry_value(fresh).p, home->p, home->n);
    entry_free_block(e);
    return fresh;
}

/* Members past their deadline go, and the key with the last of them. Returns what stands in the entry's place. An object that
 * somebody reads is left for later. */
static struct entry *expire_inside(struct expiring *x, struct entry *e) {
    const struct value_ops *ops = value_ops(entry_type(e));
    struct home home = entry_home(e);
    if (home.object && value_held(home.object)) return e;
    size_t before = ops->count(&home), bytes = home.n, looked = before < x->inside ? before : x->inside;
    if (!looked) {
        x->more = true;
        return e;
    }
    x->more |= ops->expire(&home, x->now, looked);
    x->inside -= looked;
    size_t left = ops->count(&home);
    counter_add(&x->stats->expired_inside, before - left);
    if (!left) {
        store_drop(x->store, e, true);
        return NULL;
    }
    return home.object || home.n == bytes ? e : shrunk(e, &home);
}

static struct entry *expire_one(void *arg, struct entry *e) {
    struct expiring *x = arg;
    int64_t deadline = entry_deadline(e), due = entry_due(e);
    if (!due) return e;
    if (deadline && deadline <= x->now) {
        store_event(x->store, STORE_EXPIRED, x->db, e);
        counter_add(&x->stats->expired, 1);
        store_drop(x->store, e, true);
        return NULL;
    }
    if (due <= x->now) {
        e = expire_inside(x, e);
        if (!e) return NULL;
        due = entry_due(e);
    }
    if (due && due < x->next) x->next = due;
    return e;
}

/* A pass is over. How large a part of the keys with a deadline it found to be past it goes into a mean that forgets slowly,
 * a twentieth a pass, as Redis keeps it. */
static void expire_estimate(const struct store *s, struct part *p, unsigned part, unsigned parts, struct store_stats *stats) {
    uint64_t kept = 0, found = p->expire_found;
    double mean = (double)counter_get(&stats->stale_share);
    if (!found) {
        if (mean > 0) atomic_store_explicit(&stats->stale_share, (uint64_t)(mean * 0.95), memory_order_relaxed);
        return;
    }
    for (unsigned shard = part; shard < STORE_SHARDS; shard += parts)
        for (unsigned db = 0; db < STORE_DATABASES; db++) kept += counter_get(&s->shard[shard].table[db].volatiles);
    mean = mean * 0.95 + (double)found / (double)(found + kept) * STORE_SHARE * 0.05;
    atomic_store_explicit(&stats->stale_share, (uint64_t)mean, memory_order_relaxed);
}

bool store_expire_step(struct store *s, unsigned part, unsigned parts, int64_t now, struct store_stats *stats, int64_t slice_us) {
    struct part *p = &s->part[part];
    struct walk *w = &p->expire;
    if (!w->running) {
        if (now >= p->expire_started && now - p->expire_started < PASS_MS) return false;
        if (!option_get(&s->config->active_expire)) return false;
        p->expire_started = now;
        p->expire_found = 0;
        walk_start(w, part);
    }
    uint64_t start = clock_ticks();
    struct walk here = *w;
    for (struct stop at; walk_next(s, w, parts, &at); here = *w) {
        bool rested = p->expire_again || (uint16_t)(clock_rest(now) - at.segment->looked) >= REST_MS / REST_UNIT;
        bool due = at.segment->earliest <= now && rested;
        uint32_t last = atomic_load_explicit(&s->rules.last, memory_order_acquire);
        p->expire_again = false;
        if (due && at.segment->swept != last) { /* what is invalid already does not expire, it goes; the segment may be another then */
            rules_sweep(s, at.table, at.place, last, at.db);
            *w = here;
        } else if (due) {
            struct expiring x = {s, at.db, now, SEGMENT_NEVER, stats, INSIDE_MOST, false};
            at.segment->looked = clock_rest(now);
            p->expire_found += table_sift(at.table, at.place, expire_one, &x, &x.next);
            p->expire_again = x.more;
            if (x.more) *w = here;
        }
        store_unlock(s, at.shard);
        /* A segment takes up to half a slice when all of it goes. */
        if (slice_over(start, due ? slice_us / 2 : slice_us - 10)) return true;
    }
    expire_estimate(s, p, part, parts, stats);
    return false;
}
