#include "snapshot/rdb_wire.h"

#include <criterion/criterion.h>
#include <math.h>

static struct rdb_reader reader(const void *p, size_t n) {
    return (struct rdb_reader){.p = p, .end = (const uint8_t *)p + n};
}

Test(wire, sum_is_redis_crc64) {
    cr_assert_eq(rdb_wire_sum(0, "123456789", 9), 0xe9c6d914c4b8d9caull);
    cr_assert_eq(rdb_wire_sum(rdb_wire_sum(0, "1234", 4), "56789", 5), 0xe9c6d914c4b8d9caull);
    cr_assert_eq(rdb_wire_sum(0, "", 0), 0);
    /* What redis-server 7.0 says to SET k hello, DUMP k. */
    static const char hello[] = "\x00\x05hello\x0a\x00" "cr\xdf" "ve4 \x0a";
    cr_assert_eq(rdb_wire_sum(0, hello, 9), rdb_little((const uint8_t *)hello + 9, 8));
}

Test(wire, lengths_of_every_form) {
    static const uint64_t lengths[] = {0, 1, 63, 64, 16383, 16384, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX};
    static const size_t bytes[] = {1, 1, 1, 2, 2, 5, 5, 9, 9};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf out = {0};
        struct rdb_writer w = {.out = &out};
        uint64_t v;
        rdb_writer_length(&w, lengths[i]);
        cr_assert_eq(out.n, bytes[i]);
        for (size_t cut = 0; cut < out.n; cut++) {
            struct rdb_reader r = reader(out.p, cut);
            cr_assert_eq(rdb_reader_length(&r, &v), RDB_SHORT);
        }
        struct rdb_reader r = reader(out.p, out.n);
        cr_assert_eq(rdb_reader_length(&r, &v), RDB_OK);
        cr_assert_eq(v, lengths[i]);
        cr_assert_eq(r.p, r.end);
        buf_free(&out);
    }
    uint64_t v;
    for (int first = 0x82; first < 0x100; first++) {
        uint8_t bad[9] = {(uint8_t)first};
        struct rdb_reader r = reader(bad, sizeof bad);
        cr_assert_eq(rdb_reader_length(&r, &v), RDB_BAD, "%x", (unsigned)first);
    }
}

static void there_and_back(struct slice s, bool compress, size_t want) {
    struct buf out = {0};
    struct rdb_writer w = {.out = &out, .compress = compress};
    struct rdb_space space = {.text = ""};
    struct slice got;
    rdb_writer_string(&w, s);
    if (want) cr_assert_eq(out.n, want, "%.*s: %zu", (int)s.n, s.p, out.n);
    struct rdb_reader r = reader(out.p, out.n);
    cr_assert_eq(rdb_reader_string(&r, &space, &got), RDB_OK);
    cr_assert(slice_equal(got, s));
    cr_assert_eq(r.p, r.end);
    size_t step = out.n > 5000 ? 997 : 1;
    for (size_t cut = 0; cut < out.n; cut += step) {
        r = reader(out.p, cut);
        cr_assert_eq(rdb_reader_string(&r, &space, &got), RDB_SHORT);
    }
    rdb_space_free(&space);
    rdb_writer_free(&w);
    buf_free(&out);
}

Test(wire, strings_in_the_shortest_form) {
    there_and_back(SLICE(""), true, 1);
    there_and_back(SLICE("a"), true, 2);
    there_and_back(SLICE("-1"), true, 2);
    there_and_back(SLICE("127"), true, 2);
    there_and_back(SLICE("-128"), true, 2);
    there_and_back(SLICE("128"), true, 3);
    there_and_back(SLICE("-32768"), true, 3);
    there_and_back(SLICE("32768"), true, 5);
    there_and_back(SLICE("2147483647"), true, 5);
    there_and_back(SLICE("-2147483648"), true, 5);
    there_and_back(SLICE("2147483648"), true, 11);
    there_and_back(SLICE("007"), true, 4);
    there_and_back(SLICE("-0"), true, 3);
    there_and_back(SLICE("aaaaaaaaaaaaaaaaaaaa"), true, 21); /* 20: not tried */
    there_and_back(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false, 41);
    there_and_back(SLICE("abcdefghijklmnopqrstuvwxyz"), true, 27); /* not shorter */
}

Test(wire, long_strings_are_packed_in_pieces) {
    static char text[300000];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof text; i++) {
        x = x * 1103515245 + 12345;
        /* a third that repeats, a third of noise, a third of few letters */
        text[i] = (char)(i < 100000 ? "session:"[i % 8] : i < 200000 ? (int)(x >> 16 & 255) : "ab"[x >> 20 & 1]);
    }
    for (size_t n = RDB_LZF_PIECE - 2; n <= RDB_LZF_PIECE + 2; n++) there_and_back((struct slice){text, n}, true, 0);
    there_and_back((struct slice){text, sizeof text}, true, 0);
    there_and_back((struct slice){text + 100000, 100000}, true, 100005); /* noise stays as it is */
    struct buf out = {0};
    struct rdb_writer w = {.out = &out, .compress = true};
    rdb_writer_string(&w, (struct slice){text, 100000});
    cr_assert_lt(out.n, 3000);
    rdb_writer_free(&w);
    buf_free(&out);
}

Test(wire, packed_strings_that_lie) {
    struct rdb_space space = {.text = ""};
    struct slice got;
    static const struct {
        const char *p;
        size_t n;
        enum rdb_status want;
    } cases[] = {
        {"\xc3\x00\x05", 3, RDB_BAD},                     /* nothing packed */
        {"\xc3\x02\x00\x00" "a", 5, RDB_BAD},             /* to nothing */
        {"\xc3\x02\x01\x00" "a", 5, RDB_OK},
        {"\xc3\x02\x02\x00" "a", 5, RDB_BAD},             /* shorter than it says */
        {"\xc3\x03\x01\x01" "ab", 6, RDB_BAD},            /* longer */
        {"\xc3\x02\x80\xff\xff\xff\xff\x00" "a", 9, RDB_BAD}, /* 4 GB out of two bytes: nothing is allocated */
        {"\xc3\x80\xff\xff\xff\xff\x80\xff\xff\xff\xff\x00", 12, RDB_SHORT},
        {"\xc3\x03\x0a\x20\x00\x00", 6, RDB_BAD},         /* refers to what was before the first byte */
        {"\x81\xff\xff\xff\xff\xff\xff\xff\xff", 9, RDB_BAD},
        {"\x80\x7f\xff\xff\xff" "abc", 8, RDB_SHORT},
        {"\xc4\x00\x00", 3, RDB_BAD},                     /* no such form */
        {"\xc3\xc0\x05\x00" "a", 5, RDB_BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rdb_reader r = reader(cases[i].p, cases[i].n);
        cr_assert_eq(rdb_reader_string(&r, &space, &got), cases[i].want, "case %zu", i);
    }
    cr_assert_lt(space.bytes.cap, 4096);
    rdb_space_free(&space);
}

Test(wire, doubles) {
    static const struct {
        const char *p;
        size_t n;
        enum rdb_status want;
        double v;
    } cases[] = {
        {"\x01" "3", 2, RDB_OK, 3}, {"\x04-1.5", 5, RDB_OK, -1.5}, {"\x05" "1e100", 6, RDB_OK, 1e100},
        {"\xfe", 1, RDB_OK, INFINITY}, {"\xff", 1, RDB_OK, -INFINITY}, {"\xfd", 1, RDB_OK, NAN},
        {"\x00", 1, RDB_BAD, 0}, {"\x03" "1.x", 4, RDB_BAD, 0}, {"\x05" "1.5", 4, RDB_SHORT, 0}, {"", 0, RDB_SHORT, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rdb_reader r = reader(cases[i].p, cases[i].n);
        double v = 0;
        cr_assert_eq(rdb_reader_old_double(&r, &v), cases[i].want, "case %zu", i);
        if (!cases[i].want) cr_assert(v == cases[i].v || (isnan(v) && isnan(cases[i].v)));
    }
    struct buf out = {0};
    struct rdb_writer w = {.out = &out};
    rdb_writer_double(&w, -0.1);
    struct rdb_reader r = reader(out.p, out.n);
    double v;
    cr_assert_eq(rdb_reader_double(&r, &v), RDB_OK);
    cr_assert_eq(v, -0.1);
    buf_free(&out);
}

/* A file that hands out a few bytes more each time, in a buffer that moves. */
struct slow {
    struct rdb_reader r;
    const uint8_t *all;
    size_t n, at, asked;
    uint8_t *window;
};

static bool slow_refill(struct rdb_reader *r, size_t n) {
    struct slow *f = (struct slow *)r;
    f->asked++;
    f->at = (size_t)(r->p - f->window) + f->at;
    if (n > f->n - f->at) return false;
    uint8_t *moved = malloc(n ? n : 1);
    memcpy(moved, f->all + f->at, n);
    memset(f->window, 0xdd, (size_t)(r->end - f->window));
    free(f->window);
    f->window = moved;
    r->p = moved;
    r->end = moved + n;
    return true;
}

Test(wire, a_range_that_moves_under_its_strings) {
    struct buf out = {0};
    struct rdb_writer w = {.out = &out, .compress = true};
    static const char *const words[] = {"one", "22", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", "five"};
    for (size_t i = 0; i < 5; i++) rdb_writer_string(&w, slice_of(words[i]));
    struct slow f = {.all = (uint8_t *)out.p, .n = out.n, .window = calloc(1, 1)};
    f.r = (struct rdb_reader){.p = f.window, .end = f.window, .refill = slow_refill};
    struct rdb_space space[5];
    struct slice got[5];
    memset(space, 0, sizeof space);
    for (size_t i = 0; i < 5; i++) cr_assert_eq(rdb_reader_string(&f.r, &space[i], &got[i]), RDB_OK);
    for (size_t i = 0; i < 5; i++) cr_assert(slice_equal(got[i], slice_of(words[i])));
    struct slice none;
    cr_assert_eq(rdb_reader_string(&f.r, &space[0], &none), RDB_SHORT);
    cr_assert_gt(f.asked, 5);
    for (size_t i = 0; i < 5; i++) rdb_space_free(&space[i]);
    free(f.window);
    rdb_writer_free(&w);
    buf_free(&out);
}
