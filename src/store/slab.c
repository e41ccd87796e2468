#include "store/slab.h"

#include "base/mem.h"
#include "base/thread.h"
#include "store/page.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STEP 2
#define SMALLEST 16
#define ROOM (PAGE_BYTES - sizeof(struct slab))
#define CLASSES 512
#define BORROW_BELOW 2  /* a class with fewer pages than this looks for room in the next larger ones first */
#define SPARE_PAGES 16 /* free pages that stay resident for the next to come: 1 MB */

struct slab {
    struct slab *next, *prev; /* in its class's ring of slabs with room; NULL while full or marked */
    uint32_t size, capacity;
    uint32_t used;    /* objects out */
    uint32_t touched; /* objects ever out: those behind have never been written to */
    uint32_t free;    /* 1 + index of the first free object, 0: none */
    uint16_t class;
    bool marked;
} __attribute__((aligned(64)));

struct class {
    struct lock lock;
    uint32_t slabs, marked;
    struct slab *ring;            /* slabs with room; the first is taken from */
    uint64_t held, used;          /* bytes */
} __attribute__((aligned(64)));

/* One for the process, as there is one allocator under it. */
static struct {
    struct class class[CLASSES];
    _Atomic uint32_t pages;                     /* of all classes */
    unsigned classes;                           /* from here on constant once main begins */
    uint32_t size_of[CLASSES];
    uint16_t class_of[SLAB_MAX / STEP + 2];     /* by (n + STEP - 1) / STEP */
} slabs;

/* Before main, so that the table is constant for every thread. */
__attribute__((constructor)) static void make_classes(void) {
    uint32_t size = SMALLEST, low = 0;
    while (low < SLAB_MAX / STEP + 1) {
        uint32_t count = (uint32_t)(ROOM / size), largest = (uint32_t)(ROOM / count) & ~(STEP - 1u);
        assert(slabs.classes < CLASSES);
        slabs.size_of[slabs.classes] = largest;
        while (low < SLAB_MAX / STEP + 2 && low * STEP <= largest) slabs.class_of[low++] = (uint16_t)slabs.classes;
        slabs.classes++;
        size = largest + STEP;
    }
}

static inline struct slab *slab_of(const void *p) { return (struct slab *)((uintptr_t)p & ~(uintptr_t)(PAGE_BYTES - 1)); }
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

/* The one behind s, NULL behind the last. */
static struct slab *ring_next(const struct class *k, const struct slab *s) { return s->next == k->ring ? NULL : s->next; }

static void ring_remove(struct class *k, struct slab *s) {
    if (k->ring == s) k->ring = s->next == s ? NULL : s->next;
    s->prev->next = s->next;
    s->next->prev = s->prev;
    s->next = s->prev = NULL;
}

static void slab_open(struct class *k) {
    struct slab *s = page_take();
    unsigned class = (unsigned)(k - slabs.class);
    uint32_t size = slabs.size_of[class];
    *s = (struct slab){.size = size, .capacity = (uint32_t)(ROOM / size), .class = (uint16_t)class};
    k->slabs++;
    atomic_fetch_add_explicit(&slabs.pages, 1, memory_order_relaxed);
    ring_add_last(k, s);
}

static void slab_release(struct class *k, struct slab *s) {
    if (s->next) ring_remove(k, s);
    k->slabs--;
    k->held -= (uint64_t)s->touched * s->size;
    atomic_fetch_sub_explicit(&slabs.pages, 1, memory_order_relaxed);
    page_give(s);
}

/* Each class has a page that is partly free, so few pages in all must do with fewer classes: the last of the next larger ones
 * that an object may go to while there is room in them. None is over a sixteenth larger. At 512 MB and beyond, half a page
 * per class is under 2 %, and each keeps to its own. */
static unsigned borrow_last(unsigned class) {
    uint32_t n = atomic_load_explicit(&slabs.pages, memory_order_relaxed);
    unsigned reach = n >= 8192 ? 0 : n >= 4096 ? 1 : n >= 2048 ? 2 : n >= 1024 ? 4 : 8, last = class;
    while (last < class + reach && last + 1 < slabs.classes && slabs.size_of[last + 1] * 16 <= slabs.size_of[class] * 17) last++;
    return last;
}

static bool borrows(const struct class *k) { return k->slabs - k->marked < BORROW_BELOW; }

/* The class to take from, locked, with room: its own, or a near one, or its own with a new page. */
static struct class *class_with_room(unsigned class) {
    struct class *own = &slabs.class[class];
    lock_acquire(&own->lock);
    if (__builtin_expect(own->ring != NULL, 1)) return own;
    unsigned last = borrows(own) ? borrow_last(class) : class;
    lock_release(&own->lock);
    for (unsigned c = class + 1; c <= last; c++) {
        struct class *k = &slabs.class[c];
        lock_acquire(&k->lock);
        if (k->ring) return k;
        lock_release(&k->lock);
    }
    lock_acquire(&own->lock);
    if (!own->ring) slab_open(own);
    return own;
}

void *slab_alloc(size_t n) {
    struct class *k = class_with_room(slabs.class_of[(n + STEP - 1) / STEP]);
    struct slab *s = k->ring;
    char *p;
    if (s->free) {
        p = object_at(s, s->free - 1);
        memcpy(&s->free, p, sizeof s->free);
    } else {
        p = object_at(s, s->touched++);
        k->held += s->size;
    }
    if (++s->used == s->capacity) ring_remove(k, s);
    size_t size = s->size;
    k->used += size;
    lock_release(&k->lock);
    mem_count(MEM_DATA, (int64_t)size);
    return p;
}

void slab_free(void *p) {
    struct slab *s = slab_of(p);
    struct class *k = &slabs.class[s->class];
    size_t size = s->size;
    lock_acquire(&k->lock);
    memcpy(p, &s->free, sizeof s->free);
    s->free = (uint32_t)((size_t)((char *)p - (char *)(s + 1)) / size) + 1;
    if (s->used-- == s->capacity && !s->marked) ring_add_last(k, s);
    k->used -= size;
    /* An empty slab goes, unless it is the only one with room: the next object would open one again. */
    bool emptied = !s->used && s->marked;
    if (!s->used && !s->marked && s->next != s) slab_release(k, s);
    lock_release(&k->lock);
    if (emptied) page_forget(s); /* nobody takes from it any more: its memory need not wait for the end of the plan */
    mem_count(MEM_DATA, -(int64_t)size);
}

size_t slab_usable(const void *p) { return slab_of(p)->size; }
size_t slab_class_size(size_t n) { return slabs.size_of[slabs.class_of[(n + STEP - 1) / STEP]]; }

void slab_totals(struct slab_totals *out) {
    *out = (struct slab_totals){.pages = atomic_load(&slabs.pages)};
    for (unsigned c = 0; c < slabs.classes; c++) {
        lock_acquire(&slabs.class[c].lock);
        out->held += slabs.class[c].held;
        out->used += slabs.class[c].used;
        lock_release(&slabs.class[c].lock);
    }
}

void slab_trim(void) {
    for (unsigned c = 0; c < slabs.classes; c++) {
        struct class *k = &slabs.class[c];
        lock_acquire(&k->lock);
        struct slab *s = k->ring;
        if (s && !s->used && s->next == s) slab_release(k, s);
        lock_release(&k->lock);
    }
    page_purge(SPARE_PAGES);
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

static void plan_mark(struct slab_plan *p, struct class *k, struct slab *s) {
    ring_remove(k, s);
    s->marked = true;
    k->marked++;
    if (p->count == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 64;
        p->marked = mem_realloc(MEM_UPKEEP, p->marked, p->cap * sizeof *p->marked);
    }
    p->marked[p->count++] = s;
}

static size_t ring_list(struct class *k, struct slab ***list) {
    size_t n = 0, i = 0;
    for (struct slab *s = k->ring; s; s = ring_next(k, s)) n++;
    *list = mem_alloc(MEM_UPKEEP, (n + 1) * sizeof **list);
    for (struct slab *s = k->ring; s; s = ring_next(k, s)) (*list)[i++] = s;
    qsort(*list, n, sizeof **list, by_use);
    return n;
}

/* Takes `n` objects' room from a class and, while it borrows, from the larger ones; false if there is not so much. `room` counts
 * free objects of slabs that are not marked. */
static bool plan_take_room(int64_t *room, unsigned class, unsigned last, int64_t n) {
    int64_t sum = 0;
    for (unsigned c = class; c <= last; c++) sum += room[c];
    if (sum < n) return false;
    for (unsigned c = class; n; c++) {
        int64_t here = room[c] < n ? room[c] : n;
        room[c] -= here;
        n -= here;
    }
    return true;
}

/* Marks the emptiest slabs of a class whose objects fit into the free room of the others. */
static void plan_class(struct slab_plan *p, unsigned class, int64_t *room) {
    struct class *k = &slabs.class[class];
    struct slab **list;
    lock_acquire(&k->lock);
    size_t n = ring_list(k, &list);
    for (size_t i = 0; i < n; i++) {
        struct slab *s = list[i];
        int64_t own = (int64_t)s->capacity - s->used;
        bool borrow = k->slabs - k->marked - 1 < BORROW_BELOW;
        if (room[class] < own) break; /* another thread took from it since the count */
        room[class] -= own;
        if (!plan_take_room(room, class, borrow ? borrow_last(class) : class, s->used)) {
            room[class] += own;
            break;
        }
        plan_mark(p, k, s);
    }
    lock_release(&k->lock);
    mem_free(MEM_UPKEEP, list);
}

static void plan_count_room(int64_t *room) {
    for (unsigned c = 0; c < slabs.classes; c++) {
        struct class *k = &slabs.class[c];
        lock_acquire(&k->lock);
        room[c] = 0;
        for (struct slab *s = k->ring; s; s = ring_next(k, s)) room[c] += (int64_t)s->capacity - s->used;
        lock_release(&k->lock);
    }
}

static size_t page_hash(uintptr_t page) { return (size_t)((page * 0x9e3779b97f4a7c15ull) >> 20); }

struct slab_plan *slab_plan_new(unsigned waste_percent) {
    struct slab_totals t;
    slab_totals(&t);
    if (t.held - t.used < (uint64_t)4 * PAGE_BYTES || (t.held - t.used) * 100 < t.held * waste_percent) return NULL;
    struct slab_plan *p = mem_zalloc(MEM_UPKEEP, sizeof *p);
    int64_t *room = mem_alloc(MEM_UPKEEP, CLASSES * sizeof *room);
    plan_count_room(room);
    for (unsigned c = 0; c < slabs.classes; c++) plan_class(p, c, room);
    mem_free(MEM_UPKEEP, room);
    if (!p->count) {
        slab_plan_free(p);
        return NULL;
    }
    size_t slots = 64;
    while (slots < p->count * 2) slots *= 2;
    p->mask = slots - 1;
    p->set = mem_zalloc(MEM_UPKEEP, slots * sizeof *p->set);
    for (size_t i = 0; i < p->count; i++) {
        uintptr_t page = (uintptr_t)p->marked[i] / PAGE_BYTES;
        size_t at = page_hash(page) & p->mask;
        while (p->set[at]) at = (at + 1) & p->mask;
        p->set[at] = page;
    }
    return p;
}

bool slab_plan_has(const struct slab_plan *p, const void *object) {
    uintptr_t page = (uintptr_t)object / PAGE_BYTES;
    for (size_t at = page_hash(page) & p->mask; p->set[at]; at = (at + 1) & p->mask)
        if (p->set[at] == page) return true;
    return false;
}

void slab_plan_free(struct slab_plan *p) {
    for (size_t i = 0; i < p->count; i++) {
        struct slab *s = p->marked[i];
        struct class *k = &slabs.class[s->class];
        lock_acquire(&k->lock);
        s->marked = false;
        k->marked--;
        if (!s->used) slab_release(k, s);
        else if (s->used < s->capacity) ring_add_last(k, s);
        lock_release(&k->lock);
    }
    mem_free(MEM_UPKEEP, p->marked);
    mem_free(MEM_UPKEEP, p->set);
    mem_free(MEM_UPKEEP, p);
}
