#include "base/match.h"

static inline unsigned char lower(char c) {
    unsigned char u = (unsigned char)c;
    return u - 'A' <= 'Z' - 'A' ? u + 32 : u;
}

static inline bool same(char a, char b, bool nocase) { return nocase ? lower(a) == lower(b) : a == b; }

/* Bounds of a range count as signed chars, and are put in order before their case is dropped: both as in
 * Redis. */
static bool in_range(char from, char to, char c, bool nocase) {
    signed char low = (signed char)from, high = (signed char)to, v = (signed char)c;
    if (low > high) {
        signed char swap = low;
        low = high;
        high = swap;
    }
    if (nocase) {
        low = (signed char)lower((char)low);
        high = (signed char)lower((char)high);
        v = (signed char)lower(c);
    }
    return v >= low && v <= high;
}

/* A class begins behind its '['. It ends at the first ']' that is not escaped and not the end of a range, or
 * where the pattern ends. Returns where the pattern goes on; `*hit` says whether c is in it. */
static size_t class_match(struct slice pattern, size_t at, char c, bool nocase, bool *hit) {
    const char *p = pattern.p;
    size_t n = pattern.n;
    bool negate = at < n && p[at] == '^', found = false;
    for (at += negate; at < n && p[at] != ']'; at++) {
        if (p[at] == '\\' && n - at >= 2) {
            at++;
            if (p[at] == c) found = true;
        } else if (n - at >= 3 && p[at + 1] == '-') {
            if (in_range(p[at], p[at + 2], c, nocase)) found = true;
            at += 2;
        } else if (same(p[at], c, nocase)) {
            found = true;
        }
    }
    *hit = found != negate;
    return at < n ? at + 1 : n;
}

/* Does the element at pattern[at], which is no star, take c? Moves `*at` behind it. Every element takes one
 * character. */
static bool element_match(struct slice pattern, size_t *at, char c, bool nocase) {
    size_t i = *at;
    bool hit = true;
    switch (pattern.p[i]) {
    case '?':
        *at = i + 1;
        return true;
    case '[':
        *at = class_match(pattern, i + 1, c, nocase, &hit);
        return hit;
    case '\\':
        if (i + 1 < pattern.n) i++;
        break;
    default:
        break;
    }
    *at = i + 1;
    return same(pattern.p[i], c, nocase);
}

static bool literal(char c) { return c != '?' && c != '[' && c != '\\'; }

/* Only the last star ever has to give way: what an earlier one could gain by taking more, the last can take
 * as well. */
static bool glob(struct slice pattern, struct slice text, bool nocase) {
    size_t p = 0, s = 0, star_p = 0, star_s = 0;
    if (!text.n) return !pattern.n; /* a star does not match nothing at all: Redis's way */
    for (bool star = false;;) {
        if (p < pattern.n && pattern.p[p] == '*') {
            while (p < pattern.n && pattern.p[p] == '*') p++;
            if (p == pattern.n) return true;
            star = true;
            star_p = p;
            star_s = s;
        }
        if (p < pattern.n && element_match(pattern, &p, text.p[s], nocase)) {
            if (++s < text.n) continue;
            while (p < pattern.n && pattern.p[p] == '*') p++;
            return p == pattern.n; /* a later start would leave even less text for what is left */
        }
        if (!star || ++star_s >= text.n) return false;
        if (!nocase && literal(pattern.p[star_p])) {
            const char *next = memchr(text.p + star_s, pattern.p[star_p], text.n - star_s);
            if (!next) return false;
            star_s = (size_t)(next - text.p);
        }
        p = star_p;
        s = star_s;
    }
}

bool match_glob(struct slice pattern, struct slice text) { return glob(pattern, text, false); }
bool match_glob_nocase(struct slice pattern, struct slice text) { return glob(pattern, text, true); }

bool match_may_begin(struct slice pattern, struct slice beginning) {
    size_t n = 0;
    while (n < pattern.n && !memchr("*?[\\", pattern.p[n], 4)) n++;
    if (n < beginning.n && n == pattern.n) return false;
    if (n > beginning.n) n = beginning.n;
    return !n || !memcmp(pattern.p, beginning.p, n);
}

enum match_element match_element(struct slice pattern, size_t *at, uint8_t *c) {
    bool hit;
    char is = pattern.p[(*at)++];
    switch (is) {
    case '*':
        return MATCH_ANY;
    case '?':
        return MATCH_ONE_OF;
    case '[':
        *at = class_match(pattern, *at, 0, false, &hit);
        return MATCH_ONE_OF;
    case '\\':
        if (*at < pattern.n) is = pattern.p[(*at)++];
        break;
    default:
        break;
    }
    *c = (uint8_t)is;
    return MATCH_LITERAL;
}
