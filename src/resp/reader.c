#include "resp/quick.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdio.h>

enum {
    FIRST_SLOTS = 8,
    KEPT_SLOTS = 64,   /* more are given back once the next request begins */
    KEPT_WORDS = 4096, /* the same for the bytes of inline words */
    NOBODY_ARGS = 10,  /* limits before AUTH */
    NOBODY_BULK = 16384,
};

void resp_reader_init(struct resp_reader *r) {
    *r = (struct resp_reader){.args_left = -1, .bulk = -1};
    buf_init(&r->inline_words, MEM_CLIENT);
}

void resp_reader_free(struct resp_reader *r) {
    mem_free(MEM_CLIENT, r->argv);
    buf_free(&r->inline_words);
    resp_reader_init(r);
}

size_t resp_reader_quick(
    const struct resp_limits *limits, const char *p, size_t n, struct slice *argv, size_t room, size_t *used) {
    uint32_t argc, max_bulk = quick_max_bulk(limits);
    if ((int64_t)room > limits->max_args) room = (size_t)limits->max_args;
    const char *end = max_bulk ? quick_request(p, p + n, max_bulk, argv, room, &argc) : NULL;
    if (!end) return 0;
    *used = (size_t)(end - p);
    return argc;
}

/* --- the general path: a state machine that goes on where it stopped --- */

static enum resp_status fail(struct resp_reader *r, const char *what) {
    snprintf(r->error_text, sizeof r->error_text, "Protocol error: %s", what);
    r->error = r->error_text;
    return RESP_ERROR;
}

static void slots_set(struct resp_reader *r, size_t cap) {
    if (!cap) {
        mem_free(MEM_CLIENT, r->argv);
        r->argv = NULL;
    } else {
        r->argv = mem_realloc(MEM_CLIENT, r->argv, cap * sizeof *r->argv);
    }
    r->argcap = cap;
}

void resp_reader_trim(struct resp_reader *r) {
    if (!resp_reader_idle(r)) return;
    if (r->argcap > KEPT_SLOTS) slots_set(r, 0);
    if (r->inline_words.cap > KEPT_WORDS) buf_free(&r->inline_words);
}

static void argv_add(struct resp_reader *r, const char *p, size_t n) {
    if (r->argc == r->argcap) slots_set(r, r->argcap ? r->argcap * 2 : FIRST_SLOTS);
    r->argv[r->argc++] = (struct slice){p, n};
}

static enum resp_status finish(struct resp_reader *r, struct resp_request *out, size_t used) {
    *out = (struct resp_request){r->argv, r->argc, used};
    r->at = 0;
    r->args_left = r->bulk = -1;
    return RESP_REQUEST;
}

/* The line at r->at: a mark, a number, \r and any one byte, as Redis reads it. Moves r->at behind it.
 * RESP_REQUEST: it was there; `*ok` says whether the number is one. */
static enum resp_status header(struct resp_reader *r, const struct resp_limits *limits, const char *p,
    size_t n, const char *too_big, char *mark, int64_t *number, bool *ok) {
    const char *line = p + r->at;
    size_t left = n - r->at;
    const char *stop = left ? memchr(line, '\r', left) : NULL;
    if (!stop) return left > limits->max_inline ? fail(r, too_big) : RESP_MORE;
    size_t len = (size_t)(stop - line);
    if (left < len + 2) return RESP_MORE;
    *mark = *line;
    *ok = len > 0 && num_i64((struct slice){line + 1, len - 1}, number);
    r->at += len + 2;
    return RESP_REQUEST;
}

static enum resp_status count_read(
    struct resp_reader *r, const struct resp_limits *limits, const char *p, size_t n) {
    char mark;
    int64_t count;
    bool ok;
    enum resp_status got = header(r, limits, p, n, "too big mbulk count string", &mark, &count, &ok);
    if (got != RESP_REQUEST) return got;
    if (!ok || count > limits->max_args) return fail(r, "invalid multibulk length");
    if (limits->unauthenticated && count > NOBODY_ARGS) return fail(r, "unauthenticated multibulk length");
    r->args_left = count > 0 ? count : 0;
    return RESP_REQUEST;
}

static enum resp_status length_read(
    struct resp_reader *r, const struct resp_limits *limits, const char *p, size_t n) {
    char mark, what[32];
    int64_t length;
    bool ok;
    enum resp_status got = header(r, limits, p, n, "too big bulk count string", &mark, &length, &ok);
    if (got != RESP_REQUEST) return got;
    if (mark != '$') {
        snprintf(what, sizeof what, "expected '$', got '%c'", mark ? mark : ' ');
        return fail(r, what);
    }
    if (!ok || length < 0 || length > limits->max_bulk) return fail(r, "invalid bulk length");
    if (limits->unauthenticated && length > NOBODY_BULK) return fail(r, "unauthenticated bulk length");
    r->bulk = length;
    return RESP_REQUEST;
}

/* Arguments are kept as offsets until the last one is there: the bytes may move between two calls. */
static enum resp_status array_read(struct resp_reader *r, const struct resp_limits *limits, const char *p,
    size_t n, struct resp_request *out, size_t *need) {
    enum resp_status got;
    if (r->args_left < 0 && (got = count_read(r, limits, p, n)) != RESP_REQUEST) return got;
    while (r->args_left) {
        if (r->bulk < 0 && (got = length_read(r, limits, p, n)) != RESP_REQUEST) return got;
        uint64_t whole = (uint64_t)r->bulk + 2;
        if (n - r->at < whole) {
            if (need && __builtin_add_overflow(r->at, whole, need)) *need = 0;
            return RESP_MORE;
        }
        argv_add(r, (const char *)(uintptr_t)r->at, (size_t)r->bulk);
        r->at += whole;
        r->bulk = -1;
        r->args_left--;
    }
    for (size_t i = 0; i < r->argc; i++) r->argv[i].p = p + (uintptr_t)r->argv[i].p;
    return finish(r, out, r->at);
}

/* --- inline requests --- */

static bool space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static int hex(char c) {
    if (quick_digit(c) <= 9) return (int)quick_digit(c);
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What a backslash and the bytes from p on stand for inside double quotes. Returns how many they were. */
static size_t unescape(const char *p, const char *end, char *out) {
    if (*p == 'x' && end - p >= 3 && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
        *out = (char)(hex(p[1]) << 4 | hex(p[2]));
        return 3;
    }
    static const char letters[] = "nrtba", meant[] = "\n\r\t\b\a";
    const char *found = memchr(letters, *p, sizeof letters - 1);
    *out = found ? meant[found - letters] : *p;
    return 1;
}

/* The quoted part that begins behind a quote at p. A space or the end must follow its closing quote. Returns
 * the byte behind that quote, or NULL. */
static const char *quoted(const char *p, const char *end, char quote, char **to) {
    while (p < end && *p != quote) {
        if (*p == '\\' && quote == '"' && p + 1 < end) {
            p++;
            p += unescape(p, end, (*to)++);
        } else if (*p == '\\' && quote == '\'' && p + 1 < end && p[1] == '\'') {
            *(*to)++ = '\'';
            p += 2;
        } else {
            *(*to)++ = *p++;
        }
    }
    if (p == end || (p + 1 < end && !space(p[1]))) return NULL;
    return p + 1;
}

/* The next word from *at on, written to *to, which has room for the rest of the line. 1: a word, 0: none
 * left, -1: quotes do not match. */
static int word_next(const char **at, const char *end, char **to, struct slice *word) {
    const char *p = *at;
    char *start = *to;
    while (p < end && space(*p)) p++;
    if (p == end) return 0;
    while (p < end && *p != ' ' && *p != '\n' && *p != '\r' && *p != '\t') {
        if (*p == '"' || *p == '\'') {
            p = quoted(p + 1, end, *p, to);
            if (!p) return -1;
            break; /* a closing quote ends the word */
        }
        *(*to)++ = *p++;
    }
    *word = (struct slice){start, (size_t)(*to - start)};
    *at = p;
    return 1;
}

bool resp_split_line(struct slice line, struct buf *bytes, struct buf *words) {
    const char *at = line.p, *end = line.p + line.n;
    char *start = buf_room(bytes, line.n), *to = start;
    struct slice word;
    int got;
    while ((got = word_next(&at, end, &to, &word)) > 0) buf_put(words, &word, sizeof word);
    bytes->n += (size_t)(to - start);
    return !got;
}

static enum resp_status inline_read(struct resp_reader *r, const struct resp_limits *limits, const char *p,
    size_t n, struct resp_request *out) {
    const char *stop = memchr(p + r->at, '\n', n - r->at);
    if (!stop) {
        r->at = n;
        return n > limits->max_inline ? fail(r, "too big inline request") : RESP_MORE;
    }
    const char *at = p, *end = stop > p && stop[-1] == '\r' ? stop - 1 : stop;
    char *to = buf_room(&r->inline_words, (size_t)(end - p));
    struct slice word;
    int got;
    while ((got = word_next(&at, end, &to, &word)) > 0) argv_add(r, word.p, word.n);
    if (got < 0) return fail(r, "unbalanced quotes in request");
    return finish(r, out, (size_t)(stop - p) + 1);
}

static __attribute__((noinline)) enum resp_status general(struct resp_reader *r,
    const struct resp_limits *limits, const char *p, size_t n, struct resp_request *out, size_t *need) {
    if (need) *need = 0;
    if (resp_reader_idle(r)) {
        r->argc = 0;
        resp_reader_trim(r);
        if (!n) return RESP_MORE;
    }
    return *p == '*' ? array_read(r, limits, p, n, out, need) : inline_read(r, limits, p, n, out);
}

enum resp_status resp_reader_next(struct resp_reader *r, const struct resp_limits *limits, const char *p,
    size_t n, struct resp_request *out, size_t *need) {
    if (resp_reader_idle(r)) {
        out->argc = resp_reader_quick(limits, p, n, r->argv, r->argcap, &out->used);
        if (__builtin_expect(out->argc > 0, 1)) {
            out->argv = r->argv;
            return RESP_REQUEST;
        }
    }
    return general(r, limits, p, n, out, need);
}
