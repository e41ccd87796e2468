/* list: elements in order, reached from both ends: packed one behind the other (VALUE_PACKED), or an object with chunks of them.
 *
 * An element lies as a listpack's entry does (list_pack.h), integers as numbers. The object keeps a plain chunk at either end,
 * where pushes and pops happen, and the rest in a spine that is found by counts; chunks further inside are compressed where that
 * pays. No operation moves more than a chunk, or copies more than a few hundred pointers, whatever the list's length.
 * Thread rule and ownership: as type/home.h; reading changes nothing in the object.
 */
#ifndef LARDER_TYPE_LIST_H
#define LARDER_TYPE_LIST_H

#include "base/num.h"
#include "type/value.h"

enum list_end { LIST_HEAD, LIST_TAIL };

const struct value_ops *list_ops(void);

size_t list_count(const struct home *h);
void list_push(struct home *h, enum list_end end, struct slice element);
/* Before the first of several pushes, or before one element is put in or replaced: the encoding that OBJECT reports goes over to
 * "quicklist" where Redis's does, looking at all that is to be added; `bytes` of text in `elements`. */
void list_growing(struct home *h, size_t bytes, size_t elements);
/* After elements were taken away or replaced: the encoding goes back where Redis's does, and the room with it. */
void list_shrunk(struct home *h);

/* A place in a list. Between list_seek and list_leave the list must not change. */
struct list_at {
    struct slice text;   /* the element there; good until the next step */
    size_t rank;         /* of the element, from the head */
    const uint8_t *p;    /* the entry */
    const uint8_t *from, *to; /* the chunk's entries */
    size_t left;         /* elements of the chunk behind this one */
    size_t block, slot;  /* of the chunk in the spine */
    uint8_t where;       /* which chunk: that of the head, of the spine, of the tail */
    uint8_t *scratch;    /* where a compressed chunk lies plain */
    char digits[NUM_I64_MAX];
};
/* The element with that rank, from the tail if negative (-1 is the last). False: there is none, and nothing to leave. */
bool list_seek(const struct home *h, struct list_at *at, int64_t rank);
bool list_next(const struct home *h, struct list_at *at);  /* one further to the tail; false: that was the last */
bool list_prev(const struct home *h, struct list_at *at);  /* one further to the head */
void list_leave(struct list_at *at);
/* The element at an end of a list that is not empty, ready to be replied: digits is where an integer is written. */
struct slice list_peek(const struct home *h, enum list_end end, char digits[NUM_I64_MAX]);
/* Takes that element away. */
void list_drop(struct home *h, enum list_end end);

/* Is the element the needle's text? */
struct list_needle {
    struct slice text;
    size_t n;
    uint8_t head[24]; /* its entry: all of it, or what lies before the text */
    bool whole;
};
void list_needle(struct list_needle *needle, struct slice text);
bool list_here(const struct list_at *at, const struct list_needle *needle);

/* These want a rank that exists (insert: or count, which is behind the last). */
void list_set(struct home *h, size_t rank, struct slice element);
void list_insert(struct home *h, size_t rank, struct slice element);
void list_cut(struct home *h, size_t rank, size_t n);       /* takes n elements away, from that rank on */
/* Takes away what equals the needle: `most` of them at most, counted from `end`. Returns how many went. */
size_t list_remove(struct home *h, const struct list_needle *needle, enum list_end end, size_t most);

const char *list_check(const struct home *h); /* what is wrong with it, or NULL: for tests */

#endif
