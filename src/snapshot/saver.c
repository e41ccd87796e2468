#include "snapshot/saver.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "snapshot/file.h"
#include "snapshot/heat.h"
#include "store/capture.h"
#include "store/packed.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define BUDGET_LEAST ((size_t)1 << 20)  /* of the capture's parcels: */
#define BUDGET_MOST ((size_t)32 << 20)
#define BUDGET_SHARE 64                 /* a 64th of the data, between these */
#define PACE_US 20000                   /* longest sleep without a look around */
#define AGAIN_MOST 3                    /* times that a save is begun anew because of a flush */

struct saver {
    struct store *store;
    struct saver_config config;
    _Atomic bool running, abandoned;
    struct lock lock; /* what follows */
    struct saver_facts facts;
    int64_t began_us;
    bool joinable;    /* the thread of the last save has not been joined */
    pthread_t thread;
    struct saver_plan plan; /* of the one running; read by its thread */
    char *path;
};

/* A save at work; its thread's. */
struct writing {
    struct saver *saver;
    struct file *file;
    struct image_writer *image;
    struct tray *tray;
    struct heat heat;
    int64_t since_us;  /* the pace is kept from here on: */
    uint64_t since;    /* bytes written up to then */
    enum image_status status;
};

/* -- what is written ----------------------------------------------------------------------------------------------------------- */

static bool abandoned(const struct saver *v) { return atomic_load_explicit(&v->abandoned, memory_order_relaxed); }

/* Sleeps until so much may have been written, unless there is a hurry. */
static void keep_pace(struct writing *w) {
    struct saver *v = w->saver;
    for (;;) {
        int64_t rate = option_get(v->config.rate), now = clock_mono_us();
        if (rate <= 0 || capture_pressed(v->store) || abandoned(v)) { /* it begins anew behind this */
            w->since = file_size(w->file);
            w->since_us = now;
            return;
        }
        double due = (double)w->since_us + (double)(file_size(w->file) - w->since) * 1e6 / (double)rate;
        if ((double)now >= due) return;
        int64_t us = due - (double)now > PACE_US ? PACE_US : (int64_t)(due - (double)now) + 1;
        nanosleep(&(struct timespec){0, us * 1000}, NULL);
    }
}

static bool sink(void *arg, const void *p, size_t n) {
    struct writing *w = arg;
    if (abandoned(w->saver)) {
        errno = ECANCELED;
        return false;
    }
    if (!file_write(w->file, p, n)) return false;
    keep_pace(w);
    return true;
}

static void put(struct writing *w, const struct capture_item *item) {
    const struct entry *e = item->entry;
    struct record r = {.db = item->db, .type = entry_type(e), .deadline = entry_deadline(e), .key = entry_key(e)};
    struct home home = {.object = item->object, .form = (enum value_form)entry_form(e), .limits = w->saver->config.limits,
        .seed = store_seed(w->saver->store)};
    if (r.type == VALUE_STRING) {
        r.string = item->value;
        if (entry_packed(e)) r.original = packed_length(r.string);
    } else {
        if (!item->object) {
            home.p = (uint8_t *)(uintptr_t)item->value.p;
            home.n = home.room = item->value.n;
        }
        r.home = &home;
    }
    heat_describe(&w->heat, e, &r);
    if (record_large(&r)) {
        w->status = image_writer_large(w->image, &r);
        while (w->status == IMAGE_MORE) w->status = image_writer_step(w->image);
    } else if (tray_put(w->tray, &r)) {
        w->status = image_writer_flush(w->image);
    }
}

/* -- one save ------------------------------------------------------------------------------------------------------------------ */

static bool open_file(struct writing *w, const struct saver *v, int64_t now) {
    file_sweep(v->path);
    w->file = file_create(v->path);
    if (!w->file) return false;
    struct image_options o = {.format = v->plan.format, .compress = v->plan.compress, .checksum = v->plan.checksum,
        .limits = v->config.limits, .seed = store_seed(v->store), .now = now, .used_memory = mem_limited(), .sink = sink, .arg = w};
    w->image = image_writer_new(&o);
    w->tray = image_writer_tray(w->image);
    heat_learn(&w->heat, v->store, now);
    w->since_us = clock_mono_us();
    return true;
}

/* Takes all that the capture hands out, to write it or, once something has failed, to be rid of it. False: it was cancelled. */
static bool take_all(struct writing *w) {
    struct store *s = w->saver->store;
    struct capture_item item;
    for (struct parcel *p; (p = capture_take(s));) {
        while (w->status != IMAGE_FAILED && capture_next(p, &item)) put(w, &item);
        if (w->status == IMAGE_FAILED) capture_cancel(s);
        capture_give(s, p);
    }
    return capture_end(s);
}

/* Of a file that was not loaded to its end. */
static bool keep_old(const struct saver *v) {
    struct buf name = {0};
    bool ok = !v->plan.keep || file_keep(v->path, &name);
    int error = errno;
    if (ok && name.n) log_notice("%s was not loaded to its end: it is kept as %s", v->path, buf_cstr(&name));
    buf_free(&name);
    errno = error;
    return ok;
}

enum outcome { SAVED, FAILED, CANCELLED };

/* 0 or an errno. */
static enum outcome save_once(struct saver *v, uint64_t *keys, uint64_t *bytes, int *error) {
    struct writing w = {.saver = v};
    if (!open_file(&w, v, clock_ms())) {
        *error = errno;
        w.status = IMAGE_FAILED;
        capture_cancel(v->store);
    }
    bool whole = take_all(&w);
    if (whole && w.status != IMAGE_FAILED) w.status = image_writer_finish(w.image);
    if (w.image && w.status == IMAGE_FAILED) *error = image_writer_errno(w.image);
    bool saved = whole && w.status != IMAGE_FAILED && !abandoned(v);
    if (saved) {
        *bytes = file_size(w.file);
        *keys = image_writer_facts(w.image).records;
        saved = keep_old(v);
        if (!saved) file_abandon(w.file);
        saved = saved && file_commit(w.file);
        if (!saved) *error = errno;
    } else {
        file_abandon(w.file);
    }
    image_writer_free(w.image);
    return saved ? SAVED : *error ? FAILED : CANCELLED;
}

static bool begin_capture(struct saver *v) {
    size_t budget = (mem_used(MEM_DATA) + mem_used(MEM_INDEX)) / BUDGET_SHARE;
    budget = budget < BUDGET_LEAST ? BUDGET_LEAST : budget > BUDGET_MOST ? BUDGET_MOST : budget;
    struct capture_plan plan = {v->config.parts, budget, clock_ms(), v->config.room, v->config.arg};
    return capture_begin(v->store, &plan);
}

static void note_end(struct saver *v, enum outcome o, uint64_t keys, uint64_t bytes, int error) {
    int64_t us = clock_mono_us() - v->began_us;
    if (abandoned(v) && o != SAVED) o = CANCELLED;
    if (o == SAVED)
        log_notice("DB saved on disk: %llu keys, %llu bytes in %.2f seconds: %s", (unsigned long long)keys, (unsigned long long)bytes,
            (double)us / 1e6, v->path);
    else if (o == FAILED) log_warning("Background saving error: cannot write %s: %s", v->path, strerror(error));
    else log_notice("Saving was given up; %s stays as it was", v->path);
    if (o != CANCELLED) v->config.ended(v->config.arg, o == FAILED);
    lock_acquire(&v->lock);
    struct saver_facts *f = &v->facts;
    f->lasted_s = us / 1000000;
    if (o != CANCELLED) f->failed = o == FAILED;
    if (o == FAILED) f->error = error;
    if (o == SAVED) {
        f->saved_s = clock_ms() / 1000;
        f->saves++;
        f->changes = v->plan.changes;
        f->written = bytes;
    }
    lock_release(&v->lock);
}

static void *save_on(void *arg) {
    struct saver *v = arg;
    enum outcome o = CANCELLED;
    uint64_t keys = 0, bytes = 0;
    int error = 0;
    thread_name("larder-save");
    mem_leave_to_background();
    /* It may take the processor from nobody who has just got something to do. */
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
    lock_acquire(&v->lock); /* until the capture has begun */
    lock_release(&v->lock);
    o = save_once(v, &keys, &bytes, &error);
    for (int tries = 1; tries < AGAIN_MOST && o == CANCELLED && !abandoned(v); tries++) {
        begin_capture(v); /* nobody else does */
        o = save_once(v, &keys, &bytes, &error);
    }
    note_end(v, o, keys, bytes, error);
    atomic_store(&v->running, false);
    return NULL;
}

/* -- beginning and end --------------------------------------------------------------------------------------------------------- */

struct saver *saver_new(struct store *s, const struct saver_config *c) {
    struct saver *v = mem_zalloc(MEM_MISC, sizeof *v);
    v->store = s;
    v->config = *c;
    v->facts.lasted_s = -1;
    return v;
}

static void join(struct saver *v) {
    if (v->joinable) pthread_join(v->thread, NULL);
    v->joinable = false;
}

void saver_free(struct saver *v) {
    saver_abandon(v);
    join(v);
    mem_free(MEM_MISC, v->path);
    mem_free(MEM_MISC, v);
}

/* With all signals blocked but those of a crash. */
static bool start_thread(struct saver *v) {
    static const int crash[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof crash / sizeof *crash; i++) sigdelset(&all, crash[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&v->thread, NULL, save_on, v);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error) return true;
    log_warning("Cannot start a thread to save: %s", strerror(error));
    return false;
}

bool saver_start(struct saver *v, const struct saver_plan *plan) {
    bool started = false;
    lock_acquire(&v->lock);
    if (atomic_load(&v->running)) goto out;
    join(v);
    mem_free(MEM_MISC, v->path);
    v->plan = *plan;
    v->path = mem_strdup(MEM_MISC, plan->path);
    v->began_us = clock_mono_us();
    v->facts.tried_s = clock_ms() / 1000;
    atomic_store(&v->abandoned, false);
    atomic_store(&v->running, true);
    started = v->joinable = start_thread(v);
    if (started) {
        begin_capture(v);
    } else {
        v->config.ended(v->config.arg, true);
        v->facts.failed = true;
        atomic_store(&v->running, false);
    }
out:
    lock_release(&v->lock);
    return started;
}

void saver_abandon(struct saver *v) {
    lock_acquire(&v->lock);
    if (saver_running(v)) {
        atomic_store(&v->abandoned, true);
        capture_cancel(v->store);
    }
    lock_release(&v->lock);
}

bool saver_running(const struct saver *v) { return atomic_load(&v->running); }

void saver_facts(struct saver *v, struct saver_facts *out) {
    struct capture_facts c;
    capture_facts(v->store, &c);
    lock_acquire(&v->lock);
    *out = v->facts;
    out->running = saver_running(v);
    out->runs_s = out->running ? (clock_mono_us() - v->began_us) / 1000000 : -1;
    lock_release(&v->lock);
    if (!out->running || !c.on) return;
    out->keys_total = c.keys_total;
    out->keys_done = c.keys_done < c.keys_total ? c.keys_done : c.keys_total;
}
