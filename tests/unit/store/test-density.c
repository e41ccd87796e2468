/* The learned policy in a cache of nothing but words: what it keeps, and what it remembers of what is gone. */
#include "base/hash.h"
#include "store/density.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define KEYS 4000

struct cache {
    struct density *d;
    struct density_lane *l;
    uint32_t word[KEYS], resident[KEYS], place[KEYS];
    size_t bytes[KEYS];
    bool in[KEYS];
    uint32_t n;
    size_t used, limit;
    uint64_t random, hits, uses;
};

static uint64_t draw(struct cache *c) {
    c->random = c->random * 6364136223846793005ull + 1442695040888963407ull;
    return c->random >> 33;
}

static uint64_t hash_of(uint32_t key) { return hash_bytes(&key, sizeof key, 7); }

static void cache_open(struct cache *c, size_t limit) {
    memset(c, 0, sizeof *c);
    c->d = density_new();
    c->l = density_lane_new(c->d);
    c->limit = limit;
    c->random = 5;
    for (uint32_t k = 0; k < KEYS; k++) c->bytes[k] = 100;
}

static void evicted(struct cache *c, uint32_t word, size_t bytes, uint64_t hash) {
    struct density_moment now = density_moment(c->d);
    uint32_t words[4] = {word}, sizes[4] = {(uint32_t)bytes}, cell[4];
    int32_t rank[4];
    density_ranks(&now, 1, words, sizes, rank, cell);
    density_evicted(c->d, c->l, cell[0], word, hash);
}

static void evict(struct cache *c) {
    uint32_t worst = 0;
    float highest = -1;
    for (unsigned i = 0; i < 16; i++) {
        uint32_t k = c->resident[draw(c) % c->n];
        float rank = density_rank(c->d, density_clock(c->d), c->word[k], c->bytes[k]);
        if (rank <= highest) continue;
        highest = rank;
        worst = k;
    }
    evicted(c, c->word[worst], c->bytes[worst], hash_of(worst));
    c->in[worst] = false;
    c->used -= c->bytes[worst];
    c->resident[c->place[worst]] = c->resident[--c->n];
    c->place[c->resident[c->n]] = c->place[worst];
}

static void use(struct cache *c, uint32_t k) {
    c->uses++;
    if (c->in[k]) {
        c->hits++;
        c->word[k] = density_used(c->d, c->l, c->word[k], c->bytes[k]);
        return;
    }
    while (c->used + c->bytes[k] > c->limit) evict(c);
    c->word[k] = density_born(c->d, c->l, hash_of(k));
    c->in[k] = true;
    c->used += c->bytes[k];
    c->resident[c->place[k] = c->n++] = k;
    if (!density_due(c->d)) return;
    density_remember(c->d, c->limit);
    density_learn(c->d, c->n, c->used, c->limit);
}

static double share_of_hits(struct cache *c) {
    double share = (double)c->hits / (double)c->uses;
    c->hits = c->uses = 0;
    return share;
}

Test(density, of_a_loop_larger_than_the_cache_a_part_stays) {
    struct cache c;
    cache_open(&c, 300 * 100);
    for (int round = 0; round < 40; round++)
        for (uint32_t k = 0; k < 1000; k++) use(&c, k);
    share_of_hits(&c);
    for (int round = 0; round < 40; round++)
        for (uint32_t k = 0; k < 1000; k++) use(&c, k);
    double share = share_of_hits(&c);
    cr_assert_gt(share, 0.2, "30 %% of a loop fit, of which LRU would hit nothing: %.3f", share);
    density_free(c.d);
}

Test(density, a_scan_does_not_drive_out_what_is_used) {
    struct cache c;
    cache_open(&c, 400 * 100);
    uint32_t scan = 0;
    for (int i = 0; i < 200000; i++) {
        use(&c, (uint32_t)(draw(&c) % 300));
        use(&c, 300 + scan++ % (KEYS - 300));
        if (i == 100000) share_of_hits(&c);
    }
    double share = share_of_hits(&c);
    cr_assert_gt(share, 0.47, "half of the uses are of 300 keys that fit: %.3f", share);
    density_free(c.d);
}

Test(density, large_ones_go_before_small_ones_that_are_used_as_often) {
    struct cache c;
    cache_open(&c, 1000 * 100);
    for (uint32_t k = 0; k < 2000; k++) c.bytes[k] = k % 2 ? 50 : 400;
    for (int i = 0; i < 300000; i++) {
        use(&c, (uint32_t)(draw(&c) % 2000));
        if (i == 100000) share_of_hits(&c);
    }
    double share = share_of_hits(&c);
    /* All 1,000 small ones and 125 large ones fit: 56 %. Without a look at sizes it would be 22 %. */
    cr_assert_gt(share, 0.5, "%.3f", share);
    density_free(c.d);
}

Test(density, what_was_evicted_is_remembered_with_its_frequency) {
    struct cache c;
    cache_open(&c, 1 << 20);
    cr_assert_gt(density_wants(c.d, c.limit), 0);
    density_remember(c.d, c.limit);
    cr_assert_eq(density_wants(c.d, c.limit), 0);
    density_learn(c.d, 100, 10000, c.limit);
    uint64_t hash = hash_of(1);
    uint32_t word = density_born(c.d, c.l, hash);
    cr_assert_eq(density_frequency(word), 1);
    for (int i = 0; i < 4; i++) word = density_used(c.d, c.l, word, 100);
    cr_assert_eq(density_frequency(word), 5);
    evicted(&c, word, 100, hash);
    cr_assert_eq(density_frequency(density_born(c.d, c.l, hash_of(2))), 1, "another key");
    cr_assert_eq(density_frequency(density_born(c.d, c.l, hash)), 6);
    cr_assert_eq(density_frequency(density_born(c.d, c.l, hash)), 1, "remembered once");
    density_free(c.d);
}

Test(density, frequencies_fade) {
    struct cache c;
    cache_open(&c, 1 << 20);
    density_learn(c.d, 10, 1000, c.limit); /* a period is 200 uses and some */
    uint32_t word = density_born(c.d, c.l, hash_of(1)), other = density_born(c.d, c.l, hash_of(2));
    for (int i = 0; i < 100; i++) word = density_used(c.d, c.l, word, 100);
    cr_assert_eq(density_frequency(word), 63, "the most that is counted");
    for (int i = 0; i < 500; i++) other = density_used(c.d, c.l, other, 100);
    word = density_used(c.d, c.l, word, 100);
    cr_assert_eq(density_frequency(word), 63 / 4 + 1, "two periods later: %u", density_frequency(word));
    density_free(c.d);
}

/* The bits of a float from 0 on compare as it does, and four at once are told what each is told alone. */
Test(density, ranks_of_four_are_the_ranks_of_each) {
    static struct cache c;
    cache_open(&c, 100000);
    for (uint32_t k = 0; k < KEYS; k++) c.bytes[k] = 20 + draw(&c) % 3000;
    for (unsigned i = 0; i < 20000; i++) use(&c, (uint32_t)(draw(&c) % (1 + draw(&c) % KEYS)));
    for (unsigned round = 0; round < 300; round++) {
        struct density_moment now = density_moment(c.d);
        uint32_t word[12], bytes[12], cell[12], again[12];
        int32_t ranks[12], by_age[12], by_frequency[12];
        unsigned n = 1 + round % 9;
        for (unsigned k = 0; k < 12; k++) {
            word[k] = c.word[draw(&c) % KEYS];
            bytes[k] = 20 + (uint32_t)(draw(&c) % 3000);
        }
        density_ranks(&now, n, word, bytes, ranks, cell);
        density_ranks_plain(&now, true, n, word, bytes, by_age, again);
        for (unsigned k = 0; k < n; k++) cr_assert_eq(cell[k], again[k]);
        density_ranks_plain(&now, false, n, word, bytes, by_frequency, again);
        for (unsigned k = 0; k < n; k++) {
            float alone = density_rank(c.d, now.clock, word[k], bytes[k]), rank;
            memcpy(&rank, &ranks[k], sizeof rank);
            cr_assert_float_eq(rank, alone, alone * 1e-6f);
            cr_assert_eq(cell[k], again[k]);
            cr_assert_lt(cell[k], DENSITY_CLASSES * DENSITY_AGES);
            uint64_t age = density_age(c.d, now.clock, word[k]), age_of_first = density_age(c.d, now.clock, word[0]);
            unsigned often = density_frequency(word[k]), often_first = density_frequency(word[0]);
            cr_assert_eq(by_age[k] > by_age[0], age > age_of_first);
            cr_assert_eq(by_frequency[k] > by_frequency[0], often < often_first || (often == often_first && age > age_of_first));
        }
    }
    density_free(c.d);
}
