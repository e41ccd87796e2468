/* Values as RESTORE and RDB files have them, on any bytes: a type and a value, the checksum being somebody else's matter. What is
 * accepted is a sound value, and comes back the same when it is written and read again. */
#include "sound.h"

#include "snapshot/rdb_wire.h"

static struct rdb_load *load(const uint8_t *p, size_t n, size_t step, const struct type_limits *limits) {
    struct rdb_reader in = {.p = p + 1, .end = p + n};
    struct rdb_load *l = NULL;
    enum rdb_status st = n ? rdb_load_new(&l, &in, *p, limits, 42, NOW) : RDB_SHORT;
    if (st) return NULL;
    while ((st = rdb_load_step(l, step)) == RDB_MORE) {}
    must(in.p <= in.end, "read beyond the end");
    if (st == RDB_OK) {
        const char *wrong = rdb_load_type(l) == VALUE_STRING ? NULL : check(rdb_load_type(l), rdb_load_home(l));
        must(!wrong, wrong);
        return l;
    }
    rdb_load_free(l);
    return NULL;
}

static struct buf save(const struct rdb_load *l, size_t step) {
    struct buf out = {0};
    struct rdb_save *s = rdb_load_type(l) == VALUE_STRING ? rdb_save_new_string(rdb_load_string(l), true)
                                                          : rdb_save_new(rdb_load_type(l), rdb_load_home(l), true);
    enum rdb_status st;
    do {
        st = rdb_save_step(s, step);
        buf_put(&out, rdb_save_out(s)->p, rdb_save_out(s)->n);
        rdb_save_out(s)->n = 0;
    } while (st == RDB_MORE);
    must(st == RDB_OK, "not written");
    rdb_save_free(s);
    return out;
}

static size_t count(const struct rdb_load *l) {
    return rdb_load_type(l) == VALUE_STRING ? rdb_load_string(l).n : value_ops(rdb_load_type(l))->count(rdb_load_home(l));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct type_limits limits;
    home_limits_default(&limits);
    struct rdb_load *first = load(data, size, 64, &limits);
    if (!first) return 0;
    struct buf a = save(first, 1);
    struct rdb_load *second = load((uint8_t *)a.p, a.n, SIZE_MAX, &limits);
    must(second, "what was written is not read");
    must(rdb_load_type(second) == rdb_load_type(first) && count(second) == count(first), "it is another value");
    /* Large hashes and sets have no order of their own; all others are the same to the byte. */
    struct buf b = save(second, SIZE_MAX);
    if (!rdb_load_home(first)->object) must(slice_equal(buf_slice(&a), buf_slice(&b)), "it is written in another way");
    buf_free(&a);
    buf_free(&b);
    rdb_load_free(first);
    rdb_load_free(second);
    return 0;
}
