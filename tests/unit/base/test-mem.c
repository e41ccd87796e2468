#include "base/mem.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

Test(mem, what_is_counted_is_what_is_held) {
    uint64_t before = mem_used(MEM_DATA);
    uint64_t sum = 0;
    void *p[200];
    for (size_t i = 0; i < 200; i++) {
        p[i] = mem_alloc(MEM_DATA, i * 37);
        cr_assert(((uintptr_t)p[i] & (i * 37 > 8 ? 15 : 7)) == 0);
        cr_assert(mem_usable(p[i]) >= i * 37);
        sum += mem_usable(p[i]);
    }
    cr_assert(mem_used(MEM_DATA) == before + sum);
    for (size_t i = 0; i < 200; i++) {
        sum -= mem_usable(p[i]);
        p[i] = mem_realloc(MEM_DATA, p[i], 5000 - i * 20);
        sum += mem_usable(p[i]);
    }
    cr_assert(mem_used(MEM_DATA) == before + sum);
    for (size_t i = 0; i < 200; i++) mem_free(MEM_DATA, p[i]);
    cr_assert(mem_used(MEM_DATA) == before);
    mem_free(MEM_DATA, NULL);
}

Test(mem, small_classes_are_foretold) {
    for (size_t n = 1; n < 2000; n++) {
        void *p = mem_alloc(MEM_DATA, n);
        cr_assert(mem_class(n) == mem_usable(p), "%zu: %zu, not %zu", n, mem_usable(p), mem_class(n));
        mem_free(MEM_DATA, p);
    }
}

Test(mem, zeroed_aligned_and_copied) {
    char *z = mem_zalloc(MEM_MISC, 1000);
    for (int i = 0; i < 1000; i++) cr_assert(!z[i]);
    char *a = mem_aligned(MEM_INDEX, 3000, 512);
    cr_assert(((uintptr_t)a & 511) == 0);
    char *s = mem_strdup(MEM_MISC, "text");
    cr_assert_str_eq(s, "text");
    mem_free(MEM_MISC, z);
    mem_free(MEM_INDEX, a);
    mem_free(MEM_MISC, s);
}

Test(mem, pages_of_odd_sizes_go_back) {
    static const size_t sizes[] = {4096, 20480, 28672, 65536, 69632, 81920};
    for (int round = 0; round < 50; round++) {
        void *p[6];
        for (size_t i = 0; i < 6; i++) {
            p[i] = mem_pages(sizes[i], 65536);
            cr_assert(((uintptr_t)p[i] & 65535) == 0);
            memset(p[i], round, sizes[i]);
        }
        for (size_t i = 0; i < 6; i++) mem_pages_free(p[i], sizes[i]);
    }
}

static void *take(void *arg) {
    void **p = arg;
    for (int i = 0; i < 100; i++) p[i] = mem_alloc(MEM_DATA, 1000);
    return NULL;
}

Test(mem, another_thread_may_free) {
    uint64_t before = mem_used(MEM_DATA);
    void *p[100];
    pthread_t t;
    cr_assert(!pthread_create(&t, NULL, take, p));
    pthread_join(t, NULL);
    cr_assert(mem_used(MEM_DATA) >= before + 100000);
    for (int i = 0; i < 100; i++) mem_free(MEM_DATA, p[i]);
    cr_assert(mem_used(MEM_DATA) == before);
}

Test(mem, a_limit_holds_with_slack_for_other_threads) {
    void *much = mem_alloc(MEM_DATA, MEM_SLACK_SHARE * MEM_SLACK); /* the slack is what it is at most */
    uint64_t now = mem_limited();
    uint64_t limit = now + 10 * MEM_SLACK;
    cr_assert(mem_fits(limit, 8 * MEM_SLACK, 1));
    cr_assert(!mem_fits(limit, 11 * MEM_SLACK, 1));
    cr_assert(!mem_fits(limit, 9 * MEM_SLACK, 4), "three others may each have taken their slack");
    void *big = mem_alloc(MEM_DATA, 9 * MEM_SLACK);
    cr_assert(!mem_fits(limit, 2 * MEM_SLACK, 1));
    mem_free(MEM_DATA, big);
    cr_assert(mem_fits(limit, 8 * MEM_SLACK, 1));
    void *client = mem_alloc(MEM_CLIENT, 20 * MEM_SLACK);
    cr_assert(mem_fits(limit, 8 * MEM_SLACK, 1), "clients have a budget of their own");
    cr_assert(mem_limited() < limit);
    mem_free(MEM_CLIENT, client);
    mem_free(MEM_DATA, much);
}

struct idler { /* a thread that takes something and then counts nothing more, until it is told to end */
    _Atomic bool took, end;
    size_t bytes;
};

static void *idle(void *arg) {
    struct idler *i = arg;
    void *p = mem_alloc(MEM_DATA, i->bytes);
    atomic_store(&i->took, true);
    while (!atomic_load(&i->end)) sched_yield();
    mem_free(MEM_DATA, p);
    return NULL;
}

/* What the other has pending since the slack was larger is used all the same. */
Test(mem, a_small_limit_has_a_small_slack_and_holds) {
    cr_assert(mem_fits((uint64_t)1 << 30, 0, 2));
    struct idler other = {.bytes = MEM_SLACK - 4096};
    pthread_t t;
    cr_assert(!pthread_create(&t, NULL, idle, &other));
    while (!atomic_load(&other.took)) sched_yield();
    uint64_t limit = 1 << 20, left = limit - mem_limited();
    cr_assert(!mem_fits(limit, left + 1, 2));
    cr_assert(mem_fits(limit, left - 4 * MEM_SLACK_LEAST, 2), "little more than what is used counts as used");
    cr_assert(mem_fits(limit, 0, 2));
    atomic_store(&other.end, true);
    pthread_join(t, NULL);
}

Test(mem, the_peak_stays_until_it_is_reset) {
    void *big = mem_alloc(MEM_DATA, 1 << 20);
    uint64_t top = mem_limited();
    mem_free(MEM_DATA, big);
    cr_assert(mem_peak() >= top && mem_limited() < top);
    mem_peak_reset();
    cr_assert(mem_peak() < top);
}

static void *take_much(void *out) {
    *(void **)out = mem_alloc(MEM_DATA, 300000);
    return NULL;
}

/* What one thread has freed, but not brought to the shared total yet, was part of another one's peak. */
Test(mem, the_peak_is_not_of_what_another_thread_has_freed) {
    void *small = mem_alloc(MEM_DATA, 24000), *much;
    mem_free(MEM_DATA, mem_alloc(MEM_DATA, 1 << 20)); /* so that the small one is in the shared total */
    mem_free(MEM_DATA, small);
    mem_peak_reset();
    pthread_t t;
    cr_assert(!pthread_create(&t, NULL, take_much, &much));
    pthread_join(t, NULL);
    cr_assert_eq(mem_peak(), mem_limited());
    mem_free(MEM_DATA, much);
}

/* What is made only to be replied is the clients' memory, and no part of what is under maxmemory. */
Test(mem, what_is_taken_aside_counts_as_the_clients) {
    uint64_t limited = mem_limited(), client = mem_used(MEM_CLIENT), data = mem_used(MEM_DATA), upkeep = mem_used(MEM_UPKEEP);
    mem_peak_reset();
    cr_assert(!mem_aside(true));
    cr_assert(mem_is_aside());
    void *p = mem_alloc(MEM_DATA, 300000), *u = mem_alloc(MEM_UPKEEP, 100);
    cr_assert_eq(mem_used(MEM_CLIENT), client + mem_usable(p));
    cr_assert_eq(mem_used(MEM_UPKEEP), upkeep + mem_usable(u));
    p = mem_realloc(MEM_DATA, p, 500000);
    cr_assert(mem_aside(false));
    void *q = mem_alloc(MEM_DATA, 1000);
    mem_free(MEM_UPKEEP, u);
    cr_assert_eq(mem_used(MEM_DATA), data + mem_usable(q));
    cr_assert_eq(mem_limited(), limited + mem_usable(q));
    cr_assert_eq(mem_peak(), mem_limited());
    cr_assert_eq(mem_used(MEM_CLIENT), client + mem_usable(p));
    mem_free(MEM_DATA, q);
    mem_aside(true);
    mem_free(MEM_DATA, p);
    mem_aside(false);
    cr_assert_eq(mem_used(MEM_CLIENT), client);
    cr_assert_eq(mem_used(MEM_UPKEEP), upkeep);
    cr_assert_eq(mem_limited(), limited);
}

Test(mem, the_kernel_and_the_allocator_answer) {
    struct mem_system s;
    void *p = mem_alloc(MEM_DATA, 1 << 20);
    memset(p, 1, 1 << 20);
    mem_system_read(&s);
    cr_assert(s.rss > 1 << 20 && s.resident >= 1 << 20 && s.allocated >= 1 << 20);
    cr_assert(mem_total_ram() > s.rss);
    cr_assert(!strcmp(mem_allocator(), "libc") || !strncmp(mem_allocator(), "jemalloc-", 9));
    mem_purge();
    mem_free(MEM_DATA, p);
}
