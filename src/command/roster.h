/* roster: a question about sessions that is put to all lanes in turn, for one session that waits for the answer.
 *
 * Embed struct roster in what the question needs. With one lane it is answered at once; else the asking session is parked,
 * and where it ends before the answer is there, the answer is dropped.
 * Thread rule: `look` runs on the thread of the lane that it is given, one after the other; all else on the asker's. The
 * roster owns itself from roster_ask on: `drop` frees it.
 */
#ifndef LARDER_COMMAND_ROSTER_H
#define LARDER_COMMAND_ROSTER_H

#include "command/call.h"

struct roster {
    void (*look)(struct roster *r, struct lane *l);
    /* Replies; or returns the error to reply. */
    const char *(*answer)(struct roster *r, struct session *asker);
    void (*drop)(struct roster *r);
    /* roster.c's own: */
    struct task task;
    struct session *asker; /* NULL once it is gone */
    bool over;             /* all lanes were asked */
};

void roster_ask(struct call *c, struct roster *r);

#endif
