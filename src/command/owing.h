/* owing: replies of packed strings. Their place in the output is made by the handler, their bytes come once its locks are gone.
 *
 * Small packed strings are copied meanwhile, large ones pinned. What is more than OWING_AT_ONCE bytes for one request is unpacked
 * by a task, in slices, and what was replied from there on leaves together when that is over.
 * Thread rule: the lane's thread; one call at a time. The lane's batch owns it.
 */
#ifndef LARDER_COMMAND_OWING_H
#define LARDER_COMMAND_OWING_H

#include "command/call.h"

#define OWING_AT_ONCE 131072

struct owing {
    struct buf items;        /* of struct owed */
    struct buf copies;
    size_t bytes;            /* of all items, plain */
    size_t late;             /* items from here on are the task's; SIZE_MAX: none */
    struct chain_mark mark;  /* before the first of those */
};

void owing_init(struct owing *o);
void owing_free(struct owing *o);
/* From a handler: bytes from .. from + n - 1 of a packed string, as a bulk. */
void owing_bulk(struct call *c, struct entry *e, size_t from, size_t n);
void owing_pay(struct call *c); /* dispatch's, with no lock held */

#endif
