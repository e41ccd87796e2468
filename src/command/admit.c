#include "command/admit.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/account.h"
#include "command/changes.h"
#include "command/feed.h"
#include "command/persist.h"
#include "command/run.h"

#define LOADING "LOADING Redis is loading the dataset in memory"
#define HTTP_LOG_US 60000000 /* one line a minute about HTTP */

/* Texts are cut at a NUL and at 128 bytes, as Redis prints them. */
static size_t shown(struct slice s, size_t most) { return strnlen(s.p, s.n < most ? s.n : most); }

/* Somebody else's browser, made to send HTTP here: nothing that it sent is answered. */
static void refuse_http(struct call *c) {
    struct env *e = call_env(c);
    int64_t now = clock_mono_us(), last = atomic_load(&e->http_logged_us);
    if ((!last || now - last > HTTP_LOG_US) && atomic_compare_exchange_strong(&e->http_logged_us, &last, now))
        log_warning("%s sent what looks like HTTP and is cut off: a web page may be used to send commands here",
            c->s->address);
    c->s->closing = true;
    e->host->close(c->s, false);
}

static void refuse_unknown(struct call *c) {
    struct slice name = c->argv[0];
    struct buf args = {0};
    if (call_is(c, 0, "post") || call_is(c, 0, "host:")) {
        refuse_http(c);
        return;
    }
    for (int i = 1; i < c->argc && args.n < 128; i++) {
        struct slice a = c->argv[i];
        buf_puts(&args, "'");
        buf_put(&args, a.p, shown(a, 128 - (args.n - 1)));
        buf_puts(&args, "' ");
    }
    reply_errorf(c, "ERR unknown command '%.*s', with args beginning with: %.*s", (int)shown(name, 128), name.p,
        (int)args.n, args.n ? args.p : "");
    buf_free(&args);
}

static void refuse_fault(struct call *c, enum request_fault fault) {
    switch (fault) {
    case FAULT_UNKNOWN:
        refuse_unknown(c);
        break;
    case FAULT_UNKNOWN_SUB:
        reply_unknown_sub(c);
        break;
    case FAULT_ARITY:
        reply_arity(c);
        break;
    case FAULT_NONE:
        break;
    }
}

bool admit_paused(const struct env *e, bool write) {
    if (write && atomic_load_explicit(&e->writes_held, memory_order_relaxed)) return true;
    int64_t until = atomic_load_explicit(&e->pause_until_ms, memory_order_relaxed);
    if (!until || until <= clock_ms()) return false;
    return write || !atomic_load_explicit(&e->pause_writes_only, memory_order_relaxed);
}

#define UNSAVED                                                                                                              \
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may "    \
    "modify the data set are disabled, because this instance is configured to report errors during writes if RDB "           \
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."

/* As in Redis, whose health checks so see it too. */
static bool refused_unsaved(const struct command *c) { return (c->flags & C_WRITE) || !strcmp(c->name, "PING"); }

/* In RESP2 replies and messages could not be told apart. */
static bool listener_may(const struct session *s, const struct request *q) {
    if (s->attends & (ATTEND_FEED | ATTEND_CHANNELS)) return q->command->flags & C_LISTENER;
    return true;
}

static void refuse_listener(struct call *c) {
    char name[128];
    size_t n = command_fullname(c->cmd, name, sizeof name);
    reply_errorf(c, "ERR Can't execute '%.*s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        (int)n, name);
}

enum admission admit_request(struct batch *b, struct session *s, const struct request *q) {
    struct call *c = &b->call;
    bool refused = true;
    call_begin(c, q);
    if (q->fault)
        refuse_fault(c, q->fault);
    else if (session_needs_auth(s) && !(q->command->flags & C_NO_AUTH))
        reply_error(c, "NOAUTH Authentication required.");
    else if (atomic_load_explicit(&s->lane->env->loading, memory_order_relaxed) && !(q->command->flags & C_LOADING))
        reply_error(c, LOADING);
    else if (persist_refuses(s->lane->env) && refused_unsaved(q->command))
        reply_error(c, UNSAVED);
    else if (s->attends && c->w->proto == 2 && !listener_may(s, q))
        refuse_listener(c);
    else
        refused = false;
    if (refused) {
        account_rejected(c, q);
        return REFUSED;
    }
    if (s->listener) {
        changes_settle(s->lane);
        feed_give(s, true); /* a reply comes behind what had changed */
    }
    bool write = q->command->flags & (C_WRITE | C_MAY_REPLICATE);
    if (!admit_paused(s->lane->env, write)) return ADMITTED;
    s->held = write ? HOLD_WRITE : HOLD_READ;
    return HELD;
}
