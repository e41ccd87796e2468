#include "command/latency.h"

#include "base/clock.h"
#include "command/admin.h"

#include <math.h>

enum { EVENTS = 32, SAMPLES = 160, GRAPH_COLUMNS = 80, GRAPH_ROWS = 8, POWERS = 34 };

struct sample {
    int64_t time, ms;
};

struct event {
    const char *name;
    int64_t worst; /* since the last reset */
    unsigned n, next;
    struct sample sample[SAMPLES]; /* a ring */
};

struct latency {
    struct lock lock;
    unsigned n;
    struct event event[EVENTS];
};

struct latency *latency_new(void) {
    return mem_zalloc(MEM_MISC, sizeof(struct latency));
}
void latency_free(struct latency *l) { mem_free(MEM_MISC, l); }

/* `i`: 0 is the oldest. */
static struct sample *sample_at(struct event *e, unsigned i) {
    return &e->sample[(e->next + SAMPLES - e->n + i) % SAMPLES];
}

/* The lock is held. Events are constant texts of the program, of which there are few. */
static struct event *event_find(struct latency *l, struct slice name) {
    for (unsigned i = 0; i < l->n; i++)
        if (slice_is(name, l->event[i].name)) return &l->event[i];
    return NULL;
}

static void event_add(struct event *e, int64_t time, int64_t ms) {
    if (ms > e->worst) e->worst = ms;
    struct sample *last = e->n ? sample_at(e, e->n - 1) : NULL;
    if (last && last->time == time) {
        if (ms > last->ms) last->ms = ms;
        return;
    }
    e->sample[e->next] = (struct sample){time, ms};
    e->next = (e->next + 1) % SAMPLES;
    if (e->n < SAMPLES) e->n++;
}

void latency_note(struct latency *l, const char *event, int64_t ms) {
    int64_t now = clock_ms() / 1000;
    lock_acquire(&l->lock);
    struct event *e = event_find(l, slice_of(event));
    if (!e && l->n < EVENTS) {
        e = &l->event[l->n++];
        *e = (struct event){.name = event};
    }
    if (e) event_add(e, now, ms);
    lock_release(&l->lock);
}

/* A copy, to be looked at without the lock; false where there is no such event. */
static bool event_copy(struct latency *l, struct slice name, struct event *out) {
    lock_acquire(&l->lock);
    const struct event *e = event_find(l, name);
    if (e) *out = *e;
    lock_release(&l->lock);
    return e != NULL;
}

/* -- LATEST, HISTORY, RESET -------------------------------------------------------------------------- */

static void run_latest(struct call *c) {
    struct latency *l = call_env(c)->latency;
    lock_acquire(&l->lock);
    resp_array(c->w, l->n);
    for (unsigned i = 0; i < l->n; i++) {
        struct event *e = &l->event[i];
        const struct sample *last = sample_at(e, e->n - 1);
        resp_array(c->w, 4);
        resp_text(c->w, e->name);
        resp_int(c->w, last->time);
        resp_int(c->w, last->ms);
        resp_int(c->w, e->worst);
    }
    lock_release(&l->lock);
}

static void run_history(struct call *c) {
    struct event e = {0};
    event_copy(call_env(c)->latency, c->argv[2], &e);
    resp_array(c->w, e.n);
    for (unsigned i = 0; i < e.n; i++) {
        const struct sample *s = sample_at(&e, i);
        resp_array(c->w, 2);
        resp_int(c->w, s->time);
        resp_int(c->w, s->ms);
    }
}

static void run_reset(struct call *c) {
    struct latency *l = call_env(c)->latency;
    unsigned gone = 0;
    lock_acquire(&l->lock);
    if (c->argc == 2) {
        gone = l->n;
        l->n = 0;
    }
    for (int i = 2; i < c->argc; i++) {
        struct event *e = event_find(l, c->argv[i]);
        if (!e) continue;
        *e = l->event[--l->n];
        gone++;
    }
    lock_release(&l->lock);
    resp_int(c->w, gone);
}

/* -- GRAPH and DOCTOR: for people -------------------------------------------------------------------- */

/* One column for each of the last samples, a bar as high as its share of the highest of them. */
static void put_graph(struct buf *out, struct event *e) {
    unsigned columns = e->n < GRAPH_COLUMNS ? e->n : GRAPH_COLUMNS, from = e->n - columns;
    int64_t high = 0, low = INT64_MAX, now = clock_ms() / 1000;
    for (unsigned i = from; i < e->n; i++) {
        int64_t ms = sample_at(e, i)->ms;
        if (ms > high) high = ms;
        if (ms < low) low = ms;
    }
    buf_printf(out, "%s: highest %lld ms, lowest %lld ms, worst since the last reset %lld ms\n\n", e->name,
        (long long)high, (long long)low, (long long)e->worst);
    for (int row = GRAPH_ROWS; row > 0; row--) {
        buf_printf(out, "%8lld ms |", (long long)(high * row / GRAPH_ROWS));
        for (unsigned i = from; i < e->n; i++)
            buf_puts(out, sample_at(e, i)->ms * GRAPH_ROWS > high * (row - 1) ? "#" : " ");
        buf_puts(out, "\n");
    }
    buf_printf(out, "\n%u spikes, the first %lld s ago, the last %lld s ago\n", columns,
        (long long)(now - sample_at(e, from)->time), (long long)(now - sample_at(e, e->n - 1)->time));
}

static void run_graph(struct call *c) {
    struct event e;
    struct slice name = c->argv[2];
    struct buf out;
    if (!event_copy(call_env(c)->latency, name, &e)) {
        reply_errorf(
            c, "ERR No samples available for event '%.*s'", (int)(name.n < 128 ? name.n : 128), name.p);
        return;
    }
    buf_init(&out, MEM_CLIENT);
    put_graph(&out, &e);
    resp_verbatim(c->w, "txt", buf_slice(&out));
    buf_free(&out);
}

static void put_findings(struct buf *out, struct event *e) {
    double sum = 0, apart = 0;
    for (unsigned i = 0; i < e->n; i++) sum += (double)sample_at(e, i)->ms;
    double mean = sum / e->n;
    for (unsigned i = 0; i < e->n; i++) apart += fabs((double)sample_at(e, i)->ms - mean);
    int64_t span = sample_at(e, e->n - 1)->time - sample_at(e, 0)->time;
    buf_printf(out, "- %s: %u spikes, %.0f ms on average (mean deviation %.0f ms), the worst %lld ms",
        e->name, e->n, mean, apart / e->n, (long long)e->worst);
    if (e->n > 1) buf_printf(out, ", one every %.1f s", (double)span / (e->n - 1));
    buf_puts(out, ".\n");
}

static const struct {
    const char *event, *advice;
} advices[] = {
    {"command", "Look at SLOWLOG GET: it names the slow requests with their arguments. Large values, and "
                "many keys in one "
                "request, are what takes long."},
    {"fast-command",
        "Commands that are fast by nature were slow: most often the machine's cores are busy with something "
        "else, or memory is being swapped out."},
    {"expire-cycle", "Very many keys expire at the same moment: spread their deadlines."},
    {"eviction-cycle", "Evicting takes long: raise maxmemory, or store smaller values."},
};

static void put_report(struct buf *out, struct latency *l, int64_t threshold) {
    if (threshold <= 0) {
        buf_puts(out, "Spikes are not watched. Set latency-monitor-threshold to the milliseconds from which "
                      "on they are to be "
                      "noted: CONFIG SET latency-monitor-threshold 100\n");
        return;
    }
    lock_acquire(&l->lock);
    if (!l->n)
        buf_printf(out, "Nothing took %lld ms or longer since spikes are watched.\n", (long long)threshold);
    else
        buf_printf(out, "What took %lld ms or longer:\n\n", (long long)threshold);
    for (unsigned i = 0; i < l->n; i++) put_findings(out, &l->event[i]);
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (event_find(l, slice_of(advices[i].event)))
            buf_printf(out, "\n%s: %s\n", advices[i].event, advices[i].advice);
    lock_release(&l->lock);
}

static void run_doctor(struct call *c) {
    struct env *e = call_env(c);
    struct buf out;
    buf_init(&out, MEM_CLIENT);
    put_report(&out, e->latency, option_get(&e->config.latency_threshold));
    resp_verbatim(c->w, "txt", buf_slice(&out));
    buf_free(&out);
}

/* -- HISTOGRAM --------------------------------------------------------------------------------------- */

/* How many calls took at most 1, 2, 4, ... us: as Redis tells it, powers of two from 1,024 ns on, named by
 * the highest duration, in us, that Redis's histogram (two digits) cannot tell from them; powers with nothing
 * new are left out. */
static int64_t power_name(unsigned power) { return ((1ll << power) + (1ll << (power - 7)) - 1) / 1000; }

static void reply_histogram(struct call *c, const struct hist_sum *sum) {
    uint64_t below[POWERS], seen = 0;
    unsigned lines = 0, n = 0;
    for (; n < POWERS && seen < sum->total; n++) {
        below[n] = hist_count_below(sum, (1ull << (n + 10)) - 1);
        if (below[n] > seen) lines++;
        seen = below[n];
    }
    resp_map(c->w, 2);
    resp_text(c->w, "calls");
    resp_int(c->w, (int64_t)sum->total);
    resp_text(c->w, "histogram_usec");
    resp_map(c->w, lines);
    seen = 0;
    for (unsigned i = 0; i < n; i++) {
        if (below[i] > seen) {
            resp_int(c->w, power_name(i + 10));
            resp_int(c->w, (int64_t)below[i]);
        }
        seen = below[i];
    }
}

static void histogram_of(struct env *e, const struct command *cmd, struct hist_sum *sum) {
    memset(sum, 0, sizeof *sum);
    for (unsigned i = 0; i < e->lanes; i++)
        hist_sum_add(sum, &e->lane[i]->commands[command_number(cmd)].latency);
}

/* Marks the command and what it contains. */
static void want(bool *wanted, const struct command *cmd) {
    wanted[command_number(cmd)] = true;
    for (const struct command *sub = cmd->sub; sub && sub->name; sub++) wanted[command_number(sub)] = true;
}

static const struct command *named(struct slice name) {
    const char *bar = memchr(name.p, '|', name.n);
    if (!bar) return command_find(name);
    size_t n = (size_t)(bar - name.p);
    const struct command *container = command_find((struct slice){name.p, n});
    return container && container->sub ? command_find_sub(container, (struct slice){bar + 1, name.n - n - 1})
                                       : NULL;
}

static void run_histogram(struct call *c) {
    struct env *e = call_env(c);
    unsigned total = command_total(), lines = 0;
    bool *wanted = mem_zalloc(MEM_CLIENT, total * sizeof *wanted);
    struct hist_sum *sum = mem_alloc(MEM_CLIENT, sizeof *sum);
    if (c->argc == 2) memset(wanted, true, total * sizeof *wanted);
    for (int i = 2; i < c->argc; i++) {
        const struct command *cmd = named(c->argv[i]);
        if (cmd) want(wanted, cmd);
    }
    for (unsigned i = 0; i < total; i++) {
        if (!wanted[i]) continue;
        histogram_of(e, command_at(i), sum);
        wanted[i] =
            sum->total > 0; /* more calls may come meanwhile, but none of a command that is left out here */
        lines += wanted[i];
    }
    resp_map(c->w, lines);
    for (unsigned i = 0; i < total; i++) {
        char name[128];
        if (!wanted[i]) continue;
        resp_bulk(c->w, name, command_fullname(command_at(i), name, sizeof name));
        histogram_of(e, command_at(i), sum);
        reply_histogram(c, sum);
    }
    mem_free(MEM_CLIENT, sum);
    mem_free(MEM_CLIENT, wanted);
}

static void run_help(struct call *c) {
    static const char *const lines[] = {
        "DOCTOR",
        "    What was slow, in words, and what may help.",
        "GRAPH <event>",
        "    The spikes of an event as a drawing.",
        "HISTOGRAM [<command> ...]",
        "    How many calls of each command took at most how many microseconds.",
        "HISTORY <event>",
        "    Times and milliseconds of the spikes of an event.",
        "LATEST",
        "    For each event: time and milliseconds of its last spike, and its worst.",
        "RESET [<event> ...]",
        "    Forget the spikes of these events, or of all.",
        NULL,
    };
    reply_help(c, lines);
}

#define WATCH .flags = C_ADMIN | C_NOSCRIPT | C_LOADING | C_STALE, .group = "server"
#define PER_NODE "nondeterministic_output request_policy:all_nodes response_policy:special"

static const struct command subcommands[] = {
    {.name = "DOCTOR",
        .arity = 2,
        WATCH,
        .run = run_doctor,
        .since = "2.8.13",
        .complexity = "O(1)",
        .tips = PER_NODE,
        .summary = "Says in words what was slow."},
    {.name = "GRAPH",
        .arity = 3,
        WATCH,
        .run = run_graph,
        .since = "2.8.13",
        .complexity = "O(1)",
        .tips = PER_NODE,
        .summary = "Draws the spikes of an event.",
        .syntax = "event"},
    {.name = "HELP",
        .arity = 2,
        .flags = C_LOADING | C_STALE,
        .group = "server",
        .run = run_help,
        .since = "2.8.13",
        .complexity = "O(1)",
        .summary = "A short text on each subcommand."},
    {.name = "HISTOGRAM",
        .arity = -2,
        WATCH,
        .run = run_histogram,
        .since = "7.0.0",
        .complexity = "O(N) where N is the number of commands with latency information being retrieved.",
        .tips = PER_NODE,
        .summary = "How long calls of commands took, as cumulative counts.",
        .syntax = "[command [command ...]]"},
    {.name = "HISTORY",
        .arity = 3,
        WATCH,
        .run = run_history,
        .since = "2.8.13",
        .complexity = "O(1)",
        .tips = PER_NODE,
        .summary = "The spikes of an event.",
        .syntax = "event"},
    {.name = "LATEST",
        .arity = 2,
        WATCH,
        .run = run_latest,
        .since = "2.8.13",
        .complexity = "O(1)",
        .tips = PER_NODE,
        .summary = "The last spike of each event."},
    {.name = "RESET",
        .arity = -2,
        WATCH,
        .run = run_reset,
        .since = "2.8.13",
        .complexity = "O(1)",
        .tips = "request_policy:all_nodes response_policy:all_succeeded",
        .summary = "Forgets spikes.",
        .syntax = "[event [event ...]]"},
    {0},
};

static const struct command rows[] = {
    {.name = "LATENCY",
        .arity = -2,
        .group = "server",
        .since = "2.8.13",
        .complexity = "Depends on subcommand.",
        .sub = subcommands,
        .summary = "Commands about what was slow."},
    {0},
};

const struct command *command_rows_latency(void) { return rows; }
