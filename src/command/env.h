/* env: what all commands share.
 *
 * An env joins a store, the options and the counters; it is what makes a daemon, or a test's loopback, out of them. What each
 * thread has for itself is a lane. The host is whoever runs the lanes: the server with its event loops, or a test that calls
 * everything by hand.
 * Thread rule: a lane belongs to its thread; others read its counters only, or post to it. The env owns lanes and store; the
 * host owns the env.
 */
#ifndef LARDER_COMMAND_ENV_H
#define LARDER_COMMAND_ENV_H

#include "base/option.h"
#include "command/command.h"
#include "command/errors.h"
#include "command/lane.h"
#include "resp/reader.h"

enum env_allow { ENV_ALLOW_NO, ENV_ALLOW_YES, ENV_ALLOW_LOCAL }; /* values of enable_debug */

/* Settings that commands read. The server binds option rows to them. */
struct env_config {
    setting proto_max_bulk_len, slowlog_slower_than, slowlog_max_len, latency_threshold, latency_tracking;
    setting lazy_server_del, lazy_user_del, lazy_user_flush, enable_debug, notify_events, maxclients;
    setting monitor_any; /* not an option: how many sessions run MONITOR */
    setting rdb_compression; /* of what DUMP returns and what is saved */
    setting rdb_checksum, snapshot_format, snapshot_rate, stop_writes; /* see persist.h */
    setting save_points;    /* not an option: how many `save` has */
    setting skip_checksum; /* not an option: DEBUG SET-SKIP-CHECKSUM-VALIDATION */
    setting warm_blocking, warm_threads, warm_strict, warm_foreign; /* warming.h */
    setting has_password; /* not an option: requirepass is set */
    setting feed_size, feed_keep, stale_max_memory, tracking_max_keys;
};

struct host {
    void (*post)(struct host *h, unsigned lane, void (*job)(struct lane *to, void *arg), void *arg); /* any thread */
    void (*close)(struct session *s, bool after_replies); /* session's own thread; may free it later, never at once */
    void (*wake)(struct session *s);     /* its task has something to do, or is over; session's own thread */
    void (*flush)(struct session *s);    /* there is output that no request of its own asked for */
    void (*alarm)(struct lane *l, int64_t ms); /* calls feed_alarm on the lane's thread, once, after so long */
    void (*pause)(struct env *e);        /* the pause (env.pause_*) changed: look again */
    void (*shutdown)(struct env *e, bool now);
    const char *(*rewrite_config)(struct env *e, struct buf *why); /* NULL done, else why not */
    void (*background)(struct env *e);   /* there is something for the lanes' background to do; any thread. May be NULL */
};

struct env {
    struct store *store;
    struct options *options;
    struct env_config config;
    struct store_config store_config;
    struct host *host;
    struct lane **lane;
    unsigned lanes;
    struct slowlog *slowlog;
    struct latency *latency;
    _Atomic int watchers;            /* of changes, besides the feed: changes.h */
    struct tracks *tracks;           /* tracking.h */
    struct topics *topics;           /* topic.h */
    struct leases *leases;           /* lease.h */
    struct stales *stales;           /* stale.h */
    struct feed *feed;               /* feed.h */
    struct notices *notices;         /* notify.h */
    struct waits *waits;             /* who waits for which key: wait.h */
    struct errors *errors;           /* errorstats */
    struct persist *persist;         /* saving: persist.h */
    struct shutdown *shutdown;
    struct warmup *warmup;
    _Atomic bool warming_ends;
    _Atomic bool loading;            /* clients get -LOADING: warm-blocking */
    _Atomic bool save_failed;        /* the last one */
    _Atomic uint64_t next_session;
    int64_t started_us, started_ms;  /* monotonic; wall clock */
    uint64_t startup_bytes;          /* mem_limited() once the store stood: INFO used_memory_startup */
    char run_id[41], replication_id[41];
    const char *executable, *config_file; /* absolute, or "" */
    _Atomic int64_t pause_until_ms;  /* CLIENT PAUSE: wall clock, 0 none */
    _Atomic int64_t pause_writes_only;
    _Atomic bool writes_held;        /* beside CLIENT PAUSE and not ended by UNPAUSE: the last save is under way */
    _Atomic int64_t port;
    _Atomic int64_t over_since_us, over_us; /* more memory than maxmemory: since when (0: not now), and how long in all before */
    struct lock throughput_lock;
    struct throughput *throughput;   /* instantaneous_* */
    struct lock text_lock;
    _Atomic int64_t http_logged_us;  /* when somebody was last cut off for HTTP, with a line of the log; 0: never */
};

struct env *env_new(unsigned lanes);  /* options with no rows yet, lanes, stats; store_config must be filled, then env_open */
void env_open(struct env *e);         /* makes the store */
void env_free(struct env *e);         /* no sessions left */
void env_random_id(char out[41]);     /* 40 hex digits: CHANGE-REPL-ID */

/* The store's counters, summed over lanes. `offset` is that of a counter in struct store_stats. */
uint64_t env_store_stat(const struct env *e, size_t offset);
uint64_t env_lane_stat(const struct env *e, size_t offset); /* of a counter in struct lane */
uint64_t env_clients(const struct env *e);
void env_call_background(struct env *e); /* on lanes that have nothing to do as well, now: else they look ten times a second; any thread */
void env_reset_stats(struct env *e);  /* CONFIG RESETSTAT */
uint64_t env_changes(const struct env *e); /* keys and members that commands wrote, deleted or made invalid since the start; RESETSTAT leaves it */

/* instantaneous_ops_per_sec and its kin: the host calls env_sample ten times a second, from one thread. */
enum env_rate { RATE_COMMANDS, RATE_NET_IN, RATE_NET_OUT, RATE_TURNS, RATE_TURN_TICKS, RATE_COUNT };
void env_sample(struct env *e);
int64_t env_over_us(const struct env *e, bool all); /* eviction_exceeded_time: for how long now, or in all; as of the samples */
double env_rate(struct env *e, enum env_rate r);

/* Runs `visit` on each lane's thread in turn, then `done` on the thread of `home`. */
void env_visit(struct env *e, unsigned home, void (*visit)(struct lane *l, void *arg), void (*done)(struct lane *home, void *arg),
    void *arg);

#endif
