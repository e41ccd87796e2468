/* sound: what the targets that read values demand. */
#ifndef LARDER_TESTS_FUZZ_SOUND_H
#define LARDER_TESTS_FUZZ_SOUND_H

#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/value.h"
#include "type/zset.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1700000000000

static inline void must(bool what, const char *text) {
    if (what) return;
    fprintf(stderr, "%s\n", text);
    abort();
}

/* What is wrong with a collection, or NULL. */
static inline const char *check(enum value_type t, const struct home *h) {
    switch (t) {
    case VALUE_LIST: return list_check(h);
    case VALUE_SET: return set_check(h);
    case VALUE_ZSET: return zset_check(h);
    case VALUE_HASH: return hash_check(h);
    default: return "a type that is not built";
    }
}

#endif
