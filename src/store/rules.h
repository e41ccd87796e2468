/* rules: how the store keeps the rules of rule.h, for the files of this folder only.
 *
 * Invariant: under its shard's lock, every segment has been swept at least up to `over`. Thread rule: as rule.h.
 */
#ifndef LARDER_STORE_RULES_H
#define LARDER_STORE_RULES_H

#include "store/rule.h"
#include "store/sieve.h"
#include "store/walk.h"

#define STORE_PARTS 128
#define RULE_RING (RULE_RUNNING_MAX + 1)

/* See rule.h. Numbers wrap: compare differences. */
struct rule_part { /* belongs to the thread that steps it; the numbers are read by all */
    struct walk walk;
    _Atomic uint32_t pass, swept; /* up to which rule this pass sweeps, and the last one did */
    _Atomic unsigned percent;
} __attribute__((aligned(64)));

struct rules {
    struct lock lock;
    _Atomic uint32_t last, over;  /* rules over + 1 ... last are running */
    _Atomic unsigned parts;
    _Atomic uint64_t removed, forgotten; /* keys, since the start; how many at the last reset */
    struct rule *_Atomic slot[RULE_RING];
    struct sieve sieve; /* knows a rule before `last` says that it is there */
    struct rule_part part[STORE_PARTS];
};

/* Is the key under a rule, up to the number `last`, that its segment has not been swept for? `count`: it is about to go. The sieve tells
 * of most keys that they are not. */
bool rules_forbid(struct store *s, const struct segment *seg, uint32_t last, unsigned db, struct slice key, bool count);
/* Brings a segment up to date; it may shrink or merge. */
void rules_sweep(struct store *s, struct table *t, uint64_t place, uint32_t last, unsigned db);
void rules_swap(struct store *s, unsigned a, unsigned b); /* SWAPDB; all locks held */
void rules_free(struct store *s);

#endif
