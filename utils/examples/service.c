/* service: a service that answers from a database which takes 20 ms, at first as it is, then with liblarder in front of it.
 *
 * usage: service URL [SECONDS [THREADS]]      redis://127.0.0.1:6379; README.md here has what it printed
 *
 * Build: cc service.c -o service $(pkg-config --cflags --libs liblarder) -pthread
 */
#include <larder.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PRODUCTS = 100, DATABASE_MS = 20 };

struct service {
    larder *cache; /* NULL: without */
    double end;
    _Atomic unsigned long requests, queries, failures;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a row takes to come: a query, a join, a network. */
static int database_read(struct service *s, unsigned id, char *row, size_t size) {
    s->queries++;
    nanosleep(&(struct timespec){0, DATABASE_MS * 1000000}, NULL);
    return snprintf(row, size, "{\"id\":%u,\"name\":\"Product %u\",\"price\":%u}", id, id, id * 7 % 1000);
}

/* liblarder calls this for one caller at a time and key, in all processes together. */
static int load_product(void *arg, const char *key, size_t key_size, larder_result *result) {
    char row[128];
    unsigned id = (unsigned)strtoul(key + 8, NULL, 10); /* product:ID; keys end with a NUL here, because ours did */
    (void)key_size;
    if (id >= PRODUCTS) return LARDER_NOT_FOUND; /* remembered as well */
    return larder_loaded(result, row, (size_t)database_read(arg, id, row, sizeof row));
}

static bool handle(struct service *s, unsigned id) {
    char key[32], row[128];
    if (!s->cache) return database_read(s, id, row, sizeof row) > 0;
    larder_load how = {.ttl_ms = 60000, .stale_ms = 10000, .negative_ttl_ms = -1};
    larder_value v;
    int size = snprintf(key, sizeof key, "product:%u", id);
    int status = larder_get_or_load(s->cache, key, (size_t)size + 1, load_product, s, &how, &v);
    bool good = status == LARDER_OK && v.size > 0; /* v.data is the answer: sent from where it lies */
    larder_release(&v);
    return good;
}

static void *serve(void *arg) {
    struct service *s = arg;
    unsigned random = (unsigned)(size_t)&random;
    while (now() < s->end) {
        unsigned a = (unsigned)rand_r(&random) % PRODUCTS, b = (unsigned)rand_r(&random) % PRODUCTS;
        if (!handle(s, a < b ? a : b)) s->failures++; /* some products are asked for more than others */
        s->requests++;
    }
    return NULL;
}

static double run(const char *what, larder *cache, double seconds, int threads) {
    struct service s = {.cache = cache, .end = now() + seconds};
    pthread_t thread[64];
    for (int i = 0; i < threads; i++) pthread_create(&thread[i], NULL, serve, &s);
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    printf("%s: %.0f requests/s, %lu queries, %lu failures\n", what, (double)s.requests / seconds, s.queries, s.failures);
    return (double)s.requests / seconds;
}

int main(int argc, char **argv) {
    char error[128];
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
    int threads = argc > 3 ? atoi(argv[3]) : 1;
    if (argc < 2 || threads < 1 || threads > 64) return fprintf(stderr, "usage: service URL [SECONDS [THREADS]]\n"), 2;
    larder *cache = larder_open(argv[1], NULL, error, sizeof error);
    if (!cache) return fprintf(stderr, "service: %s\n", error), 1;
    int status = larder_invalidate(cache, "product:*", 9, NULL); /* what an earlier run left; the service works without a server too */
    if (status != LARDER_OK) fprintf(stderr, "service: %s\n", larder_status_text(status));
    run("the database alone", NULL, seconds, threads);
    run("with liblarder, cold", cache, seconds, threads);
    run("with liblarder, warm", cache, seconds, threads);
    larder_stats stats = {.size = sizeof stats};
    larder_stats_read(cache, &stats);
    printf("near hits %.1f %%, %.2f us each; loads %lu\n", stats.l1_hit_ratio * 100, stats.l1_mean_us, (unsigned long)stats.loads);
    larder_close(cache);
    return 0;
}
