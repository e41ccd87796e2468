/* A collection in its entry: as bytes, as an object, from one to the other, and gone; while somebody reads it, too. */
#include "fixture.h"
#include "store/holder.h"
#include "type/zset.h"

#include <stdio.h>

#define SHORT_US 51 /* the shortest slice: one look at the clock after the first piece */

static struct entry *open_at(struct holder *h, struct view *v, const struct key *k) {
    struct entry *e = view_peek(v, k);
    holder_open(h, v, k, e, VALUE_ZSET);
    return e;
}

static void add(struct view *v, const struct key *k, unsigned from, unsigned n) {
    struct holder h;
    char text[32];
    open_at(&h, v, k);
    for (unsigned i = from; i < from + n; i++) {
        size_t len = (size_t)snprintf(text, sizeof text, "member:%u", i);
        zset_put(&h.home, (struct slice){text, len}, i);
    }
    cr_assert(holder_close(&h));
}

static void take(struct view *v, const struct key *k, size_t n) {
    struct holder h;
    open_at(&h, v, k);
    zset_remove_ranks(&h.home, 0, n);
    holder_close(&h);
}

static size_t count_at(struct view *v, const struct key *k) {
    struct holder h;
    struct entry *e = view_peek(v, k);
    holder_look(&h, v->store, e, VALUE_ZSET);
    cr_assert_null(zset_check(&h.home));
    return zset_count(&h.home);
}

Test(holder, a_collection_lives_in_its_entry_until_it_is_large) {
    struct fixture f;
    char text[32];
    fixture_open(&f);
    struct view v = fixture_view(&f, 1000);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    cr_assert_eq(v.born, 0);
    add(&v, &k, 0, 1);
    cr_assert_eq(v.born, 1u << VALUE_ZSET);
    struct entry *e = view_peek(&v, &k);
    cr_assert_eq(entry_type(e), VALUE_ZSET);
    cr_assert_neq(entry_form(e), FORM_POINTER);
    cr_assert_str_eq(entry_encoding(e), "listpack");
    for (unsigned i = 1; i < 3000; i++) add(&v, &k, i, 1);
    e = view_peek(&v, &k);
    cr_assert_eq(entry_form(e), FORM_POINTER);
    cr_assert_str_eq(entry_encoding(e), "skiplist");
    cr_assert_eq(count_at(&v, &k), 3000);
    take(&v, &k, 2999);
    cr_assert_eq(count_at(&v, &k), 1);
    take(&v, &k, 1);
    cr_assert_null(view_peek(&v, &k), "an empty collection has no key");
    fixture_close(&f);
}

Test(holder, packed_bytes_shrink_with_what_they_hold) {
    struct fixture f;
    char text[32];
    fixture_open(&f);
    struct view v = fixture_view(&f, 1000);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    add(&v, &k, 0, 100);
    size_t before = entry_memory(view_peek(&v, &k));
    take(&v, &k, 95);
    cr_assert_lt(entry_memory(view_peek(&v, &k)), before / 4);
    cr_assert_eq(count_at(&v, &k), 5);
    fixture_close(&f);
}

Test(holder, the_deadline_stays_from_form_to_form) {
    struct fixture f;
    char text[32];
    fixture_open(&f);
    int64_t now = 1700000000000;
    struct view v = fixture_view(&f, now);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    add(&v, &k, 0, 2);
    view_set_deadline(&v, &k, view_peek(&v, &k), now + 5000);
    add(&v, &k, 2, 20);
    cr_assert_eq(entry_deadline(view_peek(&v, &k)), now + 5000);
    add(&v, &k, 22, 500);
    cr_assert_eq(entry_deadline(view_peek(&v, &k)), now + 5000);
    cr_assert_eq(store_volatile(f.store, 0), 1);
    v = fixture_view(&f, now + 5000);
    cr_assert_null(view_peek(&v, &k));
    cr_assert_eq(store_volatile(f.store, 0), 0);
    fixture_close(&f);
}

Test(holder, renamed_copied_and_replaced) {
    struct fixture f;
    char text[3][32];
    fixture_open(&f);
    struct view v = fixture_view(&f, 1000);
    struct key k[3];
    for (unsigned i = 0; i < 3; i++) k[i] = fixture_key(&f, text[i], sizeof text[i], i);
    for (unsigned n = 10; n <= 1000; n *= 100) {
        add(&v, &k[0], 0, n);
        view_copy(&v, view_peek(&v, &k[0]), &v, &k[1]);
        take(&v, &k[0], n - 1);
        cr_assert_eq(count_at(&v, &k[1]), n, "the copy is one of its own");
        view_rename(&v, &k[1], &v, &k[0]);
        cr_assert_eq(count_at(&v, &k[0]), n);
        cr_assert_null(view_peek(&v, &k[1]));
        view_set(&v, &k[0], SLICE("a string"), 0, FORM_AUTO);
        cr_assert_eq(entry_type(view_peek(&v, &k[0])), VALUE_STRING);
        add(&v, &k[2], 0, n);
        view_rename(&v, &k[2], &v, &k[0]);
        cr_assert_eq(count_at(&v, &k[0]), n);
        view_delete(&v, &k[0]);
    }
    fixture_close(&f);
}

Test(holder, an_object_outlives_its_key_while_it_is_read) {
    struct fixture f;
    char text[32];
    fixture_open(&f);
    struct view v = fixture_view(&f, 1000);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    add(&v, &k, 0, 5000);
    struct home held = entry_home(view_peek(&v, &k));
    value_hold(held.object);
    cr_assert(value_held(held.object));
    view_delete(&v, &k);
    cr_assert_eq(store_trash(f.store), 0, "not before the reader is done");
    cr_assert_eq(zset_count(&held), 5000);
    cr_assert_null(zset_check(&held));
    holder_release(f.store, VALUE_ZSET, held.object);
    cr_assert_eq(store_trash(f.store), 1);
    while (store_trash_step(f.store, STORE_SLICE_US)) {}
    cr_assert_eq(store_trash(f.store), 0);
    fixture_close(&f);
}

Test(holder, large_objects_are_freed_in_slices_and_give_their_memory_back) {
    struct fixture f;
    char text[32];
    fixture_open(&f);
    struct view v = fixture_view(&f, 1000);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    uint64_t before = mem_used(MEM_DATA);
    add(&v, &k, 0, 200000);
    uint64_t full = mem_used(MEM_DATA);
    cr_assert_gt(full - before, 200000 * 12);
    view_delete(&v, &k);
    cr_assert_gt(mem_used(MEM_DATA), before + (full - before) / 2, "deleting takes the key only");
    cr_assert(store_trash_step(f.store, SHORT_US), "there is more to free than a slice may take");
    while (store_trash_step(f.store, SHORT_US)) {}
    cr_assert_leq(mem_used(MEM_DATA), before + 4096);
    fixture_close(&f);
}

Test(holder, a_flushed_table_does_not_free_large_objects_in_one_go) {
    struct fixture f;
    char text[32];
    fixture_open(&f);
    struct view v = fixture_view(&f, 1000);
    struct key k = fixture_key(&f, text, sizeof text, 1);
    add(&v, &k, 0, 100000);
    cr_assert_eq(store_flush(f.store, 0, false), 1);
    cr_assert(store_trash_step(f.store, SHORT_US));
    cr_assert_gt(mem_used(MEM_DATA), 100000, "the table is gone, the object waits in its own right");
    while (store_trash_step(f.store, SHORT_US)) {}
    cr_assert_eq(store_trash(f.store), 0);
    fixture_close(&f);
}
