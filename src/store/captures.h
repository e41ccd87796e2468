/* captures: how the store keeps the capture of capture.h, for the files of this folder only.
 *
 * Thread rule: `on` changes under all locks, so whoever holds one may read it; the rest as said beside it. The store owns it.
 */
#ifndef LARDER_STORE_CAPTURES_H
#define LARDER_STORE_CAPTURES_H

#include "store/capture.h"
#include "store/table.h"

struct capture;

struct capture *captures_new(void);
void captures_free(struct capture *c);

/* The entry at a spot of a table of database db is about to be changed or to go: handed out, if it is not yet. Under its shard's lock,
 * while a capture is on. */
void captures_keep(struct store *s, unsigned db, struct spot at);
/* The same for a table that was detached by a flush: all of its entries, from `place` on. Nobody else touches the table. False: no
 * room now, call again. */
bool captures_keep_segment(struct store *s, unsigned was_db, struct segment *seg);

/* FLUSHDB is about to detach a table of database db; all locks held. Returns 1 + the database that it was, or 0: there is nothing
 * in it to be handed out. Each that was not 0 is followed by one captures_table_done. */
unsigned captures_table(struct store *s, unsigned db);
void captures_table_done(struct store *s);
void captures_swap(struct store *s, unsigned a, unsigned b); /* all locks held */

#endif
