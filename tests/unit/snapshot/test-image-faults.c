/* Files that are cut off, damaged, or made to harm. What is read of a native file is always what was written, or nothing. */
#include "image-twin.h"
#include "snapshot/rdb_wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static bool has(const struct described *d, const char *line) {
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(line, d->line[mid]);
        if (!order) return true;
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return false;
}

static void subset(const struct described *part, const struct described *all) {
    for (size_t i = 0; i < part->n; i++) cr_assert(has(all, part->line[i]), "%s was never written", part->line[i]);
}

Test(faults, native_cut_off_anywhere) {
    struct twin t;
    struct twin_read got;
    size_t before = 0;
    twin_begin(&t, IMAGE_NATIVE);
    twin_write(&t, 300, false);
    for (unsigned i = 0; i < 1000; i++) {
        twin_read_native(&t, t.file.p, t.file.n * i / 1000, &got);
        cr_assert(!got.ended);
        subset(&got.read, &t.wrote);
        cr_assert_geq(got.read.n, before); /* all blocks that are whole */
        before = got.read.n;
        twin_read_free(&got);
    }
    cr_assert_gt(before, 250);
    twin_end(&t);
}

Test(faults, rdb_cut_off_anywhere) {
    struct twin t;
    struct twin_read got;
    twin_begin(&t, IMAGE_RDB);
    t.options.rdb_version = RDB_VERSION_FIELDS;
    twin_write(&t, 100, false);
    for (unsigned i = 0; i < 1000; i++) {
        twin_read_rdb(&t, t.file.p, t.file.n * i / 1000, &got);
        cr_assert(!got.ended);
        subset(&got.read, &t.wrote);
        twin_read_free(&got);
    }
    twin_end(&t);
}

Test(faults, each_byte_of_a_native_file) {
    struct twin t;
    struct twin_read got;
    twin_begin(&t, IMAGE_NATIVE);
    t.small = true;
    twin_write(&t, 16, false);
    for (size_t i = 0; i < t.file.n; i++) {
        for (int k = 0; k < 2; k++) {
            char was = t.file.p[i];
            t.file.p[i] = (char)(k ? was ^ (1 << (i % 8)) : ~was);
            twin_read_native(&t, t.file.p, t.file.n, &got);
            subset(&got.read, &t.wrote);
            if (i >= NATIVE_HEAD) cr_assert(!got.ended || got.read.n == t.wrote.n, "byte %zu", i);
            t.file.p[i] = was;
            twin_read_free(&got);
        }
    }
    twin_end(&t);
}

/* There is one checksum for all of it: what is wrong shows at the end, if not before. */
Test(faults, each_byte_of_an_rdb_file) {
    struct twin t;
    struct twin_read got;
    twin_begin(&t, IMAGE_RDB);
    t.small = true;
    twin_write(&t, 16, false);
    for (size_t i = 9; i < t.file.n; i++) {
        char was = t.file.p[i];
        t.file.p[i] = (char)~was;
        twin_read_rdb(&t, t.file.p, t.file.n, &got);
        cr_assert(!got.ended, "byte %zu", i);
        t.file.p[i] = was;
        twin_read_free(&got);
    }
    twin_end(&t);
}

Test(faults, noise) {
    struct twin t;
    struct twin_read got;
    twin_begin(&t, IMAGE_NATIVE);
    for (int i = 0; i < 2000; i++) {
        char noise[600];
        size_t n = twin_random(&t, sizeof noise);
        for (size_t k = 0; k < n; k++) noise[k] = (char)twin_random(&t, 256);
        if (i % 2 && n > 9) memcpy(noise, i % 4 == 1 ? "REDIS0011" : "VALKEY080", 9);
        twin_read_native(&t, noise, n, &got);
        cr_assert_eq(got.native, IMAGE_READ_NOT);
        twin_read_free(&got);
        twin_read_rdb(&t, noise, n, &got);
        cr_assert(!got.ended);
        twin_read_free(&got);
    }
    twin_end(&t);
}

Test(faults, versions) {
    struct twin t;
    struct twin_read got;
    uint8_t head[NATIVE_HEAD];
    twin_begin(&t, IMAGE_NATIVE);
    native_put_head(head, &(struct native_head){.major = 7, .minor = 3});
    twin_read_native(&t, head, sizeof head, &got);
    cr_assert_eq(got.native, IMAGE_READ_NEWER);
    cr_assert_str_eq(got.why, "the file is of format version 7.3; this program reads up to version 1");
    twin_read_free(&got);
    static const struct {
        const char *head, *why;
        enum rdb_file_status status;
    } cases[] = {
        {"REDIS0013", "the RDB version 13 cannot be read; known are 1 to 12, and of Valkey's 80 to 80", RDB_FILE_NEWER},
        {"VALKEY099", "Valkey's RDB version 99 cannot be read; known are 1 to 12, and of Valkey's 80 to 80", RDB_FILE_NEWER},
        {"REDISnone", "this is not an RDB file: its version is no number", RDB_FILE_NOT},
        {"LARDSNAP1", "this is not an RDB file", RDB_FILE_NOT},
        {"REDIS0010\x1d\x01k\x01v", "unknown type 29 at offset 9", RDB_FILE_DAMAGED},
        {"REDIS0011\xfa\x01", "the file ends too early, at offset 11", RDB_FILE_DAMAGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        twin_read_rdb(&t, cases[i].head, strlen(cases[i].head), &got);
        cr_assert_eq(got.rdb, cases[i].status);
        cr_assert_str_eq(got.why, cases[i].why);
        twin_read_free(&got);
    }
    twin_end(&t);
}

/* A block of a kind that is not known yet is passed by, and a minor version too. */
Test(faults, blocks_of_the_future) {
    struct twin t;
    struct twin_read got;
    struct buf file = {0};
    struct native_head head;
    twin_begin(&t, IMAGE_NATIVE);
    twin_write(&t, 100, false);
    buf_put(&file, t.file.p, NATIVE_HEAD);
    cr_assert_eq(native_get_head((const uint8_t *)t.file.p, &head), NATIVE_OK);
    head.minor = 9;
    native_put_head((uint8_t *)file.p, &head);
    struct native_block b = {.kind = 77, .codec = 9, .stored = 100, .plain = 12345};
    char stored[100] = "LBLK of the future";
    native_put_block((uint8_t *)buf_room(&file, NATIVE_BLOCK), &b, stored);
    file.n += NATIVE_BLOCK;
    buf_put(&file, stored, sizeof stored);
    buf_put(&file, t.file.p + NATIVE_HEAD, t.file.n - NATIVE_HEAD);
    twin_read_native(&t, file.p, file.n, &got);
    cr_assert_eq(got.native, IMAGE_READ_OK);
    cr_assert_eq(got.damaged, 0);
    cr_assert_eq(got.read.n, t.wrote.n);
    twin_read_free(&got);
    buf_free(&file);
    twin_end(&t);
}

/* -- made to harm ---------------------------------------------------------------------------------------------------------------- */

/* A file of one block, whose heads are right whatever is in it. */
static void one_block(struct buf *file, struct native_block b, const void *stored) {
    file->n = 0;
    native_put_head((uint8_t *)buf_room(file, NATIVE_HEAD), &(struct native_head){.major = NATIVE_MAJOR});
    file->n += NATIVE_HEAD;
    native_put_block((uint8_t *)buf_room(file, NATIVE_BLOCK), &b, stored);
    file->n += NATIVE_BLOCK;
    buf_put(file, stored, b.stored);
}

Test(faults, bombs) {
    struct twin t;
    struct twin_read got;
    struct buf file = {0};
    char small[64] = {7}; /* no type */
    twin_begin(&t, IMAGE_NATIVE);
    const struct native_block cases[] = {
        {.kind = NATIVE_RECORDS, .codec = NATIVE_LZ4, .records = 1, .stored = 64, .plain = UINT32_MAX},
        {.kind = NATIVE_RECORDS, .codec = NATIVE_LZ4, .records = 1, .stored = 64, .plain = NATIVE_BLOCK_MOST},
        {.kind = NATIVE_RECORDS, .codec = NATIVE_PLAIN, .records = 1, .stored = 64, .plain = 65},
        {.kind = NATIVE_RECORDS, .codec = 2, .records = 1, .stored = 64, .plain = 64},
        {.kind = NATIVE_RECORDS, .codec = NATIVE_PLAIN, .records = UINT32_MAX, .stored = 64, .plain = 64},
        {.kind = NATIVE_PIECE, .codec = NATIVE_PLAIN, .records = 1, .flags = NATIVE_LAST, .chain = 1, .stored = 64, .plain = 64},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        one_block(&file, cases[i], small);
        twin_read_native(&t, file.p, file.n, &got);
        cr_assert_eq(got.damaged, 1, "%zu", i);
        cr_assert_eq(got.read.n, 0);
        twin_read_free(&got);
    }
    buf_free(&file);
    twin_end(&t);
}

/* The head of a large value says more than there can be. */
Test(faults, totals) {
    struct twin t;
    struct twin_read got;
    struct buf file = {0};
    twin_begin(&t, IMAGE_NATIVE);
    static const uint64_t totals[] = {0, 1ull << 30, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        uint8_t head[64] = {VALUE_STRING, 0, 1, 'k'};
        for (int k = 0; k < 8; k++) head[4 + k] = (uint8_t)(totals[i] >> 8 * k);
        one_block(&file,
            (struct native_block){.kind = NATIVE_PIECE, .records = 1, .flags = NATIVE_LAST, .chain = 1, .stored = 64, .plain = 64}, head);
        twin_read_native(&t, file.p, file.n, &got);
        cr_assert_eq(got.damaged, 1);
        twin_read_free(&got);
    }
    buf_free(&file);
    twin_end(&t);
}

/* Lengths in an RDB file that nothing stands behind; each ends at once, and nothing is allocated for it. */
Test(faults, rdb_lengths) {
    static const struct {
        const char *name, *bytes;
        size_t n;
    } cases[] = {
#define CASE(name, bytes) {name, "REDIS0010" bytes, sizeof bytes + 8}
        CASE("a string of 2^63", "\x00\x01k\x81\x80\x00\x00\x00\x00\x00\x00\x00"),
        CASE("a string of 4 GB", "\x00\x01k\x80\xff\xff\xff\xff"),
        CASE("a key of 2^62", "\x00\x81\x40\x00\x00\x00\x00\x00\x00\x00"),
        CASE("a list of 2^63", "\x01\x01k\x81\x80\x00\x00\x00\x00\x00\x00\x00\x01x"),
        CASE("a packed string of 4 GB", "\x00\x01k\xc3\x02\x80\xff\xff\xff\xff\x00x"),
        CASE("a stream of 2^63 nodes", "\x15\x01k\x81\x80\x00\x00\x00\x00\x00\x00\x00\x01x"),
        CASE("slots", "\xf4\x01\x02"),
        CASE("a module's string", "\x07\x01k\x01\x05\x80\xff\xff\xff\xff"),
        CASE("database 2^40", "\xfe\x81\x00\x00\x01\x00\x00\x00\x00\x00"),
    };
    struct twin t;
    struct twin_read got;
    twin_begin(&t, IMAGE_RDB);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        twin_read_rdb(&t, cases[i].bytes, cases[i].n, &got);
        cr_assert_eq(got.rdb, RDB_FILE_DAMAGED, "%s", cases[i].name);
        cr_assert_eq(got.read.n, 0);
        twin_read_free(&got);
    }
    twin_end(&t);
}

static void rdb_says(const char *name, const void *bytes, size_t n, bool sum, const char *want) {
    struct twin t;
    struct twin_read got;
    twin_begin(&t, IMAGE_RDB);
    buf_put(&t.file, bytes, n);
    if (sum) {
        uint64_t v = rdb_wire_sum(0, t.file.p, t.file.n);
        for (int i = 0; i < 8; i++) buf_put(&t.file, &(char){(char)(v >> 8 * i)}, 1);
    }
    twin_read_rdb(&t, t.file.p, t.file.n, &got);
    cr_assert(got.ended, "%s: %s", name, got.why);
    cr_assert_eq(got.read.n, *want ? 1 : 0, "%s", name);
    if (*want) cr_assert_str_eq(got.read.line[0], want, "%s", name);
    twin_read_free(&got);
    twin_end(&t);
}

#define SAYS(name, bytes, want) rdb_says(name, bytes, sizeof bytes - 1, true, want)

Test(faults, rdb_parts) {
    SAYS("nothing", "REDIS0006\xff", "");
    SAYS("a key", "REDIS0006\xfe\x02\x00\x01k\x01v\xff", "2 string k 0 - = v");
    SAYS("a deadline in seconds", "REDIS0006\xfd\x00\xf1\x53\x65\x00\x01k\x01v\xff", "0 string k 1700000000000 - = v");
    SAYS("idle", "REDIS0009\xf8\x0a\x00\x01k\x01v\xff", "0 string k 0 idle 10 = v");
    SAYS("frequency", "REDIS0009\xf9\xc8\x00\x01k\x01v\xff", "0 string k 0 used 200 = v");
    SAYS("resize", "REDIS0010\xfb\x01\x00\x00\x01k\x01v\xff", "0 string k 0 - = v");
    SAYS("functions", "REDIS0010\xf5\x03lua\x00\x01k\x01v\xff", "0 string k 0 - = v");
    SAYS("slots", "REDIS0012\xf4\x01\x02\x03\x00\x01k\x01v\xff", "0 string k 0 - = v");
    SAYS("slots on their way", "VALKEY080\xf3\x03job\x02\x01\x02\x03\x04\x00\x01k\x01v\xff", "0 string k 0 - = v");
    SAYS("a module's data", "REDIS0010\xf7\x09\x02\x01\x01\x05\x02\x05\x05\x05hello\x04\x01\x02\x03\x04\x05\x06\x07\x08\x03\x01\x02\x03\x04\x00"
        "\x00\x01k\x01v\xff", "0 string k 0 - = v");
    SAYS("a module's value", "REDIS0010\x07\x01m\x09\x02\x01\x00\x00\x01k\x01v\xff", "0 string k 0 - = v");
    SAYS("Valkey's hash", "VALKEY080\x16\x01h\x02\x01""a\x01""1\xff\xff\xff\xff\xff\xff\xff\xff\x01""b\x01""2\x01\x68\xe5\xcf\x8b\x01\x00\x00\xff",
        "0 hash h 0 - = a=1,b=2@1");
    SAYS("a hash whose fields are past", "VALKEY080\x16\x01h\x01\x01""a\x01""1\x01\x00\x00\x00\x00\x00\x00\x00\xff", "");
    SAYS("a list of nothing", "REDIS0010\x01\x01l\x00\xff", "");
    rdb_says("no checksum", "REDIS0010\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00", 23, false, "0 string k 0 - = v");
    rdb_says("before checksums", "REDIS0004\x00\x01k\x01v\xff", 15, false, "0 string k 0 - = v");
}
