/* Packed sets, and what they turn into, under operations that the input spells, beside a naive twin: an array of strings.
 * Three bytes choose the limits; then each operation is a byte, and a member: a number of one to eight bytes, or so many bytes. */
#include "type/set.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 200

static void require(bool ok) {
    if (!ok) abort();
}

struct twin {
    struct slice member[MOST];
    size_t n;
};

static size_t twin_find(const struct twin *t, struct slice member) {
    size_t i = 0;
    while (i < t->n && !slice_equal(t->member[i], member)) i++;
    return i;
}

static void twin_add(struct twin *t, struct slice member) {
    char *copy = malloc(member.n + 1);
    require(copy != NULL);
    if (member.n) memcpy(copy, member.p, member.n);
    t->member[t->n++] = (struct slice){copy, member.n};
}

static void twin_remove(struct twin *t, size_t at) { /* the order stays */
    free((char *)(uintptr_t)t->member[at].p);
    t->n--;
    memmove(&t->member[at], &t->member[at + 1], (t->n - at) * sizeof t->member[0]);
}

struct input {
    const uint8_t *p, *end;
};

static uint8_t byte(struct input *in) { return in->p < in->end ? *in->p++ : 0; }

static struct slice read_member(struct input *in, char text[NUM_I64_MAX]) {
    uint8_t kind = byte(in);
    size_t n = kind & 0x7f;
    if (kind == 0x7f) n = 100 + byte(in) * 4u; /* a long one */
    size_t left = (size_t)(in->end - in->p);
    if (kind & 0x80) { /* a number of so many bytes, its sign in the last */
        int64_t v = 0;
        n = (kind & 7u) + 1;
        if (n > left) n = left;
        memcpy(&v, in->p, n);
        if (n && n < 8 && in->p[n - 1] & 0x80) v -= (int64_t)1 << 8 * n;
        in->p += n;
        return (struct slice){text, num_put_i64(text, v)};
    }
    if (n > left) n = left;
    struct slice s = {(const char *)in->p, n};
    in->p += n;
    return s;
}

static void compare(const struct home *h, const struct twin *t) {
    struct set_at at = {0};
    struct slice member;
    size_t n = 0;
    const char *encoding = set_ops()->encoding(h);
    int64_t low = INT64_MIN, v;
    require(!set_check(h) && set_count(h) == t->n);
    for (; set_next(h, &at, &member); n++) {
        require(twin_find(t, member) < t->n);
        if (strcmp(encoding, "intset")) continue;
        require(num_i64(member, &v) && (!n || v > low));
        low = v;
    }
    require(n == t->n);
}

static void operate(struct home *h, struct twin *t, struct input *in) {
    char text[NUM_I64_MAX], drawn_text[NUM_I64_MAX];
    uint8_t what = byte(in);
    struct slice member = read_member(in, text);
    size_t there = twin_find(t, member);
    switch (what % 5) {
    case 0:
    case 1:
        if (t->n == MOST) break;
        require(set_add(h, member) == (there == t->n));
        if (there == t->n) twin_add(t, member);
        break;
    case 2:
        require(set_remove(h, member) == (there < t->n));
        if (there < t->n) twin_remove(t, there);
        break;
    case 3:
        set_expect(h, member, what);
        break;
    default: /* one that is there, by itself: it may lie in the set */
        if (!t->n) break;
        member = set_random(h, (uint64_t)what << 56, drawn_text);
        there = twin_find(t, member);
        require(there < t->n);
        if (what & 1) {
            require(set_remove(h, member));
            twin_remove(t, there);
        }
    }
    if (what % 5 != 4) require(set_has(h, member) == (twin_find(t, member) < t->n)); /* else its bytes may be gone */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    struct type_limits limits;
    struct home h;
    struct twin t = {.n = 0};
    home_limits_default(&limits);
    limits.set_ints = byte(&in) * 4;
    limits.set_entries = byte(&in);
    limits.set_value = byte(&in);
    home_init_own(&h, &limits, 1);
    for (unsigned i = 0; in.p < in.end; i++) {
        operate(&h, &t, &in);
        if (i % 64 == 63) compare(&h, &t);
    }
    compare(&h, &t);
    if (h.object) value_free(VALUE_SET, h.object);
    home_free_bytes(&h);
    while (t.n) twin_remove(&t, t.n - 1);
    return 0;
}
