#include "base/deltas.h"

#include <string.h>

#define FEW 32  /* sorted by hand up to here */
#define HALF 11 /* bits of a pass, at the most */
#define MOVES 8 /* so many for each number may be left to be done by hand, at the most */

/* How far sorting by hand came: what is below `kept` is in order and each once, what is from `done` on was not looked at. */
struct by_hand {
    size_t kept, done;
};

/* Sorts, and drops what is there twice. Cheap where numbers are nearly in order; ends early where it takes more than `moves`. */
static inline struct by_hand sort_by_hand(uint32_t *v, size_t n, size_t moves) {
    size_t kept = 0, i = 0;
    for (; i < n; i++) {
        uint32_t x = v[i];
        size_t at = kept;
        if (__builtin_expect(!kept || v[kept - 1] < x, 1)) {
            v[kept++] = x;
            continue;
        }
        while (at && v[at - 1] > x) at--;
        if (__builtin_expect(kept - at > moves, 0)) break;
        moves -= kept - at;
        if (at && v[at - 1] == x) continue;
        for (size_t k = kept; k > at; k--) v[k] = v[k - 1];
        v[at] = x;
        kept++;
    }
    return (struct by_hand){kept, i};
}

/* Counts become the places where numbers of each kind begin. */
static inline void places(uint32_t *count, size_t kinds) {
    uint32_t at = 0;
    for (size_t k = 0; k < kinds; k++) {
        uint32_t many = count[k];
        count[k] = at;
        at += many;
    }
}

static inline void spread(const uint32_t *from, size_t n, uint32_t *to, uint32_t *place, unsigned shift, uint32_t mask) {
    for (size_t i = 0; i < n; i++) to[place[from[i] >> shift & mask]++] = from[i];
}

/* By their highest bits alone, so many that few numbers have the same: in two passes, the lower half of those bits first. */
static void sort_high(uint32_t *v, size_t n, uint32_t *room) {
    unsigned bits = (64 - (unsigned)__builtin_clzll(n - 1) + 5) / 2;
    if (bits > HALF) bits = HALF;
    uint32_t count[2][1 << HALF], mask = (1u << bits) - 1;
    for (unsigned k = 0; k < 2; k++) memset(count[k], 0, sizeof(uint32_t) << bits);
    for (size_t i = 0; i < n; i++) {
        count[0][v[i] >> (DELTAS_BITS - 2 * bits) & mask]++;
        count[1][v[i] >> (DELTAS_BITS - bits)]++;
    }
    for (unsigned k = 0; k < 2; k++) places(count[k], (size_t)1 << bits);
    spread(v, n, room, count[0], DELTAS_BITS - 2 * bits, mask);
    spread(room, n, v, count[1], DELTAS_BITS - bits, UINT32_MAX);
}

/* By all of their bytes, the lowest first. */
static void sort_wholly(uint32_t *v, size_t n, uint32_t *room) {
    for (unsigned k = 0; k < 4; k++) {
        uint32_t count[256] = {0};
        for (size_t i = 0; i < n; i++) count[v[i] >> (8 * k) & 255]++;
        places(count, 256);
        spread(v, n, room, count, 8 * k, 255);
        uint32_t *swap = v;
        v = room;
        room = swap;
    }
}

/* Random numbers are in order, but for a few, once they are by their highest bits; made-up ones may not be. */
size_t deltas_sort(uint32_t *v, size_t n, uint32_t *room) {
    if (n > FEW) sort_high(v, n, room);
    struct by_hand h = sort_by_hand(v, n, n <= FEW ? FEW * FEW : n * MOVES);
    if (__builtin_expect(h.done == n, 1)) return h.kept;
    memmove(v + h.kept, v + h.done, (n - h.done) * sizeof *v);
    n = h.kept + n - h.done;
    sort_wholly(v, n, room);
    return sort_by_hand(v, n, 0).kept;
}

/* -- writing ----------------------------------------------------------------------------------------------------------------- */

struct bits {
    unsigned char *at;
    uint64_t held; /* fewer than 8 */
    unsigned n;
};

/* The lowest byte first. */
static inline void store(unsigned char *at, uint64_t v) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(at, &v, sizeof v);
#else
    for (unsigned i = 0; i < 8; i++) at[i] = (unsigned char)(v >> (8 * i));
#endif
}

/* At most 56 at a time; up to 8 bytes behind `at` are written. */
static inline void put(struct bits *b, uint64_t bits, unsigned n) {
    b->held |= bits << b->n;
    b->n += n;
    store(b->at, b->held);
    b->at += b->n >> 3;
    b->held >>= b->n & 56; /* n is at most 63 */
    b->n &= 7;
}

static unsigned rest_of(size_t n) {
    uint64_t mean = (UINT64_C(1) << DELTAS_BITS) / (n ? n : 1);
    unsigned rest = mean ? 63 - (unsigned)__builtin_clzll(mean) : 0;
    return rest > DELTAS_BITS - 1 ? DELTAS_BITS - 1 : rest;
}

void deltas_put(struct buf *out, const uint32_t *v, size_t n) {
    unsigned rest = rest_of(n);
    uint32_t last = 0;
    /* All quotients together are no more than 2^DELTAS_BITS >> rest, which is below 2n + 2. */
    size_t most = DELTAS_HEAD + (n * (rest + 1) + 2 * n + 2) / 8 + 16;
    unsigned char *head = (unsigned char *)buf_room(out, most);
    struct bits b = {.at = head + DELTAS_HEAD};
    head[0] = (unsigned char)rest;
    for (unsigned i = 0; i < 4; i++) head[1 + i] = (unsigned char)(n >> (8 * i));
    const uint32_t mask = (UINT32_C(1) << rest) - 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t delta = v[i] - last, many = delta >> rest;
        last = v[i];
        if (__builtin_expect(many > 24, 0)) /* so that all of it is no more than 56 bits */
            for (; many > 24; many -= 24) put(&b, (UINT32_C(1) << 24) - 1, 24);
        put(&b, (((uint64_t)(delta & mask) * 2 + 1) << many) - 1, many + 1 + rest); /* ones, a zero, the rest */
    }
    if (b.n) *b.at++ = (unsigned char)b.held;
    out->n += (size_t)(b.at - head);
}

/* -- reading ----------------------------------------------------------------------------------------------------------------- */

bool deltas_open(struct deltas *d, struct slice bytes) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    if (bytes.n < DELTAS_HEAD || p[0] >= DELTAS_BITS) return false;
    *d = (struct deltas){.at = p + DELTAS_HEAD, .end = p + bytes.n, .rest = p[0]};
    for (unsigned i = 0; i < 4; i++) d->left |= (uint32_t)p[1 + i] << (8 * i);
    return (uint64_t)d->left * (d->rest + 1) <= (uint64_t)(bytes.n - DELTAS_HEAD) * 8;
}

static inline void refill(struct deltas *d) {
    while (d->held <= 56 && d->at < d->end) {
        d->bits |= (uint64_t)*d->at++ << d->held;
        d->held += 8;
    }
}

bool deltas_next(struct deltas *d, uint32_t *v) {
    uint64_t more = 0;
    if (!d->left) return false;
    for (;;) {
        refill(d);
        unsigned ones = ~d->bits ? (unsigned)__builtin_ctzll(~d->bits) : 64;
        if (ones >= d->held) { /* all of them, and on */
            if (!d->held) return false;
            more += d->held;
            d->bits = d->held = 0;
            continue;
        }
        more += ones;
        d->bits = d->bits >> ones >> 1;
        d->held -= ones + 1;
        break;
    }
    if (d->held < d->rest) refill(d);
    if (d->held < d->rest || more > DELTAS_MAX) return false;
    uint64_t value = d->last + (more << d->rest) + (d->bits & ((UINT64_C(1) << d->rest) - 1));
    if (value > DELTAS_MAX) return false;
    d->bits >>= d->rest;
    d->held -= d->rest;
    d->left--;
    *v = d->last = (uint32_t)value;
    return true;
}
