#include "server/conf.h"
#include "server/settings.h"

#include <criterion/criterion.h>

static struct settings_trial t;
static struct conf *c;

static void setup(void) {
    settings_trial_open(&t);
    c = conf_new();
}
static void teardown(void) {
    conf_free(c);
    settings_trial_close(&t);
}
TestSuite(conf, .init = setup, .fini = teardown);

/* Returns the error, "" if there is none. */
static const char *read_text(const char *text) {
    static struct buf why;
    why.n = 0;
    bool ok = conf_read_text(c, "x.conf", slice_of(text), &why) && conf_apply(c, t.options, &why);
    cr_assert(ok == !why.n, "%s", buf_cstr(&why));
    return buf_cstr(&why);
}

static void is(const char *name, const char *value) {
    struct buf text = {0};
    option_text(t.options, name, &text);
    cr_assert_str_eq(buf_cstr(&text), value, "%s is '%s', not '%s'", name, buf_cstr(&text), value);
    buf_free(&text);
}

Test(conf, lines) {
    cr_assert_str_empty(read_text("# comment\n\n  \t\n\tport  7000 \r\nTimeout '5'\nrequirepass \"a b\\x41\\n\\\"\"\n"
                                  "pidfile 'it\\'s'\nlogfile \"\"\ntcp-backlog 12"));
    cr_assert(conf_lines(c) == 6);
    is("port", "7000");
    is("timeout", "5");
    is("requirepass", "a bA\n\"");
    is("pidfile", "it's");
    is("tcp-backlog", "12");
}

Test(conf, later_lines_count) {
    cr_assert_str_empty(read_text("port 1\nport 2\nsave 1 2\nsave 3 4\n"));
    is("port", "2");
    is("save", "1 2 3 4");
}

Test(conf, nothing) {
    cr_assert_str_empty(read_text(""));
    cr_assert(conf_lines(c) == 0);
    cr_assert_str_empty(conf_path(c));
}

Test(conf, errors_name_file_and_line) {
    cr_assert_str_eq(read_text("port 1\n\n  nope  1 \n"), "x.conf:3: unknown directive 'nope'\n>>> nope 1");
}
Test(conf, quotes) {
    cr_assert_str_eq(read_text("port 1\nlogfile \"a\n"), "x.conf:2: unbalanced quotes\n>>> logfile \"a");
}
Test(conf, secrets_are_not_shown) {
    cr_assert_str_eq(read_text("requirepass a b\n"), "x.conf:1: wrong number of arguments\n>>> requirepass (not shown)");
}

Test(conf, zero_bytes) {
    struct buf why = {0};
    cr_assert(!conf_read_text(c, "x.conf", SLICE("port 1\nport 2\0 3\n"), &why));
    cr_assert(!strncmp(buf_cstr(&why), "x.conf:2: a zero byte", 21));
    buf_free(&why);
}

static const char *args(int n, ...) {
    static struct buf why;
    char *argv[16];
    va_list list;
    va_start(list, n);
    for (int i = 0; i < n; i++) argv[i] = va_arg(list, char *);
    va_end(list);
    why.n = 0;
    bool ok = conf_read_args(c, n, argv, &why) && conf_apply(c, t.options, &why);
    cr_assert(ok == !why.n);
    return buf_cstr(&why);
}

Test(conf, arguments_count_more_than_files) {
    cr_assert_str_empty(read_text("port 1\nsave 1 1\n"));
    cr_assert_str_empty(args(8, "--port", "7000", "--save", "--bind", "127.0.0.1", "-::1", "--slowlog-log-slower-than", "-1"));
    is("port", "7000");
    is("save", "");
    is("bind", "127.0.0.1 -::1");
    is("slowlog-log-slower-than", "-1");
}
Test(conf, argument_with_spaces_is_one_word) {
    cr_assert_str_empty(args(4, "--requirepass", "a b  c", "--save", "900 1"));
    is("requirepass", "a b  c");
    is("save", "900 1");
}
Test(conf, wrong_arguments) {
    cr_assert_str_eq(args(2, "--port", "x"), "command line: argument couldn't be parsed into an integer\n>>> port x");
}
Test(conf, no_arguments_but_options) {
    cr_assert_str_eq(args(1, "port"), "command line: 'port' is not an option");
}

Test(conf, a_file_that_is_not_there) {
    struct buf why = {0};
    cr_assert(!conf_read_file(c, "/nonexistent/x.conf", &why));
    cr_assert_str_eq(buf_cstr(&why), "/nonexistent/x.conf: No such file or directory");
    buf_free(&why);
}

Test(conf, the_sample_is_a_conf) {
    struct buf sample = {0}, why = {0};
    conf_print_sample(t.options, &sample);
    cr_assert(conf_read_text(c, "sample", buf_slice(&sample), &why) && conf_apply(c, t.options, &why), "%s", buf_cstr(&why));
    is("bind", "127.0.0.1 -::1");
    is("maxmemory", "1073741824");
    is("maxmemory-policy", "allkeys-lhd");
    is("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(t.options, i)); i++)
        if (!(r->flags & (OPTION_ALIAS | OPTION_HIDDEN))) cr_assert(strstr(buf_cstr(&sample), r->name), "%s is not in it", r->name);
    buf_free(&sample);
    buf_free(&why);
}
