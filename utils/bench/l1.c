/* bench-l1: the figures of liblarder, each beside what it is measured against, in the same run. Prints one JSON object.
 *
 * usage: bench-l1 hits [SECONDS]          near hits, Zipf 0.99 over 1 M keys of 100 B, beside a bare open-addressing table; 1 and 2 threads;
 *                                         bytes per entry over key and value. Needs no server
 *        bench-l1 lookups near|bare [N]   N lookups of 1,000 keys that lie in the processor's caches, for callgrind
 *        bench-l1 reads URL [SECONDS]     the same reads with and without a near store; nine of ten keys exist
 *        bench-l1 heard URL [ROUNDS]      from a write until another process's near store has dropped the key, beside PING
 *        bench-l1 evict TRACE [SHARE ...] hit ratio of a trace (utils/bench/trace.h) beside exact LRU, at shares of its distinct bytes
 */
#include "l1.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double l1_seconds(void) { return (double)clock_mono_us() / 1e6; }

void l1_keys_make(struct l1_keys *k) {
    *k = (struct l1_keys){malloc(L1_KEYS * sizeof *k->key), malloc(L1_KEYS), malloc(L1_ORDER * sizeof *k->order)};
    if (!k->key || !k->key_n || !k->order) abort();
    for (int i = 0; i < L1_KEYS; i++) k->key_n[i] = (uint8_t)snprintf(k->key[i], L1_KEY_ROOM, "key:%09d", i);
    double theta = 0.99, zeta = 0, two = 1 + pow(0.5, theta);
    for (int i = 1; i <= L1_KEYS; i++) zeta += 1 / pow(i, theta);
    double eta = (1 - pow(2.0 / L1_KEYS, 1 - theta)) / (1 - two / zeta);
    uint64_t x = UINT64_C(88172645463325252);
    for (int i = 0; i < L1_ORDER; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        double u = (double)(x >> 11) / 9007199254740992.0, uz = u * zeta;
        uint64_t rank = uz < 1 ? 0 : uz < two ? 1 : (uint64_t)(L1_KEYS * pow(eta * u - eta + 1, 1 / (1 - theta)));
        k->order[i] = (uint32_t)((rank < L1_KEYS ? rank : L1_KEYS - 1) * UINT64_C(2654435761) % L1_KEYS);
    }
}

void l1_keys_free(struct l1_keys *k) {
    free(k->key);
    free(k->key_n);
    free(k->order);
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

double l1_percentile(double *v, unsigned n, double share) {
    if (!n) return NAN;
    qsort(v, n, sizeof *v, by_value);
    return v[(unsigned)(share * (n - 1) + 0.5)];
}

void l1_figure(const char *name, double value) {
    static _Thread_local unsigned n; /* the object is closed by main */
    if (!name) printf("%s\n}\n", n ? "" : "{");
    else if (isfinite(value)) printf("%s\n  \"%s\": %.6g", n++ ? "," : "{", name, value);
    else printf("%s\n  \"%s\": null", n++ ? "," : "{", name);
    fflush(stdout);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    int failed = 2;
    if (!strcmp(what, "hits")) failed = l1_hits(argc > 2 ? strtod(argv[2], NULL) : 20);
    else if (!strcmp(what, "lookups") && argc > 2) return l1_lookups(argv[2], argc > 3 ? atol(argv[3]) : 100000);
    else if (!strcmp(what, "reads") && argc > 2) failed = l1_reads(argv[2], argc > 3 ? strtod(argv[3], NULL) : 4);
    else if (!strcmp(what, "heard") && argc > 2) failed = l1_heard(argv[2], argc > 3 ? (unsigned)atoi(argv[3]) : 5000);
    else if (!strcmp(what, "evict") && argc > 2) failed = l1_evict(argv[2], argc - 3, argv + 3);
    else fprintf(stderr, "usage: bench-l1 hits [SECONDS] | lookups near|bare [N] | reads URL [SECONDS] | heard URL [ROUNDS] | evict TRACE [SHARE ...]\n");
    if (!failed) l1_figure(NULL, 0);
    return failed;
}
