#include "command/owing.h"

#include "base/clock.h"
#include "store/entry.h"

#include <assert.h>

#define KEEP 65536 /* bytes of scratch that stay */

struct owed {
    struct entry *pinned; /* NULL: its bytes are in `copies` at `at` */
    size_t at, n;         /* packed */
    size_t from, plain;   /* what is wanted of it */
    char *to;
};

void owing_init(struct owing *o) {
    buf_init(&o->items, MEM_CLIENT);
    buf_init(&o->copies, MEM_CLIENT);
    o->late = SIZE_MAX;
}

void owing_free(struct owing *o) {
    buf_free(&o->items);
    buf_free(&o->copies);
}

static struct owed *item(const struct buf *items, size_t i) { return (struct owed *)(void *)items->p + i; }
static size_t count(const struct buf *items) { return items->n / sizeof(struct owed); }

void owing_bulk(struct call *c, struct entry *e, size_t from, size_t n) {
    struct owing *o = c->owing;
    struct slice v = entry_value(e);
    struct owed d = {.from = from, .plain = n, .n = v.n};
    bool apart = o->late == SIZE_MAX && o->bytes + n > OWING_AT_ONCE;
    c->aside = true;
    if (apart) {
        o->late = count(&o->items);
        o->mark = chain_mark(c->w->out);
    }
    d.to = resp_bulk_room(c->w, n, apart);
    if (entry_pin(e)) {
        d.pinned = e;
    } else {
        d.at = o->copies.n;
        buf_put(&o->copies, v.p, v.n);
    }
    o->bytes += n;
    buf_put(&o->items, &d, sizeof d);
}

static struct slice stored_of(const struct owed *d, const struct buf *copies) {
    return (struct slice){d->pinned ? entry_value(d->pinned).p : copies->p + d->at, d->n};
}

static void release(struct owed *d) {
    if (d->pinned) entry_release(d->pinned);
    d->pinned = NULL;
}

/* -- a lot: a task ------------------------------------------------------------------------------------------------------------- */

struct debt {
    struct task task;
    struct buf items, copies; /* items before `at` are paid */
    size_t at;
    bool reading;
    struct packed_at place;   /* in the one at `at` */
    struct chain out;
};

static bool pay_some(struct debt *t, struct owed *d, char *space) {
    if (!t->reading) packed_open(&t->place, stored_of(d, &t->copies), d->from);
    t->reading = true;
    size_t done = t->place.at - d->from;
    packed_read(&t->place, d->to + done, d->plain - done, space);
    return t->place.at == d->from + d->plain;
}

static enum task_state debt_step(struct task *task, struct session *s, int64_t slice_us) {
    struct debt *t = (struct debt *)(void *)task;
    uint64_t start = clock_ticks();
    while (t->at < count(&t->items)) {
        if (clock_ticks_us(clock_ticks() - start) >= slice_us) return TASK_AGAIN;
        struct owed *d = item(&t->items, t->at);
        if (!pay_some(t, d, packer_space(s->lane->packer))) continue;
        release(d);
        t->reading = false;
        t->at++;
    }
    chain_move(&s->out, &t->out);
    return TASK_DONE;
}

static void debt_drop(struct task *task) {
    struct debt *t = (struct debt *)(void *)task;
    for (size_t i = t->at; i < count(&t->items); i++) release(item(&t->items, i));
    buf_free(&t->items);
    buf_free(&t->copies);
    chain_free(&t->out);
    mem_free(MEM_CLIENT, t);
}

static void owing_later(struct call *c) {
    struct owing *o = c->owing;
    struct debt *t = mem_zalloc(MEM_CLIENT, sizeof *t);
    t->task.step = debt_step;
    t->task.drop = debt_drop;
    t->items = o->items;
    t->copies = o->copies;
    t->at = o->late;
    buf_init(&o->items, MEM_CLIENT);
    buf_init(&o->copies, MEM_CLIENT);
    chain_init(&t->out, &c->s->lane->pool);
    chain_cut(c->w->out, o->mark, &t->out);
    session_park(c->s, &t->task);
}

static void reuse(struct buf *b) {
    b->n = 0;
    if (b->cap > KEEP) buf_free(b);
}

void owing_pay(struct call *c) {
    struct owing *o = c->owing;
    size_t n = count(&o->items);
    char *space = packer_space(c->s->lane->packer);
    assert(c->w->out == &c->s->out);
    for (size_t i = 0; i < n && i < o->late; i++) {
        struct owed *d = item(&o->items, i);
        packed_part(stored_of(d, &o->copies), d->from, d->plain, d->to, space);
        release(d);
    }
    if (o->late != SIZE_MAX) owing_later(c);
    reuse(&o->items);
    reuse(&o->copies);
    o->bytes = 0;
    o->late = SIZE_MAX;
}
