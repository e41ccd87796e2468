/* The list beside one that is kept in order. */
#include "store/shortlist.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t draw(uint64_t *x) {
    *x = *x * 6364136223846793005ull + 1442695040888963407ull;
    return *x >> 33;
}

static int rising(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

Test(shortlist, of_what_is_offered_the_highest_stay_and_come_out_in_order) {
    enum { OFFERED = 200 };
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct candidate twin[OFFERED], c;
        struct shortlist s;
        uint64_t x = seed;
        shortlist_clear(&s);
        for (unsigned i = 0; i < OFFERED; i++) {
            twin[i] = (struct candidate){.hash = draw(&x) * 0x9e3779b97f4a7c15ull, .word = i, .db = i % 16, .rank = (int32_t)(draw(&x) % 100000) * SHORTLIST_STEP};
            if (shortlist_wants(&s, twin[i].rank)) shortlist_add(&s, &twin[i]);
        }
        qsort(twin, OFFERED, sizeof *twin, rising);
        for (unsigned i = 0; i < SHORTLIST_ROOM; i++) {
            const struct candidate *due = &twin[OFFERED - 1 - i];
            cr_assert(shortlist_has(&s, due->hash));
            cr_assert(shortlist_take(&s, &c));
            cr_assert_eq(c.rank, due->rank, "%u: %d where %d was due", i, c.rank, due->rank);
            if (i && due->rank != due[1].rank && due->rank != due[-1].rank) cr_assert_eq(c.hash, due->hash);
            cr_assert(!shortlist_has(&s, c.hash));
        }
        cr_assert(!shortlist_take(&s, &c), "nothing is left");
    }
}

Test(shortlist, nothing_lower_comes_in_until_several_are_gone) {
    struct shortlist s;
    struct candidate c;
    shortlist_clear(&s);
    cr_assert(!shortlist_take(&s, &c));
    for (unsigned i = 0; i < SHORTLIST_ROOM; i++) {
        c = (struct candidate){.hash = i, .rank = (int32_t)(100 + i) * SHORTLIST_STEP};
        cr_assert(shortlist_wants(&s, c.rank));
        shortlist_add(&s, &c);
    }
    for (unsigned i = 0; i <= SHORTLIST_HOLES; i++) {
        cr_assert(!shortlist_wants(&s, 99 * SHORTLIST_STEP), "%u holes", i);
        cr_assert(shortlist_wants(&s, 101 * SHORTLIST_STEP), "%u holes", i);
        cr_assert(shortlist_take(&s, &c));
        cr_assert_eq(c.hash, SHORTLIST_ROOM - 1 - i);
    }
    cr_assert(shortlist_wants(&s, 0));
}

Test(shortlist, ranks_of_nothing_and_of_everything_have_room) {
    struct shortlist s;
    struct candidate c = {.hash = 7, .rank = 0}, out;
    shortlist_clear(&s);
    shortlist_add(&s, &c);
    c = (struct candidate){.hash = 8, .rank = INT32_MAX};
    shortlist_add(&s, &c);
    cr_assert(shortlist_take(&s, &out) && out.hash == 8);
    cr_assert(shortlist_take(&s, &out) && out.hash == 7);
    cr_assert(!shortlist_take(&s, &out));
}
