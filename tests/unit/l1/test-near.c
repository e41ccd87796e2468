#include "l1/near_inside.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TTL 3600000

static void no_more(void *more) { (void)more; }

static struct near *store_new(size_t bytes) {
    struct near *s = near_open(bytes, no_more);
    cr_assert(s);
    return s;
}

static struct slice key_of(char *to, unsigned i) { return (struct slice){to, (size_t)sprintf(to, "key:%u", i)}; }

static bool put_as(struct near *s, struct slice key, struct slice value, uint64_t token, int64_t ttl, int64_t stale) {
    struct near_item item = {.key = key, .value = value, .hash = near_hash(s, key), .token = token, .ttl = ttl, .stale = stale};
    return near_put(s, &item);
}

static bool put(struct near *s, struct slice key, struct slice value) {
    return put_as(s, key, value, near_token(s, near_hash(s, key)), TTL, 0);
}

/* The value's length, or -1. */
static long got(struct near *s, struct slice key, char *out) {
    struct near_found f;
    if (!near_get(s, near_record(s), key, near_hash(s, key), near_now(s), &f)) return -1;
    memcpy(out, near_value(f.entry), f.entry->size);
    cr_assert_eq(near_value(f.entry)[f.entry->size], 0, "a NUL behind the value");
    long n = (long)f.entry->size;
    near_unpin(f.pin);
    return n;
}

static bool has(struct near *s, struct slice key) {
    static char out[1 << 20];
    return got(s, key, out) >= 0;
}

static uint64_t next(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* Against a plain array: what was put and not taken out is found as it was put. Nothing is evicted: there is room. */
Test(near, twin) {
    enum { KEYS = 3000, STEPS = 200000 };
    struct near *s = store_new(64 << 20);
    static int twin[KEYS];
    uint64_t x = 42;
    char name[32], out[512], value[512];
    for (int i = 0; i < KEYS; i++) twin[i] = -1;
    for (int step = 0; step < STEPS; step++) {
        unsigned k = (unsigned)(next(&x) % KEYS);
        struct slice key = key_of(name, k);
        switch (next(&x) % 8) {
        case 0:
        case 1:
        case 2: {
            int n = (int)(next(&x) % 400);
            memset(value, 'a' + n % 26, (size_t)n);
            cr_assert(put(s, key, (struct slice){value, (size_t)n}));
            twin[k] = n;
            break;
        }
        case 3:
            near_erase(s, key, near_hash(s, key));
            twin[k] = -1;
            break;
        default: {
            long n = got(s, key, out);
            cr_assert_eq(n, twin[k], "key %u: %ld, not %d", k, n, twin[k]);
            for (long i = 0; i < n; i++) cr_assert_eq(out[i], 'a' + n % 26);
        }
        }
        if (step % 50000 == 49999) { /* all keys with a 1 in their name go at once */
            near_rule(s, SLICE("key:*1*"), step % 100000 > 50000);
            for (unsigned i = 0; i < KEYS; i++)
                if (strchr(key_of(name, i).p, '1')) twin[i] = -1;
            for (unsigned i = 0; i < KEYS; i++) cr_assert_eq(has(s, key_of(name, i)), twin[i] >= 0);
        }
    }
    struct near_stats st;
    near_sweep(s);
    near_stats_read(s, &st);
    uint64_t live = 0;
    for (int i = 0; i < KEYS; i++) live += twin[i] >= 0;
    cr_assert_eq(st.entries, live);
    cr_assert_eq(st.rules, 0);
    cr_assert_eq(st.pinned, 0);
    near_close(s);
}

Test(near, binary_and_odd_keys) {
    struct near *s = store_new(1 << 20);
    char out[64];
    struct slice keys[] = {SLICE(""), SLICE("\0"), SLICE("\0\0"), SLICE("a\0b"), SLICE("a")};
    for (size_t i = 0; i < 5; i++) cr_assert(put(s, keys[i], (struct slice){"01234", i}));
    for (size_t i = 0; i < 5; i++) cr_assert_eq(got(s, keys[i], out), (long)i);
    near_close(s);
}

Test(near, bounded_in_bytes) {
    struct near *s = store_new(4 << 20);
    char name[32], value[5000] = {0};
    uint64_t x = 7;
    for (unsigned i = 0; i < 60000; i++) {
        put(s, key_of(name, i), (struct slice){value, (size_t)(next(&x) % sizeof value)});
        if (i % 1000) continue;
        struct near_stats st;
        near_stats_read(s, &st);
        cr_assert_leq(st.bytes, st.limit);
    }
    struct near_stats st;
    near_stats_read(s, &st);
    cr_assert_gt(st.bytes, st.limit * 9 / 10, "%lu of %lu", (unsigned long)st.bytes, (unsigned long)st.limit);
    cr_assert_gt(st.evictions, 50000u);
    near_close(s);
}

Test(near, no_value_empties_a_shard) {
    struct near *s = store_new(1 << 20);
    char *big = calloc(1, 1 << 20);
    cr_assert(put(s, SLICE("a"), SLICE("1")));
    cr_assert(put(s, SLICE("big"), SLICE("old")));
    cr_assert_not(put(s, SLICE("big"), (struct slice){big, 1 << 20}));
    cr_assert(has(s, SLICE("a")));
    cr_assert_not(has(s, SLICE("big")), "what does not fit is newer all the same");
    free(big);
    near_close(s);
}

Test(near, keys_too_long_are_not_kept) {
    struct near *s = store_new(16 << 20);
    char *key = malloc(NEAR_KEY_MAX + 1);
    memset(key, 'k', NEAR_KEY_MAX + 1);
    cr_assert(put(s, (struct slice){key, NEAR_KEY_MAX}, SLICE("v")));
    cr_assert_not(put(s, (struct slice){key, NEAR_KEY_MAX + 1}, SLICE("v")));
    cr_assert(has(s, (struct slice){key, NEAR_KEY_MAX}));
    free(key);
    near_close(s);
}

Test(near, a_fill_that_began_before_an_invalidation_is_refused) {
    struct near *s = store_new(1 << 20);
    uint64_t hash = near_hash(s, SLICE("k")), token = near_token(s, hash);
    near_erase(s, SLICE("k"), hash); /* it was not even there */
    cr_assert_not(put_as(s, SLICE("k"), SLICE("old"), token, TTL, 0));
    cr_assert_not(has(s, SLICE("k")));
    token = near_token(s, hash);
    near_rule(s, SLICE("x*"), true); /* a pattern voids all: nobody looks at what it matches */
    cr_assert_not(put_as(s, SLICE("k"), SLICE("old"), token, TTL, 0));
    cr_assert(put_as(s, SLICE("k"), SLICE("new"), near_token(s, hash), TTL, 0));
    cr_assert(has(s, SLICE("k")));
    near_close(s);
}

Test(near, a_rule_holds_before_its_sweep_and_not_for_what_comes_after) {
    struct near *s = store_new(1 << 20);
    cr_assert(put(s, SLICE("user:1"), SLICE("a")));
    cr_assert(put(s, SLICE("item:1"), SLICE("b")));
    near_rule(s, SLICE("user:*"), false);
    cr_assert_not(has(s, SLICE("user:1")));
    cr_assert(has(s, SLICE("item:1")));
    cr_assert(put(s, SLICE("user:1"), SLICE("c")));
    cr_assert(has(s, SLICE("user:1")));
    cr_assert(near_sweep(s));
    cr_assert(has(s, SLICE("user:1")));
    cr_assert_not(near_sweep(s));
    near_rule(s, SLICE(""), false);
    cr_assert_not(has(s, SLICE("user:1")));
    cr_assert_not(has(s, SLICE("item:1")));
    near_close(s);
}

Test(near, many_rules_at_once_become_one) {
    struct near *s = store_new(1 << 20);
    char name[32];
    cr_assert(put(s, SLICE("other"), SLICE("a")));
    for (unsigned i = 0; i < 3 * NEAR_RULES_MAX; i++) near_rule(s, key_of(name, i), false);
    cr_assert_not(has(s, SLICE("other")), "all go rather than one too few");
    cr_assert(put(s, SLICE("other"), SLICE("a")));
    cr_assert(has(s, SLICE("other")));
    near_close(s);
}

/* 70,000 rules: their numbers, of 16 bits, come round while an entry stays. */
Test(near, an_entry_outlives_all_numbers_of_rules) {
    struct near *s = store_new(1 << 20);
    cr_assert(put(s, SLICE("stays"), SLICE("a")));
    for (unsigned i = 0; i < 70000; i++) {
        near_rule(s, SLICE("goes*"), true);
        if (i % 1000 == 0) {
            cr_assert(has(s, SLICE("stays")), "rule %u", i);
            cr_assert(put(s, SLICE("goes1"), SLICE("a")));
        }
    }
    near_close(s);
}

static void pause_ms(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL); }

Test(near, ttl_and_what_is_stale) {
    struct near *s = store_new(1 << 20);
    struct near_found f;
    uint64_t hash = near_hash(s, SLICE("k"));
    cr_assert_not(put_as(s, SLICE("k"), SLICE("v"), near_token(s, hash), 4, 0), "shorter than the clock's step");
    int64_t before = near_now(s); /* whoever reads says what time it is: however long this takes */
    cr_assert(put_as(s, SLICE("k"), SLICE("v"), near_token(s, hash), 100, 100000));
    int64_t behind = near_now(s);
    cr_assert(near_get(s, near_record(s), SLICE("k"), hash, before, &f));
    cr_assert(f.left > 0 && f.left <= 96 + behind - before);
    near_unpin(f.pin);
    cr_assert(near_get(s, near_record(s), SLICE("k"), hash, behind + 100, &f));
    cr_assert_leq(f.left, 0);
    near_unpin(f.pin);
    cr_assert(put_as(s, SLICE("k"), SLICE("v"), near_token(s, hash), 20, 0));
    pause_ms(40);
    cr_assert_not(near_get(s, near_record(s), SLICE("k"), hash, near_now(s), &f));
    near_tidy(s, 0);
    struct near_stats st;
    near_stats_read(s, &st);
    cr_assert_eq(st.entries, 0);
    cr_assert_eq(st.expired, 1);
    near_close(s);
}

Test(near, durations_in_a_byte) {
    for (int64_t ms = 0; ms < 3000000; ms += 1 + ms / 50) {
        uint32_t v = near_unpack(near_pack(ms));
        cr_assert(v <= ms && v >= ms - ms / 8, "%ld became %u", (long)ms, v);
    }
    cr_assert_eq(near_pack(-5), 0);
    cr_assert_leq(near_unpack(near_pack(INT64_MAX)), NEAR_TTL_MAX);
}

/* What is pinned stays as it is, whatever happens to its key, until the last pin is gone. */
Test(near, pins) {
    enum { PINS = 1000 };
    struct near *s = store_new(1 << 20);
    static struct near_found f[PINS];
    char name[32], value[200];
    for (unsigned i = 0; i < PINS; i++) {
        memset(value, (int)i, sizeof value);
        cr_assert(put(s, SLICE("k"), (struct slice){value, sizeof value}));
        cr_assert(near_get(s, near_record(s), SLICE("k"), near_hash(s, SLICE("k")), near_now(s), &f[i]));
    }
    for (unsigned i = 0; i < 20000; i++) put(s, key_of(name, i), (struct slice){value, sizeof value});
    near_clear(s);
    struct near_stats st;
    near_stats_read(s, &st);
    cr_assert_geq(st.pinned, PINS * sizeof value);
    for (unsigned i = 0; i < PINS; i++) {
        for (unsigned j = 0; j < sizeof value; j++) cr_assert_eq((unsigned char)near_value(f[i].entry)[j], i % 256);
        near_unpin(f[i].pin);
    }
    near_stats_read(s, &st);
    cr_assert_eq(st.pinned, 0);
    cr_assert_eq(st.entries, 0);
    near_close(s);
}

Test(near, absent_is_known) {
    struct near *s = store_new(1 << 20);
    struct near_found f;
    uint64_t hash = near_hash(s, SLICE("k"));
    struct near_item item = {.key = SLICE("k"), .value = SLICE(""), .hash = hash, .token = near_token(s, hash), .ttl = TTL, .flags = NEAR_ABSENT};
    cr_assert(near_put(s, &item));
    cr_assert(near_get(s, near_record(s), SLICE("k"), hash, near_now(s), &f));
    cr_assert(f.entry->flags & NEAR_ABSENT);
    near_unpin(f.pin);
    near_close(s);
}

Test(near, what_is_doubtful_goes_alone) {
    struct near *s = store_new(1 << 20);
    uint64_t hash = near_hash(s, SLICE("d"));
    struct near_item item = {.key = SLICE("d"), .value = SLICE("v"), .hash = hash, .token = near_token(s, hash), .ttl = TTL, .flags = NEAR_DOUBTFUL};
    cr_assert(put(s, SLICE("a"), SLICE("1")));
    cr_assert(near_put(s, &item));
    near_clear_doubtful(s);
    cr_assert_not(has(s, SLICE("d")));
    cr_assert(has(s, SLICE("a")));
    near_close(s);
}

/* --- how well it chooses --- */

struct lru { /* exact, for the comparison: a list in an array */
    unsigned *before, *after, head, tail, n, cap;
    bool *in;
};

static bool lru_use(struct lru *l, unsigned k) {
    bool hit = l->in[k];
    if (hit) {
        if (l->head == k) return true;
        l->after[l->before[k]] = l->after[k];
        if (l->tail == k) l->tail = l->before[k];
        else l->before[l->after[k]] = l->before[k];
    } else if (l->n == l->cap) {
        l->in[l->tail] = false;
        l->tail = l->before[l->tail];
    } else {
        l->n++;
    }
    l->in[k] = true;
    if (l->n == 1) l->tail = k;
    l->before[l->head] = k;
    l->after[k] = l->head;
    l->head = k;
    return hit;
}

/* Zipf-like, with one in ten requests for something that never comes again: S3-FIFO lets that pass through its small queue. */
Test(near, more_hits_than_lru) {
    enum { KEYS = 50000, REQUESTS = 600000, ONCE = REQUESTS };
    struct near *s = store_new(1 << 20);
    char name[32], value[64] = {0};
    uint64_t x = 99, hits = 0, lru_hits = 0;
    unsigned cap = (1 << 20) / (64 + 10 + 17 + 40);
    struct lru l = {.cap = cap};
    l.before = calloc(KEYS + ONCE, sizeof *l.before);
    l.after = calloc(KEYS + ONCE, sizeof *l.after);
    l.in = calloc(KEYS + ONCE, sizeof *l.in);
    for (unsigned i = 0; i < REQUESTS; i++) {
        double u = (double)(next(&x) >> 11) / 9007199254740992.0;
        unsigned k = (unsigned)(KEYS * u * u * u * u);
        if (next(&x) % 10 == 0) k = KEYS + i;
        struct slice key = key_of(name, k);
        hits += has(s, key) ? 1 : (put(s, key, (struct slice){value, sizeof value}), 0);
        lru_hits += lru_use(&l, k);
    }
    cr_assert_gt(hits, lru_hits, "%lu, LRU %lu", (unsigned long)hits, (unsigned long)lru_hits);
    free(l.before), free(l.after), free(l.in);
    near_close(s);
}

/* Keys that come and go leave nothing behind in the queues. */
Test(near, queues_do_not_grow_by_churn) {
    struct near *s = store_new(1 << 20);
    char name[32];
    for (unsigned i = 0; i < 200000; i++) {
        struct slice key = key_of(name, i % 100);
        put(s, key, SLICE("v"));
        near_erase(s, key, near_hash(s, key));
    }
    cr_assert_lt(s->shard[0].small.cap + s->shard[0].main.cap, 1000u);
    near_close(s);
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t told(const struct near *s, struct slice key) { return (uint32_t)(near_hash(s, key) >> (64 - DELTAS_BITS)); }

/* Keys known by their hashes alone, among hashes of keys that are not there: who has one of those goes, by chance too, the others stay. In
 * one shard and in many. */
Test(near, keys_go_by_their_hashes) {
    enum { KEYS = 20000 };
    static bool gone[KEYS];
    static uint32_t hash[KEYS * 2];
    char name[32];
    uint64_t x = 3;
    for (size_t bytes = 3 << 20; bytes <= 128 << 20; bytes *= 40) {
        struct near *s = store_new(bytes);
        for (unsigned i = 0; i < KEYS; i++) cr_assert(put(s, key_of(name, i), SLICE("v")));
        size_t n = 0;
        for (unsigned i = 0; i < KEYS; i++) {
            gone[i] = next(&x) % 3 == 0;
            if (gone[i]) hash[n++] = told(s, key_of(name, i));
            hash[n++] = told(s, key_of(name, KEYS + i));
        }
        qsort(hash, n, sizeof *hash, by_value);
        near_erase_hashed(s, hash, n);
        unsigned kept = 0;
        for (unsigned i = 0; i < KEYS; i++) {
            uint32_t its = told(s, key_of(name, i));
            bool was_told = bsearch(&its, hash, n, sizeof *hash, by_value);
            cr_assert(was_told || !gone[i]);
            cr_assert(has(s, key_of(name, i)) == !was_told, "%u", i);
            kept += !was_told;
        }
        struct near_stats st;
        near_stats_read(s, &st);
        cr_assert_eq(st.entries, kept);
        near_close(s);
    }
}

Test(near, a_hash_voids_tokens) {
    struct near *s = store_new(1 << 20);
    uint64_t hash = near_hash(s, SLICE("k")), token = near_token(s, hash);
    near_erase_hashed(s, &(uint32_t){told(s, SLICE("k"))}, 1);
    cr_assert(!put_as(s, SLICE("k"), SLICE("old"), token, TTL, 0));
    cr_assert(put(s, SLICE("k"), SLICE("new")));
    near_close(s);
}

/* Another seed: nothing of the one before is found or put, and everything works as it did. */
Test(near, another_seed) {
    struct near *s = store_new(8 << 20);
    char name[32];
    for (unsigned i = 0; i < 5000; i++) put(s, key_of(name, i), SLICE("v"));
    uint64_t hash = near_hash(s, SLICE("k")), token = near_token(s, hash);
    near_reseed(s, 77);
    struct near_stats st;
    near_stats_read(s, &st);
    cr_assert_eq(st.entries, 0u);
    for (unsigned i = 0; i < 5000; i++) cr_assert(!has(s, key_of(name, i)));
    cr_assert(!put_as(s, SLICE("k"), SLICE("old"), token, TTL, 0), "what was asked for before");
    struct near_item item = {.key = SLICE("k"), .value = SLICE("v"), .hash = hash, .token = near_token(s, hash), .ttl = TTL};
    cr_assert(!near_put(s, &item), "what would stand where nobody finds it");
    for (unsigned i = 0; i < 5000; i++) cr_assert(put(s, key_of(name, i), SLICE("w")));
    near_reseed(s, 77); /* that is its seed: nothing happens */
    for (unsigned i = 0; i < 5000; i++) cr_assert(has(s, key_of(name, i)));
    near_erase(s, SLICE("key:1"), hash); /* with a hash of the seed before */
    cr_assert(!has(s, SLICE("key:1")));
    near_close(s);
}
