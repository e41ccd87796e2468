/* CACHE: what a cache needs and Redis does not have. */
#include "command/cache.h"

#include "base/clock.h"
#include "command/figures.h"
#include "command/changes.h"
#include "command/feed.h"
#include "command/fetch.h"
#include "command/lease.h"
#include "command/warming.h"
#include "store/rule.h"

#define LOOK_US 500    /* how often who waits looks whether it is over */
/* Others are called to sweep where somebody waits, and once for so many rules: well below RULE_RUNNING_MAX, so that there is room for
 * more, and so that calling costs nothing for each. */
#define CALL_EVERY 256

/* -- waiting until what is invalid is gone ----------------------------------------------------------------------------------- */

struct settling {
    struct task task;
    void (*reply)(struct session *s, unsigned db); /* NULL: the keys removed */
    unsigned db;
    size_t n;
    struct rule *rule[]; /* the last one is over last */
};

static struct settling *settling_of(struct task *t) { return (struct settling *)(void *)t; }

static void settling_drop(struct task *t) {
    struct settling *w = settling_of(t);
    for (size_t i = 0; i < w->n; i++) rule_release(w->rule[i]);
    mem_free(MEM_CLIENT, w);
}

static void settled(struct settling *w, struct session *s) {
    uint64_t removed = 0;
    for (size_t i = 0; i < w->n; i++) removed += rule_removed(w->rule[i]);
    if (w->reply) w->reply(s, w->db);
    else resp_int(&s->writer, (int64_t)removed);
}

/* It lends a hand with its own thread's part. */
static enum task_state settling_step(struct task *t, struct session *s, int64_t slice_us) {
    struct settling *w = settling_of(t);
    struct env *e = s->lane->env;
    const struct rule *last = w->rule[w->n - 1];
    if (!rule_over(e->store, last) && rule_sweep_step(e->store, s->lane->index, e->lanes, slice_us)) return TASK_AGAIN;
    if (!rule_over(e->store, last)) {
        t->wake_us = clock_mono_us() + LOOK_US;
        return TASK_WAIT;
    }
    settled(w, s);
    return TASK_DONE;
}

static struct settling *settling_new(struct call *c, size_t n) {
    struct settling *w = mem_zalloc(MEM_CLIENT, sizeof *w + n * sizeof *w->rule);
    w->task = (struct task){.step = settling_step, .drop = settling_drop};
    w->db = c->v.db;
    return w;
}

void cache_when_swept(struct call *c, void (*reply)(struct session *s, unsigned db)) {
    struct rule *newest = rule_running(c->v.store) ? rule_newest(c->v.store) : NULL;
    if (!newest) {
        reply(c->s, c->v.db);
        return;
    }
    struct settling *w = settling_new(c, 1);
    w->reply = reply;
    w->rule[w->n++] = newest;
    session_park(c->s, &w->task);
    env_call_background(call_env(c));
}

/* -- INVALIDATE ------------------------------------------------------------------------------------------------------------ */

/* Requests behind this one are under the new rules too. */
static bool invalidate(struct call *c, size_t n, struct rule **out) {
    lease_invalidate_begin(call_env(c));
    bool added = rule_add(c->v.store, c->v.db, c->argv + 2, n, out);
    if (added) changes_invalidated(c->s->lane, c->v.db, c->argv + 2, n);
    lease_invalidate_end(call_env(c));
    if (!added) {
        reply_error(c, "TRYAGAIN Too many invalidations are running");
        return false;
    }
    counter_add(&c->v.stats->invalidations, n);
    view_rules(&c->v);
    unsigned running = rule_running(c->v.store);
    if (running >= CALL_EVERY && running % CALL_EVERY < n) env_call_background(call_env(c));
    return true;
}

static void invalidate_and_wait(struct call *c, size_t n) {
    struct settling *w = settling_new(c, n);
    if (!invalidate(c, n, w->rule)) {
        settling_drop(&w->task);
        return;
    }
    w->n = n;
    session_park(c->s, &w->task);
    env_call_background(call_env(c));
}

static void run_invalidate(struct call *c) {
    bool waits = c->argc > 3 && call_is(c, c->argc - 1, "WAIT");
    size_t n = (size_t)c->argc - 2 - waits;
    if (n > RULE_RUNNING_MAX) reply_error(c, "ERR Too many patterns"); /* to try again would be no use */
    else if (waits) invalidate_and_wait(c, n);
    else if (invalidate(c, n, NULL)) resp_ok(c->w);
}

/* -- INVALIDATIONS --------------------------------------------------------------------------------------------------------- */

struct listing {
    struct resp_writer w;
    struct chain body;
    uint64_t n;
    int64_t now;
};

static void list_one(void *arg, const struct rule_facts *f) {
    struct listing *l = arg;
    struct resp_writer *w = &l->w;
    resp_map(w, 6);
    resp_text(w, "id");
    resp_int(w, (int64_t)f->number);
    resp_text(w, "db");
    resp_int(w, f->db);
    resp_text(w, "pattern");
    resp_bulk(w, f->pattern.p, f->pattern.n);
    resp_text(w, "age-ms");
    resp_int(w, l->now > f->started_ms ? l->now - f->started_ms : 0);
    resp_text(w, "removed");
    resp_int(w, (int64_t)f->removed);
    resp_text(w, "percent");
    resp_int(w, f->percent);
    l->n++;
}

static void run_invalidations(struct call *c) {
    struct listing l = {.now = c->v.now};
    chain_init(&l.body, &c->s->lane->pool);
    l.w = (struct resp_writer){&l.body, c->w->proto};
    rule_each(c->v.store, list_one, &l);
    resp_array(c->w, l.n);
    chain_join(&c->s->out, &l.body);
}

/* -- STATS ----------------------------------------------------------------------------------------------------------------- */

static void reply_figure(void *arg, const struct figure *f) {
    struct resp_writer *w = arg;
    resp_text(w, f->name);
    if (f->real) resp_double(w, f->number);
    else resp_int(w, (int64_t)f->count);
}

static void run_stats(struct call *c) {
    resp_map(c->w, figures_each(call_env(c), NULL, NULL));
    figures_each(call_env(c), reply_figure, c->w);
}

/* -- HELP ------------------------------------------------------------------------------------------------------------------ */

static const char *const lines[] = {
    "FEED [FROM <number> [EPOCH <id>]] [HASHED] [PREFIX <prefix> ...]",
    "    From now on, or from a number on, this connection is told of every change of a key, or of its hash.",
    "FETCH <key> [LEASE <ms>] [WAIT <ms>]",
    "    The value, or the lease to load it, which one caller at a time gets.",
    "FILL <key> <token> <value> [EX <seconds>|PX <ms>] [STALE <ms>]",
    "    Store what was loaded, unless the key was changed meanwhile.",
    "RELEASE <key> <token>",
    "    Give up a lease without a value.",
    "INVALIDATE <pattern> [<pattern> ...] [WAIT]",
    "    From the reply on, nobody sees a key of this database that matches a pattern and was written before.",
    "    Memory follows in the background. With WAIT the reply is how many keys went, once they have.",
    "INVALIDATIONS",
    "    List the invalidations whose keys are still being removed.",
    "STATS",
    "    Return how the cache does: keys, bytes, hits and misses, and what went for which reason.",
    "WARM STATUS|CANCEL|<path> [MATCH <pattern>] [DB <db>] [MAXTTL <seconds>] [REPLACE]",
    "    Load a snapshot below `warm-dir`, in the background: keys that are not there, or with REPLACE all of them;",
    "    tell how far it is; or give it up.",
    NULL,
};
static void run_help(struct call *c) { reply_help(c, lines); }

/* -- rows ------------------------------------------------------------------------------------------------------------------ */

#define KEY(bits) .keys = {{KEYS_RANGE, 2, 0, 1, bits}}
#define COMMON .group = "server", .since = "7.2.0"

static const struct command sub_rows[] = {
    {.name = "FEED",
        .arity = -2,
        .flags = C_PUBSUB | C_NOSCRIPT | C_LOADING | C_STALE | C_NO_MULTI | C_LISTENER,
        COMMON,
        .run = feed_run,
        .complexity = "O(1); from then on O(N/64KB) for N bytes of changes, O(N*P) with P prefixes",
        .summary = "Makes the connection a numbered stream of what has changed.",
        .syntax = "[FROM seq [EPOCH id]] [HASHED] [PREFIX prefix [prefix ...]]"},
    {.name = "FETCH",
        .arity = -3,
        .flags = C_READONLY | C_BLOCKING | C_FAST,
        .categories = A_STRING,
        COMMON,
        KEY(K_RO | K_ACCESS),
        .run = fetch_run,
        .complexity = "O(1)",
        .summary = "Returns a string, or to one caller at a time the lease to load it.",
        .syntax = "key [LEASE milliseconds] [WAIT milliseconds]"},
    {.name = "FILL",
        .arity = -5,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        COMMON,
        KEY(K_OW | K_UPDATE),
        .value = 4,
        .run = fetch_fill,
        .complexity = "O(1)",
        .summary = "Stores what a lease was given for, unless the key was changed meanwhile.",
        .syntax = "key token value [<EX seconds | PX milliseconds>] [STALE milliseconds]"},
    {.name = "INVALIDATE",
        .arity = -3,
        .flags = C_WRITE | C_FAST,
        .categories = A_KEYSPACE | A_DANGEROUS,
        COMMON,
        .run = run_invalidate,
        .complexity = "O(1) for each pattern; with WAIT O(N) where N is the number of keys, while other commands go on.",
        .tips = "request_policy:all_shards response_policy:agg_sum",
        .summary = "Makes all keys that match a pattern and were written before it invisible at one moment.",
        .syntax = "pattern [pattern ...] [WAIT]"},
    {.name = "INVALIDATIONS",
        .arity = 2,
        .flags = C_READONLY | C_LOADING | C_STALE,
        .categories = A_ADMIN,
        COMMON,
        .run = run_invalidations,
        .complexity = "O(N) where N is the number of running invalidations",
        .tips = "nondeterministic_output",
        .summary = "Lists the invalidations whose keys are still being removed."},
    {.name = "STATS",
        .arity = 2,
        .flags = C_READONLY | C_LOADING | C_STALE,
        COMMON,
        .run = run_stats,
        .complexity = "O(1)",
        .tips = "nondeterministic_output",
        .summary = "Returns how the cache does: keys, bytes, hits and misses, and what went for which reason."},
    {.name = "RELEASE",
        .arity = 4,
        .flags = C_READONLY | C_FAST,
        .categories = A_STRING,
        COMMON,
        KEY(K_RO),
        .run = fetch_give_up,
        .complexity = "O(1)",
        .summary = "Gives up a lease without a value.",
        .syntax = "key token"},
    {.name = "WARM",
        .arity = -3,
        .flags = C_ADMIN | C_NOSCRIPT | C_LOADING | C_STALE,
        COMMON,
        .run = warming_run,
        .complexity = "O(1); the file is loaded in the background.",
        .summary = "Loads a snapshot, larder's own or an RDB file, while clients are served.",
        .syntax = "STATUS | CANCEL | path [MATCH pattern] [DB db] [MAXTTL seconds] [REPLACE]"},
    {.name = "HELP", .arity = 2, .flags = C_LOADING | C_STALE, COMMON, .run = run_help, .complexity = "O(1)",
        .summary = "Returns a text about the subcommands."},
    {.name = NULL},
};

static const struct command rows[] = {
    {.name = "CACHE", .arity = -2, COMMON, .complexity = "Depends on subcommand.", .summary = "What a cache needs beyond Redis's commands.",
        .sub = sub_rows},
    {.name = NULL},
};

const struct command *command_rows_cache(void) { return rows; }
