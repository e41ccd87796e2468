/* Sets of hashes as the feed sends them (base/deltas.h). What is any bytes is read to its end and stays inside of them; what is a set
 * of numbers is the same after it was written and read. The first byte chooses. */
#include "base/deltas.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

/* In a block of its own, so that a byte too many is found. */
static void read_any(const uint8_t *data, size_t size) {
    char *bytes = malloc(size + !size);
    if (!bytes) abort();
    if (size) memcpy(bytes, data, size);
    struct deltas d;
    if (deltas_open(&d, (struct slice){bytes, size})) {
        uint32_t all = d.left, n = 0, last = 0, v = 0;
        for (; deltas_next(&d, &v); last = v, n++) require(v >= last);
        require(n + d.left == all && n <= size * 8);
    }
    free(bytes);
}

static void write_and_read(const uint8_t *data, size_t size) {
    size_t n = size / sizeof(uint32_t);
    uint32_t *v = malloc((2 * n + 1) * sizeof *v), back;
    if (!v) abort();
    memcpy(v, data, n * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] &= DELTAS_MAX;
    n = deltas_sort(v, n, v + n);
    struct buf out = {0};
    deltas_put(&out, v, n);
    struct deltas d;
    require(deltas_open(&d, buf_slice(&out)) && d.left == n);
    for (size_t i = 0; i < n; i++) {
        require(!i || v[i] > v[i - 1]);
        require(deltas_next(&d, &back) && back == v[i]);
    }
    require(!deltas_next(&d, &back) && !d.left);
    buf_free(&out);
    free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    if (data[0] & 1) read_any(data + 1, size - 1);
    else write_and_read(data + 1, size - 1);
    return 0;
}
