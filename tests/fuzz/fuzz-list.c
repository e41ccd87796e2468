/* Lists against their naive twin (tests/unit/type/list-twin.h): the bytes of the input choose the thresholds and what is done. */
#include "../unit/type/list-twin.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p, *end;
};

/* As many bytes as the number needs; zeros once there are none left. */
static uint64_t choose(void *arg, uint64_t below) {
    struct input *in = arg;
    uint64_t v = 0;
    for (uint64_t most = below - 1; most && in->p < in->end; most >>= 8) v = v << 8 | *in->p++;
    return v % below;
}

static void require_right(const char *wrong) {
    if (!wrong) return;
    fprintf(stderr, "list: %s\n", wrong);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    struct type_limits limits;
    struct list_twin t;
    home_limits_default(&limits);
    uint64_t kind = choose(&in, 64);
    if (kind & 1) atomic_store(&limits.list_size, (int64_t)(kind >> 3) * 7 - 5);
    if (kind & 2) atomic_store(&limits.list_depth, (int64_t)(kind >> 3));
    twin_init(&t, &limits, choose, &in);
    t.long_ones = kind & 4;
    t.alike = kind & 1;
    t.most = 500;
    t.burst = 80;
    for (unsigned i = 0; i < 100 && in.p < in.end; i++) require_right(twin_step(&t));
    require_right(twin_compare(&t));
    twin_end(&t);
    return 0;
}
