#include "server/process.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define OWN_FILES 32 /* as Redis keeps back: log, listeners, epoll and event descriptors */

bool process_daemonize(void) {
    pid_t pid = fork();
    if (pid < 0) return false;
    if (pid) _exit(0);
    if (setsid() < 0) return false;
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0) return false;
    for (int to = 0; to <= 2; to++)
        if (dup2(fd, to) < 0) return false;
    if (fd > 2) close(fd);
    return true;
}

bool process_write_pid(const char *path) {
    FILE *f = fopen(path, "we");
    if (f && fprintf(f, "%ld\n", (long)getpid()) > 0 && !fclose(f)) return true;
    log_warning("Failed to write PID file: %s: %s", path, strerror(errno));
    return false;
}

int64_t process_raise_files(int64_t clients) {
    struct rlimit now;
    rlim_t want = (rlim_t)clients + OWN_FILES;
    if (getrlimit(RLIMIT_NOFILE, &now)) {
        log_warning("Unable to read the limit of open files (%s), assuming 1024 and setting maxclients accordingly.",
            strerror(errno));
        return 1024 - OWN_FILES;
    }
    if (now.rlim_cur >= want) return clients;
    /* As high as it goes: with the hard limit too where that is allowed, else up to the hard limit. */
    struct rlimit more = {want, now.rlim_max > want ? now.rlim_max : want};
    if (setrlimit(RLIMIT_NOFILE, &more)) {
        more = (struct rlimit){now.rlim_max, now.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &more)) more = now;
    }
    if (more.rlim_cur >= want) {
        log_notice("Increased maximum number of open files to %" PRIu64 " (it was originally set to %" PRIu64 ").",
            (uint64_t)want, (uint64_t)now.rlim_cur);
        return clients;
    }
    int64_t can = (int64_t)more.rlim_cur - OWN_FILES;
    if (can < 1) can = 1;
    log_warning("You requested maxclients of %" PRId64 " requiring at least %" PRIu64 " max file descriptors.", clients,
        (uint64_t)want);
    log_warning("The limit of open files is %" PRIu64 ". maxclients has been reduced to %" PRId64
                " to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
        (uint64_t)more.rlim_cur, can);
    return can;
}

static bool file_number(const char *path, long *out) {
    FILE *f = fopen(path, "re");
    if (!f) return false;
    bool ok = fscanf(f, "%ld", out) == 1;
    fclose(f);
    return ok;
}

void process_check_kernel(int64_t backlog, bool disable_thp) {
    long most;
    if (file_number("/proc/sys/net/core/somaxconn", &most) && most > 0 && most < backlog)
        log_warning("The TCP backlog setting of %" PRId64
                    " cannot be enforced because /proc/sys/net/core/somaxconn is set to the lower value of %ld.",
            backlog, most);
    if (disable_thp) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* huge pages keep memory that churn has freed */
}

/* -- title ---------------------------------------------------------------------------------------------------------------- */

void process_title_start(struct process_title *title, int argc, char **argv) {
    *title = (struct process_title){0};
    if (argc < 1) return;
    char *end = argv[0] + strlen(argv[0]) + 1;
    for (int i = 1; i < argc && argv[i] == end; i++) end = argv[i] + strlen(argv[i]) + 1;
    for (int i = 0; environ[i] && environ[i] == end; i++) end = environ[i] + strlen(environ[i]) + 1;
    /* The environment goes on to live elsewhere, until the process ends. */
    for (int i = 0; environ[i]; i++) {
        char *copy = strdup(environ[i]);
        if (!copy) return;
        environ[i] = copy;
    }
    title->at = argv[0];
    title->room = (size_t)(end - argv[0]);
}

void process_title_set(struct process_title *title, const char *text) {
    if (title->room < 2) return;
    memset(title->at, 0, title->room);
    snprintf(title->at, title->room, "%s", text);
}

void process_title_fill(const char *template, const struct process_title_parts *parts, struct buf *out) {
    char port[16];
    snprintf(port, sizeof port, "%d", parts->port);
    const char *const names[][2] = {{"{title}", parts->title}, {"{listen-addr}", parts->listen_addr},
        {"{server-mode}", ""}, {"{port}", port}, {"{tls-port}", "0"}, {"{unixsocket}", parts->unixsocket},
        {"{config-file}", parts->config_file}};
    while (*template) {
        size_t i = 0, n = sizeof names / sizeof *names;
        while (i < n && strncmp(template, names[i][0], strlen(names[i][0]))) i++;
        if (i < n) {
            buf_puts(out, names[i][1]);
            template += strlen(names[i][0]);
        } else {
            buf_put(out, template++, 1);
        }
    }
    while (out->n && out->p[out->n - 1] == ' ') out->n--;
    buf_cstr(out);
}
