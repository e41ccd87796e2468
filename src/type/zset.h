/* zset: members with scores, in order of score and, where scores are equal, of bytes (memcmp, the shorter first).
 *
 * Packed: records in that order. Large: a tree of packed leaves in that order, whose inner nodes count what is below them, and
 * an index from a member's hash to its leaf. All ranges are ranges of ranks: whoever wants one
 * by score or by bytes asks for the rank where it begins and ends.
 * Scores are never NaN; -0 is kept as it is only once OBJECT ENCODING says skiplist, as in Redis, or if it came in a listpack.
 * Thread rule and ownership: as type/home.h.
 */
#ifndef LARDER_TYPE_ZSET_H
#define LARDER_TYPE_ZSET_H

#include "type/value.h"

const struct value_ops *zset_ops(void);

size_t zset_count(const struct home *h);
bool zset_score(const struct home *h, struct slice member, double *score); /* is it there? */
bool zset_put(struct home *h, struct slice member, double score);          /* true: it was not there */
bool zset_remove(struct home *h, struct slice member);                     /* true: it was there */
bool zset_rank(const struct home *h, struct slice member, size_t *rank, double *score); /* from 0 */
void zset_remove_ranks(struct home *h, size_t from, size_t n);

/* How many members come before the bound: those with a score below it or, with `after`, also those with just that score. */
size_t zset_below_score(const struct home *h, double score, bool after);
/* The same by bytes, for zsets whose scores are all equal. */
size_t zset_below_bytes(const struct home *h, struct slice bytes, bool after);

/* ZADD's conditions, and adding to the score that is there. */
enum zset_when { ZSET_NX = 1, ZSET_XX = 2, ZSET_GT = 4, ZSET_LT = 8, ZSET_INCR = 16, ZSET_SIGNED = 32 /* -0 stays -0 */ };
enum zset_did {
    ZSET_KEPT,    /* a condition does not hold: nothing happened */
    ZSET_NAN,     /* the sum would not be a number: nothing happened */
    ZSET_SAME,    /* it had that score */
    ZSET_CHANGED, /* it has another one now */
    ZSET_ADDED,
};
/* zset_put with conditions, a set of enum zset_when. `*score` becomes the score that the member has, but for ZSET_KEPT. */
enum zset_did zset_add(struct home *h, struct slice member, double *score, unsigned when);
/* What Redis makes as a skiplist, and turns into a listpack at last if it is small: zset_add with ZSET_SIGNED, and then this. */
void zset_settle(struct home *h);

/* A walk from a rank on, up or down; the zset must not change meanwhile. */
#define ZSET_DEPTH 12
#define ZSET_BACK 64
struct zset_at {
    const struct home *h;
    bool down;
    size_t left;             /* members up to the end that it goes to */
    const uint8_t *p, *end;  /* what is left of a run of records: at the front going up, at the back going down */
    struct {
        const void *node;
        uint32_t i;
    } path[ZSET_DEPTH];      /* of a large zset, from the root on */
    uint32_t run, known;     /* going down: records left in the run, and how many of them are known by their places: */
    uint16_t back[ZSET_BACK];
};
void zset_seek(struct zset_at *at, const struct home *h, size_t rank, bool down); /* rank from the low end, also when going down */
bool zset_next(struct zset_at *at, struct slice *member, double *score);          /* false at the end; good until the next step */

/* ZSCAN: as set_scan. */
typedef void zset_each(void *arg, struct slice member, double score);
uint64_t zset_scan(const struct home *h, uint64_t cursor, size_t count, zset_each *each, void *arg);
const char *zset_check(const struct home *h); /* for tests */

#endif
