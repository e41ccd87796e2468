#include "l1/inside.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OPEN_MARGIN_US 100000

void larder_options_init(larder_options *o) {
    *o = (larder_options){.size = sizeof *o, .l1_bytes = 64 << 20, .l1_ttl_ms = 600000, .pool = 10, .connect_timeout_ms = 1000,
        .timeout_ms = 1000, .feed_check_ms = 1000, .down_ttl_ms = 1000, .negative_ttl_ms = 5000, .early = 1.0, .lease_ms = 10000,
        .wait_ms = 10000, .loaders = 32, .refreshers = 2, .failures = 5, .backoff_ms = 100, .backoff_max_ms = 10000,
        .writes_when_down = LARDER_WRITES_FAIL, .queue_bytes = 1 << 20, .name = "liblarder"};
}

static const char *options_wrong(const larder_options *o) {
    const struct {
        bool wrong;
        const char *what;
    } rows[] = {
        {o->size != sizeof *o, "options of another version of the library (was larder_options_init called?)"},
        {o->l1_bytes && o->l1_bytes < 65536, "l1_bytes under 65536"},
        {o->l1_ttl_ms < 1, "l1_ttl_ms under 1"},
        {o->pool < 1 || o->pool > 10000, "pool not in 1..10000"},
        {o->connect_timeout_ms < 1 || o->timeout_ms < 1, "a timeout under 1"},
        {o->feed_check_ms < 10, "feed_check_ms under 10"},
        {o->stale_ms < 0 || o->stale_if_down_ms < 0 || o->down_ttl_ms < 0 || o->negative_ttl_ms < 0, "a time below 0"},
        {!(o->early >= 0), "early below 0"},
        {o->lease_ms < 1 || o->lease_ms > 3600000 || o->wait_ms < 0 || o->wait_ms > 3600000, "lease_ms or wait_ms not within an hour"},
        {o->loaders < 1 || o->refreshers < 0 || o->refreshers > 1000, "loaders under 1, or refreshers not in 0..1000"},
        {o->failures < 1 || o->backoff_ms < 1 || o->backoff_max_ms < o->backoff_ms, "failures or backoff under 1"},
        {o->writes_when_down < LARDER_WRITES_FAIL || o->writes_when_down > LARDER_WRITES_QUEUE, "writes_when_down is none of enum larder_writes"},
        {!o->name || strpbrk(o->name, " \r\n"), "a name with a space in it, or none"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].wrong) return rows[i].what;
    return NULL;
}

/* One that begins with another adds nothing, and Redis refuses it. */
static bool covered(const char *const *prefixes, size_t i) {
    for (size_t j = 0; prefixes[j]; j++) {
        size_t n = strlen(prefixes[j]);
        if (j != i && !strncmp(prefixes[i], prefixes[j], n) && (j < i || n < strlen(prefixes[i]))) return true;
    }
    return false;
}

static void prefixes_copy(struct larder *l, const char *const *prefixes) {
    for (size_t i = 0; prefixes && prefixes[i]; i++) {
        if (covered(prefixes, i)) continue;
        l->prefixes = mem_realloc(MEM_MISC, l->prefixes, (l->prefixes_n + 1) * sizeof *l->prefixes);
        l->prefixes[l->prefixes_n++] = slice_of(mem_strdup(MEM_MISC, prefixes[i]));
    }
}

/* A tick, without waiting for longer than it takes: the timings of near hits need no more. */
static double ticks_per_ns(void) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    uint64_t from = clock_ticks(), ns;
    do {
        clock_gettime(CLOCK_MONOTONIC, &b);
        ns = (uint64_t)((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec);
    } while (ns < 200000);
    return (double)(clock_ticks() - from) / (double)ns;
}

static void destroy(struct larder *l) {
    watch_stop(&l->watch);
    behind_stop(&l->behind);
    keeper_stop(&l->keeper);
    if (l->pool.max) pool_free(&l->pool);
    if (l->waiters.max) pool_free(&l->waiters);
    trouble_free(&l->trouble);
    if (l->flights.gate) flights_free(&l->flights);
    backlog_free(&l->backlog);
    if (l->near) near_close(l->near);
    for (size_t i = 0; i < l->prefixes_n; i++) mem_free(MEM_MISC, (char *)l->prefixes[i].p);
    mem_free(MEM_MISC, l->prefixes);
    mem_free(MEM_MISC, (char *)l->o.name);
    url_list_free(&l->urls);
    free(l);
}

static int parts_open(struct larder *l) {
    int failed;
    if (!(l->near = near_open(l->o.l1_bytes, tally_drop))) return errno;
    if ((failed = pool_init(&l->pool, (unsigned)l->o.pool, l->o.name, &l->trouble)) ||
        (failed = pool_init(&l->waiters, (unsigned)l->o.loaders, l->o.name, &l->trouble)) ||
        (failed = flights_init(&l->flights, (unsigned)l->o.loaders)) ||
        (failed = behind_init(&l->behind, (unsigned)l->o.refreshers)) || (failed = keeper_init(&l->keeper)) ||
        (failed = watch_init(&l->watch)))
        return failed;
    breaker_init(&l->breaker, (unsigned)l->o.failures, l->o.backoff_ms, l->o.backoff_max_ms, (uint64_t)clock_mono_us() ^ (uintptr_t)l);
    backlog_init(&l->backlog, l->o.queue_bytes);
    l->ticks_per_ns = ticks_per_ns();
    l->pool.url = l->waiters.url = &l->urls.url[0];
    if ((failed = keeper_start(&l->keeper, l))) return failed;
    return watch_start(&l->watch, l);
}

larder *larder_open(const char *urls, const larder_options *options, char *error, size_t error_size) {
    larder_options o;
    char none[1];
    if (!error) error = none, error_size = 0;
    if (options) o = *options;
    else larder_options_init(&o);
    const char *wrong = options_wrong(&o);
    if (wrong || !urls) {
        snprintf(error, error_size, "%s", wrong ? wrong : "no URL");
        return NULL;
    }
    struct larder *l = calloc(1, sizeof *l);
    int failed = l ? trouble_init(&l->trouble) : ENOMEM;
    if (failed) {
        free(l);
        snprintf(error, error_size, "%s", strerror(failed));
        return NULL;
    }
    l->o = o;
    l->backlog.last = &l->backlog.first;
    l->o.name = mem_strdup(MEM_MISC, o.name);
    prefixes_copy(l, o.prefixes);
    l->o.prefixes = NULL;
    if (!url_list_parse(&l->urls, urls, error, error_size)) goto fail;
    if ((failed = parts_open(l))) {
        snprintf(error, error_size, "%s", strerror(failed));
        goto fail;
    }
    int64_t each = (int64_t)(l->o.connect_timeout_ms + l->o.timeout_ms) * 1000;
    if (watch_first(&l->watch, clock_mono_us() + (int64_t)l->urls.n * each + OPEN_MARGIN_US, error, error_size) == LINK_REFUSED) goto fail;
    return l;
fail:
    destroy(l);
    return NULL;
}

void larder_close(larder *l) {
    if (l) destroy(l);
}

const char *larder_version(void) { return PACKAGE_VERSION; }

const char *larder_status_text(int status) {
    static const char *const texts[] = {[LARDER_OK] = "done", [LARDER_NOT_FOUND] = "there is no such key",
        [LARDER_ERROR] = "the server refused it", [LARDER_DOWN] = "the server cannot be reached", [LARDER_TIMEOUT] = "no answer in time",
        [LARDER_BUSY] = "a limit is reached", [LARDER_QUEUED] = "will be written when the server is back",
        [LARDER_DROPPED] = "not written: the server cannot be reached", [LARDER_INVALID] = "a wrong argument",
        [LARDER_LOAD_FAILED] = "the loader failed", [LARDER_LOAD] = "the caller is to load it"};
    return status >= 0 && status < (int)(sizeof texts / sizeof *texts) ? texts[status] : "an unknown status";
}
