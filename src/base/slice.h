/* slice: bytes that somebody else owns.
 *
 * Invariant: p[0..n) is readable for as long as the owner says; no NUL is promised. Thread rule: a value, copied freely.
 */
#ifndef LARDER_BASE_SLICE_H
#define LARDER_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const char *text) { return (struct slice){text, strlen(text)}; }

static inline bool slice_equal(struct slice a, struct slice b) { return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n)); }

/* Same letters in any case. `word` is NUL-terminated. */
static inline bool slice_is(struct slice a, const char *word) {
    size_t n = strlen(word);
    return a.n == n && (!n || !strncasecmp(a.p, word, n));
}

#endif
