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

static struct lock lock;
static struct stack dirty, clean, chunks;
static char *fresh, *fresh_end;

static void push(struct stack *s, void *p) {
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->page = mem_realloc(MEM_MISC, s->page, s->cap * sizeof *s->page);
    }
    s->page[s->n++] = p;
}

void *page_take(void) {
    void *p;
    lock_acquire(&lock);
    if (dirty.n) {
        p = dirty.page[--dirty.n];
    } else if (clean.n) {
        p = clean.page[--clean.n];
    } else {
        if (fresh == fresh_end) {
            fresh = mem_pages(CHUNK, PAGE_BYTES);
            fresh_end = fresh + CHUNK;
            push(&chunks, fresh); /* so that leak checkers, too, know whose they are */
        }
        p = fresh;
        fresh += PAGE_BYTES;
    }
    lock_release(&lock);
    return p;
}

void page_give(void *page) {
    lock_acquire(&lock);
    push(&dirty, page);
    lock_release(&lock);
}

void page_forget(void *page) { madvise((char *)page + HEAD, PAGE_BYTES - HEAD, MADV_DONTNEED); }

void page_purge(size_t keep) {
    for (;;) {
        lock_acquire(&lock);
        void *p = dirty.n > keep ? dirty.page[--dirty.n] : NULL;
        lock_release(&lock);
        if (!p) return;
        madvise(p, PAGE_BYTES, MADV_DONTNEED);
        lock_acquire(&lock);
        push(&clean, p);
        lock_release(&lock);
    }
}
