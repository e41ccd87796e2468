#include "store/slab.h"

#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARENAS 8
#define STEP 4
#define SMALLEST 16
#define ROOM (SLAB_PAGE - sizeof(struct slab))
#define CLASSES 400
#define BORROW_BELOW 4 /* a class with fewer slabs than this first looks for room in the next larger ones */
#define BORROW_REACH 3

struct slab {
    struct slab *next, *prev; /* in its class's ring of slabs with room; NULL while full or marked */
    uint32_t size, capacity;
    uint32_t used;    /* objects out */
    uint32_t touched; /* objects ever out: those behind have never been written to */
    uint32_t free;    /* 1 + index of the first free object, 0: none */
    uint16_t class;
    uint8_t arena;
    bool marked;
} __attribute__((aligned(64)));

struct class {
    struct slab *ring; /* slabs with room; the first is taken from */
    uint32_t slabs;
};

struct arena {
    struct lock lock;
    struct class class[CLASSES];
    uint64_t pages, held, used;
} __attribute__((aligned(64)));

static struct arena arenas[ARENAS];
static uint16_t class_of[SLAB_MAX / STEP + 2]; /* by (n + STEP - 1) / STEP */
static uint32_t size_of[CLASSES];
static unsigned classes;

/* Before main, so that the table is constant for every thread. */
__attribute__((constructor)) static void make_classes(void) {
    uint32_t size = SMALLEST, low = 0;
    while (low < SLAB_MAX / STEP + 1) {
        uint32_t count = (uint32_t)(ROOM / size), largest = (uint32_t)(ROOM / count) & ~(STEP - 1u);
        assert(classes < CLASSES);
        size_of[classes] = largest;
        while (low < SLAB_MAX / STEP + 2 && low * STEP <= largest) class_of[low++] = (uint16_t)classes;
        classes++;
        size = largest + STEP;
    }
}

static inline struct slab *slab_of(const void *p) { return (struct slab *)((uintptr_t)p & ~(uintptr_t)(SLAB_PAGE - 1)); }
static inline char *object_at(struct slab *s, uint32_t i) { return (char *)(s + 1) + (size_t)i * s->size; }

static void ring_add_last(struct class *k, struct slab *s) {
    if (!k->ring) {
        k->ring = s->next = s->prev = s;
        return;
    }
    s->next = k->ring;
    s->prev = k->ring->prev;
    s->prev->next = s->next->prev = s;
}

static void ring_remove(struct class *k, struct slab *s) {
    if (k->ring == s) k->ring = s->next == s ? NULL : s->next;
    s->prev->next = s->next;
    s->next->prev = s->prev;
    s->next = s->prev = NULL;
}

static struct slab *slab_new(struct arena *a, unsigned arena, unsigned class) {
    struct slab *s = mem_pages(SLAB_PAGE, SLAB_PAGE);
    uint32_t size = size_of[class];
    *s = (struct slab){.size = size, .capacity = (uint32_t)(ROOM / size), .class = (uint16_t)class, .arena = (uint8_t)arena};
    a->class[class].slabs++;
    a->pages++;
    ring_add_last(&a->class[class], s);
    return s;
}

static void slab_release(struct arena *a, struct slab *s) {
    if (s->next) ring_remove(&a->class[s->class], s);
    a->class[s->class].slabs--;
    a->pages--;
    a->held -= (uint64_t)s->touched * s->size;
    mem_pages_free(s, SLAB_PAGE);
}

/* A class without room: a small one first fills what its larger neighbours have open, so that a little data does not open a
 * page for every size there is. */
static struct slab *slab_find(struct arena *a, unsigned arena, unsigned class) {
    if (a->class[class].slabs < BORROW_BELOW)
        for (unsigned c = class + 1; c <= class + BORROW_REACH && c < classes; c++)
            if (a->class[c].ring) return a->class[c].ring;
    return slab_new(a, arena, class);
}

void *slab_alloc(size_t n) {
    unsigned class = class_of[(n + STEP - 1) / STEP], arena = thread_index() % ARENAS;
    struct arena *a = &arenas[arena];
    lock_acquire(&a->lock);
    struct slab *s = a->class[class].ring;
    if (__builtin_expect(!s, 0)) s = slab_find(a, arena, class);
    char *p;
    if (s->free) {
        p = object_at(s, s->free - 1);
        memcpy(&s->free, p, sizeof s->free);
    } else {
        p = object_at(s, s->touched++);
        a->held += s->size;
    }
    if (++s->used == s->capacity) ring_remove(&a->class[s->class], s);
    size_t size = s->size;
    a->used += size;
    lock_release(&a->lock);
    mem_count(MEM_DATA, (int64_t)size);
    return p;
}

void slab_free(void *p) {
    struct slab *s = slab_of(p);
    struct arena *a = &arenas[s->arena];
    size_t size = s->size;
    lock_acquire(&a->lock);
    memcpy(p, &s->free, sizeof s->free);
    s->free = (uint32_t)(((char *)p - (char *)(s + 1)) / (ptrdiff_t)size) + 1;
    struct class *k = &a->class[s->class];
    if (s->used-- == s->capacity && !s->marked) ring_add_last(k, s);
    a->used -= size;
    /* An empty slab goes, unless it is the only one with room: the next object would open one again. */
    if (!s->used && !s->marked && s->next != s) slab_release(a, s);
    lock_release(&a->lock);
    mem_count(MEM_DATA, -(int64_t)size);
}

size_t slab_usable(const void *p) { return slab_of(p)->size; }
size_t slab_class_size(size_t n) { return size_of[class_of[(n + STEP - 1) / STEP]]; }

void slab_totals(struct slab_totals *out) {
    *out = (struct slab_totals){0};
    for (unsigned i = 0; i < ARENAS; i++) {
        lock_acquire(&arenas[i].lock);
        out->pages += arenas[i].pages;
        out->held += arenas[i].held;
        out->used += arenas[i].used;
        lock_release(&arenas[i].lock);
    }
}

void slab_trim(void) {
    for (unsigned i = 0; i < ARENAS; i++)
        for (unsigned c = 0; c < classes; c++) {
            struct arena *a = &arenas[i];
            lock_acquire(&a->lock);
            struct slab *s = a->class[c].ring;
            if (s && !s->used && s->next == s) slab_release(a, s);
            lock_release(&a->lock);
        }
}

/* -- emptying sparse slabs -------------------------------------------------------------------------------------------- */

struct slab_plan {
    struct slab **marked;
    size_t count, cap;
    uintptr_t *set; /* open addressing by page number */
    size_t mask;
};

static int by_use(const void *x, const void *y) {
    const struct slab *a = *(struct slab *const *)x, *b = *(struct slab *const *)y;
    return a->used < b->used ? -1 : a->used > b->used;
}

/* Marks the emptiest slabs of a class whose objects fit into the free room of the others. */
static void plan_class(struct slab_plan *p, struct class *k) {
    uint64_t room = 0, n = 0;
    for (struct slab *s = k->ring; s; s = s->next == k->ring ? NULL : s->next) {
        room += s->capacity - s->used;
        n++;
    }
    if (n < 2 || room < k->ring->capacity) return;
    struct slab **list = mem_alloc(MEM_MISC, n * sizeof *list);
    n = 0;
    for (struct slab *s = k->ring; s; s = s->next == k->ring ? NULL : s->next) list[n++] = s;
    qsort(list, n, sizeof *list, by_use);
    uint64_t moved = 0;
    for (uint64_t i = 0; i + 1 < n; i++) {
        struct slab *s = list[i];
        room -= s->capacity - s->used;
        moved += s->used;
        if (moved > room) break;
        ring_remove(k, s);
        s->marked = true;
        if (p->count == p->cap) p->marked = mem_realloc(MEM_MISC, p->marked, (p->cap = p->cap ? p->cap * 2 : 64) * sizeof *p->marked);
        p->marked[p->count++] = s;
    }
    mem_free(MEM_MISC, list);
}

static size_t page_hash(uintptr_t page) { return (size_t)((page * 0x9e3779b97f4a7c15ull) >> 20); }

struct slab_plan *slab_plan_new(unsigned waste_percent) {
    struct slab_totals t;
    slab_totals(&t);
    if (t.held - t.used < (uint64_t)4 * SLAB_PAGE || (t.held - t.used) * 100 < t.held * waste_percent) return NULL;
    struct slab_plan *p = mem_zalloc(MEM_MISC, sizeof *p);
    for (unsigned i = 0; i < ARENAS; i++) {
        lock_acquire(&arenas[i].lock);
        for (unsigned c = 0; c < classes; c++) plan_class(p, &arenas[i].class[c]);
        lock_release(&arenas[i].lock);
    }
    if (!p->count) {
        slab_plan_free(p);
        return NULL;
    }
    size_t slots = 64;
    while (slots < p->count * 2) slots *= 2;
    p->mask = slots - 1;
    p->set = mem_zalloc(MEM_MISC, slots * sizeof *p->set);
    for (size_t i = 0; i < p->count; i++) {
        uintptr_t page = (uintptr_t)p->marked[i] / SLAB_PAGE;
        size_t at = page_hash(page) & p->mask;
        while (p->set[at]) at = (at + 1) & p->mask;
        p->set[at] = page;
    }
    return p;
}

bool slab_plan_has(const struct slab_plan *p, const void *object) {
    uintptr_t page = (uintptr_t)object / SLAB_PAGE;
    for (size_t at = page_hash(page) & p->mask; p->set[at]; at = (at + 1) & p->mask)
        if (p->set[at] == page) return true;
    return false;
}

void slab_plan_free(struct slab_plan *p) {
    for (size_t i = 0; i < p->count; i++) {
        struct slab *s = p->marked[i];
        struct arena *a = &arenas[s->arena];
        lock_acquire(&a->lock);
        s->marked = false;
        if (!s->used) slab_release(a, s);
        else if (s->used < s->capacity) ring_add_last(&a->class[s->class], s);
        lock_release(&a->lock);
    }
    mem_free(MEM_MISC, p->marked);
    mem_free(MEM_MISC, p->set);
    mem_free(MEM_MISC, p);
}
