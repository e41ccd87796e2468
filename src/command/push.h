/* push: what is said to a session that did not ask for it: messages, invalidations, frames of the feed.
 *
 *   struct resp_writer w = push_begin(s);
 *   resp_push(&w, 2); ...
 *   push_end(s);
 *
 * A push never comes between parts of a reply: while a request of the session is being replied to in slices, and for what CLIENT REPLY
 * silences, it waits beside the output until that reply is whole.
 * Thread rule: the session's thread, no lock held. The session owns what waits.
 */
#ifndef LARDER_COMMAND_PUSH_H
#define LARDER_COMMAND_PUSH_H

#include "command/session.h"

struct resp_writer push_begin(struct session *s);
void push_end(struct session *s);
void push_settle(struct session *s);  /* the reply at work is whole */
void push_drop(struct session *s);    /* the session ends */

#endif
