/* json: values of one JSON document, written to a stream one after the other.
 *
 * Text is bytes, which JSON has no place for: those outside of ASCII's printable ones become \\u0001 to \\u00ff each, so a reader
 * gets them back by encoding to Latin-1.
 * Thread rule: one thread. The caller owns it and closes what he opens.
 */
#ifndef LARDER_SNAP_JSON_H
#define LARDER_SNAP_JSON_H

#include "base/buf.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

struct json {
    FILE *to;
    bool more; /* there is something before it on this level */
};

/* `name`: NULL in a list, and of the whole document. */
void json_open(struct json *j, const char *name, char how); /* '{' or '[' */
void json_close(struct json *j, char how);
void json_number(struct json *j, const char *name, uint64_t v);
void json_text(struct json *j, const char *name, struct slice s);
void json_bool(struct json *j, const char *name, bool v);

#endif
