/* collection: how a handler gets at the collection of a key.
 *
 *   struct holder h;
 *   if (!collection_write(c, 0, VALUE_HASH, &h)) return;            WRONGTYPE was replied, or the call will be run again
 *   if (!collection_room(c, &h, bytes, members)) return;            before anything is changed or replied
 *   ... hash_set(&h.home, ...) ...
 *   collection_close(c, &h);
 *
 * A command that changes several keys opens all of them before it changes any: each open may end it.
 * Thread rule: as command/call.h.
 */
#ifndef LARDER_COMMAND_COLLECTION_H
#define LARDER_COMMAND_COLLECTION_H

#include "command/call.h"
#include "store/holder.h"

/* Counts keyspace hits and misses; h->entry is NULL and h->home empty if the key is not there. */
bool collection_read(struct call *c, int key, enum value_type t, struct holder *h);
/* The same for change, not counted. False too while somebody reads the object in slices (then the request waits). */
bool collection_write(struct call *c, int key, enum value_type t, struct holder *h);
/* May `members` more with `bytes` in all be added? Asks call_room with what that takes at most. */
bool collection_room(struct call *c, struct holder *h, size_t bytes, size_t members);
/* holder_close. A key that was made by it is looked at by who waits for one (BLPOP). */
static inline bool collection_close(struct call *c, struct holder *h) {
    (void)c;
    return holder_close(h);
}
/* The same, and says what was done to it (notify.h); behind that, `del` if nothing is left. */
bool collection_done(struct holder *h, const char *event);
/* Replies large things of others: no such key -> the given empty reply is the handler's matter. True if e is there. */
static inline bool collection_there(const struct holder *h) { return h->entry != NULL; }

#endif
