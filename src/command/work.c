#include "command/work.h"

#include "base/clock.h"
#include "command/wait.h"

#define LAST_US 15 /* what may happen between two looks at the clock */
#define ROOM (64u << 10)  /* for what a slice makes; it ends before less than the next is left */
#define LEAST (16u << 10) /* what may be made between two looks */

struct work_kept {
    struct work_kept *next;
    struct home home;
    enum value_type type;
};

static void work_drop(struct task *t) {
    struct work *w = (struct work *)t;
    if (w->drop) w->drop(w);
    for (struct work_kept *k = w->kept, *next; k; k = next) {
        next = k->next;
        if (k->home.object) holder_release(w->store, k->type, k->home.object);
        mem_free(MEM_CLIENT, k);
    }
    chain_free(&w->body);
    mem_free(MEM_CLIENT, w);
}

static bool work_goes_on(struct work *w, struct session *s) {
    bool was = mem_aside(w->aside), over = w->on(w, s);
    mem_aside(was);
    return over;
}

static void work_until(struct work *w, int64_t slice_us) {
    w->until = clock_ticks() + (uint64_t)((double)(slice_us - LAST_US) * clock_ticks_per_us());
}

/* What was stored may have been more than there was room for. */
static bool work_settled(struct work *w, struct session *s, int64_t slice_us) {
    struct store_stats *stats = &s->lane->store_stats;
    return !w->wrote || store_make_room(w->store, 0, clock_ms(), stats, slice_us) != FIT_LATER;
}

/* No lock is held: the place to make room. FIT_NO: there is none, and the client was told. */
static enum store_fit work_room(struct work *w, struct session *s, int64_t slice_us) {
    if (!w->makes || store_fits(w->store, LEAST)) return FIT_YES;
    struct store_stats *stats = &s->lane->store_stats;
    enum store_fit fit = store_make_room(w->store, ROOM, clock_ms(), stats, slice_us);
    if (fit == FIT_NO) fit = store_make_room(w->store, LEAST, clock_ms(), stats, slice_us);
    if (fit != FIT_NO) return fit;
    if (store_trash(w->store)) return FIT_LATER; /* what was dropped comes back first */
    if (w->must) {
        w->pressed = true;
        return FIT_YES;
    }
    work_error(w, s, CALL_OUT_OF_MEMORY);
    return fit;
}

static enum task_state work_step(struct task *t, struct session *s, int64_t slice_us) {
    struct work *w = (struct work *)t;
    w->view = NULL;
    w->call = NULL;
    w->pressed = false;
    enum store_fit fit = w->on ? work_room(w, s, slice_us / 2) : FIT_YES;
    if (fit == FIT_LATER) return TASK_AGAIN;
    if (fit == FIT_NO) return TASK_DONE;
    work_until(w, w->makes ? slice_us / 2 : slice_us);
    if (w->on && work_goes_on(w, s)) w->on = NULL;
    return !w->on && work_settled(w, s, slice_us) ? TASK_DONE : TASK_AGAIN;
}

void *work_new(struct call *c, size_t size, work_on *on, void (*drop)(struct work *w)) {
    struct work *w = mem_zalloc(MEM_CLIENT, size);
    w->task = (struct task){.step = work_step, .drop = work_drop};
    w->store = c->v.store;
    w->db = c->v.db;
    w->on = on;
    w->drop = drop;
    w->view = &c->v;
    w->call = c;
    chain_init(&w->body, &c->s->lane->pool);
    w->w = (struct resp_writer){&w->body, c->w->proto};
    return w;
}

const struct home *work_keep(struct work *w, const struct holder *h) {
    size_t n = h->home.object ? 0 : h->home.n;
    struct work_kept *k = mem_alloc(MEM_CLIENT, sizeof *k + n);
    *k = (struct work_kept){.next = w->kept, .home = h->home, .type = h->type};
    k->home.resize = NULL;
    if (k->home.object) {
        value_hold(k->home.object);
    } else {
        k->home.p = (uint8_t *)(k + 1);
        if (n) memcpy(k->home.p, h->home.p, n);
    }
    w->kept = k;
    return &k->home;
}

void work_start(struct call *c, struct work *w) {
    work_until(w, STORE_SLICE_US);
    if (work_goes_on(w, c->s)) work_drop(&w->task); /* dispatch looks at maxmemory */
    else session_park(c->s, &w->task);
}

void work_error(struct work *w, struct session *s, const char *text) {
    if (w->call) reply_error(w->call, text);
    else session_error(s, text);
}

bool work_over(const struct work *w) { return clock_ticks() >= w->until || (w->makes && !w->pressed && !store_fits(w->store, LEAST)); }

size_t work_store(struct view *v, const struct key *k, enum value_type t, const struct home *made, const char *event) {
    size_t n = value_ops(t)->count(made);
    if (n) {
        view_set_home(v, k, t, made, 0);
        notify_event(v, notify_class(t), event, k);
    } else if (view_unlink(v, k)) {
        notify_event(v, EVENT_GENERIC, "del", k);
    }
    return n;
}

size_t work_put(struct work *w, struct session *s, struct slice key, enum value_type t, struct home *made, const char *event) {
    struct key k = store_key(store_seed(w->store), key);
    w->wrote = true;
    if (w->view) return work_store(w->view, &k, t, made, event);
    struct view v;
    struct store_locks locks = {{0}};
    view_init(&v, w->store, w->db, clock_ms(), &s->lane->store_stats);
    wait_lock(s->lane, &k, 1, &locks);
    size_t n = work_store(&v, &k, t, made, event);
    wait_unlock(s->lane, &v, &k, 1, &locks);
    return n;
}
