#include "net/listen.h"
#include "net/stream.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct taker {
    struct loop loop;
    struct listener *listener;
    int fd[64], n, troubles, error;
};

static void taken(void *arg, int fd, const char *path) {
    struct taker *t = arg;
    (void)path;
    t->fd[t->n++] = fd;
}

static void trouble(void *arg, const char *text, int error) {
    (void)text;
    ((struct taker *)arg)->troubles++;
    ((struct taker *)arg)->error = error;
}

static void begin(struct taker *t) {
    memset(t, 0, sizeof *t);
    cr_assert_eq(loop_init(&t->loop, NULL, NULL, NULL), 0);
    t->listener = listen_new();
}

static void end(struct taker *t) {
    for (int i = 0; i < t->n; i++) close(t->fd[i]);
    listen_free(t->listener);
    loop_free(&t->loop);
}

static void start(struct taker *t) { cr_assert_eq(listen_start(t->listener, &t->loop, taken, trouble, t), 0); }

static int connect_port(int family, int port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(family, SOCK_STREAM, 0);
    int rc = family == AF_INET ? connect(fd, (struct sockaddr *)&in, sizeof in)
                               : connect(fd, (struct sockaddr *)&in6, sizeof in6);
    if (!rc) return fd;
    close(fd);
    return -1;
}

Test(listen, several_addresses_share_a_port_that_the_kernel_chose) {
    struct taker t;
    struct buf why = {0};
    begin(&t);
    cr_assert(listen_tcp(t.listener, "127.0.0.1", false, 0, 16, &why));
    int port = listen_port(t.listener);
    cr_assert_gt(port, 0);
    cr_assert(listen_tcp(t.listener, "::1", false, port, 16, &why), "%s", buf_cstr(&why));
    cr_assert(listen_tcp(t.listener, "192.0.2.7", true, port, 16, &why), "optional, and not of this machine");
    cr_assert_eq(listen_count(t.listener), 2);
    start(&t);
    int a = connect_port(AF_INET, port), b = connect_port(AF_INET6, port);
    cr_assert_geq(a, 0);
    cr_assert_geq(b, 0);
    while (t.n < 2) loop_turn(&t.loop, true);
    char peer[72], local[72], want[72];
    stream_names(t.fd[0], peer, local, sizeof peer);
    snprintf(want, sizeof want, "127.0.0.1:%d", port);
    if (peer[0] == '[') snprintf(want, sizeof want, "[::1]:%d", port);
    cr_assert_str_eq(local, want);
    cr_assert(stream_peer_local(t.fd[0]));
    cr_assert(fcntl(t.fd[0], F_GETFL) & O_NONBLOCK);
    cr_assert(fcntl(t.fd[0], F_GETFD) & FD_CLOEXEC);
    close(a);
    close(b);
    end(&t);
    buf_free(&why);
}

Test(listen, says_why_not) {
    struct taker t;
    struct buf why = {0};
    begin(&t);
    cr_assert_not(listen_tcp(t.listener, "192.0.2.7", false, 0, 16, &why));
    cr_assert(strstr(buf_cstr(&why), "192.0.2.7:0: Cannot assign requested address"), "%s", why.p);
    why.n = 0;
    cr_assert(listen_tcp(t.listener, "127.0.0.1", false, 0, 16, &why));
    cr_assert_not(listen_tcp(t.listener, "127.0.0.1", true, listen_port(t.listener), 16, &why), "in use is no excuse");
    cr_assert(strstr(buf_cstr(&why), "Address already in use"), "%s", why.p);
    why.n = 0;
    char path[300];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    cr_assert_not(listen_unix(t.listener, path, 0, 16, &why));
    why.n = 0;
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert_not(listen_passed(t.listener, pair[0], &why));
    cr_assert(strstr(buf_cstr(&why), "not a listening stream socket"), "%s", why.p);
    close(pair[0]);
    close(pair[1]);
    end(&t);
    buf_free(&why);
}

Test(listen, unix_path_with_its_mode_replaced_and_removed) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/larder-test-%d.sock", (int)getpid());
    for (int round = 0; round < 2; round++) {
        struct taker t;
        struct buf why = {0};
        struct stat st;
        begin(&t);
        int stale = socket(AF_UNIX, SOCK_STREAM, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        strcpy(a.sun_path, path);
        if (!round) cr_assert_eq(bind(stale, (struct sockaddr *)&a, sizeof a), 0, "left by one that was killed");
        cr_assert(listen_unix(t.listener, path, 0600, 16, &why), "%s", buf_cstr(&why));
        cr_assert_str_eq(listen_path(t.listener), path);
        cr_assert_eq(listen_port(t.listener), 0);
        cr_assert_eq(stat(path, &st), 0);
        cr_assert_eq(st.st_mode & 0777, 0600);
        start(&t);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
        while (!t.n) loop_turn(&t.loop, true);
        char peer[72], local[72], want[72];
        stream_names(t.fd[0], peer, local, sizeof peer);
        snprintf(want, sizeof want, "%s:0", path);
        cr_assert_str_eq(peer, want);
        cr_assert_str_eq(local, want);
        cr_assert(stream_peer_local(t.fd[0]));
        close(fd);
        close(stale);
        end(&t);
        cr_assert_neq(stat(path, &st), 0, "removed");
        buf_free(&why);
    }
}

Test(listen, a_passed_socket_is_used_and_its_path_left) {
    struct taker t;
    struct buf why = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    cr_assert_eq(listen(fd, 8), 0);
    begin(&t);
    cr_assert(listen_passed(t.listener, fd, &why));
    start(&t);
    int c = connect_port(AF_INET, listen_port(t.listener));
    cr_assert_geq(c, 0);
    while (!t.n) loop_turn(&t.loop, true);
    close(c);
    end(&t);
    buf_free(&why);
}

Test(listen, without_descriptors_a_connection_is_turned_away_at_once) {
    struct taker t;
    struct buf why = {0};
    struct rlimit old, few;
    begin(&t);
    cr_assert(listen_tcp(t.listener, "127.0.0.1", false, 0, 16, &why));
    start(&t);
    int c = connect_port(AF_INET, listen_port(t.listener));
    cr_assert_geq(c, 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = (rlim_t)dup(0); /* the lowest free number: none below it is left */
    close((int)few.rlim_cur);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (!t.troubles) loop_turn(&t.loop, true);
    cr_assert_eq(t.error, EMFILE);
    cr_assert_eq(t.n, 0);
    char byte;
    cr_assert_leq(recv(c, &byte, 1, 0), 0, "closed");
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    int d = connect_port(AF_INET, listen_port(t.listener));
    while (!t.n) loop_turn(&t.loop, true);
    close(c);
    close(d);
    end(&t);
    buf_free(&why);
}
