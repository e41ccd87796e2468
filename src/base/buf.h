/* buf: bytes that grow at the end.
 *
 * Invariant: n <= cap; p may be NULL while cap is 0. Thread rule: one thread at a time. The holder owns the memory and
 * frees it with buf_free; a zeroed buf is an empty one in MEM_MISC.
 */
#ifndef LARDER_BASE_BUF_H
#define LARDER_BASE_BUF_H

#include "base/mem.h"
#include "base/slice.h"

#include <stdarg.h>

struct buf {
    char *p;
    size_t n, cap;
    enum mem_domain domain;
    bool domain_set;
};

void buf_init(struct buf *b, enum mem_domain d);
void buf_free(struct buf *b);                          /* empty and usable again afterwards */
char *buf_room(struct buf *b, size_t n);               /* n writable bytes at the end; then say b->n += what was used */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args);
void buf_drop(struct buf *b, size_t n);                /* forget the first n bytes */
void buf_shrink(struct buf *b);                        /* give back what is not used */
char *buf_cstr(struct buf *b);                         /* the bytes with a NUL behind them (not counted) */
static inline struct slice buf_slice(const struct buf *b) { return (struct slice){b->p, b->n}; }

#endif
