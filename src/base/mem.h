/* mem: where memory comes from, and the count of what was taken.
 *
 * Every byte is counted at the size the allocator really gave (its size class), under one of a few domains. Each thread
 * counts for itself; a limit is checked against a shared total that threads bring up to date every MEM_SLACK bytes (more often where
 * the limit is small), with that slack counted as used, so that a check is one load and the limit still holds.
 * Running out of memory aborts with a log line, as in Redis: a cache without memory can promise nothing.
 * Thread rule: any thread may free what another took. The caller owns what it takes.
 */
#ifndef LARDER_BASE_MEM_H
#define LARDER_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mem_domain {
    MEM_DATA,   /* entries: keys, values, headers */
    MEM_INDEX,  /* tables: segments and directories */
    MEM_MISC,   /* everything else that lives long */
    MEM_CLIENT, /* connections and their buffers: a budget of its own, outside maxmemory */
    MEM_UPKEEP, /* what the store's upkeep works with, for a moment, under 1/1000 of the data, and histograms, 10 KB for each command
                 * in use, which come at any command: outside maxmemory too */
    MEM_DOMAINS
};

#define MEM_SLACK 32768
#define MEM_SLACK_LEAST 2048
#define MEM_SLACK_SHARE 512 /* of a limit of less than 16 MB a thread's slack is this part, or less */
#define MEM_CLAIM 4         /* what is asked for beyond this part of the slack is kept for who asked */

void *mem_alloc(enum mem_domain d, size_t n);                    /* never NULL; aligned to 16, to 8 up to 8 bytes */
void *mem_zalloc(enum mem_domain d, size_t n);                   /* zeroed */
void *mem_aligned(enum mem_domain d, size_t n, size_t align);    /* align: a power of two */
void *mem_realloc(enum mem_domain d, void *p, size_t n);         /* p may be NULL */
void mem_free(enum mem_domain d, void *p);                       /* p may be NULL */
char *mem_strdup(enum mem_domain d, const char *text);
size_t mem_usable(const void *p);                                /* bytes really held by p */
size_t mem_class(size_t n);                                      /* bytes that mem_alloc(n) would take */

/* The slab allocator takes whole pages uncounted and counts objects: these three are its. */
void *mem_pages(size_t n, size_t align);
void mem_pages_free(void *p, size_t n);
void mem_count(enum mem_domain d, int64_t delta);

/* From now on what this thread takes, and gives back, under maxmemory is counted as MEM_CLIENT instead: for what is made only to be replied.
 * It is to be given back aside, too. Returns what was before. */
bool mem_aside(bool on);
bool mem_is_aside(void);

uint64_t mem_used(enum mem_domain d);      /* exact once threads are quiet */
uint64_t mem_limited(void);                /* the domains under maxmemory */
uint64_t mem_peak(void);                   /* highest mem_limited() seen at a check */
void mem_peak_reset(void);
/* May n more be taken while `threads` threads take too? If so, others may not take them until this thread has asked for 0 more. */
bool mem_fits(uint64_t limit, size_t n, unsigned threads);
/* May they, and is there `spare` besides? For a few KB and where the limit is far, without a word to others. False: ask mem_fits. */
bool mem_far(uint64_t limit, size_t n, size_t spare, unsigned threads);

/* Kernel's and allocator's view, in bytes. */
struct mem_system {
    uint64_t rss, allocated, active, resident, mapped, muzzy;
};
void mem_system_read(struct mem_system *out);
uint64_t mem_total_ram(void);
const char *mem_allocator(void);           /* "jemalloc-5.3.0", or "libc" */
void mem_background(void);                 /* from now on a thread of the allocator's own gives back what is free; after any fork */
void mem_leave_to_background(void);        /* the calling thread does not even where much is free in one piece */
void mem_decay(void);                      /* give back what has been free for a while: idle threads do not by themselves */
/* The allocator's own statistics, as text or as JSON, in pieces. */
void mem_report(void (*put)(void *arg, const char *text), void *arg, bool json);
/* Gives whole pages between p and p + n, of one block, back to the kernel: their bytes are zero then. For large blocks about to be
 * freed, a part at a time, because freeing them in one go takes milliseconds. */
void mem_vacate(void *p, size_t n);
void mem_purge(void);                      /* give free pages back to the kernel now */

#endif
