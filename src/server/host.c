/* What commands ask of the server that runs them. */
#include "base/log.h"
#include "command/changes.h"
#include "server/conn.h"
#include "server/server.h"

struct posted {
    void (*job)(struct lane *to, void *arg);
    void *arg;
};

static struct server *server_of(struct host *h) { return (struct server *)h; /* its first member */ }

static void run_posted(void *to, void *arg) {
    struct posted p = *(struct posted *)arg;
    mem_free(MEM_MISC, arg);
    p.job(to, p.arg);
    changes_settle(to);
}

static void host_post(struct host *h, unsigned lane, void (*job)(struct lane *to, void *arg), void *arg) {
    struct server *s = server_of(h);
    struct posted *p = mem_alloc(MEM_MISC, sizeof *p);
    *p = (struct posted){job, arg};
    loop_post(&s->worker[lane].loop, run_posted, s->env->lane[lane], p);
}

static void host_close(struct session *s, bool after_replies) {
    if (after_replies)
        conn_close_later(conn_of(s));
    else
        conn_close(conn_of(s));
}

static void host_wake(struct session *s) {
    struct conn *c = conn_of(s);
    worker_queue(c->worker, c);
}

static void host_flush(struct session *s) { conn_output(conn_of(s)); }

static void host_alarm(struct lane *l, int64_t ms) { worker_alarm(l->host_lane, ms); }

static void host_pause(struct env *e) {
    struct server *s = server_of(e->host);
    for (unsigned i = 0; i < s->workers; i++) worker_look_at_pause(&s->worker[i]);
}

static void host_shutdown(struct env *e, bool now) {
    log_warning("User requested shutdown...%s", now ? " (now)" : "");
    server_stop(server_of(e->host));
}

static void host_background(struct env *e) {
    struct server *s = server_of(e->host);
    for (unsigned i = 0; i < s->workers; i++) worker_look_at_background(&s->worker[i]);
}

static const char *host_rewrite(struct env *e, struct buf *why) {
    if (!e->config_file[0]) return "The server is running without a config file";
    return conf_rewrite(e->options, e->config_file, why);
}

struct host server_host(void) {
    return (struct host){
        .post = host_post,
        .close = host_close,
        .wake = host_wake,
        .flush = host_flush,
        .alarm = host_alarm,
        .pause = host_pause,
        .shutdown = host_shutdown,
        .rewrite_config = host_rewrite,
        .background = host_background,
    };
}
