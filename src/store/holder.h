/* holder: a key's collection, opened for reading or for change; what its structure does to it is carried over to the entry.
 *
 *   struct holder h;
 *   holder_open(&h, view, key, entry, VALUE_SET);     entry NULL: an empty new one
 *   set_add(&h.home, ...);                            any number of changes
 *   holder_close(&h);                                 the entry is as the home is; an empty collection's key is gone
 *
 * Between open and close nothing else may be done to that key; other keys may be opened beside it.
 * Thread rule: under the lock of the key's shard. The entry owns the bytes and the object; the holder owns nothing.
 */
#ifndef LARDER_STORE_HOLDER_H
#define LARDER_STORE_HOLDER_H

#include "store/view.h"

struct holder {
    struct home home;
    enum value_type type;
    struct view *view;        /* NULL: opened for reading */
    const struct key *key;
    struct entry *entry;      /* NULL: there is none (yet) */
    void *was_object;
    bool same;                /* nothing was changed: nobody needs to be told */
    uint64_t changes;         /* members that were; 1 unless somebody says how many */
    int64_t was_due;
};

/* For reading: e may be NULL, then it is empty. */
void holder_look(struct holder *h, const struct store *s, struct entry *e, enum value_type t);
void holder_open(struct holder *h, struct view *v, const struct key *k, struct entry *e, enum value_type t);
/* Returns whether the key is there now. */
bool holder_close(struct holder *h);

/* A reference that a reader had is given back; the last one's object is freed, in slices if that takes long. Any thread, no lock
 * needed. */
void holder_release(struct store *s, enum value_type t, void *object);

#endif
