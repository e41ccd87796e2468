/* What is past its deadline goes although nobody asks for it: keys, and fields of hashes.
 *
 * Each segment knows when there is something to do next, so a pass over the segments' heads finds those with work. What is due
 * within half a minute is on the segment's agenda (agenda.h) and is looked at alone. When that half minute is over, or as much of
 * it as there was room for, the whole segment is looked through, which makes the next agenda: so an entry is read twice a minute, or
 * about once for each hundred that go. Where there is no memory for an agenda, the segment is looked through whenever something
 * is due, but rests for REST_MS in between. Where there are more fields than INSIDE_MOST to look at, the walk goes on with the same
 * segment.
 */
#include "store/tell.h"

#define REST_MS 400
#define REST_UNIT 50 /* ms, in which segments remember their last look; 16 bits of it, 54 minutes */
#define PASS_MS 200     /* a pass begins at most this often */
#define PASS_MS_MOST 400 /* and no later than this behind the last one, however long that took */
#define PASS_SHARE 20   /* else it rests this many times as long as it worked */
#define PAST_MOST 64    /* segments that are passed by under one lock */
#define INSIDE_MOST 1500 /* members of collections that are looked at without a look at the clock */

static uint16_t clock_rest(int64_t now) { return (uint16_t)(now / REST_UNIT); }

struct expiring {
    struct store *store;
    unsigned db;
    int64_t now;
    struct store_stats *stats;
    struct segment *segment; /* what is due later is noted there; NULL: in `next` */
    struct table_due next;
    struct agenda *sheet;    /* the part's */
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

static void expire_told_inside(struct expiring *x, const struct entry *e, size_t left) {
    struct store *s = x->store;
    struct key k = store_key(s->seed, entry_key(e));
    if (s->hook) s->hook(s->hook_arg, x->stats, STORE_FADED, x->db, &k, left ? e : NULL);
    if (store_watched(s)) store_tell(s, x->stats, left ? STORE_WRITTEN : STORE_DELETED, x->db, &k);
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
    if (left != before) expire_told_inside(x, e, left);
    if (!left) {
        store_drop(x->store, e, true);
        return NULL;
    }
    return home.object || home.n == bytes ? e : shrunk(e, &home);
}

/* Look at the entry again then. */
static void expire_later(struct expiring *x, uint32_t tag, int64_t when) {
    struct agenda *sheet = x->sheet;
    if (x->segment) {
        segment_note(x->segment, tag, when);
        return;
    }
    int64_t beyond = when;
    if (when < sheet->until) {
        if (agenda_add(sheet, tag, when)) return;
        beyond = sheet->until;
    }
    if (beyond < x->next.beyond) x->next.beyond = beyond;
}

static struct entry *expire_one(void *arg, struct entry *e, uint32_t tag) {
    struct expiring *x = arg;
    int64_t deadline = entry_deadline(e), due = entry_due(e);
    if (!due) return e;
    if (deadline && deadline <= x->now) {
        store_expired(x->store, x->db, e, x->now, x->stats);
        store_drop(x->store, e, true);
        return NULL;
    }
    if (due <= x->now) {
        bool more = x->more;
        x->more = false;
        e = expire_inside(x, e);
        if (!e) return NULL;
        due = entry_due(e);
        if (!x->more && due && due < x->now + REST_MS) due = x->now + REST_MS; /* deadlines inside may follow each other closely */
        if (deadline && deadline < due) due = deadline;
        x->more |= more;
    }
    if (due) expire_later(x, tag, due);
    return e;
}

/* Looks at what is due in a segment. Returns how many keys went. */
static size_t expire_segment(struct expiring *x, const struct stop *at) {
    struct segment *seg = at->segment;
    if (seg->beyond > x->now) {
        x->segment = seg;
        return table_sift_due(at->table, at->place, x->now, expire_one, x);
    }
    seg->looked = clock_rest(x->now);
    bool room = store_spare(x->store, AGENDA_BYTES(AGENDA_ROOM_MAX));
    agenda_start(x->sheet, room ? AGENDA_ROOM_MAX : 0, x->now);
    x->next = (struct table_due){x->sheet, AGENDA_NEVER};
    return table_sift(at->table, at->place, expire_one, x, &x->next);
}

/* Is there something to do in a segment? */
static bool expire_due(const struct segment *seg, int64_t now, bool again) {
    if (seg->earliest > now) return false;
    return again || seg->agenda || (uint16_t)(clock_rest(now) - seg->looked) >= REST_MS / REST_UNIT;
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

/* Is it time for the next pass? Clocks may be set back. */
static bool expire_time(const struct part *p, int64_t now) {
    int64_t rest = clock_ticks_us(p->expire_ticks) * PASS_SHARE / 1000;
    if (rest < PASS_MS) rest = PASS_MS;
    if (rest > PASS_MS_MOST) rest = PASS_MS_MOST;
    return now < p->expire_started || now - p->expire_started >= rest;
}

/* One segment with something to do, of those that the walk comes to under one lock. Returns whether there was one. */
static bool expire_next(struct store *s, struct part *p, struct stop *at, int64_t now, struct store_stats *stats) {
    struct walk *w = &p->expire;
    bool due = expire_due(at->segment, now, p->expire_again);
    p->expire_again = false;
    for (unsigned n = 0; !due && n < PAST_MOST && walk_past(w, at); n++) due = expire_due(at->segment, now, false);
    if (!due) return false;
    uint32_t last = atomic_load_explicit(&s->rules.last, memory_order_acquire);
    struct walk here = *w;
    here.position = at->place << (TABLE_MAX_DEPTH - at->table->depth);
    if (at->segment->swept != last) { /* what is invalid already does not expire, it goes; the segment may be another then */
        rules_sweep(s, at->table, at->place, last, at->db);
        *w = here;
        return true;
    }
    struct expiring x = {.store = s, .db = at->db, .now = now, .stats = stats, .sheet = p->sheet, .inside = INSIDE_MOST};
    p->expire_found += expire_segment(&x, at);
    p->expire_again = x.more;
    if (x.more) *w = here;
    return true;
}

bool store_expire_step(struct store *s, unsigned part, unsigned parts, int64_t now, struct store_stats *stats, int64_t slice_us) {
    struct part *p = &s->part[part];
    struct walk *w = &p->expire;
    if (!p->sheet) p->sheet = agenda_new(AGENDA_ROOM_MAX);
    if (!w->running) {
        if (!expire_time(p, now)) return false;
        if (!option_get(&s->config->active_expire)) return false;
        p->expire_started = now;
        p->expire_found = 0;
        p->expire_ticks = 0;
        walk_start(w, part);
    }
    uint64_t start = clock_ticks();
    for (struct stop at; walk_next(s, w, parts, &at);) {
        bool did = expire_next(s, p, &at, now, stats);
        store_unlock(s, at.shard);
        /* A segment takes up to half a slice when all of it goes. */
        if (!slice_over(start, did ? slice_us / 2 : slice_us - 10)) continue;
        p->expire_ticks += clock_ticks() - start;
        return true;
    }
    p->expire_ticks += clock_ticks() - start;
    expire_estimate(s, p, part, parts, stats);
    return false;
}
