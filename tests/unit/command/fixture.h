/* fixture: a loopback to try dispatch with, and what was said over it.
 * Thread rule: one test, one process. The fixture owns the loopback; texts are good until the next request.
 */
#ifndef LARDER_TESTS_UNIT_COMMAND_FIXTURE_H
#define LARDER_TESTS_UNIT_COMMAND_FIXTURE_H

#include "../../command/loopback.h"

#include "base/clock.h"
#include "command/dispatch.h"

#include <criterion/criterion.h>
#include <stdio.h>

static inline struct peer *fixture_open(void (*configure)(struct env *e, void *arg)) {
    clock_start();
    return loopback_open(loopback_new(1, configure, NULL), 0);
}
static inline struct env *fixture_env(const struct peer *p) { return loopback_env(p->net); }

/* Sends and returns all that came back. */
static inline const char *fixture_say(struct peer *p, const char *bytes) {
    p->output.n = 0;
    peer_send(p, bytes, strlen(bytes));
    return buf_cstr(&p->output);
}

static inline struct command_stats *fixture_stats(const struct peer *p, const char *command) {
    return &fixture_env(p)->lane[0]->commands[command_number(command_find(slice_of(command)))];
}

/* Requests of inline form, without running what they, or others, have parked, as fixture_say would. */
static inline void fixture_start(struct peer *p, const char *line) {
    size_t need;
    p->output.n = 0;
    chain_free(&p->session.out);
    cr_assert_eq(dispatch_input(&p->session, line, strlen(line), &need), strlen(line));
}

static inline const char *fixture_collect(struct peer *p) {
    size_t n = chain_size(&p->session.out);
    chain_copy(&p->session.out, buf_room(&p->output, n));
    p->output.n += n;
    chain_free(&p->session.out);
    return buf_cstr(&p->output);
}

static inline const char *fixture_ask(struct peer *p, const char *line) {
    fixture_start(p, line);
    return fixture_collect(p);
}

#endif
