#include "type/hll.h"

#include <math.h>

#define SEED 0xadc83b19ull
#define INDEX_BITS 14
#define HASH_BITS 50       /* that are left for counting zeros */
#define RUN_ZEROS 64
#define RUN_VALUES 4
#define SPARSE_VALUE_MAX 32
#define GROUP 8            /* registers in 6 bytes, as one word of bytes */
#define CACHE_AT 8
#define MERGES 5           /* runs that are looked at for equal neighbours after a change */

/* -- hashing ----------------------------------------------------------------------------------------------------------- */

/* MurmurHash64A (Austin Appleby): what Redis uses, so stored values depend on it. */
static uint64_t murmur(const char *p, size_t n) {
    const uint64_t m = 0xc6a4a7935bd1e995ull;
    uint64_t h = SEED ^ n * m, k;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&k, p, 8);
        k *= m;
        k ^= k >> 47;
        h = (h ^ k * m) * m;
    }
    if (n) {
        k = 0;
        memcpy(&k, p, n);
        h = (h ^ k) * m;
    }
    h = (h ^ h >> 47) * m;
    return h ^ h >> 47;
}

struct hll_place hll_place(struct slice member) {
    uint64_t h = murmur(member.p, member.n), rest = h >> INDEX_BITS | 1ull << HASH_BITS;
    return (struct hll_place){(uint32_t)(h % HLL_REGISTERS), (uint8_t)(__builtin_ctzll(rest) + 1)};
}

/* -- header ------------------------------------------------------------------------------------------------------------ */

bool hll_valid(struct slice v) {
    if (v.n < HLL_HEADER || memcmp(v.p, "HYLL", 4)) return false;
    return v.p[4] == 1 || (v.p[4] == 0 && v.n == HLL_DENSE);
}

void hll_new(struct hll *h) {
    memset(h->p, 0, HLL_HEADER);
    memcpy(h->p, "HYLL\1", 5);
    memcpy(h->p + HLL_HEADER, "\x7f\xff", 2); /* all registers in one run of zeros */
    h->n = HLL_EMPTY;
}

bool hll_cached(struct slice v, uint64_t *count) {
    memcpy(count, v.p + CACHE_AT, sizeof *count);
    return !(*count >> 63);
}

void hll_set_cached(uint8_t *p, uint64_t count) { memcpy(p + CACHE_AT, &count, sizeof count); }

void hll_forget(uint8_t *p) { p[CACHE_AT + 7] |= 0x80; }

/* -- dense ------------------------------------------------------------------------------------------------------------- */

/* Register r: six bits from bit 6r on; they lie in one byte or in two. */
static inline unsigned dense_get(const uint8_t *p, uint32_t r) {
    const uint8_t *at = p + HLL_HEADER + r * 6 / 8;
    unsigned shift = r * 6 & 7, v = at[0];
    if (shift > 2) v |= (unsigned)at[1] << 8;
    return v >> shift & 63;
}

static inline void dense_set(uint8_t *p, uint32_t r, unsigned value) {
    uint8_t *at = p + HLL_HEADER + r * 6 / 8;
    unsigned shift = r * 6 & 7;
    at[0] = (uint8_t)((at[0] & ~(63u << shift)) | value << shift);
    if (shift > 2) at[1] = (uint8_t)((at[1] & ~(63u >> (8 - shift))) | value >> (8 - shift));
}

/* Eight registers at a time: 48 bits and a word of eight bytes. */
static inline uint64_t unpack(const uint8_t *p) {
    uint64_t v = 0;
    memcpy(&v, p, 6);
    v = (v & 0xffffff) | (v & 0xffffff000000) << 8;
    v = (v & 0x00000fff00000fff) | (v & 0x00fff00000fff000) << 4;
    return (v & 0x003f003f003f003f) | (v & 0x0fc00fc00fc00fc0) << 2;
}

static inline void pack(uint8_t *p, uint64_t v) {
    v = (v & 0x003f003f003f003f) | (v & 0x3f003f003f003f00) >> 2;
    v = (v & 0x00000fff00000fff) | (v & 0x0fff00000fff0000) >> 4;
    v = (v & 0xffffff) | (v & 0x00ffffff00000000) >> 8;
    memcpy(p, &v, 6);
}

/* The larger of each byte; all are below 128. */
static inline uint64_t larger(uint64_t a, uint64_t b) {
    uint64_t top = 0x8080808080808080ull, not_less = ((a | top) - b) & top, mask = not_less | (not_less - (not_less >> 7));
    return (a & mask) | (b & ~mask);
}

/* -- sparse ------------------------------------------------------------------------------------------------------------ */

static inline bool is_value(uint8_t op) { return op & 0x80; }
static inline bool is_wide(uint8_t op) { return (op & 0xc0) == 0x40; }
static inline unsigned value_of(uint8_t op) { return (op >> 2 & 31) + 1u; }
static inline unsigned values_of(uint8_t op) { return (op & 3) + 1u; }

static inline uint8_t *put_values(uint8_t *p, unsigned value, uint32_t n) {
    *p = (uint8_t)(0x80 | (value - 1) << 2 | (n - 1));
    return p + 1;
}

static inline uint8_t *put_zeros(uint8_t *p, uint32_t n) {
    if (n > RUN_ZEROS) *p++ = (uint8_t)(0x40 | (n - 1) >> 8);
    *p++ = (uint8_t)(n - 1);
    return p;
}

bool hll_next_run(struct slice v, struct hll_run *r) {
    size_t at = r->next ? r->next : HLL_HEADER;
    if (at >= v.n) return false;
    uint8_t op = (uint8_t)v.p[at];
    r->first += r->n;
    r->wide = is_wide(op);
    r->value = 0;
    if (r->wide) {
        if (at + 1 == v.n) return false;
        r->n = ((op & 63u) << 8 | (uint8_t)v.p[at + 1]) + 1;
    } else if (is_value(op)) {
        r->n = values_of(op);
        r->value = (uint8_t)value_of(op);
    } else {
        r->n = op + 1u;
    }
    r->next = at + 1 + r->wide;
    return true;
}

/* A place among the runs: the run that has a register, and the two before it. */
struct spot {
    struct hll_run run;
    size_t at, before; /* offsets; before: of the run before it, or its own */
    struct hll_run two_before; /* where a later search for a higher register may begin, even after this one was changed */
};

/* Looks from `start` on. False: no run has it, the value is corrupt. */
static bool find(struct slice v, const struct hll_run *start, uint32_t reg, struct spot *s) {
    struct hll_run earlier[2] = {*start, *start}; /* as the walk stood before the last run and before the one before that */
    s->run = *start;
    for (;;) {
        struct hll_run was = s->run;
        if (!hll_next_run(v, &s->run)) return false;
        if (reg < s->run.first + s->run.n) {
            s->at = was.next ? was.next : HLL_HEADER;
            s->before = earlier[0].next ? earlier[0].next : HLL_HEADER;
            s->two_before = earlier[1];
            return true;
        }
        earlier[1] = earlier[0];
        earlier[0] = was;
    }
}

/* Neighbours that have the same value become one run where that is allowed, from offset `at` on. */
static void join(struct hll *h, size_t at) {
    for (int left = MERGES; left && at < h->n; left--) {
        uint8_t op = h->p[at];
        if (is_value(op) && at + 1 < h->n && is_value(h->p[at + 1])) {
            uint8_t next = h->p[at + 1];
            unsigned n = values_of(op) + values_of(next);
            if (value_of(op) == value_of(next) && n <= RUN_VALUES) {
                memmove(h->p + at, h->p + at + 1, h->n - at - 1);
                put_values(h->p + at, value_of(op), n);
                h->n--;
                continue; /* perhaps with the next one too */
            }
        }
        at += 1 + is_wide(op);
    }
}

/* The run at s, cut in three: what was before the register, the register with its new value, what was behind. Returns how many
 * bytes that is. */
static size_t split(const struct spot *s, struct hll_place at, uint8_t out[5]) {
    const struct hll_run *r = &s->run;
    uint32_t front = at.reg - r->first, back = r->first + r->n - 1 - at.reg;
    uint8_t *p = out;
    if (front) p = r->value ? put_values(p, r->value, front) : put_zeros(p, front);
    p = put_values(p, at.value, 1);
    if (back) p = r->value ? put_values(p, r->value, back) : put_zeros(p, back);
    return (size_t)(p - out);
}

enum sparse { SPARSE_SAME, SPARSE_CHANGED, SPARSE_CORRUPT, SPARSE_FULL };

/* *from: where the search begins, and afterwards where one for a higher register may. */
static enum sparse sparse_raise(struct hll *h, struct hll_place at, struct hll_run *from) {
    struct slice v = {(const char *)h->p, h->n};
    struct spot s;
    uint8_t cut[5];
    if (at.value > SPARSE_VALUE_MAX) return SPARSE_FULL;
    if (!find(v, from, at.reg, &s)) return SPARSE_CORRUPT;
    if (s.run.value >= at.value) return SPARSE_SAME;
    size_t had = 1u + s.run.wide, n = split(&s, at, cut);
    if (n > had && h->n + (n - had) > h->sparse_max) return SPARSE_FULL;
    uint8_t *p = h->p + s.at;
    memmove(p + n, p + had, h->n - s.at - had);
    memcpy(p, cut, n);
    h->n = h->n + n - had;
    join(h, s.before);
    *from = s.two_before;
    return SPARSE_CHANGED;
}

/* -- both -------------------------------------------------------------------------------------------------------------- */

enum hll_change hll_try(struct slice v, struct hll_place at) {
    const struct hll_run start = {0};
    struct spot s;
    if (hll_is_dense(v)) return dense_get((const uint8_t *)v.p, at.reg) < at.value ? HLL_CHANGED : HLL_SAME;
    if (at.value > SPARSE_VALUE_MAX) return HLL_CHANGED;
    if (!find(v, &start, at.reg, &s)) return HLL_CORRUPT;
    return s.run.value < at.value ? HLL_CHANGED : HLL_SAME;
}

static void dense_spread(uint8_t *p, const uint8_t *reg) {
    p += HLL_HEADER;
    for (uint32_t r = 0; r < HLL_REGISTERS; r += GROUP, p += 6) {
        uint64_t v;
        memcpy(&v, reg + r, sizeof v);
        pack(p, larger(unpack(p), v));
    }
}

bool hll_to_dense(struct hll *h) {
    uint8_t reg[HLL_REGISTERS] = {0};
    if (!hll_gather((struct slice){(const char *)h->p, h->n}, reg)) return false;
    h->p[4] = 0;
    h->n = HLL_DENSE;
    memset(h->p + HLL_HEADER, 0, HLL_DENSE - HLL_HEADER);
    dense_spread(h->p, reg);
    return true;
}

static enum hll_change raise(struct hll *h, struct hll_place at, struct hll_run *from) {
    if (h->p[4]) {
        switch (sparse_raise(h, at, from)) {
        case SPARSE_SAME:
            return HLL_SAME;
        case SPARSE_CHANGED:
            return HLL_CHANGED;
        case SPARSE_CORRUPT:
            return HLL_CORRUPT;
        case SPARSE_FULL:
            break;
        }
        if (!hll_to_dense(h)) return HLL_CORRUPT;
    }
    if (dense_get(h->p, at.reg) >= at.value) return HLL_SAME;
    dense_set(h->p, at.reg, at.value);
    return HLL_CHANGED;
}

enum hll_change hll_raise(struct hll *h, struct hll_place at) {
    struct hll_run start = {0};
    return raise(h, at, &start);
}

bool hll_gather(struct slice v, uint8_t *reg) {
    if (hll_is_dense(v)) {
        const uint8_t *p = (const uint8_t *)v.p + HLL_HEADER;
        for (uint32_t r = 0; r < HLL_REGISTERS; r += GROUP, p += 6) {
            uint64_t had;
            memcpy(&had, reg + r, sizeof had);
            had = larger(had, unpack(p));
            memcpy(reg + r, &had, sizeof had);
        }
        return true;
    }
    struct hll_run run = {0};
    while (hll_next_run(v, &run)) {
        if (run.n > HLL_REGISTERS - run.first) return false;
        for (uint32_t i = run.first; run.value && i < run.first + run.n; i++)
            if (reg[i] < run.value) reg[i] = run.value;
    }
    return run.next == v.n && run.first + run.n == HLL_REGISTERS;
}

bool hll_spread(struct hll *h, const uint8_t *reg) {
    struct hll_run from = {0};
    uint32_t r = 0;
    for (; r < HLL_REGISTERS && h->p[4]; r++)
        if (reg[r] && raise(h, (struct hll_place){r, reg[r]}, &from) == HLL_CORRUPT) return false;
    if (!h->p[4]) dense_spread(h->p, reg); /* those that were spread already change nothing any more */
    return true;
}

/* -- estimate ------------------------------------------------------------------------------------------------------------ */

static double sigma(double x) {
    double y = 1, z = x, before;
    if (x == 1) return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (before != z);
    return z;
}

static double tau(double x) {
    double y = 1, z = 1 - x, before;
    if (x == 0 || x == 1) return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (before != z);
    return z / 3;
}

/* From how many registers have which value. */
static uint64_t estimate(const uint32_t have[64]) {
    const double m = HLL_REGISTERS, alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    double z = m * tau((m - have[HASH_BITS + 1]) / m);
    for (int k = HASH_BITS; k >= 1; k--) z = (z + have[k]) * 0.5;
    z += m * sigma(have[0] / m);
    return (uint64_t)llround(alpha * m * m / z);
}

/* Four tables, so that equal values, which follow each other often, do not wait for each other. */
struct histogram {
    uint32_t have[4][64];
};

static inline void histogram_add(struct histogram *h, uint64_t eight) {
    for (int i = 0; i < GROUP; i++) h->have[i & 3][eight >> 8 * i & 63]++;
}

static uint64_t histogram_estimate(struct histogram *h) {
    for (int k = 0; k < 64; k++) h->have[0][k] += h->have[1][k] + h->have[2][k] + h->have[3][k];
    return estimate(h->have[0]);
}

uint64_t hll_count_registers(const uint8_t *reg) {
    struct histogram h = {{{0}}};
    for (uint32_t r = 0; r < HLL_REGISTERS; r += GROUP) {
        uint64_t v;
        memcpy(&v, reg + r, sizeof v);
        histogram_add(&h, v);
    }
    return histogram_estimate(&h);
}

bool hll_count(struct slice v, uint64_t *count) {
    struct histogram h = {{{0}}};
    if (hll_is_dense(v)) {
        const uint8_t *p = (const uint8_t *)v.p + HLL_HEADER;
        for (uint32_t r = 0; r < HLL_REGISTERS; r += GROUP, p += 6) histogram_add(&h, unpack(p));
    } else {
        struct hll_run run = {0};
        while (hll_next_run(v, &run) && run.n <= HLL_REGISTERS - run.first) h.have[0][run.value] += run.n;
        if (run.next != v.n || run.first + run.n != HLL_REGISTERS) return false;
    }
    *count = histogram_estimate(&h);
    return true;
}
