#include "store/inside.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define PARCEL_BYTES ((64u << 10) - (unsigned)sizeof(struct parcel)) /* a class of the allocator, whole */
#define COPY_MOST (32u << 10) /* larger entries are referred to */
#define SEATS 16              /* threads that fill parcels side by side */
#define LOOK_AT_CLOCK 64      /* entries between two looks */
#define ALIGN 8

/* In a parcel: this and the entry, of one that is referred to only up to its value. */
struct record {
    uint32_t bytes; /* of the entry's copy */
    uint8_t db;
    void *object;         /* to be released, or NULL */
    struct entry *pinned; /* the same */
    const char *value;    /* its, where it lies */
};

struct parcel {
    struct parcel *next;
    struct store *store;
    uint32_t cap, n, at; /* bytes: there are, used, read by capture_next */
    size_t pinned, owed; /* bytes that are referred to; of those, of values that are gone */
    char bytes[] __attribute__((aligned(ALIGN)));
};

struct seat { /* a parcel that is being filled, by whoever has the lock: shard locks come before it */
    struct lock lock;
    struct parcel *open;
    counter keys;
} __attribute__((aligned(64)));

struct part_walk { /* belongs to the thread that steps it */
    struct walk walk;
    uint64_t round;   /* of the capture that it has walked for */
    bool large;       /* its second round, for large values */
    bool left_large;  /* the first one came by some */
} __attribute__((aligned(64)));

struct parcels { /* a queue */
    struct parcel *first, *last;
};

struct capture {
    struct capture_plan plan;       /* constant while it is on, */
    _Atomic size_t budget;          /* and what of it is asked for at any time */
    _Atomic unsigned parts;
    _Atomic uint64_t round;         /* counts captures; set last when one begins */
    _Atomic unsigned left;          /* parts and detached tables that are not done; 0: everything is handed out */
    _Atomic bool cancelled, blocked;
    _Atomic size_t copied, pinned, owed;
    _Atomic uint64_t keys_total;
    uint8_t was[STORE_DATABASES];   /* of each database of today, which it was then; under all locks */
    uint8_t now[STORE_DATABASES];   /* the other way round */
    pthread_mutex_t mutex;          /* what follows; the last of all locks */
    pthread_cond_t ready;
    struct parcels queue, urgent;
    struct parcel *spare;
    bool all;                       /* nothing more will come */
    struct seat seat[SEATS];
    struct part_walk part[STORE_PARTS];
};

struct capture *captures_new(void) {
    struct capture *c = mem_aligned(MEM_MISC, sizeof *c, 64);
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->ready, NULL);
    return c;
}

void captures_free(struct capture *c) {
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->ready);
    mem_free(MEM_MISC, c);
}

/* -- parcels ------------------------------------------------------------------------------------------------------------------- */

static void queue_add(struct parcels *q, struct parcel *p) {
    p->next = NULL;
    if (q->last) q->last->next = p;
    else q->first = p;
    q->last = p;
}

static struct parcel *queue_take(struct parcels *q) {
    struct parcel *p = q->first;
    if (p && !(q->first = p->next)) q->last = NULL;
    return p;
}

static void send(struct capture *c, struct parcel *p, bool urgent) {
    atomic_fetch_add_explicit(&c->copied, p->cap, memory_order_relaxed);
    pthread_mutex_lock(&c->mutex);
    queue_add(urgent ? &c->urgent : &c->queue, p);
    pthread_cond_signal(&c->ready);
    pthread_mutex_unlock(&c->mutex);
}

static struct parcel *parcel_new(struct store *s, size_t cap) {
    struct capture *c = s->capture;
    struct parcel *p = NULL;
    if (cap == PARCEL_BYTES) {
        pthread_mutex_lock(&c->mutex);
        p = c->spare;
        if (p) c->spare = p->next;
        pthread_mutex_unlock(&c->mutex);
    }
    if (!p) p = mem_alloc(MEM_UPKEEP, sizeof *p + cap);
    *p = (struct parcel){.store = s, .cap = (uint32_t)cap};
    return p;
}

static struct record *parcel_add(struct parcel *p, size_t bytes) {
    struct record *r = (struct record *)(p->bytes + p->n);
    p->n += (uint32_t)((sizeof *r + bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1));
    return r;
}

static size_t room_for(size_t bytes) { return sizeof(struct record) + bytes + ALIGN; }

/* The first n bytes of an entry. Its references change at any time, under no lock, and mean nothing in a copy. */
static void copy_entry(void *to, const struct entry *e, size_t n) {
    if (!(entry_kind(e) & ENTRY_EXTENDED)) {
        memcpy(to, e, n);
        return;
    }
    enum { AT = 8, BEHIND = AT + 4 };
    memcpy(to, e, AT);
    memset((char *)to + AT, 0, BEHIND - AT);
    memcpy((char *)to + BEHIND, (const char *)e + BEHIND, n - BEHIND);
}

/* -- handing out --------------------------------------------------------------------------------------------------------------- */

static bool is_large(const struct entry *e) { return entry_form(e) == FORM_POINTER || entry_size(e) > COPY_MOST; }

static struct seat *seat_taken(struct capture *c) {
    struct seat *seat = &c->seat[thread_index() % SEATS];
    lock_acquire(&seat->lock);
    counter_add(&seat->keys, 1);
    return seat;
}

static void hand_out_copy(struct store *s, unsigned was_db, const struct entry *e) {
    struct capture *c = s->capture;
    size_t n = entry_size(e), room = room_for(n);
    struct seat *seat = seat_taken(c);
    struct parcel *p = seat->open;
    if (p && p->n + room > p->cap) {
        send(c, p, false);
        p = NULL;
    }
    if (!p) p = seat->open = parcel_new(s, PARCEL_BYTES);
    struct record *r = parcel_add(p, n);
    *r = (struct record){.bytes = (uint32_t)n, .db = (uint8_t)was_db};
    copy_entry(r + 1, e, n);
    lock_release(&seat->lock);
}

/* A parcel of its own, with the header and a reference. `goes`: somebody waits to change or free it. */
static void hand_out_large(struct store *s, unsigned was_db, struct entry *e, bool goes) {
    struct capture *c = s->capture;
    struct entry_parts parts = entry_parts(e);
    bool object = entry_form(e) == FORM_POINTER;
    size_t head = (size_t)(parts.value - (const char *)e), n = object ? head + sizeof(void *) : head;
    lock_release(&seat_taken(c)->lock);
    struct parcel *p = parcel_new(s, room_for(n));
    struct record *r = parcel_add(p, n);
    *r = (struct record){.bytes = (uint32_t)n, .db = (uint8_t)was_db};
    copy_entry(r + 1, e, n);
    if (object) {
        r->object = entry_pointer(e);
        value_hold(r->object);
        p->pinned = value_ops(entry_type(e))->memory(r->object);
    } else {
        bool pinned = entry_pin(e);
        assert(pinned); /* larger than any slab's block */
        (void)pinned;
        r->pinned = e;
        r->value = parts.value;
        p->pinned = parts.valuelen;
    }
    if (goes) p->owed = p->pinned;
    atomic_fetch_add_explicit(&c->pinned, p->pinned, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->owed, p->owed, memory_order_relaxed);
    send(c, p, goes);
}

static void hand_out(struct store *s, unsigned was_db, struct entry *e, bool goes) {
    int64_t deadline = entry_deadline(e);
    if (deadline && deadline <= s->capture->plan.now) return;
    if (is_large(e)) hand_out_large(s, was_db, e, goes);
    else hand_out_copy(s, was_db, e);
}

static bool is_cancelled(const struct capture *c) { return atomic_load_explicit(&c->cancelled, memory_order_relaxed); }

void captures_keep(struct store *s, unsigned db, struct spot at) {
    struct capture *c = s->capture;
    uint64_t *slot = &at.segment->slot[at.i];
    if (segment_mark(*slot) == s->mark) return;
    *slot ^= 1;
    if (!is_cancelled(c)) hand_out(s, c->was[db], segment_entry(*slot), true);
}

/* -- the budget ---------------------------------------------------------------------------------------------------------------- */

static size_t taken(const struct capture *c) { return atomic_load_explicit(&c->copied, memory_order_relaxed); }

static bool is_full(const struct capture *c) {
    return taken(c) + atomic_load_explicit(&c->pinned, memory_order_relaxed) >= atomic_load_explicit(&c->budget, memory_order_relaxed) / 2 &&
        !is_cancelled(c);
}

bool capture_on(const struct store *s) { return atomic_load_explicit(&s->capturing, memory_order_relaxed); }

bool capture_pressed(const struct store *s) {
    const struct capture *c = s->capture;
    if (!atomic_load_explicit(&s->capturing, memory_order_acquire) || is_cancelled(c)) return false;
    size_t budget = atomic_load_explicit(&c->budget, memory_order_relaxed);
    return taken(c) >= budget || atomic_load_explicit(&c->owed, memory_order_relaxed) >= budget;
}

bool capture_owes(const struct store *s) {
    return atomic_load_explicit(&s->capturing, memory_order_relaxed) && atomic_load_explicit(&s->capture->owed, memory_order_relaxed);
}

/* -- walking ------------------------------------------------------------------------------------------------------------------- */

/* One of the things that are waited for is done; with the last one, whatever lies in the seats is all that was missing: who handed
 * something out held the lock of a shard, or the table, that has been done with since. */
static void one_done(struct capture *c) {
    if (atomic_fetch_sub_explicit(&c->left, 1, memory_order_acq_rel) != 1) return;
    for (unsigned i = 0; i < SEATS; i++) {
        struct seat *seat = &c->seat[i];
        lock_acquire(&seat->lock);
        struct parcel *p = seat->open;
        seat->open = NULL;
        lock_release(&seat->lock);
        if (p) send(c, p, false);
    }
    pthread_mutex_lock(&c->mutex);
    c->all = true;
    pthread_cond_signal(&c->ready);
    pthread_mutex_unlock(&c->mutex);
}

/* Hands out what a segment has, on until the slice is over: *more then. Returns whether it came by something large, which it leaves
 * unless that is what it is for. */
static bool walk_segment(struct store *s, struct segment *seg, unsigned was_db, bool large, uint64_t until, bool *more) {
    struct capture *c = s->capture;
    bool came_by = false, all = is_cancelled(c);
    uint32_t done = 0;
    *more = false;
    for (uint32_t i = 0; i < seg->slots; i++) {
        uint64_t slot = seg->slot[i];
        if (!slot || segment_mark(slot) == s->mark) continue;
        if (i + 8 < seg->slots && seg->slot[i + 8]) __builtin_prefetch(segment_entry(seg->slot[i + 8]));
        struct entry *e = segment_entry(slot);
        if (!all && !large && is_large(e)) {
            came_by = true;
            continue;
        }
        seg->slot[i] = slot ^ 1;
        if (all) continue;
        hand_out(s, was_db, e, false);
        if (++done % LOOK_AT_CLOCK && !large) continue;
        *more = is_full(c) || clock_ticks() >= until;
        if (*more) break;
    }
    return came_by;
}

static void walk_again(struct capture *c, struct part_walk *p, unsigned part) {
    walk_start(&p->walk, part);
    p->walk.databases = c->now;
}

/* Has the part walked all it has to? */
static bool walked(struct capture *c, struct part_walk *p, unsigned part, uint64_t round) {
    if (p->left_large && !p->large) {
        p->large = true;
        p->left_large = false;
        walk_again(c, p, part);
        return false;
    }
    p->round = round;
    one_done(c);
    return true;
}

enum capture_progress capture_step(struct store *s, unsigned part, int64_t slice_us) {
    struct capture *c = s->capture;
    uint64_t round = atomic_load_explicit(&c->round, memory_order_acquire);
    struct part_walk *p = &c->part[part];
    unsigned parts = atomic_load_explicit(&c->parts, memory_order_relaxed);
    if (p->round == round || part >= parts) return CAPTURE_DONE;
    if (!p->walk.running) {
        p->large = p->left_large = false;
        walk_again(c, p, part);
    }
    uint64_t until = clock_ticks() + (uint64_t)((double)slice_us * clock_ticks_per_us());
    struct walk here = p->walk;
    for (struct stop at; walk_next(s, &p->walk, parts, &at); here = p->walk) {
        bool more = false;
        uint32_t last = atomic_load_explicit(&s->rules.last, memory_order_acquire);
        if (at.segment->swept != last && !is_cancelled(c)) { /* what is invalid goes; the segment may be another one then */
            rules_sweep(s, at.table, at.place, last, at.db);
            more = true;
        } else {
            p->left_large |= walk_segment(s, at.segment, c->was[at.db], p->large, until, &more);
        }
        store_unlock(s, at.shard);
        if (more) p->walk = here;
        if (is_full(c)) {
            atomic_store(&c->blocked, true);
            return CAPTURE_FULL;
        }
        if (clock_ticks() >= until) return CAPTURE_MORE;
    }
    return walked(c, p, part, round) ? CAPTURE_DONE : CAPTURE_MORE;
}

/* -- flushes and swaps --------------------------------------------------------------------------------------------------------- */

bool captures_keep_segment(struct store *s, unsigned was_db, struct segment *seg) {
    bool more;
    if (is_full(s->capture)) return false;
    walk_segment(s, seg, was_db, true, UINT64_MAX, &more);
    return !more;
}

unsigned captures_table(struct store *s, unsigned db) {
    struct capture *c = s->capture;
    if (!s->capturing || is_cancelled(c)) return 0;
    if (atomic_load(&s->rules.last) != atomic_load(&s->rules.over)) { /* they may be over before the table has been gone through */
        atomic_store(&c->cancelled, true);
        return 0;
    }
    unsigned left = atomic_load(&c->left);
    do
        if (!left) return 0; /* everything has been handed out */
    while (!atomic_compare_exchange_weak(&c->left, &left, left + 1));
    return 1 + c->was[db];
}

void captures_table_done(struct store *s) { one_done(s->capture); }

void captures_swap(struct store *s, unsigned a, unsigned b) {
    struct capture *c = s->capture;
    uint8_t was = c->was[a];
    c->was[a] = c->was[b];
    c->was[b] = was;
    c->now[c->was[a]] = (uint8_t)a;
    c->now[c->was[b]] = (uint8_t)b;
}

/* -- beginning and end --------------------------------------------------------------------------------------------------------- */

static void reset(struct capture *c, const struct capture_plan *plan) {
    c->plan = *plan;
    atomic_store(&c->budget, plan->budget);
    atomic_store(&c->parts, plan->parts);
    c->all = false;
    atomic_store(&c->cancelled, false);
    atomic_store(&c->blocked, false);
    atomic_store(&c->keys_total, 0);
    atomic_store(&c->left, plan->parts);
    for (unsigned d = 0; d < STORE_DATABASES; d++) c->was[d] = c->now[d] = (uint8_t)d;
    for (unsigned i = 0; i < SEATS; i++) counter_reset(&c->seat[i].keys);
}

bool capture_begin(struct store *s, const struct capture_plan *plan) {
    struct capture *c = s->capture;
    uint64_t keys = 0;
    assert(plan->parts && plan->parts <= STORE_PARTS);
    store_lock_all(s);
    bool free = !s->capturing;
    if (free) {
        reset(c, plan);
        s->mark ^= 1;
        for (unsigned i = 0; i < STORE_SHARDS; i++)
            for (unsigned d = 0; d < STORE_DATABASES; d++) {
                struct table *t = store_table(s, i, d);
                t->mark = (uint8_t)s->mark;
                keys += counter_get(&t->keys);
            }
        atomic_store(&c->keys_total, keys);
        atomic_store_explicit(&s->capturing, true, memory_order_release);
        atomic_fetch_add_explicit(&c->round, 1, memory_order_acq_rel);
    }
    store_unlock_all(s);
    return free;
}

void capture_cancel(struct store *s) {
    struct capture *c = s->capture;
    struct capture_plan plan = {.room = NULL};
    store_lock(s, 0); /* it is on, or off, until that is released */
    if (atomic_load(&s->capturing)) {
        atomic_store(&c->cancelled, true);
        plan = c->plan;
    }
    store_unlock(s, 0);
    if (plan.room) plan.room(plan.arg);
}

struct parcel *capture_take(struct store *s) {
    struct capture *c = s->capture;
    pthread_mutex_lock(&c->mutex);
    struct parcel *p;
    while (!(p = queue_take(&c->urgent)) && !(p = queue_take(&c->queue)) && !c->all) pthread_cond_wait(&c->ready, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
    return p;
}

bool capture_next(struct parcel *p, struct capture_item *out) {
    if (p->at >= p->n) return false;
    const struct record *r = (const struct record *)(p->bytes + p->at);
    p->at += (uint32_t)((sizeof *r + r->bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1));
    *out = (struct capture_item){.db = r->db, .entry = (const struct entry *)(r + 1), .object = r->object};
    if (r->object) return true;
    out->value = entry_value(out->entry);
    if (r->value) out->value.p = r->value;
    return true;
}

static void release_all(struct parcel *p) {
    struct capture_item item;
    p->at = 0;
    while (p->at < p->n) {
        const struct record *r = (const struct record *)(p->bytes + p->at);
        capture_next(p, &item);
        if (r->pinned) entry_release(r->pinned);
        if (r->object) holder_release(p->store, entry_type(item.entry), r->object);
    }
}

void capture_give(struct store *s, struct parcel *p) {
    struct capture *c = s->capture;
    release_all(p);
    atomic_fetch_sub_explicit(&c->pinned, p->pinned, memory_order_relaxed);
    atomic_fetch_sub_explicit(&c->owed, p->owed, memory_order_relaxed);
    atomic_fetch_sub_explicit(&c->copied, p->cap, memory_order_relaxed);
    if (p->cap == PARCEL_BYTES) {
        pthread_mutex_lock(&c->mutex);
        p->next = c->spare;
        c->spare = p;
        pthread_mutex_unlock(&c->mutex);
    } else {
        mem_free(MEM_UPKEEP, p);
    }
    if (taken(c) < c->plan.budget / 4 && atomic_exchange(&c->blocked, false) && c->plan.room) c->plan.room(c->plan.arg);
}

bool capture_end(struct store *s) {
    struct capture *c = s->capture;
    assert(!atomic_load(&c->left) && !c->queue.first && !c->urgent.first);
    store_lock_all(s);
    atomic_store(&s->capturing, false);
    store_unlock_all(s);
    for (struct parcel *p = c->spare, *next; p; p = next) {
        next = p->next;
        mem_free(MEM_UPKEEP, p);
    }
    c->spare = NULL;
    return !is_cancelled(c);
}

void capture_facts(const struct store *s, struct capture_facts *out) {
    const struct capture *c = s->capture;
    *out = (struct capture_facts){.on = atomic_load(&s->capturing), .cancelled = is_cancelled(c), .keys_total = atomic_load(&c->keys_total)};
    for (unsigned i = 0; i < SEATS; i++) out->keys_done += counter_get(&c->seat[i].keys);
}
