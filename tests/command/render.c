#include "render.h"

#include "base/num.h"
#include "resp/reader.h"

#include <ctype.h>

static bool plain(struct slice t) {
    for (size_t i = 0; i < t.n; i++)
        if (!isgraph((unsigned char)t.p[i]) || strchr("\"'\\", t.p[i])) return false;
    return t.n > 0;
}

void render_quoted(struct slice t, struct buf *out) {
    if (plain(t)) {
        buf_put(out, t.p, t.n);
        return;
    }
    buf_puts(out, "\"");
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c == '"' || c == '\\') buf_printf(out, "\\%c", c);
        else if (c == '\n') buf_puts(out, "\\n");
        else if (c == '\r') buf_puts(out, "\\r");
        else if (c == '\t') buf_puts(out, "\\t");
        else if (isprint(c)) buf_put(out, &t.p[i], 1);
        else buf_printf(out, "\\x%02x", c);
    }
    buf_puts(out, "\"");
}

/* A bulk or a verbatim text whose length is `n`. */
static long render_bytes(char mark, struct slice in, size_t head, int64_t n, bool quoted, struct buf *out) {
    if (n < 0) {
        buf_printf(out, "%c-1", mark);
        return (long)head;
    }
    if (in.n < head + (size_t)n + 2) return 0;
    struct slice text = {in.p + head, (size_t)n};
    buf_puts(out, mark == '$' ? "$ " : "=");
    if (quoted) render_quoted(text, out);
    else buf_put(out, text.p, text.n);
    return (long)(head + text.n + 2);
}

long render_element(struct slice in, bool quoted, struct buf *out, size_t *children) {
    const char *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
    int64_t n = 0;
    *children = 0;
    if (!end) return 0;
    size_t head = (size_t)(end - in.p) + 1;
    if (head < 3 || end[-1] != '\r') return -1;
    struct slice line = {in.p, head - 2}, rest = {in.p + 1, head - 3};
    switch (*in.p) {
    case '$':
    case '=':
        return num_i64(rest, &n) ? render_bytes(*in.p, in, head, n, quoted, out) : -1;
    case '*':
    case '~':
    case '>':
    case '%':
    case '|':
        if (!num_i64(rest, &n) || n < -1) return -1;
        *children = n < 0 ? 0 : (size_t)n * (*in.p == '%' || *in.p == '|' ? 2 : 1);
        break;
    case '+':
    case '-':
    case ':':
    case ',':
    case '#':
    case '(':
    case '_':
        break;
    default:
        return -1;
    }
    buf_put(out, line.p, line.n);
    return (long)head;
}

long render_reply(struct slice in, bool quoted, struct buf *out) {
    size_t used = 0, left = 1;
    while (left) {
        size_t children;
        if (used) buf_puts(out, " ");
        long n = render_element((struct slice){in.p + used, in.n - used}, quoted, out, &children);
        if (n <= 0) return n;
        bool attribute = in.p[used] == '|'; /* stands before what it is about */
        used += (size_t)n;
        left += children - (attribute ? 0 : 1);
    }
    return (long)used;
}

/* "$ text": one word where it can be read as one, else as it stands. */
static void expected_text(const char *mark, struct slice text, struct buf *out) {
    struct buf bytes = {0}, words = {0};
    buf_puts(out, mark);
    if (resp_split_line(text, &bytes, &words) && words.n == sizeof(struct slice)) text = *(struct slice *)(void *)words.p;
    render_quoted(text, out);
    buf_free(&bytes);
    buf_free(&words);
}

bool render_expected(struct slice line, struct buf *out) {
    if (!line.n || !strchr("+-:$*%~_,#=>|(", *line.p)) return false;
    if (*line.p == '$' && line.n > 1 && line.p[1] == ' ')
        expected_text("$ ", (struct slice){line.p + 2, line.n - 2}, out);
    else if (*line.p == '=' && line.n > 1)
        expected_text("=", (struct slice){line.p + 1, line.n - 1}, out);
    else
        buf_put(out, line.p, line.n);
    return true;
}
