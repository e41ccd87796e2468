/* bench-l1: the figures of liblarder, each beside what it is measured against, in the same run.
 *
 * usage: bench-l1 hits [SECONDS]          near hits, Zipf 0.99 over 1 M keys of 100 B, beside a bare open-addressing table; 1 and 2 threads;
 *                                         bytes per entry over key and value, counted and resident. Needs no server: it starts none
 *        bench-l1 reads URL [SECONDS]     reads with and without a near store against a server; 90 % of the keys exist
 *        bench-l1 heard URL [ROUNDS]      from a write's reply until another handle's near store has dropped the key, beside PING
 *        bench-l1 evict TRACE MB ...      hit ratio of a trace of "key size" lines
 */
#include "base/clock.h"
#include "l1/inside.h"
#include "l1/near_inside.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { KEYS = 1000000, ORDER = 4000000, VALUE = 100, KEY_ROOM = 16 };

struct item { /* what a bare table's slot points to: key and value in one block, as in the store */
    uint32_t key_n, size;
    char bytes[];
};

struct bench {
    char (*key)[KEY_ROOM];
    uint8_t *key_n;
    uint32_t *order; /* Zipf, shuffled so that what is popular lies anywhere */
    struct item **table;
    uint64_t mask, seed;
    larder *l;
};

static double seconds(void) { return (double)clock_mono_us() / 1e6; }
static double cpu(void) { return (double)clock_cpu_us() / 1e6; }

static size_t resident(void) {
    unsigned long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2) abort();
    fclose(f);
    return pages * 4096;
}

static void keys_make(struct bench *b) {
    b->key = malloc(KEYS * sizeof *b->key);
    b->key_n = malloc(KEYS);
    b->order = malloc(ORDER * sizeof *b->order);
    for (int i = 0; i < KEYS; i++) b->key_n[i] = (uint8_t)snprintf(b->key[i], KEY_ROOM, "key:%09d", i);
    double theta = 0.99, zeta = 0, two = 1 + pow(0.5, theta);
    for (int i = 1; i <= KEYS; i++) zeta += 1 / pow(i, theta);
    double eta = (1 - pow(2.0 / KEYS, 1 - theta)) / (1 - two / zeta);
    uint64_t x = UINT64_C(88172645463325252);
    for (int i = 0; i < ORDER; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        double u = (double)(x >> 11) / 9007199254740992.0, uz = u * zeta;
        uint64_t rank = uz < 1 ? 0 : uz < two ? 1 : (uint64_t)(KEYS * pow(eta * u - eta + 1, 1 / (1 - theta)));
        b->order[i] = (uint32_t)((rank < KEYS ? rank : KEYS - 1) * UINT64_C(2654435761) % KEYS);
    }
}

/* --- hits --- */

static void table_make(struct bench *b, const char *value) {
    b->mask = (1 << 21) - 1;
    b->seed = 12345;
    b->table = calloc(b->mask + 1, sizeof *b->table);
    for (int i = 0; i < KEYS; i++) {
        struct item *e = malloc(sizeof *e + b->key_n[i] + VALUE);
        *e = (struct item){b->key_n[i], VALUE};
        memcpy(e->bytes, b->key[i], b->key_n[i]);
        memcpy(e->bytes + b->key_n[i], value, VALUE);
        uint64_t at = hash_bytes(b->key[i], b->key_n[i], b->seed) & b->mask;
        while (b->table[at]) at = (at + 1) & b->mask;
        b->table[at] = e;
    }
}

static __attribute__((noinline)) const char *table_get(const struct bench *b, const char *key, size_t n) {
    for (uint64_t at = hash_bytes(key, n, b->seed) & b->mask;; at = (at + 1) & b->mask) {
        const struct item *e = b->table[at];
        if (!e) return NULL;
        if (e->key_n == n && !memcmp(e->bytes, key, n)) return e->bytes + n;
    }
}

struct turn {
    struct bench *b;
    unsigned from;
    bool bare, chained;
    uint64_t sum;
    double used; /* s of CPU */
};

/* Chained: which key comes next is known only once the value is there, as in a program that does something with it. */
static void *lookups(void *arg) {
    struct turn *t = arg;
    const struct bench *b = t->b;
    unsigned extra = 0;
    double from = cpu();
    for (unsigned i = 0; i < ORDER; i++) {
        uint32_t k = b->order[(i + t->from + extra) % ORDER];
        if (t->bare) {
            const char *value = table_get(b, b->key[k], b->key_n[k]);
            t->sum += value ? (unsigned char)*value : 0;
        } else {
            larder_value v;
            if (larder_get(b->l, b->key[k], b->key_n[k], &v) == LARDER_OK) t->sum += (unsigned char)*v.data;
            larder_release(&v);
        }
        if (t->chained) extra = (unsigned)(t->sum & 1) ? 0 : 0 * extra; /* depends on the sum, and is nothing */
        __asm__ volatile("" : "+r"(extra));
    }
    t->used = cpu() - from;
    return NULL;
}

/* ns of CPU a lookup, of the slower thread where there are two: what else the machine does then counts for less. */
static double lookups_time(struct bench *b, bool bare, bool chained, unsigned threads) {
    struct turn t[2] = {{b, 0, bare, chained, 0, 0}, {b, ORDER / 2, bare, chained, 0, 0}};
    pthread_t other;
    if (threads == 2) pthread_create(&other, NULL, lookups, &t[1]);
    lookups(&t[0]);
    if (threads == 2) pthread_join(other, NULL);
    if (t[0].sum != (uint64_t)ORDER * 'v') exit(fprintf(stderr, "bench-l1: not every lookup was a hit\n"));
    return (t[1].used > t[0].used ? t[1].used : t[0].used) / ORDER * 1e9;
}

static void near_fill(struct bench *b, const char *value) {
    struct near *s = b->l->near;
    size_t before = resident(), bytes = 0;
    double from = cpu();
    for (int i = 0; i < KEYS; i++) {
        struct slice key = {b->key[i], b->key_n[i]};
        uint64_t hash = near_hash(s, key);
        near_put(s, &(struct near_item){.key = key, .value = {value, VALUE}, .hash = hash, .token = near_token(s, hash), .ttl = 3600000});
        bytes += key.n + VALUE;
    }
    from = cpu() - from;
    struct near_stats st;
    near_stats_read(s, &st);
    printf("entries %llu; bytes over key and value: counted %.1f, resident %.1f; filled in %.0f ns each\n", (unsigned long long)st.entries,
        ((double)st.bytes - (double)bytes) / KEYS, ((double)(resident() - before) - (double)bytes) / KEYS, from / KEYS * 1e9);
}

static int hits(double limit) {
    struct bench b = {.mask = 0};
    larder_options o;
    char value[VALUE], error[128];
    larder_options_init(&o);
    o.l1_bytes = 1 << 30;
    o.l1_ttl_ms = 3600000;
    o.connect_timeout_ms = 50;
    b.l = larder_open("unix:///nowhere", &o, error, sizeof error);
    if (!b.l) return fprintf(stderr, "%s\n", error);
    watch_stop(&b.l->watch);
    b.l->trusted_until = INT64_MAX; /* as if a server told of changes: there are none */
    memset(value, 'v', sizeof value);
    keys_make(&b);
    near_fill(&b, value);
    table_make(&b, value);
    double best[2][3] = {{1e9, 1e9, 1e9}, {1e9, 1e9, 1e9}};
    for (double end = seconds() + limit; seconds() < end;) {
        for (int bare = 0; bare < 2; bare++)
            for (int how = 0; how < 3; how++) {
                double ns = lookups_time(&b, bare, how == 1, how == 2 ? 2 : 1);
                if (ns < best[bare][how]) best[bare][how] = ns;
            }
    }
    printf("one thread: bare %.1f ns, larder_get %.1f ns, ratio %.2f (bar 2.00)\n", best[1][0], best[0][0], best[0][0] / best[1][0]);
    printf("one after the other: bare %.1f ns, larder_get %.1f ns, ratio %.2f\n", best[1][1], best[0][1], best[0][1] / best[1][1]);
    printf("two threads: %.2f times one (bar 1.80); bare %.2f\n", 2 * best[0][0] / best[0][2], 2 * best[1][0] / best[1][2]);
    larder_close(b.l);
    return 0;
}

/* --- reads --- */

static double reads_per_second(larder *l, struct bench *b, unsigned keys, double limit, double *found) {
    uint64_t n = 0, ok = 0;
    double from = seconds(), end = from + limit;
    while (n % 64 || seconds() < end) {
        larder_value v;
        uint32_t k = b->order[n++ % ORDER] % keys;
        ok += larder_get(l, b->key[k], b->key_n[k], &v) == LARDER_OK;
        larder_release(&v);
    }
    *found = (double)ok / (double)n;
    return (double)n / (seconds() - from);
}

static int reads(const char *url, double limit) {
    enum { USED = 10000 };
    struct bench b = {.mask = 0};
    larder_options o;
    char error[128], value[VALUE];
    double found, rate[2];
    memset(value, 'v', sizeof value);
    keys_make(&b);
    for (int near = 0; near < 2; near++) {
        larder_options_init(&o);
        o.negative_ttl_ms = 60000;
        if (!near) o.l1_bytes = 0;
        larder *l = larder_open(url, &o, error, sizeof error);
        if (!l) return fprintf(stderr, "bench-l1: %s\n", error);
        for (uint32_t i = 0; i < USED; i++) {
            if (i % 10 != 5) larder_set(l, b.key[i], b.key_n[i], value, VALUE, 600000);
            else larder_del(l, b.key[i], b.key_n[i]);
        }
        reads_per_second(l, &b, USED, limit / 4, &found);
        rate[near] = reads_per_second(l, &b, USED, limit, &found);
        larder_stats s = {.size = sizeof s};
        larder_stats_read(l, &s);
        printf("%s near store: %.0f reads/s, %.1f %% of them found, near hits %.2f %%\n", near ? "with a" : "without", rate[near], found * 100,
            s.l1_hit_ratio * 100);
        larder_close(l);
    }
    printf("ratio %.1f (bar 40)\n", rate[1] / rate[0]);
    return 0;
}

/* --- heard --- */

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static int heard(const char *url, unsigned rounds) {
    char error[128], text[16];
    larder *writer = larder_open(url, NULL, error, sizeof error), *reader = larder_open(url, NULL, error, sizeof error);
    if (!writer || !reader) return fprintf(stderr, "bench-l1: %s\n", error);
    double *late = malloc(rounds * sizeof *late), *ping = malloc(rounds * sizeof *ping);
    larder_set(writer, "k", 1, "v", 1, 0);
    for (unsigned i = 0; i < rounds; i++) {
        larder_value v;
        larder_reply *reply;
        int n = snprintf(text, sizeof text, "%u", i);
        do { /* until it is near */
            larder_get(reader, "k", 1, &v);
            bool near = v.flags & LARDER_FROM_L1;
            larder_release(&v);
            if (near) break;
        } while (1);
        double from = seconds();
        larder_command(writer, 1, &(larder_slice){"PING", 4}, &reply);
        larder_reply_free(reply);
        ping[i] = seconds() - from;
        larder_set(writer, "k", 1, text, (size_t)n, 0);
        from = seconds();
        uint64_t hash = near_hash(reader->near, SLICE("k"));
        struct near_found f;
        while (near_get(reader->near, near_record(reader->near), SLICE("k"), hash, near_now(reader->near), &f)) near_unpin(f.pin);
        late[i] = seconds() - from;
    }
    qsort(late, rounds, sizeof *late, by_value);
    qsort(ping, rounds, sizeof *ping, by_value);
    double p99 = late[rounds * 99 / 100] * 1e6, median = ping[rounds / 2] * 1e6;
    printf("heard after: median %.1f us, p99 %.1f us; PING: median %.1f us, p99 %.1f us; p99 over PING's median %.2f (bar 4), over its p99 %.2f\n",
        late[rounds / 2] * 1e6, p99, median, ping[rounds * 99 / 100] * 1e6, p99 / median, p99 / (ping[rounds * 99 / 100] * 1e6));
    larder_close(writer);
    larder_close(reader);
    return 0;
}

/* --- evict --- */

static void no_more(void *more) { (void)more; }

static int evict(const char *path, size_t bytes) {
    struct near *s = near_open(bytes, no_more);
    FILE *f = strcmp(path, "-") ? fopen(path, "r") : stdin;
    char key[512], *value = calloc(1, 1 << 26);
    unsigned long size, n = 0, hit = 0;
    if (!f || !s || !value) return perror(path), 1;
    while (fscanf(f, "%511s %lu", key, &size) == 2) {
        struct slice k = slice_of(key);
        uint64_t hash = near_hash(s, k);
        struct near_found found;
        n++;
        if (near_get(s, near_record(s), k, hash, near_now(s), &found)) {
            hit++;
            near_unpin(found.pin);
        } else {
            near_put(s, &(struct near_item){.key = k, .value = {value, size}, .hash = hash, .token = near_token(s, hash), .ttl = 86400000});
        }
    }
    printf("%lu requests, %.2f %% hits\n", n, 100.0 * (double)hit / (double)(n ? n : 1));
    near_close(s);
    free(value);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "hits")) return hits(argc > 2 ? strtod(argv[2], NULL) : 20);
    if (!strcmp(what, "reads") && argc > 2) return reads(argv[2], argc > 3 ? strtod(argv[3], NULL) : 4);
    if (!strcmp(what, "heard") && argc > 2) return heard(argv[2], argc > 3 ? (unsigned)atoi(argv[3]) : 5000);
    if (!strcmp(what, "evict") && argc > 3) return evict(argv[2], (size_t)(strtod(argv[3], NULL) * 1048576));
    return fprintf(stderr, "usage: bench-l1 hits [SECONDS] | reads URL [SECONDS] | heard URL [ROUNDS] | evict TRACE MB\n"), 2;
}
