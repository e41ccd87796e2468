/* DEBUG RELOAD: saves, forgets everything, and loads what was saved. For tests of both. Other clients are served meanwhile, so what they
 * write before everything is forgotten is lost, unless they are kept from it. */
#include "base/clock.h"
#include "base/log.h"
#include "command/introspect.h"
#include "command/persist.h"
#include "snapshot/warmup.h"
#include "store/capture.h"

#include <fcntl.h>
#include <unistd.h>

#define LOOK_US 1000
#define SAVE_ERROR "ERR Error trying to save the DB, check server logs."
#define LOAD_ERROR "ERR Error trying to load the RDB dump, check server logs."

struct reload {
    struct task task;
    bool nosave, noflush, merge;
    bool loading;      /* after the save */
    uint64_t saves;    /* that there had been before */
};

static void reload_drop(struct task *t) { mem_free(MEM_CLIENT, t); }

static enum task_state look_later(struct task *t) {
    t->wake_us = clock_mono_us() + LOOK_US;
    return TASK_WAIT;
}

static bool load(struct reload *r, struct env *e) {
    struct buf path = {0}, why = {0};
    int fd = persist_path(e, &path) ? open(buf_cstr(&path), O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool ok = fd >= 0 && warmup_looks_right(fd, &why);
    if (ok) {
        if (!r->noflush) store_flush(e->store, -1, false);
        ok = warmup_add(e->warmup, &(struct warmup_request){.path = buf_cstr(&path), .fd = fd, .db = -1, .replace = r->merge});
    } else if (fd >= 0) {
        close(fd);
    }
    if (!ok) log_warning("DEBUG RELOAD: %s cannot be loaded%s%s", buf_cstr(&path), why.n ? ": " : "", buf_cstr(&why));
    buf_free(&path);
    buf_free(&why);
    return ok;
}

static enum task_state reload_step(struct task *t, struct session *s, int64_t slice_us) {
    struct reload *r = (struct reload *)t;
    struct env *e = s->lane->env;
    struct saver_facts f;
    persist_facts(e, &f);
    if (f.running && capture_step(e->store, s->lane->index, slice_us) == CAPTURE_MORE) return TASK_AGAIN;
    if (f.running) return look_later(t);
    if (!r->loading) {
        const char *error = !r->nosave && f.saves == r->saves ? SAVE_ERROR : load(r, e) ? NULL : LOAD_ERROR;
        r->loading = true;
        if (!error) return look_later(t);
        session_error(s, error);
        return TASK_DONE;
    }
    if (warmup_running(e->warmup)) return look_later(t);
    struct warmup_facts w;
    warmup_facts(e->warmup, &w);
    if (w.state == WARMUP_DONE && !w.damaged) resp_ok(&s->writer);
    else session_error(s, LOAD_ERROR);
    return TASK_DONE;
}

void reload_run(struct call *c) {
    struct env *e = call_env(c);
    struct reload wish = {.task = {.step = reload_step, .drop = reload_drop}};
    struct saver_facts f;
    for (int i = 2; i < c->argc; i++) {
        bool *field = call_is(c, i, "merge") ? &wish.merge : call_is(c, i, "noflush") ? &wish.noflush : call_is(c, i, "nosave") ? &wish.nosave : NULL;
        if (!field) {
            reply_error(c, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return;
        }
        *field = true;
    }
    persist_facts(e, &f);
    wish.saves = f.saves;
    if (!wish.nosave && (persist_guarded(e) || !persist_start(e))) {
        reply_error(c, SAVE_ERROR);
        return;
    }
    struct reload *r = mem_alloc(MEM_CLIENT, sizeof *r);
    *r = wish;
    session_park(c->s, &r->task);
}
