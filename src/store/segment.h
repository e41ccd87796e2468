/* segment: some hundred entries in one small block, in order of their tags; the unit of growth, SCAN, eviction and expiry.
 *
 * A slot is 8 bytes: the entry's address (48 bits, of which the lowest, always 0, is the slot's mark: see capture.h) and its tag
 * (the low 16 bits of its hash). An entry's home is
 * tag * homes / 65536; it lies there or behind, with no empty slot in between, and slots are in ascending order of tags:
 * linear probing whose runs are sorted (Celis's Robin Hood hashing, with a hash that keeps order). So a search ends at the
 * first greater tag, a walk is in hash order, and a larger or smaller segment is filled from an old one without looking at a
 * single entry. There is no wrap: slots behind the last home take what runs over.
 *
 *   homes:      0         1         2         3         4        5  | behind the last home
 *   slots:    [0x0a..]  [0x11..]  [0x2b..]  [0x2c..]  [0x2e..]  [] | []
 *                                 home 1,   home 2,   home 2...
 *
 * Sizes are four to a doubling, as the allocator's are, so a segment that grows is between 3/4 and 11/12 full whatever the number of
 * keys; the largest splits in two by the next bit of the hashes. It shrinks where it is less than half full, and never to a size that
 * it would grow out of soon: in a full cache, where each entry that comes takes the place of another one's, hardly any is resized.
 *
 * Deadlines before `beyond` are on the agenda, the others are not; where there is no agenda, `beyond` is before all of them. It is
 * given one when it is looked through (expire.c), takes it along when it grows or shrinks, and loses it when it splits or merges.
 * Thread rule: under the shard's lock. The table owns its segments, a segment none of its entries.
 */
#ifndef LARDER_STORE_SEGMENT_H
#define LARDER_STORE_SEGMENT_H

#include "store/agenda.h"
#include "store/entry.h"

#define SEGMENT_TAG_BITS 16
#define SEGMENT_SLOTS_MAX 1024

struct segment {
    uint32_t homes, slots, used;
    uint8_t depth;     /* how many bits of the hash, behind the shard's, all its entries share */
    uint8_t size;      /* index into the sizes */
    uint16_t looked;   /* when expiry last went through it (see expire.c) */
    uint32_t swept;    /* nothing in it is under a rule up to this number (see rule.h) */
    int64_t earliest;  /* when expiry must come: the agenda's next time or `beyond`; AGENDA_NEVER: no deadlines */
    int64_t beyond;    /* deadlines that are not on the agenda are not before this */
    struct agenda *agenda; /* NULL: none */
    uint64_t slot[];
};

static inline uint32_t segment_tag(uint64_t slot) { return (uint32_t)(slot >> 48); }
static inline struct entry *segment_entry(uint64_t slot) { return (struct entry *)(uintptr_t)(slot & 0xfffffffffffeull); }
static inline unsigned segment_mark(uint64_t slot) { return slot & 1; }
static inline uint64_t segment_slot(uint32_t tag, const struct entry *e, unsigned mark) {
    return (uint64_t)tag << 48 | (uintptr_t)e | mark;
}
/* The slot of an entry whose block is now e: same tag, same mark. */
static inline uint64_t segment_moved(uint64_t slot, const struct entry *e) {
    return (slot & 0xffff000000000001ull) | (uintptr_t)e;
}
static inline uint32_t segment_home(const struct segment *s, uint32_t tag) {
    return (uint32_t)((uint64_t)tag * s->homes >> SEGMENT_TAG_BITS);
}

struct segment *segment_new(size_t entries, unsigned depth); /* of the smallest size that has room to grow beyond `entries` */
struct segment *segment_new_for(size_t entries, unsigned depth); /* of one that most with so many entries, by the mean, fit into */
void segment_free(struct segment *s);
size_t segment_bytes(const struct segment *s);
size_t segment_bytes_next(const struct segment *s);          /* what growing, or splitting, would take for a moment */
bool segment_largest(const struct segment *s);
bool segment_full(const struct segment *s);                  /* insert may fail: grow or split first */
bool segment_sparse(const struct segment *s);                /* worth shrinking */
bool segment_insert(struct segment *s, uint64_t slot);        /* false: no room where it belongs */
bool segment_insert_at(struct segment *s, uint32_t i, uint64_t slot); /* the same, where segment_seek is known to say i */
void segment_remove(struct segment *s, uint32_t i);
/* A segment with the same entries, and the agenda: one size larger, or of the first smaller size that is not sparse with them. NULL where
 * there is none, or where they do not fit. Frees nothing. */
struct segment *segment_larger(struct segment *s);
struct segment *segment_smaller(struct segment *s);
/* Both halves' entries in one segment; NULL where they do not fit. They were swept alike. */
struct segment *segment_merged(const struct segment *a, const struct segment *b);
/* Asks of each entry what is to stand in its place: itself, another block with the same key, or nothing (then it was freed); those
 * that stay close up and keep their marks. Returns how many went. */
typedef struct entry *segment_keep(void *arg, struct entry *e, uint32_t tag);
size_t segment_sift(struct segment *s, segment_keep *keep, void *arg);
/* The same of the entries with one of n tags only. */
size_t segment_sift_tags(struct segment *s, const uint16_t *tag, unsigned n, segment_keep *keep, void *arg);
/* All deadlines have been looked at: what is soon is on the sheet (nothing, where it has no room), the rest not before `beyond`. */
void segment_schedule(struct segment *s, const struct agenda *sheet, int64_t beyond);
unsigned segment_take_due(struct segment *s, int64_t now, uint16_t tag[AGENDA_ROOM_MAX]); /* off the agenda, up to now */
void segment_note_soon(struct segment *s, uint32_t tag, int64_t due); /* the slow half of segment_note */
/* Appends in ascending order of tags; for splitting. false: no room. */
bool segment_append(struct segment *s, uint32_t *at, uint64_t slot);
const char *segment_check(const struct segment *s);          /* what is wrong with it, or NULL */

/* An entry with this tag is due then, or is to be looked at then. */
static inline void segment_note(struct segment *s, uint32_t tag, int64_t due) {
    if (due && due < s->beyond) segment_note_soon(s, tag, due);
}

/* The first slot at or behind `tag`'s home that is empty or has a tag >= `tag`. */
static inline uint32_t segment_seek(const struct segment *s, uint32_t tag) {
    uint32_t i = segment_home(s, tag);
    /* A slot's word compares as its tag does; an empty one ends the run. */
    const uint64_t least = (uint64_t)tag << 48;
    while (s->slot[i] && s->slot[i] < least) i++;
    return i;
}

#endif
