/* Threads on everything of src/base that threads share; a plain program, so that the thread sanitizer can run
 * it. */
#include "base/hist.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 20000 };

static struct lock guard;
static uint64_t guarded;
static struct hist latency[THREADS];
static void *shared[THREADS][64];
static _Atomic int running;

static void check(int ok, const char *what) {
    if (ok) return;
    printf("not ok - %s\n", what);
    exit(1);
}

static void *work(void *arg) {
    unsigned me = (unsigned)(uintptr_t)arg, other = (me + 1) % THREADS;
    for (unsigned i = 0; i < ROUNDS; i++) {
        hist_add(&latency[me], i);
        void *p = mem_alloc(MEM_DATA, 16 + i % 500);
        lock_acquire(&guard);
        guarded++;
        void *was = shared[other][i % 64];
        shared[other][i % 64] = p;
        lock_release(&guard);
        mem_free(MEM_DATA, was); /* mostly what another thread took */
        mem_fits(1 << 30, 100, THREADS);
        if (i % 1000 == 0) log_debug("not formatted");
        if (i % 5000 == 0) log_notice("thread %u at %u", me, i);
        if (i % 7000 == 0) check(log_reopen(), "the log opens again");
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

int main(void) {
    pthread_t t[THREADS];
    uint64_t before = mem_used(MEM_DATA);
    check(log_file_set("/dev/null"), "the log goes nowhere");
    atomic_store(&running, THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        check(!pthread_create(&t[i], NULL, work, (void *)(uintptr_t)i), "a thread starts");
    do {
        struct hist_sum s = {0};
        for (int i = 0; i < THREADS; i++) hist_sum_add(&s, &latency[i]);
        check(s.total <= THREADS * ROUNDS, "readers see counts that were there");
        (void)mem_peak();
    } while (atomic_load(&running));
    for (unsigned i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    check(guarded == THREADS * ROUNDS, "nobody was in the lock with another");
    for (int i = 0; i < THREADS; i++) {
        struct hist_sum s = {0};
        hist_sum_add(&s, &latency[i]);
        check(s.total == ROUNDS, "nothing was lost from a histogram");
        hist_free(&latency[i]);
        for (int k = 0; k < 64; k++) mem_free(MEM_DATA, shared[i][k]);
    }
    check(mem_used(MEM_DATA) == before, "what threads took and others freed adds up to nothing");
    check(log_file_set(""), "the log comes back");
    printf("ok - threads\n1..1\n");
    return 0;
}
