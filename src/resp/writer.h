/* writer: replies in RESP2 or RESP3, appended to a chain.
 *
 * `proto` is 2 or 3; what RESP2 lacks is written as Redis writes it there (a map as a flat array, a double as
 * a bulk, ...). Thread rule: that of the chain. The chain owns what is written.
 */
#ifndef LARDER_RESP_WRITER_H
#define LARDER_RESP_WRITER_H

#include "base/chain.h"

struct resp_writer {
    struct chain *out;
    int proto;
};

/* Whole replies that the hot path writes as they are. */
static inline void resp_raw(struct resp_writer *w, const char *p, size_t n) { chain_put(w->out, p, n); }
#define RESP_RAW(w, literal) resp_raw((w), (literal), sizeof(literal) - 1)
static inline void resp_ok(struct resp_writer *w) { RESP_RAW(w, "+OK\r\n"); }

void resp_simple(struct resp_writer *w, const char *text); /* +text */
/* -text; a text without a code of its own ("WRONGTYPE ...") must bring "ERR ". \r and \n become spaces. */
void resp_error(struct resp_writer *w, struct slice text);
void resp_int(struct resp_writer *w, int64_t v);
void resp_bulk(struct resp_writer *w, const char *p, size_t n);
/* As resp_bulk, but refers to the bytes; `release` is called once they are sent or dropped. */
void resp_bulk_ref(struct resp_writer *w, const char *p, size_t n, chain_release *release, void *arg);
/* A bulk whose n bytes, in one piece at what this returns, are written later: before anything of the chain is sent. `apart`: it
 * begins a chunk. */
char *resp_bulk_room(struct resp_writer *w, size_t n, bool apart);
void resp_bulk_i64(struct resp_writer *w, int64_t v);
void resp_text(struct resp_writer *w, const char *text); /* a bulk of a NUL-terminated text */
void resp_null(struct resp_writer *w);                   /* $-1 or _ */
void resp_null_array(struct resp_writer *w);             /* *-1 or _ */
void resp_array(struct resp_writer *w, size_t n);
void resp_map(struct resp_writer *w, size_t pairs);
void resp_set(struct resp_writer *w, size_t n);
void resp_push(struct resp_writer *w, size_t n);
void resp_attribute(struct resp_writer *w, size_t pairs); /* RESP3 only */
void resp_double(struct resp_writer *w, double v);
void resp_bool(struct resp_writer *w, bool v);                                  /* :0/:1 or #f/#t */
void resp_verbatim(struct resp_writer *w, const char *form, struct slice text); /* form: "txt", "mkd" */
void resp_big_number(struct resp_writer *w, struct slice digits);

#endif
