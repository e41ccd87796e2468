#include "base/mem.h"

#include "base/thread.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define EXACT_SIZES /* the address sanitizer's malloc gives what was asked for */
#endif

#ifdef HAVE_JEMALLOC
#include <jemalloc/jemalloc.h>
/* Free pages go back within a second, so that RSS follows what is used; few arenas, because each keeps free pages. */
const char *malloc_conf = "dirty_decay_ms:500,muzzy_decay_ms:0,narenas:4,max_background_threads:1";
#endif

#define PEAK_LOOKS 8
#define PEAK_STEP 2 /* slacks that a peak may be passed by before somebody looks, who else looks ten times a second */

struct count {
    _Atomic int64_t total[MEM_DOMAINS];
    _Atomic int64_t pending; /* under maxmemory, not yet in `flushed`; its thread writes it */
    int64_t claim;   /* of `claimed`, this thread's */
    unsigned within; /* domains below this number are under maxmemory */
} __attribute__((aligned(64)));

/* Process-wide, as the allocator is. `asides` is of what threads do aside: there all domains are outside maxmemory. */
static struct count counts[THREAD_MAX], asides[THREAD_MAX];
static _Atomic int64_t flushed, peak, claimed, slack = MEM_SLACK;
static _Atomic uint64_t slack_limit; /* that it is for */
static _Atomic bool shrunk; /* the slack has, and some thread may still have more pending */
static _Thread_local struct count *mine;

static _Noreturn void out_of_memory(size_t n) {
    fprintf(stderr, "larder: out of memory taking %zu bytes\n", n);
    abort();
}

static __attribute__((noinline)) struct count *count_mine(void) {
    mine = &counts[thread_index()];
    mine->within = MEM_CLIENT;
    return mine;
}

bool mem_aside(bool on) {
    struct count *c = mine ? mine : count_mine();
    bool was = !c->within;
    mine = on ? &asides[thread_index()] : &counts[thread_index()];
    return was;
}

bool mem_is_aside(void) { return mine && !mine->within; }

static void raise_peak(int64_t now) {
    int64_t seen = atomic_load_explicit(&peak, memory_order_relaxed);
    while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now)) {}
}

void mem_count(enum mem_domain d, int64_t delta) {
    struct count *c = mine;
    if (__builtin_expect(!c, 0)) c = count_mine();
    int64_t total = atomic_load_explicit(&c->total[d], memory_order_relaxed);
    atomic_store_explicit(&c->total[d], total + delta, memory_order_relaxed);
    if (d >= c->within) return; /* outside maxmemory */
    int64_t pending = atomic_load_explicit(&c->pending, memory_order_relaxed) + delta;
    int64_t most = atomic_load_explicit(&slack, memory_order_relaxed);
    if (pending <= most && pending >= -most) {
        atomic_store_explicit(&c->pending, pending, memory_order_relaxed);
        return;
    }
    int64_t now = atomic_fetch_add_explicit(&flushed, pending, memory_order_relaxed) + pending;
    atomic_store_explicit(&c->pending, 0, memory_order_release); /* whoever sees that sees the total, too */
    /* That total is without what other threads have freed and not told yet, so it may be past a limit that was kept. */
    if (__builtin_expect(now > atomic_load_explicit(&peak, memory_order_relaxed) + PEAK_STEP * most, 0)) mem_limited();
}

/* Of the domains from `from` on, below `end`. */
static int64_t counted(const struct count *of, int from, int end) {
    int64_t sum = 0;
    for (int i = 0; i < THREAD_MAX; i++)
        for (int d = from; d < end; d++) sum += atomic_load_explicit(&of[i].total[d], memory_order_relaxed);
    return sum;
}

uint64_t mem_used(enum mem_domain d) {
    int64_t sum = counted(counts, (int)d, (int)d + 1);
    if (d >= MEM_CLIENT) sum += counted(asides, d == MEM_CLIENT ? 0 : (int)d, (int)d + 1);
    return sum > 0 ? (uint64_t)sum : 0;
}

static int64_t limited_now(void) {
    int64_t sum = counted(counts, 0, MEM_CLIENT);
    return sum > 0 ? sum : 0;
}

/* What one thread frees and another one takes while the counts are being added up is counted twice, if the one is read before and the
 * other behind it: megabytes, where the reader gets no processor in between. So a new peak is believed only once it has been seen
 * several times. */
uint64_t mem_limited(void) {
    int64_t now = limited_now();
    for (int i = 0; i < PEAK_LOOKS && now > atomic_load_explicit(&peak, memory_order_relaxed); i++) {
        int64_t again = limited_now();
        if (again < now) now = again;
    }
    raise_peak(now);
    return (uint64_t)now;
}

uint64_t mem_peak(void) {
    uint64_t now = mem_limited(), top = (uint64_t)atomic_load(&peak);
    return top > now ? top : now;
}

void mem_peak_reset(void) { atomic_store(&peak, (int64_t)mem_limited()); }

/* What a thread was told that fits is taken as used by the others until it asks again, for nothing: two threads that ask at the same
 * time may not both get the same megabytes. A claim is made before the total is read, and given up after what was taken has become
 * part of it, so that whoever does not see the claim sees that. */
static int64_t claim_of(struct count *c, int64_t n, int64_t most) {
    int64_t more = n - c->claim;
    if (!n || (n > most / MEM_CLAIM && more > 0)) {
        if (more) atomic_fetch_add(&claimed, more);
        c->claim = n;
    }
    return atomic_load(&claimed) - c->claim;
}

/* What that limit has for a slack, from now on. */
static int64_t slack_for(uint64_t limit) {
    int64_t most = MEM_SLACK, old = atomic_load_explicit(&slack, memory_order_relaxed);
    if (__builtin_expect(limit == atomic_load_explicit(&slack_limit, memory_order_relaxed), 1)) return old;
    atomic_store_explicit(&slack_limit, limit, memory_order_relaxed);
    while (most > MEM_SLACK_LEAST && (uint64_t)most > limit / MEM_SLACK_SHARE) most /= 2;
    if (most == old) return most;
    atomic_store(&slack, most);
    if (most < old) atomic_store(&shrunk, true);
    return most;
}

/* What threads have pending beyond the slack, since they have not counted anything since it shrank. */
static int64_t pending_beyond(int64_t most) {
    int64_t sum = 0;
    atomic_store(&shrunk, false);
    for (int i = 0; i < THREAD_MAX; i++) {
        int64_t pending = atomic_load_explicit(&counts[i].pending, memory_order_acquire);
        if (pending > most) sum += pending - most;
    }
    if (sum) atomic_store(&shrunk, true);
    return sum;
}

/* Where a limit is new, or a claim is to be made or given up. */
static __attribute__((noinline)) bool fits_carefully(struct count *c, uint64_t limit, size_t n, unsigned threads_beside) {
    int64_t most = slack_for(limit), others = claim_of(c, (int64_t)n, most);
    if (__builtin_expect(atomic_load_explicit(&shrunk, memory_order_relaxed), 0)) others += pending_beyond(most);
    int64_t now = atomic_load_explicit(&flushed, memory_order_relaxed) + atomic_load_explicit(&c->pending, memory_order_relaxed);
    bool fits = now + (int64_t)n + others + (int64_t)threads_beside * most <= (int64_t)limit;
    if (!fits && c->claim) {
        atomic_fetch_sub(&claimed, c->claim);
        c->claim = 0;
    }
    return fits;
}

bool mem_fits(uint64_t limit, size_t n, unsigned threads) {
    struct count *c = mine;
    unsigned others = threads ? threads - 1 : 0;
    if (__builtin_expect(!c, 0)) c = count_mine();
    int64_t most = atomic_load_explicit(&slack, memory_order_relaxed);
    bool same = limit == atomic_load_explicit(&slack_limit, memory_order_relaxed) && !atomic_load_explicit(&shrunk, memory_order_relaxed);
    if (__builtin_expect(!same || c->claim || n > (size_t)most / MEM_CLAIM, 0)) return fits_carefully(c, limit, n, others);
    int64_t used = atomic_load(&claimed); /* before the total */
    used += atomic_load_explicit(&flushed, memory_order_relaxed) + atomic_load_explicit(&c->pending, memory_order_relaxed);
    return used + (int64_t)n + (int64_t)others * most <= (int64_t)limit;
}

bool mem_far(uint64_t limit, size_t n, size_t spare, unsigned threads) {
    struct count *c = mine;
    int64_t most = atomic_load_explicit(&slack, memory_order_relaxed);
    if (!c || limit != atomic_load_explicit(&slack_limit, memory_order_relaxed) || n > (size_t)most / MEM_CLAIM) return false;
    int64_t used = atomic_load_explicit(&claimed, memory_order_relaxed) + atomic_load_explicit(&flushed, memory_order_relaxed);
    used += atomic_load_explicit(&c->pending, memory_order_relaxed) + (int64_t)(n + spare);
    return used + (int64_t)(threads ? threads - 1 : 0) * most <= (int64_t)limit && !atomic_load_explicit(&shrunk, memory_order_relaxed);
}

/* jemalloc answers under this name too. */
size_t mem_usable(const void *p) { return malloc_usable_size((void *)p); }

size_t mem_class(size_t n) {
#ifdef HAVE_JEMALLOC
    return nallocx(n ? n : 1, 0);
#elif defined(EXACT_SIZES)
    return n ? n : 1;
#else
    size_t chunk = (n + sizeof(size_t) + 15) & ~(size_t)15; /* glibc: a word in front of each block, 24 bytes at least */
    return chunk < 32 ? 24 : chunk - sizeof(size_t);
#endif
}

void *mem_alloc(enum mem_domain d, size_t n) {
    void *p = malloc(n ? n : 1);
    if (!p) out_of_memory(n);
    mem_count(d, (int64_t)mem_usable(p));
    return p;
}

void *mem_zalloc(enum mem_domain d, size_t n) {
    void *p = calloc(1, n ? n : 1);
    if (!p) out_of_memory(n);
    mem_count(d, (int64_t)mem_usable(p));
    return p;
}

void *mem_aligned(enum mem_domain d, size_t n, size_t align) {
    void *p = mem_pages(n, align);
    mem_count(d, (int64_t)mem_usable(p));
    return p;
}

void *mem_realloc(enum mem_domain d, void *p, size_t n) {
    size_t before = p ? mem_usable(p) : 0;
    void *q = realloc(p, n ? n : 1);
    if (!q) out_of_memory(n);
    mem_count(d, (int64_t)mem_usable(q) - (int64_t)before);
    return q;
}

void mem_free(enum mem_domain d, void *p) {
    if (!p) return;
    mem_count(d, -(int64_t)mem_usable(p));
    free(p);
}

char *mem_strdup(enum mem_domain d, const char *text) {
    size_t n = strlen(text) + 1;
    return memcpy(mem_alloc(d, n), text, n);
}

void *mem_pages(size_t n, size_t align) {
    void *p = NULL;
    if (posix_memalign(&p, align < sizeof p ? sizeof p : align, n)) out_of_memory(n);
    return p;
}

void mem_pages_free(void *p, size_t n) {
    (void)n; /* an aligned block may lie in a larger class than its size says, so no sized free here */
    free(p);
}

static uint64_t rss_read(void) {
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, resident = 0;
    if (!f) return 0;
    if (fscanf(f, "%lu %lu", &size, &resident) != 2) resident = 0;
    fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void mem_system_read(struct mem_system *out) {
    memset(out, 0, sizeof *out);
    out->rss = rss_read();
#ifdef HAVE_JEMALLOC
    uint64_t epoch = 1;
    size_t len = sizeof epoch;
    mallctl("epoch", &epoch, &len, &epoch, len);
    const struct {
        const char *name;
        uint64_t *to;
    } stats[] = {{"stats.allocated", &out->allocated}, {"stats.active", &out->active},
        {"stats.resident", &out->resident}, {"stats.mapped", &out->mapped}};
    for (size_t i = 0; i < sizeof stats / sizeof *stats; i++) {
        size_t v = 0, n = sizeof v;
        if (!mallctl(stats[i].name, &v, &n, NULL, 0)) *stats[i].to = v;
    }
    char name[64];
    size_t pages = 0;
    len = sizeof pages;
    snprintf(name, sizeof name, "stats.arenas.%u.pmuzzy", (unsigned)MALLCTL_ARENAS_ALL);
    if (!mallctl(name, &pages, &len, NULL, 0)) out->muzzy = pages * (uint64_t)sysconf(_SC_PAGESIZE);
#else
    out->allocated = out->active = mem_limited() + mem_used(MEM_CLIENT);
    out->resident = out->mapped = out->rss;
#endif
}

uint64_t mem_total_ram(void) { return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE); }

const char *mem_allocator(void) {
#ifdef HAVE_JEMALLOC
    static const char *name = "jemalloc-" JEMALLOC_VERSION;
    static _Thread_local char text[64];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(name, "-") + 1 + (int)strcspn(JEMALLOC_VERSION, "-"), name);
    return text;
#else
    return "libc";
#endif
}

void mem_report(void (*put)(void *arg, const char *text), void *arg, bool json) {
#ifdef HAVE_JEMALLOC
    malloc_stats_print(put, arg, json ? "J" : "");
#else
    char *text = NULL; /* glibc knows one form only, XML */
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    (void)json;
    if (f) {
        malloc_info(0, f);
        fclose(f);
    }
    if (text) put(arg, text);
    free(text);
#endif
}

static void all_arenas(const char *what) {
#ifdef HAVE_JEMALLOC
    char name[64];
    snprintf(name, sizeof name, "arena.%u.%s", (unsigned)MALLCTL_ARENAS_ALL, what);
    mallctl(name, NULL, NULL, NULL, 0);
#else
    (void)what;
#endif
}

/* Otherwise whoever frees something now and then gives back what others have freed, megabytes of it, for milliseconds. Where it cannot be
 * had, that is how it is. */
void mem_background(void) {
#ifdef HAVE_JEMALLOC
    bool on = true;
    (void)!mallctl("background_thread", NULL, NULL, &on, sizeof on);
#endif
}

/* By default whoever frees the last of what lies between 8 MB gives them back at once, for some milliseconds. An arena is made for a thread
 * by its first allocation, so it is asked for here. */
void mem_leave_to_background(void) {
#ifdef HAVE_JEMALLOC
    char name[64];
    unsigned arena;
    size_t n = sizeof arena, never = SIZE_MAX >> 4;
    if (mallctl("thread.arena", &arena, &n, NULL, 0)) return;
    snprintf(name, sizeof name, "arena.%u.oversize_threshold", arena);
    (void)!mallctl(name, NULL, NULL, &never, sizeof never);
#endif
}

void mem_decay(void) { all_arenas("decay"); }
void mem_vacate(void *p, size_t n) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + page - 1) & ~(page - 1), to = ((uintptr_t)p + n) & ~(page - 1);
    /* It is advice: if it is not taken, the block's end gives the pages back. */
    if (from < to) (void)!madvise((void *)from, to - from, MADV_DONTNEED);
}

void mem_purge(void) { all_arenas("purge"); }
