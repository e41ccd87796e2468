#include "command/slowlog.h"

#include "base/clock.h"
#include "command/admin.h"
#include "command/redact.h"

#include <stdio.h>

enum { ARGS_MAX = 32, BYTES_MAX = 128, NOTE_MAX = 48 };

/* One block of memory: arguments and texts lie behind it. */
struct slow {
    struct slow *older, *newer;
    unsigned references; /* the log's and those of replies under way; under the log's lock */
    uint64_t id;
    int64_t time, us;
    unsigned argc;
    struct slice address, name;
    struct slice argv[];
};

struct slowlog {
    struct lock lock;
    struct slow *newest, *oldest;
    uint64_t next_id;
    size_t n;
};

struct slowlog *slowlog_new(void) {
    return mem_zalloc(MEM_MISC, sizeof(struct slowlog));
}

/* The lock is held. */
static void slow_drop(struct slow *s) {
    if (!--s->references) mem_free(MEM_MISC, s);
}

static void trim(struct slowlog *l, size_t max_len) {
    while (l->n > max_len) {
        struct slow *s = l->oldest;
        l->oldest = s->newer;
        if (l->oldest)
            l->oldest->older = NULL;
        else
            l->newest = NULL;
        l->n--;
        slow_drop(s);
    }
}

void slowlog_free(struct slowlog *l) {
    trim(l, 0);
    mem_free(MEM_MISC, l);
}

/* -- taking down ------------------------------------------------------------------------------------- */

/* What is kept of an argument: the bytes themselves, and a note on what was left out. */
struct kept {
    struct slice bytes;
    char note[NOTE_MAX];
    size_t note_n;
};

static struct kept keep(struct env *e, const struct slice *argv, int argc, int arg, bool secrets) {
    struct kept k = {.bytes = argv[arg]};
    if (argc > ARGS_MAX && arg == ARGS_MAX - 1) {
        k.bytes.n = 0;
        k.note_n = (size_t)snprintf(k.note, sizeof k.note, "... (%d more arguments)", argc - ARGS_MAX + 1);
    } else if (secrets && redact_hides(e, argv, argc, arg)) {
        k.bytes = SLICE(REDACTED);
    } else if (k.bytes.n > BYTES_MAX) {
        k.note_n = (size_t)snprintf(k.note, sizeof k.note, "... (%zu more bytes)", k.bytes.n - BYTES_MAX);
        k.bytes.n = BYTES_MAX;
    }
    return k;
}

static char *put(char *at, struct slice text, struct slice *out) {
    if (text.n) memcpy(at, text.p, text.n);
    *out = (struct slice){at, text.n};
    return at + text.n;
}

static struct slow *slow_new(const struct session *s, const struct slice *argv, int argc, int64_t us) {
    struct kept kept[ARGS_MAX];
    unsigned n = argc < ARGS_MAX ? (unsigned)argc : ARGS_MAX;
    bool secrets = redact_applies(argv, argc);
    struct slice address = slice_of(s->address), name = s->name ? slice_of(s->name) : SLICE("");
    size_t bytes = address.n + name.n;
    for (unsigned i = 0; i < n; i++) {
        kept[i] = keep(s->lane->env, argv, argc, (int)i, secrets);
        bytes += kept[i].bytes.n + kept[i].note_n;
    }
    struct slow *w = mem_alloc(MEM_MISC, sizeof *w + n * sizeof *w->argv + bytes);
    *w = (struct slow){.references = 1, .time = clock_ms() / 1000, .us = us, .argc = n};
    char *at = (char *)(w->argv + n);
    for (unsigned i = 0; i < n; i++) {
        struct slice note;
        at = put(at, kept[i].bytes, &w->argv[i]);
        at = put(at, (struct slice){kept[i].note, kept[i].note_n}, &note);
        w->argv[i].n += note.n;
    }
    at = put(at, address, &w->address);
    put(at, name, &w->name);
    return w;
}

void slowlog_note(struct slowlog *l, const struct session *s, const struct slice *argv, int argc, int64_t us,
    size_t max_len) {
    struct slow *w = slow_new(s, argv, argc, us);
    lock_acquire(&l->lock);
    w->id = l->next_id++;
    w->older = l->newest;
    if (l->newest)
        l->newest->newer = w;
    else
        l->oldest = w;
    l->newest = w;
    l->n++;
    trim(l, max_len);
    lock_release(&l->lock);
}

/* -- SLOWLOG ----------------------------------------------------------------------------------------- */

static void reply_slow(struct call *c, const struct slow *w) {
    resp_array(c->w, 6);
    resp_int(c->w, (int64_t)w->id);
    resp_int(c->w, w->time);
    resp_int(c->w, w->us);
    resp_array(c->w, w->argc);
    for (unsigned i = 0; i < w->argc; i++) resp_bulk(c->w, w->argv[i].p, w->argv[i].n);
    resp_bulk(c->w, w->address.p, w->address.n);
    resp_bulk(c->w, w->name.p, w->name.n);
}

/* Entries are referred to while they are replied, so that the lock is not held for it. */
static void run_get(struct call *c) {
    struct slowlog *l = call_env(c)->slowlog;
    int64_t count = 10;
    if (c->argc > 3) {
        reply_bad_sub(c);
        return;
    }
    if (c->argc == 3 &&
        !call_range(c, 2, -1, INT64_MAX, &count, "ERR count should be greater than or equal to -1"))
        return;
    lock_acquire(&l->lock);
    size_t n = count < 0 || (uint64_t)count > l->n ? l->n : (size_t)count;
    struct slow **got = mem_alloc(MEM_CLIENT, (n + 1) * sizeof *got);
    struct slow *w = l->newest;
    for (size_t i = 0; i < n; i++, w = w->older) {
        got[i] = w;
        w->references++;
    }
    lock_release(&l->lock);
    resp_array(c->w, n);
    for (size_t i = 0; i < n; i++) reply_slow(c, got[i]);
    lock_acquire(&l->lock);
    for (size_t i = 0; i < n; i++) slow_drop(got[i]);
    lock_release(&l->lock);
    mem_free(MEM_CLIENT, got);
}

static void run_len(struct call *c) {
    struct slowlog *l = call_env(c)->slowlog;
    lock_acquire(&l->lock);
    size_t n = l->n;
    lock_release(&l->lock);
    resp_int(c->w, (int64_t)n);
}

static void run_reset(struct call *c) {
    struct slowlog *l = call_env(c)->slowlog;
    lock_acquire(&l->lock);
    trim(l, 0);
    lock_release(&l->lock);
    resp_ok(c->w);
}

static void run_help(struct call *c) {
    static const char *const lines[] = {
        "GET [<count>]",
        "    The newest entries (10, or as many as given; -1: all), each of them:",
        "    number, time, microseconds it took, arguments, client address, client name",
        "LEN",
        "    How many entries there are.",
        "RESET",
        "    Forget them all.",
        NULL,
    };
    reply_help(c, lines);
}

static const char *const get_history[] = {"4.0.0", "The client's address and name.", NULL};

#define LOG .flags = C_ADMIN | C_LOADING | C_STALE, .group = "server"

static const struct command subcommands[] = {
    {.name = "GET",
        .arity = -2,
        LOG,
        .run = run_get,
        .since = "2.2.12",
        .complexity = "O(N) where N is the number of entries returned",
        .history = get_history,
        .tips = "request_policy:all_nodes nondeterministic_output",
        .summary = "The newest entries of the slow log.",
        .syntax = "[count]"},
    {.name = "HELP",
        .arity = 2,
        .flags = C_LOADING | C_STALE,
        .group = "server",
        .run = run_help,
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "A short text on each subcommand."},
    {.name = "LEN",
        .arity = 2,
        LOG,
        .run = run_len,
        .since = "2.2.12",
        .complexity = "O(1)",
        .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
        .summary = "How many entries the slow log holds."},
    {.name = "RESET",
        .arity = 2,
        LOG,
        .run = run_reset,
        .since = "2.2.12",
        .complexity = "O(N) where N is the number of entries in the slowlog",
        .tips = "request_policy:all_nodes response_policy:all_succeeded",
        .summary = "Empties the slow log."},
    {0},
};

static const struct command rows[] = {
    {.name = "SLOWLOG",
        .arity = -2,
        .group = "server",
        .since = "2.2.12",
        .complexity = "Depends on subcommand.",
        .sub = subcommands,
        .summary = "Commands about the log of slow requests."},
    {0},
};

const struct command *command_rows_slowlog(void) { return rows; }
