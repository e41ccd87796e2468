/* larder: a near cache in front of larderd, or of a plain Redis 6 or newer. larder(3) explains each function, option and figure.
 *
 * STALENESS. While the feed connection works, a value is given out no longer than it takes the server's invalidation to arrive here
 * after the change: mostly less than a round trip; with many listeners and a busy larderd 50 ms more at the most. The feed is asked
 * for a sign of life every feed_check_ms; if it is lost, or silent for as long again, nothing near is served as fresh, so in no case (a
 * stopped process, a cut cable) is a value given out as fresh later than 2 * feed_check_ms after it changed. When it is back, what was
 * missed is asked for by number (larderd), or all is forgotten (Redis, or that is not known any more). A thread sees its own writes.
 * Only what you allow goes beyond: stale_ms after the TTL while one caller loads anew, stale_if_down_ms without a server. It is marked.
 *
 * Any thread may use a handle, none across fork(). Keys and values are bytes. A value filled in belongs to the caller until
 * larder_release, which must come before larder_close; it may come from any thread. Functions return enum larder_status. */
#ifndef LARDER_H
#define LARDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)
typedef struct larder larder;             /* one near cache, one pool of connections, one feed */
typedef struct larder_lease larder_lease; /* the duty to load one key */
typedef struct larder_batch larder_batch; /* commands that go out together */
typedef struct larder_reply larder_reply; /* what came back */
typedef struct larder_slice { const void *data; size_t size; } larder_slice;
enum larder_status {
    LARDER_OK, LARDER_NOT_FOUND, LARDER_ERROR /* the server said so */, LARDER_DOWN, LARDER_TIMEOUT, LARDER_BUSY /* a limit */,
    LARDER_QUEUED, LARDER_DROPPED, LARDER_INVALID, LARDER_LOAD_FAILED, LARDER_LOAD /* larder_fetch: you have the lease */
};
enum larder_flags { LARDER_FROM_L1 = 1, LARDER_STALE = 2 };
enum larder_writes { LARDER_WRITES_FAIL, LARDER_WRITES_DROP, LARDER_WRITES_QUEUE };
enum larder_circuit { LARDER_CLOSED, LARDER_OPEN, LARDER_HALF_OPEN };
typedef struct larder_value {
    const char *data; /* size bytes and a NUL; where it lies, not a copy */
    size_t size;
    int flags;
    void *hold; /* larder_release's */
} larder_value;
typedef struct larder_options { /* larder_options_init fills in what is said here; 0 then means 0 */
    size_t size;                  /* sizeof(struct larder_options) */
    size_t l1_bytes;              /* 64 MB; 0: no near cache */
    int64_t l1_ttl_ms;            /* 600,000: nothing stays longer in it */
    const char *const *prefixes;  /* NULL-terminated: only keys that begin so are kept near; NULL: all */
    int pool;                     /* 10 connections */
    int connect_timeout_ms, timeout_ms; /* 1,000, 1,000 */
    int feed_check_ms;            /* 1,000 */
    int64_t stale_ms;             /* 0: for so long after its TTL a loaded value is given out while one caller loads anew */
    int64_t stale_if_down_ms;     /* 0: for so long after the server was lost near values are given out, marked stale */
    int64_t down_ttl_ms;          /* 1,000: what is loaded while the server is gone is kept near for so long */
    int64_t negative_ttl_ms;      /* 5,000: how long it is known that there is no such thing; 0: not at all */
    double early;                 /* 1.0: XFetch's beta; 0: nothing is loaded before its TTL is over */
    int lease_ms, wait_ms;        /* 10,000, 10,000: how long a load may take; how long to wait for somebody else's */
    int loaders, refreshers;      /* 32 at once; 2 threads for what is loaded behind the caller's back */
    int failures;                 /* 5 in a row open the circuit */
    int backoff_ms, backoff_max_ms; /* 100, 10,000 */
    int writes_when_down;         /* enum larder_writes: LARDER_WRITES_FAIL */
    size_t queue_bytes;           /* 1 MB: of writes that wait for the server */
    const char *name;             /* "liblarder": CLIENT SETNAME */
} larder_options;

typedef struct larder_stats {
    size_t size;                  /* sizeof(struct larder_stats), set by the caller */
    uint64_t l1_hits, l1_stale, l1_misses, l2_hits, l2_misses, loads, load_failures, waits, early_refreshes, stale_refreshes;
    double l1_hit_ratio, hit_ratio; /* of L1's lookups; of all reads, either tier */
    double l1_mean_us, l1_p99_us, l2_mean_us, l2_p99_us, load_mean_us, load_p99_us;
    uint64_t l1_entries, l1_bytes, l1_limit, l1_pinned_bytes, l1_evictions, l1_expired, l1_refused;
    uint64_t invalidations, flushes, resumes, feed_losses, l2_errors, l2_timeouts, circuit_opened, queued, dropped;
    int circuit;                  /* enum larder_circuit */
    bool trusted;                 /* the near cache is kept true at the moment */
    bool feed, leases;            /* what the server can: else CLIENT TRACKING, and a lock key */
} larder_stats;

void larder_options_init(larder_options *options);
/* URLs, separated by commas or spaces, the first that answers is used: redis://[user:pass@]host[:port][/db], unix://[user:pass@]/path[?db=n].
 * The server need not be there. NULL: the reason is in `error`. */
larder *larder_open(const char *urls, const larder_options *options, char *error, size_t error_size);
void larder_close(larder *l);
int larder_get(larder *l, const char *key, size_t key_size, larder_value *out);
int larder_near(larder *l, const char *key, size_t key_size, larder_value *out); /* the near cache alone: LARDER_LOAD, the server would be asked */
void larder_release(larder_value *value); /* also of what a failed call left, or twice */
int larder_set(larder *l, const char *key, size_t key_size, const void *data, size_t size, int64_t ttl_ms); /* 0: no TTL */
int larder_del(larder *l, const char *key, size_t key_size);                    /* LARDER_NOT_FOUND: there was none */
int larder_expire(larder *l, const char *key, size_t key_size, int64_t ttl_ms);
int larder_mget(larder *l, const larder_slice *keys, size_t n, larder_value *out); /* data is NULL where there is none */
int larder_mset(larder *l, const larder_slice *keys, const larder_slice *values, size_t n, int64_t ttl_ms);
int larder_invalidate(larder *l, const char *pattern, size_t pattern_size, int64_t *count); /* count may be NULL: need not wait */
typedef struct larder_load { int64_t ttl_ms, stale_ms, negative_ttl_ms; } larder_load; /* -1: as the options say; ttl 0: none */
typedef struct larder_result larder_result;
/* Calls larder_loaded with what it loaded and returns its status, LARDER_NOT_FOUND (remembered too), or LARDER_LOAD_FAILED. */
typedef int larder_loader(void *arg, const char *key, size_t key_size, larder_result *result);
int larder_loaded(larder_result *result, const void *data, size_t size);
/* `arg` must outlive the call where refreshers > 0 and values may be stale or loaded early. how: NULL, as the options say. */
int larder_get_or_load(larder *l, const char *key, size_t key_size, larder_loader *loader, void *arg, const larder_load *how, larder_value *out);
/* The same in two steps: LARDER_LOAD leaves a lease (and perhaps a stale value in *out), which ends with one of the three. */
int larder_fetch(larder *l, const char *key, size_t key_size, const larder_load *how, larder_value *out, larder_lease **lease);
int larder_fill(larder_lease *lease, const void *data, size_t size);
int larder_fill_absent(larder_lease *lease);
int larder_abandon(larder_lease *lease);
int larder_command(larder *l, size_t argc, const larder_slice *argv, larder_reply **reply);
larder_batch *larder_batch_new(larder *l);
int larder_batch_add(larder_batch *batch, size_t argc, const larder_slice *argv);
int larder_batch_run(larder_batch *batch); /* then one reply for each command; it is empty again with the next add */
const larder_reply *larder_batch_reply(const larder_batch *batch, size_t index);
void larder_batch_free(larder_batch *batch);
/* '$' text, '+' status, '-' error, ':' integer, ',' double (text), '#' boolean, '_' nil, '*' array, '~' set, '%' map (key, value, ...), '>' push */
char larder_reply_type(const larder_reply *reply);
larder_slice larder_reply_text(const larder_reply *reply);
int64_t larder_reply_integer(const larder_reply *reply);
size_t larder_reply_size(const larder_reply *reply);
const larder_reply *larder_reply_at(const larder_reply *reply, size_t index);
void larder_reply_free(larder_reply *reply);
int larder_stats_read(larder *l, larder_stats *stats);
int larder_trouble(larder *l, char *text, size_t size, int64_t *ago_ms); /* why the server was last not to be had; LARDER_NOT_FOUND: always was */
const char *larder_status_text(int status);
const char *larder_version(void);
#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
