/* room: memory for requests that need more than there is, and the wait for it.
 *
 * Handlers do not evict: they say what they need and return (call_room). Here room is made with no lock held, a slice at a time, and
 * the handler runs again. What takes longer than a slice becomes a task with a copy of the request. The same way goes what wants
 * strings unpacked (thaw.h), or finds a collection held by a reader, or is ahead of a save.
 * Thread rule: the session's thread; no lock held.
 */
#ifndef LARDER_COMMAND_ROOM_H
#define LARDER_COMMAND_ROOM_H

#include "command/batch.h"
#include "command/pack.h"
#include "store/capture.h"

enum outcome { RAN, NO_ROOM, ROOM_LATER };

/* Makes room for `need` more bytes and unpacks what the request wants, then runs it; again if it asks for more than there is. */
enum outcome room_run(struct batch *b, const struct request *q, size_t need);
/* What it asks for before it has run. */
size_t room_at_first(const struct call *c, const struct request *q);
/* Behind room_run, or a plain run (RAN): replies OOM, parks the request, or notes that it is over. */
void room_end(struct batch *b, struct session *s, const struct request *q, enum outcome o);
/* A write may have taken more than it asked for: down to the limit before its reply leaves; may park the session. */
void room_evict(struct batch *b, struct session *s);

/* About the bytes that it will store. */
static inline size_t room_bytes(const struct call *c, const struct request *q) {
    return q->size - (__builtin_expect(c->pack != NULL, 0) ? c->pack->saved : 0);
}

/* May it be that there is no room for it, of one kind or the other? */
static inline bool room_lacks(const struct batch *b, const struct request *q) {
    const struct call *c = &b->call;
    return __builtin_expect(b->limited, 0) && (((q->command->flags & C_DENYOOM) && !store_fits(c->v.store, room_bytes(c, q))) ||
        ((q->command->flags & C_WRITE) && capture_pressed(c->v.store)));
}

/* The request is over, or put off. */
static inline void room_aside_over(struct session *s, struct call *c) {
    if (__builtin_expect(!c->aside, 1)) return;
    c->aside = false;
    pack_over(s, c);
}

#endif
