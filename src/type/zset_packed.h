/* zset_packed: where the records of a packed zset are: behind two bytes that say how many they are. No bytes: it is empty.
 *
 * For zset*.c only. Thread rule and ownership: as type/home.h.
 */
#ifndef LARDER_TYPE_ZSET_PACKED_H
#define LARDER_TYPE_ZSET_PACKED_H

#include "type/zset.h"
#include "type/zset_tree.h"

#define ZSET_PACKED_HEAD 2

static inline uint32_t zset_packed_count(const struct home *h) {
    uint16_t n = 0;
    if (h->n) memcpy(&n, h->p, sizeof n);
    return n;
}
static inline const uint8_t *zset_packed_begin(const struct home *h) { return h->n ? h->p + ZSET_PACKED_HEAD : h->p; }
static inline const uint8_t *zset_packed_end(const struct home *h) { return home_end(h); }

#endif
