/* Forms of the list options: from words to the one text that CONFIG GET prints. Error texts are Redis's. */
#include "server/settings.h"

#include "base/num.h"
#include "command/events.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BIND_MAX = 16 };

static void put_word(struct buf *out, struct slice word) {
    if (out->n) buf_put(out, " ", 1);
    buf_put(out, word.p, word.n);
}

/* The next word of a text made here; false at its end. */
static bool next_word(struct slice *text, struct slice *word) {
    while (text->n && *text->p == ' ') *text = (struct slice){text->p + 1, text->n - 1};
    if (!text->n) return false;
    const char *end = memchr(text->p, ' ', text->n);
    *word = (struct slice){text->p, end ? (size_t)(end - text->p) : text->n};
    *text = (struct slice){text->p + word->n, text->n - word->n};
    return true;
}

const char *settings_form_bind(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)now, (void)line;
    if (n > BIND_MAX) return "Too many bind addresses specified.";
    if (n == 1 && !word[0].n) return NULL;
    for (size_t i = 0; i < n; i++) {
        if (!word[i].n || slice_equal(word[i], SLICE("-"))) return "empty bind address";
        put_word(out, word[i]);
    }
    return NULL;
}

const char *settings_form_save(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    if (n == 1 && !word[0].n) return NULL;
    if (n % 2) return "Invalid save parameters";
    if (line) put_word(out, now);
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        if (!num_i64(word[i], &v) || v < (i % 2 ? 0 : 1)) return "Invalid save parameters";
        put_word(out, word[i]);
    }
    return NULL;
}

/* What repeats and is otherwise taken as it is. */
const char *settings_form_lines(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    if (n == 1 && !word[0].n) return NULL;
    if (line) put_word(out, now);
    for (size_t i = 0; i < n; i++) put_word(out, word[i]);
    return NULL;
}

/* -- client-output-buffer-limit: class hard soft seconds ... -------------------------------------------------------------- */

static const char *const output_names[OUTPUT_CLASSES] = {"normal", "slave", "pubsub"};

struct output_numbers {
    uint64_t hard, soft;
    int64_t seconds;
};

static int output_class(struct slice name) {
    for (int c = 0; c < OUTPUT_CLASSES; c++)
        if (slice_is(name, output_names[c])) return c;
    return slice_is(name, "replica") ? OUTPUT_REPLICA : -1;
}

static bool output_read(const struct slice *word, struct output_numbers *out) {
    return num_memory(word[0], &out->hard) && num_memory(word[1], &out->soft) && num_i64(word[2], &out->seconds) &&
           out->hard <= INT64_MAX && out->soft <= INT64_MAX && out->seconds >= 0;
}

static void output_read_text(struct slice text, struct output_numbers all[OUTPUT_CLASSES]) {
    struct slice word[4];
    while (next_word(&text, &word[0]) && next_word(&text, &word[1]) && next_word(&text, &word[2]) && next_word(&text, &word[3]))
        output_read(word + 1, &all[output_class(word[0])]);
}

const char *settings_form_output(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)line;
    struct output_numbers all[OUTPUT_CLASSES] = {{0}};
    output_read_text(now, all);
    if (n == 1 && !word[0].n) n = 0; /* nothing changes */
    if (n % 4) return "Wrong number of arguments in buffer limit configuration.";
    for (size_t i = 0; i < n; i += 4) {
        int c = output_class(word[i]);
        if (c < 0) return "Invalid client class specified in buffer limit configuration.";
        if (!output_read(word + i + 1, &all[c])) return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    for (int c = 0; c < OUTPUT_CLASSES; c++)
        buf_printf(out, "%s%s %" PRIu64 " %" PRIu64 " %" PRId64, c ? " " : "", output_names[c], all[c].hard, all[c].soft, all[c].seconds);
    return NULL;
}

void settings_output_limit(struct slice text, enum output_class c, struct output_limit *out) {
    struct output_numbers all[OUTPUT_CLASSES] = {{0}};
    output_read_text(text, all);
    atomic_store_explicit(&out->hard, (int64_t)all[c].hard, memory_order_relaxed);
    atomic_store_explicit(&out->soft, (int64_t)all[c].soft, memory_order_relaxed);
    atomic_store_explicit(&out->soft_seconds, all[c].seconds, memory_order_relaxed);
}

/* -- the others ----------------------------------------------------------------------------------------------------------- */

const char *settings_form_events(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)now, (void)n, (void)line;
    int64_t classes;
    if (!events_parse(word[0], &classes)) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    events_print(classes, out);
    return NULL;
}

const char *settings_form_percentiles(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)now, (void)line;
    if (n == 1 && !word[0].n) return NULL;
    for (size_t i = 0; i < n; i++) {
        double v;
        if (!num_double(word[i], &v)) return "Invalid latency-tracking-info-percentiles parameters";
        if (!(v >= 0 && v <= 100)) return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
        char text[NUM_DOUBLE_MAX];
        put_word(out, (struct slice){text, num_put_double(text, v)});
    }
    return NULL;
}

const char *settings_form_oom(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)now, (void)line;
    if (n != 3) return "wrong number of arguments";
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        if (!num_i64(word[i], &v) || v < -2000 || v > 2000)
            return "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        put_word(out, word[i]);
    }
    return NULL;
}

const char *settings_form_dir(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)now, (void)n, (void)line;
    char path[PATH_MAX], whole[PATH_MAX];
    struct stat st;
    if (!word[0].n) return strerror(ENOENT);
    if (word[0].n >= sizeof path || memchr(word[0].p, 0, word[0].n)) return strerror(ENAMETOOLONG);
    memcpy(path, word[0].p, word[0].n);
    path[word[0].n] = 0;
    if (!realpath(path, whole) || stat(whole, &st)) return strerror(errno);
    if (!S_ISDIR(st.st_mode)) return strerror(ENOTDIR);
    buf_puts(out, whole);
    return NULL;
}

const char *settings_form_title(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    static const char *const names[] = {
        "title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file", NULL};
    static const char wrong[] = "template format is invalid or contains unknown variables";
    (void)now, (void)n, (void)line;
    const char *p = word[0].p, *end = p + word[0].n;
    if (!word[0].n) return wrong;
    while (p < end) {
        if (*p++ != '{') continue;
        const char *close = memchr(p, '}', (size_t)(end - p));
        if (!close) return wrong;
        size_t i = 0;
        while (names[i] && !slice_equal((struct slice){p, (size_t)(close - p)}, slice_of(names[i]))) i++;
        if (!names[i]) return wrong;
        p = close + 1;
    }
    buf_put(out, word[0].p, word[0].n);
    return NULL;
}

const char *settings_form_filename(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)now, (void)n, (void)line;
    if (!word[0].n || memchr(word[0].p, '/', word[0].n)) return "can't be a path, just a filename";
    buf_put(out, word[0].p, word[0].n);
    return NULL;
}

const char *settings_form_hostname(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line) {
    (void)now, (void)n, (void)line;
    for (size_t i = 0; i < word[0].n; i++) {
        unsigned char c = (unsigned char)word[0].p[i];
        if (!isalnum(c) && c != '-' && c != '.') return "Hostnames may only contain alphanumeric characters, hyphens or dots";
    }
    buf_put(out, word[0].p, word[0].n);
    return NULL;
}
