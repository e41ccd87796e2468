#include "image-twin.h"

#include "store/packed.h"
#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static bool sink(void *arg, const void *p, size_t n) {
    struct twin *t = arg;
    if (t->file.n + n > t->most) {
        errno = ENOSPC;
        return false;
    }
    buf_put(&t->file, p, n);
    return true;
}

void twin_begin(struct twin *t, enum image_format format) {
    *t = (struct twin){.most = SIZE_MAX, .random = 42};
    home_limits_default(&t->limits);
    t->options = (struct image_options){.format = format, .compress = true, .checksum = true, .limits = &t->limits, .seed = 9,
        .now = DESCRIBE_NOW, .sink = sink, .arg = t};
}

void twin_end(struct twin *t) {
    buf_free(&t->file);
    described_free(&t->wrote);
}

uint64_t twin_random(struct twin *t, uint64_t below) {
    t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
    return (t->random >> 20) % below;
}

/* Text of n bytes: words, digits, or noise. */
static void fill(struct twin *t, struct buf *b, size_t n) {
    unsigned kind = (unsigned)twin_random(t, 3);
    b->n = 0;
    while (b->n < n) {
        if (kind == 0) buf_printf(b, "user:%llu;", (unsigned long long)twin_random(t, 1000));
        else if (kind == 1) buf_printf(b, "%llu", (unsigned long long)twin_random(t, 99));
        else buf_put(b, &(char){(char)twin_random(t, 256)}, 1);
    }
    b->n = n;
}

static size_t size(struct twin *t, bool large) {
    unsigned which = (unsigned)twin_random(t, 100);
    if (which < 60 || t->small) return twin_random(t, 30);
    if (which < 90) return twin_random(t, 300);
    if (which < 99 || !large) return twin_random(t, 3000);
    return twin_random(t, 1 << 21);
}

static void grow(struct twin *t, enum value_type type, struct home *h, size_t members) {
    struct buf a = {0}, b = {0};
    for (size_t i = 0; i < members; i++) {
        fill(t, &a, size(t, false) / 8);
        fill(t, &b, size(t, false) / 4);
        struct slice name = buf_slice(&a), value = buf_slice(&b);
        double score = (double)twin_random(t, 1000) / (double)(1 + twin_random(t, 7)) - 50;
        int64_t due = twin_random(t, 9) || members % 3 ? 0 : DESCRIBE_NOW + 1000 + (int64_t)twin_random(t, 100000);
        switch (type) {
        case VALUE_LIST:
            list_growing(h, name.n, 1);
            list_push(h, LIST_TAIL, name);
            break;
        case VALUE_SET: set_add(h, name); break;
        case VALUE_ZSET: zset_add(h, name, &score, 0); break;
        default: hash_put(h, &(struct member){name, value, due}, 0);
        }
    }
    buf_free(&a);
    buf_free(&b);
}

void twin_put(struct twin *t, struct image_writer *w, struct tray *tray, const struct record *r, struct slice plain) {
    described_add(&t->wrote, r, plain, r->home);
    if (!record_large(r)) {
        if (tray_put(tray, r)) image_writer_flush(w);
        return;
    }
    image_writer_flush(w);
    enum image_status st = image_writer_large(w, r);
    while (st == IMAGE_MORE) st = image_writer_step(w);
}

/* A string may come packed, as a store may keep it. */
static void put_string(struct twin *t, struct image_writer *w, struct tray *tray, struct record *r, bool large) {
    struct buf plain = {0}, packed = {0};
    fill(t, &plain, size(t, large));
    r->string = buf_slice(&plain);
    if (plain.n > 200 && twin_random(t, 2)) {
        struct packer *p = packer_new();
        struct packing g;
        enum packed_state state;
        packing_begin(&g, r->string, 1, &packed);
        while ((state = packing_step(&g, p)) == PACKED_MORE) {}
        if (state == PACKED_DONE) {
            r->original = plain.n;
            r->string = buf_slice(&packed);
        }
        packer_free(p);
    }
    twin_put(t, w, tray, r, buf_slice(&plain));
    buf_free(&plain);
    buf_free(&packed);
}

void twin_write(struct twin *t, size_t n, bool large) {
    struct image_writer *w = image_writer_new(&t->options);
    struct tray *tray[3] = {image_writer_tray(w), image_writer_tray(w), image_writer_tray(w)};
    for (size_t i = 0; i < n; i++) {
        char key[64];
        struct tray *to = tray[twin_random(t, 3)];
        struct record r = {.db = (unsigned)twin_random(t, 3), .type = (enum value_type)twin_random(t, VALUE_HASH + 1),
            .heat = (uint8_t)twin_random(t, RECORD_HEATS), .use = (enum record_use)twin_random(t, 3)};
        r.key = (struct slice){key, (size_t)snprintf(key, sizeof key, twin_random(t, 2) ? "key:%zu" : "%zu", i)};
        if (twin_random(t, 3) == 0) r.deadline = DESCRIBE_NOW + (int64_t)twin_random(t, 1000000);
        if (r.use) r.used = r.use == RECORD_IDLE ? record_idle_unpack((uint8_t)twin_random(t, 200)) : (uint32_t)twin_random(t, 256);
        if (r.type == VALUE_STRING) {
            put_string(t, w, to, &r, large);
            continue;
        }
        struct home h;
        home_init_own(&h, &t->limits, 9);
        grow(t, r.type, &h, 1 + (large && !twin_random(t, 40) ? 20000 : t->small ? twin_random(t, 4) : twin_random(t, twin_random(t, 10) ? 20 : 800)));
        r.home = &h;
        twin_put(t, w, to, &r, (struct slice){NULL, 0});
        if (h.object) value_free(r.type, h.object);
        home_free_bytes(&h);
    }
    enum image_status st = image_writer_finish(w);
    cr_assert(st == IMAGE_OK || (st == IMAGE_FAILED && image_writer_errno(w) == ENOSPC));
    if (!st) cr_assert_eq(image_writer_facts(w).records, n);
    image_writer_free(w);
    described_sort(&t->wrote);
}

/* -- reading ------------------------------------------------------------------------------------------------------------------ */

static int memory_file(const void *p, size_t n) {
    int fd = memfd_create("twin", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    for (size_t at = 0; at < n;) {
        ssize_t k = write(fd, (const char *)p + at, n - at);
        cr_assert_gt(k, 0);
        at += (size_t)k;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void add_string(struct twin_read *out, const struct record *r, struct slice s) {
    char *plain = NULL;
    if (r->original) {
        plain = malloc(r->original);
        cr_assert(record_plain(r, s, plain));
        s = (struct slice){plain, r->original};
    }
    described_add(&out->read, r, s, NULL);
    free(plain);
}

static bool add_native(struct twin *t, struct image_cursor *c, struct twin_read *out, const struct record *r, bool large, uint64_t total) {
    enum image_read st = IMAGE_READ_OK;
    struct slice piece, body = r->body;
    struct buf whole = {0};
    if (r->type == VALUE_STRING) {
        if (large) {
            while (!(st = image_cursor_more(c, &piece))) buf_put(&whole, piece.p, piece.n);
            if (st == IMAGE_READ_END) st = whole.n == total ? IMAGE_READ_OK : IMAGE_READ_DAMAGED;
        }
        if (!st) add_string(out, r, large ? buf_slice(&whole) : r->string);
        buf_free(&whole);
        return !st;
    }
    struct home h;
    home_init_own(&h, &t->limits, 5);
    if (large) {
        st = image_cursor_fill(c, r, &h, DESCRIBE_NOW);
    } else {
        struct record_fill f;
        record_fill_begin(&f, &h, r, r->members, DESCRIBE_NOW);
        if (record_fill_add(&f, &body) || record_fill_end(&f)) st = IMAGE_READ_DAMAGED;
    }
    if (!st) {
        const char *wrong = describe_check(r->type, &h);
        cr_assert_null(wrong, "%s", wrong);
        described_add(&out->read, r, (struct slice){NULL, 0}, &h);
    }
    if (h.object) value_free(r->type, h.object);
    home_free_bytes(&h);
    return !st;
}

void twin_read_native(struct twin *t, const void *p, size_t n, struct twin_read *out) {
    struct image_reader *r = NULL;
    struct buf why = {0};
    int fd = memory_file(p, n);
    *out = (struct twin_read){.damaged = 0};
    out->native = image_reader_open(&r, fd, &why);
    snprintf(out->why, sizeof out->why, "%s", buf_cstr(&why));
    buf_free(&why);
    struct image_cursor *c = r ? image_cursor_new(r) : NULL;
    for (size_t i = 0; r && i < image_reader_jobs(r); i++) {
        struct record record;
        bool large;
        uint64_t total;
        if (i) cr_assert_leq(image_reader_job(r, i)->heat, image_reader_job(r, i - 1)->heat);
        enum image_read st = image_cursor_open(c, image_reader_job(r, i));
        while (!st && !(st = image_cursor_next(c, &record, &large, &total)))
            if (!add_native(t, c, out, &record, large, total)) st = IMAGE_READ_DAMAGED;
        cr_assert_neq(st, IMAGE_READ_FAILED);
        out->damaged += st == IMAGE_READ_DAMAGED;
    }
    out->ended = r && image_reader_about(r)->whole && !out->damaged && !image_reader_about(r)->broken;
    image_cursor_free(c);
    image_reader_free(r);
    close(fd);
    described_sort(&out->read);
}

void twin_read_rdb(struct twin *t, const void *p, size_t n, struct twin_read *out) {
    int fd = memory_file(p, n);
    struct rdb_file *f = rdb_file_new(fd, &(struct rdb_file_options){.limits = &t->limits, .seed = 5, .now = DESCRIBE_NOW});
    struct record r;
    uint64_t total;
    *out = (struct twin_read){.damaged = 0};
    for (;;) {
        out->rdb = rdb_file_next(f, &r, &total);
        if (out->rdb > RDB_FILE_LARGE) break;
        if (out->rdb == RDB_FILE_LARGE) {
            struct buf whole = {0};
            struct slice piece;
            while (!(out->rdb = rdb_file_more(f, &piece))) buf_put(&whole, piece.p, piece.n);
            if (out->rdb == RDB_FILE_END) {
                cr_assert_eq(whole.n, total);
                described_add(&out->read, &r, buf_slice(&whole), NULL);
            }
            buf_free(&whole);
            if (out->rdb != RDB_FILE_END) break;
        } else
            described_add(&out->read, &r, r.string, r.home);
    }
    cr_assert_neq(out->rdb, RDB_FILE_FAILED);
    out->ended = out->rdb == RDB_FILE_END;
    snprintf(out->why, sizeof out->why, "%s", rdb_file_why(f));
    rdb_file_free(f);
    close(fd);
    described_sort(&out->read);
}

void twin_read_free(struct twin_read *out) { described_free(&out->read); }
