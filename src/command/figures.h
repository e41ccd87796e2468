/* figures: how the cache does, one row per figure; CACHE STATS and INFO's section are walks over them.
 *
 * Counters are read from the lanes at the moment of asking. A figure that is kept per policy one day needs no other row: its
 * counters lie in struct store_stats, of which there can be several.
 * Thread rule: any lane. Nothing is owned.
 */
#ifndef LARDER_COMMAND_FIGURES_H
#define LARDER_COMMAND_FIGURES_H

#include "command/env.h"

struct figure {
    const char *name;
    bool real;      /* a number with a fraction, or a whole one? */
    double number;
    uint64_t count;
};

typedef void figures_take(void *arg, const struct figure *f);
size_t figures_each(struct env *e, figures_take *take, void *arg); /* in the order of the rows; take may be NULL. How many there are */

#endif
