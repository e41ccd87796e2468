/* lanes: an env whose lanes have a thread each and no sockets: jobs between them come through a list under a lock. For programs without
 * Criterion, which run under the thread sanitizer.
 * Thread rule: lanes_deliver and a client's functions on the thread of its lane; the rest on the main one. A program has one of these.
 */
#ifndef LARDER_TESTS_UNIT_COMMAND_LANES_H
#define LARDER_TESTS_UNIT_COMMAND_LANES_H

#include "command/session.h"

struct lanes_client {
    struct session s;
    struct buf out;          /* what was replied and not yet taken */
    const struct task *seen;
    bool ready;
};

/* An env with Redis's defaults, which `configure` (or NULL) may change, and so many lanes; they have no threads yet. */
struct env *lanes_open(unsigned n, void (*configure)(struct env *e));
/* Each lane gets a thread, which runs work(its worker); all have ended when this returns, and what they posted is carried out. */
void lanes_run(void *(*work)(void *worker), void *worker, size_t size);
void lanes_close(void);

bool lanes_deliver(unsigned lane, bool idle); /* runs what was posted; with none, and `idle`, waits a moment for some. Was there any? */

void lanes_client_open(struct lanes_client *c, unsigned lane);
void lanes_client_end(struct lanes_client *c);
void lanes_send(struct lanes_client *c, const struct slice *word, unsigned n); /* a request, which may park */
void lanes_ask(struct lanes_client *c, const char *text); /* the same of words between spaces */
bool lanes_step(struct lanes_client *c); /* its task takes a step, if it is due: did it? */

#endif
