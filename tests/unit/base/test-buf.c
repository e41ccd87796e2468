#include "base/buf.h"

#include <criterion/criterion.h>

Test(buf, grows_and_keeps_its_bytes) {
    struct buf b;
    uint64_t before = mem_used(MEM_CLIENT);
    buf_init(&b, MEM_CLIENT);
    for (int i = 0; i < 10000; i++) buf_put(&b, &(char){(char)i}, 1);
    cr_assert(b.n == 10000 && b.cap >= b.n);
    for (int i = 0; i < 10000; i++) cr_assert(b.p[i] == (char)i);
    cr_assert(mem_used(MEM_CLIENT) > before);
    buf_drop(&b, 9990);
    cr_assert(b.n == 10 && b.p[0] == (char)9990);
    buf_shrink(&b);
    cr_assert(b.cap == 10 && b.p[9] == (char)9999);
    buf_drop(&b, 10);
    buf_shrink(&b);
    cr_assert(!b.p && !b.cap);
    buf_put(&b, "x", 1);
    buf_free(&b);
    cr_assert(mem_used(MEM_CLIENT) == before);
}

Test(buf, an_empty_one_takes_nothing_without_harm) {
    struct buf b = {0};
    buf_put(&b, NULL, 0);
    cr_assert(!b.p);
    buf_drop(&b, 0);
    cr_assert(buf_room(&b, 0) != NULL);
    cr_assert_str_eq(buf_cstr(&b), "");
    cr_assert(b.n == 0);
    buf_free(&b);
}

Test(buf, prints_of_any_length) {
    struct buf b = {0};
    buf_printf(&b, "%d-%s", 7, "seven");
    cr_assert_str_eq(buf_cstr(&b), "7-seven");
    for (int width = 0; width < 3000; width += 37) {
        b.n = 0;
        buf_printf(&b, "%*d!", width, 5);
        cr_assert(b.n == (size_t)(width > 1 ? width : 1) + 1);
        cr_assert(b.p[b.n - 1] == '!' && b.p[b.n - 2] == '5');
    }
    b.n = 0;
    buf_printf(&b, "%.63s", "0123456789012345678901234567890123456789012345678901234567890123456789");
    cr_assert(b.n == 63);
    buf_puts(&b, "tail");
    cr_assert(slice_equal((struct slice){b.p + 63, 4}, SLICE("tail")));
    buf_free(&b);
}

Test(slice, of_nothing) {
    cr_assert(slice_equal((struct slice){NULL, 0}, (struct slice){"", 0}));
    cr_assert(slice_is((struct slice){NULL, 0}, ""));
    cr_assert(slice_is(SLICE("GeT"), "get"));
    cr_assert(!slice_is(SLICE("gets"), "get"));
    cr_assert(!slice_equal(SLICE("a"), SLICE("b")));
}
