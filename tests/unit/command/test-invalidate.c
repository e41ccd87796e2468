/* Invalidation that comes in the middle of somebody's batch. */
#include "fixture.h"

#include "store/rule.h"
#include "store/watch.h"

TestSuite(invalidate, .timeout = 60);

/* While the command that writes `trigger` holds its shard, another thread would invalidate, be answered, and see to it that the
 * shard of `swept` is swept. Here the store's hook does. */
struct other {
    struct store *store;
    struct slice pattern;
    unsigned sweep; /* the part of the shards that is swept */
    bool done;
};

#define PARTS 64
static unsigned part_of(struct store *s, const char *key) { return store_shard_of(store_key(store_seed(s), slice_of(key)).hash) % PARTS; }

static void invalidate(void *arg, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k, const struct entry *e) {
    struct other *o = arg;
    (void)stats;
    (void)e;
    if (event != STORE_WRITTEN || o->done || k->n != 7 || memcmp(k->p, "trigger", 7)) return;
    o->done = true;
    cr_assert(rule_add(o->store, db, &o->pattern, 1, NULL));
    while (rule_sweep_step(o->store, o->sweep, PARTS, 250)) {}
}

/* Names in three different parts; `a` and `b` fall under the pattern. */
static void name(struct store *s, char a[16], char b[16]) {
    unsigned busy = part_of(s, "trigger");
    for (unsigned i = 0, n = 0; n < 2; i++) {
        char *to = n ? b : a;
        snprintf(to, 16, "old:%u", i);
        n += part_of(s, to) != busy && (!n || part_of(s, to) != part_of(s, a));
    }
}

static const char *behind(const char *request) {
    static char reply[256];
    struct peer *p = fixture_open(NULL);
    struct store *s = fixture_env(p)->store;
    char a[16], b[16], text[512];
    name(s, a, b);
    snprintf(text, sizeof text, "SET %s 1\r\nRPUSH %s:list x\r\nSET other 2\r\n", a, a);
    fixture_say(p, text);
    struct other o = {.store = s, .pattern = SLICE("old:*"), .sweep = part_of(s, b)};
    store_set_hook(s, invalidate, &o);
    store_watch(s, 1);
    snprintf(text, sizeof text, request, a, b);
    cr_assert_str_eq(fixture_say(p, "PING\r\n"), "+PONG\r\n");
    snprintf(reply, sizeof reply, "%s", fixture_say(p, text));
    cr_assert(o.done);
    store_watch(s, -1);
    const char *wrong = store_check(s);
    cr_assert_null(wrong, "%s", wrong);
    loopback_free(p->net);
    return reply;
}

Test(invalidate, what_is_moved_behind_it_is_gone_already) {
    cr_assert_str_eq(behind("SET trigger 1\r\nRENAME %1$s %2$s\r\nGET %2$s\r\n"), "+OK\r\n-ERR no such key\r\n$-1\r\n");
    cr_assert_str_eq(behind("SET trigger 1\r\nCOPY %1$s %2$s\r\nGET %2$s\r\n"), "+OK\r\n:0\r\n$-1\r\n");
    cr_assert_str_eq(behind("SET trigger 1\r\nLMOVE %1$s:list %2$s LEFT LEFT\r\nEXISTS %2$s\r\n"), "+OK\r\n$-1\r\n:0\r\n");
    cr_assert_str_eq(behind("SET trigger 1\r\nMGET %1$s other%2$.0s\r\n"), "+OK\r\n*2\r\n$-1\r\n$1\r\n2\r\n");
}

Test(invalidate, what_is_written_behind_it_stays) {
    cr_assert_str_eq(behind("SET trigger 1\r\nSET %2$s new%1$.0s\r\nGET %2$s\r\n"), "+OK\r\n+OK\r\n$3\r\nnew\r\n");
    cr_assert_str_eq(behind("SET trigger 1\r\nRENAME other %2$s%1$.0s\r\nGET %2$s\r\n"), "+OK\r\n+OK\r\n$1\r\n2\r\n");
    cr_assert_str_eq(behind("SET trigger 1\r\nMSET %1$s x %2$s new\r\nMGET %1$s %2$s\r\n"), "+OK\r\n+OK\r\n*2\r\n$1\r\nx\r\n$3\r\nnew\r\n");
}

static unsigned calls;
static void count_call(struct env *e) {
    (void)e;
    calls++;
}

/* `n` patterns p0, p1 ... in one request. */
static const char *many(struct peer *p, unsigned n, const char *behind) {
    static char text[16384];
    size_t at = (size_t)snprintf(text, sizeof text, "CACHE INVALIDATE");
    for (unsigned i = 0; i < n; i++) at += (size_t)snprintf(text + at, sizeof text - at, " p%u", i);
    snprintf(text + at, sizeof text - at, "%s\r\n", behind);
    return fixture_say(p, text);
}

Test(invalidate, more_patterns_than_there_is_room_for_are_refused_as_a_whole) {
    struct peer *p = fixture_open(NULL);
    fixture_say(p, "MSET a 1 p0 2\r\n");
    cr_assert_str_eq(many(p, RULE_RUNNING_MAX + 1, ""), "-ERR Too many patterns\r\n", "these never fit");
    cr_assert_str_eq(many(p, RULE_RUNNING_MAX + 1, " WAIT"), "-ERR Too many patterns\r\n");
    cr_assert_str_eq(fixture_say(p, "EXISTS p0\r\n"), ":1\r\n");
    cr_assert_str_eq(many(p, RULE_RUNNING_MAX, ""), "+OK\r\n");
    cr_assert_str_eq(many(p, 1, " a WAIT"), "-TRYAGAIN Too many invalidations are running\r\n");
    cr_assert_str_eq(fixture_say(p, "CACHE INVALIDATE a\r\n"), "-TRYAGAIN Too many invalidations are running\r\n");
    cr_assert_str_eq(fixture_say(p, "EXISTS a p0\r\n"), ":1\r\n");
    while (rule_sweep_step(fixture_env(p)->store, 0, 1, 250)) {}
    cr_assert_str_eq(fixture_say(p, "CACHE INVALIDATE a\r\n"), "+OK\r\n");
    cr_assert_str_eq(fixture_say(p, "EXISTS a\r\n"), ":0\r\n");
    loopback_free(p->net);
}

static void sweep(struct env *e) {
    for (unsigned i = 0; i < e->lanes; i++)
        while (rule_sweep_step(e->store, i, e->lanes, 250)) {}
}

Test(invalidate, threads_with_nothing_to_do_are_called_where_it_matters) {
    struct peer *p = fixture_open(NULL);
    struct env *e = fixture_env(p);
    e->host->background = count_call;
    for (unsigned i = 0; i < 255; i++) cr_assert_str_eq(fixture_say(p, "CACHE INVALIDATE x\r\n"), "+OK\r\n");
    cr_assert_eq(calls, 0, "not for each");
    fixture_say(p, "CACHE INVALIDATE x\r\n");
    cr_assert_eq(calls, 1, "before there is no room for more");
    many(p, 300, "");
    cr_assert_eq(calls, 2);
    sweep(e);
    fixture_say(p, "DBSIZE\r\n");
    cr_assert_eq(calls, 2, "nothing runs");
    fixture_say(p, "CACHE INVALIDATE x\r\n");
    fixture_start(p, "DBSIZE\r\n");
    cr_assert_eq(calls, 3, "somebody waits");
    sweep(e);
    cr_assert_str_eq(fixture_say(p, "\r\n"), ":0\r\n");
    fixture_start(p, "CACHE INVALIDATE x WAIT\r\n");
    cr_assert_eq(calls, 4);
    sweep(e);
    cr_assert_str_eq(fixture_say(p, "\r\n"), ":0\r\n");
    loopback_free(p->net);
}
