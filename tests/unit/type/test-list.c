/* Lists against a naive twin, their encodings, and what they take of memory. */
#include "type/list_large.h"

#include "list-twin.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct type_limits limits;

static uint64_t random_below(void *arg, uint64_t below) {
    uint64_t *state = arg;
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (*state >> 33) % below;
}

static void same_as_twin(uint64_t seed, bool long_ones, bool alike, unsigned steps) {
    struct list_twin t;
    home_limits_default(&limits);
    if (seed % 3 == 1) atomic_store(&limits.list_size, (int64_t)(seed % 7) * 20);
    if (seed % 3 == 2) atomic_store(&limits.list_depth, (int64_t)(seed % 5));
    twin_init(&t, &limits, random_below, &seed);
    t.long_ones = long_ones;
    t.alike = alike;
    for (unsigned i = 0; i < steps; i++) {
        t.most = i % 100 < 50 ? 6000 : 60;
        const char *wrong = twin_step(&t);
        if (!wrong && i % 8 == 0) wrong = twin_compare(&t);
        cr_assert_null(wrong, "step %u: %s", i, wrong);
    }
    const char *wrong = twin_compare(&t);
    cr_assert_null(wrong, "at the end: %s", wrong);
    twin_end(&t);
}

Test(list, does_what_its_twin_does) {
    for (uint64_t seed = 1; seed < 25; seed++) same_as_twin(seed, false, seed & 1, 400);
}
Test(list, does_so_with_elements_longer_than_a_chunk) {
    for (uint64_t seed = 101; seed < 113; seed++) same_as_twin(seed, true, seed & 1, 300);
}

/* -- clones, freeing in pieces ----------------------------------------------------------------------------- */

static struct home many(unsigned n, const char *format) {
    struct home h;
    home_limits_default(&limits);
    home_init_own(&h, &limits, 1);
    for (unsigned i = 0; i < n; i++) {
        char text[64];
        struct slice s = {text, (size_t)snprintf(text, sizeof text, format, i)};
        list_growing(&h, s.n, 1);
        list_push(&h, i & 1 ? LIST_TAIL : LIST_HEAD, s);
    }
    return h;
}

static void free_all(struct home *h) {
    if (h->object) value_free(VALUE_LIST, h->object);
    h->object = NULL;
    home_free_bytes(h);
}

Test(list, a_clone_is_another_list) {
    struct home h = many(5000, "job:%012u:user"), twin = {.object = list_ops()->clone(h.object), .form = VALUE_OBJECT, .limits = &limits};
    cr_assert_null(list_check(&twin));
    list_set(&h, 2500, SLICE("other"));
    struct list_at at;
    cr_assert(list_seek(&twin, &at, 2500));
    cr_assert(!slice_equal(at.text, SLICE("other")));
    list_leave(&at);
    cr_assert_eq(list_count(&twin), 5000);
    cr_assert_str_eq(list_ops()->encoding(&twin), "quicklist");
    free_all(&h);
    cr_assert_null(list_check(&twin));
    free_all(&twin);
}

Test(list, is_freed_in_pieces) {
    int64_t before = (int64_t)mem_used(MEM_DATA);
    struct home h = many(100000, "%032u");
    cr_assert_gt(list_ops()->effort(h.object), 100);
    unsigned rounds = 1;
    while (!list_ops()->free(h.object, 10)) rounds++;
    cr_assert_gt(rounds, 10);
    cr_assert_eq((int64_t)mem_used(MEM_DATA), before);
    home_free_bytes(&h);
}

Test(list, says_what_it_takes) {
    void *p = mem_alloc(MEM_MISC, 1000);
    bool other = mem_usable(p) != mem_class(1000); /* a sanitizer's malloc in a build for jemalloc */
    mem_free(MEM_MISC, p);
    if (other) cr_skip_test();
    int64_t before = (int64_t)mem_used(MEM_DATA);
    struct home h = many(50000, "%032u");
    cr_assert_eq((int64_t)list_ops()->memory(h.object), (int64_t)mem_used(MEM_DATA) - before);
    struct home clone = {.object = list_ops()->clone(h.object), .form = VALUE_OBJECT, .limits = &limits};
    before += (int64_t)list_ops()->memory(h.object);
    cr_assert_eq((int64_t)list_ops()->memory(clone.object), (int64_t)mem_used(MEM_DATA) - before);
    free_all(&clone);
    free_all(&h);
}

/* -- encodings, as Redis 7.2 reports them -------------------------------------------------------------------- */

static void encoding_is(const struct home *h, const char *wanted) { cr_assert_str_eq(list_ops()->encoding(h), wanted); }

static void push_n(struct home *h, unsigned n, struct slice s) {
    while (n--) {
        list_growing(h, s.n, 1);
        list_push(h, LIST_TAIL, s);
    }
}
static void pop_n(struct home *h, unsigned n) {
    while (n--) list_drop(h, LIST_HEAD);
    list_shrunk(h);
}

Test(list, becomes_a_quicklist_where_a_listpack_would_be_too_long) {
    struct home h = many(0, "");
    push_n(&h, 240, SLICE("0123456789012345678901234567890x")); /* 7 and 34 each: 8167 */
    encoding_is(&h, "listpack");
    list_growing(&h, 25, 1);                                     /* 8192 */
    encoding_is(&h, "listpack");
    list_growing(&h, 26, 1);
    encoding_is(&h, "quicklist");
    pop_n(&h, 119);                                              /* 121 left: 4121 */
    encoding_is(&h, "quicklist");
    pop_n(&h, 1);
    encoding_is(&h, "listpack");
    free_all(&h);
}

Test(list, goes_by_the_number_of_elements_too) {
    struct home h = many(0, "");
    atomic_store(&limits.list_size, 10);
    push_n(&h, 10, SLICE("a"));
    encoding_is(&h, "listpack");
    push_n(&h, 1, SLICE("a"));
    encoding_is(&h, "quicklist");
    cr_assert_null(h.object);
    pop_n(&h, 5);
    encoding_is(&h, "quicklist");
    pop_n(&h, 1);
    encoding_is(&h, "listpack");
    free_all(&h);
}

/* -- memory -------------------------------------------------------------------------------------------------- */

/* Random hexadecimal text is made half as long, and stays so when lists are changed here and there. */
Test(list, takes_less_than_its_elements) {
    struct home h = many(0, "");
    uint64_t state = 7;
    enum { N = 100000 };
    for (unsigned i = 0; i < N; i++) {
        char text[33];
        for (unsigned k = 0; k < 32; k++) text[k] = "0123456789abcdef"[random_below(&state, 16)];
        list_growing(&h, 32, 1);
        list_push(&h, LIST_TAIL, (struct slice){text, 32});
    }
    cr_assert_lt(list_ops()->memory(h.object), N * 22);
    for (unsigned i = 0; i < 2000; i++) {
        struct list_at at;
        size_t rank = random_below(&state, N);
        if (i & 1) {
            list_set(&h, rank, SLICE("ffffffffffffffffffffffffffffffff"));
            cr_assert(list_seek(&h, &at, (int64_t)rank));
            cr_assert(slice_equal(at.text, SLICE("ffffffffffffffffffffffffffffffff")));
            list_leave(&at);
        } else {
            list_insert(&h, rank, SLICE("0"));
        }
    }
    cr_assert_null(list_check(&h));
    cr_assert_lt(list_ops()->memory(h.object), N * 24);
    free_all(&h);
}

/* What cannot be compressed is tried once, and left. */
Test(list, leaves_alone_what_is_random) {
    struct home h = many(0, "");
    uint64_t state = 9;
    for (unsigned i = 0; i < 20000; i++) {
        char text[32];
        for (unsigned k = 0; k < 32; k++) text[k] = (char)random_below(&state, 256);
        list_push(&h, LIST_TAIL, (struct slice){text, 32});
    }
    struct list *l = h.object;
    struct list_place at = list_spine_end(&l->spine, LIST_HEAD);
    unsigned tried = 0;
    do tried += list_spine_chunk(&l->spine, at)->tried;
    while (list_spine_step(&l->spine, &at, LIST_TAIL));
    cr_assert_geq(tried, l->spine.chunks - 3);
    cr_assert_null(list_check(&h));
    free_all(&h);
}

/* A queue that was long for a while does not keep its room. */
Test(list, shrinks_into_its_entry) {
    struct home h = many(3000, "a text of some length: %u");
    cr_assert_not_null(h.object);
    for (unsigned i = 0; i < 2990; i++) {
        list_drop(&h, i & 1 ? LIST_TAIL : LIST_HEAD);
        list_shrunk(&h);
    }
    cr_assert_null(h.object);
    cr_assert_eq(list_count(&h), 10);
    encoding_is(&h, "listpack");
    cr_assert_null(list_check(&h));
    free_all(&h);
}
