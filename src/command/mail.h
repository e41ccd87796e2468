/* mail: what one lane has to tell the sessions of another.
 *
 * Whoever puts the first letter into a lane's box posts one job to that lane, which opens all that are in it by then: one post
 * for many letters. They are opened in the order in which they were sent. A letter to one's own lane waits for the end of the
 * request at work (mail_open_own), so that what it tells comes behind that request's reply.
 * Thread rule: mail_send for the lane `from` on its thread; a box may be filled from any. A letter belongs to the box once sent;
 * `open` runs on the receiving lane's thread with no lock held, and frees it.
 */
#ifndef LARDER_COMMAND_MAIL_H
#define LARDER_COMMAND_MAIL_H

#include "command/env.h"

struct letter {
    struct letter *next;
    void (*open)(struct lane *to, struct letter *m);
};

struct mailbox;
struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox *b); /* it is empty */

void mail_send(struct lane *from, unsigned to, struct letter *m);
void mail_open_own(struct lane *l);
void mail_open_arrived(struct lane *l); /* from others, by now: for who says something that is to come behind it */

#endif
