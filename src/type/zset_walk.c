/* Walks over a zset: by rank, up or down, and by cursor. */
#include "type/zset_packed.h"

#include <assert.h>

/* Going down, the places of records are found from the run's beginning, for the last few at a time. */
static void look_back(struct zset_at *at) {
    const uint8_t *p = at->p;
    uint32_t skip = at->run > ZSET_BACK ? at->run - ZSET_BACK : 0;
    p = zset_record_skip(p, skip);
    for (at->known = 0; at->known < at->run - skip; p = zset_record_next(p))
        at->back[at->known++] = (uint16_t)(p - at->p);
}

static void enter_leaf(struct zset_at *at, const struct zset_leaf *leaf) {
    at->p = leaf->records;
    at->end = leaf->records + leaf->used;
    at->run = leaf->count;
    at->known = 0;
}

static void next_leaf(struct zset_at *at) {
    const struct zset_tree *t = at->h->object;
    uint32_t level = t->height;
    const struct zset_node *node;
    for (;;) {
        node = at->path[--level].node;
        if (at->down ? at->path[level].i > 0 : at->path[level].i + 1 < node->n) break;
    }
    at->path[level].i += at->down ? UINT32_MAX : 1;
    const void *child = node->slot[at->path[level].i].child;
    for (level++; level < t->height; level++) {
        node = child;
        at->path[level].node = node;
        at->path[level].i = at->down ? node->n - 1 : 0;
        child = node->slot[at->path[level].i].child;
    }
    enter_leaf(at, child);
}

static void seek_large(struct zset_at *at, const struct zset_tree *t, size_t rank) {
    struct zset_path path;
    zset_tree_at_rank(t, rank, &path);
    for (uint32_t level = 0; level < t->height; level++) {
        at->path[level].node = path.step[level].node;
        at->path[level].i = path.step[level].i;
    }
    enter_leaf(at, path.leaf);
    if (at->down) at->run = path.index + 1;
    else at->p += path.offset;
}

void zset_seek(struct zset_at *at, const struct home *h, size_t rank, bool down) {
    size_t count = zset_count(h);
    _Static_assert(ZSET_DEPTH >= ZSET_HEIGHT, "a walk has room for every level");
    at->h = h;
    at->down = down;
    at->left = 0;
    if (rank >= count) {
        if (!down || !count) return;
        rank = count - 1;
    }
    at->left = down ? rank + 1 : count - rank;
    if (h->object) {
        seek_large(at, h->object, rank);
        return;
    }
    at->p = zset_packed_begin(h);
    at->end = zset_packed_end(h);
    at->known = 0;
    if (down) at->run = (uint32_t)rank + 1;
    else at->p = zset_record_skip(at->p, rank);
}

bool zset_next(struct zset_at *at, struct slice *member, double *score) {
    if (!at->left) return false;
    at->left--;
    const uint8_t *p = at->p;
    if (!at->down) {
        if (p == at->end) {
            next_leaf(at);
            p = at->p;
        }
        *score = zset_record_score(p);
        *member = zset_record_member(p, &at->p);
        return true;
    }
    if (!at->run) next_leaf(at);
    if (!at->known) look_back(at);
    p = at->p + at->back[--at->known];
    at->run--;
    *score = zset_record_score(p);
    *member = zset_record_member(p, &p);
    return true;
}

/* -- by cursor ----------------------------------------------------------------------------------------------------------- */

/* A word of the index stands for every member of that hash in its leaf. */
static size_t show(const struct zset_tree *t, uint64_t word, zset_each *each, void *arg) {
    const struct zset_leaf *leaf = (const struct zset_leaf *)(uintptr_t)*zset_slots_at(&t->leaves, zset_index_leaf(word));
    const uint8_t *p = leaf->records, *next, *end = p + leaf->used;
    size_t n = 0;
    for (; p < end; p = next) {
        struct slice member = zset_record_member(p, &next);
        if (zset_tree_hash(t, member) != (uint32_t)word) continue;
        each(arg, member, zset_record_score(p));
        n++;
    }
    return n;
}

static bool shown_before(const uint64_t *words, uint32_t i) {
    for (uint32_t k = 0; k < i; k++)
        if (words[k] == words[i]) return true;
    return false;
}

uint64_t zset_scan(const struct home *h, uint64_t cursor, size_t count, zset_each *each, void *arg) {
    if (!h->object) {
        struct zset_at at;
        struct slice member;
        double score;
        for (zset_seek(&at, h, 0, false); zset_next(&at, &member, &score);) each(arg, member, score);
        return 0;
    }
    const struct zset_tree *t = h->object;
    size_t seen = 0;
    if (cursor > UINT32_MAX) return 0;
    do {
        uint32_t n, from = (uint32_t)cursor;
        const uint64_t *words = zset_index_walk(&t->index, from, &cursor, &n);
        for (uint32_t i = 0; i < n; i++)
            if (zset_index_reverse((uint32_t)words[i]) >= from && !shown_before(words, i)) seen += show(t, words[i], each, arg);
    } while (cursor && seen < count);
    return cursor;
}
