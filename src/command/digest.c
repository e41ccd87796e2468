#include "command/digest.h"

#include "base/clock.h"
#include "command/thaw.h"
#include "command/work.h"

#include <arpa/inet.h>
#include <stdio.h>

#define PIECE 32      /* members between two looks at the clock: about 10 us */
#define AT_ONCE 64    /* members of an object that are not worth being held */

void digest_xor(struct digest *d, const void *p, size_t n) {
    struct digest of;
    sha1_of(p, n, of.sum);
    for (int i = 0; i < SHA1_BYTES; i++) d->sum[i] ^= of.sum[i];
}

void digest_add(struct digest *d, const struct digest *other) { digest_xor(d, other->sum, sizeof other->sum); }

void digest_mix(struct digest *d, const void *p, size_t n) {
    struct digest of;
    digest_xor(d, p, n);
    of = *d;
    sha1_of(of.sum, sizeof of.sum, d->sum);
}

void digest_expires(struct digest *d) { digest_xor(d, "!!expire!!", 10); }

void digest_text(const struct digest *d, char out[2 * SHA1_BYTES + 1]) {
    for (int i = 0; i < SHA1_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", d->sum[i]);
}

/* -- values ---------------------------------------------------------------------------------------------------------------- */

static void mix_type(struct digest *d, enum value_type t) {
    /* Redis's numbers of types, in the order of ours */
    uint32_t number = htonl((uint32_t)t);
    _Static_assert(VALUE_STRING == 0 && VALUE_LIST == 1 && VALUE_SET == 2 && VALUE_ZSET == 3 && VALUE_HASH == 4, "as in Redis");
    digest_mix(d, &number, sizeof number);
}

void digest_string(struct digest *d, struct slice value) {
    mix_type(d, VALUE_STRING);
    digest_mix(d, value.p, value.n);
}

void digest_walk_begin(struct digest_walk *w, const struct digest *from, enum value_type t, const struct home *home) {
    memset(w, 0, sizeof *w);
    w->d = *from;
    w->type = t;
    w->home = home;
    mix_type(&w->d, t);
    if (t == VALUE_LIST) w->walking = list_seek(home, &w->list, 0);
    if (t == VALUE_ZSET) zset_seek(&w->at.zset, home, 0, false);
}

static bool walk_list(struct digest_walk *w) {
    if (!w->walking) return false;
    digest_mix(&w->d, w->list.text.p, w->list.text.n);
    if (!list_next(w->home, &w->list)) digest_walk_end(w);
    return true;
}

static bool walk_set(struct digest_walk *w) {
    struct slice member;
    if (!set_next(w->home, &w->at.set, &member)) return false;
    digest_xor(&w->d, member.p, member.n);
    return true;
}

static bool walk_zset(struct digest_walk *w) {
    struct digest pair = {{0}};
    struct slice member;
    double score;
    char text[64];
    if (!zset_next(&w->at.zset, &member, &score)) return false;
    digest_mix(&pair, member.p, member.n);
    digest_mix(&pair, text, (size_t)snprintf(text, sizeof text, "%.17g", score));
    digest_add(&w->d, &pair);
    return true;
}

static bool walk_hash(struct digest_walk *w) {
    struct digest pair = {{0}};
    struct member m;
    if (!hash_next(w->home, &w->at.hash, 0, &m)) return false;
    digest_mix(&pair, m.name.p, m.name.n);
    digest_mix(&pair, m.value.p, m.value.n);
    digest_add(&w->d, &pair);
    return true;
}

bool digest_walk_on(struct digest_walk *w, size_t most) {
    bool more = true;
    while (more && most--) {
        switch (w->type) {
        case VALUE_LIST: more = walk_list(w); break;
        case VALUE_SET: more = walk_set(w); break;
        case VALUE_ZSET: more = walk_zset(w); break;
        default: more = walk_hash(w);
        }
    }
    return !more;
}

void digest_walk_end(struct digest_walk *w) {
    if (w->walking) list_leave(&w->list);
    w->walking = false;
}

static bool is_short(enum value_type t, const struct home *home) {
    return !home->object || value_ops(t)->count(home) <= AT_ONCE;
}

/* -- DIGEST ---------------------------------------------------------------------------------------------------------------- */

struct held { /* a large object, or a packed string, that a scan came by; it is added without the lock */
    struct home home;
    struct thaw thaw;
    enum value_type type;
    struct digest d;
    bool expires;
};

struct dataset {
    struct task task;
    struct store *store;
    struct digest sum;
    uint64_t cursor;
    unsigned db;
    bool begun;             /* the database has keys, and is mixed in */
    struct buf held;        /* of struct held; the last one is walked */
    bool walking;
    struct digest_walk walk;
};

static struct held *last_held(struct dataset *w) { return (struct held *)(void *)(w->held.p + w->held.n) - 1; }

static void dataset_entry(void *arg, struct entry *e) {
    struct dataset *w = arg;
    struct slice key = entry_key(e);
    struct digest d = {{0}};
    enum value_type t = entry_type(e);
    if (!w->begun) {
        uint32_t db = htonl(w->db);
        digest_mix(&w->sum, &db, sizeof db);
        w->begun = true;
    }
    digest_mix(&d, key.p, key.n);
    if (t == VALUE_STRING && entry_packed(e)) {
        struct held held = {.type = t, .d = d, .expires = entry_deadline(e) != 0};
        thaw_hold(&held.thaw, e);
        buf_put(&w->held, &held, sizeof held);
        return;
    }
    if (t == VALUE_STRING) {
        digest_string(&d, entry_value(e));
    } else {
        struct holder h;
        holder_look(&h, w->store, e, t);
        if (!is_short(t, &h.home)) {
            struct held held = {.home = h.home, .type = t, .d = d, .expires = entry_deadline(e) != 0};
            value_hold(h.home.object);
            buf_put(&w->held, &held, sizeof held);
            return;
        }
        struct digest_walk walk;
        digest_walk_begin(&walk, &d, t, &h.home);
        digest_walk_on(&walk, SIZE_MAX);
        d = walk.d;
    }
    if (entry_deadline(e)) digest_expires(&d);
    digest_add(&w->sum, &d);
}

static void drop_held(struct dataset *w) {
    struct held *h = last_held(w);
    if (h->type == VALUE_STRING) thaw_drop(&h->thaw);
    else holder_release(w->store, h->type, h->home.object);
    w->held.n -= sizeof *h;
    w->walking = false;
}

static void dataset_held(struct dataset *w, struct lane *l) {
    struct held *h = last_held(w);
    if (h->type == VALUE_STRING) {
        digest_string(&h->d, thaw_all(&h->thaw, l));
        if (h->expires) digest_expires(&h->d);
        digest_add(&w->sum, &h->d);
        drop_held(w);
        return;
    }
    if (!w->walking) digest_walk_begin(&w->walk, &h->d, h->type, &h->home);
    w->walking = true;
    if (!digest_walk_on(&w->walk, PIECE)) return;
    if (h->expires) digest_expires(&w->walk.d);
    digest_add(&w->sum, &w->walk.d);
    drop_held(w);
}

static enum task_state dataset_step(struct task *t, struct session *s, int64_t slice_us) {
    struct dataset *w = (struct dataset *)t;
    uint64_t start = clock_ticks();
    while (w->db < STORE_DATABASES) {
        if (clock_ticks_us(clock_ticks() - start) >= slice_us) return TASK_AGAIN;
        if (w->held.n) {
            dataset_held(w, s->lane);
            continue;
        }
        if (w->cursor || !w->begun) w->cursor = store_scan(w->store, w->db, w->cursor, 1, clock_ms(), dataset_entry, w);
        if (!w->cursor && !w->held.n) {
            w->db++;
            w->begun = false;
        }
    }
    char text[2 * SHA1_BYTES + 1];
    digest_text(&w->sum, text);
    resp_simple(&s->writer, text);
    return TASK_DONE;
}

static void dataset_drop(struct task *t) {
    struct dataset *w = (struct dataset *)t;
    if (w->walking) digest_walk_end(&w->walk);
    while (w->held.n) drop_held(w);
    buf_free(&w->held);
    mem_free(MEM_CLIENT, w);
}

void digest_run(struct call *c) {
    struct dataset *w = mem_zalloc(MEM_CLIENT, sizeof *w);
    w->task.step = dataset_step;
    w->task.drop = dataset_drop;
    w->store = c->v.store;
    buf_init(&w->held, MEM_CLIENT);
    session_park(c->s, &w->task);
}

/* -- DIGEST-VALUE ---------------------------------------------------------------------------------------------------------- */

struct asked { /* one key */
    struct digest d;         /* of a string, or of none: done */
    const struct home *home; /* NULL: done */
    enum value_type type;
    bool expires;
};

struct values {
    struct work work;
    int n, at;
    bool walking;
    struct digest_walk walk;
    struct asked key[];
};

static bool values_on(struct work *w, struct session *s) {
    struct values *k = (struct values *)w;
    while (k->at < k->n) {
        struct asked *a = &k->key[k->at];
        if (a->home) {
            if (work_over(w)) return false;
            if (!k->walking) digest_walk_begin(&k->walk, &a->d, a->type, a->home);
            k->walking = true;
            if (!digest_walk_on(&k->walk, PIECE)) continue;
            k->walking = false;
            a->d = k->walk.d;
            if (a->expires) digest_expires(&a->d);
        }
        k->at++;
    }
    resp_array(&s->writer, (size_t)k->n);
    for (int i = 0; i < k->n; i++) {
        char text[2 * SHA1_BYTES + 1];
        digest_text(&k->key[i].d, text);
        resp_simple(&s->writer, text);
    }
    return true;
}

static void values_drop(struct work *w) {
    struct values *k = (struct values *)w;
    if (k->walking) digest_walk_end(&k->walk);
}

void digest_value_run(struct call *c) {
    struct values *k = work_new(c, sizeof *k + (size_t)c->keys * sizeof k->key[0], values_on, values_drop);
    bool there = true;
    k->n = c->keys;
    for (int i = 0; i < c->keys; i++) {
        struct entry *e = view_peek(&c->v, &c->key[i]);
        struct asked *a = &k->key[i];
        if (!e) continue;
        a->type = entry_type(e);
        a->expires = entry_deadline(e) != 0;
        if (a->type == VALUE_STRING) {
            struct slice text;
            there &= call_text(c, i, e, &text);
            digest_string(&a->d, text);
            if (a->expires) digest_expires(&a->d);
        } else {
            struct holder h;
            holder_look(&h, c->v.store, e, a->type);
            a->home = work_keep(&k->work, &h);
        }
    }
    if (there) work_start(c, &k->work);
    else k->work.task.drop(&k->work.task);
}
