#include "fixture.h"

#include <stdlib.h>

TestSuite(dispatch, .timeout = 60);

static const char pipeline[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhe\r\nl\r\n"
                               "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
                               "GET a\r\n"
                               "*0\r\n"
                               "*2\r\n$6\r\nnosuch\r\n$1\r\na\r\n"
                               "\r\n"
                               "*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n"
                               "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
                               "*1\r\n$3\r\nGET\r\n"
                               "SET 'q' \"\\x41\"\n"
                               "*2\r\n$3\r\nGET\r\n$1\r\nq\r\n";
static const char replies[] = "+OK\r\n$5\r\nhe\r\nl\r\n$5\r\nhe\r\nl\r\n"
                              "-ERR unknown command 'nosuch', with args beginning with: 'a' \r\n"
                              "*2\r\n$5\r\nhe\r\nl\r\n$-1\r\n:1\r\n"
                              "-ERR wrong number of arguments for 'get' command\r\n+OK\r\n$1\r\nA\r\n";

Test(dispatch, a_pipeline_at_once) {
    struct peer *p = fixture_open(NULL);
    cr_assert_str_eq(fixture_say(p, pipeline), replies);
    loopback_free(p->net);
}

Test(dispatch, a_pipeline_in_two_pieces_cut_anywhere) {
    for (size_t cut = 1; cut < sizeof pipeline - 1; cut++) {
        struct peer *p = fixture_open(NULL);
        peer_send(p, pipeline, cut);
        peer_send(p, pipeline + cut, sizeof pipeline - 1 - cut);
        cr_assert_str_eq(buf_cstr(&p->output), replies, "cut at %zu", cut);
        loopback_free(p->net);
    }
}

Test(dispatch, a_pipeline_byte_by_byte) {
    struct peer *p = fixture_open(NULL);
    for (size_t i = 0; i < sizeof pipeline - 1; i++) peer_send(p, pipeline + i, 1);
    cr_assert_str_eq(buf_cstr(&p->output), replies);
    loopback_free(p->net);
}

/* More requests than a batch takes, more words than it has room for, and requests too long for the quick way. */
Test(dispatch, a_pipeline_longer_than_a_batch) {
    struct peer *p = fixture_open(NULL);
    struct buf in = {0}, want = {0};
    for (int i = 0; i < 1000; i++) {
        int args = 1 + i * 7 % 90;
        buf_printf(&in, "*%d\r\n$4\r\nMGET\r\n", args + 1);
        for (int k = 0; k < args; k++) buf_puts(&in, "$1\r\nk\r\n");
        buf_printf(&want, "*%d\r\n", args);
        for (int k = 0; k < args; k++) buf_puts(&want, "$-1\r\n");
    }
    buf_puts(&in, "*701\r\n$4\r\nMSET\r\n");
    for (int k = 0; k < 350; k++) buf_printf(&in, "$4\r\nk%03d\r\n$1\r\nv\r\n", k);
    buf_puts(&in, "DBSIZE\r\n");
    buf_puts(&want, "+OK\r\n:350\r\n");
    cr_assert_str_eq(fixture_say(p, buf_cstr(&in)), buf_cstr(&want));
    buf_free(&in);
    buf_free(&want);
    loopback_free(p->net);
}

Test(dispatch, says_how_much_a_long_request_needs) {
    struct peer *p = fixture_open(NULL);
    fixture_say(p, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n");
    cr_assert_geq(p->need, 100000);
    cr_assert_gt(p->input.n, 0, "nothing of it is done with");
    char *value = malloc(100002);
    memset(value, 'v', 100000);
    memcpy(value + 100000, "\r\n", 2);
    peer_send(p, value, 100002);
    cr_assert_str_eq(buf_cstr(&p->output), "+OK\r\n");
    cr_assert_eq(p->input.n, 0);
    free(value);
    loopback_free(p->net);
}

/* -- parking ------------------------------------------------------------------------------------------------------------- */

struct steps {
    struct task task;
    int left;
    bool *dropped;
};

static enum task_state steps_step(struct task *t, struct session *s, int64_t slice_us) {
    struct steps *k = (struct steps *)(void *)t;
    (void)slice_us;
    if (--k->left) return TASK_AGAIN;
    resp_simple(&s->writer, "done");
    return TASK_DONE;
}

static void steps_drop(struct task *t) {
    struct steps *k = (struct steps *)(void *)t;
    *k->dropped = true;
    mem_free(MEM_CLIENT, k);
}

static void park(struct session *s, int steps, bool *dropped) {
    struct steps *k = mem_zalloc(MEM_CLIENT, sizeof *k);
    *k = (struct steps){.task = {.step = steps_step, .drop = steps_drop}, .left = steps, .dropped = dropped};
    session_park(s, &k->task);
}

Test(dispatch, a_parked_session_reads_nothing) {
    struct peer *p = fixture_open(NULL);
    struct session *s = &p->session;
    bool dropped = false;
    park(s, 3, &dropped);
    cr_assert(session_parked(s));
    cr_assert(dispatch_held(s));
    cr_assert_eq(dispatch_input(s, "PING\r\n", 6, NULL), 0);
    cr_assert_eq(session_step(s, 250), TASK_AGAIN);
    cr_assert_eq(session_step(s, 250), TASK_AGAIN);
    cr_assert_not(dropped);
    cr_assert_eq(session_step(s, 250), TASK_DONE);
    cr_assert(dropped);
    cr_assert_not(dispatch_held(s));
    cr_assert_eq(session_step(s, 250), TASK_DONE, "nothing left to step");
    cr_assert_eq(dispatch_input(s, "PING\r\n", 6, NULL), 6);
    loopback_run(p->net);
    cr_assert_str_eq(buf_cstr(&p->output), "+done\r\n+PONG\r\n");
    loopback_free(p->net);
}

Test(dispatch, a_session_that_ends_drops_its_task) {
    struct peer *p = fixture_open(NULL);
    bool dropped = false;
    park(&p->session, 3, &dropped);
    loopback_free(p->net);
    cr_assert(dropped);
}

Test(dispatch, what_a_task_says_is_silenced_too) {
    struct peer *p = fixture_open(NULL);
    bool dropped = false;
    cr_assert_str_eq(fixture_say(p, "CLIENT REPLY SKIP\r\n"), "");
    park(&p->session, 2, &dropped);
    cr_assert_str_eq(fixture_say(p, "PING\r\n"), "+PONG\r\n");
    cr_assert(dropped);
    loopback_free(p->net);
}

static void fill(struct peer *p, int keys, int size) {
    char *value = malloc((size_t)size + 1);
    memset(value, 'v', (size_t)size);
    value[size] = 0;
    struct buf in;
    buf_init(&in, MEM_CLIENT); /* not under maxmemory */
    for (int i = 0; i < keys; i++) buf_printf(&in, "*3\r\n$3\r\nSET\r\n$9\r\nkey%06d\r\n$%d\r\n%s\r\n", i, size, value);
    peer_send(p, in.p, in.n);
    p->output.n = 0;
    buf_free(&in);
    free(value);
}

/* KEYS of many keys takes several slices: what stands behind it is neither executed nor taken from the input. */
Test(dispatch, a_batch_stops_at_a_request_that_parks) {
    struct peer *p = fixture_open(NULL);
    fill(p, 100000, 8);
    static const char in[] = "GET key000001\r\n*2\r\n$4\r\nKEYS\r\n$2\r\nno\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\nPING\r\n";
    static const char at_once[] = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
    struct session *s = &p->session;
    size_t used = dispatch_input(s, in, sizeof in - 1, NULL);
    cr_assert(session_parked(s));
    cr_assert_eq(used, sizeof in - 1 - (sizeof at_once - 1) - 6);
    int steps = 0;
    while (session_step(s, 250) == TASK_AGAIN) steps++;
    cr_assert_gt(steps, 2);
    cr_assert_eq(dispatch_input(s, in + used, sizeof in - 1 - used, NULL), sizeof in - 1 - used);
    loopback_run(p->net);
    cr_assert_str_eq(buf_cstr(&p->output), "$8\r\nvvvvvvvv\r\n*0\r\n:1\r\n+PONG\r\n");
    cr_assert_eq(counter_get(&fixture_stats(p, "KEYS")->calls), 1);
    cr_assert_gt(counter_get(&fixture_stats(p, "KEYS")->ticks), 0);
    loopback_free(p->net);
}

/* -- room ------------------------------------------------------------------------------------------------------------------ */

static void small_lru(struct env *e, void *arg) {
    (void)arg;
    e->store_config.maxmemory = (int64_t)mem_limited() + (24 << 20);
    e->store_config.policy = POLICY_ALLKEYS_LRU;
}

static void small_strict(struct env *e, void *arg) {
    (void)arg;
    e->store_config.maxmemory = (int64_t)mem_limited() + (8 << 20);
    e->store_config.policy = POLICY_NOEVICTION;
}

static uint64_t limit_of(const struct peer *p) { return (uint64_t)option_get(&fixture_env(p)->store_config.maxmemory); }

Test(dispatch, memory_stays_under_its_limit_after_every_command) {
    struct peer *p = fixture_open(small_lru);
    char in[64];
    char *value = malloc(20001);
    for (int i = 0; i < 8000; i++) {
        int size = i * 7919 % 20000 + 1;
        memset(value, 'v', (size_t)size);
        struct slice argv[] = {SLICE("SET"), {in, (size_t)snprintf(in, sizeof in, "k%d", i % 4000)}, {value, (size_t)size}};
        p->output.n = 0;
        peer_request(p, argv, 3);
        cr_assert_str_eq(buf_cstr(&p->output), "+OK\r\n");
        cr_assert_leq(mem_limited(), limit_of(p), "after %d", i);
        if (i % 5) continue;
        p->output.n = 0;
        struct slice append[] = {SLICE("APPEND"), argv[1], {value, (size_t)size / 2}};
        peer_request(p, append, 3);
        cr_assert_eq(*p->output.p, ':');
        cr_assert_leq(mem_limited(), limit_of(p), "after append %d", i);
    }
    cr_assert_gt(env_store_stat(fixture_env(p), offsetof(struct store_stats, evicted)), 1000);
    cr_assert_null(store_check(fixture_env(p)->store));
    free(value);
    loopback_free(p->net);
}

/* Room for eight megabytes is a hundred thousand small entries away: it is made in slices, from a copy of the request. */
Test(dispatch, a_request_waits_for_room_in_slices) {
    struct peer *p = fixture_open(small_lru);
    struct session *s = &p->session;
    fill(p, 300000, 100);
    size_t n = 8 << 20;
    struct buf in;
    buf_init(&in, MEM_CLIENT);
    buf_printf(&in, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%zu\r\n", n);
    memset(buf_room(&in, n + 2), 'b', n);
    in.n += n;
    buf_puts(&in, "\r\n");
    cr_assert_eq(dispatch_input(s, in.p, in.n, NULL), in.n);
    cr_assert(session_parked(s), "it should not fit at once");
    memset(in.p, '?', in.n);
    int steps = 0;
    while (session_step(s, STORE_SLICE_US) == TASK_AGAIN) steps++;
    cr_assert_gt(steps, 2);
    cr_assert_leq(mem_limited(), limit_of(p));
    loopback_run(p->net);
    cr_assert_str_eq(buf_cstr(&p->output), "+OK\r\n");
    cr_assert_str_eq(fixture_say(p, "STRLEN big\r\n"), ":8388608\r\n");
    cr_assert_str_eq(fixture_say(p, "GETRANGE big 8388600 -1\r\n"), "$8\r\nbbbbbbbb\r\n");
    cr_assert_eq(counter_get(&fixture_stats(p, "SET")->calls), 300001);
    buf_free(&in);
    loopback_free(p->net);
}

#define OOM "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

Test(dispatch, without_eviction_a_full_store_refuses) {
    struct peer *p = fixture_open(small_strict);
    fill(p, 200000, 100);
    struct command_stats *set = fixture_stats(p, "SET");
    cr_assert_gt(counter_get(&set->rejected), 0);
    cr_assert_eq(counter_get(&set->rejected) + counter_get(&set->calls), 200000);
    struct buf big;
    buf_init(&big, MEM_CLIENT);
    buf_puts(&big, "*3\r\n$3\r\nSET\r\n$3\r\none\r\n$262144\r\n");
    memset(buf_room(&big, 262144), 'b', 262144);
    big.n += 262144;
    buf_puts(&big, "\r\n");
    cr_assert_str_eq(fixture_say(p, buf_cstr(&big)), OOM);
    buf_free(&big);
    cr_assert_str_eq(fixture_say(p, "STRLEN key000000\r\nDEL key000000 key000001\r\n"), ":100\r\n:2\r\n");
    cr_assert_leq(mem_limited(), limit_of(p));
    cr_assert_str_eq(fixture_say(p, "FLUSHALL ASYNC\r\nSET one more\r\n"), "+OK\r\n+OK\r\n");
    loopback_free(p->net);
}

/* -- what is counted -------------------------------------------------------------------------------------------------------- */

Test(dispatch, counts) {
    struct peer *p = fixture_open(NULL);
    struct env *e = fixture_env(p);
    fixture_say(p, "SET a x\r\nGET a\r\nGET b\r\nINCR a\r\nGET\r\nnosuch\r\nPING\r\n");
    cr_assert_eq(env_lane_stat(e, offsetof(struct lane, total_commands)), 5);
    cr_assert_eq(env_lane_stat(e, offsetof(struct lane, errors)), 3);
    cr_assert_eq(env_store_stat(e, offsetof(struct store_stats, hits)), 1);
    cr_assert_eq(env_store_stat(e, offsetof(struct store_stats, misses)), 1);
    cr_assert_eq(counter_get(&fixture_stats(p, "GET")->calls), 2);
    cr_assert_eq(counter_get(&fixture_stats(p, "GET")->rejected), 1);
    cr_assert_eq(counter_get(&fixture_stats(p, "INCR")->calls), 1);
    cr_assert_eq(counter_get(&fixture_stats(p, "INCR")->failed), 1);
    cr_assert_eq(counter_get(&fixture_stats(p, "SET")->failed), 0);
    static struct hist_sum sum;
    hist_sum_add(&sum, &fixture_stats(p, "GET")->latency);
    cr_assert_eq(sum.total, 2);
    env_reset_stats(e);
    cr_assert_eq(env_lane_stat(e, offsetof(struct lane, total_commands)), 0);
    cr_assert_eq(counter_get(&fixture_stats(p, "GET")->calls), 0);
    cr_assert_eq(env_clients(e), 1);
    loopback_free(p->net);
}

/* The time in a batch is read again where a command took long: a deadline that passed is seen. */
Test(dispatch, a_deadline_passes_within_a_pipeline) {
    struct peer *p = fixture_open(NULL);
    fixture_env(p)->config.enable_debug = 1;
    const char *got = fixture_say(p, "SET a 1 PX 15\r\nGET a\r\nDEBUG SLEEP 0.02\r\nGET a\r\n");
    cr_assert_str_eq(got, "+OK\r\n$1\r\n1\r\n+OK\r\n$-1\r\n");
    loopback_free(p->net);
}
