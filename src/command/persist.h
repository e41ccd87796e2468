/* persist: when the keys are saved to disk and by whom: SAVE, BGSAVE, save points, and the save at a shutdown.
 *
 * snapshot/saver.h does the saving. Here is decided when: on command; by `save` points, ten times a second; once more after one that
 * could not begin (scheduled); and before the daemon ends. A shutdown holds back writes first, so that what is on disk is what
 * the last client saw: a cache that starts from an older state would serve what was deleted since.
 * Thread rule: any thread, no lock of the store held; persist_tick from one thread. The env owns its persist.
 */
#ifndef LARDER_COMMAND_PERSIST_H
#define LARDER_COMMAND_PERSIST_H

#include "command/env.h"
#include "snapshot/saver.h"

enum { SNAPSHOT_AUTO, SNAPSHOT_NATIVE, SNAPSHOT_RDB }; /* values of snapshot_format */

struct persist;

struct persist *persist_new(struct env *e); /* once the store stands */
void persist_stop(struct env *e);           /* steps what runs to its end, without a file; the host is there, but serves no more */
void persist_free(struct persist *p);

/* False: one is running, or it cannot begin. */
bool persist_start(struct env *e);
/* Why the file may not be written over: it is still being loaded, or could not be (snapshot/warmup.h). NULL: it may. */
const char *persist_guarded(struct env *e);
bool persist_path(struct env *e, struct buf *out); /* of the file that is saved to; false: the folder cannot be found out */
void persist_schedule(struct env *e);       /* as soon as none is running */
void persist_abandon(struct env *e);        /* what is being written is not worth having */
void persist_flushed(struct env *e);        /* by FLUSHALL: where there are save points, a file with nothing in it is */
void persist_tick(struct env *e);           /* ten times a second: save points, what is scheduled, a shutdown under way */
void persist_facts(struct env *e, struct saver_facts *out);
uint64_t persist_changes(struct env *e);    /* since the last save that was written */
/* Are writes to be refused, as stop-writes-on-bgsave-error says? */
static inline bool persist_refuses(const struct env *e) {
    return atomic_load_explicit(&e->save_failed, memory_order_relaxed) && option_get(&e->config.stop_writes) &&
           option_get(&e->config.save_points);
}

/* -- shutting down (shutdown.c) ------------------------------------------------------------------------------------------------- */
enum shutdown_save { SHUTDOWN_DEFAULT /* if there are save points */, SHUTDOWN_SAVE, SHUTDOWN_NOSAVE };
enum shutdown_state { SHUTDOWN_NONE, SHUTDOWN_UNDER_WAY, SHUTDOWN_FAILED /* asked once; then there is none */, SHUTDOWN_GOES };

struct shutdown;
struct shutdown *shutdown_new(void);
void shutdown_free(struct shutdown *s);
/* Begins, or joins the one under way. It ends with host->shutdown, or fails; `force`: it ends whether it can be saved or not. */
void shutdown_begin(struct env *e, enum shutdown_save how, bool now, bool force);
enum shutdown_state shutdown_step(struct env *e); /* goes on, if it can */
bool shutdown_abort(struct env *e);               /* false: there is none */
bool shutdown_under_way(const struct env *e);

#endif
