/* thaw: strings that lie packed (store/packed.h), made plain for those handlers that need their bytes.
 *
 * Nothing is unpacked under a lock. A handler that finds a packed string asks for its bytes and returns at once; dispatch releases
 * the locks, unpacks (in slices, if it is long) and runs the handler again, which then gets the bytes if the key still holds the
 * same. To be asked before anything is replied or changed; who reads several keys looks at all of them first.
 *
 *   struct slice text;
 *   if (!call_text(c, 0, e, &text)) return;      to read
 *   if (e && !(e = call_plain(c, 0, e))) return; to change: e is not packed any more
 *
 * Thread rule: the session's thread; under the locks of the keys where it says so. The session owns what is wanted until its
 * request is over.
 */
#ifndef LARDER_COMMAND_THAW_H
#define LARDER_COMMAND_THAW_H

#include "command/call.h"

/* The string's bytes, packed or not: good until the request is over; e NULL: none. False: the call will be run again. */
bool call_text(struct call *c, int key, struct entry *e, struct slice *out);
/* The same of bytes from .. from + n - 1, as far as there are any. */
bool call_text_part(struct call *c, int key, struct entry *e, size_t from, size_t n, struct slice *out);
/* What call_text gave outlives the request: to be freed (MEM_CLIENT) by the caller; NULL: e is not packed. */
char *call_text_take(struct call *c, int key, struct entry *e);
char *call_text_part_take(struct call *c, int key, struct entry *e, size_t from, size_t n);
/* The entry with the string as it was, put in e's place if that is packed. NULL: the call will be run again, or refused for want
 * of room. */
struct entry *call_plain(struct call *c, int key, struct entry *e);

/* -- a packed string that is held while no lock is --------------------------------------------------------------------------- */

struct thaw {
    struct entry *pinned; /* NULL: it is small, and `copy` is its own */
    struct slice stored;
    char *copy;
    struct packed_at at;
    char *plain;          /* with some of its bytes, MEM_CLIENT; NULL before thaw_all */
};
void thaw_hold(struct thaw *t, struct entry *e);           /* under the lock */
bool thaw_is(const struct thaw *t, const struct entry *e); /* under the lock: does e hold the same? */
struct slice thaw_all(struct thaw *t, struct lane *l);     /* no lock: all of it at once, for what is known to be short */
void thaw_drop(struct thaw *t);

/* -- for dispatch ------------------------------------------------------------------------------------------------------------ */

struct wanted;
/* Unpacks what the session's request wants; no lock held. True: all is there. */
bool thaw_wanted(struct session *s, int64_t slice_us);
void thaw_over(struct session *s); /* the request is over */

#endif
