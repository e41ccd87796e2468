/* What is handed out: pinned in the near store, or a block of its own that is counted. The lowest bit of `hold` tells which. */
#include "l1/inside.h"

#include <stdlib.h>

struct value_block {
    _Atomic uint32_t holders;
    char data[];
};

static struct value_block *block_of(const larder_value *v) { return (struct value_block *)((uintptr_t)v->hold & ~(uintptr_t)1); }

bool value_copy(larder_value *out, struct slice data, int flags) {
    struct value_block *b = malloc(sizeof *b + data.n + 1);
    *out = (larder_value){.data = NULL};
    if (!b) return false;
    b->holders = 1;
    if (data.n) memcpy(b->data, data.p, data.n);
    b->data[data.n] = 0;
    *out = (larder_value){b->data, data.n, flags, (void *)((uintptr_t)b | 1)};
    return true;
}

void value_share(larder_value *out, const larder_value *from) {
    if (from->hold) atomic_fetch_add_explicit(&block_of(from)->holders, 1, memory_order_relaxed);
    *out = *from;
}

void larder_release(larder_value *v) {
    if (!v || !v->hold) return;
    if (!value_counted(v)) {
        near_unpin(v->hold);
    } else {
        struct value_block *b = block_of(v);
        if (atomic_fetch_sub_explicit(&b->holders, 1, memory_order_acq_rel) == 1) free(b);
    }
    *v = (larder_value){.data = NULL};
}
