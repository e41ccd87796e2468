/* feed_wish: what a listener wants to be told, and what of the ring that is.
 *
 * Thread rule: pure functions. A wish owns its prefixes; what was found owns its bytes.
 */
#ifndef LARDER_COMMAND_FEED_WISH_H
#define LARDER_COMMAND_FEED_WISH_H

#include "base/buf.h"

#include <stdint.h>

struct feed_wish {
    bool hashed;         /* changes of keys as hashes */
    int proto;           /* 2 or 3 */
    struct buf prefixes; /* of each its length and its bytes; none: everything */
};

/* Does it take the keys to know what it is to be told? Else their hashes suffice. */
static inline bool feed_wish_keys(const struct feed_wish *w) { return !w->hashed || w->prefixes.n; }
bool feed_wish_same(const struct feed_wish *a, const struct feed_wish *b); /* but for proto */
void feed_wish_add(struct feed_wish *w, struct slice prefix);

/* The prefix at *p, which is moved behind it. */
static inline struct slice feed_wish_next(const char **p) {
    struct slice prefix;
    __builtin_memcpy(&prefix.n, *p, sizeof prefix.n);
    prefix.p = *p + sizeof prefix.n;
    *p = prefix.p + prefix.n;
    return prefix;
}

/* One change, as it is sent. */
struct feed_change {
    const char *at;
    size_t n; /* all of it */
    char kind;
    struct slice text;
};

static inline struct feed_change feed_wish_change(const char *p) {
    struct feed_change c = {.at = p};
    size_t len = 0;
    for (p++; *p != '\r'; p++) len = len * 10 + (size_t)(*p - '0');
    p += 2;
    c.kind = *p;
    size_t marked = p[2] == ' ' ? 3 : 4;
    c.text = (struct slice){p + marked, len - marked};
    c.n = (size_t)(p + len + 2 - c.at);
    return c;
}

bool feed_wish_wants(const struct feed_wish *w, const struct feed_change *c);

/* What was found for a wish. */
struct feed_found {
    struct buf hashes, text; /* of keys; changes as they are sent */
    size_t n;                /* changes in text */
};

void feed_found_init(struct feed_found *f);
void feed_found_free(struct feed_found *f);
static inline void feed_found_put(struct feed_found *f, bool hashed, const struct feed_change *c, uint32_t hash) {
    if (hashed && c->kind == 'k') {
        struct buf *b = &f->hashes;
        char *to = b->cap - b->n >= sizeof hash ? b->p + b->n : buf_room(b, sizeof hash);
        __builtin_memcpy(to, &hash, sizeof hash);
        b->n += sizeof hash;
    } else {
        buf_put(&f->text, c->at, c->n);
        f->n++;
    }
}

#endif
