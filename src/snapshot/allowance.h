/* allowance: what a value that is being built may take of memory, asked for a little ahead.
 *
 * A collection in a file may be of any length, and is not known to have room before it is there. Who builds one says what each member
 * takes before it is added; every ALLOWANCE_STEP bytes it is asked whether there is room for more. If there is not, it is given up.
 * Invariant: what was taken never passes what was allowed. The first ALLOWANCE_FREE bytes are, so that small values ask nobody.
 * Thread rule: one thread. The holder owns it; all zero: everything is allowed.
 */
#ifndef LARDER_SNAPSHOT_ALLOWANCE_H
#define LARDER_SNAPSHOT_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>

#define ALLOWANCE_FREE ((size_t)4 << 10)
#define ALLOWANCE_STEP ((size_t)16 << 10)
#define ALLOWANCE_MEMBER ((size_t)24) /* what a member takes beside its bytes, about */
#define ALLOWANCE_LARGE ((size_t)4 << 10) /* from here on a block of its own, which may be a quarter larger */

struct allowance_giver {
    bool (*room)(void *arg, size_t built, size_t n); /* `built` bytes are there already: may n more be? NULL: always */
    void *arg;
};

struct allowance {
    struct allowance_giver giver;
    size_t credit, built;
};

static inline struct allowance allowance_of(struct allowance_giver g) { return (struct allowance){g, ALLOWANCE_FREE, 0}; }

/* False: there is no room for n more. */
static inline bool allowance_take(struct allowance *a, size_t n) {
    if (!a->giver.room) return true;
    if (n > ALLOWANCE_LARGE) n += n / 4;
    if (n > a->credit) {
        if (!a->giver.room(a->giver.arg, a->built, n + ALLOWANCE_STEP)) return false;
        a->credit = n + ALLOWANCE_STEP;
    }
    a->credit -= n;
    a->built += n;
    return true;
}

#endif
