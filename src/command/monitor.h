/* monitor: every command as it is executed, to the sessions that asked for it.
 * Thread rule: monitor_feed runs on the thread of the session that executes; lines travel to the others through their lanes.
 */
#ifndef LARDER_COMMAND_MONITOR_H
#define LARDER_COMMAND_MONITOR_H

#include "command/call.h"

void monitor_feed(struct session *from, const struct slice *argv, int argc); /* called if config.monitor_any is not 0 */
void monitor_end(struct session *s);                                         /* the session leaves: count it out */

/* A lane's lines on their way to its monitors; made and freed with the lane. */
struct monitor_box *monitor_box_new(void);
void monitor_box_free(struct monitor_box *b);

#endif
