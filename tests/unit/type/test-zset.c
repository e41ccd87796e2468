/* zset against a naive twin: an array of scores by member, sorted anew whenever order matters. */
#include "type/zset.h"
#include "type/zset_tree.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define IDS 8000

struct twin {
    bool there, seen;
    double score;
    unsigned id;
};

static struct twin twin[IDS];
static const struct twin *order[IDS]; /* as it should be, after sort() */
static size_t there;
static uint64_t state, before;
static char bytes_space[1024], other_space[1024];
static struct type_limits limits;

static uint64_t next(uint64_t below) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % below;
}

/* Members of many lengths: the empty one, those that lie apart in leaves, and those just at the border. */
static struct slice write_member(char *to, unsigned id) {
    size_t n = id ? (size_t)snprintf(to, sizeof bytes_space, "%s%u", id % 3 ? "member:" : "", id) : 0;
    size_t want = id % 97 == 5 ? 93 + id % 8 : id % 211 == 9 ? 130 + id % 300 : id % 19 == 3 ? 40 : n;
    while (n < want) to[n++] = '.';
    return (struct slice){to, n};
}
static struct slice member_of(unsigned id) { return write_member(bytes_space, id); }

static double random_score(unsigned kind) {
    static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, 0.1, 0.5, 16777217, 191, 192, 8383,
        8384, -1, 32767, 32768, -32768, -32769, 8388607, 8388608, -8388608, -8388609, 2147483647, 2147483648, -2147483648.0,
        -2147483649.0, 140737488355327, 140737488355328, -140737488355327.0, -140737488355328.0, (double)9007199254740993, 1e20};
    switch (kind) {
    case 0:
        return 7; /* all equal */
    case 1:
        return (double)next(10);
    case 2:
        return odd[next(sizeof odd / sizeof *odd)];
    case 3:
        return (double)next(1u << 30) / 3.0;
    case 4:
        return odd[10 + next(21)] + (double)next(5) / 2 - 1; /* where one width ends and the next begins, halves among them */
    case 5:
        return 1700000000000.0 + (double)(state >> 50);
    default:
        return (double)next(100000) - 50000;
    }
}

static int compare(const void *a, const void *b) {
    const struct twin *x = *(const struct twin *const *)a, *y = *(const struct twin *const *)b;
    if (x->score < y->score) return -1;
    if (x->score > y->score) return 1;
    struct slice m = write_member(bytes_space, x->id), o = write_member(other_space, y->id);
    int d = memcmp(m.p, o.p, m.n < o.n ? m.n : o.n);
    return d ? d : (m.n > o.n) - (m.n < o.n);
}

static void sort(void) {
    size_t n = 0;
    for (unsigned id = 0; id < IDS; id++)
        if (twin[id].there) order[n++] = &twin[id];
    cr_assert(n == there);
    qsort(order, n, sizeof *order, compare);
}

static void begin(void) {
    memset(twin, 0, sizeof twin);
    for (unsigned id = 0; id < IDS; id++) twin[id].id = id;
    there = 0;
    state = 5;
    home_limits_default(&limits);
    before = mem_used(MEM_DATA) + mem_used(MEM_MISC);
}
static void end(void) { cr_assert(mem_used(MEM_DATA) + mem_used(MEM_MISC) == before, "everything went back"); }
TestSuite(zset, .init = begin, .fini = end);

static void sound(const struct home *h) {
    const char *wrong = zset_check(h);
    cr_assert(!wrong, "%s", wrong);
    cr_assert(zset_count(h) == there, "%zu members, not %zu", zset_count(h), there);
}

static bool same_bits(double a, double b) { return !memcmp(&a, &b, sizeof a); }

static void expect_at(const struct twin *want, struct slice member, double score) {
    cr_assert(slice_equal(member, member_of(want->id)), "%.*s where %u should be", (int)member.n, member.p, want->id);
    cr_assert(same_bits(score, want->score), "%g, not %g", score, want->score);
}

static void walk(const struct home *h, size_t from, size_t steps, bool down) {
    struct zset_at at;
    struct slice member;
    double score;
    zset_seek(&at, h, from, down);
    for (size_t i = 0; i < steps; i++) {
        if (down ? from < i : from + i >= there) {
            cr_assert(!zset_next(&at, &member, &score));
            return;
        }
        cr_assert(zset_next(&at, &member, &score));
        expect_at(order[down ? from - i : from + i], member, score);
    }
}

static size_t twin_below(double score, bool after) {
    size_t n = 0;
    while (n < there && (order[n]->score < score || (after && order[n]->score == score))) n++;
    return n;
}

static unsigned id_of(struct slice member) {
    char text[16] = {0};
    size_t n = 0;
    if (member.n > 7 && member.p[0] == 'm') member = (struct slice){member.p + 7, member.n - 7};
    for (; n < member.n && n < sizeof text - 1 && member.p[n] != '.'; n++) text[n] = member.p[n];
    unsigned id = (unsigned)strtoul(text, NULL, 10);
    cr_assert(id < IDS);
    return id;
}

static void each_seen(void *arg, struct slice member, double score) {
    unsigned id = id_of(member);
    cr_assert(slice_equal(member, member_of(id)), "a member that was never put");
    cr_assert(twin[id].there && same_bits(twin[id].score, score));
    cr_assert(!twin[id].seen, "a member is shown once while nothing changes");
    twin[id].seen = true;
    ++*(size_t *)arg;
}

static void scan_all(const struct home *h) {
    uint64_t cursor = 0;
    size_t n = 0;
    for (unsigned id = 0; id < IDS; id++) twin[id].seen = false;
    do cursor = zset_scan(h, cursor, 10, each_seen, &n);
    while (cursor);
    cr_assert(n == there, "%zu of %zu were shown", n, there);
}

/* Everything that can be asked. */
static void all_right(const struct home *h, unsigned kind) {
    double score;
    size_t rank;
    sound(h);
    sort();
    for (unsigned id = 0; id < IDS; id++) {
        cr_assert(zset_score(h, member_of(id), &score) == twin[id].there);
        if (twin[id].there) cr_assert(same_bits(score, twin[id].score));
    }
    for (size_t i = 0; i < there; i += 1 + next(9)) {
        cr_assert(zset_rank(h, member_of(order[i]->id), &rank, &score));
        cr_assert(rank == i && same_bits(score, order[i]->score), "rank %zu, not %zu", rank, i);
    }
    cr_assert(!zset_rank(h, SLICE("nobody"), &rank, &score));
    walk(h, 0, there + 1, false);
    if (there) walk(h, there - 1, there + 1, true);
    for (int i = 0; i < 20; i++) {
        if (there) walk(h, (size_t)next(there), 80, next(2));
        score = random_score(kind);
        bool after = next(2);
        cr_assert(zset_below_score(h, score, after) == twin_below(score, after));
    }
}

/* In what Redis would call a listpack, 0 has no sign. */
static double kept(const struct home *h, double score) {
    return score == 0 && !strcmp(zset_ops()->encoding(h), "listpack") ? 0 : score;
}

static void put(struct home *h, unsigned id, double score) {
    cr_assert(zset_put(h, member_of(id), score) == !twin[id].there);
    there += !twin[id].there;
    if (!twin[id].there || twin[id].score != score) twin[id].score = kept(h, score); /* of -0 and 0 the first one stays */
    twin[id].there = true;
}

static void take(struct home *h, unsigned id) {
    cr_assert(zset_remove(h, member_of(id)) == twin[id].there);
    there -= twin[id].there;
    twin[id].there = false;
}

static void take_ranks(struct home *h, size_t from, size_t n) {
    sort();
    zset_remove_ranks(h, from, n);
    for (size_t i = from; i < there && i - from < n; i++) twin[order[i]->id].there = false;
    there = 0;
    for (unsigned id = 0; id < IDS; id++) there += twin[id].there;
}

/* What zset_add should do, told once more. */
static void add(struct home *h, unsigned id, double score, unsigned when) {
    enum zset_did want;
    struct twin *t = &twin[id];
    double sum = t->there && (when & ZSET_INCR) ? t->score + score : score, given = score;
    if (t->there ? when & ZSET_NX : when & ZSET_XX) want = ZSET_KEPT;
    else if (!t->there) want = ZSET_ADDED;
    else if (isnan(sum)) want = ZSET_NAN;
    else if ((when & ZSET_GT && sum <= t->score) || (when & ZSET_LT && sum >= t->score)) want = ZSET_KEPT;
    else want = sum == t->score ? ZSET_SAME : ZSET_CHANGED;
    enum zset_did did = zset_add(h, member_of(id), &given, when);
    cr_assert(did == want, "did %d, not %d, for %u", (int)did, (int)want, when);
    if (did >= ZSET_SAME) cr_assert(given == sum);
    if (did < ZSET_CHANGED) return;
    there += !t->there;
    t->there = true;
    t->score = kept(h, sum);
}

static void step(struct home *h, unsigned range, unsigned kind, bool grows) {
    static const unsigned whens[] = {0, ZSET_NX, ZSET_XX, ZSET_GT, ZSET_LT, ZSET_XX | ZSET_GT, ZSET_XX | ZSET_LT, ZSET_INCR,
        ZSET_INCR | ZSET_NX, ZSET_INCR | ZSET_XX, ZSET_INCR | ZSET_GT, ZSET_INCR | ZSET_LT};
    unsigned id = (unsigned)next(range), dice = (unsigned)next(20);
    if (dice < (grows ? 11 : 3)) put(h, id, random_score(kind));
    else if (dice < (grows ? 16 : 6)) add(h, id, random_score(kind), whens[next(sizeof whens / sizeof *whens)]);
    else take(h, id);
}

static void live(unsigned kind, unsigned range, int steps, int64_t entries) {
    struct home h;
    limits.zset_entries = entries;
    home_init_own(&h, &limits, 17 + kind);
    for (int phase = 0; phase < 6; phase++) {
        for (int i = 0; i < steps; i++) {
            step(&h, range, kind, phase % 2 == 0);
            if (i % 256 == 0) sound(&h);
        }
        all_right(&h, kind);
        size_t from = there ? (size_t)next(there) : 0;
        take_ranks(&h, from, next(3) ? next(10) : there / 2);
        all_right(&h, kind);
    }
    scan_all(&h);
    for (unsigned id = 0; id < IDS; id++) take(&h, id);
    sound(&h);
    if (h.object) value_free(VALUE_ZSET, h.object);
    home_free_bytes(&h);
}

Test(zset, small_ones_as_the_twin) {
    for (unsigned kind = 0; kind < 7; kind++) live(kind, 40, 1500, 128);
}
Test(zset, packed_ones_up_to_their_limit) {
    limits.zset_value = 10000;
    for (unsigned kind = 0; kind < 7; kind++) live(kind, 300, 1000, 100000);
}
Test(zset, large_ones_as_the_twin) {
    for (unsigned kind = 0; kind < 7; kind++) live(kind, IDS, 9000, 128);
}

/* -- what is not met by chance --------------------------------------------------------------------------------------------- */

static void let_go(struct home *h) {
    if (h->object) value_free(VALUE_ZSET, h->object);
    home_free_bytes(h);
}

Test(zset, by_bytes_where_all_scores_are_equal) {
    for (unsigned range = 60; range <= IDS; range += IDS - 60) {
        struct home h;
        home_init_own(&h, &limits, 3);
        for (unsigned i = 0; i < range; i++) put(&h, (unsigned)next(range), 1);
        sound(&h);
        sort();
        for (size_t i = 0; i < 2000; i++) {
            struct slice m = write_member(other_space, (unsigned)next(range));
            if (next(3) == 0 && m.n) m.n--; /* between members, too */
            size_t below = 0, upto;
            for (; below < there; below++) {
                struct slice o = member_of(order[below]->id);
                int d = memcmp(o.p, m.p, o.n < m.n ? o.n : m.n);
                if (d > 0 || (d == 0 && o.n >= m.n)) break;
            }
            upto = below + (below < there && slice_equal(member_of(order[below]->id), m));
            cr_assert(zset_below_bytes(&h, m, false) == below);
            cr_assert(zset_below_bytes(&h, m, true) == upto);
        }
        take_ranks(&h, 0, there);
        let_go(&h);
    }
}

/* A queue: new ones at one end, old ones taken from the other, for either direction. */
Test(zset, a_queue_stays_small) {
    for (int down = 0; down < 2; down++) {
        struct home h;
        limits.zset_entries = 0;
        home_init_own(&h, &limits, 3);
        for (unsigned i = 0; i < 5 * IDS; i++) {
            put(&h, i % IDS, down ? -(double)i : (double)i);
            if (there > 1000) {
                struct zset_at at;
                struct slice member;
                double score;
                zset_seek(&at, &h, down ? there - 1 : 0, down);
                cr_assert(zset_next(&at, &member, &score));
                unsigned id = id_of(member);
                cr_assert(score == (down ? -(double)(i - 1000) : (double)(i - 1000)));
                zset_remove_ranks(&h, down ? there - 1 : 0, 1);
                twin[id].there = false;
                there--;
            }
            if (i % 1000 == 0) sound(&h);
        }
        all_right(&h, 5);
        size_t memory = zset_ops()->memory(h.object);
        cr_assert(memory < 1000 * 64 + 16384, "%zu bytes for a thousand", memory);
        take_ranks(&h, 0, there);
        let_go(&h);
    }
}

static void fill(struct home *h, unsigned kind) {
    home_init_own(h, &limits, 9);
    for (unsigned id = 0; id < IDS; id++) put(h, id, random_score(kind));
}

Test(zset, is_freed_in_pieces) {
    struct home h;
    fill(&h, 3);
    size_t effort = zset_ops()->effort(h.object), calls = 1;
    cr_assert(effort > IDS / 32 && effort < IDS, "%zu", effort);
    while (!zset_ops()->free(h.object, 10)) calls++;
    cr_assert(calls > effort / 100 && calls <= effort / 10 + 2, "%zu calls for %zu", calls, effort);
    home_free_bytes(&h);
}

Test(zset, a_copy_is_its_own) {
    struct home h, copy;
    fill(&h, 3);
    copy = h;
    copy.object = zset_ops()->clone(h.object);
    sound(&copy);
    for (unsigned id = 0; id < IDS; id += 2) cr_assert(zset_remove(&h, member_of(id)));
    value_free(VALUE_ZSET, h.object);
    home_free_bytes(&h);
    all_right(&copy, 3);
    for (unsigned id = 0; id < IDS; id += 3) put(&copy, id, 4);
    all_right(&copy, 3);
    value_free(VALUE_ZSET, copy.object);
}

static const char *encoding(const struct home *h) { return zset_ops()->encoding(h); }

Test(zset, encoding_goes_by_the_limits_not_by_what_is_inside) {
    struct home h;
    limits.zset_value = 1000;
    home_init_own(&h, &limits, 9);
    for (unsigned i = 0; i < 128; i++) put(&h, i * 3 + 1, i);
    cr_assert_str_eq(encoding(&h), "listpack");
    put(&h, 1, 5000); /* not one more */
    cr_assert_str_eq(encoding(&h), "listpack");
    put(&h, 385, 0);
    cr_assert_str_eq(encoding(&h), "skiplist");
    take_ranks(&h, 1, 1000);
    cr_assert_str_eq(encoding(&h), "skiplist");
    take_ranks(&h, 0, 1);
    let_go(&h);

    limits.zset_value = 64;
    home_init_own(&h, &limits, 9);
    struct slice longest = {memset(other_space, 'x', 100), 64};
    zset_put(&h, longest, 1);
    cr_assert_str_eq(encoding(&h), "listpack");
    longest.n++;
    zset_put(&h, longest, 1);
    cr_assert_str_eq(encoding(&h), "skiplist");
    zset_remove_ranks(&h, 0, 2);
    let_go(&h);

    limits.zset_value = 1000; /* what has become large only because the entry has no room for more */
    home_init_own(&h, &limits, 9);
    char space[900];
    for (int i = 0; i < 10; i++) {
        memset(space, 'a' + i, sizeof space);
        zset_put(&h, (struct slice){space, sizeof space}, i);
    }
    cr_assert(h.object);
    cr_assert_str_eq(encoding(&h), "listpack");
    zset_put(&h, (struct slice){other_space, 1001}, 1);
    cr_assert_str_eq(encoding(&h), "skiplist");
    zset_remove_ranks(&h, 3, 2);
    cr_assert(zset_count(&h) == 9 && !zset_check(&h));
    let_go(&h);
}

/* -0 kept while it is made; in the end as the encoding is. Packed; a tree that is a listpack still; a tree. */
Test(zset, zero_loses_its_sign_in_the_end) {
    static const struct { unsigned members; int64_t entries; } forms[] = {{20, 128}, {3000, 5000}, {3000, 128}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        struct home h;
        limits.zset_entries = forms[f].entries;
        limits.zset_value = 1000;
        home_init_own(&h, &limits, 9);
        for (unsigned i = 0; i < forms[f].members; i++) {
            double score = i % 4 == 3 ? (double)next(9) - 4 : i % 2 ? 0.0 : -0.0, given = score, is;
            cr_assert(zset_add(&h, member_of(i), &given, ZSET_SIGNED) == ZSET_ADDED);
            cr_assert(zset_score(&h, member_of(i), &is) && is == score && !signbit(is) == !signbit(score));
            twin[i].score = score;
        }
        cr_assert(!h.object == !f);
        zset_settle(&h);
        cr_assert_null(zset_check(&h));
        for (unsigned i = 0; i < forms[f].members; i++) {
            double want = kept(&h, twin[i].score), is;
            cr_assert(zset_score(&h, member_of(i), &is) && is == want && !signbit(is) == !signbit(want));
        }
        zset_remove_ranks(&h, 0, forms[f].members);
        let_go(&h);
    }
}

static struct slice write_name(char *to, uint32_t id) { return (struct slice){to, (size_t)sprintf(to, "name:%010u", id)}; }

/* Two names with the same 32 bits of hash: among so many there are some. */
static void find_pair(const struct zset_tree *t, uint32_t pair[2]) {
    enum { SLOTS = 1 << 22 };
    uint32_t *seen = calloc(SLOTS, sizeof *seen);
    char text[20];
    for (uint32_t id = 1;; id++) {
        uint32_t hash = zset_tree_hash(t, write_name(text, id)), other;
        if ((other = seen[hash % SLOTS]) && zset_tree_hash(t, write_name(text, other)) == hash) {
            pair[0] = other;
            pair[1] = id;
            break;
        }
        seen[hash % SLOTS] = id;
    }
    free(seen);
}

/* Members with equal hashes have equal words in the index while they are in one leaf: which of the two is told of a move must not
 * matter, when they move one after the other, nor when leaves are cut and joined. */
Test(zset, equal_hashes_change_their_scores) {
    enum { MEMBERS = 200 };
    struct home h;
    uint32_t id[MEMBERS];
    double score[MEMBERS], is;
    char text[20];
    limits.zset_entries = 0;
    home_init_own(&h, &limits, 9);
    zset_put(&h, SLICE("first"), 0);
    find_pair(h.object, id);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        if (i > 1) id[i] = 4000000000u + i;
        zset_put(&h, write_name(text, id[i]), score[i] = i < 2 ? 500 : (double)next(1000));
    }
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t i = next(8) ? (uint32_t)next(MEMBERS) : (uint32_t)next(2);
        double to = next(2) ? (double)next(1000) : score[next(MEMBERS)]; /* beside somebody, the other of the pair among them */
        if (i < 2 && next(2)) to = score[1 - i];
        score[i] = to;
        cr_assert(zset_add(&h, write_name(text, id[i]), &to, 0) != ZSET_ADDED);
        const char *wrong = zset_check(&h);
        cr_assert_null(wrong, "round %u: %s", round, wrong);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) cr_assert(zset_score(&h, write_name(text, id[i]), &is) && is == score[i]);
    let_go(&h);
}

/* What doc/design.md promises for members of 16 bytes with scores that are no short numbers. */
Test(zset, a_member_costs_little) {
    struct home h;
    char text[20];
    size_t n = 50000;
    home_init_own(&h, &limits, 9);
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "member:%09zu", i);
        zset_put(&h, (struct slice){text, 16}, random_score(3));
    }
    cr_assert(!zset_check(&h));
    size_t each = zset_ops()->memory(h.object) / n;
    cr_assert(each <= 44, "%zu bytes a member", each);
    value_free(VALUE_ZSET, h.object);
    home_free_bytes(&h);
}
