#include "store/segment.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct entry *thing(unsigned n) {
    struct entry_spec spec = {.key = {(const char *)&n, sizeof n}, .deadline = n % 3 ? 0 : 1000 + n};
    return entry_new(&spec);
}

static unsigned name(const struct entry *e) {
    unsigned n;
    memcpy(&n, entry_key(e).p, sizeof n);
    return n;
}

static bool find(const struct segment *s, uint32_t tag, unsigned n, uint32_t *at) {
    for (uint32_t i = segment_seek(s, tag); s->slot[i] && segment_tag(s->slot[i]) == tag; i++)
        if (name(segment_entry(s->slot[i])) == n) {
            if (at) *at = i;
            return true;
        }
    return false;
}

static void discard(struct segment *s) {
    for (uint32_t i = 0; i < s->slots; i++)
        if (s->slot[i]) entry_free(segment_entry(s->slot[i]));
    segment_free(s);
}

static void check(struct segment *s) {
    const char *wrong = segment_check(s);
    cr_assert_null(wrong, "%s", wrong);
}

/* Random inserts, removals and resizes against an array of what should be there. */
Test(segment, agrees_with_a_naive_twin) {
    enum { N = 900 };
    static bool there[N];
    static uint32_t tag[N];
    srand(7);
    for (unsigned n = 0; n < N; n++) tag[n] = (uint32_t)rand() & (n % 2 ? 0xffff : 0xff0f); /* half of them crowd */
    struct segment *s = segment_new(0, 3);
    s->earliest = s->beyond = 1000;
    for (int step = 0; step < 60000; step++) {
        unsigned n = (unsigned)rand() % N;
        uint32_t at;
        cr_assert_eq(find(s, tag[n], n, &at), there[n]);
        if (there[n] && rand() % 3) {
            struct entry *e = segment_entry(s->slot[at]);
            segment_remove(s, at);
            entry_free(e);
            there[n] = false;
        } else if (!there[n]) {
            struct entry *e = thing(n);
            while (segment_full(s) || !segment_insert(s, segment_slot(tag[n], e, n % 2))) {
                struct segment *larger = segment_larger(s);
                cr_assert_not_null(larger);
                segment_free(s);
                s = larger;
            }
            there[n] = true;
        }
        if (segment_sparse(s)) {
            struct segment *smaller = segment_smaller(s);
            if (smaller) {
                segment_free(s);
                s = smaller;
            }
        }
        if (step % 500 == 0) check(s);
    }
    check(s);
    cr_assert_eq(s->depth, 3);
    discard(s);
}

/* As in a full cache: one goes, another one comes, again and again; now and then it is a few more or less. How often it was resized. */
static unsigned resized_in_turns(unsigned entries, unsigned turns) {
    static struct entry *there[SEGMENT_SLOTS_MAX];
    static uint32_t tag[SEGMENT_SLOTS_MAX];
    struct segment *s = segment_new(0, 0), *other;
    unsigned n = 0, resized = 0, next = 0;
    s->earliest = s->beyond = 1000;
    for (unsigned turn = 0; turn < turns + entries; turn++) {
        if (n >= entries) {
            unsigned i = (unsigned)rand() % n;
            uint32_t at;
            cr_assert(find(s, tag[i], name(there[i]), &at));
            segment_remove(s, at);
            entry_free(there[i]);
            there[i] = there[--n];
            tag[i] = tag[n];
            if (segment_sparse(s) && (other = segment_smaller(s))) {
                segment_free(s);
                s = other;
                resized++;
            }
        }
        there[n] = thing(next++);
        tag[n] = (uint32_t)rand() & 0xffff;
        while (segment_full(s) || !segment_insert(s, segment_slot(tag[n], there[n], 0))) {
            other = segment_larger(s);
            segment_free(s);
            s = other;
            resized += turn >= entries;
        }
        n++;
    }
    check(s);
    cr_assert(entries < 60 || s->used * 2 >= s->slots, "%u entries in %u slots", s->used, s->slots);
    discard(s);
    return resized;
}

/* Whatever their number is (a few crowd now and then). Before, those at a size's end were copied from one into the other with each entry that went. */
Test(segment, hardly_any_is_resized_while_as_many_come_as_go) {
    srand(3);
    for (unsigned entries = 1; entries < 880; entries += entries < 130 ? 1 : 13) {
        unsigned resized = resized_in_turns(entries, 2000);
        cr_assert_leq(resized, entries < 20 ? 60 : 10, "%u entries: %u times", entries, resized);
    }
}

static struct entry *drop_even(void *arg, struct entry *e, uint32_t tag) {
    (void)tag;
    (void)arg;
    if (name(e) % 2) return e;
    entry_free(e);
    return NULL;
}

Test(segment, sifting_closes_up_what_stays) {
    struct segment *s = segment_new(500, 0);
    s->earliest = s->beyond = 1000;
    for (unsigned n = 0; n < 500; n++) cr_assert(segment_insert(s, segment_slot((n * 2654435761u) >> 16, thing(n), 0)));
    check(s);
    cr_assert_eq(segment_sift(s, drop_even, NULL), 250);
    check(s);
    for (unsigned n = 0; n < 500; n++) cr_assert_eq(find(s, (n * 2654435761u) >> 16, n, NULL), n % 2 == 1);
    discard(s);
}

Test(segment, a_run_past_the_last_home_asks_for_growth_and_is_not_lost) {
    struct segment *s = segment_new(0, 0);
    unsigned n = 0;
    s->earliest = s->beyond = 1000;
    struct entry *next = thing(0);
    while (segment_insert(s, segment_slot(0xffff, next, 1))) next = thing(++n);
    entry_free(next);
    cr_assert_gt(n, 0);
    check(s);
    struct segment *larger = segment_larger(s);
    cr_assert_not_null(larger);
    check(larger);
    cr_assert_eq(larger->used, n);
    segment_free(s);
    discard(larger);
}

Test(segment, merging_keeps_both_halves_in_order) {
    struct segment *a = segment_new(150, 5), *b = segment_new(150, 5);
    a->earliest = b->earliest = a->beyond = b->beyond = 1000;
    for (unsigned n = 0; n < 300; n++) cr_assert(segment_insert(n % 2 ? a : b, segment_slot((n * 40503u) & 0xffff, thing(n), n % 2)));
    struct segment *one = segment_merged(a, b);
    cr_assert_not_null(one);
    check(one);
    cr_assert_eq(one->used, 300);
    cr_assert_eq(one->depth, 4);
    for (unsigned n = 0; n < 300; n++) cr_assert(find(one, (n * 40503u) & 0xffff, n, NULL));
    segment_free(a);
    segment_free(b);
    discard(one);
}
