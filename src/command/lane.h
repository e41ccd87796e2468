/* lane: one thread's share of an env: its sessions, its counters, its scratch memory.
 *
 * Counters have the lane's thread as their one writer; anybody reads them, and sums over lanes are env_lane_stat and
 * env_store_stat. Thread rule: the lane's thread only, but for reading counters and lane_reset_stats. The env owns its lanes.
 */
#ifndef LARDER_COMMAND_LANE_H
#define LARDER_COMMAND_LANE_H

#include "base/chain.h"
#include "base/hist.h"
#include "store/store.h"

#include <stddef.h>

struct env;
struct packer;
struct pack_memory;
struct session;

/* Per command and lane. Indexed by the command's number. */
struct command_stats {
    counter calls, ticks, rejected, failed;
    struct hist latency;
};

struct lane {
    struct env *env;
    unsigned index;
    struct session *sessions;        /* doubly linked */
    struct session *running;         /* whose request or task is at work; NULL: background work */
    bool unsettled;                  /* something is to be told: changes.h */
    bool noticed;                    /* an event: notify.h */
    uint64_t session_count;
    struct chain_pool pool;
    struct store_stats store_stats;
    struct command_stats *commands;  /* command_total() of them */
    counter total_commands, total_connections, net_in, net_out, errors, rejected_connections, reads, writes;
    counter query_limit_closes, output_limit_closes, evicted_clients; /* connections closed for one of these */
    counter leases, fills, fills_refused; /* CACHE FETCH gave one; CACHE FILL with a good token, and with another */
    counter events;                  /* published: notify.h */
    counter clients;                 /* sessions, readable by others */
    counter expire_ticks, expire_unfinished; /* active expiry: time taken, slices that were not enough */
    counter recent_input, recent_output; /* largest buffers among its sessions, a second ago */
    counter turns, turn_ticks;       /* of the event loop; the time from one wait to the next */
    counter blocked, blocked_timed;  /* of them, those that CLIENT UNBLOCK could wake; those that wait until some time */
    uint64_t random;                 /* state of lane_random */
    struct batch *batch;             /* scratch of dispatch */
    struct mailbox *mailbox;         /* mail.h */
    struct topic_hall *hall;         /* topic.h */
    struct track_lane *track;        /* tracking.h */
    struct lease_lane *lease;        /* lease.h */
    struct feed_lane *feed;          /* feed.h */
    struct monitor_box *monitor;     /* lines on their way to its sessions that run MONITOR */
    struct packer *packer;           /* store/packed.h */
    struct pack_memory *pack_memory; /* pack.h */
    void *host_lane;                 /* the host's own */
};

static inline struct lane *lane_of_stats(struct store_stats *stats) {
    return (struct lane *)(void *)((char *)stats - offsetof(struct lane, store_stats));
}
struct lane *lane_new(struct env *e, unsigned index); /* env_new's */
void lane_free(struct lane *l);
void lane_reset_stats(struct lane *l);                /* from any thread */
uint64_t lane_random(struct lane *l);

#endif
