#include "command/cursor.h"

#include "base/match.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static bool parse(struct slice s, uint64_t *out) {
    char text[64], *end;
    if (s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (isspace((unsigned char)text[0])) return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return !*end && errno != ERANGE;
}

bool cursor_read(struct call *c, int arg, uint64_t *out) {
    if (parse(c->argv[arg], out)) return true;
    reply_error(c, "ERR invalid cursor");
    return false;
}

bool cursor_words(struct call *c, int arg, const char *flag, struct cursor *out) {
    *out = (struct cursor){.count = 10, .any = true};
    for (int i = arg; i < c->argc; i++) {
        if (i + 1 < c->argc && call_is(c, i, "COUNT")) {
            if (!call_i64(c, ++i, &out->count)) return false;
            if (out->count < 1) goto syntax;
        } else if (i + 1 < c->argc && call_is(c, i, "MATCH")) {
            out->pattern = c->argv[++i];
            out->any = slice_equal(out->pattern, SLICE("*"));
        } else if (flag && call_is(c, i, flag)) {
            out->flag = true;
        } else {
            goto syntax;
        }
    }
    chain_init(&out->body, &c->s->lane->pool);
    out->w = (struct resp_writer){&out->body, c->w->proto};
    return true;
syntax:
    reply_syntax(c);
    return false;
}

bool cursor_matches(const struct cursor *k, struct slice text) { return k->any || match_glob(k->pattern, text); }

void cursor_put(struct cursor *k, struct slice element) {
    resp_bulk(&k->w, element.p, element.n);
    k->elements++;
}

static void reply_head(struct resp_writer *w, uint64_t at, size_t elements) {
    char text[NUM_I64_MAX];
    resp_array(w, 2);
    resp_bulk(w, text, num_put_u64(text, at));
    resp_array(w, elements);
}

void cursor_finish(struct resp_writer *w, struct cursor *k) {
    enum { COPIED = 2048 }; /* up to here what was gathered is copied behind the head, else its chunks are handed over */
    reply_head(w, k->at, k->elements);
    size_t n = chain_size(&k->body);
    if (n > COPIED) {
        chain_move(w->out, &k->body);
    } else if (n) {
        chain_copy(&k->body, chain_room(w->out, n));
        chain_used(w->out, n);
    }
    chain_free(&k->body);
}

void cursor_reply(struct call *c, struct cursor *k) { cursor_finish(c->w, k); }
void cursor_reply_nothing(struct call *c) { reply_head(c->w, 0, 0); }
