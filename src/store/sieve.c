#include "store/sieve.h"

#include "base/match.h"

#include <endian.h>
#include <string.h>

#define WORD sizeof(uint64_t)
#define BLOCK 16
#define GRAM 3
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* -- the piece of a pattern that tells most -------------------------------------------------------------------------------- */

struct piece {
    enum sieve_kind kind;
    unsigned worth;
    struct sieve_word word;
};

enum { WORTH_DIGIT = 4, WORTH_BEHIND = 4, WORTH_THREE = 16 };

static bool digit(uint64_t c) { return (c & 0xff) - '0' < 10; }
static uint64_t mask_low(unsigned bytes) { return (UINT64_C(1) << bytes * 8) - 1; }

static void take(struct piece *best, enum sieve_kind kind, unsigned worth, uint64_t bytes, uint64_t mask) {
    if (worth > best->worth) *best = (struct piece){kind, worth, {bytes, mask}};
}

/* What was read lies in the upper bytes of `recent`, the last one highest; `run` of them are literal. */
static void take_gram(struct piece *best, uint64_t recent, size_t run, bool behind) {
    unsigned n = run < GRAM ? (unsigned)run : GRAM;
    uint64_t bytes = recent >> (WORD - n) * 8;
    bool id = digit(bytes) || (n > 1 && digit(bytes >> 8)) || (n > 2 && digit(bytes >> 16));
    unsigned worth = n + (n == GRAM ? WORTH_THREE : 0) + (behind ? WORTH_BEHIND : 0) + (id ? WORTH_DIGIT : 0);
    take(best, SIEVE_ONE + n - 1, worth, bytes, 0);
}

/* The end of a beginning tells most of it. */
static void take_head(struct piece *best, uint64_t recent, size_t run) {
    if (run >= GRAM) take_gram(best, recent, run, false);
    else if (run) take(best, SIEVE_HEAD, (unsigned)run + 1, recent >> (WORD - run) * 8, mask_low((unsigned)run));
}

static void take_tail(struct piece *best, uint64_t recent, size_t run) {
    if (run && run < GRAM && best->kind != SIEVE_THREE)
        take(best, SIEVE_TAIL, best->worth + 1, recent, ~mask_low(WORD - (unsigned)run));
}

static bool special(char c) { return c == '*' || c == '?' || c == '[' || c == '\\'; }

static struct piece piece_of(struct slice pattern) {
    struct piece best = {.kind = SIEVE_ALL};
    uint64_t recent = 0;
    size_t run = 0, at = 0;
    bool head = true;
    while (at < pattern.n) {
        uint8_t c = (uint8_t)pattern.p[at];
        if (!special((char)c)) at++;
        else if (match_element(pattern, &at, &c) != MATCH_LITERAL) {
            if (head) take_head(&best, recent, run);
            head = false;
            recent = run = 0;
            continue;
        }
        recent = recent >> 8 | (uint64_t)c << 56;
        run++;
        if (!head) take_gram(&best, recent, run, true);
    }
    if (head) take_head(&best, recent, run);
    else take_tail(&best, recent, run);
    return best;
}

/* -- lists ------------------------------------------------------------------------------------------------------------------ */

/* A place of the key is told by two bytes: of three, the first and the last make one, because what differs in texts is mostly the
 * lower half of a byte. */
static uint8_t joined(uint8_t a, uint8_t c) { return a ^ (uint8_t)(c << 4); }

static uint16_t place_of(enum sieve_kind kind, uint64_t bytes) {
    uint8_t a = (uint8_t)bytes, b = (uint8_t)(bytes >> 8), c = (uint8_t)(bytes >> 16);
    uint8_t first = kind == SIEVE_THREE ? joined(a, c) : a, second = kind == SIEVE_ONE ? a : b;
    return htole16((uint16_t)(first | second << 8));
}

static uint32_t ring_of(enum sieve_kind kind) { return kind < SIEVE_WORDS ? SIEVE_WORD_RING : SIEVE_GRAM_RING; }
static uint32_t step_of(enum sieve_kind kind) { return kind < SIEVE_WORDS ? sizeof(struct sieve_word) : sizeof(sieve_gram); }

struct range {
    uint32_t from, n;
};

static struct range list_get(const struct sieve *s, enum sieve_kind kind) {
    uint64_t list = atomic_load_explicit(&s->list[kind], memory_order_relaxed);
    return (struct range){(uint32_t)list / step_of(kind), (uint32_t)(list >> 32)};
}

/* Who asks reads it without a lock. */
static void list_set(struct sieve *s, enum sieve_kind kind, struct range r) {
    uint64_t list = (uint64_t)r.n << 32 | r.from % ring_of(kind) * step_of(kind);
    atomic_store_explicit(&s->list[kind], list, memory_order_release);
}

static void list_add(struct sieve *s, const struct piece *p) {
    struct range r = list_get(s, p->kind);
    uint32_t i = (r.from + r.n) % ring_of(p->kind);
    if (p->kind < SIEVE_WORDS) {
        s->word[p->kind][i] = s->word[p->kind][i + SIEVE_WORD_RING] = p->word;
    } else {
        sieve_gram *g = s->gram[p->kind - SIEVE_WORDS];
        g[i] = g[i + SIEVE_GRAM_RING] = (sieve_gram){0} + place_of(p->kind, p->word.bytes);
    }
    list_set(s, p->kind, (struct range){r.from, r.n + 1});
}

static void kinds_set(struct sieve *s, uint32_t kinds) { atomic_store_explicit(&s->kinds, kinds, memory_order_relaxed); }

void sieve_init(struct sieve *s) {
#if defined(__x86_64__)
    s->avx2 = __builtin_cpu_supports("avx2");
#endif
}

enum sieve_kind sieve_add(struct sieve *s, struct slice pattern) {
    struct piece p = piece_of(pattern);
    if (p.kind != SIEVE_ALL && list_get(s, p.kind).n == ring_of(p.kind) / 2) p.kind = SIEVE_ALL;
    if (p.kind == SIEVE_ALL) s->others++;
    else list_add(s, &p);
    kinds_set(s, s->kinds | 1u << p.kind);
    return p.kind;
}

void sieve_drop(struct sieve *s, enum sieve_kind kind) {
    bool last;
    if (kind == SIEVE_ALL) {
        last = !--s->others;
    } else {
        struct range r = list_get(s, kind);
        last = r.n == 1;
        list_set(s, kind, (struct range){r.from + 1, r.n - 1});
    }
    if (last) kinds_set(s, s->kinds & ~(1u << kind));
}

/* -- asking ----------------------------------------------------------------------------------------------------------------- */

/* Words have the first byte lowest. */
static inline uint64_t word_at(const char *p) {
    uint64_t v;
    memcpy(&v, p, WORD);
    return le64toh(v);
}

/* Every lookup while a rule is running goes through these loops, so four turns of each are spelled out. */

static inline bool alike(const struct sieve_word *w, uint64_t bytes) { return !((w->bytes ^ bytes) & w->mask); }

static inline bool suspects_end(const struct sieve *s, enum sieve_kind kind, uint64_t bytes) {
    const uint64_t list = atomic_load_explicit(&s->list[kind], memory_order_acquire);
    const struct sieve_word *w = (const void *)((const char *)s->word[kind] + (uint32_t)list);
    uint64_t n = list >> 32;
    for (; n >= 4; n -= 4, w += 4)
        if (alike(w, bytes) || alike(w + 1, bytes) || alike(w + 2, bytes) || alike(w + 3, bytes)) return true;
    for (; n; n--, w++)
        if (alike(w, bytes)) return true;
    return false;
}

typedef uint8_t block __attribute__((vector_size(BLOCK)));

/* The places of a block from its n-th on; nothing follows at the end. */
#define BLOCK_FROM(b, n) \
    __builtin_shufflevector(b, (block){0}, n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10, n + 11, n + 12, n + 13, \
                            n + 14, n + 15)
#define BLOCKS_IN_TURN(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, \
                            30, 15, 31)

static ALWAYS_INLINE bool suspects_gram(const struct sieve *s, enum sieve_kind kind, block first, block second) {
    typedef uint64_t words __attribute__((vector_size(sizeof(sieve_gram)))), half __attribute__((vector_size(BLOCK)));
    const uint64_t list = atomic_load_explicit(&s->list[kind], memory_order_acquire);
    const sieve_gram *g = (const void *)((const char *)s->gram[kind - SIEVE_WORDS] + (uint32_t)list);
    const sieve_gram k = (sieve_gram)BLOCKS_IN_TURN(first, second);
    sieve_gram hit = {0};
    uint64_t n = list >> 32;
    for (; n >= 4; n -= 4, g += 4) hit |= (sieve_gram)((g[0] == k) | (g[1] == k) | (g[2] == k) | (g[3] == k));
    for (; n; n--, g++) hit |= (sieve_gram)(*g == k);
    const words w = (words)hit;
    const half h = __builtin_shufflevector(w, w, 0, 1) | __builtin_shufflevector(w, w, 2, 3);
    return h[0] | h[1];
}

static ALWAYS_INLINE bool suspects_block(const struct sieve *s, uint32_t kinds, const char *p) {
    typedef uint16_t pairs __attribute__((vector_size(BLOCK)));
    block k;
    memcpy(&k, p, BLOCK);
    if (kinds & 1u << SIEVE_THREE) {
        const block last = (block)((pairs)(BLOCK_FROM(k, 2) & 0x0f) << 4); /* see joined() */
        if (suspects_gram(s, SIEVE_THREE, k ^ last, BLOCK_FROM(k, 1))) return true;
    }
    if (kinds & 1u << SIEVE_TWO && suspects_gram(s, SIEVE_TWO, k, BLOCK_FROM(k, 1))) return true;
    return kinds & 1u << SIEVE_ONE && suspects_gram(s, SIEVE_ONE, k, k);
}

/* Blocks overlap, so that what would lie across two of them lies in one. */
static ALWAYS_INLINE bool suspects_blocks(const struct sieve *s, uint32_t kinds, struct slice key) {
    if (__builtin_expect(key.n == BLOCK, 1)) return suspects_block(s, kinds, key.p);
    for (size_t at = 0; at + GRAM - 1 < key.n; at += BLOCK - GRAM + 1)
        if (suspects_block(s, kinds, key.p + (at + BLOCK <= key.n ? at : key.n - BLOCK))) return true;
    return false;
}

static __attribute__((noinline)) bool suspects_plain(const struct sieve *s, uint32_t kinds, struct slice key) {
    return suspects_blocks(s, kinds, key);
}

#if defined(__x86_64__)
/* The same in half the instructions. */
static __attribute__((noinline, target("avx2"))) bool suspects_avx2(const struct sieve *s, uint32_t kinds, struct slice key) {
    return suspects_blocks(s, kinds, key);
}
#else
#define suspects_avx2 suspects_plain
#endif

/* Of less than a block. */
static __attribute__((noinline)) bool suspects_short(const struct sieve *s, uint32_t kinds, struct slice key) {
    char whole[BLOCK] = {0};
    memcpy(whole, key.p, key.n);
    return suspects_plain(s, kinds, (struct slice){whole, BLOCK});
}

static inline bool suspects_grams(const struct sieve *s, uint32_t kinds, struct slice key) {
    if (__builtin_expect(key.n < BLOCK, 0)) return suspects_short(s, kinds, key);
    return s->avx2 ? suspects_avx2(s, kinds, key) : suspects_plain(s, kinds, key);
}

/* Of less than a word: what there is not of it is zero. */
static __attribute__((noinline)) bool suspects_tiny(const struct sieve *s, uint32_t kinds, struct slice key) {
    char text[3 * WORD] = {0};
    memcpy(text + WORD, key.p, key.n);
    return (kinds & 1u << SIEVE_HEAD && suspects_end(s, SIEVE_HEAD, word_at(text + WORD))) ||
           (kinds & 1u << SIEVE_TAIL && suspects_end(s, SIEVE_TAIL, word_at(text + key.n))) ||
           (kinds >> SIEVE_WORDS && suspects_short(s, kinds, key));
}

/* What is rare. */
static __attribute__((noinline)) bool suspects_otherwise(const struct sieve *s, uint32_t kinds, struct slice key) {
    if (kinds & 1u << SIEVE_ALL) return true;
    if (key.n < WORD) return suspects_tiny(s, kinds, key);
    if (kinds & 1u << SIEVE_HEAD && suspects_end(s, SIEVE_HEAD, word_at(key.p))) return true;
    if (kinds & 1u << SIEVE_TAIL && suspects_end(s, SIEVE_TAIL, word_at(key.p + key.n - WORD))) return true;
    return kinds >> SIEVE_WORDS && suspects_grams(s, kinds, key);
}

bool sieve_suspects(const struct sieve *s, struct slice key) {
    const uint32_t kinds = atomic_load_explicit(&s->kinds, memory_order_relaxed);
    const uint32_t rare = 1u << SIEVE_ALL | 1u << SIEVE_HEAD | 1u << SIEVE_TAIL;
    return __builtin_expect(kinds & rare || key.n < BLOCK, 0) ? suspects_otherwise(s, kinds, key) : suspects_grams(s, kinds, key);
}
