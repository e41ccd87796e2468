#include "base/clock.h"
#include "base/match.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>

static bool glob(const char *pattern, const char *text) {
    return match_glob(slice_of(pattern), slice_of(text));
}

/* What redis-server 7.0 answers to KEYS pattern with the text as the only key. */
Test(match, answers_of_redis) {
    static const struct {
        const char *pattern, *text;
        bool hit;
    } cases[] = {{"abc", "abc", true}, {"abc", "abd", false}, {"abc", "ab", false}, {"ab", "abc", false},
        {"*", "a", true}, {"**", "a", true}, {"a*", "a", true}, {"a**", "a", true}, {"*a", "a", true},
        {"a?c", "abc", true}, {"a?", "a", false}, {"?", "ab", false}, {"*b*", "abc", true},
        {"*d*", "abc", false}, {"[abc]", "b", true}, {"[^abc]", "b", false}, {"[^abc]", "d", true},
        {"[a-c]", "b", true}, {"[c-a]", "b", true}, {"[a-c]", "d", false}, {"[a-]", "a", true},
        {"[a-]", "]", true}, {"[a-]x", "b", false}, {"[abc", "c", true}, {"[abc", "d", false},
        {"[", "a", false}, {"[", "[", false}, {"[^", "a", true}, {"[]", "a", false}, {"[]a]", "a]", false},
        {"[^]", "a", true}, {"[\\]]", "]", true}, {"[\\a]", "a", true}, {"[\\", "\\", true},
        {"[a\\", "\\", true}, {"\\*", "*", true}, {"\\*", "a", false}, {"\\", "\\", true},
        {"a\\", "a\\", true}, {"\\a", "a", true}, {"\\\\", "\\", true}, {"[a-c", "b", true},
        {"[a-", "-", true}, {"h[a-b]llo", "hallo", true}, {"*[", "a", false}, {"*[^", "ab", true},
        {"a*b*c", "aXbYc", true}, {"a*b*c", "aXcYb", false}, {"", "a", false}, {"", "", true},
        {"*", "", false}, {"[a-z]*", "q1", true}, {"*?", "a", true}, {"*??", "a", false},
        {"?*?", "ab", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect(glob(cases[i].pattern, cases[i].text) == cases[i].hit, "%s on %s", cases[i].pattern,
            cases[i].text);
}

Test(match, case_is_dropped_where_asked) {
    cr_assert(match_glob_nocase(SLICE("MaxMem*"), SLICE("maxmemory")));
    cr_assert(match_glob_nocase(SLICE("[A-C]"), SLICE("b")));
    cr_assert(match_glob_nocase(SLICE("[x]"), SLICE("X")));
    cr_assert(!match_glob_nocase(SLICE("[\\x]"), SLICE("X")), "an escape in a class is exact");
    cr_assert(!match_glob(SLICE("A"), SLICE("a")));
    cr_assert(match_glob_nocase(SLICE("*MEM*"), SLICE("maxmemory")));
}

Test(match, bytes_are_bytes) {
    cr_assert(match_glob((struct slice){"a\0b", 3}, (struct slice){"a\0b", 3}));
    cr_assert(!match_glob((struct slice){"a\0b", 3}, (struct slice){"a\0c", 3}));
    cr_assert(match_glob(SLICE("[\x80-\xff]"), SLICE("\x90")));
    cr_assert(match_glob(SLICE("[\xff-\x01]"), (struct slice){"\0", 1}), "ranges run over signed characters");
    cr_assert(!match_glob(SLICE("[a-\xff]"), SLICE("\x7f")), "so this one runs from -1 to 'a'");
}

/* A twin that tries everything: elements first, then plain recursion. */
struct element {
    enum { STAR, ANY, SET } kind;
    bool set[256];
};

static size_t parse(const char *p, size_t n, struct element *e) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++, count++) {
        struct element *x = &e[count];
        memset(x, 0, sizeof *x);
        if (p[i] == '*') {
            x->kind = STAR;
        } else if (p[i] == '?') {
            x->kind = ANY;
        } else if (p[i] != '[') {
            if (p[i] == '\\' && i + 1 < n) i++;
            x->kind = SET;
            x->set[(unsigned char)p[i]] = true;
        } else {
            x->kind = SET;
            i++;
            bool negate = i < n && p[i] == '^';
            if (negate) i++;
            while (i < n && p[i] != ']') {
                if (p[i] == '\\' && i + 1 < n) {
                    x->set[(unsigned char)p[i + 1]] = true;
                    i += 2;
                } else if (i + 2 < n && p[i + 1] == '-') {
                    int a = (signed char)p[i], b = (signed char)p[i + 2];
                    for (int c = a < b ? a : b; c <= (a < b ? b : a); c++) x->set[(unsigned char)c] = true;
                    i += 3;
                } else {
                    x->set[(unsigned char)p[i++]] = true;
                }
            }
            if (negate)
                for (int c = 0; c < 256; c++) x->set[c] = !x->set[c];
        }
    }
    return count;
}

static bool twin(const struct element *e, size_t n, const char *t, size_t m) {
    if (!n) return !m;
    if (e->kind == STAR) return twin(e + 1, n - 1, t, m) || (m && twin(e, n, t + 1, m - 1));
    return m && (e->kind == ANY || e->set[(unsigned char)*t]) && twin(e + 1, n - 1, t + 1, m - 1);
}

Test(match, random_patterns_against_a_naive_twin) {
    static const char letters[] = "aab-]c[^*?\\*";
    struct element e[16];
    srand(3);
    size_t hits = 0;
    for (int i = 0; i < 400000; i++) {
        char pattern[12], text[10];
        size_t n = (size_t)(rand() % 12), m = 1 + (size_t)(rand() % 9);
        for (size_t k = 0; k < n; k++) pattern[k] = letters[rand() % 12];
        for (size_t k = 0; k < m; k++) text[k] = letters[rand() % 8];
        bool expected = twin(e, parse(pattern, n, e), text, m);
        hits += expected;
        cr_assert(match_glob((struct slice){pattern, n}, (struct slice){text, m}) == expected, "%.*s on %.*s",
            (int)n, pattern, (int)m, text);
    }
    cr_assert(hits > 1000 && hits < 399000);
}

Test(match, many_stars_are_answered_quickly) {
    char pattern[2048], text[8192];
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i % 2 ? 'a' : '*';
    pattern[sizeof pattern - 1] = 'b';
    memset(text, 'a', sizeof text);
    int64_t before = clock_cpu_us();
    cr_assert(!match_glob((struct slice){pattern, sizeof pattern}, (struct slice){text, sizeof text}));
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i % 3 ? '?' : '*';
    pattern[sizeof pattern - 1] = 'b';
    cr_assert(!match_glob((struct slice){pattern, sizeof pattern}, (struct slice){text, sizeof text}));
    cr_assert(clock_cpu_us() - before < 1000000);
}

/* Patterns of many stars are over as soon as others: this would not be, if each star had to give way to each other. */
Test(match, many_stars_take_no_longer) {
    char pattern[202], text[20000];
    for (size_t i = 0; i < 200; i++) pattern[i] = i % 2 ? '*' : 'a';
    memcpy(pattern + 200, "?b", 2);
    memset(text, 'a', sizeof text);
    cr_assert_not(match_glob((struct slice){pattern, 202}, (struct slice){text, sizeof text}));
    text[sizeof text - 1] = 'b';
    cr_assert(match_glob((struct slice){pattern, 202}, (struct slice){text, sizeof text}));
}
