/* value: what an entry may hold, and what every kind of value that is not a string can do.
 *
 * A further type is one more enum value and one more row of operations; entry, dispatcher, SCAN and eviction need no change.
 * Thread rule: a value is touched only under the lock of its key's shard. The entry owns its value.
 */
#ifndef LARDER_TYPE_VALUE_H
#define LARDER_TYPE_VALUE_H

#include "base/slice.h"

enum value_type { VALUE_STRING, VALUE_LIST, VALUE_SET, VALUE_ZSET, VALUE_HASH, VALUE_STREAM, VALUE_TYPES };

struct value_ops {
    const char *name;                           /* as TYPE says it */
    const char *(*encoding)(const void *value); /* as OBJECT ENCODING says it */
    size_t (*memory)(const void *value);        /* bytes taken, allocator classes included */
    void *(*clone)(const void *value);
    void (*free)(void *value);
    size_t (*effort)(const void *value);        /* how many frees it takes: above 64, UNLINK gives it to another thread */
};

/* NULL for strings and for types that are not built. */
const struct value_ops *value_ops(enum value_type t);
const char *value_type_name(enum value_type t);
/* VALUE_TYPES if no type has that name. */
enum value_type value_type_named(struct slice name);

#endif
