/* admit: may a request be executed? Who may not is told why, in Redis's words; who must wait is held.
 *
 * For requests that are not on the short path: with a fault, or where the batch is careful (auth, a pause, loading, a save that
 * failed, a session that listens).
 * Thread rule: the session's thread.
 */
#ifndef LARDER_COMMAND_ADMIT_H
#define LARDER_COMMAND_ADMIT_H

#include "command/batch.h"

enum admission { ADMITTED, REFUSED, HELD };

/* REFUSED: its error is replied. HELD: nothing is replied; s->held says what it waits for. */
enum admission admit_request(struct batch *b, struct session *s, const struct request *q);

/* Does CLIENT PAUSE hold back reads, or writes? */
bool admit_paused(const struct env *e, bool write);

#endif
