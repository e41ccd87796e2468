/* What goes on after its request returned: walks over all keys, flushes, LCS. */
#include "fixture.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

TestSuite(walk, .timeout = 60);

#define KEYS 60000
#define STABLE 500

static struct peer *filled(unsigned keys) {
    struct peer *p = fixture_open(NULL);
    struct buf b = {0};
    for (unsigned i = 0; i < keys; i += 100) {
        b.n = 0;
        buf_puts(&b, "MSET");
        for (unsigned k = i; k < i + 100 && k < keys; k++) buf_printf(&b, " key:%06u v", k);
        buf_puts(&b, "\r\n");
        cr_assert_str_eq(fixture_say(p, buf_cstr(&b)), "+OK\r\n");
    }
    buf_free(&b);
    return p;
}

/* Marks the keys named "key:NNNNNN" in the bulks of a reply; returns how many of them there were. */
static unsigned mark(struct slice reply, unsigned char *seen, unsigned most) {
    unsigned n = 0;
    const char *at = reply.p, *end = reply.p + reply.n;
    while ((at = memmem(at, (size_t)(end - at), "\nkey:", 5))) {
        unsigned k = (unsigned)strtoul(at + 5, NULL, 10);
        if (k < most) seen[k]++;
        at += 5;
        n++;
    }
    return n;
}

Test(walk, others_are_answered_between_the_slices_of_keys) {
    struct peer *p = filled(KEYS), *other = loopback_open(p->net, 0);
    unsigned char *seen = calloc(KEYS, 1);
    unsigned steps = 0;
    char line[64];
    fixture_start(p, "KEYS *\r\n");
    cr_assert(session_parked(&p->session), "%u keys in one slice", KEYS);
    do {
        cr_assert_str_eq(fixture_ask(other, "GET key:000007\r\n"), "$1\r\nv\r\n");
        snprintf(line, sizeof line, "DEL key:%06u\r\nSET new:%u v\r\n", KEYS / 2 + steps, steps);
        fixture_ask(other, line);
        cr_assert_eq(chain_size(&p->session.out), 0, "a part of the reply before all of it is known");
        steps++;
    } while (session_step(&p->session, 20) != TASK_DONE);
    cr_assert_gt(steps, 5);
    fixture_collect(p);
    cr_assert_eq(p->output.p[0], '*');
    unsigned said = (unsigned)strtoul(p->output.p + 1, NULL, 10), news = 0;
    unsigned keys = mark(buf_slice(&p->output), seen, KEYS);
    for (const char *at = buf_cstr(&p->output); (at = strstr(at, "\nnew:")); at++) news++;
    cr_assert_eq(said, keys + news);
    for (unsigned k = 0; k < KEYS; k++)
        cr_assert(seen[k] == 1 || (k >= KEYS / 2 && k < KEYS / 2 + steps && !seen[k]), "key %u: %u times", k,
            seen[k]);
    free(seen);
    loopback_free(p->net);
}

Test(walk, a_large_count_is_sliced_too) {
    struct peer *p = filled(KEYS);
    unsigned char *seen = calloc(KEYS, 1);
    unsigned steps = 0;
    fixture_start(p, "SCAN 0 COUNT 1000000\r\n");
    while (session_parked(&p->session)) {
        session_step(&p->session, 20);
        steps++;
    }
    cr_assert_gt(steps, 5);
    fixture_collect(p);
    cr_assert(!strncmp(p->output.p, "*2\r\n$1\r\n0\r\n*60000\r\n", 19), "%.40s", p->output.p);
    cr_assert_eq(mark(buf_slice(&p->output), seen, KEYS), KEYS);
    for (unsigned k = 0; k < KEYS; k++) cr_assert_eq(seen[k], 1);
    free(seen);
    loopback_free(p->net);
}

Test(walk, a_session_that_ends_takes_its_walk_along) {
    struct peer *first = filled(KEYS);
    uint64_t before = mem_used(MEM_CLIENT);
    struct peer *p = loopback_open(first->net, 0);
    fixture_start(p, "KEYS key:0*\r\n");
    session_step(&p->session, 100);
    cr_assert(session_parked(&p->session));
    cr_assert_gt(mem_used(MEM_CLIENT), before + 16384);
    loopback_free(first->net);
    cr_assert_lt(mem_used(MEM_CLIENT), before + 16384);
}

/* Keys that are there all the time are seen, whatever becomes of the others and however small the steps. */
Test(walk, scan_sees_what_stays) {
    struct peer *p = filled(STABLE);
    unsigned char seen[STABLE] = {0};
    char line[128], cursor[32] = "0";
    unsigned churn = 0;
    do {
        snprintf(line, sizeof line, "SCAN %s COUNT 7\r\n", cursor);
        fixture_say(p, line);
        mark(buf_slice(&p->output), seen, STABLE);
        const char *at = strchr(strchr(p->output.p, '$'), '\n') + 1;
        snprintf(cursor, sizeof cursor, "%.*s", (int)strcspn(at, "\r"), at);
        for (unsigned i = 0; i < 60; i++) {
            unsigned k = churn++ * 7919u % 20000;
            snprintf(line, sizeof line, churn / 10000 % 2 ? "DEL other:%u\r\n" : "SET other:%u v\r\n", k);
            fixture_say(p, line);
        }
    } while (strcmp(cursor, "0"));
    for (unsigned k = 0; k < STABLE; k++) cr_assert(seen[k], "key %u was missed", k);
    loopback_free(p->net);
}

Test(walk, flush_sync_replies_when_the_memory_is_back) {
    struct peer *p = filled(KEYS), *other = loopback_open(p->net, 0);
    fixture_start(p, "FLUSHALL SYNC\r\n");
    cr_assert_str_eq(fixture_ask(other, "DBSIZE\r\n"), ":0\r\n");
    unsigned steps = 0;
    while (session_parked(&p->session)) {
        cr_assert_eq(chain_size(&p->session.out), 0);
        session_step(&p->session, 100);
        steps++;
    }
    cr_assert_gt(steps, 1);
    cr_assert_str_eq(fixture_collect(p), "+OK\r\n");
    cr_assert_eq(store_trash(fixture_env(p)->store), 0);
    loopback_free(p->net);
}

/* -- LCS against the usual table --------------------------------------------------------------------------
 */

struct naive {
    size_t n, m, *cell;
};

static size_t *cell(const struct naive *t, size_t i, size_t j) { return t->cell + i * (t->m + 1) + j; }

static struct naive naive(const char *a, const char *b) {
    struct naive t = {strlen(a), strlen(b), NULL};
    t.cell = calloc((t.n + 1) * (t.m + 1), sizeof *t.cell);
    for (size_t i = 1; i <= t.n; i++)
        for (size_t j = 1; j <= t.m; j++) {
            size_t up = *cell(&t, i - 1, j), left = *cell(&t, i, j - 1);
            *cell(&t, i, j) = a[i - 1] == b[j - 1] ? *cell(&t, i - 1, j - 1) + 1 : up > left ? up : left;
        }
    return t;
}

static void naive_way(const struct naive *t, const char *a, const char *b, char *out) {
    size_t i = t->n, j = t->m, k = *cell(t, i, j);
    out[k] = 0;
    while (i && j) {
        if (a[i - 1] == b[j - 1])
            out[--k] = a[i - 1], i--, j--;
        else if (*cell(t, i - 1, j) > *cell(t, i, j - 1))
            i--;
        else
            j--;
    }
}

static void random_word(char *out, size_t n, unsigned letters) {
    for (size_t i = 0; i < n; i++) out[i] = (char)('a' + (unsigned)rand() % letters);
    out[n] = 0;
}

static void lcs_case(struct peer *p, size_t n, size_t m, unsigned letters) {
    static char a[4096], b[4096], word[4096], line[3 * 4096], want[4200];
    random_word(a, n, letters);
    random_word(b, m, letters);
    snprintf(line, sizeof line, "MSET a '%s' b '%s'\r\n", a, b);
    cr_assert_str_eq(fixture_say(p, line), "+OK\r\n");
    struct naive t = naive(a, b);
    naive_way(&t, a, b, word);
    snprintf(want, sizeof want, ":%zu\r\n", *cell(&t, n, m));
    cr_assert_str_eq(fixture_say(p, "LCS a b LEN\r\n"), want, "%zu by %zu", n, m);
    snprintf(want, sizeof want, "$%zu\r\n%s\r\n", strlen(word), word);
    cr_assert_str_eq(fixture_say(p, "LCS a b\r\n"), want, "%zu by %zu", n, m);
    free(t.cell);
}

Test(walk, lcs_finds_what_the_usual_table_finds) {
    struct peer *p = fixture_open(NULL);
    srand(11);
    static const size_t edges[] = {1, 2, 63, 64, 65, 127, 128, 129, 200};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t j = 0; j < sizeof edges / sizeof *edges; j++)
            lcs_case(p, edges[i], edges[j], 2 + (unsigned)(i + j) % 9);
    loopback_free(p->net);
}

Test(walk, a_long_lcs_is_a_task_with_strings_of_its_own) {
    struct peer *p = fixture_open(NULL), *other = loopback_open(p->net, 0);
    lcs_case(p, 3000, 3500, 3);
    lcs_case(p, 4000, 40, 2);
    fixture_say(p, "SETRANGE a 9000 x\r\nSETRANGE b 9100 x\r\n");
    fixture_start(p, "LCS a b LEN\r\n");
    cr_assert(session_parked(&p->session));
    cr_assert_str_eq(fixture_ask(other, "SETRANGE a 0 other\r\nSET b gone\r\n"), ":9001\r\n+OK\r\n");
    while (session_parked(&p->session)) session_step(&p->session, 20);
    cr_assert_neq(fixture_collect(p)[1], '0');
    unsigned long n = strtoul(p->output.p + 1, NULL, 10);
    cr_assert(n > 3000 && n <= 9001, "%lu", n);
    loopback_free(p->net);
}
