/* settings: the option rows of larderd, and the fields that they set.
 *
 * What the store reads lies in struct store_config, what commands read in struct env_config, what the server reads here.
 * Texts (requirepass, bind, unixsocket, pidfile, logfile, dir, proc-title-template, syslog-ident, ...) lie in the options
 * table: option_text. Redis's directives that mean nothing to a cache have rows too (settings_unused.c).
 * Thread rule: settings are read from any thread; settings_bind and settings_ready before the first thread starts.
 * Whoever declares a struct settings owns it and frees nothing; it outlives the options table's use.
 */
#ifndef LARDER_SERVER_SETTINGS_H
#define LARDER_SERVER_SETTINGS_H

#include "command/env.h"

enum supervised { SUPERVISED_NO, SUPERVISED_AUTO, SUPERVISED_SYSTEMD, SUPERVISED_UPSTART };
enum output_class { OUTPUT_NORMAL, OUTPUT_REPLICA, OUTPUT_PUBSUB, OUTPUT_CLASSES };

enum settings_oom { SETTINGS_OOM_NO, SETTINGS_OOM_RELATIVE, SETTINGS_OOM_ABSOLUTE };
enum { SETTINGS_THREADS_MAX = 128 };
enum { SETTINGS_SHUTDOWN_SAVE = 1, SETTINGS_SHUTDOWN_NOSAVE = 2, SETTINGS_SHUTDOWN_NOW = 4, SETTINGS_SHUTDOWN_FORCE = 8 };

struct output_limit {
    setting hard, soft, soft_seconds; /* bytes, 0: none */
};

struct server_config {
    setting port, unixsocketperm;      /* perm 0: leave it to the umask */
    setting threads;                   /* 0: one a core; see settings_threads */
    setting tcp_backlog, tcp_keepalive, timeout, protected_mode;
    setting daemonize, supervised, set_proc_title, disable_thp, oom_score_adj;
    setting loglevel, syslog_enabled, syslog_facility;
    setting crash_log;
    setting on_sigterm, on_sigint;     /* bits */
    setting query_buffer_limit;        /* bytes */
    struct output_limit output_limit[OUTPUT_CLASSES];
    setting maxmemory_clients;         /* bytes, 0: none; negative: percent of maxmemory */
    setting hz, dynamic_hz;
    setting protected_configs;         /* enum env_allow: may CONFIG SET change dir and its kin? */
};

struct settings {
    struct server_config server;
    struct options *options;
    struct env_config *env;
    struct store_config *store;
    /* The server's part in a change at run time (port, bind, maxclients, hz, maxmemory, tcp-keepalive, ...): called after the
     * field was set, by the thread that runs CONFIG SET; an error undoes the change. NULL: nothing is running yet. */
    const char *(*changed)(void *arg, const char *name);
    void *changed_arg;
    int64_t oom_at_start; /* the kernel's score of this process before oom-score-adj changed it */
    bool oom_changed;
};

/* Adds all rows to `options`, which gives every field its initial value. */
void settings_bind(struct settings *s, struct options *options, struct env_config *env, struct store_config *store);

/* After the last line of the conf: does what no field can say (working directory, log level, log file, syslog, whether there
 * is a password, limits per class) and logs, once each, the directives that mean nothing here. NULL, or why not, in `why`. */
const char *settings_ready(struct settings *s, struct buf *why);

unsigned settings_threads(const struct settings *s);

/* The addresses of `bind`, one after another: calls back with the address and whether a failure to bind it is to be
 * ignored (a leading '-'). "*" and "::*" are any address. */
void settings_bind_each(struct settings *s, void (*each)(void *arg, const char *address, bool optional), void *arg);

/* A table of its own, to try lines on before they set the real one. */
struct settings_trial {
    struct settings settings;
    struct env_config env;
    struct store_config store;
    struct options *options;
};
void settings_trial_open(struct settings_trial *t);
void settings_trial_close(struct settings_trial *t);

/* -- rows and forms, for settings*.c only ------------------------------------------------------------------------------- */
struct settings_rows {
    const struct option_row *row;
    size_t n;
};
struct settings_rows settings_rows_server(void);
struct settings_rows settings_rows_env(void);
struct settings_rows settings_rows_snapshot(void);
struct settings_rows settings_rows_store(void);
struct settings_rows settings_rows_types(void);
struct settings_rows settings_rows_warm(void);
struct settings_rows settings_rows_unused(void);

const char *settings_apply(void *owner, const char *name);

option_form settings_form_bind, settings_form_save, settings_form_output, settings_form_events, settings_form_percentiles,
    settings_form_oom, settings_form_dir, settings_form_title, settings_form_filename, settings_form_hostname,
    settings_form_lines;
/* Reads one class out of the text that settings_form_output made. */
void settings_output_limit(struct slice text, enum output_class c, struct output_limit *out);

#endif
