/* Strings that are numbers: INCR and its kin. */
#include "command/strings.h"

#include "command/thaw.h"

#include <math.h>

#define LONGEST 5120 /* bytes of a number, as in Redis */

static void add(struct call *c, int64_t by) {
    char text[NUM_I64_MAX];
    bool ok;
    int64_t v = 0;
    if (!strings_room(c, 0, sizeof text)) return;
    struct entry *e = call_write_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    if (e && (entry_packed(e) || !num_i64(entry_value(e), &v))) { /* packed ones are too long for a number */
        reply_error(c, "ERR value is not an integer or out of range");
        return;
    }
    if (__builtin_add_overflow(v, by, &v)) {
        reply_error(c, "ERR increment or decrement would overflow");
        return;
    }
    view_set(&c->v, &c->key[0], (struct slice){text, num_put_i64(text, v)}, VIEW_KEEP, FORM_AUTO);
    call_event(c, EVENT_STRING, "incrby", 0);
    resp_int(c->w, v);
}

void strings_incr(struct call *c) { add(c, 1); }
void strings_decr(struct call *c) { add(c, -1); }

void strings_incrby(struct call *c) {
    int64_t by;
    if (call_i64(c, 2, &by)) add(c, by);
}

void strings_decrby(struct call *c) {
    int64_t by;
    if (!call_i64(c, 2, &by)) return;
    if (by == INT64_MIN) { /* has no opposite */
        reply_error(c, "ERR decrement would overflow");
        return;
    }
    add(c, -by);
}

/* What the key holds; false after an error was replied, or if the call will be run again. */
static bool number_there(struct call *c, struct entry *e, long double *v) {
    struct slice text;
    if (!e || (entry_length(e) <= LONGEST)) {
        if (!call_text(c, 0, e, &text)) return false;
        if (!e || num_long_double(text, v)) return true;
    }
    reply_error(c, "ERR value is not a valid float");
    return false;
}

/* The result is kept as text: it never becomes an integer to OBJECT ENCODING, whatever it looks like. */
void strings_incrbyfloat(struct call *c) {
    char text[NUM_LONG_DOUBLE_MAX];
    long double v = 0, by;
    bool ok;
    if (!strings_room(c, 0, 64)) return;
    struct entry *e = call_write_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    if (!number_there(c, e, &v)) return;
    if (!num_long_double(c->argv[2], &by)) {
        reply_error(c, "ERR value is not a valid float");
        return;
    }
    v += by;
    if (!isfinite(v)) {
        reply_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    struct slice out = {text, num_put_long_double(text, v)};
    if (out.n > 64 && !strings_room(c, 0, out.n)) return;
    view_set(&c->v, &c->key[0], out, VIEW_KEEP, FORM_TEXT);
    call_event(c, EVENT_STRING, "incrbyfloat", 0);
    resp_bulk(c->w, out.p, out.n);
}
