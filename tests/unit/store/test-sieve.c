/* The sieve against matching each pattern: what it lets pass falls under none of them. */
#include "fixture.h"

#include "base/match.h"
#include "store/sieve.h"

enum { ROUNDS = 3000, KEYS = 60, RULES = 24 };

static struct sieve *sieve_new(void) {
    struct sieve *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    memset(s, 0, sizeof *s);
    sieve_init(s);
    return s;
}

struct drawing {
    uint64_t random;
};

static uint32_t draw(struct drawing *d, uint32_t n) {
    d->random = d->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(d->random >> 33) % n;
}

/* Few letters, so that much matches; and zeros, and what is special in patterns. */
static char letter(struct drawing *d) { return "aabb:7\0x]-^\\*?["[draw(d, draw(d, 4) ? 6 : 15)]; }

static size_t draw_literal(struct drawing *d, char *p, size_t most) {
    size_t n = draw(d, (uint32_t)most + 1);
    for (size_t i = 0; i < n; i++) p[i] = letter(d);
    return n;
}

static struct slice draw_pattern(struct drawing *d, char text[128]) {
    static const char *const pieces[] = {"*", "*", "*", "?", "[ab]", "[^7]", "[a-c]", "\\*", "\\a", "[", "[]", "[\\]b]", "\\"};
    size_t n = 0;
    for (uint32_t i = 0, parts = draw(d, 6); i < parts; i++) {
        if (draw(d, 2)) {
            n += draw_literal(d, text + n, draw(d, 3) ? 3 : 15);
            continue;
        }
        struct slice piece = slice_of(pieces[draw(d, sizeof pieces / sizeof *pieces)]);
        memcpy(text + n, piece.p, piece.n);
        n += piece.n;
    }
    return (struct slice){text, n};
}

/* Now and then one that the pattern is likely to match. */
static struct slice draw_key(struct drawing *d, struct slice pattern, char text[256]) {
    size_t n = 0, at = 0;
    if (draw(d, 2)) return (struct slice){text, draw_literal(d, text, draw(d, 3) ? 20 : 60)};
    while (at < pattern.n) {
        uint8_t c;
        switch (match_element(pattern, &at, &c)) {
        case MATCH_LITERAL: text[n++] = (char)c; break;
        case MATCH_ONE_OF: text[n++] = letter(d); break;
        case MATCH_ANY: n += draw_literal(d, text + n, draw(d, 3) ? 4 : 20);
        }
    }
    return (struct slice){text, n};
}

/* At the very end of its memory, and at an odd place: nothing may be read beyond it. */
static struct slice lay(char *memory, struct slice key) {
    char *p = memory + 256 - key.n;
    if (key.n) memcpy(p, key.p, key.n);
    return (struct slice){p, key.n};
}

static void play(bool avx2) {
    struct sieve *s = sieve_new();
    s->avx2 &= avx2;
    struct drawing d = {7};
    static char text[RULES][128], key_text[256];
    struct slice pattern[RULES];
    enum sieve_kind kind[RULES];
    char *memory = malloc(256);
    uint64_t passed = 0, matched = 0, from = 0, to = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (to - from == RULES || (to != from && draw(&d, 2))) {
            sieve_drop(s, kind[from++ % RULES]);
        } else {
            pattern[to % RULES] = draw_pattern(&d, text[to % RULES]);
            kind[to % RULES] = sieve_add(s, pattern[to % RULES]);
            to++;
        }
        if (to == from) cr_assert_eq(s->kinds, 0);
        for (unsigned i = 0; i < KEYS && to != from; i++) {
            struct slice key = lay(memory, draw_key(&d, pattern[(from + draw(&d, (uint32_t)(to - from))) % RULES], key_text));
            bool suspect = sieve_suspects(s, key), falls = false;
            for (uint64_t r = from; r < to; r++) falls |= match_glob(pattern[r % RULES], key);
            cr_assert(suspect || !falls, "round %u: '%.*s' passes", round, (int)key.n, key.p);
            passed += !suspect;
            matched += falls;
        }
    }
    cr_assert_gt(passed, 1000);
    cr_assert_gt(matched, 1000);
    free(memory);
    free(s);
}

Test(sieve, lets_nothing_pass_that_a_rule_matches) {
    play(true);
    play(false);
}

static bool suspects_alone(const char *pattern, const char *key) {
    struct sieve *s = sieve_new();
    sieve_add(s, slice_of(pattern));
    bool suspects = sieve_suspects(s, slice_of(key));
    free(s);
    return suspects;
}

Test(sieve, tells_by_whichever_piece_there_is) {
    static const char *const row[][3] = { /* pattern, falls under it, need not be matched */
        {"user:*", "user:1", "item:1"}, {"session:user:7:*", "session:user:7:x", "session:user:8:x"},
        {"*:html", "a:html", "a:json"}, {"*x7", "7:x7", "x7:x"}, {"*:7:*", "user:7:x", "user:17:77"}, {"key:*:7:*", "key:1:7:2", "key:000000000071"},
        {"*7*", "key:000700000000000000", "key:000600000000000000"}, {"*ab*", "0123456789012345678ab", "0123456789012345678ba"},
        {"user:*:profile", "user:7:profile", "user:7:settings"}, {"?:7", "a:7", "a:8"}, {"[ab]\\*c*", "a*cd", "a-cd"},
        {"*[0-9]:x", "5:x", "5:y"}, {"whole", "whole", "while"}, {"12", "12", "1"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        cr_assert(match_glob(slice_of(row[i][0]), slice_of(row[i][1])));
        cr_assert(suspects_alone(row[i][0], row[i][1]), "%s", row[i][0]);
        cr_assert_not(suspects_alone(row[i][0], row[i][2]), "%s", row[i][0]);
    }
    cr_assert(suspects_alone("*", "anything") && suspects_alone("??", "ab"));
}

/* Of each kind more than its list takes, all of which end again, many times over. */
Test(sieve, has_room_for_any_number) {
    static const char *const pattern[] = {"a7*", "*a7", "*7*", "*a:*", "*a:7*", "longer than three 7*", "*"};
    static const char *const key[] = {"a7z", "zza7", "zz7zz", "zza:zz", "zza:7zz", "longer than three 7", "zz"};
    struct sieve *s = sieve_new();
    for (unsigned round = 0; round < 5; round++)
        for (unsigned i = 0; i < 7; i++) {
            enum sieve_kind kind[600];
            unsigned others = 0;
            for (unsigned r = 0; r < 600; r++) {
                kind[r] = sieve_add(s, slice_of(pattern[i]));
                others += kind[r] == SIEVE_ALL;
                cr_assert(sieve_suspects(s, slice_of(key[i])), "%s", pattern[i]);
            }
            cr_assert_eq(others, i < 2 ? 600 - SIEVE_WORD_RING / 2 : i < 6 ? 600 - SIEVE_GRAM_RING / 2 : 600);
            for (unsigned r = 0; r < 600; r++) {
                cr_assert(sieve_suspects(s, slice_of(key[i])), "%s", pattern[i]);
                sieve_drop(s, kind[r]);
            }
            cr_assert_eq(s->kinds, 0);
            cr_assert_not(sieve_suspects(s, slice_of(key[i])));
        }
    free(s);
}
