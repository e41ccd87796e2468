/* admin: handlers of the connection and server families that lie in several files.
 *
 * Thread rule: as every handler (call.h).
 */
#ifndef LARDER_COMMAND_ADMIN_H
#define LARDER_COMMAND_ADMIN_H

#include "command/call.h"

/* Sets the name of the session; false after an error was replied. */
bool client_name(struct call *c, struct slice name);
/* Printable, and no spaces: what names and library fields may hold. */
bool client_word_ok(struct slice word);

/* A number of milliseconds to wait, at most what clock_ms can still count; false after an error was replied. */
bool server_timeout(struct call *c, int arg, int64_t *ms);

void monitor_run(struct call *c);
void shutdown_run(struct call *c);

#endif
