/* entry: header, key and value of one cached thing, in one block of memory.
 *
 *   byte 0      kind: type (3 bits), form (3), has a deadline (1), has an extension (1)
 *   1..4        access: what the eviction policy remembers (see policy.h)
 *   [5..12]     extension, where the kind says so: policy id, flags, 2 spare, references (4, aligned to 4)
 *   1,2,5 bytes key length; 1,2,5 bytes value length (see entry_varint)
 *   [5]         deadline in ms since ENTRY_EPOCH, little endian; ms since 1970 in 8 bytes where the extension says wide
 *   key, value  the value of a collection is a pointer to it
 *
 * Every byte is paid once per key, so nothing is there that is not used. Blocks of up to SLAB_MAX bytes come from the slabs,
 * larger ones from the allocator and always have the extension, because a reply may refer to them while they are replaced:
 * references count such replies, and who drops the last one frees the block.
 * Thread rule: under the lock of the key's shard, but for entry_release. The table owns its entries.
 */
#ifndef LARDER_STORE_ENTRY_H
#define LARDER_STORE_ENTRY_H

#include "base/slice.h"
#include "type/value.h"

enum entry_form {
    FORM_AUTO, /* a string as it was set: OBJECT ENCODING is int, embstr or raw by its looks */
    FORM_TEXT, /* a string that is never called int: embstr or raw */
    FORM_RAW,  /* a string that was edited in place: raw */
    FORM_LZ4,  /* compressed; not made yet */
    FORM_POINTER, /* a collection */
};

enum { ENTRY_DEADLINE = 0x40, ENTRY_EXTENDED = 0x80 };
enum { ENTRY_WIDE = 1 /* 8-byte deadline */ };
#define ENTRY_GONE 0x80000000u /* among the references: out of its table, alive by replies only */

#define ENTRY_EXTENSION 8
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

/* Lengths: 0..127 in one byte, to 16383 in two (10xxxxxx), else 11000000 and four bytes. */
static inline size_t entry_varint_size(size_t v) { return v < 128 ? 1 : v < 16384 ? 2 : 5; }
static inline size_t entry_varint(const uint8_t **p) {
    const uint8_t *q = *p;
    if (q[0] < 128) {
        *p = q + 1;
        return q[0];
    }
    if (q[0] < 192) {
        *p = q + 2;
        return (size_t)(q[0] & 63) << 8 | q[1];
    }
    uint32_t v;
    memcpy(&v, q + 1, sizeof v);
    *p = q + 5;
    return v;
}

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
    unsigned wide = 0;
    p += 5;
    if (__builtin_expect(kind & ENTRY_EXTENDED, 0)) {
        wide = p[1] & ENTRY_WIDE;
        p += ENTRY_EXTENSION;
    }
    out.keylen = entry_varint(&p);
    out.valuelen = entry_varint(&p);
    out.deadline = NULL;
    out.deadline_size = 0;
    if (kind & ENTRY_DEADLINE) {
        out.deadline = p;
        out.deadline_size = wide ? 8 : ENTRY_NARROW;
        p += out.deadline_size;
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
/* A string's bytes. */
static inline struct slice entry_value(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    return (struct slice){p.value, p.valuelen};
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

struct entry_spec {
    enum value_type type;
    enum entry_form form;
    uint32_t access;
    int64_t deadline; /* 0: none */
    struct slice key;
    size_t valuelen;
};

size_t entry_need(const struct entry_spec *spec);             /* bytes of such an entry */
size_t entry_size(const struct entry *e);                     /* bytes it needs, as entry_need says */
size_t entry_memory(const struct entry *e);                   /* bytes its block really takes */
struct entry *entry_new(const struct entry_spec *spec);       /* the value's bytes are not set: see entry_value */
/* May spec, which has the same key, be written over e: is its block of the right size, and does no reply refer to it?
 * `grow`: a block with any room left will do (editing); else it must be about as small as a new one. */
bool entry_can_rewrite(const struct entry *e, const struct entry_spec *spec, bool grow);
/* Writes the header of spec over e's; key and the first `keep` bytes of the value stay what they are. */
void entry_rewrite(struct entry *e, const struct entry_spec *spec, size_t keep);
struct entry *entry_new_roomy(const struct entry_spec *spec); /* as entry_new, with room behind a large value */
struct entry_spec entry_spec_of(const struct entry *e);       /* its key points into e */
void entry_free(struct entry *e);                             /* frees a collection too; waits for references */
void entry_free_block(struct entry *e);                       /* only the block: its collection lives on elsewhere */
bool entry_pin(struct entry *e);                              /* one more reference; false for entries in slabs */
void entry_release(void *e);                                  /* a chain_release: from any thread, without a lock */
bool entry_pinned(const struct entry *e);
const char *entry_encoding(const struct entry *e);            /* as OBJECT ENCODING says it */

#endif
