/* SORT and SORT_RO: their words. What they ask for is done in sort_run.c. */
#include "command/sort.h"

/* -- words ----------------------------------------------------------------------------------------------------------------- */

static const char *star(struct slice s) { return s.n ? memchr(s.p, '*', s.n) : NULL; }

static struct slice between(const char *from, const char *to) { return (struct slice){from, (size_t)(to - from)}; }

/* "weight_*", "object_*->field": the first "->" behind the star tells the field, unless it is the end. */
static struct sort_pattern read_pattern(struct slice text) {
    struct sort_pattern p = {.source = SORT_NOTHING};
    const char *at = star(text), *end = text.p + text.n;
    if (slice_equal(text, SLICE("#"))) p.source = SORT_SELF;
    if (!at) return p;
    p.source = SORT_STRING;
    p.head = between(text.p, at);
    p.tail = between(at + 1, end);
    for (const char *arrow = at + 1; end - arrow >= 2; arrow++) {
        if (arrow[0] != '-' || arrow[1] != '>') continue;
        if (end - arrow == 2) break;
        p.source = SORT_FIELD;
        p.tail = between(at + 1, arrow);
        p.field = between(arrow + 2, end);
        break;
    }
    return p;
}

/* False after an error was replied. */
static bool read_words(struct call *c, struct sort *s, bool readonly) {
    s->limit = -1;
    for (int i = 2; i < c->argc; i++) {
        int left = c->argc - i - 1;
        if (call_is(c, i, "ASC")) {
            s->descending = false;
        } else if (call_is(c, i, "DESC")) {
            s->descending = true;
        } else if (call_is(c, i, "ALPHA")) {
            s->alpha = true;
        } else if (left >= 2 && call_is(c, i, "LIMIT")) {
            if (!call_i64(c, i + 1, &s->skip) || !call_i64(c, i + 2, &s->limit)) return false;
            i += 2;
        } else if (left >= 1 && !readonly && call_is(c, i, "STORE")) {
            s->store = true;
            s->dest = c->argv[++i];
        } else if (left >= 1 && call_is(c, i, "BY")) {
            s->by = true;
            s->weight = read_pattern(c->argv[++i]);
            if (!star(c->argv[i])) s->unsorted = true; /* and it stays so, even if another BY follows */
        } else if (left >= 1 && call_is(c, i, "GET")) {
            s->get[s->gets++] = read_pattern(c->argv[++i]);
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* -- the command ----------------------------------------------------------------------------------------------------------- */

static void sort(struct call *c, bool readonly) {
    struct sort *s = work_new(c, sizeof *s + (size_t)c->argc * sizeof *s->get, sort_on, sort_drop);
    if (read_words(c, s, readonly)) {
        s->work.makes = s->store;
        struct entry *e = call_read(c, 0);
        enum value_type t = e ? entry_type(e) : VALUE_LIST;
        if (t == VALUE_LIST || t == VALUE_SET || t == VALUE_ZSET) {
            struct holder h;
            holder_look(&h, c->v.store, e, t);
            sort_start(c, s, e ? &h : NULL);
            return;
        }
        reply_wrong_type(c);
    }
    s->work.task.drop(&s->work.task);
}

static void run_sort(struct call *c) { sort(c, false); }
static void run_sort_ro(struct call *c) { sort(c, true); }

/* Patterns name keys of any shard. */
static bool has_pattern(const struct slice *argv, int argc) {
    for (int i = 3; i < argc; i++)
        if (star(argv[i])) return true;
    return false;
}

/* The collection and, as Redis finds it whatever else is wrong, the last word behind a STORE that is no argument itself. */
static int find_keys(const struct slice *argv, int argc, int *at, int max) {
    int dest = 0;
    for (int i = 2; i + 1 < argc; i++) {
        if (slice_is(argv[i], "LIMIT")) i += 2;
        else if (slice_is(argv[i], "BY") || slice_is(argv[i], "GET")) i++;
        else if (slice_is(argv[i], "STORE")) dest = i + 1;
    }
    if (max > 0) at[0] = 1;
    if (dest && max > 1) at[1] = dest;
    return dest ? 2 : 1;
}

static unsigned key_flags(const struct slice *argv, int argc, int at) {
    (void)argv;
    (void)argc;
    return at == 1 ? K_RO | K_ACCESS : K_OW | K_UPDATE;
}

/* -- rows -------------------------------------------------------------------------------------------------------------------- */

#define COST                                                                                                                       \
    "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When "     \
    "the elements are not sorted, complexity is O(N)."
#define WORDS "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA]"
#define KEY {KEYS_RANGE, 1, 0, 1, K_RO | K_ACCESS}
#define PATTERNS {KEYS_UNKNOWN, 0, 0, 0, K_RO | K_ACCESS}

static const struct command rows[] = {
    {.name = "SORT",
        .arity = -2,
        .flags = C_WRITE | C_DENYOOM | C_MOVABLEKEYS | C_ALL_LOCKS,
        .categories = A_SET | A_SORTEDSET | A_LIST | A_DANGEROUS,
        .keys = {KEY, PATTERNS, {KEYS_UNKNOWN, 0, 0, 0, K_OW | K_UPDATE}},
        .keywords = {NULL, "BY GET", "STORE"},
        .run = run_sort,
        .find_keys = find_keys,
        .key_flags = key_flags,
        .needs_all = has_pattern,
        .group = "generic",
        .since = "1.0.0",
        .complexity = COST,
        .summary = "Sorts a list, a set or a sorted set, by its elements or by other keys, and returns or stores the result.",
        .syntax = WORDS " [STORE destination]"},
    {.name = "SORT_RO",
        .arity = -2,
        .flags = C_READONLY | C_MOVABLEKEYS | C_ALL_LOCKS,
        .categories = A_SET | A_SORTEDSET | A_LIST | A_DANGEROUS,
        .keys = {KEY, PATTERNS},
        .keywords = {NULL, "BY GET"},
        .run = run_sort_ro,
        .needs_all = has_pattern,
        .group = "generic",
        .since = "7.0.0",
        .complexity = COST,
        .summary = "Sorts a list, a set or a sorted set, by its elements or by other keys, and returns the result.",
        .syntax = WORDS},
    {.name = NULL},
};

const struct command *command_rows_sort(void) { return rows; }
