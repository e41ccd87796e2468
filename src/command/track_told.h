/* track_told: bringing invalidations to a session, or to whom it redirects them.
 *
 * A list of keys is made once and shared. Thread rule: told_keys from any thread; telling on the session's lane, no lock held.
 */
#ifndef LARDER_COMMAND_TRACK_TOLD_H
#define LARDER_COMMAND_TRACK_TOLD_H

#include "command/mail.h"
#include "command/reach.h"

struct told { /* keys that are not true any more */
    _Atomic uint32_t refs;
    size_t n;
    struct buf keys; /* of each the session that changed it, its length, its bytes */
};
struct told_key {
    uint64_t by; /* a session's id; 0: nobody's command */
    size_t n;
};

struct told *track_told_new(void);
void track_told_add(struct told *t, uint64_t by, struct slice key);
struct told *track_told_hold(struct told *t);
void track_told_release(struct told *t); /* NULL is fine */
/* Calls back for each. */
void track_told_each(const struct told *t, void (*each)(void *arg, uint64_t by, struct slice key), void *arg);

void track_told_say(struct session *s, struct told *t); /* NULL: everything */
void track_told_send(struct lane *from, struct reach *to, struct told *t); /* by a letter; takes neither reference */

#endif
