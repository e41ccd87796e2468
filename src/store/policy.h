/* policy: what an entry's access word means, and which of two entries is the better one to evict.
 *
 * Under the LRU policies (and while nothing is evicted) the word is the time of last use in units of POLICY_TICK ms,
 * 198 days before it wraps. Under LFU it is, as in Redis, minutes of the last decrement (upper 16 of 24 bits) and a
 * logarithmic counter (lower 8). Under LHD, see density.h. Thread rule: pure functions; the caller holds the entry's lock.
 */
#ifndef LARDER_STORE_POLICY_H
#define LARDER_STORE_POLICY_H

#include "base/option.h"
#include "store/entry.h"

#include <string.h>

enum policy_kind { /* the bits that Redis's own names stand for */
    POLICY_LRU = 1,
    POLICY_LFU = 2,
    POLICY_ALL_KEYS = 4,
    POLICY_VOLATILE_LRU = POLICY_LRU,
    POLICY_VOLATILE_LFU = POLICY_LFU,
    POLICY_VOLATILE_TTL = 8,
    POLICY_ANY = 16,
    POLICY_VOLATILE_RANDOM = POLICY_ANY,
    POLICY_ALLKEYS_LRU = POLICY_LRU | POLICY_ALL_KEYS,
    POLICY_ALLKEYS_LFU = POLICY_LFU | POLICY_ALL_KEYS,
    POLICY_ALLKEYS_RANDOM = POLICY_ANY | POLICY_ALL_KEYS,
    POLICY_NOEVICTION = 32,
    POLICY_LHD = 64, /* ours */
    POLICY_ALLKEYS_LHD = POLICY_LHD | POLICY_ALL_KEYS,
    POLICY_COUNTS = POLICY_LFU | POLICY_LHD, /* words tell how often, not when */
};

#define POLICY_TICK 4 /* ms */
#define POLICY_LFU_START 5
#define POLICY_AHEAD 65536
#define POLICY_RANK_STEP 16 /* ranks that differ by less may count as equal */

struct policy {
    enum policy_kind kind;
    unsigned lfu_log_factor, lfu_decay_minutes;
    int64_t now; /* wall clock, ms */
    struct density *density; /* for POLICY_LHD, whose words are its matter (store/density.h) */
};

/* A number from 0 on as one that compares as it does: ranks are logarithms, nearly. */
static inline int32_t policy_bits(float number) {
    int32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}
/* Under LRU: the time from the last use to a while behind `since`, so that there are 20 good bits of it. */
static inline uint32_t policy_base(int64_t since) { return (uint32_t)(since / POLICY_TICK) + POLICY_AHEAD; }
static inline int32_t policy_rank_idle(uint32_t base, uint32_t word) {
    return policy_bits((float)(base - word > INT32_MAX ? INT32_MAX : base - word));
}
/* The same of n words; both arrays have room for a multiple of four. */
void policy_ranks_idle(uint32_t base, unsigned n, const uint32_t *word, int32_t *rank);

uint32_t policy_born(const struct policy *p);                        /* the word of a new entry */
uint32_t policy_touched(const struct policy *p, uint32_t word, uint64_t random); /* after one more use */
/* From 0 to INT32_MAX - 1, higher: evict sooner. `deadline` matters to volatile-ttl. Ranks by time compare if they go by the same
 * `since`, ms, which must be no more than POLICY_AHEAD ticks ago. */
int32_t policy_rank(const struct policy *p, int64_t since, uint32_t word, int64_t deadline, uint64_t random);
int64_t policy_idle_ms(const struct policy *p, uint32_t word);       /* OBJECT IDLETIME; under the LRU policies */
int64_t policy_age_ms(const struct policy *p, uint32_t word);        /* since its last use; LFU tells minutes; not of LHD */
unsigned policy_frequency(const struct policy *p, uint32_t word);    /* OBJECT FREQ; under LFU and LHD */
uint32_t policy_word_idle(const struct policy *p, int64_t idle_ms);  /* the words that RESTORE's IDLETIME (99 days at the most) */
uint32_t policy_word_frequency(const struct policy *p, unsigned frequency); /* ... and FREQ ask for */

#endif
