/* zset_grow: what the files of the large zset share: blocks of leaves and nodes, and the steps of a change.
 *
 * For zset_tree*.c only. Thread rule and ownership: as zset_tree.h. A path is good until the first of these that changes the tree's
 * shape; each says what it leaves to its caller.
 */
#ifndef LARDER_TYPE_ZSET_GROW_H
#define LARDER_TYPE_ZSET_GROW_H

#include "type/zset_tree.h"

static inline struct zset_leaf *zset_grow_leaf(const struct zset_tree *t, uint32_t id) {
    return (struct zset_leaf *)(uintptr_t)*zset_slots_at(&t->leaves, id);
}
struct zset_leaf *zset_grow_leaf_new(struct zset_tree *t, size_t used);
void zset_grow_leaf_free(struct zset_tree *t, struct zset_leaf *leaf);
/* The leaf's block for so many bytes of records; it may have moved: zset_grow_relink. */
struct zset_leaf *zset_grow_leaf_fit(struct zset_tree *t, struct zset_leaf *leaf, size_t used);
/* The child that the path comes through at that level (0: the root; tree->height: the leaf) is now there. */
void zset_grow_relink(struct zset_tree *t, const struct zset_path *path, uint32_t level, void *child);
struct zset_node *zset_grow_node_fit(struct zset_tree *t, const struct zset_path *path, uint32_t level, uint32_t n);
void zset_grow_node_free(struct zset_tree *t, struct zset_node *node);
/* The first score below the path's slots of the upper `levels` levels changed. */
void zset_grow_first(struct zset_path *path, uint32_t levels, double first);
/* These records came from one leaf to another. */
void zset_grow_tell(struct zset_tree *t, uint32_t from, uint32_t to, const uint8_t *p, const uint8_t *end);
/* Puts a record at the path, all but the index; returns its leaf's number. */
uint32_t zset_grow_put(struct zset_tree *t, struct zset_path *path, const uint8_t *record, uint32_t size);

#endif
