/* Taking records out of the tree, and giving them other scores. */
#include "type/zset_grow.h"

#include <assert.h>

#define LEAF_FEW ((ZSET_LEAF - sizeof(struct zset_leaf)) / 4)         /* with less, a leaf goes into one beside it ... */
#define LEAF_JOINED ((ZSET_LEAF - sizeof(struct zset_leaf)) * 3 / 4)  /* ... if both together have at most this */
#define NODE_FEW (ZSET_FANOUT / 4)
#define NODE_JOINED (ZSET_FANOUT * 3 / 4)

static void lower(struct zset_tree *t) {
    while (t->height && ((struct zset_node *)t->root)->n == 1) {
        struct zset_node *root = t->root;
        t->root = root->slot[0].child;
        t->height--;
        zset_grow_node_free(t, root);
    }
}

static void slot_close(struct zset_node *node, uint32_t i) {
    node->n--;
    memmove(&node->slot[i], &node->slot[i + 1], (node->n - i) * sizeof node->slot[0]);
}

/* Nodes with few slots go into one beside them, but not at the tree's edges, where queues grow and shrink. */
static void node_join(struct zset_tree *t, struct zset_path *path, uint32_t level) {
    struct zset_node *up = path->step[level - 1].node, *node = path->step[level].node;
    uint32_t i = path->step[level - 1].i;
    if (!i || i + 1 >= up->n) return;
    struct zset_node *left = up->slot[i - 1].child;
    if (node->n + left->n > NODE_JOINED) return;
    struct zset_path beside = *path;
    beside.step[level - 1].i = i - 1;
    beside.step[level].node = left;
    left = zset_grow_node_fit(t, &beside, level, left->n + node->n);
    memcpy(&left->slot[left->n], node->slot, node->n * sizeof node->slot[0]);
    left->n += node->n;
    up->slot[i - 1].count += up->slot[i].count;
    zset_grow_node_free(t, node);
    slot_close(up, i);
    path->step[level - 1].i = i - 1;
    path->step[level].node = left;
}

/* The path's slot in the lowest node is to go, its leaf being gone. */
static void child_drop(struct zset_tree *t, struct zset_path *path) {
    uint32_t level = t->height - 1;
    struct zset_node *node = path->step[level].node;
    while (node->n == 1) {
        zset_grow_node_free(t, node);
        if (!level) {
            t->height = 0;
            t->root = zset_grow_leaf_new(t, 0);
            return;
        }
        node = path->step[--level].node;
    }
    uint32_t i = path->step[level].i;
    slot_close(node, i);
    if (!i) zset_grow_first(path, level, node->slot[0].first);
    if (node->n >= NODE_FEW && node->n + node->n / 4 + 4 < node->cap)
        path->step[level].node = zset_grow_node_fit(t, path, level, node->n + 2);
    for (; level && path->step[level].node->n < NODE_FEW; level--) node_join(t, path, level);
    lower(t);
}

/* All records of the right one of two leaves side by side go to the left one, or the other way, as moves fewer. */
static void leaf_join(struct zset_tree *t, struct zset_path *path, uint32_t i) {
    struct zset_node *up = path->step[t->height - 1].node;
    struct zset_leaf *left = up->slot[i].child, *right = up->slot[i + 1].child;
    uint32_t sum = (uint32_t)left->used + right->used;
    bool to_left = left->used >= right->used;
    struct zset_leaf *keep = to_left ? left : right, *go = to_left ? right : left;
    zset_grow_tell(t, go->id, keep->id, go->records, go->records + go->used);
    keep = zset_grow_leaf_fit(t, keep, sum);
    if (!to_left) memmove(keep->records + go->used, keep->records, keep->used);
    memcpy(keep->records + (to_left ? keep->used : 0), go->records, go->used);
    keep->used = sum & 0xfff;
    keep->count += go->count;
    up->slot[i] = (struct zset_slot){keep, keep->count, up->slot[i].first};
    zset_grow_leaf_free(t, go);
    path->step[t->height - 1].i = i + 1;
    child_drop(t, path);
}

static bool at_edge(const struct zset_tree *t, const struct zset_path *path) {
    bool first = true, last = true;
    for (uint32_t level = 0; level < t->height; level++) {
        first = first && !path->step[level].i;
        last = last && path->step[level].i + 1 == path->step[level].node->n;
    }
    return first || last;
}

/* After records went: the leaf's block shrinks, or it is joined with the one beside it that has less. */
static void leaf_settle(struct zset_tree *t, struct zset_path *path) {
    struct zset_leaf *leaf = path->leaf;
    if (leaf->used < LEAF_FEW && !at_edge(t, path)) {
        const struct zset_node *up = path->step[t->height - 1].node;
        uint32_t i = path->step[t->height - 1].i;
        uint32_t before = i ? ((struct zset_leaf *)up->slot[i - 1].child)->used : ZSET_LEAF;
        uint32_t behind = i + 1 < up->n ? ((struct zset_leaf *)up->slot[i + 1].child)->used : ZSET_LEAF;
        if (leaf->used + (before < behind ? before : behind) <= LEAF_JOINED) {
            leaf_join(t, path, before < behind ? i - 1 : i);
            return;
        }
    }
    if (sizeof *leaf + leaf->used + 64 < leaf->cap * 16u * 13 / 16) {
        leaf = zset_grow_leaf_fit(t, leaf, leaf->used + 32);
        zset_grow_relink(t, path, t->height, leaf);
    }
}

/* Takes `bytes` of `n` records out at the path, all but the index. */
static void leaf_close(struct zset_tree *t, struct zset_path *path, uint32_t bytes, uint32_t n) {
    struct zset_leaf *leaf = path->leaf;
    uint8_t *at = leaf->records + path->offset;
    memmove(at, at + bytes, leaf->used - path->offset - bytes);
    leaf->used -= bytes;
    leaf->count -= n;
    t->count -= n;
    for (uint32_t level = 0; level < t->height; level++) path->step[level].node->slot[path->step[level].i].count -= n;
    if (leaf->count) {
        if (!path->offset) zset_grow_first(path, t->height, zset_record_score(leaf->records));
        leaf_settle(t, path);
    } else if (t->height) {
        zset_grow_leaf_free(t, leaf);
        child_drop(t, path);
    }
}

static void apart_free(struct zset_tree *t, struct slice member) {
    struct zset_long *apart = (struct zset_long *)(uintptr_t)(member.p - offsetof(struct zset_long, bytes));
    t->bytes -= mem_usable(apart);
    t->blocks--;
    t->longs--;
    mem_free(MEM_DATA, apart);
}

uint64_t zset_tree_cut(struct zset_tree *t, struct zset_path *path, uint64_t n) {
    struct zset_leaf *leaf = path->leaf;
    const uint8_t *from = leaf->records + path->offset, *p = from;
    uint32_t most = leaf->count - path->index;
    if (n < most) most = (uint32_t)n;
    for (uint32_t i = 0; i < most; i++) {
        struct slice member = zset_record_member(p, &p);
        zset_index_remove(&t->index, zset_index_word(zset_tree_hash(t, member), leaf->id));
        if (member.n > ZSET_INLINE) apart_free(t, member);
    }
    leaf_close(t, path, (uint32_t)(p - from), most);
    return most;
}

/* -- other scores -------------------------------------------------------------------------------------------------------- */

/* Is (score, member) before whatever comes behind the path's record, whose end is `next`? */
static bool before_next(const struct zset_tree *t, const struct zset_path *path, double score, struct slice member,
    const uint8_t *next) {
    if (next < path->leaf->records + path->leaf->used) {
        double s = zset_record_score(next);
        return score < s || (score == s && zset_record_compare(member, zset_record_member(next, &next)) < 0);
    }
    for (uint32_t level = t->height; level--;) {
        const struct zset_node *node = path->step[level].node;
        uint32_t i = path->step[level].i;
        if (i + 1 < node->n) return score < node->slot[i + 1].first; /* where they are equal it is not looked at further */
    }
    return true;
}

static bool behind_previous(const struct zset_path *path, double score, struct slice member) {
    const uint8_t *p = path->leaf->records, *next;
    /* What is at the end of the leaf before is not looked up. */
    if (!path->index || score < zset_record_score(p)) return false;
    p = zset_record_skip(p, path->index - 1);
    double s = zset_record_score(p);
    return score > s || (score == s && zset_record_compare(member, zset_record_member(p, &next)) > 0);
}

/* The score alone changes, where its record lies. False: the leaf has no room for a longer one. */
static bool rescore_here(struct zset_tree *t, struct zset_path *path, const uint8_t *score, uint32_t size) {
    struct zset_leaf *leaf = path->leaf;
    uint32_t old = (uint32_t)zset_record_score_size(leaf->records[path->offset]);
    if (size != old) {
        size_t used = leaf->used + size - old;
        if (sizeof *leaf + used > ZSET_LEAF) return false;
        if (sizeof *leaf + used > leaf->cap * 16u) {
            leaf = path->leaf = zset_grow_leaf_fit(t, leaf, used);
            zset_grow_relink(t, path, t->height, leaf);
        }
        uint8_t *at = leaf->records + path->offset;
        memmove(at + size, at + old, leaf->used - path->offset - old);
        leaf->used = used & 0xfff;
    }
    memcpy(leaf->records + path->offset, score, size);
    if (!path->offset) zset_grow_first(path, t->height, zset_record_score(score));
    return true;
}

void zset_tree_rescore(struct zset_tree *t, struct zset_path *path, uint32_t hash, const uint64_t *word, double score) {
    uint8_t record[ZSET_RECORD_MAX], *end = zset_record_put_score(record, score);
    const uint8_t *was = path->leaf->records + path->offset, *rest = was + zset_record_score_size(*was), *next;
    struct slice member = zset_record_rest(rest, &next);
    bool up = score > zset_record_score(was);
    if ((up ? before_next(t, path, score, member, next) : behind_previous(path, score, member)) &&
        rescore_here(t, path, record, (uint32_t)(end - record)))
        return;
    uint32_t from = path->leaf->id, n = (uint32_t)(next - rest);
    memcpy(end, rest, n);
    if (member.n <= ZSET_INLINE) member.p = (const char *)end + n - member.n; /* the copy: the leaf may be gone */
    end += n;
    leaf_close(t, path, (uint32_t)(next - was), 1);
    zset_tree_place(t, score, member, path);
    uint32_t to = zset_grow_put(t, path, record, (uint32_t)(end - record));
    if (to != from) zset_index_move_from(&t->index, word, zset_index_word(hash, from), to);
}
