#include "store/calendar.h"

#include <string.h>

/* Of the pages between the first and the last, the one whose neighbours are closest together beside their age. */
static unsigned least_missed(const struct calendar *c, int64_t now) {
    unsigned found = 1;
    double least = 0;
    for (unsigned i = 1; i + 1 < c->n; i++) {
        double gap = (double)(c->page[i + 1].ms - c->page[i - 1].ms) / (double)(now - c->page[i].ms + 1);
        if (i > 1 && gap >= least) continue;
        least = gap;
        found = i;
    }
    return found;
}

void calendar_note_slow(struct calendar *c, uint64_t number, int64_t ms) {
    if (c->n && number < c->page[c->n - 1].number) return;
    if (c->n == CALENDAR_PAGES) {
        unsigned gone = least_missed(c, ms);
        memmove(&c->page[gone], &c->page[gone + 1], (c->n - gone - 1) * sizeof *c->page);
        c->n--;
    }
    c->page[c->n].number = number;
    c->page[c->n++].ms = ms;
}

int64_t calendar_ms(struct calendar *c, uint64_t number) {
    unsigned i = c->near < c->n ? c->near : c->n;
    while (i < c->n && c->page[i].number <= number) i++;
    while (i && c->page[i - 1].number > number) i--;
    c->near = i;
    if (!i) return c->n ? c->page[0].ms : 0;
    if (i == c->n) return c->page[i - 1].ms;
    double share = (double)(number - c->page[i - 1].number) / (double)(c->page[i].number - c->page[i - 1].number);
    return c->page[i - 1].ms + (int64_t)(share * (double)(c->page[i].ms - c->page[i - 1].ms));
}
