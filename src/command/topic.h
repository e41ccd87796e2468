/* topic: who has subscribed to what: channels, patterns of them, shard channels, and the prefixes of CLIENT TRACKING.
 *
 *   topics (one lock) -> topic -> for each lane: seats of its sessions -> session
 *
 * A topic is found under the lock and lives while it is referred to. Its seats are its lanes' own, so that a letter that brings a topic to a
 * lane is delivered without looking anything up; how many seats each lane has is known to all.
 * Thread rule: seats on their lane's thread; the rest any thread, the lock inside. The env owns the topics, a session its seats.
 */
#ifndef LARDER_COMMAND_TOPIC_H
#define LARDER_COMMAND_TOPIC_H

#include "command/session.h"

enum topic_kind { TOPIC_CHANNEL, TOPIC_PATTERN, TOPIC_SHARD, TOPIC_PREFIX, TOPIC_KINDS };

struct topic;
struct topics;

struct seat {
    struct topic *topic;
    struct session *session;
    struct seat *next, *prev; /* of the session's of that kind, in order of arrival */
    struct seat *chain;       /* of the lane's, by topic and session */
    size_t at;                /* among the topic's on this lane */
};

struct topic_lane {
    struct seat **seat;
    size_t n, room;
    _Atomic size_t count; /* n, for other lanes */
};

struct topic {
    struct topic *chain;
    struct topic *next, *prev; /* of its kind */
    enum topic_kind kind;
    _Atomic uint32_t refs;
    size_t seats;              /* in all, under the lock */
    struct slice name;
    struct topic_lane *lane;
};

/* What a session sits in; made with its first seat. */
struct seats {
    struct seat *first[TOPIC_KINDS], *last[TOPIC_KINDS];
    size_t n[TOPIC_KINDS];
};

struct topics *topics_new(void);
void topics_free(struct topics *ts); /* nobody sits */
struct topic_hall;                   /* a lane's seats */
struct topic_hall *topic_hall_new(void);
void topic_hall_free(struct topic_hall *h);

bool topic_join(struct session *s, enum topic_kind kind, struct slice name);  /* false: it sits there already */
bool topic_part(struct session *s, enum topic_kind kind, struct slice name);  /* false: it did not */
void topic_part_all(struct session *s, enum topic_kind kind);
size_t topic_seats(const struct session *s, enum topic_kind kind);

uint64_t topic_count(const struct env *e, enum topic_kind kind);
static inline void topic_hold(struct topic *t) { atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed); }
void topic_release(struct topic *t, unsigned lanes);
/* Calls back under the lock, in order of the topics' first seats; `name` NULL: all of the kind. */
void topic_each(struct env *e, enum topic_kind kind, const struct slice *name, void (*each)(void *arg, struct topic *t), void *arg);

#endif
