#include "command/command.h"

#include <criterion/criterion.h>
#include <stdio.h>

static int at[16];
static unsigned flags[16];

static int keys(const struct command *c, int argc, const char *const *words) {
    struct slice argv[16];
    for (int i = 0; i < argc; i++) argv[i] = slice_of(words[i]);
    return command_keys_flags(c, argv, argc, at, flags, 16);
}
#define KEYS(c, ...) keys((c), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]){__VA_ARGS__})

Test(keys, one) {
    struct command c = {.keys = {{KEYS_RANGE, 1, 0, 1, K_RO | K_ACCESS}}};
    cr_assert_eq(KEYS(&c, "get", "a"), 1);
    cr_assert_eq(at[0], 1);
    cr_assert_eq(flags[0], K_RO | K_ACCESS);
}

Test(keys, none) {
    struct command c = {0};
    cr_assert_eq(KEYS(&c, "ping", "a"), 0);
}

Test(keys, to_the_end) {
    struct command c = {.keys = {{KEYS_RANGE, 1, -1, 1, K_RO}}};
    cr_assert_eq(KEYS(&c, "mget", "a", "b", "c"), 3);
    cr_assert_eq(at[2], 3);
}

Test(keys, every_second) {
    struct command c = {.keys = {{KEYS_RANGE, 1, -1, 2, K_OW}}};
    cr_assert_eq(KEYS(&c, "mset", "a", "1", "b", "2"), 2);
    cr_assert_eq(at[0], 1);
    cr_assert_eq(at[1], 3);
}

Test(keys, up_to_the_last_but_one) {
    struct command c = {.keys = {{KEYS_RANGE, 1, -2, 1, K_RW}}};
    cr_assert_eq(KEYS(&c, "blpop", "a", "b", "0"), 2);
    cr_assert_eq(at[1], 2);
    cr_assert_eq(KEYS(&c, "blpop", "0"), 0);
}

Test(keys, two_at_fixed_places) {
    struct command c = {.keys = {{KEYS_RANGE, 1, 0, 1, K_RO}, {KEYS_RANGE, 2, 0, 1, K_OW}}};
    cr_assert_eq(KEYS(&c, "copy", "a", "b"), 2);
    cr_assert_eq(at[1], 2);
    cr_assert_eq(flags[1], K_OW);
    cr_assert_eq(KEYS(&c, "copy", "a"), -1, "the second is missing");
}

Test(keys, counted) {
    struct command c = {.flags = C_NO_MANDATORY_KEYS, .keys = {{KEYS_NUMKEYS, 2, 0, 1, K_RW}}};
    cr_assert_eq(KEYS(&c, "eval", "text", "2", "a", "b", "c"), 2);
    cr_assert_eq(at[0], 3);
    cr_assert_eq(at[1], 4);
    cr_assert_eq(KEYS(&c, "eval", "text", "0"), 0);
    cr_assert_eq(KEYS(&c, "eval", "text", "1"), -1);
    cr_assert_eq(KEYS(&c, "eval", "text", "-1", "a"), -1);
    cr_assert_eq(KEYS(&c, "eval", "text", "x", "a"), -1);
    cr_assert_eq(KEYS(&c, "eval", "text", "9223372036854775807", "a"), -1);
    cr_assert_eq(KEYS(&c, "eval", "text"), -1);
    c.flags = 0;
    cr_assert_eq(KEYS(&c, "zdiff", "any", "0"), -1, "where there must be keys, none are a mistake");
}

Test(keys, not_a_key) {
    struct command c = {.keys = {{KEYS_RANGE, 1, -1, 1, K_NOT_KEY}}};
    cr_assert_eq(KEYS(&c, "spublish", "a"), 0);
}

Test(keys, behind_keywords) {
    struct command c = {.keys = {{KEYS_RANGE, 1, 0, 1, K_RO}, {KEYS_KEYWORD, 3, 0, 1, K_OW}, {KEYS_KEYWORD, 3, 0, 1, K_RW}},
        .keywords = {NULL, "STORE", "STOREDIST"}};
    cr_assert_eq(KEYS(&c, "find", "STORE", "STORE"), 1, "too early, and too late to have one behind it");
    cr_assert_eq(KEYS(&c, "find", "a", "x", "storedist", "b", "STORE", "c", "store"), 3);
    cr_assert_eq(at[1], 6);
    cr_assert_eq(flags[1], K_OW);
    cr_assert_eq(at[2], 4);
    cr_assert_eq(flags[2], K_RW);
    cr_assert_eq(KEYS(&c, "find", "a", "x", "STORE", "b", "STORE", "c"), 3, "whichever of them is used");
    cr_assert_eq(at[1], 4);
    cr_assert_eq(at[2], 6);
}

static int after_store(const struct slice *argv, int argc, int *to, int max) {
    int n = 0;
    if (n < max) to[n] = 1;
    n++;
    for (int i = 2; i + 1 < argc; i++)
        if (slice_is(argv[i], "store") && n < max) to[n++] = i + 1;
    return n;
}

Test(keys, by_a_function_of_its_own) {
    struct command c = {.keys = {{KEYS_RANGE, 1, 0, 1, K_RW}}, .find_keys = after_store};
    cr_assert_eq(KEYS(&c, "sort", "a", "STORE", "b"), 2);
    cr_assert_eq(at[1], 3);
    cr_assert_eq(flags[1], K_RW);
}

Test(keys, no_more_than_there_is_room_for) {
    struct command c = {.keys = {{KEYS_RANGE, 1, -1, 1, K_RO}}};
    struct slice argv[4] = {SLICE("mget"), SLICE("a"), SLICE("b"), SLICE("c")};
    int two[2] = {0, 0};
    cr_assert_eq(command_keys(&c, argv, 4, two, 2), 2);
    cr_assert_eq(two[1], 2);
}
