#include "base/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPINS 100 /* a shard is held for well under a microsecond: sleeping costs more than waiting that long */

static inline void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

void lock_wait(struct lock *l) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&l->state, memory_order_relaxed) == 0 && lock_try(l)) return;
        pause_cpu();
    }
    while (atomic_exchange_explicit(&l->state, 2, memory_order_acquire) != 0)
        syscall(SYS_futex, &l->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

void lock_wake(struct lock *l) { syscall(SYS_futex, &l->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }

/* Process-wide, as threads are. */
static _Atomic uint64_t taken[THREAD_MAX / 64];
static _Thread_local int mine = -1;
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void give_back(void *number) {
    unsigned n = (unsigned)(uintptr_t)number - 1;
    atomic_fetch_and(&taken[n / 64], ~(1ull << (n % 64)));
}

static void make_key(void) {
    if (pthread_key_create(&at_exit, give_back)) abort();
}

static unsigned thread_claim(void) {
    for (unsigned w = 0; w < THREAD_MAX / 64; w++) {
        uint64_t seen = atomic_load(&taken[w]);
        while (~seen) {
            unsigned bit = (unsigned)__builtin_ctzll(~seen);
            if (atomic_compare_exchange_weak(&taken[w], &seen, seen | 1ull << bit)) return w * 64 + bit;
        }
    }
    abort(); /* more threads than THREAD_MAX: the daemon bounds `threads` well below it */
}

unsigned thread_index(void) {
    if (mine < 0) {
        pthread_once(&once, make_key);
        mine = (int)thread_claim();
        pthread_setspecific(at_exit, (void *)(uintptr_t)(mine + 1));
    }
    return (unsigned)mine;
}

void thread_name(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
