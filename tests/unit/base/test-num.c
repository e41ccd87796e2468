#include "base/num.h"

#include <criterion/criterion.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

Test(num, whole_numbers_that_are_read) {
    static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, 12345, -999, INT64_MAX, INT64_MAX - 1,
        INT64_MIN, INT64_MIN + 1, 1000000000000000000, 999999999999999999, -1000000000000000000};
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[32], ours[NUM_I64_MAX];
        int n = snprintf(text, sizeof text, "%" PRId64, values[i]);
        int64_t v = 77;
        cr_assert(num_i64((struct slice){text, (size_t)n}, &v), "%s", text);
        cr_assert(v == values[i], "%s", text);
        size_t len = num_put_i64(ours, values[i]);
        cr_assert(len == (size_t)n && !memcmp(ours, text, len), "%s", text);
    }
}

Test(num, whole_numbers_that_are_refused) {
    static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "01", "-01", "-0", "00", "1a", "a", "0x1",
        "1.0", "9223372036854775808", "-9223372036854775809", "10000000000000000000", "99999999999999999999",
        "--1", "1-", "18446744073709551616", "123456789012345678901", ":", "/"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t v = 42;
        cr_assert(!num_i64(slice_of(bad[i]), &v), "%s", bad[i]);
        cr_assert(v == 42, "%s: nothing is written", bad[i]);
    }
    int64_t v;
    cr_assert(!num_i64((struct slice){"1\0", 2}, &v));
    cr_assert(!num_i64((struct slice){NULL, 0}, &v));
}

Test(num, unsigned_numbers) {
    static const struct {
        const char *text;
        bool ok;
        uint64_t v;
    } cases[] = {{"0", true, 0}, {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0}, {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0}, {"9999999999999999999", true, 9999999999999999999u},
        {"-1", false, 0}, {"00", false, 0}, {"01234567890123456789", false, 0},
        {"1844674407370955161a", false, 0}, {"111111111111111111111", false, 0}, {"", false, 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 0;
        cr_assert(num_u64(slice_of(cases[i].text), &v) == cases[i].ok, "%s", cases[i].text);
        if (cases[i].ok) cr_assert(v == cases[i].v);
        char text[NUM_I64_MAX];
        if (cases[i].ok)
            cr_assert(num_put_u64(text, v) == strlen(cases[i].text) &&
                      !memcmp(text, cases[i].text, strlen(cases[i].text)));
    }
}

Test(num, every_length_of_number_as_printf_writes_it) {
    srand(1);
    for (int i = 0; i < 200000; i++) {
        uint64_t v =
            ((uint64_t)(unsigned)rand() << 42 ^ (uint64_t)(unsigned)rand() << 21 ^ (unsigned)rand()) >>
            (rand() % 64);
        char text[32], ours[NUM_I64_MAX];
        int n = snprintf(text, sizeof text, "%" PRIu64, v);
        cr_assert(num_put_u64(ours, v) == (size_t)n && !memcmp(ours, text, (size_t)n), "%s", text);
        uint64_t back;
        cr_assert(num_u64((struct slice){text, (size_t)n}, &back) && back == v);
    }
}

Test(num, doubles_read) {
    static const struct {
        const char *text;
        bool ok;
        double v;
    } cases[] = {{"1", true, 1}, {"-1.5", true, -1.5}, {"1e3", true, 1000}, {"0x10", true, 16},
        {"inf", true, INFINITY}, {"-inf", true, -INFINITY}, {"+inf", true, INFINITY},
        {"Infinity", true, INFINITY}, {"+3", true, 3}, {".5", true, .5}, {"5.", true, 5}, {"", false, 0},
        {" 1", false, 0}, {"1 ", false, 0}, {"nan", false, 0}, {"1e400", false, 0}, {"-1e400", false, 0},
        {"1e-400", false, 0}, {"4e-320", true, 4e-320}, {"1,5", false, 0}, {"abc", false, 0},
        {"0x", false, 0}, {"1e", false, 0}, {"\t1", false, 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double v = 0;
        long double w = 0;
        cr_assert(num_double(slice_of(cases[i].text), &v) == cases[i].ok, "%s", cases[i].text);
        if (cases[i].ok) cr_assert(v == cases[i].v, "%s", cases[i].text);
        if (!strstr(cases[i].text, "400") && !strstr(cases[i].text, "320")) {
            cr_assert(num_long_double(slice_of(cases[i].text), &w) == cases[i].ok, "%s", cases[i].text);
            if (cases[i].ok) cr_assert(w == (long double)cases[i].v, "%s", cases[i].text);
        }
    }
    double v;
    cr_assert(!num_double((struct slice){"1\0", 2}, &v));
    char longest[NUM_LONG_DOUBLE_MAX + 2];
    memset(longest, '0', sizeof longest);
    cr_assert(!num_double((struct slice){longest, sizeof longest}, &v));
    cr_assert(num_double((struct slice){longest, NUM_LONG_DOUBLE_MAX - 1}, &v) && v == 0);
}

/* Short numbers do not go through strtod, and must come out as if they did. */
Test(num, short_decimals_are_what_strtod_makes_of_them) {
    uint64_t x = 11;
    for (int i = 0; i < 200000; i++) {
        char text[40];
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        unsigned digits = 1 + (unsigned)(x >> 60), point = (unsigned)(x >> 50) % (digits + 1);
        unsigned long long v = (x >> 3) % 1000000000000000ull;
        for (unsigned k = digits; k < 15; k++) v /= 10;
        int n = snprintf(text, sizeof text, "%s%0*llu", i % 3 ? "" : "-", (int)digits, v);
        if (point && i % 4) {
            size_t at = (size_t)n - point;
            memmove(text + at + 1, text + at, point + 1);
            text[at] = '.';
            n++;
        }
        double ours, theirs = strtod(text, NULL);
        cr_assert(num_double((struct slice){text, (size_t)n}, &ours), "%s", text);
        cr_assert(!memcmp(&ours, &theirs, sizeof ours), "%s is %.17g, not %.17g", text, theirs, ours);
    }
    double v;
    cr_assert(!num_double(slice_of("-"), &v) && !num_double(slice_of("."), &v) && !num_double(slice_of("1.2.3"), &v));
    cr_assert(!num_double(slice_of("--1"), &v) && !num_double(slice_of("1-"), &v) && !num_double(slice_of("-.-1"), &v));
}

Test(num, doubles_written_as_redis_lays_them_out) {
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"}, {-0.0, "-0"}, {3, "3"}, {-3, "-3"}, {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"}, {1e20, "1e+20"}, {1.5e20, "1.5e+20"}, {-1e20, "-1e+20"},
        {1e18, "1000000000000000000"}, {1e-6, "0.000001"}, {1e-7, "1e-7"}, {1.5e-5, "0.000015"},
        {1.5e-6, "1.5e-6"}, {1.25e-10, "1.25e-10"}, {3.14159, "3.14159"}, {100.5, "100.5"},
        {1234.5678901234567, "1234.5678901234567"}, {12345.678901234567, "1.2345678901234567e+4"},
        {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"}, {-NAN, "nan"}, {5e-324, "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308"}, {DBL_MIN, "2.2250738585072014e-308"}, {1e100, "1e+100"},
        {1.7e5, "170000"}, {12345678.9, "12345678.9"}, {4611686018427387904.0, "4611686018427387904"},
        {9223372036854775808.0, "9223372036854776000"}, {1e22, "1e+22"},
        {123456789012345680000.0, "123456789012345680000"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[NUM_DOUBLE_MAX];
        size_t n = num_put_double(text, cases[i].v);
        cr_expect(n == strlen(cases[i].text) && !memcmp(text, cases[i].text, n), "%s, not %.*s",
            cases[i].text, (int)n, text);
    }
}

/* Digits from the first that is not 0 to the last that is not 0. */
static int significant(const char *text, size_t n) {
    int count = 0, zeros = 0;
    for (size_t i = 0; i < n && text[i] != 'e'; i++) {
        if (text[i] == '0') {
            zeros += count > 0;
        } else if (text[i] > '0' && text[i] <= '9') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

Test(num, doubles_come_back_and_are_shortest) {
    srand(2);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits =
            (uint64_t)(unsigned)rand() << 42 ^ (uint64_t)(unsigned)rand() << 21 ^ (unsigned)rand();
        double v, back;
        if (i % 2) {
            memcpy(&v, &bits, sizeof v);
        } else {
            v = (double)(rand() % 100000) / (double)(1 + rand() % 1000);
        }
        if (!isfinite(v)) continue;
        char text[NUM_DOUBLE_MAX];
        size_t n = num_put_double(text, v);
        cr_assert(n < NUM_DOUBLE_MAX - 4);
        cr_assert(num_double((struct slice){text, n}, &back) && back == v, "%.17g", v);
        int digits = significant(text, n);
        if (digits <= 1 || (fabs(v) < 4.7e18 && v == floor(v)))
            continue; /* whole numbers are written in full */
        char fewer[40];
        snprintf(fewer, sizeof fewer, "%.*e", digits - 2, v);
        cr_assert(strtod(fewer, NULL) != v, "%s is as good as %.*s", fewer, (int)n, text);
    }
}

Test(num, long_doubles_written_as_incrbyfloat_does) {
    static const struct {
        long double v;
        const char *text;
    } cases[] = {{0, "0"}, {-0.0L, "0"}, {3, "3"}, {10.5L, "10.5"}, {-10.25L, "-10.25"}, {5.0e3L, "5000"},
        {0.1L, "0.1"}, {3.0L + 1.1L, "4.1"}, {1e17L, "100000000000000000"}, {1e-17L, "0.00000000000000001"},
        {1e-18L, "0"}, {-1e-18L, "0"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}, {100, "100"}};
    char text[NUM_LONG_DOUBLE_MAX];
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = num_put_long_double(text, cases[i].v);
        cr_expect(n == strlen(cases[i].text) && !memcmp(text, cases[i].text, n), "%s, not %.*s",
            cases[i].text, (int)n, text);
    }
    cr_assert(num_put_long_double(text, LDBL_MAX) == 4933);
}

Test(num, memory_units) {
    static const struct {
        const char *text;
        bool ok;
        uint64_t v;
    } cases[] = {{"0", true, 0}, {"100", true, 100}, {"1k", true, 1000}, {"1kb", true, 1024},
        {"1KB", true, 1024}, {"2m", true, 2000000}, {"2Mb", true, 2097152}, {"1g", true, 1000000000},
        {"1gb", true, 1073741824}, {"7b", true, 7}, {"", false, 0}, {"kb", false, 0}, {"-1", false, 0},
        {"1tb", false, 0}, {"1 kb", false, 0}, {"1kbx", false, 0}, {"1.5gb", false, 0},
        {"18446744073709551616", false, 0}, {"99999999999gb", false, 0}, {"18446744073709551615", false, 0}};
    for (size_t i = 0; i + 1 < COUNT(cases); i++) {
        uint64_t v = 0;
        cr_assert(num_memory(slice_of(cases[i].text), &v) == cases[i].ok, "%s", cases[i].text);
        if (cases[i].ok) cr_assert(v == cases[i].v, "%s", cases[i].text);
    }
}

Test(num, bytes_for_people) {
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = {{0, "0B"}, {1023, "1023B"}, {1024, "1.00K"}, {1536, "1.50K"}, {1048575, "1024.00K"},
        {1048576, "1.00M"}, {1073741824, "1.00G"}, {1099511627776, "1.00T"}, {1125899906842624, "1.00P"},
        {UINT64_MAX, "16384.00P"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[NUM_DOUBLE_MAX];
        size_t n = num_put_human(text, cases[i].v);
        cr_expect(n == strlen(cases[i].text) && !memcmp(text, cases[i].text, n), "%s, not %.*s",
            cases[i].text, (int)n, text);
    }
}
