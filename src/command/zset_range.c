/* Ranges of sorted sets: by rank, by score, by bytes; counted, replied, stored, removed.
 *
 * Whatever a range is asked by, it is one of ranks first; then it is walked, which long ones are in slices.
 */
#include "command/work.h"
#include "command/zsets.h"

#include <math.h>
#include <stdlib.h>

#define LOOK_EVERY 32 /* members between two looks at the clock */

enum kind { BY_ANY, BY_RANK, BY_SCORE, BY_LEX };

/* -- where it begins and ends ---------------------------------------------------------------------------------------------- */

struct score_bound {
    double score;
    bool open; /* without the score itself */
};

enum edge { LEX_BYTES, LEX_LOWEST, LEX_HIGHEST };
struct lex_bound {
    enum edge edge;
    struct slice bytes;
    bool open;
};

struct range_words {
    enum kind kind;
    bool down, scores, limited;
    int64_t offset, limit; /* limit < 0: none */
    int min, max;          /* arguments */
    int64_t first, last;   /* BY_RANK */
    struct score_bound low, high;
    struct lex_bound from, to;
};

/* As strtod takes it: spaces before it, and nothing at all, are allowed. */
static bool parse_bound(struct slice s, struct score_bound *out) {
    char text[NUM_DOUBLE_MAX], *end;
    out->open = s.n && s.p[0] == '(';
    if (out->open) s = (struct slice){s.p + 1, s.n - 1};
    if (num_double(s, &out->score)) return true;
    if (s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    out->score = strtod(text, &end);
    return !*end && !isnan(out->score);
}

static bool parse_lex(struct slice s, struct lex_bound *out) {
    *out = (struct lex_bound){.edge = LEX_BYTES};
    if (!s.n) return false;
    if (s.p[0] == '-' || s.p[0] == '+') {
        out->edge = s.p[0] == '-' ? LEX_LOWEST : LEX_HIGHEST;
        return s.n == 1;
    }
    out->open = s.p[0] == '(';
    out->bytes = (struct slice){s.p + 1, s.n - 1};
    return out->open || s.p[0] == '[';
}

static bool read_bounds(struct call *c, struct range_words *o) {
    switch (o->kind) {
    case BY_SCORE:
        if (parse_bound(c->argv[o->min], &o->low) && parse_bound(c->argv[o->max], &o->high)) return true;
        reply_error(c, "ERR min or max is not a float");
        return false;
    case BY_LEX:
        if (parse_lex(c->argv[o->min], &o->from) && parse_lex(c->argv[o->max], &o->to)) return true;
        reply_error(c, "ERR min or max not valid string range item");
        return false;
    default:
        return call_i64(c, o->min, &o->first) && call_i64(c, o->max, &o->last);
    }
}

static size_t lex_rank(const struct home *h, const struct lex_bound *b, bool after) {
    if (b->edge == LEX_LOWEST) return 0;
    if (b->edge == LEX_HIGHEST) return zset_count(h);
    return zset_below_bytes(h, b->bytes, after);
}

/* Ranks from `*from` up to, not including, `*to`; all of it reversed where a range by rank goes down. */
static void find_ends(const struct home *h, const struct range_words *o, size_t *from, size_t *to) {
    size_t n = zset_count(h);
    *from = *to = 0;
    if (o->kind == BY_SCORE) {
        const struct score_bound *low = &o->low, *high = &o->high;
        if (low->score > high->score || (low->score == high->score && (low->open || high->open))) return;
        *from = zset_below_score(h, low->score, low->open);
        *to = zset_below_score(h, high->score, !high->open);
    } else if (o->kind == BY_LEX) {
        *from = lex_rank(h, &o->from, o->from.open);
        *to = lex_rank(h, &o->to, !o->to.open);
    } else {
        int64_t all = (int64_t)n, first = o->first < 0 ? o->first + all : o->first, last = o->last < 0 ? o->last + all : o->last;
        if (first < 0) first = 0;
        if (last >= all) last = all - 1;
        if (first > last) return;
        *from = o->down ? (size_t)(all - 1 - last) : (size_t)first;
        *to = o->down ? (size_t)(all - first) : (size_t)last + 1;
    }
}

static struct zsets_range find_range(const struct home *h, const struct range_words *o) {
    struct zsets_range r = {.down = o->down};
    size_t to, skip = 0;
    find_ends(h, o, &r.from, &to);
    r.n = to > r.from ? to - r.from : 0;
    if (o->limited) {
        skip = o->offset < 0 || (uint64_t)o->offset > r.n ? r.n : (size_t)o->offset;
        r.n -= skip;
        if (o->limit >= 0 && (uint64_t)o->limit < r.n) r.n = (size_t)o->limit;
    }
    r.from = r.down ? to - skip - r.n : r.from + skip;
    return r;
}

/* -- counting and removing ------------------------------------------------------------------------------------------------- */

static void count(struct call *c, enum kind kind) {
    struct range_words o = {.kind = kind, .min = 2, .max = 3};
    struct holder h;
    if (!read_bounds(c, &o) || !collection_read(c, 0, VALUE_ZSET, &h)) return;
    resp_int(c->w, (int64_t)find_range(&h.home, &o).n);
}
void zsets_zcount(struct call *c) { count(c, BY_SCORE); }
void zsets_zlexcount(struct call *c) { count(c, BY_LEX); }

static void remove_range(struct call *c, enum kind kind) {
    static const char *const events[] = {[BY_RANK] = "zremrangebyrank", [BY_SCORE] = "zremrangebyscore", [BY_LEX] = "zremrangebylex"};
    struct range_words o = {.kind = kind, .min = 2, .max = 3};
    struct holder h;
    if (!read_bounds(c, &o) || !collection_write(c, 0, VALUE_ZSET, &h)) return;
    struct zsets_range r = find_range(&h.home, &o);
    if (r.n && r.n == zset_count(&h.home)) {
        view_unlink(&c->v, &c->key[0]);
        call_event(c, EVENT_ZSET, events[kind], 0);
        call_event(c, EVENT_GENERIC, "del", 0);
    } else if (r.n) {
        zset_remove_ranks(&h.home, r.from, r.n);
        h.changes = r.n;
        collection_done(&h, events[kind]);
    }
    resp_int(c->w, (int64_t)r.n);
}
void zsets_zremrangebyrank(struct call *c) { remove_range(c, BY_RANK); }
void zsets_zremrangebyscore(struct call *c) { remove_range(c, BY_SCORE); }
void zsets_zremrangebylex(struct call *c) { remove_range(c, BY_LEX); }

/* -- replying -------------------------------------------------------------------------------------------------------------- */

void zsets_reply(struct resp_writer *w, struct slice member, double score, bool scores) {
    if (scores && w->proto > 2) resp_array(w, 2);
    resp_bulk(w, member.p, member.n);
    if (scores) resp_double(w, score);
}

static void seek(struct zset_at *at, const struct home *h, struct zsets_range r) {
    zset_seek(at, h, r.down ? r.from + r.n - 1 : r.from, r.down);
}

struct range_reply {
    struct work work;
    struct zset_at at;
    size_t left;
    bool scores;
};

static bool reply_on(struct work *w, struct session *s) {
    struct range_reply *g = (struct range_reply *)w;
    struct slice member;
    double score;
    while (g->left) {
        for (unsigned i = 0; i < LOOK_EVERY && g->left && zset_next(&g->at, &member, &score); i++, g->left--)
            zsets_reply(&s->writer, member, score, g->scores);
        if (work_over(w)) return !g->left;
    }
    return true;
}

void zsets_reply_range(struct call *c, const struct holder *h, struct zsets_range r, bool scores) {
    struct slice member;
    double score;
    resp_array(c->w, scores && c->w->proto == 2 ? 2 * r.n : r.n);
    if (!r.n) return;
    if (r.n > ZSETS_AT_ONCE) {
        struct range_reply *g = work_new(c, sizeof *g, reply_on, NULL);
        g->left = r.n;
        g->scores = scores;
        seek(&g->at, work_keep(&g->work, h), r);
        work_start(c, &g->work);
        return;
    }
    struct zset_at at;
    seek(&at, &h->home, r);
    for (size_t i = 0; i < r.n && zset_next(&at, &member, &score); i++) zsets_reply(c->w, member, score, scores);
}

/* -- storing --------------------------------------------------------------------------------------------------------------- */

struct range_store {
    struct work work;
    struct zset_at at;
    size_t left;
    struct home made;
    char *target;
    size_t target_size;
};

static void store_drop(struct work *w) {
    struct range_store *g = (struct range_store *)w;
    if (g->made.object) value_free(VALUE_ZSET, g->made.object);
    home_free_bytes(&g->made);
    mem_free(MEM_CLIENT, g->target);
}

static bool store_on(struct work *w, struct session *s) {
    struct range_store *g = (struct range_store *)w;
    struct slice member;
    double score;
    while (g->left) {
        for (unsigned i = 0; i < LOOK_EVERY && g->left && zset_next(&g->at, &member, &score); i++, g->left--)
            zset_put(&g->made, member, score);
        if (work_over(w) && g->left) return false;
    }
    size_t n = work_put(w, s, (struct slice){g->target, g->target_size}, VALUE_ZSET, &g->made, "zrangestore");
    g->made.object = NULL;
    resp_int(&s->writer, (int64_t)n);
    return true;
}

static void store_range(struct call *c, const struct holder *h, struct zsets_range r) {
    struct slice target = c->argv[1];
    if (h->home.object && !call_room(c, zset_ops()->memory(h->home.object) / (zset_count(&h->home) / (r.n + 1) + 1))) return;
    if (!h->home.object && !call_room(c, 4 * h->home.n + target.n + 4096)) return;
    struct range_store *g = work_new(c, sizeof *g, store_on, store_drop);
    const struct home *from = work_keep(&g->work, h);
    home_init_own(&g->made, h->home.limits, h->home.seed);
    g->work.makes = true;
    g->left = r.n;
    g->target_size = target.n;
    g->target = memcpy(mem_alloc(MEM_CLIENT, target.n + 1), target.p, target.n);
    seek(&g->at, from, r);
    work_start(c, &g->work);
}

/* -- ZRANGE and its older relatives ---------------------------------------------------------------------------------------- */

/* The words behind the two ends, which are arguments `at` and `at + 1`. `o` says what the command's name has settled already. */
static bool read_words(struct call *c, int at, bool store, bool named, struct range_words *o) {
    o->min = at;
    o->max = at + 1;
    o->limit = -1;
    for (int i = at + 2; i < c->argc; i++) {
        if (!store && call_is(c, i, "WITHSCORES")) {
            o->scores = true;
        } else if (i + 2 < c->argc && call_is(c, i, "LIMIT")) {
            if (!call_i64(c, i + 1, &o->offset) || !call_i64(c, i + 2, &o->limit)) return false;
            o->limited = true;
            i += 2;
        } else if (!named && call_is(c, i, "REV")) {
            o->down = true;
        } else if (o->kind == BY_ANY && call_is(c, i, "BYLEX")) {
            o->kind = BY_LEX;
        } else if (o->kind == BY_ANY && call_is(c, i, "BYSCORE")) {
            o->kind = BY_SCORE;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    if (o->kind == BY_ANY) o->kind = BY_RANK;
    if (o->kind == BY_RANK && o->limited && o->limit != -1) {
        reply_error(c, "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
        return false;
    }
    if (o->kind == BY_LEX && o->scores) {
        reply_error(c, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    if (o->kind == BY_RANK) o->limited = false;
    if (o->kind != BY_RANK && o->down) {
        o->min = at + 1;
        o->max = at;
    }
    return read_bounds(c, o);
}

static void range(struct call *c, enum kind kind, bool down, bool named) {
    struct range_words o = {.kind = kind, .down = down};
    struct holder h;
    if (!read_words(c, 2, false, named, &o)) return;
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    zsets_reply_range(c, &h, find_range(&h.home, &o), o.scores);
}
void zsets_zrange(struct call *c) { range(c, BY_ANY, false, false); }
void zsets_zrevrange(struct call *c) { range(c, BY_RANK, true, true); }
void zsets_zrangebyscore(struct call *c) { range(c, BY_SCORE, false, true); }
void zsets_zrevrangebyscore(struct call *c) { range(c, BY_SCORE, true, true); }
void zsets_zrangebylex(struct call *c) { range(c, BY_LEX, false, true); }
void zsets_zrevrangebylex(struct call *c) { range(c, BY_LEX, true, true); }

void zsets_zrangestore(struct call *c) {
    struct range_words o = {.kind = BY_ANY};
    struct holder h;
    if (!read_words(c, 3, true, false, &o)) return;
    if (!collection_read(c, 1, VALUE_ZSET, &h)) return;
    struct zsets_range r = find_range(&h.home, &o);
    if (r.n) {
        store_range(c, &h, r);
        return;
    }
    if (view_unlink(&c->v, &c->key[0])) call_event(c, EVENT_GENERIC, "del", 0);
    RESP_RAW(c->w, ":0\r\n");
}
