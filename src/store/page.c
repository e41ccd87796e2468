#include "store/page.h"

#include "base/mem.h"
#include "base/thread.h"

#include <sys/mman.h>

#define CHUNK ((size_t)4 << 20)
#define HEAD 4096 /* the kernel's page, with the slab's header in it */

struct stack {
    void **page;
    size_t n, cap;
};

/* One for the process, as there is one allocator under it. */
static struct {
    struct lock lock;
    struct stack dirty, clean, chunks;
    char *fresh, *fresh_end;
} pages;

static void push(struct stack *s, void *p) {
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->page = mem_realloc(MEM_UPKEEP, s->page, s->cap * sizeof *s->page);
    }
    s->page[s->n++] = p;
}

void *page_take(void) {
    void *p;
    lock_acquire(&pages.lock);
    if (pages.dirty.n) {
        p = pages.dirty.page[--pages.dirty.n];
    } else if (pages.clean.n) {
        p = pages.clean.page[--pages.clean.n];
    } else {
        if (pages.fresh == pages.fresh_end) {
            pages.fresh = mem_pages(CHUNK, PAGE_BYTES);
            pages.fresh_end = pages.fresh + CHUNK;
            push(&pages.chunks, pages.fresh); /* so that leak checkers, too, know whose they are */
        }
        p = pages.fresh;
        pages.fresh += PAGE_BYTES;
    }
    lock_release(&pages.lock);
    return p;
}

void page_give(void *page) {
    lock_acquire(&pages.lock);
    push(&pages.dirty, page);
    lock_release(&pages.lock);
}

void page_forget(void *page) { madvise((char *)page + HEAD, PAGE_BYTES - HEAD, MADV_DONTNEED); }

bool page_purge(size_t keep, unsigned most) {
    for (;;) {
        lock_acquire(&pages.lock);
        bool more = pages.dirty.n > keep;
        void *p = more && most ? pages.dirty.page[--pages.dirty.n] : NULL;
        lock_release(&pages.lock);
        if (!p) return more;
        most--;
        madvise(p, PAGE_BYTES, MADV_DONTNEED);
        lock_acquire(&pages.lock);
        push(&pages.clean, p);
        lock_release(&pages.lock);
    }
}
