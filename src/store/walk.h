/* walk: background walks over the store's segments, for the files of this folder only.
 *
 * A walk remembers where it is between its slices; every segment that is there from start to end is come to, however others split
 * and merge. Thread rule: a walk belongs to the thread that steps it; the segment it comes to is locked.
 */
#ifndef LARDER_STORE_WALK_H
#define LARDER_STORE_WALK_H

#include "store/table.h"

/* Where a background walk over a part of the shards is. */
struct walk {
    unsigned shard, db;
    const uint8_t *databases; /* what db stands for; NULL: itself. Under all locks */
    uint64_t position; /* in the table, in units of 2^-TABLE_MAX_DEPTH of it: it outlives splits and merges */
    bool running;
    const _Atomic uint32_t *rules; /* of a sweep: for rules up to this number. Each shard notes it when the walk comes to it; NULL: none */
};

/* What a walk over the shards `part`, part + parts, ... comes to. Its shard is locked: unlock it, having done nothing but
 * with this segment. A segment that was merged while the walk stood in it may come again. */
struct stop {
    struct table *table;
    struct segment *segment;
    uint64_t place;
    unsigned shard, db;
};
void walk_start(struct walk *w, unsigned part);
bool walk_next(struct store *s, struct walk *w, unsigned parts, struct stop *at); /* false at the end, nothing locked */
/* On to the table's next segment, under the same lock, where nothing is to be done with this one; false: there is none. */
bool walk_past(struct walk *w, struct stop *at);

#endif
