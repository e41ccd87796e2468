/* reader: requests out of bytes, as slices of those bytes. No copy, no allocation per request, no sockets, no
 * command names.
 *
 * Feed it the unread bytes from the start of a request; it answers with a whole request, or asks for more, or
 * names the protocol error in Redis's words. Between two calls about the same unfinished request the bytes
 * may have moved but must still begin at the request's first byte: what is known so far is kept as offsets,
 * so a request of a million arguments that comes in pieces is not read again from its start at each piece.
 * Slots for arguments are made as arguments arrive. Thread rule: one thread at a time. The reader owns its
 * argument array; slices point into the caller's bytes.
 */
#ifndef LARDER_RESP_READER_H
#define LARDER_RESP_READER_H

#include "base/buf.h"

struct resp_limits {
    int64_t max_bulk;     /* proto-max-bulk-len */
    int64_t max_args;     /* INT_MAX in Redis 7 */
    size_t max_inline;    /* 64 KB: also the longest header line */
    bool unauthenticated; /* 10 arguments, 16 KB each */
};

enum resp_status { RESP_REQUEST, RESP_MORE, RESP_ERROR };

struct resp_request {
    struct slice *argv; /* valid until the next call */
    size_t argc;        /* 0: an empty line or *0, to be skipped */
    size_t used;        /* bytes the request took */
};

struct resp_reader {
    struct slice *argv; /* offsets into the request while unfinished */
    size_t argc, argcap;
    size_t at;               /* offset of the first byte not yet looked at */
    int64_t args_left;       /* -1: header not read yet */
    int64_t bulk;            /* length of the argument being read, -1: not known yet */
    struct buf inline_words; /* unescaped words of an inline request */
    const char *error;       /* after RESP_ERROR: "Protocol error: ..." without "-ERR " */
    char error_text[64];
};

void resp_reader_init(struct resp_reader *r);
void resp_reader_free(struct resp_reader *r); /* usable again afterwards, as after resp_reader_init */

/* After RESP_MORE, `*need` (if not NULL) is a lower bound of the request's whole length, 0 if not known: room
 * worth having. After RESP_ERROR the connection is to be closed: what follows is not a request. */
enum resp_status resp_reader_next(struct resp_reader *r, const struct resp_limits *limits, const char *p,
    size_t n, struct resp_request *out, size_t *need);

/* Nothing of an unfinished request is kept: the next byte begins a request. */
static inline bool resp_reader_idle(const struct resp_reader *r) { return r->args_left < 0 && !r->at; }

/* Gives back what only a large request needed, once that is over: an idle connection should hold little. Cheap when
 * there is nothing to do; after it no argv of this reader is valid. */
void resp_reader_trim(struct resp_reader *r);

/* For batches that keep the words of several requests: a whole and plain request at p is cut into the
 * caller's argv of `room` slots, with no state. Returns argc and sets `*used`, or returns 0: then
 * resp_reader_next has to look at it. Only while the reader is idle. */
size_t resp_reader_quick(
    const struct resp_limits *limits, const char *p, size_t n, struct slice *argv, size_t room, size_t *used);

/* The words of a line as redis-cli and redis.conf quote them ("\x41\n", 'it\'s'); false on unbalanced quotes.
 * Words are appended to `bytes`, and slices of it to `words` (an array of struct slice in a buf); a second
 * call with the same `bytes` may move those of the first. */
bool resp_split_line(struct slice line, struct buf *bytes, struct buf *words);

#endif
