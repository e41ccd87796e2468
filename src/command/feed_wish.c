#include "command/feed_wish.h"

#include "base/match.h"

#include <string.h>

bool feed_wish_same(const struct feed_wish *a, const struct feed_wish *b) {
    const struct buf *p = &a->prefixes, *q = &b->prefixes;
    return a->hashed == b->hashed && p->n == q->n && (!p->n || !memcmp(p->p, q->p, p->n));
}

void feed_wish_add(struct feed_wish *w, struct slice prefix) {
    buf_put(&w->prefixes, &prefix.n, sizeof prefix.n);
    buf_put(&w->prefixes, prefix.p, prefix.n);
}

static bool begins(struct slice text, struct slice prefix) { return text.n >= prefix.n && !memcmp(text.p, prefix.p, prefix.n); }

bool feed_wish_wants(const struct feed_wish *w, const struct feed_change *c) {
    const char *p = w->prefixes.p, *const end = p + w->prefixes.n;
    if (c->kind == 'f' || p == end) return true;
    while (p < end) {
        struct slice prefix = feed_wish_next(&p);
        if (c->kind == 'k' ? begins(c->text, prefix) : match_may_begin(c->text, prefix)) return true;
    }
    return false;
}

void feed_found_init(struct feed_found *f) {
    *f = (struct feed_found){0};
    buf_init(&f->hashes, MEM_CLIENT);
    buf_init(&f->text, MEM_CLIENT);
}

void feed_found_free(struct feed_found *f) {
    buf_free(&f->hashes);
    buf_free(&f->text);
    f->n = 0;
}
