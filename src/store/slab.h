/* slab: small blocks in size classes finer than the allocator's, in pages that can be emptied.
 *
 * A slab is one page of PAGE_BYTES (see page.h), cut into equal objects; there is one class for each count of objects that a
 * page can hold, but none less than 2 bytes apart. Allocators' usual classes, 16 bytes and then a quarter of the size apart,
 * would waste more on an average entry than its whole header. Objects are not aligned. Pages are touched only as far as they
 * have been handed out. While there are few pages, an object may go to a class a few steps larger that has room.
 *
 * When many slabs are sparse, slab_plan marks those worth emptying; no object is taken from a marked slab again, and who owns
 * the objects moves them. Counted under MEM_DATA at the size of the class.
 * Thread rule: any thread; one short lock per class. Process-wide, as the allocator it stands on.
 */
#ifndef LARDER_STORE_SLAB_H
#define LARDER_STORE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_MAX 4092 /* larger blocks come from the allocator */

void *slab_alloc(size_t n); /* 1 <= n <= SLAB_MAX; not aligned; never NULL */
void slab_free(void *p);
size_t slab_usable(const void *p);
size_t slab_class_size(size_t n); /* bytes that slab_alloc(n) takes */

struct slab_totals {
    uint64_t pages, held, used; /* slabs; bytes in them ever handed out; bytes handed out now */
};
void slab_totals(struct slab_totals *out);
/* Frees slabs with nothing in them, and gives some free pages back to the kernel: a few, which takes some 20 us. True: there are more. */
bool slab_trim(void);

/* Slabs to be emptied, found by address without touching an object. One thread makes a plan, one after it ends it, both in steps of
 * some 20 us; there is one at a time. */
struct slab_plan;
struct slab_plan *slab_plan_new(unsigned waste_percent); /* NULL: less than that is wasted */
bool slab_plan_make(struct slab_plan *p);                /* one step; false: it is made, and may be asked */
size_t slab_plan_marked(const struct slab_plan *p);      /* slabs; 0: nothing to gain */
bool slab_plan_has(const struct slab_plan *p, const void *object);
/* One step of taking it back: what is not empty by now is used again. False: it is gone. */
bool slab_plan_end(struct slab_plan *p);

#endif
