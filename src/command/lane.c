#include "base/clock.h"
#include "command/dispatch.h"
#include "command/env.h"
#include "command/feed.h"
#include "command/lane.h"
#include "command/lease.h"
#include "command/mail.h"
#include "command/monitor.h"
#include "command/pack.h"
#include "command/topic.h"
#include "command/tracking.h"

#include <assert.h>

#define POOL_KEEP 64 /* chunks of output: a megabyte for each thread */

struct lane *lane_new(struct env *e, unsigned index) {
    struct lane *l = mem_zalloc(MEM_MISC, sizeof *l);
    l->env = e;
    l->index = index;
    chain_pool_init(&l->pool, POOL_KEEP);
    l->commands = mem_zalloc(MEM_MISC, command_total() * sizeof *l->commands);
    l->batch = batch_new();
    l->monitor = monitor_box_new();
    l->packer = packer_new();
    l->pack_memory = pack_memory_new();
    l->mailbox = mailbox_new();
    l->feed = feed_lane_new();
    l->lease = lease_lane_new();
    l->hall = topic_hall_new();
    l->track = track_lane_new();
    return l;
}

void lane_free(struct lane *l) {
    assert(!l->sessions);
    batch_free(l->batch);
    monitor_box_free(l->monitor);
    packer_free(l->packer);
    pack_memory_free(l->pack_memory);
    mailbox_free(l->mailbox);
    feed_lane_free(l->feed);
    lease_lane_free(l->lease);
    topic_hall_free(l->hall);
    track_lane_free(l->track);
    for (unsigned i = 0; i < command_total(); i++) hist_free(&l->commands[i].latency);
    mem_free(MEM_MISC, l->commands);
    chain_pool_free(&l->pool);
    mem_free(MEM_MISC, l);
}

/* splitmix64, after Sebastiano Vigna's public-domain description. */
uint64_t lane_random(struct lane *l) {
    uint64_t z = l->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* From any thread. Where the lane's own is just between the load and the store of an addition to one of them, that one counter
 * keeps its value: a price for additions without locked instructions. */
void lane_reset_stats(struct lane *l) {
    counter *reset[] = {&l->total_commands, &l->total_connections, &l->net_in, &l->net_out, &l->errors,
        &l->rejected_connections, &l->output_limit_closes, &l->query_limit_closes, &l->evicted_clients, &l->reads, &l->writes, &l->turns, &l->turn_ticks,
        &l->leases, &l->fills, &l->fills_refused, &l->events,
        &l->expire_ticks, &l->expire_unfinished, &l->store_stats.hits, &l->store_stats.misses,
        &l->store_stats.sets, &l->store_stats.invalidations,
        &l->store_stats.expired, &l->store_stats.evicted, &l->store_stats.evicted_age_ms, &l->store_stats.expired_inside, &l->store_stats.stale_share,
        &l->store_stats.evict_slices, &l->store_stats.evict_us_worst, &l->store_stats.moved, &l->store_stats.packed,
        &l->store_stats.pack_failed, &l->store_stats.pack_passed};
    for (size_t i = 0; i < sizeof reset / sizeof *reset; i++) counter_reset(reset[i]);
    lag_reset(&l->store_stats.lag);
    for (unsigned i = 0; i < command_total(); i++) {
        struct command_stats *c = &l->commands[i];
        counter_reset(&c->calls);
        counter_reset(&c->ticks);
        counter_reset(&c->rejected);
        counter_reset(&c->failed);
        hist_reset(&c->latency);
    }
}

/* -- visits: one job that travels from lane to lane and ends at home ------------------------------------------------------- */

struct visit {
    void (*visit)(struct lane *l, void *arg);
    void (*done)(struct lane *home, void *arg);
    void *arg;
    unsigned home, next;
};

static void visit_end(struct lane *home, void *arg) {
    struct visit v = *(struct visit *)arg;
    mem_free(MEM_MISC, arg);
    v.done(home, v.arg);
}

static void visit_lane(struct lane *l, void *arg) {
    struct visit *v = arg;
    struct host *host = l->env->host;
    v->visit(l, v->arg);
    if (++v->next < l->env->lanes)
        host->post(host, v->next, visit_lane, v);
    else
        host->post(host, v->home, visit_end, v);
}

void env_visit(struct env *e, unsigned home, void (*visit)(struct lane *l, void *arg),
    void (*done)(struct lane *home, void *arg), void *arg) {
    struct visit *v = mem_alloc(MEM_MISC, sizeof *v);
    *v = (struct visit){visit, done, arg, home, 0};
    e->host->post(e->host, 0, visit_lane, v);
}
