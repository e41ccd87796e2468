/* What a warm-up puts in is what nobody wrote, deleted, flushed or invalidated since it began: compared with a naive twin. */
#include "fixture.h"
#include "store/rule.h"
#include "store/segment.h"
#include "store/warm.h"

#include <stdlib.h>

enum { DBS = 3, KEYS = 600, BATCH = 50, STEPS = 4000 };

struct cell {
    bool there;
    char by;          /* who wrote it: c client, f file */
    int64_t deadline;
};

static struct cell twin[DBS][KEYS];
static bool dead[DBS][KEYS], put_in[DBS][KEYS]; /* by databases of the file */
static unsigned file_db[DBS];
static uint64_t x = 4711;
static int64_t now;

static unsigned draw(unsigned n) { return (unsigned)(fixture_random(&x) % n); }

static bool alive(struct cell *c, unsigned db, unsigned n) {
    if (c->there && c->deadline && c->deadline <= now) {
        c->there = false;
        dead[file_db[db]][n] = true;
    }
    return c->there;
}

static struct warm_item record(struct fixture *f, unsigned db, unsigned n) {
    char text[32];
    struct key k = fixture_key(f, text, sizeof text, n);
    struct entry_spec spec = {.type = VALUE_STRING, .key = {k.p, k.n}, .valuelen = 1, .deadline = n % 7 ? 0 : NOW + 10 * (int64_t)n + 1};
    struct warm_item item = warm_item_of(entry_new(&spec), k.hash, db);
    memcpy((char *)(uintptr_t)entry_value(item.entry).p, "f", 1);
    return item;
}

static void load(struct fixture *f, bool replace) {
    struct warm_item item[BATCH], spare[BATCH];
    struct warm_counts counts = {0};
    uint64_t loaded = 0;
    size_t n = 0;
    unsigned store_db[DBS];
    for (unsigned d = 0; d < DBS; d++) store_db[file_db[d]] = d;
    for (unsigned i = draw(BATCH); i; i--) {
        unsigned d = draw(DBS), k = draw(KEYS);
        if (put_in[d][k]) continue;
        put_in[d][k] = true;
        item[n++] = record(f, d, k);
        struct cell *c = &twin[store_db[d]][k];
        bool there = alive(c, store_db[d], k);
        if (dead[d][k] || (there && !replace)) continue;
        *c = (struct cell){true, 'f', k % 7 ? 0 : NOW + 10 * (int64_t)k + 1};
        loaded++;
    }
    const uint64_t expect[STORE_DATABASES] = {draw(3000), 0, 400};
    warm_put(f->store, item, spare, n, now, &f->stats, &(struct warm_how){.replace = replace, .expect = draw(2) ? expect : NULL}, &counts);
    cr_assert_eq(counts.loaded, loaded);
    cr_assert_eq(counts.loaded + counts.present + counts.buried, n);
}

static void client(struct fixture *f) {
    unsigned db = draw(DBS), n = draw(KEYS);
    char text[32];
    struct view v;
    struct key k = fixture_key(f, text, sizeof text, n);
    struct cell *c = &twin[db][n];
    view_init(&v, f->store, db, now, &f->stats);
    store_lock(f->store, store_shard_of(k.hash));
    if (draw(3)) {
        int64_t deadline = draw(4) ? 0 : now + 1 + draw(200);
        view_set(&v, &k, SLICE("c"), deadline, FORM_AUTO);
        alive(c, db, n);
        *c = (struct cell){true, 'c', deadline};
    } else {
        view_delete(&v, &k);
        dead[file_db[db]][n] = true;
        c->there = false;
    }
    store_unlock(f->store, store_shard_of(k.hash));
}

static void flush(struct fixture *f) {
    unsigned db = draw(DBS);
    store_flush(f->store, (int)db, true);
    for (unsigned n = 0; n < KEYS; n++) {
        twin[db][n].there = false;
        dead[file_db[db]][n] = true;
    }
}

static void swap(struct fixture *f) {
    unsigned a = draw(DBS), b = draw(DBS), of_a = file_db[a];
    static struct cell spare[KEYS];
    store_lock_all(f->store);
    store_swap(f->store, a, b);
    store_unlock_all(f->store);
    memcpy(spare, twin[a], sizeof spare);
    memcpy(twin[a], twin[b], sizeof spare);
    memcpy(twin[b], spare, sizeof spare);
    file_db[a] = file_db[b];
    file_db[b] = of_a;
}

static void invalidate(struct fixture *f) {
    unsigned db = draw(DBS), digits = 1 + draw(60);
    char pattern[32], begin[32];
    snprintf(pattern, sizeof pattern, "key:%u*", digits);
    snprintf(begin, sizeof begin, "%u", digits);
    struct rule *r;
    struct slice s = slice_of(pattern);
    cr_assert(rule_add(f->store, db, &s, 1, &r));
    rule_release(r);
    for (unsigned n = 0; n < KEYS; n++) {
        char text[16];
        snprintf(text, sizeof text, "%u", n);
        if (strncmp(text, begin, strlen(begin)) != 0) continue;
        alive(&twin[db][n], db, n);
        twin[db][n].there = false;
        dead[file_db[db]][n] = true;
    }
}

static void compare(struct fixture *f) {
    for (unsigned db = 0; db < DBS; db++)
        for (unsigned n = 0; n < KEYS; n++) {
            char text[32];
            struct view v;
            struct key k = fixture_key(f, text, sizeof text, n);
            view_init(&v, f->store, db, now, &f->stats);
            store_lock(f->store, store_shard_of(k.hash));
            struct entry *e = view_peek(&v, &k);
            store_unlock(f->store, store_shard_of(k.hash));
            bool there = alive(&twin[db][n], db, n);
            cr_assert_eq(e != NULL, there, "db %u key %u", db, n);
            if (e) cr_assert_eq(*entry_value(e).p, twin[db][n].by, "db %u key %u", db, n);
        }
}

static void run(bool replace) {
    struct fixture f;
    fixture_open(&f);
    now = NOW;
    for (unsigned round = 0; round < 6; round++) {
        memset(dead, 0, sizeof dead);
        memset(put_in, 0, sizeof put_in);
        for (unsigned d = 0; d < DBS; d++) file_db[d] = d;
        cr_assert(warm_begin(f.store));
        cr_assert(!warm_begin(f.store));
        for (unsigned i = 0; i < STEPS; i++) {
            switch (draw(100)) {
            case 0: flush(&f); break;
            case 1: swap(&f); break;
            case 2: invalidate(&f); break;
            case 3:
                now += draw(100);
                store_expire_step(f.store, 0, 1, now, &f.stats, 1000);
                break;
            case 4:
                while (rule_sweep_step(f.store, 0, 1, 1000)) {}
                break;
            case 5: warm_settle(f.store); break;
            case 6:
            case 7: load(&f, replace); break;
            default: client(&f);
            }
            if (i % 400 == 0) compare(&f);
        }
        compare(&f);
        warm_end(f.store);
        cr_assert(!warm_on(f.store));
        while (rule_sweep_step(f.store, 0, 1, 1000)) {}
    }
    fixture_close(&f);
}

Test(warm, what_clients_did_wins) { run(false); }
Test(warm, replacing) { run(true); }

/* It never goes over the limit, and evicts nothing. */
Test(warm, stops_at_maxmemory) {
    struct fixture f;
    fixture_open(&f);
    struct warm_counts counts = {0};
    now = NOW;
    f.config.maxmemory = (int64_t)mem_limited() + (1 << 20);
    cr_assert(warm_begin(f.store));
    for (unsigned n = 0; n < 100000 && !counts.no_room; n += BATCH) {
        struct warm_item item[BATCH], spare[BATCH];
        for (unsigned i = 0; i < BATCH; i++) item[i] = record(&f, 0, n + i);
        warm_put(f.store, item, spare, BATCH, now, &f.stats, &(struct warm_how){.replace = false}, &counts);
        cr_assert_leq(mem_limited(), (uint64_t)f.config.maxmemory);
    }
    cr_assert_gt(counts.no_room, 0);
    cr_assert_gt(counts.loaded, 10000);
    cr_assert_eq(store_count(f.store, 0), counts.loaded);
    cr_assert_eq(f.stats.evicted, 0);
    warm_end(f.store);
    fixture_close(&f);
}

static void count_shown(void *arg, struct entry *e) {
    (void)e;
    ++*(unsigned *)arg;
}

/* Where next to nothing of what is expected has come, a walk is in pieces, as it is where all has, and a random key is not looked for
 * through all that is empty. */
Test(warm, nearly_empty) {
    enum { SEGMENTS = 4096, PIECE = 64 };
    struct fixture f;
    fixture_open(&f);
    const uint64_t expect[STORE_DATABASES] = {SEGMENTS * 700};
    struct warm_item item[1], spare[1];
    struct warm_counts counts = {0};
    struct store_shape shape;
    unsigned shown = 0, pieces = 0, sampled = 0;
    uint64_t cursor = 0, seed = 7;
    now = NOW;
    cr_assert(warm_begin(f.store));
    item[0] = record(&f, 0, 1);
    warm_put(f.store, item, spare, 1, now, &f.stats, &(struct warm_how){.expect = expect}, &counts);
    store_shape(f.store, 0, &shape);
    cr_assert_geq(shape.segments, SEGMENTS);
    do {
        cursor = store_scan(f.store, 0, cursor, PIECE, now, count_shown, &shown);
        pieces++;
    } while (cursor);
    cr_assert_eq(shown, 1);
    cr_assert_geq(pieces, shape.segments * SEGMENT_SLOTS_MAX / 2 / 64 / PIECE, "%u pieces", pieces);
    for (int i = 0; i < 200; i++) sampled += store_sample(f.store, 0, now, fixture_random(&seed), count_shown, &shown);
    cr_assert(sampled > 20 && sampled < 200, "%u of 200 times", sampled);
    warm_settle(f.store);
    for (int i = 0; i < 200; i++) cr_assert(store_sample(f.store, 0, now, fixture_random(&seed), count_shown, &shown));
    warm_end(f.store);
    fixture_close(&f);
}

/* What is expected has room from the beginning, in each shard that anything comes to, unless there is none; what does not come gives it
 * back. */
Test(warm, expecting) {
    struct fixture f;
    fixture_open(&f);
    const uint64_t expect[STORE_DATABASES] = {5000, 10};
    struct warm_item item[BATCH], spare[BATCH];
    struct warm_counts counts = {0};
    bool shard[STORE_SHARDS] = {0};
    uint64_t shards = 0;
    struct store_shape full, settled;
    now = NOW;
    cr_assert(warm_begin(f.store));
    for (unsigned i = 0; i < BATCH; i++) {
        item[i] = record(&f, i % 2, i);
        unsigned s = store_shard_of(item[i].hash);
        if (i % 2) continue;
        shards += !shard[s];
        shard[s] = true;
    }
    warm_put(f.store, item, spare, BATCH, now, &f.stats, &(struct warm_how){.expect = expect}, &counts);
    cr_assert_eq(counts.loaded, BATCH);
    cr_assert_eq(counts.reserved, shards);
    store_shape(f.store, 0, &full);
    cr_assert_eq(full.segments, 8 * shards);
    store_shape(f.store, 1, &full);
    cr_assert_lt(full.index_bytes, 300u * BATCH);
    store_shape(f.store, 0, &full);
    warm_settle(f.store);
    store_shape(f.store, 0, &settled);
    cr_assert_eq(settled.keys, full.keys);
    cr_assert_eq(settled.segments, shards);
    cr_assert_lt(settled.index_bytes * 20, full.index_bytes);
    cr_assert_null(store_check(f.store));
    store_flush(f.store, -1, true); /* a table that is empty again would begin anew, but for the limit, and for the flush */
    for (unsigned i = 0; i < BATCH; i++) item[i] = record(&f, 0, i);
    warm_put(f.store, item, spare, BATCH, now, &f.stats, &(struct warm_how){.expect = expect}, &counts);
    cr_assert_eq(counts.reserved, shards);
    warm_end(f.store);
    cr_assert(warm_begin(f.store));
    f.config.maxmemory = (int64_t)mem_limited() + 60000;
    for (unsigned i = 0; i < BATCH; i++) item[i] = record(&f, 0, i);
    warm_put(f.store, item, spare, BATCH, now, &f.stats, &(struct warm_how){.expect = expect}, &counts);
    cr_assert_eq(counts.reserved, shards);
    cr_assert_leq(mem_limited(), (uint64_t)f.config.maxmemory);
    warm_end(f.store);
    fixture_close(&f);
}
