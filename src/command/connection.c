#include "command/admin.h"
#include "command/version.h"

/* To a subscriber, in RESP2: in the form of a message. */
static void pong(struct call *c) {
    resp_array(c->w, 2);
    resp_text(c->w, "pong");
    if (c->argc == 2) resp_bulk(c->w, c->argv[1].p, c->argv[1].n);
    else resp_text(c->w, "");
}

static void run_ping(struct call *c) {
    if (c->argc > 2)
        reply_arity(c);
    else if (c->w->proto == 2 && c->s->attends & (ATTEND_FEED | ATTEND_CHANNELS))
        pong(c);
    else if (c->argc == 2)
        resp_bulk(c->w, c->argv[1].p, c->argv[1].n);
    else
        RESP_RAW(c->w, "+PONG\r\n");
}

static void run_echo(struct call *c) { resp_bulk(c->w, c->argv[1].p, c->argv[1].n); }

static void run_quit(struct call *c) {
    resp_ok(c->w);
    c->closed = true;
}

static void run_reset(struct call *c) {
    session_reset(c->s);
    RESP_RAW(c->w, "+RESET\r\n");
}

static void run_select(struct call *c) {
    int64_t db;
    if (!call_i64(c, 1, &db)) return;
    if (db < INT32_MIN || db > INT32_MAX) {
        reply_error(c, "ERR value is out of range, value must between -2147483648 and 2147483647");
    } else if (db < 0 || db >= option_get(&call_env(c)->store_config.databases)) {
        reply_error(c, "ERR DB index is out of range");
    } else {
        c->s->db = (unsigned)db;
        resp_ok(c->w);
    }
}

/* -- who it is --------------------------------------------------------------------------------------- */

/* There is one user, "default"; with no password set, any is right for it. */
static bool log_in(struct call *c, struct slice user, struct slice password) {
    struct env *e = call_env(c);
    bool right =
        slice_equal(user, SLICE("default")) &&
        (!option_get(&e->config.has_password) || option_matches(e->options, "requirepass", password));
    if (right)
        c->s->authenticated = true;
    else
        reply_error(c, "WRONGPASS invalid username-password pair or user is disabled.");
    return right;
}

static void run_auth(struct call *c) {
    if (c->argc > 3) {
        reply_syntax(c);
    } else if (c->argc == 2 && !option_get(&call_env(c)->config.has_password)) {
        reply_error(c, "ERR AUTH <password> called without any password configured for the default user. Are "
                       "you sure your "
                       "configuration is correct?");
    } else if (log_in(c, c->argc == 3 ? c->argv[1] : SLICE("default"), c->argv[c->argc - 1])) {
        resp_ok(c->w);
    }
}

struct hello {
    int64_t proto; /* 0: as it is */
    bool log_in, rename;
    struct slice user, password, name;
};

static bool hello_parse(struct call *c, struct hello *h) {
    if (c->argc > 1) {
        if (!call_i64_or(c, 1, &h->proto, "ERR Protocol version is not an integer or out of range"))
            return false;
        if (h->proto < 2 || h->proto > 3) {
            reply_error(c, "NOPROTO unsupported protocol version");
            return false;
        }
    }
    for (int i = 2; i < c->argc; i++) {
        int more = c->argc - 1 - i;
        if (call_is(c, i, "auth") && more >= 2) {
            h->log_in = true;
            h->user = c->argv[i + 1];
            h->password = c->argv[i + 2];
            i += 2;
        } else if (call_is(c, i, "setname") && more >= 1) {
            h->rename = true;
            h->name = c->argv[++i];
            if (!client_word_ok(h->name)) return client_name(c, h->name);
        } else {
            struct slice word = c->argv[i];
            reply_errorf(
                c, "ERR Syntax error in HELLO option '%.*s'", (int)(word.n < 128 ? word.n : 128), word.p);
            return false;
        }
    }
    return true;
}

static void run_hello(struct call *c) {
    struct hello h = {0};
    if (!hello_parse(c, &h)) return;
    if (h.log_in && !log_in(c, h.user, h.password)) return;
    if (session_needs_auth(c->s)) {
        reply_error(c, "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
                       "HELLO <proto> AUTH "
                       "<user> <pass> option can be used to authenticate the client and select the RESP "
                       "protocol version at "
                       "the same time");
        return;
    }
    if (h.rename && !client_name(c, h.name)) return;
    if (h.proto) c->w->proto = (int)h.proto;
    resp_map(c->w, 7);
    resp_text(c->w, "server");
    resp_text(c->w, "redis");
    resp_text(c->w, "version");
    resp_text(c->w, REDIS_VERSION);
    resp_text(c->w, "proto");
    resp_int(c->w, c->w->proto);
    resp_text(c->w, "id");
    resp_int(c->w, (int64_t)c->s->id);
    resp_text(c->w, "mode");
    resp_text(c->w, "standalone");
    resp_text(c->w, "role");
    resp_text(c->w, "master");
    resp_text(c->w, "modules");
    resp_array(c->w, 0);
}

/* -- rows -------------------------------------------------------------------------------------------- */

static const char *const auth_history[] = {"6.0.0", "A user's name before the password.", NULL};
static const char *const hello_history[] = {
    "6.2.0", "The version may be left out: then only the reply is given.", NULL};

#define EARLY (C_NOSCRIPT | C_LOADING | C_STALE | C_FAST | C_NO_AUTH | C_ALLOW_BUSY)
#define GROUP .categories = A_CONNECTION, .group = "connection"

static const struct command rows[] = {
    {.name = "AUTH",
        .arity = -2,
        .flags = EARLY,
        GROUP,
        .run = run_auth,
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of passwords defined for the user",
        .history = auth_history,
        .summary = "Proves to the server who the client is.",
        .syntax = "[username{since 6.0.0}] password"},
    {.name = "ECHO",
        .arity = 2,
        .flags = C_LOADING | C_STALE | C_FAST,
        GROUP,
        .run = run_echo,
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Replies what it is given.",
        .syntax = "message"},
    {.name = "HELLO",
        .arity = -1,
        .flags = EARLY,
        GROUP,
        .run = run_hello,
        .since = "6.0.0",
        .complexity = "O(1)",
        .history = hello_history,
        .summary = "Agrees on the protocol, and may log in and name the connection.",
        .syntax = "[protover [AUTH username password] [SETNAME clientname]]"},
    {.name = "PING",
        .arity = -1,
        .flags = C_FAST | C_LISTENER,
        GROUP,
        .run = run_ping,
        .since = "1.0.0",
        .complexity = "O(1)",
        .tips = "request_policy:all_shards response_policy:all_succeeded",
        .summary = "Asks whether the server answers.",
        .syntax = "[message]"},
    {.name = "QUIT",
        .arity = -1,
        .flags = EARLY | C_LISTENER,
        GROUP,
        .run = run_quit,
        .since = "1.0.0",
        .complexity = "O(1)",
        .deprecated = "7.2.0 just closing the connection",
        .summary = "Closes the connection."},
    {.name = "RESET",
        .arity = 1,
        .flags = EARLY | C_LISTENER,
        GROUP,
        .run = run_reset,
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "Makes the connection what it was when it was new."},
    {.name = "SELECT",
        .arity = 2,
        .flags = C_LOADING | C_STALE | C_FAST,
        GROUP,
        .run = run_select,
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Chooses the database of this connection.",
        .syntax = "index"},
    {0},
};

const struct command *command_rows_connection(void) { return rows; }
