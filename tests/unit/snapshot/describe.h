/* describe: values and records as text, for tests to compare. */
#ifndef LARDER_TESTS_SNAPSHOT_DESCRIBE_H
#define LARDER_TESTS_SNAPSHOT_DESCRIBE_H

#include "snapshot/record.h"

#define DESCRIBE_NOW 1700000000000

char *describe(enum value_type t, const struct home *h); /* members in order, deadlines relative to DESCRIBE_NOW; to be freed */
const char *describe_check(enum value_type t, const struct home *h); /* what is wrong with it, or NULL */

/* What a snapshot holds: lines "db type key deadline use = value", sorted when they are compared. */
struct described {
    char **line;
    size_t n;
};
/* A string: `string` is all of it, plain; a collection: home. Long values are said by length and sum. */
void described_add(struct described *d, const struct record *r, struct slice string, const struct home *home);
void described_sort(struct described *d);
void described_free(struct described *d);

#endif
