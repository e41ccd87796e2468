/* loads: requests of made-up users, for bench-policies and bench-replay: loads that one policy or another is bad at.
 *
 *   loads NAME [--keys N] [--requests N] [--share F] [--seed N]      a line each: key, or key and size of its value (trace.h)
 *   loads --list
 *
 * keys: about how many distinct ones there are (20000); share: of the keys, how many a cache holds, for loads that go by that
 * (0.1). The same seed gives the same requests.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct load {
    uint64_t keys, requests, i, random; /* i: of the request */
    uint64_t cache;                     /* keys that it holds */
    double share;
    double *zipf, exponent;             /* running sums, of that exponent */
    uint64_t *list, n, fresh;           /* of use to the load itself; fresh: keys that nobody asked for yet count up from here */
    uint64_t at, left, other;
};

struct use {
    uint64_t key, size; /* 0: it follows from the key */
};

static void *need(void *p) {
    if (p) return p;
    fprintf(stderr, "loads: out of memory\n");
    exit(2);
}

/* -- chance ------------------------------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static double chance(struct load *l) { return (double)(mix(l->random += 0x9e3779b97f4a7c15) >> 11) * 0x1p-53; }
static uint64_t below(struct load *l, uint64_t n) { return (uint64_t)(chance(l) * (double)(n ? n : 1)); }
static uint64_t about(struct load *l, double mean) { return (uint64_t)(-log(1 - chance(l)) * mean); } /* exponential */

/* A rank, 0 the most frequent. */
static uint64_t zipf(struct load *l, double exponent) {
    if (!l->zipf) l->zipf = need(malloc(l->keys * sizeof *l->zipf));
    if (exponent != l->exponent) {
        double sum = 0;
        for (uint64_t k = 0; k < l->keys; k++) l->zipf[k] = sum += pow((double)(k + 1), -exponent);
        l->exponent = exponent;
    }
    double x = chance(l) * l->zipf[l->keys - 1];
    uint64_t low = 0, high = l->keys - 1;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (l->zipf[middle] < x) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct use key(uint64_t k) { return (struct use){k, 0}; }

/* What part of all requests have been made. */
static double passed(const struct load *l) { return (double)l->i / (double)l->requests; }

/* Number of a phase, when there are so many of the same length. */
static uint64_t phase(const struct load *l, uint64_t phases) { return l->i * phases / l->requests; }

/* -- popularity that stays ------------------------------------------------------------------------------------------------ */

static struct use uniform(struct load *l) { return key(below(l, l->keys)); }
static struct use zipf_flat(struct load *l) { return key(zipf(l, 0.7)); }
static struct use zipf_usual(struct load *l) { return key(zipf(l, 0.9)); }
static struct use zipf_steep(struct load *l) { return key(zipf(l, 1.2)); }
static struct use one_hit(struct load *l) { return key(chance(l) < 0.6 ? l->keys + l->i : zipf(l, 0.9)); }

/* Eight of ten requests for what just fits, the rest for anything. */
static struct use hot_set(struct load *l) { return key(chance(l) < 0.8 ? below(l, l->cache * 9 / 10) : below(l, l->keys)); }

/* -- popularity that changes -------------------------------------------------------------------------------------------- */

static struct use drift(struct load *l) { return key((zipf(l, 0.9) + (uint64_t)(passed(l) * (double)l->keys)) % l->keys); }
static struct use jumps(struct load *l) { return key((zipf(l, 0.9) + phase(l, 20) * l->keys / 20) % l->keys); }
static struct use new_ranks(struct load *l) { return key(mix(zipf(l, 0.9) * 64 + phase(l, 5)) % l->keys); }
static struct use flip(struct load *l) { return key(phase(l, 10) * l->cache * 8 / 10 + below(l, l->cache * 8 / 10)); }
static struct use there_and_back(struct load *l) {
    return key(zipf(l, 0.9) + (phase(l, 12) % 2 ? l->keys : 0));
}

/* Anything out of a window that moves on: what was used last is used next. */
static struct use window(struct load *l, double width, uint64_t uses) {
    return key(l->i / uses + below(l, (uint64_t)((double)l->cache * width)));
}
static struct use window_fits(struct load *l) { return window(l, 0.8, 20); }
static struct use window_wide(struct load *l) { return window(l, 1.5, 20); }
static struct use window_fast(struct load *l) { return window(l, 0.6, 3); }

/* News: of each ten requests one is for something new, the others for something out by about a harmonic law of age. */
static struct use news(struct load *l) {
    if (!l->fresh || chance(l) < 0.1) return key(l->fresh++);
    uint64_t age = (uint64_t)pow((double)l->fresh, chance(l)) - 1;
    return key(l->fresh - 1 - age);
}

/* What was popular at first is never asked for again. */
static struct use has_been(struct load *l) {
    bool first = passed(l) < 0.3;
    return key(first ? below(l, l->cache) : l->cache + zipf(l, 0.8));
}

/* -- order of uses ---------------------------------------------------------------------------------------------------------- */

/* The key that so many others were used since. */
static struct use from_stack(struct load *l, uint64_t distance, double fresh) {
    if (!l->list) l->list = need(malloc((l->requests + 1) * sizeof *l->list));
    uint64_t k = l->fresh;
    if (distance >= l->n || chance(l) < fresh) {
        l->fresh++;
    } else {
        k = l->list[l->n - 1 - distance];
        memmove(&l->list[l->n - 1 - distance], &l->list[l->n - distance], distance * sizeof *l->list);
        l->n--;
    }
    l->list[l->n++] = k;
    return key(k);
}
static struct use stack_near(struct load *l) { return from_stack(l, about(l, (double)l->cache / 4), 0.05); }
static struct use stack_wide(struct load *l) { return from_stack(l, about(l, (double)l->cache), 0.02); }
static struct use stack_power(struct load *l) {
    return from_stack(l, (uint64_t)pow((double)l->cache * 4, chance(l)), 0.05);
}

static struct use loop_all(struct load *l) { return key(l->i % l->keys); }
static struct use zigzag(struct load *l) {
    uint64_t at = l->i % (2 * l->keys);
    return key(at < l->keys ? at : 2 * l->keys - 1 - at);
}

/* Half of them from a loop that is somewhat longer than a cache. */
static struct use loop_zipf(struct load *l) {
    return key(chance(l) < 0.5 ? zipf(l, 0.9) : l->keys + l->at++ % (l->cache * 11 / 10 + 1));
}

/* Runs over keys in order. */
static struct use runs(struct load *l) {
    if (!l->left--) {
        l->at = zipf(l, 0.8);
        l->left = 20 + below(l, 400);
    }
    return key(l->at++ % l->keys);
}

/* Each ten caches full of Zipf, a scan of two caches full. */
static struct use scans(struct load *l, bool same) {
    uint64_t at = l->i % (l->cache * 12 + 1);
    if (at < l->cache * 10) return key(zipf(l, 0.9));
    return key(l->keys + (same ? at - l->cache * 10 : l->fresh++));
}
static struct use scan_new(struct load *l) { return scans(l, false); }
static struct use scan_same(struct load *l) { return scans(l, true); }

/* Sessions: so many are open at once, each of some requests; then it is never asked for again. */
static struct use of_open(struct load *l, uint64_t open, double requests) {
    if (!l->list) {
        l->list = need(malloc((open + 1) * sizeof *l->list));
        for (l->n = open + 1; l->fresh < l->n; l->fresh++) l->list[l->fresh] = l->fresh;
    }
    uint64_t at = below(l, l->n), k = l->list[at];
    if (chance(l) * requests < 1) l->list[at] = l->fresh++;
    return key(k);
}
static struct use sessions(struct load *l) { return of_open(l, l->cache / 3, 12); }
static struct use sessions_many(struct load *l) { return of_open(l, l->cache * 3 / 2, 12); }
static struct use bursts(struct load *l) { return chance(l) < 0.5 ? of_open(l, 40, 6) : key((1ull << 40) + zipf(l, 0.7)); }

/* -- phases ------------------------------------------------------------------------------------------------------------------- */

static struct use loop_or_zipf(struct load *l) {
    return phase(l, 8) % 2 ? key(l->keys + l->i % (l->cache * 3 / 2 + 1)) : zipf_usual(l);
}
static struct use loop_or_window(struct load *l) {
    if (phase(l, 8) % 2) return key((1ull << 40) + l->i % (l->cache * 3 / 2 + 1));
    return window(l, 0.9, 20);
}
static struct use window_or_zipf(struct load *l) {
    if (phase(l, 10) % 2) return zipf_usual(l);
    struct use u = window(l, 0.8, 10);
    u.key += 1ull << 40;
    return u;
}
static struct use short_phases(struct load *l) {
    uint64_t n = l->i / (l->cache * 2 + 1) % 3;
    if (n == 0) return zipf_usual(l);
    return n == 1 ? key((1ull << 40) + l->i % (l->cache * 12 / 10 + 1)) : key((1ull << 41) + l->i);
}

/* -- as some that were published ----------------------------------------------------------------------------------------------- */

/* Most are asked for once. */
static struct use one_hit_most(struct load *l) { return key(chance(l) < 0.8 ? (1ull << 40) + l->i : zipf(l, 0.9)); }

/* Three loops side by side, of which one, two or all three fit. */
static struct use loops(struct load *l) {
    static const double length[] = {0.2, 0.7, 2};
    uint64_t n = below(l, 3);
    uint64_t *at = n == 0 ? &l->at : n == 1 ? &l->left : &l->other;
    return key(n << 40 | (*at)++ % ((uint64_t)((double)l->cache * length[n]) + 1));
}

/* Loops that change: each is run through four times. */
static struct use loops_change(struct load *l) {
    uint64_t length = l->cache * 13 / 10 + 1;
    return key(l->i / (length * 4) << 40 | l->i % length);
}

/* A program's pieces: one at a time, at random within it, of very different lengths. */
static struct use pieces(struct load *l) {
    if (!l->left--) {
        l->at = zipf(l, 0.6);
        l->left = l->cache / 2 + below(l, l->cache * 2);
    }
    return key(l->at << 30 | below(l, 1 + mix(l->at) % (l->cache + 1)));
}

/* Disks: most of them hot places, some anywhere, some runs. */
static struct use disk(struct load *l) {
    double c = chance(l);
    if (c < 0.5) return key(mix(below(l, l->keys / 20)) % l->keys);
    if (c < 0.8) return key(below(l, l->keys));
    uint64_t n = l->at++;
    return key((n / 3 * 7919 + n % 3) % (l->keys * 4));
}

/* Each value is good for some time only: then its key has a new name. */
static struct use versions(struct load *l) {
    uint64_t k = zipf(l, 0.9);
    return key(k << 20 | (l->i + mix(k) % l->cache * 5) / (l->cache * 5 + 1));
}

/* A job reads all of its keys by turns, again and again after a while, beside the usual. */
static struct use job(struct load *l) {
    if (l->i % (l->cache * 8 + 1) > l->cache * 2 || l->i % 2) return zipf_usual(l);
    return key(l->keys + l->i % (l->cache * 8 + 1));
}

/* Two populations that come and go as day and night do. */
static struct use tides(struct load *l) {
    bool day = chance(l) < 0.5 + 0.5 * sin(passed(l) * 6 * 6.2831853);
    return key(day ? zipf(l, 0.9) : l->keys + zipf(l, 0.9));
}

/* What came is asked for once more soon, and seldom later. */
static struct use twice(struct load *l) {
    if (chance(l) < 0.2) return zipf_usual(l);
    bool again = l->fresh && chance(l) < 0.5;
    return key((1ull << 40) + (again ? l->fresh - 1 - below(l, l->cache / 8 < l->fresh ? l->cache / 8 : l->fresh) : l->fresh++));
}

/* A window that moves on, and popularity that stays: half and half. */
static struct use window_and_zipf(struct load *l) {
    if (chance(l) < 0.5) return zipf_usual(l);
    return key(1ull << 40 | window(l, 0.4, 8).key);
}

/* The popular grow in number. */
static struct use grows(struct load *l) { return key(below(l, (uint64_t)((double)l->keys * passed(l)) + 1)); }

/* New popular ones all the time, a few at once, which fade. */
static struct use trends(struct load *l) {
    if (chance(l) < 0.3) return zipf_usual(l);
    uint64_t born = l->i / 200, back = about(l, (double)l->cache / 30);
    return key(1ull << 40 | (born > back ? born - back : 0));
}

/* -- sizes ---------------------------------------------------------------------------------------------------------------------- */

static struct use sized(uint64_t k, double size) { return (struct use){k, (uint64_t)size + 1}; }

static struct use hot_large(struct load *l) {
    uint64_t k = zipf(l, 0.9);
    return sized(k, fmax(50, 20000 / sqrt((double)k + 1)));
}
static struct use hot_small(struct load *l) {
    uint64_t k = zipf(l, 0.9);
    return sized(k, 50 + pow((double)k, 0.8));
}
static struct use two_sizes(struct load *l) {
    uint64_t k = zipf(l, 0.9);
    return sized(k, mix(k) % 100 ? 200 : 200000);
}
static struct use wide_sizes(struct load *l) {
    uint64_t k = zipf(l, 0.9);
    return sized(k, fmin(200000, 50 + 100 * (pow((double)(mix(k) >> 11) * 0x1p-53 + 1e-9, -1 / 1.1) - 1)));
}

/* What is used for long is large, what is used in bursts small; and the other way round. */
static struct use large_lasts(struct load *l) {
    struct use u = bursts(l);
    return sized(u.key, u.key >> 40 ? 1500 : 100);
}
static struct use small_lasts(struct load *l) {
    struct use u = bursts(l);
    return sized(u.key, u.key >> 40 ? 100 : 1500);
}

/* One value of a fifth of a cache, asked for so often. */
static struct use huge(struct load *l, double often) {
    return chance(l) < often ? sized(1ull << 50, (double)l->cache * 373 / 5) : zipf_usual(l);
}
static struct use huge_seldom(struct load *l) { return huge(l, 0.0005); }
static struct use huge_often(struct load *l) { return huge(l, 0.1); }

static double cache_bytes(const struct load *l) { return (double)l->cache * 373; }

/* Another one each twenty times; two by turns, of more than half a cache each; some of a tenth, of a sixteenth of it. */
static struct use huge_bursts(struct load *l) {
    if (chance(l) >= 0.1) return zipf_usual(l);
    return sized((1ull << 50) + l->at++ / 20, cache_bytes(l) / 5);
}
static struct use huge_two(struct load *l) {
    return chance(l) < 0.1 ? sized((1ull << 50) + l->at++ % 2, cache_bytes(l) * 0.6) : zipf_usual(l);
}
static struct use huge_moves(struct load *l) {
    return chance(l) < 0.05 ? sized((1ull << 50) + phase(l, 20), cache_bytes(l) / 4) : zipf_usual(l);
}
static struct use huge_few(struct load *l) {
    return chance(l) < 0.15 ? sized((1ull << 50) + below(l, 5), cache_bytes(l) / 10) : zipf_usual(l);
}
static struct use large_some(struct load *l) {
    return chance(l) < 0.05 ? sized((1ull << 50) + below(l, 12), cache_bytes(l) / 16) : zipf_usual(l);
}

/* A network's edge: most are asked for once, sizes have a tail up to a quarter of a cache. */
static struct use edge(struct load *l) {
    uint64_t k = chance(l) < 0.4 ? (1ull << 40) + l->i : zipf(l, 0.8);
    return sized(k, fmin(cache_bytes(l) / 4, 200 * pow((double)(mix(k) >> 11) * 0x1p-53 + 1e-9, -1 / 1.2)));
}

/* One user's small values by popularity, another's large ones out of a window; and the other way round. */
static struct use two_users(struct load *l) {
    if (chance(l) < 0.5) return sized(zipf(l, 0.9), 100);
    return sized(1ull << 40 | window(l, 0.1, 20).key, 3000);
}
static struct use two_users_back(struct load *l) {
    if (chance(l) < 0.5) return sized(zipf(l, 0.9), 3000);
    return sized(1ull << 40 | window(l, 1, 20).key, 100);
}

/* Small ones, then large ones, by turns. */
static struct use sizes_by_turns(struct load *l) {
    return phase(l, 8) % 2 ? sized(1ull << 40 | zipf(l, 0.9), 2000) : sized(zipf(l, 0.9), 100);
}

/* Stack distances and sessions, of all sizes. */
static struct use stack_sizes(struct load *l) {
    uint64_t k = stack_near(l).key;
    return sized(k, mix(k) % 8 ? 100 : 2000);
}
static struct use sessions_sizes(struct load *l) {
    uint64_t k = of_open(l, l->cache / 4, 12).key;
    return sized(k, 50 * pow(100, (double)(mix(k) >> 11) * 0x1p-53));
}

static struct use sizes_grow(struct load *l) {
    uint64_t age = phase(l, 6);
    return sized(age << 40 | zipf(l, 0.9), (double)(50 << age));
}
static struct use window_sizes(struct load *l) {
    struct use u = window(l, 0.8, 20);
    return sized(u.key, mix(u.key) % 10 ? 100 : 3000);
}

static const struct row {
    const char *name;
    struct use (*next)(struct load *l);
} rows[] = {{"uniform", uniform}, {"zipf-flat", zipf_flat}, {"zipf", zipf_usual}, {"zipf-steep", zipf_steep}, {"one-hit", one_hit},
    {"hot-set", hot_set}, {"drift", drift}, {"jumps", jumps}, {"new-ranks", new_ranks}, {"flip", flip},
    {"there-and-back", there_and_back}, {"window-fits", window_fits}, {"window-wide", window_wide}, {"window-fast", window_fast},
    {"news", news}, {"has-been", has_been}, {"stack-near", stack_near}, {"stack-wide", stack_wide}, {"stack-power", stack_power},
    {"loop", loop_all}, {"zigzag", zigzag}, {"loop-zipf", loop_zipf}, {"runs", runs}, {"scan-new", scan_new},
    {"scan-same", scan_same}, {"sessions", sessions}, {"sessions-many", sessions_many}, {"bursts", bursts},
    {"loop-or-zipf", loop_or_zipf}, {"loop-or-window", loop_or_window}, {"window-or-zipf", window_or_zipf},
    {"short-phases", short_phases}, {"hot-large", hot_large}, {"hot-small", hot_small}, {"two-sizes", two_sizes},
    {"wide-sizes", wide_sizes}, {"large-lasts", large_lasts}, {"small-lasts", small_lasts}, {"huge-seldom", huge_seldom},
    {"huge-often", huge_often}, {"sizes-grow", sizes_grow}, {"window-sizes", window_sizes},
    {"one-hit-most", one_hit_most}, {"loops", loops}, {"loops-change", loops_change}, {"pieces", pieces}, {"disk", disk},
    {"versions", versions}, {"job", job}, {"tides", tides}, {"twice", twice}, {"window-and-zipf", window_and_zipf}, {"grows", grows},
    {"trends", trends}, {"huge-bursts", huge_bursts}, {"huge-two", huge_two}, {"huge-moves", huge_moves}, {"huge-few", huge_few},
    {"large-some", large_some}, {"edge", edge}, {"two-users", two_users}, {"two-users-back", two_users_back},
    {"sizes-by-turns", sizes_by_turns}, {"stack-sizes", stack_sizes}, {"sessions-sizes", sessions_sizes}};

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: loads NAME [--keys N] [--requests N] [--share F] [--seed N] | --list\n");
    exit(2);
}

static const struct row *row_of(const char *name) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    usage();
}

static void read_options(struct load *l, int argc, char **argv) {
    for (int i = 2; i < argc; i += 2) {
        const char *o = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (!v) usage();
        if (!strcmp(o, "--keys")) l->keys = strtoull(v, NULL, 10);
        else if (!strcmp(o, "--requests")) l->requests = strtoull(v, NULL, 10);
        else if (!strcmp(o, "--seed")) l->random = mix(strtoull(v, NULL, 10));
        else if (!strcmp(o, "--share")) l->share = strtod(v, NULL);
        else usage();
    }
    if (l->keys < 100 || !l->requests) usage();
    l->cache = (uint64_t)((double)l->keys * l->share);
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) puts(rows[i].name);
        return 0;
    }
    if (argc < 2) usage();
    struct load l = {.keys = 20000, .requests = 400000, .share = 0.1, .random = mix(1)};
    const struct row *row = row_of(argv[1]);
    read_options(&l, argc, argv);
    for (; l.i < l.requests; l.i++) {
        struct use u = row->next(&l);
        if (u.size) printf("%llu %llu\n", (unsigned long long)u.key, (unsigned long long)u.size);
        else printf("%llu\n", (unsigned long long)u.key);
    }
    free(l.zipf);
    free(l.list);
    return ferror(stdout) != 0;
}
