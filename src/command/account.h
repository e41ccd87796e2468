/* account: what is noted when a request is over: calls, time and errors by command, SLOWLOG, LATENCY, MONITOR.
 *
 * Times are ticks of the processor's clock (base/clock.h); a command's begins where the one before it ended.
 * Thread rule: the session's thread.
 */
#ifndef LARDER_COMMAND_ACCOUNT_H
#define LARDER_COMMAND_ACCOUNT_H

#include "base/clock.h"
#include "command/batch.h"

/* What it took, under its command. Returns the ticks. */
static inline uint64_t account_call(struct batch *b, struct command_stats *st) {
    uint64_t now = clock_ticks(), took = now - b->ticks;
    b->ticks = now;
    counter_add(&st->calls, 1);
    counter_add(&st->ticks, took);
    if (__builtin_expect(b->tracking, 1)) hist_add(&st->latency, took * b->ns_per_tick >> 20); /* right up to an hour */
    b->ran++;
    return took;
}

void account_slow(struct session *s, const struct command *cmd, const struct slice *argv, int argc, uint64_t ticks);
void account_request(struct batch *b, struct session *s, const struct request *q); /* it ran, or was parked */
void account_rejected(struct call *c, const struct request *q);
/* Totals are brought up to date before anything runs that may ask for them, and at the end of a batch. */
void account_totals(struct batch *b, struct session *s);

/* A request whose handler parked it is over; `ticks` is what its task took, over and above what the handler took. */
void account_finished(struct session *s, const struct command *c, uint64_t ticks);

#endif
