#include "resp/reply.h"

#include "base/mem.h"
#include "base/num.h"

enum { FIRST_NODES = 8, LINE_MAX_ = 65536 };

void reply_reader_init(struct reply_reader *r) { *r = (struct reply_reader){.depth = 0}; }

void reply_reader_free(struct reply_reader *r) {
    mem_free(MEM_CLIENT, r->node);
    reply_reader_init(r);
}

static enum reply_status broken(struct reply_reader *r, const char *what) {
    r->error = what;
    return REPLY_BROKEN;
}

static struct reply_node *node_add(struct reply_reader *r, enum reply_kind kind) {
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : FIRST_NODES;
        r->node = mem_realloc(MEM_CLIENT, r->node, r->cap * sizeof *r->node);
    }
    struct reply_node *node = &r->node[r->n++];
    *node = (struct reply_node){.kind = kind};
    return node;
}

/* A node is whole: so are all aggregates that it was the last of. Returns whether the reply is. */
static bool node_done(struct reply_reader *r) {
    while (r->depth) {
        struct reply_frame *f = &r->frame[r->depth - 1];
        if (--f->left) return false;
        r->depth--;
        if (f->drop != SIZE_MAX) { /* an attribute is no node of what it stands in */
            r->n = f->drop;
            return false;
        }
    }
    return true;
}

static enum reply_status open_frame(struct reply_reader *r, enum reply_kind kind, int64_t count, bool attribute, uint32_t max, bool *whole) {
    if (count < 0 || count > max / 2) return broken(r, "an aggregate of that many elements");
    uint32_t n = (uint32_t)count << (kind == REPLY_MAP);
    size_t drop = attribute ? r->n : SIZE_MAX;
    if (r->n + n > max) return broken(r, "a reply of too many elements");
    if (!attribute) node_add(r, kind)->n = n;
    if (!n) {
        *whole = !attribute && node_done(r);
        return REPLY_WHOLE;
    }
    if (r->depth == REPLY_DEPTH) return broken(r, "a reply nested too deeply");
    r->frame[r->depth++] = (struct reply_frame){n, drop};
    *whole = false;
    return REPLY_WHOLE;
}

/* A bulk whose header ends at `at`; the offset of its text stands in place of the pointer. */
static enum reply_status bulk(struct reply_reader *r, const struct reply_limits *limits, char mark, int64_t length, const char *p, size_t n,
    size_t at, size_t *used) {
    if (length < 0 || length > limits->max_bulk) return broken(r, "a text of that length");
    if (n - at < (size_t)length + 2) {
        *used = at + (size_t)length + 2;
        return REPLY_MORE;
    }
    if (p[at + (size_t)length] != '\r') return broken(r, "a text without its end");
    size_t cut = mark == '=' && length >= 4 ? 4 : 0;
    node_add(r, REPLY_TEXT)->text = (struct slice){(const char *)(uintptr_t)(at + cut), (size_t)length - cut};
    r->at = at + (size_t)length + 2;
    return REPLY_WHOLE;
}

static enum reply_status line_node(struct reply_reader *r, char mark, struct slice line, size_t offset) {
    struct reply_node *node;
    switch (mark) {
    case '+':
    case '-':
    case ',':
    case '(':
        node = node_add(r, mark == '+' ? REPLY_SIMPLE : mark == '-' ? REPLY_ERROR : mark == ',' ? REPLY_DOUBLE : REPLY_TEXT);
        node->text = (struct slice){(const char *)(uintptr_t)offset, line.n};
        return REPLY_WHOLE;
    case ':':
        return num_i64(line, &node_add(r, REPLY_INTEGER)->integer) ? REPLY_WHOLE : broken(r, "an integer that is none");
    case '#':
        if (line.n != 1 || (*line.p != 't' && *line.p != 'f')) return broken(r, "a boolean that is none");
        node_add(r, REPLY_BOOL)->integer = *line.p == 't';
        return REPLY_WHOLE;
    case '_':
        node_add(r, REPLY_NIL);
        return REPLY_WHOLE;
    default:
        return broken(r, "an unknown mark");
    }
}

/* One node at r->at. `*whole`: it was the last one of the reply. */
static enum reply_status step(struct reply_reader *r, const struct reply_limits *limits, const char *p, size_t n, size_t *used, bool *whole) {
    const char *s = p + r->at, *stop = n > r->at ? memchr(s, '\r', n - r->at) : NULL;
    *used = 0;
    if (!stop || (size_t)(stop - p) + 2 > n) return n - r->at > LINE_MAX_ ? broken(r, "a line without end") : REPLY_MORE;
    if (stop == s || stop[1] != '\n') return broken(r, "a line without its end");
    struct slice line = {s + 1, (size_t)(stop - s) - 1};
    size_t behind = (size_t)(stop - p) + 2, offset = r->at + 1;
    int64_t count;
    enum reply_status got;
    if (!memchr("$=!*~%>|", *s, 8)) {
        got = line_node(r, *s, line, offset);
        if (got == REPLY_WHOLE) r->at = behind;
    } else if (!num_i64(line, &count)) {
        return broken(r, "a length that is none");
    } else if (count == -1 && (*s == '$' || *s == '*')) {
        node_add(r, REPLY_NIL);
        r->at = behind;
        got = REPLY_WHOLE;
    } else if (memchr("$=!", *s, 3)) {
        got = bulk(r, limits, *s, count, p, n, behind, used);
        if (got == REPLY_WHOLE && *s == '!') r->node[r->n - 1].kind = REPLY_ERROR;
    } else {
        enum reply_kind kind = *s == '*' ? REPLY_ARRAY : *s == '~' ? REPLY_SET : *s == '>' ? REPLY_PUSH : REPLY_MAP;
        r->at = behind;
        return open_frame(r, kind, count, *s == '|', limits->max_nodes, whole);
    }
    if (got == REPLY_WHOLE) *whole = node_done(r);
    return got;
}

static bool has_text(enum reply_kind kind) {
    return kind == REPLY_TEXT || kind == REPLY_SIMPLE || kind == REPLY_ERROR || kind == REPLY_DOUBLE;
}

enum reply_status reply_reader_next(struct reply_reader *r, const struct reply_limits *limits, const char *p, size_t n, size_t *used) {
    bool whole = false;
    if (!r->at) r->n = 0; /* a new reply */
    while (!whole) {
        enum reply_status got = step(r, limits, p, n, used, &whole);
        if (got != REPLY_WHOLE) return got;
    }
    for (size_t i = 0; i < r->n; i++)
        if (has_text(r->node[i].kind)) r->node[i].text.p = p + (uintptr_t)r->node[i].text.p;
    *used = r->at;
    r->at = 0;
    return REPLY_WHOLE;
}

size_t reply_skip(const struct reply_node *node, size_t at) {
    for (uint64_t left = 1; left; left--) left += node[at++].n;
    return at;
}

const struct reply_node *reply_field(const struct reply_node *node, const char *name) {
    size_t at = 1;
    for (uint32_t i = 0; i + 1 < node->n; i += 2) {
        size_t value = reply_skip(node, at);
        if (has_text(node[at].kind) && slice_is(node[at].text, name)) return &node[value];
        at = reply_skip(node, value);
    }
    return NULL;
}
