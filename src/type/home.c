#include "type/home.h"

static void resize_own(struct home *h, size_t room) {
    h->p = mem_realloc(MEM_MISC, h->p, room);
    h->room = room;
}

void home_init_own(struct home *h, const struct type_limits *limits, uint64_t seed) {
    *h = (struct home){.form = VALUE_PACKED, .limits = limits, .seed = seed, .resize = resize_own};
}

void home_free_bytes(struct home *h) {
    mem_free(MEM_MISC, h->p);
    h->p = NULL;
    h->n = h->room = 0;
}

void home_limits_default(struct type_limits *l) {
    l->hash_entries = l->set_ints = 512;
    l->set_entries = l->zset_entries = 128;
    l->hash_value = l->set_value = l->zset_value = 64;
    l->list_size = -2;
    l->list_depth = 0;
    l->hll_sparse_bytes = 3000;
}
