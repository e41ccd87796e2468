/* home: where a collection lives: packed into bytes that lie in its key's entry, or as an object of its own.
 *
 * A structure's functions take a home and do not know which entry, key or lock is behind it: bytes grow and shrink through
 * `resize`, which the holder (store/holder.h) provides. A packed collection of no bytes is empty and is how a new one begins.
 * Packed forms never exceed HOME_MAX bytes: what would, becomes an object, whatever the limits say; OBJECT ENCODING goes by
 * the limits (Redis's thresholds), not by what is used inside.
 *
 * Objects begin with struct value_object. Whoever reads one after its lock is gone (a reply made in slices) holds a reference;
 * while anybody but the entry does, the object is not changed: who wants to waits (command/collection.h).
 * Thread rule: a home is touched under the lock of its key's shard; a held object is read from anywhere.
 */
#ifndef LARDER_TYPE_HOME_H
#define LARDER_TYPE_HOME_H

#include "base/mem.h"
#include "base/option.h"
#include "base/varint.h"

#define HOME_HEAD_MAX 16 /* bytes that a packed collection without members may have, at most */
#define HOME_MAX 3584 /* bytes of a packed collection: with header and key it stays in the slabs */

enum value_form { VALUE_OBJECT = 4, VALUE_PACKED = 5, VALUE_PACKED_ALT = 6 }; /* what the two packed ones mean is the type's matter */

/* Redis's thresholds between its compact and its large encodings; options of the same names. */
struct type_limits {
    setting hash_entries, hash_value;           /* hash-max-listpack-* */
    setting set_ints, set_entries, set_value;   /* set-max-intset-entries, set-max-listpack-* */
    setting zset_entries, zset_value;           /* zset-max-listpack-* */
    setting list_size, list_depth;              /* list-max-listpack-size, list-compress-depth */
    setting hll_sparse_bytes;                   /* hll-sparse-max-bytes */
};

void home_limits_default(struct type_limits *l); /* Redis 7.2's */

struct value_object {
    _Atomic uint32_t refs; /* 1: the entry's own */
    uint8_t kind;          /* of a type whose objects are of several kinds: its own matter */
};

struct home {
    uint8_t *p;      /* packed: n bytes are used; may be NULL when n is 0 */
    size_t n, room;  /* room: bytes there are at p */
    void *object;    /* the large form, else NULL; who converts sets it, and n to 0 */
    enum value_form form; /* VALUE_OBJECT exactly if object is set */
    const struct type_limits *limits;
    uint64_t seed;   /* for hashing members */
    /* Sets p and room (>= the wanted), the first n bytes kept. NULL: the home is for reading only. */
    void (*resize)(struct home *h, size_t room);
};

/* Behind the last byte; p may be NULL where there is none. */
static inline uint8_t *home_end(const struct home *h) { return h->n ? h->p + h->n : h->p; }
/* Makes k more bytes usable at p + n. */
static inline void home_grow(struct home *h, size_t k) {
    if (h->n + k > h->room) h->resize(h, h->n + k);
}
/* Opens a gap of k bytes at `at`; they are used from now on. */
static inline uint8_t *home_insert(struct home *h, size_t at, size_t k) {
    home_grow(h, k);
    uint8_t *gap = h->p + at;
    memmove(gap + k, gap, h->n - at);
    h->n += k;
    return gap;
}
static inline void home_remove(struct home *h, size_t at, size_t k) {
    memmove(h->p + at, h->p + at + k, h->n - at - k);
    h->n -= k;
}
/* Makes the `old` bytes at `at` into k, whose contents are the caller's to write. */
static inline uint8_t *home_resize_part(struct home *h, size_t at, size_t old, size_t k) {
    if (k > old) home_insert(h, at + old, k - old);
    else if (k < old) home_remove(h, at + k, old - k);
    return h->p + at;
}
/* Goes over to the large form. */
static inline void home_become(struct home *h, void *object) {
    h->object = object;
    h->form = VALUE_OBJECT;
    h->n = 0;
}

/* A home outside of any key, for results that are made before they are stored: its bytes are of MEM_MISC. */
void home_init_own(struct home *h, const struct type_limits *limits, uint64_t seed);
void home_free_bytes(struct home *h); /* not the object */

static inline void value_object_init(void *object) {
    atomic_init(&((struct value_object *)object)->refs, 1);
    ((struct value_object *)object)->kind = 0;
}
static inline void value_hold(void *object) {
    atomic_fetch_add_explicit(&((struct value_object *)object)->refs, 1, memory_order_relaxed);
}
/* Does anybody but the entry read it? */
static inline bool value_held(const void *object) {
    return atomic_load_explicit(&((struct value_object *)(uintptr_t)object)->refs, memory_order_acquire) > 1;
}
/* True: that was the last reference, and the caller has to free it. */
static inline bool value_release(void *object) {
    return atomic_fetch_sub_explicit(&((struct value_object *)object)->refs, 1, memory_order_acq_rel) == 1;
}

#endif
