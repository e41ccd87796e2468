/* What is past its deadline goes although nobody asks for it.
 *
 * Each segment knows its earliest deadline, so a pass over the segments' heads finds those with work. After a look a segment
 * rests for REST_MS, or deadlines that follow each other closely would have all its entries looked at again for each.
 */
#include "store/inside.h"

#define REST_MS 400
#define REST_UNIT 50 /* ms, in which segments remember their last look; 16 bits of it, 54 minutes */
#define PASS_MS 100 /* a pass begins at most this often */

static uint16_t clock_rest(int64_t now) { return (uint16_t)(now / REST_UNIT); }

struct expiring {
    struct store *store;
    unsigned db;
    int64_t now, next;
    struct store_stats *stats;
};

static bool expire_one(void *arg, struct entry *e) {
    struct expiring *x = arg;
    int64_t deadline = entry_deadline(e);
    if (!deadline) return false;
    if (deadline > x->now) {
        if (deadline < x->next) x->next = deadline;
        return false;
    }
    store_event(x->store, STORE_EXPIRED, x->db, e);
    counter_add(&x->stats->expired, 1);
    store_drop(x->store, e, true);
    return true;
}

bool store_expire_step(struct store *s, unsigned part, unsigned parts, int64_t now, struct store_stats *stats, int64_t slice_us) {
    struct part *p = &s->part[part];
    struct walk *w = &p->expire;
    if (!w->running) {
        if (now >= p->expire_started && now - p->expire_started < PASS_MS) return false;
        if (!option_get(&s->config->active_expire)) return false;
        p->expire_started = now;
        walk_start(w, part);
    }
    uint64_t start = clock_ticks();
    for (struct stop at; walk_next(s, w, parts, &at);) {
        bool due = at.segment->earliest <= now && (uint16_t)(clock_rest(now) - at.segment->looked) >= REST_MS / REST_UNIT;
        if (due) {
            struct expiring x = {s, at.db, now, SEGMENT_NEVER, stats};
            at.segment->looked = clock_rest(now);
            table_sift(at.table, at.place, expire_one, &x, &x.next);
        }
        store_unlock(s, at.shard);
        /* A segment takes up to half a slice when all of it goes. */
        if (slice_over(start, due ? slice_us / 2 : slice_us - 10)) return true;
    }
    return false;
}
