/* thread: the lock that everything short is guarded by, and a small number for each thread.
 *
 * struct lock is a three-state futex word (free, held, held with waiters), after Ulrich Drepper's "Futexes Are Tricky",
 * mutex 2. Uncontended it is one atomic exchange to take and one to release. Not recursive. A zeroed lock is free.
 * Thread rule: any thread. Nobody owns a lock but the structure it lies in.
 */
#ifndef LARDER_BASE_THREAD_H
#define LARDER_BASE_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    _Atomic uint32_t state;
};

void lock_wait(struct lock *l); /* the slow half of lock_acquire */
void lock_wake(struct lock *l); /* the slow half of lock_release */

static inline bool lock_try(struct lock *l) {
    uint32_t seen = 0;
    return atomic_compare_exchange_strong_explicit(&l->state, &seen, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void lock_acquire(struct lock *l) {
    if (!lock_try(l)) lock_wait(l);
}

static inline void lock_release(struct lock *l) {
    if (atomic_exchange_explicit(&l->state, 0, memory_order_release) == 2) lock_wake(l);
}

/* Each thread that asks gets the lowest free number below THREAD_MAX; it is given back when the thread ends. */
#define THREAD_MAX 256
unsigned thread_index(void);

void thread_name(const char *name); /* as top and gdb show it; cut to 15 bytes */

/* A counter with one writer and any readers: a plain add for the writer, no torn reads for the others. */
typedef _Atomic uint64_t counter;
static inline void counter_add(counter *c, uint64_t n) {
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline uint64_t counter_get(const counter *c) {
    return atomic_load_explicit((counter *)c, memory_order_relaxed);
}
static inline void counter_reset(counter *c) { atomic_store_explicit(c, 0, memory_order_relaxed); }

#endif
