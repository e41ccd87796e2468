/* clients: the subcommands of CLIENT that look at other sessions than the one that asks.
 *
 * Sessions live on several lanes, so these are questions that travel (roster.h). Thread rule: as every handler.
 */
#ifndef LARDER_COMMAND_CLIENTS_H
#define LARDER_COMMAND_CLIENTS_H

#include "command/admin.h"

void clients_list(struct call *c);
void clients_kill(struct call *c);
void clients_unblock(struct call *c);

#endif
