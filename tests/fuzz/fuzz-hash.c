/* Hashes under any sequence of changes, packed and beyond: they hold what a naive twin holds and stay sound. Three bytes of the input
 * are one step: what to do, with which field, and with which value or time. */
#include "type/hash.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 256, STEPS = 500, LONGEST = 4000 };

struct twin {
    bool there;
    uint8_t value;
    int64_t due;
};

struct state {
    struct home home;
    struct type_limits limits;
    struct twin twin[FIELDS];
    int64_t now;
};

static void require(bool ok) {
    if (!ok) abort();
}

/* Text that a byte stands for: of any length up to some dozens, sometimes longer. The first byte says which it is. */
static struct slice text_of(uint8_t which, char space[LONGEST]) {
    size_t n = which % 41 + (which % 32 == 31 ? 100 : 0) + (which == 254 ? 3000 : 0);
    memset(space, 'a' + which % 26, n ? n : 1);
    space[0] = (char)which;
    return (struct slice){space, which == 0 ? 0 : n ? n : 1};
}

static bool lives(const struct state *s, uint8_t field) {
    const struct twin *t = &s->twin[field];
    return t->there && (!t->due || t->due > s->now);
}

static void put(struct state *s, uint8_t field, uint8_t value, int64_t due) {
    char name[LONGEST], bytes[LONGEST];
    struct member what = {.name = text_of(field, name), .value = text_of(value, bytes), .due = due};
    require(hash_put(&s->home, &what, s->now) == !lives(s, field));
    s->twin[field] = (struct twin){true, value, due};
}

static void take(struct state *s, uint8_t field) {
    char name[LONGEST];
    require(hash_remove(&s->home, text_of(field, name), s->now) == lives(s, field));
    s->twin[field].there = false;
}

static void set_due(struct state *s, uint8_t field, int64_t due) {
    char name[LONGEST];
    bool alive = lives(s, field);
    require(hash_set_due(&s->home, text_of(field, name), due, s->now) == alive);
    if (alive) s->twin[field].due = due;
}

static void expire(struct state *s) {
    size_t gone = 0, want = 0;
    while (hash_expire(&s->home, s->now, 7, &gone)) {}
    for (unsigned i = 0; i < FIELDS; i++) {
        if (!s->twin[i].there || lives(s, (uint8_t)i)) continue;
        s->twin[i].there = false;
        want++;
    }
    require(gone == want && (!hash_due(&s->home) || hash_due(&s->home) > s->now));
}

static void compare(const struct state *s) {
    char space[LONGEST];
    struct member have;
    size_t there = 0, alive = 0, shown = 0;
    int64_t due = hash_due(&s->home);
    require(!hash_check(&s->home));
    for (unsigned i = 0; i < FIELDS; i++) {
        const struct twin *t = &s->twin[i];
        there += t->there;
        alive += lives(s, (uint8_t)i);
        require(hash_get(&s->home, text_of((uint8_t)i, space), s->now, &have) == lives(s, (uint8_t)i));
        if (!lives(s, (uint8_t)i)) continue;
        require(slice_equal(have.value, text_of(t->value, space)) && have.due == t->due);
        require(!have.due || (due && due <= have.due));
    }
    for (struct hash_at at = {.packed = 0}; hash_next(&s->home, &at, s->now, &have); shown++)
        require(lives(s, have.name.n ? (uint8_t)have.name.p[0] : 0));
    require(hash_count(&s->home) == there && shown == alive);
    require(hash_random(&s->home, (uint64_t)s->now << 40, s->now, &have) == (alive > 0));
}

static void step(struct state *s, const uint8_t *p) {
    int64_t due = s->now + p[2] - 20 > 0 ? s->now + p[2] - 20 : 1;
    switch (p[0] % 16) {
    case 8:
    case 9:
        put(s, p[1], p[2], due);
        break;
    case 10:
    case 11:
        take(s, p[1]);
        break;
    case 12:
        set_due(s, p[1], p[2] % 4 ? s->now + 1 + p[2] : 0);
        break;
    case 13:
        expire(s);
        break;
    case 14:
        s->now += p[2];
        break;
    case 15:
        atomic_store(&s->limits.hash_entries, p[1]);
        atomic_store(&s->limits.hash_value, p[2]);
        break;
    default:
        put(s, p[1], p[2], 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct state s = {.now = 1000};
    home_limits_default(&s.limits);
    home_init_own(&s.home, &s.limits, 42);
    for (size_t i = 0; i < STEPS && 3 * i + 3 <= size; i++) {
        step(&s, data + 3 * i);
        if (i % 64 == 63) compare(&s);
    }
    compare(&s);
    if (s.home.object) value_free(VALUE_HASH, s.home.object);
    home_free_bytes(&s.home);
    return 0;
}
