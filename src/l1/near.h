/* near: the store inside the application: bounded in bytes, read without locks, values handed out where they lie.
 *
 * Keys are spread over shards; a shard's table is cache lines of eight slots, an address and a 16-bit tag each. Readers take no lock
 * and write nothing that another reader reads, but for an entry's frequency, and that at most three times: they say in a record of
 * their own that they are inside, and pin what they hand out in a place of that record. Writers hold the shard's lock; what they take
 * out of a table is freed once no record is inside since before and none has it pinned (near_reclaim).
 * Invariant: what near_erase, near_rule or near_put took out is found by no near_get that begins after it returned. A value that was
 * asked for before an invalidation (near_token) is not put after it.
 * Eviction is S3-FIFO: a small queue for what is new, a main queue for what was used again, and a memory of what left.
 * Who does not know which key has changed but its hash alone takes out all with that hash (near_erase_hashed); so that somebody else can
 * make that hash its seed is his (near_reseed). What was hashed with another seed is neither found nor put.
 * Thread rule: any thread, each with its record. The store owns entries; a pin lends one until near_unpin.
 */
#ifndef LARDER_L1_NEAR_H
#define LARDER_L1_NEAR_H

#include "base/slice.h"
#include "base/thread.h"

#define NEAR_KEY_MAX 65535
#define NEAR_TTL_MAX 2000000000 /* ms; 23 days: ages are compared in 32 bits */
#define NEAR_PINS 7             /* in a block: a cache line with the link to the next one */

enum near_flag {
    NEAR_MAIN = 1,     /* stands in the main queue */
    NEAR_ABSENT = 2,   /* no value: it is known that the key has none */
    NEAR_DOUBTFUL = 4, /* put while nobody told of changes */
    NEAR_SEEN = 8,     /* used while queues are put in order */
    NEAR_NEGATIVE = 16, /* with NEAR_ABSENT: a loader said so; else only the server has none */
};

struct near_entry {
    uint32_t until; /* ms of near_now: fresh before */
    uint32_t size;
    uint16_t key_n;
    _Atomic uint16_t born; /* number of the youngest rule that does not apply to it */
    _Atomic uint8_t uses;  /* 0..3 since it was put into its queue */
    _Atomic uint8_t flags;
    uint8_t stale; /* how long it may still be given out after `until`: a duration of near_pack */
    uint8_t cost;  /* how long loading it took, the same way */
    char bytes[];  /* key, value, NUL */
};

struct near_pins {
    _Atomic uintptr_t entry[NEAR_PINS];
    struct near_pins *_Atomic next;
} __attribute__((aligned(64)));

/* One for each thread that reads; taken over by another thread once its own has ended. */
struct near_record {
    _Atomic uint64_t inside; /* 0: not inside; else the store's turn when it went in */
    struct near_record *next;
    _Atomic bool taken;
    struct near_pins pins;
    counter hits, stale, misses; /* who calls near_get counts: one writer */
    void *_Atomic more;          /* for who uses the store: `drop` of near_open frees it */
} __attribute__((aligned(128)));

struct near;

struct near_stats {
    uint64_t entries, bytes, limit, pinned, evictions, expired, erased, refused;
    uint32_t rules;
};

struct near_found {
    const struct near_entry *entry;
    _Atomic uintptr_t *pin; /* give it to near_unpin */
    int32_t left;           /* ms for which it is still fresh; 0 and less: since when it is not */
};

struct near *near_open(size_t limit, void (*drop)(void *more)); /* NULL with errno: no memory */
void near_close(struct near *s);      /* no thread is in it, nothing is pinned */
struct near_record *near_record(struct near *s);              /* of this thread; NULL: no memory */
struct near_record *near_record_next(struct near *s, struct near_record *r); /* all of them: begin with NULL */
uint64_t near_hash(const struct near *s, struct slice key); /* its upper DELTAS_BITS bits are the hash that near_erase_hashed knows; the rest follows from them */
int64_t near_now(const struct near *s); /* ms since it was opened; up to 4 behind */

bool near_get(struct near *s, struct near_record *r, struct slice key, uint64_t hash, int64_t now, struct near_found *out);
static inline void near_unpin(_Atomic uintptr_t *pin) { atomic_store_explicit(pin, 0, memory_order_release); }
static inline const char *near_value(const struct near_entry *e) { return e->bytes + e->key_n; }

/* Take a token, ask for the value, put it with the token: refused if the key was invalidated in between, or does not fit. */
uint64_t near_token(const struct near *s, uint64_t hash);
bool near_token_good(const struct near *s, uint64_t hash, uint64_t token);
struct near_item {
    struct slice key, value;
    uint64_t hash, token;
    int64_t ttl, stale, cost; /* ms; ttl counts from now */
    uint8_t flags;            /* NEAR_ABSENT, NEAR_NEGATIVE, NEAR_DOUBTFUL */
};
bool near_put(struct near *s, const struct near_item *item);
void near_erase(struct near *s, struct slice key, uint64_t hash); /* also voids tokens */
/* The same for the keys with these hashes, in ascending order. */
void near_erase_hashed(struct near *s, const uint32_t *told, size_t n);
void near_reseed(struct near *s, uint64_t seed); /* empties it, and voids tokens, unless that is its seed */
/* All that match, from now on; then takes them out, shard by shard. Once `sweep` is false somebody calls near_sweep later. */
void near_rule(struct near *s, struct slice pattern, bool sweep);
bool near_sweep(struct near *s); /* whether there was something to do */
void near_clear(struct near *s);            /* near_rule for everything; tokens too */
void near_clear_doubtful(struct near *s);   /* takes out what was put as NEAR_DOUBTFUL */
void near_tidy(struct near *s, unsigned part); /* of 64: takes out what is expired, frees what was waiting */
void near_stats_read(struct near *s, struct near_stats *out);

uint8_t near_pack(int64_t ms);      /* a duration in a byte, at most an eighth too short */
uint32_t near_unpack(uint8_t packed);

#endif
