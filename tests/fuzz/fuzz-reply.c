/* The reply reader on any bytes: what comes in pieces must be read as what comes at once is. The first byte chooses the pieces; the
 * rest is what a server sends. */
#include "resp/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct reply_limits limits = {.max_bulk = 4096, .max_nodes = 512};

static void require(bool ok) {
    if (!ok) abort();
}

static bool same(const struct reply_reader *a, const struct reply_reader *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct reply_node *x = &a->node[i], *y = &b->node[i];
        if (x->kind != y->kind || x->n != y->n || x->integer != y->integer || !slice_equal(x->text, y->text)) return false;
    }
    return a->n && reply_skip(a->node, 0) == a->n;
}

/* The reply at p in pieces, each time in a block of its own, which is kept for the comparison. */
static enum reply_status in_pieces(struct reply_reader *r, const char *p, size_t n, size_t step, size_t *used, char **block) {
    enum reply_status status = REPLY_MORE;
    *block = NULL;
    for (size_t have = 0; status == REPLY_MORE && have < n;) {
        have = n - have < step ? n : have + step;
        free(*block);
        *block = malloc(have);
        memcpy(*block, p, have);
        status = reply_reader_next(r, &limits, *block, have, used);
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    size_t step = data[0] % 32 + 1u, n = size - 1, used, slow_used;
    const char *p = (const char *)data + 1;
    struct reply_reader whole, pieces;
    enum reply_status status = REPLY_WHOLE;
    reply_reader_init(&whole);
    reply_reader_init(&pieces);
    for (; n && status == REPLY_WHOLE; p += used, n -= used) {
        char *block;
        status = reply_reader_next(&whole, &limits, p, n, &used);
        require(in_pieces(&pieces, p, n, step, &slow_used, &block) == status);
        if (status == REPLY_WHOLE) require(used == slow_used && used <= n && same(&whole, &pieces));
        free(block);
        if (status != REPLY_WHOLE) break;
    }
    reply_reader_free(&whole);
    reply_reader_free(&pieces);
    return 0;
}
