/* The server's sockets: which there are, and who gets a new connection. */
#include "base/clock.h"
#include "base/log.h"
#include "server/notify.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct binding {
    struct listener *listener;
    const struct server_config *config;
    struct buf *why;
    int port;
    bool ok;
};

static void bind_address(void *arg, const char *address, bool optional) {
    struct binding *b = arg;
    if (!b->ok) return;
    b->ok = listen_tcp(b->listener, address, optional, b->port, (int)option_get(&b->config->tcp_backlog), b->why);
    if (!b->port) b->port = listen_port(b->listener); /* the kernel's choice holds for the further addresses */
}

static bool bind_unix(struct server *s, struct listener *l, struct buf *why) {
    const struct server_config *c = &s->settings.server;
    struct buf path = {0};
    option_text(s->env->options, "unixsocket", &path);
    bool ok = !path.n || listen_unix(l, buf_cstr(&path), (mode_t)option_get(&c->unixsocketperm),
                             (int)option_get(&c->tcp_backlog), why);
    buf_free(&path);
    return ok;
}

static bool take_passed(struct listener *l, int first, int n, struct buf *why) {
    for (int fd = first; fd < first + n; fd++)
        if (!listen_passed(l, fd, why)) return false;
    return true;
}

#define CHOICES 16

static struct listener *fresh_listener(struct server *s) {
    struct listener *l = listen_new();
    listen_follow(l, s->newest);
    return l;
}

static void bind_addresses(struct server *s, struct binding *b) {
    bool any = !b->port;
    for (int i = 0; i < CHOICES; i++) {
        settings_bind_each(&s->settings, bind_address, b);
        bool taken = !b->ok && any && b->port; /* the port that the kernel chose for one address, on another */
        if (!taken || i + 1 == CHOICES) return;
        listen_free(b->listener);
        b->listener = fresh_listener(s);
        b->why->n = 0;
        b->port = 0;
        b->ok = true;
    }
}

struct listener *server_listen(struct server *s, struct buf *why) {
    struct listener *l = fresh_listener(s);
    struct binding b = {.listener = l, .config = &s->settings.server, .why = why, .ok = true};
    int first, passed = notify_sockets(&first);
    b.port = (int)option_get(&b.config->port);
    if (passed > 0) { /* whoever started us has said by these where to listen */
        b.ok = take_passed(l, first, passed, why);
    } else {
        b.ok = bind_unix(s, l, why);
        /* Port 0 without any other way in: any free port. */
        if (b.ok && (b.port || !listen_count(l))) {
            bind_addresses(s, &b);
            l = b.listener;
            if (b.ok && !listen_count(l)) {
                buf_puts(why, "none of the addresses of `bind` exists on this machine");
                b.ok = false;
            }
        }
    }
    if (b.ok) return s->newest = l;
    listen_free(l);
    return NULL;
}

static struct worker *least_loaded(struct server *s, unsigned *total) {
    struct worker *best = &s->worker[0];
    unsigned least = atomic_load(&best->load);
    *total = least;
    for (unsigned i = 1; i < s->workers; i++) {
        unsigned n = atomic_load(&s->worker[i].load);
        *total += n;
        if (n < least) {
            least = n;
            best = &s->worker[i];
        }
    }
    return best;
}

static void connection(void *arg, int fd, const char *path) {
    static const char full[] = "-ERR max number of clients reached\r\n";
    struct server *s = arg;
    unsigned total;
    struct worker *w = least_loaded(s, &total);
    (void)path;
    if (total < (uint64_t)option_get(&s->env->config.maxclients)) {
        worker_give(w, fd);
        return;
    }
    /* This runs on the first worker's thread: the counter is its own. */
    counter_add(&s->env->lane[0]->rejected_connections, 1);
    if (send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_verbose("A connection over maxclients was gone before it could be told: %s", strerror(errno));
    close(fd);
}

static void trouble(void *arg, const char *text, int error) {
    struct server *s = arg;
    int64_t now = clock_mono_us();
    if (s->accept_logged_us && now - s->accept_logged_us < 1000000) return;
    s->accept_logged_us = now;
    log_warning("Accepting client connection: %s: %s", text, strerror(error));
}

bool server_accept(struct server *s) {
    int rc = listen_start(s->listener, &s->worker[0].loop, connection, trouble, s);
    if (rc) log_warning("Cannot watch the listening sockets: %s", strerror(-rc));
    atomic_store(&s->env->port, listen_port(s->listener));
    return rc == 0;
}

static void exchange(void *to, void *arg) {
    struct server *s = to;
    struct listener *l = arg;
    lock_acquire(&s->listen_lock);
    listen_follow(l, NULL);
    listen_free(s->listener);
    s->listener = l;
    lock_release(&s->listen_lock);
    if (s->stopping) server_unlisten(s);
    else server_accept(s);
}

/* While another is on its way it is left to exchange. */
void server_unlisten(struct server *s) {
    lock_acquire(&s->listen_lock);
    if (s->newest == s->listener) {
        listen_free(s->listener);
        s->listener = s->newest = NULL;
    }
    lock_release(&s->listen_lock);
}

/* Addresses that stay keep their sockets. Options change one at a time, so nobody else makes a listener meanwhile. */
const char *server_socket_changed(struct server *s) {
    struct buf why = {0};
    int first;
    if (notify_sockets(&first) > 0) return NULL; /* whoever started us says where to listen */
    lock_acquire(&s->listen_lock);
    struct listener *l = server_listen(s, &why);
    lock_release(&s->listen_lock);
    if (!l) log_warning("Could not change the listening sockets: %s", buf_cstr(&why));
    buf_free(&why);
    if (!l) return "Unable to listen on this address or port. Check server logs.";
    loop_post(&s->worker[0].loop, exchange, s, l);
    return NULL;
}
