/* LZF as a stream makes what liblzf makes at once, whatever the lengths; and of damaged bytes either that or an error. */
#include "base/hash.h"
#include "snapshot/rdb_lzf.h"

#include <criterion/criterion.h>
#include <lzf.h>
#include <stdlib.h>

static uint64_t x = 99;
static unsigned draw(unsigned n) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned)(x % n);
}

/* Gives the bytes in small portions, as a file does, from a place that moves. */
struct source {
    struct rdb_reader in;
    const uint8_t *all;
    size_t n, at;
    uint8_t window[600];
};

static bool refill(struct rdb_reader *r, size_t n) {
    struct source *s = (struct source *)(void *)r;
    size_t have = (size_t)(r->end - r->p), most = sizeof s->window - have, more = s->n - s->at;
    memmove(s->window, r->p, have);
    if (more > most) more = most;
    if (more > 1 + n) more = n + draw(7);
    if (more > most) more = most;
    memcpy(s->window + have, s->all + s->at, more);
    s->at += more;
    r->p = s->window;
    r->end = s->window + have + more;
    return have + more >= n;
}

/* All of it into out; how it ended. */
static enum rdb_status take_apart(const uint8_t *packed, size_t n, size_t plain, char *out, size_t *made) {
    struct source s = {.all = packed, .n = n};
    struct slice piece;
    enum rdb_status st;
    s.in = (struct rdb_reader){.p = s.window, .end = s.window, .refill = refill};
    struct rdb_lzf *z = rdb_lzf_new(&s.in, n, plain);
    for (*made = 0; !(st = rdb_lzf_next(z, &piece)); *made += piece.n) {
        cr_assert_leq(*made + piece.n, plain);
        memcpy(out + *made, piece.p, piece.n);
    }
    rdb_lzf_free(z);
    return st;
}

static void fill(char *p, size_t n) {
    unsigned kind = draw(4), far = 1 + draw(9000);
    for (size_t i = 0; i < n; i++) {
        if (kind == 0) p[i] = (char)draw(256);
        else if (kind == 1) p[i] = (char)('a' + draw(2));
        else if (i >= far && draw(100)) p[i] = p[i - far];
        else p[i] = (char)draw(256);
    }
}

Test(lzf, as_at_once) {
    enum { MOST = 900000 };
    char *plain = malloc(MOST), *out = malloc(MOST);
    uint8_t *packed = malloc(MOST);
    for (int round = 0; round < 120; round++) {
        size_t n = 1 + draw(round % 4 ? 9000 : MOST), made;
        fill(plain, n);
        unsigned k = lzf_compress(plain, (unsigned)n, packed, (unsigned)n - 1);
        if (!k) continue;
        cr_assert_eq(take_apart(packed, k, n, out, &made), RDB_END, "%zu bytes", n);
        cr_assert_eq(made, n);
        cr_assert(!memcmp(plain, out, n));
        /* not all there, more than there is, one byte wrong */
        cr_assert_eq(take_apart(packed, k, n + 1, out, &made), RDB_BAD);
        if (n > 1) cr_assert_neq(take_apart(packed, k, n - 1, out, &made), RDB_END);
        cr_assert_neq(take_apart(packed, k - 1, n, out, &made), RDB_END);
        packed[draw(k)] ^= (uint8_t)(1 + draw(255));
        bool right = lzf_decompress(packed, k, plain, (unsigned)n) == n;
        bool ours = take_apart(packed, k, n, out, &made) == RDB_END;
        cr_assert(!ours || right);
        if (ours) cr_assert(!memcmp(plain, out, n));
    }
    free(plain);
    free(packed);
    free(out);
}
