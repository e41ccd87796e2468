/* CONFIG: the options table, as clients see it. */
#include "command/call.h"

#define HARD_PART "O(N) when N is the number of configuration parameters provided"

/* What GET found: for each option two lengths, the bytes apart. */
struct found {
    struct buf lengths, bytes;
    size_t n;
};

static void add_found(void *arg, struct slice name, struct slice value) {
    struct found *f = arg;
    size_t lengths[2] = {name.n, value.n};
    buf_put(&f->lengths, lengths, sizeof lengths);
    buf_put(&f->bytes, name.p, name.n);
    buf_put(&f->bytes, value.p, value.n);
    f->n++;
}

static void run_get(struct call *c) {
    struct found f = {.n = 0};
    buf_init(&f.lengths, MEM_CLIENT);
    buf_init(&f.bytes, MEM_CLIENT);
    options_each(call_env(c)->options, c->argv + 2, (size_t)c->argc - 2, add_found, &f);
    resp_map(c->w, f.n);
    const char *at = f.bytes.p;
    for (size_t i = 0; i < f.n; i++) {
        size_t lengths[2];
        memcpy(lengths, f.lengths.p + i * sizeof lengths, sizeof lengths);
        resp_bulk(c->w, at, lengths[0]);
        resp_bulk(c->w, at + lengths[0], lengths[1]);
        at += lengths[0] + lengths[1];
    }
    buf_free(&f.lengths);
    buf_free(&f.bytes);
}

/* May this client change protected options? */
static bool is_trusted(struct call *c) {
    struct buf how = {0};
    option_text(call_env(c)->options, "enable-protected-configs", &how);
    bool trusted = slice_equal(buf_slice(&how), SLICE("yes")) ||
                   (slice_equal(buf_slice(&how), SLICE("local")) && session_is_local(c->s));
    buf_free(&how);
    return trusted;
}

static void run_set(struct call *c) {
    if (c->argc % 2) {
        reply_syntax(c);
        return;
    }
    struct buf why = {0};
    if (options_set(call_env(c)->options, c->argv + 2, (size_t)c->argc - 2, is_trusted(c), &why)) resp_ok(c->w);
    else reply_error_slice(c, buf_slice(&why));
    buf_free(&why);
}

static void run_rewrite(struct call *c) {
    struct env *e = call_env(c);
    struct buf why = {0};
    if (!e->config_file || !*e->config_file) {
        reply_error(c, "ERR The server is running without a config file");
        return;
    }
    const char *error = e->host->rewrite_config(e, &why);
    if (error) reply_errorf(c, "ERR Rewriting config file: %s", error);
    else resp_ok(c->w);
    buf_free(&why);
}

static void run_resetstat(struct call *c) {
    env_reset_stats(call_env(c));
    resp_ok(c->w);
}

static void run_help(struct call *c) {
    static const char *const lines[] = {
        "GET <pattern> [<pattern> ...]", "    Options whose names match, with their values.",
        "SET <option> <value> [<option> <value> ...]", "    Change options: all of them, or none and an error.",
        "RESETSTAT", "    Let the counters of INFO begin again.",
        "REWRITE", "    Bring the file that the daemon was started with up to date; comments stay.",
        NULL,
    };
    reply_help(c, lines);
}

static const char *const get_history[] = {"7.0.0", "Takes several patterns.", NULL};
static const char *const set_history[] = {"7.0.0", "Takes several options, all or none.", NULL};

#define CONFIG .flags = C_ADMIN | C_NOSCRIPT | C_LOADING | C_STALE, .group = "server"

static const struct command subcommands[] = {
    {.name = "GET", .arity = -3, CONFIG, .run = run_get, .since = "2.0.0", .complexity = HARD_PART, .history = get_history,
        .summary = "Options by pattern, with their values.", .syntax = "parameter [parameter ...]"},
    {.name = "HELP", .arity = 2, .flags = C_LOADING | C_STALE, .group = "server", .run = run_help, .since = "5.0.0",
        .complexity = "O(1)", .summary = "A short text on each subcommand."},
    {.name = "RESETSTAT", .arity = 2, CONFIG, .run = run_resetstat, .since = "2.0.0", .complexity = "O(1)",
        .summary = "Lets the counters of INFO begin again."},
    {.name = "REWRITE", .arity = 2, CONFIG, .run = run_rewrite, .since = "2.8.0", .complexity = "O(1)",
        .summary = "Writes the options as they are into the conf file."},
    {.name = "SET", .arity = -4, CONFIG, .run = run_set, .since = "2.0.0", .complexity = HARD_PART, .history = set_history,
        .tips = "request_policy:all_nodes response_policy:all_succeeded", .summary = "Changes options while the daemon runs.",
        .syntax = "parameter value [parameter value ...]"},
    {0},
};

static const struct command rows[] = {
    {.name = "CONFIG", .arity = -2, .group = "server", .since = "2.0.0", .complexity = "Depends on subcommand.",
        .sub = subcommands, .summary = "Commands about the daemon's options."},
    {0},
};

const struct command *command_rows_config(void) { return rows; }
