/* set: members without order, each once: sorted integers of one width (intset.h), byte strings in order of arrival, or a hash of
 * them (members.h).
 *
 * Forms: VALUE_PACKED is integers ("intset"), VALUE_PACKED_ALT is strings ("listpack"), VALUE_OBJECT what is larger: members, or
 * an array of integers where set-max-intset-entries allows more than HOME_MAX bytes of them: what says "intset" is always in
 * ascending order. Members that are there only because strings went over HOME_MAX still say "listpack".
 * Strings: [length as a varint][bytes], one behind the other. Integers are told from strings by their text: "12" is one, "012" is
 * not. Thread rule and ownership: as type/home.h.
 */
#ifndef LARDER_TYPE_SET_H
#define LARDER_TYPE_SET_H

#include "base/num.h"
#include "type/value.h"

const struct value_ops *set_ops(void);

size_t set_count(const struct home *h);
bool set_has(const struct home *h, struct slice member);
bool set_add(struct home *h, struct slice member);    /* true: it was not there. `member` may not lie in h */
bool set_remove(struct home *h, struct slice member); /* true: it was there. `member` may lie in h */
/* Before n members are added of which `first` is one: takes the form that Redis takes for so many. */
void set_expect(struct home *h, struct slice first, size_t n);

/* Bytes that adding n words may take at once of a large array of integers, where it has to grow, or to become a hash; of all others 0. */
size_t set_growth(const struct home *h, const struct slice *word, size_t n);

/* A walk over all members, in the order that SMEMBERS has; the set must not change meanwhile. Begins zeroed. */
struct set_at {
    uint64_t place, inside;
    char text[NUM_I64_MAX]; /* of an integer */
};
/* False at the end. The member is good until the next step. */
bool set_next(const struct home *h, struct set_at *at, struct slice *member);

/* A random one, all equally likely; the set is not empty. `text` is where an integer is written. */
struct slice set_random(const struct home *h, uint64_t random, char text[NUM_I64_MAX]);
/* SSCAN: members from the cursor on, about `count` of them; members there from start to end are seen at least once whatever is
 * added and removed meanwhile. 0: done. Packed sets are shown whole. */
typedef void set_each(void *arg, struct slice member);
uint64_t set_scan(const struct home *h, uint64_t cursor, size_t count, set_each *each, void *arg);
const char *set_check(const struct home *h); /* what is wrong with it, or NULL: for tests */

#endif
