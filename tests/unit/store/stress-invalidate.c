/* Invalidation among everything else that threads do to a store: sets, renames, copies, moves, deletions, flushes, swaps, eviction,
 * expiry, compaction, scans. Values are numbers of one clock, drawn under the locks; renaming and copying stay within a family. So
 * from the moment that a rule for a family is in force, nobody may see a value of it from before. Without Criterion, so that it runs
 * under the thread sanitizer. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "store/rule.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 3, PARTS = WORKERS + 1, KEYS = 3000, FAMILIES = 3, DATABASES = 2, ROUNDS = 150, STEPS = 1500 };

static const char *const families[FAMILIES] = {"a:", "user:profile:", "zz"};
static struct store_config config = {.policy = POLICY_ALLKEYS_LRU, .threads = PARTS, .active_expire = 1, .databases = STORE_DATABASES};
static struct store *store;
static _Atomic uint64_t stamp = 1;
static _Atomic uint64_t bound[FAMILIES]; /* values up to it are invalid, and that is known */
static _Atomic int64_t now = 1700000000000ll;
static _Atomic uint64_t steps; /* of all workers */
static _Atomic bool stop, wrong;

static void fail(const char *what, uint64_t seen, uint64_t limit) {
    if (!atomic_exchange(&wrong, true)) fprintf(stderr, "%s: value %llu, bound %llu\n", what, (unsigned long long)seen, (unsigned long long)limit);
}

static uint64_t draw(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

struct name {
    char text[40];
    struct key key;
};

static void name_of(struct name *n, unsigned family, unsigned i) {
    int len = snprintf(n->text, sizeof n->text, "%s%u", families[family], i);
    n->key = store_key(store_seed(store), (struct slice){n->text, (size_t)len});
}

static unsigned family_of(struct slice key) {
    unsigned f = 0;
    while (f + 1 < FAMILIES && memcmp(key.p, families[f], strlen(families[f])) != 0) f++;
    return f;
}

static uint64_t value_of(const struct entry *e) {
    uint64_t v = 0;
    if (e) memcpy(&v, entry_value(e).p, sizeof v);
    return v;
}

/* As a dispatcher does for a command with two keys. */
static void begin(struct view *v, unsigned db, struct store_locks *locks, const struct key *a, const struct key *b, struct store_stats *stats) {
    *locks = (struct store_locks){{0}};
    view_init(v, store, db, atomic_load(&now), stats);
    store_locks_add(locks, store_shard_of(a->hash));
    store_locks_add(locks, store_shard_of(b->hash));
    store_lock_many(store, locks);
    view_rules(v);
}

static void put(struct view *v, const struct key *k, uint64_t *x) {
    char value[200] = {0};
    uint64_t number = atomic_fetch_add(&stamp, 1), r = draw(x);
    memcpy(value, &number, sizeof number);
    int64_t deadline = r % 3 ? 0 : v->now + 1 + (int64_t)(r >> 8) % 2000;
    size_t n = sizeof number + (r >> 32) % (sizeof value - sizeof number);
    if (r & 1 << 5) {
        view_set(v, k, (struct slice){value, n}, deadline, FORM_AUTO);
        return;
    }
    struct entry_spec spec = {.type = VALUE_STRING, .form = FORM_AUTO, .access = view_born(v, k), .deadline = deadline,
        .key = {k->p, k->n}, .valuelen = n};
    struct entry *made = entry_new(&spec);
    memcpy((char *)(uintptr_t)entry_value(made).p, value, n);
    view_put(v, k, made);
}

static void change(struct view *v, const struct key *a, const struct key *b, uint64_t *x) {
    struct entry *e = view_get(v, a);
    struct view other = *v;
    other.db = (v->db + 1) % DATABASES;
    bool same = slice_equal((struct slice){a->p, a->n}, (struct slice){b->p, b->n});
    switch (draw(x) % 8) {
    case 0: if (e && !same) view_rename(v, a, v, b); break;
    case 1: if (e && !same) view_copy(v, e, v, b); break;
    case 2: if (e && !view_peek(&other, a)) view_rename(v, a, &other, a); break; /* MOVE */
    case 3: if (e) view_set_deadline(v, a, e, v->now + 50); break;
    case 4: view_delete(v, a); break;
    default: put(v, a, x);
    }
}

struct looking {
    uint64_t bound[FAMILIES];
};

static void look(void *arg, struct entry *e) {
    const struct looking *l = arg;
    unsigned f = family_of(entry_key(e));
    if (value_of(e) <= l->bound[f]) fail("a walk shows what is invalid", value_of(e), l->bound[f]);
}

static void walk(uint64_t *x) {
    struct looking l;
    unsigned db = (unsigned)(draw(x) % DATABASES);
    for (unsigned f = 0; f < FAMILIES; f++) l.bound[f] = atomic_load(&bound[f]);
    store_sample(store, db, atomic_load(&now), draw(x), look, &l);
    uint64_t cursor = 0;
    do cursor = store_scan(store, db, cursor, 100, atomic_load(&now), look, &l);
    while (cursor);
}

static void upkeep(unsigned part, struct store_stats *stats) {
    rule_sweep_step(store, part, PARTS, 20);
    store_expire_step(store, part, PARTS, atomic_load(&now), stats, 50);
    store_compact_step(store, part, PARTS, stats, 50);
    store_trash_step(store, 60);
}

static void *work(void *arg) {
    unsigned part = *(unsigned *)arg;
    struct store_stats stats = {0};
    uint64_t x = part * 77 + 5;
    for (unsigned step = 1; !atomic_load(&stop); step++) {
        struct name a, b;
        struct view v;
        struct store_locks locks;
        unsigned f = (unsigned)(draw(&x) % FAMILIES), db = (unsigned)(draw(&x) % DATABASES);
        name_of(&a, f, (unsigned)(draw(&x) % KEYS));
        name_of(&b, f, (unsigned)(draw(&x) % KEYS));
        for (int tries = 0; tries < 1000 && store_make_room(store, 1000, atomic_load(&now), &stats, 100) == FIT_LATER; tries++) {}
        uint64_t limit = atomic_load(&bound[f]); /* before the command begins */
        begin(&v, db, &locks, &a.key, &b.key, &stats);
        uint64_t seen = value_of(view_peek(&v, &a.key));
        if (seen && seen <= limit) fail("a command sees what is invalid", seen, limit);
        change(&v, &a.key, &b.key, &x);
        store_unlock_many(store, &locks);
        atomic_fetch_add(&steps, 1);
        if (step % 8 == 0) upkeep(part, &stats);
        if (step % 1000 == 0) walk(&x);
        if (step % 20000 == 0) store_flush(store, (int)(draw(&x) % DATABASES), false);
    }
    while (rule_sweep_step(store, part, PARTS, 250)) {}
    return NULL;
}

/* One of them falls, or two, or all; rules of both databases, and some that nothing falls under. */
static void invalidate(unsigned round, uint64_t *x) {
    static const char *const patterns[FAMILIES] = {"a:*", "user:*", "z?*"};
    struct slice pattern[FAMILIES + 2];
    bool falls[FAMILIES] = {false};
    size_t n = 0;
    for (unsigned f = 0; f < FAMILIES; f++)
        if (round % (f + 2) == 0) {
            falls[f] = true;
            pattern[n++] = slice_of(patterns[f]);
        }
    pattern[n++] = SLICE("nobody:*");
    pattern[n++] = SLICE("*nobody");
    while (rule_running(store) + DATABASES * n > RULE_RUNNING_MAX) /* some must end */
        rule_sweep_step(store, 0, PARTS, 250);
    store_lock_all(store); /* what moves from one database to the other does not do so between its rules */
    uint64_t before = atomic_load(&stamp) - 1;
    for (unsigned db = 0; db < DATABASES; db++)
        if (!rule_add(store, db, pattern, n, NULL)) fail("no room for a rule", n, 0);
    store_unlock_all(store);
    for (unsigned f = 0; f < FAMILIES; f++)
        if (falls[f]) atomic_store(&bound[f], before);
    if (round % 5 == 0) {
        store_lock_all(store);
        store_swap(store, 0, 1);
        store_unlock_all(store);
    }
    walk(x);
}

int main(void) {
    pthread_t thread[WORKERS];
    unsigned part[WORKERS];
    struct store_stats stats = {0};
    uint64_t x = 99;
    clock_start();
    home_limits_default(&config.limits);
    store = store_new(&config);
    atomic_store(&config.maxmemory, (int64_t)mem_limited() + (2 << 20));
    for (unsigned i = 0; i < WORKERS; i++) {
        part[i] = i + 1;
        pthread_create(&thread[i], NULL, work, &part[i]);
    }
    for (unsigned round = 0; round < ROUNDS && !atomic_load(&wrong); round++) {
        atomic_fetch_add(&now, 37);
        invalidate(round, &x);
        for (uint64_t from = atomic_load(&steps); atomic_load(&steps) < from + STEPS && !atomic_load(&wrong);) sched_yield();
        if (round % 3) upkeep(0, &stats); /* now and then rules pile up */
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < WORKERS; i++) pthread_join(thread[i], NULL);
    for (unsigned p = 0; p < PARTS; p++)
        while (rule_sweep_step(store, p, PARTS, 250)) {}
    if (rule_running(store)) fail("a rule is not over", rule_running(store), 0);
    const char *bad = store_check(store);
    if (bad) fail(bad, 0, 0);
    store_free(store);
    printf("%d passed, %d failed\n", !wrong, (int)wrong);
    return wrong;
}
