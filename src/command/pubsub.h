/* pubsub: publishing to channels, and to those who listen to events of keys.
 *
 * A message is made once and refers to nothing else; letters bring it to the lanes that have subscribers, each with the topic that it is
 * delivered by. On the publisher's own lane it is delivered at once. Thread rule: the lane's thread.
 */
#ifndef LARDER_COMMAND_PUBSUB_H
#define LARDER_COMMAND_PUBSUB_H

#include "command/call.h"

/* To the channel's subscribers and those of patterns (or of a shard channel). Returns how many get it. No lock held. */
uint64_t pubsub_publish(struct lane *l, bool shard, struct slice channel, struct slice text);
void pubsub_leave(struct session *s); /* it has subscribed to nothing any more; nothing is said */
bool pubsub_subscribed(const struct session *s);

#endif
