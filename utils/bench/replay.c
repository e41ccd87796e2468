/* replay: plays a trace of keys against a server that speaks RESP as a cache-aside client: GET, and SET what was missed.
 *
 *   replay ADDRESS [options] <TRACE     ADDRESS: a port on 127.0.0.1, or the path of a Unix socket
 *   replay --measure <TRACE             only counts: requests, distinct keys, and the bytes of their keys and values
 *     --batch N     (64)                requests that go out together; a batch never names a key twice
 *     --sample N    (500)               ask for used_memory after every N requests
 *     --limit N     (all)               only the first N requests
 *     --copies N, --scale N (1)         see trace.h
 *     --ttl SECONDS (0: none)           for every SET
 *     --clock FILE, --hours H           moves the clock of a server that runs under clock.c, so that the trace lasts H hours
 *     --progress                        tells on stderr how far it is
 *
 * A value's bytes follow from its key, so that each hit is compared with what was set. Prints one line of JSON.
 */
#include "address.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { POOL = 64 << 20, BATCH_MAX = 1024, BATCH_BYTES = 128 << 10 /* of values, and one more */ };

typedef unsigned long long wide;

struct request {
    char key[TRACE_KEY_MAX];
    size_t key_len, size;
    uint64_t hash;
    bool missed;
};

struct bytes {
    char *p;
    size_t n, cap, at; /* `at`: what of it was read */
};

struct replay {
    const char *address, *clock_file;
    struct trace trace;
    uint64_t batch, sample, limit, ttl;
    double hours;
    bool measure, progress;
    int fd;
    struct bytes out, in;
    char *pool;
    volatile int64_t *ahead; /* ns, of the server's clock */
    int64_t ahead_first;
    uint64_t *seen, round;   /* the last batch that each key was in */
    struct request request[BATCH_MAX];
    uint64_t requests, hits, sets, refused, wrong, used, used_max, samples, next_sample;
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

static const char *value_of(const struct replay *r, const struct request *q) {
    if (q->size > POOL / 4 * 3) die("a value is too large");
    return r->pool + q->hash % (POOL - q->size);
}

/* Fills the batch up to a key that it has already, or until its values are large enough. Returns how many. */
static size_t read_batch(struct replay *r) {
    size_t n = 0, bytes = 0;
    for (r->round++; n < r->batch && bytes < BATCH_BYTES && r->requests + n < trace_requests(&r->trace); n++) {
        uint32_t key = trace_at(&r->trace, r->requests + n);
        struct request *q = &r->request[n];
        if (r->seen[key] == r->round) break;
        r->seen[key] = r->round;
        q->key_len = trace_key(&r->trace, key, q->key);
        q->hash = trace_hash(q->key, q->key_len);
        q->size = trace_size(&r->trace, key, q->hash);
        bytes += q->size;
    }
    return n;
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

static void open_clock(struct replay *r) {
    int fd = open(r->clock_file, O_RDWR);
    if (fd < 0) die(r->clock_file);
    r->ahead = mmap(NULL, sizeof *r->ahead, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (r->ahead == MAP_FAILED) die(r->clock_file);
    r->ahead_first = *r->ahead;
    close(fd);
}

static void pass_time(struct replay *r) {
    double share = (double)r->requests / (double)trace_requests(&r->trace);
    if (r->ahead) *r->ahead = r->ahead_first + (int64_t)(share * r->hours * 3.6e12);
    if (r->progress && r->round % 1024 == 0) fprintf(stderr, "\r%5.1f %%  hits %.4f ", share * 100, (double)r->hits / ((double)r->requests + 1));
}

static void play(struct replay *r) {
    struct timespec began, ended;
    r->fd = address_connect(r->address);
    if (r->fd < 0) die(r->address);
    if (r->clock_file) open_clock(r);
    r->seen = need(calloc(trace_keys(&r->trace), sizeof *r->seen));
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (size_t n; (n = read_batch(r));) {
        pass_time(r);
        play_batch(r, n);
        r->requests += n;
        if (r->requests >= r->next_sample) take_sample(r);
    }
    take_sample(r);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (r->progress) fprintf(stderr, "\r%30s\r", "");
    double seconds = (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    printf("{\"requests\": %llu, \"hits\": %llu, \"sets\": %llu, \"refused\": %llu, \"wrong\": %llu, \"used_memory\": %llu, "
           "\"used_memory_max\": %llu, \"samples\": %llu, \"seconds\": %.3f}\n",
        (wide)r->requests, (wide)r->hits, (wide)r->sets, (wide)r->refused, (wide)r->wrong, (wide)r->used, (wide)r->used_max,
        (wide)r->samples, seconds);
    free(r->seen);
    close(r->fd);
}

static void measure(struct replay *r) {
    printf("{\"requests\": %llu, \"keys\": %llu, \"bytes\": %llu}\n", (wide)trace_requests(&r->trace), (wide)trace_keys(&r->trace),
        (wide)trace_bytes(&r->trace));
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: replay ADDRESS | --measure [--batch N] [--sample N] [--limit N] [--copies N] [--scale N] [--ttl SECONDS]"
                    " [--clock FILE --hours H] [--progress] <TRACE\n");
    exit(2);
}

static bool read_number(struct replay *r, const char *name, const char *value) {
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"--batch", &r->batch}, {"--sample", &r->sample}, {"--limit", &r->limit}, {"--ttl", &r->ttl}};
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        if (!strcmp(name, numbers[n].name)) return *numbers[n].to = strtoull(value, NULL, 10), true;
    if (!strcmp(name, "--copies")) return r->trace.copies = (uint32_t)strtoul(value, NULL, 10), true;
    if (!strcmp(name, "--scale")) return r->trace.scale = (uint32_t)strtoul(value, NULL, 10), true;
    if (!strcmp(name, "--hours")) return r->hours = strtod(value, NULL), true;
    if (!strcmp(name, "--clock")) return r->clock_file = value, true;
    return false;
}

static void read_options(struct replay *r, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--measure")) r->measure = true;
        else if (!strcmp(argv[i], "--progress")) r->progress = true;
        else if (i + 1 < argc && read_number(r, argv[i], argv[i + 1])) i++;
        else if (argv[i][0] != '-' && !r->address) r->address = argv[i];
        else usage();
    }
    if (r->measure == !!r->address || !r->batch || r->batch >= BATCH_MAX || !r->sample || !r->limit) usage();
}

int main(int argc, char **argv) {
    struct replay *r = need(calloc(1, sizeof *r));
    *r = (struct replay){.batch = 64, .sample = 500, .limit = UINT64_MAX, .hours = 1};
    read_options(r, argc, argv);
    trace_read(&r->trace, stdin, r->limit);
    if (r->measure) {
        measure(r);
    } else {
        r->pool = need(malloc(POOL));
        uint64_t x = 88172645463325252;
        for (size_t i = 0; i < POOL; i += 8) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            memcpy(r->pool + i, &x, 8);
        }
        play(r);
    }
    bool good = !r->wrong;
    trace_free(&r->trace);
    free(r->pool);
    free(r->out.p);
    free(r->in.p);
    free(r);
    return good ? 0 : 1;
}
