#include "resp/writer.h"

#include "base/num.h"

#include <assert.h>

enum {
    HEADER_MAX = 24, /* a mark, a length, \r\n */
    ONE_PIECE =
        4096, /* a payload up to this is kept in one chunk even if that wastes the rest of the last one */
};

static inline char *header(char *at, char mark, uint64_t v) {
    *at++ = mark;
    if (v < 10) {
        *at++ = (char)('0' + v);
    } else if (v < 1000) {
        uint32_t low = (uint32_t)v, tens = low / 10, hundreds = low / 100;
        if (hundreds) *at++ = (char)('0' + hundreds);
        at[0] = (char)('0' + (tens - hundreds * 10));
        at[1] = (char)('0' + (low - tens * 10));
        at += 2;
    } else {
        at += num_put_u64(at, v);
    }
    memcpy(at, "\r\n", 2);
    return at + 2;
}

static void put_header(struct resp_writer *w, char mark, uint64_t v) {
    char *at = chain_room(w->out, HEADER_MAX);
    w->out->pos = header(at, mark, v);
}

void resp_bulk(struct resp_writer *w, const char *p, size_t n) {
    struct chain *out = w->out;
    if (__builtin_expect(n > ONE_PIECE && (size_t)(out->end - out->pos) < n + HEADER_MAX + 2, 0)) {
        put_header(w, '$', n);
        chain_put(out, p, n);
        RESP_RAW(w, "\r\n");
        return;
    }
    char *at = header(chain_room(out, n + HEADER_MAX + 2), '$', n);
    if (n) memcpy(at, p, n);
    at += n;
    memcpy(at, "\r\n", 2);
    out->pos = at + 2;
}

void resp_bulk_ref(struct resp_writer *w, const char *p, size_t n, chain_release *release, void *arg) {
    put_header(w, '$', n);
    chain_ref(w->out, p, n, release, arg);
    RESP_RAW(w, "\r\n");
}

char *resp_bulk_room(struct resp_writer *w, size_t n, bool apart) {
    struct chain *out = w->out;
    size_t whole = n + HEADER_MAX + 2;
    char *bytes = header(apart ? chain_grow(out, whole) : chain_room(out, whole), '$', n);
    memcpy(bytes + n, "\r\n", 2);
    out->pos = bytes + n + 2;
    return bytes;
}

void resp_bulk_i64(struct resp_writer *w, int64_t v) {
    char text[NUM_I64_MAX];
    resp_bulk(w, text, num_put_i64(text, v));
}

void resp_text(struct resp_writer *w, const char *text) { resp_bulk(w, text, strlen(text)); }

void resp_simple(struct resp_writer *w, const char *text) {
    assert(!strpbrk(text, "\r\n"));
    RESP_RAW(w, "+");
    resp_raw(w, text, strlen(text));
    RESP_RAW(w, "\r\n");
}

void resp_error(struct resp_writer *w, struct slice text) {
    while (text.n && (text.p[text.n - 1] == '\r' || text.p[text.n - 1] == '\n')) text.n--;
    RESP_RAW(w, "-");
    char *at = chain_room(w->out, text.n + 2);
    for (size_t i = 0; i < text.n; i++) *at++ = text.p[i] == '\r' || text.p[i] == '\n' ? ' ' : text.p[i];
    chain_used(w->out, text.n);
    RESP_RAW(w, "\r\n");
}

void resp_int(struct resp_writer *w, int64_t v) {
    if (v >= 0) {
        put_header(w, ':', (uint64_t)v);
        return;
    }
    char *at = chain_room(w->out, HEADER_MAX);
    at[0] = ':';
    at[1] = '-';
    w->out->pos = at + 2 + num_put_u64(at + 2, 0 - (uint64_t)v);
    RESP_RAW(w, "\r\n");
}

void resp_null(struct resp_writer *w) {
    if (w->proto == 2) {
        RESP_RAW(w, "$-1\r\n");
    } else {
        RESP_RAW(w, "_\r\n");
    }
}

void resp_null_array(struct resp_writer *w) {
    if (w->proto == 2) {
        RESP_RAW(w, "*-1\r\n");
    } else {
        RESP_RAW(w, "_\r\n");
    }
}

void resp_array(struct resp_writer *w, size_t n) { put_header(w, '*', n); }
void resp_map(struct resp_writer *w, size_t pairs) {
    w->proto == 2 ? put_header(w, '*', 2 * pairs) : put_header(w, '%', pairs);
}
void resp_set(struct resp_writer *w, size_t n) { put_header(w, w->proto == 2 ? '*' : '~', n); }
void resp_push(struct resp_writer *w, size_t n) { put_header(w, w->proto == 2 ? '*' : '>', n); }

void resp_attribute(struct resp_writer *w, size_t pairs) {
    assert(w->proto > 2);
    put_header(w, '|', pairs);
}

void resp_double(struct resp_writer *w, double v) {
    char text[NUM_DOUBLE_MAX + 3];
    if (w->proto == 2) {
        resp_bulk(w, text, num_put_double(text, v));
        return;
    }
    size_t n = num_put_double(text + 1, v) + 1;
    text[0] = ',';
    text[n++] = '\r';
    text[n++] = '\n';
    resp_raw(w, text, n);
}

void resp_bool(struct resp_writer *w, bool v) {
    if (w->proto == 2) {
        resp_int(w, v);
    } else if (v) {
        RESP_RAW(w, "#t\r\n");
    } else {
        RESP_RAW(w, "#f\r\n");
    }
}

void resp_verbatim(struct resp_writer *w, const char *form, struct slice text) {
    assert(strlen(form) == 3);
    if (w->proto == 2) {
        resp_bulk(w, text.p, text.n);
        return;
    }
    put_header(w, '=', text.n + 4);
    resp_raw(w, form, 3);
    RESP_RAW(w, ":");
    if (text.n) resp_raw(w, text.p, text.n); /* no NULL in memcpy */
    RESP_RAW(w, "\r\n");
}

void resp_big_number(struct resp_writer *w, struct slice digits) {
    if (w->proto == 2) {
        resp_bulk(w, digits.p, digits.n);
        return;
    }
    RESP_RAW(w, "(");
    resp_raw(w, digits.p, digits.n);
    RESP_RAW(w, "\r\n");
}
