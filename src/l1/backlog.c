#include "l1/backlog.h"

#include <assert.h>
#include <stdlib.h>

void backlog_init(struct backlog *b, size_t limit) {
    *b = (struct backlog){.limit = limit};
    b->last = &b->first;
}

void backlog_free(struct backlog *b) {
    while (b->first) backlog_done(b);
}

bool backlog_add(struct backlog *b, size_t argc, const struct slice *argv) {
    size_t bytes = sizeof(struct backlog_item);
    assert(argc <= BACKLOG_WORDS);
    for (size_t i = 0; i < argc; i++) bytes += argv[i].n;
    struct backlog_item *item = malloc(bytes);
    if (!item) return false;
    *item = (struct backlog_item){.bytes = bytes, .argc = argc};
    char *to = item->text;
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].n) memcpy(to, argv[i].p, argv[i].n);
        item->argv[i] = (struct slice){to, argv[i].n};
        to += argv[i].n;
    }
    lock_acquire(&b->lock);
    bool fits = b->bytes + bytes <= b->limit;
    if (fits) {
        *b->last = item;
        b->last = &item->next;
        b->bytes += bytes;
        atomic_fetch_add_explicit(&b->n, 1, memory_order_release);
    }
    lock_release(&b->lock);
    if (!fits) free(item);
    return fits;
}

const struct backlog_item *backlog_oldest(struct backlog *b) {
    lock_acquire(&b->lock);
    const struct backlog_item *item = b->first;
    lock_release(&b->lock);
    return item;
}

void backlog_done(struct backlog *b) {
    lock_acquire(&b->lock);
    struct backlog_item *item = b->first;
    b->first = item->next;
    if (!b->first) b->last = &b->first;
    b->bytes -= item->bytes;
    atomic_fetch_sub_explicit(&b->n, 1, memory_order_release);
    lock_release(&b->lock);
    free(item);
}
