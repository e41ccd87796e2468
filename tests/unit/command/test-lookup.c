#include "command/command.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

static void start(void) { command_start(); }
TestSuite(lookup, .init = start);

static const struct command *find(const char *text) { return command_find(slice_of(text)); }

Test(lookup, every_name_in_any_case) {
    unsigned tops = 0;
    for (unsigned i = 0; i < command_total(); i++) {
        const struct command *c = command_at(i);
        cr_assert_eq(command_number(c), i);
        if (command_container(c)) continue;
        char name[64];
        snprintf(name, sizeof name, "%s", c->name);
        cr_assert_eq(find(name), c, "%s", name);
        for (size_t k = 0; name[k]; k++) {
            name[k] = (char)tolower((unsigned char)name[k]);
            cr_assert_eq(find(name), c, "%s", name);
        }
        tops++;
    }
    cr_assert_geq(tops, 60);
}

/* A letter's other case is one bit away; the same bit of anything else makes another name. */
Test(lookup, one_bit_or_byte_off_is_another_name) {
    for (unsigned i = 0; i < command_total(); i++) {
        const struct command *c = command_at(i);
        if (command_container(c)) continue;
        char name[64];
        size_t n = (size_t)snprintf(name, sizeof name, "%s", c->name);
        for (size_t k = 0; k < n; k++)
            for (int bit = 0; bit < 8; bit++) {
                name[k] ^= (char)(1 << bit);
                const struct command *got = command_find((struct slice){name, n});
                cr_assert_eq(got == c, bit == 5 && isalpha((unsigned char)c->name[k]), "%s at %zu", c->name, k);
                name[k] ^= (char)(1 << bit);
            }
        cr_assert_neq(command_find((struct slice){name, n - 1}), c);
        name[n] = 'X';
        cr_assert_neq(command_find((struct slice){name, n + 1}), c);
    }
    cr_assert_null(command_find((struct slice){"", 0}));
    cr_assert_null(command_find((struct slice){NULL, 0}));
}

Test(lookup, subcommands) {
    const struct command *config = find("config");
    cr_assert_not_null(config);
    const struct command *get = command_find_sub(config, SLICE("gEt"));
    cr_assert_not_null(get);
    cr_assert_eq(command_container(get), config);
    cr_assert_null(command_find_sub(config, SLICE("ge")));
    cr_assert_null(command_find_sub(find("get"), SLICE("get")));
    char name[32];
    size_t n = command_fullname(get, name, sizeof name);
    cr_assert(slice_equal((struct slice){name, n}, SLICE("config|get")));
    n = command_fullname(get, name, 3);
    cr_assert(slice_equal((struct slice){name, n}, SLICE("con")));
    n = command_fullname(find("GET"), name, sizeof name);
    cr_assert(slice_equal((struct slice){name, n}, SLICE("get")));
}

Test(lookup, arity) {
    struct command exact = {.arity = 2}, least = {.arity = -2};
    cr_assert(command_arity_ok(&exact, 2));
    cr_assert_not(command_arity_ok(&exact, 1));
    cr_assert_not(command_arity_ok(&exact, 3));
    cr_assert(command_arity_ok(&least, 2));
    cr_assert(command_arity_ok(&least, 20));
    cr_assert_not(command_arity_ok(&least, 1));
}

/* Dispatch trusts it: there must be such an argument whenever the arity is right. */
Test(lookup, the_only_key) {
    cr_assert_eq(find("get")->only_key, 1);
    cr_assert_eq(find("set")->only_key, 1);
    cr_assert_eq(find("mget")->only_key, 0);
    cr_assert_eq(find("mset")->only_key, 0);
    cr_assert_eq(find("rename")->only_key, 0);
    cr_assert_eq(find("ping")->only_key, 0);
    cr_assert_eq(command_find_sub(find("object"), SLICE("encoding"))->only_key, 2);
    for (unsigned i = 0; i < command_total(); i++) {
        const struct command *c = command_at(i);
        if (!c->only_key) continue;
        int least = c->arity < 0 ? -c->arity : c->arity, at[4];
        cr_assert_lt(c->only_key, least, "%s", c->name);
        struct slice argv[16];
        for (int k = 0; k < least; k++) argv[k] = SLICE("1");
        cr_assert_eq(command_keys(c, argv, least, at, 4), 1, "%s", c->name);
        cr_assert_eq(at[0], c->only_key, "%s", c->name);
    }
}
