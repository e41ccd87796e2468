/* dispatch: from bytes to executed commands: the order of things. Each of them has a room of its own: batch (cutting, looking up), admit,
 * pack, run (locks), room (memory), account.
 *
 * A batch of requests is cut from the input, looked up and hashed, its keys are brought nearer, then it is executed in order.
 * Thread rule: the session's thread. Slices of the input are not used after dispatch_input returns.
 */
#ifndef LARDER_COMMAND_DISPATCH_H
#define LARDER_COMMAND_DISPATCH_H

#include "command/call.h"

/* Executes what is whole in p[0..n). Returns how many bytes are done with; the rest must be offered again, at the same
 * start, with more behind it, or once the session is no longer parked. Sets s->closing after a protocol error or QUIT.
 * `*need`: as resp_reader_next's. */
size_t dispatch_input(struct session *s, const char *p, size_t n, size_t *need);

/* Of several sessions whose inputs are about to be executed one after another: what each begins with is looked at, then all
 * their keys are brought nearer at once. For requests that come one at a time, where a batch has nothing to look ahead to. */
void dispatch_foresee(struct session *s, const char *p, size_t n);
void dispatch_bring_near(struct lane *l);

/* Is the input held up by CLIENT PAUSE, or a task? */
bool dispatch_held(const struct session *s);

struct batch *batch_new(void);
void batch_free(struct batch *b);

#endif
