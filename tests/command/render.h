/* render: replies as the lines that transcripts write them in: one line each element, bulks as redis-cli would quote them.
 * Thread rule: pure functions; text is appended to the caller's buf.
 */
#ifndef LARDER_TESTS_RENDER_H
#define LARDER_TESTS_RENDER_H

#include "base/buf.h"

/* The element at the start of `in` (of an aggregate its header only). Returns bytes used, 0: not whole yet, -1: not RESP.
 * `*children`: how many elements follow that belong to it. */
long render_element(struct slice in, bool quoted, struct buf *out, size_t *children);
/* A whole reply with all its elements, separated by spaces. Returns as above. */
long render_reply(struct slice in, bool quoted, struct buf *out);
/* A line of a transcript in the form that render_element gives; false: not an expectation. */
bool render_expected(struct slice line, struct buf *out);
void render_quoted(struct slice text, struct buf *out); /* in quotes only if it has to be */

#endif
