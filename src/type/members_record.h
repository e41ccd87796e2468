/* members_record: how a member lies in a bucket, as members.c draws it.
 *
 * For members*.c only. What is read points into the record and is good until it changes. Thread rule and ownership: as members.h.
 */
#ifndef LARDER_TYPE_MEMBERS_RECORD_H
#define LARDER_TYPE_MEMBERS_RECORD_H

#include "type/members.h"

#define INLINE_MAX 120
#define WITH_DUE 0x80
#define LONG 0xff
#define LONG_SIZE (1 + sizeof(uint8_t *))
#define DUE_SIZE 6

static inline int64_t read_due(const uint8_t *p) {
    int64_t due = 0;
    for (unsigned i = 0; i < DUE_SIZE; i++) due |= (int64_t)p[i] << (8 * i);
    return due;
}

static inline size_t record_size(const uint8_t *p, bool values) {
    if (__builtin_expect(p[0] == LONG, 0)) return LONG_SIZE;
    return values ? 2 + (p[0] & 0x7fu) + p[1] + (p[0] & WITH_DUE ? DUE_SIZE : 0) : 1u + p[0];
}

static inline bool is_long(const struct member *what) { return what->name.n + what->value.n + (what->due ? DUE_SIZE : 0) > INLINE_MAX; }

static inline uint8_t *long_block(const uint8_t *record) {
    uint8_t *block;
    memcpy(&block, record + 1, sizeof block);
    return block;
}

static inline bool has_due(const uint8_t *p) { return p[0] == LONG ? *long_block(p) : (p[0] & WITH_DUE) != 0; }

static inline void read_long(const uint8_t *record, struct member *out) {
    const uint8_t *p = long_block(record);
    bool due = *p++;
    out->name.n = varint_get(&p);
    out->value.n = varint_get(&p);
    out->due = due ? read_due(p) : 0;
    if (due) p += DUE_SIZE;
    out->name.p = (const char *)p;
    out->value.p = (const char *)p + out->name.n;
}

static inline __attribute__((always_inline)) void read_record(const uint8_t *p, bool values, struct member *out) {
    if (__builtin_expect(p[0] == LONG, 0)) {
        read_long(p, out);
        return;
    }
    size_t n = p[0] & 0x7f;
    out->name = (struct slice){(const char *)p + (values ? 2 : 1), n};
    out->value = (struct slice){out->name.p + n, values ? p[1] : 0};
    out->due = p[0] & WITH_DUE ? read_due((const uint8_t *)out->value.p + out->value.n) : 0;
}

static inline uint8_t *put_due(uint8_t *p, int64_t due) {
    for (unsigned i = 0; i < DUE_SIZE; i++) p[i] = (uint8_t)(due >> (8 * i));
    return p + DUE_SIZE;
}

static inline uint8_t *put_slice(uint8_t *p, struct slice s) {
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

#endif
