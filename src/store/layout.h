/* layout: where the parts of an entry lie in its block, and how they are read; what they are for is told in entry.h.
 *
 * Everything here is inline because every command reads it. Thread rule: under the lock of the key's shard.
 */
#ifndef LARDER_STORE_LAYOUT_H
#define LARDER_STORE_LAYOUT_H

#include "base/slice.h"
#include "base/varint.h"
#include "store/packed.h"
#include "type/value.h"

enum entry_form {
    FORM_AUTO, /* a string as it was set: OBJECT ENCODING is int, embstr or raw by its looks */
    FORM_TEXT, /* a string that is never called int: embstr or raw */
    FORM_RAW,  /* a string that was edited in place: raw */
    FORM_LZ4,  /* a string as it was set, compressed: see store/packed.h */
    FORM_POINTER = VALUE_OBJECT, /* a collection: the value is a pointer to it */
    FORM_PACKED = VALUE_PACKED,  /* a collection in the value's bytes, one of two ways: see type/home.h */
    FORM_PACKED_ALT = VALUE_PACKED_ALT,
};

enum { ENTRY_DEADLINE = 0x40, ENTRY_EXTENDED = 0x80 };
#define ENTRY_GONE 0x80000000u /* among the references: out of its table, alive by replies only */

#define ENTRY_EXTENSION 15
#define ENTRY_WIDE_AT 12 /* where an extended entry has its deadline */
#define ENTRY_EPOCH 1577836800000ll /* 2020: five bytes reach to 2054 */
#define ENTRY_NARROW 5
#define ENTRY_MAX_KEY ((size_t)512 << 20)

struct entry; /* unsigned char[] */

static inline uint8_t entry_kind(const struct entry *e) { return *(const uint8_t *)e; }
static inline enum value_type entry_type(const struct entry *e) { return (enum value_type)(entry_kind(e) & 7); }
static inline enum entry_form entry_form(const struct entry *e) { return (enum entry_form)(entry_kind(e) >> 3 & 7); }
static inline uint32_t entry_access(const struct entry *e) {
    uint32_t v;
    memcpy(&v, (const char *)e + 1, sizeof v);
    return v;
}
static inline void entry_set_access(struct entry *e, uint32_t v) { memcpy((char *)e + 1, &v, sizeof v); }

/* An entry's parts, found by one pass over its header. */
struct entry_parts {
    const char *key, *value;
    size_t keylen, valuelen;
    const uint8_t *deadline; /* NULL where there is none */
    unsigned deadline_size;
};

static inline struct entry_parts entry_parts(const struct entry *e) {
    struct entry_parts out;
    const uint8_t *p = (const uint8_t *)e;
    uint8_t kind = p[0];
    p += __builtin_expect(kind & ENTRY_EXTENDED, 0) ? 5 + ENTRY_EXTENSION : 5;
    out.keylen = varint_get(&p);
    out.valuelen = varint_get(&p);
    out.deadline = NULL;
    out.deadline_size = 0;
    if (kind & ENTRY_DEADLINE) {
        bool narrow = !(kind & ENTRY_EXTENDED);
        out.deadline = narrow ? p : (const uint8_t *)e + ENTRY_WIDE_AT;
        out.deadline_size = narrow ? ENTRY_NARROW : 8;
        if (narrow) p += ENTRY_NARROW;
    }
    out.key = (const char *)p;
    out.value = (const char *)p + out.keylen;
    return out;
}

/* 0: none. */
static inline int64_t entry_parts_deadline(const struct entry_parts *p) {
    if (!p->deadline) return 0;
    int64_t v = 0;
    if (p->deadline_size == ENTRY_NARROW) {
        memcpy(&v, p->deadline, ENTRY_NARROW);
        return v + ENTRY_EPOCH;
    }
    memcpy(&v, p->deadline, sizeof v);
    return v;
}

static inline struct slice entry_key(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    return (struct slice){p.key, p.keylen};
}
/* A string's bytes as they lie: of one of FORM_LZ4 they are not the string. */
static inline struct slice entry_value(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    return (struct slice){p.value, p.valuelen};
}
static inline bool entry_packed(const struct entry *e) { return entry_form(e) == FORM_LZ4; }
/* Bytes of a string, whether it is packed or not. */
static inline size_t entry_length(const struct entry *e) {
    struct slice v = entry_value(e);
    return __builtin_expect(entry_packed(e), 0) ? packed_length(v) : v.n;
}
static inline int64_t entry_deadline(const struct entry *e) {
    if (!(entry_kind(e) & ENTRY_DEADLINE)) return 0;
    struct entry_parts p = entry_parts(e);
    return entry_parts_deadline(&p);
}
/* A collection. */
static inline void *entry_pointer(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    void *v;
    memcpy(&v, p.value, sizeof v);
    return v;
}

#endif
