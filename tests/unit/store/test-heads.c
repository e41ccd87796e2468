/* Is what is told for four at once what each entry tells by itself? */
#include "fixture.h"
#include "store/heads.h"
#include "store/holder.h"
#include "store/inside.h"
#include "type/zset.h"

static struct fixture f;
static void setup(void) { fixture_open(&f); }
static void teardown(void) { fixture_close(&f); }
TestSuite(heads, .init = setup, .fini = teardown);

/* Lengths around where their numbers need a byte more, with and without a deadline. */
static size_t length_of(unsigned i) {
    static const size_t lengths[] = {0, 1, 2, 19, 63, 64, 126, 127, 128, 129, 191, 192, 255, 256, 1000, 8191, 16383, 16384, 20000};
    return lengths[i % (sizeof lengths / sizeof *lengths)];
}

static void set(unsigned k, size_t key_length, size_t length) {
    static char text[20000 + sizeof k], value[20000];
    struct view v;
    view_init(&v, f.store, k % 2, NOW, &f.stats);
    memset(text, 'k', sizeof text);
    memcpy(text, &k, sizeof k);
    struct key key = store_key(f.store->seed, (struct slice){text, key_length});
    store_lock(f.store, store_shard_of(key.hash));
    entry_set_access(view_set(&v, &key, (struct slice){value, length}, k % 3 ? 0 : NOW + 100000, FORM_RAW), k * 2654435761u);
    store_unlock(f.store, store_shard_of(key.hash));
}

static unsigned compare(const struct reach *at) {
    struct heads with, without;
    unsigned deadlines = 0;
    heads_read_costs(&with, at);
    heads_read(&without, at);
    for (unsigned k = 0; k < at->n; k++) {
        const struct entry *e = at->entry[k];
        deadlines += entry_deadline(e) != 0;
        cr_assert_eq(with.word[k], entry_access(e));
        cr_assert_eq(without.word[k], entry_access(e));
        cr_assert_eq(with.bytes[k], store_cost_slow(e), "%u for %u", with.bytes[k], store_cost_slow(e));
    }
    for (unsigned k = at->n; k % 4; k++) cr_assert_eq(with.word[k], 0);
    cr_assert_eq(with.deadlines, deadlines != 0);
    cr_assert_eq(without.deadlines, deadlines != 0);
    return at->n;
}

/* Few members lie in the entry, many in an object. */
static void set_collection(unsigned k, unsigned members) {
    char text[32];
    struct view v;
    struct holder h;
    view_init(&v, f.store, 0, NOW, &f.stats);
    struct key key = fixture_key(&f, text, sizeof text, k);
    store_lock(f.store, store_shard_of(key.hash));
    holder_open(&h, &v, &key, NULL, VALUE_ZSET);
    for (unsigned i = 0; i < members; i++) zset_put(&h.home, (struct slice){(const char *)&i, sizeof i}, i);
    cr_assert(holder_close(&h));
    store_unlock(f.store, store_shard_of(key.hash));
}

Test(heads, they_say_what_the_entries_say) {
    enum { N = 19 * 19 * 3, COLLECTIONS = 200 };
    struct patrol p = {0};
    struct reach at;
    for (unsigned k = 0; k < N; k++) set(k, length_of(k) + sizeof k, length_of(k / 19));
    for (unsigned k = 0; k < COLLECTIONS; k++) set_collection(k, k % 2 ? 3 : 500);
    for (unsigned most = 1; most <= PATROL_MOST; most++) {
        unsigned seen = 0;
        patrol_put(&p, 0x1234567890abcdefull);
        for (uint64_t end = p.passed + STORE_SHARDS; p.passed < end;) {
            patrol_reach(&p, f.store, true, most, &at);
            if (!at.n) continue;
            seen += compare(&at);
            store_unlock(f.store, p.shard);
        }
        cr_assert_eq(seen, N + COLLECTIONS);
    }
}
