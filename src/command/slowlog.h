/* slowlog: the requests that took longest to execute, newest first, at most slowlog-max-len.
 * Thread rule: any thread; one short lock inside. The env owns it.
 */
#ifndef LARDER_COMMAND_SLOWLOG_H
#define LARDER_COMMAND_SLOWLOG_H

#include "command/session.h"

struct slowlog;
struct slowlog *slowlog_new(void);
void slowlog_free(struct slowlog *l);
/* The caller has compared `us` with slowlog-log-slower-than. Arguments are copied as Redis cuts them (32, 128 bytes each). */
void slowlog_note(struct slowlog *l, const struct session *s, const struct slice *argv, int argc, int64_t us, size_t max_len);

#endif
