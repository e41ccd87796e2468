#include "base/clock.h"
#include "base/mem.h"
#include "resp/reader.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static const struct resp_limits limits = {.max_bulk = 512 << 20, .max_args = INT_MAX, .max_inline = 65536};
static const struct resp_limits nobody = {
    .max_bulk = 512 << 20, .max_args = INT_MAX, .max_inline = 65536, .unauthenticated = true};

/* What came out of a run, as text: "[a|b]" for a request, "!why" for an error. */
static void show(struct buf *to, const struct resp_request *q) {
    buf_puts(to, "[");
    for (size_t i = 0; i < q->argc; i++) {
        if (i) buf_puts(to, "|");
        buf_put(to, q->argv[i].p, q->argv[i].n);
    }
    buf_puts(to, "]");
}

/* Feeds p[0..n) in pieces: `piece` says how long the next one is. Each time the unread bytes lie somewhere
 * else, with nothing readable behind them, so that a slice into old bytes or a look past the end shows under
 * the address sanitizer. */
static size_t feed(
    const struct resp_limits *l, const char *p, size_t n, size_t (*piece)(size_t left), struct buf *to) {
    struct resp_reader r;
    struct resp_request q;
    enum resp_status got = RESP_MORE;
    size_t start = 0, have = 0, need;
    resp_reader_init(&r);
    while (have < n && got != RESP_ERROR) {
        size_t more = piece(n - have);
        have += more;
        char *here = malloc(have - start + 1);
        memcpy(here + 1, p + start, have - start);
        size_t at = 0, offered = have - start;
        while ((got = resp_reader_next(&r, l, here + 1 + at, offered - at, &q, &need)) == RESP_REQUEST) {
            cr_assert(q.used > 0 && q.used <= offered - at);
            show(to, &q);
            at += q.used;
        }
        if (got == RESP_MORE)
            cr_assert(!need || need > offered - at, "asked for %zu, has %zu", need, offered - at);
        start += at;
        free(here);
    }
    if (got == RESP_ERROR) buf_printf(to, "!%s", r.error);
    resp_reader_free(&r);
    return n - start;
}

static size_t all_at_once(size_t left) { return left; }
static size_t single(size_t left) { return left ? 1 : 0; }
static size_t by_chance(size_t left) { return 1 + (size_t)rand() % (left < 30 ? left : 30); }
static size_t first_piece, fed;
static size_t split_once(size_t left) { return fed++ || first_piece > left ? left : first_piece; }

static void expect_n(const struct resp_limits *l, const char *p, size_t n, const char *expected) {
    struct buf b = {0};
    feed(l, p, n, all_at_once, &b);
    cr_expect(!strcmp(buf_cstr(&b), expected), "%.60s: %s, not %s", p, expected, b.p);
    b.n = 0;
    feed(l, p, n, single, &b);
    cr_expect(!strcmp(buf_cstr(&b), expected), "byte by byte: %.60s: %s, not %s", p, expected, b.p);
    for (first_piece = 1; first_piece < n && n < 200; first_piece++) {
        b.n = fed = 0;
        feed(l, p, n, split_once, &b);
        cr_expect(!strcmp(buf_cstr(&b), expected), "split at %zu: %.60s: %s, not %s", first_piece, p,
            expected, b.p);
    }
    buf_free(&b);
}
#define EXPECT(literal, expected) expect_n(&limits, (literal), sizeof(literal) - 1, (expected))
#define EXPECT_NOBODY(literal, expected) expect_n(&nobody, (literal), sizeof(literal) - 1, (expected))

Test(reader, whole_requests) {
    EXPECT("*1\r\n$4\r\nPING\r\n", "[PING]");
    EXPECT("*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000012\r\n", "[GET|key:000000000012]");
    EXPECT("*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n", "[GET|][PING]");
    EXPECT("*0\r\nPING\r\n", "[][PING]");
    EXPECT("*-1\r\n*1\r\n$4\r\nPING\r\n", "[][PING]");
    EXPECT("*-2147483649\r\nPING\r\n", "[][PING]");
    EXPECT("*12\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$"
           "1\r\ni\r\n$1\r\nj\r\n$1\r\nk\r\n$1\r\nl\r\n",
        "[a|b|c|d|e|f|g|h|i|j|k|l]");
    EXPECT("*1\r\n$"
           "100\r\n012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
           "0123456789\r\n",
        "[012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
        "9]");
    EXPECT("*1\r\n$4\r\n\r\n\r\n\r\nPING\n", "[\r\n\r\n][PING]");
    EXPECT("*1\rX$4\rYPINGabPING\r\n", "[PING][PING]");
    EXPECT("*1\r\n$4\r\nPIN", "");
}

/* As redis-server 7.0 closes the connection. */
Test(reader, errors_in_the_words_of_redis) {
    static const char *const bad_count[] = {"*\r\n", "*a\r\n", "*1a\r\n", "*+1\r\n", "*01\r\n", "* 1\r\n",
        "*-0\r\n", "*-\r\n", "*2147483648\r\n", "*9223372036854775808\r\n", "*-9223372036854775809\r\n",
        "*3\n$3\r\n"};
    for (size_t i = 0; i < sizeof bad_count / sizeof *bad_count; i++)
        expect_n(&limits, bad_count[i], strlen(bad_count[i]), "!Protocol error: invalid multibulk length");
    static const char *const bad_length[] = {"$-1", "$a", "$", "$04", "$4 ", "$536870913",
        "$9223372036854775807", "$-0", "$-", "$99999999999999999999", "$1\n"};
    for (size_t i = 0; i < sizeof bad_length / sizeof *bad_length; i++) {
        char frame[64];
        int n = snprintf(frame, sizeof frame, "*2\r\n$3\r\nGET\r\n%s\r\n", bad_length[i]);
        expect_n(&limits, frame, (size_t)n, "!Protocol error: invalid bulk length");
    }
    EXPECT("*1\r\n4\r\nPING\r\n", "!Protocol error: expected '$', got '4'");
    EXPECT("*1\r\n\r\n", "!Protocol error: expected '$', got '\r'");
    EXPECT("*1\r\n\xff\r\n", "!Protocol error: expected '$', got '\xff'");
    EXPECT("*1\r\n%s\r\n", "!Protocol error: expected '$', got '%'");
    EXPECT("*1\r\n\"\r\n", "!Protocol error: expected '$', got '\"'");
    EXPECT("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n*1\r\n", "[PING]!Protocol error: expected '$', got '*'");
    EXPECT("*1\r\n:4\r\n", "!Protocol error: expected '$', got ':'");
    EXPECT_NOBODY("*11\r\n", "!Protocol error: unauthenticated multibulk length");
    EXPECT_NOBODY("*10\r\n$16385\r\n", "!Protocol error: unauthenticated bulk length");
    EXPECT_NOBODY("*10\r\n$16384\r\n", "");
    EXPECT_NOBODY("*2147483648\r\n", "!Protocol error: invalid multibulk length");
    EXPECT_NOBODY("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n", "[AUTH|x]");
}

static void long_line(const char *head, size_t line, const char *expected) {
    size_t n = strlen(head);
    char *frame = malloc(n + line);
    struct buf b = {0};
    memcpy(frame, head, n);
    memset(frame + n, '1', line);
    feed(&limits, frame, n + line, all_at_once, &b);
    cr_expect(!strcmp(buf_cstr(&b), expected), "%s, not %s", expected, b.p);
    buf_free(&b);
    free(frame);
}

Test(reader, lines_without_end) {
    long_line("*", 65536, "!Protocol error: too big mbulk count string");
    long_line("*", 65535, "");
    long_line("*1\r\n$", 65536, "!Protocol error: too big bulk count string");
    long_line("*1\r\n$", 65535, "");
    long_line("*1\r\nx", 65536, "!Protocol error: too big bulk count string");
    long_line("", 65537, "!Protocol error: too big inline request");
    long_line("", 65536, "");
}

Test(reader, inline_requests) {
    EXPECT("PING\r\n", "[PING]");
    EXPECT("PING\n", "[PING]");
    EXPECT("  PING  \r\n", "[PING]");
    EXPECT("\r\nPING\r\n", "[][PING]");
    EXPECT("\nPING\n\n", "[][PING][]");
    EXPECT("SET k v\r\nGET k\r\n", "[SET|k|v][GET|k]");
    EXPECT("PING a\"b\"\r\n", "[PING|ab]");
    EXPECT("PING \"\\x41\\n\\r\\t\\b\\a\\q\\\"\"\r\n", "[PING|A\n\r\t\b\aq\"]");
    EXPECT("PING \"\\x4\" \"\\xg0\"\r\n", "[PING|x4|xg0]");
    EXPECT("PING 'it\\'s' 'a\\nb'\r\n", "[PING|it's|a\\nb]");
    EXPECT("PING \"\" ''\r\n", "[PING||]");
    EXPECT("PING \x0bx a\x0b"
           "b\r\n",
        "[PING|x|a\x0b"
        "b]");
    EXPECT("PING a\rb\r\n", "[PING|a|b]");
    EXPECT("PING \"a b\"\tc\r\n", "[PING|a b|c]");
    EXPECT("+PING\r\n$4\r\n", "[+PING][$4]");
    EXPECT("PING \"a\r\n", "!Protocol error: unbalanced quotes in request");
    EXPECT("PING 'a\r\n", "!Protocol error: unbalanced quotes in request");
    EXPECT("PING \"a\"b\r\n", "!Protocol error: unbalanced quotes in request");
    EXPECT("PING 'a'b\r\n", "!Protocol error: unbalanced quotes in request");
    EXPECT("PING \"a\\\r\n", "!Protocol error: unbalanced quotes in request");
    EXPECT("PING\r\n*1\r\n$4\r\nPING\r\nQUIT\n", "[PING][PING][QUIT]");
}

Test(reader, limits_are_kept_to_the_byte) {
    struct resp_limits tight = {.max_bulk = 5, .max_args = 2, .max_inline = 20};
#define TIGHT(literal, expected) expect_n(&tight, (literal), sizeof(literal) - 1, (expected))
    TIGHT("*2\r\n$5\r\nabcde\r\n$0\r\n\r\n", "[abcde|]");
    TIGHT("*1\r\n$6\r\nabcdef\r\n", "!Protocol error: invalid bulk length");
    TIGHT("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "!Protocol error: invalid multibulk length");
    struct resp_limits wide = {.max_bulk = INT64_MAX, .max_args = INT64_MAX, .max_inline = 20};
    expect_n(&wide, "*1\r\n$9223372036854775807\r\nx", 27, "");
}

Test(reader, a_promise_of_many_arguments_takes_no_memory) {
    struct resp_reader r;
    struct resp_request q;
    uint64_t before = mem_used(MEM_CLIENT);
    resp_reader_init(&r);
    static const char text[] = "*1000000\r\n$1\r\nx\r\n";
    cr_assert(resp_reader_next(&r, &limits, text, sizeof text - 1, &q, NULL) == RESP_MORE);
    cr_assert(mem_used(MEM_CLIENT) - before < 1024);
    resp_reader_free(&r);
    cr_assert(mem_used(MEM_CLIENT) == before);
}

Test(reader, need_says_how_much_is_coming) {
    struct resp_reader r;
    struct resp_request q;
    size_t need = 1;
    static const char text[] = "*2\r\n$3\r\nGET\r\n$1000\r\nx";
    resp_reader_init(&r);
    cr_assert(resp_reader_next(&r, &limits, text, 5, &q, &need) == RESP_MORE && need == 0);
    cr_assert(resp_reader_next(&r, &limits, text, sizeof text - 1, &q, &need) == RESP_MORE);
    cr_assert(need == 4 + 9 + 7 + 1002);
    cr_assert(!resp_reader_idle(&r));
    resp_reader_free(&r);
    cr_assert(resp_reader_idle(&r));
}

Test(reader, a_million_arguments_in_pieces_are_read_once) {
    enum { ARGS = 1000000 };
    struct buf b = {0};
    buf_printf(&b, "*%d\r\n", ARGS);
    for (int i = 0; i < ARGS; i++) buf_puts(&b, "$1\r\nx\r\n");
    struct resp_reader r;
    struct resp_request q;
    enum resp_status got = RESP_MORE;
    uint64_t before = mem_used(MEM_CLIENT);
    resp_reader_init(&r);
    int64_t start = clock_cpu_us();
    for (size_t have = 0; got == RESP_MORE;) {
        have = have + 4096 < b.n ? have + 4096 : b.n;
        got = resp_reader_next(&r, &limits, b.p, have, &q, NULL);
    }
    cr_assert(clock_cpu_us() - start < 2000000, "not from the start at each piece");
    cr_assert(got == RESP_REQUEST && q.argc == ARGS && q.used == b.n);
    for (size_t i = 0; i < ARGS; i++) cr_assert(q.argv[i].n == 1 && *q.argv[i].p == 'x');
    cr_assert(mem_used(MEM_CLIENT) - before > ARGS * sizeof *q.argv);
    resp_reader_trim(&r);
    cr_assert(mem_used(MEM_CLIENT) - before < 1024, "and the slots were given back");
    resp_reader_free(&r);
    buf_free(&b);
}

Test(reader, quick_leaves_to_the_other_what_it_cannot_do) {
    struct slice argv[3];
    size_t used = 0;
    static const char text[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nabcdefghijkl\r\n";
    size_t n = sizeof text - 1;
    cr_assert(resp_reader_quick(&limits, text, n, argv, 3, &used) == 3 && used == n);
    cr_assert(slice_equal(argv[0], SLICE("SET")) && slice_equal(argv[1], SLICE("k")) &&
              slice_equal(argv[2], SLICE("abcdefghijkl")));
    cr_assert(!resp_reader_quick(&limits, text, n, argv, 2, &used), "no room");
    cr_assert(!resp_reader_quick(&nobody, text, n, argv, 3, &used));
    for (size_t i = 0; i < n; i++) {
        char *here = malloc(i + 1);
        memcpy(here + 1, text, i);
        cr_assert(!resp_reader_quick(&limits, here + 1, i, argv, 3, &used), "not whole at %zu", i);
        free(here);
    }
}

/* A twin that is as plain as can be: it reads a whole buffer from its start each time. */
static bool twin_number(const char *p, size_t n, long long *out) {
    char text[32], back[32];
    if (!n || n > 20) return false;
    memcpy(text, p, n);
    text[n] = 0;
    *out = strtoll(text, NULL, 10);
    snprintf(back, sizeof back, "%lld", *out);
    return !strcmp(text, back);
}

static void twin(const char *p, size_t n, struct buf *to) {
    size_t at = 0;
    while (at < n && p[at] == '*') {
        size_t start = to->n, i = at;
        long long count, len;
        const char *cr = memchr(p + i, '\r', n - i);
        if (!cr || cr + 1 == p + n) return;
        if (!twin_number(p + i + 1, (size_t)(cr - p) - i - 1, &count) || count > INT_MAX) {
            buf_puts(to, "!Protocol error: invalid multibulk length");
            return;
        }
        i = (size_t)(cr - p) + 2;
        buf_puts(to, "[");
        for (long long k = 0; k < count; k++) {
            cr = i < n ? memchr(p + i, '\r', n - i) : NULL;
            if (!cr || cr + 1 == p + n) {
                to->n = start;
                return;
            }
            const char *why = NULL;
            char text[64];
            if (p[i] != '$') {
                snprintf(text, sizeof text, "!Protocol error: expected '$', got '%c'", p[i]);
                why = text;
            } else if (!twin_number(p + i + 1, (size_t)(cr - p) - i - 1, &len) || len < 0 ||
                       len > limits.max_bulk) {
                why = "!Protocol error: invalid bulk length";
            }
            if (why) {
                to->n = start;
                buf_puts(to, why);
                return;
            }
            i = (size_t)(cr - p) + 2;
            if (n - i < (size_t)len + 2) {
                to->n = start;
                return;
            }
            if (k) buf_puts(to, "|");
            buf_put(to, p + i, (size_t)len);
            i += (size_t)len + 2;
        }
        buf_puts(to, "]");
        at = i;
    }
}

static void random_request(struct buf *b) {
    int argc = rand() % (rand() % 20 ? 6 : 150);
    buf_printf(b, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) {
        int len = rand() % 3 ? rand() % 12 : rand() % (rand() % 10 ? 120 : 12000);
        buf_printf(b, "$%d\r\n", len);
        for (int k = 0; k < len; k++) buf_put(b, &"ab\r\n$*:1"[rand() % 8], 1);
        buf_puts(b, "\r\n");
    }
}

Test(reader, random_frames_against_a_naive_twin) {
    struct buf b = {0}, whole = {0}, pieces = {0}, naive = {0};
    srand(5);
    int errors = 0;
    for (int i = 0; i < 20000; i++) {
        b.n = whole.n = pieces.n = naive.n = 0;
        for (int k = rand() % 4; k >= 0; k--) random_request(&b);
        for (int k = rand() % 4; k > 0; k--)
            b.p[1 + (size_t)rand() % (b.n < 40 ? b.n - 1 : 39)] = "0123456789-$*\r\nx"[rand() % 16];
        if (rand() % 3 == 0) b.n -= (size_t)rand() % b.n;
        twin(b.p, b.n, &naive);
        if (memmem(naive.p, naive.n, "[]", 2) && b.p[0] != '*') continue;
        feed(&limits, b.p, b.n, all_at_once, &whole);
        feed(&limits, b.p, b.n, by_chance, &pieces);
        errors += memmem(naive.p, naive.n, "!Protocol", 9) != NULL;
        /* Where a frame was damaged so that what follows is not an array, the twin stops and the reader reads
         * lines. */
        cr_assert(whole.n >= naive.n && !memcmp(whole.p, naive.p, naive.n), "%.*s", (int)b.n, b.p);
        cr_assert(slice_equal(buf_slice(&whole), buf_slice(&pieces)), "%.*s", (int)b.n, b.p);
    }
    cr_assert(errors > 500);
    buf_free(&b);
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&naive);
}

Test(split_line, words_and_their_bytes) {
    struct buf bytes = {0}, words = {0};
    cr_assert(resp_split_line(SLICE("  save \"900 1\" '' x\\n "), &bytes, &words));
    const struct slice *w = (const struct slice *)(void *)words.p;
    cr_assert(words.n == 4 * sizeof *w);
    cr_assert(slice_equal(w[0], SLICE("save")) && slice_equal(w[1], SLICE("900 1")) && w[2].n == 0 &&
              slice_equal(w[3], SLICE("x\\n")));
    words.n = bytes.n = 0;
    cr_assert(resp_split_line(SLICE(""), &bytes, &words) && !words.n);
    cr_assert(resp_split_line(SLICE("  \t "), &bytes, &words) && !words.n);
    cr_assert(!resp_split_line(SLICE("a \"b"), &bytes, &words));
    cr_assert(!resp_split_line(SLICE("a 'b'c"), &bytes, &words));
    buf_free(&bytes);
    buf_free(&words);
}
