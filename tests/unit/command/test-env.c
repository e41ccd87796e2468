#include "fixture.h"

#include <stdlib.h>

struct trail {
    unsigned at[8], n, home;
    bool done;
};

static void note_lane(struct lane *l, void *arg) {
    struct trail *t = arg;
    t->at[t->n++] = l->index;
}

static void note_home(struct lane *home, void *arg) {
    struct trail *t = arg;
    t->home = home->index;
    t->done = true;
}

Test(env, a_visit_goes_through_all_lanes_and_ends_at_home) {
    clock_start();
    struct loopback *l = loopback_new(3, NULL, NULL);
    struct trail t = {{0}, 0, 99, false};
    loopback_manual(l, true);
    env_visit(loopback_env(l), 1, note_lane, note_home, &t);
    cr_assert_eq(t.n, 0, "nothing happens on the thread that asks");
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(loopback_deliver(l));
        cr_assert_eq(t.n, i + 1);
        cr_assert_eq(t.at[i], i);
        cr_assert_not(t.done);
    }
    cr_assert(loopback_deliver(l));
    cr_assert(t.done);
    cr_assert_eq(t.home, 1);
    cr_assert_not(loopback_deliver(l));
    loopback_free(l);
}

Test(env, run_ids_differ_and_are_40_hex_digits) {
    struct loopback *l = loopback_new(1, NULL, NULL);
    const struct env *e = loopback_env(l);
    cr_assert_eq(strlen(e->run_id), 40);
    cr_assert_eq(strspn(e->run_id, "0123456789abcdef"), 40);
    cr_assert_str_neq(e->run_id, e->replication_id);
    loopback_free(l);
}

struct seen {
    unsigned kinds;
    uint64_t total, overflow, wrongtype, err;
};

static void note_kind(void *arg, const char *code, uint64_t n) {
    struct seen *s = arg;
    s->kinds++;
    s->total += n;
    if (!strcmp(code, "ERRORSTATS_OVERFLOW")) s->overflow = n;
    if (!strcmp(code, "WRONGTYPE")) s->wrongtype = n;
    if (!strcmp(code, "ERR")) s->err = n;
}

Test(env, errors_by_code) {
    struct loopback *l = loopback_new(1, NULL, NULL);
    struct errors *e = loopback_env(l)->errors;
    struct seen s = {0};
    errors_count(e, SLICE("WRONGTYPE Operation against"));
    errors_count(e, SLICE("ERR syntax error"));
    errors_count(e, SLICE("nocode"));
    errors_count(e, SLICE("WRONGTYPE"));
    errors_each(e, note_kind, &s);
    cr_assert_eq(s.kinds, 2);
    cr_assert_eq(s.wrongtype, 1);
    cr_assert_eq(s.err, 3, "what has no code counts as ERR");
    env_reset_stats(loopback_env(l));
    s = (struct seen){0};
    errors_each(e, note_kind, &s);
    cr_assert_eq(s.kinds, 0);
    loopback_free(l);
}

Test(env, no_more_error_kinds_than_128) {
    struct loopback *l = loopback_new(1, NULL, NULL);
    struct errors *e = loopback_env(l)->errors;
    struct seen s = {0};
    for (int i = 0; i < 1000; i++) {
        char text[64];
        int n = snprintf(text, sizeof text, "CODE%d text", i);
        errors_count(e, (struct slice){text, (size_t)n});
    }
    errors_count(e, SLICE("CODE3 text"));
    errors_each(e, note_kind, &s);
    cr_assert_eq(s.kinds, ERRORS_KINDS + 1);
    cr_assert_eq(s.overflow, 1000 - ERRORS_KINDS);
    cr_assert_eq(s.total, 1001);
    loopback_free(l);
}

Test(env, rates_are_means_over_samples) {
    struct peer *p = fixture_open(NULL);
    struct env *e = fixture_env(p);
    cr_assert_eq(env_rate(e, RATE_COMMANDS), 0);
    env_sample(e);
    int64_t start = clock_mono_us();
    for (int i = 0; i < 16; i++) {
        int64_t last = clock_mono_us();
        for (int k = 0; k < 100; k++) fixture_say(p, "PING\r\n");
        while (clock_mono_us() - last < 1000) {}
        env_sample(e);
    }
    double seconds = (double)(clock_mono_us() - start) / 1e6, rate = env_rate(e, RATE_COMMANDS);
    cr_assert_gt(rate, 0);
    cr_assert_leq(rate, 100000.5, "100 commands in a millisecond or more");
    cr_assert_gt(rate, 1600 / seconds / 20);
    loopback_free(p->net);
}

Test(env, sessions_are_counted_and_have_ids_of_their_own) {
    struct peer *p = fixture_open(NULL), *q = loopback_open(p->net, 0);
    struct env *e = fixture_env(p);
    cr_assert_neq(p->session.id, q->session.id);
    cr_assert_eq(env_clients(e), 2);
    cr_assert_str_eq(fixture_say(q, "QUIT\r\n"), "+OK\r\n");
    cr_assert_not(q->open);
    cr_assert_eq(env_clients(e), 1);
    cr_assert_eq(e->lane[0]->sessions, &p->session);
    cr_assert_eq(env_lane_stat(e, offsetof(struct lane, total_connections)), 2);
    loopback_free(p->net);
}

Test(env, random_numbers_do_not_repeat) {
    struct loopback *l = loopback_new(1, NULL, NULL);
    struct lane *lane = loopback_env(l)->lane[0];
    uint64_t first = lane_random(lane), ones = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t r = lane_random(lane);
        cr_assert_neq(r, first);
        ones += (uint64_t)__builtin_popcountll(r);
    }
    cr_assert(ones > 31000 && ones < 33000);
    loopback_free(l);
}
