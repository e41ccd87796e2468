/* Sorted sets, member by member: adding, asking, removing, ZSCAN. Ranges are in zset_range.c, taking from the ends and at random
 * in zset_pop.c, the rows in zset_rows.c. */
#include "command/zsets.h"

#include "command/cursor.h"

#include <math.h>
#include <stdio.h>

#define NOT_A_NUMBER "ERR resulting score is not a number (NaN)"

/* -- ZADD ----------------------------------------------------------------------------------------------------------------- */

struct add_words {
    unsigned when; /* bits of enum zset_when */
    bool changed;  /* CH */
    int first;     /* argument where the pairs begin */
};

static unsigned when_named(const struct call *c, int arg) {
    if (call_is(c, arg, "NX")) return ZSET_NX;
    if (call_is(c, arg, "XX")) return ZSET_XX;
    if (call_is(c, arg, "GT")) return ZSET_GT;
    if (call_is(c, arg, "LT")) return ZSET_LT;
    if (call_is(c, arg, "INCR")) return ZSET_INCR;
    return 0;
}

static bool read_words(struct call *c, struct add_words *o) {
    int i = 2;
    *o = (struct add_words){.first = 2};
    for (; i < c->argc; i++) {
        struct slice word = c->argv[i];
        if (word.n - 2 > 2 || (unsigned char)word.p[0] < 'A') break; /* scores are met here most often */
        unsigned when = when_named(c, i);
        o->when |= when;
        if (when) continue;
        if (!call_is(c, i, "CH")) break;
        o->changed = true;
    }
    o->first = i;
    int words = c->argc - i;
    if (!o->when && words && words % 2 == 0) return true;
    bool nx = o->when & ZSET_NX, xx = o->when & ZSET_XX, gt = o->when & ZSET_GT, lt = o->when & ZSET_LT;
    if (words % 2 || !words) reply_syntax(c);
    else if (nx && xx) reply_error(c, "ERR XX and NX options at the same time are not compatible");
    else if (nx + gt + lt > 1) reply_error(c, "ERR GT, LT, and/or NX options at the same time are not compatible");
    else if (o->when & ZSET_INCR && words > 2) reply_error(c, "ERR INCR option supports a single increment-element pair");
    else return true;
    return false;
}

/* Adds the pairs from argument `first` on, whose scores were read before anything is changed. */
static void add(struct call *c, const struct add_words *o, const double *scores, int pairs) {
    struct holder h;
    size_t bytes = 0;
    if (!collection_write(c, 0, VALUE_ZSET, &h)) return;
    for (int i = 0; i < pairs; i++) bytes += c->argv[o->first + 2 * i + 1].n;
    if (!collection_room(c, &h, bytes, (size_t)pairs)) return;
    int64_t added = 0, changed = 0;
    enum zset_did did = ZSET_KEPT;
    double score = 0;
    for (int i = 0; i < pairs; i++) {
        score = scores[i];
        did = zset_add(&h.home, c->argv[o->first + 2 * i + 1], &score, o->when);
        added += did == ZSET_ADDED;
        changed += did == ZSET_CHANGED;
    }
    h.same = !added && !changed;
    h.changes = (uint64_t)(added + changed);
    if (h.same) collection_close(c, &h);
    else collection_done(&h, o->when & ZSET_INCR ? "zincr" : "zadd");
    if (!(o->when & ZSET_INCR)) resp_int(c->w, o->changed ? added + changed : added);
    else if (did == ZSET_NAN) reply_error(c, NOT_A_NUMBER);
    else if (did == ZSET_KEPT) resp_null(c->w);
    else resp_double(c->w, score);
}

void zsets_zadd(struct call *c) {
    enum { FEW = 16 };
    struct add_words o;
    double few[FEW], *scores = few;
    if (!read_words(c, &o)) return;
    int pairs = (c->argc - o.first) / 2, i = 0;
    few[0] = 0; /* there is one at least, which not every compiler sees */
    if (pairs > FEW) scores = mem_alloc(MEM_CLIENT, (size_t)pairs * sizeof *scores);
    while (i < pairs && call_double(c, o.first + 2 * i, &scores[i])) i++;
    if (i == pairs) add(c, &o, scores, pairs);
    if (scores != few) mem_free(MEM_CLIENT, scores);
}

void zsets_zincrby(struct call *c) {
    struct add_words o = {.when = ZSET_INCR, .first = 2};
    double by;
    if (call_double(c, 2, &by)) add(c, &o, &by, 1);
}

/* -- asking --------------------------------------------------------------------------------------------------------------- */

void zsets_zcard(struct call *c) {
    struct holder h;
    if (collection_read(c, 0, VALUE_ZSET, &h)) resp_int(c->w, (int64_t)zset_count(&h.home));
}

static void reply_score(struct call *c, const struct holder *h, struct slice member) {
    double score;
    if (zset_score(&h->home, member, &score)) resp_double(c->w, score);
    else resp_null(c->w);
}

void zsets_zscore(struct call *c) {
    struct holder h;
    if (collection_read(c, 0, VALUE_ZSET, &h)) reply_score(c, &h, c->argv[2]);
}

void zsets_zmscore(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    resp_array(c->w, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) reply_score(c, &h, c->argv[i]);
}

static void rank(struct call *c, bool down) {
    struct holder h;
    size_t at;
    double score;
    bool with_score = c->argc > 3;
    if (c->argc > 4) {
        reply_arity(c);
        return;
    }
    if (with_score && !call_is(c, 3, "WITHSCORE")) {
        reply_syntax(c);
        return;
    }
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    if (!zset_rank(&h.home, c->argv[2], &at, &score)) {
        if (with_score) resp_null_array(c->w);
        else resp_null(c->w);
        return;
    }
    if (down) at = zset_count(&h.home) - 1 - at;
    if (with_score) resp_array(c->w, 2);
    resp_int(c->w, (int64_t)at);
    if (with_score) resp_double(c->w, score);
}
void zsets_zrank(struct call *c) { rank(c, false); }
void zsets_zrevrank(struct call *c) { rank(c, true); }

/* -- removing ------------------------------------------------------------------------------------------------------------- */

void zsets_zrem(struct call *c) {
    struct holder h;
    int64_t removed = 0;
    if (!collection_write(c, 0, VALUE_ZSET, &h)) return;
    for (int i = 2; i < c->argc; i++) removed += zset_remove(&h.home, c->argv[i]);
    h.changes = (uint64_t)removed;
    if (removed) collection_done(&h, "zrem");
    resp_int(c->w, removed);
}

/* -- ZSCAN ---------------------------------------------------------------------------------------------------------------- */

struct scan {
    struct cursor cursor;
    bool tall;
};

/* Of what it calls a skiplist Redis shows scores with 17 digits here, and only here. */
static size_t put_score(char *text, size_t room, double score, bool tall) {
    if (!tall || isinf(score)) return num_put_double(text, score);
    return (size_t)snprintf(text, room, "%.17g", score);
}

static void scan_member(void *arg, struct slice member, double score) {
    struct scan *s = arg;
    char text[NUM_DOUBLE_MAX];
    if (!cursor_matches(&s->cursor, member)) return;
    cursor_put(&s->cursor, member);
    cursor_put(&s->cursor, (struct slice){text, put_score(text, sizeof text, score, s->tall)});
}

void zsets_zscan(struct call *c) {
    struct holder h;
    struct scan s;
    uint64_t at;
    if (!cursor_read(c, 2, &at)) return;
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    if (!collection_there(&h)) {
        cursor_reply_nothing(c);
        return;
    }
    if (!cursor_words(c, 3, NULL, &s.cursor)) return;
    s.tall = !strcmp(zset_ops()->encoding(&h.home), "skiplist");
    size_t count = s.tall ? (size_t)s.cursor.count : SIZE_MAX; /* a listpack is shown whole */
    s.cursor.at = zset_scan(&h.home, at, count, scan_member, &s);
    cursor_reply(c, &s.cursor);
}
