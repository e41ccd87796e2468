/* sieve: tells in a few instructions for each running rule that a key falls under none of them.
 *
 * Of each pattern one piece of literal text is chosen that every key under it must have: three bytes, wherever they are, which are
 * compared with sixteen places of a key at once; or fewer, in patterns that have no three in a row. Of several the one is taken that
 * tells most: one with a digit (an id), one that is not of the beginning that a whole family of keys shares. The pieces are in lists by
 * kind, so that a key is compared with all of a kind in one short loop. (What keys begin with could be compared more cheaply than
 * three bytes anywhere; but going through one list more costs more than that saves.)
 *
 * Invariant: true for every key that a rule of the sieve matches. Rules go in the order in which they came. What there is no room or
 * no text for counts as ALL: then every key may be one.
 * Thread rule: adding and dropping under one lock; asking is lock-free, by who cannot miss a rule: it saw the rule's number, which
 * is published behind the adding, and holds what keeps the rule from ending (see rule.h). A ring has
 * room for twice what may run, so that nothing is written where such a one may read.
 */
#ifndef LARDER_STORE_SIEVE_H
#define LARDER_STORE_SIEVE_H

#include "base/slice.h"

#include <stdatomic.h>

#define SIEVE_WORD_RING 512
#define SIEVE_GRAM_RING 128

enum sieve_kind {
    SIEVE_HEAD,  /* a beginning of one or two bytes */
    SIEVE_TAIL,  /* such an end */
    SIEVE_WORDS, /* those were words, these are grams: */
    SIEVE_ONE = SIEVE_WORDS,
    SIEVE_TWO,
    SIEVE_THREE,
    SIEVE_LISTS,
    SIEVE_ALL = SIEVE_LISTS
};

struct sieve_word {
    uint64_t bytes, mask;
};

typedef uint16_t sieve_gram __attribute__((vector_size(32))); /* what one of sixteen places of a key must have, for each of them */

struct sieve {
    _Atomic uint32_t kinds; /* a bit for each that there are rules of */
    bool avx2;              /* does the processor have it? */
    uint32_t others;        /* rules that count as ALL */
    _Atomic uint64_t list[SIEVE_LISTS]; /* where it begins, bytes into its array; and (upper half) how many there are */
    /* Everything stands there twice, a ring apart, so that no list has a seam. */
    struct sieve_word word[SIEVE_WORDS][2 * SIEVE_WORD_RING];
    sieve_gram gram[SIEVE_LISTS - SIEVE_WORDS][2 * SIEVE_GRAM_RING];
};

void sieve_init(struct sieve *s); /* of zeros */
enum sieve_kind sieve_add(struct sieve *s, struct slice pattern); /* what to drop it as */
void sieve_drop(struct sieve *s, enum sieve_kind kind);           /* the oldest of its kind */
bool sieve_suspects(const struct sieve *s, struct slice key);     /* may the key fall under a rule? */

#endif
