/* near_reclaim: who reads, and when what was taken out may be freed.
 *
 * A block that was taken out at turn t may be in the hands of records that are inside since turn t or before, and of pins. The turn
 * moves on at each attempt to free; a record that goes in after that sees what was taken out before. That a record is inside is
 * written without a fence: the kernel gives all threads of the process one instead (membarrier) before the records are looked at. */
#include "l1/near_inside.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DUE 32      /* blocks that may wait before an attempt */
#define DUE_SHARE 32 /* or this share of a shard's limit, in bytes */

static void record_return(void *arg) {
    struct near_record *r = arg;
    atomic_store_explicit(&r->taken, false, memory_order_release);
}

int near_reclaim_start(struct near *s) {
    s->fences = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 && !getenv("LARDER_NO_MEMBARRIER");
    return pthread_key_create(&s->key, record_return);
}

void near_reclaim_stop(struct near *s) {
    pthread_key_delete(s->key);
    for (struct near_record *r = s->records, *next; r; r = next) {
        next = r->next;
        for (struct near_pins *b = r->pins.next, *after; b; b = after) {
            after = b->next;
            free(b);
        }
        if (r->more) s->drop(r->more);
        free(r);
    }
    for (unsigned i = 0; i < s->shards; i++) {
        for (uint32_t w = 0; w < s->shard[i].waiting_n; w++) free(s->shard[i].waiting[w].block);
        free(s->shard[i].waiting);
    }
}

static struct near_record *record_claim(struct near *s) {
    struct near_record *r = atomic_load_explicit(&s->records, memory_order_acquire);
    for (; r; r = r->next) {
        bool taken = false;
        if (atomic_compare_exchange_strong_explicit(&r->taken, &taken, true, memory_order_acquire, memory_order_relaxed)) return r;
    }
    if (posix_memalign((void **)&r, 128, sizeof *r)) return NULL;
    memset((void *)r, 0, sizeof *r);
    r->taken = true;
    r->next = atomic_load_explicit(&s->records, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&s->records, &r->next, r)) {}
    return r;
}

static __attribute__((noinline)) struct near_record *record_first(struct near *s) {
    struct near_record *r = record_claim(s);
    if (r && pthread_setspecific(s->key, r)) {
        record_return(r);
        r = NULL;
    }
    return r;
}

struct near_record *near_record(struct near *s) {
    struct near_record *r = pthread_getspecific(s->key);
    return __builtin_expect(r != NULL, 1) ? r : record_first(s);
}

struct near_record *near_record_next(struct near *s, struct near_record *r) {
    return r ? r->next : atomic_load_explicit(&s->records, memory_order_acquire);
}

void near_reclaim_later(struct near *s, struct near_shard *h, void *block, uint64_t bytes) {
    if (h->waiting_n == h->waiting_cap) {
        uint32_t cap = h->waiting_cap ? h->waiting_cap * 2 : DUE;
        struct near_waiting *to = realloc(h->waiting, cap * sizeof *to);
        if (!to) return; /* no memory: the block is lost, which is better than freed under a reader */
        h->waiting = to;
        h->waiting_cap = cap;
    }
    h->waiting[h->waiting_n++] = (struct near_waiting){block, atomic_load_explicit(&s->turn, memory_order_relaxed), bytes};
    h->waiting_bytes += bytes;
    if (h->waiting_n >= h->waiting_due + DUE || (h->waiting_n > h->waiting_due && bytes > s->shard_limit / DUE_SHARE)) near_reclaim(s, h);
}

struct pinned {
    uintptr_t *at, some[64];
    size_t n, cap;
    bool failed;
};

static int by_address(const void *a, const void *b) {
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static void pinned_add(struct pinned *p, uintptr_t e) {
    if (p->n == p->cap) {
        uintptr_t *to = malloc(p->cap * 2 * sizeof *to);
        if (!to) {
            p->failed = true;
            return;
        }
        memcpy(to, p->at, p->n * sizeof *to);
        if (p->at != p->some) free(p->at);
        p->at = to;
        p->cap *= 2;
    }
    p->at[p->n++] = e;
}

static void pinned_read(struct near *s, struct pinned *p) {
    *p = (struct pinned){.at = p->some, .cap = sizeof p->some / sizeof *p->some};
    for (struct near_record *r = NULL; (r = near_record_next(s, r));)
        for (struct near_pins *b = &r->pins; b; b = atomic_load_explicit(&b->next, memory_order_acquire))
            for (unsigned i = 0; i < NEAR_PINS; i++) {
                uintptr_t e = atomic_load_explicit(&b->entry[i], memory_order_acquire);
                if (e) pinned_add(p, e);
            }
    qsort(p->at, p->n, sizeof *p->at, by_address);
}

/* The lowest turn that somebody is inside since. */
static uint64_t lowest_turn(struct near *s) {
    uint64_t lowest = UINT64_MAX;
    for (struct near_record *r = NULL; (r = near_record_next(s, r));) {
        uint64_t turn = atomic_load(&r->inside);
        if (turn && turn < lowest) lowest = turn;
    }
    return lowest;
}

void near_reclaim(struct near *s, struct near_shard *h) {
    if (!h->waiting_n) return;
    atomic_fetch_add(&s->turn, 1);
    if (s->fences && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0)) return;
    uint64_t lowest = lowest_turn(s);
    struct pinned pinned;
    pinned_read(s, &pinned);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->waiting_n; i++) {
        struct near_waiting w = h->waiting[i];
        uintptr_t e = (uintptr_t)w.block;
        if (w.turn >= lowest || pinned.failed || (pinned.n && bsearch(&e, pinned.at, pinned.n, sizeof e, by_address))) {
            h->waiting[kept++] = w;
        } else {
            free(w.block);
            h->waiting_bytes -= w.bytes;
        }
    }
    h->waiting_n = h->waiting_due = kept;
    if (pinned.at != pinned.some) free(pinned.at);
}
