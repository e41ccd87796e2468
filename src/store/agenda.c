#include "store/agenda.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

struct agenda *agenda_new(unsigned room) { return mem_alloc(MEM_INDEX, AGENDA_BYTES(room)); }

void agenda_start(struct agenda *a, unsigned room, int64_t now) {
    *a = (struct agenda){.base = now, .until = now + AGENDA_MS, .room = (uint16_t)room};
}

struct agenda *agenda_keep(const struct agenda *a) {
    unsigned n = a->end - a->first, room = n + n / 4 + 8;
    if (room > AGENDA_ROOM_MAX) room = AGENDA_ROOM_MAX;
    struct agenda *out = agenda_new(room);
    *out = (struct agenda){.base = a->base, .until = a->until, .end = (uint16_t)n, .room = (uint16_t)room};
    memcpy(out->item, a->item + a->first, n * sizeof *a->item);
    return out;
}

void agenda_free(struct agenda *a) { mem_free(MEM_INDEX, a); }

/* Where it belongs: most come last. */
static unsigned place_of(const struct agenda *a, uint32_t item) {
    unsigned low = a->first, high = a->end;
    if (low == high || a->item[high - 1] <= item) return high;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (a->item[middle] <= item) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Room at the end, by closing up or by giving up the last one. */
static bool make_room(struct agenda *a) {
    if (a->first) {
        memmove(a->item, a->item + a->first, (size_t)(a->end - a->first) * sizeof *a->item);
        a->end -= a->first;
        a->first = 0;
        return true;
    }
    if (a->end) a->until = agenda_time(a, --a->end);
    return false;
}

bool agenda_add(struct agenda *a, uint32_t tag, int64_t due) {
    assert(due < a->until);
    uint32_t item = (due > a->base ? (uint32_t)(due - a->base) << 16 : 0) | tag;
    unsigned at = place_of(a, item);
    if (at > a->first && a->item[at - 1] == item) return true; /* it is there already */
    bool all = true;
    if (a->end == a->room) {
        if (!a->first && at == a->end) {
            a->until = due;
            return false;
        }
        at -= a->first;
        all = make_room(a);
    }
    memmove(a->item + at + 1, a->item + at, (size_t)(a->end - at) * sizeof *a->item);
    a->item[at] = item;
    a->end++;
    return all;
}

unsigned agenda_take(struct agenda *a, int64_t now, uint16_t tag[AGENDA_ROOM_MAX]) {
    unsigned n = 0;
    while (a->first < a->end && agenda_time(a, a->first) <= now) tag[n++] = (uint16_t)a->item[a->first++];
    if (a->first == a->end) a->first = a->end = 0;
    return n;
}
