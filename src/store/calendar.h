/* calendar: what time it was when a clock that does not count time showed a number.
 *
 * A few pages, each with a number and the time; between two of them the clock is taken to have run evenly. When they are full the
 * page goes that is missed least: so they lie close together where they are new, and apart in proportion to their age.
 * Thread rule: a calendar belongs to one thread. A zeroed one is empty.
 */
#ifndef LARDER_STORE_CALENDAR_H
#define LARDER_STORE_CALENDAR_H

#include <stdint.h>

#define CALENDAR_PAGES 48

struct calendar {
    unsigned n, near; /* pages; where the last one asked for was */
    struct {
        uint64_t number;
        int64_t ms;
    } page[CALENDAR_PAGES];
};

void calendar_note_slow(struct calendar *c, uint64_t number, int64_t ms);
/* At most one page in 100 ms; numbers and times must not go down. */
static inline void calendar_note(struct calendar *c, uint64_t number, int64_t ms) {
    if (!c->n || ms - c->page[c->n - 1].ms >= 100) calendar_note_slow(c, number, ms);
}
int64_t calendar_ms(struct calendar *c, uint64_t number); /* the first page's time if that is older; the last one's if newer */

#endif
