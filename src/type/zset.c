#include "type/zset_packed.h"

#include <assert.h>
#include <math.h>

/* While it is a listpack to the outside, 0 has no sign, as in Redis, which keeps whole numbers there as integers. */
static double plain(double score, unsigned when) { return score == 0 && !(when & ZSET_SIGNED) ? 0 : score; }

/* -- packed -------------------------------------------------------------------------------------------------------------- */

static void packed_set_count(struct home *h, uint32_t n) {
    uint16_t count = (uint16_t)n;
    memcpy(h->p, &count, sizeof count);
}

static void packed_insert(struct home *h, struct slice member, double score) {
    uint8_t head[ZSET_SCORE_MAX + 5];
    size_t size = (size_t)(varint_put(zset_record_put_score(head, score), member.n) - head);
    uint32_t index, count = zset_packed_count(h);
    if (!h->n) home_insert(h, 0, ZSET_PACKED_HEAD);
    const uint8_t *place = zset_record_place(zset_packed_begin(h), zset_packed_end(h), score, member, &index);
    uint8_t *at = home_insert(h, (size_t)(place - h->p), size + member.n);
    memcpy(at, head, size);
    if (member.n) memcpy(at + size, member.p, member.n);
    packed_set_count(h, count + 1);
}

/* n records from `at` on, which end at `end`. */
static void packed_cut(struct home *h, const uint8_t *at, const uint8_t *end, uint32_t n) {
    uint32_t count = zset_packed_count(h) - n;
    home_remove(h, (size_t)(at - h->p), (size_t)(end - at));
    if (count) packed_set_count(h, count);
    else h->n = 0;
}

/* Is (score, member) right where the record at p is, `index` records being before it? */
static bool packed_stays(const struct home *h, const uint8_t *p, uint32_t index, struct slice member, double score) {
    const uint8_t *next = zset_record_next(p), *other;
    double s;
    if (score > zset_record_score(p)) {
        if (next == zset_packed_end(h)) return true;
        s = zset_record_score(next);
        return score < s || (score == s && zset_record_compare(member, zset_record_member(next, &other)) < 0);
    }
    if (!index) return true;
    p = zset_record_skip(zset_packed_begin(h), index - 1);
    s = zset_record_score(p);
    return score > s || (score == s && zset_record_compare(member, zset_record_member(p, &other)) > 0);
}

static void packed_rescore(struct home *h, const uint8_t *p, uint32_t index, struct slice member, double score) {
    uint8_t bytes[ZSET_SCORE_MAX];
    if (packed_stays(h, p, index, member, score)) {
        size_t size = (size_t)(zset_record_put_score(bytes, score) - bytes), old = zset_record_score_size(*p);
        size_t at = (size_t)(p - h->p);
        if (size != old) home_resize_part(h, at, old, size);
        memcpy(h->p + at, bytes, size);
        return;
    }
    const uint8_t *end = zset_record_next(p);
    home_remove(h, (size_t)(p - h->p), (size_t)(end - p));
    packed_set_count(h, zset_packed_count(h) - 1);
    packed_insert(h, member, score);
}

/* -- from packed to large ------------------------------------------------------------------------------------------------ */

/* Redis's thresholds, for a member that comes to `count` others. */
static bool beyond(const struct home *h, size_t count, struct slice member) {
    return (int64_t)(count + 1) > option_get(&h->limits->zset_entries) || (int64_t)member.n > option_get(&h->limits->zset_value);
}

static struct zset_tree *grow_up(struct home *h) {
    struct zset_tree *t = zset_tree_new(h->seed);
    for (const uint8_t *p = zset_packed_begin(h), *end = zset_packed_end(h), *next; p < end; p = next) {
        struct slice member = zset_record_member(p, &next);
        zset_tree_insert(t, zset_record_score(p), member, zset_tree_hash(t, member));
    }
    home_become(h, t);
    return t;
}

/* -- either -------------------------------------------------------------------------------------------------------------- */

/* What is to be done about a member that has the score `was`; `*score` becomes what it is to be. */
static enum zset_did decide(unsigned when, double was, double *score) {
    double v = *score;
    if (when) {
        if (when & ZSET_NX) return ZSET_KEPT;
        if (when & ZSET_INCR) {
            v += was;
            if (isnan(v)) return ZSET_NAN;
        }
        if (((when & ZSET_LT) && v >= was) || ((when & ZSET_GT) && v <= was)) return ZSET_KEPT;
        *score = v;
    }
    return v == was ? ZSET_SAME : ZSET_CHANGED;
}

static enum zset_did add_large(struct home *h, struct slice member, double *score, unsigned when) {
    struct zset_tree *t = h->object;
    uint32_t hash = zset_tree_hash(t, member);
    struct zset_found found;
    if (!zset_tree_find(t, member, hash, &found)) {
        if (when & ZSET_XX) return ZSET_KEPT;
        if (!t->tall) t->tall = beyond(h, (size_t)t->count, member);
        zset_tree_insert(t, t->tall ? *score : plain(*score, when), member, hash);
        return ZSET_ADDED;
    }
    double was = zset_record_score(found.record);
    enum zset_did did = decide(when, was, score);
    if (did != ZSET_CHANGED) return did;
    struct zset_path path;
    zset_tree_reach(t, member, &found, &path);
    zset_tree_rescore(t, &path, hash, found.word, t->tall ? *score : plain(*score, when));
    return did;
}

enum zset_did zset_add(struct home *h, struct slice member, double *score, unsigned when) {
    assert(!isnan(*score));
    if (h->object) return add_large(h, member, score, when);
    uint32_t index;
    const uint8_t *p = zset_record_find(zset_packed_begin(h), zset_packed_end(h), member, &index);
    if (p) {
        enum zset_did did = decide(when, zset_record_score(p), score);
        if (did != ZSET_CHANGED) return did;
        if (__builtin_expect(h->n + ZSET_SCORE_MAX > HOME_MAX, 0)) {
            grow_up(h);
            return add_large(h, member, score, when & ZSET_SIGNED);
        }
        packed_rescore(h, p, index, member, plain(*score, when));
        return did;
    }
    if (when & ZSET_XX) return ZSET_KEPT;
    bool tall = beyond(h, zset_packed_count(h), member);
    if (tall || h->n + ZSET_PACKED_HEAD + ZSET_SCORE_MAX + varint_size(member.n) + member.n > HOME_MAX) {
        struct zset_tree *t = grow_up(h);
        t->tall = tall;
        zset_tree_insert(t, tall ? *score : plain(*score, when), member, zset_tree_hash(t, member));
    } else {
        packed_insert(h, member, plain(*score, when));
    }
    return ZSET_ADDED;
}

bool zset_put(struct home *h, struct slice member, double score) { return zset_add(h, member, &score, 0) == ZSET_ADDED; }

static bool is_minus_zero(const uint8_t *record) {
    double score = zset_record_score(record);
    return score == 0 && signbit(score);
}

static void settle_large(struct zset_tree *t) {
    uint64_t rank = zset_tree_below_score(t, 0, false), end = zset_tree_below_score(t, 0, true);
    for (; rank < end; rank++) {
        struct zset_path path;
        const uint8_t *next;
        zset_tree_at_rank(t, rank, &path);
        const uint8_t *p = path.leaf->records + path.offset;
        if (is_minus_zero(p)) zset_tree_rescore(t, &path, zset_tree_hash(t, zset_record_member(p, &next)), NULL, 0);
    }
}

void zset_settle(struct home *h) {
    if (h->object) {
        struct zset_tree *t = h->object;
        if (!t->tall) settle_large(t);
        return;
    }
    uint32_t index = 0;
    for (const uint8_t *p = zset_packed_begin(h), *next; p < zset_packed_end(h); p = zset_record_next(p), index++) {
        if (!is_minus_zero(p)) continue;
        size_t at = (size_t)(p - h->p);
        packed_rescore(h, p, index, zset_record_member(p, &next), 0);
        p = h->p + at;
    }
}

size_t zset_count(const struct home *h) {
    return h->object ? (size_t)((const struct zset_tree *)h->object)->count : zset_packed_count(h);
}

bool zset_score(const struct home *h, struct slice member, double *score) {
    const uint8_t *record;
    uint32_t index;
    if (h->object) {
        const struct zset_tree *t = h->object;
        struct zset_found found;
        if (!zset_tree_find(t, member, zset_tree_hash(t, member), &found)) return false;
        record = found.record;
    } else {
        record = zset_record_find(zset_packed_begin(h), zset_packed_end(h), member, &index);
        if (!record) return false;
    }
    *score = zset_record_score(record);
    return true;
}

/* Where a member of a large zset is. */
static bool path_of(const struct zset_tree *t, struct slice member, struct zset_path *path) {
    struct zset_found found;
    if (!zset_tree_find(t, member, zset_tree_hash(t, member), &found)) return false;
    zset_tree_reach(t, member, &found, path);
    return true;
}

bool zset_remove(struct home *h, struct slice member) {
    struct zset_path path;
    uint32_t index;
    if (h->object) {
        if (!path_of(h->object, member, &path)) return false;
        zset_tree_cut(h->object, &path, 1);
        return true;
    }
    const uint8_t *p = zset_record_find(zset_packed_begin(h), zset_packed_end(h), member, &index);
    if (!p) return false;
    packed_cut(h, p, zset_record_next(p), 1);
    return true;
}

bool zset_rank(const struct home *h, struct slice member, size_t *rank, double *score) {
    struct zset_path path;
    uint32_t index;
    const uint8_t *p;
    if (h->object) {
        if (!path_of(h->object, member, &path)) return false;
        p = path.leaf->records + path.offset;
        *rank = (size_t)zset_tree_rank(h->object, &path);
    } else {
        p = zset_record_find(zset_packed_begin(h), zset_packed_end(h), member, &index);
        if (!p) return false;
        *rank = index;
    }
    *score = zset_record_score(p);
    return true;
}

void zset_remove_ranks(struct home *h, size_t from, size_t n) {
    size_t count = zset_count(h);
    if (from >= count || !n) return;
    if (n > count - from) n = count - from;
    if (h->object) {
        struct zset_path path;
        while (n) {
            zset_tree_at_rank(h->object, from, &path);
            n -= (size_t)zset_tree_cut(h->object, &path, n);
        }
        return;
    }
    const uint8_t *p = zset_record_skip(zset_packed_begin(h), from);
    packed_cut(h, p, zset_record_skip(p, n), (uint32_t)n);
}

size_t zset_below_score(const struct home *h, double score, bool after) {
    if (h->object) return (size_t)zset_tree_below_score(h->object, score, after);
    return zset_record_below_score(zset_packed_begin(h), zset_packed_end(h), score, after);
}

size_t zset_below_bytes(const struct home *h, struct slice bytes, bool after) {
    if (h->object) return (size_t)zset_tree_below_bytes(h->object, bytes, after);
    return zset_record_below_bytes(zset_packed_begin(h), zset_packed_end(h), bytes, after);
}

/* -- as a value ---------------------------------------------------------------------------------------------------------- */

static const char *op_encoding(const struct home *h) {
    return h->object && ((const struct zset_tree *)h->object)->tall ? "skiplist" : "listpack";
}
static size_t op_memory(const void *object) { return zset_tree_memory(object); }
static size_t op_effort(const void *object) { return zset_tree_effort(object); }
static bool op_free(void *object, size_t most) { return zset_tree_free(object, most); }
static void *op_clone(const void *object) { return zset_tree_clone(object); }

const struct value_ops *zset_ops(void) {
    static const struct value_ops ops = {.encoding = op_encoding,
        .count = zset_count,
        .memory = op_memory,
        .effort = op_effort,
        .free = op_free,
        .clone = op_clone};
    return &ops;
}

const char *zset_check(const struct home *h) {
    if (h->object) return zset_tree_check(h->object);
    const uint8_t *p = zset_packed_begin(h), *end = zset_packed_end(h), *next;
    struct slice member, before = {NULL, 0};
    uint32_t n = 0, index;
    double score = 0;
    if (h->n > HOME_MAX || h->n > h->room) return "packed: bytes";
    for (; p < end; p = next, before = member, n++) {
        double s = zset_record_score(p);
        member = zset_record_member(p, &next);
        if (next > end) return "packed: beyond its end";
        if (s != s) return "packed: a score is not a number";
        if (n && (s < score || (s == score && zset_record_compare(before, member) >= 0))) return "packed: order";
        if (zset_record_find(zset_packed_begin(h), end, member, &index) != p) return "packed: a member twice";
        score = s;
    }
    return n != zset_packed_count(h) || (h->n && !n) ? "packed: count" : NULL;
}
