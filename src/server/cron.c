#include "server/cron.h"

#include "base/clock.h"
#include "server/conn.h"
#include "server/server.h"
#include "server/worker.h"

#define TICK_MS 100
#define TICKS_ALL 10 /* in which all connections are seen */

enum kind { KIND_EXPIRE, KIND_COMPACT, KIND_TRASH, KINDS };

static bool paused(const struct env *e, int64_t now) {
    return atomic_load_explicit(&e->pause_until_ms, memory_order_relaxed) > now;
}

static bool expire(struct worker *w, int64_t now) {
    struct lane *l = w->lane;
    uint64_t start = clock_ticks();
    bool more = store_expire_step(l->env->store, l->index, l->env->lanes, now, &l->store_stats, STORE_SLICE_US);
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
    case KIND_EXPIRE:
        /* While writes are held up, the data stays as it is. */
        if (!option_get(&e->store_config.active_expire) || paused(e, now)) return false;
        return expire(w, now);
    case KIND_COMPACT: return store_compact_step(e->store, part, parts, stats, STORE_SLICE_US);
    default: return store_trash_step(e->store, STORE_SLICE_US);
    }
}

void cron_step(struct worker *w) {
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned kind = (w->next_kind + i) % KINDS;
        if (!(w->background & 1u << kind)) continue;
        if (!work(w, kind)) w->background &= ~(1u << kind);
        w->next_kind = (kind + 1) % KINDS;
        return;
    }
}

static void see_buffers(struct worker *w, const struct session *s) {
    size_t in = s->query_bytes + s->query_room, out = chain_memory(&s->out);
    if (in > w->largest_input) w->largest_input = in;
    if (out > w->largest_output) w->largest_output = out;
}

/* All connections are looked at once a second. */
static void visit_conns(struct worker *w) {
    uint64_t n = (w->lane->session_count + TICKS_ALL - 1) / TICKS_ALL;
    int64_t now = clock_mono_us();
    while (n--) {
        struct conn *c = TAILQ_FIRST(&w->conns);
        if (!c) return;
        TAILQ_REMOVE(&w->conns, c, all);
        TAILQ_INSERT_TAIL(&w->conns, c, all);
        see_buffers(w, &c->session);
        conn_tick(c, now);
    }
    if (w->ticks % TICKS_ALL) return;
    atomic_store_explicit(&w->lane->recent_input, w->largest_input, memory_order_relaxed);
    atomic_store_explicit(&w->lane->recent_output, w->largest_output, memory_order_relaxed);
    w->largest_input = w->largest_output = 0;
}

static void tick(void *arg) {
    struct worker *w = arg;
    w->background = (1u << KINDS) - 1;
    loop_idle_start(&w->loop);
    visit_conns(w);
    if (w->lane->index == 0) server_tick(w->server, w->ticks);
    w->ticks++;
}

void cron_start(struct worker *w) {
    w->tick = loop_timer_new(&w->loop, tick, w);
    loop_timer_set(w->tick, TICK_MS, TICK_MS);
}
