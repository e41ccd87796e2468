#include "image-twin.h"
#include "type/list.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void equal(const struct described *a, const struct described *b) {
    cr_assert_eq(a->n, b->n, "%zu and %zu", a->n, b->n);
    for (size_t i = 0; i < a->n; i++) cr_assert_str_eq(a->line[i], b->line[i]);
}

Test(image, idle_as_a_byte) {
    uint32_t before = 0;
    cr_assert_eq(record_idle_pack(0), 0);
    for (unsigned b = 1; b < 256; b++) {
        uint32_t s = record_idle_unpack((uint8_t)b);
        cr_assert_geq(s, before);
        uint8_t back = record_idle_pack(s);
        cr_assert_eq(record_idle_unpack(back), s, "%u", b);
        before = s;
    }
    for (uint64_t s = 1; s < UINT32_MAX; s = s * 3 + 1) {
        uint32_t near = record_idle_unpack(record_idle_pack((uint32_t)s));
        cr_assert(near <= s && s - near <= s / 8);
    }
}

static void round_trip(enum image_format format, size_t n, bool large, bool compress) {
    struct twin t;
    struct twin_read got;
    twin_begin(&t, format);
    t.options.compress = compress;
    t.options.rdb_version = RDB_VERSION_FIELDS;
    twin_write(&t, n, large);
    if (format == IMAGE_NATIVE) twin_read_native(&t, t.file.p, t.file.n, &got);
    else twin_read_rdb(&t, t.file.p, t.file.n, &got);
    cr_assert(got.ended, "%s", got.why);
    equal(&t.wrote, &got.read);
    twin_read_free(&got);
    twin_end(&t);
}

Test(image, native) { round_trip(IMAGE_NATIVE, 900, true, true); }
Test(image, native_uncompressed) { round_trip(IMAGE_NATIVE, 400, true, false); }
Test(image, native_of_nothing) { round_trip(IMAGE_NATIVE, 0, false, true); }
Test(image, rdb) { round_trip(IMAGE_RDB, 900, true, true); }
Test(image, rdb_uncompressed) { round_trip(IMAGE_RDB, 400, true, false); }
Test(image, rdb_of_nothing) { round_trip(IMAGE_RDB, 0, false, true); }

/* Below version 12 a hash goes as a whole when its first field would. */
Test(image, fields_in_an_old_version) {
    struct twin t;
    struct twin_read got;
    twin_begin(&t, IMAGE_RDB);
    twin_write(&t, 500, false);
    twin_read_rdb(&t, t.file.p, t.file.n, &got);
    cr_assert(got.ended);
    cr_assert_eq(memcmp(t.file.p, "REDIS0010", 9), 0);
    size_t earlier = 0;
    cr_assert_eq(t.wrote.n, got.read.n);
    for (size_t i = 0; i < got.read.n; i++) {
        earlier += strcmp(t.wrote.line[i], got.read.line[i]) != 0;
    }
    cr_assert_gt(earlier, 0);
    twin_read_free(&got);
    twin_end(&t);
}

/* A member longer than a block, in a list that goes in pieces. */
Test(image, long_members) {
    for (int format = IMAGE_NATIVE; format <= IMAGE_RDB; format++) {
        struct twin t;
        struct twin_read got;
        twin_begin(&t, (enum image_format)format);
        struct image_writer *w = image_writer_new(&t.options);
        struct tray *tray = image_writer_tray(w);
        struct home h;
        home_init_own(&h, &t.limits, 9);
        struct buf long_one = {0};
        for (int i = 0; i < 3000000; i++) buf_put(&long_one, &(char){(char)twin_random(&t, 256)}, 1);
        for (int i = 0; i < 3; i++) {
            list_growing(&h, long_one.n, 1);
            list_push(&h, LIST_TAIL, buf_slice(&long_one));
            list_push(&h, LIST_TAIL, SLICE("short"));
        }
        twin_put(&t, w, tray, &(struct record){.type = VALUE_LIST, .key = SLICE("list"), .home = &h}, (struct slice){NULL, 0});
        cr_assert_eq(image_writer_finish(w), IMAGE_OK);
        image_writer_free(w);
        if (format == IMAGE_NATIVE) twin_read_native(&t, t.file.p, t.file.n, &got);
        else twin_read_rdb(&t, t.file.p, t.file.n, &got);
        cr_assert(got.ended, "%s", got.why);
        equal(&t.wrote, &got.read);
        twin_read_free(&got);
        value_free(VALUE_LIST, h.object);
        home_free_bytes(&h);
        buf_free(&long_one);
        twin_end(&t);
    }
}

Test(image, a_sink_that_fails) {
    for (int format = IMAGE_NATIVE; format <= IMAGE_RDB; format++) {
        struct twin t;
        twin_begin(&t, (enum image_format)format);
        t.most = 100000;
        twin_write(&t, 300, true);
        cr_assert_leq(t.file.n, 100000);
        twin_end(&t);
    }
}
