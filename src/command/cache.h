/* cache: what commands share that must not count what is invalid but not yet removed (store/rule.h).
 *
 * Thread rule: as command/call.h.
 */
#ifndef LARDER_COMMAND_CACHE_H
#define LARDER_COMMAND_CACHE_H

#include "command/call.h"

/* Calls `reply` once the invalidations that are running now are over: at once if there are none, else the session is parked. */
void cache_when_swept(struct call *c, void (*reply)(struct session *s, unsigned db));

#endif
