#include "server/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/dispatch.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct server_config *conn_config(const struct conn *c) { return &c->worker->server->settings.server; }

static void describe(const struct conn *c, struct buf *out) {
    session_describe(&c->session, out);
    while (out->n && out->p[out->n - 1] == '\n') out->n--;
    buf_cstr(out);
}

/* Says why a connection is closed, with the client's line where that level is logged at all. */
static void log_client(enum log_level level, const struct conn *c, const char *before, const char *after) {
    if (log_level_get() > level) return;
    struct buf line = {0};
    describe(c, &line);
    log_write(level, "%s%s%s", before, line.p, after);
    buf_free(&line);
}

/* -- leaving ------------------------------------------------------------------------------------------------------------ */

static void unqueue(struct conn *c) {
    if (c->running) TAILQ_REMOVE(&c->worker->run, c, queue);
    if (c->held) TAILQ_REMOVE(&c->worker->held, c, queue);
    c->running = c->held = false;
    loop_timer_free(c->timer);
    c->timer = NULL;
}

void conn_close(struct conn *c) {
    c->session.closing = true;
    session_leave(&c->session);
    unqueue(c);
    stream_close(&c->stream);
}

void conn_close_later(struct conn *c) {
    c->session.closing = true;
    unqueue(c);
    stream_finish(&c->stream);
}

static void conn_gone(struct stream *st) {
    struct conn *c = (struct conn *)st;
    struct worker *w = c->worker;
    unqueue(c);
    TAILQ_REMOVE(&w->conns, c, all);
    session_end(&c->session);
    atomic_fetch_sub(&w->load, 1);
    mem_free(MEM_CLIENT, c);
}

static void conn_ended(struct stream *st, int error) {
    struct conn *c = (struct conn *)st;
    if (log_level_get() <= LOG_VERBOSE_) {
        if (error)
            log_verbose("Connection to client lost: %s", strerror(error));
        else
            log_client(LOG_VERBOSE_, c, "Client closed connection ", "");
    }
    conn_close(c);
}

/* The client left while its request is under way. Redis would have answered a walk before it noticed; a wait ends. */
static void conn_hangup(struct stream *st) {
    struct conn *c = (struct conn *)st;
    if (c->waiting || c->held)
        conn_ended(st, 0);
    else
        stream_ignore_hangup(st);
}

/* -- limits --------------------------------------------------------------------------------------------------------------- */

static void output_over(struct conn *c) {
    log_client(LOG_WARNING_, c, "Client ", " scheduled to be closed ASAP for overcoming of output buffer limits.");
    counter_add(&c->session.lane->output_limit_closes, 1);
    conn_close(c);
}

static enum output_class output_class(const struct session *s) {
    const char *kind = session_kind(s);
    if (!strcmp(kind, "normal")) return OUTPUT_NORMAL;
    return !strcmp(kind, "pubsub") ? OUTPUT_PUBSUB : OUTPUT_REPLICA;
}

static void check_output(struct conn *c, int64_t now_us) {
    const struct output_limit *limit = &conn_config(c)->output_limit[output_class(&c->session)];
    uint64_t hard = (uint64_t)option_get(&limit->hard), soft = (uint64_t)option_get(&limit->soft);
    if (!hard && !soft) return;
    uint64_t size = chain_size(&c->session.out);
    if (hard && size > hard) {
        output_over(c);
        return;
    }
    if (!soft || size <= soft) {
        c->soft_since_us = 0;
    } else if (!c->soft_since_us) {
        c->soft_since_us = now_us;
    } else if (now_us - c->soft_since_us > option_get(&limit->soft_seconds) * 1000000) {
        output_over(c);
    }
}

static void query_over(struct conn *c, const char *p, size_t n) {
    if (log_level_get() <= LOG_WARNING_) {
        struct buf line = {0}, first = {0};
        describe(c, &line);
        for (size_t i = 0; i < n && i < 64; i++)
            buf_printf(&first, p[i] >= ' ' && p[i] <= '~' && p[i] != '"' && p[i] != '\\' ? "%c" : "\\x%02x",
                (unsigned char)p[i]);
        log_warning("Closing client that reached max query buffer length: %s (qbuf initial bytes: \"%s\")", line.p,
            buf_cstr(&first));
        buf_free(&line);
        buf_free(&first);
    }
    counter_add(&c->session.lane->query_limit_closes, 1);
    conn_close(c);
}

size_t conn_memory(const struct conn *c) {
    return session_memory(&c->session) + sizeof *c - sizeof c->session + c->stream.in.cap;
}

void conn_evict(struct conn *c) {
    log_client(LOG_NOTICE_, c, "Evicting client: ", "");
    counter_add(&c->session.lane->evicted_clients, 1);
    conn_close(c);
}

void conn_tick(struct conn *c, int64_t now_us) {
    struct session *s = &c->session;
    if (c->stream.closing) return;
    int64_t timeout = option_get(&conn_config(c)->timeout);
    bool exempt = session_parked(s) || c->held || s->monitor || s->attends & (ATTEND_CHANNELS | ATTEND_FEED);
    if (timeout && !exempt && now_us - s->active_us > timeout * 1000000) {
        log_verbose("Closing idle client");
        conn_close(c);
        return;
    }
    if (c->soft_since_us) check_output(c, now_us);
}

/* -- requests and replies --------------------------------------------------------------------------------------------------- */

static int64_t now_us(const struct conn *c) { return (int64_t)loop_now_ms(c->stream.loop) * 1000; }

void conn_output(struct conn *c) {
    if (c->stream.closing || chain_empty(&c->session.out)) return;
    stream_send(&c->stream);
    /* What fits one chunk is sent at the end of the turn, as a rule; only what may not be is looked at. */
    if (c->session.out.head != c->session.out.tail || c->stream.blocked) check_output(c, now_us(c));
}

/* Where the session stands after it executed something. */
static void conn_settle(struct conn *c) {
    struct session *s = &c->session;
    conn_output(c);
    if (c->stream.closing || c->stream.finishing) return;
    if (s->closing) {
        conn_close_later(c);
    } else if (session_parked(s)) {
        stream_pause(&c->stream);
        worker_queue(c->worker, c);
    } else if (dispatch_held(s)) {
        stream_pause(&c->stream);
        worker_hold(c->worker, c);
    }
}

static size_t conn_bytes(struct stream *st, const char *p, size_t n, size_t *need) {
    struct conn *c = (struct conn *)st;
    struct session *s = &c->session;
    uint64_t fresh = st->received - c->counted;
    if (fresh) {
        c->counted = st->received;
        counter_add(&s->lane->net_in, fresh);
        counter_add(&s->lane->reads, 1);
        counter_add(&s->net_in, fresh);
        s->active_us = now_us(c);
    }
    s->query_bytes = n;
    size_t used = dispatch_input(s, p, n, need);
    s->query_bytes = n - used;
    s->query_room = st->in.cap > n ? st->in.cap - n : 0;
    /* How long the request will be is known before it is all there. */
    size_t most = (size_t)option_get(&conn_config(c)->query_buffer_limit);
    if (!s->closing && (n - used > most || (need && *need > most)))
        query_over(c, p + used, n - used);
    conn_settle(c);
    return used;
}

void conn_foresee(struct worker *w, const struct loop_read *reads, unsigned n) {
    if (n < 2 || !store_prefetch_pays(w->lane->env->store)) return;
    for (unsigned i = 0; i < n; i++)
        dispatch_foresee(&((struct conn *)reads[i].stream)->session, reads[i].p, reads[i].n);
    dispatch_bring_near(w->lane);
}

static void conn_sent(struct stream *st, size_t n) {
    struct session *s = &((struct conn *)st)->session;
    counter_add(&s->lane->net_out, n);
    counter_add(&s->lane->writes, 1);
    counter_add(&s->net_out, n);
}

static const struct stream_calls calls = {conn_bytes, conn_sent, conn_ended, conn_hangup, conn_gone};

/* -- tasks ---------------------------------------------------------------------------------------------------------------- */

static void timer_fired(void *arg) {
    struct conn *c = arg;
    worker_queue(c->worker, c);
}

static void wait_until(struct conn *c, int64_t wake_us) {
    c->waiting = true;
    stream_pause(&c->stream); /* if the client has left meanwhile, it matters now */
    if (!wake_us) return;
    int64_t left = wake_us - clock_mono_us();
    if (!c->timer) c->timer = loop_timer_new(&c->worker->loop, timer_fired, c);
    loop_timer_set(c->timer, left > 0 ? (uint64_t)(left + 999) / 1000 : 0, 0);
}

void conn_step(struct conn *c) {
    struct session *s = &c->session;
    c->waiting = false;
    if (c->timer) loop_timer_off(c->timer);
    enum task_state state = session_step(s, STORE_SLICE_US);
    if (c->stream.closing) return;
    if (state == TASK_AGAIN) {
        worker_queue(c->worker, c);
        conn_output(c);
    } else if (state == TASK_WAIT) {
        wait_until(c, s->task->wake_us);
        conn_output(c);
    } else {
        conn_continue(c);
    }
}

void conn_continue(struct conn *c) {
    conn_output(c);
    if (c->stream.closing || c->stream.finishing) return;
    if (c->session.closing) {
        conn_close_later(c);
        return;
    }
    loop_timer_free(c->timer);
    c->timer = NULL;
    c->waiting = false;
    stream_resume(&c->stream);
    stream_offer(&c->stream);
}

/* -- arriving --------------------------------------------------------------------------------------------------------------- */

#define DENIED                                                                                                       \
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "   \
    "default user. In this mode connections are only accepted from the loopback interface and from Unix sockets. "   \
    "To let other machines in, set a password with requirepass (best), or turn protected mode off, with CONFIG SET " \
    "protected-mode no from this machine or protected-mode no in the conf file, and make sure that nobody but your " \
    "own machines can reach the port.\r\n"

static bool is_protected(struct conn *c) {
    return option_get(&conn_config(c)->protected_mode) &&
           !option_get(&c->session.lane->env->config.has_password) && !stream_peer_local(c->session.fd);
}

void conn_open(struct worker *w, int fd) {
    struct conn *c = mem_zalloc(MEM_CLIENT, sizeof *c);
    struct session *s = &c->session;
    c->worker = w;
    session_init(s, w->lane);
    int rc = stream_init(&c->stream, &w->loop, fd, &s->out, &calls);
    if (rc) {
        log_warning("Cannot watch a new connection: %s", strerror(-rc));
        session_end(s);
        mem_free(MEM_CLIENT, c);
        atomic_fetch_sub(&w->load, 1);
        return;
    }
    s->fd = fd;
    s->host_session = c;
    stream_names(fd, s->address, s->local_address, sizeof s->address);
    s->unix_socket = s->address[0] == '/' || s->address[0] == ':';
    TAILQ_INSERT_TAIL(&w->conns, c, all);
    if (!s->unix_socket) {
        stream_nodelay(fd);
        stream_keepalive(fd, (int)option_get(&conn_config(c)->tcp_keepalive));
    }
    log_verbose("Accepted %s", s->address);
    if (!is_protected(c)) return;
    counter_add(&w->lane->rejected_connections, 1);
    RESP_RAW(&s->writer, DENIED);
    conn_close_later(c);
}
