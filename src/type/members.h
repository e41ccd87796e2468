/* members: byte strings, each once, with a value's bytes or none, found by hash: the large form of hashes and sets.
 *
 * Linear hashing (Litwin, 1980) with Spiral Storage's even mixture of sizes (Martin, 1979): buckets are added and taken away one
 * at a time, in order, as the count grows and shrinks, so no operation ever rehashes the whole. A bucket is one block of the
 * allocator in which its records lie packed, a byte of each one's hash at the block's end; there is no overflow: a bucket's block
 * is as large as it must be. Long records lie in blocks of their own. A bucket covers a range of hashes, so a cursor is a
 * position among those, and survives growth and shrinking.
 * Deadlines: a lower bound is kept for each group of 128 buckets and for all, so that a sweep passes by what is not due.
 * Thread rule and ownership: as type/home.h.
 */
#ifndef LARDER_TYPE_MEMBERS_H
#define LARDER_TYPE_MEMBERS_H

#include "base/slice.h"
#include "type/home.h"

struct members; /* begins with struct value_object */

struct member {
    struct slice name, value; /* good until the next change */
    int64_t due;              /* ms since 1970, below 2^48; 0: never */
};

struct members *members_new(uint64_t seed, bool values); /* values: is there room for a value and a deadline? */
size_t members_count(const struct members *m);
bool members_find(const struct members *m, struct slice name, struct member *out);
bool members_set(struct members *m, const struct member *what); /* true: it was not there. Nothing of `what` may lie in m */
bool members_remove(struct members *m, struct slice name);      /* true: it was there */
bool members_random(const struct members *m, uint64_t random, struct member *out); /* fair; false if empty */
int64_t members_due(const struct members *m); /* no deadline is before this; 0: there is none */
size_t members_deadlines(const struct members *m); /* how many have one */
bool members_set_due(struct members *m, struct slice name, int64_t due); /* of one that is there, or false; 0: none */
/* Bits that are their owner's to use; a clone has them too. */
void members_mark(struct members *m, unsigned marks); /* 8 of them */
unsigned members_marks(const struct members *m);

/* Removes what is due, after looking at about `most` members: true if there is more to look at. *gone grows by how many went. */
bool members_expire(struct members *m, int64_t now, size_t most, size_t *gone);

/* A walk while nothing changes. Begins zeroed. */
struct members_at {
    uint64_t bucket, record;
};
bool members_next(const struct members *m, struct members_at *at, struct member *out);
/* *n grows by those that are due among the next `most` members of the walk; groups of buckets that have none are passed by. False
 * at the end. */
bool members_count_due(const struct members *m, struct members_at *at, int64_t now, size_t most, size_t *n);
/* From a cursor on, whole buckets, until `count` were shown. 0: done. */
typedef void members_each(void *arg, const struct member *what);
uint64_t members_scan(const struct members *m, uint64_t cursor, size_t count, members_each *each, void *arg);

size_t members_memory(const struct members *m);
size_t members_effort(const struct members *m);
bool members_free(struct members *m, size_t most); /* see struct value_ops */
struct members *members_clone(const struct members *m);
const char *members_check(const struct members *m);

#endif
