/* Walks over a whole database: KEYS, SCAN, RANDOMKEY.
 *
 * A walk is a task that looks at a few segments at a time and stops when its slice is over; the first slice
 * is done at once, so that a small database is answered without waiting. What is found gathers as finished
 * replies in a chain of its own, because the array's length must be written before them.
 */
#include "command/cursor.h"
#include "command/keyspace.h"

#include "base/clock.h"
#include "base/match.h"

#define PIECE 64    /* entries between two looks at the clock */
#define PIECE_US 10 /* and what they take at most, about */

struct walk {
    struct task task;
    unsigned db;
    uint64_t cursor;
    uint64_t left;        /* entries still to be looked at */
    bool all;             /* KEYS: until the end, and the reply is no pair */
    bool one;             /* RANDOMKEY: until there is one, which is the reply */
    bool any;             /* no pattern */
    enum value_type type; /* VALUE_TYPES: any */
    bool typed;
    char *pattern_copy; /* once parked */
    struct slice pattern;
    struct chain body;
    struct resp_writer w;
    uint64_t found;
};

static void walk_entry(void *arg, struct entry *e) {
    struct walk *k = arg;
    if (k->left) k->left--;
    if (k->one && k->found) return;
    if (k->typed && entry_type(e) != k->type) return;
    struct slice name = entry_key(e);
    if (!k->any && !match_glob(k->pattern, name)) return;
    resp_bulk(&k->w, name.p, name.n);
    k->found++;
}

static void walk_drop(struct task *t) {
    struct walk *k = (struct walk *)t;
    chain_free(&k->body);
    mem_free(MEM_CLIENT, k->pattern_copy);
    mem_free(MEM_CLIENT, k);
}

static void walk_reply(struct walk *k, struct session *s) {
    struct resp_writer *w = &s->writer;
    if (k->one) {
        if (!k->found) resp_null(w);
        chain_join(&s->out, &k->body);
        return;
    }
    if (!k->all) {
        char text[NUM_I64_MAX];
        resp_array(w, 2);
        resp_bulk(w, text, num_put_u64(text, k->cursor));
    }
    resp_array(w, k->found);
    chain_join(&s->out, &k->body);
}

/* True once the walk is over. */
static bool walk_on(struct walk *k, struct session *s, int64_t slice_us) {
    uint64_t end = clock_ticks() + (uint64_t)((double)(slice_us - PIECE_US) * clock_ticks_per_us());
    int64_t now = clock_ms();
    do {
        size_t n = !k->all && k->left < PIECE ? (size_t)k->left : PIECE;
        k->cursor = store_scan(s->lane->env->store, k->db, k->cursor, n, now, walk_entry, k);
        if (!k->cursor || (!k->all && !k->left) || (k->one && k->found)) return true;
    } while (clock_ticks() < end);
    return false;
}

static enum task_state walk_step(struct task *t, struct session *s, int64_t slice_us) {
    struct walk *k = (struct walk *)t;
    if (!walk_on(k, s, slice_us)) return TASK_AGAIN;
    walk_reply(k, s);
    return TASK_DONE;
}

/* Walks as `from` says: at once if that is short, else as a task. */
static void walk(struct call *c, struct walk *from) {
    from->db = c->v.db;
    chain_init(&from->body, &c->s->lane->pool);
    from->w = (struct resp_writer){&from->body, c->w->proto};
    if (walk_on(from, c->s, STORE_SLICE_US)) {
        walk_reply(from, c->s);
        chain_free(&from->body);
        return;
    }
    struct walk *k = mem_alloc(MEM_CLIENT, sizeof *k);
    *k = *from;
    k->w.out = &k->body;
    k->task = (struct task){.step = walk_step, .drop = walk_drop};
    k->pattern_copy = mem_alloc(MEM_CLIENT, k->pattern.n + 1);
    memcpy(k->pattern_copy, k->pattern.p, k->pattern.n);
    k->pattern.p = k->pattern_copy;
    session_park(c->s, &k->task);
}

void scan_keys(struct call *c) {
    struct walk k = {.all = true, .type = VALUE_TYPES, .pattern = c->argv[1]};
    k.any = slice_equal(k.pattern, SLICE("*"));
    walk(c, &k);
}

void scan_scan(struct call *c) {
    struct walk k = {.left = 10, .any = true, .type = VALUE_TYPES, .pattern = SLICE("*")};
    if (!cursor_read(c, 1, &k.cursor)) return;
    for (int i = 2; i < c->argc; i += 2) {
        if (i + 1 < c->argc && call_is(c, i, "COUNT")) {
            int64_t count;
            if (!call_i64(c, i + 1, &count)) return;
            if (count < 1) {
                reply_syntax(c);
                return;
            }
            k.left = (uint64_t)count;
        } else if (i + 1 < c->argc && call_is(c, i, "MATCH")) {
            k.pattern = c->argv[i + 1];
            k.any = slice_equal(k.pattern, SLICE("*"));
        } else if (i + 1 < c->argc && call_is(c, i, "TYPE")) {
            k.type = value_type_named(c->argv[i + 1]); /* an unknown type: nothing has it */
            k.typed = true;
        } else {
            reply_syntax(c);
            return;
        }
    }
    walk(c, &k);
}

static void reply_key(void *arg, struct entry *e) {
    struct call *c = arg;
    struct slice name = entry_key(e);
    resp_bulk(c->w, name.p, name.n);
}

/* Where nearly all are past their deadline, the first that is not. */
void scan_randomkey(struct call *c) {
    if (store_sample(c->v.store, c->v.db, c->v.now, lane_random(c->s->lane), reply_key, c)) return;
    struct walk k = {.all = true, .one = true, .any = true, .type = VALUE_TYPES, .pattern = SLICE("*")};
    walk(c, &k);
}
