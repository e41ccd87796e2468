/* Walks for commands: SCAN's cursor, and a random key.
 *
 * A cursor is 53 bits: the shard (8), the segment as its prefix of the hash with a leading 1 (29), the tag to go on from (16).
 * If the segment has split since, the walk goes on in its first half at that tag and sees more of the second than it must; if
 * it has merged with a neighbour, whose lower tags were perhaps not seen, it begins the merged one again.
 */
#include "store/inside.h"

#define PREFIX_BITS (TABLE_MAX_DEPTH + 1)
#define SPARSE 8       /* a segment of which less than an eighth is taken is one that waits for what is still to be loaded ... */
#define SPARSE_COST 64 /* ... and so many of its slots count as one entry that was looked at */
#define SEGMENTS 128   /* most segments that are gone through for a random entry, where hardly any slot is taken */

struct cursor {
    unsigned shard, depth;
    uint64_t prefix; /* `depth` bits */
    uint32_t tag;
};

static uint64_t cursor_pack(struct cursor c) {
    return (uint64_t)c.shard << (PREFIX_BITS + SEGMENT_TAG_BITS) | (1ull << c.depth | c.prefix) << SEGMENT_TAG_BITS | c.tag;
}

static struct cursor cursor_unpack(uint64_t v) {
    struct cursor c = {.tag = (uint32_t)(v & 0xffff)};
    uint64_t marked = v >> SEGMENT_TAG_BITS & ((1ull << PREFIX_BITS) - 1);
    if (marked) {
        c.depth = 63 - (unsigned)__builtin_clzll(marked);
        c.prefix = marked ^ 1ull << c.depth;
    }
    c.shard = (unsigned)(v >> (PREFIX_BITS + SEGMENT_TAG_BITS)) & (STORE_SHARDS - 1);
    return c;
}

struct scan {
    struct store *store;
    unsigned db;
    int64_t now;
    size_t left;
    store_each *each;
    void *arg;
};

/* Shows the entries of a segment from c->tag on; true if the count ran out before its end, then at c->tag. */
static bool scan_segment(struct scan *scan, struct segment *s, struct cursor *c) {
    for (uint32_t i = segment_seek(s, c->tag); i < s->slots; i++) {
        if (!s->slot[i]) continue;
        uint32_t tag = segment_tag(s->slot[i]);
        if (tag < c->tag) continue;
        if (!scan->left && tag != c->tag) {
            c->tag = tag;
            return true;
        }
        c->tag = tag;
        if (i + 4 < s->slots && s->slot[i + 4]) __builtin_prefetch(segment_entry(s->slot[i + 4]));
        struct entry *e = segment_entry(s->slot[i]);
        int64_t deadline = entry_deadline(e);
        if (scan->left) scan->left--;
        if (!deadline || deadline > scan->now) scan->each(scan->arg, e);
    }
    return false;
}

/* One segment; false at the end of the shard. */
static bool scan_table(struct scan *scan, struct table *t, struct cursor *c) {
    if (!t->dir) return false;
    uint64_t place = t->depth >= c->depth ? c->prefix << (t->depth - c->depth) : c->prefix >> (c->depth - t->depth);
    struct segment *s = table_segment(t, &place);
    if (!s) return false;
    uint32_t last = atomic_load_explicit(&scan->store->rules.last, memory_order_acquire);
    if (s->swept != last) { /* it may shrink or merge */
        rules_sweep(scan->store, t, place, last, scan->db);
        place = t->depth >= c->depth ? c->prefix << (t->depth - c->depth) : c->prefix >> (c->depth - t->depth);
        s = table_segment(t, &place);
    }
    if (s->depth < c->depth) c->tag = 0;
    c->depth = s->depth;
    c->prefix = place >> (t->depth - s->depth);
    if (scan_segment(scan, s, c)) return true;
    size_t idle = s->used * SPARSE < s->slots ? s->slots / SPARSE_COST : 0;
    scan->left -= idle < scan->left ? idle : scan->left;
    c->tag = 0;
    return !(++c->prefix >> c->depth); /* past the last prefix: the shard is done */
}

uint64_t store_scan(struct store *s, unsigned db, uint64_t cursor, size_t count, int64_t now, store_each *each, void *arg) {
    struct scan scan = {s, db, now, count ? count : 1, each, arg};
    struct cursor c = cursor_unpack(cursor);
    while (scan.left) {
        store_lock(s, c.shard);
        bool more = scan_table(&scan, store_table(s, c.shard, db), &c);
        store_unlock(s, c.shard);
        if (more) continue;
        if (c.shard + 1 == STORE_SHARDS) return 0;
        c = (struct cursor){.shard = c.shard + 1};
    }
    return cursor_pack(c);
}

static uint64_t mix(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x * 0x2545f4914f6cdd1dull >> 11;
}

/* The first one behind a random slot. */
static struct entry *segment_random(const struct segment *s, uint64_t *random) {
    uint32_t from = (uint32_t)(mix(random) % s->slots);
    for (uint32_t i = 0; s->used && i < s->slots; i++) {
        uint64_t slot = s->slot[from + i < s->slots ? from + i : from + i - s->slots];
        if (slot) return segment_entry(slot);
    }
    return NULL;
}

/* A random entry of a table: a random place, then random slots until one is taken. A table that has room for what is still to be
 * loaded may have next to nothing in it: then NULL, if the segments from a random one on have nothing. */
static struct entry *table_random(struct table *t, uint64_t *random) {
    for (int tries = 0; tries < 64; tries++) {
        struct segment *seg = t->dir[mix(random) & ((1ull << t->depth) - 1)];
        uint64_t slot = seg->slot[mix(random) % seg->slots];
        if (slot) return segment_entry(slot);
    }
    uint64_t place = mix(random) & ((1ull << t->depth) - 1);
    for (int looked = 0; looked < SEGMENTS; looked++, place = table_next(t, place)) {
        const struct segment *s = table_segment(t, &place);
        if (!s) s = t->dir[place = 0];
        struct entry *e = segment_random(s, random);
        if (e) return e;
    }
    return NULL;
}

/* Is it under a rule that has not come to its segment yet? */
static bool entry_forbidden(struct store *s, const struct table *t, unsigned db, const struct entry *e) {
    uint32_t last = atomic_load_explicit(&s->rules.last, memory_order_acquire);
    if (last == atomic_load_explicit(&s->rules.over, memory_order_relaxed)) return false;
    struct slice key = entry_key(e);
    const struct segment *seg = t->dir[table_place(t, hash_bytes(key.p, key.n, s->seed))];
    return rules_forbid(s, seg, last, db, key, false);
}

bool store_sample(struct store *s, unsigned db, int64_t now, uint64_t random, store_each *each, void *arg) {
    uint64_t total = store_count(s, db);
    random |= 1;
    for (int tries = 0; tries < 16 && total; tries++) {
        uint64_t at = mix(&random) % total;
        unsigned shard = 0;
        for (; shard + 1 < STORE_SHARDS; shard++) {
            uint64_t here = counter_get(&store_table(s, shard, db)->keys);
            if (at < here) break;
            at -= here;
        }
        store_lock(s, shard);
        struct table *t = store_table(s, shard, db);
        struct entry *e = t->dir && counter_get(&t->keys) ? table_random(t, &random) : NULL;
        int64_t deadline = e ? entry_deadline(e) : 0;
        bool alive = e && (!deadline || deadline > now) && !entry_forbidden(s, t, db, e);
        if (alive) each(arg, e);
        store_unlock(s, shard);
        if (alive) return true;
    }
    return false;
}

static void add_ttl(void *arg, struct entry *e) {
    int64_t *sum = arg;
    int64_t deadline = entry_deadline(e);
    if (!deadline || deadline <= sum[2]) return;
    sum[0] += deadline - sum[2];
    sum[1]++;
}

int64_t store_mean_ttl(const struct store *s, unsigned db, int64_t now) {
    int64_t sum[3] = {0, 0, now};
    if (!store_volatile(s, db)) return 0;
    uint64_t random = (uint64_t)now * 0x9e3779b97f4a7c15ull | 1;
    for (int i = 0; i < 20; i++) store_sample((struct store *)s, db, now, mix(&random), add_ttl, sum);
    return sum[1] ? sum[0] / sum[1] : 0;
}
