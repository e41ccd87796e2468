#include "base/deltas.h"

#define FEW 48 /* sorted by hand up to here */

static void sort_few(uint32_t *v, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint32_t x = v[i];
        size_t at = i;
        for (; at && v[at - 1] > x; at--) v[at] = v[at - 1];
        v[at] = x;
    }
}

/* By one byte after the other, the lowest first; four passes, so that they end where they began. */
static void sort_many(uint32_t *v, size_t n, uint32_t *room) {
    uint32_t count[4][256] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < 4; k++) count[k][v[i] >> (8 * k) & 255]++;
    for (unsigned k = 0; k < 4; k++) {
        uint32_t at = 0;
        for (unsigned b = 0; b < 256; b++) {
            uint32_t many = count[k][b];
            count[k][b] = at;
            at += many;
        }
        for (size_t i = 0; i < n; i++) room[count[k][v[i] >> (8 * k) & 255]++] = v[i];
        uint32_t *swap = v;
        v = room;
        room = swap;
    }
}

size_t deltas_sort(uint32_t *v, size_t n, uint32_t *room) {
    size_t kept = 0;
    if (n <= FEW) sort_few(v, n);
    else sort_many(v, n, room);
    for (size_t i = 0; i < n; i++)
        if (!kept || v[i] != v[kept - 1]) v[kept++] = v[i];
    return kept;
}

/* -- writing ----------------------------------------------------------------------------------------------------------------- */

struct bits {
    unsigned char *at;
    uint64_t held;
    unsigned n;
};

/* At most 32 at a time. */
static inline void put(struct bits *b, uint64_t bits, unsigned n) {
    b->held |= bits << b->n;
    b->n += n;
    if (b->n < 32) return;
    uint32_t low = (uint32_t)b->held;
    for (unsigned i = 0; i < 4; i++) *b->at++ = (unsigned char)(low >> (8 * i));
    b->held >>= 32;
    b->n -= 32;
}

static unsigned rest_of(size_t n) {
    uint64_t mean = (UINT64_C(1) << 32) / (n ? n : 1);
    unsigned rest = mean ? 63 - (unsigned)__builtin_clzll(mean) : 0;
    return rest > 31 ? 31 : rest;
}

void deltas_put(struct buf *out, const uint32_t *v, size_t n) {
    unsigned rest = rest_of(n);
    uint32_t last = 0;
    /* All quotients together are no more than 2^32 >> rest, which is below 2n + 2. */
    size_t most = DELTAS_HEAD + (n * (rest + 1) + 2 * n + 2) / 8 + 16;
    unsigned char *head = (unsigned char *)buf_room(out, most);
    struct bits b = {.at = head + DELTAS_HEAD};
    head[0] = (unsigned char)rest;
    for (unsigned i = 0; i < 4; i++) head[1 + i] = (unsigned char)(n >> (8 * i));
    for (size_t i = 0; i < n; i++) {
        uint32_t delta = v[i] - last, many = delta >> rest;
        last = v[i];
        for (; many >= 32; many -= 32) put(&b, UINT32_MAX, 32);
        put(&b, (UINT64_C(1) << many) - 1, many + 1 > 32 ? 32 : many + 1);
        put(&b, delta & ((UINT64_C(1) << rest) - 1), rest);
    }
    for (; b.n; b.n -= b.n < 8 ? b.n : 8) {
        *b.at++ = (unsigned char)b.held;
        b.held >>= 8;
    }
    out->n += (size_t)(b.at - head);
}

/* -- reading ----------------------------------------------------------------------------------------------------------------- */

bool deltas_open(struct deltas *d, struct slice bytes) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    if (bytes.n < DELTAS_HEAD || p[0] > 31) return false;
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
    if (d->held < d->rest || more > UINT32_MAX) return false;
    uint64_t value = d->last + (more << d->rest) + (d->bits & ((UINT64_C(1) << d->rest) - 1));
    if (value > UINT32_MAX) return false;
    d->bits >>= d->rest;
    d->held -= d->rest;
    d->left--;
    *v = d->last = (uint32_t)value;
    return true;
}
