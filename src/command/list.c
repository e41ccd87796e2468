/* Lists: pushing, popping, moving, reading. What searches is in list_search.c, what waits in blocking.c. */
#include "command/command.h"
#include "command/lists.h"
#include "command/work.h"

#define AT_ONCE 512          /* elements that are replied at once */
#define AT_ONCE_BYTES 131072 /* and how long they may be together, on the average */
#define NOT_POSITIVE "ERR value is out of range, must be positive"

/* Would replying n of its elements hold up others? */
static bool is_much(const struct home *h, uint64_t n) {
    return n > AT_ONCE || (n > 16 && list_bytes(h) / list_count(h) * n > AT_ONCE_BYTES);
}

/* -- replies in slices --------------------------------------------------------------------------------------- */

/* A part of a list that is held, or elements that were cut off one. */
struct show {
    struct work work;
    struct home home;
    void *object; /* the cut off; NULL: the list is held */
    struct list_at at;
    bool begun, backwards;
    int64_t first;
    uint64_t left;
};

static bool show_on(struct work *w, struct session *s) {
    struct show *show = (struct show *)w;
    struct list_at *at = &show->at;
    if (!show->begun) {
        resp_array(&s->writer, show->left);
        show->begun = list_seek(&show->home, at, show->first);
    }
    for (unsigned i = 1;; i++) {
        resp_bulk(&s->writer, at->text.p, at->text.n);
        bool big = at->text.n > 4096;
        if (!--show->left) return true;
        if (show->backwards) list_prev(&show->home, at);
        else list_next(&show->home, at);
        if ((big || i % 64 == 0) && work_over(w)) return false;
    }
}

static void show_drop(struct work *w) {
    struct show *show = (struct show *)w;
    if (show->begun) list_leave(&show->at);
    if (show->object) holder_release(w->store, VALUE_LIST, show->object);
}

/* -- pushing ------------------------------------------------------------------------------------------------- */

static void push(struct call *c, enum list_end end, bool only_there) {
    struct holder h;
    size_t bytes = 0, n = (size_t)c->argc - 2;
    if (!collection_write(c, 0, VALUE_LIST, &h)) return;
    if (only_there && !h.entry) {
        RESP_RAW(c->w, ":0\r\n");
        return;
    }
    for (size_t i = 0; i < n; i++) bytes += c->argv[2 + i].n;
    if (__builtin_expect(!collection_room(c, &h, bytes, n), 0)) return;
    list_growing(&h.home, bytes, n);
    for (size_t i = 0; i < n; i++) list_push(&h.home, end, c->argv[2 + i]);
    resp_int(c->w, (int64_t)list_count(&h.home));
    h.changes = n;
    collection_done(&h, lists_pushed(end));
}
static void run_lpush(struct call *c) { push(c, LIST_HEAD, false); }
static void run_rpush(struct call *c) { push(c, LIST_TAIL, false); }
static void run_lpushx(struct call *c) { push(c, LIST_HEAD, true); }
static void run_rpushx(struct call *c) { push(c, LIST_TAIL, true); }

/* -- popping ------------------------------------------------------------------------------------------------- */

void lists_pop(struct resp_writer *w, struct home *h, enum list_end end) {
    char digits[NUM_I64_MAX];
    struct slice text = list_peek(h, end, digits);
    resp_bulk(w, text.p, text.n);
    list_drop(h, end);
    list_shrunk(h);
}

void lists_pop_many(struct resp_writer *w, struct home *h, enum list_end end, size_t n) {
    char digits[NUM_I64_MAX];
    resp_array(w, n);
    for (; n; n--) {
        struct slice text = list_peek(h, end, digits);
        resp_bulk(w, text.p, text.n);
        list_drop(h, end);
    }
    list_shrunk(h);
}

void lists_pop_closing(struct call *c, struct holder *h, enum list_end end, uint64_t n) {
    uint64_t count = list_count(&h->home);
    if (n > count) n = count;
    h->changes = n;
    if (!is_much(&h->home, n) || n <= LIST_CUT_MUCH) {
        lists_pop_many(c->w, &h->home, end, n);
        collection_done(h, lists_popped(end));
        return;
    }
    struct show *show = work_new(c, sizeof *show, show_on, show_drop);
    show->object = list_cut(&h->home, end == LIST_HEAD ? 0 : count - n, n);
    show->home = (struct home){.object = show->object, .form = VALUE_OBJECT, .limits = h->home.limits};
    show->backwards = end == LIST_TAIL;
    show->first = end == LIST_TAIL ? -1 : 0;
    show->left = n;
    list_shrunk(&h->home);
    collection_done(h, lists_popped(end));
    work_start(c, &show->work);
}

static void pop(struct call *c, enum list_end end) {
    struct holder h;
    int64_t n = -1;
    if (c->argc > 3) {
        reply_arity(c);
        return;
    }
    if (c->argc == 3 && !call_range(c, 2, 0, INT64_MAX, &n, NOT_POSITIVE)) return;
    if (!collection_write(c, 0, VALUE_LIST, &h)) return;
    if (!h.entry) {
        if (n < 0) resp_null(c->w);
        else resp_null_array(c->w);
    } else if (n < 0) {
        lists_pop(c->w, &h.home, end);
        collection_done(&h, lists_popped(end));
    } else if (!n) {
        resp_array(c->w, 0);
    } else {
        lists_pop_closing(c, &h, end, (uint64_t)n);
    }
}
static void run_lpop(struct call *c) { pop(c, LIST_HEAD); }
static void run_rpop(struct call *c) { pop(c, LIST_TAIL); }

bool lists_end(struct call *c, int arg, enum list_end *end) {
    if (call_is(c, arg, "LEFT")) {
        *end = LIST_HEAD;
    } else if (call_is(c, arg, "RIGHT")) {
        *end = LIST_TAIL;
    } else {
        reply_syntax(c);
        return false;
    }
    return true;
}

bool lists_mpop_words(struct call *c, int arg, struct lists_mpop *m) {
    int64_t keys;
    bool counted = false;
    if (!call_range(c, arg, 1, INT64_MAX, &keys, "ERR numkeys should be greater than 0")) return false;
    if (keys >= c->argc - arg - 1) {
        reply_syntax(c);
        return false;
    }
    arg += (int)keys + 1;
    if (!lists_end(c, arg, &m->end)) return false;
    for (m->count = 1; ++arg < c->argc; counted = true) {
        if (counted || arg + 1 >= c->argc || !call_is(c, arg, "COUNT")) {
            reply_syntax(c);
            return false;
        }
        if (!call_range(c, ++arg, 1, INT64_MAX, &m->count, "ERR count should be greater than 0")) return false;
    }
    return true;
}

static void run_lmpop(struct call *c) {
    struct lists_mpop m;
    struct holder h;
    if (!lists_mpop_words(c, 1, &m)) return;
    for (int i = 0; i < c->keys; i++) {
        if (!collection_write(c, i, VALUE_LIST, &h)) return;
        if (!h.entry) continue;
        resp_array(c->w, 2);
        resp_bulk(c->w, c->key[i].p, c->key[i].n);
        lists_pop_closing(c, &h, m.end, (uint64_t)m.count);
        return;
    }
    resp_null_array(c->w);
}

/* -- moving -------------------------------------------------------------------------------------------------- */

size_t lists_end_size(struct home *h, enum list_end end) {
    char digits[NUM_I64_MAX];
    return list_peek(h, end, digits).n;
}

void lists_move(struct resp_writer *w, struct home *from, enum list_end from_end, struct home *to, enum list_end to_end) {
    char digits[NUM_I64_MAX], space[512], *copy = NULL;
    struct slice text = list_peek(from, from_end, digits);
    resp_bulk(w, text.p, text.n);
    if (from == to) { /* the element's own place may be written over */
        copy = text.n <= sizeof space ? space : mem_alloc(MEM_CLIENT, text.n);
        text.p = memcpy(copy, text.p, text.n);
        list_drop(from, from_end);
    }
    list_growing(to, text.n, 1);
    list_push(to, to_end, text);
    if (from != to) list_drop(from, from_end);
    list_shrunk(from);
    if (copy && copy != space) mem_free(MEM_CLIENT, copy);
}

void lists_moved(struct holder *from, enum list_end from_end, struct holder *to, enum list_end to_end) {
    if (to) to->changes = 0; /* it is one with the other */
    if (to) collection_done(to, lists_pushed(to_end));
    else notify_event(from->view, EVENT_LIST, lists_pushed(to_end), from->key);
    collection_done(from, lists_popped(from_end));
}

static void move(struct call *c, enum list_end from_end, enum list_end to_end) {
    struct holder from, to;
    if (!collection_write(c, 0, VALUE_LIST, &from)) return;
    if (!from.entry) {
        resp_null(c->w);
        return;
    }
    bool same = slice_equal(c->argv[1], c->argv[2]);
    if (!same && !collection_write(c, 1, VALUE_LIST, &to)) return;
    struct holder *target = same ? &from : &to;
    if (!collection_room(c, target, lists_end_size(&from.home, from_end), 1)) return;
    lists_move(c->w, &from.home, from_end, &target->home, to_end);
    lists_moved(&from, from_end, same ? NULL : &to, to_end);
}

static void run_lmove(struct call *c) {
    enum list_end from, to;
    if (!lists_end(c, 3, &from) || !lists_end(c, 4, &to)) return;
    move(c, from, to);
}
static void run_rpoplpush(struct call *c) { move(c, LIST_TAIL, LIST_HEAD); }

/* -- reading ------------------------------------------------------------------------------------------------- */

static void run_llen(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_LIST, &h)) return;
    resp_int(c->w, (int64_t)list_count(&h.home));
}

static void run_lindex(struct call *c) {
    struct holder h;
    struct list_at at;
    int64_t rank;
    if (!collection_read(c, 0, VALUE_LIST, &h)) return;
    if (!h.entry) {
        resp_null(c->w);
        return;
    }
    if (!call_i64(c, 2, &rank)) return;
    if (!list_seek(&h.home, &at, rank)) {
        resp_null(c->w);
        return;
    }
    resp_bulk(c->w, at.text.p, at.text.n);
    list_leave(&at);
}

/* From start and stop as a client gives them to a first element and how many; false: none. */
static bool part_of(uint64_t count, int64_t start, int64_t stop, uint64_t *first, uint64_t *n) {
    int64_t have = (int64_t)count;
    if (start < 0) start = start + have < 0 ? 0 : start + have;
    if (stop < 0) stop += have;
    if (stop >= have) stop = have - 1;
    if (start > stop || start >= have) return false;
    *first = (uint64_t)start;
    *n = (uint64_t)(stop - start) + 1;
    return true;
}

static void run_lrange(struct call *c) {
    struct holder h;
    struct list_at at;
    int64_t start, stop;
    uint64_t first, n;
    if (!call_i64(c, 2, &start) || !call_i64(c, 3, &stop)) return;
    if (!collection_read(c, 0, VALUE_LIST, &h)) return;
    if (!part_of(list_count(&h.home), start, stop, &first, &n)) {
        resp_array(c->w, 0);
        return;
    }
    if (is_much(&h.home, n)) {
        struct show *show = work_new(c, sizeof *show, show_on, show_drop);
        show->home = *work_keep(&show->work, &h);
        show->first = (int64_t)first;
        show->left = n;
        work_start(c, &show->work);
        return;
    }
    resp_array(c->w, n);
    list_seek(&h.home, &at, (int64_t)first);
    for (;;) {
        resp_bulk(c->w, at.text.p, at.text.n);
        if (!--n) break;
        list_next(&h.home, &at);
    }
    list_leave(&at);
}

/* -- changing ------------------------------------------------------------------------------------------------ */

static void run_lset(struct call *c) {
    struct holder h;
    int64_t rank;
    if (!collection_write(c, 0, VALUE_LIST, &h)) return;
    if (!h.entry) {
        reply_error(c, "ERR no such key");
        return;
    }
    if (!call_i64(c, 2, &rank)) return;
    if (!collection_room(c, &h, c->argv[3].n, 1)) return;
    int64_t count = (int64_t)list_count(&h.home);
    list_growing(&h.home, c->argv[3].n, 1); /* Redis does so before it looks for the element, too */
    if (rank < -count || rank >= count) {
        reply_error(c, "ERR index out of range");
        h.same = true;
    } else {
        list_set(&h.home, (uint64_t)(rank < 0 ? rank + count : rank), c->argv[3]);
        list_shrunk(&h.home);
        resp_ok(c->w);
    }
    if (h.same) collection_close(c, &h);
    else collection_done(&h, "lset");
}

static void cut(struct call *c, struct holder *h, uint64_t first, uint64_t n) {
    void *went = list_cut(&h->home, first, n);
    if (went) holder_release(c->v.store, VALUE_LIST, went);
}

static void run_ltrim(struct call *c) {
    struct holder h;
    int64_t start, stop;
    uint64_t first, n;
    if (!call_i64(c, 2, &start) || !call_i64(c, 3, &stop)) return;
    if (!collection_write(c, 0, VALUE_LIST, &h)) return;
    resp_ok(c->w);
    if (!h.entry) return;
    uint64_t count = list_count(&h.home);
    if (!part_of(count, start, stop, &first, &n)) {
        view_unlink(&c->v, &c->key[0]);
        call_event(c, EVENT_LIST, "ltrim", 0);
        call_event(c, EVENT_GENERIC, "del", 0);
        return;
    }
    cut(c, &h, first + n, count - first - n);
    cut(c, &h, 0, first);
    list_shrunk(&h.home);
    h.changes = count - n;
    collection_done(&h, "ltrim");
}

/* -- rows ---------------------------------------------------------------------------------------------------- */

#define KEY(f) {{KEYS_RANGE, 1, 0, 1, (f)}}
#define TWO_KEYS {{KEYS_RANGE, 1, 0, 1, K_RW | K_ACCESS | K_DELETE}, {KEYS_RANGE, 2, 0, 1, K_RW | K_INSERT}}
#define PUSH_COST                                                                                                     \
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."

static const char *const many_elements[] = {"2.4.0", "Accepts multiple `element` arguments.", NULL};
static const char *const many_elements_x[] = {"4.0.0", "Accepts multiple `element` arguments.", NULL};
static const char *const with_count[] = {"6.2.0", "Added the `count` argument.", NULL};

static const struct command rows[] = {
    {.name = "LPUSH", .arity = -3, .flags = C_WRITE | C_DENYOOM | C_FAST, .categories = A_LIST, .keys = KEY(K_RW | K_INSERT),
        .run = run_lpush, .group = "list", .since = "1.0.0", .complexity = PUSH_COST, .history = many_elements,
        .summary = "Puts elements before the first of a list, one after the other; a missing list is made.",
        .syntax = "key element [element ...]"},
    {.name = "RPUSH", .arity = -3, .flags = C_WRITE | C_DENYOOM | C_FAST, .categories = A_LIST, .keys = KEY(K_RW | K_INSERT),
        .run = run_rpush, .group = "list", .since = "1.0.0", .complexity = PUSH_COST, .history = many_elements,
        .summary = "Puts elements behind the last of a list; a missing list is made.",
        .syntax = "key element [element ...]"},
    {.name = "LPUSHX", .arity = -3, .flags = C_WRITE | C_DENYOOM | C_FAST, .categories = A_LIST, .keys = KEY(K_RW | K_INSERT),
        .run = run_lpushx, .group = "list", .since = "2.2.0", .complexity = PUSH_COST, .history = many_elements_x,
        .summary = "Puts elements before the first of a list that is there.",
        .syntax = "key element [element ...]"},
    {.name = "RPUSHX", .arity = -3, .flags = C_WRITE | C_DENYOOM | C_FAST, .categories = A_LIST, .keys = KEY(K_RW | K_INSERT),
        .run = run_rpushx, .group = "list", .since = "2.2.0", .complexity = PUSH_COST, .history = many_elements_x,
        .summary = "Puts elements behind the last of a list that is there.",
        .syntax = "key element [element ...]"},
    {.name = "LPOP", .arity = -2, .flags = C_WRITE | C_FAST, .categories = A_LIST, .keys = KEY(K_RW | K_ACCESS | K_DELETE),
        .run = run_lpop, .group = "list", .since = "1.0.0", .complexity = "O(N) where N is the number of elements returned",
        .history = with_count, .summary = "Takes the first elements off a list and returns them.", .syntax = "key [count{since 6.2.0}]"},
    {.name = "RPOP", .arity = -2, .flags = C_WRITE | C_FAST, .categories = A_LIST, .keys = KEY(K_RW | K_ACCESS | K_DELETE),
        .run = run_rpop, .group = "list", .since = "1.0.0", .complexity = "O(N) where N is the number of elements returned",
        .history = with_count, .summary = "Takes the last elements off a list and returns them.", .syntax = "key [count{since 6.2.0}]"},
    {.name = "LLEN", .arity = 2, .flags = C_READONLY | C_FAST, .categories = A_LIST, .keys = KEY(K_RO), .run = run_llen,
        .group = "list", .since = "1.0.0", .complexity = "O(1)", .summary = "Returns how many elements a list has.",
        .syntax = "key"},
    {.name = "LINDEX", .arity = 3, .flags = C_READONLY, .categories = A_LIST, .keys = KEY(K_RO | K_ACCESS), .run = run_lindex,
        .group = "list", .since = "1.0.0",
        .complexity = "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for "
                      "the first or the last element of the list O(1).",
        .summary = "Returns the element of a list that has an index.", .syntax = "key index"},
    {.name = "LSET", .arity = 4, .flags = C_WRITE | C_DENYOOM, .categories = A_LIST, .keys = KEY(K_RW | K_UPDATE),
        .run = run_lset, .group = "list", .since = "1.0.0",
        .complexity = "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
        .summary = "Puts another element in the place of the one that has an index.", .syntax = "key index element"},
    {.name = "LRANGE", .arity = 4, .flags = C_READONLY, .categories = A_LIST, .keys = KEY(K_RO | K_ACCESS), .run = run_lrange,
        .group = "list", .since = "1.0.0",
        .complexity = "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) "
                      "for large lists; and N is the number of elements in the specified range.",
        .summary = "Returns the elements of a list from one index to another.", .syntax = "key start stop"},
    {.name = "LTRIM", .arity = 4, .flags = C_WRITE, .categories = A_LIST, .keys = KEY(K_RW | K_DELETE), .run = run_ltrim,
        .group = "list", .since = "1.0.0",
        .complexity = "O(N) where N is the number of elements to be removed by the operation.",
        .summary = "Removes what is not between two indexes from a list.", .syntax = "key start stop"},
    {.name = "LREM", .arity = 4, .flags = C_WRITE, .categories = A_LIST, .keys = KEY(K_RW | K_DELETE), .run = lists_lrem,
        .group = "list", .since = "1.0.0",
        .complexity = "O(N+M) where N is the length of the list and M is the number of elements removed.",
        .summary = "Removes the elements of a list that equal one, or the first or last of them.", .syntax = "key count element"},
    {.name = "LINSERT", .arity = 5, .flags = C_WRITE | C_DENYOOM, .categories = A_LIST, .keys = KEY(K_RW | K_INSERT),
        .run = lists_linsert, .group = "list", .since = "2.2.0",
        .complexity = "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting "
                      "somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right "
                      "end (tail) is O(N).",
        .summary = "Puts an element before or behind another one of a list.", .syntax = "key <where: BEFORE | AFTER> pivot element"},
    {.name = "LPOS", .arity = -3, .flags = C_READONLY, .categories = A_LIST, .keys = KEY(K_RO | K_ACCESS), .run = lists_lpos,
        .group = "list", .since = "6.0.6",
        .complexity = "O(N) where N is the number of elements in the list, for the average case. When searching for elements near "
                      "the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant "
                      "time.",
        .summary = "Returns the indexes at which a list has an element.",
        .syntax = "key element [RANK rank] [COUNT num-matches] [MAXLEN len]"},
    {.name = "LMOVE", .arity = 5, .flags = C_WRITE | C_DENYOOM, .categories = A_LIST, .keys = TWO_KEYS, .run = run_lmove,
        .group = "list", .since = "6.2.0", .complexity = "O(1)",
        .summary = "Takes an element off an end of a list, puts it to an end of another, and returns it.",
        .syntax = "source destination <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT>"},
    {.name = "RPOPLPUSH", .arity = 3, .flags = C_WRITE | C_DENYOOM, .categories = A_LIST, .keys = TWO_KEYS,
        .run = run_rpoplpush, .group = "list", .since = "1.2.0", .complexity = "O(1)",
        .deprecated = "6.2.0 `LMOVE` with the `RIGHT` and `LEFT` arguments",
        .summary = "Takes the last element off a list, puts it before the first of another, and returns it.",
        .syntax = "source destination"},
    {.name = "LMPOP", .arity = -4, .flags = C_WRITE | C_MOVABLEKEYS, .categories = A_LIST,
        .keys = {{KEYS_NUMKEYS, 1, 0, 1, K_RW | K_ACCESS | K_DELETE}}, .run = run_lmpop, .group = "list", .since = "7.0.0",
        .complexity = "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        .summary = "Takes elements off the first of several lists that is not empty, and returns them with its key.",
        .syntax = "numkeys key [key ...] <where: LEFT | RIGHT> [COUNT count]"},
    {.name = NULL},
};

const struct command *command_rows_list(void) { return rows; }
