#include "net/stream.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A stream whose requests are "N:" and N bytes; it answers with the bytes. */
struct echo {
    struct stream stream;
    struct chain out;
    struct buf seen;
    size_t offered, sent, writes;
    int ended, error, hangups, gone, hold; /* hold: pause after so many requests */
    bool finish_at_q;
};

struct fixture {
    struct loop loop;
    struct chain_pool pool;
    struct echo e;
    int peer;
};

static size_t request_of(const char *p, size_t n, size_t *length) {
    size_t v = 0, i = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9') v = v * 10 + (size_t)(p[i++] - '0');
    if (i == n) return 0;
    *length = v;
    return i + 1;
}

static size_t on_bytes(struct stream *s, const char *p, size_t n, size_t *need) {
    struct echo *e = (struct echo *)s;
    size_t used = 0;
    e->offered++;
    while (used < n) {
        size_t length, head = request_of(p + used, n - used, &length);
        if (!head) break;
        if (n - used - head < length) {
            *need = head + length;
            break;
        }
        chain_put(&e->out, p + used + head, length);
        buf_put(&e->seen, p + used + head, length);
        bool quit = e->finish_at_q && length == 1 && p[used + head] == 'Q';
        used += head + length;
        stream_send(s);
        if (quit) {
            stream_finish(s);
            return used;
        }
        if (e->hold && --e->hold == 0) {
            stream_pause(s);
            return used;
        }
    }
    return used;
}

static void on_sent(struct stream *s, size_t n) {
    ((struct echo *)s)->sent += n;
    ((struct echo *)s)->writes++;
}
static void on_ended(struct stream *s, int error) {
    ((struct echo *)s)->ended++;
    ((struct echo *)s)->error = error;
    stream_close(s);
}
static void on_hangup(struct stream *s) {
    if (((struct echo *)s)->hangups++) {
        stream_close(s);
        return;
    }
    stream_ignore_hangup(s);
}
static void on_gone(struct stream *s) { ((struct echo *)s)->gone++; }

static const struct stream_calls calls = {on_bytes, on_sent, on_ended, on_hangup, on_gone};

static void setup(struct fixture *f) {
    int fd[2];
    memset(f, 0, sizeof *f);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    f->peer = fd[1];
    fcntl(f->peer, F_SETFL, O_NONBLOCK);
    cr_assert_eq(loop_init(&f->loop, NULL, NULL, NULL), 0);
    chain_pool_init(&f->pool, 4);
    chain_init(&f->e.out, &f->pool);
    cr_assert_eq(stream_init(&f->e.stream, &f->loop, fd[0], &f->e.out, &calls), 0);
}

static void turns(struct fixture *f, int n) {
    while (n--) loop_turn(&f->loop, false);
}

static void teardown(struct fixture *f) {
    stream_close(&f->e.stream);
    turns(f, 1);
    cr_assert_eq(f->e.gone, 1, "told once that nothing refers to it");
    if (f->peer >= 0) close(f->peer);
    chain_free(&f->e.out);
    buf_free(&f->e.seen);
    loop_free(&f->loop);
    chain_pool_free(&f->pool);
    cr_assert_eq(mem_used(MEM_CLIENT), 0, "nothing is left behind");
}

static void put(struct fixture *f, const char *text) {
    cr_assert_eq(send(f->peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void expect(struct fixture *f, const char *text) {
    char got[4096];
    ssize_t n = recv(f->peer, got, sizeof got, 0);
    cr_assert_eq(n, (ssize_t)strlen(text), "%zd bytes instead of \"%s\"", n, text);
    cr_assert_arr_eq(got, text, (size_t)n);
}

Test(stream, many_requests_one_write) {
    struct fixture f;
    setup(&f);
    put(&f, "1:a2:bb3:ccc");
    turns(&f, 1);
    expect(&f, "abbccc");
    cr_assert_eq(f.e.writes, 1);
    cr_assert_eq(f.e.offered, 1);
    cr_assert_eq(f.e.stream.in.cap, 0, "idle: no buffer");
    teardown(&f);
}

Test(stream, pieces_are_offered_again_from_their_start) {
    struct fixture f;
    setup(&f);
    const char *pieces[] = {"1", "0:01234", "56", "789", "3:xy"};
    for (size_t i = 0; i < 5; i++) {
        put(&f, pieces[i]);
        turns(&f, 1);
    }
    expect(&f, "0123456789");
    cr_assert_eq(stream_kept(&f.e.stream), 4);
    put(&f, "z");
    turns(&f, 1);
    expect(&f, "xyz");
    cr_assert_eq(f.e.stream.in.cap, 0);
    teardown(&f);
}

Test(stream, a_long_request_is_read_in_place_and_answered_whole) {
    struct fixture f;
    size_t n = 5 << 20, at = 0, got = 0;
    setup(&f);
    char *data = malloc(n), *back = malloc(n), head[32];
    for (size_t i = 0; i < n; i++) data[i] = (char)(i * 7 + (i >> 9));
    int h = snprintf(head, sizeof head, "%zu:", n);
    cr_assert_eq(send(f.peer, head, (size_t)h, 0), h);
    for (int i = 0; got < n && i < 100000; i++) {
        ssize_t w = at < n ? send(f.peer, data + at, n - at, 0) : 0;
        if (w > 0) at += (size_t)w;
        turns(&f, 1);
        ssize_t r = recv(f.peer, back + got, n - got, 0);
        if (r > 0) got += (size_t)r;
    }
    cr_assert_eq(got, n);
    cr_assert_arr_eq(data, back, n);
    cr_assert_lt(f.e.offered, 20, "not looked at again for every piece");
    cr_assert_eq(f.e.stream.in.cap, 0);
    turns(&f, 1);
    cr_assert_not(f.e.stream.blocked);
    free(data);
    free(back);
    teardown(&f);
}

Test(stream, what_the_kernel_does_not_take_waits) {
    struct fixture f;
    setup(&f);
    size_t n = 4 << 20, got = 0;
    char *p = chain_room(&f.e.out, n);
    memset(p, 'x', n);
    chain_used(&f.e.out, n);
    stream_send(&f.e.stream);
    turns(&f, 3);
    cr_assert(f.e.stream.blocked);
    cr_assert_lt(f.e.sent, n);
    size_t before = f.e.writes;
    put(&f, "1:y");
    turns(&f, 3);
    cr_assert_eq(f.e.writes, before, "no attempt while the kernel is full");
    char buf[65536], last = 0;
    while (got < n + 1) {
        ssize_t r = recv(f.peer, buf, sizeof buf, 0);
        if (r > 0) {
            got += (size_t)r;
            last = buf[r - 1];
        } else {
            turns(&f, 1);
        }
    }
    cr_assert_eq(last, 'y');
    cr_assert_eq(f.e.sent, n + 1);
    teardown(&f);
}

Test(stream, a_pause_keeps_the_rest_and_resuming_offers_it) {
    struct fixture f;
    setup(&f);
    f.e.hold = 1;
    put(&f, "1:a1:b1:c");
    turns(&f, 2);
    expect(&f, "a");
    cr_assert_eq(stream_kept(&f.e.stream), 6);
    put(&f, "1:d");
    turns(&f, 3);
    cr_assert_eq(f.e.offered, 1, "nothing is read meanwhile");
    stream_resume(&f.e.stream);
    stream_offer(&f.e.stream);
    turns(&f, 2);
    expect(&f, "bcd");
    teardown(&f);
}

Test(stream, a_peer_that_leaves_during_a_pause_is_noticed) {
    struct fixture f;
    setup(&f);
    f.e.hold = 1;
    put(&f, "1:a");
    turns(&f, 2);
    expect(&f, "a");
    close(f.peer);
    f.peer = -1;
    turns(&f, 4);
    cr_assert_eq(f.e.hangups, 1, "once, if that is ignored");
    stream_pause(&f.e.stream);
    stream_ignore_hangup(&f.e.stream);
    stream_resume(&f.e.stream);
    turns(&f, 2);
    cr_assert_eq(f.e.ended, 1, "and again as the end, once it reads");
    cr_assert_eq(f.e.gone, 1);
    f.e.gone = 0;
    stream_close(&f.e.stream); /* twice is harmless, and it is gone already */
    cr_assert_eq(f.e.gone, 0);
    f.e.gone = 1;
    teardown(&f);
}

Test(stream, finish_sends_what_is_there_then_closes) {
    struct fixture f;
    char c;
    setup(&f);
    f.e.finish_at_q = true;
    put(&f, "1:a1:Q1:z");
    turns(&f, 2);
    expect(&f, "aQ");
    cr_assert_eq(recv(f.peer, &c, 1, 0), 0, "closed");
    cr_assert_eq(f.e.gone, 1);
    cr_assert_eq(f.e.seen.n, 2, "what came behind is not read");
    teardown(&f);
}

Test(stream, the_end_and_a_lost_peer_are_told_apart) {
    struct fixture f;
    setup(&f);
    shutdown(f.peer, SHUT_WR);
    turns(&f, 2);
    cr_assert_eq(f.e.ended, 1);
    cr_assert_eq(f.e.error, 0);
    teardown(&f);
    setup(&f);
    close(f.peer);
    f.peer = -1;
    chain_put(&f.e.out, "x", 1);
    stream_flush(&f.e.stream);
    cr_assert_eq(f.e.ended, 1);
    cr_assert_eq(f.e.error, EPIPE);
    teardown(&f);
}

Test(stream, a_descriptor_used_again_gets_no_event_of_the_old_one) {
    struct fixture f;
    int fd[2];
    setup(&f);
    put(&f, "1:a");
    int old = f.e.stream.fd;
    stream_close(&f.e.stream);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    cr_assert_eq(fd[0], old);
    struct echo second = {.ended = 0};
    chain_init(&second.out, &f.pool);
    cr_assert_eq(stream_init(&second.stream, &f.loop, fd[0], &second.out, &calls), 0);
    turns(&f, 2);
    cr_assert_eq(second.offered, 0);
    cr_assert_eq(f.e.offered, 0);
    cr_assert_eq(send(fd[1], "1:b", 3, 0), 3);
    turns(&f, 1);
    cr_assert_eq(second.offered, 1);
    stream_close(&second.stream);
    turns(&f, 1);
    chain_free(&second.out);
    buf_free(&second.seen);
    close(fd[1]);
    teardown(&f);
}

static size_t drain(struct fixture *f) {
    char buf[65536];
    size_t got = 0;
    for (ssize_t r; (r = recv(f->peer, buf, sizeof buf, 0)) > 0;) got += (size_t)r;
    return got;
}

Test(stream, what_fills_a_read_to_the_last_byte_is_followed_by_another_without_an_event) {
    struct fixture f;
    setup(&f);
    char *many = malloc(LOOP_READ + 3);
    for (size_t i = 0; i < LOOP_READ; i += 4) memcpy(many + i, "2:xy", 4);
    memcpy(many + LOOP_READ, "1:z", 3);
    cr_assert_eq(send(f.peer, many, LOOP_READ + 3, 0), LOOP_READ + 3);
    turns(&f, 1);
    cr_assert_eq(f.e.seen.n, LOOP_READ / 2, "one read a turn");
    turns(&f, 1);
    cr_assert_eq(f.e.seen.n, LOOP_READ / 2 + 1);
    cr_assert_eq(drain(&f), LOOP_READ / 2 + 1);
    turns(&f, 2);
    cr_assert_eq(f.e.offered, 2, "and then none");
    free(many);
    teardown(&f);
}

static void released(void *count) { ++*(int *)count; }

Test(stream, more_pieces_than_one_call_takes_go_in_the_next_turns) {
    struct fixture f;
    int count = 0;
    setup(&f);
    for (int i = 0; i < 150; i++) chain_ref(&f.e.out, "abcdefgh", 8, released, &count);
    stream_send(&f.e.stream);
    turns(&f, 1);
    cr_assert_eq(f.e.writes, 1);
    cr_assert_lt(f.e.sent, 1200);
    turns(&f, 3);
    cr_assert_eq(f.e.sent, 1200);
    cr_assert_eq(f.e.writes, 3);
    cr_assert_eq(count, 150, "each let go once");
    cr_assert_eq(drain(&f), 1200);
    teardown(&f);
}

Test(stream, one_that_left_before_the_pause_is_noticed_in_it) {
    struct fixture f;
    setup(&f);
    f.e.hold = 1;
    put(&f, "1:a1:b");
    shutdown(f.peer, SHUT_WR);
    turns(&f, 3);
    expect(&f, "a");
    cr_assert_eq(f.e.hangups, 1);
    cr_assert_eq(f.e.ended, 0, "nobody reads");
    stream_resume(&f.e.stream);
    stream_offer(&f.e.stream);
    turns(&f, 2);
    expect(&f, "b");
    cr_assert_eq(f.e.ended, 1, "the end comes after all that came before it");
    teardown(&f);
}
