/* tell: what has happened to keys, for who watches the store (watch.h), and how much has changed.
 *
 * Thread rule: the key's shard is locked.
 */
#ifndef LARDER_STORE_TELL_H
#define LARDER_STORE_TELL_H

#include "store/inside.h"

void store_event(struct store *s, struct store_stats *stats, enum store_event event, unsigned db, const struct entry *e);
void store_event_of(struct store *s, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k,
    const struct entry *e); /* whose key that is */
void store_expired(struct store *s, unsigned db, const struct entry *e, int64_t now, struct store_stats *stats); /* it is about to go */
void store_tell(struct store *s, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k);
static inline bool store_watched(const struct store *s) {
    return __builtin_expect(atomic_load_explicit(&s->watched, memory_order_relaxed) != 0, 0);
}
/* The key has changed. */
static inline void view_tell(struct view *v, const struct key *k, enum store_event event) {
    if (store_watched(v->store)) store_tell(v->store, v->stats, event, v->db, k);
}

static inline void view_written(struct view *v, const struct key *k) {
    counter_add(&v->stats->changes, 1);
    view_tell(v, k, STORE_WRITTEN);
}

#endif
