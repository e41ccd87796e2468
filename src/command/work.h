/* work: what a command does after its locks are gone: walks over large collections, in slices, while other connections go on.
 *
 * The collections that it reads are held as they are (type/home.h): other commands may read them, delete or replace their keys,
 * but who wants to change one waits until the work is over. So a reply made in slices is of one moment, as Redis's.
 * A small (packed) collection is copied by work_keep.
 *
 *   struct gather { struct work work; ... };
 *   struct gather *g = work_new(c, sizeof *g, gather_on, gather_drop);
 *   g->set = work_keep(&g->work, &h);              a home to read from, good until the work is dropped
 *   work_start(c, &g->work);                       the first slice is done at once; nothing may be done with c afterwards
 *
 * Thread rule: the session's thread. The work owns its references and copies, and frees itself.
 */
#ifndef LARDER_COMMAND_WORK_H
#define LARDER_COMMAND_WORK_H

#include "command/collection.h"

struct work;
/* Goes on until it is over (true: it has replied to s) or work_over says so. The first time it runs inside the call, under its
 * locks, later with no lock. */
typedef bool work_on(struct work *w, struct session *s);

struct work_kept;
struct work {
    struct task task;
    struct store *store;
    unsigned db;
    work_on *on;
    void (*drop)(struct work *w);    /* frees what it has besides; may be NULL */
    uint64_t until;                  /* ticks */
    struct view *view;               /* the call's, while it runs inside the call; NULL later */
    struct call *call;               /* the same */
    bool wrote;                      /* work_put did: maxmemory is looked at once more */
    bool aside;                      /* set where data is made only to be replied: it is no part of maxmemory (mem_aside) while `on` is at it */
    bool makes;                      /* set where data is made to be stored: there is room for it before each slice, or an error */
    bool must;                       /* with makes: what frees memory in the end goes on even where nothing can be evicted ... */
    bool pressed;                    /* ... as in this slice */
    struct work_kept *kept;
    struct chain body;               /* a reply whose head comes last gathers here: */
    struct resp_writer w;            /* writes to body, in the session's protocol */
};

void *work_new(struct call *c, size_t size, work_on *on, void (*drop)(struct work *w)); /* zeroed behind struct work */
const struct home *work_keep(struct work *w, const struct holder *h);
void work_start(struct call *c, struct work *w);
/* An error instead of a reply: in the call it is the call's, later the session's. */
void work_error(struct work *w, struct session *s, const char *text);
bool work_over(const struct work *w); /* is the slice over? ask every ten microseconds or so */
/* Puts a result (made in a home of home_init_own, or empty: then the key is deleted) at `key`, whatever was there, and says so by `event`; the object is
 * the key's from now on, the bytes stay the caller's. Takes the lock if there is none. Returns how many members it has. */
size_t work_put(struct work *w, struct session *s, struct slice key, enum value_type t, struct home *made, const char *event);
/* What it does at the key in a view that holds its lock. */
size_t work_store(struct view *v, const struct key *k, enum value_type t, const struct home *made, const char *event);

#endif
