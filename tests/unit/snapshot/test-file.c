#include "snapshot/file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void begin(void) {
    strcpy(folder, "/tmp/larder-file-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}
static void end(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}
TestSuite(file, .init = begin, .fini = end);

static const char *in(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static size_t count(void) {
    size_t n = 0;
    DIR *d = opendir(folder);
    while (readdir(d)) n++;
    closedir(d);
    return n - 2;
}

static void holds(const char *name, const char *text) {
    char got[64] = "";
    FILE *f = fopen(in(name), "r");
    cr_assert_not_null(f);
    cr_assert_not_null(fgets(got, sizeof got, f));
    fclose(f);
    cr_assert_str_eq(got, text);
}

Test(file, appears_whole) {
    for (int i = 0; i < 2; i++) {
        struct file *f = file_create(in("dump"));
        cr_assert_not_null(f);
        cr_assert(file_write(f, i ? "second" : "first", i ? 6 : 5));
        if (i) holds("dump", "first");
        cr_assert_eq(file_size(f), i ? 6 : 5);
        cr_assert(file_commit(f));
        cr_assert_eq(count(), 1);
    }
    holds("dump", "second");
}

Test(file, given_up) {
    struct file *f = file_create(in("dump"));
    cr_assert(file_write(f, "x", 1));
    file_abandon(f);
    cr_assert_eq(count(), 0);
}

Test(file, a_stale_one_is_in_the_way) {
    struct file *a = file_create(in("dump")), *b = file_create(in("dump"));
    cr_assert(a && b);
    cr_assert_eq(count(), 2);
    file_abandon(a);
    cr_assert(file_commit(b));
    cr_assert_eq(count(), 1);
}

Test(file, is_kept) {
    static const char *const names[] = {"dump.cancelled", "dump.cancelled-2", "dump.cancelled-3"}, *const texts[] = {"one", "two", "three"};
    struct buf name = {0};
    cr_assert(file_keep(in("dump"), &name) && !name.n); /* there is nothing */
    for (size_t i = 0; i < 3; i++) {
        struct file *f = file_create(in("dump"));
        cr_assert(file_write(f, texts[i], strlen(texts[i])) && file_commit(f));
        for (int again = 0; again < 2; again++) { /* the second time it has that name already */
            cr_assert(file_keep(in("dump"), &name));
            cr_assert_str_eq(buf_cstr(&name), in(names[i]));
        }
        cr_assert_eq(count(), i + 2);
    }
    for (size_t i = 0; i < 3; i++) holds(names[i], texts[i]);
    buf_free(&name);
}

Test(file, no_folder) {
    cr_assert_null(file_create(in("gone/dump")));
    cr_assert_eq(errno, ENOENT);
}

/* The target is a folder: the old one stays, and nothing is left behind. */
Test(file, cannot_be_named) {
    cr_assert_eq(mkdir(in("dump"), 0700), 0);
    struct file *f = file_create(in("dump"));
    cr_assert(file_write(f, "x", 1));
    cr_assert(!file_commit(f));
    cr_assert_eq(errno, EISDIR);
    cr_assert_eq(count(), 1);
}
