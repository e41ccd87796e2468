/* The near store under threads: readers that hold values, writers, invalidations one by one and by pattern, all at once. A value says
 * which key and version it is of; a reader that begins after a version was invalidated must not see it. */
#include "base/deltas.h"
#include "l1/near.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 512, READERS = 4, WRITERS = 2, STEPS = 30000, HELD = 12 };

struct world {
    struct near *s;
    _Atomic uint32_t oldest[KEYS]; /* versions below are invalid, and were when this was stored */
    struct lock lock[KEYS];        /* the "server": one write of a key at a time */
    uint32_t version[KEYS];
    _Atomic bool stop;
    struct lock seed_lock;
};

struct stamp {
    uint32_t key, version, check;
    char rest[];
};

static uint64_t next(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static struct slice key_of(char *to, unsigned k) { return (struct slice){to, (size_t)sprintf(to, "%c:%u", k % 2 ? 'a' : 'b', k)}; }

static void fail(const char *what) {
    fprintf(stderr, "stress-l1: %s\n", what);
    abort();
}

static void *read_all(void *arg) {
    struct world *w = arg;
    struct near_found held[HELD];
    unsigned n = 0;
    char name[32];
    uint64_t x = (uintptr_t)&x | 1;
    while (!w->stop) {
        unsigned k = (unsigned)(next(&x) % KEYS);
        struct slice key = key_of(name, k);
        uint32_t oldest = atomic_load_explicit(&w->oldest[k], memory_order_acquire);
        struct near_found f;
        if (near_get(w->s, near_record(w->s), key, near_hash(w->s, key), near_now(w->s), &f)) {
            struct stamp s;
            memcpy(&s, near_value(f.entry), sizeof s);
            if (s.key != k || s.check != (s.key ^ s.version)) fail("a value of another key");
            if (s.version < oldest) fail("a value that was invalid before it was asked for");
            held[n++] = f;
        }
        if (n == HELD)
            while (n) { /* still what they were */
                struct stamp s;
                memcpy(&s, near_value(held[--n].entry), sizeof s);
                if (s.check != (s.key ^ s.version)) fail("a value changed while it was held");
                near_unpin(held[n].pin);
            }
    }
    while (n) near_unpin(held[--n].pin);
    return NULL;
}

static void *write_all(void *arg) {
    struct world *w = arg;
    char name[32], value[600] = {0};
    uint64_t x = (uintptr_t)&x * 31 | 1;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned k = (unsigned)(next(&x) % KEYS);
        struct slice key = key_of(name, k);
        uint64_t hash = near_hash(w->s, key), token = near_token(w->s, hash);
        lock_acquire(&w->lock[k]); /* ask the server: the version of this moment */
        uint32_t version = w->version[k];
        lock_release(&w->lock[k]);
        struct stamp s = {k, version, k ^ version};
        memcpy(value, &s, sizeof s);
        struct near_item item = {.key = key, .value = {value, sizeof s + next(&x) % (sizeof value - sizeof s)}, .hash = hash, .token = token,
            .ttl = 1000000};
        near_put(w->s, &item);
        if (next(&x) % 4 == 0) { /* a write at the server, and the push of it */
            lock_acquire(&w->lock[k]);
            version = ++w->version[k];
            if (next(&x) % 2) {
                near_erase(w->s, key, hash);
            } else { /* who hears of hashes is who changes the seed */
                lock_acquire(&w->seed_lock);
                near_erase_hashed(w->s, &(uint32_t){(uint32_t)(near_hash(w->s, key) >> (64 - DELTAS_BITS))}, 1);
                lock_release(&w->seed_lock);
            }
            atomic_store_explicit(&w->oldest[k], version, memory_order_release);
            lock_release(&w->lock[k]);
        }
        if (next(&x) % 256 == 0) { /* all of one kind */
            unsigned kind = (unsigned)(next(&x) % 2);
            for (unsigned i = kind; i < KEYS; i += 2) {
                lock_acquire(&w->lock[i]);
                w->version[i]++;
            }
            near_rule(w->s, kind ? SLICE("a:*") : SLICE("b:*"), next(&x) % 2);
            for (unsigned i = kind; i < KEYS; i += 2) {
                atomic_store_explicit(&w->oldest[i], w->version[i], memory_order_release);
                lock_release(&w->lock[i]);
            }
        }
        if (next(&x) % 512 == 0) near_tidy(w->s, step);
        if (next(&x) % 2048 == 0) {
            lock_acquire(&w->seed_lock);
            near_reseed(w->s, next(&x));
            lock_release(&w->seed_lock);
        }
    }
    return NULL;
}

static void no_more(void *more) { (void)more; }

int main(void) {
    static struct world w;
    pthread_t reader[READERS], writer[WRITERS];
    w.s = near_open(100000, no_more); /* room for half of it: it evicts too */
    assert(w.s);
    for (int round = 0; round < 3; round++) { /* threads come and go: records are taken over */
        w.stop = false;
        for (int i = 0; i < READERS; i++) pthread_create(&reader[i], NULL, read_all, &w);
        for (int i = 0; i < WRITERS; i++) pthread_create(&writer[i], NULL, write_all, &w);
        for (int i = 0; i < WRITERS; i++) pthread_join(writer[i], NULL);
        w.stop = true;
        for (int i = 0; i < READERS; i++) pthread_join(reader[i], NULL);
    }
    unsigned records = 0;
    for (struct near_record *r = NULL; (r = near_record_next(w.s, r));) records++;
    struct near_stats st;
    near_sweep(w.s);
    near_stats_read(w.s, &st);
    if (records > READERS + WRITERS + 1) fail("records are not taken over");
    if (st.pinned) fail("something is never freed");
    if (!st.evictions || !st.entries) fail("nothing happened");
    near_close(w.s);
    return 0;
}
