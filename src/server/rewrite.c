/* CONFIG REWRITE: the file is kept line by line. A line stays as it is while the file's lines about its option still say what
 * is so; else the first of them is replaced and the others go. Then the result is read as a start would read it, includes
 * and all, and what still differs is added at the end. */
#include "resp/reader.h"
#include "server/conf.h"
#include "server/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "# Added by CONFIG REWRITE\n"

/* What one line of the old file is about: an option, or NULL for what is kept in any case. */
struct subject {
    const struct option_row *row;
    struct slice text; /* with its end */
};

static struct slice take_line(struct slice *text) {
    const char *end = memchr(text->p, '\n', text->n);
    struct slice line = {text->p, end ? (size_t)(end - text->p) + 1 : text->n};
    *text = (struct slice){text->p + line.n, text->n - line.n};
    return line;
}

/* Finds the option of a line, and sets it in `o` too. */
static const struct option_row *read_option(struct slice line, struct options *o) {
    while (line.n && memchr(" \t\r\n", line.p[line.n - 1], 4)) line.n--;
    struct buf bytes = {0}, words = {0}, name = {0}, why = {0};
    const struct option_row *row = NULL;
    bool ok = line.n && *line.p != '#' && resp_split_line(line, &bytes, &words) && words.n;
    const struct slice *w = (const struct slice *)(const void *)words.p;
    if (ok) {
        buf_put(&name, w[0].p, w[0].n);
        row = option_row(o, buf_cstr(&name));
        if (row && (row->flags & OPTION_FILE)) row = NULL;
        if (row) options_line(o, w, words.n / sizeof *w, &why); /* a refused value differs, so the line is replaced */
    }
    buf_free(&bytes);
    buf_free(&words);
    buf_free(&name);
    buf_free(&why);
    return row;
}

/* One subject a line; what the lines say is set in `o`. */
static void read_lines(struct slice text, struct options *o, struct buf *subjects) {
    while (text.n) {
        struct subject s = {.text = take_line(&text)};
        s.row = read_option(s.text, o);
        buf_put(subjects, &s, sizeof s);
    }
}

static bool same(struct options *a, struct options *b, const char *name) {
    struct buf of_a = {0}, of_b = {0};
    option_text(a, name, &of_a);
    option_text(b, name, &of_b);
    bool equal = slice_equal(buf_slice(&of_a), buf_slice(&of_b));
    buf_free(&of_a);
    buf_free(&of_b);
    return equal;
}

static bool seen_before(const struct subject *s, size_t i) {
    for (size_t j = 0; j < i; j++)
        if (s[j].row == s[i].row) return true;
    return false;
}

/* Opens a table and sets it as a start with this text would. An include that cannot be read now (its path may be relative to
 * where the daemon was started) is passed over; that only adds lines that it would have made needless. */
static void read_as_start(struct slice text, const char *path, struct settings_trial *told) {
    struct conf *c = conf_new();
    struct buf why = {0}, subjects = {0};
    settings_trial_open(told);
    if (!conf_read_text(c, path, text, &why) || !conf_apply(c, told->options, &why)) {
        settings_trial_close(told);
        settings_trial_open(told);
        read_lines(text, told->options, &subjects);
    }
    buf_free(&why);
    buf_free(&subjects);
    conf_free(c);
}

static void replace_lines(struct slice old, struct options *o, const char *path, struct buf *out) {
    struct settings_trial told, scratch;
    struct buf subjects = {0};
    read_as_start(old, path, &told);
    settings_trial_open(&scratch);
    read_lines(old, scratch.options, &subjects);
    const struct subject *s = (const struct subject *)(const void *)subjects.p;
    for (size_t i = 0; i < subjects.n / sizeof *s; i++) {
        if (!s[i].row || same(o, told.options, s[i].row->name)) buf_put(out, s[i].text.p, s[i].text.n);
        else if (!seen_before(s, i)) option_write(o, s[i].row->name, out);
    }
    if (out->n && out->p[out->n - 1] != '\n') buf_put(out, "\n", 1);
    settings_trial_close(&told);
    settings_trial_close(&scratch);
    buf_free(&subjects);
}

static bool has_mark(struct slice text) {
    while (text.n)
        if (slice_equal(take_line(&text), SLICE(MARK))) return true;
    return false;
}

static void add_missing(struct options *o, const char *path, struct buf *out) {
    struct settings_trial told;
    read_as_start(buf_slice(out), path, &told);
    bool marked = has_mark(buf_slice(out));
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(o, i)); i++) {
        if ((r->flags & (OPTION_ALIAS | OPTION_FILE)) || same(o, told.options, r->name)) continue;
        if (!marked) buf_puts(out, out->n ? "\n" MARK : MARK);
        marked = true;
        if ((r->flags & OPTION_REPEATS) && option_is_set(told.options, r->name)) buf_printf(out, "%s \"\"\n", r->name);
        option_write(o, r->name, out);
    }
    settings_trial_close(&told);
}

/* -- files ------------------------------------------------------------------------------------------------------------------ */

/* A file that is gone is an empty one. */
static bool read_old(const char *path, struct buf *out, struct stat *st) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *st = (struct stat){.st_mode = S_IRUSR | S_IWUSR};
    if (fd < 0) return errno == ENOENT;
    bool ok = !fstat(fd, st);
    ssize_t n = 1;
    while (ok && n) {
        n = read(fd, buf_room(out, 16384), 16384);
        if (n > 0) out->n += (size_t)n;
        else if (n < 0 && errno != EINTR) ok = false;
    }
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

static bool write_all(int fd, struct slice text) {
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) text = (struct slice){text.p + n, text.n - (size_t)n};
    }
    return true;
}

static bool sync_folder(const char *path) {
    char *folder = mem_strdup(MEM_MISC, path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && !fsync(fd);
    if (fd >= 0) close(fd);
    mem_free(MEM_MISC, folder);
    return ok;
}

static bool write_new(const char *path, struct slice text, const struct stat *old) {
    struct buf temp = {0};
    buf_printf(&temp, "%s.XXXXXX", path);
    int fd = mkostemp(buf_cstr(&temp), O_CLOEXEC);
    bool ok = fd >= 0;
    if (ok && old->st_nlink && fchown(fd, old->st_uid, old->st_gid) && errno != EPERM) ok = false;
    ok = ok && !fchmod(fd, old->st_mode & 07777) && write_all(fd, text) && !fsync(fd);
    int error = errno;
    if (fd >= 0 && close(fd) && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(buf_cstr(&temp), path)) {
        ok = false;
        error = errno;
    }
    if (!ok && fd >= 0) unlink(buf_cstr(&temp));
    buf_free(&temp);
    errno = error;
    return ok && sync_folder(path);
}

const char *conf_rewrite(struct options *o, const char *path, struct buf *why) {
    struct buf old = {0}, new = {0};
    struct stat st;
    bool ok = read_old(path, &old, &st);
    if (ok) {
        replace_lines(buf_slice(&old), o, path, &new);
        add_missing(o, path, &new);
        ok = write_new(path, buf_slice(&new), &st);
    }
    if (!ok) buf_printf(why, "%s", strerror(errno));
    buf_free(&old);
    buf_free(&new);
    return ok ? NULL : buf_cstr(why);
}
