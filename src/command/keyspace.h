/* keyspace: handlers of the commands about keys, whatever they hold; the rows are in keyspace.c
 * (command_rows_keyspace).
 *
 * Thread rule: that of a handler (call.h). Nothing here owns anything.
 */
#ifndef LARDER_COMMAND_KEYSPACE_H
#define LARDER_COMMAND_KEYSPACE_H

#include "command/call.h"

/* expiry.c */
void expiry_expire(struct call *c);
void expiry_pexpire(struct call *c);
void expiry_expireat(struct call *c);
void expiry_pexpireat(struct call *c);
void expiry_ttl(struct call *c);
void expiry_pttl(struct call *c);
void expiry_expiretime(struct call *c);
void expiry_pexpiretime(struct call *c);
void expiry_persist(struct call *c);

/* scan.c */
void scan_keys(struct call *c);
void scan_scan(struct call *c);
void scan_randomkey(struct call *c);

/* call_read that does not count as a use of the key: for questions about it. Hits and misses are counted. */
struct entry *keyspace_look(struct call *c, int key);
/* What OBJECT REFCOUNT says. */
int keyspace_refcount(struct call *c, struct entry *e);

#endif
