/* Invalidation against a naive twin, in which a rule removes what matches at once. */
#include "fixture.h"

#include "base/match.h"
#include "store/rule.h"

#include <stdio.h>

enum { NAMES = 600, STEPS = 60000 };

struct twin {
    struct fixture f;
    uint32_t value[2][NAMES]; /* by database; 0: not there */
    uint64_t random;
    uint64_t removed, counted;
};

static uint32_t draw(struct twin *t, uint32_t n) {
    t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(t->random >> 33) % n;
}

static const char *const families[] = {"user:", "u", "product:long-prefix:", ""};

static struct slice name_of(uint32_t i, char text[64]) {
    return (struct slice){text, (size_t)snprintf(text, 64, "%s%u", families[i % 4], i)};
}

static struct view view_at(struct twin *t, unsigned db) {
    struct view v;
    view_init(&v, t->f.store, db, 1000, &t->f.stats);
    return v;
}

static uint32_t value_at(struct twin *t, unsigned db, uint32_t i) {
    char text[64];
    uint32_t value = 0;
    struct view v = view_at(t, db);
    struct key k = store_key(store_seed(t->f.store), name_of(i, text));
    struct entry *e = view_peek(&v, &k);
    if (e) memcpy(&value, entry_value(e).p, sizeof value);
    return value;
}

static void set(struct twin *t, unsigned db, uint32_t i, uint32_t value) {
    char text[64];
    struct view v = view_at(t, db);
    struct key k = store_key(store_seed(t->f.store), name_of(i, text));
    view_set(&v, &k, (struct slice){(const char *)&value, sizeof value}, 0, FORM_RAW);
    t->value[db][i] = value;
}

static void invalidate(struct twin *t, unsigned db) {
    static const char *const patterns[] = {"user:*", "user:1*", "u?", "product:long-prefix:*", "*7", "*", "product:short*", "u[0-4]*", "12", "nobody"};
    struct slice pattern = slice_of(patterns[draw(t, sizeof patterns / sizeof *patterns)]);
    struct rule *r;
    char text[64];
    if (!rule_add(t->f.store, db, &pattern, 1, &r)) return;
    rule_release(r);
    for (uint32_t i = 0; i < NAMES; i++)
        if (t->value[db][i] && match_glob(pattern, name_of(i, text))) {
            t->value[db][i] = 0;
            t->removed++;
        }
}

static void rename_or_copy(struct twin *t, unsigned db, uint32_t from, uint32_t to, bool copy) {
    char text[2][64];
    struct view v = view_at(t, db);
    struct key a = store_key(store_seed(t->f.store), name_of(from, text[0])), b = store_key(store_seed(t->f.store), name_of(to, text[1]));
    struct entry *e = view_peek(&v, &a);
    cr_assert_eq(e != NULL, t->value[db][from] != 0);
    if (!e || from == to) return;
    if (copy) view_copy(&v, e, &v, &b);
    else view_rename(&v, &a, &v, &b);
    t->value[db][to] = t->value[db][from];
    if (!copy) t->value[db][from] = 0;
}

static void shown(void *arg, struct entry *e) {
    struct twin *t = arg;
    (void)e;
    t->counted++;
}

static void step(struct twin *t, uint32_t n) {
    unsigned db = draw(t, 2), what = draw(t, 100);
    uint32_t i = draw(t, NAMES);
    char text[64];
    if (what < 40) {
        set(t, db, i, n + 1);
    } else if (what < 60) {
        cr_assert_eq(value_at(t, db, i), t->value[db][i], "step %u, key %u", n, i);
    } else if (what < 70) {
        struct view v = view_at(t, db);
        struct key k = store_key(store_seed(t->f.store), name_of(i, text));
        cr_assert_eq(view_delete(&v, &k), t->value[db][i] != 0);
        t->value[db][i] = 0;
    } else if (what < 80) {
        rename_or_copy(t, db, i, draw(t, NAMES), what % 2);
    } else if (what < 85) {
        invalidate(t, db);
    } else if (what < 98) {
        rule_sweep_step(t->f.store, draw(t, 3), 3, 1);
    } else if (what < 99) {
        store_swap(t->f.store, 0, 1);
        for (uint32_t k = 0; k < NAMES; k++) {
            uint32_t a = t->value[0][k];
            t->value[0][k] = t->value[1][k];
            t->value[1][k] = a;
        }
    } else {
        uint64_t there = 0, cursor = 0;
        for (uint32_t k = 0; k < NAMES; k++) there += t->value[db][k] != 0;
        t->counted = 0;
        do cursor = store_scan(t->f.store, db, cursor, 100, 1000, shown, t);
        while (cursor);
        cr_assert_eq(t->counted, there, "a walk shows %llu of %llu keys", (unsigned long long)t->counted, (unsigned long long)there);
    }
}

static void settle(struct twin *t) {
    for (unsigned round = 0; round < 2; round++)
        for (unsigned part = 0; part < 3; part++)
            while (rule_sweep_step(t->f.store, part, 3, 250)) {}
}

Test(rule, does_what_removing_at_once_would_do) {
    struct twin *t = calloc(1, sizeof *t);
    fixture_open(&t->f);
    t->random = 3;
    for (uint32_t n = 0; n < STEPS; n++) step(t, n);
    settle(t);
    cr_assert_eq(rule_running(t->f.store), 0);
    cr_assert_eq(rule_removed_ever(t->f.store), t->removed, "every invalid key is counted once");
    for (unsigned db = 0; db < 2; db++) {
        uint64_t there = 0;
        for (uint32_t i = 0; i < NAMES; i++) {
            cr_assert_eq(value_at(t, db, i), t->value[db][i]);
            there += t->value[db][i] != 0;
        }
        cr_assert_eq(store_count(t->f.store, db), there);
    }
    fixture_close(&t->f);
    free(t);
}

Test(rule, takes_no_more_than_it_can_hold_and_takes_all_or_none) {
    struct fixture f;
    static struct slice pattern[RULE_RUNNING_MAX + 1];
    static struct rule *rule[RULE_RUNNING_MAX + 1];
    fixture_open(&f);
    for (size_t i = 0; i <= RULE_RUNNING_MAX; i++) pattern[i] = SLICE("key:1*");
    for (unsigned i = 0; i < 100; i++) fixture_set(&f, i, "v", 1, 0, 1000);
    cr_assert_not(rule_add(f.store, 0, pattern, RULE_RUNNING_MAX + 1, rule));
    cr_assert_eq(rule_running(f.store), 0);
    cr_assert(rule_add(f.store, 0, pattern, RULE_RUNNING_MAX, rule));
    cr_assert_not(rule_add(f.store, 0, pattern, 1, rule + RULE_RUNNING_MAX));
    cr_assert_not(fixture_has(&f, 1, 1000));
    cr_assert(fixture_has(&f, 2, 1000));
    while (rule_sweep_step(f.store, 0, 1, 250)) {}
    cr_assert_eq(rule_removed(rule[0]), 11, "the oldest has them all");
    cr_assert_eq(rule_removed(rule[1]), 0);
    for (size_t i = 0; i < RULE_RUNNING_MAX; i++) {
        cr_assert(rule_over(f.store, rule[i]));
        rule_release(rule[i]);
    }
    cr_assert(rule_add(f.store, 0, pattern, 1, rule));
    rule_release(rule[0]);
    fixture_close(&f);
}

static void count_event(void *arg, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k, const struct entry *e) {
    (void)stats, (void)event, (void)db, (void)k, (void)e;
    ++*(unsigned *)arg;
}

Test(rule, what_is_invalid_does_not_expire_any_more) {
    struct fixture f;
    struct slice pattern = SLICE("key:1*");
    struct rule *r;
    unsigned events = 0;
    int64_t now = 1700000000000;
    fixture_open(&f);
    store_set_hook(f.store, count_event, &events);
    for (unsigned i = 0; i < 20; i++) fixture_set(&f, i, "v", 1, now + 1000, now);
    cr_assert(rule_add(f.store, 0, &pattern, 1, &r));
    for (int64_t t = now + 1001; t < now + 4000; t += 500)
        while (store_expire_step(f.store, 0, 1, t, &f.stats, 250)) {}
    cr_assert_eq(store_count(f.store, 0), 0);
    cr_assert_eq(events, 9, "2 to 9, and 0");
    cr_assert_eq(rule_removed(r), 11);
    rule_release(r);
    fixture_close(&f);
}

Test(rule, does_not_touch_what_is_written_behind_it) {
    struct fixture f;
    struct slice pattern = SLICE("key:*");
    struct rule *r;
    fixture_open(&f);
    for (unsigned i = 0; i < 20000; i++) fixture_set(&f, i, "old", 3, 0, 1000);
    cr_assert(rule_add(f.store, 0, &pattern, 1, &r));
    for (unsigned i = 0; i < 20000; i += 2) fixture_set(&f, i, "new", 3, 0, 1000);
    while (rule_sweep_step(f.store, 0, 1, 250)) {}
    cr_assert_eq(rule_removed(r), 20000);
    for (unsigned i = 0; i < 20000; i++) cr_assert_eq(fixture_has(&f, i, 1000), i % 2 == 0);
    rule_release(r);
    fixture_close(&f);
}

/* As CACHE FILL, whose token was good when it looked. In a table that begins with it, too. */
Test(rule, is_for_what_is_written_by_who_began_before_it) {
    struct fixture f;
    struct slice pattern = SLICE("key:*");
    fixture_open(&f);
    struct key k = store_key(store_seed(f.store), SLICE("key:1"));
    for (int over = 0; over < 2; over++) {
        struct view before, behind;
        view_init(&before, f.store, 0, 1000, &f.stats);
        cr_assert(rule_add(f.store, 0, &pattern, 1, NULL));
        while (over && rule_sweep_step(f.store, 0, 1, 250)) {}
        view_set(&before, &k, SLICE("v"), 0, FORM_RAW);
        view_init(&behind, f.store, 0, 1000, &f.stats);
        cr_assert_eq(view_peek(&behind, &k) != NULL, over, "once it is over nothing is under it any more");
        while (rule_sweep_step(f.store, 0, 1, 250)) {}
        const char *wrong = store_check(f.store);
        cr_assert_null(wrong, "%s", wrong);
    }
    fixture_close(&f);
}

/* The sweep has come by the shard while it was empty, and is not over: what begins there then is behind the rule. Before, the rule was
 * looked at when it was long freed. */
Test(rule, is_not_looked_at_by_what_began_behind_its_sweep) {
    struct fixture f;
    struct slice pattern = SLICE("key:*");
    fixture_open(&f);
    for (unsigned i = 0; i < 400; i++) { /* in all shards */
        char text[32];
        struct key k = fixture_key(&f, text, sizeof text, i);
        unsigned part = store_shard_of(k.hash) % 2;
        struct view before, behind;
        store_flush(f.store, 0, false);
        while (store_trash_step(f.store, 250)) {}
        view_init(&before, f.store, 0, NOW, &f.stats);
        cr_assert(rule_add(f.store, 0, &pattern, 1, NULL));
        while (rule_sweep_step(f.store, part, 2, 250)) {}
        store_lock(f.store, store_shard_of(k.hash));
        view_set(&before, &k, SLICE("v"), 0, FORM_RAW);
        store_unlock(f.store, store_shard_of(k.hash));
        while (rule_sweep_step(f.store, !part, 2, 250)) {}
        cr_assert_eq(rule_running(f.store), 0);
        const char *wrong = store_check(f.store);
        cr_assert_null(wrong, "%s", wrong);
        view_init(&behind, f.store, 0, NOW, &f.stats);
        store_lock(f.store, store_shard_of(k.hash));
        cr_assert(view_peek(&behind, &k), "it was written behind it");
        store_unlock(f.store, store_shard_of(k.hash));
    }
    fixture_close(&f);
}
