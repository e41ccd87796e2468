#include "server/settings.h"

#include "base/log.h"
#include "base/num.h"
#include "command/events.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Options whose change means more than a new number in a field. */
static const char *const derived[] = {"dir", "logfile", "loglevel", "syslog-enabled", "requirepass", "hz", "notify-keyspace-events",
    "client-output-buffer-limit", "oom-score-adj", "save", NULL};

void settings_bind(struct settings *s, struct options *options, struct env_config *env, struct store_config *store) {
    *s = (struct settings){.options = options, .env = env, .store = store};
    struct settings_rows server = settings_rows_server(), of_env = settings_rows_env(), of_store = settings_rows_store(),
                         of_types = settings_rows_types(), of_snapshots = settings_rows_snapshot(), of_warm = settings_rows_warm(),
                         unused = settings_rows_unused();
    options_add(options, server.row, server.n, &s->server, s);
    options_add(options, of_store.row, of_store.n, store, s);
    options_add(options, of_types.row, of_types.n, store, s);
    options_add(options, of_env.row, of_env.n, env, s);
    options_add(options, of_snapshots.row, of_snapshots.n, env, s);
    options_add(options, of_warm.row, of_warm.n, env, s);
    options_add(options, unused.row, unused.n, NULL, s);
}

void settings_trial_open(struct settings_trial *t) {
    memset(t, 0, sizeof *t);
    t->options = options_new();
    settings_bind(&t->settings, t->options, &t->env, &t->store);
}

void settings_trial_close(struct settings_trial *t) { options_free(t->options); }

unsigned settings_threads(const struct settings *s) {
    int64_t n = option_get(&s->server.threads);
    if (n) return (unsigned)n;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) n = sysconf(_SC_NPROCESSORS_ONLN);
    else n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > SETTINGS_THREADS_MAX ? SETTINGS_THREADS_MAX : (unsigned)n;
}

void settings_bind_each(struct settings *s, void (*each)(void *arg, const char *address, bool optional), void *arg) {
    struct buf text = {0};
    option_text(s->options, "bind", &text);
    char *rest = NULL;
    for (char *w = strtok_r(buf_cstr(&text), " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        each(arg, *w == '-' ? w + 1 : w, *w == '-');
    buf_free(&text);
}

/* -- what follows from a value -------------------------------------------------------------------------------------------- */

static const char *enter_dir(struct settings *s, struct buf *path) {
    option_text(s->options, "dir", path);
    return chdir(buf_cstr(path)) ? strerror(errno) : NULL;
}

static const char *open_log(struct settings *s, struct buf *path) {
    option_text(s->options, "logfile", path);
    return log_file_set(buf_cstr(path)) ? NULL : strerror(errno);
}

static const char *open_syslog(struct settings *s, struct buf *ident) {
    option_text(s->options, "syslog-ident", ident);
    log_syslog_set(option_get(&s->server.syslog_enabled), buf_cstr(ident), (int)option_get(&s->server.syslog_facility));
    return NULL;
}

static void keep_hz_sane(struct settings *s) {
    int64_t hz = option_get(&s->server.hz);
    if (hz < 1) atomic_store(&s->server.hz, 1);
    if (hz > 500) atomic_store(&s->server.hz, 500);
}

static void read_events(struct settings *s, struct buf *text) {
    int64_t classes = 0;
    option_text(s->options, "notify-keyspace-events", text);
    events_parse(buf_slice(text), &classes); /* it is made of letters: its form was checked */
    if (!(classes & (EVENT_KEYSPACE | EVENT_KEYEVENT))) classes = 0; /* on no channel */
    atomic_store(&s->env->notify_events, classes);
    atomic_store(&s->store->tell_born, (classes & EVENT_NEW) != 0);
}

static void read_output_limits(struct settings *s, struct buf *text) {
    option_text(s->options, "client-output-buffer-limit", text);
    for (int c = 0; c < OUTPUT_CLASSES; c++) settings_output_limit(buf_slice(text), c, &s->server.output_limit[c]);
}

static void count_save_points(struct settings *s, struct buf *text) {
    int64_t words = 0;
    option_text(s->options, "save", text);
    for (char *rest = NULL, *w = strtok_r(buf_cstr(text), " ", &rest); w; w = strtok_r(NULL, " ", &rest)) words++;
    atomic_store(&s->env->save_points, words / 2);
}

#define OOM_FILE "/proc/self/oom_score_adj"

static bool oom_read(int64_t *out) {
    FILE *f = fopen(OOM_FILE, "r");
    long v = 0;
    bool ok = f && fscanf(f, "%ld", &v) == 1;
    if (f) fclose(f);
    *out = v;
    return ok;
}

static const char *set_oom_score(struct settings *s, struct buf *values) {
    int64_t how = option_get(&s->server.oom_score_adj);
    if (how == SETTINGS_OOM_NO && !s->oom_changed) return NULL;
    if (!s->oom_changed && !oom_read(&s->oom_at_start)) return "cannot read " OOM_FILE;
    option_text(s->options, "oom-score-adj-values", values);
    int64_t score = how == SETTINGS_OOM_NO ? 0 : strtol(buf_cstr(values), NULL, 10);
    if (how != SETTINGS_OOM_ABSOLUTE) score += s->oom_at_start;
    score = score < -1000 ? -1000 : score > 1000 ? 1000 : score;
    FILE *f = fopen(OOM_FILE, "w");
    bool ok = f && fprintf(f, "%ld\n", (long)score) > 0;
    if (f && fclose(f)) ok = false;
    if (!ok) {
        log_warning("Cannot set the score for the kernel's out-of-memory killer to %ld: %s", (long)score, strerror(errno));
        return "Failed to apply new oom_score_adj configuration, check server logs.";
    }
    s->oom_changed = true;
    return NULL;
}

static const char *derive(struct settings *s, const char *name) {
    struct buf text = {0};
    const char *error = NULL;
    if (!strcmp(name, "dir")) error = enter_dir(s, &text);
    else if (!strcmp(name, "logfile")) error = open_log(s, &text);
    else if (!strcmp(name, "loglevel")) log_level_set((enum log_level)option_get(&s->server.loglevel));
    else if (!strcmp(name, "syslog-enabled")) error = open_syslog(s, &text);
    else if (!strcmp(name, "requirepass")) atomic_store(&s->env->has_password, !option_matches(s->options, name, SLICE("")));
    else if (!strcmp(name, "hz")) keep_hz_sane(s);
    else if (!strcmp(name, "notify-keyspace-events")) read_events(s, &text);
    else if (!strcmp(name, "client-output-buffer-limit")) read_output_limits(s, &text);
    else if (!strcmp(name, "save")) count_save_points(s, &text);
    else if (!strncmp(name, "oom-score-adj", 13)) error = set_oom_score(s, &text);
    buf_free(&text);
    return error;
}

/* -- what is accepted and not used ------------------------------------------------------------------------------------------ */

static void log_unused(struct options *o, const struct option_row *r) {
    if ((r->flags & OPTION_UNSAFE) && !option_is_initial(o, r->name))
        log_warning("Directive '%s' has no effect, and somebody may count on it: %s", r->name, r->text);
    else log_notice("Directive '%s' is accepted but not used: %s", r->name, r->text);
}

const char *settings_apply(void *owner, const char *name) {
    struct settings *s = owner;
    const struct option_row *r = option_row(s->options, name);
    if ((r->flags & OPTION_UNUSED) && !option_is_set(s->options, name)) log_unused(s->options, r);
    const char *error = derive(s, name);
    return !error && s->changed ? s->changed(s->changed_arg, name) : error;
}

const char *settings_ready(struct settings *s, struct buf *why) {
    for (size_t i = 0; derived[i]; i++) {
        const char *error = derive(s, derived[i]);
        if (!error) continue;
        buf_printf(why, "%s ", derived[i]);
        struct buf value = {0};
        option_text(s->options, derived[i], &value);
        buf_printf(why, "'%s': %s", buf_cstr(&value), error);
        buf_free(&value);
        return buf_cstr(why);
    }
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(s->options, i)); i++)
        if ((r->flags & OPTION_UNUSED) && option_is_set(s->options, r->name)) log_unused(s->options, r);
    return NULL;
}
