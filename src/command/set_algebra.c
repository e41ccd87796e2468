/* Sets combined: SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD.
 *
 * A union is gathered in a set of its own; intersections and differences walk one set and look into the others. Small sets are
 * combined at once, large ones in slices as they are when the command comes, by the same steps.
 */
#include "command/sets.h"

#include <stdlib.h>

#define ON_STACK 8
#define BETWEEN_LOOKS 64 /* at the clock, in lookups */

enum algebra_op { INTER, UNION, DIFF };
enum algebra_use { SHOW, STORE_, COUNT };

struct algebra {
    enum algebra_op op;
    enum algebra_use use;
    bool aside;               /* what is made is only shown */
    bool settles;             /* once all is stored, integers shall be stored as such */
    int n, which;             /* sets; the one that is walked */
    const struct home **set;
    struct set_at at;
    struct home made;         /* STORE_, and any UNION */
    struct resp_writer *w;    /* where the others are shown */
    size_t found, limit;      /* limit 0: none */
};

struct algebra_work {
    struct work work;
    struct algebra a;
    bool shows;               /* `made` is complete, and is being shown */
    struct slice to;
    const struct home *set[];
};

static const char *stored(const struct algebra *a) {
    static const char *const events[] = {[INTER] = "sinterstore", [UNION] = "sunionstore", [DIFF] = "sdiffstore"};
    return events[a->op];
}

static bool gathers(const struct algebra *a) { return a->use == STORE_ || a->op == UNION; }

static void algebra_begin(struct algebra *a, const struct type_limits *limits, uint64_t seed) {
    home_init_own(&a->made, limits, seed);
    if (a->use != STORE_ || a->op != INTER || !a->n) return;
    /* As Redis does: what is left of integers begins as such, the rest as strings, and is made integers if it is. */
    a->settles = strcmp(set_ops()->encoding(a->set[0]), "intset") != 0;
    if (a->settles) set_expect(&a->made, SLICE(""), 0);
}

static void algebra_end(struct algebra *a, struct store *store) {
    bool was = mem_aside(a->aside);
    if (a->made.object) holder_release(store, VALUE_SET, a->made.object);
    home_free_bytes(&a->made);
    mem_aside(was);
}

static bool belongs(const struct algebra *a, struct slice member, size_t *cost) {
    if (a->op == UNION) return true;
    for (int i = 1; i < a->n; i++) {
        ++*cost;
        if (set_has(a->set[i], member) != (a->op == INTER)) return false;
    }
    return true;
}

/* Goes on; true at the end, false once it has cost `most`. */
static bool algebra_on(struct algebra *a, size_t most) {
    int walks = a->op == UNION ? a->n : a->n > 0;
    for (size_t cost = 0; cost < most;) {
        struct slice member;
        if (a->which >= walks) return true;
        if (!set_next(a->set[a->which], &a->at, &member)) {
            a->which++;
            a->at = (struct set_at){0};
            continue;
        }
        cost += sets_effort_of(member);
        if (!belongs(a, member, &cost)) continue;
        int64_t v;
        a->found++;
        if (gathers(a)) set_add(&a->made, member);
        else if (a->use == SHOW) resp_bulk(a->w, member.p, member.n);
        if (a->settles && !num_i64(member, &v)) a->settles = false;
        if (a->found == a->limit) return true;
    }
    return false;
}

/* Nothing but integers was gathered, and not too many of them. */
static void algebra_settle(struct algebra *a, struct store *store) {
    if (!a->settles || a->found > (size_t)option_get(&a->made.limits->set_ints)) return;
    struct home ints;
    struct set_at at = {0};
    struct slice member;
    home_init_own(&ints, a->made.limits, a->made.seed);
    while (set_next(&a->made, &at, &member)) set_add(&ints, member);
    algebra_end(a, store);
    a->made = ints;
}

/* -- in slices --------------------------------------------------------------------------------------------------------------- */

static void algebra_drop(struct work *w) { algebra_end(&((struct algebra_work *)w)->a, w->store); }

/* True: the reply is complete. */
static bool combined(struct algebra_work *g, struct session *s) {
    struct algebra *a = &g->a;
    if (a->use == COUNT) {
        resp_int(&s->writer, (int64_t)a->found);
    } else if (a->use == STORE_) {
        algebra_settle(a, g->work.store);
        size_t n = work_put(&g->work, s, g->to, VALUE_SET, &a->made, stored(a));
        if (n) a->made.object = NULL;
        resp_int(&s->writer, (int64_t)n);
    } else if (a->op == UNION) {
        resp_set(&s->writer, set_count(&a->made));
        a->at = (struct set_at){0};
        g->shows = true;
        return false;
    } else {
        resp_set(&s->writer, a->found);
        chain_join(&s->out, &g->work.body);
    }
    return true;
}

static bool show(struct algebra *a, struct resp_writer *w, size_t most) {
    struct slice member;
    for (size_t cost = 0; cost < most; cost += sets_effort_of(member)) {
        if (!set_next(&a->made, &a->at, &member)) return true;
        resp_bulk(w, member.p, member.n);
    }
    return false;
}

static bool algebra_slice(struct work *w, struct session *s) {
    struct algebra_work *g = (struct algebra_work *)w;
    do {
        if (g->shows ? show(&g->a, &s->writer, BETWEEN_LOOKS) : algebra_on(&g->a, BETWEEN_LOOKS) && combined(g, s)) return true;
    } while (!work_over(w));
    return false;
}

static void combine_later(struct call *c, const struct algebra *a, const struct holder *const *by) {
    struct slice to = a->use == STORE_ ? c->argv[1] : (struct slice){NULL, 0};
    size_t sets = (size_t)a->n * sizeof a->set[0];
    struct algebra_work *g = work_new(c, sizeof *g + sets + to.n, algebra_slice, algebra_drop);
    g->a = *a;
    g->work.makes = a->use == STORE_;
    g->work.aside = a->aside;
    g->a.set = g->set;
    g->a.w = &g->work.w;
    for (int i = 0; i < a->n; i++) g->set[i] = work_keep(&g->work, by[i]);
    if (to.n) memcpy((char *)g->set + sets, to.p, to.n);
    g->to = (struct slice){(char *)g->set + sets, to.n};
    work_start(c, &g->work);
}

/* -- at once ----------------------------------------------------------------------------------------------------------------- */

static void combine_now(struct call *c, struct algebra *a) {
    struct chain body;
    struct resp_writer w = {&body, c->w->proto};
    chain_init(&body, &c->s->lane->pool);
    a->w = &w;
    bool was = mem_aside(a->aside);
    algebra_on(a, SIZE_MAX);
    mem_aside(was);
    if (a->use == COUNT) {
        resp_int(c->w, (int64_t)a->found);
    } else if (a->use == STORE_) {
        algebra_settle(a, c->v.store);
        size_t n = work_store(&c->v, c->key, VALUE_SET, &a->made, stored(a));
        if (n) a->made.object = NULL;
        resp_int(c->w, (int64_t)n);
    } else if (a->op == UNION) {
        a->at = (struct set_at){0};
        resp_set(c->w, set_count(&a->made));
        show(a, c->w, SIZE_MAX);
    } else {
        resp_set(c->w, a->found);
        chain_join(c->w->out, &body);
    }
    chain_free(&body);
    algebra_end(a, c->v.store);
}

/* -- which sets, in which order ------------------------------------------------------------------------------------------------ */

struct source {
    struct holder h;
    size_t count;
};

/* The smallest is walked and the smaller ones are asked first; of what is subtracted the largest. The order of arguments stays
 * where counts are equal. */
static void arrange(struct source **by, int n, bool descending) {
    for (int i = 1; i < n; i++) {
        struct source *s = by[i];
        int to = i;
        for (; to && (descending ? by[to - 1]->count < s->count : by[to - 1]->count > s->count); to--) by[to] = by[to - 1];
        by[to] = s;
    }
}

static int by_count(const void *a, const void *b) {
    const struct source *x = *(struct source *const *)a, *y = *(struct source *const *)b;
    return (x->count > y->count) - (x->count < y->count);
}

static int by_count_down(const void *a, const void *b) { return by_count(b, a); }

static void order(enum algebra_op op, struct source **by, int n) {
    if (op == UNION || n < 2) return;
    bool down = op == DIFF;
    if (n <= 2 * ON_STACK) arrange(by + down, n - down, down);
    else qsort(by + down, (size_t)(n - down), sizeof *by, down ? by_count_down : by_count);
}

/* Opens the keys from `first` on; false: replied, or to be run again. Leaves out what changes nothing; *n 0: the result is empty. */
static bool open_all(struct call *c, enum algebra_op op, int first, struct source *space, struct source **by, int *n) {
    int all = c->keys - first, kept = 0;
    bool empty = false;
    for (int i = 0; i < all; i++) {
        struct source *s = &space[i];
        if (!collection_read(c, first + i, VALUE_SET, &s->h)) return false;
        s->count = set_count(&s->h.home);
        if (s->count) by[kept++] = s;
        else if (op == INTER || (op == DIFF && !i)) empty = true;
    }
    *n = empty ? 0 : kept;
    order(op, by, *n);
    return true;
}

static size_t effort_of(enum algebra_op op, struct source **by, int n) {
    size_t sum = 0;
    if (op != UNION) return n ? sets_effort(&by[0]->h.home) * (size_t)n : 0;
    for (int i = 0; i < n; i++) sum += sets_effort(&by[i]->h.home);
    return sum;
}

/* What the result takes at most, before it takes its place. */
static size_t room_of(enum algebra_op op, struct source **by, int n) {
    enum { NUMBER_AS_MEMBER = 16, MEMBER = 64, TABLE = 16384 };
    size_t sum = TABLE;
    for (int i = 0; i < (op == UNION ? n : n > 0); i++) {
        const struct home *h = &by[i]->h.home;
        sum += (h->object ? set_ops()->memory(h->object) : h->n * NUMBER_AS_MEMBER) + (h->object ? 0 : by[i]->count * MEMBER);
    }
    return sum;
}

static void combine_opened(struct call *c, struct algebra *a, struct source **by) {
    const struct home *near[ON_STACK], **set = near;
    const struct holder *holders_near[ON_STACK], **holders = holders_near;
    size_t n = (size_t)a->n;
    if (a->use == STORE_ && !call_room(c, room_of(a->op, by, a->n))) return;
    if (n > ON_STACK) {
        set = mem_alloc(MEM_CLIENT, n * sizeof *set);
        holders = mem_alloc(MEM_CLIENT, n * sizeof *holders);
    }
    for (size_t i = 0; i < n; i++) {
        holders[i] = &by[i]->h;
        set[i] = &by[i]->h.home;
    }
    a->set = set;
    algebra_begin(a, &call_env(c)->store_config.limits, store_seed(c->v.store));
    if (effort_of(a->op, by, a->n) <= 2 * SETS_AT_ONCE) combine_now(c, a);
    else combine_later(c, a, holders);
    if (n <= ON_STACK) return;
    mem_free(MEM_CLIENT, set);
    mem_free(MEM_CLIENT, holders);
}

static void combine(struct call *c, enum algebra_op op, enum algebra_use use, size_t limit) {
    struct source near[ON_STACK], *space = near, *by_near[ON_STACK], **by = by_near;
    struct algebra a = {.op = op, .use = use, .limit = limit, .aside = use != STORE_};
    int first = use == STORE_;
    size_t n = (size_t)(c->keys - first);
    if (n > ON_STACK) {
        space = mem_alloc(MEM_CLIENT, n * sizeof *space);
        by = mem_alloc(MEM_CLIENT, n * sizeof *by);
    }
    if (open_all(c, op, first, space, by, &a.n)) combine_opened(c, &a, by);
    if (n <= ON_STACK) return;
    mem_free(MEM_CLIENT, space);
    mem_free(MEM_CLIENT, by);
}

void sets_sinter(struct call *c) { combine(c, INTER, SHOW, 0); }
void sets_sinterstore(struct call *c) { combine(c, INTER, STORE_, 0); }
void sets_sunion(struct call *c) { combine(c, UNION, SHOW, 0); }
void sets_sunionstore(struct call *c) { combine(c, UNION, STORE_, 0); }
void sets_sdiff(struct call *c) { combine(c, DIFF, SHOW, 0); }
void sets_sdiffstore(struct call *c) { combine(c, DIFF, STORE_, 0); }

void sets_sintercard(struct call *c) {
    int64_t keys, limit = 0;
    if (!call_range(c, 1, 1, INT64_MAX, &keys, "ERR numkeys should be greater than 0")) return;
    if (keys > c->argc - 2) {
        reply_error(c, "ERR Number of keys can't be greater than number of args");
        return;
    }
    for (int i = 2 + (int)keys; i < c->argc; i += 2) {
        if (i + 1 >= c->argc || !call_is(c, i, "LIMIT")) {
            reply_syntax(c);
            return;
        }
        if (!call_range(c, i + 1, 0, INT64_MAX, &limit, "ERR LIMIT can't be negative")) return;
    }
    combine(c, INTER, COUNT, (size_t)limit);
}
