#include "type/value.h"

#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

static const char *const names[VALUE_TYPES] = {"string", "list", "set", "zset", "hash", "stream"};

const struct value_ops *value_ops(enum value_type t) {
    switch (t) { /* collections hand out their rows here */
    case VALUE_LIST:
        return list_ops();
    case VALUE_SET:
        return set_ops();
    case VALUE_HASH:
        return hash_ops();
    case VALUE_ZSET:
        return zset_ops();
    default:
        return NULL;
    }
}

void value_free(enum value_type t, void *object) {
    while (!value_ops(t)->free(object, SIZE_MAX)) {}
}

const char *value_type_name(enum value_type t) { return t < VALUE_TYPES ? names[t] : "unknown"; }

enum value_type value_type_named(struct slice name) {
    for (unsigned t = 0; t < VALUE_TYPES; t++)
        if (slice_is(name, names[t])) return t;
    return VALUE_TYPES;
}
