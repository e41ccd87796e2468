/* Is each entry come to once in a round, whatever is where? */
#include "fixture.h"
#include "store/patrol.h"

static struct fixture f;
static void setup(void) { fixture_open(&f); }
static void teardown(void) { fixture_close(&f); }
TestSuite(patrol, .init = setup, .fini = teardown);

/* Counts how often each of n keys is come to until all shards are passed; the access word tells which it is. */
static unsigned one_round(struct patrol *p, bool all, unsigned *seen) {
    struct reach at;
    unsigned sum = 0;
    for (uint64_t end = p->passed + STORE_SHARDS; p->passed < end; sum += at.n) {
        patrol_reach(p, f.store, all, 7, &at);
        cr_assert_leq(at.n, 7);
        for (unsigned k = 0; k < at.n; k++) seen[entry_access(at.entry[k])]++;
        if (at.n) store_unlock(f.store, p->shard);
    }
    return sum;
}

/* In two databases, every `part`-th one with a deadline. */
static void fill(unsigned n, unsigned part) {
    char text[32];
    for (unsigned k = 0; k < n; k++) {
        struct view v;
        view_init(&v, f.store, k % 3 ? 0 : 9, NOW, &f.stats);
        struct key key = fixture_key(&f, text, sizeof text, k);
        store_lock(f.store, store_shard_of(key.hash));
        entry_set_access(view_set(&v, &key, (struct slice){"v", 1}, k % part ? 0 : NOW + 1000, FORM_AUTO), k);
        store_unlock(f.store, store_shard_of(key.hash));
    }
}

Test(patrol, a_round_comes_to_each_entry_once) {
    enum { N = 30000 };
    static unsigned seen[N];
    struct patrol p = {0};
    patrol_put(&p, 0x1234567890abcdefull);
    fill(N, 5);
    cr_assert_eq(one_round(&p, true, seen), N);
    for (unsigned k = 0; k < N; k++) cr_assert_eq(seen[k], 1, "%u: %u times", k, seen[k]);
    memset(seen, 0, sizeof seen);
    cr_assert_eq(one_round(&p, false, seen), N / 5, "only those with a deadline");
    for (unsigned k = 0; k < N; k++) cr_assert_eq(seen[k], k % 5 == 0);
}

Test(patrol, few_keys_and_none) {
    static unsigned seen[3];
    struct patrol p = {0};
    cr_assert_eq(one_round(&p, true, seen), 0);
    fill(3, 1);
    cr_assert_eq(one_round(&p, true, seen), 3);
    cr_assert_eq(one_round(&p, false, seen), 3);
}

Test(patrol, what_is_put_in_meanwhile_hides_nothing_else) {
    enum { N = 60000 };
    static unsigned seen[N];
    struct patrol p = {0};
    struct reach at;
    fill(N / 6, 1000000);
    unsigned n = N / 6, times = 0;
    for (uint64_t end = p.passed + STORE_SHARDS; p.passed < end;) { /* tables grow sixfold, segments split */
        patrol_reach(&p, f.store, true, 8, &at);
        for (unsigned k = 0; k < at.n; k++) seen[entry_access(at.entry[k])]++;
        if (at.n) store_unlock(f.store, p.shard);
        for (unsigned k = 0; k < 40 && n < N; k++, n++) {
            char text[32];
            struct view v = fixture_view(&f, NOW);
            struct key key = fixture_key(&f, text, sizeof text, n);
            store_lock(f.store, store_shard_of(key.hash));
            entry_set_access(view_set(&v, &key, (struct slice){"v", 1}, 0, FORM_AUTO), n);
            store_unlock(f.store, store_shard_of(key.hash));
        }
    }
    cr_assert_eq(n, N);
    unsigned missed = 0;
    for (unsigned k = 0; k < N / 6; k++) {
        missed += !seen[k];
        times += seen[k] > 1;
    }
    cr_assert_lt(missed, N / 6 / 20, "%u of %u were missed", missed, N / 6);
    cr_assert_lt(times, N / 6 / 20, "%u came again", times);
}
