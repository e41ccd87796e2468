#include "net/stream.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PIECES 64          /* chunks written at a time: 1 MB */
#define SMALL 32768        /* kept bytes up to here go through the shared buffer again */
#define FIRST_ROOM 1048576 /* however long a request says it is, it must come before it gets more room than this */

/* -- what is to be looked at without an event ------------------------------------------------------------------------------ */

/* Edge-triggered: what was told and not used up is ours to remember. */
static void again_add(struct stream *s) {
    struct loop *l = s->loop;
    if (s->again || s->closing) return;
    s->again = true;
    s->next_again = NULL;
    s->prev_again = l->again_last;
    if (l->again_last)
        l->again_last->next_again = s;
    else
        l->again_first = s;
    l->again_last = s;
}

static void again_remove(struct stream *s) {
    struct loop *l = s->loop;
    if (!s->again) return;
    s->again = false;
    if (s->prev_again)
        s->prev_again->next_again = s->next_again;
    else
        l->again_first = s->next_again;
    if (s->next_again)
        s->next_again->prev_again = s->prev_again;
    else
        l->again_last = s->prev_again;
}

int stream_init(struct stream *s, struct loop *l, int fd, struct chain *out, const struct stream_calls *calls) {
    *s = (struct stream){.loop = l, .calls = calls, .out = out, .fd = fd};
    buf_init(&s->in, MEM_CLIENT);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s};
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK || !fcntl(fd, F_SETFL, flags | O_NONBLOCK)) &&
        !epoll_ctl(l->set, EPOLL_CTL_ADD, fd, &e))
        return 0;
    int error = errno;
    close(fd);
    return -error;
}

/* -- reading ---------------------------------------------------------------------------------------------------------------- */

/* Bytes that were offered from outside of `in`: what is left over is kept. */
static void keep_rest(struct stream *s, const char *p, size_t n) {
    if (!n) {
        buf_free(&s->in);
        return;
    }
    s->in.n = 0;
    buf_put(&s->in, p, n);
}

static void offer_kept(struct stream *s) {
    s->need = 0;
    size_t used = s->calls->bytes(s, s->in.p, s->in.n, &s->need);
    assert(used <= s->in.n);
    if (s->closing) return;
    if (used == s->in.n)
        buf_free(&s->in);
    else if (used)
        buf_drop(&s->in, used);
}

/* One recv. Less than was asked for: there was no more, until the next event or the end that is known to follow. */
static ssize_t receive(struct stream *s, char *p, size_t room) {
    ssize_t n = recv(s->fd, p, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        s->readable = errno == EINTR;
        if (s->readable) again_add(s);
        return -1;
    }
    if (n <= 0) {
        int error = n < 0 ? errno : 0;
        s->readable = false;
        if (!error && s->out->head) stream_flush(s); /* it may have ended one direction only */
        if (!s->closing) s->calls->ended(s, error);
        return -1;
    }
    s->received += (uint64_t)n;
    s->readable = (size_t)n == room || s->left;
    if (s->readable) again_add(s);
    return n;
}

/* Reads behind the bytes kept, in the shared buffer: nothing is allocated unless a part is left again. */
static void read_shared(struct stream *s) {
    struct loop *l = s->loop;
    size_t kept = s->in.n;
    char *p = l->scratch + l->scratch_used;
    ssize_t n = receive(s, p + kept, LOOP_READ);
    if (n < 0) return;
    if (kept) memcpy(p, s->in.p, kept);
    size_t all = kept + (size_t)n;
    s->reading = true;
    l->reads[l->reads_count++] = (struct loop_read){s, p, all};
    l->scratch_used += (all + 63) & ~(size_t)63;
}

static void read_long(struct stream *s) {
    size_t most = s->in.n * 2 > FIRST_ROOM ? s->in.n * 2 : FIRST_ROOM;
    size_t whole = s->need > s->in.n ? s->need : s->in.n + LOOP_READ;
    if (whole > most) whole = most;
    if (s->in.cap < whole) buf_room(&s->in, whole - s->in.n);
    ssize_t n = receive(s, s->in.p + s->in.n, s->in.cap - s->in.n);
    if (n < 0) return;
    s->in.n += (size_t)n;
    if (s->in.n < s->need) return; /* no need to look before it is whole */
    offer_kept(s);
}

static void stream_read(struct stream *s) {
    struct loop *l = s->loop;
    if (s->reading || l->reads_count == LOOP_READS || LOOP_SCRATCH - l->scratch_used < LOOP_READ + s->in.n) {
        stream_give_all(l);
        if (s->closing || s->paused || s->finishing) return;
    }
    if (s->in.n <= SMALL && s->need <= SMALL)
        read_shared(s);
    else
        read_long(s);
}

/* The peer left, and nobody reads: whoever waits is told. */
static void tell_left(struct stream *s) {
    if (s->left && s->paused && !s->deaf && !s->finishing) s->calls->hangup(s);
}

void stream_event(struct stream *s, uint32_t events) {
    if (s->closing) return;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) s->left = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        s->readable = true;
        if (s->paused)
            tell_left(s);
        else if (!s->finishing)
            stream_read(s);
        if (s->closing) return;
    }
    if (events & EPOLLOUT && s->blocked) {
        s->blocked = false;
        stream_send(s);
    }
}

void stream_read_again(struct loop *l) {
    unsigned n = 0; /* those that are added meanwhile are the next turn's */
    for (struct stream *s = l->again_first; s; s = s->next_again) n++;
    while (n-- && l->again_first) {
        struct stream *s = l->again_first;
        again_remove(s);
        if (s->out->head && !s->blocked) stream_send(s);
        if (s->paused)
            tell_left(s);
        else if (s->readable && !s->finishing)
            stream_read(s);
    }
}

static void give(const struct loop_read *r) {
    struct stream *s = r->stream;
    s->reading = false;
    if (s->closing || s->finishing) return;
    bool kept = s->in.n > 0;
    s->need = 0;
    size_t used = s->calls->bytes(s, r->p, r->n, &s->need);
    assert(used <= r->n);
    if (s->closing) return;
    if (kept || used < r->n) keep_rest(s, r->p + used, r->n - used);
}

void stream_give_all(struct loop *l) {
    unsigned n = l->reads_count;
    if (!n) return;
    if (l->at_reads) l->at_reads(l->owner, l->reads, n);
    for (unsigned i = 0; i < n; i++) give(&l->reads[i]);
    l->reads_count = 0;
    l->scratch_used = 0;
}

void stream_pause(struct stream *s) {
    s->paused = true;
    s->deaf = false;
    if (s->left) again_add(s);
}

void stream_resume(struct stream *s) {
    s->paused = false;
    if (s->readable) again_add(s);
}

void stream_ignore_hangup(struct stream *s) { s->deaf = true; }

void stream_offer(struct stream *s) {
    if (s->in.n && !s->closing && !s->finishing) offer_kept(s);
}

void stream_mark(struct stream *s) {
    if (s->closing) return;
    s->dirty = true;
    s->next_dirty = NULL;
    if (s->loop->dirty_last)
        s->loop->dirty_last->next_dirty = s;
    else
        s->loop->dirty_first = s;
    s->loop->dirty_last = s;
}

static ssize_t send_out(struct stream *s, size_t *asked) {
    struct iovec v[PIECES];
    int n = chain_iov(s->out, v, PIECES);
    if (n == 0) return 0;
    for (int i = 0; i < n; i++) *asked += v[i].iov_len;
    if (n == 1) return send(s->fd, v[0].iov_base, v[0].iov_len, MSG_NOSIGNAL);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
    return sendmsg(s->fd, &m, MSG_NOSIGNAL);
}

int stream_flush(struct stream *s) {
    if (s->closing || s->blocked) return 0;
    size_t asked = 0;
    bool full;
    ssize_t n = send_out(s, &asked);
    if (n < 0) {
        int error = errno;
        if (error != EAGAIN && error != EINTR) {
            s->calls->ended(s, error);
            return -error;
        }
        n = 0;
        full = error == EAGAIN;
    } else {
        full = (size_t)n < asked;
    }
    if (n) {
        chain_sent(s->out, (size_t)n);
        if (s->calls->sent) s->calls->sent(s, (size_t)n);
        if (s->closing) return 0;
    }
    if (!s->out->head) {
        if (s->finishing) stream_close(s);
    } else if (full) {
        s->blocked = true; /* an event tells when there is room again */
    } else {
        again_add(s); /* more than goes into one call: the rest in the next turn, so that others have theirs */
    }
    return 0;
}

void stream_flush_all(struct loop *l) {
    while (l->dirty_first) {
        struct stream *s = l->dirty_first;
        l->dirty_first = s->next_dirty;
        if (!l->dirty_first) l->dirty_last = NULL;
        s->dirty = false;
        stream_flush(s);
    }
}

void stream_finish(struct stream *s) {
    if (s->closing || s->finishing) return;
    s->finishing = true;
    stream_send(s); /* the end of the turn writes, or finds nothing to write and closes */
}

void stream_close(struct stream *s) {
    if (s->closing) return;
    s->closing = true;
    /* Unread input would make the kernel answer with a reset, which may overtake the last reply. */
    char unread[8192];
    for (int i = 0; s->finishing && i < 64 && recv(s->fd, unread, sizeof unread, MSG_DONTWAIT) > 0; i++) {}
    again_remove(s);
    close(s->fd); /* which takes it out of the set; events that were told already find `closing` */
    s->next_closed = s->loop->closed;
    s->loop->closed = s;
}

void stream_bury(struct loop *l) {
    while (l->closed) {
        struct stream *s = l->closed;
        l->closed = s->next_closed;
        buf_free(&s->in);
        s->calls->gone(s);
    }
}

void stream_nodelay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on Unix sockets, where there is no delay */
}

void stream_keepalive(int fd, int seconds) {
    int on = seconds > 0;
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) || !on) return;
    int interval = seconds / 3 > 0 ? seconds / 3 : 1, count = 3;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage any;
};

static void name_of(const union address *a, char *out, size_t cap) {
    char text[INET6_ADDRSTRLEN] = "?";
    if (a->sa.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->in.sin_addr, text, sizeof text);
        snprintf(out, cap, "%s:%u", text, ntohs(a->in.sin_port));
    } else if (a->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof text);
        snprintf(out, cap, "[%s]:%u", text, ntohs(a->in6.sin6_port));
    } else {
        snprintf(out, cap, "%.*s:0", (int)cap - 3, a->un.sun_path);
    }
}

void stream_names(int fd, char *peer, char *local, size_t cap) {
    union address a = {0}, b = {0};
    socklen_t len = sizeof a - 1;
    snprintf(peer, cap, "?:0");
    snprintf(local, cap, "?:0");
    if (!getsockname(fd, &a.sa, &len)) name_of(&a, local, cap);
    len = sizeof b - 1;
    if (a.sa.sa_family == AF_UNIX)
        snprintf(peer, cap, "%s", local); /* who connects has no name of his own */
    else if (!getpeername(fd, &b.sa, &len))
        name_of(&b, peer, cap);
}

bool stream_peer_local(int fd) {
    union address a = {0};
    socklen_t len = sizeof a;
    if (getpeername(fd, &a.sa, &len)) return false;
    if (a.sa.sa_family == AF_INET) return (ntohl(a.in.sin_addr.s_addr) >> 24) == 127;
    if (a.sa.sa_family != AF_INET6) return a.sa.sa_family == AF_UNIX;
    if (IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) return a.in6.sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&a.in6.sin6_addr);
}
