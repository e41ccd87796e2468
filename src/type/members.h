/* members: byte strings, each once, with a value's bytes or none, found by hash: the large form of hashes and sets.
 *
 * Linear hashing (Litwin, 1980): buckets are added and taken away one at a time, in order, as the count grows and shrinks, so no
 * operation ever rehashes the whole. A bucket is one block of the allocator in which its records lie packed, tag first; there
 * is no overflow: a bucket's block is as large as it must be. Long records lie in blocks of their own. The bucket of a hash
 * covers a range of bit-reversed hashes, so a cursor is a position among those, and survives growth and shrinking.
 * Thread rule and ownership: as type/home.h.
 */
#ifndef LARDER_TYPE_MEMBERS_H
#define LARDER_TYPE_MEMBERS_H

#include "base/slice.h"
#include "type/home.h"

struct members; /* begins with struct value_object */

struct member {
    struct slice name, value; /* good until the next change */
    int64_t due;              /* ms since 1970; 0: never */
};

struct members *members_new(uint64_t seed, bool values); /* values: is there room for a value and a deadline? */
size_t members_count(const struct members *m);
bool members_find(const struct members *m, struct slice name, struct member *out);
bool members_set(struct members *m, const struct member *what); /* true: it was not there */
bool members_remove(struct members *m, struct slice name);      /* true: it was there */
bool members_random(const struct members *m, uint64_t random, struct member *out); /* fair; false if empty */
int64_t members_due(const struct members *m); /* no deadline is before this; 0: there is none */

/* A walk while nothing changes. Begins zeroed. */
struct members_at {
    uint64_t bucket, record;
};
bool members_next(const struct members *m, struct members_at *at, struct member *out);
/* From a cursor on, whole buckets, until `count` were shown. 0: done. */
typedef void members_each(void *arg, const struct member *what);
uint64_t members_scan(const struct members *m, uint64_t cursor, size_t count, members_each *each, void *arg);

size_t members_memory(const struct members *m);
size_t members_effort(const struct members *m);
bool members_free(struct members *m, size_t most); /* see struct value_ops */
struct members *members_clone(const struct members *m);
const char *members_check(const struct members *m);

#endif
