/* Looking into the tree, and putting records in; how they are taken out is in zset_tree_cut.c, the tree as a whole in
 * zset_tree_whole.c. */
#include "type/zset_grow.h"

#include "base/hash.h"

#include <assert.h>

uint32_t zset_tree_hash(const struct zset_tree *t, struct slice member) {
    return (uint32_t)hash_bytes(member.p, member.n, t->seed);
}

/* -- looking ------------------------------------------------------------------------------------------------------------- */

bool zset_tree_find(const struct zset_tree *t, struct slice member, uint32_t hash, struct zset_found *f) {
    uint32_t n;
    const uint64_t *word = zset_index_find(&t->index, hash, &n);
    for (uint32_t i = 0; i < n; i++) {
        if ((uint32_t)word[i] != hash) continue;
        f->leaf = zset_grow_leaf(t, zset_index_leaf(word[i]));
        f->record = zset_record_find(f->leaf->records, f->leaf->records + f->leaf->used, member, &f->index);
        f->word = &word[i];
        if (f->record) return true;
    }
    return false;
}

/* The first record below a child that has `height` levels of nodes from it on. */
static const uint8_t *first_record(const void *child, uint32_t height) {
    for (; height; height--) child = ((const struct zset_node *)child)->slot[0].child;
    return ((const struct zset_leaf *)child)->records;
}
static struct slice first_member(const void *child, uint32_t height) {
    const uint8_t *next;
    return zset_record_member(first_record(child, height), &next);
}

static inline __attribute__((always_inline)) const struct zset_slot *step(
    const struct zset_slot *s, size_t width, double score, bool after) {
    const struct zset_slot *next = s + width;
    bool reached = after ? next->first <= score : next->first < score;
    __asm__("" : "+r"(next)); /* it is not told what these are, or it makes a branch of it, which is wrong every other time */
    s = reached ? next : s;
    __asm__("" : "+r"(s));
    return s;
}

/* The last slot whose first score is below the score (`after`: or the same), or the first slot. The slots among which it is become
 * a power of two, and then half as many at each step. */
static inline __attribute__((always_inline)) const struct zset_slot *slot_by_score(const struct zset_node *node, double score, bool after) {
    _Static_assert(ZSET_FANOUT < 64, "the first step is of 16 at the most");
    unsigned bits = 31 ^ (unsigned)__builtin_clz(node->n);
    const struct zset_slot *s = step(node->slot, node->n - (1u << bits), score, after);
    switch (bits) {
    case 5: s = step(s, 16, score, after); /* fall through */
    case 4: s = step(s, 8, score, after); /* fall through */
    case 3: s = step(s, 4, score, after); /* fall through */
    case 2: s = step(s, 2, score, after); /* fall through */
    case 1: s = step(s, 1, score, after); /* fall through */
    default: return s;
    }
}

/* Between slots low and high (which are not ruled out by score, low being right if no other is) the last whose first member is
 * below the bytes (`after`: or the same). */
static uint32_t slot_by_bytes(
    const struct zset_node *node, uint32_t height, uint32_t low, uint32_t high, struct slice bytes, bool after) {
    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;
        int d = zset_record_compare(first_member(node->slot[middle].child, height), bytes);
        if (d < 0 || (d == 0 && after)) low = middle;
        else high = middle - 1;
    }
    return low;
}

/* The leaf where (score, member) is or would be. */
static struct zset_leaf *descend(const struct zset_tree *t, double score, struct slice member, struct zset_path *path) {
    void *child = t->root;
    for (uint32_t level = 0; level < t->height; level++) {
        struct zset_node *node = child;
        const struct zset_slot *s = slot_by_score(node, score, true);
        uint32_t i = (uint32_t)(s - node->slot);
        if (__builtin_expect(i && s->first == score, 0)) {
            uint32_t low = (uint32_t)(slot_by_score(node, score, false) - node->slot);
            i = slot_by_bytes(node, t->height - level - 1, low, i, member, true);
            s = &node->slot[i];
        }
        path->step[level].node = node;
        path->step[level].i = i;
        child = s->child;
    }
    return path->leaf = child;
}

void zset_tree_place(const struct zset_tree *t, double score, struct slice member, struct zset_path *path) {
    struct zset_leaf *leaf = descend(t, score, member, path);
    const uint8_t *at = zset_record_place(leaf->records, leaf->records + leaf->used, score, member, &path->index);
    path->offset = (uint32_t)(at - leaf->records);
}

void zset_tree_reach(const struct zset_tree *t, struct slice member, const struct zset_found *f, struct zset_path *path) {
    struct zset_leaf *leaf = descend(t, zset_record_score(f->record), member, path);
    assert(leaf == f->leaf);
    path->offset = (uint32_t)(f->record - leaf->records);
    path->index = f->index;
}

void zset_tree_at_rank(const struct zset_tree *t, uint64_t rank, struct zset_path *path) {
    void *child = t->root;
    assert(rank < t->count);
    for (uint32_t level = 0; level < t->height; level++) {
        struct zset_node *node = child;
        uint32_t i = 0;
        for (; rank >= node->slot[i].count; i++) rank -= node->slot[i].count;
        path->step[level].node = node;
        path->step[level].i = i;
        child = node->slot[i].child;
    }
    struct zset_leaf *leaf = path->leaf = child;
    path->index = (uint32_t)rank;
    path->offset = (uint32_t)(zset_record_skip(leaf->records, (size_t)rank) - leaf->records);
}

static uint64_t count_before(const struct zset_node *node, uint32_t i) {
    uint64_t sum = 0;
    for (uint32_t k = 0; k < i; k++) sum += node->slot[k].count;
    return sum;
}

uint64_t zset_tree_rank(const struct zset_tree *t, const struct zset_path *path) {
    uint64_t rank = path->index;
    for (uint32_t level = 0; level < t->height; level++) rank += count_before(path->step[level].node, path->step[level].i);
    return rank;
}

uint64_t zset_tree_below_score(const struct zset_tree *t, double score, bool after) {
    const void *child = t->root;
    uint64_t rank = 0;
    for (uint32_t level = 0; level < t->height; level++) {
        const struct zset_node *node = child;
        const struct zset_slot *s = slot_by_score(node, score, after);
        rank += count_before(node, (uint32_t)(s - node->slot));
        child = s->child;
    }
    const struct zset_leaf *leaf = child;
    return rank + zset_record_below_score(leaf->records, leaf->records + leaf->used, score, after);
}

uint64_t zset_tree_below_bytes(const struct zset_tree *t, struct slice bytes, bool after) {
    const void *child = t->root;
    uint64_t rank = 0;
    for (uint32_t level = 0; level < t->height; level++) {
        const struct zset_node *node = child;
        uint32_t i = slot_by_bytes(node, t->height - level - 1, 0, node->n - 1, bytes, after);
        rank += count_before(node, i);
        child = node->slot[i].child;
    }
    const struct zset_leaf *leaf = child;
    return rank + zset_record_below_bytes(leaf->records, leaf->records + leaf->used, bytes, after);
}

/* -- leaves -------------------------------------------------------------------------------------------------------------- */

static size_t leaf_size(size_t used) { return zset_slots_class(sizeof(struct zset_leaf) + used); }

struct zset_leaf *zset_grow_leaf_new(struct zset_tree *t, size_t used) {
    size_t size = leaf_size(used);
    struct zset_leaf *leaf = mem_alloc(MEM_DATA, size);
    uint32_t id = t->free_id;
    if (id) {
        t->free_id = (uint32_t)(*zset_slots_at(&t->leaves, id) >> 1);
    } else {
        if (!t->leaves.n) zset_slots_push(&t->leaves, 1); /* number 0 is not given out: it ends the list of free ones */
        id = (uint32_t)t->leaves.n;
        zset_slots_push(&t->leaves, 0);
    }
    *leaf = (struct zset_leaf){.cap = (uint8_t)(size / 16), .id = id};
    *zset_slots_at(&t->leaves, id) = (uint64_t)(uintptr_t)leaf;
    t->bytes += size;
    t->blocks++;
    return leaf;
}

void zset_grow_leaf_free(struct zset_tree *t, struct zset_leaf *leaf) {
    *zset_slots_at(&t->leaves, leaf->id) = (uint64_t)t->free_id << 1 | 1;
    t->free_id = leaf->id;
    t->bytes -= leaf->cap * 16u;
    t->blocks--;
    mem_free(MEM_DATA, leaf);
}

void zset_grow_relink(struct zset_tree *t, const struct zset_path *path, uint32_t level, void *child) {
    if (level) path->step[level - 1].node->slot[path->step[level - 1].i].child = child;
    else t->root = child;
}

struct zset_leaf *zset_grow_leaf_fit(struct zset_tree *t, struct zset_leaf *leaf, size_t used) {
    size_t size = leaf_size(used);
    if (size == leaf->cap * 16u) return leaf;
    t->bytes += size - leaf->cap * 16u;
    leaf = mem_realloc(MEM_DATA, leaf, size);
    leaf->cap = (uint8_t)(size / 16);
    *zset_slots_at(&t->leaves, leaf->id) = (uint64_t)(uintptr_t)leaf;
    return leaf;
}

/* -- nodes --------------------------------------------------------------------------------------------------------------- */

static size_t node_size(size_t n) { return zset_slots_class(sizeof(struct zset_node) + n * sizeof(struct zset_slot)); }

static struct zset_node *node_new(struct zset_tree *t, uint32_t n) {
    size_t size = node_size(n);
    struct zset_node *node = mem_alloc(MEM_DATA, size);
    *node = (struct zset_node){.cap = (uint32_t)((size - sizeof *node) / sizeof node->slot[0])};
    t->bytes += size;
    t->blocks++;
    return node;
}

void zset_grow_node_free(struct zset_tree *t, struct zset_node *node) {
    t->bytes -= node_size(node->cap);
    t->blocks--;
    mem_free(MEM_DATA, node);
}

struct zset_node *zset_grow_node_fit(struct zset_tree *t, const struct zset_path *path, uint32_t level, uint32_t n) {
    struct zset_node *node = path->step[level].node;
    size_t size = node_size(n), old = node_size(node->cap);
    if (size == old) return node;
    node = mem_realloc(MEM_DATA, node, size);
    node->cap = (uint32_t)((size - sizeof *node) / sizeof node->slot[0]);
    t->bytes += size - old;
    zset_grow_relink(t, path, level, node);
    return node;
}

static void slot_open(struct zset_node *node, uint32_t at, struct zset_slot s) {
    memmove(&node->slot[at + 1], &node->slot[at], (node->n - at) * sizeof s);
    node->slot[at] = s;
    node->n++;
}

/* A root above the one that was: it and a sibling, before it or behind it. */
static void root_add(struct zset_tree *t, uint32_t at, struct zset_slot s) {
    struct zset_node *root = node_new(t, 2);
    struct zset_slot old = {t->root, t->count - s.count, zset_record_score(first_record(t->root, t->height))};
    assert(t->height < ZSET_HEIGHT);
    root->n = 2;
    root->slot[at] = s;
    root->slot[1 - at] = old;
    t->root = root;
    t->height++;
}

static bool rightmost(const struct zset_path *path, uint32_t levels) {
    for (uint32_t level = 0; level < levels; level++)
        if (path->step[level].i + 1 < path->step[level].node->n) return false;
    return true;
}

/* Makes two nodes of a full one and puts the slot where it belongs in them. What was added at the end of everything does not
 * halve the node: more is likely to follow there. Returns the slot of the new node. */
static struct zset_slot node_split(struct zset_tree *t, struct zset_path *path, uint32_t level, uint32_t at, struct zset_slot s) {
    struct zset_node *node = path->step[level].node;
    bool last = at == node->n && rightmost(path, level);
    uint32_t keep = last ? node->n : node->n / 2, go = node->n - keep;
    struct zset_node *right = node_new(t, go + 1);
    memcpy(right->slot, &node->slot[keep], go * sizeof s);
    right->n = go;
    node->n = keep;
    if (at <= keep && !last) slot_open(node, at, s);
    else slot_open(right, at - keep, s);
    zset_grow_node_fit(t, path, level, node->n);
    struct zset_slot added = {right, count_before(right, right->n), right->slot[0].first};
    return added;
}

/* A child more in the node at that level, at its slot `at`. Counts above are right for the tree with it. */
static void child_add(struct zset_tree *t, struct zset_path *path, int level, uint32_t at, struct zset_slot s) {
    for (; level >= 0; level--) {
        struct zset_node *node = path->step[level].node;
        if (node->n < ZSET_FANOUT) {
            if (node->n == node->cap) node = zset_grow_node_fit(t, path, (uint32_t)level, node->n + 1);
            slot_open(node, at, s);
            return;
        }
        s = node_split(t, path, (uint32_t)level, at, s);
        at = 1;
        if (level) {
            at = path->step[level - 1].i + 1;
            path->step[level - 1].node->slot[at - 1].count -= s.count;
        }
    }
    root_add(t, at, s);
}

/* -- putting in ---------------------------------------------------------------------------------------------------------- */

void zset_grow_first(struct zset_path *path, uint32_t levels, double first) {
    while (levels--) {
        path->step[levels].node->slot[path->step[levels].i].first = first;
        if (path->step[levels].i) return;
    }
}

void zset_grow_tell(struct zset_tree *t, uint32_t from, uint32_t to, const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        struct slice member = zset_record_member(p, &p);
        zset_index_move(&t->index, zset_index_word(zset_tree_hash(t, member), from), to);
    }
}

static void record_open(struct zset_leaf *leaf, uint32_t offset, const uint8_t *record, uint32_t size) {
    uint8_t *at = leaf->records + offset;
    memmove(at + size, at, leaf->used - offset);
    memcpy(at, record, size);
    leaf->used += size;
    leaf->count++;
}

/* Where a full leaf is cut: at the record's boundary that comes next after its middle. */
static uint32_t middle(const struct zset_leaf *leaf, uint32_t *index) {
    const uint8_t *p = leaf->records, *half = p + leaf->used / 2;
    for (*index = 0; p < half; ++*index) p = zset_record_next(p);
    return (uint32_t)(p - leaf->records);
}

/* A full leaf becomes two, with the record in one of them; a record before or behind everything begins a leaf of its own, as more
 * is likely to follow there. Returns the leaf that the record is in. */
static uint32_t leaf_split(struct zset_tree *t, struct zset_path *path, const uint8_t *record, uint32_t size) {
    struct zset_leaf *leaf = path->leaf, *made;
    bool front = !path->offset, back = path->offset == leaf->used && rightmost(path, t->height);
    uint32_t at = 1, id, cut = leaf->used, index = leaf->count;
    for (uint32_t level = 0; front && level < t->height; level++) front = !path->step[level].i;
    if (front || back) {
        made = zset_grow_leaf_new(t, size);
        record_open(made, 0, record, size);
        id = made->id;
        at = back;
        if (front && t->height) zset_grow_first(path, t->height - 1, zset_record_score(record));
    } else {
        cut = middle(leaf, &index);
        uint32_t go = leaf->used - cut;
        bool left = path->offset <= cut;
        made = zset_grow_leaf_new(t, left ? go : go + size);
        memcpy(made->records, leaf->records + cut, go);
        made->used = go & 0xfff;
        made->count = (leaf->count - index) & 0xfff;
        leaf->used = cut & 0xfff;
        leaf->count = index & 0xfff;
        zset_grow_tell(t, leaf->id, made->id, made->records, made->records + go);
        leaf = zset_grow_leaf_fit(t, leaf, left ? cut + size : cut);
        zset_grow_relink(t, path, t->height, leaf);
        record_open(left ? leaf : made, left ? path->offset : path->offset - cut, record, size);
        id = left ? leaf->id : made->id;
        if (!path->offset) zset_grow_first(path, t->height, zset_record_score(record));
    }
    struct zset_slot s = {made, made->count, zset_record_score(made->records)};
    if (t->height) path->step[t->height - 1].node->slot[path->step[t->height - 1].i].count = leaf->count;
    child_add(t, path, (int)t->height - 1, t->height ? path->step[t->height - 1].i + at : at, s);
    return id;
}

uint32_t zset_grow_put(struct zset_tree *t, struct zset_path *path, const uint8_t *record, uint32_t size) {
    struct zset_leaf *leaf = path->leaf;
    t->count++;
    for (uint32_t level = 0; level < t->height; level++) path->step[level].node->slot[path->step[level].i].count++;
    if (sizeof *leaf + leaf->used + size > ZSET_LEAF) return leaf_split(t, path, record, size);
    if (sizeof *leaf + leaf->used + size > leaf->cap * 16u) {
        leaf = zset_grow_leaf_fit(t, leaf, leaf->used + size);
        zset_grow_relink(t, path, t->height, leaf);
    }
    record_open(leaf, path->offset, record, size);
    if (!path->offset) zset_grow_first(path, t->height, zset_record_score(record));
    return leaf->id;
}

void zset_tree_insert(struct zset_tree *t, double score, struct slice member, uint32_t hash) {
    struct zset_path path;
    uint8_t record[ZSET_RECORD_MAX], *end = zset_record_put_score(record, score);
    if (member.n <= ZSET_INLINE) {
        end = varint_put(end, member.n);
        if (member.n) memcpy(end, member.p, member.n);
        end += member.n;
    } else {
        struct zset_long *apart = mem_alloc(MEM_DATA, sizeof *apart + member.n);
        apart->n = member.n;
        memcpy(apart->bytes, member.p, member.n);
        t->bytes += mem_usable(apart);
        t->blocks++;
        t->longs++;
        *end++ = ZSET_APART;
        memcpy(end, &apart, sizeof apart);
        end += sizeof apart;
    }
    zset_tree_place(t, score, member, &path);
    uint32_t id = zset_grow_put(t, &path, record, (uint32_t)(end - record));
    zset_index_add(&t->index, zset_index_word(hash, id));
}
