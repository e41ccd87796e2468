/* agenda: what of a segment is due within the next half minute, so that expiry need not read all its entries each time one is.
 *
 * Items are (time, tag) in ascending order: the earliest `room` of those before `until`; whatever does not fit moves `until`
 * nearer. An item is a hint: the entry may be gone, or due later; who comes to it looks. So an entry whose deadline moves away
 * needs no new item, and one that goes takes none with it.
 *
 *   now                     until = now + AGENDA_MS, or the first that found no room
 *   |--x--x-x----x---x-----|........................ beyond: deadlines that are not on it (see segment.h)
 *
 * Thread rule: under the shard's lock. The segment owns its agenda.
 */
#ifndef LARDER_STORE_AGENDA_H
#define LARDER_STORE_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENDA_MS 30000 /* how far it looks; under 2^16 */
#define AGENDA_ROOM_MAX 128
#define AGENDA_NEVER INT64_MAX

struct agenda {
    int64_t base, until;       /* ms; base: of the items' times */
    uint16_t first, end, room;
    uint32_t item[];           /* time - base in the upper half, tag in the lower one */
};
#define AGENDA_BYTES(room) (sizeof(struct agenda) + (room) * sizeof(uint32_t))

struct agenda *agenda_new(unsigned room);
void agenda_start(struct agenda *a, unsigned room, int64_t now);
/* A block of its own with the same items and some room for more. */
struct agenda *agenda_keep(const struct agenda *a);
void agenda_free(struct agenda *a);
/* False: no room for it, or for another one behind it; `until` has moved and nothing from there on is on the agenda. */
bool agenda_add(struct agenda *a, uint32_t tag, int64_t due);
unsigned agenda_take(struct agenda *a, int64_t now, uint16_t tag[AGENDA_ROOM_MAX]); /* takes the items up to now off */

static inline int64_t agenda_time(const struct agenda *a, unsigned i) { return a->base + (a->item[i] >> 16); }
static inline int64_t agenda_next(const struct agenda *a) { return a->first < a->end ? agenda_time(a, a->first) : AGENDA_NEVER; }

#endif
