#include "server/cron.h"

#include "base/clock.h"
#include "server/conn.h"
#include "server/server.h"
#include "server/worker.h"

#define TICK_MS 100

enum kind { KIND_EXPIRE, KIND_COMPACT, KIND_TRASH, KINDS };

static bool paused(const struct env *e, int64_t now) {
    return atomic_load_explicit(&e->pause_until_ms, memory_order_relaxed) > now;
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
        return store_expire_step(e->store, part, parts, now, stats, STORE_SLICE_US);
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

/* All connections are looked at once a second. */
static void visit_conns(struct worker *w) {
    uint64_t n = (w->lane->session_count + 9) / 10;
    int64_t now = clock_mono_us();
    while (n--) {
        struct conn *c = TAILQ_FIRST(&w->conns);
        if (!c) return;
        TAILQ_REMOVE(&w->conns, c, all);
        TAILQ_INSERT_TAIL(&w->conns, c, all);
        conn_tick(c, now);
    }
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
