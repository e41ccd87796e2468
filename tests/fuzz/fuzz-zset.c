/* A zset, packed and large, driven by any bytes, against a naive twin: an array in the right order. Members are bytes of the input. */
#include "type/zset.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 600 /* members in the twin */
#define LONGEST 300

struct twin {
    double score;
    size_t n;
    uint8_t bytes[LONGEST];
};

struct input {
    const uint8_t *p;
    size_t n;
};

struct run {
    struct home h;
    struct type_limits limits;
    struct twin *pool, **order; /* those not in use are behind the first `count` */
    size_t count;
    struct input in;
    uint8_t space[LONGEST];
};

static void require(bool ok) {
    if (!ok) abort();
}

static uint8_t byte(struct input *in) {
    if (!in->n) return 0;
    in->n--;
    return *in->p++;
}

/* Short ones from the input; long ones, which lie apart in leaves, are a byte of it many times. */
static struct slice member(struct run *r) {
    size_t n = byte(&r->in);
    if (n >= 248) {
        n = 88 + (n - 248) * 4;
        memset(r->space, byte(&r->in), n);
    } else {
        n = n < 64 ? n % 4 : n % 24;
        if (n > r->in.n) n = r->in.n;
        for (size_t i = 0; i < n; i++) r->space[i] = byte(&r->in);
    }
    return (struct slice){(const char *)r->space, n};
}

static double score(struct run *r) {
    static const double odd[] = {0.0, -0.0, 1, INFINITY, -INFINITY, 0.1, 0.5, 191, 192, 8383, 8384, 1e18, -1e18, 5e-324};
    uint8_t kind = byte(&r->in), bytes[8];
    double v;
    if (kind < 100) return kind % 8;
    if (kind < 150) return odd[kind % (sizeof odd / sizeof *odd)];
    if (kind < 200) return (double)((int64_t)(byte(&r->in) | byte(&r->in) << 8) << kind % 40) - 5000;
    for (int i = 0; i < 8; i++) bytes[i] = byte(&r->in);
    memcpy(&v, bytes, sizeof v);
    return isnan(v) ? 1 : v;
}

static int compare_bytes(const void *a, size_t an, const void *b, size_t bn) {
    size_t n = an < bn ? an : bn;
    int d = n ? memcmp(a, b, n) : 0;
    return d ? d : (an > bn) - (an < bn);
}

static size_t find(const struct run *r, struct slice m) {
    size_t i = 0;
    while (i < r->count && compare_bytes(r->order[i]->bytes, r->order[i]->n, m.p, m.n)) i++;
    return i;
}

static void take(struct run *r, size_t from, size_t n) {
    struct twin *gone[256];
    memcpy(gone, &r->order[from], n * sizeof *gone);
    memmove(&r->order[from], &r->order[from + n], (r->count - from - n) * sizeof *gone);
    r->count -= n;
    memcpy(&r->order[r->count], gone, n * sizeof *gone);
}

static void give(struct run *r, struct slice m, double v) {
    size_t i = 0;
    while (i < r->count && (r->order[i]->score < v || (r->order[i]->score == v &&
                                                         compare_bytes(r->order[i]->bytes, r->order[i]->n, m.p, m.n) < 0)))
        i++;
    struct twin *t = r->order[r->count];
    memmove(&r->order[i + 1], &r->order[i], (r->count - i) * sizeof *r->order);
    r->order[i] = t;
    t->score = v;
    t->n = m.n;
    if (m.n) memcpy(t->bytes, m.p, m.n);
    r->count++;
}

static void add(struct run *r) {
    unsigned when = byte(&r->in) % 32;
    struct slice m = member(r);
    double v = score(r), given = v;
    size_t i = find(r, m);
    bool there = i < r->count;
    if (!there && r->count == MOST) return;
    enum zset_did did = zset_add(&r->h, m, &given, when), want = ZSET_ADDED;
    double was = there ? r->order[i]->score : 0, sum = there && when & ZSET_INCR ? was + v : v;
    if (there ? when & ZSET_NX : when & ZSET_XX) want = ZSET_KEPT;
    else if (isnan(sum)) want = ZSET_NAN;
    else if (there && ((when & ZSET_GT && sum <= was) || (when & ZSET_LT && sum >= was))) want = ZSET_KEPT;
    else if (there) want = sum == was ? ZSET_SAME : ZSET_CHANGED;
    require(did == want);
    if (did < ZSET_CHANGED) return;
    require(given == sum);
    if (there) take(r, i, 1);
    give(r, m, sum);
}

static void look(struct run *r) {
    struct slice m = member(r);
    size_t i = find(r, m), rank;
    double v;
    require(zset_rank(&r->h, m, &rank, &v) == (i < r->count));
    if (i < r->count) require(rank == i && v == r->order[i]->score);
    v = score(r);
    bool after = byte(&r->in) & 1;
    for (i = 0; i < r->count && (r->order[i]->score < v || (after && r->order[i]->score == v));) i++;
    require(zset_below_score(&r->h, v, after) == i);
}

static void walk(struct run *r) {
    bool down = byte(&r->in) & 1;
    size_t from = byte(&r->in), i = from;
    struct zset_at at;
    struct slice m;
    double v;
    if (from >= r->count) from = i = down ? (r->count ? r->count - 1 : 0) : r->count;
    zset_seek(&at, &r->h, from, down);
    for (;; i += down ? SIZE_MAX : 1) {
        bool more = i < r->count;
        require(zset_next(&at, &m, &v) == more);
        if (!more) return;
        require(v == r->order[i]->score && !compare_bytes(r->order[i]->bytes, r->order[i]->n, m.p, m.n));
    }
}

static void step(struct run *r) {
    struct slice m;
    uint8_t op = byte(&r->in);
    size_t i, n;
    switch (op % 8) {
    case 0:
        m = member(r);
        i = find(r, m);
        require(zset_remove(&r->h, m) == (i < r->count));
        if (i < r->count) take(r, i, 1);
        return;
    case 1:
        i = byte(&r->in);
        n = op > 200 ? byte(&r->in) : op % 4;
        zset_remove_ranks(&r->h, i, n);
        if (i < r->count) take(r, i, n < r->count - i ? n : r->count - i);
        return;
    case 2:
        look(r);
        return;
    case 3:
        walk(r);
        return;
    default:
        add(r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct run *r = calloc(1, sizeof *r);
    require(r && (r->pool = calloc(MOST, sizeof *r->pool)) && (r->order = calloc(MOST, sizeof *r->order)));
    for (size_t i = 0; i < MOST; i++) r->order[i] = &r->pool[i];
    r->in = (struct input){data, size};
    home_limits_default(&r->limits);
    r->limits.zset_entries = byte(&r->in) % 4 * 40;
    r->limits.zset_value = byte(&r->in) % 2 ? 64 : 1000;
    home_init_own(&r->h, &r->limits, 1);
    for (unsigned i = 1; r->in.n; i++) {
        step(r);
        require(zset_count(&r->h) == r->count);
        if (i % 64 == 0 || !r->in.n) require(!zset_check(&r->h));
    }
    if (r->h.object) value_free(VALUE_ZSET, r->h.object);
    home_free_bytes(&r->h);
    free(r->order);
    free(r->pool);
    free(r);
    return 0;
}
