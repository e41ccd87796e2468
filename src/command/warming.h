/* warming: which snapshots are loaded and when: at the start, and by CACHE WARM; and what is told of it.
 *
 * snapshot/warmup.h does the loading. At the start `dbfilename` in `dir` and the files of `warm-file` are loaded while clients are
 * served already, or, with `warm-blocking`, before: until it is over they get -LOADING, as from Redis. What cannot be read is
 * said loudly, and never saved over (persist.c asks).
 * Thread rule: warming_start before the first session, warming_stop after the last; the rest from any thread. The env owns its warmup.
 */
#ifndef LARDER_COMMAND_WARMING_H
#define LARDER_COMMAND_WARMING_H

#include "command/call.h"
#include "snapshot/warmup.h"

enum { WARMING_SKIP, WARMING_REFUSE }; /* values of warm_foreign */

struct warmup *warming_new(struct env *e); /* once the store stands */
/* False: there is a file that cannot be read, and the settings want it all or nothing; it is logged, and the daemon should not start. */
bool warming_start(struct env *e);
void warming_stop(struct env *e);          /* before the host ends: it is posted to no more */
void warming_info(struct env *e, struct buf *out);   /* lines of INFO persistence */
bool warming_status(struct env *e, struct buf *out); /* one for the supervisor; false: nothing is being loaded */
void warming_run(struct call *c);          /* CACHE WARM */

#endif
