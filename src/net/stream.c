#include "net/stream.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PIECES 64          /* chunks written at a time: 1 MB */
#define SMALL 32768        /* kept bytes up to here go through the shared buffer again */
#define FIRST_ROOM 1048576 /* however long a request says it is, it must come before it gets more room than this */

static void on_event(uv_poll_t *poll, int status, int events);

/* What the state asks of the kernel. Each change costs two system calls, so that the usual state never changes. */
static void stream_watch(struct stream *s) {
    int want = s->blocked ? UV_WRITABLE : 0;
    if (!s->paused && !s->finishing)
        want |= UV_READABLE;
    else if (!s->finishing && !s->deaf)
        want |= UV_DISCONNECT;
    if (want == s->watched) return;
    s->watched = want;
    if (want)
        uv_poll_start(&s->poll, want, on_event);
    else
        uv_poll_stop(&s->poll);
}

int stream_init(struct stream *s, struct loop *l, int fd, struct chain *out, const struct stream_calls *calls) {
    *s = (struct stream){.loop = l, .calls = calls, .out = out, .fd = fd};
    buf_init(&s->in, MEM_CLIENT);
    int rc = uv_poll_init(&l->uv, &s->poll, fd);
    if (rc) {
        close(fd);
        return rc;
    }
    s->poll.data = s;
    stream_watch(s);
    return 0;
}

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

/* Reads behind the bytes kept, in the shared buffer: nothing is allocated unless a part is left again. */
static void read_shared(struct stream *s) {
    struct loop *l = s->loop;
    size_t kept = s->in.n;
    if (s->reading || l->reads_count == LOOP_READS || LOOP_SCRATCH - l->scratch_used < LOOP_READ + kept) {
        stream_give_all(l);
        if (s->closing || s->paused || s->finishing) return;
        kept = s->in.n;
        if (kept > SMALL || s->need > SMALL) return; /* the next turn reads it the other way */
    }
    char *p = l->scratch + l->scratch_used;
    ssize_t n = recv(s->fd, p + kept, LOOP_READ, 0);
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        s->calls->ended(s, n < 0 ? errno : 0);
        return;
    }
    s->received += (uint64_t)n;
    if (kept) memcpy(p, s->in.p, kept);
    size_t all = kept + (size_t)n;
    s->reading = true;
    l->reads[l->reads_count++] = (struct loop_read){s, p, all};
    l->scratch_used += (all + 63) & ~(size_t)63;
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

static void read_long(struct stream *s) {
    size_t most = s->in.n * 2 > FIRST_ROOM ? s->in.n * 2 : FIRST_ROOM;
    size_t whole = s->need > s->in.n ? s->need : s->in.n + LOOP_READ;
    if (whole > most) whole = most;
    if (s->in.cap < whole) buf_room(&s->in, whole - s->in.n);
    ssize_t n = recv(s->fd, s->in.p + s->in.n, s->in.cap - s->in.n, 0);
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        s->calls->ended(s, n < 0 ? errno : 0);
        return;
    }
    s->received += (uint64_t)n;
    s->in.n += (size_t)n;
    if (s->in.n < s->need) return; /* no need to look before it is whole */
    offer_kept(s);
}

static void on_event(uv_poll_t *poll, int status, int events) {
    struct stream *s = poll->data;
    if (s->closing) return;
    if (status < 0) { /* libuv has stopped watching: an error condition on the socket */
        s->watched = 0;
        int error = 0;
        socklen_t len = sizeof error;
        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) || !error) error = ECONNRESET;
        s->calls->ended(s, error);
        return;
    }
    if (events & UV_READABLE && s->paused) {
        stream_watch(s);
    } else if (events & UV_READABLE && !s->finishing) {
        if (s->in.n <= SMALL && s->need <= SMALL)
            read_shared(s);
        else
            read_long(s);
        if (s->closing) return;
    }
    if (events & UV_DISCONNECT && s->paused && !s->deaf && !s->finishing) {
        s->calls->hangup(s);
        if (s->closing) return;
    }
    if (events & UV_WRITABLE && s->blocked) {
        s->blocked = false;
        stream_send(s);
        if (!s->out->head) stream_watch(s);
    }
}

/* Most pauses end before anything comes: the kernel is told only once something does. */
void stream_pause(struct stream *s) {
    s->paused = true;
    s->deaf = false;
}

void stream_resume(struct stream *s) {
    s->paused = false;
    if (!s->closing) stream_watch(s);
}

void stream_ignore_hangup(struct stream *s) {
    s->deaf = true;
    if (!s->closing) stream_watch(s);
}

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

static ssize_t send_out(struct stream *s) {
    struct iovec v[PIECES];
    int n = chain_iov(s->out, v, PIECES);
    if (n == 0) return 0;
    if (n == 1) return send(s->fd, v[0].iov_base, v[0].iov_len, MSG_NOSIGNAL);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
    return sendmsg(s->fd, &m, MSG_NOSIGNAL);
}

int stream_flush(struct stream *s) {
    if (s->closing || s->blocked) return 0;
    ssize_t n = send_out(s);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            int error = errno;
            s->calls->ended(s, error);
            return -error;
        }
        n = 0;
    }
    if (n) {
        chain_sent(s->out, (size_t)n);
        if (s->calls->sent) s->calls->sent(s, (size_t)n);
        if (s->closing) return 0;
    }
    if (s->out->head) {
        s->blocked = true;
        stream_watch(s);
    } else if (s->finishing) {
        stream_close(s);
    } else {
        stream_watch(s);
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
    stream_watch(s);
    stream_send(s); /* the end of the turn writes, or finds nothing to write and closes */
}

static void on_closed(uv_handle_t *h) {
    struct stream *s = h->data;
    buf_free(&s->in);
    s->calls->gone(s);
}

void stream_close(struct stream *s) {
    if (s->closing) return;
    s->closing = true;
    /* Unread input would make the kernel answer with a reset, which may overtake the last reply. */
    char unread[8192];
    for (int i = 0; s->finishing && i < 64 && recv(s->fd, unread, sizeof unread, MSG_DONTWAIT) > 0; i++) {}
    uv_close((uv_handle_t *)&s->poll, on_closed); /* no event of this descriptor is delivered any more */
    close(s->fd);
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
