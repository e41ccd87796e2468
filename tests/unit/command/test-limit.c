/* Used memory, while commands are at it: what they make only to reply it is not part of it, and what they need for a moment they ask for.
 * What a command takes is the peak while it runs, beyond what was used before it: known to some KB, since the limit is small. */
#include "fixture.h"

#include "base/mem.h"

#include <stdlib.h>

#define OOM "OOM command not allowed when used memory > 'maxmemory'."

enum { MANY = 6000, LENGTH = 300000, BLUR = 24 << 10 /* two slacks and the last flush of a limit of 4 MB */, LIMIT = 4 << 20 };

static struct peer *p;

static void configure(struct env *e, void *arg) {
    (void)arg;
    e->config.rdb_compression = 1;
    e->store_config.maxmemory = LIMIT;
    e->store_config.policy = POLICY_NOEVICTION;
}

static void start(void) { p = fixture_open(configure); }

static void end(void) {
    const char *wrong = store_check(fixture_env(p)->store);
    cr_assert(!wrong, "%s", wrong);
    loopback_free(p->net);
}

TestSuite(limit, .init = start, .fini = end, .timeout = 60);

/* To its end, in slices as short as they can be, with what is dropped freed between them. */
static const char *say(const char *line) {
    char text[256];
    snprintf(text, sizeof text, "%s\r\n", line);
    fixture_start(p, text);
    while (session_parked(&p->session)) {
        session_step(&p->session, 20);
        store_trash_step(fixture_env(p)->store, 60);
    }
    fixture_collect(p);
    while (store_trash_step(fixture_env(p)->store, STORE_SLICE_US)) {}
    return buf_cstr(&p->output);
}

/* Words beside each other, 500 in a request: "SADD key m0 m1 ..." */
static void fill(const char *command, const char *form, unsigned from, unsigned to) {
    struct buf b;
    buf_init(&b, MEM_CLIENT);
    while (from < to) {
        b.n = 0;
        buf_puts(&b, command);
        for (unsigned stop = from + 500 < to ? from + 500 : to; from < stop; from++) buf_printf(&b, form, from, from);
        buf_puts(&b, "\r\n");
        cr_assert(fixture_say(p, buf_cstr(&b))[0] == ':');
    }
    buf_free(&b);
}

static void set_long(const char *key, size_t n) {
    struct buf b;
    buf_init(&b, MEM_CLIENT);
    buf_printf(&b, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(key), key, n);
    memset(buf_room(&b, n), 'x', n);
    b.n += n;
    buf_puts(&b, "\r\n");
    cr_assert_str_eq(fixture_say(p, buf_cstr(&b)), "+OK\r\n");
    buf_free(&b);
}

/* What the command takes at its peak. */
static uint64_t takes(const char *line, const char *reply) {
    uint64_t before = mem_limited();
    mem_peak_reset();
    const char *got = say(line);
    cr_assert(!strncmp(got, reply, strlen(reply)), "%s: %.60s", line, got);
    return mem_peak() - before;
}

/* Reads: nothing stays, neither there nor here. */
static void reads_aside(const char *line, const char *reply) {
    uint64_t data = mem_used(MEM_DATA), index = mem_used(MEM_INDEX);
    uint64_t took = takes(line, reply);
    cr_assert_leq(took, BLUR, "%s took %llu bytes", line, (unsigned long long)took);
    p->output.n = 0;
    cr_assert_eq(mem_used(MEM_DATA), data, "%s", line);
    cr_assert_eq(mem_used(MEM_INDEX), index, "%s", line);
}

Test(limit, a_result_that_is_only_replied_is_not_part_of_it) {
    fill("SADD a", " member:%u", 0, MANY);
    fill("SADD b", " member:%u", MANY / 2, MANY + MANY / 2);
    fill("ZADD y", " %u member:%u", 0, MANY);
    fill("ZADD z", " %u member:%u", MANY / 2, MANY + MANY / 2);
    cr_assert_gt(mem_used(MEM_DATA), 16 * BLUR, "one of them is far more than what is allowed");
    reads_aside("SUNION a b", "*9000");
    reads_aside("SINTER a b", "*3000");
    reads_aside("SDIFF a b", "*3000");
    reads_aside("SRANDMEMBER a 1900", "*1900");
    reads_aside("SRANDMEMBER a 5000", "*5000");
    reads_aside("SMEMBERS a", "*6000");
    reads_aside("ZUNION 2 y z WITHSCORES", "*18000");
    reads_aside("ZINTER 2 y z", "*3000");
    reads_aside("ZDIFF 2 y z", "*3000");
    reads_aside("ZUNION 2 a z", "*9000");
    reads_aside("ZRANDMEMBER y 3000", "*3000");
    reads_aside("ZRANGE y 0 -1", "*6000");
    reads_aside("SORT a ALPHA", "*6000");
}

/* Small ones are combined at once, and freed so. */
Test(limit, nor_is_a_small_one) {
    fill("SADD a", " member:%u", 0, 100);
    fill("SADD b", " member:%u", 50, 150);
    uint64_t client = mem_used(MEM_CLIENT);
    reads_aside("SUNION a b", "*150");
    reads_aside("SRANDMEMBER a 10", "*10");
    for (unsigned i = 0; i < 1000; i++) say("SUNION a b");
    cr_assert_lt(mem_used(MEM_CLIENT), client + 32768, "all of it was given back");
}

/* A client that leaves in the middle of it. */
Test(limit, nor_what_is_given_up) {
    fill("SADD a", " member:%u", 0, MANY);
    fill("SADD b", " member:%u", MANY / 2, MANY + MANY / 2);
    uint64_t data = mem_used(MEM_DATA);
    struct peer *other = loopback_open(p->net, 0);
    size_t need, client = mem_used(MEM_CLIENT);
    mem_peak_reset();
    uint64_t before = mem_limited();
    dispatch_input(&other->session, "SUNION a b\r\n", 12, &need);
    for (unsigned i = 0; i < 30 && session_parked(&other->session); i++) session_step(&other->session, 20);
    cr_assert(session_parked(&other->session));
    cr_assert_gt(mem_used(MEM_CLIENT), client + BLUR);
    session_leave(&other->session);
    while (store_trash_step(fixture_env(p)->store, STORE_SLICE_US)) {}
    cr_assert_leq(mem_peak(), before + BLUR);
    cr_assert_eq(mem_used(MEM_DATA), data);
}

/* Keys of a request are the client's, as the request is. */
Test(limit, many_keys_of_a_request_are_not_part_of_it) {
    struct buf b;
    buf_init(&b, MEM_CLIENT);
    buf_puts(&b, "EXISTS");
    for (unsigned i = 0; i < 20000; i++) buf_printf(&b, " k%u", i);
    buf_puts(&b, "\r\n");
    uint64_t before = mem_limited();
    mem_peak_reset();
    cr_assert_str_eq(fixture_say(p, buf_cstr(&b)), ":0\r\n");
    cr_assert_leq(mem_peak(), before + BLUR);
    reads_aside("COMMAND DOCS", "*");
    buf_free(&b);
}

/* A long string goes with its block, to whatever name: a copy for a moment would be as large as it is. */
Test(limit, renaming_a_long_string_takes_nothing) {
    set_long("long", LENGTH);
    cr_assert_leq(takes("RENAME long gnol", "+OK"), BLUR);
    if (mem_class(LENGTH + 64) > LENGTH + 128) { /* the sanitizers' allocator gives no byte more than it was asked for */
        cr_assert_leq(takes("RENAME gnol a-name-that-is-longer", "+OK"), BLUR);
        cr_assert_leq(takes("RENAME a-name-that-is-longer gnol", "+OK"), BLUR);
    }
    cr_assert_leq(takes("RENAMENX gnol s", ":1"), BLUR);
    cr_assert_leq(takes("MOVE s 1", ":1"), BLUR);
    say("SELECT 1");
    cr_assert_leq(takes("EXPIRE s 1000", ":1"), BLUR);
    set_long("t", LENGTH / 2);
    cr_assert_leq(takes("RENAME s t", "+OK"), BLUR);
    cr_assert_str_eq(say("TTL t"), ":1000\r\n");
    const char *got = say("GET t");
    cr_assert(!strncmp(got, "$300000\r\n", 9) && strspn(got + 9, "x") == LENGTH);
    cr_assert_str_eq(say("DBSIZE"), ":1\r\n");
}

/* While somebody is being sent it, it cannot be changed: it is copied, and asks for the room. */
Test(limit, renaming_a_long_string_that_is_being_sent_asks_first) {
    set_long("long", LENGTH);
    struct peer *reader = loopback_open(p->net, 0);
    size_t need;
    dispatch_input(&reader->session, "GET long\r\n", 10, &need); /* nobody takes its reply */
    cr_assert_gt(chain_size(&reader->session.out), LENGTH);
    setting *limit = &fixture_env(p)->store_config.maxmemory;
    *limit = (int64_t)mem_limited() + LENGTH / 2;
    cr_assert_str_eq(say("RENAME long short"), "-" OOM "\r\n");
    cr_assert_str_eq(say("STRLEN long"), ":300000\r\n");
    cr_assert_str_eq(say("EXISTS short"), ":0\r\n");
    *limit = (int64_t)mem_limited() + LENGTH * 2;
    cr_assert_str_eq(say("RENAME long short"), "+OK\r\n");
    cr_assert_str_eq(say("STRLEN short"), ":300000\r\n");
    *limit = (int64_t)mem_limited() + BLUR;
    cr_assert_str_eq(say("RENAME short shrot"), "+OK\r\n"); /* that one nobody is being sent */
    char *sent = malloc(LENGTH + 20);
    cr_assert(sent && chain_size(&reader->session.out) == LENGTH + 11);
    chain_copy(&reader->session.out, sent);
    cr_assert_eq(strspn(sent + 9, "x"), LENGTH);
    free(sent);
    uint64_t with = mem_limited();
    chain_free(&reader->session.out);
    cr_assert_leq(mem_limited() + LENGTH, with, "the last one who was being sent it has freed it");
}

/* Over and over with a little more room: what is let in fits, whatever the allocator rounds up and the table grows by. */
static void fits_or_is_refused(struct slice command, size_t from, size_t to, size_t step) {
    unsigned in = 0, out = 0;
    for (size_t room = from; room < to; room += step) {
        setting *limit = &fixture_env(p)->store_config.maxmemory;
        *limit = 64 << 20;
        say("FLUSHALL SYNC");
        *limit = (int64_t)mem_limited() + (int64_t)room;
        mem_peak_reset();
        p->output.n = 0;
        peer_send(p, command.p, command.n);
        const char *got = buf_cstr(&p->output);
        cr_assert(*got == '+' || *got == ':' || !strcmp(got, "-" OOM "\r\n"), "%.60s", got);
        *(*got == '-' ? &out : &in) += 1;
        cr_assert_leq(mem_peak(), (uint64_t)*limit, "%.20s with %zu bytes of room", command.p, room);
    }
    cr_assert(in && out, "%u went in, %u were refused", in, out);
}

Test(limit, many_small_values_at_once) {
    struct buf b;
    buf_init(&b, MEM_CLIENT);
    buf_puts(&b, "MSET");
    for (unsigned i = 0; i < 4000; i++) buf_printf(&b, " k%u v", i);
    buf_puts(&b, "\r\n");
    fits_or_is_refused(buf_slice(&b), 60000, 400000, 2000);
    buf_free(&b);
}

Test(limit, one_large_member) {
    static const char *const forms[] = {"*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf", "*3\r\n$4\r\nSADD\r\n$1\r\nk", "*3\r\n$5\r\nRPUSH\r\n$1\r\nk",
        "*4\r\n$4\r\nZADD\r\n$1\r\nk\r\n$1\r\n1", "*3\r\n$3\r\nSET\r\n$1\r\nk"};
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct buf b;
        buf_init(&b, MEM_CLIENT);
        buf_printf(&b, "%s\r\n$%d\r\n", forms[i], LENGTH);
        memset(buf_room(&b, LENGTH), 'x', LENGTH);
        b.n += LENGTH;
        buf_puts(&b, "\r\n");
        fits_or_is_refused(buf_slice(&b), LENGTH, LENGTH * 3 / 2, 2500);
        buf_free(&b);
    }
}

/* A few KB that become hundreds of them, at once or in slices. */
Test(limit, what_is_restored) {
    for (unsigned i = 0; i < 2; i++) {
        struct buf b;
        buf_init(&b, MEM_CLIENT);
        say("FLUSHALL SYNC");
        buf_printf(&b, "*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n$%d\r\n", LENGTH);
        memset(buf_room(&b, LENGTH), 'x', LENGTH);
        b.n += LENGTH;
        buf_puts(&b, "\r\n");
        peer_send(p, b.p, b.n);
        if (i) fill("HSET k", " f%u %u", 0, 4000);
        say("DUMP k");
        size_t n = strtoul(p->output.p + 1, NULL, 10);
        cr_assert(i ? n > 16384 : n < 16384, "%zu bytes", n);
        b.n = 0;
        buf_printf(&b, "*4\r\n$7\r\nRESTORE\r\n$1\r\nr\r\n$1\r\n0\r\n$%zu\r\n", n);
        buf_put(&b, strchr(p->output.p, '\n') + 1, n + 2);
        fits_or_is_refused(buf_slice(&b), LENGTH / 2, LENGTH * 4, 20000);
        buf_free(&b);
    }
}

/* What stays of a large set is built beside it: others make room for that. Where nothing may go it is popped all the same. */
Test(limit, what_stays_of_a_set) {
    setting *limit = &fixture_env(p)->store_config.maxmemory;
    for (unsigned i = 0; i < 2; i++) {
        *limit = 64 << 20;
        say("FLUSHALL SYNC");
        fill("SADD a", " member:%u", 0, 2 * MANY);
        for (unsigned k = 0; k < 30; k++) {
            char key[8];
            snprintf(key, sizeof key, "k%u", k);
            set_long(key, 20000);
        }
        say("SCARD a"); /* the latest */
        *limit = (int64_t)mem_limited() + BLUR;
        fixture_env(p)->store_config.policy = i ? POLICY_NOEVICTION : POLICY_ALLKEYS_LRU;
        mem_peak_reset();
        cr_assert(!strncmp(say("SPOP a 3000"), "*3000\r\n", 7));
        if (!i) cr_assert_leq(mem_peak(), (uint64_t)*limit);
        cr_assert(!i || mem_limited() < (uint64_t)*limit);
        *limit = 0;
        const char *left = say("SCARD a");
        cr_assert(!strcmp(left, ":9000\r\n") || (!i && !strcmp(left, ":0\r\n")), "%s", left);
    }
}

/* A large array of integers takes as much again when one comes that is wider, or that there is no room for, and five times as much when
 * a word comes. */
Test(limit, one_more_among_many_integers) {
    static const char *const more[] = {"SADD i 1000000", "SADD i 1000000000000", "SADD i word"};
    struct store_config *config = &fixture_env(p)->store_config;
    config->limits.set_ints = 1 << 20;
    fill("SADD i", " %u", 0, 20000);
    for (unsigned m = 0; m < sizeof more / sizeof *more; m++) {
        cr_assert_str_eq(say("OBJECT ENCODING i"), "$6\r\nintset\r\n");
        unsigned refused = 0;
        for (bool done = false; !done; refused += !done) {
            config->maxmemory = (int64_t)mem_limited() + 30000 + 10000 * refused;
            mem_peak_reset();
            const char *got = say(more[m]);
            done = *got == ':';
            cr_assert(done || !strcmp(got, "-" OOM "\r\n"), "%s", got);
            cr_assert_leq(mem_peak(), (uint64_t)config->maxmemory, "%s, refused %u times", more[m], refused);
            cr_assert_lt(refused, 200);
        }
        cr_assert_gt(refused, 2, "%s", more[m]);
        config->maxmemory = 0;
    }
    cr_assert_str_eq(say("SCARD i"), ":20003\r\n");
    /* One by one: asked for only when it has to grow. */
    config->maxmemory = 64 << 20;
    say("DEL i");
    fill("SADD i", " %u", 0, 30000);
    config->maxmemory = (int64_t)mem_limited() + 60000;
    unsigned in = 0;
    for (char line[32]; in < 30000; in++) {
        snprintf(line, sizeof line, "SADD i %u", 30000 + in);
        mem_peak_reset();
        if (*say(line) != ':') break;
        cr_assert_leq(mem_peak(), (uint64_t)config->maxmemory);
    }
    cr_assert_gt(in, 500, "%u", in);
}
