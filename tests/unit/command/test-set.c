/* Sets that are too large to be shown, drawn from or combined at once; and that drawing is fair. */
#include "fixture.h"

#include <stdlib.h>

TestSuite(set_commands, .timeout = 120);

#define MANY 30000

/* Runs what is parked, in slices as short as they can be. Returns how many there were. */
static unsigned finish(struct peer *p) {
    unsigned slices = 0;
    while (session_parked(&p->session)) {
        session_step(&p->session, 20);
        slices++;
    }
    fixture_collect(p);
    return slices;
}

/* Members m<from> to m<to - 1>. */
static void fill(struct peer *p, const char *key, unsigned from, unsigned to) {
    struct buf b = {0};
    while (from < to) {
        b.n = 0;
        buf_printf(&b, "SADD %s", key);
        for (unsigned end = from + 500 < to ? from + 500 : to; from < end; from++) buf_printf(&b, " m%u", from);
        buf_puts(&b, "\r\n");
        cr_assert(strcmp(fixture_say(p, buf_cstr(&b)), ":0\r\n"));
    }
    buf_free(&b);
}

/* Counts the members in a reply, each in seen[its number]. */
static unsigned mark(const struct peer *p, unsigned char *seen) {
    unsigned n = 0;
    const char *at = p->output.p, *end = at + p->output.n;
    while ((at = memmem(at, (size_t)(end - at), "\nm", 2))) {
        unsigned k = (unsigned)strtoul(at += 2, NULL, 10);
        cr_assert(k < MANY);
        seen[k]++;
        n++;
    }
    return n;
}

static unsigned said(const struct peer *p, char kind) {
    cr_assert(p->output.n && p->output.p[0] == kind, "%.*s", 20, p->output.p);
    return (unsigned)strtoul(p->output.p + 1, NULL, 10);
}

static void only(const unsigned char *seen, unsigned from, unsigned to, unsigned step) {
    for (unsigned i = 0; i < MANY; i++) cr_assert_eq(seen[i], i >= from && i < to && (i - from) % step == 0, "m%u", i);
}

static void close_checked(struct peer *p) {
    const char *wrong = store_check(fixture_env(p)->store);
    cr_assert(!wrong, "%s", wrong);
    loopback_free(p->net);
}

Test(set_commands, a_large_one_is_shown_as_it_was) {
    struct peer *p = fixture_open(NULL), *other = loopback_open(p->net, 0), *writer = loopback_open(p->net, 0);
    unsigned char *seen = calloc(MANY, 1);
    fill(p, "s", 0, MANY);
    fixture_start(p, "SMEMBERS s\r\n");
    cr_assert(session_parked(&p->session), "%u members in one slice", MANY);
    cr_assert_str_eq(fixture_ask(other, "SISMEMBER s m5\r\nSCARD s\r\n"), ":1\r\n:30000\r\n");
    fixture_start(writer, "SREM s m5\r\n");
    cr_assert(session_parked(&writer->session), "who changes it waits");
    cr_assert_str_eq(fixture_ask(other, "SISMEMBER s m5\r\n"), ":1\r\n");
    cr_assert_gt(finish(p), 5);
    cr_assert_eq(said(p, '*'), MANY);
    cr_assert_eq(mark(p, seen), MANY);
    only(seen, 0, MANY, 1);
    finish(writer);
    cr_assert_str_eq(buf_cstr(&writer->output), ":1\r\n");
    fixture_start(p, "SMEMBERS s\r\n");
    cr_assert_str_eq(fixture_ask(other, "DEL s\r\nSADD s x\r\n"), ":1\r\n:1\r\n");
    finish(p);
    cr_assert_eq(said(p, '*'), MANY - 1);
    memset(seen, 0, MANY);
    cr_assert_eq(mark(p, seen), MANY - 1);
    cr_assert_str_eq(fixture_ask(other, "SMEMBERS s\r\n"), "*1\r\n$1\r\nx\r\n");
    free(seen);
    close_checked(p);
}

Test(set_commands, what_is_not_finished_is_given_back) {
    struct peer *p = fixture_open(NULL);
    uint64_t before = mem_used(MEM_DATA);
    loopback_free(p->net);
    p = fixture_open(NULL);
    struct peer *other = loopback_open(p->net, 0), *third = loopback_open(p->net, 0);
    fill(p, "s", 0, MANY);
    fixture_start(p, "SPOP s 15000\r\n");
    fixture_start(other, "SUNION s s\r\n");
    fixture_start(third, "SRANDMEMBER s 9000\r\n");
    cr_assert(session_parked(&p->session) && session_parked(&other->session) && session_parked(&third->session));
    loopback_free(p->net);
    cr_assert_eq(mem_used(MEM_DATA), before);
}

/* Pops `pick` of `n` and looks at what came and what stayed. */
static void pop(unsigned n, unsigned pick, unsigned deadline) {
    struct peer *p = fixture_open(NULL);
    unsigned char *seen = calloc(MANY, 1), *all = calloc(MANY, 1);
    char line[64];
    fill(p, "s", 0, n);
    if (deadline) fixture_say(p, "EXPIREAT s 4102444800\r\n");
    snprintf(line, sizeof line, "SPOP s %u\r\n", pick);
    fixture_start(p, line);
    finish(p);
    unsigned got = pick < n ? pick : n, many = 0;
    cr_assert_eq(said(p, '*'), got);
    cr_assert_eq(mark(p, all), got);
    for (unsigned i = 0; i < MANY; i++) cr_assert(all[i] <= 1, "m%u came twice", i);
    fixture_start(p, "SMEMBERS s\r\n");
    finish(p);
    cr_assert_eq(said(p, '*'), n - got);
    mark(p, seen);
    for (unsigned i = 0; i < n; i++) cr_assert_eq(seen[i] + all[i], 1, "m%u", i);
    for (unsigned i = 0; i < n / 2; i++) many += all[i];
    if (n > 1000 && pick > 1000 && got < n - 1000) /* within six deviations of the half */
        cr_assert((many - got / 2.0) * (many - got / 2.0) < 36.0 * got / 4 + 1, "%u of the lower half", many);
    cr_assert_str_eq(fixture_say(p, "EXPIRETIME s\r\n"), got == n ? ":-2\r\n" : deadline ? ":4102444800\r\n" : ":-1\r\n");
    free(seen);
    free(all);
    close_checked(p);
}

Test(set_commands, pop_of_all_sizes) {
    const unsigned n[] = {1, 5, 128, 129, 1000, 1001, 3000, MANY};
    for (unsigned i = 0; i < sizeof n / sizeof *n; i++) {
        const unsigned pick[] = {1, n[i] / 3, n[i] / 2, n[i] - n[i] / 6, n[i] - 1, n[i], n[i] + 1};
        for (unsigned k = 0; k < sizeof pick / sizeof *pick; k++) pop(n[i], pick[k], k % 2);
    }
}

Test(set_commands, pop_of_most_gives_up_the_hash) {
    struct peer *p = fixture_open(NULL);
    fill(p, "s", 0, 1200);
    cr_assert_str_eq(fixture_say(p, "OBJECT ENCODING s\r\n"), "$9\r\nhashtable\r\n");
    fixture_say(p, "SPOP s 600\r\n");
    cr_assert_str_eq(fixture_say(p, "OBJECT ENCODING s\r\n"), "$9\r\nhashtable\r\n");
    fixture_say(p, "SPOP s 550\r\n");
    cr_assert_str_eq(fixture_say(p, "OBJECT ENCODING s\r\nSCARD s\r\n"), "$8\r\nlistpack\r\n:50\r\n");
    close_checked(p);
}

/* What another client does to the key while members are popped comes after the pop. */
Test(set_commands, pop_of_a_key_that_goes) {
    struct peer *p = fixture_open(NULL), *other = loopback_open(p->net, 0);
    fill(p, "s", 0, MANY);
    fixture_start(p, "SPOP s 15000\r\n");
    cr_assert(session_parked(&p->session));
    cr_assert_str_eq(fixture_ask(other, "SCARD s\r\nSET s string\r\n"), ":30000\r\n+OK\r\n");
    finish(p);
    cr_assert_eq(said(p, '*'), 15000);
    cr_assert_str_eq(fixture_ask(other, "GET s\r\n"), "$6\r\nstring\r\n");
    fixture_ask(other, "DEL s\r\n");
    fill(other, "s", 0, MANY);
    fixture_start(p, "SPOP s 15000\r\n");
    fixture_ask(other, "EXPIREAT s 4102444800\r\n");
    finish(p);
    cr_assert_str_eq(fixture_ask(other, "SCARD s\r\nEXPIRETIME s\r\n"), ":15000\r\n:4102444800\r\n");
    close_checked(p);
}

static void members_drawn(struct peer *p, const char *line, unsigned want, bool distinct) {
    unsigned char *seen = calloc(MANY, 1);
    fixture_start(p, line);
    finish(p);
    cr_assert_eq(said(p, '*'), want, "%s", line);
    cr_assert_eq(mark(p, seen), want);
    for (unsigned i = 0; distinct && i < MANY; i++) cr_assert(seen[i] <= 1, "%s: m%u twice", line, i);
    free(seen);
}

Test(set_commands, random_members_of_a_large_one) {
    struct peer *p = fixture_open(NULL);
    fill(p, "s", 0, MANY);
    members_drawn(p, "SRANDMEMBER s 3\r\n", 3, true);
    members_drawn(p, "SRANDMEMBER s 900\r\n", 900, true);
    members_drawn(p, "SRANDMEMBER s 5000\r\n", 5000, true);
    members_drawn(p, "SRANDMEMBER s 20000\r\n", 20000, true);
    members_drawn(p, "SRANDMEMBER s 29999\r\n", 29999, true);
    members_drawn(p, "SRANDMEMBER s 40000\r\n", MANY, true);
    members_drawn(p, "SRANDMEMBER s -100\r\n", 100, false);
    members_drawn(p, "SRANDMEMBER s -40000\r\n", 40000, false);
    cr_assert_str_eq(fixture_say(p, "SCARD s\r\n"), ":30000\r\n");
    close_checked(p);
}

Test(set_commands, scan_of_a_large_one_sees_all_that_stay) {
    struct peer *p = fixture_open(NULL);
    unsigned char *seen = calloc(MANY, 1);
    char line[96];
    unsigned long long cursor = 0;
    unsigned pages = 0;
    fill(p, "s", 0, 10000);
    do {
        snprintf(line, sizeof line, "SSCAN s %llu COUNT 100000\r\n", cursor);
        fixture_say(p, line);
        mark(p, seen);
        cursor = strtoull(strchr(buf_cstr(&p->output) + 5, '\n') + 1, NULL, 10);
        pages++;
        if (pages == 2) fill(p, "s", 10000, MANY);
        if (pages == 4)
            for (unsigned i = 10000; i < MANY; i++) {
                snprintf(line, sizeof line, "SREM s m%u\r\n", i);
                cr_assert_str_eq(fixture_say(p, line), ":1\r\n");
            }
    } while (cursor);
    for (unsigned i = 0; i < 10000; i++) cr_assert(seen[i], "m%u", i);
    cr_assert_gt(pages, 4, "a page is not the whole set");
    free(seen);
    close_checked(p);
}

/* a: all below 20000; b: from 10000 on; c: those that three divides. */
static struct peer *three(void) {
    struct peer *p = fixture_open(NULL);
    struct buf b = {0};
    fill(p, "a", 0, 20000);
    fill(p, "b", 10000, MANY);
    for (unsigned i = 0; i < MANY;) {
        b.n = 0;
        buf_puts(&b, "SADD c");
        for (unsigned k = 0; k < 500 && i < MANY; k++, i += 3) buf_printf(&b, " m%u", i);
        buf_puts(&b, "\r\n");
        fixture_say(p, buf_cstr(&b));
    }
    buf_free(&b);
    return p;
}

static void combined(struct peer *p, const char *line, unsigned from, unsigned to, unsigned step) {
    unsigned char *seen = calloc(MANY, 1);
    fixture_start(p, line);
    cr_assert(session_parked(&p->session), "%s", line);
    finish(p);
    cr_assert_eq(said(p, '*'), mark(p, seen));
    only(seen, from, to, step);
    free(seen);
}

Test(set_commands, large_ones_are_combined) {
    struct peer *p = three(), *other = loopback_open(p->net, 0);
    combined(p, "SINTER a b\r\n", 10000, 20000, 1);
    combined(p, "SUNION a b c\r\n", 0, MANY, 1);
    combined(p, "SDIFF a b\r\n", 0, 10000, 1);
    combined(p, "SINTER a b c\r\n", 10002, 20000, 3);
    fixture_start(p, "SINTERCARD 3 a b c\r\n");
    finish(p);
    cr_assert_str_eq(buf_cstr(&p->output), ":3333\r\n");
    fixture_start(p, "SINTERCARD 2 a b LIMIT 5000\r\n");
    finish(p);
    cr_assert_str_eq(buf_cstr(&p->output), ":5000\r\n");
    fixture_start(p, "SDIFFSTORE d a b\r\n");
    cr_assert_str_eq(fixture_ask(other, "DEL a b\r\nSCARD c\r\nEXISTS d\r\n"), ":2\r\n:10000\r\n:0\r\n", "they are as they were");
    finish(p);
    cr_assert_str_eq(buf_cstr(&p->output), ":10000\r\n");
    combined(p, "SUNION d d\r\n", 0, 10000, 1);
    fixture_start(p, "SINTERSTORE d d c\r\n");
    finish(p);
    combined(p, "SUNION d\r\n", 0, 10000, 3);
    fixture_start(p, "SDIFFSTORE c d d\r\n");
    finish(p);
    cr_assert_str_eq(buf_cstr(&p->output), ":0\r\n");
    cr_assert_str_eq(fixture_ask(other, "EXISTS c d\r\n"), ":1\r\n");
    close_checked(p);
}

/* Chi-square of what commands draw, against the bound of one in a thousand; the random state is fixed. */
static double chi_square(const unsigned *drawn, unsigned n, double each) {
    double sum = 0;
    for (unsigned i = 0; i < n; i++) sum += (drawn[i] - each) * (drawn[i] - each) / each;
    return sum;
}

static void fair(unsigned members, const char *line, unsigned pick, unsigned rounds, double bound, bool pops) {
    struct peer *p = fixture_open(NULL);
    unsigned char *seen = calloc(MANY, 1);
    unsigned *drawn = calloc(members, sizeof *drawn);
    p->session.lane->random = 4711;
    fill(p, "s", 0, members);
    for (unsigned i = 0; i < rounds; i++) {
        memset(seen, 0, MANY);
        fixture_say(p, line);
        mark(p, seen);
        for (unsigned k = 0; k < members; k++) drawn[k] += seen[k];
        if (pops) fill(p, "s", 0, members);
    }
    double sum = chi_square(drawn, members, (double)rounds * pick / members);
    cr_assert(sum < bound, "%s of %u: %g", line, members, sum);
    free(seen);
    free(drawn);
    close_checked(p);
}

/* Drawings without repetition spread a little less than chi-square's: the bounds hold all the more. */
Test(set_commands, drawing_is_fair) {
    fair(50, "SRANDMEMBER s\r\n", 1, 10000, 85.4, false);
    fair(50, "SRANDMEMBER s 7\r\n", 7, 2000, 85.4, false);
    fair(50, "SRANDMEMBER s -7\r\n", 7, 2000, 85.4, false);
    fair(200, "SRANDMEMBER s 30\r\n", 30, 1000, 266.4, false);
    fair(1500, "SRANDMEMBER s 40\r\n", 40, 3000, 1673.0, false);
    fair(1500, "SRANDMEMBER s 700\r\n", 700, 200, 1673.0, false);
    fair(50, "SPOP s\r\n", 1, 10000, 85.4, true);
    fair(50, "SPOP s 20\r\n", 20, 2000, 85.4, true);
    fair(300, "SPOP s 100\r\n", 100, 400, 379.0, true);
    fair(300, "SPOP s 270\r\n", 270, 400, 379.0, true);
}
