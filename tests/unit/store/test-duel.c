/* Is the way to evict found out that hits most? Against plain simulations of the same load. */
#include "base/hash.h"
#include "store/duel.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define KEYS 60000
#define LINE 100 /* bytes */

struct load {
    struct density *d;
    struct density_lane *lane;
    struct duel *duel;
    uint32_t word[KEYS];
    uint64_t clock, random;
};

static uint64_t hash_of(uint32_t key) { return hash_bytes(&key, sizeof key, 11); }

static uint64_t draw(struct load *l) {
    l->random = l->random * 6364136223846793005ull + 1442695040888963407ull;
    return l->random >> 33;
}

static struct load *load_new(uint64_t fits) {
    struct load *l = calloc(1, sizeof *l);
    l->d = density_new();
    l->lane = density_lane_new(l->d);
    l->duel = duel_new(l->d);
    density_limit(l->d, fits * LINE);
    l->random = 3;
    return l;
}

static void load_free(struct load *l) {
    duel_free(l->duel);
    density_free(l->d);
    free(l);
}

static void use(struct load *l, uint32_t k) {
    uint64_t hash = hash_of(k);
    l->word[k] = l->word[k] ? density_used(l->d, l->lane, l->word[k], LINE) : density_born(l->d, l->lane, hash);
    if (duel_has(l->duel, hash)) duel_use(l->duel, hash, l->word[k], LINE);
}

static void learn(struct load *l, uint64_t fits) {
    density_learn(l->d, fits, fits * LINE, fits * LINE);
    duel_size(l->duel, fits, fits * LINE);
}

/* Of two loads the next key: some are popular, among many by turns, where LRU is not best; and a window that moves on, where it is. */
static uint32_t popular(struct load *l, unsigned i) { return i % 2 ? (uint32_t)(draw(l) % 3000) : 3000 + i / 2 % 30000; }
static uint32_t moving(struct load *l, unsigned i) { return 34000 + (uint32_t)(i / 8 + draw(l) % 1500) % 20000; }

Test(duel, starts_with_hit_density_and_stays_there_while_all_fits) {
    struct load *l = load_new(KEYS);
    for (unsigned i = 0; i < 300000; i++) use(l, (uint32_t)(draw(l) % 20000));
    cr_assert_eq(duel_way(l->duel), DUEL_DENSITY);
    load_free(l);
}

Test(duel, keys_are_drawn_in_proportion_to_how_many_there_are) {
    struct load *l = load_new(KEYS);
    for (unsigned i = 0; i < KEYS; i++) use(l, i);
    unsigned drawn = 0;
    for (unsigned i = 0; i < KEYS; i++) drawn += duel_has(l->duel, hash_of(i));
    cr_assert(drawn > DUEL_KEYS * 3 / 4 && drawn <= DUEL_KEYS * 2, "%u", drawn);
    duel_size(l->duel, 500, 500 * LINE);
    for (int i = 0; i < 10; i++) duel_size(l->duel, 500, 500 * LINE);
    drawn = 0;
    for (unsigned i = 0; i < 500; i++) drawn += duel_has(l->duel, hash_of(i));
    cr_assert_gt(drawn, 100, "fewer keys, so more of them: %u", drawn);
    load_free(l);
}

/* The real cache may hold few keys for a while in which a small one is full: what is drawn changes to and fro, and none overflows. */
Test(duel, small_caches_do_not_overflow_whatever_the_real_one_holds) {
    struct load *l = load_new(KEYS);
    for (unsigned i = 0; i < 4 * KEYS; i++) {
        use(l, i % KEYS);
        if (i % 8 == 0) duel_size(l->duel, 200, 1u << 30);
    }
    float held = duel_loss(l->duel, 0, 1u << 30).misses;
    cr_assert(held > 0 && held < DUEL_KEYS * 2, "%f: a small cache is as it should be, and all keys are drawn", (double)held);
    load_free(l);
}

/* What is popular moves on all the time: who was popular once is of no use any more, and LRU is the best there is. */
Test(duel, where_the_newest_are_used_next_it_goes_by_age) {
    enum { FITS = 6000, STEPS = 600000 };
    struct load *l = load_new(FITS);
    unsigned by_age = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        /* Old words of high frequency look dense: their hits were many, and none was evicted. */
        uint32_t k = (uint32_t)(i / 15 + draw(l) % 4000) % KEYS;
        use(l, k);
        if (i == FITS * 4) duel_size(l->duel, FITS, FITS * LINE);
        if (i % FITS == 0 && i > FITS * 4) duel_size(l->duel, FITS, FITS * LINE);
        by_age += i > STEPS / 2 && duel_way(l->duel) == DUEL_AGE;
    }
    cr_assert_gt(by_age, STEPS / 10, "%u of %u", by_age, STEPS / 2);
    load_free(l);
}

/* Popularity that never changes, with as many uses of keys that never come again. */
Test(duel, where_popularity_stays_it_does_not_go_by_age) {
    enum { FITS = 3000, STEPS = 600000 };
    struct load *l = load_new(FITS);
    unsigned by_age = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        use(l, i % 2 ? (uint32_t)(draw(l) % 3000) : 3000 + i / 2 % (KEYS - 3000));
        if (i >= FITS * 4 && i % FITS == 0) duel_size(l->duel, FITS, FITS * LINE);
        by_age += i > STEPS / 2 && duel_way(l->duel) == DUEL_AGE;
    }
    cr_assert_eq(by_age, 0, "%u", by_age);
    load_free(l);
}

/* For a long time another way than LRU was better, and then what was popular is dead: that is seen before a cache is full of new keys. */
Test(duel, what_was_better_for_long_is_left_when_the_load_changes) {
    enum { FITS = 3000, BEFORE = 400000 };
    struct load *l = load_new(FITS);
    for (unsigned i = 0; i < BEFORE; i++) {
        use(l, popular(l, i));
        if (i >= FITS * 4 && i % FITS == 0) {
            learn(l, FITS);
        }
    }
    cr_assert_neq(duel_way(l->duel), DUEL_AGE);
    unsigned after = 0; /* uses of a window that moves on */
    for (; after < 60000 && duel_way(l->duel) != DUEL_AGE; after++) use(l, moving(l, after));
    cr_assert_lt(after, 4000, "%u", after);
    load_free(l);
}

/* A window that moves on, where LRU is best, and beside it values too large for the small caches: one in so many uses. */
static void window_and_huge(struct load *l, unsigned *i, unsigned n, unsigned one_in) {
    enum { FITS = 3000, HUGE = 60000 };
    for (unsigned end = *i + n; *i < end; ++*i) {
        use(l, (uint32_t)(*i / 8 + draw(l) % 1500) % KEYS);
        if (one_in && *i % one_in == 0) duel_use(l->duel, hash_of(KEYS + *i), 1, HUGE);
        if (*i % FITS) continue;
        learn(l, FITS);
    }
}

Test(duel, where_most_bytes_are_in_huge_values_it_goes_by_density) {
    struct load *l = load_new(3000);
    unsigned i = 0;
    window_and_huge(l, &i, 200000, 200);
    cr_assert_eq(duel_way(l->duel), DUEL_DENSITY);
    window_and_huge(l, &i, 200000, 0);
    cr_assert_neq(duel_way(l->duel), DUEL_DENSITY, "without them another way is better");
    window_and_huge(l, &i, 20000, 200);
    cr_assert_eq(duel_way(l->duel), DUEL_DENSITY);
    window_and_huge(l, &i, 400000, 8000);
    cr_assert_neq(duel_way(l->duel), DUEL_DENSITY, "they are few");
    load_free(l);
}

/* By turns, each for many caches full, LRU is best and then another way is. The tenth time is seen as soon as the first. */
Test(duel, what_changed_often_and_for_long_is_still_seen_at_once) {
    enum { FITS = 3000, PHASE = 60000, TURNS = 10 };
    struct load *l = load_new(FITS);
    unsigned after = 0, i = 0;
    for (unsigned turn = 0; turn < TURNS; turn++)
        for (unsigned end = i + PHASE * 2; i < end; i++) {
            bool window = i >= end - PHASE;
            if (i == end - PHASE) after = 0;
            after += window && duel_way(l->duel) != DUEL_AGE;
            use(l, window ? moving(l, i) : popular(l, i));
            if (i < FITS * 4 || i % FITS) continue;
            learn(l, FITS);
        }
    cr_assert_lt(after, 5000, "%u", after);
    load_free(l);
}

static int32_t rank(const struct density *d, enum duel_way way, uint32_t word, uint32_t size) {
    struct density_moment now = density_moment(d);
    uint32_t words[4] = {word}, bytes[4] = {size}, cell[4];
    int32_t ranks[4];
    duel_ranks(&now, way, 1, words, bytes, ranks, cell);
    return ranks[0];
}

Test(duel, ranks_mean_what_their_names_say) {
    struct density *d = density_new();
    struct density_lane *lane = density_lane_new(d);
    uint32_t old = density_born(d, lane, 1);
    for (unsigned i = 0; i < 8; i++) old = density_used(d, lane, old, LINE);
    for (unsigned i = 0; i < 10000; i++) density_born(d, lane, 2);
    uint32_t young = density_born(d, lane, 3);
    for (unsigned i = 0; i < 10000; i++) density_born(d, lane, 2);
    cr_assert_gt(rank(d, DUEL_AGE, old, 9), rank(d, DUEL_AGE, young, 9), "the older one goes");
    cr_assert_lt(rank(d, DUEL_FREQUENCY, old, 9), rank(d, DUEL_FREQUENCY, young, 9), "the one used once goes");
    uint32_t newest = density_born(d, lane, 4);
    cr_assert_gt(rank(d, DUEL_FREQUENCY, young, 9), rank(d, DUEL_FREQUENCY, newest, 9), "used as often: the older");
    int32_t large = rank(d, DUEL_DENSITY, young, 2000), small = rank(d, DUEL_DENSITY, young, 200);
    float of[2];
    memcpy(&of[0], &large, sizeof large);
    memcpy(&of[1], &small, sizeof small);
    cr_assert_gt(of[0], 9 * of[1], "ten times the bytes");
    density_free(d);
}

static void evicted(struct load *l, uint32_t word, uint32_t bytes, uint32_t key) {
    struct density_moment now = density_moment(l->d);
    uint32_t words[4] = {word}, sizes[4] = {bytes}, cell[4];
    int32_t ranks[4];
    density_ranks(&now, 1, words, sizes, ranks, cell);
    density_evicted(l->d, l->lane, cell[0], word, hash_of(key));
}

/* All keys are drawn here and nothing is evicted, so the small caches hold what was used. */
Test(duel, what_is_lost_with_the_worst_is_what_a_sum_over_all_of_them_says) {
    enum { N = 900, STEPS = 40000 };
    struct load *l = load_new(N);
    static uint32_t size[N];
    for (uint32_t k = 0; k < N; k++) size[k] = 20 + (uint32_t)draw(l) % 4000;
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t k = (uint32_t)(draw(l) % N * (draw(l) % N) / N);
        uint64_t hash = hash_of(k);
        l->word[k] = l->word[k] ? density_used(l->d, l->lane, l->word[k], size[k]) : density_born(l->d, l->lane, hash);
        duel_use(l->duel, hash, l->word[k], size[k]);
        if (i % 7 == 0) evicted(l, l->word[k], size[k], KEYS + i);
        if (i % 2000 == 0) density_learn(l->d, N, N * 2000, N * 2000);
    }
    struct worth {
        float rank, hits;
        uint64_t bytes;
    } worth[N];
    uint64_t clock = density_clock(l->d), all = 0;
    unsigned n = 0;
    float hits = 0;
    for (uint32_t k = 0; k < N; k++) {
        if (!l->word[k]) continue;
        float rank = density_rank(l->d, clock, l->word[k], size[k]);
        unsigned at = n++; /* the worst first */
        for (; at > 0 && worth[at - 1].rank < rank; at--) worth[at] = worth[at - 1];
        worth[at] = (struct worth){rank, (float)size[k] / rank, size[k]};
        all += size[k];
        hits += (float)size[k] / rank;
    }
    cr_assert_eq(duel_loss(l->duel, 0, 0).hits, 0);
    cr_assert_float_eq(duel_loss(l->duel, 0, all * 2).hits, density_hits(l->d), 0.001f);
    for (unsigned first = 0; first < n; first += n / 7) {
        uint64_t before = 0, gone = 0;
        float lost = 0;
        for (unsigned i = 0; i < first; i++) before += worth[i].bytes;
        for (unsigned i = first; i < n; i++) {
            gone += worth[i].bytes;
            lost += worth[i].hits / hits * density_hits(l->d);
            if (i - first < 60) continue;
            struct duel_loss loss = duel_loss(l->duel, before, gone);
            float told = loss.hits, misses = (float)(i - first + 1) * density_hits(l->d);
            cr_assert_float_eq(loss.misses, misses, misses / 10, "%u to %u: %f", first, i, (double)loss.misses);
            cr_assert(told > lost * 0.9f && told < lost * 1.1f, "%u to %u: %f, %f is right", first, i, (double)told, (double)lost);
        }
    }
    load_free(l);
}
