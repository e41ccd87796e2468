#include "fixture.h"

#include "command/wait.h"
#include "store/holder.h"

#include <time.h>

TestSuite(wait, .timeout = 60);

/* Two lanes; jobs between them stay where they are until they are delivered. */
static struct peer *open_two(struct peer **other) {
    clock_start();
    struct loopback *net = loopback_new(2, NULL, NULL);
    *other = loopback_open(net, 1);
    return loopback_open(net, 0);
}

static void hang_up(struct peer *p) {
    session_leave(&p->session);
    session_end(&p->session);
    buf_free(&p->input);
    p->open = false;
}

static struct waits *waits_of(const struct peer *p) { return fixture_env(p)->waits; }

static struct key key_of(const struct peer *p, const char *name) {
    return store_key(store_seed(fixture_env(p)->store), slice_of(name));
}

static bool has(const struct store_locks *l, struct key k) {
    unsigned shard = store_shard_of(k.hash);
    return l->bits[shard / 64] >> shard % 64 & 1;
}

static unsigned count(const struct store_locks *l) {
    unsigned n = 0;
    for (unsigned i = 0; i < STORE_SHARDS / 64; i++) n += (unsigned)__builtin_popcountll(l->bits[i]);
    return n;
}

static uint64_t far_in_all(const struct waits *ws) {
    uint64_t n = 0;
    for (unsigned i = 0; i < STORE_SHARDS; i++) n += atomic_load(&ws->far[i]);
    return n;
}

Test(wait, one_lock_where_nobody_waits_for_a_move) {
    struct peer *waiter, *p = open_two(&waiter);
    fixture_say(waiter, "BLPOP a b 0\r\n");
    struct store_locks locks = {{0}};
    struct key a = key_of(p, "a");
    wait_lock(p->session.lane, &a, 1, &locks);
    cr_assert_eq(count(&locks), 1);
    store_unlock_many(fixture_env(p)->store, &locks);
    loopback_free(p->net);
}

Test(wait, the_locks_reach_as_far_as_the_movers) {
    struct peer *first, *p = open_two(&first);
    const char *move[] = {"BLMOVE a b LEFT LEFT 0\r\n", "BLMOVE b c LEFT LEFT 0\r\n", "BLMOVE c a LEFT LEFT 0\r\n",
        "BLMOVE b d LEFT LEFT 0\r\n", "BLMOVE x y LEFT LEFT 0\r\n"};
    fixture_say(first, move[0]);
    for (unsigned i = 1; i < 5; i++) fixture_say(loopback_open(p->net, i % 2), move[i]);
    struct store_locks locks = {{0}};
    struct key a = key_of(p, "a");
    wait_lock(p->session.lane, &a, 1, &locks);
    const char *in[] = {"a", "b", "c", "d"};
    struct store_locks want = {{0}};
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(has(&locks, key_of(p, in[i])), "%s", in[i]);
        store_locks_add(&want, store_shard_of(key_of(p, in[i]).hash));
    }
    cr_assert_eq(count(&locks), count(&want));
    store_unlock_many(fixture_env(p)->store, &locks);
    cr_assert_eq(far_in_all(waits_of(p)), 5);
    loopback_free(p->net);
}

Test(wait, served_once_though_two_keys_came) {
    struct peer *waiter, *p = open_two(&waiter);
    fixture_say(waiter, "BLPOP a b 0\r\n");
    loopback_manual(p->net, true);
    fixture_say(p, "RPUSH a 1\r\n");
    fixture_say(p, "RPUSH b 2\r\n");
    cr_assert_eq(waiter->output.n, 0);
    cr_assert_eq(atomic_load(&waits_of(p)->keys), 0, "who was served stands in no queue");
    cr_assert(loopback_deliver(p->net));
    cr_assert_not(loopback_deliver(p->net));
    loopback_run(p->net);
    cr_assert_str_eq(buf_cstr(&waiter->output), "*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    cr_assert_str_eq(fixture_say(p, "LLEN b\r\n"), ":1\r\n");
    loopback_free(p->net);
}

Test(wait, served_just_before_the_time_was_over) {
    struct peer *waiter, *p = open_two(&waiter);
    for (;;) {
        fixture_say(waiter, "BLPOP a 0.02\r\n");
        loopback_manual(p->net, true);
        fixture_say(p, "RPUSH a 1\r\n");
        if (strcmp(buf_cstr(&waiter->output), "*-1\r\n") != 0) break;
        loopback_manual(p->net, false); /* this process stood still until it was over: once more */
        fixture_say(p, "DEL a\r\n");
    }
    nanosleep(&(struct timespec){0, 25000000}, NULL);
    loopback_run(p->net);
    cr_assert_str_eq(buf_cstr(&waiter->output), "*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    cr_assert(loopback_deliver(p->net)); /* told of what it knows */
    loopback_run(p->net);
    cr_assert_str_eq(fixture_say(waiter, "PING\r\n"), "+PONG\r\n");
    loopback_free(p->net);
}

Test(wait, served_and_gone_before_it_was_told) {
    struct peer *waiter, *p = open_two(&waiter);
    fixture_say(waiter, "BLMOVE a b LEFT LEFT 0\r\n");
    loopback_manual(p->net, true);
    fixture_say(p, "RPUSH a 1 2\r\n");
    hang_up(waiter);
    cr_assert(loopback_deliver(p->net));
    cr_assert_str_eq(fixture_say(p, "LLEN a\r\nLLEN b\r\n"), ":1\r\n:1\r\n");
    cr_assert_eq(atomic_load(&waits_of(p)->keys) + far_in_all(waits_of(p)), 0);
    loopback_free(p->net);
}

Test(wait, who_leaves_is_not_served_from_then_on) {
    struct peer *waiter, *p = open_two(&waiter);
    fixture_say(waiter, "BLPOP a b 0\r\n");
    session_leave(&waiter->session);
    cr_assert_str_eq(fixture_say(p, "RPUSH a 1\r\nLLEN a\r\n"), ":1\r\n:1\r\n");
    cr_assert_eq(atomic_load(&waits_of(p)->keys), 1, "passed by, it was taken out of one queue; the other is its lane's");
    hang_up(waiter);
    cr_assert_eq(atomic_load(&waits_of(p)->keys), 0);
    loopback_free(p->net);
}

static void *object_at(struct peer *p, const char *name) {
    struct key k = key_of(p, name);
    struct view v;
    view_init(&v, fixture_env(p)->store, 0, clock_ms(), &p->session.lane->store_stats);
    struct entry *e = view_peek(&v, &k);
    return e ? entry_home(e).object : NULL;
}

static void push_many(struct peer *p, const char *name, int n) {
    struct buf in = {0};
    buf_printf(&in, "*%d\r\n$5\r\nRPUSH\r\n$%zu\r\n%s\r\n", n + 2, strlen(name), name);
    for (int i = 0; i < n; i++) buf_printf(&in, "$8\r\n%08d\r\n", i);
    fixture_say(p, buf_cstr(&in));
    buf_free(&in);
}

/* A list that is being read in slices gets the name that somebody waits for: served once the reading is over. */
Test(wait, a_list_that_is_being_read) {
    struct peer *waiter, *p = open_two(&waiter);
    push_many(p, "other", 5000);
    void *object = object_at(p, "other");
    cr_assert_not_null(object);
    value_hold(object);
    fixture_say(waiter, "BLPOP a 0\r\n");
    loopback_manual(p->net, true);
    cr_assert_str_eq(fixture_say(p, "RENAME other a\r\n"), "+OK\r\n");
    for (int i = 0; i < 5; i++) cr_assert(loopback_deliver(p->net), "it is tried again");
    loopback_run(p->net);
    cr_assert_eq(waiter->output.n, 0);
    holder_release(fixture_env(p)->store, VALUE_LIST, object);
    loopback_manual(p->net, false);
    loopback_run(p->net);
    cr_assert_str_eq(buf_cstr(&waiter->output), "*2\r\n$1\r\na\r\n$8\r\n00000000\r\n");
    cr_assert_str_eq(fixture_say(p, "LLEN a\r\n"), ":4999\r\n");
    loopback_free(p->net);
}

/* The same, when meanwhile nobody waits any more. */
Test(wait, a_list_that_was_being_read_for_nobody) {
    struct peer *waiter, *p = open_two(&waiter);
    push_many(p, "other", 5000);
    void *object = object_at(p, "other");
    value_hold(object);
    fixture_say(waiter, "BLPOP a 0\r\n");
    loopback_manual(p->net, true);
    fixture_say(p, "RENAME other a\r\n");
    hang_up(waiter);
    cr_assert(loopback_deliver(p->net));
    cr_assert_not(loopback_deliver(p->net), "and not once more");
    holder_release(fixture_env(p)->store, VALUE_LIST, object);
    loopback_free(p->net);
}

/* An element that has an object to itself: given, moved, and moved within its list. */
Test(wait, a_large_element) {
    struct peer *waiter, *p = open_two(&waiter);
    static char element[6001];
    struct buf push = {0}, want = {0};
    memset(element, 'e', sizeof element - 1);
    buf_printf(&push, "*3\r\n$5\r\nRPUSH\r\n$1\r\na\r\n$6000\r\n%s\r\n", element);
    buf_printf(&want, "$6000\r\n%s\r\n", element);
    const char *moves[] = {"BLMOVE a a LEFT RIGHT 0\r\n", "BRPOPLPUSH a b 0\r\n"};
    for (unsigned i = 0; i < 2; i++) {
        fixture_say(waiter, moves[i]);
        fixture_say(p, buf_cstr(&push));
        cr_assert_str_eq(buf_cstr(&waiter->output), buf_cstr(&want));
        fixture_say(p, i ? "DEL b\r\n" : "DEL a\r\n");
        cr_assert_str_eq(buf_cstr(&p->output), ":1\r\n");
    }
    fixture_say(waiter, "BLPOP a 0\r\n");
    fixture_say(p, buf_cstr(&push));
    cr_assert_eq(waiter->output.n, want.n + strlen("*2\r\n$1\r\na\r\n"));
    buf_free(&push);
    buf_free(&want);
    loopback_free(p->net);
}

/* Many elements for one: cut off their list, and replied in slices, from either end; the rest stays. */
Test(wait, many_elements_for_one) {
    struct peer *waiter, *p = open_two(&waiter);
    for (int tail = 0; tail < 2; tail++) {
        struct buf want = {0};
        push_many(p, "other", 20000);
        waiter->output.n = 0;
        fixture_say(waiter, tail ? "BLMPOP 0 2 b a RIGHT COUNT 19990\r\n" : "BLMPOP 0 1 a LEFT COUNT 19990\r\n");
        fixture_say(p, "RENAME other a\r\n");
        buf_puts(&want, "*2\r\n$1\r\na\r\n*19990\r\n");
        for (int i = 0; i < 19990; i++) buf_printf(&want, "$8\r\n%08d\r\n", tail ? 19999 - i : i);
        cr_assert_eq(waiter->output.n, want.n);
        cr_assert_str_eq(buf_cstr(&waiter->output), buf_cstr(&want));
        cr_assert_str_eq(fixture_say(p, "LLEN a\r\nLINDEX a 0\r\nDEL a\r\n"),
            tail ? ":10\r\n$8\r\n00000000\r\n:1\r\n" : ":10\r\n$8\r\n00019990\r\n:1\r\n");
        buf_free(&want);
    }
    loopback_free(p->net);
}

/* The client leaves in the middle of the reply, or before it. */
Test(wait, many_elements_for_one_who_leaves) {
    for (int begun = 0; begun < 2; begun++) {
        struct peer *waiter, *p = open_two(&waiter);
        push_many(p, "other", 20000);
        fixture_say(waiter, "BLMPOP 0 1 a LEFT COUNT 19990\r\n");
        loopback_manual(p->net, true);
        fixture_say(p, "RENAME other a\r\n");
        if (begun) cr_assert_eq(session_step(&waiter->session, 20), TASK_AGAIN);
        hang_up(waiter);
        cr_assert(loopback_deliver(p->net));
        cr_assert_str_eq(fixture_say(p, "LLEN a\r\n"), ":10\r\n");
        loopback_free(p->net);
    }
}

#define MANY 1500

/* More waiters than are served without a moment for others: all are served, in order. */
Test(wait, very_many) {
    static struct peer *waiter[MANY];
    struct peer *p = fixture_open(NULL);
    for (unsigned i = 0; i < MANY; i++) {
        waiter[i] = loopback_open(p->net, 0);
        fixture_say(waiter[i], i % 3 ? "BLPOP a 0\r\n" : "BLPOP b a c 0\r\n");
    }
    cr_assert_eq(atomic_load(&waits_of(p)->keys), 3);
    push_many(p, "a", MANY + 1);
    for (int i = 0; i < MANY; i++) {
        char want[64];
        snprintf(want, sizeof want, "*2\r\n$1\r\na\r\n$8\r\n%08d\r\n", i);
        cr_assert_str_eq(buf_cstr(&waiter[i]->output), want);
    }
    cr_assert_str_eq(fixture_say(p, "LLEN a\r\n"), ":1\r\n");
    cr_assert_eq(atomic_load(&waits_of(p)->keys), 0);
    loopback_free(p->net);
}

/* Queues of many keys, which share buckets, come and go. */
Test(wait, many_keys) {
    struct peer *p = fixture_open(NULL), *waiter[40];
    for (unsigned i = 0; i < 40; i++) {
        struct buf in = {0};
        waiter[i] = loopback_open(p->net, 0);
        buf_puts(&in, "*502\r\n$5\r\nBLPOP\r\n");
        for (unsigned k = 0; k < 500; k++) buf_printf(&in, "$8\r\nkey%05u\r\n", i * 250 + k);
        buf_puts(&in, "$1\r\n0\r\n");
        fixture_say(waiter[i], buf_cstr(&in));
        buf_free(&in);
    }
    cr_assert_eq(atomic_load(&waits_of(p)->keys), 39 * 250 + 500);
    for (unsigned i = 0; i < 40; i++) {
        char push[64], want[64];
        snprintf(push, sizeof push, "RPUSH key%05u x\r\n", i * 250 + 300); /* the next one waits for it too, but later */
        fixture_say(p, push);
        snprintf(want, sizeof want, "*2\r\n$8\r\nkey%05u\r\n$1\r\nx\r\n", i * 250 + 300);
        cr_assert_str_eq(buf_cstr(&waiter[i]->output), want);
    }
    cr_assert_eq(atomic_load(&waits_of(p)->keys), 0);
    loopback_free(p->net);
}
