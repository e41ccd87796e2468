#include "base/num.h"
#include "resp/writer.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct chain_pool pool;
static struct chain out;
static struct resp_writer w;

static void begin(void) {
    chain_pool_init(&pool, 2);
    chain_init(&out, &pool);
    w = (struct resp_writer){&out, 2};
}

static void end(void) {
    chain_free(&out);
    chain_pool_free(&pool);
}

TestSuite(writer, .init = begin, .fini = end);

static void written(const char *expected, size_t n) {
    char *text = malloc(chain_size(&out) + 1);
    chain_copy(&out, text);
    text[chain_size(&out)] = 0;
    cr_expect(
        chain_size(&out) == n && !memcmp(text, expected, n), "proto %d: %s, not %s", w.proto, expected, text);
    free(text);
    chain_sent(&out, chain_size(&out));
}
#define WRITTEN(literal) written((literal), sizeof(literal) - 1)

Test(writer, both_protocols) {
    static const struct {
        int what;
        const char *resp2, *resp3;
    } cases[] = {{0, "$-1\r\n", "_\r\n"}, {1, "*-1\r\n", "_\r\n"}, {2, "*3\r\n", "*3\r\n"},
        {3, "*6\r\n", "%3\r\n"}, {4, "*3\r\n", "~3\r\n"}, {5, "*3\r\n", ">3\r\n"}, {6, ":1\r\n", "#t\r\n"},
        {7, ":0\r\n", "#f\r\n"}, {8, "$3\r\n1.5\r\n", ",1.5\r\n"}, {9, "$3\r\ninf\r\n", ",inf\r\n"},
        {10, "$4\r\n-inf\r\n", ",-inf\r\n"}, {11, "$3\r\nnan\r\n", ",nan\r\n"},
        {12, "$5\r\nwords\r\n", "=9\r\ntxt:words\r\n"},
        {13, "$21\r\n123456789012345678901\r\n", "(123456789012345678901\r\n"},
        {14, "$5\r\n1e+20\r\n", ",1e+20\r\n"}, {15, "*0\r\n", "%0\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (w.proto = 2; w.proto <= 3; w.proto++) {
            switch (cases[i].what) {
            case 0:
                resp_null(&w);
                break;
            case 1:
                resp_null_array(&w);
                break;
            case 2:
                resp_array(&w, 3);
                break;
            case 3:
                resp_map(&w, 3);
                break;
            case 4:
                resp_set(&w, 3);
                break;
            case 5:
                resp_push(&w, 3);
                break;
            case 6:
                resp_bool(&w, true);
                break;
            case 7:
                resp_bool(&w, false);
                break;
            case 8:
                resp_double(&w, 1.5);
                break;
            case 9:
                resp_double(&w, INFINITY);
                break;
            case 10:
                resp_double(&w, -INFINITY);
                break;
            case 11:
                resp_double(&w, NAN);
                break;
            case 12:
                resp_verbatim(&w, "txt", SLICE("words"));
                break;
            case 13:
                resp_big_number(&w, SLICE("123456789012345678901"));
                break;
            case 14:
                resp_double(&w, 1e20);
                break;
            default:
                resp_map(&w, 0);
            }
            const char *expected = w.proto == 2 ? cases[i].resp2 : cases[i].resp3;
            written(expected, strlen(expected));
        }
    }
    w.proto = 3;
    resp_attribute(&w, 2);
    WRITTEN("|2\r\n");
}

Test(writer, lines) {
    resp_ok(&w);
    resp_simple(&w, "QUEUED");
    resp_error(&w, SLICE("ERR a\r\nb\nc"));
    resp_error(&w, SLICE("WRONGTYPE that\r\n"));
    resp_error(&w, SLICE(""));
    RESP_RAW(&w, ":7\r\n");
    WRITTEN("+OK\r\n+QUEUED\r\n-ERR a  b c\r\n-WRONGTYPE that\r\n-\r\n:7\r\n");
}

Test(writer, integers_of_every_length) {
    for (int64_t v = 1;; v = v * 10 + 7) {
        int64_t all[] = {v, -v, v - 1, INT64_MAX, INT64_MIN};
        for (size_t i = 0; i < 5; i++) {
            char expected[64];
            int n = snprintf(expected, sizeof expected, ":%lld\r\n", (long long)all[i]);
            resp_int(&w, all[i]);
            written(expected, (size_t)n);
            char digits[32];
            n = snprintf(digits, sizeof digits, "%lld", (long long)all[i]);
            n = snprintf(expected, sizeof expected, "$%d\r\n%s\r\n", n, digits);
            resp_bulk_i64(&w, all[i]);
            written(expected, (size_t)n);
        }
        if (v > INT64_MAX / 10 - 7) break;
    }
}

Test(writer, bulks_of_every_length_at_every_fill) {
    static char source[40000];
    for (size_t i = 0; i < sizeof source; i++) source[i] = (char)('a' + i % 26);
    static const size_t lengths[] = {
        0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001, 4095, 4096, 4097, 9999, 10000, 16300, 16384, 40000};
    static char expected[2 * sizeof source + 64];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t fill = 0; fill<17000; fill += fill> 16200 && fill < 16400 ? 1 : 397) {
            size_t n = lengths[i];
            chain_put(&out, source, fill);
            resp_bulk(&w, n ? source : NULL, n);
            memcpy(expected, source, fill);
            size_t at = fill + (size_t)sprintf(expected + fill, "$%zu\r\n", n);
            memcpy(expected + at, source, n);
            memcpy(expected + at + n, "\r\n", 2);
            written(expected, at + n + 2);
        }
    }
    resp_text(&w, "text");
    resp_text(&w, "");
    WRITTEN("$4\r\ntext\r\n$0\r\n\r\n");
}

static void release(void *arg) { ++*(int *)arg; }

Test(writer, a_bulk_by_reference) {
    int released = 0;
    resp_bulk_ref(&w, "value", 5, release, &released);
    resp_ok(&w);
    cr_assert(!released);
    WRITTEN("$5\r\nvalue\r\n+OK\r\n");
    cr_assert(released == 1);
}

Test(writer, a_bulk_whose_bytes_come_later) {
    static char fill[16500], expected[40000];
    memset(fill, 'x', sizeof fill);
    for (size_t n = 1; n < 20000; n = n * 3 + 1)
        for (int apart = 0; apart < 2; apart++) {
            chain_put(&out, fill, 16300);
            char *a = resp_bulk_room(&w, n, apart), *b = resp_bulk_room(&w, 3, false);
            resp_ok(&w);
            memcpy(b, "abc", 3);
            memset(a, 'y', n);
            memset(expected, 'x', 16300);
            size_t at = 16300 + (size_t)sprintf(expected + 16300, "$%zu\r\n", n);
            memset(expected + at, 'y', n);
            at += n;
            memcpy(expected + at, "\r\n$3\r\nabc\r\n+OK\r\n", 16);
            written(expected, at + 16);
        }
}
