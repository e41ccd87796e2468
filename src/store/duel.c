#include "store/duel.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define ITEMS (DUEL_KEYS * 2)
#define PLACES (ITEMS * 2)
#define LOOKS 16             /* a multiple of four (density_ranks) */
#define EVICTIONS 8          /* for one use, at the most: the rest with the next ones */
#define SIGNIFICANT 2        /* standard deviations */
#define DEBT_STEP 4          /* so many times is a way's debt multiplied when the cache went by it and soon no longer, */
#define LASTS 3              /* which is within so many caches full of drawn uses, and divided when it was longer */
#define MEMORY 1024          /* uses in which two ways differed, after which what they count is halved */

struct item {
    uint64_t hash;
    uint32_t word, bytes;
    uint16_t newer, older; /* numbers of items + 1; 0: none */
};

struct small { /* a small cache: items, where they are by hash, and in which order they were used */
    uint32_t n;
    uint16_t newest, oldest;
    uint64_t bytes;
    uint16_t place[PLACES]; /* number of an item + 1, 0: none */
    struct item item[ITEMS];
};

struct duel {
    struct duel_drawn drawn;
    _Atomic int way;
    struct lock lock;
    struct density *density;
    uint64_t bytes, room, random; /* of the real cache; of a small one */
    uint64_t taken, left_out; /* bytes of drawn uses lately: of those that the small caches play, and of huge ones */
    uint32_t debt[DUEL_WAYS], since; /* drawn uses since the last change */
    uint32_t won[DUEL_WAYS], lost[DUEL_WAYS]; /* against the way that the cache goes by */
    struct small small[DUEL_WAYS];
};

/* -- small caches ---------------------------------------------------------------------------------------------------------- */

static uint32_t home_of(uint64_t hash) { return (uint32_t)(hash * 0x9e3779b97f4a7c15ull >> 32) & (PLACES - 1); }

/* Where that item stands, or the empty place where it would. */
static uint32_t small_find(const struct small *s, uint64_t hash) {
    uint32_t at = home_of(hash);
    while (s->place[at] && s->item[s->place[at] - 1].hash != hash) at = (at + 1) & (PLACES - 1);
    return at;
}

/* An empty place ends a search, so what lies behind one and has its home before it moves up. */
static void place_clear(struct small *s, uint32_t at) {
    for (uint32_t next = (at + 1) & (PLACES - 1); s->place[next]; next = (next + 1) & (PLACES - 1)) {
        uint32_t home = home_of(s->item[s->place[next] - 1].hash);
        if (((next - home) & (PLACES - 1)) < ((next - at) & (PLACES - 1))) continue;
        s->place[at] = s->place[next];
        at = next;
    }
    s->place[at] = 0;
}

/* Its neighbours in the order of uses have `newer` and `older` next to them from now on. */
static void small_link(struct small *s, const struct item *i, uint16_t newer, uint16_t older) {
    *(i->newer ? &s->item[i->newer - 1].older : &s->newest) = older;
    *(i->older ? &s->item[i->older - 1].newer : &s->oldest) = newer;
}

static void small_touch(struct small *s, uint32_t i) {
    struct item *at = &s->item[i];
    at->newer = 0;
    at->older = s->newest;
    small_link(s, at, (uint16_t)(i + 1), (uint16_t)(i + 1));
}

static void small_drop(struct small *s, uint32_t i) {
    s->bytes -= s->item[i].bytes;
    place_clear(s, small_find(s, s->item[i].hash));
    small_link(s, &s->item[i], s->item[i].newer, s->item[i].older);
    if (i == --s->n) return;
    s->place[small_find(s, s->item[s->n].hash)] = (uint16_t)(i + 1);
    s->item[i] = s->item[s->n];
    small_link(s, &s->item[i], (uint16_t)(i + 1), (uint16_t)(i + 1));
}

/* Of some next to each other, anywhere, the one that goes by density, or by frequency. (Going round kept newcomers for a whole round.) */
static uint32_t small_worst(struct duel *u, enum duel_way way) {
    const struct small *s = &u->small[way];
    uint32_t at[LOOKS], word[LOOKS], bytes[LOOKS], cell[LOOKS], worst = 0;
    int32_t rank[LOOKS];
    u->random = u->random * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t next = (uint32_t)((u->random >> 33) * s->n >> 31);
    for (unsigned k = 0; k < LOOKS; k++) {
        at[k] = next = next + 1 < s->n ? next + 1 : 0;
        word[k] = s->item[at[k]].word;
        bytes[k] = s->item[at[k]].bytes;
    }
    struct density_moment m = density_moment(u->density);
    duel_ranks(&m, way, LOOKS, word, bytes, rank, cell);
    for (unsigned k = 1; k < LOOKS; k++)
        if (rank[k] > rank[worst]) worst = k;
    return at[worst];
}

static void small_evict(struct duel *u, enum duel_way way) {
    struct small *s = &u->small[way];
    small_drop(s, way == DUEL_AGE ? s->oldest - 1u : small_worst(u, way));
}

/* Was it there? It is from now on. */
static bool small_use(struct duel *u, enum duel_way way, struct item use) {
    struct small *s = &u->small[way];
    uint32_t at = small_find(s, use.hash);
    bool hit = s->place[at];
    if (hit) {
        uint32_t i = s->place[at] - 1u;
        s->bytes += (uint64_t)use.bytes - s->item[i].bytes;
        small_link(s, &s->item[i], s->item[i].newer, s->item[i].older);
        s->item[i] = use;
        small_touch(s, i);
    } else {
        for (unsigned k = 0; s->n && k < EVICTIONS && s->bytes + use.bytes > u->room; k++) small_evict(u, way);
        at = small_find(s, use.hash);
        assert(s->n < ITEMS);
        s->item[s->n] = use;
        small_touch(s, s->n);
        s->place[at] = (uint16_t)++s->n;
        s->bytes += use.bytes;
    }
    return hit;
}

static uint32_t most_items(const struct duel *u) {
    uint32_t most = 0;
    for (int way = 0; way < DUEL_WAYS; way++)
        if (u->small[way].n > most) most = u->small[way].n;
    return most;
}

/* Half as many keys are drawn from now on. */
static void thin_out(struct duel *u) {
    uint64_t mask = atomic_load_explicit(&u->drawn.mask, memory_order_relaxed) * 2 + 1;
    for (int way = 0; way < DUEL_WAYS; way++) {
        struct small *s = &u->small[way];
        for (uint32_t i = s->n; i-- > 0;)
            if (s->item[i].hash >> 16 & mask) small_drop(s, i);
    }
    atomic_store_explicit(&u->drawn.mask, mask, memory_order_relaxed);
    if (u->bytes != UINT64_MAX) u->room = u->bytes / (mask + 1);
}

/* -- what the worst are worth ------------------------------------------------------------------------------------------------ */

#define RANK_BITS 21 /* of a float's bits, below those that a rank is sorted by here: a quarter of an octave */
#define RANKS (1u << (31 - RANK_BITS))

struct worst { /* by rank: how many bytes there are of it, and hits that they are good for */
    float bytes[RANKS], hits[RANKS], entries[RANKS];
};

/* In place of one there would be most of the others, and it is not by its rank that it stays (claim.h). */
static bool is_huge(const struct duel *u, size_t bytes) {
    return bytes > u->room / DUEL_HUGE_SHARE && bytes / DUEL_HUGE_PLACES > u->room / (u->small[DUEL_DENSITY].n + 1u);
}

static void worst_gather(const struct duel *u, const struct small *s, struct worst *w) {
    struct density_moment m = density_moment(u->density);
    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < s->n; i += LOOKS) {
        uint32_t word[LOOKS] = {0}, bytes[LOOKS] = {0}, cell[LOOKS], n = s->n - i < LOOKS ? s->n - i : LOOKS;
        int32_t rank[LOOKS];
        for (uint32_t k = 0; k < n; k++) {
            word[k] = s->item[i + k].word;
            bytes[k] = s->item[i + k].bytes;
        }
        density_ranks(&m, LOOKS, word, bytes, rank, cell);
        for (uint32_t k = 0; k < n; k++) {
            float each, size = (float)bytes[k];
            memcpy(&each, &rank[k], sizeof each);
            if (each <= 0 || is_huge(u, bytes[k])) continue;
            w->bytes[rank[k] >> RANK_BITS] += size;
            w->hits[rank[k] >> RANK_BITS] += size / each;
            w->entries[rank[k] >> RANK_BITS] += 1;
        }
    }
}

/* What the densities say is taken for shares of the hits that there are: as sums they are too high or too low while they are learned. */
struct duel_loss duel_loss(struct duel *u, uint64_t first, uint64_t bytes) {
    struct worst w;
    lock_acquire(&u->lock);
    worst_gather(u, &u->small[atomic_load_explicit(&u->way, memory_order_relaxed)], &w);
    float part = (float)(atomic_load_explicit(&u->drawn.mask, memory_order_relaxed) + 1);
    lock_release(&u->lock);
    float from = (float)first / part, to = from + (float)bytes / part, at = 0, hits = 0, all = 0, entries = 0;
    for (unsigned r = RANKS; r-- > 0; at += w.bytes[r]) {
        float here = fminf(at + w.bytes[r], to) - fmaxf(at, from);
        if (here > 0) {
            hits += w.hits[r] * here / w.bytes[r];
            entries += w.entries[r] * here / w.bytes[r];
        }
        all += w.hits[r];
    }
    float share = density_hits(u->density);
    return (struct duel_loss){.hits = all > 0 ? hits / all * share : 0, .misses = entries * part * share};
}

/* -- the duel ---------------------------------------------------------------------------------------------------------------- */

void duel_ranks(const struct density_moment *m, enum duel_way way, unsigned n, const uint32_t *word, const uint32_t *bytes, int32_t *rank,
    uint32_t *cell) {
    if (way == DUEL_DENSITY) density_ranks(m, n, word, bytes, rank, cell);
    else density_ranks_plain(m, way == DUEL_AGE, n, word, bytes, rank, cell);
}

/* A way that has lost so many more than it won is no further behind, so that a change is seen soon, whatever was before. */
static const uint32_t debt_first[DUEL_WAYS] = {[DUEL_DENSITY] = 8, [DUEL_AGE] = 4, [DUEL_FREQUENCY] = 16};

/* What was left soon was taken for better by mistake: the next time it takes more. */
static void debt_learn(struct duel *u, enum duel_way left) {
    uint32_t debt = u->debt[left], first = debt_first[left];
    if (left == DUEL_DENSITY) return;
    if (u->since >= LASTS * most_items(u)) u->debt[left] = debt > first * DEBT_STEP ? debt / DEBT_STEP : first;
    else if (debt < MEMORY) u->debt[left] = debt * DEBT_STEP;
}

static void change_to(struct duel *u, enum duel_way way) {
    debt_learn(u, duel_way(u));
    atomic_store_explicit(&u->way, (int)way, memory_order_relaxed);
    memset(u->won, 0, sizeof u->won);
    memset(u->lost, 0, sizeof u->lost);
    u->since = 0;
}

static void weigh(struct duel *u, size_t bytes, bool huge) {
    *(huge ? &u->left_out : &u->taken) += bytes;
    if (u->left_out + u->taken <= u->room * 4) return;
    u->left_out /= 2;
    u->taken /= 2;
}

/* Where most bytes are in values that are too large for the small caches, these cannot tell what is lost by keeping them: only density
 * weighs sizes. */
static bool is_blind(const struct duel *u) { return u->left_out > u->taken; }

static void judge(struct duel *u, const bool hit[DUEL_WAYS]) {
    int way = atomic_load_explicit(&u->way, memory_order_relaxed);
    u->since++;
    if (is_blind(u)) {
        if (way != DUEL_DENSITY) change_to(u, DUEL_DENSITY);
        return;
    }
    for (int other = 0; other < DUEL_WAYS; other++) {
        if (hit[other] == hit[way]) continue;
        if (hit[other]) u->won[other]++;
        else u->lost[other]++;
        if (u->lost[other] >= u->won[other] + u->debt[other]) {
            u->won[other] = 0;
            u->lost[other] = u->debt[other];
        }
        int64_t differed = u->won[other] + u->lost[other], lead = (int64_t)u->won[other] - u->lost[other];
        if (lead > 4 && (lead - 4) * (lead - 4) > SIGNIFICANT * SIGNIFICANT * differed) {
            change_to(u, (enum duel_way)other);
            return;
        }
        if (differed < MEMORY) continue;
        u->won[other] /= 2;
        u->lost[other] /= 2;
    }
}

void duel_use(struct duel *u, uint64_t hash, uint32_t word, size_t bytes) {
    if (!lock_try(&u->lock)) return;
    bool huge = is_huge(u, bytes);
    weigh(u, bytes, huge);
    if (__builtin_expect(huge, 0)) {
        lock_release(&u->lock);
        return;
    }
    struct item use = {.hash = hash, .word = word, .bytes = bytes < INT32_MAX ? (uint32_t)bytes : INT32_MAX};
    bool hit[DUEL_WAYS];
    for (int way = 0; way < DUEL_WAYS; way++) hit[way] = small_use(u, (enum duel_way)way, use);
    judge(u, hit);
    while (most_items(u) == ITEMS) thin_out(u); /* more than once where those that it would drop had not been drawn before */
    lock_release(&u->lock);
}

enum duel_way duel_way(const struct duel *u) {
    return (enum duel_way)atomic_load_explicit(&((struct duel *)(uintptr_t)u)->way, memory_order_relaxed);
}

void duel_size(struct duel *u, uint64_t keys, uint64_t bytes) {
    lock_acquire(&u->lock);
    uint64_t mask = atomic_load(&u->drawn.mask);
    if (mask && keys / (mask + 1) < ITEMS / 8) atomic_store(&u->drawn.mask, mask /= 2);
    u->bytes = bytes;
    u->room = bytes / (mask + 1);
    lock_release(&u->lock);
}

struct duel *duel_new(struct density *d) {
    struct duel *u = mem_zalloc(MEM_UPKEEP, sizeof *u);
    u->density = d;
    memcpy(u->debt, debt_first, sizeof u->debt);
    u->random = 1;
    u->bytes = u->room = UINT64_MAX; /* nothing is evicted yet */
    return u;
}

void duel_free(struct duel *u) { mem_free(MEM_UPKEEP, u); }
