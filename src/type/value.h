/* value: what an entry may hold, and what every kind of value that is not a string can do.
 *
 * A further type is one more enum value and one more row of operations, handed out by its own file; entry, dispatcher, SCAN
 * and eviction need no change.
 * Thread rule: a value is touched only under the lock of its key's shard, or while it is held (type/home.h). The entry owns
 * its value.
 */
#ifndef LARDER_TYPE_VALUE_H
#define LARDER_TYPE_VALUE_H

#include "base/slice.h"
#include "type/home.h"

enum value_type { VALUE_STRING, VALUE_LIST, VALUE_SET, VALUE_ZSET, VALUE_HASH, VALUE_STREAM, VALUE_TYPES };

struct value_ops {
    const char *(*encoding)(const struct home *h); /* as OBJECT ENCODING says it */
    size_t (*count)(const struct home *h);         /* members; 0: the key goes */
    size_t (*memory)(const void *object);          /* bytes of the object, allocator classes included */
    size_t (*effort)(const void *object);          /* how many frees it takes: above 64 they are made in slices */
    /* Frees, `most` pieces at most. True: nothing is left, the object itself is gone too. */
    bool (*free)(void *object, size_t most);
    void *(*clone)(const void *object);
    /* For types whose members have deadlines of their own, else NULL: the earliest (0: none has one; it may be too early, never
     * too late), and removing what is past it, after looking at about `most` members: true if there may be more. */
    int64_t (*due)(const struct home *h);
    bool (*expire)(struct home *h, int64_t now, size_t most);
};

/* NULL for strings and for types that are not built. */
const struct value_ops *value_ops(enum value_type t);
const char *value_type_name(enum value_type t);
/* VALUE_TYPES if no type has that name. */
enum value_type value_type_named(struct slice name);
void value_free(enum value_type t, void *object); /* all of it, at once */

#endif
