/* hash: fields with a value each, and a deadline where one was given.
 *
 * Packed: records in order of insertion, searched from the front; VALUE_PACKED_ALT is the same with deadlines. Large: members.
 * A field whose deadline is not after `now` is not there: functions that take `now` neither show nor find it, and hash_put takes
 * its place. hash_expire removes such fields. now = 0: all are there.
 * What is put must not lie in the hash itself. Thread rule and ownership: as type/home.h.
 */
#ifndef LARDER_TYPE_HASH_H
#define LARDER_TYPE_HASH_H

#include "type/members.h"
#include "type/value.h"

const struct value_ops *hash_ops(void);

size_t hash_count(const struct home *h); /* those that are due included */
bool hash_get(const struct home *h, struct slice field, int64_t now, struct member *out);
bool hash_put(struct home *h, const struct member *what, int64_t now);       /* true: it was not there */
bool hash_remove(struct home *h, struct slice field, int64_t now);           /* true: it was there */
bool hash_set_due(struct home *h, struct slice field, int64_t due, int64_t now); /* of one that is there, or false; 0: none */
void hash_reserve(struct home *h, size_t bytes); /* so many bytes in names and values will come, in `fields` fields */

int64_t hash_due(const struct home *h);     /* no field's deadline is before this; 0: none has one */
bool hash_has_deadlines(const struct home *h); /* false: surely none */
/* Removes what is due, after looking at about `most` fields; true if there is more to look at. *gone grows by how many went. */
bool hash_expire(struct home *h, int64_t now, size_t most, size_t *gone);

/* A walk over all fields, in the order that HGETALL has; the hash must not change meanwhile. Begins zeroed. */
struct hash_at {
    struct members_at members;
    size_t packed;
};
bool hash_next(const struct home *h, struct hash_at *at, int64_t now, struct member *out); /* false at the end */
/* Fields that are due, in pieces: *n grows by those in the next `most` fields that may be; true if there are more. */
bool hash_count_due(const struct home *h, struct hash_at *at, int64_t now, size_t most, size_t *n);

/* All fields equally likely; false if there is none. */
bool hash_random(const struct home *h, uint64_t random, int64_t now, struct member *out);
/* HSCAN: fields from the cursor on, about `count` of them, those due included; 0: done. Packed hashes are shown whole. */
uint64_t hash_scan(const struct home *h, uint64_t cursor, size_t count, members_each *each, void *arg);
const char *hash_check(const struct home *h); /* what is wrong with it, or NULL: for tests */

#endif
