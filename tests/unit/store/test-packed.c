#include "fixture.h"

#include "store/entry.h"

#include <stdlib.h>

static struct packer *packer;
static uint64_t dice;

static void open_packer(void) {
    packer = packer_new();
    dice = 88172645463325252ull;
}
static void close_packer(void) { packer_free(packer); }
TestSuite(packed, .init = open_packer, .fini = close_packer);

/* Words between noise: `noise` of 100 bytes are random. */
static void fill(char *p, size_t n, unsigned noise) {
    static const char words[] = "\"name\": \"somebody\", \"active\": true, \"city\": \"Lisbon\", ";
    for (size_t i = 0; i < n; i++)
        p[i] = fixture_random(&dice) % 100 < noise ? (char)fixture_random(&dice) : words[i % (sizeof words - 1)];
}

static bool pack(struct slice plain, struct buf *out) {
    struct packing g;
    enum packed_state st;
    packing_begin(&g, plain, 1, out);
    while ((st = packing_step(&g, packer)) == PACKED_MORE) {}
    return st == PACKED_DONE;
}

static const size_t lengths[] = {32, 33, 100, 127, 128, 1000, 4095, 4096, 16383, 16384, 16385, 65535, 65536, 65537, 131071,
    131072, 131073, 200000, 1000000};
#define LENGTHS (sizeof lengths / sizeof *lengths)

Test(packed, what_comes_out_is_what_went_in_and_at_most_seven_eighths_of_it) {
    char *plain = malloc(1000000), *back = malloc(1000000);
    unsigned packed = 0, refused = 0;
    for (size_t i = 0; i < LENGTHS; i++)
        for (unsigned noise = 0; noise <= 100; noise += 10) {
            size_t n = lengths[i];
            struct buf out = {0};
            buf_puts(&out, "before");
            fill(plain, n, noise);
            if (!pack((struct slice){plain, n}, &out)) {
                cr_assert(noise >= 10 || n < 128, "%zu bytes, %u %% noise", n, noise);
                cr_assert_eq(out.n, 6, "nothing is left behind");
                refused++;
            } else {
                struct slice stored = {out.p + 6, out.n - 6};
                cr_assert(noise < 90);
                cr_assert_leq(stored.n, n - n / 8);
                cr_assert_eq(packed_length(stored), n);
                cr_assert(packed_sound(stored, packer_space(packer)));
                memset(back, 0, n);
                packed_part(stored, 0, n, back, packer_space(packer));
                cr_assert(!memcmp(back, plain, n));
                packed++;
            }
            buf_free(&out);
        }
    cr_assert(packed > 50 && refused > 50, "%u packed, %u refused", packed, refused);
    free(plain);
    free(back);
}

Test(packed, any_part_can_be_read) {
    char *plain = malloc(300000), *back = malloc(300000);
    for (size_t i = 0; i < LENGTHS && lengths[i] <= 300000; i++) {
        size_t n = lengths[i];
        struct buf out = {0};
        fill(plain, n, n < 200 ? 0 : 5);
        if (!pack((struct slice){plain, n}, &out)) continue;
        for (int k = 0; k < 200; k++) {
            size_t from = fixture_random(&dice) % (n + 1), most = n - from, part = k % 3 && most > 200 ? fixture_random(&dice) % 200 : most;
            memset(back, 0, part);
            packed_part(buf_slice(&out), from, part, back, packer_space(packer));
            cr_assert(!memcmp(back, plain + from, part), "%zu bytes from %zu of %zu", part, from, n);
        }
        buf_free(&out);
    }
    free(plain);
    free(back);
}

Test(packed, reading_goes_block_by_block) {
    struct buf out = {0};
    struct packed_at at;
    char *plain = malloc(200000), *back = malloc(200000);
    fill(plain, 200000, 5);
    cr_assert(pack((struct slice){plain, 200000}, &out));
    packed_open(&at, buf_slice(&out), 10);
    cr_assert_eq(packed_read(&at, back, 200000, packer_space(packer)), PACKED_BLOCK - 10);
    cr_assert_eq(packed_read(&at, back + PACKED_BLOCK - 10, 200000, packer_space(packer)), PACKED_BLOCK);
    cr_assert_eq(packed_read(&at, back + 2 * PACKED_BLOCK - 10, 5, packer_space(packer)), 5);
    cr_assert(!memcmp(back, plain + 10, 2 * PACKED_BLOCK - 5));
    packed_open(&at, buf_slice(&out), 200000);
    cr_assert_eq(packed_read(&at, back, 1, packer_space(packer)), 0);
    buf_free(&out);
    free(plain);
    free(back);
}

Test(packed, it_is_given_up_early_where_it_does_not_pay) {
    struct buf out = {0};
    struct packing g;
    char *plain = malloc(10 << 20);
    fill(plain, 10 << 20, 100);
    packing_begin(&g, (struct slice){plain, 10 << 20}, 1, &out);
    cr_assert_eq(packing_step(&g, packer), PACKED_NOT, "the first bytes say it");
    fill(plain, 65536, 0); /* one block that pays, and nothing more: */
    packing_begin(&g, (struct slice){plain, 10 << 20}, 1, &out);
    unsigned steps = 1;
    while (packing_step(&g, packer) == PACKED_MORE) steps++;
    cr_assert_leq(steps, 10);
    cr_assert_eq(out.n, 0);
    fill(plain, 2048, 100);
    memset(plain + 512, 'x', 1500); /* its beginning is noise */
    packing_begin(&g, (struct slice){plain, 2048}, 1, &out);
    g.doubtful = true;
    cr_assert_eq(packing_step(&g, packer), PACKED_NOT);
    packing_begin(&g, (struct slice){plain, 2048}, 1, &out);
    cr_assert_eq(packing_step(&g, packer), PACKED_DONE);
    buf_free(&out);
    free(plain);
}

/* Bytes from elsewhere: none of these may be read or written out of bounds (the sanitizers see), and what is sound can be read. */
Test(packed, what_is_damaged_is_found_or_can_be_read) {
    static const size_t some[] = {40, 3000, 70000};
    char *plain = malloc(70000), *back = malloc(300000);
    for (int i = 0; i < 3; i++) {
        struct buf out = {0};
        fill(plain, some[i], 2);
        if (i == 0) memset(plain, 'a', 40);
        cr_assert(pack((struct slice){plain, some[i]}, &out));
        for (size_t n = 0; n < out.n; n += n < 100 ? 1 : 97) {
            char *cut = malloc(n + 1);
            memcpy(cut, out.p, n);
            cr_assert_not(packed_sound((struct slice){cut, n}, packer_space(packer)), "cut off after %zu of %zu", n, out.n);
            free(cut);
        }
        for (size_t n = 0; n < out.n * 8; n += n < 800 ? 1 : 1013) {
            char *bent = malloc(out.n);
            struct slice stored = {bent, out.n};
            memcpy(bent, out.p, out.n);
            bent[n / 8] ^= (char)(1 << n % 8);
            if (packed_sound(stored, packer_space(packer)) && packed_length(stored) <= 300000)
                packed_part(stored, 0, packed_length(stored), back, packer_space(packer));
            free(bent);
        }
        buf_put(&out, "x", 1);
        cr_assert_not(packed_sound(buf_slice(&out), packer_space(packer)), "a byte too many");
        buf_free(&out);
    }
    free(plain);
    free(back);
}

/* -- as entries ------------------------------------------------------------------------------------------------------------ */

static struct fixture f;
static void open_store(void) {
    fixture_open(&f);
    open_packer();
}
static void close_store(void) {
    fixture_close(&f);
    close_packer();
}
TestSuite(packed_entries, .init = open_store, .fini = close_store);

static struct entry *set_packed(struct view *v, const struct key *k, size_t n, int64_t deadline) {
    struct buf out = {0};
    char *plain = malloc(n);
    fill(plain, n, 1);
    cr_assert(pack((struct slice){plain, n}, &out));
    struct entry *e = view_set(v, k, buf_slice(&out), deadline, FORM_LZ4);
    buf_free(&out);
    free(plain);
    return e;
}

static void totals(uint64_t values, uint64_t plain) {
    struct packed_totals t;
    packed_totals(&t);
    cr_assert_eq(t.values, values, "%llu values", (unsigned long long)t.values);
    cr_assert_eq(t.plain, plain, "%llu bytes", (unsigned long long)t.plain);
    cr_assert(t.stored <= plain - plain / 8 && (t.stored != 0) == (values != 0));
}

Test(packed_entries, they_are_counted_as_long_as_they_are_there) {
    char text[32];
    struct view v = fixture_view(&f, NOW);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    struct entry *e = set_packed(&v, &k, 3000, 0);
    cr_assert(entry_packed(e));
    cr_assert_eq(entry_length(e), 3000);
    cr_assert_lt(entry_size(e), 2700);
    cr_assert_str_eq(entry_encoding(e), "raw");
    totals(1, 3000);
    set_packed(&v, &k, 3001, 0); /* in the same block, or not */
    totals(1, 3001);
    e = view_set_deadline(&v, &k, view_peek(&v, &k), NOW + 5);
    cr_assert_eq(entry_deadline(e), NOW + 5);
    totals(1, 3001);
    struct key other = store_key(store_seed(f.store), SLICE("other"));
    view_copy(&v, view_peek(&v, &k), &v, &other);
    totals(2, 6002);
    struct key third = store_key(store_seed(f.store), SLICE("third"));
    view_rename(&v, &other, &v, &third);
    totals(2, 6002);
    view_set(&v, &k, SLICE("plain"), 0, FORM_AUTO);
    totals(1, 3001);
    view_delete(&v, &third);
    totals(0, 0);
    for (unsigned i = 0; i < 100; i++) {
        k = fixture_key(&f, text, sizeof text, i);
        set_packed(&v, &k, 100000, 0);
    }
    totals(100, 10000000);
    store_flush(f.store, -1, true);
    totals(0, 0);
}

Test(packed_entries, a_pinned_one_counts_until_it_is_let_go) {
    struct view v = fixture_view(&f, NOW);
    struct key k = store_key(store_seed(f.store), SLICE("k"));
    struct entry *e = set_packed(&v, &k, 200000, 0);
    cr_assert(entry_pin(e));
    view_delete(&v, &k);
    totals(1, 200000);
    entry_release(e);
    totals(0, 0);
}

Test(packed_entries, one_is_swapped_for_a_plain_one_with_its_deadline_and_its_use) {
    struct view v = fixture_view(&f, NOW);
    struct key k = store_key(store_seed(f.store), SLICE("k"));
    static const int64_t deadlines[] = {0, NOW + 1000, INT64_MAX};
    for (int was = 0; was < 3; was++)
        for (int is = 0; is < 3; is++)
            for (size_t n = 3000; n < 300000; n += 200000) {
                struct entry *e = set_packed(&v, &k, n, deadlines[was]);
                struct entry_spec spec = {.type = VALUE_STRING, .form = FORM_AUTO, .deadline = deadlines[was], .key = SLICE("k"), .valuelen = n};
                struct entry *made = entry_new(&spec);
                memset((char *)(uintptr_t)entry_value(made).p, 'p', n);
                e = view_set_deadline(&v, &k, e, deadlines[is]);
                entry_set_access(e, 12345);
                made = view_swap(&v, &k, e, made);
                cr_assert_eq(view_peek(&v, &k), made);
                cr_assert_eq(entry_deadline(made), deadlines[is]);
                cr_assert_eq(entry_access(made), 12345);
                cr_assert(entry_value(made).n == n && entry_value(made).p[n - 1] == 'p');
                totals(0, 0);
                cr_assert_eq(store_volatile(f.store, 0), deadlines[is] ? 1u : 0u);
            }
}
