/* inspect: counts of what a snapshot has: types, databases, sizes, prefixes, times to live, the largest.
 * Thread rule: one thread. The holder owns it.
 */
#ifndef LARDER_SNAP_INSPECT_H
#define LARDER_SNAP_INSPECT_H

#include "source.h"

struct inspect;
struct json;

struct inspect *inspect_new(int64_t now);
void inspect_add(struct inspect *p, const struct record *r);
void inspect_print(struct inspect *p, unsigned top);
void inspect_json(struct inspect *p, struct json *j, unsigned top); /* members of the object that is open */
uint64_t inspect_keys(const struct inspect *p);
void inspect_free(struct inspect *p);

#endif
