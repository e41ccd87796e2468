/* introspect: what the server says about itself: its commands, its figures, its memory, its insides.
 *
 * The rows of COMMAND, INFO, MEMORY and DEBUG stand in introspect.c; their handlers are here. Everything these commands say
 * is read from rows, counters and the store at the moment of asking; nothing is kept. Thread rule: that of handlers (call.h).
 * Nothing is owned but the tasks that DEBUG makes, and those belong to their session.
 */
#ifndef LARDER_COMMAND_INTROSPECT_H
#define LARDER_COMMAND_INTROSPECT_H

#include "command/call.h"

/* introspect.c: the row of "get" or "config|get"; NULL */
const struct command *introspect_named(struct slice name);

/* docs.c */
void docs_run(struct call *c);                                       /* COMMAND DOCS */

/* info.c */
void info_run(struct call *c);                                       /* INFO */

/* memory.c: MEMORY's subcommands, and the figures that INFO shares with it */
void memory_doctor(struct call *c);
void memory_help(struct call *c);
void memory_malloc_stats(struct call *c);
void memory_purge(struct call *c);
void memory_stats(struct call *c);
void memory_usage(struct call *c);

struct memory_figures {
    struct mem_system system;
    uint64_t used, peak, startup, data, index, misc, clients, overhead, dataset, keys, maxmemory;
};
void memory_figures(struct env *e, struct memory_figures *out);
/* Parks the session until the tables of databases first .. end - 1 were looked at, then `done` replies. */
typedef void memory_shapes_done(struct session *s, const struct store_shape *shape, unsigned first);
void memory_shapes(struct call *c, unsigned first, unsigned end, memory_shapes_done *done);
double memory_dataset_percent(const struct memory_figures *f);

/* debug.c */
void debug_run(struct call *c);                                      /* DEBUG, all its words */
void reload_run(struct call *c);                                     /* reload.c: DEBUG RELOAD */
int debug_keys(const struct slice *argv, int argc, int *at, int max); /* which arguments are keys, to be locked */

#endif
