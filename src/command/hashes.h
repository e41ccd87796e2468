/* hashes: handlers of the hash family that lie in other files than its rows (hash.c), and what those files share.
 *
 * Thread rule: that of a handler (call.h). Nothing here owns anything.
 */
#ifndef LARDER_COMMAND_HASHES_H
#define LARDER_COMMAND_HASHES_H

#include "command/collection.h"
#include "type/hash.h"

enum { HASHES_AT_ONCE = 1000 }; /* fields that a handler may walk over at once */

/* Is a walk over it short enough not to be made in slices? */
static inline bool hashes_small(const struct home *h) { return !h->object || hash_count(h) <= HASHES_AT_ONCE; }

/* hash_walk.c */
void hashes_getall(struct call *c);
void hashes_keys(struct call *c);
void hashes_vals(struct call *c);
void hashes_len(struct call *c);
void hashes_scan(struct call *c);

/* hash_random.c */
void hashes_randfield(struct call *c);

/* hash_field_ttl.c */
void hashes_expire(struct call *c);
void hashes_pexpire(struct call *c);
void hashes_expireat(struct call *c);
void hashes_pexpireat(struct call *c);
void hashes_ttl(struct call *c);
void hashes_pttl(struct call *c);
void hashes_expiretime(struct call *c);
void hashes_pexpiretime(struct call *c);
void hashes_persist(struct call *c);

/* hash_field_ex.c */
void hashes_getdel(struct call *c);
void hashes_getex(struct call *c);
void hashes_setex(struct call *c);

/* A field's deadline out of a word: in seconds or milliseconds, from now or absolute. False after an error was replied. */
bool hashes_read_due(struct call *c, int arg, bool seconds, bool relative, int64_t *due);
/* "FIELDS numfields" at `arg`, with `width` words for each field up to the end of the request. False after an error was replied. */
bool hashes_read_fields(struct call *c, int arg, const char *bad_count);

/* Closes a hash and says what was done to its fields: each event that is not NULL, and `del` if none is left. */
void hashes_done(struct holder *h, const char *first, const char *second);

#endif
