/* CLIENT: what concerns the asking session alone. Questions to all sessions are in clients.c. */
#include "command/clients.h"

#include "base/clock.h"
#include "command/tracking.h"

bool client_word_ok(struct slice word) {
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] < '!' || word.p[i] > '~') return false;
    return true;
}

bool client_name(struct call *c, struct slice name) {
    if (!client_word_ok(name)) {
        reply_error(c, "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    session_set_text(&c->s->name, name);
    return true;
}

static void run_id(struct call *c) { resp_int(c->w, (int64_t)c->s->id); }

static void run_info(struct call *c) {
    struct buf line;
    buf_init(&line, MEM_CLIENT);
    c->s->last = c->cmd; /* the line tells of the command that asks for it */
    session_describe(c->s, &line);
    resp_verbatim(c->w, "txt", buf_slice(&line));
    buf_free(&line);
}

static void run_getname(struct call *c) {
    if (c->s->name)
        resp_text(c->w, c->s->name);
    else
        resp_null(c->w);
}

static void run_setname(struct call *c) {
    if (client_name(c, c->argv[2])) resp_ok(c->w);
}

static void run_setinfo(struct call *c) {
    char **field = call_is(c, 2, "lib-name")  ? &c->s->lib_name
                   : call_is(c, 2, "lib-ver") ? &c->s->lib_version
                                              : NULL;
    struct slice attribute = c->argv[2];
    if (!field) {
        reply_errorf(
            c, "ERR Unrecognized option '%.*s'", (int)(attribute.n < 128 ? attribute.n : 128), attribute.p);
    } else if (!client_word_ok(c->argv[3])) {
        reply_errorf(c, "ERR %.*s cannot contain spaces, newlines or special characters.", (int)attribute.n,
            attribute.p);
    } else {
        session_set_text(field, c->argv[3]);
        resp_ok(c->w);
    }
}

static void run_reply(struct call *c) {
    struct session *s = c->s;
    if (call_is(c, 2, "on")) {
        s->replies_off = s->reply_skip = s->reply_skip_next = false;
        resp_ok(c->w);
    } else if (call_is(c, 2, "off")) {
        s->replies_off = true;
    } else if (call_is(c, 2, "skip")) {
        if (!s->replies_off) s->reply_skip_next = true;
    } else {
        reply_syntax(c);
    }
}

static void run_switch(struct call *c, bool *field) {
    bool on = call_is(c, 2, "on");
    if (!on && !call_is(c, 2, "off")) {
        reply_syntax(c);
        return;
    }
    *field = on;
    resp_ok(c->w);
}

static void run_no_evict(struct call *c) { run_switch(c, &c->s->no_evict); }
static void run_no_touch(struct call *c) { run_switch(c, &c->s->no_touch); }

/* A second pause while one lasts makes it longer or wider, never shorter or narrower. */
static void run_pause(struct call *c) {
    struct env *e = call_env(c);
    int64_t ms, now = clock_ms();
    bool writes_only = c->argc > 3 && call_is(c, 3, "write");
    if (c->argc > 4) {
        reply_bad_sub(c);
        return;
    }
    if (c->argc > 3 && !writes_only && !call_is(c, 3, "all")) {
        reply_error(c, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!server_timeout(c, 2, &ms)) return;
    lock_acquire(&e->text_lock);
    int64_t until = atomic_load(&e->pause_until_ms);
    if (until > now) {
        if (!atomic_load(&e->pause_writes_only)) writes_only = false;
        if (until < now + ms) until = now + ms;
    } else {
        until = now + ms;
    }
    atomic_store(&e->pause_writes_only, writes_only);
    atomic_store(&e->pause_until_ms, until);
    lock_release(&e->text_lock);
    e->host->pause(e);
    resp_ok(c->w);
}

static void run_unpause(struct call *c) {
    struct env *e = call_env(c);
    atomic_store(&e->pause_until_ms, 0);
    e->host->pause(e);
    resp_ok(c->w);
}

static void run_help(struct call *c) {
    static const char *const lines[] = {
        "CACHING <YES|NO>",
        "    Track the keys of the next command (OPTIN), or do not (OPTOUT).",
        "GETREDIR",
        "    The number of the connection that invalidations go to: 0 this one, -1 tracking is off.",
        "GETNAME",
        "    The name of this connection, if it has one.",
        "ID",
        "    The number of this connection.",
        "INFO",
        "    The line that CLIENT LIST has for this connection.",
        "KILL <ip:port>",
        "    Close the connection from that address.",
        "KILL <option> <value> [<option> <value> ...]",
        "    Close the connections that all options fit:",
        "    ADDR <ip:port>      the client's address",
        "    LADDR <ip:port>     the address it is connected to",
        "    ID <number>         its number",
        "    TYPE <type>         NORMAL, MASTER, REPLICA or PUBSUB",
        "    USER <name>         the user it is logged in as",
        "    MAXAGE <seconds>    connected for at least so long",
        "    SKIPME <yes|no>     leave out the asking connection (default: yes)",
        "LIST [TYPE <type> | ID <number> ...]",
        "    One line for each connection.",
        "NO-EVICT <ON|OFF>",
        "    Keep this connection when clients take too much memory.",
        "NO-TOUCH <ON|OFF>",
        "    Commands of this connection do not count as use of the keys.",
        "PAUSE <milliseconds> [WRITE|ALL]",
        "    Hold back the commands of all clients, or only those that write.",
        "REPLY <ON|OFF|SKIP>",
        "    Send replies, none, or none to the next command.",
        "SETINFO <LIB-NAME|LIB-VER> <value>",
        "    Say which library this client uses.",
        "SETNAME <name>",
        "    Name this connection; an empty name takes it away.",
        "TRACKING <ON|OFF> [REDIRECT <number>] [BCAST] [PREFIX <prefix> ...] [OPTIN] [OPTOUT] [NOLOOP]",
        "    Be told when keys change that were read, or that begin with a prefix.",
        "TRACKINGINFO",
        "    How this connection's tracking stands.",
        "UNBLOCK <number> [TIMEOUT|ERROR]",
        "    End the waiting of a blocked client.",
        "UNPAUSE",
        "    End a pause.",
        NULL,
    };
    reply_help(c, lines);
}

/* COMMAND DOCS finds the tokens in it, and says since when there are such arguments. */
static const char *const kill_history[] = {
    "2.8.12", "A filter of options, `TYPE` among them.",
    "2.8.12", "The `ID` option.",
    "3.2.0", "`MASTER` as a type.",
    "5.0.0", "`REPLICA` as a type; its older name, slave, is still understood.",
    "6.2.0", "The `LADDR` option.",
    NULL,
};
static const char *const list_history[] = {
    "2.8.12", "The field `id`.",
    "5.0.0", "The `TYPE` filter.",
    "6.0.0", "The field `user`.",
    "6.2.0", "The fields `argv-mem`, `tot-mem`, `laddr`, `redir`, and the `ID` filter.",
    "7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`.",
    "7.0.3", "The field `ssub`.",
    "7.2.0", "The fields `lib-name` and `lib-ver`.",
    NULL,
};
static const char *const pause_history[] = {"6.2.0", "The mode, `WRITE` or `ALL`.", NULL};

#define PLAIN (C_NOSCRIPT | C_LOADING | C_STALE)
#define ADMIN (C_ADMIN | PLAIN)
#define KILL_FILTER                                                                                          \
    "[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | "              \
    "[ADDR ip:port] | [LADDR ip:port] | [SKIPME yes/no]"
#define GROUP .categories = A_CONNECTION, .group = "connection"

static const struct command subcommands[] = {
    {.name = "CACHING",
        .arity = 3,
        .flags = PLAIN,
        GROUP,
        .run = tracking_caching,
        .since = "6.0.0",
        .complexity = "O(1)",
        .summary = "Whether the keys that the next command reads are tracked.",
        .syntax = "<YES | NO>"},
    {.name = "GETNAME",
        .arity = 2,
        .flags = PLAIN,
        GROUP,
        .run = run_getname,
        .since = "2.6.9",
        .complexity = "O(1)",
        .summary = "The name of this connection."},
    {.name = "GETREDIR",
        .arity = 2,
        .flags = PLAIN,
        GROUP,
        .run = tracking_getredir,
        .since = "6.0.0",
        .complexity = "O(1)",
        .summary = "To which client invalidations for this one are redirected.",},
    {.name = "HELP",
        .arity = 2,
        .flags = C_LOADING | C_STALE,
        GROUP,
        .run = run_help,
        .since = "5.0.0",
        .complexity = "O(1)",
        .summary = "A short text on each subcommand."},
    {.name = "ID",
        .arity = 2,
        .flags = PLAIN,
        GROUP,
        .run = run_id,
        .since = "5.0.0",
        .complexity = "O(1)",
        .summary = "The number of this connection, never used twice."},
    {.name = "INFO",
        .arity = 2,
        .flags = PLAIN,
        GROUP,
        .run = run_info,
        .since = "6.2.0",
        .complexity = "O(1)",
        .tips = "nondeterministic_output",
        .summary = "What is known of this connection, in one line."},
    {.name = "KILL",
        .arity = -3,
        .flags = ADMIN,
        GROUP,
        .run = clients_kill,
        .since = "2.4.0",
        .complexity = "O(N) where N is the number of client connections",
        .history = kill_history,
        .summary = "Closes connections, by address or by a filter.",
        .syntax = "<ip:port{deprecated_since 2.8.12} | <" KILL_FILTER "> [<" KILL_FILTER "> ...]>"},
    {.name = "LIST",
        .arity = -2,
        .flags = ADMIN,
        GROUP,
        .run = clients_list,
        .since = "2.4.0",
        .complexity = "O(N) where N is the number of client connections",
        .history = list_history,
        .tips = "nondeterministic_output",
        .summary = "What is known of each connection, a line each.",
        .syntax = "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]"},
    {.name = "NO-EVICT",
        .arity = 3,
        .flags = ADMIN,
        GROUP,
        .run = run_no_evict,
        .since = "7.0.0",
        .complexity = "O(1)",
        .summary = "Whether this connection may be closed when clients take too much memory.",
        .syntax = "<ON | OFF>"},
    {.name = "NO-TOUCH",
        .arity = 3,
        .flags = PLAIN,
        GROUP,
        .run = run_no_touch,
        .since = "7.2.0",
        .complexity = "O(1)",
        .summary = "Whether commands of this connection count as use of the keys they name.",
        .syntax = "<ON | OFF>"},
    {.name = "PAUSE",
        .arity = -3,
        .flags = ADMIN,
        GROUP,
        .run = run_pause,
        .since = "2.9.50",
        .complexity = "O(1)",
        .history = pause_history,
        .summary = "Holds back the commands of all clients for a time.",
        .syntax = "timeout [WRITE | ALL]"},
    {.name = "REPLY",
        .arity = 3,
        .flags = PLAIN,
        GROUP,
        .run = run_reply,
        .since = "3.2.0",
        .complexity = "O(1)",
        .summary = "Whether commands of this connection are replied to.",
        .syntax = "<ON | OFF | SKIP>"},
    {.name = "SETINFO",
        .arity = 4,
        .flags = PLAIN,
        GROUP,
        .run = run_setinfo,
        .since = "7.2.0",
        .complexity = "O(1)",
        .tips = "request_policy:all_nodes response_policy:all_succeeded",
        .summary = "Says which library, and which version of it, this client uses.",
        .syntax = "<LIB-NAME libname | LIB-VER libver>"},
    {.name = "SETNAME",
        .arity = 3,
        .flags = PLAIN,
        GROUP,
        .run = run_setname,
        .since = "2.6.9",
        .complexity = "O(1)",
        .tips = "request_policy:all_nodes response_policy:all_succeeded",
        .summary = "Gives this connection a name.",
        .syntax = "connection-name"},
    {.name = "TRACKING",
        .arity = -3,
        .flags = PLAIN,
        GROUP,
        .run = tracking_run,
        .since = "6.0.0",
        .complexity = "O(1). Some options may introduce additional complexity.",
        .summary = "Whether this client is told when keys change that it has read.",
        .syntax = "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]"},
    {.name = "TRACKINGINFO",
        .arity = 2,
        .flags = PLAIN,
        GROUP,
        .run = tracking_info,
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "How the keys that this client reads are tracked.",},
    {.name = "UNBLOCK",
        .arity = -3,
        .flags = ADMIN,
        GROUP,
        .run = clients_unblock,
        .since = "5.0.0",
        .complexity = "O(log N) where N is the number of client connections",
        .summary = "Ends the waiting of a client that a command blocks.",
        .syntax = "client-id [TIMEOUT | ERROR]"},
    {.name = "UNPAUSE",
        .arity = 2,
        .flags = ADMIN,
        GROUP,
        .run = run_unpause,
        .since = "6.2.0",
        .complexity = "O(N) Where N is the number of paused clients",
        .summary = "Lets the commands of paused clients go on."},
    {0},
};

static const struct command rows[] = {
    {.name = "CLIENT",
        .arity = -2,
        .group = "connection",
        .since = "2.4.0",
        .complexity = "Depends on subcommand.",
        .sub = subcommands,
        .summary = "Commands about client connections."},
    {0},
};

const struct command *command_rows_client(void) { return rows; }
