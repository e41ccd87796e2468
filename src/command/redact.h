/* redact: which arguments are secrets, and must not come into the slow log or to those who run MONITOR.
 *
 * Thread rule: pure functions of the arguments and the option rows.
 */
#ifndef LARDER_COMMAND_REDACT_H
#define LARDER_COMMAND_REDACT_H

#include "command/env.h"

#define REDACTED "(redacted)"

/* Does the request hold secrets at all? Then redact_hides tells which arguments; it may be asked of any request. */
bool redact_applies(const struct slice *argv, int argc);
bool redact_hides(struct env *e, const struct slice *argv, int argc, int arg);

#endif
