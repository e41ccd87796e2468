#include "resp/reply.h"

#include "resp/writer.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct reply_limits limits = {.max_bulk = 1000, .max_nodes = 100};

/* Whole at once, and byte by byte from blocks that move: the same nodes. */
static void both(const char *text, size_t n, struct reply_reader *out) {
    size_t used = 0;
    struct reply_reader slow;
    reply_reader_init(out);
    reply_reader_init(&slow);
    cr_assert_eq(reply_reader_next(out, &limits, text, n, &used), REPLY_WHOLE, "%.*s: %s", (int)n, text, out->error);
    cr_assert_eq(used, n);
    for (size_t i = 0; i < n; i++) {
        char *moved = malloc(i + 1);
        memcpy(moved, text, i);
        cr_assert_eq(reply_reader_next(&slow, &limits, moved, i, &used), REPLY_MORE, "%zu bytes of %.*s", i, (int)n, text);
        free(moved);
    }
    cr_assert_eq(reply_reader_next(&slow, &limits, text, n, &used), REPLY_WHOLE);
    cr_assert_eq(slow.n, out->n);
    for (size_t i = 0; i < slow.n; i++) {
        cr_assert_eq(slow.node[i].kind, out->node[i].kind);
        cr_assert_eq(slow.node[i].n, out->node[i].n);
        cr_assert_eq(slow.node[i].integer, out->node[i].integer);
        cr_assert(slice_equal(slow.node[i].text, out->node[i].text));
    }
    reply_reader_free(&slow);
}

#define BOTH(literal, r) both(literal, sizeof(literal) - 1, r)

Test(reply, every_kind) {
    const struct {
        const char *text;
        enum reply_kind kind;
        const char *meant;
    } rows[] = {{"$3\r\na\r\n\r\n", REPLY_TEXT, "a\r\n"}, {"$0\r\n\r\n", REPLY_TEXT, ""}, {"+OK\r\n", REPLY_SIMPLE, "OK"},
        {"-ERR no\r\n", REPLY_ERROR, "ERR no"}, {"!5\r\nE too\r\n", REPLY_ERROR, "E too"}, {"=7\r\ntxt:abc\r\n", REPLY_TEXT, "abc"},
        {"(123456789012345678901234567890\r\n", REPLY_TEXT, "123456789012345678901234567890"}, {",1.5\r\n", REPLY_DOUBLE, "1.5"},
        {"$-1\r\n", REPLY_NIL, NULL}, {"*-1\r\n", REPLY_NIL, NULL}, {"_\r\n", REPLY_NIL, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply_reader r;
        both(rows[i].text, strlen(rows[i].text), &r);
        cr_assert_eq(r.n, 1);
        cr_assert_eq(r.node->kind, rows[i].kind, "%s", rows[i].text);
        if (rows[i].meant) cr_assert(slice_equal(r.node->text, slice_of(rows[i].meant)));
        reply_reader_free(&r);
    }
}

Test(reply, numbers) {
    struct reply_reader r;
    BOTH(":-9223372036854775808\r\n", &r);
    cr_assert(r.node->kind == REPLY_INTEGER && r.node->integer == INT64_MIN);
    reply_reader_free(&r);
    BOTH("#t\r\n", &r);
    cr_assert(r.node->kind == REPLY_BOOL && r.node->integer == 1);
    reply_reader_free(&r);
}

Test(reply, what_is_in_what) {
    struct reply_reader r;
    BOTH("*4\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n%1\r\n+k\r\n~1\r\n:2\r\n:3\r\n", &r);
    cr_assert_eq(r.n, 10);
    cr_assert_eq(r.node[0].n, 4);
    cr_assert_eq(reply_skip(r.node, 2), 5, "the inner array ends before the map");
    cr_assert(r.node[5].kind == REPLY_MAP && r.node[5].n == 2);
    cr_assert_eq(r.node[reply_skip(r.node, 5)].integer, 3);
    cr_assert_eq(reply_field(&r.node[5], "K")->kind, REPLY_SET);
    cr_assert_null(reply_field(&r.node[5], "x"));
    reply_reader_free(&r);
}

Test(reply, attributes_are_passed_over) {
    struct reply_reader r;
    BOTH("|1\r\n+ttl\r\n:5\r\n*2\r\n:1\r\n|1\r\n+a\r\n*2\r\n:7\r\n:8\r\n:2\r\n", &r);
    cr_assert_eq(r.n, 3);
    cr_assert(r.node[0].n == 2 && r.node[1].integer == 1 && r.node[2].integer == 2);
    reply_reader_free(&r);
}

Test(reply, several_in_a_row) {
    const char text[] = ":1\r\n+two\r\n>1\r\n:3\r\n";
    struct reply_reader r;
    size_t used, at = 0;
    reply_reader_init(&r);
    for (int i = 0; i < 3; i++, at += used) cr_assert_eq(reply_reader_next(&r, &limits, text + at, sizeof text - 1 - at, &used), REPLY_WHOLE);
    cr_assert_eq(at, sizeof text - 1);
    cr_assert_eq(reply_reader_next(&r, &limits, text + at, 0, &used), REPLY_MORE);
    reply_reader_free(&r);
}

Test(reply, what_cannot_be_read) {
    const char *bad[] = {"x\r\n", ":1x\r\n", ":\r\n", "$1\r\nab\r\n", "$-2\r\n", "$1001\r\n", "*-2\r\n", "*51\r\n", "#x\r\n", "+a\rb", "\r\n", "%99\r\n",
        "$99999999999999999999\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reply_reader r;
        size_t used;
        reply_reader_init(&r);
        cr_assert_eq(reply_reader_next(&r, &limits, bad[i], strlen(bad[i]), &used), REPLY_BROKEN, "%s", bad[i]);
        cr_assert(r.error && *r.error);
        reply_reader_free(&r);
    }
}

/* What the daemon's writer writes in either protocol is read as it was meant. */
Test(reply, reads_what_the_writer_writes) {
    for (int proto = 2; proto <= 3; proto++) {
        struct chain_pool pool;
        struct chain out;
        struct reply_reader r;
        struct resp_writer w = {&out, proto};
        chain_pool_init(&pool, 1);
        chain_init(&out, &pool);
        resp_map(&w, 2);
        resp_text(&w, "name");
        resp_null(&w);
        resp_text(&w, "list");
        resp_array(&w, 3);
        resp_double(&w, 0.5);
        resp_bool(&w, true);
        resp_verbatim(&w, "txt", SLICE("v"));
        char text[256];
        size_t n = chain_size(&out);
        chain_copy(&out, text);
        both(text, n, &r);
        cr_assert_eq(reply_field(r.node, "name")->kind, REPLY_NIL);
        const struct reply_node *list = reply_field(r.node, "list");
        cr_assert_eq(list->n, 3);
        cr_assert(slice_equal(list[1].text, SLICE("0.5")) && list[2].integer == 1 && slice_equal(list[3].text, SLICE("v")));
        reply_reader_free(&r);
        chain_free(&out);
        chain_pool_free(&pool);
    }
}
