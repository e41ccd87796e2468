#include "command/account.h"

#include "base/clock.h"
#include "command/latency.h"
#include "command/monitor.h"
#include "command/slowlog.h"

void account_rejected(struct call *c, const struct request *q) {
    if (q->fault == FAULT_UNKNOWN || q->fault == FAULT_UNKNOWN_SUB) return; /* no row to count it under */
    counter_add(&c->s->lane->commands[command_number(q->command)].rejected, 1);
}

void account_slow(struct session *s, const struct command *cmd, const struct slice *argv, int argc, uint64_t ticks) {
    struct env *e = s->lane->env;
    int64_t us = clock_ticks_us(ticks), slower = option_get(&e->config.slowlog_slower_than);
    int64_t max = option_get(&e->config.slowlog_max_len), threshold = option_get(&e->config.latency_threshold);
    if (slower >= 0 && us >= slower && max > 0 && !(cmd->flags & C_SKIP_SLOWLOG))
        slowlog_note(e->slowlog, s, argv, argc, us, (size_t)max);
    if (threshold > 0 && us / 1000 >= threshold)
        latency_note(e->latency, cmd->flags & C_FAST ? "fast-command" : "command", us / 1000);
}

void account_finished(struct session *s, const struct command *c, uint64_t ticks) {
    struct command_stats *st = &s->lane->commands[command_number(c)];
    counter_add(&st->ticks, ticks);
    if (option_get(&s->lane->env->config.latency_tracking))
        hist_add(&st->latency, (uint64_t)((double)ticks * 1000 / clock_ticks_per_us()));
    char name[128]; /* its arguments are gone */
    struct slice word = {name, command_fullname(c, name, sizeof name)};
    account_slow(s, c, &word, 1, ticks);
}

/* Its task goes on with it. */
static void request_parked(struct batch *b, struct session *s, const struct command *cmd, struct command_stats *st) {
    uint64_t now = clock_ticks();
    s->task->command = cmd;
    s->task->ticks += now - b->ticks;
    b->ticks = now;
    counter_add(&st->calls, 1);
    b->ran++;
}

void account_request(struct batch *b, struct session *s, const struct request *q) {
    const struct call *c = &b->call;
    const struct command *cmd = q->command;
    struct command_stats *st = &s->lane->commands[command_number(cmd)];
    s->last = cmd;
    if (s->task) {
        request_parked(b, s, cmd, st);
    } else {
        uint64_t took = account_call(b, st);
        if (took >= b->slow) account_slow(s, cmd, q->argv, q->argc, took);
    }
    if (c->failed) counter_add(&st->failed, 1);
    if (c->closed) s->closing = true;
    if (b->monitored && !(cmd->flags & (C_SKIP_MONITOR | C_ADMIN))) monitor_feed(s, q->argv, q->argc);
    if (!(cmd->flags & (C_READONLY | C_WRITE)) || c->closed || b->ticks > b->ticks_late) b->refresh = true;
}

void account_totals(struct batch *b, struct session *s) {
    counter_add(&s->lane->total_commands, b->ran);
    counter_add(&s->commands, b->ran);
    b->ran = 0;
}
