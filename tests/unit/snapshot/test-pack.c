#include "snapshot/rdb_pack.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* All items, joined by commas, or the status that ended the walk. */
static const char *items(enum rdb_pack_kind kind, const void *p, size_t n) {
    static char text[4096];
    size_t at = 0;
    struct rdb_pack k;
    struct rdb_item item;
    enum rdb_status st = rdb_pack_open(&k, kind, (struct slice){p, n});
    if (st) return "not opened";
    text[0] = 0;
    while (!(st = rdb_pack_next(&k, &item))) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", at ? "," : "", (int)(item.s.n < 40 ? item.s.n : 40), item.s.p);
        cr_assert_lt(at, sizeof text - 64);
    }
    return st == RDB_END ? text : "bad";
}

#define IS(kind, literal, want) \
    do { \
        const char *is_ = items(kind, "" literal, sizeof literal - 1); \
        cr_assert_str_eq(is_, want, "line %d: %s", __LINE__, is_); \
    } while (0)

static void put_items(struct buf *out, const struct slice *s, size_t n) {
    size_t begin = rdb_pack_begin(out);
    for (size_t i = 0; i < n; i++) {
        size_t before = out->n;
        rdb_pack_add(out, s[i]);
        cr_assert_eq(out->n - before, rdb_pack_size(s[i]));
    }
    rdb_pack_end(out, begin, n);
}

static void compare(const struct buf *out, const struct slice *s, size_t n) {
    struct rdb_pack k;
    struct rdb_item item;
    cr_assert_eq(rdb_pack_open(&k, RDB_PACK_LISTPACK, buf_slice(out)), RDB_OK);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(rdb_pack_next(&k, &item), RDB_OK, "%zu of %zu", i, n);
        cr_assert(slice_equal(item.s, s[i]));
    }
    cr_assert_eq(rdb_pack_next(&k, &item), RDB_END);
}

Test(pack, listpack_as_redis_has_it) {
    /* RPUSH q 5 x, DUMP q: the blob of its one node */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x02\x00\x05\x01\x81x\x02\xff", "5,x");
    IS(RDB_PACK_LISTPACK, "\x07\x00\x00\x00\x00\x00\xff", "");
    struct buf out = {0};
    put_items(&out, (struct slice[]){SLICE("5"), SLICE("x")}, 2);
    cr_assert(slice_equal(buf_slice(&out), SLICE("\x0c\x00\x00\x00\x02\x00\x05\x01\x81x\x02\xff")));
    buf_free(&out);
}

Test(pack, listpack_integers_at_every_border) {
    static const int64_t borders[] = {0, 127, 128, 4095, 4096, 32767, 32768, 8388607, 8388608, INT32_MAX, (int64_t)INT32_MAX + 1, INT64_MAX};
    static const size_t bytes[] = {2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 10, 10};
    for (size_t i = 0; i < sizeof borders / sizeof *borders; i++) {
        for (int negative = 0; negative < 2; negative++) {
            char text[2][NUM_I64_MAX];
            int64_t v = negative ? -borders[i] : borders[i], w = negative ? v - (v > INT64_MIN) : v;
            struct slice s[2] = {{text[0], num_put_i64(text[0], v)}, {text[1], num_put_i64(text[1], w)}};
            struct buf out = {0};
            put_items(&out, s, 2);
            compare(&out, s, 2);
            if (!negative) cr_assert_eq(rdb_pack_size(s[0]), bytes[i]);
            buf_free(&out);
        }
    }
    cr_assert_eq(rdb_pack_size(SLICE("-4096")), 3);
    cr_assert_eq(rdb_pack_size(SLICE("-4097")), 4);
    cr_assert_eq(rdb_pack_size(SLICE("-9223372036854775808")), 10);
}

Test(pack, listpack_strings_at_every_border) {
    static const size_t lengths[] = {0, 1, 63, 64, 126, 127, 4095, 4096, 16377, 16378, 16379, 2097140, 2097141, 2097142, 2097150};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char *text = malloc(lengths[i] + 1);
        memset(text, 'x', lengths[i] + 1);
        struct slice s[3] = {SLICE("a"), {text, lengths[i]}, SLICE("b")};
        struct buf out = {0};
        put_items(&out, s, 3);
        compare(&out, s, 3);
        buf_free(&out);
        free(text);
    }
}

Test(pack, listpack_of_more_items_than_it_counts) {
    struct buf out = {0};
    struct slice *s = malloc(70000 * sizeof *s);
    for (size_t i = 0; i < 70000; i++) s[i] = i % 2 ? SLICE("odd") : SLICE("-300");
    put_items(&out, s, 70000);
    cr_assert_eq((uint8_t)out.p[4], 0xff);
    compare(&out, s, 70000);
    buf_free(&out);
    free(s);
}

Test(pack, listpacks_that_lie) {
    IS(RDB_PACK_LISTPACK, "", "not opened");
    IS(RDB_PACK_LISTPACK, "\x06\x00\x00\x00\x00\x00", "not opened");
    IS(RDB_PACK_LISTPACK, "\x08\x00\x00\x00\x00\x00\xff", "not opened");                  /* other bytes than it says */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x02\x00\x05\x01\x81x\x02\xfe", "not opened");  /* no end */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x03\x00\x05\x01\x81x\x02\xff", "bad");         /* more items than there are */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x01\x00\x05\x01\x81x\x02\xff", "bad");         /* fewer */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\xff\xff\x05\x01\x81x\x02\xff", "5,x");
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x02\x00\x05\x02\x81x\x02\xff", "bad");         /* length behind is wrong */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x02\x00\x05\x01\x83x\x02\xff", "bad");         /* longer than the blob */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x02\x00\x05\x01\xf5x\x02\xff", "bad");         /* no such form */
    IS(RDB_PACK_LISTPACK, "\x0c\x00\x00\x00\x01\x00\xf0\xff\xff\xff\xff\xff", "bad");      /* 4 GB in four bytes */
    IS(RDB_PACK_LISTPACK, "\x09\x00\x00\x00\x01\x00\xf4\x01\xff", "bad");
    IS(RDB_PACK_LISTPACK, "\x08\x00\x00\x00\x01\x00\xe1\xff", "bad");
    IS(RDB_PACK_LISTPACK, "\x08\x00\x00\x00\x01\x00\xc1\xff", "bad");
}

Test(pack, ziplist) {
    /* "hello", 1024, 12, -5, 100000, 5000000, 2^40 */
    static const char list[] = "\x30\x00\x00\x00\x25\x00\x00\x00\x07\x00"
        "\x00\x05hello" "\x07\xc0\x00\x04" "\x04\xfd" "\x02\xfe\xfb" "\x03\xf0\xa0\x86\x01" "\x05\xd0\x40\x4b\x4c\x00"
        "\x06\xe0\x00\x00\x00\x00\x00\x01\x00\x00" "\xff";
    static char copy[sizeof list];
    memcpy(copy, list, sizeof list);
    cr_assert_eq(sizeof list - 1, 0x30);
    cr_assert_str_eq(items(RDB_PACK_ZIPLIST, copy, sizeof list - 1), "hello,1024,12,-5,100000,5000000,1099511627776");
    copy[8] = copy[9] = (char)0xff; /* many */
    cr_assert_str_eq(items(RDB_PACK_ZIPLIST, copy, sizeof list - 1), "hello,1024,12,-5,100000,5000000,1099511627776");
    memcpy(copy, list, sizeof list);
    copy[4]++; /* the last item is elsewhere */
    cr_assert_str_eq(items(RDB_PACK_ZIPLIST, copy, sizeof list - 1), "bad");
    memcpy(copy, list, sizeof list);
    copy[17]++; /* the item before was shorter than this one says */
    cr_assert_str_eq(items(RDB_PACK_ZIPLIST, copy, sizeof list - 1), "bad");
    IS(RDB_PACK_ZIPLIST, "\x0b\x00\x00\x00\x0a\x00\x00\x00\x00\x00\xff", "");
    IS(RDB_PACK_ZIPLIST, "\x0d\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\xf1\xff", "0");
    IS(RDB_PACK_ZIPLIST, "\x0d\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\xff\xff", "bad"); /* 0xff is no form */
    IS(RDB_PACK_ZIPLIST, "\x0d\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x81\xff", "bad");
    IS(RDB_PACK_ZIPLIST, "\x0d\x00\x00\x00\x0a\x00\x00\x00\x01\x00\xfe\x00\xff", "bad"); /* cut off in the length before */
    IS(RDB_PACK_ZIPLIST, "\x0c\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\xff", "bad");
    IS(RDB_PACK_ZIPLIST, "\x0d\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x3f\xff", "bad");
    IS(RDB_PACK_ZIPLIST, "\x12\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x80\xff\xff\xff\xff\x00\xff", "bad");
}

Test(pack, ziplist_of_long_items) {
    /* An item of 300 bytes, so that the next one's length before takes five. */
    struct buf out = {0};
    static const char head[] = "\x43\x01\x00\x00\x38\x01\x00\x00\x02\x00" "\x00\x41\x2c";
    buf_put(&out, head, sizeof head - 1);
    for (int i = 0; i < 300; i++) buf_put(&out, "y", 1);
    buf_put(&out, "\xfe\x2f\x01\x00\x00" "\x03" "end" "\xff", 10);
    out.p[0] = (char)out.n;
    out.p[1] = (char)(out.n >> 8);
    out.p[4] = (char)(out.n - 10);
    out.p[5] = (char)((out.n - 10) >> 8);
    const char *got = items(RDB_PACK_ZIPLIST, out.p, out.n);
    cr_assert_str_eq(got + 40, ",end", "%s", got);
    buf_free(&out);
}

Test(pack, zipmap) {
    IS(RDB_PACK_ZIPMAP, "\x02\x03" "foo\x03\x00" "bar\x05" "hello\x05\x02" "worldxx\xff", "foo,bar,hello,world");
    IS(RDB_PACK_ZIPMAP, "\xfe\x03" "foo\x03\x00" "bar\xff", "foo,bar");
    IS(RDB_PACK_ZIPMAP, "\x00\xff", "");
    IS(RDB_PACK_ZIPMAP, "\x01\xfe\x03\x00\x00\x00" "foo\x00\x00\xff", "foo,");
    IS(RDB_PACK_ZIPMAP, "\x02\x03" "foo\x03\x00" "bar\xff", "bad");      /* two, it says */
    IS(RDB_PACK_ZIPMAP, "\x00\x03" "foo\x03\x00" "bar\xff", "bad");
    IS(RDB_PACK_ZIPMAP, "\x01\x03" "foo\xff", "bad");                    /* a key alone */
    IS(RDB_PACK_ZIPMAP, "\x01\x03" "foo\x03\xff", "bad");
    IS(RDB_PACK_ZIPMAP, "\x01\x03" "foo\x03\x01" "bar\xff", "bad");      /* unused bytes that are not there */
    IS(RDB_PACK_ZIPMAP, "\x01\xff" "foo\x03\x00" "bar\xff", "bad");
    IS(RDB_PACK_ZIPMAP, "\x01\xfe\xff\xff\xff\xff" "f\xff", "bad");
    IS(RDB_PACK_ZIPMAP, "\x01", "not opened");
}

Test(pack, intset) {
    IS(RDB_PACK_INTSET, "\x02\x00\x00\x00\x03\x00\x00\x00\xff\xff\x01\x00\x00\x01", "-1,1,256");
    IS(RDB_PACK_INTSET, "\x04\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x80", "-2147483648");
    IS(RDB_PACK_INTSET, "\x08\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f", "9223372036854775807");
    IS(RDB_PACK_INTSET, "\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x01\x00", "bad"); /* not in order */
    IS(RDB_PACK_INTSET, "\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x02\x00", "bad"); /* twice */
    IS(RDB_PACK_INTSET, "\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x01", "not opened");
    IS(RDB_PACK_INTSET, "\x02\x00\x00\x00\x03\x00\x00\x00\x02\x00\x03\x00", "not opened");
    IS(RDB_PACK_INTSET, "\x02\x00\x00\x00\xff\xff\xff\xff\x02\x00\x03\x00", "not opened");
    IS(RDB_PACK_INTSET, "\x02\x00\x00", "not opened");
    static const int64_t v[3][2] = {{-32768, 32767}, {-32769, 5}, {0, 1ll << 31}};
    static const size_t bytes[] = {12, 16, 24};
    for (int i = 0; i < 3; i++) {
        struct buf out = {0};
        char want[64];
        rdb_pack_put_intset(&out, v[i], 2);
        cr_assert_eq(out.n, bytes[i]);
        snprintf(want, sizeof want, "%lld,%lld", (long long)v[i][0], (long long)v[i][1]);
        cr_assert_str_eq(items(RDB_PACK_INTSET, out.p, out.n), want);
        buf_free(&out);
    }
}

/* Cut anywhere and changed anywhere, a blob is walked to some end, inside of its bytes (a copy of just that size, for sanitizers). */
static void torture(enum rdb_pack_kind kind, const char *p, size_t n) {
    for (size_t cut = 0; cut <= n; cut++) {
        char *copy = malloc(cut + !cut);
        memcpy(copy, p, cut);
        if (cut < n) cr_assert_neq(strcmp(items(kind, copy, cut), "not opened") * strcmp(items(kind, copy, cut), "bad"), 1);
        for (size_t at = 0; cut == n && at < n; at++) {
            for (int v = 0; v < 256; v++) {
                copy[at] = (char)v;
                items(kind, copy, n);
            }
            copy[at] = p[at];
        }
        free(copy);
    }
}

Test(pack, no_blob_leads_outside) {
    static const char list[] = "\x30\x00\x00\x00\x25\x00\x00\x00\x07\x00"
        "\x00\x05hello" "\x07\xc0\x00\x04" "\x04\xfd" "\x02\xfe\xfb" "\x03\xf0\xa0\x86\x01" "\x05\xd0\x40\x4b\x4c\x00"
        "\x06\xe0\x00\x00\x00\x00\x00\x01\x00\x00" "\xff";
    torture(RDB_PACK_ZIPLIST, list, sizeof list - 1);
    static const char map[] = "\x02\x03" "foo\x03\x00" "bar\x05" "hello\x05\x02" "worldxx\xff";
    torture(RDB_PACK_ZIPMAP, map, sizeof map - 1);
    static const char ints[] = "\x02\x00\x00\x00\x03\x00\x00\x00\xff\xff\x01\x00\x00\x01";
    torture(RDB_PACK_INTSET, ints, sizeof ints - 1);
    struct buf out = {0};
    char text[300];
    memset(text, 'z', sizeof text);
    put_items(&out, (struct slice[]){SLICE("5"), SLICE("x"), SLICE("-3000"), SLICE("70000"), {text, 70}, SLICE("123456789012"), {text, 300}}, 7);
    torture(RDB_PACK_LISTPACK, out.p, out.n);
    buf_free(&out);
}
