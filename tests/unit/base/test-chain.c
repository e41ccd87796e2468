#include "base/buf.h"
#include "base/chain.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct chain_pool pool;
static uint64_t before;

static void begin(void) {
    before = mem_used(MEM_CLIENT);
    chain_pool_init(&pool, 2);
}

static void end(void) {
    chain_pool_free(&pool);
    cr_assert(mem_used(MEM_CLIENT) == before, "everything went back");
}

TestSuite(chain, .init = begin, .fini = end);

static int released;
static void release(void *arg) { released += *(int *)arg; }

static void expect(const struct chain *c, const char *p, size_t n) {
    cr_assert(chain_size(c) == n, "%zu, not %zu", chain_size(c), n);
    char *copy = malloc(n + 1);
    chain_copy(c, copy);
    cr_assert(!memcmp(copy, p, n));
    free(copy);
}

Test(chain, an_idle_one_holds_nothing) {
    struct chain c;
    chain_init(&c, &pool);
    cr_assert(chain_empty(&c) && !chain_size(&c) && !chain_memory(&c));
    chain_put(&c, "", 0);
    chain_put(&c, NULL, 0);
    cr_assert(chain_empty(&c));
    chain_put(&c, "abc", 3);
    expect(&c, "abc", 3);
    struct iovec v[2];
    cr_assert(chain_iov(&c, v, 2) == 1 && v[0].iov_len == 3);
    chain_sent(&c, 3);
    cr_assert(chain_empty(&c) && pool.count == 1);
    chain_free(&c);
}

Test(chain, references_are_released_once_when_sent) {
    struct chain c;
    int one = 1, ten = 10;
    released = 0;
    chain_init(&c, &pool);
    chain_put(&c, "<", 1);
    chain_ref(&c, "first", 5, release, &one);
    chain_put(&c, "|", 1);
    chain_ref(&c, "second", 6, release, &ten);
    chain_ref(&c, "third", 5, NULL, NULL);
    chain_put(&c, ">", 1);
    expect(&c, "<first|secondthird>", 19);
    struct iovec v[8];
    cr_assert(chain_iov(&c, v, 8) == 6);
    cr_assert(chain_iov(&c, v, 3) == 3);
    chain_sent(&c, 3);
    expect(&c, "rst|secondthird>", 16);
    cr_assert(chain_iov(&c, v, 8) == 5 && v[0].iov_len == 3 && released == 0);
    chain_sent(&c, 3);
    cr_assert(released == 1);
    chain_sent(&c, 7);
    cr_assert(released == 11);
    expect(&c, "third>", 6);
    chain_free(&c);
    cr_assert(chain_empty(&c) && released == 11);
    chain_ref(&c, "x", 1, release, &one);
    chain_free(&c);
    cr_assert(released == 12);
}

Test(chain, a_reference_takes_no_chunk_of_the_pool) {
    struct chain c;
    chain_init(&c, &pool);
    chain_put(&c, "a", 1);
    chain_sent(&c, 1);
    cr_assert(pool.count == 1);
    uint64_t used = mem_used(MEM_CLIENT);
    chain_ref(&c, "b", 1, NULL, NULL);
    cr_assert(pool.count == 1 && mem_used(MEM_CLIENT) - used < 256);
    chain_free(&c);
    cr_assert(pool.count == 1);
}

Test(chain, the_pool_keeps_what_it_was_told) {
    struct chain c;
    static char some[CHAIN_CHUNK / 2];
    chain_init(&c, &pool);
    chain_room(&c, 3 * CHAIN_CHUNK)[0] = 'x'; /* a chunk of its own size, which the pool does not want */
    chain_used(&c, 3 * CHAIN_CHUNK);
    for (int i = 0; i < 8; i++) chain_put(&c, some, sizeof some);
    chain_sent(&c, chain_size(&c));
    cr_assert(chain_empty(&c) && pool.count == 2);
}

Test(chain, room_that_was_not_used_changes_nothing) {
    struct chain c;
    chain_init(&c, &pool);
    chain_room(&c, 100);
    cr_assert(chain_size(&c) == 0);
    struct iovec v[2];
    cr_assert(chain_iov(&c, v, 2) == 0);
    chain_put(&c, "ab", 2);
    chain_room(&c, CHAIN_CHUNK * 2);
    chain_ref(&c, "cd", 2, NULL, NULL);
    expect(&c, "abcd", 4);
    chain_sent(&c, 2);
    expect(&c, "cd", 2);
    chain_sent(&c, 2);
    cr_assert(chain_empty(&c));
}

Test(chain, what_follows_a_mark_can_be_taken_back) {
    struct chain c;
    int one = 1;
    released = 0;
    chain_init(&c, &pool);
    struct chain_mark empty = chain_mark(&c);
    chain_put(&c, "gone", 4);
    chain_ref(&c, "gone", 4, release, &one);
    chain_rewind(&c, empty);
    cr_assert(chain_empty(&c) && released == 1);
    chain_put(&c, "kept", 4);
    struct chain_mark m = chain_mark(&c);
    static char big[3 * CHAIN_CHUNK];
    chain_put(&c, big, sizeof big);
    chain_ref(&c, "gone", 4, release, &one);
    chain_rewind(&c, m);
    expect(&c, "kept", 4);
    cr_assert(released == 2);
    chain_put(&c, " on", 3);
    chain_ref(&c, "ref", 3, NULL, NULL);
    m = chain_mark(&c);
    chain_put(&c, "gone", 4);
    chain_rewind(&c, m);
    chain_put(&c, "!", 1);
    expect(&c, "kept onref!", 11);
    chain_free(&c);
}

Test(chain, one_can_be_appended_to_another) {
    struct chain a, b;
    chain_init(&a, &pool);
    chain_init(&b, &pool);
    chain_move(&a, &b);
    cr_assert(chain_empty(&a));
    chain_put(&b, "one", 3);
    chain_move(&a, &b);
    cr_assert(chain_empty(&b));
    expect(&a, "one", 3);
    chain_put(&a, "two", 3);
    chain_sent(&a, 1);
    chain_put(&b, "three", 5);
    chain_ref(&b, "four", 4, NULL, NULL);
    chain_move(&a, &b);
    chain_put(&a, "five", 4);
    expect(&a, "netwothreefourfive", 18);
    chain_free(&a);
    chain_free(&b);
}

static void cut_and_join(struct chain *c, const char *p, size_t n, struct buf *twin) {
    struct chain rest;
    struct chain_mark m = chain_mark(c);
    size_t size = chain_size(c);
    chain_init(&rest, &pool);
    memcpy(chain_grow(c, n), p, n);
    chain_used(c, n);
    chain_put(c, p, n);
    chain_cut(c, m, &rest);
    cr_assert(chain_size(c) == size && chain_size(&rest) == 2 * n);
    expect(c, twin->p ? twin->p : "", twin->n);
    chain_move(c, &rest);
    buf_put(twin, p, n);
    buf_put(twin, p, n);
}

/* A chain against a plain buffer: puts, references, rooms, marks, sends of random sizes. */
Test(chain, random_life_against_a_plain_buffer) {
    static char source[3 * CHAIN_CHUNK];
    for (size_t i = 0; i < sizeof source; i++) source[i] = (char)(i * 7 + i / 251);
    srand(4);
    for (int life = 0; life < 300; life++) {
        struct chain c;
        struct buf twin = {0};
        chain_init(&c, &pool);
        int refs = 0, zero_or_one = 1;
        released = 0;
        for (int step = 0; step < 60; step++) {
            size_t n = (size_t)rand() % (rand() % 4 ? 200 : 2 * CHAIN_CHUNK);
            const char *p = source + rand() % CHAIN_CHUNK;
            struct chain_mark m = chain_mark(&c);
            switch (rand() % 7) {
            case 0:
            case 1:
                chain_put(&c, p, n);
                buf_put(&twin, p, n);
                break;
            case 2:
                memcpy(chain_room(&c, n + 10), p, n);
                chain_used(&c, n);
                buf_put(&twin, p, n);
                break;
            case 3:
                chain_ref(&c, p, n, release, &zero_or_one);
                refs++;
                buf_put(&twin, p, n);
                break;
            case 4:
                chain_put(&c, p, n);
                chain_ref(&c, p, n, release, &zero_or_one);
                refs++;
                chain_rewind(&c, m);
                break;
            case 5:
                cut_and_join(&c, p, n, &twin);
                break;
            default: {
                struct iovec v[3];
                int parts = chain_iov(&c, v, 3);
                size_t all = 0;
                for (int i = 0; i < parts; i++) {
                    cr_assert(v[i].iov_len && !memcmp(v[i].iov_base, twin.p + all, v[i].iov_len));
                    all += v[i].iov_len;
                }
                size_t sent = all && rand() % 2 ? all : all ? (size_t)rand() % all : 0;
                chain_sent(&c, sent);
                buf_drop(&twin, sent);
            }
            }
            expect(&c, twin.p ? twin.p : "", twin.n);
        }
        chain_free(&c);
        cr_assert(released == refs);
        buf_free(&twin);
    }
}
