/* Long lists: what is read, searched and changed in slices, and what others may do meanwhile. */
#include "fixture.h"

#include <stdlib.h>

TestSuite(list, .timeout = 60);

#define LENGTH 40000 /* elements e00000 e00001 ..., every tenth "tenth" */

static unsigned finish(struct peer *p) {
    unsigned steps = 1;
    while (session_step(&p->session, 20) != TASK_DONE) steps++;
    return steps;
}

static struct peer *filled(void) {
    struct peer *p = fixture_open(NULL);
    struct buf b = {0};
    for (unsigned i = 0; i < LENGTH; i += 200) {
        b.n = 0;
        buf_puts(&b, "RPUSH list");
        for (unsigned k = i; k < i + 200; k++) buf_printf(&b, k % 10 == 9 ? " tenth" : " e%05u", k);
        buf_puts(&b, "\r\n");
        fixture_say(p, buf_cstr(&b));
    }
    buf_free(&b);
    return p;
}

/* The array that came: `n` elements from number `first` on, `step` further each. */
static void require_elements(const char *reply, unsigned n, int first, int step) {
    char wanted[32];
    cr_assert_eq(strtoul(reply + 1, NULL, 10), n);
    const char *at = strchr(reply, '\n') + 1;
    for (unsigned i = 0; i < n; i++) {
        unsigned k = (unsigned)(first + (int)i * step);
        size_t w = (size_t)snprintf(wanted, sizeof wanted, k % 10 == 9 ? "$5\r\ntenth\r\n" : "$6\r\ne%05u\r\n", k);
        cr_assert(!strncmp(at, wanted, w), "element %u: %.12s", i, at);
        at += w;
    }
    cr_assert_eq(*at, 0);
}

Test(list, a_range_is_of_one_moment) {
    struct peer *p = filled(), *reader = loopback_open(p->net, 0), *writer = loopback_open(p->net, 0);
    fixture_start(p, "LRANGE list 0 -1\r\n");
    cr_assert(session_parked(&p->session));
    cr_assert_str_eq(fixture_ask(reader, "LINDEX list 39998\r\n"), "$6\r\ne39998\r\n");
    fixture_start(writer, "RPUSH list more\r\n");
    cr_assert_eq(chain_size(&writer->session.out), 0, "the list was changed while it is read");
    cr_assert_str_eq(fixture_ask(reader, "LLEN list\r\n"), ":40000\r\n");
    cr_assert_gt(finish(p), 5);
    require_elements(fixture_collect(p), LENGTH, 0, 1);
    finish(writer);
    cr_assert_str_eq(fixture_collect(writer), ":40001\r\n");
    loopback_free(p->net);
}

Test(list, a_list_that_is_read_can_be_deleted) {
    struct peer *p = filled(), *other = loopback_open(p->net, 0);
    fixture_start(p, "LRANGE list 100 39999\r\n");
    cr_assert_str_eq(fixture_ask(other, "DEL list\r\n"), ":1\r\n");
    cr_assert_str_eq(fixture_ask(other, "RPUSH list new\r\n"), ":1\r\n");
    finish(p);
    require_elements(fixture_collect(p), LENGTH - 100, 100, 1);
    loopback_free(p->net);
}

Test(list, many_are_popped_at_once_and_told_in_slices) {
    struct peer *p = filled(), *other = loopback_open(p->net, 0);
    fixture_start(p, "RPOP list 30000\r\n");
    cr_assert(session_parked(&p->session));
    cr_assert_str_eq(fixture_ask(other, "RPUSH list more\r\n"), ":10001\r\n");
    cr_assert_gt(finish(p), 5);
    require_elements(fixture_collect(p), 30000, LENGTH - 1, -1);
    fixture_start(p, "LPOP list 10000\r\n");
    finish(p);
    require_elements(fixture_collect(p), 10000, 0, 1);
    fixture_start(p, "LMPOP 1 list LEFT COUNT 10\r\n");
    cr_assert_str_eq(fixture_collect(p), "*2\r\n$4\r\nlist\r\n*1\r\n$4\r\nmore\r\n");
    loopback_free(p->net);
}

Test(list, positions_are_found_in_slices) {
    struct peer *p = filled(), *other = loopback_open(p->net, 0);
    fixture_start(p, "LPOS list tenth RANK -4000\r\n");
    cr_assert(session_parked(&p->session));
    cr_assert_str_eq(fixture_ask(other, "LLEN list\r\n"), ":40000\r\n");
    cr_assert_gt(finish(p), 5);
    cr_assert_str_eq(fixture_collect(p), ":9\r\n");
    fixture_start(p, "LPOS list tenth COUNT 0\r\n");
    finish(p);
    const char *reply = fixture_collect(p);
    cr_assert(!strncmp(reply, "*4000\r\n:9\r\n:19\r\n", 16));
    fixture_start(p, "LPOS list e39991\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":39991\r\n");
    fixture_start(p, "LPOS list nowhere\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), "$-1\r\n");
    loopback_free(p->net);
}

Test(list, all_that_equals_goes_at_once) {
    struct peer *p = filled(), *other = loopback_open(p->net, 0), *writer = loopback_open(p->net, 0);
    fixture_start(p, "LREM list 0 tenth\r\n");
    cr_assert(session_parked(&p->session));
    fixture_start(writer, "LPUSH list tenth\r\n");
    do cr_assert_str_eq(fixture_ask(other, "LLEN list\r\n"), ":40000\r\n");
    while (session_step(&p->session, 20) != TASK_DONE);
    cr_assert_str_eq(fixture_collect(p), ":4000\r\n");
    cr_assert_str_eq(fixture_ask(other, "LLEN list\r\n"), ":36000\r\n");
    finish(writer);
    cr_assert_str_eq(fixture_collect(writer), ":36001\r\n");
    fixture_start(p, "LREM list -1 e00000\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":1\r\n");
    cr_assert_str_eq(fixture_ask(p, "LRANGE list 0 1\r\n"), "*2\r\n$5\r\ntenth\r\n$6\r\ne00001\r\n");
    cr_assert_str_eq(fixture_ask(p, "LRANGE list -2 -1\r\n"), "*2\r\n$6\r\ne39997\r\n$6\r\ne39998\r\n");
    loopback_free(p->net);
}

Test(list, an_element_is_put_in_far_from_the_head) {
    struct peer *p = filled();
    fixture_start(p, "LINSERT list AFTER e39997 new\r\n");
    cr_assert(session_parked(&p->session));
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":40001\r\n");
    cr_assert_str_eq(fixture_ask(p, "LRANGE list -4 -2\r\n"), "*3\r\n$6\r\ne39997\r\n$3\r\nnew\r\n$6\r\ne39998\r\n");
    fixture_start(p, "LINSERT list BEFORE nowhere new\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":-1\r\n");
    loopback_free(p->net);
}

Test(list, a_change_waits_for_who_reads) {
    struct peer *p = filled(), *reader = loopback_open(p->net, 0);
    fixture_start(p, "LREM list 0 tenth\r\n");
    fixture_start(reader, "LRANGE list 0 -1\r\n");
    cr_assert(session_parked(&reader->session));
    for (unsigned i = 0; i < 2000; i++) cr_assert_neq(session_step(&p->session, 20), TASK_DONE, "changed while it is read");
    finish(reader);
    require_elements(fixture_collect(reader), LENGTH, 0, 1);
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":4000\r\n");
    loopback_free(p->net);
}

/* The key is another one's when the search is over: as if the command had come only then. */
Test(list, a_change_begins_again_with_what_the_key_holds_now) {
    struct peer *p = filled(), *other = loopback_open(p->net, 0);
    fixture_start(p, "LREM list 0 tenth\r\n");
    cr_assert_str_eq(fixture_ask(other, "RENAME list elsewhere\r\n"), "+OK\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":0\r\n");
    cr_assert_str_eq(fixture_ask(other, "LLEN elsewhere\r\n"), ":40000\r\n");

    fixture_start(p, "LREM elsewhere 0 tenth\r\n");
    fixture_ask(other, "DEL elsewhere\r\n");
    fixture_ask(other, "RPUSH elsewhere tenth a tenth\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":2\r\n");
    cr_assert_str_eq(fixture_ask(other, "LRANGE elsewhere 0 -1\r\n"), "*1\r\n$1\r\na\r\n");
    loopback_free(p->net);
}

Test(list, a_change_begins_again_with_another_long_list) {
    struct peer *p = filled(), *other = loopback_open(p->net, 0);
    fixture_ask(other, "COPY list other\r\n");
    fixture_ask(other, "RPUSH other pivot\r\n");
    fixture_start(p, "LINSERT list BEFORE pivot new\r\n");
    fixture_ask(other, "RENAME other list\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":-1\r\n"); /* that was its answer before the renaming */
    fixture_start(p, "LINSERT list BEFORE pivot new\r\n");
    fixture_ask(other, "COPY list other\r\n");
    fixture_ask(other, "RENAME other list\r\n");
    finish(p);
    cr_assert_str_eq(fixture_collect(p), ":40002\r\n");
    cr_assert_str_eq(fixture_ask(p, "LRANGE list -2 -1\r\n"), "*2\r\n$3\r\nnew\r\n$5\r\npivot\r\n");
    fixture_start(p, "LREM list 0 tenth\r\n");
    fixture_ask(other, "SET list text\r\n");
    finish(p);
    cr_assert(!strncmp(fixture_collect(p), "-WRONGTYPE ", 11));
    loopback_free(p->net);
}

Test(list, a_client_may_go_before_it_is_told) {
    struct peer *p = filled(), *other = loopback_open(p->net, 0);
    const char *const lines[] = {"LRANGE list 0 -1\r\n", "LREM list 0 tenth\r\n", "LPOS list tenth COUNT 0\r\n", "LPOP list 20000\r\n"};
    for (unsigned i = 0; i < 4; i++) {
        struct peer *gone = loopback_open(p->net, 0);
        fixture_start(gone, lines[i]);
        cr_assert(session_parked(&gone->session));
        session_end(&gone->session);
        gone->open = false;
        buf_free(&gone->input);
    }
    cr_assert_str_eq(fixture_ask(other, "RPUSH list last\r\n"), ":20001\r\n");
    cr_assert_str_eq(fixture_ask(other, "FLUSHALL\r\n"), "+OK\r\n");
    loopback_free(p->net);
}
