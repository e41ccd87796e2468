#include "base/option.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

struct fields {
    setting flag, number, size, share, level, when, mode, fixed, hidden;
};

struct owner {
    struct fields f;
    struct options *o;
    const char *refuse;  /* the option whose change is refused */
    unsigned applied;
    char seen[64];       /* what the text was when apply looked at it */
};

static const char *apply(void *arg, const char *name) {
    struct owner *w = arg;
    struct buf text = {0};
    w->applied++;
    option_text(w->o, "name", &text); /* options may be read here */
    snprintf(w->seen, sizeof w->seen, "%s", buf_cstr(&text));
    buf_free(&text);
    return w->refuse && !strcmp(w->refuse, name) ? "not today" : NULL;
}

/* Words in capitals, at most three; further lines add. */
static const char *shout(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    if (n == 1 && !word[0].n) return NULL;
    if (n > 3) return "too loud";
    if (line) buf_put(out, now.p, now.n);
    for (size_t i = 0; i < n; i++) {
        if (out->n) buf_put(out, " ", 1);
        for (size_t j = 0; j < word[i].n; j++) buf_put(out, &(char){(char)(word[i].p[j] & ~32)}, 1);
    }
    return NULL;
}

static const struct option_word levels[] = {{"low", 3}, {"high", 9}, {"higher", 9}, {0}};
static const struct option_word moments[] = {{"never", 0}, {"now", 1}, {"later", 2}, {0}};
#define F(field) .offset = offsetof(struct fields, field)
static const struct option_row rows[] = {
    {"flag", OPTION_BOOL, .initial = "yes", F(flag), .apply = apply},
    {"number", OPTION_INT, .min = -5, .max = 10, .initial = "3", F(number), .apply = apply},
    {"size", OPTION_MEMORY, .max = INT64_MAX, .initial = "1048576", F(size)},
    {"share", OPTION_MEMORY, .flags = OPTION_PERCENT, .max = INT64_MAX, .initial = "20%", F(share)},
    {"level", OPTION_ENUM, .words = levels, .initial = "low", F(level)},
    {"when", OPTION_BITS, .words = moments, .initial = "never", F(when)},
    {"mode", OPTION_OCTAL, .max = 0777, .initial = "640", F(mode)},
    {"name", OPTION_TEXT, .initial = "", .apply = apply},
    {"words", OPTION_LIST, .flags = OPTION_REPEATS, .max = 2, .initial = "A B", .form = shout},
    {"fixed", OPTION_INT, .flags = OPTION_FIXED, .max = 9, .initial = "1", F(fixed)},
    {"guarded", OPTION_TEXT, .flags = OPTION_PROTECTED, .initial = "x"},
    {"hidden", OPTION_BOOL, .flags = OPTION_HIDDEN, .initial = "no", F(hidden)},
    {"in-file", OPTION_LIST, .flags = OPTION_FILE | OPTION_UNUSED, .initial = ""},
    {"old-number", .flags = OPTION_ALIAS, .initial = "number"},
};

static struct owner w;

static void setup(void) {
    w = (struct owner){.o = options_new()};
    options_add(w.o, rows, sizeof rows / sizeof *rows, &w.f, &w);
}
static void teardown(void) { options_free(w.o); }
TestSuite(option, .init = setup, .fini = teardown);

static void is(const char *name, const char *value) {
    struct buf text = {0};
    option_text(w.o, name, &text);
    cr_assert_str_eq(buf_cstr(&text), value, "%s is '%s', not '%s'", name, buf_cstr(&text), value);
    buf_free(&text);
}

/* Words are separated by '|'. */
static size_t cut(const char *words, struct slice out[16]) {
    size_t n = 0;
    for (const char *p = words;; p++) {
        const char *end = strchrnul(p, '|');
        out[n++] = (struct slice){p, (size_t)(end - p)};
        if (!*end) return n;
        p = end;
    }
}

static void line(const char *words, const char *error) {
    struct slice argv[16];
    struct buf why = {0};
    bool ok = options_line(w.o, argv, cut(words, argv), &why);
    if (error) cr_assert_str_eq(buf_cstr(&why), error, "%s: '%s'", words, buf_cstr(&why));
    cr_assert(ok == !error, "%s", words);
    buf_free(&why);
}

static void set_as(const char *words, bool trusted, const char *error) {
    struct slice argv[16];
    struct buf why = {0};
    bool ok = options_set(w.o, argv, cut(words, argv), trusted, &why);
    cr_assert_str_eq(buf_cstr(&why), error ? error : "", "%s: '%s'", words, buf_cstr(&why));
    cr_assert(ok == !error, "%s", words);
    buf_free(&why);
}
static void set(const char *words, const char *error) { set_as(words, false, error); }

#define FAILED(name, why) "ERR CONFIG SET failed (possibly related to argument '" name "') - " why

Test(option, initial_values_are_in_the_fields) {
    cr_assert(w.f.flag == 1 && w.f.number == 3 && w.f.size == 1 << 20 && w.f.share == -20 && w.f.level == 3);
    cr_assert(w.f.when == 0 && w.f.mode == 0640);
    is("share", "20%");
    is("when", "never");
    is("mode", "640");
    is("name", "");
    is("words", "A B");
    is("fixed", "1");
    cr_assert(w.applied == 0);
    cr_assert(option_is_initial(w.o, "words") && option_is_initial(w.o, "share") && !option_is_set(w.o, "words"));
}

Test(option, a_table_may_keep_the_values_itself) {
    static const struct option_row own[] = {
        {"loose", OPTION_INT, .max = 9, .initial = "4"}, {"free", OPTION_BOOL, .flags = OPTION_UNUSED, .initial = "yes"}};
    options_add(w.o, own, 2, NULL, NULL);
    line("loose|5", NULL);
    is("loose", "5");
    is("free", "yes");
    set("free|no|loose|6", NULL);
    is("loose", "6");
    is("free", "no");
    cr_assert(w.f.flag == 1 && w.f.number == 3);
}

Test(option, lines_of_each_type) {
    line("FLAG|No", NULL);
    line("number|-5", NULL);
    line("size|2kB", NULL);
    line("share|1m", NULL);
    line("level|HIGHER", NULL);
    line("when|later|now", NULL);
    line("mode|777", NULL);
    line("name|a b", NULL);
    line("fixed|9", NULL);
    line("in-file|any|thing", NULL);
    cr_assert(w.f.flag == 0 && w.f.number == -5 && w.f.size == 2048 && w.f.share == 1000000 && w.f.level == 9);
    cr_assert(w.f.when == 3 && w.f.mode == 0777);
    is("level", "high");
    is("when", "now later");
    is("name", "a b");
    is("fixed", "9");
    line("share|0%", NULL);
    is("share", "0");
    line("size|", NULL);
    is("size", "0");
    line("when|later now", NULL); /* one word with spaces is several */
    is("when", "now later");
    cr_assert(w.applied == 0, "a line of a file applies nothing");
    cr_assert(option_is_set(w.o, "name") && !option_is_initial(w.o, "name"));
}

Test(option, lines_that_are_wrong) {
    line("flag|maybe", "argument must be 'yes' or 'no'");
    line("number|x", "argument couldn't be parsed into an integer");
    line("number|3k", "argument couldn't be parsed into an integer");
    line("number|", "argument couldn't be parsed into an integer");
    line("number|11", "argument must be between -5 and 10 inclusive");
    line("number|-6", "argument must be between -5 and 10 inclusive");
    line("number", "wrong number of arguments");
    line("number|1|2", "wrong number of arguments");
    line("size|-1", "argument must be a memory value");
    line("size|5%", "argument must be a memory value");
    line("share|101%", "percentage argument must be less or equal to 100");
    line("share|99999999999999999999%", "argument must be a memory or percent value");
    line("share|%", "argument must be a memory or percent value");
    line("level|lower", "argument(s) must be one of the following: low, high, higher");
    line("when|now|then", "argument(s) must be one of the following: never, now, later");
    line("mode|8", "argument couldn't be parsed as an octal number");
    line("mode|1000", "argument must be between 0 and 777 inclusive");
    line("words|a|b|c|d", "too loud");
    line("words", "wrong number of arguments");
    line("none|1", "unknown directive 'none'");
    line("|1", "unknown directive ''");
    is("number", "3");
    is("words", "A B");
}

Test(option, a_repeated_line_adds_to_the_first) {
    line("words|c", NULL);
    is("words", "C");
    line("words|d|e", NULL);
    is("words", "C D E");
    line("words|", NULL);
    is("words", "");
    line("words|f", NULL);
    is("words", "F");
    set("words|x y", NULL);
    is("words", "X Y");
}

Test(option, older_names_are_the_same_option) {
    line("old-number|7", NULL);
    is("number", "7");
    is("old-number", "7");
    set("OLD-number|8", NULL);
    cr_assert(w.f.number == 8);
    cr_assert(option_row(w.o, "old-number") == &rows[1]);
    cr_assert(option_row(w.o, "older-number") == NULL);
    set("number|1|old-number|2", FAILED("old-number", "duplicate parameter"));
}

Test(option, several_are_set_or_none) {
    set("number|4|name|me|flag|no", NULL);
    cr_assert(w.f.number == 4 && w.f.flag == 0 && w.applied == 3);
    set("number|5|flag|maybe", FAILED("flag", "argument must be 'yes' or 'no'"));
    set("number|5|nothing|1", "ERR Unknown option or number of arguments for CONFIG SET - 'nothing'");
    set("number|5|in-file|1", "ERR Unknown option or number of arguments for CONFIG SET - 'in-file'");
    set("number|5|Number|6", FAILED("Number", "duplicate parameter"));
    set("number|x|fixed|2", FAILED("fixed", "can't set immutable config"));
    set("guarded|y", FAILED("guarded", "can't set protected config"));
    cr_assert(w.f.number == 4 && w.applied == 3);
    set_as("guarded|y", true, NULL);
    is("guarded", "y");
}

Test(option, a_refused_change_is_undone) {
    set("name|before", NULL);
    w.applied = 0;
    w.refuse = "flag";
    set("number|4|name|after|flag|no|size|1", FAILED("flag", "not today"));
    cr_assert(w.f.number == 3 && w.f.flag == 1 && w.f.size == 1 << 20);
    is("name", "before");
    cr_assert_str_eq(w.seen, "before", "what was applied is applied once more, with the old values");
    cr_assert(w.applied == 6);
    cr_assert(!option_is_set(w.o, "number") && option_is_set(w.o, "name"));
}

Test(option, only_what_changes_is_applied) {
    set("number|3|flag|yes|name|", NULL);
    cr_assert(w.applied == 0);
    set("number|4", NULL);
    cr_assert(w.applied == 1);
}

static void gather(void *arg, struct slice name, struct slice value) {
    buf_printf(arg, "%.*s=%.*s;", (int)name.n, name.p, (int)value.n, value.p);
}

static void each(const char *patterns, const char *expected) {
    struct slice p[16];
    struct buf got = {0};
    options_each(w.o, p, cut(patterns, p), gather, &got);
    cr_assert_str_eq(buf_cstr(&got), expected, "%s: %s", patterns, buf_cstr(&got));
    buf_free(&got);
}

Test(option, found_by_pattern) {
    each("n*", "number=3;name=;");
    each("*number|n*|NUMBER", "number=3;name=;old-number=3;");
    each("NUMBER|n*", "NUMBER=3;name=;");
    each("hid*", "");
    each("Hidden", "Hidden=no;");
    each("in-file|in-*", "");
    each("[f]???", "flag=yes;");
    each("", "");
}

static void writes(const char *name, const char *expected) {
    struct buf got = {0};
    option_write(w.o, name, &got);
    cr_assert_str_eq(buf_cstr(&got), expected, "'%s'", buf_cstr(&got));
    buf_free(&got);
}

Test(option, as_a_file_has_it) {
    writes("size", "size 1mb\n");
    writes("share", "share 20%\n");
    writes("name", "name \"\"\n");
    writes("mode", "mode 640\n");
    line("name|a \"b\"\\\x01\n", NULL);
    writes("name", "name \"a \\\"b\\\"\\\\\\x01\\n\"\n");
    line("name|nrt/tab:bell", NULL);
    writes("name", "name nrt/tab:bell\n");
    line("size|1025", NULL);
    writes("size", "size 1025\n");
    line("words|a|b|c", NULL);
    writes("words", "words A B\nwords C\n");
    line("words|", NULL);
    writes("words", "words \"\"\n");
}

Test(option, passwords_are_compared_whole) {
    cr_assert(option_matches(w.o, "name", SLICE("")));
    cr_assert(!option_matches(w.o, "name", SLICE("a")));
    set("name|secret", NULL);
    cr_assert(option_matches(w.o, "name", SLICE("secret")));
    static const char *const wrong[] = {"", "s", "secre", "secret ", "secrets", "secretsecret", "Secret", "secreT"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(!option_matches(w.o, "name", slice_of(wrong[i])), "%s", wrong[i]);
}

static _Atomic bool over;

/* Whoever reads sees one of the two texts, whole. */
static void *read_name(void *arg) {
    struct buf text = {0};
    uintptr_t wrong = 0;
    (void)arg;
    while (!over) {
        option_text(w.o, "name", &text);
        if (!slice_equal(buf_slice(&text), SLICE("a much longer text than the other one")) &&
            !slice_equal(buf_slice(&text), SLICE("short")))
            wrong++;
    }
    buf_free(&text);
    return (void *)wrong;
}

Test(option, texts_are_read_while_they_change) {
    pthread_t reader;
    void *wrong;
    set("name|short", NULL);
    over = false;
    cr_assert(!pthread_create(&reader, NULL, read_name, NULL));
    for (int i = 0; i < 2000; i++) set(i % 2 ? "name|short" : "name|a much longer text than the other one", NULL);
    over = true;
    pthread_join(reader, &wrong);
    cr_assert(wrong == NULL);
}
