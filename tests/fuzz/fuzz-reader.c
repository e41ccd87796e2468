/* The request reader on any bytes: what comes in pieces must be read as what comes at once is. The first two
 * bytes choose the pieces and the limits; the rest is what a client sends. */
#include "resp/reader.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LONGEST = 60000
}; /* below the limit of a line: whether that one is met depends on the pieces, in Redis too */

static void require(bool ok) {
    if (!ok) abort();
}

static void put_number(struct buf *to, uint64_t v) { buf_put(to, &v, sizeof v); }

static void put_request(struct buf *to, const struct resp_request *q) {
    put_number(to, q->argc);
    for (size_t i = 0; i < q->argc; i++) {
        put_number(to, q->argv[i].n);
        buf_put(to, q->argv[i].p, q->argv[i].n);
    }
}

/* `pieces`: 0 all at once, else a seed for their lengths. Each time the unread bytes lie in a block of their
 * own. */
static void feed(const char *p, size_t n, const struct resp_limits *limits, uint32_t pieces, struct buf *to) {
    struct resp_reader r;
    struct resp_request q;
    size_t start = 0, have = 0, need = 0;
    enum resp_status got = RESP_MORE;
    resp_reader_init(&r);
    while (have < n && got != RESP_ERROR) {
        size_t piece = n - have;
        if (pieces) {
            pieces = pieces * 1664525u + 1013904223u;
            size_t most = pieces & 0x10000 ? 8 : 300;
            if (piece > most) piece = 1 + (pieces >> 20) % most;
        }
        have += piece;
        size_t offered = have - start, at = 0;
        char *here = malloc(offered);
        require(here != NULL);
        memcpy(here, p + start, offered);
        for (;;) {
            struct slice quick[64];
            size_t used = 0, argc = 0;
            if (resp_reader_idle(&r))
                argc = resp_reader_quick(limits, here + at, offered - at, quick, 64, &used);
            got = resp_reader_next(&r, limits, here + at, offered - at, &q, &need);
            require(!argc || (got == RESP_REQUEST && argc == q.argc && used == q.used));
            for (size_t i = 0; i < argc; i++) require(quick[i].p == q.argv[i].p && quick[i].n == q.argv[i].n);
            if (got != RESP_REQUEST) break;
            require(q.used > 0 && q.used <= offered - at && resp_reader_idle(&r));
            put_request(to, &q);
            at += q.used;
        }
        if (got == RESP_MORE) require(!need || need > offered - at);
        start += at;
        free(here);
    }
    if (got == RESP_ERROR) buf_puts(to, r.error);
    put_number(to, start);
    resp_reader_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > LONGEST) return 0;
    struct resp_limits limits = {.max_bulk = data[1] & 2 ? 100 : 512 << 20,
        .max_args = data[1] & 4 ? 3 : INT32_MAX,
        .max_inline = 65536,
        .unauthenticated = data[1] & 1};
    struct buf whole = {0}, pieces = {0}, bytes = {0}, single = {0};
    feed((const char *)data + 2, size - 2, &limits, 0, &whole);
    for (uint32_t seed = 1; seed < 4; seed++) {
        pieces.n = 0;
        feed((const char *)data + 2, size - 2, &limits, data[0] * 8u + seed, &pieces);
        require(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    }
    struct slice line = {(const char *)data, size};
    if (resp_split_line(line, &bytes, &single)) {
        const struct slice *w = (const struct slice *)(void *)single.p;
        size_t words = single.n / sizeof *w, sum = 0;
        for (size_t i = 0; i < words; i++) sum += w[i].n;
        require(sum == bytes.n && sum <= size);
    }
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&bytes);
    buf_free(&single);
    return 0;
}
