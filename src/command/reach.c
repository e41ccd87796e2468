#include "command/reach.h"

struct reach *reach_new(struct session *s) {
    struct reach *r = mem_alloc(MEM_CLIENT, sizeof *r);
    *r = (struct reach){.lane = s->lane->index, .id = s->id, .session = s};
    atomic_init(&r->refs, 1);
    return r;
}

void reach_release(struct reach *r) {
    if (r && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) mem_free(MEM_CLIENT, r);
}

void reach_end(struct reach *r) {
    if (!r) return;
    atomic_store_explicit(&r->over, true, memory_order_release);
    r->session = NULL;
    reach_release(r);
}
