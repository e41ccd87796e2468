/* The tree as a whole: made, freed in pieces, copied, checked. */
#include "type/zset_grow.h"

#include <assert.h>

struct zset_tree *zset_tree_new(uint64_t seed) {
    struct zset_tree *t = mem_zalloc(MEM_DATA, sizeof *t);
    value_object_init(t);
    t->seed = seed;
    t->root = zset_grow_leaf_new(t, 0);
    return t;
}

size_t zset_tree_memory(const struct zset_tree *t) {
    return mem_usable(t) + t->bytes + t->leaves.bytes + zset_index_memory(&t->index);
}

size_t zset_tree_effort(const struct zset_tree *t) {
    return t->blocks + t->index.buckets.n + t->index.buckets.n / ZSET_SLOTS_CHUNK + t->leaves.n / ZSET_SLOTS_CHUNK;
}

/* -- freeing ------------------------------------------------------------------------------------------------------------- */

/* The leaf's long members and it. Returns how many pieces that were. */
static size_t leaf_free(struct zset_tree *t, struct zset_leaf *leaf) {
    size_t pieces = 1;
    for (const uint8_t *p = leaf->records, *end = p + leaf->used; t->longs && p < end;) {
        struct slice member = zset_record_member(p, &p);
        if (member.n <= ZSET_INLINE) continue;
        mem_free(MEM_DATA, (void *)(uintptr_t)(member.p - offsetof(struct zset_long, bytes)));
        t->longs--;
        pieces++;
    }
    mem_free(MEM_DATA, leaf);
    return pieces;
}

/* The last leaf and the nodes that end with it; nothing is kept right but what this needs itself. */
static size_t free_last(struct zset_tree *t) {
    struct zset_node *above[ZSET_HEIGHT];
    void *child = t->root;
    for (uint32_t level = 0; level < t->height; level++) {
        above[level] = child;
        child = above[level]->slot[above[level]->n - 1].child;
    }
    size_t pieces = leaf_free(t, child);
    uint32_t level = t->height;
    while (level && !--above[level - 1]->n) {
        mem_free(MEM_DATA, above[--level]);
        pieces++;
    }
    if (!level) t->root = NULL;
    return pieces;
}

bool zset_tree_free(struct zset_tree *t, size_t most) {
    size_t pieces = 0;
    while (t->root && pieces < most) pieces += free_last(t);
    while (t->index.buckets.n && pieces < most) {
        zset_index_drop(&t->index);
        pieces++;
    }
    if (t->root || t->index.buckets.n) return false;
    while (t->leaves.n > ZSET_SLOTS_CHUNK && pieces < most) {
        for (size_t n = t->leaves.n - ZSET_SLOTS_CHUNK; t->leaves.n > n;) zset_slots_pop(&t->leaves);
        pieces++;
    }
    if (t->leaves.n > ZSET_SLOTS_CHUNK) return false;
    zset_slots_free(&t->leaves);
    mem_free(MEM_DATA, t);
    return true;
}

/* -- copying ------------------------------------------------------------------------------------------------------------- */

static struct zset_leaf *leaf_clone(struct zset_tree *t, const struct zset_leaf *from) {
    struct zset_leaf *leaf = memcpy(mem_alloc(MEM_DATA, from->cap * 16u), from, sizeof *from + from->used);
    *zset_slots_at(&t->leaves, leaf->id) = (uint64_t)(uintptr_t)leaf;
    t->bytes += leaf->cap * 16u;
    t->blocks++;
    for (const uint8_t *p = leaf->records, *next, *end = p + leaf->used; p < end; p = next) {
        struct slice member = zset_record_member(p, &next);
        if (member.n <= ZSET_INLINE) continue;
        struct zset_long *apart = mem_alloc(MEM_DATA, sizeof *apart + member.n);
        apart->n = member.n;
        memcpy(apart->bytes, member.p, member.n);
        memcpy(leaf->records + (next - leaf->records) - sizeof apart, &apart, sizeof apart);
        t->bytes += mem_usable(apart);
        t->blocks++;
        t->longs++;
    }
    return leaf;
}

/* Goes as deep as the tree is high. */
static void *child_clone(struct zset_tree *t, const void *from, uint32_t height) {
    if (!height) return leaf_clone(t, from);
    const struct zset_node *old = from;
    size_t size = zset_slots_class(sizeof *old + old->cap * sizeof old->slot[0]);
    struct zset_node *node = mem_alloc(MEM_DATA, size);
    node->n = old->n;
    node->cap = old->cap;
    t->bytes += size;
    t->blocks++;
    for (uint32_t i = 0; i < old->n; i++) {
        node->slot[i] = old->slot[i];
        node->slot[i].child = child_clone(t, old->slot[i].child, height - 1);
    }
    return node;
}

struct zset_tree *zset_tree_clone(const struct zset_tree *from) {
    struct zset_tree *t = mem_zalloc(MEM_DATA, sizeof *t);
    value_object_init(t);
    t->tall = from->tall;
    t->height = from->height;
    t->free_id = from->free_id;
    t->seed = from->seed;
    t->count = from->count;
    for (size_t i = 0; i < from->leaves.n; i++) zset_slots_push(&t->leaves, *zset_slots_at(&from->leaves, i));
    t->root = child_clone(t, from->root, from->height);
    zset_index_clone(&t->index, &from->index);
    return t;
}

/* -- checking ------------------------------------------------------------------------------------------------------------ */

struct checked {
    const struct zset_tree *t;
    uint64_t count;
    size_t bytes, blocks, longs, leaves;
    double score; /* of the record before */
    struct slice member;
};

static const char *record_check(struct checked *c, const struct zset_leaf *leaf, double score, struct slice member) {
    if (c->count && (score < c->score || (score == c->score && zset_record_compare(c->member, member) >= 0)))
        return "tree: order";
    if (score != score) return "tree: a score is not a number";
    c->score = score;
    c->member = member;
    c->count++;
    uint32_t n, hash = zset_tree_hash(c->t, member), seen = 0;
    const uint64_t *word = zset_index_find(&c->t->index, hash, &n);
    for (uint32_t i = 0; i < n; i++) seen += word[i] == zset_index_word(hash, leaf->id);
    return seen ? NULL : "tree: a member is not in the index";
}

static const char *leaf_check(struct checked *c, const struct zset_leaf *leaf) {
    const uint8_t *p = leaf->records, *next, *end = p + leaf->used;
    uint32_t n = 0;
    if (sizeof *leaf + leaf->used > leaf->cap * 16u || leaf->cap > ZSET_LEAF / 16) return "tree: a leaf's size";
    if (leaf->id >= c->t->leaves.n || zset_grow_leaf(c->t, leaf->id) != leaf) return "tree: a leaf's number";
    if (!leaf->count && c->t->height) return "tree: an empty leaf";
    c->bytes += leaf->cap * 16u;
    c->blocks++;
    c->leaves++;
    for (; p < end; p = next, n++) {
        struct slice member = zset_record_member(p, &next);
        const char *wrong = record_check(c, leaf, zset_record_score(p), member);
        if (wrong) return wrong;
        if ((member.n > ZSET_INLINE) != (p[zset_record_score_size(*p)] == ZSET_APART)) return "tree: a long member's place";
        if (member.n <= ZSET_INLINE) continue;
        c->bytes += mem_usable(member.p - offsetof(struct zset_long, bytes));
        c->blocks++;
        c->longs++;
    }
    return p != end || n != leaf->count ? "tree: a leaf's records" : NULL;
}

static double first_of(const void *child, uint32_t height) {
    for (; height; height--) child = ((const struct zset_node *)child)->slot[0].child;
    return zset_record_score(((const struct zset_leaf *)child)->records);
}

static const char *child_check(struct checked *c, const void *child, uint32_t height) {
    if (!height) return leaf_check(c, child);
    const struct zset_node *node = child;
    if (!node->n || node->n > node->cap || node->n > ZSET_FANOUT) return "tree: a node's size";
    c->bytes += zset_slots_class(sizeof *node + node->cap * sizeof node->slot[0]);
    c->blocks++;
    for (uint32_t i = 0; i < node->n; i++) {
        uint64_t before = c->count;
        const char *wrong = child_check(c, node->slot[i].child, height - 1);
        if (wrong) return wrong;
        if (node->slot[i].count != c->count - before) return "tree: a slot's count";
        if (node->slot[i].first != first_of(node->slot[i].child, height - 1)) return "tree: a slot's first score";
    }
    return NULL;
}

const char *zset_tree_check(const struct zset_tree *t) {
    struct checked c = {.t = t};
    const char *wrong = child_check(&c, t->root, t->height);
    if (wrong) return wrong;
    if (t->height && ((struct zset_node *)t->root)->n < 2) return "tree: too high";
    if (c.count != t->count || t->index.count != t->count) return "tree: count";
    if (c.bytes != t->bytes) return "tree: bytes";
    if (c.blocks != t->blocks || c.longs != t->longs) return "tree: blocks";
    size_t unused = 0;
    for (uint32_t id = t->free_id; id; id = (uint32_t)(*zset_slots_at(&t->leaves, id) >> 1)) {
        if (!(*zset_slots_at(&t->leaves, id) & 1)) return "tree: a number is free and in use";
        unused++;
    }
    if (t->leaves.n != 1 + c.leaves + unused) return "tree: numbers";
    return zset_index_check(&t->index);
}
