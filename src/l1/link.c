#include "l1/link.h"

#include "base/clock.h"
#include "base/num.h"
#include "resp/writer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_SIZE = 16384, KEPT_INPUT = 262144, KEPT_CHUNKS = 8, WORDS_MAX = 16 };

static const struct reply_limits limits = {.max_bulk = INT64_C(1) << 30, .max_nodes = 1 << 26};

void link_init(struct link *k) {
    *k = (struct link){.fd = -1};
    chain_pool_init(&k->chunks, KEPT_CHUNKS);
    chain_init(&k->out, &k->chunks);
    buf_init(&k->in, MEM_CLIENT);
    reply_reader_init(&k->reader);
}

void link_close(struct link *k) {
    if (k->fd >= 0) close(k->fd);
    k->fd = -1;
    chain_free(&k->out);
    chain_pool_free(&k->chunks);
    chain_pool_init(&k->chunks, KEPT_CHUNKS);
    buf_free(&k->in);
    k->read = 0;
    reply_reader_free(&k->reader);
}

static enum link_status lost(struct link *k, const char *what) {
    snprintf(k->error, sizeof k->error, "%s", what);
    return LINK_LOST;
}

/* Waits for events until the deadline. */
static enum link_status wait_for(struct link *k, short events, short *got, int64_t deadline) {
    for (;;) {
        int64_t left = deadline - clock_mono_us();
        if (left <= 0) return LINK_TIMEOUT;
        struct pollfd p = {k->fd, events, 0};
        int n = poll(&p, 1, left / 1000 > 3600000 ? 3600000 : (int)(left / 1000) + 1);
        *got = p.revents;
        if (n > 0) return LINK_OK;
        if (n < 0 && errno != EINTR) return lost(k, strerror(errno));
    }
}

/* --- connecting --- */

static enum link_status connected(struct link *k, const struct sockaddr *to, socklen_t n, int64_t deadline) {
    k->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (k->fd < 0) return lost(k, strerror(errno));
    int failed = connect(k->fd, to, n) ? errno : 0;
    if (failed == EINPROGRESS) {
        short got;
        socklen_t size = sizeof failed;
        enum link_status status = wait_for(k, POLLOUT, &got, deadline);
        if (status != LINK_OK) {
            snprintf(k->error, sizeof k->error, "no connection in time");
            return status;
        }
        if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &failed, &size)) failed = errno;
    }
    if (failed) return lost(k, strerror(failed));
    if (to->sa_family != AF_UNIX) setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return LINK_OK;
}

static enum link_status connect_unix(struct link *k, const char *path, int64_t deadline) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) return lost(k, "the socket's path is too long");
    memcpy(a.sun_path, path, strlen(path) + 1);
    return connected(k, (struct sockaddr *)&a, sizeof a, deadline);
}

static enum link_status connect_tcp(struct link *k, const struct url *u, int64_t deadline) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV}, *list = NULL;
    int wrong = getaddrinfo(u->host, u->port, &hints, &list);
    if (wrong) return lost(k, gai_strerror(wrong));
    enum link_status status = LINK_LOST;
    for (struct addrinfo *a = list; a && status != LINK_OK; a = a->ai_next) {
        if (k->fd >= 0) close(k->fd);
        k->fd = -1;
        status = connected(k, a->ai_addr, a->ai_addrlen, deadline);
        if (status == LINK_TIMEOUT) break;
    }
    freeaddrinfo(list);
    return status;
}

/* A server that is still loading, or has no room for one more, may have us later. */
bool link_later(const struct link *k) {
    static const char words[][28] = {"LOADING ", "MASTERDOWN ", "ERR max number of clients"};
    const struct reply_node *node = link_node(k);
    for (size_t i = 0; node->kind == REPLY_ERROR && i < sizeof words / sizeof *words; i++)
        if (node->text.n > strlen(words[i]) && !memcmp(node->text.p, words[i], strlen(words[i]))) return true;
    return false;
}

void link_explain(struct link *k, const char *what) {
    struct slice text = link_node(k)->text;
    snprintf(k->error, sizeof k->error, "%s: %.*s", what, (int)(text.n > 100 ? 100 : text.n), text.p);
}

static enum link_status refused(struct link *k, const char *what) {
    link_explain(k, what);
    return link_later(k) ? LINK_LOST : LINK_REFUSED;
}

/* One round trip: who we are, which database, and whether it knows CACHE FETCH. */
static enum link_status greet(struct link *k, const struct url *u, const char *name, int64_t deadline) {
    char db[NUM_I64_MAX];
    enum link_status status;
    db[num_put_u64(db, u->db)] = 0;
    if (u->password) link_words(k, "HELLO", "3", "AUTH", u->user ? u->user : "default", u->password, "SETNAME", name, NULL);
    else link_words(k, "HELLO", "3", "SETNAME", name, NULL);
    link_words(k, "SELECT", db, NULL);
    link_words(k, "COMMAND", "INFO", "cache|fetch", NULL);
    if ((status = link_flush(k, deadline)) != LINK_OK || (status = link_reply(k, deadline)) != LINK_OK) return status;
    if (link_node(k)->kind == REPLY_ERROR) return refused(k, "HELLO");
    if ((status = link_reply(k, deadline)) != LINK_OK) return status;
    if (link_node(k)->kind == REPLY_ERROR) return refused(k, "SELECT");
    if ((status = link_reply(k, deadline)) != LINK_OK) return status;
    k->larder = k->reader.n > 1 && link_node(k)->kind == REPLY_ARRAY && link_node(k)[1].kind == REPLY_ARRAY;
    return LINK_OK;
}

enum link_status link_open(struct link *k, const struct url *u, const char *name, int64_t deadline) {
    *k->error = 0;
    enum link_status status = u->path ? connect_unix(k, u->path, deadline) : connect_tcp(k, u, deadline);
    if (status == LINK_OK) status = greet(k, u, name, deadline);
    if (status != LINK_OK) link_close(k);
    return status;
}

bool link_alive(struct link *k) {
    char c;
    if (k->in.n > k->read || !chain_empty(&k->out)) return false; /* replies that nobody read: who comes next must not get them */
    return recv(k->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* --- speaking --- */

void link_request(struct link *k, size_t argc, const struct slice *argv) {
    struct resp_writer w = {&k->out, 2};
    resp_array(&w, argc);
    for (size_t i = 0; i < argc; i++) resp_bulk(&w, argv[i].p, argv[i].n);
}

void link_words(struct link *k, const char *word, ...) {
    struct slice argv[WORDS_MAX];
    size_t argc = 0;
    va_list list;
    va_start(list, word);
    for (; word && argc < WORDS_MAX; word = va_arg(list, const char *)) argv[argc++] = slice_of(word);
    va_end(list);
    link_request(k, argc, argv);
}

enum link_status link_fill(struct link *k) {
    if (k->read) { /* what is used up makes room */
        buf_drop(&k->in, k->read);
        k->read = 0;
        if (!k->in.n && k->in.cap > KEPT_INPUT) buf_free(&k->in);
    }
    char *to = buf_room(&k->in, READ_SIZE);
    ssize_t n = recv(k->fd, to, k->in.cap - k->in.n, MSG_DONTWAIT);
    if (n > 0) {
        k->in.n += (size_t)n;
        return LINK_OK;
    }
    if (n == 0) return lost(k, "the server closed the connection");
    return errno == EAGAIN || errno == EINTR ? LINK_TIMEOUT : lost(k, strerror(errno));
}

/* Reads meanwhile too: a server that cannot send its replies does not read what is behind them. */
enum link_status link_flush(struct link *k, int64_t deadline) {
    while (!chain_empty(&k->out)) {
        struct iovec v[16];
        struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)chain_iov(&k->out, v, 16)};
        ssize_t n = sendmsg(k->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            chain_sent(&k->out, (size_t)n);
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return lost(k, strerror(errno));
        short got;
        enum link_status status = wait_for(k, POLLOUT | POLLIN, &got, deadline);
        if (status == LINK_OK && (got & POLLIN) && (status = link_fill(k)) == LINK_TIMEOUT) status = LINK_OK;
        if (status != LINK_OK) return status;
    }
    return LINK_OK;
}

enum link_status link_buffered(struct link *k) {
    size_t used;
    if (k->in.n == k->read) return LINK_TIMEOUT;
    switch (reply_reader_next(&k->reader, &limits, k->in.p + k->read, k->in.n - k->read, &used)) {
    case REPLY_WHOLE: k->read += used; return LINK_OK;
    case REPLY_BROKEN: return lost(k, k->reader.error);
    default: return LINK_TIMEOUT;
    }
}

enum link_status link_reply(struct link *k, int64_t deadline) {
    for (;;) {
        short got;
        enum link_status status = link_buffered(k);
        if (status != LINK_TIMEOUT) return status;
        if ((status = link_fill(k)) == LINK_OK) continue;
        if (status != LINK_TIMEOUT || (status = wait_for(k, POLLIN, &got, deadline)) != LINK_OK) return status;
    }
}
