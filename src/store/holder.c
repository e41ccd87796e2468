#include "store/holder.h"

#include "store/tell.h"

#include <assert.h>

/* Puts a new entry where the holder's is, or into the table; the old block goes, not what its object is. */
static void holder_place(struct holder *h, struct entry *e) {
    struct table *t = view_table(h->view, h->key);
    if (!h->entry) {
        view_bear(h->view, h->key, e);
        h->view->born |= 1u << h->type;
    } else {
        struct spot at;
        struct entry *old = table_find(t, h->key, &at);
        assert(old == h->entry);
        table_replace(t, at, e);
        entry_free_block(old);
    }
    h->entry = e;
}

static struct entry_spec holder_spec(const struct holder *h) {
    if (h->entry) return entry_spec_of(h->entry);
    return (struct entry_spec){.type = h->type, .key = {h->key->p, h->key->n}, .access = view_born(h->view, h->key)};
}

/* The entry's value shall have `room` bytes, of which the first `keep` are kept. `snug`: no more of them than needed. */
static void holder_fit(struct holder *h, size_t room, size_t keep, bool snug) {
    struct entry_spec spec = holder_spec(h);
    spec.form = (enum entry_form)h->home.form;
    spec.valuelen = room;
    struct entry *e = h->entry;
    if (e && entry_can_rewrite(e, &spec, true) && (!snug || entry_memory(e) <= entry_need(&spec) * 9 / 8 + 8)) {
        entry_rewrite(e, &spec, keep);
    } else {
        e = entry_new(&spec);
        if (keep) memcpy((char *)(uintptr_t)entry_value(e).p, h->home.p, keep);
        holder_place(h, e);
    }
    h->home.p = (uint8_t *)(uintptr_t)entry_value(h->entry).p;
    h->home.room = room;
}

static void holder_resize(struct home *home, size_t room) {
    struct holder *h = (struct holder *)home; /* its first member */
    holder_fit(h, room, home->n, false);
}

void holder_look(struct holder *h, const struct store *s, struct entry *e, enum value_type t) {
    *h = (struct holder){.type = t, .entry = e, .changes = 1};
    if (e) h->home = entry_home(e);
    else h->home.form = VALUE_PACKED;
    h->home.limits = &s->config->limits;
    h->home.seed = s->seed;
    h->was_object = h->home.object;
}

void holder_open(struct holder *h, struct view *v, const struct key *k, struct entry *e, enum value_type t) {
    if (e) view_change(v, k);
    holder_look(h, v->store, e, t);
    h->view = v;
    h->key = k;
    h->home.resize = holder_resize;
    const struct value_ops *ops = value_ops(t);
    if (e && ops->due) h->was_due = ops->due(&h->home);
}

/* The large form came to be. */
static void holder_object(struct holder *h) {
    struct entry_spec spec = holder_spec(h);
    spec.form = FORM_POINTER;
    spec.valuelen = sizeof h->home.object;
    struct entry *e = entry_new(&spec);
    memcpy((char *)(uintptr_t)entry_value(e).p, &h->home.object, sizeof h->home.object);
    holder_place(h, e);
}

/* Counting packed members may mean to walk over all: what has more than its head has some. */
static bool holder_empty(const struct holder *h) {
    return (h->home.object || h->home.n <= HOME_HEAD_MAX) && !value_ops(h->type)->count(&h->home);
}

bool holder_close(struct holder *h) {
    const struct value_ops *ops = value_ops(h->type);
    struct home *home = &h->home;
    if (holder_empty(h)) {
        if (home->object && home->object != h->was_object) value_free(h->type, home->object);
        if (h->entry) {
            view_unlink(h->view, h->key); /* that is one */
            counter_add(&h->view->stats->changes, h->changes - 1);
        }
        h->entry = NULL;
        return false;
    }
    if (home->object && home->object != h->was_object) holder_object(h);
    else if (!home->object && (home->n < home->room || entry_form(h->entry) != (enum entry_form)home->form))
        holder_fit(h, home->n, home->n, true);
    h->was_object = home->object;
    if (ops->due && ops->due(home) != h->was_due) {
        struct spot at;
        struct table *t = view_table(h->view, h->key);
        h->was_due = ops->due(home);
        table_find(t, h->key, &at);
        table_changed(t, at, entry_deadline(h->entry));
    }
    if (!h->same) {
        counter_add(&h->view->stats->changes, h->changes);
        view_tell(h->view, h->key, STORE_WRITTEN);
    }
    return true;
}

void holder_release(struct store *s, enum value_type t, void *object) {
    if (value_release(object)) store_drop_object(s, t, object);
}
