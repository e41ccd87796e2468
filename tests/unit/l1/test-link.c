/* A connection over a pair of sockets. */
#include "l1/link.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

static int other_end(struct link *k) {
    int pair[2];
    link_init(k);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    k->fd = pair[0];
    return pair[1];
}

static void say(int fd, const char *text) { cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text)); }

static enum link_status next(struct link *k) { return link_reply(k, clock_mono_us() + 10000000); }

Test(link, is_not_lent_with_replies_that_nobody_read) {
    struct link k;
    int fd = other_end(&k);
    cr_assert(link_alive(&k));
    say(fd, "$1\r\na\r\n$1\r\nb\r\n");
    cr_assert_not(link_alive(&k));
    cr_assert_eq(next(&k), LINK_OK);
    cr_assert_not(link_alive(&k), "the second reply has been received but not read");
    cr_assert_eq(next(&k), LINK_OK);
    cr_assert(slice_equal(link_node(&k)->text, SLICE("b")));
    cr_assert(link_alive(&k));
    link_words(&k, "PING", NULL);
    cr_assert_not(link_alive(&k), "a request that was not sent");
    close(fd);
    link_close(&k);
}

Test(link, knows_errors_that_pass_by_themselves) {
    static const struct {
        const char *reply;
        bool later;
    } rows[] = {{"-LOADING Redis is loading the dataset in memory\r\n", true}, {"-ERR max number of clients reached\r\n", true},
        {"-MASTERDOWN Link with MASTER is down\r\n", true}, {"-ERR no such thing\r\n", false}, {"-LOADINGX y\r\n", false},
        {"$8\r\nLOADING \r\n", false}, {"+OK\r\n", false}};
    struct link k;
    int fd = other_end(&k);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        say(fd, rows[i].reply);
        cr_assert_eq(next(&k), LINK_OK);
        cr_assert_eq(link_later(&k), rows[i].later, "%s", rows[i].reply);
    }
    close(fd);
    link_close(&k);
}
