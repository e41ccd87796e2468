/* zset_tree: the large form of a zset: a B+ tree of records in order of (score, member), and the index from members to leaves.
 *
 * A leaf is one block of up to ZSET_LEAF bytes, as large as its records need; it has a number, by which the index knows it. A
 * node's slots say for each child how many members are below it and the score of its first one, exactly; where that does not
 * decide, the child's first member does, which is looked up there. All leaves are at the same depth. No leaf is empty, but the
 * root that stands alone. A record that changes its leaf is moved in the index too. Reading changes nothing.
 * Thread rule: as type/home.h. The tree owns its leaves, nodes, index, and the blocks of long members.
 */
#ifndef LARDER_TYPE_ZSET_TREE_H
#define LARDER_TYPE_ZSET_TREE_H

#include "type/home.h"
#include "type/zset_index.h"
#include "type/zset_record.h"

#define ZSET_LEAF 512
#define ZSET_FANOUT 63 /* a node of so many slots fills a class of the allocator */
#define ZSET_HEIGHT 12 /* nodes above a leaf, at most */

struct zset_leaf {
    uint32_t used : 12, count : 12, cap : 8; /* bytes of records, records, the block's size in 16 bytes */
    uint32_t id;
    uint8_t records[];
};

struct zset_slot {
    void *child; /* a node, in the lowest nodes a leaf */
    uint64_t count;
    double first;
};

struct zset_node {
    uint32_t n, cap;
    struct zset_slot slot[];
};

struct zset_tree {
    struct value_object object;
    bool tall;          /* OBJECT ENCODING says skiplist */
    uint32_t height;    /* of the nodes above the leaves */
    uint32_t free_id;   /* the head of a list through `leaves`, 0: none */
    uint64_t seed, count;
    void *root;
    size_t bytes;       /* of leaves, nodes and long members */
    size_t blocks;      /* how many those are */
    size_t longs;       /* members in blocks of their own */
    struct zset_slots leaves; /* by number; a number that is not in use has the next such one, shifted left, and bit 0 set */
    struct zset_index index;
};

/* Where a record is, or belongs. Good until the next change. */
struct zset_path {
    struct zset_leaf *leaf;
    uint32_t offset, index; /* in the leaf: bytes and records before it */
    struct {
        struct zset_node *node;
        uint32_t i;
    } step[ZSET_HEIGHT]; /* from the root on, tree->height of them */
};

struct zset_tree *zset_tree_new(uint64_t seed);
uint32_t zset_tree_hash(const struct zset_tree *t, struct slice member);
/* Where a member's record lies; false: it is not there. */
struct zset_found {
    struct zset_leaf *leaf;
    const uint8_t *record;
    uint32_t index; /* records before it in the leaf */
    const uint64_t *word; /* of the index */
};
bool zset_tree_find(const struct zset_tree *t, struct slice member, uint32_t hash, struct zset_found *f);
/* The way down to what was found. */
void zset_tree_reach(const struct zset_tree *t, struct slice member, const struct zset_found *f, struct zset_path *path);
/* The first record that is not before (score, member); it may be at the end of the leaf where it would be put. */
void zset_tree_place(const struct zset_tree *t, double score, struct slice member, struct zset_path *path);
void zset_tree_at_rank(const struct zset_tree *t, uint64_t rank, struct zset_path *path); /* rank < count */
uint64_t zset_tree_rank(const struct zset_tree *t, const struct zset_path *path);
uint64_t zset_tree_below_score(const struct zset_tree *t, double score, bool after);
uint64_t zset_tree_below_bytes(const struct zset_tree *t, struct slice bytes, bool after);

void zset_tree_insert(struct zset_tree *t, double score, struct slice member, uint32_t hash); /* it is not there */
/* Takes up to n members away, from the record at `path` on, all in its leaf. Returns how many. */
uint64_t zset_tree_cut(struct zset_tree *t, struct zset_path *path, uint64_t n);
/* Gives the member at `path` another score. `word`: as it was found, or NULL. */
void zset_tree_rescore(struct zset_tree *t, struct zset_path *path, uint32_t hash, const uint64_t *word, double score);

size_t zset_tree_memory(const struct zset_tree *t);
size_t zset_tree_effort(const struct zset_tree *t);
bool zset_tree_free(struct zset_tree *t, size_t most);
struct zset_tree *zset_tree_clone(const struct zset_tree *from);
const char *zset_tree_check(const struct zset_tree *t);

#endif
