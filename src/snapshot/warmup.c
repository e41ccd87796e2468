#include "snapshot/warmup_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "snapshot/rdb_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_EVERY_US 5000000
#define NICE 5
#define DAMAGE_LINES 20 /* of the log, about one file */

/* -- files ---------------------------------------------------------------------------------------------------------------------- */

static struct warmup_file *file_of(const struct warmup_request *r) {
    struct warmup_file *f = mem_zalloc(MEM_MISC, sizeof *f);
    struct stat st = {0};
    f->request = *r;
    f->path = mem_strdup(MEM_MISC, r->path);
    buf_put(&f->pattern, r->pattern.p, r->pattern.n);
    f->request.path = f->path;
    f->request.pattern = buf_slice(&f->pattern);
    if (!(r->fd >= 0 ? fstat(r->fd, &st) : stat(r->path, &st))) {
        f->dev = st.st_dev;
        f->ino = st.st_ino;
        f->mtime = st.st_mtim;
    }
    return f;
}

static void file_drop(struct warmup_file *f) {
    if (f->request.fd >= 0) close(f->request.fd);
    mem_free(MEM_MISC, f->path);
    buf_free(&f->pattern);
    mem_free(MEM_MISC, f);
}

static void list_drop(struct warmup_file *f) {
    for (struct warmup_file *next; f; f = next) {
        next = f->next;
        file_drop(f);
    }
}

/* The number of an inode may be given again once a file is removed, so its time is looked at too. */
static bool list_has(const struct warmup_file *f, const struct stat *st) {
    for (; f; f = f->next)
        if (f->dev == st->st_dev && f->ino == st->st_ino && f->mtime.tv_sec == st->st_mtim.tv_sec && f->mtime.tv_nsec == st->st_mtim.tv_nsec)
            return true;
    return false;
}

const char *warmup_guards(struct warmup *w, const char *path) {
    struct stat st;
    const char *why = NULL;
    if (!w || stat(path, &st)) return NULL;
    pthread_mutex_lock(&w->mutex);
    if (list_has(w->file, &st) || list_has(w->waiting, &st)) why = "that file is still being loaded";
    else if (list_has(w->unreadable, &st)) why = "that file could not be read: move it away first";
    pthread_mutex_unlock(&w->mutex);
    return why;
}

bool warmup_gave_up(struct warmup *w, const char *path) {
    struct stat st;
    if (!w || stat(path, &st)) return false;
    pthread_mutex_lock(&w->mutex);
    bool given_up = list_has(w->given_up, &st);
    pthread_mutex_unlock(&w->mutex);
    return given_up;
}

void warmup_forget(struct warmup *w) {
    if (!w) return;
    pthread_mutex_lock(&w->mutex);
    struct warmup_file *dropped = w->given_up;
    w->given_up = NULL;
    pthread_mutex_unlock(&w->mutex);
    list_drop(dropped);
}

bool warmup_looks_right(int fd, struct buf *why) {
    uint8_t head[NATIVE_HEAD] = {0};
    struct native_head h;
    struct stat st;
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0 || fstat(fd, &st)) {
        buf_puts(why, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        buf_puts(why, "not a regular file");
    } else if (rdb_file_looks_right(head, (size_t)n)) {
        return true;
    } else if (n < (ssize_t)sizeof head || memcmp(head, NATIVE_MAGIC, 8) != 0) {
        buf_puts(why, "neither a snapshot of larder's nor an RDB file");
    } else {
        enum native_status s = native_get_head(head, &h);
        if (!s) return true;
        if (s == NATIVE_NEWER) buf_printf(why, "its format is of version %u.%u; this program reads up to version %u", h.major, h.minor, NATIVE_MAJOR);
        else buf_puts(why, "its head is damaged");
    }
    return false;
}

/* -- what is said ----------------------------------------------------------------------------------------------------------------- */

const char *warmup_state_name(enum warmup_state s) {
    static const char *const names[] = {"none", "running", "done", "full", "cancelled", "failed"};
    return names[s];
}

void warmup_failed(struct warmup *w, const char *why) {
    pthread_mutex_lock(&w->mutex);
    snprintf(w->why, sizeof w->why, "%s", why);
    pthread_mutex_unlock(&w->mutex);
}

void warmup_damaged(struct warmup *w, const char *what) {
    uint64_t before = atomic_fetch_add(&w->count.damaged, 1);
    if (before < DAMAGE_LINES) log_warning("Warming from %s: %s", w->file->path, what);
    if (!w->strict) return;
    warmup_failed(w, what);
    atomic_store(&w->broken, true);
}

static double seconds_of(const struct warmup *w) {
    int64_t end = w->ended_us ? w->ended_us : clock_mono_us();
    return w->started_us ? (double)(end - w->started_us) / 1e6 : 0;
}

/* Files that wait count as running: who sees another state may add one. */
static void facts(struct warmup *w, struct warmup_facts *out) {
    struct warmup_count *c = &w->count;
    *out = (struct warmup_facts){.state = w->running ? WARMUP_RUNNING : w->state, .started_ms = w->started_ms, .seconds = seconds_of(w), .bytes = c->bytes,
        .bytes_done = c->bytes_done, .keys = c->keys, .loaded = c->loaded, .present = c->present, .buried = c->buried,
        .expired = c->expired, .filtered = c->filtered, .no_room = c->no_room, .out_of_range = c->out_of_range, .damaged = c->damaged,
        .passed_by = c->passed_by, .loaded_ever = w->loaded_ever, .expired_ever = w->expired_ever, .eta = -1};
    if (out->bytes_done > out->bytes) out->bytes_done = out->bytes;
    for (const struct warmup_file *f = w->waiting; f; f = f->next) out->waiting++;
    if (out->seconds > 0) out->rate = (double)out->loaded / out->seconds;
    if (out->state == WARMUP_RUNNING && out->bytes_done)
        out->eta = out->seconds * (double)(out->bytes - out->bytes_done) / (double)out->bytes_done;
    memcpy(out->path, w->path, sizeof out->path);
    memcpy(out->format, w->format, sizeof out->format);
    memcpy(out->why, w->why, sizeof out->why);
}

void warmup_facts(struct warmup *w, struct warmup_facts *out) {
    pthread_mutex_lock(&w->mutex);
    facts(w, out);
    pthread_mutex_unlock(&w->mutex);
}

void warmup_progress(struct warmup *w) {
    struct warmup_facts f;
    int64_t now = clock_mono_us();
    if (now - w->logged_us < LOG_EVERY_US) return;
    w->logged_us = now;
    warmup_facts(w, &f);
    log_notice("Warming from %s: %.0f %%, %" PRIu64 " keys, %.0f keys a second, about %.0f seconds left", f.path,
        f.bytes ? 100.0 * (double)f.bytes_done / (double)f.bytes : 0.0, f.loaded, f.rate, f.eta < 0 ? 0 : f.eta);
}

static void say_end(const struct warmup_facts *f) {
    static const char *const how[] = {"", "", "done", "maxmemory is reached, the rest is left out", "cancelled", "FAILED: "};
    bool failed = f->state == WARMUP_FAILED;
    log_write(failed ? LOG_WARNING_ : LOG_NOTICE_,
        "Warming from %s: %s%s. %" PRIu64 " keys in %.3f seconds (%.0f a second); left out: %" PRIu64 " there already, %" PRIu64
        " deleted or invalidated meanwhile, %" PRIu64 " expired, %" PRIu64 " not asked for, %" PRIu64 " without room, %" PRIu64
        " of kinds that there is no place for; %" PRIu64 " damaged parts",
        f->path, how[f->state], failed ? f->why : "", f->loaded, f->seconds, f->rate, f->present, f->buried, f->expired, f->filtered,
        f->no_room, f->passed_by, f->damaged);
    if (f->out_of_range)
        log_warning("Warming from %s: %" PRIu64 " keys are of databases that there are none of: see `databases`", f->path, f->out_of_range);
}

/* -- running ------------------------------------------------------------------------------------------------------------------------ */

static void begin(struct warmup *w) {
    uint8_t head[9] = {0};
    ssize_t n = pread(w->file->request.fd, head, sizeof head, 0);
    struct stat st = {0};
    fstat(w->file->request.fd, &st);
    pthread_mutex_lock(&w->mutex);
    memset(&w->count, 0, sizeof w->count);
    w->state = WARMUP_RUNNING;
    w->why[0] = 0;
    snprintf(w->path, sizeof w->path, "%s", w->file->path);
    snprintf(w->format, sizeof w->format, "%s", rdb_file_looks_right(head, n < 0 ? 0 : (size_t)n) ? "rdb" : "native");
    w->count.bytes = (uint64_t)st.st_size;
    w->started_ms = clock_ms();
    w->started_us = w->logged_us = clock_mono_us();
    w->ended_us = 0;
    w->strict = option_get(w->config.strict);
    atomic_store(&w->full, false);
    atomic_store(&w->broken, false);
    pthread_mutex_unlock(&w->mutex);
    posix_fadvise(w->file->request.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    log_notice("Warming from %s (%s, %" PRIu64 " bytes), %u threads", w->path, w->format, (uint64_t)st.st_size, w->threads);
}

static void file_shut(struct warmup_file *f) {
    if (f->request.fd >= 0) close(f->request.fd);
    f->request.fd = -1;
}

static void list_add(struct warmup_file **list, struct warmup_file *f) {
    file_shut(f);
    f->next = *list;
    *list = f;
}

static void list_forget(struct warmup_file **list, const struct warmup_file *whole) {
    while (*list) {
        struct warmup_file *f = *list;
        bool same = f->dev == whole->dev && f->ino == whole->ino;
        if (!same) {
            list = &f->next;
            continue;
        }
        *list = f->next;
        file_drop(f);
    }
}

static bool wants_all(const struct warmup_request *r) { return !r->pattern.n && r->db < 0 && !r->max_ttl_ms; }

/* All of it was wanted, so what is not loaded is missed. */
static void give_up(struct warmup *w, struct warmup_file *f) {
    if (wants_all(&f->request)) {
        list_forget(&w->given_up, f);
        list_add(&w->given_up, f);
    } else {
        file_drop(f);
    }
}

/* A file that could not be read, or was given up, stays known: no save writes over it, or loses it. */
static void end(struct warmup *w, bool ok) {
    struct warmup_facts f;
    pthread_mutex_lock(&w->mutex);
    w->state = atomic_load(&w->cancelled) ? WARMUP_CANCELLED : !ok || atomic_load(&w->broken) ? WARMUP_FAILED
        : atomic_load(&w->full) ? WARMUP_FULL : WARMUP_DONE;
    atomic_store(&w->cancelled, false);
    w->ended_us = clock_mono_us();
    struct warmup_file *done = w->file;
    w->file = NULL;
    if (w->state == WARMUP_DONE && wants_all(&done->request)) list_forget(&w->given_up, done);
    if (w->state == WARMUP_FAILED) list_add(&w->unreadable, done);
    else if (w->state == WARMUP_CANCELLED) give_up(w, done);
    else file_drop(done);
    facts(w, &f);
    f.state = w->state;
    pthread_mutex_unlock(&w->mutex);
    say_end(&f);
}

static bool next_file(struct warmup *w) {
    pthread_mutex_lock(&w->mutex);
    w->file = w->waiting;
    if (w->file && !(w->waiting = w->file->next)) w->last = &w->waiting;
    if (w->file) w->file->next = NULL;
    pthread_mutex_unlock(&w->mutex);
    return w->file;
}

/* Threads that take memory are known to whoever compares it with maxmemory. */
static void count_threads(struct warmup *w, int64_t more) { atomic_fetch_add(&w->config.store_config->threads, more); }

static unsigned wanted_threads(const struct warmup *w) {
    int64_t wish = option_get(w->config.threads);
    cpu_set_t set;
    if (wish <= 0) wish = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return wish > WARMUP_THREADS ? WARMUP_THREADS : (unsigned)wish;
}

/* Nothing was added meanwhile. What clients delete is remembered until this is known, without a gap. */
static bool finished(struct warmup *w) {
    pthread_mutex_lock(&w->mutex);
    bool finished = !w->waiting;
    if (finished) {
        warm_end(w->config.store);
        if (w->config.over) w->config.over(w->config.arg, w->unreadable ? w->unreadable->path : NULL);
        w->running = false;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
    return finished;
}

static void *run(void *arg) {
    struct warmup *w = arg;
    thread_name("warm");
    mem_leave_to_background();
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    w->threads = wanted_threads(w);
    count_threads(w, (int64_t)w->threads + 1);
    do {
        while (next_file(w)) {
            begin(w);
            bool native = !strcmp(w->format, "native");
            bool ok = native ? warmup_native(w) : warmup_rdb(w);
            warm_settle(w->config.store);
            end(w, ok);
        }
    } while (!finished(w));
    count_threads(w, -(int64_t)w->threads - 1);
    return NULL;
}

/* -- from outside ------------------------------------------------------------------------------------------------------------------- */

struct warmup *warmup_new(const struct warmup_config *c) {
    struct warmup *w = mem_zalloc(MEM_MISC, sizeof *w);
    w->config = *c;
    w->last = &w->waiting;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    for (unsigned i = 0; i < WARMUP_THREADS; i++) w->stats[i] = mem_zalloc(MEM_MISC, sizeof *w->stats[i]);
    return w;
}

void warmup_free(struct warmup *w) {
    if (!w) return;
    warmup_cancel(w);
    if (w->joinable) pthread_join(w->thread, NULL);
    list_drop(w->unreadable);
    list_drop(w->given_up);
    for (unsigned i = 0; i < WARMUP_THREADS; i++) mem_free(MEM_MISC, w->stats[i]);
    pthread_mutex_destroy(&w->mutex);
    pthread_cond_destroy(&w->changed);
    mem_free(MEM_MISC, w);
}

/* From here on what clients delete wins, whenever the thread begins to run. */
static bool start(struct warmup *w) {
    bool begun = warm_begin(w->config.store);
    assert(begun);
    (void)begun;
    if (!pthread_create(&w->thread, NULL, run, w)) return true;
    warm_end(w->config.store);
    return false;
}

bool warmup_add(struct warmup *w, const struct warmup_request *r) {
    struct warmup_file *f = file_of(r);
    bool ok = true;
    pthread_mutex_lock(&w->mutex);
    if (!w->running) {
        if (w->joinable) pthread_join(w->thread, NULL);
        memset(&w->count, 0, sizeof w->count);
        snprintf(w->path, sizeof w->path, "%s", f->path);
        w->started_us = 0;
        w->why[0] = 0;
        *w->last = f;
        w->last = &f->next;
        w->running = w->joinable = ok = start(w);
        if (!ok) {
            w->waiting = NULL;
            w->last = &w->waiting;
            file_drop(f);
        }
    } else {
        *w->last = f;
        w->last = &f->next;
    }
    pthread_mutex_unlock(&w->mutex);
    return ok;
}

void warmup_unreadable(struct warmup *w, const char *path, int fd, const char *why) {
    struct warmup_file *f = file_of(&(struct warmup_request){.path = path, .fd = fd});
    pthread_mutex_lock(&w->mutex);
    list_add(&w->unreadable, f);
    if (w->state == WARMUP_NONE) {
        w->state = WARMUP_FAILED;
        snprintf(w->path, sizeof w->path, "%s", path);
        snprintf(w->why, sizeof w->why, "%s", why);
    }
    pthread_mutex_unlock(&w->mutex);
}

bool warmup_cancel(struct warmup *w) {
    pthread_mutex_lock(&w->mutex);
    bool any = w->file || w->waiting;
    while (w->waiting) {
        struct warmup_file *f = w->waiting;
        w->waiting = f->next;
        give_up(w, f);
    }
    w->last = &w->waiting;
    if (w->file) atomic_store(&w->cancelled, true);
    pthread_mutex_unlock(&w->mutex);
    return any;
}

bool warmup_running(struct warmup *w) {
    pthread_mutex_lock(&w->mutex);
    bool running = w->running;
    pthread_mutex_unlock(&w->mutex);
    return running;
}

void warmup_wait(struct warmup *w) {
    pthread_mutex_lock(&w->mutex);
    while (w->running) pthread_cond_wait(&w->changed, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}
