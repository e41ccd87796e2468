#include "store/slab.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(slab, classes_hold_what_was_asked_and_waste_little) {
    for (size_t n = 1; n <= SLAB_MAX; n++) {
        size_t got = slab_class_size(n);
        cr_assert_geq(got, n);
        if (n >= 16 && n <= 256) cr_assert_leq(got - n, 2, "%zu takes %zu", n, got);
        cr_assert_leq(got - n, 16 + n / 12, "%zu takes %zu", n, got);
    }
}

Test(slab, objects_do_not_overlap_and_are_counted) {
    enum { N = 20000 };
    static unsigned char *p[N];
    static size_t size[N];
    uint64_t before = mem_used(MEM_DATA), sum = 0;
    srand(1);
    for (int i = 0; i < N; i++) {
        size[i] = 1 + (size_t)rand() % 700;
        p[i] = slab_alloc(size[i]);
        cr_assert_geq(slab_usable(p[i]), size[i]);
        sum += slab_usable(p[i]);
        memset(p[i], i & 255, size[i]);
    }
    cr_assert_eq(mem_used(MEM_DATA) - before, sum);
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < size[i]; k++) cr_assert_eq(p[i][k], i & 255);
    for (int i = 0; i < N; i++) slab_free(p[i]);
    cr_assert_eq(mem_used(MEM_DATA), before);
    while (slab_trim()) {}
    struct slab_totals t;
    slab_totals(&t);
    cr_assert_eq(t.pages, 0);
    cr_assert_eq(t.used, 0);
    cr_assert_eq(t.held, 0);
}

Test(slab, a_plan_marks_sparse_pages_and_ends_with_them_freed) {
    enum { N = 40000 };
    static void *p[N];
    for (int i = 0; i < N; i++) p[i] = slab_alloc(200);
    struct slab_totals full, after;
    slab_totals(&full);
    cr_assert_null(slab_plan_new(5), "nothing is wasted yet");
    for (int i = 0; i < N; i++)
        if (i % 4) {
            slab_free(p[i]);
            p[i] = NULL;
        }
    struct slab_plan *plan = slab_plan_new(5);
    cr_assert_not_null(plan);
    while (slab_plan_make(plan)) {}
    cr_assert_gt(slab_plan_marked(plan), 0);
    int moved = 0;
    for (int i = 0; i < N; i++) {
        if (!p[i] || !slab_plan_has(plan, p[i])) continue;
        void *q = slab_alloc(200);
        cr_assert_not(slab_plan_has(plan, q), "a marked page was taken from");
        slab_free(p[i]);
        p[i] = q;
        moved++;
    }
    cr_assert_gt(moved, 0);
    while (slab_plan_end(plan)) {}
    slab_totals(&after);
    cr_assert_leq(after.pages, full.pages / 4 + 2);
    for (int i = 0; i < N; i++)
        if (p[i]) slab_free(p[i]);
}
