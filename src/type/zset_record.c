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

double zset_record_wide_score(const uint8_t *p) {
    float f;
    switch (*p++) {
    case ZSET_INT16:
        return (double)(int16_t)get_word(p, 2);
    case ZSET_INT24:
        return (double)((int64_t)get_word(p, 2) | (int64_t)(int8_t)p[2] * 65536);
    case ZSET_INT32:
        return (double)(int32_t)get_word(p, 4);
    case ZSET_INT48:
        return (double)((int64_t)get_word(p, 4) | (int64_t)(int16_t)get_word(p + 4, 2) * 4294967296);
    default:
        memcpy(&f, p, sizeof f);
        return (double)f;
    }
}

/* Members tend to begin alike and to end differently: what they end with is compared first, as one word. */
static inline uint64_t last_word(const char *p, size_t n) {
    uint64_t v;
    memcpy(&v, p + n - sizeof v, sizeof v);
    return v;
}

const uint8_t *zset_record_find(const uint8_t *p, const uint8_t *end, struct slice member, uint32_t *index) {
    uint64_t last = member.n >= 8 ? last_word(member.p, member.n) : 0;
    const uint8_t *next;
    uint32_t i = 0;
    for (; p < end; p = next, i++) {
        struct slice m = zset_record_member(p, &next);
        if (m.n != member.n) continue;
        if (m.n >= 8 ? last_word(m.p, m.n) == last && (m.n == 8 || !memcmp(m.p, member.p, m.n - 8))
                     : !m.n || !memcmp(m.p, member.p, m.n)) {
            *index = i;
            return p;
        }
    }
    return NULL;
}

const uint8_t *zset_record_place(const uint8_t *p, const uint8_t *end, double score, struct slice member, uint32_t *index) {
    const uint8_t *next;
    uint32_t i = 0;
    for (; p < end; p = next, i++) {
        double s = zset_record_score(p);
        if (s > score) break;
        struct slice m = zset_record_member(p, &next);
        if (s == score && zset_record_compare(m, member) >= 0) break;
    }
    *index = i;
    return p;
}

uint32_t zset_record_below_score(const uint8_t *p, const uint8_t *end, double score, bool after) {
    uint32_t i = 0;
    for (; p < end; p = zset_record_next(p), i++) {
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
