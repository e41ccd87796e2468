#include "store/slab.h"

#include "base/mem.h"
#include "base/thread.h"
#include "store/page.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define STEP 2
#define SMALLEST 16
#define ROOM (PAGE_BYTES - sizeof(struct slab))
#define CLASSES 512
#define BORROW_BELOW 2  /* a class with fewer pages than this looks for room in the next larger ones first */
#define PURGED_MOST 2
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
    uint32_t slabs, marked, open; /* all; of a plan; in the ring */
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
    k->open++;
    if (!k->ring) {
        k->ring = s->next = s->prev = s;
        return;
    }
    s->next = k->ring;
    s->prev = k->ring->prev;
    s->prev->next = s->next->prev = s;
}

static void ring_remove(struct class *k, struct slab *s) {
    k->open--;
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

bool slab_trim(void) {
    for (unsigned c = 0; c < slabs.classes; c++) {
        struct class *k = &slabs.class[c];
        lock_acquire(&k->lock);
        struct slab *s = k->ring;
        if (s && !s->used && s->next == s) slab_release(k, s);
        lock_release(&k->lock);
    }
    return page_purge(SPARE_PAGES, PURGED_MOST);
}

/* -- emptying sparse slabs -------------------------------------------------------------------------------------------- */

/* Classes one after the other; of each, its ring is gone round twice. First slabs are counted by how full they are: which says up to where
 * they are to be emptied, the emptiest first, if the others are to have room for what is in them. Then those are marked. */

#define LEVELS 64      /* of fullness */
#define LOOKS_MOST 64  /* at slabs, under one lock; each may be a miss of the caches */
#define CLASSES_MOST 32 /* without a slab */

enum plan_state { PLAN_COUNT, PLAN_MARK, PLAN_FIND };

struct slab_plan {
    enum plan_state state;
    unsigned class;
    bool begun;              /* the ring's round in this state */
    uint32_t left, limit;    /* slabs still to be looked at; levels below it are marked */
    uint32_t level[LEVELS];
    int64_t room[CLASSES];   /* free objects of slabs that are not marked */
    struct slab **marked;
    size_t count, cap;
    uintptr_t *set; /* open addressing by page number */
    size_t mask, known; /* of `count`, those that are in the set */
};

static uint32_t level_of(const struct slab *s) { return (uint32_t)((uint64_t)s->used * LEVELS / s->capacity); }

/* Room for `more`, so that none is made under a lock. */
static void plan_reserve(struct slab_plan *p, size_t more) {
    if (p->cap - p->count >= more) return;
    p->cap = p->cap ? p->cap * 2 : LOOKS_MOST * 2;
    p->marked = mem_realloc(MEM_UPKEEP, p->marked, p->cap * sizeof *p->marked);
}

/* Takes `n` objects' room from a class and, while it borrows, from the larger ones; false if there is not so much. */
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

/* Marks a slab if its objects fit into the free room of the others. */
static bool plan_mark(struct slab_plan *p, struct class *k, struct slab *s) {
    int64_t own = (int64_t)s->capacity - s->used;
    bool borrow = k->slabs - k->marked - 1 < BORROW_BELOW;
    if (p->room[p->class] < own) return false; /* another thread took from it since the count */
    p->room[p->class] -= own;
    if (!plan_take_room(p->room, p->class, borrow ? borrow_last(p->class) : p->class, s->used)) {
        p->room[p->class] += own;
        return false;
    }
    ring_remove(k, s);
    s->marked = true;
    k->marked++;
    p->marked[p->count++] = s;
    return true;
}

/* Up to which level the emptiest slabs' objects fit into the others, about. */
static uint32_t plan_limit(const struct slab_plan *p) {
    uint32_t capacity = (uint32_t)(ROOM / slabs.size_of[p->class]), level = 0;
    double room = (double)p->room[p->class];
    for (unsigned c = p->class + 1; c <= borrow_last(p->class) && slabs.class[p->class].slabs <= BORROW_BELOW; c++) room += (double)p->room[c];
    for (double moved = 0; level < LEVELS; level++) {
        double used = ((double)level + 0.5) / LEVELS * capacity;
        moved += p->level[level] * used;
        room -= p->level[level] * (capacity - used);
        if (moved > room) break;
    }
    return level + 1; /* of the last level, those that fit */
}

/* Some slabs of the class; its lock is held. True when all have been looked at. */
static bool plan_look(struct slab_plan *p, struct class *k) {
    if (!p->begun) p->left = k->open;
    p->begun = true;
    for (unsigned n = 0; n < LOOKS_MOST && p->left && k->ring; n++) {
        struct slab *s = k->ring;
        p->left--;
        k->ring = s->next;
        if (p->state == PLAN_COUNT) p->level[level_of(s)]++;
        else if (level_of(s) < p->limit && !plan_mark(p, k, s) && level_of(s) + 1 < p->limit) p->left = 0;
    }
    return !p->left || !k->ring;
}

static void plan_next_class(struct slab_plan *p) {
    p->state = ++p->class < slabs.classes ? PLAN_COUNT : PLAN_FIND;
    memset(p->level, 0, sizeof p->level);
}

static void plan_classes(struct slab_plan *p) {
    plan_reserve(p, LOOKS_MOST);
    for (unsigned n = 0; n < CLASSES_MOST && p->state != PLAN_FIND; n++) {
        struct class *k = &slabs.class[p->class];
        lock_acquire(&k->lock);
        bool some = k->open, done = !some || plan_look(p, k);
        lock_release(&k->lock);
        if (done) {
            p->begun = false;
            if (some && p->state == PLAN_COUNT) {
                p->limit = plan_limit(p);
                p->state = PLAN_MARK;
            } else {
                plan_next_class(p);
            }
        }
        if (some) return;
    }
}

static size_t page_hash(uintptr_t page) { return (size_t)((page * 0x9e3779b97f4a7c15ull) >> 20); }

static bool plan_find(struct slab_plan *p) {
    if (!p->set) {
        size_t slots = 64;
        while (slots < p->count * 2) slots *= 2;
        p->mask = slots - 1;
        p->set = mem_zalloc(MEM_UPKEEP, slots * sizeof *p->set);
    }
    for (unsigned n = 0; n < LOOKS_MOST && p->known < p->count; n++) {
        uintptr_t page = (uintptr_t)p->marked[p->known++] / PAGE_BYTES;
        size_t at = page_hash(page) & p->mask;
        while (p->set[at]) at = (at + 1) & p->mask;
        p->set[at] = page;
    }
    return p->known < p->count;
}

struct slab_plan *slab_plan_new(unsigned waste_percent) {
    struct slab_totals t;
    slab_totals(&t);
    if (t.held - t.used < (uint64_t)4 * PAGE_BYTES || (t.held - t.used) * 100 < t.held * waste_percent) return NULL;
    struct slab_plan *p = mem_zalloc(MEM_UPKEEP, sizeof *p);
    for (unsigned c = 0; c < slabs.classes; c++) {
        struct class *k = &slabs.class[c];
        lock_acquire(&k->lock);
        p->room[c] = (int64_t)(k->slabs * (ROOM / slabs.size_of[c])) - (int64_t)(k->used / slabs.size_of[c]);
        lock_release(&k->lock);
    }
    return p;
}

bool slab_plan_make(struct slab_plan *p) {
    if (p->state == PLAN_FIND) return plan_find(p);
    plan_classes(p);
    return true;
}

size_t slab_plan_marked(const struct slab_plan *p) { return p->count; }

bool slab_plan_has(const struct slab_plan *p, const void *object) {
    uintptr_t page = (uintptr_t)object / PAGE_BYTES;
    for (size_t at = page_hash(page) & p->mask; p->set[at]; at = (at + 1) & p->mask)
        if (p->set[at] == page) return true;
    return false;
}

bool slab_plan_end(struct slab_plan *p) {
    for (unsigned n = 0; n < LOOKS_MOST && p->count; n++) {
        struct slab *s = p->marked[--p->count];
        struct class *k = &slabs.class[s->class];
        lock_acquire(&k->lock);
        s->marked = false;
        k->marked--;
        if (!s->used) slab_release(k, s);
        else if (s->used < s->capacity) ring_add_last(k, s);
        lock_release(&k->lock);
    }
    if (p->count) return true;
    mem_free(MEM_UPKEEP, p->marked);
    mem_free(MEM_UPKEEP, p->set);
    mem_free(MEM_UPKEEP, p);
    return false;
}
