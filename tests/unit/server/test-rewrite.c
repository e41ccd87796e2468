#include "server/conf.h"
#include "server/settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "# Added by CONFIG REWRITE\n"

static struct settings_trial t;
static char folder[64], path[128], other[128];

static void setup(void) {
    strcpy(folder, "/tmp/larder-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert(!chdir(folder));
    snprintf(path, sizeof path, "%s/l.conf", folder);
    snprintf(other, sizeof other, "%s/other.conf", folder);
    settings_trial_open(&t);
}
static void teardown(void) {
    settings_trial_close(&t);
    unlink(path);
    unlink(other);
    cr_assert(!chdir("/") && !rmdir(folder), "something was left in %s", folder);
}
TestSuite(rewrite, .init = setup, .fini = teardown);

static void write_file(const char *name, const char *text) {
    FILE *f = fopen(name, "w");
    cr_assert(f && fputs(text, f) >= 0 && !fclose(f));
}

static void start_with(const char *text) {
    struct buf why = {0};
    struct conf *c = conf_new();
    write_file(path, text);
    cr_assert(conf_read_file(c, path, &why) && conf_apply(c, t.options, &why), "%s", buf_cstr(&why));
    conf_free(c);
    buf_free(&why);
}

static void set(const char *name, const char *value) {
    struct buf why = {0};
    struct slice pair[2] = {slice_of(name), slice_of(value)};
    cr_assert(options_set(t.options, pair, 2, true, &why), "%s", buf_cstr(&why));
    buf_free(&why);
}

/* Rewrites, compares the file, and reads it as a start would: every option must be as it is now. */
static void becomes(const char *text) {
    struct buf why = {0}, now = {0}, then = {0};
    char got[8192];
    cr_assert_null(conf_rewrite(t.options, path, &why), "%s", buf_cstr(&why));
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    size_t n = fread(got, 1, sizeof got - 1, f);
    got[n] = 0;
    fclose(f);
    if (text) cr_assert_str_eq(got, text, "it is:\n%s", got);
    struct settings_trial again;
    struct conf *c = conf_new();
    settings_trial_open(&again);
    cr_assert(conf_read_file(c, path, &why) && conf_apply(c, again.options, &why), "%s", buf_cstr(&why));
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(t.options, i)); i++) {
        if (r->flags & OPTION_FILE) continue;
        option_text(t.options, r->name, &now);
        option_text(again.options, r->name, &then);
        cr_assert(slice_equal(buf_slice(&now), buf_slice(&then)), "%s: '%s' became '%s'", r->name, buf_cstr(&now), buf_cstr(&then));
    }
    settings_trial_close(&again);
    conf_free(c);
    buf_free(&why);
    buf_free(&now);
    buf_free(&then);
}

Test(rewrite, what_has_not_changed_stays) {
    static const char text[] = "# one\n\n  PORT   '7000'\n\tmaxmemory 100MB   \r\nsave 900 1\nsave 300 10\n# two\n"
                               "rename-command A B\nport 7001\ntimeout 0\n";
    start_with(text);
    becomes(text);
    set("timeout", "0");
    becomes(text);
}

Test(rewrite, what_has_changed_is_replaced_in_its_place) {
    start_with("# one\nport 1\n# two\ntimeout 1\nport 2\nslave-priority 5\nmaxmemory 1gb\n# end\n");
    set("port", "3");
    set("maxmemory", "2gb");
    set("replica-priority", "6");
    becomes("# one\nport 3\n# two\ntimeout 1\nreplica-priority 6\nmaxmemory 2gb\n# end\n");
}

Test(rewrite, what_the_file_lacks_is_added) {
    start_with("port 1\n# no end of line");
    set("timeout", "5");
    set("requirepass", "a \"b\"");
    becomes("port 1\n# no end of line\n\n" MARK "timeout 5\nrequirepass \"a \\\"b\\\"\"\n");
    set("maxclients", "77");
    becomes("port 1\n# no end of line\n\n" MARK "timeout 5\nrequirepass \"a \\\"b\\\"\"\nmaxclients 77\n");
    set("timeout", "0");
    becomes("port 1\n# no end of line\n\n" MARK "timeout 0\nrequirepass \"a \\\"b\\\"\"\nmaxclients 77\n");
}

Test(rewrite, lists_of_several_lines) {
    start_with("save 1 2\n# between\nsave 3 4\nclient-output-buffer-limit pubsub 1 2 3\n");
    set("save", "5 6 7 8 9 10");
    set("client-output-buffer-limit", "normal 1mb 1mb 1");
    becomes("save 5 6\nsave 7 8\nsave 9 10\n# between\n"
            "client-output-buffer-limit normal 1048576 1048576 1\n"
            "client-output-buffer-limit slave 268435456 67108864 60\n"
            "client-output-buffer-limit pubsub 1 2 3\n");
    set("save", "");
    becomes("save \"\"\n# between\n"
            "client-output-buffer-limit normal 1048576 1048576 1\n"
            "client-output-buffer-limit slave 268435456 67108864 60\n"
            "client-output-buffer-limit pubsub 1 2 3\n");
}

Test(rewrite, included_files_stay_and_are_overruled) {
    char text[256], expected[256];
    write_file(other, "timeout 7\nport 2\nsave 1 1\n");
    snprintf(text, sizeof text, "port 1\ninclude %s\n", other);
    start_with(text);
    becomes(text);
    set("port", "3");
    set("timeout", "0");
    set("save", "2 2");
    snprintf(expected, sizeof expected, "port 3\ninclude %s\n\n" MARK "port 3\ntimeout 0\nsave \"\"\nsave 2 2\n", other);
    becomes(expected);
}

Test(rewrite, an_include_that_is_gone) {
    char text[256], expected[256];
    write_file(other, "timeout 7\n");
    snprintf(text, sizeof text, "include %s\nport 5\n", other);
    start_with(text);
    unlink(other);
    set("port", "6");
    struct buf why = {0};
    cr_assert_null(conf_rewrite(t.options, path, &why), "%s", buf_cstr(&why));
    write_file(other, "timeout 8\n");
    snprintf(expected, sizeof expected, "include %s\nport 6\n\n" MARK "timeout 7\n", other);
    becomes(expected);
    buf_free(&why);
}

Test(rewrite, every_option_there_is) {
    start_with("");
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(t.options, i)); i++) {
        struct slice argv[2] = {slice_of(r->name), SLICE("")};
        struct buf why = {0};
        static const char *const values[] = {"yes", "7", "77", "2097152", "30%", "allkeys-lru", "always", "local", "optional", "debug",
            "now", "user", "systemd", "a b", "/", "1 2", "3 4 5", "1.5 2.5", "Kg", "{title}", "normal 1 2 3", "no"};
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            argv[1] = slice_of(values[v]);
            if (!(r->flags & (OPTION_ALIAS | OPTION_FILE)) && options_line(t.options, argv, 2, &why)) break;
        }
        buf_free(&why);
    }
    becomes(NULL);
}

Test(rewrite, mode_and_place_of_the_file_are_kept) {
    struct stat before, after;
    start_with("port 1\n");
    cr_assert(!chmod(path, 0640) && !stat(path, &before));
    set("port", "2");
    becomes("port 2\n");
    cr_assert(!stat(path, &after) && after.st_mode == before.st_mode && after.st_uid == before.st_uid);
}

Test(rewrite, a_file_that_is_gone_is_made) {
    set("port", "2");
    becomes(MARK "port 2\n");
    struct stat st;
    cr_assert(!stat(path, &st) && (st.st_mode & 0777) == 0600, "it may hold a password");
}

Test(rewrite, a_folder_that_is_gone) {
    struct buf why = {0};
    cr_assert_str_eq(conf_rewrite(t.options, "/nonexistent/l.conf", &why), "No such file or directory");
    buf_free(&why);
}
