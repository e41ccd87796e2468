#include "base/hist.h"
#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(hist, relative_error_stays_below_a_thirty_second) {
    for (uint64_t v = 1; v < 1ull << 42; v += 1 + v / 7) {
        struct hist h = {NULL};
        struct hist_sum s = {0};
        hist_add(&h, v);
        hist_sum_add(&s, &h);
        double end = hist_percentile_us(&s, 100) * 1000;
        cr_assert(end >= (double)v - 0.5 && end < (double)v * (1 + 1.0 / 32) + 0.5, "%llu: %f",
            (unsigned long long)v, end);
        cr_assert(hist_count_below(&s, v) == 1);
        cr_assert(v < 64 || hist_count_below(&s, v - v / 16) == 0);
        hist_free(&h);
    }
}

Test(hist, nothing_is_taken_before_the_first) {
    uint64_t before = mem_used(MEM_UPKEEP);
    struct hist h = {NULL};
    struct hist_sum s = {0};
    hist_sum_add(&s, &h);
    hist_reset(&h);
    cr_assert(s.total == 0 && hist_percentile_us(&s, 50) == 0);
    cr_assert(mem_used(MEM_UPKEEP) == before);
    hist_add(&h, 5);
    cr_assert(mem_used(MEM_UPKEEP) > before);
    hist_free(&h);
    cr_assert(mem_used(MEM_UPKEEP) == before);
}

Test(hist, percentiles_of_a_known_row) {
    struct hist a = {NULL}, b = {NULL};
    for (int i = 1; i <= 1000; i++) hist_add(i % 2 ? &a : &b, (uint64_t)i * 1000);
    struct hist_sum s = {0};
    hist_sum_add(&s, &a);
    hist_sum_add(&s, &b);
    cr_assert(s.total == 1000);
    static const double at[] = {0, 1, 50, 90, 99, 99.9, 100};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        double exact = at[i] * 10 < 1 ? 1 : at[i] * 10, got = hist_percentile_us(&s, at[i]);
        cr_assert(got >= exact * 0.999 && got <= exact * (1 + 1.0 / 31), "p%g: %g", at[i], got);
    }
    uint64_t half = hist_count_below(&s, 500000);
    cr_assert(half >= 500 && half <= 516);
    cr_assert(hist_count_below(&s, UINT64_MAX) == 1000);
    hist_reset(&a);
    struct hist_sum t = {0};
    hist_sum_add(&t, &a);
    cr_assert(t.total == 0);
    hist_free(&a);
    hist_free(&b);
}

Test(hist, longest_durations_share_the_last_bucket) {
    struct hist h = {NULL};
    struct hist_sum s = {0};
    hist_add(&h, 1ull << 43);
    hist_add(&h, UINT64_MAX);
    hist_add(&h, 0);
    hist_sum_add(&s, &h);
    cr_assert(s.bucket[HIST_BUCKETS - 1] == 2 && s.bucket[0] == 1);
    hist_free(&h);
}
