/* lease: who loads what is missing, and who waits for it (doc/feed-and-leases.md).
 *
 * A key that somebody has the lease of, or waits for, has a struct lease, in the key's shard; there is none otherwise. Its token is void
 * (0) once the key has changed: the hook of changes.c sees to that, under the shard's lock, and lease_settle looks afterwards, with
 * the command over, who is next: all that wait if the key is there, else the first of them, who gets the lease.
 * A fetch that waits belongs to its session's task; who serves it does so under the shard's lock and then tells its lane by a letter.
 *
 * Thread rule: leases and queues under the lock of their shard; a fetch's task, session and the book on its lane. References of a
 * fetch: one of the task's, one of each letter under way.
 */
#ifndef LARDER_COMMAND_LEASE_H
#define LARDER_COMMAND_LEASE_H

#include "command/call.h"
#include "command/mail.h"
#include "command/thaw.h"

struct leases;
struct lease_book; /* what a session has the leases of */

enum fetch_fate { FETCH_WAITS, FETCH_LOOKS /* the key may be there now */, FETCH_LEASED, FETCH_LEFT };

struct fetch_answer {
    const char *status;
    struct entry *value; /* NULL: none */
    int64_t ms;
    uint64_t token;      /* 0: none */
};

struct fetch {
    struct task task;
    struct letter letter;
    bool told;              /* the letter is under way */
    _Atomic uint32_t refs;
    struct lane *lane;
    struct session *session; /* NULL once it has gone */
    enum fetch_fate fate;
    struct lease *lease;    /* in whose queue it stands; NULL: in none */
    struct fetch *next, *prev;
    int64_t until_us;       /* monotonic; when it gives up */
    int64_t lease_ms;       /* for how long it wants it */
    uint64_t token;
    int64_t token_until_us;
    unsigned db;
    bool timed_out, no_touch;
    bool answered, wrong_type, packed; /* what will be replied is known: */
    struct fetch_answer answer;
    struct thaw value;
    struct key key;         /* its bytes are behind */
};

struct leases *leases_new(void);
void leases_free(struct leases *ls); /* nobody waits */

/* -- under the lock of the key's shard ---------------------------------------------------------------------------------------- */
struct lease *lease_find(struct env *e, unsigned db, const struct key *k);
bool lease_is_free(const struct lease *l); /* nobody has it: NULL too */
int64_t lease_left_ms(const struct lease *l);
/* Gives it to whoever asks, for so long; nobody has it and nobody waits. Returns the token. */
uint64_t lease_take(struct env *e, unsigned db, const struct key *k, int64_t ms);
void lease_join(struct lane *l, struct fetch *f);   /* at the end of the queue */
void lease_leave(struct lane *l, struct fetch *f);
void lease_next(struct lane *l, struct lease *lease); /* nobody has it: the first who waits does then */
bool lease_good(struct env *e, const struct lease *lease, uint64_t token); /* may who has the token store? */
/* The token is given up, if it is good. */
bool lease_give_up(struct lane *l, unsigned db, const struct key *k, uint64_t token);
void lease_changed(struct lane *l, unsigned db, const struct key *k);  /* the key was */
void lease_flushed(struct env *e, unsigned db);                        /* all locks held */

/* -- no lock held -------------------------------------------------------------------------------------------------------------- */
void lease_settle(struct lane *l);
void lease_settle_all(struct lane *l);    /* after a flush: at the next lease_settle; any locks */
void lease_invalidate_begin(struct env *e);
void lease_invalidate(struct lane *l, unsigned db, struct slice pattern);
void lease_invalidate_end(struct env *e);

void lease_sweep(struct lane *l); /* in the background: those that are over, a few shards at a time */

void lease_book_add(struct session *s, unsigned db, const struct key *k, uint64_t token, int64_t until_us);
void lease_book_close(struct session *s); /* it ends: what it has is given up */

struct lease_lane;
struct lease_lane *lease_lane_new(void);
void lease_lane_free(struct lease_lane *ll);

void fetch_hold(struct fetch *f);
void fetch_release(struct fetch *f);

struct lease_facts {
    uint64_t leases, waiting;
};
struct lease_facts lease_facts(const struct env *e);

#endif
