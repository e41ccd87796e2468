/* agent: a process with liblarder in it, that does what it is told on its standard input, for the tests in this folder.
 *
 * usage: agent URLS [OPTION=VALUE ...]        the options of larder_options by their names; prefixes separated by commas
 *
 * One line in, one line out: a status as its name, then what there is. Commands:
 *   get K | set K V [MS] | del K | expire K MS | mget K ... | mset MS K V ... | invalidate P [count] | command WORD ... | batch N K
 *   load K MS DELAY_MS V [stale=MS] [until=FILE] [fail|absent]   get_or_load; the loader takes DELAY_MS, or makes FILE and waits until
 *                                                   it is gone, and gives V, with its count behind a '#'
 *   loads THREADS K MS DELAY_MS                     as many threads load K at once: how often a loader ran, how many got its value
 *   trouble                                         why the server was last not to be had: ms ago, in words
 *   stats | wait FIELD OP VALUE                     OP: = or >; until a field of the figures is that
 *   hammer THREADS KEYS | rest                      threads that read until rest: how many answers of each kind, and what was wrong
 *   write FILE K N PAUSE_US | watch FILE K THREADS BOUND_MS | watched      see versions.h
 */
#include "larder.h"
#include "versions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS 512
#define THREADS 256

struct agent {
    larder *l;
    larder_options o;
    char *word[WORDS];
    size_t words;
    _Atomic bool stop;
    _Atomic unsigned loads;
    pthread_t thread[THREADS];
    size_t threads, keys;
    _Atomic unsigned long answers[16], stale, wrong;
    struct load *load;
    struct versions *versions;
    char *key;
    int64_t bound_us;
    _Atomic int64_t oldest_us; /* the oldest that a value was read after it was replaced */
};

static const char *name_of(int status) {
    static const char *const names[] = {
        "OK", "NOT_FOUND", "ERROR", "DOWN", "TIMEOUT", "BUSY", "QUEUED", "DROPPED", "INVALID", "LOAD_FAILED", "LOAD"};
    return names[status];
}

static void pause_us(long us) { nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL); }

static void say_value(int status, larder_value *v) {
    printf("%s%s%s", name_of(status), v->flags & LARDER_FROM_L1 ? " l1" : "", v->flags & LARDER_STALE ? " stale" : "");
    if (v->data) printf(" %.*s", (int)v->size, v->data);
    putchar('\n');
    larder_release(v);
}

/* --- options --- */

static char **prefixes_of(char *text) {
    static char *list[16];
    size_t n = 0;
    for (char *save, *p = strtok_r(text, ",", &save); p && n < 15; p = strtok_r(NULL, ",", &save)) list[n++] = p;
    return list;
}

static bool option(larder_options *o, char *text) {
    char *value = strchr(text, '=');
    if (!value) return false;
    *value++ = 0;
#define INTEGER(field) if (!strcmp(text, #field)) return (o->field = (__typeof__(o->field))strtoll(value, NULL, 10)), true
    INTEGER(l1_bytes); INTEGER(l1_ttl_ms); INTEGER(pool); INTEGER(connect_timeout_ms); INTEGER(timeout_ms); INTEGER(feed_check_ms);
    INTEGER(stale_ms); INTEGER(stale_if_down_ms); INTEGER(down_ttl_ms); INTEGER(negative_ttl_ms); INTEGER(lease_ms); INTEGER(wait_ms);
    INTEGER(loaders); INTEGER(refreshers); INTEGER(failures); INTEGER(backoff_ms); INTEGER(backoff_max_ms); INTEGER(writes_when_down);
    INTEGER(queue_bytes);
#undef INTEGER
    if (!strcmp(text, "early")) return (o->early = strtod(value, NULL)), true;
    if (!strcmp(text, "prefixes")) return (o->prefixes = (const char *const *)prefixes_of(value)), true;
    return false;
}

/* --- figures --- */

struct figure {
    const char *name;
    double value;
};

static size_t figures_read(struct agent *a, struct figure *out) {
    larder_stats s = {.size = sizeof s};
    size_t n = 0;
    if (larder_stats_read(a->l, &s)) return 0;
#define FIGURE(field) out[n++] = (struct figure){#field, (double)s.field}
    FIGURE(l1_hits); FIGURE(l1_stale); FIGURE(l1_misses); FIGURE(l2_hits); FIGURE(l2_misses); FIGURE(loads); FIGURE(load_failures);
    FIGURE(waits); FIGURE(early_refreshes); FIGURE(stale_refreshes); FIGURE(l1_hit_ratio); FIGURE(hit_ratio); FIGURE(l1_mean_us);
    FIGURE(l1_p99_us); FIGURE(l2_mean_us); FIGURE(l2_p99_us); FIGURE(load_mean_us); FIGURE(l1_entries); FIGURE(l1_bytes); FIGURE(l1_limit);
    FIGURE(l1_evictions); FIGURE(l1_expired); FIGURE(l1_pinned_bytes); FIGURE(invalidations); FIGURE(flushes); FIGURE(resumes);
    FIGURE(feed_losses); FIGURE(l2_errors); FIGURE(l2_timeouts); FIGURE(circuit_opened); FIGURE(queued); FIGURE(dropped); FIGURE(circuit);
    FIGURE(trusted); FIGURE(feed); FIGURE(leases);
#undef FIGURE
    return n;
}

static void do_stats(struct agent *a) {
    struct figure f[64];
    size_t n = figures_read(a, f);
    for (size_t i = 0; i < n; i++) printf("%s%s=%.17g", i ? " " : "", f[i].name, f[i].value);
    putchar('\n');
}

static void do_trouble(struct agent *a) {
    char text[300];
    int64_t ago_ms = -1;
    int status = larder_trouble(a->l, text, sizeof text, &ago_ms);
    if (status != LARDER_OK) puts(larder_status_text(status));
    else printf("%lld %s\n", (long long)ago_ms, text);
}

static void do_wait(struct agent *a) {
    struct figure f[64];
    double want = strtod(a->word[3], NULL);
    for (int tries = 0; tries < 60000; tries++) {
        size_t n = figures_read(a, f), i = 0;
        while (i < n && strcmp(f[i].name, a->word[1])) i++;
        if (i < n && (*a->word[2] == '=' ? f[i].value == want : f[i].value > want)) {
            puts("OK");
            return;
        }
        pause_us(1000);
    }
    puts("NEVER");
}

/* --- loading --- */

struct load {
    struct agent *a;
    long delay_ms;
    const char *value, *until;
    bool fail, absent;
    struct load *next;
};

static void wait_until_gone(const char *file) {
    FILE *f = fopen(file, "w");
    if (f) fclose(f);
    while (!access(file, F_OK)) pause_us(500);
}

static int load_it(void *arg, const char *key, size_t key_size, larder_result *result) {
    const struct load *w = arg;
    char text[256];
    unsigned n = atomic_fetch_add(&w->a->loads, 1) + 1;
    (void)key, (void)key_size;
    pause_us(w->delay_ms * 1000);
    if (w->until) wait_until_gone(w->until);
    if (w->fail) return LARDER_LOAD_FAILED;
    if (w->absent) return LARDER_NOT_FOUND;
    int size = snprintf(text, sizeof text, "%s#%u", w->value, n);
    return larder_loaded(result, text, (size_t)size);
}

/* What is loaded behind the caller's back comes later: its arguments stay until the handle is closed. */
static void do_load(struct agent *a) {
    struct load *w = malloc(sizeof *w);
    larder_load how = {.ttl_ms = atol(a->word[2]), .stale_ms = -1, .negative_ttl_ms = -1};
    larder_value v = {.data = NULL};
    *w = (struct load){a, atol(a->word[3]), strdup(a->word[4]), NULL, false, false, a->load};
    a->load = w;
    for (size_t i = 5; i < a->words; i++) {
        if (!strncmp(a->word[i], "stale=", 6)) how.stale_ms = atol(a->word[i] + 6);
        if (!strncmp(a->word[i], "until=", 6)) w->until = strdup(a->word[i] + 6);
        w->fail |= !strcmp(a->word[i], "fail");
        w->absent |= !strcmp(a->word[i], "absent");
    }
    int status = larder_get_or_load(a->l, a->word[1], strlen(a->word[1]), load_it, w, &how, &v);
    say_value(status, &v);
}

struct loads {
    struct load load;
    const char *key;
    larder_load how;
    _Atomic unsigned good;
    pthread_barrier_t start;
};

static void *load_one(void *arg) {
    struct loads *w = arg;
    larder_value v = {.data = NULL};
    pthread_barrier_wait(&w->start);
    int status = larder_get_or_load(w->load.a->l, w->key, strlen(w->key), load_it, &w->load, &w->how, &v);
    if (status == LARDER_OK && v.size > 6 && !memcmp(v.data, "loaded", 6)) w->good++;
    larder_release(&v);
    return NULL;
}

static void do_loads(struct agent *a) {
    size_t n = strtoul(a->word[1], NULL, 10);
    struct loads w = {.load = {a, atol(a->word[4]), "loaded", NULL, false, false, NULL}, .key = a->word[2], .how = {atol(a->word[3]), -1, -1}};
    pthread_t t[THREADS];
    a->loads = 0;
    pthread_barrier_init(&w.start, NULL, (unsigned)n);
    for (size_t i = 0; i < n; i++) pthread_create(&t[i], NULL, load_one, &w);
    for (size_t i = 0; i < n; i++) pthread_join(t[i], NULL);
    printf("%u %u\n", a->loads, w.good);
}

/* --- threads that read --- */

/* A value of key:I is "I=..."; anything else is wrong. */
static void *hammer(void *arg) {
    struct agent *a = arg;
    uint64_t x = (uintptr_t)&x | 1;
    char key[32], want[32];
    while (!a->stop) {
        larder_value v;
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        unsigned long i = x % a->keys;
        int n = snprintf(key, sizeof key, "key:%lu", i), status = larder_get(a->l, key, (size_t)n, &v);
        a->answers[status]++;
        if (status == LARDER_OK) {
            n = snprintf(want, sizeof want, "%lu=", i);
            if (v.size < (size_t)n || memcmp(v.data, want, (size_t)n)) a->wrong++;
            if (v.flags & LARDER_STALE) a->stale++;
        }
        larder_release(&v);
        if (status != LARDER_OK) pause_us(1000);
    }
    return NULL;
}

/* Versions of one key, written by another process. */
static void *watch(void *arg) {
    struct agent *a = arg;
    while (!a->stop) {
        larder_value v;
        int64_t began = versions_now();
        int status = larder_get(a->l, a->key, strlen(a->key), &v);
        a->answers[status]++;
        if (status == LARDER_OK) {
            int64_t age = versions_age(a->versions, strtoul(v.data, NULL, 10), began);
            if (age > a->bound_us && !(v.flags & LARDER_STALE)) a->wrong++;
            for (int64_t seen = a->oldest_us; age > seen && !atomic_compare_exchange_weak(&a->oldest_us, &seen, age);) {}
            if (v.flags & LARDER_STALE) a->stale++;
        }
        larder_release(&v);
        if (status != LARDER_OK) pause_us(500);
    }
    return NULL;
}

static void start(struct agent *a, size_t n, void *(*what)(void *)) {
    a->stop = false;
    a->stale = a->wrong = 0;
    a->oldest_us = 0;
    for (size_t i = 0; i < 16; i++) a->answers[i] = 0;
    for (a->threads = 0; a->threads < n && a->threads < THREADS; a->threads++) pthread_create(&a->thread[a->threads], NULL, what, a);
    puts("OK");
}

static void do_rest(struct agent *a) {
    a->stop = true;
    for (size_t i = 0; i < a->threads; i++) pthread_join(a->thread[i], NULL);
    a->threads = 0;
    for (int i = 0; i <= LARDER_LOAD; i++)
        if (a->answers[i]) printf("%s=%lu ", name_of(i), a->answers[i]);
    printf("stale=%lu wrong=%lu oldest_us=%lld\n", a->stale, a->wrong, (long long)a->oldest_us);
}

static void do_write(struct agent *a) {
    struct versions *v = versions_open(a->word[1]);
    unsigned long n = strtoul(a->word[3], NULL, 10), done = 0;
    long pause = atol(a->word[4]);
    char text[32];
    for (unsigned long i = 1; i <= n; i++) {
        int size = snprintf(text, sizeof text, "%lu", i), status;
        while ((status = larder_set(a->l, a->word[2], strlen(a->word[2]), text, (size_t)size, 0)) != LARDER_OK && !a->stop) pause_us(500);
        versions_written(v, i);
        done++;
        if (pause) pause_us(pause);
    }
    printf("OK %lu\n", done);
}

/* --- the rest --- */

static larder_slice slice(const char *text) { return (larder_slice){text, strlen(text)}; }

static void do_mget(struct agent *a) {
    larder_slice keys[WORDS] = {{NULL, 0}};
    larder_value v[WORDS];
    size_t n = a->words - 1;
    for (size_t i = 0; i < n; i++) keys[i] = slice(a->word[i + 1]);
    printf("%s", name_of(larder_mget(a->l, keys, n, v)));
    for (size_t i = 0; i < n; i++) {
        printf(" %s", v[i].data ? v[i].data : "-");
        larder_release(&v[i]);
    }
    putchar('\n');
}

static void do_mset(struct agent *a) {
    larder_slice keys[WORDS] = {{NULL, 0}}, values[WORDS] = {{NULL, 0}};
    size_t n = (a->words - 2) / 2;
    for (size_t i = 0; i < n; i++) keys[i] = slice(a->word[2 + 2 * i]), values[i] = slice(a->word[3 + 2 * i]);
    puts(name_of(larder_mset(a->l, keys, values, n, atol(a->word[1]))));
}

static void print_reply(const larder_reply *r) {
    larder_slice text = larder_reply_text(r);
    if (larder_reply_type(r) == ':' || larder_reply_type(r) == '#') printf(" %c%lld", larder_reply_type(r), (long long)larder_reply_integer(r));
    else printf(" %c%.*s", larder_reply_type(r), (int)text.size, (const char *)text.data);
    for (size_t i = 0; i < larder_reply_size(r); i++) print_reply(larder_reply_at(r, i));
}

static void do_command(struct agent *a) {
    larder_slice argv[WORDS] = {{NULL, 0}};
    larder_reply *r;
    for (size_t i = 1; i < a->words; i++) argv[i - 1] = slice(a->word[i]);
    printf("%s", name_of(larder_command(a->l, a->words - 1, argv, &r)));
    if (r) print_reply(r);
    putchar('\n');
    larder_reply_free(r);
}

/* N times INCR K in one pipeline. */
static void do_batch(struct agent *a) {
    larder_batch *b = larder_batch_new(a->l);
    larder_slice argv[] = {slice("INCR"), slice(a->word[2])};
    unsigned long n = strtoul(a->word[1], NULL, 10);
    for (unsigned long i = 0; i < n; i++) larder_batch_add(b, 2, argv);
    int status = larder_batch_run(b);
    printf("%s %lld\n", name_of(status), (long long)larder_reply_integer(larder_batch_reply(b, n - 1)));
    larder_batch_free(b);
}

static bool is(const struct agent *a, const char *word, size_t words) { return !strcmp(a->word[0], word) && a->words >= words; }

static bool reads_and_writes(struct agent *a) {
    larder_value v = {.data = NULL};
    const char *key = a->words > 1 ? a->word[1] : "";
    int64_t count = 0;
    if (is(a, "get", 2)) {
        int status = larder_get(a->l, key, strlen(key), &v);
        say_value(status, &v);
    } else if (is(a, "set", 3)) {
        puts(name_of(larder_set(a->l, key, strlen(key), a->word[2], strlen(a->word[2]), a->words > 3 ? atol(a->word[3]) : 0)));
    } else if (is(a, "del", 2)) {
        puts(name_of(larder_del(a->l, key, strlen(key))));
    } else if (is(a, "expire", 3)) {
        puts(name_of(larder_expire(a->l, key, strlen(key), atol(a->word[2]))));
    } else if (is(a, "invalidate", 2)) {
        int status = larder_invalidate(a->l, key, strlen(key), a->words > 2 ? &count : NULL);
        printf("%s %lld\n", name_of(status), (long long)count);
    } else {
        return false;
    }
    return true;
}

static void threads_of(struct agent *a) {
    if (is(a, "hammer", 3)) {
        a->keys = strtoul(a->word[2], NULL, 10);
        start(a, strtoul(a->word[1], NULL, 10), hammer);
    } else if (is(a, "watch", 5)) {
        if (a->versions) munmap(a->versions, sizeof *a->versions);
        a->versions = versions_open(a->word[1]);
        free(a->key);
        a->key = strdup(a->word[2]);
        a->bound_us = atol(a->word[4]) * 1000;
        start(a, strtoul(a->word[3], NULL, 10), watch);
    } else if (is(a, "rest", 1)) {
        do_rest(a);
    } else {
        puts("WHAT");
    }
}

static void obey(struct agent *a) {
    static const struct {
        const char *word;
        size_t words;
        void (*what)(struct agent *a);
    } rows[] = {{"mget", 1, do_mget}, {"mset", 4, do_mset}, {"command", 2, do_command}, {"batch", 3, do_batch}, {"load", 5, do_load},
        {"loads", 5, do_loads}, {"stats", 1, do_stats}, {"trouble", 1, do_trouble}, {"wait", 4, do_wait}, {"write", 5, do_write}};
    if (reads_and_writes(a)) return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is(a, rows[i].word, rows[i].words)) {
            rows[i].what(a);
            return;
        }
    threads_of(a);
}

int main(int argc, char **argv) {
    static struct agent a;
    char error[256] = "", line[1 << 16];
    larder_options_init(&a.o);
    for (int i = 2; i < argc; i++)
        if (!option(&a.o, argv[i])) return fprintf(stderr, "agent: no option %s\n", argv[i]), 2;
    if (!(a.l = larder_open(argc > 1 ? argv[1] : "", &a.o, error, sizeof error))) {
        printf("CLOSED %s\n", error);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("OPEN");
    while (fgets(line, sizeof line, stdin)) {
        a.words = 0;
        for (char *save, *w = strtok_r(line, " \n", &save); w && a.words < WORDS; w = strtok_r(NULL, " \n", &save)) a.word[a.words++] = w;
        if (a.words) obey(&a);
    }
    a.stop = true;
    for (size_t i = 0; i < a.threads; i++) pthread_join(a.thread[i], NULL);
    larder_close(a.l);
    for (struct load *w = a.load, *next; w; w = next) {
        next = w->next;
        free((char *)w->value);
        free((char *)w->until);
        free(w);
    }
    free(a.key);
    return 0;
}
