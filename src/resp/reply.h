/* reply: replies out of bytes (RESP2 and RESP3): what the other side of a connection wrote with resp/writer.
 *
 * A reply is a list of nodes in the order in which they came: an aggregate says how many nodes are directly in it, and they
 * follow it with all that is in them. Feed the unread bytes from the start of a reply; between two calls about the same
 * unfinished reply the bytes may have moved but must still begin at its first byte, as with resp/reader. Attributes are passed over.
 * Thread rule: one thread at a time. The reader owns its nodes; texts point into the caller's bytes.
 */
#ifndef LARDER_RESP_REPLY_H
#define LARDER_RESP_REPLY_H

#include "base/slice.h"

enum reply_kind {
    REPLY_TEXT, /* a bulk; also a verbatim text (with its "txt:" cut off) and a big number */
    REPLY_SIMPLE,
    REPLY_ERROR,
    REPLY_INTEGER,
    REPLY_NIL,
    REPLY_BOOL,
    REPLY_DOUBLE, /* as text */
    REPLY_ARRAY,
    REPLY_SET,
    REPLY_MAP,
    REPLY_PUSH,
};

struct reply_node {
    enum reply_kind kind;
    uint32_t n;        /* nodes directly in it; a map: keys and values */
    int64_t integer;   /* REPLY_INTEGER, REPLY_BOOL */
    struct slice text; /* the others without nodes */
};

struct reply_limits {
    int64_t max_bulk;
    uint32_t max_nodes;
};

enum reply_status { REPLY_WHOLE, REPLY_MORE, REPLY_BROKEN };

#define REPLY_DEPTH 16

struct reply_reader {
    struct reply_node *node; /* texts are offsets while unfinished */
    size_t n, cap;
    size_t at;         /* offset of the first byte not looked at */
    unsigned depth;    /* of the aggregate that is being filled */
    struct reply_frame {
        uint32_t left; /* nodes still to come directly in it */
        size_t drop;   /* where an attribute begins, which is dropped when it is whole; or SIZE_MAX */
    } frame[REPLY_DEPTH];
    const char *error; /* after REPLY_BROKEN */
};

void reply_reader_init(struct reply_reader *r);
void reply_reader_free(struct reply_reader *r);

/* After REPLY_WHOLE: r->node[0..r->n), valid until the next call, and `*used` bytes belong to it. After REPLY_MORE `*used` is
 * a lower bound of the whole length, 0 where that is not known. REPLY_BROKEN: what follows cannot be read. */
enum reply_status reply_reader_next(struct reply_reader *r, const struct reply_limits *limits, const char *p, size_t n, size_t *used);

/* The node behind `at` and all that is in it. */
size_t reply_skip(const struct reply_node *node, size_t at);
/* The value of a text key in a map (or in a flat array of pairs) at node[0], or NULL. */
const struct reply_node *reply_field(const struct reply_node *node, const char *name);

#endif
