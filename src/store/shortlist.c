#include "store/shortlist.h"

#include "base/quad.h"

#define NOTHING (INT32_MIN + SHORTLIST_ROOM) /* no rank is as low, all holes are lower */

void shortlist_clear(struct shortlist *s) {
    for (int i = 0; i < SHORTLIST_ROOM; i++) {
        s->key[i] = INT32_MIN + i;
        s->mark[i] = 0;
    }
    s->n = 0;
    s->lowest = s->key[0];
    s->bar = NOTHING;
}

bool shortlist_has(const struct shortlist *s, uint64_t hash) {
    const quad *m = (const quad *)(const void *)s->mark, x = quad_all((uint32_t)hash | 1); /* 0: none */
    return quad_any((m[0] == x) | (m[1] == x) | (m[2] == x) | (m[3] == x));
}

static inline quad lower_of(quad a, quad b) {
    quad m = a < b;
    return (a & m) | (b & ~m);
}

static inline int32_t lower(int32_t a, int32_t b) { return a < b ? a : b; }

static int32_t lowest(const struct shortlist *s) {
    const quad *q = (const quad *)(const void *)s->key;
    quad m = lower_of(lower_of(q[0], q[1]), lower_of(q[2], q[3]));
    return lower(lower(m[0], m[1]), lower(m[2], m[3]));
}

/* ~ turns the order round. */
static int32_t highest(const struct shortlist *s) {
    const quad *q = (const quad *)(const void *)s->key;
    quad m = lower_of(lower_of(~q[0], ~q[1]), lower_of(~q[2], ~q[3]));
    return ~lower(lower(m[0], m[1]), lower(m[2], m[3]));
}

void shortlist_add(struct shortlist *s, const struct candidate *c) {
    unsigned i = (unsigned)s->lowest % SHORTLIST_ROOM;
    s->n += s->lowest < 0;
    s->key[i] = (int32_t)((uint32_t)c->rank & ~(SHORTLIST_STEP - 1u)) | (int32_t)i;
    s->mark[i] = (uint32_t)c->hash | 1;
    s->at[i] = *c;
    s->lowest = lowest(s);
    if (s->lowest >= 0) s->bar = s->lowest;
}

bool shortlist_take(struct shortlist *s, struct candidate *c) {
    int32_t top = highest(s);
    if (top < 0) return false;
    unsigned i = (unsigned)top % SHORTLIST_ROOM;
    *c = s->at[i];
    s->key[i] = s->lowest = INT32_MIN + (int32_t)i;
    s->mark[i] = 0;
    if (--s->n < SHORTLIST_ROOM - SHORTLIST_HOLES) s->bar = NOTHING;
    return true;
}
