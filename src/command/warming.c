#include "command/warming.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/changes.h"
#include "command/env.h"
#include "command/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ERRAND_LOOK_NS 20000000

/* -- what the threads that load tell --------------------------------------------------------------------------------------------- */

/* Those who wait for a list or a sorted set: all of them are looked at, since there are few. */
static void serve_waiters(struct lane *l, void *arg) {
    struct env *e = arg;
    struct view v;
    view_init(&v, e->store, 0, clock_ms(), &l->store_stats);
    v.born = WAIT_TYPES;
    store_lock_all(e->store);
    struct waiter *served = wait_serve(l, &v, NULL, 0);
    store_unlock_all(e->store);
    wait_tell(l, served);
}

static void born(void *arg) {
    struct env *e = arg;
    if (atomic_load(&e->waits->keys)) e->host->post(e->host, 0, serve_waiters, e);
}

/* With warm-blocking it is all or nothing, as in Redis. */
static void over(void *arg, const char *failed) {
    struct env *e = arg;
    if (!atomic_load(&e->loading)) return;
    if (failed) {
        log_warning("Fatal error loading %s, and warm-blocking is set: exiting. Move the file away to start empty", failed);
        _exit(1);
    }
    log_notice("The snapshots are loaded: clients are served from now on");
    atomic_store(&e->loading, false);
}

/* -- errands: what a thread that loads has done by one that serves ----------------------------------------------------------------- */

enum errand_state { QUEUED, DROPPED, RUNNING, DONE };

struct errand {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum errand_state state;
    void (*job)(void *arg, struct store_stats *stats);
    void *arg;
};

static void errand_free(struct errand *d) {
    pthread_mutex_destroy(&d->mutex);
    pthread_cond_destroy(&d->changed);
    mem_free(MEM_MISC, d);
}

static void errand_run(struct lane *l, void *arg) {
    struct errand *d = arg;
    pthread_mutex_lock(&d->mutex);
    bool dropped = d->state == DROPPED;
    d->state = RUNNING;
    pthread_mutex_unlock(&d->mutex);
    if (dropped) {
        errand_free(d);
        return;
    }
    d->job(d->arg, &l->store_stats);
    changes_settle_now(l);
    pthread_mutex_lock(&d->mutex);
    d->state = DONE;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->mutex);
}

/* The host may have stopped to run what is posted: then it is taken back. */
static bool errand(void *arg, void (*job)(void *job_arg, struct store_stats *stats), void *job_arg) {
    struct env *e = arg;
    struct errand *d = mem_zalloc(MEM_MISC, sizeof *d);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->changed, NULL);
    d->job = job;
    d->arg = job_arg;
    e->host->post(e->host, 0, errand_run, d);
    pthread_mutex_lock(&d->mutex);
    while (d->state != DONE) {
        if (d->state == QUEUED && atomic_load(&e->warming_ends)) {
            d->state = DROPPED;
            pthread_mutex_unlock(&d->mutex);
            return false;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ERRAND_LOOK_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&d->changed, &d->mutex, &until);
    }
    pthread_mutex_unlock(&d->mutex);
    errand_free(d);
    return true;
}

struct warmup *warming_new(struct env *e) {
    struct warmup_config c = {.store = e->store, .store_config = &e->store_config, .threads = &e->config.warm_threads,
        .strict = &e->config.warm_strict, .born = born, .over = over,
        .errand = errand, .arg = e};
    return warmup_new(&c);
}

/* -- files ------------------------------------------------------------------------------------------------------------------------- */

static void option_or(struct env *e, const char *name, const char *otherwise, struct buf *out) {
    out->n = 0;
    if (option_row(e->options, name)) option_text(e->options, name, out);
    else buf_puts(out, otherwise);
    if (!out->n) buf_puts(out, otherwise);
}

static struct warmup_request request_of(const struct env *e, const char *path, int fd) {
    return (struct warmup_request){.path = path, .fd = fd, .db = -1, .refuse = option_get(&e->config.warm_foreign) == WARMING_REFUSE};
}

/* Opens a path below a folder, part by part: neither ".." nor a symbolic link leads out of it. */
static int open_below(const char *folder, const char *path) {
    char whole[PATH_MAX], *rest = NULL;
    struct buf own = {0};
    if (*path == '/') {
        size_t n = realpath(folder, whole) ? strlen(whole) : 0;
        if (!n || strncmp(path, whole, n) != 0 || (path[n] != '/' && n > 1)) {
            errno = EXDEV;
            return -1;
        }
        path += n;
    }
    buf_puts(&own, path);
    int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, error = errno;
    char *part = strtok_r(buf_cstr(&own), "/", &rest), *next;
    for (; at >= 0 && part; part = next) {
        next = strtok_r(NULL, "/", &rest);
        fd = -1;
        if (!strcmp(part, "..")) error = EXDEV;
        else {
            fd = openat(at, part, O_CLOEXEC | O_NOFOLLOW | (next ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK));
            error = errno;
        }
        close(at);
        at = fd;
    }
    buf_free(&own);
    if (at >= 0 && fd < 0) { /* no part at all */
        close(at);
        error = EISDIR;
    }
    errno = error;
    return fd;
}

static const char *why_not(int error) {
    return error == EXDEV ? "the path leads out of warm-dir" : error == ELOOP ? "symbolic links are not followed" : strerror(error);
}

/* -- at the start -------------------------------------------------------------------------------------------------------------------- */

struct starting {
    struct env *e;
    unsigned added;
    bool wrong;
};

/* A path of the conf: relative to `dir`, which is the working folder. `may_miss`: it need not be there. */
static void add_file(struct starting *s, const char *path, bool may_miss) {
    struct buf why = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && may_miss) return;
    if (fd < 0) buf_puts(&why, strerror(errno));
    if (fd >= 0 && warmup_looks_right(fd, &why)) {
        struct warmup_request r = request_of(s->e, path, fd);
        if (warmup_add(s->e->warmup, &r)) {
            s->added++;
            buf_free(&why);
            return;
        }
        buf_puts(&why, "no thread to be had for it");
        fd = -1;
    }
    log_warning("Cannot load %s: %s. THE CACHE STARTS WITHOUT IT; nothing will be saved over that file", path, buf_cstr(&why));
    warmup_unreadable(s->e->warmup, path, fd, buf_cstr(&why));
    s->wrong = true;
    buf_free(&why);
}

bool warming_start(struct env *e) {
    struct starting s = {.e = e};
    struct buf text = {0};
    bool blocking = option_get(&e->config.warm_blocking);
    atomic_store(&e->loading, blocking);
    option_or(e, "dbfilename", "dump.larder", &text);
    add_file(&s, buf_cstr(&text), true);
    option_or(e, "warm-file", "", &text);
    for (char *rest = NULL, *p = strtok_r(buf_cstr(&text), " ", &rest); p; p = strtok_r(NULL, " ", &rest)) add_file(&s, p, false);
    buf_free(&text);
    if (!s.added) atomic_store(&e->loading, false);
    if (!s.wrong || !(blocking || option_get(&e->config.warm_strict))) return true;
    log_warning("A snapshot cannot be loaded, and warm-blocking or warm-strict is set: exiting. Move the file away to start empty");
    return false;
}

void warming_stop(struct env *e) {
    if (!e->warmup) return;
    atomic_store(&e->warming_ends, true);
    atomic_store(&e->loading, false);
    warmup_cancel(e->warmup);
    warmup_wait(e->warmup);
}

/* -- figures --------------------------------------------------------------------------------------------------------------------------- */

static double percent(const struct warmup_facts *f) { return f->bytes ? 100.0 * (double)f->bytes_done / (double)f->bytes : 0; }

void warming_info(struct env *e, struct buf *out) {
    struct warmup_facts f;
    warmup_facts(e->warmup, &f);
    bool on = f.state == WARMUP_RUNNING, blocking = atomic_load(&e->loading);
    buf_printf(out, "loading:%d\r\nasync_loading:%d\r\n", blocking, on && !blocking);
    if (on)
        buf_printf(out, "loading_start_time:%" PRId64 "\r\nloading_total_bytes:%" PRIu64 "\r\nloading_loaded_bytes:%" PRIu64
            "\r\nloading_loaded_perc:%.2f\r\nloading_eta_seconds:%.0f\r\n",
            f.started_ms / 1000, f.bytes, f.bytes_done, percent(&f), f.eta < 0 ? 1 : f.eta);
    buf_printf(out, "warm_state:%s\r\n", warmup_state_name(f.state));
    if (f.state == WARMUP_NONE) return;
    buf_printf(out, "warm_file:%s\r\nwarm_format:%s\r\nwarm_waiting_files:%u\r\nwarm_keys_loaded:%" PRIu64 "\r\nwarm_keys_present:%" PRIu64
        "\r\nwarm_keys_buried:%" PRIu64 "\r\nwarm_keys_expired:%" PRIu64 "\r\nwarm_keys_without_room:%" PRIu64
        "\r\nwarm_damaged:%" PRIu64 "\r\nwarm_passed_by:%" PRIu64 "\r\nwarm_seconds:%.3f\r\nwarm_keys_per_sec:%.0f\r\n",
        f.path, f.format, f.waiting, f.loaded, f.present, f.buried, f.expired, f.no_room, f.damaged, f.passed_by, f.seconds, f.rate);
    if (f.why[0]) buf_printf(out, "warm_error:%s\r\n", f.why);
}

bool warming_status(struct env *e, struct buf *out) {
    struct warmup_facts f;
    warmup_facts(e->warmup, &f);
    if (f.state != WARMUP_RUNNING) return false;
    buf_printf(out, "warming from %s: %.0f %%, %" PRIu64 " keys, %.0f a second, %.0f seconds left", f.path, percent(&f), f.loaded, f.rate,
        f.eta < 0 ? 0 : f.eta);
    return true;
}

/* -- CACHE WARM -------------------------------------------------------------------------------------------------------------------------- */

static void put_number(struct resp_writer *w, const char *name, uint64_t v) {
    resp_text(w, name);
    resp_int(w, (int64_t)v);
}

static void run_status(struct call *c) {
    struct warmup_facts f;
    struct resp_writer *w = c->w;
    warmup_facts(call_env(c)->warmup, &f);
    resp_map(w, 20);
    resp_text(w, "state");
    resp_text(w, warmup_state_name(f.state));
    resp_text(w, "file");
    resp_text(w, f.path);
    resp_text(w, "format");
    resp_text(w, f.format);
    put_number(w, "waiting-files", f.waiting);
    put_number(w, "bytes", f.bytes);
    put_number(w, "bytes-done", f.bytes_done);
    put_number(w, "keys", f.keys);
    put_number(w, "loaded", f.loaded);
    put_number(w, "present", f.present);
    put_number(w, "buried", f.buried);
    put_number(w, "expired", f.expired);
    put_number(w, "filtered", f.filtered);
    put_number(w, "no-room", f.no_room);
    put_number(w, "out-of-range", f.out_of_range);
    put_number(w, "damaged", f.damaged);
    put_number(w, "passed-by", f.passed_by);
    put_number(w, "ms", (uint64_t)(f.seconds * 1000));
    put_number(w, "keys-per-second", (uint64_t)f.rate);
    resp_text(w, "eta-seconds");
    resp_int(w, f.eta < 0 ? -1 : (int64_t)f.eta);
    resp_text(w, "error");
    resp_text(w, f.why);
}

static bool parse(struct call *c, struct warmup_request *r) {
    int64_t v;
    for (int i = 3; i < c->argc; i++) {
        bool more = i + 1 < c->argc;
        if (call_is(c, i, "replace")) {
            r->replace = true;
        } else if (more && call_is(c, i, "match")) {
            r->pattern = c->argv[++i];
        } else if (more && call_is(c, i, "db")) {
            if (!num_i64(c->argv[++i], &v) || v < 0 || v >= option_get(&call_env(c)->store_config.databases)) {
                reply_error(c, "ERR DB index is out of range");
                return false;
            }
            r->db = (int)v;
        } else if (more && call_is(c, i, "maxttl")) {
            if (!num_i64(c->argv[++i], &v) || v <= 0 || v > INT32_MAX) {
                reply_error(c, "ERR MAXTTL is not a number of seconds above 0");
                return false;
            }
            r->max_ttl_ms = v * 1000;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static void run_path(struct call *c) {
    struct env *e = call_env(c);
    struct buf folder = {0}, path = {0}, why = {0};
    struct warmup_request r = request_of(e, NULL, -1);
    if (!parse(c, &r)) return;
    option_or(e, "warm-dir", ".", &folder);
    buf_put(&path, c->argv[2].p, c->argv[2].n);
    r.path = buf_cstr(&path);
    if (warmup_running(e->warmup)) reply_error(c, "ERR A warm-up is already in progress");
    else if (memchr(path.p, 0, path.n)) reply_error(c, "ERR Invalid path");
    else if ((r.fd = open_below(buf_cstr(&folder), r.path)) < 0) reply_errorf(c, "ERR Cannot open the file: %s", why_not(errno));
    else if (!warmup_looks_right(r.fd, &why)) {
        close(r.fd);
        reply_errorf(c, "ERR Cannot load the file: %s", buf_cstr(&why));
    } else if (!warmup_add(e->warmup, &r)) reply_error(c, "ERR No thread to be had for it");
    else resp_simple(c->w, "Warming started");
    buf_free(&folder);
    buf_free(&path);
    buf_free(&why);
}

void warming_run(struct call *c) {
    if (c->argc == 3 && call_is(c, 2, "status")) run_status(c);
    else if (c->argc != 3 || !call_is(c, 2, "cancel")) run_path(c);
    else if (warmup_cancel(call_env(c)->warmup)) resp_ok(c->w);
    else reply_error(c, "ERR No warm-up is in progress");
}
