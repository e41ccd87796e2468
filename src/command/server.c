#include "base/clock.h"
#include "command/admin.h"
#include "command/version.h"

static void run_time(struct call *c) {
    int64_t now = clock_us();
    resp_array(c->w, 2);
    resp_bulk_i64(c->w, now / 1000000);
    resp_bulk_i64(c->w, now % 1000000);
}

static void run_role(struct call *c) {
    resp_array(c->w, 3);
    resp_text(c->w, "master");
    resp_int(c->w, 0);
    resp_array(c->w, 0);
}

bool server_timeout(struct call *c, int arg, int64_t *ms) {
    if (!call_i64_or(c, arg, ms, "ERR timeout is not an integer or out of range")) return false;
    const char *error = *ms < 0 ? "ERR timeout is negative" : NULL;
    if (*ms > INT64_MAX / 1000 - clock_ms())
        error = "ERR timeout is out of range"; /* monotonic time is counted in us */
    if (error) reply_error(c, error);
    return !error;
}

/* -- WAIT and WAITAOF: there are no replicas and no append-only file, so both wait for what never comes  */

struct waiting {
    struct task task;
    bool both; /* WAITAOF replies two numbers */
    bool unblocked, with_error;
};

static struct waiting *waiting_of(struct task *t) { return (struct waiting *)(void *)t; }

static void reply_nobody(struct resp_writer *w, bool both) {
    if (both) {
        resp_array(w, 2);
        resp_int(w, 0);
    }
    resp_int(w, 0);
}

static enum task_state waiting_step(struct task *t, struct session *s, int64_t slice_us) {
    const struct waiting *w = waiting_of(t);
    (void)slice_us;
    if (!w->unblocked && (!t->wake_us || clock_mono_us() < t->wake_us)) return TASK_WAIT;
    if (w->with_error)
        session_error(s, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else
        reply_nobody(&s->writer, w->both);
    return TASK_DONE;
}

static bool waiting_unblock(struct task *t, struct session *s, bool with_error) {
    struct waiting *w = waiting_of(t);
    (void)s;
    if (w->unblocked) return false;
    w->unblocked = true;
    w->with_error = with_error;
    return true;
}

static void waiting_drop(struct task *t) { mem_free(MEM_CLIENT, t); }

/* `ms` 0: until it is unblocked. */
static void wait_for_nobody(struct call *c, int64_t ms, bool both) {
    struct waiting *w = mem_zalloc(MEM_CLIENT, sizeof *w);
    w->task = (struct task){.step = waiting_step, .drop = waiting_drop, .unblock = waiting_unblock};
    if (ms) w->task.wake_us = clock_mono_us() + ms * 1000;
    w->both = both;
    session_park(c->s, &w->task);
}

static void run_wait(struct call *c) {
    int64_t replicas, ms;
    if (!call_i64(c, 1, &replicas) || !server_timeout(c, 2, &ms)) return;
    if (replicas <= 0)
        reply_nobody(c->w, false);
    else
        wait_for_nobody(c, ms, false);
}

static bool read_between(struct call *c, int arg, int64_t max, int64_t *out, const char *error) {
    if (!call_i64(c, arg, out)) return false;
    if (*out >= 0 && *out <= max) return true;
    reply_error(c, error);
    return false;
}

static void run_waitaof(struct call *c) {
    int64_t local, replicas, ms;
    if (!read_between(c, 1, 1, &local, "ERR value is out of range, must be between 0 and 1")) return;
    if (!read_between(c, 2, INT64_MAX, &replicas, "ERR value is out of range, must be positive")) return;
    if (!server_timeout(c, 3, &ms)) return;
    if (local)
        reply_error(c, "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    else if (!replicas)
        reply_nobody(c->w, true);
    else
        wait_for_nobody(c, ms, true);
}

static void run_replicaof(struct call *c) {
    int64_t port;
    if (call_is(c, 1, "no") && call_is(c, 2, "one")) {
        resp_ok(c->w);
        return;
    }
    if (!call_range(c, 2, 0, 65535, &port, "ERR Invalid master port")) return;
    reply_error(c, "ERR replication is not supported: each larder stands for itself");
}

/* -- LOLWUT: a larder, differently stocked each time ------------------------------------------------- */

enum { SHELVES = 3, SHELVES_MAX = 20, JAR = 7, JARS = 6, JARS_MAX = 24, JAR_ROWS = 4 };

static void put_jar(struct buf *out, unsigned level, unsigned row, char filling) {
    static const char *const lids[] = {" .---. ", " )___( "};
    if (row < 2) {
        buf_puts(out, lids[row]);
        return;
    }
    char c = row >= 2 + JAR_ROWS - level ? filling : ' ';
    buf_printf(out, row + 1 == 2 + JAR_ROWS ? "(%c%c%c%c%c)" : "|%c%c%c%c%c|", c, c, c, c, c);
}

static void put_shelf(struct buf *out, struct lane *l, int jars) {
    static const char fillings[] = "o*.:~%=";
    uint64_t random[JARS_MAX];
    for (int i = 0; i < jars; i++) random[i] = lane_random(l);
    for (unsigned row = 0; row < 2 + JAR_ROWS; row++) {
        buf_puts(out, "  ");
        for (int i = 0; i < jars; i++) {
            put_jar(out, (unsigned)(random[i] >> 8) % (JAR_ROWS + 1), row,
                fillings[random[i] % (sizeof fillings - 1)]);
            buf_puts(out, " ");
        }
        buf_puts(out, "\n");
    }
    buf_puts(out, "==");
    for (int i = 0; i < jars * (JAR + 1); i++) buf_puts(out, "=");
    buf_puts(out, "=\n");
}

/* LOLWUT [VERSION version [jars [shelves]]] */
static void run_lolwut(struct call *c) {
    int64_t version, jars = JARS, shelves = SHELVES;
    if (c->argc > 2 && call_is(c, 1, "version")) {
        if (!call_i64(c, 2, &version)) return;
        if (c->argc > 3 && !call_i64(c, 3, &jars)) return;
        if (c->argc > 4 && !call_i64(c, 4, &shelves)) return;
    }
    jars = jars < 1 ? 1 : jars > JARS_MAX ? JARS_MAX : jars;
    shelves = shelves < 1 ? 1 : shelves > SHELVES_MAX ? SHELVES_MAX : shelves;
    struct buf out;
    buf_init(&out, MEM_CLIENT);
    for (int64_t i = 0; i < shelves; i++) put_shelf(&out, c->s->lane, (int)jars);
    buf_puts(&out,
        "\nA larder, and what is left in it. Redis ver. " REDIS_VERSION ", larder " LARDER_VERSION "\n");
    resp_verbatim(c->w, "txt", buf_slice(&out));
    buf_free(&out);
}

/* -- rows -------------------------------------------------------------------------------------------- */

static const char *const shutdown_history[] = {"7.0.0", "`NOW`, `FORCE` and `ABORT`.", NULL};

#define REPLICATION                                                                                          \
    .arity = 3, .flags = C_ADMIN | C_NOSCRIPT | C_STALE | C_NO_ASYNC_LOADING, .run = run_replicaof,          \
    .group = "server", .complexity = "O(1)", .syntax = "<host port | NO ONE>"
#define WAITING .flags = C_NOSCRIPT, .categories = A_CONNECTION, .group = "generic", .complexity = "O(1)"

static const struct command rows[] = {
    {.name = "LOLWUT",
        .arity = -1,
        .flags = C_READONLY | C_FAST,
        .run = run_lolwut,
        .group = "server",
        .since = "5.0.0",
        .summary = "A drawing, and the versions.",
        .syntax = "[VERSION version]"},
    {.name = "MONITOR",
        .arity = 1,
        .flags = C_ADMIN | C_NOSCRIPT | C_LOADING | C_STALE,
        .run = monitor_run,
        .group = "server",
        .since = "1.0.0",
        .summary = "Shows this connection every request as it is executed."},
    {.name = "REPLICAOF",
        REPLICATION,
        .since = "5.0.0",
        .summary = "Makes a server a replica; here, NO ONE is all there is."},
    {.name = "ROLE",
        .arity = 1,
        .flags = C_NOSCRIPT | C_LOADING | C_STALE | C_FAST,
        .categories = A_ADMIN | A_DANGEROUS,
        .run = run_role,
        .group = "server",
        .since = "2.8.12",
        .complexity = "O(1)",
        .summary = "What the server is to replication: always a master."},
    {.name = "SHUTDOWN",
        .arity = -1,
        .flags = C_ADMIN | C_NOSCRIPT | C_LOADING | C_STALE | C_NO_MULTI | C_ALLOW_BUSY,
        .run = shutdown_run,
        .group = "server",
        .since = "1.0.0",
        .complexity = "O(N) when saving, where N is the total number of keys in all databases when saving "
                      "data, otherwise O(1)",
        .history = shutdown_history,
        .summary = "Ends the server.",
        .syntax = "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]"},
    {.name = "SLAVEOF",
        REPLICATION,
        .since = "1.0.0",
        .deprecated = "5.0.0 `REPLICAOF`",
        .summary = "The older name of REPLICAOF."},
    {.name = "TIME",
        .arity = 1,
        .flags = C_LOADING | C_STALE | C_FAST,
        .run = run_time,
        .group = "server",
        .since = "2.6.0",
        .complexity = "O(1)",
        .tips = "nondeterministic_output",
        .summary = "The server's time, in seconds and microseconds."},
    {.name = "WAIT",
        .arity = 3,
        WAITING,
        .run = run_wait,
        .since = "3.0.0",
        .tips = "request_policy:all_shards response_policy:agg_min",
        .summary = "Waits until so many replicas have what this connection wrote.",
        .syntax = "numreplicas timeout"},
    {.name = "WAITAOF",
        .arity = 4,
        WAITING,
        .run = run_waitaof,
        .since = "7.2.0",
        .tips = "request_policy:all_shards response_policy:agg_min",
        .summary = "Waits until what this connection wrote is in so many append-only files.",
        .syntax = "numlocal numreplicas timeout"},
    {0},
};

const struct command *command_rows_server(void) { return rows; }
