#include "command/thaw.h"

#include "base/clock.h"
#include "store/entry.h"

#include <assert.h>

/* A string of the request at work that is wanted plain. */
struct wanted {
    struct wanted *next;
    int key;
    struct thaw thaw;
    size_t from, n;     /* the bytes that are wanted */
    char *to;           /* in thaw.plain, or in `made` */
    bool change;        /* an entry is made, of name and deadline: */
    struct entry *made; /* NULL before there was room */
    char *name;
    size_t name_n;
    int64_t deadline;
};

/* -- holding ----------------------------------------------------------------------------------------------------------------- */

void thaw_hold(struct thaw *t, struct entry *e) {
    *t = (struct thaw){.stored = entry_value(e)};
    if (entry_pin(e)) {
        t->pinned = e;
        return;
    }
    t->copy = mem_alloc(MEM_CLIENT, t->stored.n);
    t->stored.p = memcpy(t->copy, t->stored.p, t->stored.n);
}

/* A pinned block is nobody else's, so its address says enough. */
bool thaw_is(const struct thaw *t, const struct entry *e) {
    if (!entry_packed(e)) return false;
    return t->pinned ? t->pinned == e : slice_equal(t->stored, entry_value(e));
}

struct slice thaw_all(struct thaw *t, struct lane *l) {
    size_t n = packed_length(t->stored);
    if (!t->plain) {
        t->plain = mem_alloc(MEM_CLIENT, n);
        packed_part(t->stored, 0, n, t->plain, packer_space(l->packer));
    }
    return (struct slice){t->plain, n};
}

void thaw_drop(struct thaw *t) {
    if (t->pinned) entry_release(t->pinned);
    mem_free(MEM_CLIENT, t->copy);
    mem_free(MEM_CLIENT, t->plain);
    *t = (struct thaw){.pinned = NULL};
}

/* -- wanting ----------------------------------------------------------------------------------------------------------------- */

static void wanted_free(struct wanted *w) {
    if (w->made) entry_free(w->made);
    thaw_drop(&w->thaw);
    mem_free(MEM_CLIENT, w->name);
    mem_free(MEM_CLIENT, w);
}

static void wanted_remove(struct session *s, struct wanted *w) {
    struct wanted **at = &s->wanted;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    wanted_free(w);
}

void thaw_over(struct session *s) {
    while (s->wanted) wanted_remove(s, s->wanted);
}

/* Those of the key that are no use any more go: another value is there by now. */
static struct wanted *wanted_find(struct session *s, int key, const struct entry *e, bool change, size_t from, size_t n) {
    for (struct wanted **at = &s->wanted, *w; (w = *at);) {
        bool same = w->key == key && w->change == change;
        if (same && w->from <= from && w->from + w->n >= from + n && thaw_is(&w->thaw, e)) return w;
        if (!same) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        wanted_free(w);
    }
    return NULL;
}

static struct wanted *wanted_new(struct call *c, int key, struct entry *e, size_t from, size_t n) {
    struct wanted *w = mem_zalloc(MEM_CLIENT, sizeof *w);
    w->key = key;
    w->from = from;
    w->n = n;
    thaw_hold(&w->thaw, e);
    w->next = c->s->wanted;
    c->s->wanted = w;
    return w;
}

static bool is_done(const struct wanted *w) { return w->to && w->thaw.at.at >= w->from + w->n; }

bool call_text_part(struct call *c, int key, struct entry *e, size_t from, size_t n, struct slice *out) {
    size_t length = e ? entry_length(e) : 0;
    if (from > length) from = length;
    if (n > length - from) n = length - from;
    *out = SLICE("");
    if (!n) return true;
    if (!entry_packed(e)) {
        *out = (struct slice){entry_value(e).p + from, n};
        return true;
    }
    struct wanted *w = wanted_find(c->s, key, e, false, from, n);
    if (w && is_done(w)) {
        *out = (struct slice){w->to + (from - w->from), n};
        return true;
    }
    if (!w) wanted_new(c, key, e, from, n);
    c->again = true;
    if (!c->need) c->need = 1;
    return false;
}

bool call_text(struct call *c, int key, struct entry *e, struct slice *out) {
    return call_text_part(c, key, e, 0, SIZE_MAX, out);
}

char *call_text_take(struct call *c, int key, struct entry *e) {
    return e ? call_text_part_take(c, key, e, 0, entry_length(e)) : NULL;
}

char *call_text_part_take(struct call *c, int key, struct entry *e, size_t from, size_t n) {
    if (!entry_packed(e)) return NULL;
    struct wanted *w = wanted_find(c->s, key, e, false, from, n);
    assert(w && w->thaw.plain);
    char *p = w->thaw.plain;
    w->thaw.plain = NULL;
    wanted_remove(c->s, w);
    return p;
}

struct entry *call_plain(struct call *c, int key, struct entry *e) {
    if (__builtin_expect(!entry_packed(e), 1)) return e;
    const struct key *k = &c->key[key];
    struct wanted *w = wanted_find(c->s, key, e, true, 0, entry_length(e));
    if (w && w->made && is_done(w)) {
        struct entry *made = w->made;
        w->made = NULL;
        return view_swap(&c->v, k, e, made);
    }
    if (!w) {
        w = wanted_new(c, key, e, 0, entry_length(e));
        w->change = true;
        w->deadline = entry_deadline(e);
        w->name = mem_alloc(MEM_CLIENT, k->n + 1);
        memcpy(w->name, k->p, k->n);
        w->name_n = k->n;
    }
    c->again = true;
    c->need = view_room_for(&c->v, k, w->n + w->n / ENTRY_ROOMY);
    return NULL;
}

/* -- unpacking --------------------------------------------------------------------------------------------------------------- */

static void wanted_begin(struct wanted *w) {
    if (w->change) {
        struct entry_spec spec = {.type = VALUE_STRING, .form = FORM_AUTO, .deadline = w->deadline,
            .key = {w->name, w->name_n}, .valuelen = w->n};
        w->made = entry_new_roomy(&spec);
        w->to = (char *)(uintptr_t)entry_value(w->made).p;
    } else {
        w->to = w->thaw.plain = mem_alloc(MEM_CLIENT, w->n);
    }
    packed_open(&w->thaw.at, w->thaw.stored, w->from);
}

bool thaw_wanted(struct session *s, int64_t slice_us) {
    uint64_t start = clock_ticks();
    for (struct wanted *w = s->wanted; w; w = w->next) {
        struct packed_at *at = &w->thaw.at;
        if (!w->to) wanted_begin(w);
        while (!is_done(w)) {
            packed_read(at, w->to + (at->at - w->from), w->from + w->n - at->at, packer_space(s->lane->packer));
            if (!is_done(w) && clock_ticks_us(clock_ticks() - start) >= slice_us) return false;
        }
    }
    return true;
}
