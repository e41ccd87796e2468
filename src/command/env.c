#include "command/env.h"

#include "base/clock.h"
#include "command/changes.h"
#include "command/feed.h"
#include "command/lease.h"
#include "command/stale.h"
#include "command/topic.h"
#include "command/tracking.h"
#include "command/latency.h"
#include "command/persist.h"
#include "command/slowlog.h"
#include "command/wait.h"
#include "store/rule.h"
#include "command/warming.h"
#include "store/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define SAMPLES 16

struct throughput {
    int64_t at_us; /* of the last sample; 0: none yet */
    unsigned next;
    uint64_t seen[RATE_COUNT];
    double sample[RATE_COUNT][SAMPLES];
};

static void random_bytes(void *p, size_t n) {
    char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            perror("larder: getrandom");
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

void env_random_id(char out[41]) {
    unsigned char raw[20];
    random_bytes(raw, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++) snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

struct env *env_new(unsigned lanes) {
    struct env *e = mem_zalloc(MEM_MISC, sizeof *e);
    e->options = options_new();
    e->slowlog = slowlog_new();
    e->latency = latency_new();
    e->waits = waits_new();
    e->feed = feed_new();
    e->notices = notices_new();
    e->tracks = tracks_new();
    e->topics = topics_new();
    e->leases = leases_new();
    e->stales = stales_new();
    e->errors = errors_new();
    e->shutdown = shutdown_new();
    e->throughput = mem_zalloc(MEM_MISC, sizeof *e->throughput);
    e->started_us = clock_mono_us();
    e->started_ms = clock_ms();
    e->executable = e->config_file = "";
    env_random_id(e->run_id);
    env_random_id(e->replication_id);
    e->store_config.active_expire = 1; /* no option: DEBUG SET-ACTIVE-EXPIRE alone turns it off */
    e->lanes = lanes;
    e->lane = mem_zalloc(MEM_MISC, lanes * sizeof *e->lane);
    for (unsigned i = 0; i < lanes; i++) {
        e->lane[i] = lane_new(e, i);
        random_bytes(&e->lane[i]->random, sizeof e->lane[i]->random);
    }
    return e;
}

void env_open(struct env *e) {
    e->store = store_new(&e->store_config);
    e->warmup = warming_new(e);
    e->persist = persist_new(e);
    changes_open(e);
    e->startup_bytes = mem_limited();
}

void env_free(struct env *e) {
    warmup_free(e->warmup);
    persist_free(e->persist);
    if (e->store) store_set_hook(e->store, NULL, NULL); /* what it would tell is freed before it */
    for (unsigned i = 0; i < e->lanes; i++) lane_free(e->lane[i]);
    feed_free(e->feed);
    notices_free(e->notices);
    tracks_free(e->tracks);
    topics_free(e->topics);
    leases_free(e->leases);
    stales_free(e->stales);
    mem_free(MEM_MISC, e->lane);
    shutdown_free(e->shutdown);
    if (e->store) store_free(e->store);
    slowlog_free(e->slowlog);
    latency_free(e->latency);
    waits_free(e->waits);
    options_free(e->options);
    errors_free(e->errors);
    mem_free(MEM_MISC, e->throughput);
    mem_free(MEM_MISC, e);
}

/* -- counters ---------------------------------------------------------------------------------------------------------- */

uint64_t env_store_stat(const struct env *e, size_t offset) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < e->lanes; i++)
        sum += counter_get((const counter *)((const char *)&e->lane[i]->store_stats + offset));
    return sum;
}

uint64_t env_lane_stat(const struct env *e, size_t offset) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < e->lanes; i++) sum += counter_get((const counter *)((const char *)e->lane[i] + offset));
    return sum;
}

uint64_t env_clients(const struct env *e) { return env_lane_stat(e, offsetof(struct lane, clients)); }

static void throughput_forget(struct env *e) {
    lock_acquire(&e->throughput_lock);
    memset(e->throughput, 0, sizeof *e->throughput);
    lock_release(&e->throughput_lock);
}

void env_call_background(struct env *e) {
    if (e->host->background) e->host->background(e);
}

uint64_t env_changes(const struct env *e) {
    uint64_t n = rule_removed_ever(e->store);
    for (unsigned l = 0; l < e->lanes; l++) n += counter_get(&e->lane[l]->store_stats.changes);
    return n;
}

void env_reset_stats(struct env *e) {
    for (unsigned i = 0; i < e->lanes; i++) lane_reset_stats(e->lane[i]);
    errors_reset(e->errors);
    rule_removed_reset(e->store);
    stale_reset_stats(e);
    throughput_forget(e);
    atomic_store(&e->over_us, 0);
    if (atomic_load(&e->over_since_us)) atomic_store(&e->over_since_us, clock_mono_us());
}

/* -- rates ------------------------------------------------------------------------------------------------------------- */

/* It may be so where the limit was lowered, or nothing may be evicted. */
static void sample_limit(struct env *e) {
    uint64_t limit = (uint64_t)option_get(&e->store_config.maxmemory);
    bool over = limit && mem_limited() > limit;
    int64_t now = clock_mono_us(), since = atomic_load(&e->over_since_us);
    if (over == (since != 0)) return;
    if (!over) atomic_fetch_add(&e->over_us, now - since);
    atomic_store(&e->over_since_us, over ? now : 0);
}

int64_t env_over_us(const struct env *e, bool all) {
    int64_t since = atomic_load(&e->over_since_us), us = since ? clock_mono_us() - since : 0;
    return all ? us + atomic_load(&e->over_us) : us;
}

void env_sample(struct env *e) {
    sample_limit(e);
    const size_t offset[RATE_COUNT] = {offsetof(struct lane, total_commands), offsetof(struct lane, net_in),
        offsetof(struct lane, net_out), offsetof(struct lane, turns), offsetof(struct lane, turn_ticks)};
    struct throughput *t = e->throughput;
    lock_acquire(&e->throughput_lock);
    int64_t now = clock_mono_us(), passed = now - t->at_us;
    for (int r = 0; r < RATE_COUNT; r++) {
        uint64_t total = env_lane_stat(e, offset[r]), more = total > t->seen[r] ? total - t->seen[r] : 0;
        if (t->at_us && passed > 0) t->sample[r][t->next] = (double)more * 1e6 / (double)passed;
        t->seen[r] = total;
    }
    if (t->at_us && passed > 0) t->next = (t->next + 1) % SAMPLES;
    t->at_us = now;
    lock_release(&e->throughput_lock);
}

double env_rate(struct env *e, enum env_rate r) {
    double sum = 0;
    lock_acquire(&e->throughput_lock);
    for (int i = 0; i < SAMPLES; i++) sum += e->throughput->sample[r][i];
    lock_release(&e->throughput_lock);
    return sum / SAMPLES;
}
