/* cursor: the words that SCAN, HSCAN, SSCAN and ZSCAN have in common, and the reply of those that walk one collection.
 *
 * Thread rule: that of a handler (call.h). A struct cursor owns the replies that gather in it until cursor_reply.
 */
#ifndef LARDER_COMMAND_CURSOR_H
#define LARDER_COMMAND_CURSOR_H

#include "command/call.h"

struct cursor {
    uint64_t at;
    int64_t count;
    struct slice pattern;
    bool any;              /* no pattern, or one that everything matches */
    bool flag;             /* the word of cursor_words was there */
    size_t elements;       /* gathered so far */
    struct chain body;
    struct resp_writer w;  /* writes to body */
};

/* As strtoul reads it, which is what Redis's clients can rely on: a sign and nothing at all are allowed, spaces are not. False
 * after "invalid cursor" was replied. */
bool cursor_read(struct call *c, int arg, uint64_t *out);
/* [MATCH pattern] [COUNT count] from `arg` on, and `flag` (or NULL) as a word of its own; false after an error was replied. */
bool cursor_words(struct call *c, int arg, const char *flag, struct cursor *out);
bool cursor_matches(const struct cursor *k, struct slice text);
void cursor_put(struct cursor *k, struct slice element);   /* gathers one more */
void cursor_reply(struct call *c, struct cursor *k);       /* k->at is the next cursor */
void cursor_finish(struct resp_writer *w, struct cursor *k); /* the same outside of a call */
void cursor_reply_nothing(struct call *c);                 /* there is no such key */

#endif
