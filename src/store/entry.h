/* entry: header, key and value of one cached thing, in one block of memory.
 *
 *   byte 0      kind: type (3 bits), form (3), has a deadline (1), has an extension (1)
 *   1..4        access: what the eviction policy remembers (see policy.h)
 *   [5..19]     extension, where the kind says so: policy id, stale window (2), references (4, aligned to 4), deadline in ms since 1970 (8)
 *   1,2,5 bytes key length; 1,2,5 bytes value length (base/varint.h)
 *   [5]         deadline in ms since ENTRY_EPOCH, little endian, unless it is in the extension
 *   key, value  the value of a collection is its packed bytes, or a pointer to its object (type/home.h)
 *
 * Every byte is paid once per key, so nothing is there that is not used. Blocks of up to SLAB_MAX bytes come from the slabs,
 * larger ones from the allocator and always have the extension: a deadline can come and go without moving their bytes, and a
 * reply may refer to them while they are replaced: references count such replies, and who drops the last one frees the block.
 * Thread rule: under the lock of the key's shard, but for entry_release. The table owns its entries.
 */
#ifndef LARDER_STORE_ENTRY_H
#define LARDER_STORE_ENTRY_H

#include "store/layout.h"

struct entry_spec {
    enum value_type type;
    enum entry_form form;
    uint32_t access;
    int64_t deadline; /* 0: none */
    struct slice key;
    size_t valuelen;
    size_t plain; /* of FORM_LZ4: length of the string that the value's bytes are */
    int64_t stale; /* ms for which the value is of use behind its deadline, about; 0: none */
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
/* The same entry under another key, which does not lie in it, in the same block: false where entry_can_rewrite says so of that. */
bool entry_rename(struct entry *e, struct slice key);
#define ENTRY_ROOMY 8 /* part of its length that an edited value gets as room to grow */
struct entry *entry_new_roomy(const struct entry_spec *spec); /* as entry_new, with that room */
/* Sets the deadline where it is, whoever refers to the value; false: the header has no place for it, or the block is not large. */
bool entry_set_deadline(struct entry *e, int64_t deadline);
struct entry_spec entry_spec_of(const struct entry *e);       /* its key points into e */
void entry_free(struct entry *e);                             /* gives up its reference to an object; waits for its own */
void entry_free_block(struct entry *e);                       /* only the block: its collection lives on elsewhere */
bool entry_pin(struct entry *e);                              /* one more reference; false for entries in slabs */
void entry_release(void *e);                                  /* a chain_release: from any thread, without a lock */
bool entry_pinned(const struct entry *e);
#define ENTRY_STALE_MAX (4095ll << 15) /* ms */
int64_t entry_stale(const struct entry *e);                   /* as it is kept: a little more than was asked for */
const char *entry_encoding(const struct entry *e);            /* as OBJECT ENCODING says it */
struct home entry_home(const struct entry *e);                /* of a collection, for reading; without limits and seed */
int64_t entry_due_inside(const struct entry *e);
/* When expiry has something to do with it: its deadline, or the earliest of its members'; 0: never. */
static inline int64_t entry_due(const struct entry *e) {
    return entry_type(e) == VALUE_HASH ? entry_due_inside(e) : entry_deadline(e);
}

#endif
