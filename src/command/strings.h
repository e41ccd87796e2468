/* strings: handlers and helpers that the files of the string family share.
 *
 * The rows of the family are in string.c (command_rows_string); handlers that live in other files are
 * declared here. Thread rule: that of a handler (call.h). Nothing here owns anything.
 */
#ifndef LARDER_COMMAND_STRINGS_H
#define LARDER_COMMAND_STRINGS_H

#include "command/call.h"

/* string_number.c */
void strings_incr(struct call *c);
void strings_decr(struct call *c);
void strings_incrby(struct call *c);
void strings_decrby(struct call *c);
void strings_incrbyfloat(struct call *c);

/* lcs.c */
void strings_lcs(struct call *c);

/* "ERR invalid expire time in '...' command" */
void strings_bad_expire(struct call *c);

/* Whoever edits a long string that a save still has to write waits until that is done: to be edited it would have to be copied as a whole,
 * under its shard's lock. False: it is so; the call will be run again. `e`: NULL if there is none. */
enum { STRINGS_COPIED_MOST = 1 << 20 };
bool strings_edit_waits(struct call *c, int key, const struct entry *e);
static inline bool strings_editable(struct call *c, int key, const struct entry *e) {
    return !e || __builtin_expect(entry_value(e).n <= STRINGS_COPIED_MOST, 1) || !strings_edit_waits(c, key, e);
}

/* Room for a value of n bytes at a key that may be new. Far from the limit one load says yes: the spare
 * covers what a block takes beyond its bytes and the growth of a table. Near to it, it is worth a look at
 * what the table really needs. */
enum { STRINGS_SPARE = 65536 };
static inline bool strings_room(struct call *c, int key, size_t n) {
    const struct key *k = &c->key[key];
    if (__builtin_expect(store_far(c->v.store, k->n + n + n / 4, STRINGS_SPARE), 1)) return true;
    return call_room(c, view_room_for(&c->v, k, n));
}

/* The same where view_edit makes it: what it makes anew gets some room to grow. */
static inline bool strings_room_to_edit(struct call *c, int key, size_t n) { return strings_room(c, key, n + n / ENTRY_ROOMY); }

#endif
