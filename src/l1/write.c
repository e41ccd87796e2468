/* Writes go to the server first and then out of the near store: a thread that wrote never reads what was before. The key is taken out
 * whatever the answer, as a write without an answer may have happened. */
#include "l1/inside.h"

#include "base/clock.h"
#include "base/num.h"

#define COUNT_WAIT_US 60000000 /* counting waits until all are gone from the server's memory */

static void forget(struct larder *l, struct slice key) {
    if (read_kept(l, key)) near_erase(l->near, key, near_hash(l->near, key));
}

/* The server did not take it: what the options say. */
static int not_written(struct larder *l, int status, size_t argc, const struct slice *argv) {
    struct near_record *r = near_record(l->near);
    if (l->o.writes_when_down == LARDER_WRITES_QUEUE && backlog_add(&l->backlog, argc, argv)) {
        tally_count(r, COUNT_QUEUED, 1);
        keeper_wake(&l->keeper);
        return LARDER_QUEUED;
    }
    if (l->o.writes_when_down == LARDER_WRITES_FAIL) return status;
    tally_count(r, COUNT_DROPPED, 1);
    return LARDER_DROPPED;
}

/* `late`: the same write as it is to be if it has to wait. */
static int write_one(struct larder *l, size_t argc, const struct slice *argv, size_t late_argc, const struct slice *late, int64_t *integer) {
    struct call c;
    int status = LARDER_DOWN; /* behind those that wait already */
    if (l->o.writes_when_down != LARDER_WRITES_QUEUE || backlog_empty(&l->backlog)) status = call_one(l, &c, argc, argv);
    if (status == LARDER_OK || status == LARDER_ERROR) {
        if (integer) *integer = link_node(c.link)->integer;
        call_end(&c, status);
    }
    return call_failed(status) ? not_written(l, status, late_argc, late) : status;
}

/* SET key value [PX ttl]: as words. What waits has its deadline as a time of day, so that it does not live longer for it. */
static size_t set_words(struct slice *argv, struct slice key, struct slice value, int64_t ttl_ms, bool late, char *number) {
    size_t argc = 0;
    argv[argc++] = SLICE("SET");
    argv[argc++] = key;
    argv[argc++] = value;
    if (!ttl_ms) return argc;
    argv[argc++] = late ? SLICE("PXAT") : SLICE("PX");
    argv[argc++] = (struct slice){number, num_put_i64(number, late ? clock_ms() + ttl_ms : ttl_ms)};
    return argc;
}

int larder_set(larder *l, const char *key, size_t key_size, const void *data, size_t size, int64_t ttl_ms) {
    if ((!key && key_size) || (!data && size) || ttl_ms < 0) return LARDER_INVALID;
    struct slice now[5], late[5], k = {key, key_size}, value = {data, size};
    char number[NUM_I64_MAX], late_number[NUM_I64_MAX];
    size_t argc = set_words(now, k, value, ttl_ms, false, number), late_argc = set_words(late, k, value, ttl_ms, true, late_number);
    int status = write_one(l, argc, now, late_argc, late, NULL);
    forget(l, k);
    return status;
}

int larder_del(larder *l, const char *key, size_t key_size) {
    if (!key && key_size) return LARDER_INVALID;
    struct slice argv[] = {SLICE("DEL"), {key, key_size}};
    int64_t gone = 0;
    int status = write_one(l, 2, argv, 2, argv, &gone);
    forget(l, argv[1]);
    return status == LARDER_OK && !gone ? LARDER_NOT_FOUND : status;
}

int larder_expire(larder *l, const char *key, size_t key_size, int64_t ttl_ms) {
    if (!key && key_size) return LARDER_INVALID;
    char number[NUM_I64_MAX], late_number[NUM_I64_MAX];
    struct slice k = {key, key_size};
    struct slice argv[] = {SLICE("PEXPIRE"), k, {number, num_put_i64(number, ttl_ms)}};
    struct slice late[] = {SLICE("PEXPIREAT"), k, {late_number, num_put_i64(late_number, clock_ms() + ttl_ms)}};
    int64_t there = 0;
    int status = write_one(l, 3, argv, 3, late, &there);
    forget(l, k);
    return status == LARDER_OK && !there ? LARDER_NOT_FOUND : status;
}

int larder_mset(larder *l, const larder_slice *keys, const larder_slice *values, size_t n, int64_t ttl_ms) {
    if (!slices_good(keys, n) || !slices_good(values, n) || ttl_ms < 0) return LARDER_INVALID;
    struct call c;
    char number[NUM_I64_MAX];
    size_t done = 0;
    int status = n ? LARDER_DOWN : LARDER_OK, worst = LARDER_OK;
    if (n && (l->o.writes_when_down != LARDER_WRITES_QUEUE || backlog_empty(&l->backlog))) status = call_begin(l, &c, 0);
    if (n && status == LARDER_OK) {
        struct slice argv[5];
        for (size_t i = 0; i < n; i++) {
            size_t argc = set_words(
                argv, (struct slice){keys[i].data, keys[i].size}, (struct slice){values[i].data, values[i].size}, ttl_ms, false, number);
            link_request(c.link, argc, argv);
        }
        for (; done < n && (status = done ? call_reply(&c) : call_send(&c)) == LARDER_OK; done++)
            if (link_node(c.link)->kind == REPLY_ERROR) worst = LARDER_ERROR;
        call_end(&c, status);
    }
    for (size_t i = 0; i < n; i++) {
        struct slice key = {keys[i].data, keys[i].size}, argv[5];
        if (call_failed(status) && i >= done)
            worst = not_written(l, status, set_words(argv, key, (struct slice){values[i].data, values[i].size}, ttl_ms, true, number), argv);
        forget(l, key);
    }
    return worst != LARDER_OK ? worst : call_failed(status) ? LARDER_OK : status;
}

/* --- patterns --- */

/* For a server without CACHE INVALIDATE: every key that matches, as SCAN finds them. */
static int invalidate_scan(struct call *c, struct slice pattern, int64_t *count) {
    char cursor[24] = "0";
    int status;
    do {
        c->deadline = clock_mono_us() + (int64_t)c->l->o.timeout_ms * 1000;
        link_request(c->link, 6, (struct slice[]){SLICE("SCAN"), slice_of(cursor), SLICE("MATCH"), pattern, SLICE("COUNT"), SLICE("1000")});
        if ((status = call_send(c)) != LARDER_OK) return status;
        const struct reply_node *node = link_node(c->link);
        if (node->kind != REPLY_ARRAY || node->n != 2 || node[1].kind != REPLY_TEXT || node[1].text.n >= sizeof cursor) return LARDER_ERROR;
        memcpy(cursor, node[1].text.p, node[1].text.n);
        cursor[node[1].text.n] = 0;
        uint32_t keys = node[2].n;
        if (!keys) continue;
        struct slice *argv = mem_alloc(MEM_MISC, (keys + 1) * sizeof *argv);
        argv[0] = SLICE("UNLINK");
        for (uint32_t i = 0; i < keys; i++) argv[i + 1] = node[3 + i].text;
        link_request(c->link, keys + 1, argv);
        mem_free(MEM_MISC, argv);
        if ((status = call_send(c)) != LARDER_OK) return status;
        if (link_node(c->link)->kind != REPLY_INTEGER) return LARDER_ERROR;
        if (count) *count += link_node(c->link)->integer;
    } while (strcmp(cursor, "0"));
    return LARDER_OK;
}

int write_invalidate(struct larder *l, struct slice pattern, int64_t *count) {
    struct call c;
    struct slice argv[] = {SLICE("CACHE"), SLICE("INVALIDATE"), pattern, SLICE("WAIT")};
    if (count) *count = 0;
    int status = call_begin(l, &c, 0);
    if (status != LARDER_OK) return status;
    link_request(c.link, count ? 4 : 3, argv);
    if (count) c.deadline += COUNT_WAIT_US;
    if ((status = call_send(&c)) != LARDER_OK) return call_end(&c, status);
    const struct reply_node *node = link_node(c.link);
    if (node->kind == REPLY_ERROR) status = LARDER_ERROR;
    if (status == LARDER_OK && count) *count = node->integer;
    if (status == LARDER_ERROR && node->text.n > 11 && !memcmp(node->text.p, "ERR unknown", 11)) status = invalidate_scan(&c, pattern, count);
    return call_end(&c, status);
}

int larder_invalidate(larder *l, const char *pattern, size_t pattern_size, int64_t *count) {
    struct slice p = {pattern, pattern_size}, late[] = {SLICE("CACHE"), SLICE("INVALIDATE"), p};
    if (!pattern || !pattern_size) return LARDER_INVALID;
    int status = LARDER_DOWN;
    if (l->o.writes_when_down != LARDER_WRITES_QUEUE || backlog_empty(&l->backlog)) status = write_invalidate(l, p, count);
    if (call_failed(status)) status = not_written(l, status, 3, late);
    near_rule(l->near, p, false);
    keeper_wake(&l->keeper);
    return status;
}

int write_queued(struct larder *l, size_t argc, const struct slice *argv) {
    struct call c;
    if (slice_is(argv[0], "CACHE")) return write_invalidate(l, argv[2], NULL);
    int status = call_one(l, &c, argc, argv);
    return status == LARDER_OK || status == LARDER_ERROR ? call_end(&c, status) : status;
}
