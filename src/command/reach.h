/* reach: how other lanes refer to a session that may end at any time.
 *
 * Thread rule: `session` on its lane; references from anywhere. Whoever holds a reference drops it; the last one frees.
 */
#ifndef LARDER_COMMAND_REACH_H
#define LARDER_COMMAND_REACH_H

#include "command/session.h"

struct reach {
    _Atomic uint32_t refs;
    _Atomic bool over;       /* nothing is to be brought to it any more */
    unsigned lane;
    uint64_t id;
    struct session *session; /* NULL once it is over */
};

struct reach *reach_new(struct session *s);
void reach_end(struct reach *r); /* on its lane; NULL is fine: it is over, and the caller's reference is given back */
static inline struct reach *reach_hold(struct reach *r) {
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}
void reach_release(struct reach *r); /* NULL is fine */

#endif
