#include "server/conf.h"

#include "command/version.h"
#include "resp/reader.h"
#include "server/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INCLUDE_DEPTH = 16 };

struct line {
    size_t file;        /* index of the file's name */
    unsigned number;    /* 0: from the command line */
    struct buf bytes;   /* the words' */
    struct buf words;   /* struct slice each */
};

struct conf {
    struct line *line;
    size_t lines, linecap;
    char **file;
    size_t files;
    struct stat open[INCLUDE_DEPTH]; /* files being read, outermost first: a file in it again is a cycle */
    unsigned depth, threads;
    char *path;
};

struct conf *conf_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct conf)); }

void conf_free(struct conf *c) {
    for (size_t i = 0; i < c->lines; i++) {
        buf_free(&c->line[i].bytes);
        buf_free(&c->line[i].words);
    }
    for (size_t i = 0; i < c->files; i++) mem_free(MEM_MISC, c->file[i]);
    mem_free(MEM_MISC, c->line);
    mem_free(MEM_MISC, c->file);
    mem_free(MEM_MISC, c->path);
    mem_free(MEM_MISC, c);
}

size_t conf_lines(const struct conf *c) { return c->lines; }
unsigned conf_threads(const struct conf *c) { return c->threads; }
const char *conf_path(const struct conf *c) { return c->path ? c->path : ""; }

static size_t add_file(struct conf *c, const char *name) {
    c->file = mem_realloc(MEM_MISC, c->file, (c->files + 1) * sizeof *c->file);
    c->file[c->files] = mem_strdup(MEM_MISC, name);
    return c->files++;
}

static struct line *add_line(struct conf *c, size_t file, unsigned number) {
    if (c->lines == c->linecap) {
        c->linecap = c->linecap ? 2 * c->linecap : 64;
        c->line = mem_realloc(MEM_MISC, c->line, c->linecap * sizeof *c->line);
    }
    struct line *l = &c->line[c->lines++];
    *l = (struct line){.file = file, .number = number};
    return l;
}

static void drop_line(struct conf *c) {
    struct line *l = &c->line[--c->lines];
    buf_free(&l->bytes);
    buf_free(&l->words);
}

static const struct slice *words(const struct line *l) { return (const struct slice *)(const void *)l->words.p; }
static size_t count(const struct line *l) { return l->words.n / sizeof(struct slice); }

static void where(const struct conf *c, size_t file, unsigned number, struct buf *why) {
    buf_puts(why, c->file[file]);
    if (number) buf_printf(why, ":%u", number);
    buf_puts(why, ": ");
}

static void show(struct buf *why, struct slice line) {
    buf_puts(why, "\n>>> ");
    buf_put(why, line.p, line.n);
}

/* -- files ------------------------------------------------------------------------------------------------------------------ */

static bool read_all(int fd, struct buf *out) {
    ssize_t n;
    while ((n = read(fd, buf_room(out, 16384), 16384)) != 0) {
        if (n > 0) out->n += (size_t)n;
        else if (errno != EINTR) return false;
    }
    return true;
}

/* Reads what an include names: a path, or a pattern that may match nothing. */
static bool read_include(struct conf *c, const char *pattern, struct buf *why) {
    if (!strpbrk(pattern, "*?[")) return conf_read_file(c, pattern, why);
    glob_t found;
    int rc = glob(pattern, 0, NULL, &found);
    bool ok = rc == 0 || rc == GLOB_NOMATCH;
    if (!ok) buf_puts(why, rc == GLOB_NOSPACE ? "out of memory" : strerror(errno));
    for (size_t i = 0; ok && rc == 0 && i < found.gl_pathc; i++) ok = conf_read_file(c, found.gl_pathv[i], why);
    globfree(&found);
    return ok;
}

static bool include(struct conf *c, size_t file, unsigned number, struct slice text, struct buf *why) {
    struct line *l = &c->line[c->lines - 1];
    struct buf reason = {0}, pattern = {0};
    bool ok = count(l) == 2;
    if (ok) buf_put(&pattern, words(l)[1].p, words(l)[1].n);
    drop_line(c);
    if (!ok) buf_puts(&reason, "include takes one path");
    else ok = read_include(c, buf_cstr(&pattern), &reason);
    if (!ok && !memchr(reason.p, '\n', reason.n)) { /* else it is an error inside of that file */
        where(c, file, number, why);
        buf_puts(why, buf_cstr(&reason));
        show(why, text);
    } else if (!ok) buf_puts(why, buf_cstr(&reason));
    buf_free(&reason);
    buf_free(&pattern);
    return ok;
}

static struct slice trim(struct slice s) {
    while (s.n && memchr(" \t\r\n", s.p[0], 4)) s = (struct slice){s.p + 1, s.n - 1};
    while (s.n && memchr(" \t\r\n", s.p[s.n - 1], 4)) s.n--;
    return s;
}

static bool read_line(struct conf *c, size_t file, unsigned number, struct slice text, struct buf *why) {
    text = trim(text);
    if (!text.n || *text.p == '#') return true;
    struct line *l = add_line(c, file, number);
    const char *wrong = NULL;
    if (memchr(text.p, 0, text.n)) wrong = "a zero byte";
    else if (!resp_split_line(text, &l->bytes, &l->words)) wrong = "unbalanced quotes";
    if (wrong) {
        where(c, file, number, why);
        buf_puts(why, wrong);
        show(why, text);
        return false;
    }
    if (!count(l)) { /* spaces that trim does not know */
        drop_line(c);
        return true;
    }
    return slice_is(words(l)[0], "include") ? include(c, file, number, text, why) : true;
}

bool conf_read_text(struct conf *c, const char *name, struct slice text, struct buf *why) {
    size_t file = add_file(c, name);
    unsigned number = 0;
    bool ok = true;
    while (ok && text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        ok = read_line(c, file, ++number, (struct slice){text.p, n}, why);
        n += end != NULL;
        text = (struct slice){text.p + n, text.n - n};
    }
    return ok;
}

static const char *enter(struct conf *c, int fd) {
    struct stat st;
    if (fstat(fd, &st)) return strerror(errno);
    if (c->depth == INCLUDE_DEPTH) return "too many files that include one another";
    for (unsigned i = 0; i < c->depth; i++)
        if (c->open[i].st_dev == st.st_dev && c->open[i].st_ino == st.st_ino) return "the file includes itself";
    c->open[c->depth] = st;
    return NULL;
}

bool conf_read_file(struct conf *c, const char *path, struct buf *why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *error = fd < 0 ? strerror(errno) : enter(c, fd);
    struct buf text = {0};
    if (!error && !read_all(fd, &text)) error = strerror(errno);
    if (fd >= 0) close(fd);
    if (error) {
        buf_printf(why, "%s: %s", path, error);
        buf_free(&text);
        return false;
    }
    c->depth++;
    bool ok = conf_read_text(c, path, buf_slice(&text), why);
    c->depth--;
    buf_free(&text);
    return ok;
}

/* -- the command line --------------------------------------------------------------------------------------------------------- */

/* Words must not move while slices point at them, so the room is taken first. */
static void add_args(struct line *l, const char *name, char **value, int n) {
    size_t room = strlen(name);
    for (int i = 0; i < n; i++) room += strlen(value[i]);
    buf_room(&l->bytes, room);
    for (int i = -1; i < n; i++) {
        const char *word = i < 0 ? name : value[i];
        struct slice s = {l->bytes.p + l->bytes.n, strlen(word)};
        buf_puts(&l->bytes, word);
        buf_put(&l->words, &s, sizeof s);
    }
}

bool conf_read_args(struct conf *c, int argc, char **argv, struct buf *why) {
    size_t file = add_file(c, "command line");
    for (int i = 0; i < argc;) {
        if (strncmp(argv[i], "--", 2) || !argv[i][2]) {
            buf_printf(why, "command line: '%s' is not an option", argv[i]);
            return false;
        }
        const char *name = argv[i++] + 2;
        int first = i;
        while (i < argc && strncmp(argv[i], "--", 2)) i++;
        add_args(add_line(c, file, 0), name, argv + first, i - first);
    }
    return true;
}

/* -- lines into options ------------------------------------------------------------------------------------------------------- */

/* The line as it was meant; of a secret, only its name. */
static void show_words(const struct line *l, struct options *o, struct buf *why) {
    struct buf name = {0};
    buf_put(&name, words(l)[0].p, words(l)[0].n);
    const struct option_row *r = option_row(o, buf_cstr(&name));
    buf_puts(why, "\n>>> ");
    buf_puts(why, buf_cstr(&name));
    for (size_t i = 1; i < count(l) && !(r && (r->flags & OPTION_SECRET)); i++) {
        buf_put(why, " ", 1);
        option_quote(words(l)[i], why);
    }
    if (r && (r->flags & OPTION_SECRET)) buf_puts(why, " (not shown)");
    buf_free(&name);
}

/* `--save` alone means `save ""`, as in Redis. */
static bool apply_line(const struct line *l, struct options *o, struct buf *reason) {
    struct slice save[2] = {SLICE("save"), SLICE("")};
    if (!l->number && count(l) == 1 && slice_is(words(l)[0], "save")) return options_line(o, save, 2, reason);
    return options_line(o, words(l), count(l), reason);
}

bool conf_apply(const struct conf *c, struct options *o, struct buf *why) {
    struct buf reason = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < c->lines; i++) {
        const struct line *l = &c->line[i];
        ok = apply_line(l, o, &reason);
        if (ok) continue;
        where(c, l->file, l->number, why);
        buf_puts(why, buf_cstr(&reason));
        show_words(l, o, why);
    }
    buf_free(&reason);
    return ok;
}

/* -- main's part -------------------------------------------------------------------------------------------------------------- */

static const char help[] =
    "Usage: larderd [FILE | -] [--NAME VALUE ...]\n"
    "\n"
    "Runs the cache daemon with the settings of FILE, or of standard input for -, or with those\n"
    "built in. Any setting of a file may also follow as --NAME VALUE; it then counts more.\n"
    "\n"
    "  -h, --help            this text\n"
    "  -v, --version         which larder this is, and which Redis it speaks as\n"
    "  --check-config        only say whether the settings are right\n"
    "  --print-conf          print a conf with every setting explained\n"
    "  --print-man-options   print the settings as larder.conf(5) has them\n"
    "\n"
    "Examples:\n"
    "  larderd /etc/larder/larder.conf\n"
    "  larderd --port 7000 --maxmemory 2gb --maxmemory-policy allkeys-lru\n"
    "  echo 'port 0' | larderd - --unixsocket /tmp/larder.sock\n"
    "\n"
    "See larderd(8), larder.conf(5), larder-cache(7) and larder-info(7).\n";

enum wish { WISH_RUN, WISH_HELP, WISH_VERSION, WISH_CHECK, WISH_SAMPLE, WISH_MAN };

static enum wish wish_of(const char *arg, bool first) {
    static const struct {
        const char *word;
        enum wish wish;
    } wishes[] = {{"--help", WISH_HELP}, {"--version", WISH_VERSION}, {"--check-config", WISH_CHECK},
        {"--print-conf", WISH_SAMPLE}, {"--print-man-options", WISH_MAN}};
    if (first && !strcmp(arg, "-h")) return WISH_HELP;
    if (first && !strcmp(arg, "-v")) return WISH_VERSION;
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        if (!strcmp(arg, wishes[i].word)) return wishes[i].wish;
    return WISH_RUN;
}

/* Takes the wish out of the arguments. */
static enum wish take_wish(int *argc, char **argv) {
    enum wish wish = WISH_RUN;
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        enum wish w = wish_of(argv[i], i == 0);
        if (w == WISH_RUN) argv[kept++] = argv[i];
        else wish = w;
    }
    *argc = kept;
    return wish;
}

static bool read_input(struct conf *c, struct buf *why) {
    struct buf text = {0};
    bool ok = read_all(STDIN_FILENO, &text);
    if (!ok) buf_printf(why, "standard input: %s", strerror(errno));
    ok = ok && conf_read_text(c, "standard input", buf_slice(&text), why);
    buf_free(&text);
    return ok;
}

static bool read_main_file(struct conf *c, const char *path, struct buf *why) {
    if (!conf_read_file(c, path, why)) return false;
    char *whole = realpath(path, NULL);
    c->path = mem_strdup(MEM_MISC, whole ? whole : path);
    free(whole);
    return true;
}

/* As Redis: the file comes first, a "-" first or last. */
static bool read_everything(struct conf *c, int argc, char **argv, struct buf *why) {
    bool input = false;
    if (argc && !strcmp(argv[argc - 1], "-")) {
        input = true;
        argc--;
    } else if (argc && !strcmp(argv[0], "-")) {
        input = true;
        argc--;
        argv++;
    }
    if (argc && *argv[0] != '-') {
        if (!read_main_file(c, argv[0], why)) return false;
        argc--;
        argv++;
    }
    return (!input || read_input(c, why)) && conf_read_args(c, argc, argv, why);
}

static void report(const struct conf *c, struct options *o) {
    printf("%s: right, %zu directives", c->path ? c->path : "settings", c->lines);
    const struct option_row *r;
    size_t unused = 0;
    for (size_t i = 0; (r = option_at(o, i)); i++)
        if ((r->flags & OPTION_UNUSED) && option_is_set(o, r->name)) printf(unused++ ? ", %s" : "; not used here: %s", r->name);
    printf("\n");
}

static int print(struct options *o, enum wish wish) {
    struct buf out = {0};
    if (wish == WISH_SAMPLE) conf_print_sample(o, &out);
    else conf_print_man(o, &out);
    bool ok = fwrite(out.p, 1, out.n, stdout) == out.n && !fflush(stdout);
    buf_free(&out);
    if (!ok) fprintf(stderr, "larderd: standard output: %s\n", strerror(errno));
    return !ok;
}

static bool try_everything(struct conf *c, struct settings_trial *t, int argc, char **argv, struct buf *why) {
    bool ok = read_everything(c, argc, argv, why) && conf_apply(c, t->options, why);
    c->threads = settings_threads(&t->settings);
    return ok;
}

/* `args` is a copy of the arguments that may be changed. */
static bool start(struct conf *c, int argc, char **args, int *status) {
    enum wish wish = take_wish(&argc, args);
    *status = 0;
    if (wish == WISH_HELP) fputs(help, stdout);
    if (wish == WISH_VERSION) printf("larderd %s (speaks as Redis %s, %s)\n", LARDER_VERSION, REDIS_VERSION, mem_allocator());
    if (wish == WISH_HELP || wish == WISH_VERSION) return false;
    struct settings_trial trial;
    struct buf why = {0};
    settings_trial_open(&trial);
    if (wish == WISH_SAMPLE || wish == WISH_MAN) *status = print(trial.options, wish);
    else if (!try_everything(c, &trial, argc, args, &why)) {
        fprintf(stderr, "larderd: %s\n", buf_cstr(&why));
        *status = 1;
    } else if (wish == WISH_CHECK) report(c, trial.options);
    settings_trial_close(&trial);
    buf_free(&why);
    return wish == WISH_RUN && !*status;
}

bool conf_start(int argc, char **argv, struct conf **out, int *status) {
    char **args = mem_alloc(MEM_MISC, (size_t)argc * sizeof *args);
    for (int i = 1; i < argc; i++) args[i - 1] = argv[i];
    struct conf *c = conf_new();
    bool run = start(c, argc - 1, args, status);
    mem_free(MEM_MISC, args);
    if (run) *out = c;
    else conf_free(c);
    return run;
}
