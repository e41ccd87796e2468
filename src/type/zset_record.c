#include "type/zset_record.h"

#include <endian.h>
#include <float.h>
#include <math.h>

#define INT48 (1ll << 47)

/* v as `bytes` little endian ones behind the tag. */
static uint8_t *put_int(uint8_t *p, enum zset_tag tag, int64_t v, size_t bytes) {
    *p++ = (uint8_t)tag;
    for (size_t i = 0; i < bytes; i++, v >>= 8) *p++ = (uint8_t)v;
    return p;
}

static uint8_t *put_whole(uint8_t *p, int64_t v) {
    if (v >= 0 && v < ZSET_PAIR) {
        *p++ = (uint8_t)v;
        return p;
    }
    if (v >= 0 && v < ZSET_PAIR_END) {
        v -= ZSET_PAIR;
        *p++ = (uint8_t)(ZSET_PAIR + (v >> 8));
        *p++ = (uint8_t)v;
        return p;
    }
    if (v == (int16_t)v) return put_int(p, ZSET_INT16, v, 2);
    if (v >= -(1 << 23) && v < 1 << 23) return put_int(p, ZSET_INT24, v, 3);
    if (v == (int32_t)v) return put_int(p, ZSET_INT32, v, 4);
    return put_int(p, ZSET_INT48, v, 6);
}

uint8_t *zset_record_put_score(uint8_t *p, double v) {
    if (v > (double)-INT48 && v < (double)INT48 && v == (double)(int64_t)v && !(v == 0 && signbit(v)))
        return put_whole(p, (int64_t)v);
    if ((isinf(v) || fabs(v) <= (double)FLT_MAX) && (double)(float)v == v) {
        float f = (float)v;
        *p++ = ZSET_FLOAT;
        memcpy(p, &f, sizeof f);
        return p + sizeof f;
    }
    *p++ = ZSET_DOUBLE;
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

/* Little endian: `low` bytes, then a signed part of `high` ones. */
static inline uint64_t get_word(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    memcpy(&v, p, n);
    return le64toh(v);
}

static inline __attribute__((always_inline)) int64_t get_whole(const uint8_t *p, size_t bytes) {
    if (bytes == 2) return (int16_t)get_word(p, 2);
    if (bytes == 3) return (int64_t)get_word(p, 2) | (int64_t)(int8_t)p[2] * 65536;
    if (bytes == 4) return (int32_t)get_word(p, 4);
    return (int64_t)get_word(p, 4) | (int64_t)(int16_t)get_word(p + 4, 2) * 4294967296;
}

double zset_record_wide_score(const uint8_t *p) {
    float f;
    switch (*p++) {
    case ZSET_INT16: return (double)get_whole(p, 2);
    case ZSET_INT24: return (double)get_whole(p, 3);
    case ZSET_INT32: return (double)get_whole(p, 4);
    case ZSET_INT48: return (double)get_whole(p, 6);
    default:
        memcpy(&f, p, sizeof f);
        return (double)f;
    }
}

/* -- scans: what every command on a member comes through, so with as few branches as it takes ------------------------------ */

#define EIGHT(n) n, n, n, n, n, n, n, n
#define SIXTY_FOUR(n) EIGHT(n), EIGHT(n), EIGHT(n), EIGHT(n), EIGHT(n), EIGHT(n), EIGHT(n), EIGHT(n)
static const uint8_t score_size[256] = {
    SIXTY_FOUR(1), SIXTY_FOUR(1), SIXTY_FOUR(1), EIGHT(2), EIGHT(2), EIGHT(2), EIGHT(2), 3, 4, 5, 7, 5, 9};

/* What is behind the member whose length begins at p. */
static inline const uint8_t *behind(const uint8_t *p) {
    if (__builtin_expect(*p < 128, 1)) return p + 1 + *p;
    zset_record_rest(p, &p);
    return p;
}

/* Members tend to begin alike and to end differently: what they end with is compared first, as one word. */
static inline uint64_t last_word(const uint8_t *end) {
    uint64_t v;
    memcpy(&v, end - sizeof v, sizeof v);
    return v;
}

/* A member of 8 to ZSET_INLINE bytes: it never lies apart, and its length is one byte. */
static const uint8_t *find_usual(const uint8_t *p, const uint8_t *end, struct slice member, uint32_t *index) {
    uint64_t last = last_word((const uint8_t *)member.p + member.n);
    for (uint32_t i = 0; p < end; i++) {
        const uint8_t *rest = p + score_size[*p], *next = behind(rest);
        if (*rest == member.n && last_word(next) == last && !memcmp(rest + 1, member.p, member.n - sizeof last)) {
            *index = i;
            return p;
        }
        p = next;
    }
    return NULL;
}

const uint8_t *zset_record_find(const uint8_t *p, const uint8_t *end, struct slice member, uint32_t *index) {
    const uint8_t *next;
    if (member.n >= 8 && member.n <= ZSET_INLINE) return find_usual(p, end, member, index);
    for (uint32_t i = 0; p < end; p = next, i++) {
        if (!slice_equal(zset_record_rest(p + score_size[*p], &next), member)) continue;
        *index = i;
        return p;
    }
    return NULL;
}

/* The least whole number that is not below the score, or what no whole number in a record reaches. */
static inline int64_t first_not_below(double score) {
    if (score > (double)INT48) return INT48;
    if (score <= (double)-INT48) return -INT48;
    int64_t whole = (int64_t)score; /* towards 0 */
    return whole + ((double)whole < score);
}

/* Neighbours have scores alike, so a run of one width has a loop of its own. Stops before what may not be below. */
static inline __attribute__((always_inline)) const uint8_t *skip_whole(
    const uint8_t *p, const uint8_t *end, enum zset_tag tag, size_t bytes, int64_t limit, uint32_t *i) {
    for (; p < end && *p == tag && get_whole(p + 1, bytes) < limit; ++*i) p = behind(p + 1 + bytes);
    return p;
}
static inline const uint8_t *skip_bytes(const uint8_t *p, const uint8_t *end, int64_t limit, uint32_t *i) {
    unsigned most = limit > ZSET_PAIR ? ZSET_PAIR : (unsigned)limit;
    for (; limit > 0 && p < end && *p < most; ++*i) p = behind(p + 1);
    return p;
}
/* Both bytes in one comparison: what is no pair is no number below `most`. */
static inline const uint8_t *skip_pairs(const uint8_t *p, const uint8_t *end, int64_t limit, uint32_t *i) {
    limit -= ZSET_PAIR;
    uint16_t most = (uint16_t)(limit < 0 ? 0 : limit > ZSET_PAIR_END - ZSET_PAIR ? ZSET_PAIR_END - ZSET_PAIR : limit);
    for (; p < end && (uint16_t)((p[0] << 8 | p[1]) - (ZSET_PAIR << 8)) < most; ++*i) p = behind(p + 2);
    return p;
}

static inline const uint8_t *skip_run(const uint8_t *p, const uint8_t *end, int64_t limit, uint32_t *i) {
    switch (*p) {
    case ZSET_INT16: return skip_whole(p, end, ZSET_INT16, 2, limit, i);
    case ZSET_INT24: return skip_whole(p, end, ZSET_INT24, 3, limit, i);
    case ZSET_INT32: return skip_whole(p, end, ZSET_INT32, 4, limit, i);
    case ZSET_INT48: return skip_whole(p, end, ZSET_INT48, 6, limit, i);
    default: return *p < ZSET_PAIR ? skip_bytes(p, end, limit, i) : skip_pairs(p, end, limit, i);
    }
}

const uint8_t *zset_record_place(const uint8_t *p, const uint8_t *end, double score, struct slice member, uint32_t *index) {
    const uint8_t *next;
    uint32_t i = 0;
    int64_t limit = first_not_below(score);
    while (p < end) {
        const uint8_t *run = p;
        if ((p = skip_run(p, end, limit, &i)) != run) continue;
        if (zset_record_score(p) >= score) break;
        p = behind(p + score_size[*p]);
        i++;
    }
    for (; p < end && zset_record_score(p) == score; p = next, i++)
        if (zset_record_compare(zset_record_rest(p + score_size[*p], &next), member) >= 0) break;
    *index = i;
    return p;
}

uint32_t zset_record_below_score(const uint8_t *p, const uint8_t *end, double score, bool after) {
    uint32_t i = 0;
    for (; p < end; p = behind(p + score_size[*p]), i++) {
        double s = zset_record_score(p);
        if (s > score || (s == score && !after)) break;
    }
    return i;
}

uint32_t zset_record_below_bytes(const uint8_t *p, const uint8_t *end, struct slice bytes, bool after) {
    const uint8_t *next;
    uint32_t i = 0;
    for (; p < end; p = next, i++) {
        int d = zset_record_compare(zset_record_member(p, &next), bytes);
        if (d > 0 || (d == 0 && !after)) break;
    }
    return i;
}
