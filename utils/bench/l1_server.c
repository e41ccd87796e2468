/* What a near store makes of reads, and how soon a process hears what another one wrote. Both beside a server. */
#include "l1.h"

#include "l1/inside.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- reads ---
 *
 * Three handles do the same reads in turn: one without a near store; one with it, where nine of ten keys exist and that the tenth does not is
 * known near as well, so that no read leaves the process; and one whose every tenth read is of a key that is not kept near, so that
 * no library could be more than ten times as fast as without. */

enum { USED = 10000, READERS = 3, ROUNDS_MAX = 1000 };

struct reader {
    larder *l;
    bool far; /* each tenth read is of a key that is kept in the server alone */
    uint32_t at;
    uint64_t n, found;
};

static double read_for(struct reader *r, const struct l1_keys *k, double limit) {
    uint64_t n = 0;
    double from = l1_seconds(), now = from;
    char text[L1_KEY_ROOM] = "far:";
    for (; n % 64 || (now = l1_seconds()) < from + limit; n++) {
        larder_value v;
        uint32_t i = k->order[r->at++ % L1_ORDER] % USED;
        bool far = r->far && n % 10 == 9;
        if (far) memcpy(text + 4, k->key[i] + 4, k->key_n[i] - 4u);
        int status = larder_get(r->l, far ? text : k->key[i], k->key_n[i], &v);
        if (status != LARDER_OK && status != LARDER_NOT_FOUND) exit(fprintf(stderr, "bench-l1: %s\n", larder_status_text(status)));
        r->found += status == LARDER_OK;
        larder_release(&v);
    }
    r->n += n;
    return (double)n / (now - from);
}

static bool readers_open(struct reader *r, const char *url) {
    static const char *const kept[] = {"key:", NULL};
    char error[128];
    for (unsigned i = 0; i < READERS; i++) {
        larder_options o;
        larder_options_init(&o);
        o.negative_ttl_ms = o.l1_ttl_ms;
        o.prefixes = kept;
        if (!i) o.l1_bytes = 0;
        r[i] = (struct reader){.l = larder_open(url, &o, error, sizeof error), .far = i == 2};
        if (!r[i].l) return fprintf(stderr, "bench-l1: %s\n", error), false;
    }
    return true;
}

/* keys[i] and far keys; no key whose number ends with a 5. */
static void keys_write(larder *l, const struct l1_keys *k) {
    char value[L1_VALUE], text[L1_KEY_ROOM];
    memset(value, 'v', sizeof value);
    for (uint32_t i = 0; i < USED; i++) {
        int n = snprintf(text, sizeof text, "far:%.9s", k->key[i] + 4);
        int status = i % 10 == 5 ? larder_del(l, k->key[i], k->key_n[i]) : larder_set(l, k->key[i], k->key_n[i], value, L1_VALUE, 3600000);
        if (status == LARDER_NOT_FOUND) status = LARDER_OK;
        if (status == LARDER_OK) status = larder_set(l, text, (size_t)n, value, L1_VALUE, 3600000);
        if (status != LARDER_OK) exit(fprintf(stderr, "bench-l1: %s\n", larder_status_text(status)));
    }
}

static double near_share(larder *l) {
    larder_stats s = {.size = sizeof s};
    larder_stats_read(l, &s);
    return s.l1_hit_ratio * 100;
}

int l1_reads(const char *url, double limit) {
    struct l1_keys k;
    struct reader r[READERS];
    static double rate[READERS][ROUNDS_MAX], ratio[READERS][ROUNDS_MAX];
    unsigned n = 0;
    if (!readers_open(r, url)) return 1;
    l1_keys_make(&k);
    keys_write(r[0].l, &k);
    for (unsigned i = 1; i < READERS; i++)
        while (near_share(r[i].l) < 90) read_for(&r[i], &k, 0.1); /* until what is asked for is near */
    for (unsigned i = 0; i < READERS; i++) r[i].n = r[i].found = 0;
    for (double end = l1_seconds() + limit; n < ROUNDS_MAX && (n < 3 || l1_seconds() < end); n++)
        for (unsigned i = 0; i < READERS; i++) {
            rate[i][n] = read_for(&r[i], &k, 0.02);
            ratio[i][n] = rate[i][n] / rate[0][n];
        }
    l1_figure("reads a second without a near store", l1_median(rate[0], n));
    l1_figure("reads a second, all near", l1_median(rate[1], n));
    l1_figure("reads a second, a tenth from the server", l1_median(rate[2], n));
    l1_figure("% of reads that found a value", 100.0 * (double)r[1].found / (double)r[1].n);
    l1_figure("all near over without", l1_median(ratio[1], n));
    l1_figure("a tenth from the server over without", l1_median(ratio[2], n));
    l1_figure("rounds", n);
    for (unsigned i = 0; i < READERS; i++) larder_close(r[i].l);
    l1_keys_free(&k);
    return 0;
}

/* --- heard --- */

enum { ALL = 1 << 20 };

struct heard { /* what the two processes share */
    _Atomic uint32_t near, gone; /* rounds in which the hearer had the key near, and no more */
    _Atomic bool failed;
    double heard[ALL];
};

static void pause_until(struct heard *h, _Atomic uint32_t *what, uint32_t n) {
    while (atomic_load(what) < n && !atomic_load(&h->failed)) sched_yield();
}

/* Looks for the key all the time, as a process that reads it does, and lets others run in between. */
static int hear(struct heard *h, const char *url, unsigned rounds) {
    char error[128];
    larder *l = larder_open(url, NULL, error, sizeof error);
    larder_value v;
    if (!l) {
        h->failed = true;
        return fprintf(stderr, "bench-l1: %s\n", error), 1;
    }
    for (unsigned i = 0; i < rounds && !h->failed; i++) {
        for (bool near = false; !near && !h->failed; larder_release(&v)) {
            int status = larder_get(l, "heard", 5, &v);
            if (status != LARDER_OK && status != LARDER_NOT_FOUND) h->failed = true;
            near = v.flags & LARDER_FROM_L1;
        }
        atomic_store(&h->near, i + 1);
        while (larder_near(l, "heard", 5, &v) == LARDER_OK) {
            larder_release(&v);
            sched_yield();
        }
        h->heard[i] = l1_seconds();
        atomic_store(&h->gone, i + 1);
    }
    larder_close(l);
    return h->failed;
}

static double command(larder *l, const char *word) {
    larder_reply *reply;
    double from = l1_seconds();
    if (larder_command(l, 1, &(larder_slice){word, strlen(word)}, &reply)) exit(fprintf(stderr, "bench-l1: %s failed\n", word));
    larder_reply_free(reply);
    return l1_seconds() - from;
}

/* Times in us: of a PING, from a write's beginning and from its reply until the other process no longer has the key. */
static int tell(struct heard *h, const char *url, unsigned rounds) {
    static double ping[ALL], all[ALL], after[ALL];
    char error[128], text[16];
    larder *l = larder_open(url, NULL, error, sizeof error);
    if (!l) return fprintf(stderr, "bench-l1: %s\n", error), 1;
    for (unsigned i = 0; i < rounds; i++) {
        int n = snprintf(text, sizeof text, "%u", i);
        if (!i && larder_set(l, "heard", 5, "first", 5, 0)) return 1;
        pause_until(h, &h->near, i + 1);
        ping[i] = command(l, "PING") * 1e6;
        double from = l1_seconds();
        if (h->failed || larder_set(l, "heard", 5, text, (size_t)n, 0)) return 1;
        double done = l1_seconds();
        pause_until(h, &h->gone, i + 1);
        all[i] = (h->heard[i] - from) * 1e6;
        after[i] = h->heard[i] > done ? (h->heard[i] - done) * 1e6 : 0;
    }
    larder_close(l);
    double round_trip = l1_median(ping, rounds);
    l1_figure("us, a PING, median", round_trip);
    l1_figure("us, a PING, p99", l1_percentile(ping, rounds, 0.99));
    l1_figure("us from the write's reply until it was heard, median", l1_median(after, rounds));
    l1_figure("us from the write's reply until it was heard, p99", l1_percentile(after, rounds, 0.99));
    l1_figure("us from the write's beginning until it was heard, median", l1_median(all, rounds));
    l1_figure("us from the write's beginning until it was heard, p99", l1_percentile(all, rounds, 0.99));
    l1_figure("p99 after the reply over a PING's median", l1_percentile(after, rounds, 0.99) / round_trip);
    l1_figure("p99 after the reply over a PING's p99", l1_percentile(after, rounds, 0.99) / l1_percentile(ping, rounds, 0.99));
    return 0;
}

int l1_heard(const char *url, unsigned rounds) {
    if (rounds < 1 || rounds > ALL) return fprintf(stderr, "bench-l1: 1 to %d rounds\n", ALL), 2;
    struct heard *h = mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (h == MAP_FAILED) return perror("bench-l1"), 1;
    fflush(NULL);
    pid_t other = fork(); /* before there is any handle */
    if (other < 0) return perror("bench-l1"), 1;
    if (!other) _exit(hear(h, url, rounds));
    int failed = tell(h, url, rounds), status = 0;
    if (failed) h->failed = true;
    waitpid(other, &status, 0);
    munmap(h, sizeof *h);
    return failed || status;
}
