/* members against a naive twin: an array of what should be there. */
#include "type/members.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define IDS 6000

struct twin {
    bool there, seen;
    unsigned value; /* what value_of makes of it */
    int64_t due;
};

static struct twin twin[IDS];
static size_t there;
static uint64_t state;
static uint64_t before;
static char name_space[1024], value_space[8192];

static uint64_t next(uint64_t below) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % below;
}

/* Names of many lengths, the empty one and long ones among them. */
static struct slice name_of(unsigned id) {
    size_t n = id ? (size_t)snprintf(name_space, sizeof name_space, "%u", id) : 0;
    size_t want = id % 97 == 5 ? 110 + id % 300 : id % 19 == 3 ? 40 : n;
    while (n < want) name_space[n++] = '.';
    return (struct slice){name_space, n};
}

static struct slice value_of(unsigned v) {
    size_t n = v % 31 == 7 ? 100 + v % 2000 : v % 40;
    for (size_t i = 0; i < n; i++) value_space[i] = (char)(v + i);
    return (struct slice){value_space, n};
}

static unsigned id_of(struct slice name) {
    char text[16] = {0};
    size_t digits = 0;
    while (digits < name.n && name.p[digits] >= '0' && name.p[digits] <= '9') digits++;
    cr_assert(digits < sizeof text);
    if (digits) memcpy(text, name.p, digits);
    unsigned id = (unsigned)strtoul(text, NULL, 10);
    cr_assert(id < IDS && slice_equal(name, name_of(id)), "a name that was never put");
    return id;
}

static void begin(void) {
    memset(twin, 0, sizeof twin);
    there = 0;
    state = 7;
    before = mem_used(MEM_DATA);
}
static void end(void) { cr_assert(mem_used(MEM_DATA) == before, "everything went back"); }
TestSuite(members, .init = begin, .fini = end);

static void sound(const struct members *m) {
    const char *wrong = members_check(m);
    cr_assert(!wrong, "%s", wrong);
    cr_assert(members_count(m) == there);
}

static void expect_member(const struct member *have, bool values) {
    unsigned id = id_of(have->name);
    cr_assert(twin[id].there);
    cr_assert(slice_equal(have->value, values ? value_of(twin[id].value) : SLICE("")));
    cr_assert(have->due == twin[id].due);
}

static void set_one(struct members *m, unsigned id, unsigned v, int64_t due, bool values) {
    struct member what = {.name = name_of(id), .due = due};
    if (values) what.value = value_of(v);
    cr_assert(members_set(m, &what) == !twin[id].there);
    there += !twin[id].there;
    twin[id].there = true;
    twin[id].value = v;
    twin[id].due = due;
}

static void remove_one(struct members *m, unsigned id) {
    cr_assert(members_remove(m, name_of(id)) == twin[id].there);
    there -= twin[id].there;
    twin[id].there = false;
}

static void set_due(struct members *m, unsigned id, int64_t due) {
    cr_assert(members_set_due(m, name_of(id), due) == twin[id].there);
    twin[id].due = due;
}

static void all_there(const struct members *m, bool values) {
    struct members_at at = {0};
    struct member have;
    size_t n = 0;
    for (unsigned id = 0; id < IDS; id++) {
        cr_assert(members_find(m, name_of(id), &have) == twin[id].there);
        if (twin[id].there) expect_member(&have, values);
    }
    while (members_next(m, &at, &have)) {
        expect_member(&have, values);
        n++;
    }
    cr_assert(n == there);
}

/* Phases that mostly add and phases that mostly remove, so that it grows and shrinks over and over. */
static void live(bool values) {
    struct members *m = members_new(11, values);
    for (int phase = 0; phase < 8; phase++) {
        unsigned range = phase < 2 ? 300 : IDS;
        for (int step = 0; step < 8000; step++) {
            unsigned id = (unsigned)next(range);
            if (next(10) < (phase % 2 ? 2 : 8)) set_one(m, id, (unsigned)next(5000), values && !next(7) ? (int64_t)next(100000) + 1 : 0, values);
            else if (values && next(2)) set_due(m, id, next(2) ? (int64_t)next(100000) + 1 : 0);
            else remove_one(m, id);
            if (step % 512 == 0) sound(m);
        }
        sound(m);
        all_there(m, values);
    }
    for (unsigned id = 0; id < IDS; id++) remove_one(m, id);
    sound(m);
    cr_assert(members_memory(m) < 2048, "%zu bytes for nothing", members_memory(m));
    cr_assert(members_free(m, SIZE_MAX));
}

Test(members, with_values_as_the_twin) { live(true); }
Test(members, without_values_as_the_twin) { live(false); }

static void fill(struct members *m, unsigned from, unsigned to) {
    for (unsigned id = from; id < to; id++) set_one(m, id, id, 0, true);
}

Test(members, is_freed_in_pieces) {
    struct members *m = members_new(3, true);
    fill(m, 0, IDS);
    size_t effort = members_effort(m), calls = 1;
    cr_assert(effort > IDS / 32 && effort < IDS);
    while (!members_free(m, 10)) calls++;
    cr_assert(calls > effort / 100 && calls <= effort / 10 + 1, "%zu calls for %zu", calls, effort);
}

Test(members, a_copy_is_its_own) {
    struct members *m = members_new(3, true);
    fill(m, 0, IDS);
    for (unsigned id = 0; id < IDS; id += 9) set_one(m, id, id, 5000 + id, true);
    members_mark(m, 5);
    struct members *copy = members_clone(m);
    cr_assert(members_marks(copy) == 5 && members_due(copy) == members_due(m));
    sound(copy);
    for (unsigned id = 0; id < IDS; id++) cr_assert(members_remove(m, name_of(id)));
    cr_assert(members_free(m, SIZE_MAX));
    sound(copy);
    all_there(copy, true);
    cr_assert(members_free(copy, SIZE_MAX));
}

static void saw(void *arg, const struct member *what) {
    size_t *n = arg;
    unsigned id = id_of(what->name);
    twin[id].seen = true;
    ++*n;
}

/* Members 0..999 are there all the time; the others come and go between the steps of a scan. */
static void scan_while(unsigned low, unsigned high, bool grows, size_t count) {
    struct members *m = members_new(99, true);
    fill(m, 0, grows ? low : high);
    for (unsigned id = 0; id < IDS; id++) twin[id].seen = false;
    unsigned at = grows ? low : high;
    uint64_t cursor = 0;
    size_t steps = 0, shown = 0;
    do {
        cursor = members_scan(m, cursor, count, saw, &shown);
        cr_assert(cursor < 1ull << 53);
        for (int i = 0; i < 90; i++) {
            if (grows && at < high) set_one(m, at, at, 0, true), at++;
            if (!grows && at > low) remove_one(m, --at);
        }
        cr_assert(++steps < 10000);
    } while (cursor);
    for (unsigned id = 0; id < low; id++) cr_assert(twin[id].seen, "%u was there and was not shown", id);
    cr_assert(members_free(m, SIZE_MAX));
}

Test(members, a_scan_shows_all_while_it_grows) { scan_while(1000, IDS, true, 20); }
Test(members, a_scan_shows_all_while_it_shrinks) { scan_while(1000, IDS, false, 20); }
Test(members, a_scan_shows_all_when_few_stay) { scan_while(10, IDS, false, 100); }

Test(members, a_scan_of_what_stands_still_shows_each_once) {
    struct members *m = members_new(5, true);
    for (unsigned n = 0; n < IDS; n += 1 + n / 3) {
        fill(m, (unsigned)there, n);
        size_t shown = 0, most = 0;
        uint64_t cursor = 0;
        do {
            size_t was = shown;
            cursor = members_scan(m, cursor, 10, saw, &shown);
            if (shown - was > most) most = shown - was;
        } while (cursor);
        cr_assert(shown == n, "%zu of %u", shown, n);
        cr_assert(most < 100);
    }
    size_t shown = 0;
    members_scan(m, UINT64_MAX, 10, saw, &shown); /* any number may come from a client */
    cr_assert(members_free(m, SIZE_MAX));
}

/* Chi-squared over 1000 members with 100 draws each: mean 999, deviation 45. */
Test(members, random_ones_are_equally_likely) {
    static unsigned hits[1000];
    struct members *m = members_new(5, false);
    struct member have;
    cr_assert(!members_random(m, 1, &have));
    for (unsigned id = 0; id < IDS; id++) set_one(m, id, 0, 0, false);
    for (unsigned id = 1000; id < IDS; id++) remove_one(m, id);
    for (int i = 0; i < 100000; i++) {
        cr_assert(members_random(m, next(1u << 30) << 20 ^ (uint64_t)i, &have));
        hits[id_of(have.name)]++;
    }
    double chi = 0;
    for (int i = 0; i < 1000; i++) chi += (hits[i] - 100.0) * (hits[i] - 100.0) / 100.0;
    cr_assert(chi > 800 && chi < 1200, "%f", chi);
    for (unsigned id = 1; id < 1000; id++) remove_one(m, id);
    cr_assert(members_random(m, 77, &have) && have.name.n == 0);
    cr_assert(members_free(m, SIZE_MAX));
}

static void expire_all(struct members *m, int64_t now, size_t most) {
    size_t gone = 0, want = 0, steps = 0;
    for (unsigned id = 0; id < IDS; id++)
        if (twin[id].there && twin[id].due && twin[id].due <= now) {
            twin[id].there = false;
            want++;
        }
    size_t due = 0;
    struct members_at at = {0};
    while (members_count_due(m, &at, now, 100, &due)) {}
    cr_assert(due == want);
    while (members_expire(m, now, most, &gone)) cr_assert(++steps < 100000);
    there -= want;
    cr_assert(gone == want, "%zu went, not %zu", gone, want);
    sound(m);
    int64_t earliest = 0;
    for (unsigned id = 0; id < IDS; id++)
        if (twin[id].there && twin[id].due && (!earliest || twin[id].due < earliest)) earliest = twin[id].due;
    cr_assert(members_due(m) <= earliest && !members_due(m) == !earliest);
    if (earliest) cr_assert(members_due(m) > now);
}

Test(members, what_is_due_goes) {
    struct members *m = members_new(21, true);
    cr_assert(members_due(m) == 0);
    fill(m, 0, IDS);
    cr_assert(members_due(m) == 0);
    for (unsigned id = 0; id < IDS; id += 2) set_one(m, id, id, 1000 + (int64_t)next(1000), true);
    for (int64_t now = 0; now <= 2000; now += 100) expire_all(m, now, 1 + (size_t)next(3000));
    cr_assert(there == IDS / 2 && members_deadlines(m) == 0);
    all_there(m, true);
    cr_assert(members_free(m, SIZE_MAX));
}

/* The set changes between the steps of a sweep: nothing that is due may be forgotten. */
Test(members, a_sweep_survives_changes) {
    struct members *m = members_new(21, true);
    for (int round = 0; round < 40; round++) {
        int64_t now = 1000 * (round + 1);
        unsigned range = round % 2 ? 200 : IDS;
        for (int i = 0; i < 6000; i++) set_one(m, (unsigned)next(range), 1, now - 500 + (int64_t)next(3000), true);
        for (int step = 0; step < 50; step++) {
            size_t gone = 0;
            members_expire(m, now, 40, &gone);
            there -= gone;
            for (unsigned id = 0; id < IDS; id++) { /* the twin forgets what went */
                struct member have;
                if (gone && twin[id].there && twin[id].due <= now && !members_find(m, name_of(id), &have)) twin[id].there = false;
            }
            for (int i = 0; i < 60; i++) {
                unsigned id = (unsigned)next(range);
                if (round % 3) remove_one(m, id);
                else set_one(m, id, 1, now - 500 + (int64_t)next(3000), true);
            }
            sound(m);
        }
        size_t gone = 0;
        while (members_expire(m, now, 100, &gone)) {}
        there -= gone;
        for (unsigned id = 0; id < IDS; id++)
            if (twin[id].due <= now) twin[id].there = false;
        sound(m);
        all_there(m, true);
    }
    cr_assert(members_free(m, SIZE_MAX));
}

Test(members, a_million_take_few_bytes) {
    struct members *hash = members_new(1, true), *set = members_new(1, false);
    for (unsigned i = 0; i < 200000; i++) {
        char name[32], value[32];
        snprintf(name, sizeof name, "field:%010u", i);
        snprintf(value, sizeof value, "value:%010u", i);
        members_set(hash, &(struct member){.name = {name, 16}, .value = {value, 16}});
        members_set(set, &(struct member){.name = {name, 16}});
    }
    cr_assert(members_memory(hash) / 200000.0 < 42, "%f", members_memory(hash) / 200000.0);
    cr_assert(members_memory(set) / 200000.0 < 25, "%f", members_memory(set) / 200000.0);
    size_t taken = mem_used(MEM_DATA) - before, told = members_memory(hash) + members_memory(set);
    cr_assert(taken >= told && taken - told < told / 100, "%zu are taken, %zu told", taken, told); /* tables are told without rounding */
    members_free(hash, SIZE_MAX);
    members_free(set, SIZE_MAX);
}
