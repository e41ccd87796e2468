#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/feed.h"
#include "command/persist.h"
#include "command/version.h"
#include "command/warming.h"
#include "server/crash.h"
#include "server/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* -- settings that change while it runs ---------------------------------------------------------------------------------- */

static const char *maxclients_changed(struct server *s) {
    int64_t wish = option_get(&s->env->config.maxclients), can = process_raise_files(wish);
    static _Thread_local char why[128]; /* it is read before this thread's next change */
    if (can >= wish) return NULL;
    snprintf(why, sizeof why,
        "The operating system is not able to handle the specified number of clients, try with %" PRId64, can);
    return why;
}

static const char *setting_changed(void *arg, const char *name) {
    struct server *s = arg;
    if (!strcmp(name, "port") || !strcmp(name, "bind") || !strcmp(name, "tcp-backlog")) return server_socket_changed(s);
    if (!strcmp(name, "crash-log-enabled")) {
        if (option_get(&s->settings.server.crash_log))
            crash_start(s->env);
        else
            crash_stop();
    }
    if (!strcmp(name, "maxclients")) return maxclients_changed(s);
    return NULL;
}

/* -- opening -------------------------------------------------------------------------------------------------------------- */

static void complain(const char *what, struct buf *why) {
    fprintf(stderr, "larderd: %s%s\n", what, why->n ? buf_cstr(why) : "");
    log_warning("%s%s", what, why->n ? buf_cstr(why) : "");
}

static bool apply_settings(struct server *s, const struct conf *conf, struct buf *why) {
    settings_bind(&s->settings, s->env->options, &s->env->config, &s->env->store_config);
    if (!conf_apply(conf, s->env->options, why)) {
        complain("", why);
        return false;
    }
    const char *error = settings_ready(&s->settings, why);
    if (!error) return true;
    if (!why->n) buf_puts(why, error);
    complain("", why);
    return false;
}

static bool to_background(struct server *s, struct buf *why) {
    struct server_config *c = &s->settings.server;
    s->supervised = notify_supervisor((enum supervised)option_get(&c->supervised));
    bool background = option_get(&c->daemonize) && s->supervised == SUPERVISED_NO;
    if (background && !process_daemonize()) {
        buf_printf(why, "cannot go to the background: %s", strerror(errno));
        complain("", why);
        return false;
    }
    mem_background();
    struct buf path = {0};
    option_text(s->env->options, "pidfile", &path);
    if (path.n || background) {
        const char *file = path.n ? buf_cstr(&path) : "/var/run/larderd.pid";
        if (process_write_pid(file)) s->pidfile = mem_strdup(MEM_MISC, file);
    }
    buf_free(&path);
    return true;
}

static bool start_workers(struct server *s, struct buf *why) {
    s->worker = mem_zalloc(MEM_MISC, s->env->lanes * sizeof *s->worker);
    for (; s->workers < s->env->lanes; s->workers++) {
        int rc = worker_init(&s->worker[s->workers], s, s->env->lane[s->workers]);
        if (!rc) continue;
        buf_printf(why, "cannot make an event loop: %s", strerror(-rc));
        complain("", why);
        return false;
    }
    s->worker[0].thread = pthread_self();
    return true;
}

static void set_title(struct server *s) {
    if (!option_get(&s->settings.server.set_proc_title)) return;
    struct buf template = {0}, text = {0}, bind = {0};
    option_text(s->env->options, "proc-title-template", &template);
    option_text(s->env->options, "bind", &bind);
    const char *path = listen_path(s->listener);
    int port = (int)atomic_load(&s->env->port);
    char address[256];
    if (port)
        snprintf(address, sizeof address, "%.*s:%d", (int)strcspn(buf_cstr(&bind), " "), bind.p, port);
    else
        snprintf(address, sizeof address, "%s", path ? path : "");
    struct process_title_parts parts = {.title = "larderd",
        .listen_addr = address,
        .unixsocket = path ? path : "",
        .config_file = s->env->config_file,
        .port = port};
    process_title_fill(buf_cstr(&template), &parts, &text);
    process_title_set(&s->title, buf_cstr(&text));
    buf_free(&template);
    buf_free(&text);
    buf_free(&bind);
}

/* The line that others wait for. */
static void say_ready(const struct server *s) {
    struct buf where = {0};
    int64_t port = atomic_load(&s->env->port);
    const char *path = listen_path(s->listener);
    if (port) buf_printf(&where, " tcp:%" PRId64, port);
    if (path) buf_printf(&where, " unix:%s", path);
    log_notice("Ready to accept connections%s", buf_cstr(&where));
    if (s->supervised == SUPERVISED_SYSTEMD) notify_ready("Ready to accept connections");
    buf_free(&where);
}

static void say_start(const struct server *s) {
    log_notice("larderd %s (as Redis %s) starting, pid %ld, %u thread%s, %s", LARDER_VERSION, REDIS_VERSION,
        (long)getpid(), s->env->lanes, s->env->lanes == 1 ? "" : "s", mem_allocator());
    if (s->env->config_file[0])
        log_notice("Configuration loaded from %s", s->env->config_file);
    else
        log_warning("No config file given, using the default config. To say otherwise: larderd /path/to/larder.conf");
    if (!option_get(&s->env->store_config.maxmemory))
        log_notice("maxmemory is 0: there is no limit to how much memory the cache takes");
}

static bool open_sockets(struct server *s, struct buf *why) {
    s->listener = server_listen(s, why);
    if (!s->listener) complain("", why);
    return s->listener;
}

bool server_open(struct server *s, const struct conf *conf, int argc, char **argv) {
    struct buf why = {0};
    memset(s, 0, sizeof *s);
    s->host = server_host();
    s->env = env_new(conf_threads(conf));
    s->env->host = &s->host;
    s->env->executable = realpath("/proc/self/exe", NULL);
    if (!s->env->executable) s->env->executable = strdup("");
    s->env->config_file = strdup(conf_path(conf));
    bool ok = apply_settings(s, conf, &why) && open_sockets(s, &why) && to_background(s, &why);
    if (ok) {
        say_start(s);
        const struct server_config *c = &s->settings.server;
        process_check_kernel(option_get(&c->tcp_backlog), option_get(&c->disable_thp));
        atomic_store(&s->env->config.maxclients, process_raise_files(option_get(&s->env->config.maxclients)));
        process_title_start(&s->title, argc, argv);
        atomic_store(&s->env->store_config.threads, s->env->lanes);
        atomic_store(&s->env->store_config.active_expire, 1);
        env_open(s->env);
        if (option_get(&c->crash_log)) crash_start(s->env);
        ok = warming_start(s->env) && start_workers(s, &why);
    }
    buf_free(&why);
    return ok;
}

/* -- running -------------------------------------------------------------------------------------------------------------- */

static void reopen_log(struct server *s) {
    if (s->supervised == SUPERVISED_SYSTEMD) notify_reloading();
    if (log_reopen())
        log_notice("Received SIGHUP: log reopened");
    else
        log_warning("Received SIGHUP, but the log cannot be opened again: %s", strerror(errno));
    if (s->supervised == SUPERVISED_SYSTEMD) notify_ready("Ready to accept connections");
}

static void on_signal(void *arg, int number) {
    struct server *s = arg;
    if (number == SIGHUP) {
        reopen_log(s);
        return;
    }
    const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";
    if ((atomic_load(&s->stopping) || shutdown_under_way(s->env)) && number == SIGINT) {
        log_warning("You insist... exiting now.");
        _exit(1);
    }
    log_warning("Received %s scheduling shutdown...", name);
    int64_t how = option_get(number == SIGINT ? &s->settings.server.on_sigint : &s->settings.server.on_sigterm);
    enum shutdown_save save = how & SETTINGS_SHUTDOWN_SAVE ? SHUTDOWN_SAVE : how & SETTINGS_SHUTDOWN_NOSAVE ? SHUTDOWN_NOSAVE : SHUTDOWN_DEFAULT;
    shutdown_begin(s->env, save, how & SETTINGS_SHUTDOWN_NOW, how & SETTINGS_SHUTDOWN_FORCE);
}

static void stop_here(void *to, void *arg) {
    struct server *s = to;
    (void)arg;
    if (s->supervised == SUPERVISED_SYSTEMD) notify_stopping();
    server_unlisten(s);
    for (unsigned i = 1; i < s->workers; i++) worker_stop(&s->worker[i]);
    worker_stop(&s->worker[0]);
}

void server_stop(struct server *s) {
    if (atomic_exchange(&s->stopping, true)) return;
    loop_post(&s->worker[0].loop, stop_here, s, NULL);
}

uint64_t server_client_bytes(const struct server *s) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->workers; i++) sum += atomic_load_explicit(&s->worker[i].client_bytes, memory_order_relaxed);
    return sum;
}

/* Every ten seconds; while a snapshot is loaded every second, and once more behind that. */
static void tell_supervisor(struct server *s, uint64_t ticks) {
    struct buf warm = {0};
    bool warming = warming_status(s->env, &warm), tell = warming || s->told_of_warming || ticks % 100 == 99;
    s->told_of_warming = warming;
    if (tell)
        notify_status("%" PRIu64 " clients, %" PRIu64 " bytes used, %.0f requests a second%s%s", env_clients(s->env), mem_limited(),
            env_rate(s->env, RATE_COMMANDS), warming ? "; " : "", warming ? buf_cstr(&warm) : "");
    buf_free(&warm);
}

void server_tick(struct server *s, uint64_t ticks) {
    env_sample(s->env);
    persist_tick(s->env);
    feed_tick(s->env);
    if (ticks % 10 == 9) mem_decay(); /* threads that are idle do not do it by themselves */
    mem_peak();
    if (s->supervised == SUPERVISED_SYSTEMD && ticks % 10 == 9) tell_supervisor(s, ticks);
}

void server_run(struct server *s) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        s->signals[i] = loop_signal_new(&s->worker[0].loop, numbers[i], on_signal, s);
    unsigned started = 1;
    for (; started < s->workers; started++) {
        int rc = worker_start(&s->worker[started]);
        if (!rc) continue;
        log_warning("Cannot start a thread: %s", strerror(-rc));
        break;
    }
    if (started == s->workers && server_accept(s)) {
        s->settings.changed_arg = s;
        s->settings.changed = setting_changed;
        set_title(s);
        say_ready(s);
    } else {
        server_stop(s);
    }
    worker_run(&s->worker[0]);
    for (unsigned i = 1; i < started; i++) worker_join(&s->worker[i]);
}

/* -- closing -------------------------------------------------------------------------------------------------------------- */

/* A signal that comes once more while it ends changes nothing: not the exit code either. */
static void leave_signals(struct server *s) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (size_t i = 0; i < sizeof s->signals / sizeof *s->signals; i++) loop_signal_free(s->signals[i]);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void free_workers(struct server *s) {
    leave_signals(s);
    server_unlisten(s);
    /* Jobs may post further jobs, to any worker. */
    for (bool any = true; any;) {
        any = false;
        for (unsigned i = 0; i < s->workers; i++) any |= worker_drain(&s->worker[i]);
    }
    for (unsigned i = 0; i < s->workers; i++) worker_free(&s->worker[i]);
    mem_free(MEM_MISC, s->worker);
}

void server_close(struct server *s) {
    s->settings.changed = NULL;
    crash_stop();
    warming_stop(s->env);
    persist_stop(s->env); /* it calls upon the workers */
    if (s->worker)
        free_workers(s);
    else
        server_unlisten(s);
    if (s->pidfile) {
        log_notice("Removing the pid file.");
        unlink(s->pidfile);
        mem_free(MEM_MISC, s->pidfile);
    }
    char *executable = (char *)s->env->executable, *file = (char *)s->env->config_file;
    log_warning("larderd is now ready to exit, bye bye...");
    env_free(s->env);
    free(executable);
    free(file);
}
