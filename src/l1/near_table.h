/* near_table: the table of a shard: cache lines of seven slots, a key in the first line from its own that had room.
 *
 * Invariant: a line counts the entries that found it full and stand further on, so a search ends at the first line that none has passed.
 * One slot at least is empty. Thread rule: changes under the shard's lock; readers beside them, with the slots and tags atomic: a slot is
 * written before its tag. A table owns no entries.
 */
#ifndef LARDER_L1_NEAR_TABLE_H
#define LARDER_L1_NEAR_TABLE_H

#include "l1/near.h"

#define NEAR_LINE 7 /* slots in a cache line */
#define NEAR_ADDRESS ((UINT64_C(1) << 48) - 1)

/* A byte of tag for each slot (0: empty), and in the highest how many entries found this line full and stand further on. */
struct near_line {
    _Alignas(64) _Atomic uint64_t tags;
    _Atomic uint64_t slot[NEAR_LINE]; /* address; 16 bits of the hash above it */
};

struct near_table {
    uint32_t lines, used;
    struct near_line line[];
};

/* Where the lines are and how many, in one word: they lie at multiples of 64, below 2^48. */
#define NEAR_LINES_MAX ((UINT32_C(1) << 22) - 1)
static inline uint64_t near_view(const struct near_table *t) { return (uint64_t)(uintptr_t)t->line << 16 | t->lines; }
static inline struct near_line *near_view_line(uint64_t view) { return (struct near_line *)(uintptr_t)(view >> 22 << 6); }
static inline uint32_t near_view_lines(uint64_t view) { return (uint32_t)view & NEAR_LINES_MAX; }

static inline uint64_t near_slot(uint32_t bits, const struct near_entry *e) { return (uint64_t)(bits & 0xffff) << 48 | (uintptr_t)e; }
static inline struct near_entry *near_slot_entry(uint64_t slot) { return (struct near_entry *)(uintptr_t)(slot & NEAR_ADDRESS); }
/* Bytes of `tags` that may be the tag of `bits`: the highest bit of each is set. */
static inline uint64_t near_candidates(uint64_t tags, uint32_t bits) {
    const uint64_t ones = UINT64_C(0x0101010101010101), low = UINT64_C(0x00ffffffffffffff);
    uint64_t tag = bits & 0xff, x = tags ^ (tag + !tag) * ones;
    return (x - ones) & ~x & (ones << 7) & low;
}
struct near_place { /* where an entry stands */
    struct near_line *line; /* NULL: nowhere */
    unsigned slot;
    struct near_entry *entry;
};
struct near_table *near_table_new(uint32_t lines);
struct near_place near_table_find(struct near_table *t, uint32_t bits, struct slice key);
/* The entry with these bits of its hash whose flags under `mask` are `flags`. */
struct near_place near_table_flagged(struct near *s, struct near_table *t, uint32_t bits, uint8_t mask, uint8_t flags);
struct near_shard;
void near_table_publish(struct near *s, struct near_shard *h, struct near_table *t); /* from now on it is the shard's */
bool near_table_room(struct near *s, struct near_shard *h); /* for one more; false: no memory */
void near_table_add(struct near_table *t, uint32_t bits, const struct near_entry *e);
void near_table_remove(struct near_table *t, uint32_t bits, const struct near_place *place);

#endif
