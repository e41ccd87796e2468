/* cron: what a worker does without being asked: expiry, emptying sparse pages, freeing what was left to the background; and,
 * by turns, a look at each connection (as often as `hz` says, all of them once a second).
 *
 * Ten times a second the store is looked at; where a look says that there is more to do, it goes on in slices of
 * a short time between the turns of the loop until there is not. Each worker has its share of the shards.
 * Thread rule: the worker's thread.
 */
#ifndef LARDER_SERVER_CRON_H
#define LARDER_SERVER_CRON_H

struct worker;

void cron_start(struct worker *w);
void cron_look(struct worker *w); /* all kinds may have something to do */
void cron_step(struct worker *w); /* one slice of what there is more of */

#endif
