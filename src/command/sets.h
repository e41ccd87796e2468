/* sets: handlers and helpers that the files of the set family share; the rows are in set.c (command_rows_set).
 *
 * Thread rule: that of a handler (call.h). Nothing here owns anything.
 */
#ifndef LARDER_COMMAND_SETS_H
#define LARDER_COMMAND_SETS_H

#include "command/work.h"
#include "type/set.h"

enum { SETS_AT_ONCE = 1000 }; /* members that are shown, drawn or compared without slices */

/* What walking a whole set takes, counted in members of a usual size. */
size_t sets_effort(const struct home *h);
static inline size_t sets_effort_of(struct slice member) { return 1 + member.n / 128; }

/* set_random.c */
void sets_smembers(struct call *c);
void sets_spop(struct call *c);
void sets_srandmember(struct call *c);

/* set_algebra.c */
void sets_sinter(struct call *c);
void sets_sintercard(struct call *c);
void sets_sinterstore(struct call *c);
void sets_sunion(struct call *c);
void sets_sunionstore(struct call *c);
void sets_sdiff(struct call *c);
void sets_sdiffstore(struct call *c);

#endif
