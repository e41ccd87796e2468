#include "source.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAR_FROM ((uint64_t)32 << 20) /* shorter files are read before anybody looks */
#define BAR_WIDTH 40

static void show(struct source *s) {
    unsigned permille = s->size ? (unsigned)(s->done * 1000 / s->size) : 1000;
    if (!s->bar || permille == s->shown) return;
    char bar[BAR_WIDTH + 1];
    for (unsigned i = 0; i < BAR_WIDTH; i++) bar[i] = i * 1000 < permille * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r%s %5.1f %%", bar, permille / 10.0);
    s->shown = permille;
}

static void grow(struct home *h, size_t room) {
    h->p = mem_realloc(MEM_MISC, h->p, room * 2);
    h->room = room * 2;
}

static void empty_home(struct source *s) {
    if (s->home.object) value_free(s->home_type, s->home.object);
    s->home.object = NULL;
    s->home.n = 0;
    s->home.form = VALUE_PACKED;
}

bool source_open(struct source *s, const char *path) {
    char head[9] = {0};
    struct stat st;
    *s = (struct source){.path = path, .now = clock_ms(), .home = {.resize = grow, .seed = 1}};
    home_limits_default(&s->limits);
    s->home.limits = &s->limits;
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = s->fd < 0 || fstat(s->fd, &st) ? -1 : pread(s->fd, head, sizeof head, 0);
    if (n < 0) {
        fprintf(stderr, "larder-snap: %s: %s\n", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        fprintf(stderr, "larder-snap: %s: not a regular file\n", path);
        return false;
    }
    s->size = s->file = (uint64_t)st.st_size;
    s->bar = s->size >= BAR_FROM && isatty(2);
    if (rdb_file_looks_right(head, (size_t)n)) {
        s->rdb = rdb_file_new(s->fd, &(struct rdb_file_options){.limits = &s->limits, .seed = 1, .now = s->now});
        return true;
    }
    if ((size_t)n < 8 || memcmp(head, NATIVE_MAGIC, 8) != 0) {
        fprintf(stderr, "larder-snap: %s: neither a snapshot of larder's nor an RDB file\n", path);
        return false;
    }
    if (image_reader_open(&s->reader, s->fd, &s->why)) {
        fprintf(stderr, "larder-snap: %s: %s\n", path, buf_cstr(&s->why));
        return false;
    }
    s->cursor = image_cursor_new(s->reader);
    s->size = image_reader_about(s->reader)->bytes;
    return true;
}

void source_close(struct source *s) {
    if (s->bar) fputs("\r\033[K", stderr);
    empty_home(s);
    mem_free(MEM_MISC, s->home.p);
    rdb_file_free(s->rdb);
    image_cursor_free(s->cursor);
    image_reader_free(s->reader);
    buf_free(&s->whole);
    buf_free(&s->why);
    if (s->fd >= 0) close(s->fd);
}

/* -- RDB ------------------------------------------------------------------------------------------------------------------------ */

static bool next_rdb(struct source *s, struct record *r) {
    uint64_t total;
    struct slice piece;
    enum rdb_file_status st = rdb_file_next(s->rdb, r, &total);
    s->done = rdb_file_offset(s->rdb);
    show(s);
    if (st == RDB_FILE_LARGE) {
        s->whole.n = 0;
        while (!(st = rdb_file_more(s->rdb, &piece))) buf_put(&s->whole, piece.p, piece.n);
        r->string = buf_slice(&s->whole);
        st = st == RDB_FILE_END ? RDB_FILE_RECORD : st;
    }
    if (st > RDB_FILE_END) buf_puts(&s->why, rdb_file_why(s->rdb));
    return st == RDB_FILE_RECORD;
}

/* -- native --------------------------------------------------------------------------------------------------------------------- */

static enum image_read whole_string(struct source *s, struct record *r, uint64_t total) {
    struct slice piece;
    enum image_read st;
    s->whole.n = 0;
    while (!(st = image_cursor_more(s->cursor, &piece))) buf_put(&s->whole, piece.p, piece.n);
    r->string = buf_slice(&s->whole);
    return st == IMAGE_READ_END ? s->whole.n == total ? IMAGE_READ_OK : IMAGE_READ_DAMAGED : st;
}

static enum image_read whole(struct source *s, struct record *r, bool large, uint64_t total) {
    if (r->type == VALUE_STRING) {
        enum image_read st = large ? whole_string(s, r, total) : IMAGE_READ_OK;
        return st || !r->original || record_sound(r, r->string) ? st : IMAGE_READ_DAMAGED;
    }
    empty_home(s);
    s->home_type = r->type;
    r->home = &s->home;
    if (large) return image_cursor_fill(s->cursor, r, &s->home, s->now);
    struct record_fill f;
    struct slice body = r->body;
    record_fill_begin(&f, &s->home, r, r->members, s->now);
    return record_fill_add(&f, &body) || record_fill_end(&f) ? IMAGE_READ_DAMAGED : IMAGE_READ_OK;
}

static bool next_native(struct source *s, struct record *r) {
    for (;;) {
        bool large;
        uint64_t total;
        enum image_read st = IMAGE_READ_OK;
        if (!s->in_job) {
            if (s->job == image_reader_jobs(s->reader)) return false;
            st = image_cursor_open(s->cursor, image_reader_job(s->reader, s->job++));
            s->in_job = true;
        }
        if (!st) st = image_cursor_next(s->cursor, r, &large, &total);
        if (!st) st = whole(s, r, large, total);
        if (!st && r->home && !value_ops(r->type)->count(r->home)) continue; /* all of its fields are past their deadlines */
        if (!st) return true;
        s->in_job = false;
        s->done += image_reader_job(s->reader, s->job - 1)->bytes;
        show(s);
        if (st != IMAGE_READ_END) s->damaged++;
        if (st == IMAGE_READ_FAILED) {
            buf_puts(&s->why, strerror(errno));
            return false;
        }
    }
}

bool source_next(struct source *s, struct record *r) { return s->rdb ? next_rdb(s, r) : next_native(s, r); }
