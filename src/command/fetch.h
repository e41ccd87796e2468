/* fetch: the subcommands of CACHE that load what is missing once: FETCH, FILL, RELEASE. Their rows are in cache.c.
 * Thread rule: as every handler.
 */
#ifndef LARDER_COMMAND_FETCH_H
#define LARDER_COMMAND_FETCH_H

#include "command/call.h"

void fetch_run(struct call *c);
void fetch_fill(struct call *c);
void fetch_give_up(struct call *c);

#endif
