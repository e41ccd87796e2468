#include "base/log.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_ 1024

/* One log a process, as there is one standard output and one connection to syslog. */
static struct {
    _Atomic int level, fd;
    _Atomic bool syslog;
    struct lock lock; /* around a change of destination and each write: no line goes to a closed file */
    char *path;       /* NULL: standard output */
    char ident[64];   /* syslog keeps the pointer */
} log_state = {.level = LOG_NOTICE_, .fd = STDOUT_FILENO};

void log_level_set(enum log_level level) { atomic_store(&log_state.level, (int)level); }
enum log_level log_level_get(void) { return (enum log_level)atomic_load(&log_state.level); }
int log_fd(void) { return atomic_load(&log_state.fd); }

static int log_open(const char *path) { return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644); }

static void log_redirect(int fd) {
    int before = atomic_exchange(&log_state.fd, fd);
    if (before != STDOUT_FILENO) close(before);
}

bool log_file_set(const char *path) {
    bool standard = !path || !*path;
    int fd = standard ? STDOUT_FILENO : log_open(path);
    if (fd < 0) return false;
    char *name = standard ? NULL : mem_strdup(MEM_MISC, path);
    lock_acquire(&log_state.lock);
    log_redirect(fd);
    char *old = log_state.path;
    log_state.path = name;
    lock_release(&log_state.lock);
    mem_free(MEM_MISC, old);
    return true;
}

bool log_reopen(void) {
    bool ok = true;
    int error = 0;
    lock_acquire(&log_state.lock);
    if (log_state.path) {
        int fd = log_open(log_state.path);
        ok = fd >= 0;
        if (ok) {
            log_redirect(fd);
        } else {
            error = errno;
        }
    }
    lock_release(&log_state.lock);
    if (!ok) errno = error;
    return ok;
}

void log_syslog_set(bool on, const char *ident, int facility) {
    lock_acquire(&log_state.lock);
    if (atomic_exchange(&log_state.syslog, false)) closelog();
    if (on) {
        snprintf(log_state.ident, sizeof log_state.ident, "%s", ident ? ident : "");
        openlog(log_state.ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, facility);
        atomic_store(&log_state.syslog, true);
    }
    lock_release(&log_state.lock);
}

/* "1234:M 21 Nov 2026 05:19:03.123 * " */
static size_t log_prefix(char *line, size_t room, enum log_level level) {
    static const char month[12][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct timeval now;
    struct tm t;
    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &t);
    int n = snprintf(line, room, "%d:M %02d %s %04d %02d:%02d:%02d.%03d %c ", (int)getpid(), t.tm_mday,
        month[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec, (int)(now.tv_usec / 1000),
        ".-*#"[level]);
    return (size_t)n;
}

/* A short write is finished; a line that the disk refuses is lost, as there is nowhere left to say so. */
static void log_send(const char *line, size_t n) {
    while (n) {
        ssize_t done = write(log_fd(), line, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return;
        line += done;
        n -= (size_t)done;
    }
}

void log_write(enum log_level level, const char *format, ...) {
    static const int priority[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};
    if (level >= LOG_NOTHING_ || (int)level < atomic_load_explicit(&log_state.level, memory_order_relaxed))
        return;
    int saved = errno;
    char line[128 + LINE_MAX_];
    size_t head = log_prefix(line, 128, level), text;
    va_list args;
    va_start(args, format);
    errno = saved; /* for %m */
    int n = vsnprintf(line + head, LINE_MAX_, format, args);
    va_end(args);
    text = n < 0 ? 0 : n < LINE_MAX_ ? (size_t)n : LINE_MAX_ - 1;
    lock_acquire(&log_state.lock);
    if (atomic_load(&log_state.syslog)) syslog(priority[level], "%.*s", (int)text, line + head);
    line[head + text] = '\n';
    log_send(line, head + text + 1);
    lock_release(&log_state.lock);
    errno = saved;
}
