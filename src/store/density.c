#include "store/density.h"

#include "base/mem.h"
#include "base/quad.h"

#include <stdatomic.h>
#include <string.h>

#define FREQUENCY_BITS DENSITY_FREQUENCY_BITS
#define FREQUENCY_MAX 63u
#define UNIT_BITS (DENSITY_AGE_BITS - 1) /* of an age */
#define AGE_MASK ((1u << DENSITY_AGE_BITS) - 1)
#define STEADY 16384    /* the clock's unit is such that the cache is about so many units large, */
#define LEAST 512       /* or stays what it is if it is no smaller than this, */
#define MOST 524288     /* and no larger than this: words that are there would mean something else */
#define SHIFT_FIRST 4   /* fits 2 MB to 2 GB */
#define ENTRY_GUESS 256 /* bytes: for sizing by maxmemory */
#define PERIOD 20       /* caches full of uses after which frequencies halve */
#define PUBLISH 16      /* uses that a thread counts for itself */
#define PRIOR_EVENTS 10.0f
#define EARLY_ROUNDS 8
#define KEEP 0.98f      /* of what was learned, at each learning */
#define GHOST_BYTES 512 /* of maxmemory for each cell of two bytes */
#define GHOST_MIN 1024

typedef _Atomic float worth; /* 1 / density */
typedef _Atomic uint32_t tally; /* of one thread; the learner takes them away, and one that comes just then may be lost */

struct density_lane {
    struct density_lane *next;
    uint64_t clock;
    uint32_t unpublished;
    tally hits[DENSITY_CLASSES][DENSITY_AGES], evicted[DENSITY_CLASSES][DENSITY_AGES];
};

struct ghosts {
    size_t cells; /* a power of two, and so are its bytes: a block that wastes none */
    uint64_t limit; /* that they are for */
    _Atomic uint32_t *pair; /* two cells, each of 10 bits of the hash and 6 of frequency; 0: empty */
};

struct density {
    _Atomic uint64_t clock;
    char apart[56]; /* the clock is written by all threads */
    worth worth[DENSITY_CLASSES][DENSITY_AGES];
    _Atomic float hit_share;
    _Atomic uint64_t limit;
    _Atomic uint32_t shift;      /* of the clock */
    _Atomic uint32_t period;     /* in units of it */
    _Atomic uint32_t size_below[DENSITY_SIZES - 1]; /* bytes */
    _Atomic uint64_t due;        /* the clock, when to learn next */
    _Atomic uint32_t rounds;
    struct ghosts *_Atomic ghosts;
    struct ghosts *old_ghosts;   /* until nobody can be looking at it */
    struct lock lock;            /* learning, and the list of lanes */
    struct density_lane *lanes;
    float hits[DENSITY_CLASSES][DENSITY_AGES], evicted[DENSITY_CLASSES][DENSITY_AGES]; /* the learner's */
};

/* -- ages: 4 buckets to a doubling of age + 4 ------------------------------------------------------------------------------ */

#define BUCKET_BITS 21 /* of a float below its exponent and the two highest bits of its fraction */
#define BUCKET_FIRST ((127 + 2) << 2) /* of 4.0 */

static inline unsigned bucket(uint32_t age) {
    float number = (float)(int32_t)(age + 4);
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (bits >> BUCKET_BITS) - BUCKET_FIRST;
}

static float bucket_start(unsigned b) { return (float)((4ull + b % 4) << (b / 4)) - 4; }

/* -- words ------------------------------------------------------------------------------------------------------------------- */

static inline uint32_t word_age(uint32_t now, uint32_t word) {
    uint32_t age = (now - (word >> FREQUENCY_BITS)) & AGE_MASK;
    return age > AGE_MASK / 2 ? 0 : age; /* another thread's clock was a little ahead */
}

static inline uint32_t clock_units(const struct density *d, uint64_t clock) {
    return (uint32_t)(clock >> atomic_load_explicit(&d->shift, memory_order_relaxed)) & AGE_MASK;
}

unsigned density_frequency(uint32_t word) { return word & FREQUENCY_MAX; }

uint64_t density_age(const struct density *d, uint64_t clock, uint32_t word) {
    return (uint64_t)word_age(clock_units(d, clock), word) << atomic_load_explicit(&d->shift, memory_order_relaxed);
}

/* Classes of frequency; and, by a word's lowest byte as it is, the cells where each begins. */
#define BY_FREQUENCY(of, at) [at] = of(0), of(0), of(1), of(2), of(3), of(3), [at + 6 ... at + 9] = of(4), [at + 10 ... at + 20] = of(5), \
    [at + 21 ... at + 60] = of(6), [at + 61 ... at + 63] = of(7)
#define CLASS(class) (class)
#define ROW(class) ((class) * DENSITY_AGES)
static const uint8_t by_frequency[FREQUENCY_MAX + 1] = {BY_FREQUENCY(CLASS, 0)};
static const uint16_t row_of[256] = {BY_FREQUENCY(ROW, 0), BY_FREQUENCY(ROW, 64), BY_FREQUENCY(ROW, 128), BY_FREQUENCY(ROW, 192)};

static inline unsigned class_of(const struct density *d, unsigned frequency, size_t bytes) {
    unsigned size = 0;
    for (unsigned i = 0; i < DENSITY_SIZES - 1; i++) /* ascending; no branches */
        size += bytes >= atomic_load_explicit(&d->size_below[i], memory_order_relaxed);
    return by_frequency[frequency] + size * DENSITY_FREQUENCIES;
}

static inline void count(tally *e) {
    atomic_store_explicit(e, atomic_load_explicit(e, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline uint64_t lane_tick(struct density *d, struct density_lane *l) {
    if (++l->unpublished < PUBLISH) return ++l->clock;
    l->clock = atomic_fetch_add_explicit(&d->clock, l->unpublished, memory_order_relaxed) + l->unpublished;
    l->unpublished = 0;
    return l->clock;
}

uint32_t density_used(struct density *d, struct density_lane *l, uint32_t word, size_t bytes) {
    uint32_t now = clock_units(d, lane_tick(d, l)), age = word_age(now, word), frequency = word & FREQUENCY_MAX;
    count(&l->hits[class_of(d, frequency, bytes)][bucket(age)]);
    uint32_t period = atomic_load_explicit(&d->period, memory_order_relaxed);
    for (; age >= period && frequency; age -= period) frequency /= 2;
    if (frequency < FREQUENCY_MAX) frequency++;
    return now << FREQUENCY_BITS | frequency;
}

uint64_t density_clock(const struct density *d) { return atomic_load_explicit(&((struct density *)(uintptr_t)d)->clock, memory_order_relaxed); }

struct density_moment density_moment(const struct density *d) {
    struct density_moment m = {.of = d, .clock = density_clock(d)};
    m.now = clock_units(d, m.clock);
    for (unsigned i = 0; i < DENSITY_SIZES - 1; i++) m.size_below[i] = atomic_load_explicit(&d->size_below[i], memory_order_relaxed);
    return m;
}

/* What is the same for all of some, four times. */
struct fours {
    quad now, below[DENSITY_SIZES - 1];
};

static inline struct fours fours_of(const struct density_moment *m) {
    return (struct fours){quad_all(m->now << FREQUENCY_BITS | FREQUENCY_MAX),
        {quad_all(m->size_below[0]), quad_all(m->size_below[1]), quad_all(m->size_below[2])}};
}

static inline quad four_units(const struct fours *f, const uint32_t *word) { /* as density_units */
    quad age = quad_less(f->now, quad_load(word));
    return (age & ~(age >> 31)) >> FREQUENCY_BITS;
}

/* A cell's number is its class and its age's bucket: the size's and the age's share of it are told for four at once, the frequency's is
 * looked up. */
static inline void four_cells(const struct fours *f, const uint32_t *restrict word, quad bytes, uint32_t *restrict cell) {
    quad at = ((quad)quad_floats(four_units(f, word) + 4) >> BUCKET_BITS) - BUCKET_FIRST;
    for (unsigned k = 0; k < DENSITY_SIZES - 1; k++) at += quad_all(DENSITY_FREQUENCIES * DENSITY_AGES) & ~(f->below[k] > bytes);
    quad_store(cell, at);
#pragma GCC unroll 4
    for (unsigned k = 0; k < 4; k++) cell[k] += row_of[word[k] & 255];
}

void density_ranks(const struct density_moment *m, unsigned n, const uint32_t *restrict word, const uint32_t *restrict bytes,
    int32_t *restrict rank, uint32_t *restrict cell) {
    const worth *worths = m->of->worth[0];
    const struct fours f = fours_of(m);
    for (const uint32_t *end = word + n; word < end; word += 4, bytes += 4, rank += 4, cell += 4) {
        float cost[4];
        four_cells(&f, word, quad_load(bytes), cell);
        quad_store(cost, (quad)quad_floats(quad_load(bytes)));
#pragma GCC unroll 4
        for (unsigned k = 0; k < 4; k++) {
            cost[k] *= atomic_load_explicit((worth *)(uintptr_t)&worths[cell[k]], memory_order_relaxed);
            memcpy(rank + k, &cost[k], sizeof cost[k]);
        }
    }
}

void density_ranks_plain(const struct density_moment *m, bool by_age, unsigned n, const uint32_t *restrict word,
    const uint32_t *restrict bytes, int32_t *restrict rank, uint32_t *restrict cell) {
    const struct fours f = fours_of(m);
    for (const uint32_t *end = word + n; word < end; word += 4, bytes += 4, rank += 4, cell += 4) {
        quad age = four_units(&f, word), seldom = FREQUENCY_MAX - (quad_load(word) & FREQUENCY_MAX);
        four_cells(&f, word, quad_load(bytes), cell);
        quad_store(rank, by_age ? age << (31 - UNIT_BITS) : seldom << UNIT_BITS | age);
    }
}

float density_hits(const struct density *d) { return atomic_load_explicit(&((struct density *)(uintptr_t)d)->hit_share, memory_order_relaxed); }

float density_rank(const struct density *d, uint64_t clock, uint32_t word, size_t bytes) {
    unsigned c = class_of(d, word & FREQUENCY_MAX, bytes);
    const worth *at = &d->worth[c][bucket(word_age(clock_units(d, clock), word))];
    return (float)bytes * atomic_load_explicit((worth *)(uintptr_t)at, memory_order_relaxed);
}

/* -- what was evicted --------------------------------------------------------------------------------------------------------- */

/* A key may lie in either half of its pair of cells, which are read and written together. */
#define MARKS_MASK 0xffc0ffc0u
#define MARK_BITS 1023u

static inline uint32_t ghost_mark(uint64_t hash) { return ((uint32_t)hash & MARK_BITS) << FREQUENCY_BITS; }
static inline _Atomic uint32_t *ghost_pair(const struct ghosts *g, uint64_t hash) { return &g->pair[(hash >> 12 & (g->cells - 1)) >> 1]; }

static unsigned ghost_take(struct density *d, uint64_t hash) {
    struct ghosts *g = atomic_load_explicit(&d->ghosts, memory_order_acquire);
    if (__builtin_expect(!g, 0)) return 0;
    _Atomic uint32_t *at = ghost_pair(g, hash);
    uint32_t v = atomic_load_explicit(at, memory_order_relaxed), other = (v ^ ghost_mark(hash) * 0x10001u) & MARKS_MASK;
    if (__builtin_expect((other & 0xffff) && other >> 16, 1)) return 0;
    unsigned half = other & 0xffff ? 16 : 0;
    atomic_store_explicit(at, v & ~(0xffffu << half), memory_order_relaxed);
    return v >> half & FREQUENCY_MAX;
}

/* In the half with the lower frequency, or in its own. */
static void ghost_leave(struct density *d, uint64_t hash, unsigned frequency) {
    struct ghosts *g = atomic_load_explicit(&d->ghosts, memory_order_acquire);
    if (__builtin_expect(!g || !frequency, 0)) return;
    _Atomic uint32_t *at = ghost_pair(g, hash);
    uint32_t v = atomic_load_explicit(at, memory_order_relaxed), own = hash >> 12 & 1;
    unsigned half = (v >> 16 & FREQUENCY_MAX) < (v & FREQUENCY_MAX) + own ? 16 : 0;
    atomic_store_explicit(at, (v & ~(0xffffu << half)) | (ghost_mark(hash) | frequency) << half, memory_order_relaxed);
}

static void density_limit_changed(struct density *d, uint64_t limit) {
    uint64_t entries = limit / ENTRY_GUESS;
    uint32_t shift = atomic_load(&d->shift);
    atomic_store(&d->limit, limit);
    if (!limit || (entries >> shift >= LEAST && entries >> shift <= MOST)) return;
    for (shift = 0; (uint64_t)STEADY << (shift + 1) <= entries;) shift++;
    atomic_store(&d->shift, shift);
}

void density_limit(struct density *d, uint64_t limit) {
    if (__builtin_expect(limit != atomic_load_explicit(&d->limit, memory_order_relaxed), 0)) density_limit_changed(d, limit);
}

uint32_t density_born(struct density *d, struct density_lane *l, uint64_t hash) {
    uint32_t now = clock_units(d, lane_tick(d, l)), frequency = ghost_take(d, hash) + 1;
    return now << FREQUENCY_BITS | (frequency < FREQUENCY_MAX ? frequency : FREQUENCY_MAX);
}

void density_evicted(struct density *d, struct density_lane *l, uint32_t cell, uint32_t word, uint64_t hash) {
    count(&l->evicted[0][0] + cell);
    ghost_leave(d, hash, word & FREQUENCY_MAX);
}

/* -- learning ------------------------------------------------------------------------------------------------------------------ */

/* Going down in age: `hits` came at this age or later, `life` is how long entries of this age lived on, all together. */
static void learn_class(struct density *d, unsigned c, float keys) {
    float hits = 0, events = 0, life = 0, frequency = (float)(c % DENSITY_FREQUENCIES) + 0.5f;
    for (unsigned a = DENSITY_AGES; a-- > 0;) {
        float width = bucket_start(a + 1) - bucket_start(a), here = d->hits[c][a] + d->evicted[c][a];
        life += (events + here * 0.5f) * width;
        hits += d->hits[c][a];
        events += here;
        float prior = frequency / (keys + bucket_start(a));
        atomic_store_explicit(&d->worth[c][a], (life + PRIOR_EVENTS / prior) / (hits + PRIOR_EVENTS), memory_order_relaxed);
        d->hits[c][a] *= KEEP;
        d->evicted[c][a] *= KEEP;
    }
}

static float gather(float *to, tally *from) {
    float n = (float)atomic_load_explicit(from, memory_order_relaxed);
    *to += n;
    atomic_store_explicit(from, 0, memory_order_relaxed);
    return n;
}

/* Half of it is what it was before. */
static void learn_hits(struct density *d, float hits, float evicted) {
    float was = atomic_load_explicit(&d->hit_share, memory_order_relaxed);
    if (hits + evicted > 0) atomic_store_explicit(&d->hit_share, (was + hits / (hits + evicted)) / 2, memory_order_relaxed);
}

static inline uint32_t fade(uint32_t v) {
    uint32_t frequency = (v & FREQUENCY_MAX) / 2;
    return frequency ? (v & ~FREQUENCY_MAX) | frequency : 0;
}

/* A part of the ghosts at each learning, all of them in a period. */
static void ghosts_fade(struct ghosts *g, uint32_t round) {
    if (!g) return;
    size_t pairs = g->cells / 2, from = pairs / PERIOD * (round % PERIOD), to = round % PERIOD == PERIOD - 1 ? pairs : from + pairs / PERIOD;
    for (size_t i = from; i < to; i++) {
        uint32_t v = atomic_load_explicit(&g->pair[i], memory_order_relaxed);
        if (v) atomic_store_explicit(&g->pair[i], fade(v & 0xffff) | fade(v >> 16) << 16, memory_order_relaxed);
    }
}

static size_t ghosts_for(uint64_t limit) {
    size_t cells = GHOST_MIN;
    while (cells < limit / GHOST_BYTES) cells *= 2;
    return cells;
}

size_t density_wants(const struct density *d, uint64_t limit) {
    const struct ghosts *g = atomic_load_explicit(&d->ghosts, memory_order_acquire);
    if (g && __builtin_expect(g->limit == limit, 1)) return 0;
    size_t cells = ghosts_for(limit);
    return g && g->cells == cells ? 0 : mem_class(sizeof *g) + mem_class(cells / 2 * sizeof *g->pair);
}

static void ghosts_free(struct ghosts *g) {
    if (!g) return;
    mem_free(MEM_INDEX, g->pair);
    mem_free(MEM_INDEX, g);
}

void density_remember(struct density *d, uint64_t limit) {
    if (!lock_try(&d->lock)) return; /* the next one will */
    struct ghosts *g = atomic_load(&d->ghosts);
    size_t cells = ghosts_for(limit);
    if (!g || g->cells != cells) {
        ghosts_free(d->old_ghosts);
        d->old_ghosts = g;
        g = mem_alloc(MEM_INDEX, sizeof *g);
        *g = (struct ghosts){cells, limit, mem_zalloc(MEM_INDEX, cells / 2 * sizeof *g->pair)};
        atomic_store_explicit(&d->ghosts, g, memory_order_release);
    }
    lock_release(&d->lock);
}

bool density_due(const struct density *d) {
    return density_clock(d) >= atomic_load_explicit(&((struct density *)(uintptr_t)d)->due, memory_order_relaxed);
}

void density_learn(struct density *d, uint64_t keys, uint64_t bytes, uint64_t limit) {
    if (!lock_try(&d->lock)) return;
    density_limit(d, limit);
    uint32_t shift = atomic_load(&d->shift), round = atomic_fetch_add(&d->rounds, 1);
    atomic_store(&d->due, density_clock(d) + (round < EARLY_ROUNDS ? keys / 2 : keys) + 64);
    float units = (float)(keys + 1) / (float)(1u << shift), mean = (float)bytes / (float)(keys + 1);
    float hits = 0, evicted = 0;
    static const float edge[DENSITY_SIZES - 1] = {0.4f, 0.8f, 1.5f};
    atomic_store(&d->period, (uint32_t)(units * PERIOD) + 1);
    ghosts_fade(atomic_load(&d->ghosts), round);
    for (unsigned i = 0; i < DENSITY_SIZES - 1; i++) atomic_store(&d->size_below[i], (uint32_t)(mean * edge[i]) + 1);
    for (struct density_lane *l = d->lanes; l; l = l->next)
        for (unsigned i = 0; i < DENSITY_CLASSES * DENSITY_AGES; i++) {
            hits += gather(&d->hits[0][0] + i, &l->hits[0][0] + i);
            evicted += gather(&d->evicted[0][0] + i, &l->evicted[0][0] + i);
        }
    learn_hits(d, hits, evicted);
    for (unsigned c = 0; c < DENSITY_CLASSES; c++) learn_class(d, c, units);
    lock_release(&d->lock);
}

/* -- life ----------------------------------------------------------------------------------------------------------------------- */

struct density *density_new(void) {
    struct density *d = mem_zalloc(MEM_UPKEEP, sizeof *d);
    atomic_store(&d->period, UINT32_MAX);
    atomic_store(&d->shift, SHIFT_FIRST);
    atomic_store(&d->hit_share, 1.0f);
    for (unsigned c = 0; c < DENSITY_CLASSES; c++) learn_class(d, c, STEADY);
    return d;
}

struct density_lane *density_lane_new(struct density *d) {
    struct density_lane *l = mem_zalloc(MEM_UPKEEP, sizeof *l);
    l->clock = density_clock(d);
    lock_acquire(&d->lock);
    l->next = d->lanes;
    d->lanes = l;
    lock_release(&d->lock);
    return l;
}

void density_free(struct density *d) {
    for (struct density_lane *l = d->lanes, *next; l; l = next) {
        next = l->next;
        mem_free(MEM_UPKEEP, l);
    }
    ghosts_free(d->old_ghosts);
    ghosts_free(atomic_load(&d->ghosts));
    mem_free(MEM_UPKEEP, d);
}
