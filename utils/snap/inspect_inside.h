/* inspect_inside: what was counted, for inspect.c and inspect_json.c only.
 *
 * Thread rule: one thread. It belongs to the inspect.
 */
#ifndef LARDER_SNAP_INSPECT_INSIDE_H
#define LARDER_SNAP_INSPECT_INSIDE_H

#include "inspect.h"

#define INSPECT_DATABASES 256  /* more are counted together */
#define INSPECT_PREFIXES 65536 /* that are told apart */
#define INSPECT_LARGEST 100
#define INSPECT_LIVES 6

struct inspect_sum {
    uint64_t keys, bytes, with_ttl, expired;
};

struct inspect_prefix {
    char *text; /* NULL: free */
    uint32_t n;
    struct inspect_sum sum;
};

struct inspect_large {
    struct buf key;
    uint64_t bytes;
    enum value_type type;
    unsigned db;
};

struct inspect {
    int64_t now;
    struct inspect_sum all, type[VALUE_TYPES], db[INSPECT_DATABASES];
    uint64_t heat[RECORD_HEATS], ttl[INSPECT_LIVES];
    struct inspect_prefix *prefix; /* a table; once they are sorted, the largest first */
    struct inspect_prefix others;
    size_t prefixes;
    struct inspect_large large[INSPECT_LARGEST];
    size_t larges;
};

void inspect_sort(struct inspect *p);     /* the prefixes; nothing is added any more */
int64_t inspect_life(size_t i);           /* seconds up to which ttl[i] counts; INT64_MAX: all beyond */

#endif
