/* replay: plays a trace of keys against a server that speaks RESP as a cache-aside client: GET, and SET what was missed.
 *
 *   replay ADDRESS [options] <TRACE     ADDRESS: a port on 127.0.0.1, or the path of a Unix socket
 *   replay --measure <TRACE             only counts: requests, distinct keys, and the bytes of their keys and values
 *     --batch N     (64)                requests that go out together; a batch never names a key twice
 *     --sample N    (500)               ask for used_memory after every N requests
 *     --limit N     (all)               only the first N requests
 *     --ttl SECONDS (0: none)           for every SET
 *
 * TRACE is text: a line is a key, or a key, a space and the size of its value. A key without a size has one of 32 to 1055 bytes
 * that follows from the key alone, and so does every value, so that each hit is compared with what was set.
 * Prints one line of JSON.
 */
#include "address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POOL = 4 << 20, BATCH_MAX = 1024, SIZE_MAX_ = 1 << 20 };

typedef unsigned long long wide;

struct request {
    char *key;
    size_t key_cap, key_len, size;
    uint64_t hash;
    bool missed;
};

struct bytes {
    char *p;
    size_t n, cap, at; /* `at`: what of it was read */
};

struct replay {
    const char *address;
    uint64_t batch, sample, limit, ttl;
    bool measure;
    int fd;
    struct bytes out, in;
    char *pool, *line;
    size_t line_cap;
    bool held;          /* request[0] of the next batch is already read */
    struct request request[BATCH_MAX];
    uint64_t requests, hits, sets, refused, wrong, used, used_max, samples, next_sample;
    uint64_t *seen, seen_cap, distinct, distinct_bytes;
};

static _Noreturn void die(const char *what) {
    fprintf(stderr, "replay: %s: %s\n", what, errno ? strerror(errno) : "not what was expected");
    exit(2);
}

static void *need(void *p) {
    if (!p) die("memory");
    return p;
}

/* -- the trace ----------------------------------------------------------------------------------------------------------- */

/* FNV-1a with a last mix, so that keys that are counted up differ in all bits. */
static uint64_t hash_of(const char *p, size_t n) {
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 0x100000001b3;
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15;
    return h ^ h >> 29;
}

static bool read_request(struct replay *r, struct request *q) {
    ssize_t n = getline(&r->line, &r->line_cap, stdin);
    if (n < 0) return false;
    while (n && (r->line[n - 1] == '\n' || r->line[n - 1] == '\r')) n--;
    r->line[n] = 0;
    char *space = strchr(r->line, ' ');
    q->key_len = space ? (size_t)(space - r->line) : (size_t)n;
    if (q->key_cap < q->key_len) q->key = need(realloc(q->key, q->key_cap = q->key_len * 2));
    memcpy(q->key, r->line, q->key_len);
    q->hash = hash_of(q->key, q->key_len);
    q->size = space ? strtoull(space + 1, NULL, 10) : 32 + q->hash % 1024;
    if (q->size > SIZE_MAX_) q->size = SIZE_MAX_;
    return true;
}

static const char *value_of(const struct replay *r, const struct request *q) { return r->pool + q->hash % (POOL - SIZE_MAX_); }

/* Fills the batch up to a key that it has already; that one begins the next. Returns how many. */
static size_t read_batch(struct replay *r) {
    size_t n = r->held ? 1 : 0;
    r->held = false;
    while (n < r->batch && r->requests + n < r->limit) {
        if (!read_request(r, &r->request[n])) break;
        for (size_t i = 0; i < n; i++) {
            if (r->request[i].hash != r->request[n].hash) continue;
            r->held = true;
            return n;
        }
        n++;
    }
    return n;
}

static void keep_held(struct replay *r, size_t n) {
    if (!r->held) return;
    struct request other = r->request[0];
    r->request[0] = r->request[n];
    r->request[n] = other;
}

/* -- the connection ------------------------------------------------------------------------------------------------------ */

static void reserve(struct bytes *b, size_t n) {
    if (b->n + n <= b->cap) return;
    b->cap = (b->n + n) * 2;
    b->p = need(realloc(b->p, b->cap));
}

static void put(struct replay *r, const void *p, size_t n) {
    reserve(&r->out, n);
    memcpy(r->out.p + r->out.n, p, n);
    r->out.n += n;
}

static void put_text(struct replay *r, const char *text) { put(r, text, strlen(text)); }

static void put_word(struct replay *r, const char *p, size_t n) {
    char head[32];
    put(r, head, (size_t)snprintf(head, sizeof head, "$%zu\r\n", n));
    put(r, p, n);
    put(r, "\r\n", 2);
}

static void flush(struct replay *r) {
    for (size_t sent = 0; sent < r->out.n;) {
        ssize_t n = write(r->fd, r->out.p + sent, r->out.n - sent);
        if (n <= 0) die("write");
        sent += (size_t)n;
    }
    r->out.n = 0;
}

/* At least n bytes that were not read yet. */
static const char *have(struct replay *r, size_t n) {
    struct bytes *b = &r->in;
    if (b->n - b->at < n && b->at) {
        memmove(b->p, b->p + b->at, b->n -= b->at);
        b->at = 0;
    }
    while (b->n - b->at < n) {
        reserve(b, n + 65536);
        ssize_t got = read(r->fd, b->p + b->n, b->cap - b->n);
        if (got == 0) errno = ECONNRESET;
        if (got <= 0) die("read");
        b->n += (size_t)got;
    }
    return b->p + b->at;
}

/* The next line without its end; good until the next read. */
static char *take_line(struct replay *r) {
    for (size_t n = 1;; n++) {
        char *p = (char *)have(r, n);
        if (p[n - 1] != '\n') continue;
        p[n - 2] = 0;
        r->in.at += n;
        return p;
    }
}

static int64_t take_bulk_length(struct replay *r) {
    const char *line = take_line(r);
    if (*line != '$') {
        fprintf(stderr, "replay: a bulk was expected, not %s\n", line);
        exit(2);
    }
    return strtoll(line + 1, NULL, 10);
}

/* -- playing ------------------------------------------------------------------------------------------------------------- */

static void take_get(struct replay *r, struct request *q) {
    int64_t n = take_bulk_length(r);
    q->missed = n < 0;
    if (q->missed) return;
    const char *got = have(r, (size_t)n + 2);
    if ((size_t)n != q->size || memcmp(got, value_of(r, q), q->size)) r->wrong++;
    r->in.at += (size_t)n + 2;
    r->hits++;
}

static void put_set(struct replay *r, const struct request *q) {
    put_text(r, r->ttl ? "*5\r\n$3\r\nSET\r\n" : "*3\r\n$3\r\nSET\r\n");
    put_word(r, q->key, q->key_len);
    put_word(r, value_of(r, q), q->size);
    if (!r->ttl) return;
    char seconds[24];
    put_word(r, "EX", 2);
    put_word(r, seconds, (size_t)snprintf(seconds, sizeof seconds, "%llu", (wide)r->ttl));
}

static void take_sample(struct replay *r) {
    put_text(r, "*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n");
    flush(r);
    int64_t n = take_bulk_length(r);
    char *text = (char *)have(r, (size_t)n + 2);
    text[n] = 0;
    const char *field = strstr(text, "used_memory:");
    if (!field) die("INFO has no used_memory");
    r->used = strtoull(field + 12, NULL, 10);
    if (r->used > r->used_max) r->used_max = r->used;
    r->samples++;
    r->in.at += (size_t)n + 2;
    r->next_sample = r->requests + r->sample;
}

static void play_batch(struct replay *r, size_t n) {
    for (size_t i = 0; i < n; i++) {
        put_text(r, "*2\r\n$3\r\nGET\r\n");
        put_word(r, r->request[i].key, r->request[i].key_len);
    }
    flush(r);
    for (size_t i = 0; i < n; i++) take_get(r, &r->request[i]);
    for (size_t i = 0; i < n; i++) {
        if (r->request[i].missed) put_set(r, &r->request[i]);
    }
    flush(r);
    for (size_t i = 0; i < n; i++) {
        if (!r->request[i].missed) continue;
        r->sets++;
        if (*take_line(r) != '+') r->refused++;
    }
}

static void play(struct replay *r) {
    struct timespec began, ended;
    r->fd = address_connect(r->address);
    if (r->fd < 0) die(r->address);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (size_t n; (n = read_batch(r));) {
        play_batch(r, n);
        r->requests += n;
        if (r->requests >= r->next_sample) take_sample(r);
        keep_held(r, n);
    }
    take_sample(r);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    printf("{\"requests\": %llu, \"hits\": %llu, \"sets\": %llu, \"refused\": %llu, \"wrong\": %llu, \"used_memory\": %llu, "
           "\"used_memory_max\": %llu, \"samples\": %llu, \"seconds\": %.3f}\n",
        (wide)r->requests, (wide)r->hits, (wide)r->sets, (wide)r->refused, (wide)r->wrong, (wide)r->used, (wide)r->used_max,
        (wide)r->samples, seconds);
    close(r->fd);
}

/* -- measuring ----------------------------------------------------------------------------------------------------------- */

/* A set of hashes, open addressing; a zero is a free place. Returns whether h is new. */
static bool see(struct replay *r, uint64_t h) {
    if (r->distinct * 2 >= r->seen_cap) {
        uint64_t *old = r->seen, old_cap = r->seen_cap;
        r->seen_cap = old_cap ? old_cap * 2 : 1 << 16;
        r->seen = need(calloc(r->seen_cap, sizeof *r->seen));
        r->distinct = 0;
        for (uint64_t i = 0; i < old_cap; i++) {
            if (old[i]) see(r, old[i]);
        }
        free(old);
    }
    uint64_t i = (h |= 1) * 0x9e3779b97f4a7c15 & (r->seen_cap - 1);
    while (r->seen[i] && r->seen[i] != h) i = (i + 1) & (r->seen_cap - 1);
    if (r->seen[i]) return false;
    r->seen[i] = h;
    r->distinct++;
    return true;
}

static void measure(struct replay *r) {
    struct request *q = &r->request[0];
    for (; r->requests < r->limit && read_request(r, q); r->requests++) {
        if (see(r, q->hash)) r->distinct_bytes += q->key_len + q->size;
    }
    printf("{\"requests\": %llu, \"keys\": %llu, \"bytes\": %llu}\n", (wide)r->requests, (wide)r->distinct, (wide)r->distinct_bytes);
    free(r->seen);
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: replay ADDRESS | --measure [--batch N] [--sample N] [--limit N] [--ttl SECONDS] <TRACE\n");
    exit(2);
}

static void read_options(struct replay *r, int argc, char **argv) {
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"--batch", &r->batch}, {"--sample", &r->sample}, {"--limit", &r->limit}, {"--ttl", &r->ttl}};
    for (int i = 1; i < argc; i++) {
        size_t n = 0;
        while (n < sizeof numbers / sizeof *numbers && strcmp(argv[i], numbers[n].name)) n++;
        if (n < sizeof numbers / sizeof *numbers && i + 1 < argc) *numbers[n].to = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--measure")) r->measure = true;
        else if (argv[i][0] != '-' && !r->address) r->address = argv[i];
        else usage();
    }
    if (r->measure == !!r->address || !r->batch || r->batch >= BATCH_MAX || !r->sample || !r->limit) usage();
}

int main(int argc, char **argv) {
    struct replay *r = need(calloc(1, sizeof *r));
    *r = (struct replay){.batch = 64, .sample = 500, .limit = UINT64_MAX, .pool = need(malloc(POOL))};
    read_options(r, argc, argv);
    uint64_t x = 88172645463325252;
    for (size_t i = 0; i < POOL; i += 8) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(r->pool + i, &x, 8);
    }
    if (r->measure) measure(r);
    else play(r);
    bool good = !r->wrong;
    for (size_t i = 0; i < BATCH_MAX; i++) free(r->request[i].key);
    free(r->pool);
    free(r->line);
    free(r->out.p);
    free(r->in.p);
    free(r);
    return good ? 0 : 1;
}
