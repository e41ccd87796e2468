#include "command/figures.h"

#include "base/clock.h"
#include "base/mem.h"
#include "command/feed.h"
#include "command/lease.h"
#include "command/stale.h"
#include "command/tracking.h"
#include "store/packed.h"
#include "store/rule.h"

/* One look. Sums that several rows are made of are formed once. */
struct look {
    struct env *e;
    struct lag_sum lag;
    struct packed_totals packed;
    struct feed_facts feed;
    struct lease_facts lease;
    struct stale_facts stale;
    struct tracking_facts tracking;
};

enum how { HOW_STORE, HOW_LANE, HOW_COUNT, HOW_NUMBER };

struct row {
    const char *name;
    enum how how;
    size_t offset; /* of a counter in struct store_stats, or in struct lane */
    uint64_t (*count)(const struct look *l);
    double (*number)(const struct look *l);
};

#define STORE(name, member) {name, HOW_STORE, offsetof(struct store_stats, member), NULL, NULL}
#define LANE(name, member) {name, HOW_LANE, offsetof(struct lane, member), NULL, NULL}
#define COUNT(name, get) {name, HOW_COUNT, 0, get, NULL}
#define NUMBER(name, get) {name, HOW_NUMBER, 0, NULL, get}

static uint64_t stat(const struct look *l, size_t offset) { return env_store_stat(l->e, offset); }
#define STAT(l, member) stat((l), offsetof(struct store_stats, member))

static uint64_t keys(const struct look *l) {
    uint64_t n = 0;
    for (unsigned db = 0; db < STORE_DATABASES; db++) n += store_count(l->e->store, db);
    return n;
}
static uint64_t volatiles(const struct look *l) {
    uint64_t n = 0;
    for (unsigned db = 0; db < STORE_DATABASES; db++) n += store_volatile(l->e->store, db);
    return n;
}
static uint64_t bytes(const struct look *l) {
    (void)l;
    return mem_used(MEM_DATA) + mem_used(MEM_INDEX);
}
static double hit_ratio(const struct look *l) {
    double hits = (double)STAT(l, hits), asked = hits + (double)STAT(l, misses);
    return asked > 0 ? hits / asked : 0;
}
static double evicted_age(const struct look *l) {
    uint64_t n = STAT(l, evicted);
    return n ? (double)STAT(l, evicted_age_ms) / (double)n : 0;
}
static double lag_mean(const struct look *l) { return lag_mean_ms(&l->lag); }
static uint64_t lag_p99(const struct look *l) { return lag_percentile_ms(&l->lag, 99); }
static uint64_t lag_worst(const struct look *l) { return l->lag.worst_ms; }
static uint64_t running(const struct look *l) { return rule_running(l->e->store); }
static uint64_t invalidated(const struct look *l) { return rule_removed_lately(l->e->store); }

static uint64_t packed_values(const struct look *l) { return l->packed.values; }
static uint64_t packed_plain(const struct look *l) { return l->packed.plain; }
static uint64_t packed_stored(const struct look *l) { return l->packed.stored; }
static uint64_t packed_saved(const struct look *l) { return l->packed.plain - l->packed.stored; }
static double packed_ratio(const struct look *l) {
    return l->packed.stored ? (double)l->packed.plain / (double)l->packed.stored : 1;
}

static uint64_t feed_listeners(const struct look *l) { return l->feed.listeners; }
static uint64_t feed_kept(const struct look *l) { return l->feed.next - l->feed.oldest; }
static uint64_t feed_kept_bytes(const struct look *l) { return l->feed.bytes; }
static uint64_t leases_held(const struct look *l) { return l->lease.leases; }
static uint64_t leases_waiting(const struct look *l) { return l->lease.waiting; }
static uint64_t stale_kept(const struct look *l) { return l->stale.values; }
static uint64_t stale_kept_bytes(const struct look *l) { return l->stale.bytes; }
static uint64_t stale_served(const struct look *l) { return l->stale.served; }
static uint64_t tracking_clients(const struct look *l) { return l->tracking.clients; }
static uint64_t tracking_keys(const struct look *l) { return l->tracking.keys; }

static const struct row rows[] = {
    COUNT("keys", keys),
    COUNT("volatile_keys", volatiles),
    COUNT("bytes", bytes),
    STORE("hits", hits),
    STORE("misses", misses),
    NUMBER("hit_ratio", hit_ratio),
    STORE("sets", sets),
    STORE("evictions", evicted),
    NUMBER("evicted_age_mean_ms", evicted_age),
    STORE("expiries", expired),
    STORE("expiries_of_fields", expired_inside),
    NUMBER("expiry_lag_mean_ms", lag_mean),
    COUNT("expiry_lag_p99_ms", lag_p99),
    COUNT("expiry_lag_worst_ms", lag_worst), /* of the last minute or two */
    STORE("invalidations", invalidations),
    COUNT("invalidations_running", running),
    COUNT("invalidated_keys", invalidated),
    COUNT("compressed_values", packed_values), /* that there are now: */
    COUNT("compressed_original_bytes", packed_plain),
    COUNT("compressed_stored_bytes", packed_stored),
    COUNT("compressed_saved_bytes", packed_saved),
    NUMBER("compression_ratio", packed_ratio),
    STORE("compressions", packed),
    STORE("compressions_given_up", pack_failed),
    STORE("compressions_passed_over", pack_passed), /* values like them had not been worth it, most often */
    COUNT("leases_held", leases_held), /* now */
    COUNT("leases_waiting", leases_waiting), /* clients */
    LANE("leases", leases),
    LANE("fills", fills),
    LANE("fills_refused", fills_refused), /* what they would have stored was out of date */
    COUNT("stale_values", stale_kept), /* past their TTL and of use still, now */
    COUNT("stale_bytes", stale_kept_bytes),
    COUNT("stale_served", stale_served),
    COUNT("feed_listeners", feed_listeners),
    COUNT("feed_changes", feed_kept), /* that a listener can go on from, now */
    COUNT("feed_bytes", feed_kept_bytes),
    COUNT("tracking_clients", tracking_clients),
    COUNT("tracking_keys", tracking_keys),
    LANE("keyspace_events", events),
};
#define ROWS (sizeof rows / sizeof *rows)

size_t figures_each(struct env *e, figures_take *take, void *arg) {
    struct look l = {.e = e};
    packed_totals(&l.packed);
    l.feed = feed_facts(e);
    l.lease = lease_facts(e);
    l.stale = stale_facts(e);
    l.tracking = tracking_facts(e);
    int64_t now = clock_ms();
    for (unsigned i = 0; i < e->lanes; i++) lag_sum_add(&l.lag, &e->lane[i]->store_stats.lag, now);
    for (size_t i = 0; i < ROWS && take; i++) {
        const struct row *r = &rows[i];
        struct figure f = {.name = r->name, .real = r->how == HOW_NUMBER};
        if (r->how == HOW_STORE) f.count = stat(&l, r->offset);
        else if (r->how == HOW_LANE) f.count = env_lane_stat(e, r->offset);
        else if (r->how == HOW_COUNT) f.count = r->count(&l);
        else f.number = r->number(&l);
        take(arg, &f);
    }
    return ROWS;
}
