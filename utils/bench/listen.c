/* listen: many listeners of CACHE FEED in one thread, which read what comes and throw it away, until standard input ends.
 *
 *   listen ADDRESS [options]            ADDRESS: a port on 127.0.0.1, or the path of a Unix socket
 *     --listeners N   (1)
 *     --hashed        changes of keys as hashes
 *     --prefix P      of these keys only; with a % in it each listener has its own, with its number in place of that
 *
 * Reading is cheap, so that it is the server that is measured: large reads, and frames are looked at in none. Prints "listening" once all
 * are, and at the end one line of JSON: the bytes that came, and how many reads that took.
 */
#include "address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ROOM = 1 << 20, PREFIX_MAX = 256 };

struct options {
    const char *address, *prefix;
    unsigned long listeners;
    bool hashed;
};

static _Noreturn void die(const char *what) {
    fprintf(stderr, "listen: %s: %s\n", what, strerror(errno));
    exit(2);
}

static size_t put_word(char *at, const char *word) { return (size_t)sprintf(at, "$%zu\r\n%s\r\n", strlen(word), word); }

/* The reply is a map, which begins with a % or, if the server has none of this, an error. */
static int begin(const struct options *o, unsigned long number, char *room) {
    char text[PREFIX_MAX * 2 + 256], prefix[PREFIX_MAX + 24] = "";
    size_t n = (size_t)sprintf(text, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*%d\r\n$5\r\nCACHE\r\n$4\r\nFEED\r\n", 2 + o->hashed + 2 * !!o->prefix);
    if (o->hashed) n += put_word(text + n, "HASHED");
    if (o->prefix) {
        const char *mark = strchr(o->prefix, '%');
        if (mark) sprintf(prefix, "%.*s%02lu%s", (int)(mark - o->prefix), o->prefix, number, mark + 1);
        else strcpy(prefix, o->prefix);
        n += put_word(text + n, "PREFIX");
        n += put_word(text + n, prefix);
    }
    int fd = address_connect(o->address);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n) die(o->address);
    for (size_t have = 0;;) { /* HELLO's map, then this one's: "status" is the third name in it */
        ssize_t got = read(fd, room + have, ROOM - 1 - have);
        if (got <= 0) die("no reply");
        room[have += (size_t)got] = 0;
        if (strstr(room, "\r\nstatus\r\n")) break;
        if (strstr(room, "\r\n-")) {
            fprintf(stderr, "listen: the server says %s\n", strstr(room, "\r\n-") + 2);
            exit(2);
        }
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK)) die("fcntl");
    return fd;
}

static void watch(int epoll, int fd) {
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
}

static void run(int epoll, char *room) {
    uint64_t bytes = 0, reads = 0;
    for (;;) {
        struct epoll_event e[256];
        int n = epoll_wait(epoll, e, 256, -1);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            ssize_t got = read(e[i].data.fd, room, ROOM);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (got <= 0 && e[i].data.fd != STDIN_FILENO) die("the server closed a connection");
            if (got <= 0) {
                printf("{\"bytes\": %llu, \"reads\": %llu}\n", (unsigned long long)bytes, (unsigned long long)reads);
                return;
            }
            bytes += (uint64_t)got;
            reads++;
        }
    }
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: listen ADDRESS [--listeners N] [--hashed] [--prefix P]\n");
    exit(2);
}

int main(int argc, char **argv) {
    struct options o = {.listeners = 1};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--hashed")) o.hashed = true;
        else if (!strcmp(argv[i], "--prefix") && i + 1 < argc) o.prefix = argv[++i];
        else if (!strcmp(argv[i], "--listeners") && i + 1 < argc) o.listeners = strtoul(argv[++i], NULL, 10);
        else if (argv[i][0] != '-' && !o.address) o.address = argv[i];
        else usage();
    }
    if (!o.address || !o.listeners || (o.prefix && strlen(o.prefix) > PREFIX_MAX)) usage();
    char *room = malloc(ROOM);
    int epoll = epoll_create1(0);
    if (!room || epoll < 0) die("start");
    for (unsigned long i = 0; i < o.listeners; i++) watch(epoll, begin(&o, i, room));
    watch(epoll, STDIN_FILENO);
    puts("listening");
    fflush(stdout);
    run(epoll, room);
    return 0;
}
