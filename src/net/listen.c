#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TAKE_MOST 1000 /* connections taken in one turn */

struct listen_socket {
    struct listen_socket *next;
    struct listener *owner;
    uv_poll_t poll;
    int fd;
    bool watched;
    char *path;     /* of a Unix socket */
    bool made_path; /* remove it at the end */
};

struct listener {
    struct listen_socket *first, **last;
    struct listener *before; /* whose sockets may be shared */
    size_t count, open;
    int reserve; /* a descriptor to give up when there is no other */
    listen_taken *taken;
    listen_trouble *trouble;
    void *arg;
    bool freed;
};

struct listener *listen_new(void) {
    struct listener *l = mem_zalloc(MEM_MISC, sizeof *l);
    l->last = &l->first;
    l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return l;
}

static void listener_drop(struct listener *l) {
    if (l->reserve >= 0) close(l->reserve);
    mem_free(MEM_MISC, l);
}

static void socket_drop(struct listen_socket *s) {
    struct listener *l = s->owner;
    if (s->fd >= 0) close(s->fd);
    mem_free(MEM_MISC, s->path);
    mem_free(MEM_MISC, s);
    if (--l->open == 0 && l->freed) listener_drop(l);
}

static void socket_closed(uv_handle_t *h) { socket_drop(h->data); }

void listen_free(struct listener *l) {
    if (!l) return;
    l->freed = true;
    struct listen_socket *s = l->first;
    if (!s) listener_drop(l); /* otherwise the last socket to go takes it along */
    while (s) {
        struct listen_socket *next = s->next;
        if (s->made_path) unlink(s->path);
        if (s->watched) {
            uv_close((uv_handle_t *)&s->poll, socket_closed);
            close(s->fd); /* at once: the address is free again when this returns */
            s->fd = -1;
        } else socket_drop(s);
        s = next;
    }
}

static void listener_add(struct listener *l, int fd, const char *path, bool made_path) {
    struct listen_socket *s = mem_zalloc(MEM_MISC, sizeof *s);
    s->owner = l;
    s->fd = fd;
    s->path = path ? mem_strdup(MEM_MISC, path) : NULL;
    s->made_path = made_path;
    *l->last = s;
    l->last = &s->next;
    l->count++;
    l->open++;
}

static bool fail(struct buf *why, int fd, const char *what, const char *name) {
    int error = errno;
    if (fd >= 0) close(fd);
    buf_printf(why, "%s %s: %s", what, name, strerror(error));
    return false;
}

union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static bool same_address(const union address *a, const union address *b) {
    if (a->sa.sa_family != b->sa.sa_family) return false;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return a->sa.sa_family == AF_INET6 && a->in6.sin6_port == b->in6.sin6_port &&
           a->in6.sin6_scope_id == b->in6.sin6_scope_id && !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr);
}

/* The socket of those before that listens on a TCP address, or on a Unix path. */
static struct listen_socket *find_before(const struct listener *l, const union address *to, const char *path) {
    for (l = l->before; l; l = l->before)
        for (struct listen_socket *s = l->first; s; s = s->next) {
            union address a = {0};
            socklen_t len = sizeof a;
            if (path ? s->path && !strcmp(s->path, path) : !s->path && !getsockname(s->fd, &a.sa, &len) && same_address(&a, to))
                return s;
        }
    return NULL;
}

static int share(const struct listen_socket *s) { return fcntl(s->fd, F_DUPFD_CLOEXEC, 0); }

static int bind_one(const struct listener *l, const struct addrinfo *a, int port, int backlog) {
    union address to = {0};
    memcpy(&to, a->ai_addr, a->ai_addrlen < sizeof to ? a->ai_addrlen : sizeof to);
    if (a->ai_family == AF_INET6)
        to.in6.sin6_port = htons((uint16_t)port);
    else
        to.in.sin_port = htons((uint16_t)port);
    const struct listen_socket *before = find_before(l, &to, NULL);
    if (before) return share(before);
    int on = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if ((a->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, &to.sa, a->ai_addrlen) ||
        listen(fd, backlog)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static bool may_be_absent(int error) {
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT || error == ENOPROTOOPT ||
           error == ESOCKTNOSUPPORT || error == EPFNOSUPPORT;
}

bool listen_tcp(struct listener *l, const char *address, bool optional, int port, int backlog, struct buf *why) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    const char *node = address;
    if (!strcmp(address, "*")) {
        hints.ai_family = AF_INET;
        node = NULL;
    } else if (!strcmp(address, "::*")) {
        hints.ai_family = AF_INET6;
        node = NULL;
    }
    char name[300];
    snprintf(name, sizeof name, "%s:%d", address, port);
    int rc = getaddrinfo(node, "0", &hints, &list);
    if (rc) {
        if (optional && rc != EAI_MEMORY && rc != EAI_SYSTEM) return true;
        buf_printf(why, "cannot resolve %s: %s", name, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return false;
    }
    int fd = -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) fd = bind_one(l, a, port, backlog);
    freeaddrinfo(list);
    if (fd < 0) {
        if (optional && may_be_absent(errno)) return true;
        return fail(why, -1, "cannot listen on", name);
    }
    listener_add(l, fd, NULL, false);
    return true;
}

bool listen_unix(struct listener *l, const char *path, mode_t mode, int backlog, struct buf *why) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return fail(why, -1, "cannot listen on", path);
    }
    strcpy(a.sun_path, path);
    const struct listen_socket *before = find_before(l, NULL, path);
    if (before) {
        int shared = share(before);
        if (shared < 0) return fail(why, -1, "cannot listen on", path);
        listener_add(l, shared, path, false);
        return true;
    }
    struct stat st;
    if (!lstat(path, &st) && S_ISSOCK(st.st_mode)) unlink(path); /* left by one that was killed */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a)) return fail(why, fd, "cannot listen on", path);
    if ((mode && chmod(path, mode)) || listen(fd, backlog)) {
        int error = errno;
        unlink(path);
        errno = error;
        return fail(why, fd, "cannot listen on", path);
    }
    listener_add(l, fd, path, true);
    return true;
}

bool listen_passed(struct listener *l, int fd, struct buf *why) {
    union {
        struct sockaddr sa;
        struct sockaddr_un un;
        struct sockaddr_storage any;
    } a = {0};
    socklen_t len = sizeof a;
    int accepting = 0, type = 0;
    socklen_t n = sizeof accepting, m = sizeof type;
    char name[32];
    snprintf(name, sizeof name, "descriptor %d", fd);
    if (getsockname(fd, &a.sa, &len) || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &n) ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &m))
        return fail(why, -1, "cannot use the socket passed as", name);
    if (!accepting || type != SOCK_STREAM) {
        buf_printf(why, "the socket passed as %s is not a listening stream socket", name);
        return false;
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC)) return fail(why, -1, "cannot use the socket passed as", name);
    listener_add(l, fd, a.sa.sa_family == AF_UNIX ? a.un.sun_path : NULL, false);
    return true;
}

void listen_follow(struct listener *l, struct listener *before) {
    for (struct listen_socket *s = before ? NULL : l->first; s; s = s->next) {
        struct listen_socket *old = s->path ? find_before(l, NULL, s->path) : NULL;
        if (!old) continue;
        s->made_path |= old->made_path;
        old->made_path = false;
    }
    l->before = before;
}

size_t listen_count(const struct listener *l) { return l->count; }

int listen_port(const struct listener *l) {
    for (const struct listen_socket *s = l->first; s; s = s->next) {
        union {
            struct sockaddr sa;
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } a = {0};
        socklen_t len = sizeof a;
        if (s->path || getsockname(s->fd, &a.sa, &len)) continue;
        if (a.sa.sa_family == AF_INET) return ntohs(a.in.sin_port);
        if (a.sa.sa_family == AF_INET6) return ntohs(a.in6.sin6_port);
    }
    return 0;
}

const char *listen_path(const struct listener *l) {
    for (const struct listen_socket *s = l->first; s; s = s->next)
        if (s->path) return s->path;
    return NULL;
}

/* Somebody waits, and there is no descriptor for him: use the reserve to tell him so by closing. */
static bool turn_away(struct listener *l, int listening) {
    if (l->reserve < 0) return false;
    close(l->reserve);
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static void on_waiting(uv_poll_t *poll, int status, int events) {
    struct listen_socket *s = poll->data;
    struct listener *l = s->owner;
    (void)status;
    (void)events;
    for (int i = 0; i < TAKE_MOST && !l->freed; i++) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            l->taken(l->arg, fd, s->path);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
        int error = errno;
        l->trouble(l->arg, "accept", error);
        if ((error == EMFILE || error == ENFILE) && turn_away(l, s->fd)) continue;
        return;
    }
}

int listen_start(struct listener *l, struct loop *loop, listen_taken *taken, listen_trouble *trouble, void *arg) {
    l->taken = taken;
    l->trouble = trouble;
    l->arg = arg;
    for (struct listen_socket *s = l->first; s; s = s->next) {
        int rc = uv_poll_init(&loop->uv, &s->poll, s->fd);
        if (rc) return rc;
        s->watched = true;
        s->poll.data = s;
        uv_poll_start(&s->poll, UV_READABLE, on_waiting);
    }
    return 0;
}
