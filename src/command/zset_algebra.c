/* Unions, intersections and differences of zsets; sets may be among them, each member's score is then 1.
 *
 * All of them are one work in two parts, each done in slices: the result is made as a zset outside of any key, from inputs that
 * are held or copied; then it is replied, or put at its key. Counting an intersection makes nothing.
 */
#include "command/work.h"

#include "type/set.h"
#include "type/zset.h"

#include <math.h>
#include <stdlib.h>

#define LOOK_EVERY 16 /* members between two looks at the clock */

enum operation { UNION, INTERSECTION, DIFFERENCE, COUNTING };
enum aggregate { SUM, LEAST, MOST };

struct input {
    const struct home *home;
    enum value_type type; /* VALUE_ZSET or VALUE_SET */
    size_t count;
    double weight;
    unsigned number;      /* in the request */
};

enum part { MAKE, ANSWER, NOTHING };

struct algebra {
    struct work work;
    enum operation op;
    enum aggregate how;
    enum part part;
    bool scores, store;
    struct slice target;   /* where to store */
    uint64_t limit, found; /* COUNTING; limit 0: none */
    unsigned inputs, at;   /* at: the input that is walked */
    bool walking;
    union {
        struct zset_at zset;
        struct set_at set;
    } walk;
    unsigned steps;
    struct home made;
    bool minus_zero;           /* a score in it is -0, or was */
    struct type_limits limits; /* its own, of a result that is only replied */
    struct zset_at shown;
    struct input input[];
};

/* -- inputs --------------------------------------------------------------------------------------------------------------- */

static void input_begin(struct algebra *a, const struct input *in) {
    a->walking = true;
    if (in->type == VALUE_ZSET) zset_seek(&a->walk.zset, in->home, 0, false);
    else a->walk.set = (struct set_at){0};
}

static bool input_next(struct algebra *a, const struct input *in, struct slice *member, double *score) {
    *score = 1;
    if (!in->count) return false;
    return in->type == VALUE_ZSET ? zset_next(&a->walk.zset, member, score) : set_next(in->home, &a->walk.set, member);
}

static bool input_find(const struct input *in, struct slice member, double *score) {
    *score = 1;
    return in->type == VALUE_ZSET ? zset_score(in->home, member, score) : set_has(in->home, member);
}

static int smaller_first(const void *p, const void *q) {
    const struct input *a = p, *b = q;
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

/* -- making --------------------------------------------------------------------------------------------------------------- */

static double number_or_zero(double v) { return isnan(v) ? 0 : v; }

/* Infinities that cancel each other out make 0, as does one that is weighed with 0. */
static double together(enum aggregate how, double a, double b) {
    switch (how) {
    case LEAST:
        return b < a ? b : a;
    case MOST:
        return b > a ? b : a;
    case SUM:
        break;
    }
    return number_or_zero(a + b);
}

/* What is made is a skiplist in Redis, however small, and there 0 may have a sign; what is stored may lose it in the end. */
static void put_made(struct algebra *a, struct slice member, double score) {
    a->minus_zero |= score == 0 && signbit(score);
    zset_add(&a->made, member, &score, ZSET_SIGNED);
}

static void unite(struct algebra *a, const struct input *in, struct slice member, double score) {
    double was, now = number_or_zero(score * in->weight);
    if (a->at && zset_score(&a->made, member, &was)) {
        now = together(a->how, was, now);
        if (now == was && signbit(now) == signbit(was)) return;
        if (now == 0) zset_remove(&a->made, member); /* else it might keep its sign */
    }
    put_made(a, member, now);
}

/* What is in the first is compared with the others. */
static void intersect(struct algebra *a, const struct input *in, struct slice member, double score) {
    double sum = number_or_zero(score * in->weight), other;
    for (unsigned i = 1; i < a->inputs; i++) {
        if (!input_find(&a->input[i], member, &other)) return;
        sum = together(a->how, sum, other * a->input[i].weight);
    }
    a->found++;
    if (a->op == INTERSECTION) put_made(a, member, sum);
}

static void subtract(struct algebra *a, struct slice member, double score) {
    double other;
    for (unsigned i = 1; i < a->inputs; i++)
        if (input_find(&a->input[i], member, &other)) return;
    put_made(a, member, score);
}

/* The next member of the input that is walked; false at its end. */
static bool make_step(struct algebra *a) {
    const struct input *in = &a->input[a->at];
    struct slice member;
    double score;
    if (!a->walking) input_begin(a, in);
    if (a->limit && a->found == a->limit) return false;
    if (!input_next(a, in, &member, &score)) return false;
    switch (a->op) {
    case UNION:
        unite(a, in, member, score);
        break;
    case INTERSECTION:
    case COUNTING:
        intersect(a, in, member, score);
        break;
    case DIFFERENCE:
        subtract(a, member, score);
        break;
    }
    return true;
}

/* A difference with many others may look long for one member. */
static bool time_to_look(struct algebra *a) {
    unsigned each = a->op == UNION ? 1 : a->inputs;
    a->steps += each;
    if (a->steps < LOOK_EVERY) return false;
    a->steps = 0;
    return true;
}

static bool make(struct algebra *a) {
    unsigned walks = a->op == UNION ? a->inputs : 1;
    while (a->at < walks) {
        if (!make_step(a)) {
            a->walking = false;
            a->at++;
        }
        if (time_to_look(a) && a->at < walks && work_over(&a->work)) return false;
    }
    return true;
}

/* -- answering ------------------------------------------------------------------------------------------------------------ */

static void show_begin(struct algebra *a, struct resp_writer *w) {
    size_t n = zset_count(&a->made);
    resp_array(w, a->scores && w->proto == 2 ? 2 * n : n);
    zset_seek(&a->shown, &a->made, 0, false);
}

static bool show(struct algebra *a, struct resp_writer *w) {
    struct slice member;
    double score;
    for (unsigned i = 1; zset_next(&a->shown, &member, &score); i++) {
        if (a->scores && w->proto > 2) resp_array(w, 2);
        resp_bulk(w, member.p, member.n);
        if (a->scores) resp_double(w, score);
        if (i % LOOK_EVERY == 0 && work_over(&a->work)) return false;
    }
    return true;
}

static void answer_begin(struct algebra *a, struct session *s) {
    static const char *const events[] = {[UNION] = "zunionstore", [INTERSECTION] = "zinterstore", [DIFFERENCE] = "zdiffstore"};
    if (a->op == COUNTING) {
        resp_int(&s->writer, (int64_t)a->found);
    } else if (a->store) {
        if (a->minus_zero) zset_settle(&a->made);
        size_t n = work_put(&a->work, s, a->target, VALUE_ZSET, &a->made, events[a->op]);
        a->made.object = NULL;
        resp_int(&s->writer, (int64_t)n);
    } else if (zset_count(&a->made)) {
        show_begin(a, &s->writer);
        return;
    } else {
        resp_array(&s->writer, 0);
    }
    a->part = NOTHING;
}

static bool algebra_on(struct work *w, struct session *s) {
    struct algebra *a = (struct algebra *)w;
    if (a->part == MAKE) {
        if (!make(a)) return false;
        a->part = ANSWER;
        answer_begin(a, s);
    }
    return a->part == NOTHING || show(a, &s->writer);
}

static void algebra_drop(struct work *w) {
    struct algebra *a = (struct algebra *)w;
    bool was = mem_aside(w->aside);
    home_free_bytes(&a->made);
    if (a->made.object) holder_release(w->store, VALUE_ZSET, a->made.object);
    mem_aside(was);
}

/* -- words ---------------------------------------------------------------------------------------------------------------- */

static bool read_weights(struct call *c, int arg, struct algebra *a) {
    for (unsigned i = 0; i < a->inputs; i++) {
        if (num_double(c->argv[arg + (int)i], &a->input[i].weight)) continue;
        reply_error(c, "ERR weight value is not a float");
        return false;
    }
    return true;
}

static bool read_aggregate(struct call *c, int arg, struct algebra *a) {
    if (call_is(c, arg, "SUM")) a->how = SUM;
    else if (call_is(c, arg, "MIN")) a->how = LEAST;
    else if (call_is(c, arg, "MAX")) a->how = MOST;
    else {
        reply_syntax(c);
        return false;
    }
    return true;
}

static bool read_limit(struct call *c, int arg, struct algebra *a) {
    int64_t limit;
    if (!call_range(c, arg, 0, INT64_MAX, &limit, "ERR LIMIT can't be negative")) return false;
    a->limit = (uint64_t)limit;
    return true;
}

static bool read_words(struct call *c, int arg, struct algebra *a) {
    bool weighs = a->op == UNION || a->op == INTERSECTION;
    while (arg < c->argc) {
        int behind = c->argc - arg - 1;
        if (weighs && behind >= (int)a->inputs && call_is(c, arg, "WEIGHTS")) {
            if (!read_weights(c, arg + 1, a)) return false;
            arg += 1 + (int)a->inputs;
        } else if (weighs && behind >= 1 && call_is(c, arg, "AGGREGATE")) {
            if (!read_aggregate(c, arg + 1, a)) return false;
            arg += 2;
        } else if (a->op == COUNTING && behind >= 1 && call_is(c, arg, "LIMIT")) {
            if (!read_limit(c, arg + 1, a)) return false;
            arg += 2;
        } else if (a->op != COUNTING && !a->store && call_is(c, arg, "WITHSCORES")) {
            a->scores = true;
            arg++;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* How many keys are named at `arg`; 0 after an error was replied. */
static unsigned read_numkeys(struct call *c, int arg) {
    int64_t n;
    if (!call_i64(c, arg, &n)) return 0;
    if (n < 1) {
        char name[64];
        size_t length = command_fullname(c->cmd, name, sizeof name);
        reply_errorf(c, "ERR at least 1 input key is needed for '%.*s' command", (int)length, name);
        return 0;
    }
    if (n <= c->argc - arg - 1) return (unsigned)n;
    reply_syntax(c);
    return 0;
}

/* Keeps the inputs; false after WRONGTYPE was replied. */
static bool keep_inputs(struct call *c, struct algebra *a) {
    for (unsigned i = 0; i < a->inputs; i++) {
        struct holder h;
        struct entry *e = call_read(c, (int)i + a->store);
        enum value_type t = e ? entry_type(e) : VALUE_ZSET;
        if (t != VALUE_ZSET && t != VALUE_SET) {
            reply_wrong_type(c);
            return false;
        }
        holder_look(&h, c->v.store, e, t);
        if (!i) home_init_own(&a->made, a->store ? h.home.limits : &a->limits, h.home.seed);
        a->input[i] = (struct input){work_keep(&a->work, &h), t, e ? value_ops(t)->count(&h.home) : 0, 1, i};
    }
    return true;
}

static void algebra(struct call *c, enum operation op, bool store) {
    int numkeys = store ? 2 : 1;
    unsigned n = read_numkeys(c, numkeys);
    if (!n) return;
    size_t target = store ? c->argv[1].n : 0, size = sizeof(struct algebra) + n * sizeof(struct input);
    struct algebra *a = work_new(c, size + target, algebra_on, algebra_drop);
    a->op = op;
    a->store = a->work.makes = store;
    a->work.aside = !store;
    a->inputs = n;
    a->limits.zset_entries = a->limits.zset_value = INT64_MAX;
    if (store) a->target = (struct slice){memcpy((char *)a + size, c->argv[1].p, target), target};
    if (!keep_inputs(c, a) || !read_words(c, numkeys + 1 + (int)n, a)) a->part = NOTHING; /* an error was replied */
    else if (op != DIFFERENCE) qsort(a->input, n, sizeof *a->input, smaller_first);
    work_start(c, &a->work);
}

static void run_zunion(struct call *c) { algebra(c, UNION, false); }
static void run_zinter(struct call *c) { algebra(c, INTERSECTION, false); }
static void run_zdiff(struct call *c) { algebra(c, DIFFERENCE, false); }
static void run_zintercard(struct call *c) { algebra(c, COUNTING, false); }
static void run_zunionstore(struct call *c) { algebra(c, UNION, true); }
static void run_zinterstore(struct call *c) { algebra(c, INTERSECTION, true); }
static void run_zdiffstore(struct call *c) { algebra(c, DIFFERENCE, true); }

/* -- rows ----------------------------------------------------------------------------------------------------------------- */

#define KEYS {{KEYS_NUMKEYS, 1, 0, 1, K_RO | K_ACCESS}}
#define TARGET_AND_KEYS {{KEYS_RANGE, 1, 0, 1, K_OW | K_UPDATE}, {KEYS_NUMKEYS, 2, 0, 1, K_RO | K_ACCESS}}
#define READS (C_READONLY | C_MOVABLEKEYS)
#define STORES (C_WRITE | C_DENYOOM | C_MOVABLEKEYS)
#define WORDS "numkeys key [key ...]"
#define WEIGHING " [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]"
#define UNION_COST "O(N)+O(M*log(M)), N being the members of all the inputs together and M those of the result."
#define INTER_COST                                                                                                           \
    "O(N*K)+O(M*log(M)) at worst, N being the members of the smallest input, K the number of inputs and M the members of "   \
    "the result."
#define DIFF_COST "O(N*K)+O(M*log(M)) at worst, N being the members of the first input, K the number of inputs, M the result's."

static const struct command rows[] = {
    {.name = "ZDIFF", .arity = -3, .flags = READS, .categories = A_SORTEDSET, .keys = KEYS, .run = run_zdiff,
        .group = "sorted-set", .since = "6.2.0", .complexity = DIFF_COST,
        .summary = "Gives what is in the first zset and in none of the others.", .syntax = WORDS " [WITHSCORES]"},
    {.name = "ZDIFFSTORE", .arity = -4, .flags = STORES, .categories = A_SORTEDSET, .keys = TARGET_AND_KEYS,
        .run = run_zdiffstore, .group = "sorted-set", .since = "6.2.0", .complexity = DIFF_COST,
        .summary = "Stores what is in the first zset and in none of the others.", .syntax = "destination " WORDS},
    {.name = "ZINTER", .arity = -3, .flags = READS, .categories = A_SORTEDSET, .keys = KEYS, .run = run_zinter,
        .group = "sorted-set", .since = "6.2.0", .complexity = INTER_COST, .summary = "Gives what is in all of the zsets.",
        .syntax = WORDS WEIGHING " [WITHSCORES]"},
    {.name = "ZINTERCARD", .arity = -3, .flags = READS, .categories = A_SORTEDSET, .keys = KEYS, .run = run_zintercard,
        .group = "sorted-set", .since = "7.0.0",
        .complexity = "O(N*K) at worst, N being the members of the smallest input and K the number of inputs.",
        .summary = "Counts what is in all of the zsets.", .syntax = WORDS " [LIMIT limit]"},
    {.name = "ZINTERSTORE", .arity = -4, .flags = STORES, .categories = A_SORTEDSET, .keys = TARGET_AND_KEYS,
        .run = run_zinterstore, .group = "sorted-set", .since = "2.0.0", .complexity = INTER_COST,
        .summary = "Stores what is in all of the zsets.", .syntax = "destination " WORDS WEIGHING},
    {.name = "ZUNION", .arity = -3, .flags = READS, .categories = A_SORTEDSET, .keys = KEYS, .run = run_zunion,
        .group = "sorted-set", .since = "6.2.0", .complexity = UNION_COST, .summary = "Gives what is in any of the zsets.",
        .syntax = WORDS WEIGHING " [WITHSCORES]"},
    {.name = "ZUNIONSTORE", .arity = -4, .flags = STORES, .categories = A_SORTEDSET, .keys = TARGET_AND_KEYS,
        .run = run_zunionstore, .group = "sorted-set", .since = "2.0.0", .complexity = UNION_COST,
        .summary = "Stores what is in any of the zsets.", .syntax = "destination " WORDS WEIGHING},
    {.name = NULL},
};

const struct command *command_rows_zset_algebra(void) { return rows; }
