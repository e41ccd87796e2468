/* events: classes of keyspace events, the letters of notify-keyspace-events as bits.
 * Thread rule: pure functions.
 */
#ifndef LARDER_COMMAND_EVENTS_H
#define LARDER_COMMAND_EVENTS_H

#include "base/buf.h"

enum event_class {
    EVENT_KEYSPACE = 1 << 0, /* K: to __keyspace@N__:key */
    EVENT_KEYEVENT = 1 << 1, /* E: to __keyevent@N__:event */
    EVENT_GENERIC = 1 << 2,  /* g */
    EVENT_STRING = 1 << 3,   /* $ */
    EVENT_LIST = 1 << 4,     /* l */
    EVENT_SET = 1 << 5,      /* s */
    EVENT_HASH = 1 << 6,     /* h */
    EVENT_ZSET = 1 << 7,     /* z */
    EVENT_EXPIRED = 1 << 8,  /* x */
    EVENT_EVICTED = 1 << 9,  /* e */
    EVENT_STREAM = 1 << 10,  /* t */
    EVENT_MISS = 1 << 11,    /* m: not in A */
    EVENT_MODULE = 1 << 13,  /* d */
    EVENT_NEW = 1 << 14,     /* n: not in A */
    EVENT_ALL = EVENT_GENERIC | EVENT_STRING | EVENT_LIST | EVENT_SET | EVENT_HASH | EVENT_ZSET | EVENT_EXPIRED |
                EVENT_EVICTED | EVENT_STREAM | EVENT_MODULE, /* A */
};

bool events_parse(struct slice letters, int64_t *out); /* false: a letter that is none */
void events_print(int64_t classes, struct buf *out);   /* in the order of CONFIG GET */

#endif
