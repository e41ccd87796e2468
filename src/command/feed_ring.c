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
    struct feed_head head;
    struct lock lock;
    struct feed_block *oldest, *newest;
    size_t blocks;
    uint64_t next;      /* number of the next change */
    uint64_t began;     /* number of the first change since recording began */
    uint64_t life;      /* the number that this process began with */
    uint64_t told;      /* changes below have been given to somebody */
    uint64_t keys_from; /* from here on keys are told as they are, while the level says so */
    uint64_t listeners, key_listeners; /* all; who wants keys as they are */
    int64_t left_us, keys_left_us;     /* when the last one left */
    struct seen seen[SEEN];
};

struct feed *feed_new(void) {
    struct feed *f = mem_zalloc(MEM_MISC, sizeof *f);
    if (getrandom(&f->head.seed, sizeof f->head.seed, 0) != (ssize_t)sizeof f->head.seed) f->head.seed = clock_ticks() ^ (uintptr_t)f;
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

static void add_block(struct feed *f, size_t most, bool bare) {
    struct feed_block *b = mem_alloc(MEM_CLIENT, FEED_BLOCK);
    *b = (struct feed_block){.first = f->next, .bare = bare};
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

/* The newest block, if it is of that kind and has room for so many bytes and one hash; else a new one. */
static struct feed_block *block_for(struct env *e, bool bare, size_t n) {
    struct feed *f = e->feed;
    if (f->newest->bare != bare && !f->newest->entries) f->newest->bare = bare;
    if (f->newest->bare != bare || !has_room(f->newest, n)) add_block(f, most_blocks(e), bare);
    return f->newest;
}

static inline void put_hash(struct feed *f, struct feed_block *b, uint32_t told) {
    feed_ring_hashes(b)[-(ptrdiff_t)b->entries++] = told;
    f->next++;
}

/* n bytes of changes, to the end of the newest block, where there is room for them. */
static inline void append(struct feed_block *b, const char *text, size_t n) {
    if (n) memcpy(b->data + b->used, text, n);
    b->used += (uint32_t)n;
}

/* Keys with their text, and what is no key. */
static void put_told(struct env *e, const char *text, const struct feed_note *note, size_t n) {
    struct feed *f = e->feed;
    size_t run = 0; /* bytes at `text` that are not in the block yet, of changes that will be */
    struct feed_block *b = block_for(e, false, 0);
    for (size_t i = 0; i < n; i++) {
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
            b = block_for(e, false, note[i].n);
        }
        if (note[i].hash) *s = (struct seen){note[i].hash, f->next, b->data + b->used + run, note[i].n};
        run += note[i].n;
        b->odd += note[i].odd;
        put_hash(f, b, note[i].told);
    }
    append(b, text, run);
}

/* Where hashes suffice: what is no key is told as it is, behind the number of its entry. */
static void put_bare(struct env *e, const char *text, const struct feed_note *note, size_t n) {
    for (size_t i = 0; i < n; text += note[i].n, i++) {
        struct feed_block *b = block_for(e, true, note[i].odd ? sizeof b->entries + note[i].n : 0);
        if (note[i].odd) {
            append(b, (const char *)&b->entries, sizeof b->entries);
            append(b, text, note[i].n);
            b->odd++;
        }
        put_hash(e->feed, b, note[i].told);
    }
}

void feed_ring_put(struct env *e, const char *text, const struct feed_note *note, size_t n) {
    struct feed *f = e->feed;
    lock_acquire(&f->lock);
    if (!f->newest) n = 0;
    if (n && feed_on(f) == FEED_KEYS) put_told(e, text, note, n);
    else put_bare(e, text, note, n);
    lock_release(&f->lock);
}

void feed_ring_put_bare(struct env *e, const uint32_t *told, size_t n) {
    struct feed *f = e->feed;
    lock_acquire(&f->lock);
    if (!f->newest) n = 0;
    while (n) {
        struct feed_block *b = block_for(e, true, 0);
        size_t room = (FEED_BLOCK - sizeof *b - b->used) / sizeof *told - b->entries, some = n < room ? n : room;
        uint32_t *to = feed_ring_hashes(b) - b->entries;
        for (size_t i = 0; i < some; i++) *to-- = told[i];
        b->entries += (uint32_t)some;
        f->next += some;
        told += some;
        n -= some;
    }
    lock_release(&f->lock);
}

uint32_t feed_ring_odd(const struct feed_block *b, uint32_t *at, struct slice *text) {
    uint32_t entry, n = 0;
    memcpy(&entry, b->data + *at, sizeof entry);
    const char *p = b->data + *at + sizeof entry, *digit = p + 1;
    for (; *digit != '\r'; digit++) n = n * 10 + (uint32_t)(*digit - '0');
    *text = (struct slice){p, (size_t)(digit + 2 - p) + n + 2};
    *at += (uint32_t)(sizeof entry + text->n);
    return entry;
}

/* -- life -------------------------------------------------------------------------------------------------------------------- */

/* A number is passed over: who was told `next` before recording ended must not take it for this one. */
static void begin(struct env *e) {
    struct feed *f = e->feed;
    f->began = f->told = ++f->next;
    add_block(f, most_blocks(e), true);
    atomic_store(&f->head.level, FEED_HASHES);
    store_watch(e->store, 1);
}

static void end(struct env *e) {
    struct feed *f = e->feed;
    atomic_store(&f->head.level, FEED_OFF);
    store_watch(e->store, -1);
    while (f->oldest) drop_oldest(f);
    memset(f->seen, 0, sizeof f->seen);
}

static bool is_over(struct env *e, int64_t left_us) { return clock_mono_us() - left_us >= option_get(&e->config.feed_keep) * 1000000; }

void feed_tick(struct env *e) {
    struct feed *f = e->feed;
    if (!feed_on(f)) return;
    lock_acquire(&f->lock);
    if (feed_on(f) && !f->listeners && is_over(e, f->left_us)) end(e);
    if (feed_on(f) == FEED_KEYS && !f->key_listeners && is_over(e, f->keys_left_us)) atomic_store(&f->head.level, FEED_HASHES);
    lock_release(&f->lock);
}

static void stand_at_end(struct feed *f, struct feed_place *p) {
    *p = (struct feed_place){f->newest, f->newest->used, f->next};
    f->told = f->next;
}

/* The bytes of n changes; of a bare block: of those of its first n entries that are told. */
static uint32_t skip_bare(const struct feed_block *b, uint64_t n) {
    uint32_t at = 0;
    struct slice text;
    for (uint32_t then = 0; then < b->used; at = then)
        if (feed_ring_odd(b, &then, &text) >= n) break;
    return at;
}

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
    *p = (struct feed_place){b, b->bare ? skip_bare(b, seq - b->first) : skip(b, seq - b->first), seq};
}

static enum feed_status status_of(const struct feed *f, uint64_t seq, bool keys) {
    if (!seq) return FEED_NEW;
    if (seq < f->life || seq > f->told) return FEED_OTHER_LIFE;
    if (seq < f->began || (keys && seq < f->keys_from)) return FEED_IDLE;
    return seq < f->oldest->first ? FEED_OVERRUN : FEED_RESUMED;
}

enum feed_status feed_ring_join(struct env *e, uint64_t seq, bool keys, struct feed_place *p) {
    struct feed *f = e->feed;
    lock_acquire(&f->lock);
    bool on = feed_on(f);
    if (keys && feed_on(f) != FEED_KEYS) f->keys_from = f->next + !on; /* begin passes a number over */
    enum feed_status status = on ? status_of(f, seq, keys) : seq ? FEED_IDLE : FEED_NEW;
    if (!on && seq && (seq < f->life || seq > f->next)) status = FEED_OTHER_LIFE;
    if (!on) begin(e);
    if (keys) atomic_store(&f->head.level, FEED_KEYS);
    f->listeners++;
    f->key_listeners += keys;
    if (status == FEED_RESUMED) stand_at(f, seq, p);
    else stand_at_end(f, p);
    feed_ring_hold(p->block);
    lock_release(&f->lock);
    return status;
}

void feed_ring_part(struct env *e, bool keys, struct feed_place *p) {
    struct feed *f = e->feed;
    if (!p->block) return;
    lock_acquire(&f->lock);
    if (!--f->listeners) f->left_us = clock_mono_us();
    if (keys && !--f->key_listeners) f->keys_left_us = clock_mono_us();
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
    if (p->seq == b->first + b->entries) { /* what is left of a block that is gone can still be had */
        struct feed_block *then = b->gone ? f->oldest : b->next;
        if (!then) return false;
        if (b->gone && then->first != p->seq) {
            lose(f, p, out);
            return true;
        }
        move(p, then, 0);
        b = then;
        if (!b->entries) return false;
    }
    *out = (struct feed_piece){b, p->at, b->used, b->odd != 0, b->bare, p->seq, b->first + b->entries};
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

struct feed_facts feed_facts(struct env *e) {
    struct feed *f = e->feed;
    lock_acquire(&f->lock);
    struct feed_facts facts = {f->listeners, f->next, f->oldest ? f->oldest->first : f->next, f->blocks * FEED_BLOCK};
    lock_release(&f->lock);
    return facts;
}
