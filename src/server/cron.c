#include "server/cron.h"

#include "base/clock.h"
#include "command/changes.h"
#include "command/lease.h"
#include "command/stale.h"
#include "command/tracking.h"
#include "server/conn.h"
#include "server/server.h"

#include "server/worker.h"
#include "store/capture.h"
#include "store/rule.h"

#define BACKGROUND_MS 100 /* how often the store is asked whether there is something to do */
#define CAPTURE_US 100 /* of copying for a save, in a turn */
#define SLICE_US 60       /* of that, in one turn of the loop: what a turn with ten requests takes is hardly longer for it */
#define CLIENTS_A_LOOK 200 /* with dynamic-hz, the looks become more frequent rather than longer */

enum kind { KIND_SWEEP, KIND_EXPIRE, KIND_COMPACT, KIND_TRASH, KIND_CAPTURE, KIND_TRACKING, KINDS };

static bool paused(const struct env *e, int64_t now) {
    return atomic_load_explicit(&e->pause_until_ms, memory_order_relaxed) > now || atomic_load_explicit(&e->writes_held, memory_order_relaxed);
}

static bool expire(struct worker *w, int64_t now) {
    struct lane *l = w->lane;
    uint64_t start = clock_ticks();
    bool more = store_expire_step(l->env->store, l->index, l->env->lanes, now, &l->store_stats, SLICE_US);
    counter_add(&l->expire_ticks, clock_ticks() - start);
    if (more) counter_add(&l->expire_unfinished, 1);
    return more;
}

static bool work(struct worker *w, enum kind kind) {
    struct env *e = w->lane->env;
    struct store_stats *stats = &w->lane->store_stats;
    unsigned part = w->lane->index, parts = e->lanes;
    int64_t now = clock_ms();
    switch (kind) {
    case KIND_SWEEP: return rule_sweep_step(e->store, part, parts, SLICE_US);
    case KIND_EXPIRE:
        /* While writes are held up, the data stays as it is. */
        if (!option_get(&e->store_config.active_expire) || paused(e, now)) return false;
        return expire(w, now);
    case KIND_COMPACT: return store_compact_step(e->store, part, parts, stats, SLICE_US);
    case KIND_CAPTURE: return capture_step(e->store, part, CAPTURE_US) == CAPTURE_MORE;
    case KIND_TRACKING: return tracking_step(w->lane, SLICE_US);
    default: return store_trash_step(e->store, SLICE_US);
    }
}

void cron_look(struct worker *w) {
    w->background = (1u << KINDS) - 1;
    loop_idle_start(&w->loop);
}

void cron_step(struct worker *w) {
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned kind = (w->next_kind + i) % KINDS;
        if (!(w->background & 1u << kind)) continue;
        if (!work(w, kind)) w->background &= ~(1u << kind);
        changes_settle(w->lane);
        w->next_kind = (kind + 1) % KINDS;
        return;
    }
}

static void see_buffers(struct worker *w, const struct session *s) {
    size_t in = s->query_bytes + s->query_room, out = chain_memory(&s->out);
    if (in > w->largest_input) w->largest_input = in;
    if (out > w->largest_output) w->largest_output = out;
}

/* -- clients -------------------------------------------------------------------------------------------------------------- */

/* How often a second the housekeeping runs. */
static unsigned looks_a_second(const struct worker *w) {
    const struct server_config *c = &w->server->settings.server;
    int64_t hz = option_get(&c->hz);
    if (hz < 1) hz = 1;
    if (option_get(&c->dynamic_hz))
        while (hz < 500 && w->lane->session_count / (uint64_t)hz > CLIENTS_A_LOOK) hz *= 2;
    return hz < 500 ? (unsigned)hz : 500;
}

/* All connections are looked at once a second. */
static void visit_conns(struct worker *w, unsigned hz, int64_t now) {
    uint64_t n = (w->lane->session_count + hz - 1) / hz;
    while (n--) {
        struct conn *c = TAILQ_FIRST(&w->conns);
        if (!c) break;
        TAILQ_REMOVE(&w->conns, c, all);
        TAILQ_INSERT_TAIL(&w->conns, c, all);
        see_buffers(w, &c->session);
        conn_tick(c, now);
    }
    if (now - w->buffers_us < 1000000) return;
    w->buffers_us = now;
    atomic_store_explicit(&w->lane->recent_input, w->largest_input, memory_order_relaxed);
    atomic_store_explicit(&w->lane->recent_output, w->largest_output, memory_order_relaxed);
    w->largest_input = w->largest_output = 0;
}

static uint64_t client_limit(const struct worker *w) {
    int64_t limit = option_get(&w->server->settings.server.maxmemory_clients);
    if (limit >= 0) return (uint64_t)limit;
    return (uint64_t)option_get(&w->lane->env->store_config.maxmemory) / 100 * (uint64_t)-limit;
}

static struct conn *largest_conn(struct worker *w, uint64_t *sum) {
    struct conn *c, *largest = NULL;
    size_t most = 0;
    *sum = 0;
    TAILQ_FOREACH(c, &w->conns, all) {
        if (c->stream.closing) continue;
        size_t n = conn_memory(c);
        *sum += n;
        if (n <= most || c->session.no_evict) continue;
        most = n;
        largest = c;
    }
    return largest;
}

/* maxmemory-clients: each worker closes its largest while all together hold too much and its own share of that is too much. */
static void bound_clients(struct worker *w) {
    uint64_t limit = client_limit(w), own = 0, all = 0;
    if (!limit) {
        atomic_store_explicit(&w->client_bytes, 0, memory_order_relaxed);
        return;
    }
    for (;;) {
        struct conn *c = largest_conn(w, &own);
        atomic_store_explicit(&w->client_bytes, own, memory_order_relaxed);
        all = server_client_bytes(w->server);
        if (!c || all <= limit || own <= (uint64_t)((double)limit * (double)own / (double)all)) return;
        conn_evict(c);
    }
}

/* The lane counts the loop's turns for INFO, and CONFIG RESETSTAT may reset what it counts. */
static void tell_turns(struct worker *w) {
    counter_add(&w->lane->turns, w->loop.turns - w->turns);
    counter_add(&w->lane->turn_ticks, w->loop.turn_ticks - w->turn_ticks);
    w->turns = w->loop.turns;
    w->turn_ticks = w->loop.turn_ticks;
}

static void tick(void *arg) {
    struct worker *w = arg;
    unsigned hz = looks_a_second(w);
    int64_t now = clock_mono_us();
    visit_conns(w, hz > 1000 / BACKGROUND_MS ? hz : 1000 / BACKGROUND_MS, now);
    bound_clients(w);
    tell_turns(w);
    if (now - w->background_us >= BACKGROUND_MS * 1000 - 1000) {
        w->background_us = now;
        cron_look(w);
        lease_sweep(w->lane);
        stale_sweep(w->lane->env, w->lane->index, w->lane->env->lanes);
        changes_settle(w->lane);
        if (w->lane->index == 0) server_tick(w->server, w->ticks);
        w->ticks++;
    }
    unsigned ms = 1000 / hz;
    loop_timer_set(w->tick, ms < BACKGROUND_MS ? ms : BACKGROUND_MS, 0);
}

void cron_start(struct worker *w) {
    w->tick = loop_timer_new(&w->loop, tick, w);
    loop_timer_set(w->tick, BACKGROUND_MS, 0);
}
