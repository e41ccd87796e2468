#include "base/buf.h"

#include <stdio.h>

static enum mem_domain buf_domain(const struct buf *b) { return b->domain_set ? b->domain : MEM_MISC; }

void buf_init(struct buf *b, enum mem_domain d) { *b = (struct buf){.domain = d, .domain_set = true}; }

void buf_free(struct buf *b) {
    mem_free(buf_domain(b), b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

char *buf_room(struct buf *b, size_t n) {
    if (b->cap - b->n < n || !b->p) {
        size_t want = b->n + n, grown = b->cap < 1 << 20 ? b->cap * 2 : b->cap + (b->cap >> 2);
        if (grown > want) want = grown;
        if (want < 64) want = 64;
        b->p = mem_realloc(buf_domain(b), b->p, want);
        b->cap = want;
    }
    return b->p + b->n;
}

void buf_put(struct buf *b, const void *p, size_t n) {
    if (!n) return;
    memcpy(buf_room(b, n), p, n);
    b->n += n;
}

void buf_puts(struct buf *b, const char *text) { buf_put(b, text, strlen(text)); }

void buf_vprintf(struct buf *b, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    char *at = buf_room(b, 64);
    int n = vsnprintf(at, b->cap - b->n, format, args);
    if (n > 0 && (size_t)n >= b->cap - b->n) {
        at = buf_room(b, (size_t)n + 1);
        vsnprintf(at, b->cap - b->n, format, again);
    }
    va_end(again);
    if (n > 0) b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_drop(struct buf *b, size_t n) {
    b->n -= n;
    if (b->n) memmove(b->p, b->p + n, b->n);
}

void buf_shrink(struct buf *b) {
    if (!b->n) {
        buf_free(b);
        return;
    }
    if (b->cap == b->n) return;
    b->p = mem_realloc(buf_domain(b), b->p, b->n);
    b->cap = b->n;
}

char *buf_cstr(struct buf *b) {
    *buf_room(b, 1) = 0;
    return b->p;
}
