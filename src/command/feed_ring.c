#include "command/feed_ring.h"

#include "base/clock.h"
#include "store/watch.h"

#include <stddef.h>
#include <sys/random.h>

#define SEEN 1024

/* The change that was last recorded for a hash. */
struct seen {
    uint64_t hash, seq;
    const char *text;
    uint32_t n;
};

struct feed {
    _Atomic bool on; /* first: feed_on */
    struct lock lock;
    struct feed_block *oldest, *newest;
    size_t blocks;
    uint64_t next;      /* number of the next change */
    uint64_t began;     /* number of the first change since recording began */
    uint64_t life;      /* the number that this process began with */
    uint64_t seed;      /* not that of the store's hashes: listeners are told it */
    uint64_t told;      /* changes below have been given to somebody */
    uint64_t listeners;
    int64_t left_us;    /* when the last one left */
    struct seen seen[SEEN];
};

struct feed *feed_new(void) {
    struct feed *f = mem_zalloc(MEM_MISC, sizeof *f);
    if (getrandom(&f->seed, sizeof f->seed, 0) != (ssize_t)sizeof f->seed) f->seed = clock_ticks() ^ (uintptr_t)f;
    f->life = f->next = (uint64_t)clock_ms() << 12;
    return f;
}

void feed_ring_release(void *block) {
    struct feed_block *b = block;
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) mem_free(MEM_CLIENT, b);
}

void feed_ring_hold(struct feed_block *b) { atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed); }

static void drop_oldest(struct feed *f) {
    struct feed_block *b = f->oldest;
    f->oldest = b->next;
    if (!f->oldest) f->newest = NULL;
    b->gone = true;
    b->next = NULL;
    f->blocks--;
    feed_ring_release(b);
}

static void add_block(struct feed *f, size_t most) {
    struct feed_block *b = mem_alloc(MEM_CLIENT, FEED_BLOCK);
    *b = (struct feed_block){.first = f->next};
    atomic_init(&b->refs, 1);
    if (f->newest) f->newest->next = b;
    else f->oldest = b;
    f->newest = b;
    f->blocks++;
    while (f->blocks > most) drop_oldest(f);
}

static size_t most_blocks(const struct env *e) {
    uint64_t n = (uint64_t)option_get(&e->config.feed_size) / FEED_BLOCK;
    return n < 2 ? 2 : (size_t)n;
}

void feed_free(struct feed *f) {
    while (f->oldest) drop_oldest(f);
    mem_free(MEM_MISC, f);
}

/* -- recording --------------------------------------------------------------------------------------------------------------- */

/* Nobody has been told of this key since it was last recorded: that will do for this change too. */
static bool is_told_anyway(const struct feed *f, const char *text, const struct feed_note *note) {
    const struct seen *s = &f->seen[note->hash % SEEN];
    return s->seq >= f->told && s->seq >= f->oldest->first && s->n == note->n && !memcmp(s->text, text, note->n);
}

/* Is there room for so many bytes of changes, and for one hash more? */
static inline bool has_room(const struct feed_block *b, size_t n) {
    return b->used + n + (b->entries + 1) * sizeof(uint32_t) <= FEED_BLOCK - sizeof *b;
}

/* n bytes of changes, to the end of the newest block, where there is room for them. */
static inline void append(struct feed_block *b, const char *text, size_t n) {
    if (n) memcpy(b->data + b->used, text, n);
    b->used += (uint32_t)n;
}

void feed_ring_put(struct env *e, const char *text, const struct feed_note *note, size_t n) {
    struct feed *f = e->feed;
    lock_acquire(&f->lock);
    if (!f->newest) n = 0;
    size_t run = 0; /* bytes at `text` that are not in the block yet, of changes that will be */
    for (size_t i = 0; i < n; i++) {
        struct feed_block *b = f->newest;
        struct seen *s = &f->seen[note[i].hash % SEEN];
        if (__builtin_expect(s->hash == note[i].hash && s->hash, 0)) {
            append(b, text, run); /* what it is compared with may be in it */
            text += run;
            run = 0;
            if (is_told_anyway(f, text, &note[i])) {
                text += note[i].n;
                continue;
            }
        }
        if (__builtin_expect(!has_room(b, run + note[i].n), 0)) {
            append(b, text, run);
            text += run;
            run = 0;
            add_block(f, most_blocks(e));
            b = f->newest;
        }
        if (note[i].hash) *s = (struct seen){note[i].hash, f->next, b->data + b->used + run, note[i].n};
        run += note[i].n;
        feed_ring_hashes(b)[-(ptrdiff_t)b->entries++] = note[i].told;
        b->odd += note[i].odd;
        f->next++;
    }
    if (run) append(f->newest, text, run);
    lock_release(&f->lock);
}

/* -- life -------------------------------------------------------------------------------------------------------------------- */

/* A number is passed over: who was told `next` before recording ended must not take it for this one. */
static void begin(struct env *e) {
    struct feed *f = e->feed;
    f->began = f->told = ++f->next;
    add_block(f, most_blocks(e));
    atomic_store(&f->on, true);
    store_watch(e->store, 1);
}

void feed_tick(struct env *e) {
    struct feed *f = e->feed;
    if (!feed_on(f)) return;
    lock_acquire(&f->lock);
    if (feed_on(f) && !f->listeners && clock_mono_us() - f->left_us >= option_get(&e->config.feed_keep) * 1000000) {
        atomic_store(&f->on, false);
        store_watch(e->store, -1);
        while (f->oldest) drop_oldest(f);
        memset(f->seen, 0, sizeof f->seen);
    }
    lock_release(&f->lock);
}

static void stand_at_end(struct feed *f, struct feed_place *p) {
    *p = (struct feed_place){f->newest, f->newest->used, f->next};
    f->told = f->next;
}

/* The bytes of n changes. */
static uint32_t skip(const struct feed_block *b, uint64_t n) {
    uint32_t at = 0;
    for (; n; n--) {
        uint32_t len = 0;
        for (at++; b->data[at] != '\r'; at++) len = len * 10 + (uint32_t)(b->data[at] - '0');
        at += 2 + len + 2;
    }
    return at;
}

static void stand_at(struct feed *f, uint64_t seq, struct feed_place *p) {
    struct feed_block *b = f->oldest;
    while (b->next && b->next->first <= seq) b = b->next;
    *p = (struct feed_place){b, skip(b, seq - b->first), seq};
}

static enum feed_status status_of(const struct feed *f, uint64_t seq) {
    if (!seq) return FEED_NEW;
    if (seq < f->life || seq > f->told) return FEED_OTHER_LIFE;
    if (seq < f->began) return FEED_IDLE;
    return seq < f->oldest->first ? FEED_OVERRUN : FEED_RESUMED;
}

enum feed_status feed_ring_join(struct env *e, uint64_t seq, struct feed_place *p) {
    struct feed *f = e->feed;
    lock_acquire(&f->lock);
    bool on = feed_on(f);
    enum feed_status status = on ? status_of(f, seq) : seq ? FEED_IDLE : FEED_NEW;
    if (!on && seq && (seq < f->life || seq > f->next)) status = FEED_OTHER_LIFE;
    if (!on) begin(e);
    f->listeners++;
    if (status == FEED_RESUMED) stand_at(f, seq, p);
    else stand_at_end(f, p);
    feed_ring_hold(p->block);
    lock_release(&f->lock);
    return status;
}

void feed_ring_part(struct env *e, struct feed_place *p) {
    struct feed *f = e->feed;
    if (!p->block) return;
    lock_acquire(&f->lock);
    if (!--f->listeners) f->left_us = clock_mono_us();
    lock_release(&f->lock);
    feed_ring_release(p->block);
    p->block = NULL;
}

/* -- reading ----------------------------------------------------------------------------------------------------------------- */

static void move(struct feed_place *p, struct feed_block *b, uint32_t at) {
    feed_ring_hold(b);
    feed_ring_release(p->block);
    p->block = b;
    p->at = at;
}

void feed_ring_move(struct feed_place *p, const struct feed_place *to) {
    move(p, to->block, to->at);
    p->seq = to->seq;
}

static void lose(struct feed *f, struct feed_place *p, struct feed_piece *out) {
    *out = (struct feed_piece){.first = p->seq, .next = f->next};
    move(p, f->newest, f->newest->used);
    p->seq = f->told = f->next;
}

static bool next(struct feed *f, struct feed_place *p, struct feed_piece *out) {
    struct feed_block *b = p->block;
    if (p->at == b->used) { /* what is left of a block that is gone can still be had */
        struct feed_block *then = b->gone ? f->oldest : b->next;
        if (!then) return false;
        if (b->gone && then->first != p->seq) {
            lose(f, p, out);
            return true;
        }
        move(p, then, 0);
        b = then;
        if (!b->used) return false;
    }
    *out = (struct feed_piece){b, p->at, b->used, b->odd != 0, p->seq, b->first + b->entries};
    feed_ring_hold(b);
    p->at = b->used;
    p->seq = out->next;
    if (f->told < out->next) f->told = out->next;
    return true;
}

bool feed_ring_next(struct feed *f, struct feed_place *p, struct feed_piece *out) {
    lock_acquire(&f->lock);
    bool any = next(f, p, out);
    lock_release(&f->lock);
    return any;
}

uint64_t feed_ring_end(struct feed *f, uint64_t *old) {
    lock_acquire(&f->lock);
    uint64_t next = f->next, oldest = f->oldest ? f->oldest->first : next;
    lock_release(&f->lock);
    *old = oldest + (next - oldest) / 4;
    return next;
}

uint64_t feed_ring_seed(const struct feed *f) { return f->seed; }

struct feed_facts feed_facts(struct env *e) {
    struct feed *f = e->feed;
    lock_acquire(&f->lock);
    struct feed_facts facts = {f->listeners, f->next, f->oldest ? f->oldest->first : f->next, f->blocks * FEED_BLOCK};
    lock_release(&f->lock);
    return facts;
}
