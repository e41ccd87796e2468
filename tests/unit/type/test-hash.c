/* Hashes, packed and large, against a naive twin: an array of what should be there. */
#include "type/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define IDS 900

static struct twin {
    bool there;
    unsigned value;
    int64_t due;
    uint64_t born; /* packed hashes show fields in this order */
} twin[IDS];
static size_t there;
static uint64_t state, clock_born;
static struct type_limits limits;
static struct home home;
static uint64_t before;
static char name_space[256], value_space[8192];

static uint64_t next(uint64_t below) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % below;
}

static struct slice name_of(unsigned id) {
    size_t n = id ? (size_t)snprintf(name_space, sizeof name_space, "%u", id) : 0;
    size_t want = id % 53 == 50 ? 130 : id % 7 == 3 ? 20 : n;
    while (n < want) name_space[n++] = '.';
    return (struct slice){name_space, n};
}

static struct slice value_of(unsigned v) {
    size_t n = v % 301 == 7 ? 100 + v % 5000 : v % 30;
    for (size_t i = 0; i < n; i++) value_space[i] = (char)(v + i);
    return (struct slice){value_space, n};
}

static unsigned id_of(struct slice name) {
    unsigned id = 0;
    for (size_t i = 0; i < name.n && name.p[i] >= '0' && name.p[i] <= '9' && id < IDS; i++) id = id * 10 + (unsigned)(name.p[i] - '0');
    cr_assert(id < IDS && slice_equal(name, name_of(id)), "a field that was never put");
    return id;
}

static void fresh(void) {
    memset(twin, 0, sizeof twin);
    there = 0;
    home_init_own(&home, &limits, 12345);
}

static void drop(void) {
    if (home.object) value_free(VALUE_HASH, home.object);
    home_free_bytes(&home);
}

static void begin(void) {
    state = 7;
    before = mem_used(MEM_DATA) + mem_used(MEM_MISC);
    home_limits_default(&limits);
    fresh();
}
static void end(void) {
    drop();
    cr_assert(mem_used(MEM_DATA) + mem_used(MEM_MISC) == before, "everything went back");
}
TestSuite(hash, .init = begin, .fini = end);

static void sound(void) {
    const char *wrong = hash_check(&home);
    cr_assert(!wrong, "%s", wrong);
    cr_assert(hash_count(&home) == there, "%zu, not %zu", hash_count(&home), there);
}

static bool lives(unsigned id, int64_t now) { return twin[id].there && (!twin[id].due || twin[id].due > now); }

static void put(unsigned id, unsigned v, int64_t due, int64_t now) {
    char name[256]; /* name_of's space is used again below */
    struct slice n = name_of(id);
    memcpy(name, n.p, n.n);
    cr_assert(hash_put(&home, &(struct member){.name = {name, n.n}, .value = value_of(v), .due = due}, now) == !lives(id, now));
    if (!twin[id].there) twin[id].born = ++clock_born;
    there += !twin[id].there;
    twin[id].there = true;
    twin[id].value = v;
    twin[id].due = due;
}

static void take(unsigned id, int64_t now) {
    cr_assert(hash_remove(&home, name_of(id), now) == lives(id, now));
    there -= twin[id].there;
    twin[id].there = false;
}

static void set_due(unsigned id, int64_t due, int64_t now) {
    bool alive = lives(id, now);
    cr_assert(hash_set_due(&home, name_of(id), due, now) == alive);
    if (alive) twin[id].due = due;
}

static void expire(int64_t now) {
    size_t gone = 0, want = 0;
    while (hash_expire(&home, now, 50, &gone)) {}
    for (unsigned id = 0; id < IDS; id++)
        if (twin[id].there && !lives(id, now)) {
            twin[id].there = false;
            want++;
        }
    there -= want;
    cr_assert(gone == want);
    cr_assert(!hash_due(&home) || hash_due(&home) > now);
}

static void all_as_twin(int64_t now) {
    struct member have;
    size_t n = 0, alive = 0, dead = 0;
    uint64_t last = 0;
    int64_t earliest = 0;
    for (unsigned id = 0; id < IDS; id++) {
        cr_assert(hash_get(&home, name_of(id), now, &have) == lives(id, now), "field %u", id);
        alive += lives(id, now);
        if (!twin[id].there) continue;
        cr_assert(hash_get(&home, name_of(id), 0, &have));
        cr_assert(slice_equal(have.value, value_of(twin[id].value)) && have.due == twin[id].due);
        if (have.due && (!earliest || have.due < earliest)) earliest = have.due;
    }
    cr_assert(earliest ? hash_due(&home) && hash_due(&home) <= earliest : !home.object || !hash_due(&home));
    for (struct hash_at at = {0}; hash_next(&home, &at, now, &have); n++) {
        unsigned id = id_of(have.name);
        cr_assert(lives(id, now));
        cr_assert(home.object || twin[id].born > last, "not in order of insertion");
        last = twin[id].born;
    }
    cr_assert(n == alive);
    struct hash_at at = {0};
    while (hash_count_due(&home, &at, now, 7, &dead)) {}
    cr_assert(alive + dead == there);
    cr_assert(hash_random(&home, next(1u << 30), now, &have) == (alive > 0));
    if (alive) cr_assert(lives(id_of(have.name), now));
}

/* How a random life goes: of how many fields, with how often a deadline. */
static void live(unsigned range, unsigned steps, unsigned timed) {
    int64_t now = 1000;
    for (unsigned i = 0; i < steps; i++) {
        unsigned id = (unsigned)next(range), what = (unsigned)next(20);
        int64_t due = timed && !next(timed) ? now - 5 + (int64_t)next(200) : 0;
        if (what < 9) put(id, (unsigned)next(3000), due, now);
        else if (what < 17) take(id, now);
        else if (timed && what < 19) set_due(id, next(3) ? now + 1 + (int64_t)next(300) : 0, now);
        else if (timed && !next(20)) expire(now);
        now += !next(8);
        if (i % 16 == 0) sound();
        if (i % 64 == 0) all_as_twin(now);
    }
    expire(now + 1000);
    all_as_twin(now + 1000);
    for (unsigned id = 0; id < IDS; id++) take(id, 0);
    sound();
}

Test(hash, small_without_deadlines) {
    for (int round = 0; round < 30; round++) {
        live(1 + (unsigned)next(40), 500, 0);
        drop();
        fresh();
    }
}

Test(hash, small_with_deadlines) {
    for (int round = 0; round < 30; round++) {
        live(1 + (unsigned)next(40), 500, 1 + (unsigned)next(6));
        drop();
        fresh();
    }
}

Test(hash, large_without_deadlines) { live(IDS, 6000, 0); }
Test(hash, large_with_deadlines) { live(IDS, 6000, 3); }

static void encodes(const char *name) {
    const char *is = value_ops(VALUE_HASH)->encoding(&home);
    cr_assert(!strcmp(is, name), "%s, not %s", is, name);
}

static void put_text(const char *name, size_t value) {
    static char bytes[8192];
    memset(bytes, 'v', sizeof bytes);
    hash_put(&home, &(struct member){.name = slice_of(name), .value = {bytes, value}}, 0);
    cr_assert(!hash_check(&home));
}

Test(hash, encoding_goes_by_the_limits_and_stays) {
    put_text("a", 64);
    encodes("listpack");
    put_text("b", 65);
    encodes("hashtable");
    cr_assert(!home.object, "and is packed all the same");
    hash_remove(&home, SLICE("b"), 0);
    encodes("hashtable");
    hash_remove(&home, SLICE("a"), 0);
    cr_assert(!home.n);
    put_text("a", 1);
    encodes("listpack");
    hash_set_due(&home, SLICE("a"), 5000, 1);
    encodes("listpackex");
    hash_set_due(&home, SLICE("a"), 0, 1);
    encodes("listpackex");
    put_text("b", 65);
    encodes("hashtable");
    cr_assert(hash_count(&home) == 2);
}

Test(hash, number_of_fields_decides_too) {
    char name[16];
    for (unsigned i = 0; i < 512; i++) {
        snprintf(name, sizeof name, "%u", i);
        put_text(name, 20);
    }
    encodes("listpack");
    cr_assert(home.object, "too long for a packed one");
    put_text("511", 30);
    encodes("listpack");
    put_text("512", 1);
    encodes("hashtable");
    drop();
    fresh();
    atomic_store(&limits.hash_entries, 2);
    put_text("a", 1);
    put_text("b", 1);
    cr_assert(!home.object);
    put_text("c", 1);
    cr_assert(home.object);
    encodes("hashtable");
    drop();
    fresh();
    for (unsigned i = 0; i < 2; i++) hash_put(&home, &(struct member){.name = {&"ab"[i], 1}, .due = 50}, 0);
    encodes("listpackex");
    hash_put(&home, &(struct member){.name = SLICE("c"), .value = {value_space, 60}, .due = 50}, 0);
    encodes("hashtable");
}

Test(hash, a_large_one_from_a_timed_one_says_so) {
    hash_put(&home, &(struct member){.name = SLICE("t"), .due = 50}, 0);
    char name[16];
    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "%u", i);
        put_text(name, 20);
    }
    cr_assert(home.object);
    encodes("listpackex");
    struct member have;
    cr_assert(hash_get(&home, SLICE("t"), 49, &have) && have.due == 50);
    cr_assert(!hash_get(&home, SLICE("t"), 50, &have));
}

static void count_one(void *arg, const struct member *what) {
    (void)what;
    ++*(size_t *)arg;
}

Test(hash, scans_a_small_one_at_once) {
    size_t n = 0;
    for (unsigned id = 1; id < 20; id++) put(id, 1, 0, 0);
    cr_assert(hash_scan(&home, 0, 1, count_one, &n) == 0 && n == 19);
    cr_assert(!home.object);
}

/* Chi-squared: 39 degrees of freedom, deviation 8.8. */
Test(hash, random_fields_are_equally_likely) {
    unsigned hits[40] = {0};
    for (unsigned id = 0; id < 40; id++) put(id, 1, id < 20 ? 100 : 0, 0);
    for (unsigned i = 0; i < 20000; i++) {
        struct member have;
        cr_assert(hash_random(&home, next(1u << 31) << 33 | next(1u << 31), 50, &have));
        hits[id_of(have.name)]++;
    }
    double chi = 0;
    for (int i = 0; i < 40; i++) chi += (hits[i] - 500.0) * (hits[i] - 500.0) / 500.0;
    cr_assert(chi > 10 && chi < 80, "%f", chi);
}

Test(hash, reserves_once) {
    hash_reserve(&home, 200);
    const uint8_t *p = home.p;
    for (unsigned id = 1; id < 10; id++) put(id, 5, 0, 0);
    cr_assert(home.p == p);
    sound();
}
