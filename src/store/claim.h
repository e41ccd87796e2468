/* claim: what a huge value must have earned before it drives out many small ones.
 *
 * Under the policy that weighs sizes a value of more than an eighth of maxmemory gets what is free and drives
 * nobody out. But it may be asked for so often that it is worth the room: so who was refused is remembered
 * here, with how often it was looked for since, in uses of the cache. When these are clearly more than the
 * hits that would be lost with the worst entries of its size (duel_loss), it is let in. Inside, its uses are
 * counted further, and it stays as long as they are about as many as what is lost: by its own figures, not by
 * those of the class that it would share with all large ones. If what it gained is less than the misses until
 * those are back that it drove out, others have to be looked for four times as often from then on. To be
 * written again and again is no claim: only to be looked for is, at several moments.
 *
 * Thread rule: any thread; a lock of its own, taken behind a shard's and before the duel's. The store owns
 * it; zeroed and claims_open.
 */
#ifndef LARDER_STORE_CLAIM_H
#define LARDER_STORE_CLAIM_H

#include "store/duel.h"

#define CLAIMS 32

struct claim {
    uint64_t hash, bytes; /* 0: none */
    uint64_t since, last,
        told;            /* uses of the cache: what is counted began; looked for or refused last; of `loss` */
    uint64_t counted;    /* the moment of the last use that was counted */
    float uses, moments; /* moments: with those that came while the clock stood taken for one */
    uint32_t wanted, gained; /* moments in all before it was let in; uses since */
    struct duel_loss loss;
    bool in;
};

struct claims {
    _Atomic uint64_t marks; /* a bit for each by its hash, so that most others need not be looked for */
    _Atomic uint64_t least; /* entries of fewer bytes have none that was let in; UINT64_MAX: none was */
    struct lock lock;
    float need; /* moments, before one is let in: more if it did not pay for others, and less if it did */
    struct claim claim[CLAIMS];
};

static inline uint64_t claim_mark(uint64_t hash) { return 1ull << (hash >> 32) % 64; }
void claims_open(struct claims *c);
/* A use, of one that was let in or would have been. */
void claims_count(struct claims *c, uint64_t hash, uint64_t clock);
/* It was looked for, and is not there. */
static inline void claims_missed(struct claims *c, const struct density *d, uint64_t hash) {
    uint64_t marks = atomic_load_explicit(&c->marks, memory_order_relaxed);
    if (__builtin_expect(marks & claim_mark(hash), 0)) claims_count(c, hash, density_clock(d));
}
/* An entry of so many bytes may be one that was let in, and a use of it. */
static inline bool claims_may_be(const struct claims *c, uint64_t bytes) {
    return bytes >= atomic_load_explicit(&((struct claims *)(uintptr_t)c)->least, memory_order_relaxed);
}
static inline bool claims_any_in(const struct claims *c) { return claims_may_be(c, UINT64_MAX - 1); }
/* May it take that room from others? If not, it is remembered. limit: maxmemory */
bool claims_let_in(
    struct claims *c, struct duel *u, uint64_t hash, uint64_t bytes, uint64_t limit, uint64_t clock);
/* An entry is about to be evicted: was it let in, and has it earned to stay? */
bool claims_keep(struct claims *c, struct duel *u, uint64_t hash, uint64_t limit, uint64_t clock);

#endif
