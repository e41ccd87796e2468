#include "base/num.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                            "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

static inline unsigned digit(char c) { return (unsigned)(unsigned char)c - '0'; }

/* Up to 19 digits with no leading zero: they always fit 64 bits. */
static bool digits_read(const char *p, size_t n, uint64_t *out) {
    uint64_t v = digit(p[0]);
    if (v - 1 > 8) {
        *out = 0;
        return v == 0 && n == 1;
    }
    for (size_t i = 1; i < n; i++) {
        unsigned d = digit(p[i]);
        if (d > 9) return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

bool num_i64(struct slice s, int64_t *out) {
    if (!s.n) return false;
    bool negative = s.p[0] == '-';
    size_t n = s.n - negative;
    uint64_t v;
    if (n - 1 > 18 || !digits_read(s.p + negative, n, &v)) return false;
    if (negative) {
        if (!v || v > (uint64_t)INT64_MAX + 1) return false;
        *out = (int64_t)(0 - v);
        return true;
    }
    if (v > INT64_MAX) return false;
    *out = (int64_t)v;
    return true;
}

bool num_u64(struct slice s, uint64_t *out) {
    uint64_t v;
    if (s.n - 1 > 19) return false;
    if (s.n < 20) {
        if (!digits_read(s.p, s.n, &v)) return false;
    } else {
        unsigned last = digit(s.p[19]);
        if (!digits_read(s.p, 19, &v) || last > 9) return false;
        if (v > UINT64_MAX / 10 || (v == UINT64_MAX / 10 && last > UINT64_MAX % 10)) return false;
        v = v * 10 + last;
    }
    *out = v;
    return true;
}

/* glibc hands out its one constant object for "C": nothing to free, nothing taken. */
static locale_t plain_locale(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* A NUL-terminated copy for the strto... family, in `text` of NUM_LONG_DOUBLE_MAX bytes. */
static bool number_text(struct slice s, char *text) {
    if (!s.n || s.n >= NUM_LONG_DOUBLE_MAX || isspace((unsigned char)s.p[0])) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    errno = 0;
    return true;
}

/* Eight digits at once (Johnny Lee's and Daniel Lemire's way): are they digits, and what is their number? */
static inline bool eight_digits(const char *p, uint64_t *out) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    v = le64toh(v);
    const uint64_t high = 0xf0f0f0f0f0f0f0f0, zeros = 0x3030303030303030;
    if ((v & high) != zeros || ((v + 0x0606060606060606) & high) != zeros) return false;
    v -= zeros;
    v = v * 10 + (v >> 8);
    *out = ((v & 0x000000ff000000ff) * 0x000f424000000064 + (v >> 16 & 0x000000ff000000ff) * 0x0000271000000001) >> 32;
    return true;
}

/* Up to fifteen digits, maybe with a sign and a fraction: both halves of the quotient are exact doubles, so that the rounding of
 * their division is the only one. Most numbers that anybody sends are of that kind, and strtod takes ten times as long. */
static bool short_double(struct slice s, double *out) {
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t i = s.n && s.p[0] == '-', from = i, fraction = 0;
    uint64_t v = 0;
    if (s.n - i > 16 || s.n == i) return false;
    if (s.n - i >= 8 && eight_digits(s.p + i, &v)) i += 8;
    for (; i < s.n && digit(s.p[i]) <= 9; i++) v = v * 10 + digit(s.p[i]);
    if (i == from) return false;
    if (i < s.n) {
        if (s.p[i++] != '.') return false;
        for (; i < s.n && digit(s.p[i]) <= 9; i++, fraction++) v = v * 10 + digit(s.p[i]);
        if (i < s.n || !fraction) return false;
    }
    if (s.n - from - (fraction != 0) > 15) return false;
    *out = (double)v / power[fraction];
    if (from) *out = -*out;
    return true;
}

bool num_double(struct slice s, double *out) {
    char text[NUM_LONG_DOUBLE_MAX], *end;
    if (short_double(s, out)) return true;
    if (!number_text(s, text)) return false;
    double v = strtod_l(text, &end, plain_locale());
    if (end != text + s.n || isnan(v)) return false;
    if (errno == ERANGE && (isinf(v) || v == 0)) return false;
    *out = v;
    return true;
}

bool num_long_double(struct slice s, long double *out) {
    char text[NUM_LONG_DOUBLE_MAX], *end;
    if (!number_text(s, text)) return false;
    long double v = strtold_l(text, &end, plain_locale());
    if (end != text + s.n || isnan(v)) return false;
    if (errno == ERANGE && (isinf(v) || v == 0)) return false;
    *out = v;
    return true;
}

bool num_memory(struct slice s, uint64_t *out) {
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1}, {"b", 1}, {"k", 1000}, {"kb", 1 << 10}, {"m", 1000000}, {"mb", 1 << 20},
        {"g", 1000000000}, {"gb", 1 << 30}};
    size_t n = 0;
    uint64_t v = 0;
    for (; n < s.n && digit(s.p[n]) <= 9; n++) {
        if (v > (UINT64_MAX - 9) / 10) return false;
        v = v * 10 + digit(s.p[n]);
    }
    if (!n) return false;
    struct slice unit = {s.p + n, s.n - n};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!slice_is(unit, units[i].name)) continue;
        return !__builtin_mul_overflow(v, units[i].factor, out);
    }
    return false;
}

static unsigned digits_count(uint64_t v) {
    unsigned n = 1;
    for (;;) {
        if (v < 10) return n;
        if (v < 100) return n + 1;
        if (v < 1000) return n + 2;
        if (v < 10000) return n + 3;
        v /= 10000;
        n += 4;
    }
}

size_t num_put_u64(char *out, uint64_t v) {
    if (v < 10) {
        *out = (char)('0' + v);
        return 1;
    }
    size_t n = digits_count(v);
    char *at = out + n;
    while (v >= 100) {
        at -= 2;
        memcpy(at, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        memcpy(out, pairs + 2 * v, 2);
    } else {
        *out = (char)('0' + v);
    }
    return n;
}

size_t num_put_i64(char *out, int64_t v) {
    if (v >= 0) return num_put_u64(out, (uint64_t)v);
    *out = '-';
    return 1 + num_put_u64(out + 1, 0 - (uint64_t)v);
}

/* The fewest significant digits that read back as v (finite, above 0), and the decimal exponent of the first
 * of them. Any 15 digits survive the way through a double, so fewer need no trial, but for subnormals, which
 * carry fewer bits. */
static int shortest_digits(char digits[24], double v, int *exponent) {
    char text[40];
    for (int n = v < 2.2250738585072014e-308 ? 1 : 15;; n++) {
        snprintf(text, sizeof text, "%.*e", n - 1, v);
        if (n >= 17 || strtod(text, NULL) == v) break;
    }
    int n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++) /* whatever is not a digit is the locale's point */
        if (digit(*p) <= 9) digits[n++] = *p;
    *exponent = atoi(p + 1);
    while (n > 1 && digits[n - 1] == '0') n--;
    return n;
}

/* Which of its three forms a number takes follows Redis 7.2: a whole number with up to 7 zeros added, a
 * fraction where the lowest digit stands at 10^-6 or above, or the first one within 10^-3 and 10^3, and an
 * exponent without padding else. */
static size_t digits_layout(char *out, const char *digits, int n, int exponent) {
    int low = exponent - n + 1, size = abs(exponent);
    if (low >= 0 && size < n + 7) {
        memcpy(out, digits, (size_t)n);
        memset(out + n, '0', (size_t)low);
        return (size_t)(n + low);
    }
    if (low < 0 && (low > -7 || size < 4)) {
        int whole = n + low;
        if (whole > 0) {
            memcpy(out, digits, (size_t)whole);
            out[whole] = '.';
            memcpy(out + whole + 1, digits + whole, (size_t)(n - whole));
            return (size_t)n + 1;
        }
        memcpy(out, "0.", 2);
        memset(out + 2, '0', (size_t)-whole);
        memcpy(out + 2 - whole, digits, (size_t)n);
        return (size_t)(n + 2 - whole);
    }
    char *at = out;
    *at++ = digits[0];
    if (n > 1) {
        *at++ = '.';
        memcpy(at, digits + 1, (size_t)n - 1);
        at += n - 1;
    }
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    return (size_t)(at - out) + num_put_u64(at, (uint64_t)size);
}

size_t num_put_double(char *out, double v) {
    if (isnan(v)) {
        memcpy(out, "nan", 3);
        return 3;
    }
    bool negative = signbit(v);
    char *at = out;
    if (negative) *at++ = '-';
    v = fabs(v);
    if (isinf(v)) {
        memcpy(at, "inf", 3);
        return 3 + negative;
    }
    if (v <= (double)(INT64_MAX / 2) && (double)(int64_t)v == v)
        return num_put_u64(at, (uint64_t)v) + negative;
    char digits[24];
    int exponent, n = shortest_digits(digits, v, &exponent);
    return digits_layout(at, digits, n, exponent) + negative;
}

size_t num_put_long_double(char *out, long double v) {
    if (isinf(v)) {
        memcpy(out, v > 0 ? "inf" : "-inf", v > 0 ? 3 : 4);
        return v > 0 ? 3 : 4;
    }
    locale_t before = uselocale(plain_locale());
    int len = snprintf(out, NUM_LONG_DOUBLE_MAX, "%.17Lf", v);
    uselocale(before);
    size_t n = (size_t)len;
    if (memchr(out, '.', n)) {
        while (out[n - 1] == '0') n--;
        if (out[n - 1] == '.') n--;
    }
    if (n == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        n = 1;
    }
    return n;
}

size_t num_put_human(char *out, uint64_t bytes) {
    static const char units[] = "KMGTP";
    if (bytes < 1024) return (size_t)snprintf(out, NUM_DOUBLE_MAX, "%lluB", (unsigned long long)bytes);
    double v = (double)bytes;
    size_t i = 0;
    for (v /= 1024; i + 1 < sizeof units - 1 && bytes >> (10 * (i + 2)); i++) v /= 1024;
    locale_t before = uselocale(plain_locale());
    size_t n = (size_t)snprintf(out, NUM_DOUBLE_MAX, "%.2f%c", v, units[i]);
    uselocale(before);
    return n;
}
