/* PFDEBUG: what a HyperLogLog is made of. PFSELFTEST: do they keep what they are told, and how good are the estimates? */
#include "command/hll.h"

#include "base/buf.h"
#include "command/work.h"

#include <math.h>

/* -- PFDEBUG --------------------------------------------------------------------------------------------------------------- */

static void decode(struct call *c, struct slice v) {
    struct buf out;
    struct hll_run run = {0};
    if (hll_is_dense(v)) {
        reply_error(c, "ERR HLL encoding is not sparse");
        return;
    }
    buf_init(&out, MEM_CLIENT);
    while (hll_next_run(v, &run)) {
        if (run.value) buf_printf(&out, "v:%u,%u ", (unsigned)run.value, (unsigned)run.n);
        else buf_printf(&out, "%c:%u ", run.wide ? 'Z' : 'z', (unsigned)run.n);
    }
    resp_bulk(c->w, out.p ? out.p : "", out.n ? out.n - 1 : 0);
    buf_free(&out);
}

/* Makes the key's value a dense one. *was: it was one before. False: a reply was made, or the call will be run again. */
static bool make_dense(struct call *c, struct hll_key *h, bool *was) {
    *was = hll_is_dense(h->value);
    if (*was) return true;
    if (!strings_room(c, 0, HLL_DENSE)) return false;
    hll_edit(&call_env(c)->store_config, h);
    bool ok = hll_to_dense(&h->edit);
    if (ok) hll_store(&c->v, &c->key[0], h);
    else reply_error(c, HLL_CORRUPTED);
    hll_close(h);
    return ok;
}

static void registers(struct call *c, struct hll_key *h) {
    uint8_t reg[HLL_REGISTERS] = {0};
    bool was;
    if (!hll_gather(h->value, reg)) {
        reply_error(c, HLL_CORRUPTED);
        return;
    }
    if (!make_dense(c, h, &was)) return;
    resp_array(c->w, HLL_REGISTERS);
    for (uint32_t r = 0; r < HLL_REGISTERS; r++) resp_int(c->w, reg[r]);
}

void hll_debug(struct call *c) {
    struct hll_key h;
    bool was;
    if (!hll_open(c, 0, true, &h)) return;
    hll_as_raw(c, &h);
    if (!h.e) {
        reply_error(c, "ERR The specified key does not exist");
    } else if (call_is(c, 1, "GETREG")) {
        registers(c, &h);
    } else if (call_is(c, 1, "DECODE")) {
        decode(c, h.value);
    } else if (call_is(c, 1, "ENCODING")) {
        resp_simple(c->w, hll_is_dense(h.value) ? "dense" : "sparse");
    } else if (call_is(c, 1, "TODENSE")) {
        if (make_dense(c, &h, &was)) resp_int(c->w, !was);
    } else {
        reply_errorf(c, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)c->argv[1].n, c->argv[1].p);
    }
}

/* -- PFSELFTEST -------------------------------------------------------------------------------------------------------------- */

#define ROUNDS 1000     /* of registers, each with raises at random */
#define RAISES 64
#define MEMBERS 1000000
#define PIECE 256       /* members between two looks at the clock */
#define SPARSE_MAX 3000

/* First, registers raised at random against plain bytes, in both forms; then, members counted at 1, 10, 100 ... of them. */
struct selftest {
    struct work work;
    unsigned round;
    uint64_t members, look_at, random;
    struct hll dense, sparse;
    uint8_t reg[HLL_REGISTERS];
    uint8_t dense_space[HLL_EMPTY + HLL_GROWTH], sparse_space[HLL_EMPTY + HLL_GROWTH];
};

static struct slice whole(const struct hll *h) { return (struct slice){(const char *)h->p, h->n}; }

static uint64_t next(struct selftest *t) {
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random;
}

static void begin(struct selftest *t) {
    t->dense = (struct hll){t->dense_space, 0, SPARSE_MAX};
    t->sparse = (struct hll){t->sparse_space, 0, SPARSE_MAX};
    hll_new(&t->dense);
    hll_new(&t->sparse);
    hll_to_dense(&t->dense);
    memset(t->reg, 0, sizeof t->reg);
}

static bool holds(const struct hll *h, const uint8_t *want) {
    uint8_t got[HLL_REGISTERS] = {0};
    return hll_gather(whole(h), got) && !memcmp(got, want, sizeof got);
}

/* Each returns what is wrong, or NULL. */
static const char *test_registers(struct selftest *t) {
    if (t->round % 20 == 0) begin(t);
    unsigned high = t->round % 20 < 14 ? 32 : 51; /* beyond 32 it is dense */
    for (int i = 0; i < RAISES; i++) {
        struct hll_place at = {(uint32_t)(next(t) % HLL_REGISTERS), (uint8_t)(1 + next(t) % high)};
        enum hll_change want = t->reg[at.reg] < at.value ? HLL_CHANGED : HLL_SAME;
        if (hll_try(whole(&t->sparse), at) != want || hll_raise(&t->sparse, at) != want || hll_raise(&t->dense, at) != want)
            return "TESTFAILED a register was not raised as it should be";
        if (want == HLL_CHANGED) t->reg[at.reg] = at.value;
    }
    if (!holds(&t->dense, t->reg) || !holds(&t->sparse, t->reg)) return "TESTFAILED a register is not what it was set to";
    t->round++;
    return NULL;
}

/* Four times the standard error: one seed in 16,000 would go beyond, and the seed is fixed. */
static const char *test_estimate(struct selftest *t) {
    uint64_t dense, sparse;
    double most = 4 * 1.04 / sqrt(HLL_REGISTERS) * (double)t->members;
    if (!hll_count(whole(&t->dense), &dense) || !hll_count(whole(&t->sparse), &sparse) || dense != sparse)
        return "TESTFAILED dense and sparse do not agree";
    if (fabs((double)dense - (double)t->members) > (t->members > 10 ? ceil(most) : 0)) return "TESTFAILED the estimate is too far off";
    return NULL;
}

static const char *test_members(struct selftest *t) {
    const char *wrong = NULL;
    if (!t->members) begin(t);
    for (int i = 0; i < PIECE && t->members < MEMBERS && !wrong; i++) {
        uint64_t member = t->members++ * 0x9e3779b97f4a7c15ull;
        struct hll_place at = hll_place((struct slice){(const char *)&member, sizeof member});
        hll_raise(&t->dense, at);
        hll_raise(&t->sparse, at);
        if (t->members != t->look_at) continue;
        t->look_at *= 10;
        wrong = test_estimate(t);
    }
    return wrong;
}

static bool selftest_on(struct work *w, struct session *s) {
    struct selftest *t = (struct selftest *)w;
    const char *wrong = NULL;
    do {
        wrong = t->round < ROUNDS ? test_registers(t) : test_members(t);
    } while (!wrong && t->members < MEMBERS && !work_over(w));
    if (wrong) work_error(w, s, wrong);
    else if (t->members < MEMBERS) return false;
    else resp_ok(&s->writer);
    return true;
}

void hll_selftest(struct call *c) {
    struct selftest *t = work_new(c, sizeof *t, selftest_on, NULL);
    t->random = 20140401;
    t->look_at = 1;
    work_start(c, &t->work);
}
