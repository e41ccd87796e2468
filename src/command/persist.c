#include "command/persist.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/warming.h"
#include "store/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RETRY_S 5           /* after a failure, save points wait so long, as Redis's do */
#define LOOK_US 1000        /* SAVE looks so often whether it is over */
#define IN_PROGRESS "ERR Background save already in progress"

struct persist {
    struct env *env;
    struct saver *saver;
    _Atomic bool scheduled;
    int64_t told_s; /* when it was last said why nothing is saved */
};

/* -- beginning ------------------------------------------------------------------------------------------------------------------ */

static void room(void *arg) { env_call_background(arg); }

/* Writes are refused from here on, if they are to be. */
static void ended(void *arg, bool failed) { atomic_store(&((struct env *)arg)->save_failed, failed); }

struct persist *persist_new(struct env *e) {
    struct persist *p = mem_zalloc(MEM_MISC, sizeof *p);
    struct saver_config c = {e->lanes, &e->store_config.limits, &e->config.snapshot_rate, room, ended, e};
    p->env = e;
    p->saver = saver_new(e->store, &c);
    return p;
}

void persist_stop(struct env *e) {
    struct persist *p = e->persist;
    if (!p) return;
    saver_abandon(p->saver);
    while (saver_running(p->saver)) {
        for (unsigned i = 0; i < e->lanes; i++) capture_step(e->store, i, STORE_SLICE_US);
        store_trash_step(e->store, STORE_SLICE_US);
        nanosleep(&(struct timespec){0, 100000}, NULL);
    }
}

void persist_free(struct persist *p) {
    if (!p) return;
    persist_stop(p->env);
    saver_free(p->saver);
    mem_free(MEM_MISC, p);
}

static void option_or(struct env *e, const char *name, const char *otherwise, struct buf *out) {
    if (option_row(e->options, name)) option_text(e->options, name, out);
    else buf_puts(out, otherwise);
}

/* Where to: `dir` may change while a file is written, so the path is whole. */
static bool path_of(struct env *e, struct buf *path, struct buf *name) {
    option_or(e, "dir", "./", path);
    if (!path->n || path->p[0] != '/') {
        char *here = getcwd(NULL, 0);
        path->n = 0;
        if (!here) return false;
        buf_puts(path, here);
        free(here);
    }
    if (path->p[path->n - 1] != '/') buf_puts(path, "/");
    option_or(e, "dbfilename", "dump.larder", name);
    buf_put(path, name->p, name->n);
    return true;
}

bool persist_path(struct env *e, struct buf *out) {
    struct buf name = {0};
    bool ok = path_of(e, out, &name);
    buf_free(&name);
    return ok;
}

const char *persist_guarded(struct env *e) {
    struct buf path = {0}, name = {0};
    const char *why = path_of(e, &path, &name) ? warmup_guards(e->warmup, buf_cstr(&path)) : NULL;
    buf_free(&path);
    buf_free(&name);
    return why;
}

static enum image_format format_of(const struct env *e, struct slice name) {
    int64_t wish = option_get(&e->config.snapshot_format);
    bool rdb = name.n >= 4 && !memcmp(name.p + name.n - 4, ".rdb", 4);
    return wish == SNAPSHOT_RDB || (wish == SNAPSHOT_AUTO && rdb) ? IMAGE_RDB : IMAGE_NATIVE;
}

bool persist_start(struct env *e) {
    struct buf path = {0}, name = {0};
    bool ok = path_of(e, &path, &name);
    if (ok) {
        struct saver_plan plan = {.path = buf_cstr(&path), .format = format_of(e, buf_slice(&name)),
            .compress = option_get(&e->config.rdb_compression), .checksum = option_get(&e->config.rdb_checksum), .changes = env_changes(e), .keep = warmup_gave_up(e->warmup, buf_cstr(&path))};
        ok = saver_start(e->persist->saver, &plan);
    } else {
        log_warning("Background saving error: where is the folder? %s", strerror(errno));
        atomic_store(&e->save_failed, true);
    }
    if (ok) {
        atomic_store(&e->persist->scheduled, false);
        log_notice("Background saving started: %s", buf_cstr(&path));
        room(e);
    }
    buf_free(&path);
    buf_free(&name);
    return ok;
}

void persist_schedule(struct env *e) { atomic_store(&e->persist->scheduled, true); }

void persist_abandon(struct env *e) { saver_abandon(e->persist->saver); }

/* What the file had is not wanted any more, whether all of it was loaded or not. */
void persist_flushed(struct env *e) {
    warmup_forget(e->warmup);
    if (option_get(&e->config.save_points)) persist_schedule(e);
}

/* -- figures -------------------------------------------------------------------------------------------------------------------- */

void persist_facts(struct env *e, struct saver_facts *out) {
    saver_facts(e->persist->saver, out);
    if (!out->saved_s) out->saved_s = e->started_ms / 1000;
    out->failed |= atomic_load(&e->save_failed) && !out->running && !out->saves; /* it never came to a beginning */
}

uint64_t persist_changes(struct env *e) {
    struct saver_facts f;
    saver_facts(e->persist->saver, &f);
    return env_changes(e) - f.changes;
}

/* -- by itself ------------------------------------------------------------------------------------------------------------------ */

/* Is it time, by one of the points of `save`? Says by which. */
static bool point_reached(struct env *e, const struct saver_facts *f, int64_t now_s) {
    struct buf text = {0};
    uint64_t changes = env_changes(e) - f->changes;
    bool reached = false;
    option_or(e, "save", "", &text);
    for (char *rest = NULL, *s = strtok_r(buf_cstr(&text), " ", &rest); s && !reached; s = strtok_r(NULL, " ", &rest)) {
        char *least = strtok_r(NULL, " ", &rest);
        long long seconds = strtoll(s, NULL, 10), most = least ? strtoll(least, NULL, 10) : INT64_MAX;
        reached = changes >= (uint64_t)most && now_s - f->saved_s > seconds;
        if (reached) log_notice("%lld changes in %lld seconds. Saving...", most, seconds);
    }
    buf_free(&text);
    return reached;
}

/* Not over a file that is being loaded: later. Not over one that could not be: never; that is said once a minute. */
static bool put_off(struct env *e, int64_t now_s) {
    const char *why = persist_guarded(e);
    if (why && now_s - e->persist->told_s >= 60) {
        log_warning("Nothing is saved for now: %s", why);
        e->persist->told_s = now_s;
    }
    return why;
}

void persist_tick(struct env *e) {
    struct saver_facts f;
    shutdown_step(e);
    persist_facts(e, &f);
    if (f.running) return;
    if (shutdown_under_way(e)) return;
    int64_t now_s = clock_ms() / 1000;
    bool again = !f.failed || now_s - f.tried_s > RETRY_S;
    bool wanted = atomic_load(&e->persist->scheduled) || (again && option_get(&e->config.save_points) && point_reached(e, &f, now_s));
    if (wanted && !put_off(e, now_s)) persist_start(e);
}

/* -- SAVE, BGSAVE, LASTSAVE ------------------------------------------------------------------------------------------------------ */

/* It lends a hand with its own thread's part. */
static enum task_state save_step(struct task *t, struct session *s, int64_t slice_us) {
    struct env *e = s->lane->env;
    struct saver_facts f;
    if (saver_running(e->persist->saver)) {
        if (capture_step(e->store, s->lane->index, slice_us) == CAPTURE_MORE) return TASK_AGAIN;
        t->wake_us = clock_mono_us() + LOOK_US;
        return TASK_WAIT;
    }
    persist_facts(e, &f);
    if (f.failed) session_error(s, "ERR");
    else resp_ok(&s->writer);
    return TASK_DONE;
}

static void save_drop(struct task *t) { mem_free(MEM_CLIENT, t); }

static void start_or_say(struct call *c, void (*started)(struct call *c)) {
    struct env *e = call_env(c);
    const char *why;
    if (saver_running(e->persist->saver)) reply_error(c, IN_PROGRESS);
    else if ((why = persist_guarded(e))) reply_errorf(c, "ERR Not saved: %s", why);
    else if (!persist_start(e)) reply_error(c, "ERR");
    else started(c);
}

static void park_save(struct call *c) {
    struct task *t = mem_zalloc(MEM_CLIENT, sizeof *t);
    *t = (struct task){.step = save_step, .drop = save_drop};
    session_park(c->s, t);
}

static void run_save(struct call *c) { start_or_say(c, park_save); }

static void say_started(struct call *c) { resp_simple(c->w, "Background saving started"); }

/* SCHEDULE is for what cannot begin now, because the file is still being loaded; of another save that is in the way Redis says so too. */
static void run_bgsave(struct call *c) {
    struct env *e = call_env(c);
    bool later = c->argc == 2 && warmup_running(e->warmup) && !saver_running(e->persist->saver) && persist_guarded(e);
    if (c->argc > 2 || (c->argc == 2 && !call_is(c, 1, "schedule"))) {
        reply_syntax(c);
    } else if (later) {
        persist_schedule(e);
        resp_simple(c->w, "Background saving scheduled");
    } else {
        start_or_say(c, say_started);
    }
}

static void run_lastsave(struct call *c) {
    struct saver_facts f;
    persist_facts(call_env(c), &f);
    resp_int(c->w, f.saved_s);
}

static const char *const bgsave_history[] = {"3.2.2", "`SCHEDULE`.", NULL};

static const struct command rows[] = {
    {.name = "BGSAVE",
        .arity = -1,
        .flags = C_ADMIN | C_NOSCRIPT | C_NO_ASYNC_LOADING,
        .run = run_bgsave,
        .group = "server",
        .since = "1.0.0",
        .complexity = "O(1)",
        .history = bgsave_history,
        .summary = "Begins to save all keys, as they are now, to disk.",
        .syntax = "[SCHEDULE]"},
    {.name = "LASTSAVE",
        .arity = 1,
        .flags = C_LOADING | C_STALE | C_FAST,
        .categories = A_ADMIN | A_DANGEROUS,
        .run = run_lastsave,
        .group = "server",
        .since = "1.0.0",
        .complexity = "O(1)",
        .tips = "nondeterministic_output",
        .summary = "When the keys were last saved to disk, in seconds since 1970."},
    {.name = "SAVE",
        .arity = 1,
        .flags = C_ADMIN | C_NOSCRIPT | C_NO_ASYNC_LOADING | C_NO_MULTI,
        .run = run_save,
        .group = "server",
        .since = "1.0.0",
        .complexity = "O(N) where N is the total number of keys in all databases",
        .summary = "Saves all keys, as they are now, to disk, and replies once they are there; others are served meanwhile."},
    {0},
};

const struct command *command_rows_persist(void) { return rows; }
