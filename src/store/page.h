/* page: the 64 KB pages that slabs are made of, cut from chunks of 4 MB.
 *
 * Taken one by one from the allocator, aligned pages would cost it twice their addresses and 16 bytes of index for each 4 KB
 * of those. Free pages are used again first; page_purge gives the memory of those that stay free back to the kernel (their
 * addresses stay ours). Fresh pages are zero and not resident until written to.
 * Thread rule: any thread; one short lock. Process-wide, as the allocator it stands on.
 */
#ifndef LARDER_STORE_PAGE_H
#define LARDER_STORE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#define PAGE_BYTES 65536

void *page_take(void); /* aligned to PAGE_BYTES; never NULL */
void page_give(void *page);
void page_forget(void *page); /* gives its memory back but for the first 4 KB; it stays taken */
/* Of the free ones that have been written to all but `keep`, `most` at a time; true: there are more. */
bool page_purge(size_t keep, unsigned most);

#endif
