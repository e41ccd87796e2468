/* zsets: what the files of the sorted set family share. The family's rows are in zset_rows.c.
 *
 * Thread rule: that of a handler (call.h). Nothing here owns anything.
 */
#ifndef LARDER_COMMAND_ZSETS_H
#define LARDER_COMMAND_ZSETS_H

#include "command/collection.h"
#include "type/zset.h"

#define ZSETS_AT_ONCE 1000 /* members that are replied without slices */

/* Members from rank `from` on, `n` of them, or downwards from rank `to - 1`. */
struct zsets_range {
    size_t from, n;
    bool down;
};

/* A member, and its score if `scores`: in RESP3 both as a pair. */
void zsets_reply(struct resp_writer *w, struct slice member, double score, bool scores);
/* Replies a range of what is open for reading, with the array's head; a long one in slices. */
void zsets_reply_range(struct call *c, const struct holder *h, struct zsets_range r, bool scores);
/* Takes n members off an end, writing each; the array's head is the caller's. `nested`: as pairs of their own. */
static inline const char *zsets_popped(bool highest) { return highest ? "zpopmax" : "zpopmin"; } /* the event */
void zsets_pop(struct resp_writer *w, struct home *h, bool highest, size_t n, bool nested);

/* zset.c */
void zsets_zadd(struct call *c);
void zsets_zincrby(struct call *c);
void zsets_zcard(struct call *c);
void zsets_zscore(struct call *c);
void zsets_zmscore(struct call *c);
void zsets_zrank(struct call *c);
void zsets_zrevrank(struct call *c);
void zsets_zrem(struct call *c);
void zsets_zscan(struct call *c);

/* zset_range.c */
void zsets_zcount(struct call *c);
void zsets_zlexcount(struct call *c);
void zsets_zrange(struct call *c);
void zsets_zrangestore(struct call *c);
void zsets_zrevrange(struct call *c);
void zsets_zrangebyscore(struct call *c);
void zsets_zrevrangebyscore(struct call *c);
void zsets_zrangebylex(struct call *c);
void zsets_zrevrangebylex(struct call *c);
void zsets_zremrangebyrank(struct call *c);
void zsets_zremrangebyscore(struct call *c);
void zsets_zremrangebylex(struct call *c);

/* zset_pop.c */
void zsets_zpopmin(struct call *c);
void zsets_zpopmax(struct call *c);
void zsets_zmpop(struct call *c);
void zsets_zrandmember(struct call *c);

#endif
