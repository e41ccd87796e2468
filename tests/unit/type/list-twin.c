#include "list-twin.h"

#include "type/list_sift.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t twin_choose(struct list_twin *t, uint64_t below) { return below ? t->choose(t->arg, below) : 0; }

void twin_init(struct list_twin *t, const struct type_limits *limits, uint64_t (*choose)(void *, uint64_t), void *arg) {
    *t = (struct list_twin){.choose = choose, .arg = arg, .most = 4000, .burst = 300};
    home_init_own(&t->home, limits, 1);
}

void twin_end(struct list_twin *t) {
    if (t->home.object) value_free(VALUE_LIST, t->home.object);
    home_free_bytes(&t->home);
    for (size_t i = 0; i < t->n; i++) free((char *)(uintptr_t)t->texts[i].p);
    free(t->texts);
}

/* Integers of every width, texts of every kind of length, some equal to each other. */
static struct slice twin_text(struct list_twin *t, char *space, size_t cap) {
    uint64_t kind = twin_choose(t, 16);
    size_t n;
    if (kind < 5) {
        uint64_t v = twin_choose(t, 1u << 31) * 4294967291u >> twin_choose(t, 64);
        return (struct slice){space, (size_t)snprintf(space, cap, kind == 4 ? "0%llu" : kind & 1 ? "-%llu" : "%llu", (unsigned long long)v)};
    }
    if (t->alike && kind < 12) return (struct slice){space, (size_t)snprintf(space, cap, "element%llu", (unsigned long long)twin_choose(t, 3))};
    if (kind < 12) n = twin_choose(t, 40);
    else if (kind < 15 || !t->long_ones) n = twin_choose(t, 200);
    else n = twin_choose(t, 4) ? twin_choose(t, 9000) : twin_choose(t, 40000);
    if (n > cap) n = cap;
    for (size_t i = 0; i < n; i++) space[i] = (char)('a' + (i * 7 + n + (i % 13 == 0 ? twin_choose(t, 26) : 0)) % 26);
    return (struct slice){space, n};
}

static void twin_put(struct list_twin *t, size_t at, struct slice s) {
    if (t->n == t->cap) {
        t->cap = t->cap * 2 + 64;
        t->texts = realloc(t->texts, t->cap * sizeof *t->texts);
    }
    memmove(t->texts + at + 1, t->texts + at, (t->n++ - at) * sizeof *t->texts);
    char *copy = malloc(s.n + 1);
    memcpy(copy, s.p, s.n);
    t->texts[at] = (struct slice){copy, s.n};
}

static void twin_take(struct list_twin *t, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++) free((char *)(uintptr_t)t->texts[at + i].p);
    if (n) memmove(t->texts + at, t->texts + at + n, (t->n - at - n) * sizeof *t->texts);
    t->n -= n;
}

/* From `from` on, `n` elements to the tail, and back. */
static const char *twin_same(struct list_twin *t, const struct home *h, size_t from, size_t n, size_t twin_from) {
    struct list_at at;
    if (!n) return NULL;
    if (!list_seek(h, &at, (int64_t)from)) return "an element that is not found";
    const char *wrong = NULL;
    for (size_t i = 0; i < n && !wrong; i++) {
        if (at.rank != from + i) wrong = "a rank";
        if (!slice_equal(at.text, t->texts[twin_from + i])) wrong = "an element, going to the tail";
        bool more = list_next(h, &at);
        if (more != (from + i + 1 < list_count(h))) wrong = "the end, going to the tail";
        if (!more) break;
    }
    list_leave(&at);
    if (wrong) return wrong;
    if (!list_seek(h, &at, (int64_t)(from + n) - 1 - (int64_t)list_count(h))) return "an element that is not found from behind";
    for (size_t i = n; i-- > 0 && !wrong;) {
        if (at.rank != from + i) wrong = "a rank";
        if (!slice_equal(at.text, t->texts[twin_from + i])) wrong = "an element, going to the head";
        bool more = list_prev(h, &at);
        if (more != (from + i > 0)) wrong = "the end, going to the head";
        if (!more) break;
    }
    list_leave(&at);
    return wrong;
}

const char *twin_compare(struct list_twin *t) {
    const char *wrong = list_check(&t->home);
    if (wrong) return wrong;
    if (list_count(&t->home) != t->n) return "the count";
    struct list_at at;
    if (list_seek(&t->home, &at, (int64_t)t->n) || list_seek(&t->home, &at, -1 - (int64_t)t->n)) return "an element beyond the ends";
    return twin_same(t, &t->home, 0, t->n, 0);
}

static const char *twin_cut(struct list_twin *t, size_t at, size_t n) {
    bool object = t->home.object != NULL;
    void *went = list_cut(&t->home, at, n);
    const char *wrong = NULL;
    if (object && n > LIST_CUT_MUCH && !went) return "a large cut that is not given back";
    if (went) {
        struct home h = {.object = went, .form = VALUE_OBJECT, .limits = t->home.limits};
        wrong = list_check(&h);
        if (!wrong && list_count(&h) != n) wrong = "the count of what was cut";
        if (!wrong) wrong = twin_same(t, &h, 0, n, at);
        value_free(VALUE_LIST, went);
    }
    twin_take(t, at, n);
    list_shrunk(&t->home);
    return wrong;
}

static const char *twin_remove(struct list_twin *t, struct slice text) {
    enum list_end end = twin_choose(t, 2) ? LIST_TAIL : LIST_HEAD;
    size_t most = twin_choose(t, 2) ? SIZE_MAX : 1 + twin_choose(t, 20), went = 0, gone;
    struct list_needle needle;
    list_needle_make(&needle, text);
    if (!t->n) return NULL;
    if (t->home.object && twin_choose(t, 2)) { /* begun and given up */
        struct list_sift *s = list_sift_new(&t->home, &needle, end, most);
        for (uint64_t i = twin_choose(t, 5); i && list_sift_on(s); i--) {}
        if (list_sift_free(s)) return "a sift that was not put has taken something";
    }
    gone = list_remove(&t->home, &needle, end, most);
    for (size_t i = end == LIST_HEAD ? 0 : t->n; went < most && (end == LIST_HEAD ? i < t->n : i > 0);) {
        if (end == LIST_TAIL) i--;
        if (slice_equal(t->texts[i], text)) {
            twin_take(t, i, 1);
            went++;
        } else if (end == LIST_HEAD) {
            i++;
        }
    }
    list_shrunk(&t->home);
    return went != gone ? "how many were removed" : NULL;
}

static const char *twin_find(struct list_twin *t, struct slice text) {
    struct list_needle needle;
    struct list_at at;
    list_needle_make(&needle, text);
    size_t wanted = 0, rank = SIZE_MAX;
    while (wanted < t->n && !slice_equal(t->texts[wanted], text)) wanted++;
    if (!list_seek(&t->home, &at, 0)) return t->n ? "the first element" : NULL;
    do
        if (list_skip_to(&at, &needle)) rank = at.rank;
    while (rank == SIZE_MAX && list_next(&t->home, &at));
    list_leave(&at);
    return rank != (wanted == t->n ? SIZE_MAX : wanted) ? "where an element is" : NULL;
}

static const char *twin_pop(struct list_twin *t, enum list_end end) {
    char digits[NUM_I64_MAX];
    if (!t->n) return NULL;
    size_t at = end == LIST_HEAD ? 0 : t->n - 1;
    struct slice got = list_peek(&t->home, end, digits);
    bool same = slice_equal(got, t->texts[at]);
    list_drop(&t->home, end);
    twin_take(t, at, 1);
    list_shrunk(&t->home);
    return same ? NULL : "an element popped";
}

static void twin_push(struct list_twin *t, enum list_end end, struct slice text) {
    list_growing(&t->home, text.n, 1);
    list_push(&t->home, end, text);
    twin_put(t, end == LIST_HEAD ? 0 : t->n, text);
}

const char *twin_step(struct list_twin *t) {
    static char space[40000];
    struct slice text = twin_text(t, space, sizeof space);
    size_t at = twin_choose(t, t->n), n = 1 + twin_choose(t, t->burst);
    enum list_end end = twin_choose(t, 2) ? LIST_TAIL : LIST_HEAD;
    const char *wrong;
    uint64_t what = twin_choose(t, 16);
    if (what < 6 && t->n > t->most) what = 6;
    switch (what) {
    case 0: case 1: case 2: case 3:
        for (; n; n--) twin_push(t, end, text);
        if (what < 2) twin_push(t, end == LIST_HEAD ? LIST_TAIL : LIST_HEAD, text);
        return NULL;
    case 4: case 5:
        for (n = n % 8 + 1; n; n--, text = twin_text(t, space, sizeof space)) {
            list_growing(&t->home, text.n, 1);
            list_insert(&t->home, at, text);
            twin_put(t, at, text);
        }
        return NULL;
    case 6: case 7: case 8:
        for (; n; n--)
            if ((wrong = twin_pop(t, end))) return wrong;
        return NULL;
    case 9: case 10:
        if (!t->n) return NULL;
        list_growing(&t->home, text.n, 1);
        list_set(&t->home, at, text);
        twin_take(t, at, 1);
        twin_put(t, at, text);
        list_shrunk(&t->home);
        return NULL;
    case 11:
        return twin_cut(t, at, t->n ? twin_choose(t, t->n - at + 1) : 0);
    case 12:
        return t->n ? twin_cut(t, at, n < t->n - at ? n : t->n - at) : NULL;
    case 13:
        if (t->n && twin_choose(t, 4)) text = (struct slice){memcpy(space, t->texts[at].p, t->texts[at].n), t->texts[at].n};
        return twin_remove(t, text);
    case 14:
        return twin_find(t, t->n && twin_choose(t, 4) ? t->texts[at] : text);
    default: /* a few from anywhere */
        return t->n ? twin_same(t, &t->home, at, n < t->n - at ? n : t->n - at, at) : NULL;
    }
}
