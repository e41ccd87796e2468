/* table: an extendible hash of segments: one database's keys in one shard.
 *
 * The directory has 2^depth places; the bits of a hash behind those that choose the shard choose the place; a segment of
 * smaller depth stands in several neighbouring places. A full segment grows alone, then splits alone: nothing is ever rehashed
 * as a whole. Segments that become sparse shrink, and merge with their neighbour when both fit into one.
 * Thread rule: under the shard's lock; counts may be read without. The table owns its segments and entries.
 */
#ifndef LARDER_STORE_TABLE_H
#define LARDER_STORE_TABLE_H

#include "base/thread.h"
#include "store/segment.h"
#include "store/store.h"

#define TABLE_MAX_DEPTH 28 /* so that a SCAN cursor has 53 bits and survives clients that hold it in a double */

struct table {
    struct segment **dir; /* NULL while there has never been a key */
    uint8_t depth;
    uint8_t mark;     /* of the slots of what comes in: see capture.h */
    uint32_t deepest; /* how many segments have the directory's depth */
    counter keys, volatiles, segments;
};

struct spot { /* where an entry stands; good until the table changes */
    struct segment *segment;
    uint32_t i;
};

static inline uint64_t table_place(const struct table *t, uint64_t hash) {
    return hash << STORE_SHARD_BITS >> 1 >> (63 - t->depth);
}
static inline uint32_t table_tag(uint64_t hash) { return (uint32_t)(hash & 0xffff); }

/* NULL, or the entry whose key that is; `at` says where. */
static inline struct entry *table_find(const struct table *t, const struct key *k, struct spot *at) {
    if (__builtin_expect(!t->dir, 0)) return NULL;
    const uint32_t tag = table_tag(k->hash);
    struct segment *s = t->dir[table_place(t, k->hash)];
    for (uint32_t i = segment_seek(s, tag); s->slot[i] && segment_tag(s->slot[i]) == tag; i++) {
        struct entry *e = segment_entry(s->slot[i]);
        struct entry_parts p = entry_parts(e);
        if (p.keylen == k->n && !memcmp(p.key, k->p, k->n)) {
            *at = (struct spot){s, i};
            return e;
        }
    }
    return NULL;
}

void table_insert(struct table *t, uint64_t hash, struct entry *e, uint64_t seed); /* the key must not be there */
/* -- many at a time. An empty table is begun with segments made without a lock, for as many keys as are to come, so that they need not grow
 * while those come in. What did not come is given back by settling. */
size_t table_reserved_bytes(uint64_t keys);                            /* that it takes, or less */
void table_reserve(struct table *t, uint64_t keys);                    /* *t is zero, and nobody else's */
void table_begin(struct table *t, struct table *reserved, uint32_t swept);
/* Puts in what is surely not there, without a look at any entry, its deadlines being known: false where it takes more than that. */
bool table_insert_quick(struct table *t, uint64_t hash, struct entry *e, int64_t due, bool deadline);
bool table_settle(struct table *t, uint64_t *place, unsigned most);    /* of so many segments; from place 0 on. True: there are more */

void table_replace(struct table *t, struct spot at, struct entry *e);  /* same key; the old entry is the caller's */
void table_changed(struct table *t, struct spot at, int64_t before);   /* the entry's deadline was `before`; or its members' changed */
void table_remove(struct table *t, uint64_t hash, struct spot at);     /* the entry is the caller's now */
size_t table_room(const struct table *t, uint64_t hash);               /* bytes that an insert may take for a moment */
/* segment_sift on the segment at `place`, which then shrinks; what is put in an entry's place has its deadline. Returns how many
 * went. `due`, if not NULL, is read after the last entry: the deadlines of those that stay, for segment_schedule. */
struct table_due {
    const struct agenda *sheet;
    int64_t beyond;
};
size_t table_sift(struct table *t, uint64_t place, segment_keep *keep, void *arg, const struct table_due *due);
/* The same of what is on the segment's agenda up to now. Who keeps an entry that is still due some time notes it again. */
size_t table_sift_due(struct table *t, uint64_t place, int64_t now, segment_keep *keep, void *arg);
void table_clear(struct table *t);                                     /* frees all segments, no entries; the mark stays */
size_t table_bytes(const struct table *t);
const char *table_check(const struct table *t, unsigned shard, uint64_t seed);

/* The segment after `place`, going up: NULL past the end. Sets *place to its first place. */
static inline struct segment *table_segment(const struct table *t, uint64_t *place) {
    if (!t->dir || *place >> t->depth) return NULL;
    struct segment *s = t->dir[*place];
    *place &= ~((1ull << (t->depth - s->depth)) - 1);
    return s;
}
static inline uint64_t table_next(const struct table *t, uint64_t place) {
    return place + (1ull << (t->depth - t->dir[place]->depth));
}

#endif
