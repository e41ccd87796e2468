/* load: sends SET and GET requests to a server that speaks RESP, from one thread over many connections, as fast as it answers.
 *
 *   load ADDRESS [options]              ADDRESS: a port on 127.0.0.1, or the path of a Unix socket
 *     --connections N   (50)            --pipeline N    (1) requests that are sent together and waited for together
 *     --requests N      (100000)        --keys N        (100000) "key:" and twelve digits, drawn uniformly
 *     --gets SHARE      (1)             the rest, between 0 and 1, are SETs
 *     --value MIN-MAX   (100-100)       bytes of a value, uniform, content random
 *     --json                            values are JSON records, cut off, in place of random bytes
 *     --ttl MIN-MAX     (0: none)       seconds, uniform, for every SET
 *     --deadline MS     (0: none)       of every SET in place of a TTL, as Unix time
 *     --latency                         add percentiles of the time from sending a pipeline to its last reply, in microseconds
 *     --fill                            SET every key once, in order, in place of --requests
 *     --seed N          (1)             other keys, other sizes
 *
 * It is cheap, so that it is the server that is measured: requests are put together in one buffer per connection, replies are
 * only looked at as far as is needed to count them. Prints one line of JSON: requests, seconds, hits, misses, errors, and the bytes of keys
 * and values that were set (payload).
 */
#include "address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { POOL = 1 << 20, IN_ROOM = 1 << 16 };

struct options {
    const char *address;
    uint64_t connections, pipeline, requests, keys, value_min, value_max, ttl_min, ttl_max, deadline, seed;
    double gets;
    bool fill, latency, json;
};

struct connection {
    int fd;
    char *out;
    size_t out_len, out_sent, out_cap;
    uint64_t owed;      /* replies to come */
    uint64_t skip;      /* bytes of the present bulk still to be skipped */
    char line[64];      /* the beginning of a reply's first line */
    size_t line_len;
    double sent;
};

/* Times in steps of a sixteenth: good to 7 percent, from 1 us to a minute. */
enum { STEPS = 16, POWERS = 26 };

struct load {
    struct options o;
    struct connection *c;
    int epoll;
    uint64_t random, threshold; /* a draw below the threshold is a GET */
    uint64_t to_send, next_key, done, hits, misses, errors, payload;
    uint64_t times[STEPS * POWERS], timed;
    char *pool, *in;
};

static _Noreturn void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* xorshift64*, by Sebastiano Vigna. */
static uint64_t draw(struct load *l) {
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return l->random * 0x2545f4914f6cdd1d;
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Records of users as a web back end keeps them: the same fields in each, of which ids, names and numbers differ. */
static void fill_with_json(struct load *l) {
    static const char *const names[] = {"Ada", "Grace", "Linus", "Ken", "Barbara", "Edsger", "Donald", "Margaret"};
    static const char *const cities[] = {"Lisbon", "Oslo", "Kyoto", "Quito", "Accra", "Perth"};
    for (size_t at = 0; at < POOL;) {
        char one[512];
        uint64_t a = draw(l), b = draw(l);
        const char *name = names[a % 8];
        int n = snprintf(one, sizeof one,
            "{\"id\":%llu,\"uuid\":\"%016llx%016llx\",\"name\":\"%s %llu\",\"email\":\"%s.%llu@example.com\",\"active\":%s,"
            "\"score\":%.3f,\"address\":{\"city\":\"%s\",\"street\":\"Main Street %llu\"},\"roles\":[\"user\"%s],\"updated_at\":"
            "\"2024-%02u-%02uT%02u:%02u:00Z\"}\n",
            (unsigned long long)(a >> 40), (unsigned long long)a, (unsigned long long)b, name, (unsigned long long)(b >> 50), name,
            (unsigned long long)(b >> 44), a & 64 ? "true" : "false", (double)(b & 0xfffff) / 1000, cities[b % 6],
            (unsigned long long)(a >> 56), b & 128 ? ",\"admin\"" : "", (unsigned)(a >> 8) % 12 + 1, (unsigned)(a >> 16) % 28 + 1,
            (unsigned)(b >> 8) % 24, (unsigned)(b >> 16) % 60);
        if ((size_t)n > POOL - at) n = (int)(POOL - at);
        memcpy(l->pool + at, one, (size_t)n);
        at += (size_t)n;
    }
}

/* -- requests ------------------------------------------------------------------------------------------------------------ */

static char *room(struct connection *c, size_t n) {
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2;
        c->out = realloc(c->out, c->out_cap);
        if (!c->out) die("memory");
    }
    return c->out + c->out_len;
}

static void put(struct connection *c, const char *p, size_t n) {
    memcpy(room(c, n), p, n);
    c->out_len += n;
}

static void put_key(struct connection *c, uint64_t key) {
    char text[] = "$16\r\nkey:000000000000\r\n";
    for (char *p = text + 20; key; key /= 10) *p-- = (char)('0' + key % 10);
    put(c, text, sizeof text - 1);
}

static void put_set(struct load *l, struct connection *c, uint64_t key) {
    uint64_t n = l->o.value_min + draw(l) % (l->o.value_max - l->o.value_min + 1);
    char text[96];
    l->payload += 16 + n;
    bool timed = l->o.ttl_max || l->o.deadline;
    put(c, timed ? "*5\r\n$3\r\nSET\r\n" : "*3\r\n$3\r\nSET\r\n", 13);
    put_key(c, key);
    put(c, text, (size_t)snprintf(text, sizeof text, "$%llu\r\n", (unsigned long long)n));
    uint64_t from = draw(l) % (POOL - n);
    if (l->o.json) /* from the beginning of a record */
        while (from && l->pool[from - 1] != '\n') from--;
    put(c, l->pool + from, n);
    if (!timed) {
        put(c, "\r\n", 2);
        return;
    }
    char when[24];
    uint64_t at = l->o.deadline ? l->o.deadline : l->o.ttl_min + draw(l) % (l->o.ttl_max - l->o.ttl_min + 1);
    int digits = snprintf(when, sizeof when, "%llu", (unsigned long long)at);
    const char *how = l->o.deadline ? "$4\r\nPXAT" : "$2\r\nEX";
    put(c, text, (size_t)snprintf(text, sizeof text, "\r\n%s\r\n$%d\r\n%s\r\n", how, digits, when));
}

static void put_request(struct load *l, struct connection *c) {
    if (l->o.fill) {
        put_set(l, c, l->next_key++);
        return;
    }
    uint64_t key = draw(l) % l->o.keys;
    if (draw(l) >= l->threshold) {
        put_set(l, c, key);
        return;
    }
    put(c, "*2\r\n$3\r\nGET\r\n", 13);
    put_key(c, key);
}

static void watch(struct load *l, struct connection *c, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e)) die("epoll_ctl");
}

static void send_rest(struct load *l, struct connection *c) {
    while (c->out_sent < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_sent, c->out_len - c->out_sent);
        if (n < 0 && errno == EAGAIN) {
            watch(l, c, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n <= 0) die("write");
        c->out_sent += (size_t)n;
    }
}

/* The next pipeline of a connection that is owed nothing. */
static void send_more(struct load *l, struct connection *c) {
    c->out_len = c->out_sent = 0;
    if (l->o.latency) c->sent = seconds_now();
    for (uint64_t i = 0; i < l->o.pipeline && l->to_send; i++, l->to_send--, c->owed++) put_request(l, c);
    send_rest(l, c);
}

/* -- replies ------------------------------------------------------------------------------------------------------------- */

static void take_line(struct load *l, struct connection *c) {
    if (c->line[0] == '-') {
        if (!l->errors++) fprintf(stderr, "load: the server says %.*s\n", (int)c->line_len, c->line);
    } else if (c->line[0] == '$') {
        if (c->line[1] == '-') l->misses++;
        else {
            l->hits++;
            c->skip = strtoull(c->line + 1, NULL, 10) + 2;
        }
    }
    c->line_len = 0;
    if (!c->skip) c->owed--;
}

static void take(struct load *l, struct connection *c, const char *p, size_t n) {
    const char *end = p + n;
    while (p < end) {
        if (c->skip) {
            size_t some = (size_t)(end - p) < c->skip ? (size_t)(end - p) : c->skip;
            p += some;
            c->skip -= some;
            if (!c->skip) c->owed--;
            continue;
        }
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t some = (size_t)((stop ? stop : end) - p);
        size_t kept = some < sizeof c->line - 1 - c->line_len ? some : sizeof c->line - 1 - c->line_len;
        memcpy(c->line + c->line_len, p, kept);
        c->line_len += kept;
        c->line[c->line_len] = 0;
        p += some;
        if (stop) {
            p++;
            take_line(l, c);
        }
    }
}

static void note_time(struct load *l, const struct connection *c) {
    uint64_t us = (uint64_t)((seconds_now() - c->sent) * 1e6) + STEPS;
    unsigned power = 59 - (unsigned)__builtin_clzll(us);
    uint64_t step = power * STEPS + (us >> power) - STEPS;
    l->times[step < STEPS * POWERS ? step : STEPS * POWERS - 1]++;
    l->timed++;
}

static uint64_t percentile(const struct load *l, double share) {
    uint64_t i = 0, seen = l->times[0];
    while (i + 1 < STEPS * POWERS && (double)seen < share * (double)l->timed) seen += l->times[++i];
    return ((i % STEPS + STEPS) << i / STEPS) - STEPS;
}

static void read_replies(struct load *l, struct connection *c) {
    ssize_t n = read(c->fd, l->in, IN_ROOM);
    if (n < 0 && errno == EAGAIN) return;
    if (n == 0) {
        fprintf(stderr, "load: the server closed a connection\n");
        exit(2);
    }
    if (n < 0) die("read");
    uint64_t before = c->owed;
    take(l, c, l->in, (size_t)n);
    l->done += before - c->owed;
    if (c->owed) return;
    if (l->o.latency) note_time(l, c);
    send_more(l, c);
}

/* -- connections --------------------------------------------------------------------------------------------------------- */

static void open_all(struct load *l) {
    l->epoll = epoll_create1(0);
    l->c = calloc(l->o.connections, sizeof *l->c);
    if (l->epoll < 0 || !l->c) die("start");
    for (uint64_t i = 0; i < l->o.connections; i++) {
        struct connection *c = &l->c[i];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        c->fd = address_connect(l->o.address);
        if (c->fd < 0 || fcntl(c->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e)) die(l->o.address);
    }
}

static void run(struct load *l) {
    uint64_t total = l->to_send;
    for (uint64_t i = 0; i < l->o.connections && l->to_send; i++) send_more(l, &l->c[i]);
    while (l->done < total) {
        struct epoll_event e[256];
        int n = epoll_wait(l->epoll, e, 256, 60000);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            fprintf(stderr, "load: no reply for a minute\n");
            exit(2);
        }
        for (int i = 0; i < n; i++) {
            struct connection *c = e[i].data.ptr;
            if (e[i].events & EPOLLOUT) {
                watch(l, c, EPOLLIN);
                send_rest(l, c);
            }
            if (e[i].events & ~(uint32_t)EPOLLOUT) read_replies(l, c);
        }
    }
}

/* -- options ------------------------------------------------------------------------------------------------------------- */

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: load ADDRESS [--connections N] [--pipeline N] [--requests N] [--keys N] [--gets SHARE]\n"
                    "            [--value MIN-MAX] [--json] [--ttl MIN-MAX] [--deadline MS] [--latency] [--fill] [--seed N]\n");
    exit(2);
}

static uint64_t number(const char *text) {
    char *end;
    uint64_t v = strtoull(text, &end, 10);
    if (end == text || *end) usage();
    return v;
}

static void read_range(uint64_t *min, uint64_t *max, const char *text) {
    char *end;
    *min = *max = strtoull(text, &end, 10);
    if (*end == '-') *max = number(end + 1);
    else if (*end) usage();
    if (*max < *min) usage();
}

static struct options read_options(int argc, char **argv) {
    struct options o = {.connections = 50, .pipeline = 1, .requests = 100000, .keys = 100000, .value_min = 100, .value_max = 100,
        .gets = 1, .seed = 1};
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"--connections", &o.connections}, {"--pipeline", &o.pipeline}, {"--requests", &o.requests},
        {"--keys", &o.keys}, {"--deadline", &o.deadline}, {"--seed", &o.seed}};
    for (int i = 1; i < argc; i++) {
        size_t n = 0;
        while (n < sizeof numbers / sizeof *numbers && strcmp(argv[i], numbers[n].name)) n++;
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--fill")) o.fill = true;
        else if (!strcmp(argv[i], "--latency")) o.latency = true;
        else if (!strcmp(argv[i], "--json")) o.json = true;
        else if (argv[i][0] != '-' && !o.address) o.address = argv[i];
        else if (!more) usage();
        else if (n < sizeof numbers / sizeof *numbers) *numbers[n].to = number(argv[++i]);
        else if (!strcmp(argv[i], "--gets")) o.gets = atof(argv[++i]);
        else if (!strcmp(argv[i], "--value")) read_range(&o.value_min, &o.value_max, argv[++i]);
        else if (!strcmp(argv[i], "--ttl")) read_range(&o.ttl_min, &o.ttl_max, argv[++i]);
        else usage();
    }
    if (!o.address || !o.connections || !o.pipeline || !o.keys || o.keys > 999999999999 || !o.seed || o.value_max >= POOL) usage();
    return o;
}

int main(int argc, char **argv) {
    struct load l = {.o = read_options(argc, argv)};
    l.random = l.o.seed * 0x9e3779b97f4a7c15;
    l.threshold = l.o.gets >= 1 ? UINT64_MAX : (uint64_t)(l.o.gets * 18446744073709551615.0);
    l.to_send = l.o.fill ? l.o.keys : l.o.requests;
    l.pool = malloc(POOL);
    l.in = malloc(IN_ROOM);
    if (!l.pool || !l.in) die("memory");
    if (l.o.json) fill_with_json(&l);
    else
        for (size_t i = 0; i < POOL; i += 8) memcpy(l.pool + i, &(uint64_t){draw(&l)}, 8);
    open_all(&l);
    double began = seconds_now();
    run(&l);
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"hits\": %llu, \"misses\": %llu, \"errors\": %llu, "
           "\"payload\": %llu",
        (unsigned long long)l.done, seconds_now() - began, (unsigned long long)l.hits, (unsigned long long)l.misses,
        (unsigned long long)l.errors, (unsigned long long)l.payload);
    if (l.timed)
        printf(", \"p50\": %llu, \"p99\": %llu, \"p99.9\": %llu, \"worst\": %llu", (unsigned long long)percentile(&l, 0.5),
            (unsigned long long)percentile(&l, 0.99), (unsigned long long)percentile(&l, 0.999), (unsigned long long)percentile(&l, 1));
    printf("}\n");
    for (uint64_t i = 0; i < l.o.connections; i++) {
        close(l.c[i].fd);
        free(l.c[i].out);
    }
    free(l.c);
    free(l.pool);
    free(l.in);
    return l.errors ? 1 : 0;
}
