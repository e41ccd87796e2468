/* list: elements in order, reached from both ends: packed one behind the other in the entry, or an object with chunks of them.
 *
 * An element lies as a listpack's entry does (list_pack.h), integers as numbers. Packed bytes begin with their number of elements
 * (2 bytes, little-endian); VALUE_PACKED is one that OBJECT ENCODING calls "listpack", VALUE_PACKED_ALT one that it calls
 * "quicklist". The object keeps a plain chunk at either end, where pushes and pops happen, and the rest in a spine that is found
 * by counts; chunks further inside are compressed where that pays. No operation but list_remove moves more than a few chunks or
 * a few hundred pointers, whatever the list's length.
 * Thread rule and ownership: as type/home.h; reading changes nothing in the object.
 */
#ifndef LARDER_TYPE_LIST_H
#define LARDER_TYPE_LIST_H

#include "base/num.h"
#include "type/value.h"

enum list_end { LIST_HEAD, LIST_TAIL };

const struct value_ops *list_ops(void);

size_t list_count(const struct home *h);
size_t list_bytes(const struct home *h); /* of all elements, with what lies beside them: how much there is to read */
void list_push(struct home *h, enum list_end end, struct slice element);
/* Before the first of several pushes, or before an element is put in or replaced: the encoding that OBJECT reports goes over to
 * "quicklist" where Redis's does, which looks at all that is to be added: `bytes` of text in `elements`. */
void list_growing(struct home *h, size_t bytes, size_t elements);
/* After elements were taken away or replaced: the encoding goes back where Redis's does, and the room with it. */
void list_shrunk(struct home *h);

/* The element at an end of a list that is not empty, to be replied and dropped; digits is where an integer is written. May
 * bring a chunk to that end: for lists open for change. */
struct slice list_peek(struct home *h, enum list_end end, char digits[NUM_I64_MAX]);
void list_drop(struct home *h, enum list_end end);

/* A place in a list. Between list_seek and list_leave the list must not change. */
struct list_at {
    struct slice text;             /* the element there; good until the next step */
    uint64_t rank;                 /* of the element, from the head */
    const uint8_t *p, *from, *to;  /* its entry; those of its chunk */
    uint32_t where, block, slot;   /* the chunk */
    uint8_t *scratch;              /* where a compressed chunk lies plain */
    char digits[NUM_I64_MAX];
};
/* The element with that rank, from the tail if negative (-1 is the last). False: there is none, and nothing to leave. */
bool list_seek(const struct home *h, struct list_at *at, int64_t rank);
bool list_next(const struct home *h, struct list_at *at);  /* one further to the tail; false: that was the last */
bool list_prev(const struct home *h, struct list_at *at);  /* one further to the head */
void list_leave(struct list_at *at);

/* A text to look for: equal elements are equal bytes. */
struct list_needle {
    struct slice text;  /* empty for numbers */
    size_t n;
    uint8_t head[12];   /* n bytes that lie before the text */
};
void list_needle_make(struct list_needle *needle, struct slice text);
static inline bool list_needle_at(const struct list_needle *needle, const uint8_t *p, const uint8_t *to) {
    return (size_t)(to - p) > needle->n + needle->text.n && !memcmp(p, needle->head, needle->n) &&
           (!needle->text.n || !memcmp(p + needle->n, needle->text.p, needle->text.n));
}
static inline bool list_here(const struct list_at *at, const struct list_needle *needle) {
    return list_needle_at(needle, at->p, at->to);
}
/* Is it the element at `at` or further to the tail, but before that element's chunk ends? Then at is there. Else at is at the
 * chunk's last element. Faster than list_next and list_here one by one. */
bool list_skip_to(struct list_at *at, const struct list_needle *needle);

/* These want a rank that exists (insert: or count, which is behind the last). */
void list_set(struct home *h, uint64_t rank, struct slice element);
void list_insert(struct home *h, uint64_t rank, struct slice element);
/* Takes n elements away, from that rank on. What was much comes back as an object of just these, to be read and given to
 * holder_release; else NULL. More than LIST_CUT_MUCH elements of an object always are. */
#define LIST_CUT_MUCH 128
void *list_cut(struct home *h, uint64_t rank, uint64_t n);
/* Takes away what equals the needle: `most` of them at most, counted from `end`. Returns how many went. For long lists see
 * list_sift.h. */
size_t list_remove(struct home *h, const struct list_needle *needle, enum list_end end, size_t most);

const char *list_check(const struct home *h); /* what is wrong with it, or NULL: for tests */

#endif
