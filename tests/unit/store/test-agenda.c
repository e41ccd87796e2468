/* The agenda alone, and what it is for: after a pass of expiry nothing past its deadline is left, whatever happened to it before. */
#include "fixture.h"
#include "store/agenda.h"

#include <stdlib.h>

/* -- alone ----------------------------------------------------------------------------------------------------------------- */

struct pair {
    int64_t due;
    uint32_t tag;
};

static bool has(const struct agenda *a, struct pair p) {
    for (unsigned i = a->first; i < a->end; i++)
        if (agenda_time(a, i) == p.due && (a->item[i] & 0xffff) == p.tag) return true;
    return false;
}

/* Everything before `until` that was added is on it, and nothing else is; times ascend. */
static void compare(const struct agenda *a, const struct pair *added, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (added[i].due < a->until) cr_assert(has(a, added[i]), "%zu of %zu is missing", i, n);
    for (unsigned i = a->first; i < a->end; i++) {
        bool known = false;
        for (size_t k = 0; k < n && !known; k++) known = agenda_time(a, i) == added[k].due && (a->item[i] & 0xffff) == added[k].tag;
        cr_assert(known, "nobody added item %u", i);
        cr_assert(i == a->first || a->item[i - 1] < a->item[i], "in order, each once");
    }
    cr_assert_leq(a->end, a->room);
}

Test(agenda, agrees_with_a_naive_twin) {
    enum { MOST = 400 };
    static struct pair added[MOST];
    uint64_t x = 77;
    for (unsigned round = 0; round < 300; round++) {
        struct agenda *a = agenda_new(AGENDA_ROOM_MAX);
        size_t n = 0, most = fixture_random(&x) % MOST;
        unsigned room = (unsigned)(fixture_random(&x) % (AGENDA_ROOM_MAX + 1));
        int64_t now = NOW, spread = round % 3 ? AGENDA_MS : 50;
        agenda_start(a, room, NOW);
        while (n < most) {
            struct pair p = {now + (int64_t)(fixture_random(&x) % (uint64_t)spread), (uint32_t)fixture_random(&x) & 0xf00f};
            if (p.due >= a->until) {
                if (a->until <= now) break; /* no room at all */
                most--;
                continue;
            }
            int64_t until = a->until;
            bool all = agenda_add(a, p.tag, p.due);
            added[n++] = p;
            cr_assert(!all || until == a->until, "it says when something had no room");
            cr_assert_leq(a->until, until);
            if (n % 16) continue;
            compare(a, added, n);
            now += (int64_t)(fixture_random(&x) % 300);
            uint16_t tag[AGENDA_ROOM_MAX];
            unsigned taken = agenda_take(a, now, tag), due = 0;
            size_t left = 0;
            for (size_t i = 0; i < n; i++) {
                bool was = added[i].due <= now && added[i].due < a->until;
                bool again = false;
                for (size_t k = 0; k < i && !again; k++) again = added[k].due == added[i].due && added[k].tag == added[i].tag;
                due += was && !again;
            }
            cr_assert_geq(taken, due);
            for (size_t i = 0; i < n; i++)
                if (added[i].due > now) added[left++] = added[i];
            n = left;
            compare(a, added, n);
        }
        struct agenda *kept = agenda_keep(a);
        compare(kept, added, n);
        cr_assert_eq(agenda_next(kept), agenda_next(a));
        agenda_free(kept);
        agenda_free(a);
    }
}

/* -- lag ------------------------------------------------------------------------------------------------------------------- */

Test(lag, percentiles_are_near_and_the_worst_is_forgotten) {
    struct lag l = {0};
    struct lag_sum sum = {0};
    lag_sum_add(&sum, &l, NOW);
    cr_assert_eq(lag_percentile_ms(&sum, 99), 0);
    cr_assert_eq(lag_mean_ms(&sum), 0);
    for (int64_t ms = 0; ms < 1000; ms++) lag_add(&l, NOW - ms, NOW);
    lag_add(&l, NOW + 5, NOW); /* a clock set back: not late */
    lag_sum_add(&sum, &l, NOW);
    cr_assert_eq(sum.count, 1001);
    cr_assert_eq(sum.worst_ms, 999);
    cr_assert(lag_mean_ms(&sum) > 498 && lag_mean_ms(&sum) < 500);
    const double asked[] = {1, 25, 50, 90, 99, 100};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        double p = (double)lag_percentile_ms(&sum, asked[i]), truth = asked[i] * 10;
        cr_assert(p >= truth - 2 && p <= truth * 1.25 + 1, "%.0f%%: %.0f", asked[i], p);
    }
    const int64_t minute = LAG_WINDOW_MS;
    const struct {
        int64_t after;
        uint64_t worst;
    } later[] = {{minute, 999}, {2 * minute, 0}, {100 * minute, 0}};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        struct lag_sum then = {0};
        lag_sum_add(&then, &l, NOW + later[i].after);
        cr_assert_eq(then.worst_ms, later[i].worst, "%zu: %llu", i, (unsigned long long)then.worst_ms);
    }
    lag_add(&l, NOW + minute - 7, NOW + minute);
    struct lag_sum both = {0}, one = {0};
    lag_sum_add(&both, &l, NOW + minute);
    cr_assert_eq(both.worst_ms, 999);
    lag_sum_add(&one, &l, NOW + 2 * minute);
    cr_assert_eq(one.worst_ms, 7);
    lag_add(&l, 0, NOW + 10 * minute);
    struct lag_sum long_ago = {0};
    lag_sum_add(&long_ago, &l, NOW + 10 * minute);
    cr_assert_eq(lag_percentile_ms(&long_ago, 100), ((uint64_t)8 << 14) - 1, "the last bucket has what is more");
    lag_reset(&l);
    struct lag_sum none = {0};
    lag_sum_add(&none, &l, NOW + 10 * minute);
    cr_assert_eq(none.count + none.worst_ms + none.sum_ms, 0);
}

/* -- expiry as a whole ----------------------------------------------------------------------------------------------------- */

static struct fixture f;
static void begin(void) { fixture_open(&f); }
static void end(void) { fixture_close(&f); }
TestSuite(expire, .init = begin, .fini = end);

#define STEP 400 /* a pass is due after that, however long the last one took */

static void pass(int64_t now) {
    while (store_expire_step(f.store, 0, 1, now, &f.stats, 60)) {}
}

static void set_deadline(unsigned n, int64_t deadline, int64_t now) {
    char text[32];
    struct view v = fixture_view(&f, now);
    struct key k = fixture_key(&f, text, sizeof text, n);
    store_lock(f.store, store_shard_of(k.hash));
    struct entry *e = view_peek(&v, &k);
    if (e) view_set_deadline(&v, &k, e, deadline);
    store_unlock(f.store, store_shard_of(k.hash));
}

static int64_t some_deadline(uint64_t *x, int64_t now) {
    uint64_t r = fixture_random(x);
    switch (r % 8) {
    case 0: return 0;
    case 1: case 2: return now + 1 + (int64_t)(r >> 8) % 100;
    case 3: case 4: return now + 1 + (int64_t)(r >> 8) % 5000;
    case 5: return now + 5000; /* many at one time */
    case 6: return now + 1 + (int64_t)(r >> 8) % (3 * AGENDA_MS);
    default: return now + 1 + (int64_t)(r >> 8) % 100000000;
    }
}

/* Random sets, deletions and changes of deadlines, of keys that come and go in waves, so that segments split and merge. */
static void random_life(uint64_t seed, unsigned steps) {
    enum { KEYS = 30000 };
    static int64_t deadline[KEYS]; /* -1: not there; 0: none */
    uint64_t x = seed;
    int64_t now = NOW;
    for (unsigned i = 0; i < KEYS; i++) deadline[i] = -1;
    for (unsigned step = 0; step < steps; step++) {
        bool wave = step / 10 % 2;
        for (unsigned op = 0; op < 6000; op++) {
            unsigned i = (unsigned)(fixture_random(&x) % KEYS);
            uint64_t what = fixture_random(&x) % 10;
            bool there = deadline[i] == 0 || deadline[i] > now;
            if (what < (wave ? 5u : 2u)) {
                cr_assert_eq(fixture_delete(&f, i, now), there);
                deadline[i] = -1;
            } else if (what < 8) {
                deadline[i] = some_deadline(&x, now);
                fixture_set(&f, i, "a value", 7, deadline[i], now);
            } else if (there) {
                deadline[i] = some_deadline(&x, now);
                set_deadline(i, deadline[i], now);
            }
        }
        now += STEP + (int64_t)(fixture_random(&x) % 3000);
        pass(now);
        uint64_t left = 0;
        for (unsigned i = 0; i < KEYS; i++) left += deadline[i] == 0 || deadline[i] > now;
        cr_assert_eq(store_count(f.store, 0), left, "step %u: %llu keys, not %llu", step, (unsigned long long)store_count(f.store, 0),
            (unsigned long long)left);
        const char *wrong = store_check(f.store);
        cr_assert_null(wrong, "%s", wrong);
    }
}

Test(expire, nothing_past_its_deadline_is_left) { random_life(1, 60); }

Test(expire, with_no_memory_for_agendas) {
    f.config.maxmemory = 1;
    random_life(2, 40);
}

Test(expire, all_at_once_and_evenly) {
    for (int even = 0; even < 2; even++) {
        enum { N = 100000 };
        int64_t at = NOW + 1000000 * even;
        for (unsigned i = 0; i < N; i++) fixture_set(&f, i, "v", 1, at + 20000 + (even ? i / 10 : 0), at);
        for (int64_t now = at; now <= at + 20000 + N / 10 + STEP; now += STEP) {
            pass(now);
            int64_t gone = even ? (now - at - 20000 + 1) * 10 : now >= at + 20000 ? N : 0;
            if (gone < 0) gone = 0;
            if (gone > N) gone = N;
            cr_assert_eq(store_count(f.store, 0), (uint64_t)(N - gone), "%lld ms", (long long)(now - at));
        }
    }
    struct lag_sum sum = {0};
    lag_sum_add(&sum, &f.stats.lag, NOW + 1000000);
    cr_assert_eq(sum.count, 200000);
    cr_assert_leq(lag_percentile_ms(&sum, 100), 511); /* the bucket's end */
}

/* A key whose deadline is put off again and again is looked at now and then, and goes when it is time. */
Test(expire, put_off) {
    for (unsigned i = 0; i < 1000; i++) fixture_set(&f, i, "v", 1, NOW + 1000, NOW);
    int64_t now = NOW;
    for (unsigned step = 0; step < 200; step++) {
        for (unsigned i = 0; i < 500; i++) set_deadline(i, now + 1000, now);
        now += STEP;
        pass(now);
        cr_assert_eq(store_count(f.store, 0), now < NOW + 1000 ? 1000u : 500u);
    }
    pass(now + 1000 + STEP);
    cr_assert_eq(store_count(f.store, 0), 0);
}
