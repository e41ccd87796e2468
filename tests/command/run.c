/* run: the transcripts of this folder, through sessions with no socket. See README.md for their form. */
#include "loopback.h"
#include "render.h"

#include "base/clock.h"
#include "base/match.h"
#include "base/num.h"
#include "command/changes.h"
#include "command/tracking.h"
#include "server/settings.h"
#include "store/rule.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LANES 2
#define PEERS 32
#define PATIENCE_MS 60000 /* for what a task says later; the process may stand still meanwhile */

struct named {
    char name[32];
    struct peer *peer;
};

#define KEPT 8

struct kept { /* a word of a reply, for later requests */
    char name[16], word[64];
};

struct run {
    struct kept kept[KEPT];
    unsigned kept_n;
    const char *file;
    unsigned line;
    bool split; /* each byte of a request arrives by itself */
    bool packed; /* compression-min-size is 32: nearly all strings lie compressed */
    struct settings settings;
    char folder[64]; /* `dir` */
    struct loopback *net; /* of the case at work; NULL: none yet */
    struct named named[PEERS];
    unsigned peers;
    struct peer *peer; /* the session that lines speak to */
    unsigned failures, passed, failed;
    char title[128];
};

static void complain(struct run *r, const char *expected, const char *got) {
    printf("%s:%u: %s%s: expected %s, got %s\n", r->file, r->line, r->title,
        r->split ? " (byte by byte)" : r->packed ? " (compressed)" : "", expected, got);
    r->failures++;
}

static struct slice output_of(const struct peer *p) { return (struct slice){p->output.p, p->output.n}; }

/* -- cases --------------------------------------------------------------------------------------------------------------------- */

static void configure(struct env *e, void *arg) {
    struct run *r = arg;
    struct buf why = {0};
    struct slice dir[] = {SLICE("dir"), slice_of(r->folder)};
    memset(&r->settings, 0, sizeof r->settings);
    settings_bind(&r->settings, e->options, &e->config, &e->store_config);
    if (!options_line(e->options, dir, 2, &why)) abort();
    buf_free(&why);
    if (r->packed) atomic_store(&e->store_config.compression_min_size, 32);
}

/* The folder that is saved to: only one file is ever left there. */
static void folder_clear(const char *folder) {
    char path[sizeof ((struct run *)0)->folder + 32];
    snprintf(path, sizeof path, "%s/dump.larder", folder);
    unlink(path);
    if (rmdir(folder) && errno != ENOENT) perror(folder);
}

static void switch_to(struct run *r, struct slice name) {
    for (unsigned i = 0; i < r->peers; i++)
        if (slice_equal(slice_of(r->named[i].name), name)) {
            r->peer = r->named[i].peer;
            return;
        }
    if (r->peers == PEERS || name.n >= sizeof r->named->name) {
        complain(r, "a session's name", "too many sessions, or a name that is too long");
        return;
    }
    struct named *n = &r->named[r->peers];
    memset(n, 0, sizeof *n);
    memcpy(n->name, name.p, name.n);
    n->peer = r->peer = loopback_open(r->net, r->peers++ % LANES);
}

static void leftover(struct run *r) {
    struct peer *p = r->peer;
    if (!p->output.n) return;
    struct buf text = {0};
    if (render_reply(output_of(p), true, &text) <= 0) render_quoted(output_of(p), &text);
    complain(r, "no further reply", buf_cstr(&text));
    buf_free(&text);
    p->output.n = 0;
}

static void case_end(struct run *r) {
    if (!r->net) return;
    loopback_run(r->net);
    mkdir(r->folder, 0700); /* it may be gone */
    for (unsigned i = 0; i < r->peers; i++) {
        r->peer = r->named[i].peer;
        leftover(r);
    }
    const char *broken = store_check(loopback_env(r->net)->store);
    if (broken) complain(r, "a store in order", broken);
    loopback_free(r->net);
    r->net = NULL;
    if (r->failures) r->failed++;
    else r->passed++;
}

static void case_begin(struct run *r, struct slice title) {
    case_end(r);
    snprintf(r->title, sizeof r->title, "%.*s", (int)title.n, title.p);
    r->failures = r->peers = r->kept_n = 0;
    r->net = loopback_new(LANES, configure, r);
    switch_to(r, SLICE("main"));
}

/* -- what a line does ------------------------------------------------------------------------------------------------------------ */

static void send_bytes(struct run *r, const char *p, size_t n) {
    leftover(r);
    if (!r->peer->open) {
        complain(r, "an open session", "a closed one");
        return;
    }
    if (!r->split) {
        peer_send(r->peer, p, n);
        return;
    }
    for (size_t i = 0; i < n; i++) peer_send(r->peer, p + i, 1);
}

/* The line with the words that were kept in the place of their {name}s. */
static struct slice fill_in(const struct run *r, struct slice line, struct buf *out) {
    for (size_t i = 0; i < line.n; i++) {
        const struct kept *found = NULL;
        for (unsigned k = 0; k < r->kept_n && line.p[i] == '{'; k++) {
            size_t n = strlen(r->kept[k].name);
            if (line.n - i >= n + 2 && !memcmp(line.p + i + 1, r->kept[k].name, n) && line.p[i + n + 1] == '}') found = &r->kept[k];
        }
        buf_puts(out, found ? found->word : "");
        if (found) i += strlen(found->name) + 1;
        else buf_put(out, line.p + i, 1);
    }
    return buf_slice(out);
}

static void request(struct run *r, struct slice line) {
    struct buf bytes = {0}, words = {0}, frame = {0}, filled = {0};
    if (!resp_split_line(fill_in(r, line, &filled), &bytes, &words) || !words.n) {
        complain(r, "words", "unbalanced quotes or nothing");
    } else {
        const struct slice *w = (const struct slice *)(const void *)words.p;
        size_t n = words.n / sizeof *w;
        buf_printf(&frame, "*%zu\r\n", n);
        for (size_t i = 0; i < n; i++) {
            buf_printf(&frame, "$%zu\r\n", w[i].n);
            buf_put(&frame, w[i].p, w[i].n);
            buf_puts(&frame, "\r\n");
        }
        send_bytes(r, frame.p, frame.n);
    }
    buf_free(&bytes);
    buf_free(&words);
    buf_free(&frame);
    buf_free(&filled);
}

/* `raw "bytes"`, of which the bytes go to `out`. */
static bool raw_bytes(struct run *r, struct slice line, struct buf *out) {
    struct buf words = {0};
    bool ok = resp_split_line(line, out, &words) && words.n == 2 * sizeof(struct slice);
    const struct slice *w = (const struct slice *)(const void *)words.p;
    if (ok && slice_is(w[0], "raw")) {
        struct buf bytes = {0};
        buf_put(&bytes, w[1].p, w[1].n);
        buf_free(out);
        *out = bytes;
    } else {
        complain(r, "raw \"bytes\"", "something else");
        ok = false;
    }
    buf_free(&words);
    return ok;
}

/* Tries until what has come is enough, or nothing more can come. */
static long patiently(struct run *r, long (*get)(struct slice in, struct buf *out), struct buf *out) {
    int64_t until = clock_mono_us() + PATIENCE_MS * 1000;
    for (;;) {
        out->n = 0;
        long n = get(output_of(r->peer), out);
        if (n || clock_mono_us() > until || !loopback_wait(r->net, 20)) return n;
    }
}

static long get_element(struct slice in, struct buf *out) {
    size_t children;
    return render_element(in, true, out, &children);
}
static long get_reply(struct slice in, struct buf *out) { return render_reply(in, true, out); }

static const char *missing(long n, const struct peer *p) {
    if (n < 0) return "bytes that are no reply";
    return p->output.n ? "a part of a reply" : p->open ? "nothing" : "nothing from a closed session";
}

static void expect_line(struct run *r, struct slice line) {
    struct buf want = {0}, got = {0};
    if (!render_expected(line, &want)) {
        complain(r, "a line that transcripts know", "another");
    } else {
        long n = patiently(r, get_element, &got);
        if (n <= 0) complain(r, buf_cstr(&want), missing(n, r->peer));
        else if (!slice_equal(buf_slice(&want), buf_slice(&got))) complain(r, buf_cstr(&want), buf_cstr(&got));
        buf_drop(&r->peer->output, n > 0 ? (size_t)n : r->peer->output.n);
    }
    buf_free(&want);
    buf_free(&got);
}

/* `glob {name}`: the last word of the reply is kept. Returns what the glob is then. */
static struct slice keep_at(struct run *r, struct slice glob, struct kept **out) {
    const char *open = memrchr(glob.p, '{', glob.n);
    *out = NULL;
    if (!open || glob.p[glob.n - 1] != '}' || (size_t)(glob.p + glob.n - open) > sizeof r->kept->name) return glob;
    struct kept k = {.word = "nothing"};
    memcpy(k.name, open + 1, (size_t)(glob.p + glob.n - open - 2));
    for (unsigned i = 0; i < r->kept_n; i++)
        if (!strcmp(r->kept[i].name, k.name)) *out = &r->kept[i];
    if (!*out && r->kept_n < KEPT) *out = &r->kept[r->kept_n++];
    if (*out) **out = k;
    return (struct slice){glob.p, (size_t)(open - glob.p)};
}

static void keep(struct kept *k, struct slice reply) {
    const char *space = memrchr(reply.p, ' ', reply.n);
    if (space) snprintf(k->word, sizeof k->word, "%.*s", (int)(reply.p + reply.n - space - 1), space + 1);
}

static void expect_glob(struct run *r, struct slice line) {
    struct kept *kept;
    char pattern[512];
    struct slice glob = keep_at(r, line, &kept);
    if (kept) glob = (struct slice){pattern, (size_t)snprintf(pattern, sizeof pattern, "%.*s*", (int)glob.n, glob.p)};
    struct buf got = {0}, bare = {0};
    char want[512];
    snprintf(want, sizeof want, "~ %.*s", (int)glob.n, glob.p);
    long n = patiently(r, get_reply, &got);
    if (n <= 0) {
        complain(r, want, missing(n, r->peer));
    } else {
        render_reply(output_of(r->peer), false, &bare);
        if (kept) keep(kept, buf_slice(&bare));
        if (!match_glob(glob, buf_slice(&got)) && !match_glob(glob, buf_slice(&bare))) complain(r, want, buf_cstr(&got));
    }
    buf_drop(&r->peer->output, n > 0 ? (size_t)n : r->peer->output.n);
    buf_free(&got);
    buf_free(&bare);
}

static void expect_raw(struct run *r, struct slice line) {
    struct buf want = {0}, got = {0}, shown = {0};
    if (raw_bytes(r, line, &want)) {
        struct slice have = output_of(r->peer);
        if (have.n > want.n) have.n = want.n;
        if (!slice_equal(have, buf_slice(&want))) {
            render_quoted(have, &got);
            render_quoted(buf_slice(&want), &shown);
            complain(r, buf_cstr(&shown), buf_cstr(&got));
        }
        buf_drop(&r->peer->output, have.n);
    }
    buf_free(&want);
    buf_free(&got);
    buf_free(&shown);
}

static void send_raw(struct run *r, struct slice line) {
    struct buf bytes = {0};
    if (raw_bytes(r, line, &bytes)) send_bytes(r, bytes.p, bytes.n);
    buf_free(&bytes);
}

/* Both lanes' shards: what was invalidated is gone. */
static void sweep(struct run *r) {
    struct env *e = loopback_env(r->net);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned part = 0; part < LANES; part++)
            while (rule_sweep_step(e->store, part, LANES, STORE_SLICE_US)) {}
    for (unsigned i = 0; i < LANES; i++)
        while (tracking_step(e->lane[i], STORE_SLICE_US)) {}
    loopback_run(r->net);
}

static void expire_cycle(struct run *r) {
    struct env *e = loopback_env(r->net);
    for (unsigned i = 0; i < LANES; i++)
        while (store_expire_step(e->store, i, LANES, clock_ms(), &e->lane[i]->store_stats, STORE_SLICE_US)) {}
    for (unsigned i = 0; i < LANES; i++) changes_settle(e->lane[i]);
    while (store_trash_step(e->store, STORE_SLICE_US)) {}
    loopback_run(r->net);
}

/* What comes of a task may take a while. */
static void await_end(struct run *r) {
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (r->peer->open && clock_mono_us() < end && loopback_wait(r->net, PATIENCE_MS)) {}
}

static void directive(struct run *r, struct slice line) {
    int64_t ms;
    if (slice_is(line, "expire-cycle")) {
        expire_cycle(r);
    } else if (slice_is(line, "sweep")) {
        sweep(r);
    } else if (line.n > 9 && !strncmp(line.p, "sleep-ms ", 9) && num_i64((struct slice){line.p + 9, line.n - 9}, &ms)) {
        nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
        loopback_run(r->net);
    } else if (line.n > 6 && !strncmp(line.p, "debug ", 6)) {
        struct slice word = {line.p + 6, line.n - 6};
        loopback_env(r->net)->config.enable_debug =
            slice_is(word, "yes") ? ENV_ALLOW_YES : slice_is(word, "local") ? ENV_ALLOW_LOCAL : ENV_ALLOW_NO;
    } else if (slice_is(line, "closed")) {
        await_end(r);
        if (r->peer->open) complain(r, "a closed session", "an open one");
    } else if (slice_is(line, "open")) {
        if (!r->peer->open) complain(r, "an open session", "a closed one");
    } else if (slice_is(line, "sample")) {
        env_sample(loopback_env(r->net));
    } else if (slice_is(line, "folder-gone")) {
        folder_clear(r->folder);
    } else if (slice_is(line, "folder-back")) {
        if (mkdir(r->folder, 0700)) complain(r, "no folder", "one");
    } else if (slice_is(line, "shutdown")) {
        if (!loopback_shutdowns(r->net)) complain(r, "that the host was asked to shut down", "no such request");
    } else {
        complain(r, "a directive", "an unknown one");
    }
}

static void line_run(struct run *r, struct slice l) {
    struct slice rest = l.n > 2 ? (struct slice){l.p + 2, l.n - 2} : (struct slice){"", 0};
    bool spaced = l.n > 1 && l.p[1] == ' ';
    if (!l.n) return;
    if (l.p[0] == '#' && l.n > 1 && l.p[1] == ':') {
        case_begin(r, rest.n && *rest.p == ' ' ? (struct slice){rest.p + 1, rest.n - 1} : rest);
        return;
    }
    if (l.p[0] == '#' && !(l.n == 2 && (l.p[1] == 't' || l.p[1] == 'f'))) return;
    if (!r->net) case_begin(r, SLICE("(no title)"));
    if (l.p[0] == '>' && spaced) request(r, rest);
    else if (l.p[0] == '!' && spaced) send_raw(r, rest);
    else if (l.p[0] == '=' && spaced) expect_raw(r, rest);
    else if (l.p[0] == '~' && spaced) expect_glob(r, rest);
    else if (l.p[0] == '%' && spaced) directive(r, rest);
    else if (l.p[0] == '&' && spaced) switch_to(r, rest);
    else if (l.p[0] == '@' && spaced) r->peer->session.writer.proto = *rest.p == '3' ? 3 : 2;
    else expect_line(r, l);
}

/* Returns false where the file cannot be read. */
static bool file_run(struct run *r, const char *path) {
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    if (!f) {
        perror(path);
        return false;
    }
    const char *base = strrchr(path, '/');
    r->file = base ? base + 1 : path;
    r->line = 0;
    while ((n = getline(&line, &cap, f)) >= 0) {
        r->line++;
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
        line_run(r, (struct slice){line, (size_t)n});
    }
    case_end(r);
    free(line);
    fclose(f);
    return true;
}

static bool path_run(struct run *r, const char *path) {
    bool read = true;
    for (int way = 0; way < 3 && read; way++) {
        r->split = way == 1;
        r->packed = way == 2;
        read = file_run(r, path);
    }
    return read;
}

int main(int argc, char **argv) {
    struct run r = {0};
    bool read = true;
    clock_start();
    strcpy(r.folder, "/tmp/larder-transcripts-XXXXXX");
    if (!mkdtemp(r.folder)) {
        perror(r.folder);
        return 1;
    }
    for (int i = 1; i < argc; i++) read &= path_run(&r, argv[i]);
    if (argc == 1) {
        const char *top = getenv("top_srcdir");
        char pattern[4096];
        glob_t found;
        snprintf(pattern, sizeof pattern, "%s/tests/command/*.txt", top ? top : ".");
        if (glob(pattern, 0, NULL, &found)) {
            fprintf(stderr, "run: no transcripts at %s\n", pattern);
            return 1;
        }
        for (size_t i = 0; i < found.gl_pathc; i++) read &= path_run(&r, found.gl_pathv[i]);
        globfree(&found);
    }
    folder_clear(r.folder);
    printf("%u passed, %u failed\n", r.passed, r.failed);
    return !read || r.failed || !r.passed;
}
