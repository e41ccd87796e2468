/* backlog: writes that wait for the server to come back, in their order, bounded in bytes.
 *
 * Thread rule: any thread. It owns copies of the words.
 */
#ifndef LARDER_L1_BACKLOG_H
#define LARDER_L1_BACKLOG_H

#include "base/slice.h"
#include "base/thread.h"

#define BACKLOG_WORDS 8

struct backlog_item {
    struct backlog_item *next;
    size_t bytes, argc;
    struct slice argv[BACKLOG_WORDS];
    char text[];
};

struct backlog {
    struct lock lock;
    struct backlog_item *first, **last;
    _Atomic size_t n;
    size_t bytes, limit;
};

void backlog_init(struct backlog *b, size_t limit);
void backlog_free(struct backlog *b);
bool backlog_add(struct backlog *b, size_t argc, const struct slice *argv); /* false: full */
/* The oldest stays until backlog_done: whoever adds meanwhile comes behind it. One thread takes. */
const struct backlog_item *backlog_oldest(struct backlog *b);
void backlog_done(struct backlog *b);
static inline bool backlog_empty(const struct backlog *b) { return !atomic_load_explicit((_Atomic size_t *)&b->n, memory_order_acquire); }

#endif
