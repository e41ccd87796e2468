/* tracking: clients that are told when what they have read changes (CLIENT TRACKING).
 *
 *   a reader's command, under the shard's lock --tracking_read--> table of the shard: key -> who has read it
 *   a change, under the same lock ----------tracking_changed----> letters to the readers' lanes; the key is forgotten
 *                                                               > the lane's list for those who track prefixes (BCAST)
 *
 * Since reading and being noted are one under the lock, no change behind a read is missed. Databases are not told apart, as in Redis.
 * Who has gone stays in the tables until the background comes by, and is told nothing.
 * Thread rule: tables under their shard's lock; a session's tracking on its lane. The env owns the tables, they refer to readers.
 */
#ifndef LARDER_COMMAND_TRACKING_H
#define LARDER_COMMAND_TRACKING_H

#include "command/call.h"

struct tracks;
struct track_lane;
struct reach;

struct tracking { /* a session's */
    struct reach *self;   /* what tables refer to; NULL: tracking is off */
    struct reach *target; /* REDIRECT; NULL: none */
    uint64_t redirect;    /* its id; 0: none */
    bool bcast, optin, optout, noloop;
    bool caching;         /* CLIENT CACHING was called just before */
    bool broken;          /* the target has gone */
};

struct tracks *tracks_new(void);
void tracks_free(struct tracks *ts); /* all sessions have ended */
struct track_lane *track_lane_new(void);
void track_lane_free(struct track_lane *tl);

/* -- under the lock of the keys' shards ----------------------------------------------------------------------------------------- */
void tracking_read(struct session *s, const struct view *v, const struct key *key, int keys); /* it has read them, with a command that only reads */
void tracking_changed(struct lane *l, const struct key *k, bool own); /* own: by the command at work */

/* -- no lock held ---------------------------------------------------------------------------------------------------------------- */
void tracking_settle(struct lane *l);
void tracking_flushed(struct lane *l); /* at the next settling: nothing that was read is true any more; any locks */
void tracking_invalidated(struct lane *l, struct slice pattern);
bool tracking_step(struct lane *l, int64_t slice_us); /* background: forgets who has gone. Is there more to do? */

/* -- a session's: its lane -------------------------------------------------------------------------------------------------------- */
void tracking_on(struct session *s, const struct tracking *how, const struct slice *prefix, size_t prefixes); /* takes how->target */
void tracking_off(struct session *s);
void tracking_end(struct session *s); /* the session ends */
void tracking_after(struct session *s, const struct command *c); /* a request of it is over; NULL: of no known command */

struct tracking_facts {
    uint64_t clients, keys, items;
};
struct tracking_facts tracking_facts(const struct env *e);

/* CLIENT's (track_client.c) */
void tracking_run(struct call *c);
void tracking_caching(struct call *c);
void tracking_info(struct call *c);
void tracking_getredir(struct call *c);

#endif
