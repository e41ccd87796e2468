/* Members of sorted sets by chance and from the ends: ZPOPMIN ZPOPMAX ZMPOP ZRANDMEMBER. */
#include "command/work.h"
#include "command/zsets.h"

#include <stdlib.h>

/* -- from the ends --------------------------------------------------------------------------------------------------------- */

void zsets_pop(struct resp_writer *w, struct home *h, bool highest, size_t n, bool nested) {
    size_t count = zset_count(h);
    struct zset_at at;
    struct slice member;
    double score;
    if (n > count) n = count;
    zset_seek(&at, h, highest ? count - 1 : 0, highest);
    for (size_t i = 0; i < n && zset_next(&at, &member, &score); i++) {
        if (nested) resp_array(w, 2);
        resp_bulk(w, member.p, member.n);
        resp_double(w, score);
    }
    zset_remove_ranks(h, highest ? count - n : 0, n);
}

static void pop(struct call *c, bool highest) {
    struct holder h;
    int64_t n = 1;
    bool counted = c->argc > 2, nested = counted && c->w->proto > 2;
    if (c->argc > 3) {
        reply_syntax(c);
        return;
    }
    if (counted && !call_range(c, 2, 0, INT64_MAX, &n, "ERR value is out of range, must be positive")) return;
    if (!collection_write(c, 0, VALUE_ZSET, &h)) return;
    size_t count = zset_count(&h.home);
    if ((uint64_t)n < count) count = (size_t)n;
    resp_array(c->w, nested ? count : 2 * count);
    if (!count) return;
    zsets_pop(c->w, &h.home, highest, count, nested);
    h.changes = count;
    collection_done(&h, zsets_popped(highest));
}
void zsets_zpopmin(struct call *c) { pop(c, false); }
void zsets_zpopmax(struct call *c) { pop(c, true); }

static bool mpop_words(struct call *c, int at, bool *highest, int64_t *n) {
    bool counted = false;
    if (at >= c->argc || !((*highest = call_is(c, at, "MAX")) || call_is(c, at, "MIN"))) goto syntax;
    for (int i = at + 1; i < c->argc; i++) {
        if (counted || i + 1 >= c->argc || !call_is(c, i, "COUNT")) goto syntax;
        if (!call_range(c, ++i, 1, INT64_MAX, n, "ERR count should be greater than 0")) return false;
        counted = true;
    }
    return true;
syntax:
    reply_syntax(c);
    return false;
}

void zsets_zmpop(struct call *c) {
    int64_t keys, n = 1;
    bool highest;
    struct holder h;
    if (!call_range(c, 1, 1, INT64_MAX, &keys, "ERR numkeys should be greater than 0")) return;
    if (keys >= c->argc - 2) {
        reply_syntax(c);
        return;
    }
    if (!mpop_words(c, (int)keys + 2, &highest, &n)) return;
    for (int i = 0; i < c->keys; i++) {
        if (!collection_write(c, i, VALUE_ZSET, &h)) return;
        size_t count = zset_count(&h.home);
        if (!count) continue;
        if ((uint64_t)n < count) count = (size_t)n;
        resp_array(c->w, 2);
        resp_bulk(c->w, c->key[i].p, c->key[i].n);
        resp_array(c->w, count);
        zsets_pop(c->w, &h.home, highest, count, true);
        h.changes = count;
        collection_done(&h, zsets_popped(highest));
        return;
    }
    resp_null_array(c->w);
}

/* -- by chance -------------------------------------------------------------------------------------------------------------- */

#define LOOK_EVERY 16 /* members between two looks at the clock */
#define PICKED 1024   /* up to so many different ones are picked one by one; more by a walk over all */

struct chance {
    struct work work;
    const struct home *h;
    struct zset_at at;
    uint64_t left, among; /* of the `among` members still ahead `left` are to be taken; with repetition: left only */
    bool scores, repeats;
};

/* From 0 to n - 1, fairly: the product's upper half, where its lower half does not lie in the part that some would have too often
 * (Lemire, 2019). */
static uint64_t below(struct lane *l, uint64_t n) {
    for (;;) {
        unsigned __int128 v = (unsigned __int128)lane_random(l) * n;
        if ((uint64_t)v >= n || (uint64_t)v >= (0 - n) % n) return (uint64_t)(v >> 64);
    }
}

static void reply_rank(struct resp_writer *w, const struct home *h, size_t at, bool scores) {
    struct zset_at place;
    struct slice member;
    double score;
    zset_seek(&place, h, at, false);
    if (zset_next(&place, &member, &score)) zsets_reply(w, member, score, scores);
}

static void chance_one(struct chance *g, struct session *s) {
    struct slice member;
    double score;
    if (g->repeats) {
        reply_rank(&s->writer, g->h, (size_t)below(s->lane, g->among), g->scores);
        g->left--;
        return;
    }
    if (!zset_next(&g->at, &member, &score)) return;
    if (below(s->lane, g->among--) < g->left) {
        zsets_reply(&s->writer, member, score, g->scores);
        g->left--;
    }
}

static bool chance_on(struct work *w, struct session *s) {
    struct chance *g = (struct chance *)w;
    while (g->left) {
        for (unsigned i = 0; i < LOOK_EVERY && g->left; i++) chance_one(g, s);
        if (work_over(w)) return !g->left;
    }
    return true;
}

static int compare_ranks(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* n different ranks of `among`, by Floyd's method: each step has one more to choose from, and takes the new one where it meets
 * an old one. They stay sorted, so that an old one is found fast. */
static void pick(struct call *c, size_t *ranks, size_t n, size_t among) {
    for (size_t i = 0; i < n; i++) {
        size_t last = among - n + i, r = (size_t)below(c->s->lane, last + 1);
        if (bsearch(&r, ranks, i, sizeof r, compare_ranks)) r = last; /* greater than all there are */
        size_t at = i;
        while (at && ranks[at - 1] > r) at--;
        memmove(&ranks[at + 1], &ranks[at], (i - at) * sizeof r);
        ranks[at] = r;
    }
}

static void reply_different(struct call *c, const struct holder *h, uint64_t n, bool scores) {
    size_t among = zset_count(&h->home), ranks[PICKED];
    resp_array(c->w, scores && c->w->proto == 2 ? 2 * n : n);
    if (n <= PICKED && n <= among / 2) {
        pick(c, ranks, (size_t)n, among);
        for (size_t i = 0; i < n; i++) reply_rank(c->w, &h->home, ranks[i], scores);
        return;
    }
    struct chance *g = work_new(c, sizeof *g, chance_on, NULL);
    g->left = n;
    g->among = among;
    g->scores = scores;
    zset_seek(&g->at, work_keep(&g->work, h), 0, false);
    work_start(c, &g->work);
}

static void reply_any(struct call *c, const struct holder *h, uint64_t n, bool scores) {
    size_t among = zset_count(&h->home);
    resp_array(c->w, scores && c->w->proto == 2 ? 2 * n : n);
    if (n <= PICKED) {
        while (n--) reply_rank(c->w, &h->home, (size_t)below(c->s->lane, among), scores);
        return;
    }
    struct chance *g = work_new(c, sizeof *g, chance_on, NULL);
    g->left = n;
    g->among = among;
    g->scores = scores;
    g->repeats = true;
    g->h = work_keep(&g->work, h);
    work_start(c, &g->work);
}

static void random_many(struct call *c) {
    struct holder h;
    int64_t n;
    bool scores = c->argc == 4;
    if (!call_i64(c, 2, &n)) return;
    if (!call_range(c, 2, -INT64_MAX, INT64_MAX, &n,
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"))
        return;
    if (c->argc > 4 || (scores && !call_is(c, 3, "WITHSCORES"))) {
        reply_syntax(c);
        return;
    }
    if (scores && (n < -INT64_MAX / 2 || n > INT64_MAX / 2)) {
        reply_error(c, "ERR value is out of range");
        return;
    }
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    size_t count = zset_count(&h.home);
    if (!count || !n) resp_array(c->w, 0);
    else if (n < 0) reply_any(c, &h, (uint64_t)-n, scores);
    else if ((uint64_t)n >= count) zsets_reply_range(c, &h, (struct zsets_range){.n = count, .down = true}, scores);
    else reply_different(c, &h, (uint64_t)n, scores);
}

void zsets_zrandmember(struct call *c) {
    struct holder h;
    if (c->argc > 2) {
        random_many(c);
        return;
    }
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    size_t count = zset_count(&h.home);
    if (count) reply_rank(c->w, &h.home, (size_t)below(c->s->lane, count), false);
    else resp_null(c->w);
}
