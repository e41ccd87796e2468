/* Larder's own snapshot files on any bytes. The first byte says what the others are: a whole file; or, so that no checksum is in the
 * way, what is in a block of records, or in a chain of two pieces, around which the heads are right. What is accepted is sound. */
#include "sound.h"

#include "snapshot/image_reader.h"

#include <sys/mman.h>
#include <unistd.h>

static void put_block(struct buf *file, struct native_block b, const void *stored) {
    native_put_block((uint8_t *)buf_room(file, NATIVE_BLOCK), &b, stored);
    file->n += NATIVE_BLOCK;
    buf_put(file, stored, b.stored);
}

static void wrap(struct buf *file, bool chain, const uint8_t *p, size_t n) {
    native_put_head((uint8_t *)buf_room(file, NATIVE_HEAD), &(struct native_head){.major = NATIVE_MAJOR});
    file->n += NATIVE_HEAD;
    uint32_t half = (uint32_t)n / 2, rest = (uint32_t)n - half;
    if (!chain) {
        put_block(file, (struct native_block){.kind = NATIVE_RECORDS, .records = 3, .stored = (uint32_t)n, .plain = (uint32_t)n}, p);
        return;
    }
    put_block(file, (struct native_block){.kind = NATIVE_PIECE, .records = 1, .chain = 1, .stored = half, .plain = half}, p);
    put_block(file, (struct native_block){.kind = NATIVE_PIECE, .chain = 1, .piece = 1, .flags = NATIVE_LAST, .stored = rest, .plain = rest}, p + half);
}

static bool room(void *arg, size_t built, size_t n) {
    (void)arg;
    return built + n < 100000;
}

static void read_collection(struct image_cursor *c, const struct record *r, bool large, const struct type_limits *limits) {
    struct home h;
    bool right;
    image_cursor_ask(c, (struct allowance_giver){r->key.n % 2 ? room : NULL, NULL});
    home_init_own(&h, limits, 42);
    if (large) {
        right = !image_cursor_fill(c, r, &h, NOW);
    } else {
        struct record_fill f;
        struct slice body = r->body;
        record_fill_begin(&f, &h, r, r->members, NOW);
        right = !record_fill_add(&f, &body) && !record_fill_end(&f);
    }
    const char *wrong = right ? check(r->type, &h) : NULL;
    must(!wrong, wrong);
    if (h.object) value_free(r->type, h.object);
    home_free_bytes(&h);
}

static void read_string(struct image_cursor *c, const struct record *r, bool large) {
    struct slice piece;
    size_t sum = 0, n = 0;
    for (; large && !image_cursor_more(c, &piece); n += piece.n)
        for (size_t i = 0; i < piece.n; i++) sum += (uint8_t)piece.p[i];
    must(sum <= 255 * n, "every byte can be read");
    if (large || !r->original || !record_sound(r, r->string)) return;
    char *plain = malloc(r->original + 1);
    must(record_plain(r, r->string, plain), "sound, and still not to be unpacked");
    free(plain);
}

static void read_all(const struct image_reader *r) {
    struct image_cursor *c = image_cursor_new(r);
    struct type_limits limits;
    home_limits_default(&limits);
    for (size_t i = 0; i < image_reader_jobs(r); i++) {
        struct record record;
        bool large;
        uint64_t total;
        if (image_cursor_open(c, image_reader_job(r, i))) continue;
        while (!image_cursor_next(c, &record, &large, &total)) {
            if (record.type == VALUE_STRING) read_string(c, &record, large);
            else read_collection(c, &record, large, &limits);
        }
    }
    image_cursor_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf file = {0}, why = {0};
    struct image_reader *r;
    if (!size) return 0;
    if (data[0] % 3) wrap(&file, data[0] % 3 == 2, data + 1, size - 1);
    else buf_put(&file, data + 1, size - 1);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, file.p, file.n) == (ssize_t)file.n, "no memory file");
    if (!image_reader_open(&r, fd, &why)) {
        read_all(r);
        image_reader_free(r);
    } else {
        must(why.n, "no reason");
    }
    close(fd);
    buf_free(&file);
    buf_free(&why);
    return 0;
}
