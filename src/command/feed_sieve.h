/* feed_sieve: what many different wishes with prefixes make of a stretch of the ring, found in one walk over it.
 *
 *   a change's key --its first L bytes, for each length L that a prefix has--> table of prefixes --> what was found for a wish
 *
 * A lane's listeners with prefixes stand at one place, as a rule: where the last round of telling ended. From there a walk goes, in steps, to
 * where this round ends; then each of them that stands where it began is given what was found for its wish. Who stands elsewhere
 * looks for itself (feed_frame.h), and stands with the others afterwards.
 * Thread rule: its lane's thread. The lane owns the sieve, the sieve what was found.
 */
#ifndef LARDER_COMMAND_FEED_SIEVE_H
#define LARDER_COMMAND_FEED_SIEVE_H

#include "command/feed_ring.h"
#include "command/feed_wish.h"

struct feed_sieve;
struct feed_mesh; /* one wish, of one listener or more */

struct feed_sieve *feed_sieve_new(void);
void feed_sieve_free(struct feed_sieve *sv); /* nobody is in it any more */
struct feed_mesh *feed_sieve_join(struct feed_sieve *sv, const struct feed_wish *w);
void feed_sieve_part(struct feed_sieve *sv, struct feed_mesh *m);

/* A walk begins: where the last one ended, or at `from`. False: there are too few wishes for it to pay. */
bool feed_sieve_begin(struct feed_sieve *sv, const struct feed_place *from);
/* A step of it, of 64 KB at the most. False: it is over, at *until, which may be lower than it was if very much was found, or came to nothing. */
bool feed_sieve_step(struct feed_sieve *sv, struct env *e, uint64_t *until);
/* What a walk that is over found for who stands at `from`, and where it ended. NULL: it did not begin there. */
struct feed_found *feed_sieve_get(struct feed_sieve *sv, struct feed_mesh *m, const struct feed_place *from, const struct feed_place **end);
void feed_sieve_clear(struct feed_sieve *sv); /* what was found is not wanted any more */

#endif
