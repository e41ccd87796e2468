/* Commands that wait for an element: BLPOP BRPOP BLMPOP BLMOVE BRPOPLPUSH of lists, BZPOPMIN BZPOPMAX BZMPOP of sorted sets.
 *
 * What is there is taken and replied as by the commands that do not wait. For who waits, the command that makes the key (wait.h)
 * takes it and puts it aside as bytes (struct taken), from which the waiter's lane makes the same reply.
 */
#include "command/lists.h"
#include "command/wait.h"
#include "command/zsets.h"

#include "base/clock.h"
#include "type/zset.h"

/* What the command asks for. */
struct wish {
    enum value_type type;
    bool far_end;          /* from the tail, or the highest scores */
    bool many;             /* `most` of them, as an array of their own */
    bool moves;            /* into another list, at `to` */
    enum list_end to;
    size_t most;
};

/* What was taken, and from which key: the key's bytes, then each element as its length and its bytes, with its score behind them
 * if there are scores. Of many elements of a list, which are cut off as they are, the bytes are the key's only. */
struct taken {
    struct buf bytes;
    size_t key, n;
    struct home cut;       /* what was cut off; its object is NULL if nothing was */
    bool wrong_type;       /* nothing was moved: the destination is no list */
};

struct pop {
    struct waiter waiter;
    struct wish wish;
    struct taken taken;
    struct list_at at;     /* in what was cut off, while that is replied: */
    size_t left;           /* elements not yet replied; 0: not begun, or over */
};

/* -- taking ------------------------------------------------------------------------------------------------------------------- */

static void taken_begin(struct taken *t, const struct key *key) {
    *t = (struct taken){.key = key->n};
    buf_init(&t->bytes, MEM_CLIENT);
    buf_put(&t->bytes, key->p, key->n);
}

static void taken_add(struct taken *t, struct slice element) {
    buf_put(&t->bytes, &element.n, sizeof element.n);
    buf_put(&t->bytes, element.p, element.n);
    t->n++;
}

static void take_from_list(struct home *h, enum list_end end, size_t most, struct taken *t) {
    char digits[NUM_I64_MAX];
    size_t count = list_count(h);
    if (most > count) most = count;
    if (h->object && most > LIST_CUT_MUCH) {
        t->n = most;
        t->cut = (struct home){.form = VALUE_OBJECT, .limits = h->limits, .seed = h->seed};
        t->cut.object = list_cut(h, end == LIST_HEAD ? 0 : count - most, most);
        return;
    }
    for (; most; most--) {
        taken_add(t, list_peek(h, end, digits));
        list_drop(h, end);
    }
}

static void take_from_zset(struct home *h, bool highest, size_t most, struct taken *t) {
    size_t count = zset_count(h), n = most < count ? most : count;
    struct zset_at at;
    struct slice member;
    double score;
    zset_seek(&at, h, highest ? count - 1 : 0, highest);
    for (size_t i = 0; i < n && zset_next(&at, &member, &score); i++) {
        taken_add(t, member);
        buf_put(&t->bytes, &score, sizeof score);
    }
    zset_remove_ranks(h, highest ? count - n : 0, n);
}

static enum list_end end_of(const struct wish *wish) { return wish->far_end ? LIST_TAIL : LIST_HEAD; }

static void take(const struct wish *wish, struct home *h, struct taken *t) {
    if (wish->type == VALUE_ZSET) {
        take_from_zset(h, wish->far_end, wish->most, t);
    } else {
        take_from_list(h, end_of(wish), wish->most, t);
        list_shrunk(h);
    }
}

/* Closes what was taken from, and says so. */
static void taken_from(const struct wish *wish, struct holder *h) {
    if (wish->type == VALUE_ZSET) collection_done(h, zsets_popped(wish->far_end));
    else collection_done(h, lists_popped(end_of(wish)));
}

static struct slice element_at(const struct taken *t, size_t *at) {
    struct slice s;
    memcpy(&s.n, t->bytes.p + *at, sizeof s.n);
    s.p = t->bytes.p + *at + sizeof s.n;
    *at += sizeof s.n + s.n;
    return s;
}

/* Both are open for change; a list that is moved within is both. */
static void move(const struct wish *wish, struct home *from, struct home *to, struct taken *t) {
    size_t at = t->key;
    take_from_list(from, end_of(wish), 1, t);
    struct slice element = element_at(t, &at);
    list_growing(to, element.n, 1);
    list_push(to, wish->to, element);
    list_shrunk(from);
}

/* -- replying ------------------------------------------------------------------------------------------------------------------- */

static void reply_members(const struct wish *wish, const struct taken *t, struct resp_writer *w) {
    size_t at = t->key;
    bool scores = wish->type == VALUE_ZSET;
    for (size_t i = 0; i < t->n; i++) {
        struct slice element = element_at(t, &at);
        if (scores && wish->many) resp_array(w, 2);
        resp_bulk(w, element.p, element.n);
        if (!scores) continue;
        double score;
        memcpy(&score, t->bytes.p + at, sizeof score);
        at += sizeof score;
        resp_double(w, score);
    }
}

static void taken_reply_head(const struct wish *wish, const struct taken *t, struct resp_writer *w) {
    if (wish->moves) return;
    resp_array(w, wish->type == VALUE_ZSET && !wish->many ? 3 : 2);
    resp_bulk(w, t->bytes.p, t->key);
    if (wish->many) resp_array(w, t->n);
}

static void taken_reply(const struct wish *wish, const struct taken *t, struct resp_writer *w) {
    taken_reply_head(wish, t, w);
    reply_members(wish, t, w);
}

/* -- being served ----------------------------------------------------------------------------------------------------------------- */

static struct pop *pop_of(struct waiter *w) { return (struct pop *)(void *)w; }

static bool is_held(const struct holder *h) { return h->home.object && value_held(h->home.object); }

static enum wait_served serve_pop(struct waiter *w, struct view *v, const struct key *key, struct entry *e) {
    struct pop *p = pop_of(w);
    struct holder h;
    holder_open(&h, v, key, e, p->wish.type);
    if (is_held(&h)) return WAIT_LATER;
    if (!wait_claim(w)) return WAIT_KEPT;
    taken_begin(&p->taken, key);
    take(&p->wish, &h.home, &p->taken);
    taken_from(&p->wish, &h);
    return WAIT_GIVEN;
}

static enum wait_served serve_move(struct waiter *w, struct view *v, const struct key *key, struct entry *e) {
    struct pop *p = pop_of(w);
    bool within = slice_equal((struct slice){key->p, key->n}, (struct slice){w->target.p, w->target.n});
    struct entry *there = within ? NULL : view_peek(v, &w->target);
    struct holder from, to;
    if (there && entry_type(there) != VALUE_LIST) {
        if (!wait_claim(w)) return WAIT_KEPT;
        p->taken.wrong_type = true;
        return WAIT_GIVEN;
    }
    holder_open(&from, v, key, e, VALUE_LIST);
    if (!within) holder_open(&to, v, &w->target, there, VALUE_LIST);
    if (is_held(&from) || (!within && is_held(&to))) return WAIT_LATER;
    if (!wait_claim(w)) return WAIT_KEPT;
    taken_begin(&p->taken, key);
    move(&p->wish, &from.home, within ? &from.home : &to.home, &p->taken);
    lists_moved(&from, end_of(&p->wish), within ? NULL : &to, p->wish.to);
    return WAIT_GIVEN;
}

/* What was cut off, in slices, from the end that it was cut off from. */
static bool reply_cut(struct pop *p, struct session *s, int64_t slice_us) {
    struct resp_writer *w = &s->writer;
    uint64_t until = clock_ticks() + (uint64_t)((double)slice_us * clock_ticks_per_us());
    bool backwards = p->wish.far_end;
    if (!p->left) {
        p->left = p->taken.n;
        taken_reply_head(&p->wish, &p->taken, w);
        list_seek(&p->taken.cut, &p->at, backwards ? -1 : 0);
    }
    for (;;) {
        resp_bulk(w, p->at.text.p, p->at.text.n);
        bool look = p->left % 64 == 0 || p->at.text.n > 4096;
        if (!--p->left) break;
        if (backwards) list_prev(&p->taken.cut, &p->at);
        else list_next(&p->taken.cut, &p->at);
        if (look && clock_ticks() >= until) return false;
    }
    list_leave(&p->at);
    return true;
}

static bool pop_reply(struct waiter *w, struct session *s, int64_t slice_us) {
    struct pop *p = pop_of(w);
    if (p->taken.wrong_type) session_error(s, "WRONGTYPE Operation against a key holding the wrong kind of value");
    else if (p->taken.cut.object) return reply_cut(p, s, slice_us);
    else taken_reply(&p->wish, &p->taken, &s->writer);
    return true;
}

static void pop_nothing(struct waiter *w, struct session *s) {
    (void)w;
    resp_null_array(&s->writer);
}

static void pop_drop(struct waiter *w) {
    struct pop *p = pop_of(w);
    if (p->left) list_leave(&p->at);
    if (p->taken.cut.object) holder_release(w->lane->env->store, VALUE_LIST, p->taken.cut.object);
    buf_free(&p->taken.bytes);
}

static const struct wait_kind list_pop = {VALUE_LIST, serve_pop, pop_reply, pop_nothing, pop_drop};
static const struct wait_kind list_move = {VALUE_LIST, serve_move, pop_reply, pop_nothing, pop_drop};
static const struct wait_kind zset_pop = {VALUE_ZSET, serve_pop, pop_reply, pop_nothing, pop_drop};

static void wait_with(struct call *c, const struct wish *wish, int64_t ms) {
    const struct wait_kind *kind = wish->moves ? &list_move : wish->type == VALUE_ZSET ? &zset_pop : &list_pop;
    struct pop *p = wait_new(c, sizeof *p, kind, wish->moves ? 1 : c->keys, wish->moves ? 1 : -1);
    p->wish = *wish;
    wait_start(c, &p->waiter, ms);
}

/* -- handlers ------------------------------------------------------------------------------------------------------------------------ */

static void pop_members(struct call *c, const struct wish *wish, int key, struct holder *h) {
    struct taken t;
    taken_begin(&t, &c->key[key]);
    take(wish, &h->home, &t);
    taken_from(wish, h);
    taken_reply(wish, &t, c->w);
    buf_free(&t.bytes);
}

static void pop_elements(struct call *c, const struct wish *wish, int key, struct holder *h) {
    resp_array(c->w, 2);
    resp_bulk(c->w, c->key[key].p, c->key[key].n);
    if (wish->many) {
        lists_pop_closing(c, h, end_of(wish), wish->most);
    } else {
        lists_pop(c->w, &h->home, end_of(wish));
        taken_from(wish, h);
    }
}

/* From the first key that has something; nobody has: waits. */
static void pop_first(struct call *c, const struct wish *wish, int64_t ms) {
    for (int i = 0; i < c->keys; i++) {
        struct holder h;
        if (!collection_write(c, i, wish->type, &h)) return;
        if (!collection_there(&h)) continue;
        if (wish->type == VALUE_ZSET) pop_members(c, wish, i, &h);
        else pop_elements(c, wish, i, &h);
        return;
    }
    wait_with(c, wish, ms);
}

static void pop_one(struct call *c, enum value_type type, bool far_end) {
    int64_t ms;
    if (wait_timeout(c, c->argc - 1, &ms)) pop_first(c, &(struct wish){.type = type, .far_end = far_end, .most = 1}, ms);
}

static void run_blpop(struct call *c) { pop_one(c, VALUE_LIST, false); }
static void run_brpop(struct call *c) { pop_one(c, VALUE_LIST, true); }
static void run_bzpopmin(struct call *c) { pop_one(c, VALUE_ZSET, false); }
static void run_bzpopmax(struct call *c) { pop_one(c, VALUE_ZSET, true); }

static void move_first(struct call *c, const struct wish *wish, int64_t ms) {
    bool within = slice_equal((struct slice){c->key[0].p, c->key[0].n}, (struct slice){c->key[1].p, c->key[1].n});
    struct holder from, to, *into = within ? &from : &to;
    if (!collection_write(c, 0, VALUE_LIST, &from)) return;
    if (!collection_there(&from)) {
        wait_with(c, wish, ms);
        return;
    }
    if (!within && !collection_write(c, 1, VALUE_LIST, &to)) return;
    if (!collection_room(c, into, lists_end_size(&from.home, end_of(wish)), 1)) return;
    lists_move(c->w, &from.home, end_of(wish), &into->home, wish->to);
    lists_moved(&from, end_of(wish), within ? NULL : &to, wish->to);
}

static void run_blmove(struct call *c) {
    enum list_end from, to;
    int64_t ms;
    if (!lists_end(c, 3, &from) || !lists_end(c, 4, &to) || !wait_timeout(c, 5, &ms)) return;
    move_first(c, &(struct wish){.type = VALUE_LIST, .far_end = from == LIST_TAIL, .moves = true, .to = to, .most = 1}, ms);
}

static void run_brpoplpush(struct call *c) {
    int64_t ms;
    if (!wait_timeout(c, 3, &ms)) return;
    move_first(c, &(struct wish){.type = VALUE_LIST, .far_end = true, .moves = true, .to = LIST_HEAD, .most = 1}, ms);
}

static void run_blmpop(struct call *c) {
    struct wish wish = {.type = VALUE_LIST, .many = true};
    struct lists_mpop m;
    int64_t ms;
    if (!lists_mpop_words(c, 2, &m) || !wait_timeout(c, 1, &ms)) return;
    wish.far_end = m.end == LIST_TAIL;
    wish.most = (size_t)m.count;
    pop_first(c, &wish, ms);
}

/* MIN or MAX, from `arg` on, and COUNT. */
static bool zset_words(struct call *c, int arg, struct wish *wish) {
    int64_t count = 1;
    wish->far_end = call_is(c, arg, "MAX");
    bool ok = (wish->far_end || call_is(c, arg, "MIN")) && (arg + 1 == c->argc || (arg + 2 < c->argc && call_is(c, arg + 1, "COUNT")));
    if (ok && arg + 2 < c->argc) {
        if (!call_range(c, arg + 2, 1, INT64_MAX, &count, "ERR count should be greater than 0")) return false;
        ok = arg + 3 == c->argc;
    }
    wish->most = (size_t)count;
    if (!ok) reply_syntax(c);
    return ok;
}

static void run_bzmpop(struct call *c) {
    struct wish wish = {.type = VALUE_ZSET, .many = true};
    int64_t keys, ms;
    if (!call_range(c, 2, 1, INT64_MAX, &keys, "ERR numkeys should be greater than 0")) return;
    if (keys >= c->argc - 3) reply_syntax(c);
    else if (zset_words(c, 3 + (int)keys, &wish) && wait_timeout(c, 1, &ms)) pop_first(c, &wish, ms);
}

/* -- rows ------------------------------------------------------------------------------------------------------------------------------ */

static const char *const fractions[] = {"6.0.0", "The timeout may have a fraction.", NULL};

#define LISTS .categories = A_LIST, .group = "list"
#define ZSETS .categories = A_SORTEDSET, .group = "sorted-set"
#define TAKES K_RW | K_ACCESS | K_DELETE
#define ALL_BUT_LAST .keys = {{KEYS_RANGE, 1, -2, 1, TAKES}}
#define COUNTED .keys = {{KEYS_NUMKEYS, 2, 0, 1, TAKES}}
#define TWO .keys = {{KEYS_RANGE, 1, 0, 1, TAKES}, {KEYS_RANGE, 2, 0, 1, K_RW | K_INSERT}}

static const struct command rows[] = {
    {.name = "BLMOVE",
        .arity = 6,
        .flags = C_WRITE | C_DENYOOM | C_NOSCRIPT | C_BLOCKING,
        LISTS,
        TWO,
        .run = run_blmove,
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "Moves an element from a list to another, waiting for one where there is none.",
        .syntax = "source destination <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT> timeout"},
    {.name = "BLMPOP",
        .arity = -5,
        .flags = C_WRITE | C_BLOCKING | C_MOVABLEKEYS,
        LISTS,
        COUNTED,
        .run = run_blmpop,
        .since = "7.0.0",
        .complexity = "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        .summary = "Takes elements from the first list that has some, waiting for them where none has.",
        .syntax = "timeout numkeys key [key ...] <where: LEFT | RIGHT> [COUNT count]"},
    {.name = "BLPOP",
        .arity = -3,
        .flags = C_WRITE | C_NOSCRIPT | C_BLOCKING,
        LISTS,
        ALL_BUT_LAST,
        .run = run_blpop,
        .since = "2.0.0",
        .complexity = "O(N) where N is the number of provided keys.",
        .history = fractions,
        .summary = "Takes the first element of the first list that has one, waiting for it where none has.",
        .syntax = "key [key ...] timeout"},
    {.name = "BRPOP",
        .arity = -3,
        .flags = C_WRITE | C_NOSCRIPT | C_BLOCKING,
        LISTS,
        ALL_BUT_LAST,
        .run = run_brpop,
        .since = "2.0.0",
        .complexity = "O(N) where N is the number of provided keys.",
        .history = fractions,
        .summary = "Takes the last element of the first list that has one, waiting for it where none has.",
        .syntax = "key [key ...] timeout"},
    {.name = "BRPOPLPUSH",
        .arity = 4,
        .flags = C_WRITE | C_DENYOOM | C_NOSCRIPT | C_BLOCKING,
        LISTS,
        TWO,
        .run = run_brpoplpush,
        .since = "2.2.0",
        .complexity = "O(1)",
        .deprecated = "6.2.0 `BLMOVE` with the `RIGHT` and `LEFT` arguments",
        .history = fractions,
        .summary = "Moves the last element of a list to the head of another, waiting for one where there is none.",
        .syntax = "source destination timeout"},
    {.name = "BZMPOP",
        .arity = -5,
        .flags = C_WRITE | C_BLOCKING | C_MOVABLEKEYS,
        ZSETS,
        COUNTED,
        .run = run_bzmpop,
        .since = "7.0.0",
        .complexity = "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, "
                      "and M being the number of elements popped.",
        .summary = "Takes members with their scores from the first sorted set that has some, waiting for them where none has.",
        .syntax = "timeout numkeys key [key ...] <where: MIN | MAX> [COUNT count]"},
    {.name = "BZPOPMAX",
        .arity = -3,
        .flags = C_WRITE | C_NOSCRIPT | C_BLOCKING | C_FAST,
        ZSETS,
        ALL_BUT_LAST,
        .run = run_bzpopmax,
        .since = "5.0.0",
        .complexity = "O(log(N)) with N being the number of elements in the sorted set.",
        .history = fractions,
        .summary = "Takes the member with the highest score from the first sorted set that has one, waiting where none has.",
        .syntax = "key [key ...] timeout"},
    {.name = "BZPOPMIN",
        .arity = -3,
        .flags = C_WRITE | C_NOSCRIPT | C_BLOCKING | C_FAST,
        ZSETS,
        ALL_BUT_LAST,
        .run = run_bzpopmin,
        .since = "5.0.0",
        .complexity = "O(log(N)) with N being the number of elements in the sorted set.",
        .history = fractions,
        .summary = "Takes the member with the lowest score from the first sorted set that has one, waiting where none has.",
        .syntax = "key [key ...] timeout"},
    {0},
};

const struct command *command_rows_blocking(void) { return rows; }
