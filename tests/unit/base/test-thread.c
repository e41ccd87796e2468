#include "base/thread.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct lock guard;
static uint64_t guarded;

static void *count_up(void *arg) {
    (void)arg;
    for (int i = 0; i < 100000; i++) {
        lock_acquire(&guard);
        guarded++;
        lock_release(&guard);
    }
    return NULL;
}

Test(lock, keeps_others_out) {
    pthread_t t[6];
    for (int i = 0; i < 6; i++) cr_assert(!pthread_create(&t[i], NULL, count_up, NULL));
    for (int i = 0; i < 6; i++) pthread_join(t[i], NULL);
    cr_assert(guarded == 600000);
    cr_assert(lock_try(&guard), "free again at the end");
    cr_assert(!lock_try(&guard));
    lock_release(&guard);
}

static _Atomic int stage;

static void *wait_for_it(void *arg) {
    struct lock *l = arg;
    atomic_store(&stage, 1);
    lock_acquire(l);
    atomic_store(&stage, 2);
    lock_release(l);
    return NULL;
}

Test(lock, a_sleeper_is_woken) {
    struct lock l = {0};
    pthread_t t;
    lock_acquire(&l);
    cr_assert(!pthread_create(&t, NULL, wait_for_it, &l));
    while (atomic_load(&l.state) != 2) {} /* it sleeps, or is about to */
    cr_assert(atomic_load(&stage) == 1);
    lock_release(&l);
    pthread_join(t, NULL);
    cr_assert(atomic_load(&stage) == 2);
}

static _Atomic int ready, go;

static void *number(void *arg) {
    *(unsigned *)arg = thread_index();
    atomic_fetch_add(&ready, 1);
    while (!atomic_load(&go)) {}
    cr_assert(thread_index() == *(unsigned *)arg, "it stays the same");
    return NULL;
}

static void round_of_threads(unsigned *index) {
    pthread_t t[8];
    atomic_store(&ready, 0);
    atomic_store(&go, 0);
    for (int i = 0; i < 8; i++) cr_assert(!pthread_create(&t[i], NULL, number, &index[i]));
    while (atomic_load(&ready) < 8) {}
    atomic_store(&go, 1);
    for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
}

Test(thread, numbers_differ_and_are_given_back) {
    unsigned index[8], mine = thread_index(), highest = 0;
    for (int round = 0; round < 60; round++) {
        round_of_threads(index);
        for (int i = 0; i < 8; i++) {
            cr_assert(index[i] != mine && index[i] < THREAD_MAX);
            for (int k = 0; k < i; k++) cr_assert(index[i] != index[k]);
            if (index[i] > highest) highest = index[i];
        }
    }
    cr_assert(highest < 32, "480 threads came and went: %u", highest);
}

Test(thread, name) {
    char text[32] = "";
    thread_name("a-name-too-long-for-it");
    FILE *f = fopen("/proc/thread-self/comm", "r");
    cr_assert(f && fgets(text, sizeof text, f));
    fclose(f);
    cr_assert_str_eq(text, "a-name-too-long\n");
}

Test(counter, adds) {
    counter c = 0;
    counter_add(&c, 5);
    counter_add(&c, 7);
    cr_assert(counter_get(&c) == 12);
    counter_reset(&c);
    cr_assert(counter_get(&c) == 0);
}
