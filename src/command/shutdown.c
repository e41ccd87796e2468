/* SHUTDOWN, and what a signal to end does: writes are held back, what there is is saved, then the host ends; or, if it cannot be saved,
 * everything goes on. */
#include "base/clock.h"
#include "base/log.h"
#include "command/admin.h"
#include "command/persist.h"
#include "command/warming.h"

#define LOOK_US 1000

enum step { NOTHING, QUIETING /* lanes finish what they are at */, BEGIN, SAVING, FAILED, GONE };

struct shutdown {
    struct lock lock;
    enum step step;
    bool now, force, waited;
    uint64_t saves;   /* before the last one */
    _Atomic bool under_way;
};

struct shutdown *shutdown_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct shutdown)); }
void shutdown_free(struct shutdown *s) { mem_free(MEM_MISC, s); }
bool shutdown_under_way(const struct env *e) { return atomic_load(&e->shutdown->under_way); }

static void hold_writes(struct env *e, bool held) {
    atomic_store(&e->writes_held, held);
    e->host->pause(e);
}

static void see_nothing(struct lane *l, void *arg) {
    (void)l;
    (void)arg;
}

/* Every lane has come to an end of what it was at, and begins nothing that writes. */
static void all_quiet(struct lane *home, void *arg) {
    struct shutdown *s = arg;
    lock_acquire(&s->lock);
    if (s->step == QUIETING) s->step = BEGIN;
    lock_release(&s->lock);
    shutdown_step(home->env);
}

static void set_step(struct shutdown *s, enum step step) {
    s->step = step;
    atomic_store(&s->under_way, step == QUIETING || step == BEGIN || step == SAVING);
}

void shutdown_begin(struct env *e, enum shutdown_save how, bool now, bool force) {
    struct shutdown *s = e->shutdown;
    bool save = how == SHUTDOWN_SAVE || (how == SHUTDOWN_DEFAULT && option_get(&e->config.save_points));
    lock_acquire(&s->lock);
    s->now |= now;
    s->force |= force;
    bool first = s->step == NOTHING || s->step == FAILED, quiet = first && save;
    if (quiet) {
        hold_writes(e, true);
        set_step(s, QUIETING);
    } else if (!save) {
        set_step(s, GONE);
    }
    lock_release(&s->lock);
    if (!save) e->host->shutdown(e, now);
    else if (quiet) env_visit(e, 0, see_nothing, all_quiet, s);
}

/* One that is running has what there was earlier: it is given up. */
static void begin_save(struct env *e, struct shutdown *s) {
    struct saver_facts f;
    persist_facts(e, &f);
    if (f.running) {
        persist_abandon(e);
    } else if (warmup_running(e->warmup) && persist_guarded(e)) {
        if (!s->waited) log_notice("The final snapshot waits for the warm-up: what is not loaded yet belongs to it.");
        s->waited = true;
    } else if (persist_guarded(e)) {
        log_warning("There is no final snapshot: %s", persist_guarded(e));
        set_step(s, GONE);
    } else if (persist_start(e)) {
        s->saves = f.saves;
        log_notice("Saving the final snapshot before exiting.");
        set_step(s, SAVING);
    } else {
        set_step(s, FAILED);
    }
}

static void look_at_save(struct env *e, struct shutdown *s) {
    struct saver_facts f;
    persist_facts(e, &f);
    if (!f.running) set_step(s, f.saves == s->saves ? FAILED : GONE);
}

enum shutdown_state shutdown_step(struct env *e) {
    static const enum shutdown_state states[] = {[NOTHING] = SHUTDOWN_NONE, [QUIETING] = SHUTDOWN_UNDER_WAY, [BEGIN] = SHUTDOWN_UNDER_WAY,
        [SAVING] = SHUTDOWN_UNDER_WAY, [FAILED] = SHUTDOWN_FAILED, [GONE] = SHUTDOWN_GOES};
    struct shutdown *s = e->shutdown;
    lock_acquire(&s->lock);
    enum step before = s->step;
    if (before == BEGIN) begin_save(e, s);
    else if (before == SAVING) look_at_save(e, s);
    bool failed = s->step == FAILED && before != FAILED;
    if (failed && s->force) {
        log_warning("Error trying to save the DB, but asked to exit all the same.");
        set_step(s, GONE);
    } else if (failed) {
        log_warning("Error trying to save the DB, can't exit.");
        hold_writes(e, false);
        s->now = s->force = false;
    }
    bool goes = s->step == GONE && before != GONE;
    enum shutdown_state state = states[s->step];
    lock_release(&s->lock);
    if (goes) e->host->shutdown(e, s->now);
    return state;
}

bool shutdown_abort(struct env *e) {
    struct shutdown *s = e->shutdown;
    lock_acquire(&s->lock);
    bool was = atomic_load(&s->under_way), saving = s->step == SAVING;
    if (was) {
        set_step(s, FAILED);
        hold_writes(e, false);
        s->now = s->force = false;
        log_notice("Shutdown manually aborted.");
    }
    lock_release(&s->lock);
    if (saving) persist_abandon(e);
    return was;
}

/* -- SHUTDOWN ------------------------------------------------------------------------------------------------------------------- */

struct words {
    bool nosave, save, now, force, abort;
};

static bool parse(struct call *c, struct words *s) {
    for (int i = 1; i < c->argc; i++) {
        bool *field = call_is(c, i, "nosave")  ? &s->nosave
                      : call_is(c, i, "save")  ? &s->save
                      : call_is(c, i, "now")   ? &s->now
                      : call_is(c, i, "force") ? &s->force
                      : call_is(c, i, "abort") ? &s->abort
                                               : NULL;
        if (!field) return false;
        *field = true;
    }
    bool others = s->nosave || s->save || s->now || s->force;
    return !(s->abort && others) && !(s->nosave && s->save);
}

static enum task_state await(struct task *t, struct session *s, int64_t slice_us) {
    (void)slice_us;
    switch (shutdown_step(s->lane->env)) {
    case SHUTDOWN_UNDER_WAY:
        t->wake_us = clock_mono_us() + LOOK_US;
        return TASK_WAIT;
    case SHUTDOWN_GOES:
        s->closing = true;
        return TASK_DONE;
    default:
        session_error(s, "ERR Errors trying to SHUTDOWN. Check logs.");
        return TASK_DONE;
    }
}

static void drop(struct task *t) { mem_free(MEM_CLIENT, t); }

void shutdown_run(struct call *c) {
    struct env *e = call_env(c);
    struct words w = {0};
    if (!parse(c, &w)) {
        reply_syntax(c);
    } else if (w.abort) {
        if (shutdown_abort(e)) resp_ok(c->w);
        else reply_error(c, "ERR No shutdown in progress.");
    } else {
        shutdown_begin(e, w.save ? SHUTDOWN_SAVE : w.nosave ? SHUTDOWN_NOSAVE : SHUTDOWN_DEFAULT, w.now, w.force);
        if (!shutdown_under_way(e)) {
            c->closed = true;
            return;
        }
        struct task *t = mem_zalloc(MEM_CLIENT, sizeof *t);
        *t = (struct task){.step = await, .drop = drop};
        session_park(c->s, t);
    }
}
