#include "store/entry.h"

#include "base/mem.h"
#include "store/slab.h"

#include <criterion/criterion.h>

static struct entry *make(const char *key, size_t keylen, size_t valuelen, int64_t deadline) {
    struct entry_spec spec = {.type = VALUE_STRING, .form = FORM_AUTO, .access = 77, .deadline = deadline, .key = {key, keylen}, .valuelen = valuelen};
    struct entry *e = entry_new(&spec);
    memset((char *)entry_value(e).p, 'v', valuelen);
    return e;
}

Test(entry, header_of_a_small_one_takes_seven_bytes_and_five_for_a_deadline) {
    struct entry_spec spec = {.key = SLICE("0123456789abcdef"), .valuelen = 20};
    cr_assert_eq(entry_need(&spec), 7 + 36);
    spec.deadline = 1700000000000;
    cr_assert_eq(entry_need(&spec), 12 + 36);
    spec.valuelen = 128;
    cr_assert_eq(entry_need(&spec), 13 + 16 + 128);
}

Test(entry, every_part_reads_back_at_every_length) {
    static char key[70000];
    memset(key, 'k', sizeof key);
    const size_t lengths[] = {0, 1, 127, 128, 4000, 4079, 4080, 4081, 4092, 4093, 16383, 16384, 65536};
    const int64_t deadlines[] = {0, 1, 1700000000000, ENTRY_EPOCH, ENTRY_EPOCH + ((int64_t)1 << 40) - 1, ENTRY_EPOCH + ((int64_t)1 << 40), INT64_MAX, -5};
    for (size_t a = 0; a < 13; a++)
        for (size_t b = 0; b < 13; b++)
            for (size_t d = 0; d < 8; d++) {
                struct entry *e = make(key, lengths[a], lengths[b], deadlines[d]);
                cr_assert_eq(entry_key(e).n, lengths[a]);
                cr_assert_eq(entry_value(e).n, lengths[b]);
                cr_assert_eq(entry_deadline(e), deadlines[d]);
                cr_assert_eq(entry_access(e), 77);
                cr_assert(!memcmp(entry_key(e).p, key, lengths[a]));
                if (lengths[b]) cr_assert_eq(entry_value(e).p[lengths[b] - 1], 'v');
                cr_assert_geq(entry_memory(e), entry_size(e));
                entry_free(e);
            }
}

Test(entry, rewriting_keeps_key_and_value_while_lengths_and_deadline_change) {
    struct entry *e = make("key", 3, 100, 0);
    struct entry_spec spec = entry_spec_of(e);
    spec.valuelen = 90;
    spec.deadline = 1700000000000;
    cr_assert(entry_can_rewrite(e, &spec, true));
    entry_rewrite(e, &spec, 90);
    cr_assert(slice_equal(entry_key(e), SLICE("key")));
    cr_assert_eq(entry_value(e).n, 90);
    for (int i = 0; i < 90; i++) cr_assert_eq(entry_value(e).p[i], 'v');
    cr_assert_eq(entry_deadline(e), 1700000000000);
    spec.valuelen = 5000;
    cr_assert_not(entry_can_rewrite(e, &spec, true));
    spec.valuelen = 10;
    cr_assert_not(entry_can_rewrite(e, &spec, false), "a much smaller value wants a smaller block");
    entry_free(e);
}

Test(entry, a_value_lives_until_the_last_reply_that_refers_to_it) {
    uint64_t before = mem_used(MEM_DATA);
    struct entry *e = make("key", 3, 100000, 0), *small = make("key", 3, 10, 0);
    cr_assert_not(entry_pin(small));
    cr_assert(entry_pin(e));
    cr_assert(entry_pin(e));
    cr_assert(entry_pinned(e));
    struct entry_spec spec = entry_spec_of(e);
    cr_assert_not(entry_can_rewrite(e, &spec, true));
    const char *bytes = entry_value(e).p;
    entry_free(e);
    cr_assert_eq(bytes[99999], 'v');
    entry_release(e);
    cr_assert_eq(bytes[0], 'v');
    entry_release(e);
    entry_free(small);
    cr_assert_eq(mem_used(MEM_DATA), before);
}

Test(entry, the_deadline_of_a_large_one_is_set_where_it_is_whoever_refers_to_it) {
    struct entry *e = make("k", 1, 100000, 0), *small = make("k", 1, 100, 0);
    cr_assert(entry_pin(e));
    cr_assert(entry_set_deadline(e, 1700000000123));
    cr_assert_eq(entry_deadline(e), 1700000000123);
    cr_assert(entry_set_deadline(e, 0));
    cr_assert_eq(entry_deadline(e), 0);
    cr_assert(entry_pinned(e));
    cr_assert_eq(entry_value(e).n, 100000);
    cr_assert_eq(entry_value(e).p[0], 'v');
    cr_assert_not(entry_set_deadline(small, 1700000000123));
    cr_assert_eq(entry_deadline(small), 0);
    entry_release(e);
    entry_free(e);
    entry_free(small);
}

Test(entry, encodings_are_called_as_redis_calls_them) {
    const struct {
        const char *value;
        enum entry_form form;
        const char *encoding;
    } t[] = {{"12", FORM_AUTO, "int"}, {"-9223372036854775808", FORM_AUTO, "int"}, {"9223372036854775808", FORM_AUTO, "embstr"},
        {"012", FORM_AUTO, "embstr"}, {"", FORM_AUTO, "embstr"}, {"12", FORM_TEXT, "embstr"}, {"12", FORM_RAW, "raw"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", FORM_AUTO, "embstr"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", FORM_AUTO, "raw"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct entry_spec spec = {.form = t[i].form, .key = SLICE("k"), .valuelen = strlen(t[i].value)};
        struct entry *e = entry_new(&spec);
        memcpy((char *)entry_value(e).p, t[i].value, spec.valuelen);
        cr_assert_str_eq(entry_encoding(e), t[i].encoding, "%s", t[i].value);
        entry_free(e);
    }
}
