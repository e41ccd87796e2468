/* Sets as a whole and at random: SMEMBERS, SRANDMEMBER, SPOP.
 *
 * All of them draw `pick` members. Three ways: over the whole set, taking each member with the probability of those still
 * wanted among those still to come (Knuth's selection sampling; SMEMBERS takes all); a few of many, drawn again where one was drawn
 * before; and with repetition. What takes long is drawn in slices from the set as it is now.
 */
#include "command/sets.h"

#include "base/clock.h"

#define POP_AT_ONCE 1000 /* members that leave a set, or stay in it, one by one */
#define BETWEEN_LOOKS 64 /* at the clock, in members of a usual size */

enum draw_way { DRAW_OVER, DRAW_FEW, DRAW_AGAIN };

struct draw {
    const struct home *set;
    struct lane *lane;
    enum draw_way way;
    bool aside;         /* `others` are only for now */
    bool parts;         /* DRAW_OVER: those that are not drawn go to `others` */
    size_t pick, left;  /* still to be drawn; DRAW_OVER: still to come */
    struct set_at at;
    struct home others; /* DRAW_FEW: those that were drawn */
};

struct draw_work {
    struct work work;
    struct draw draw;
    struct slice key; /* SPOP: to which `others` go; else NULL */
};

static void draw_end(struct draw *d, struct store *store) {
    bool was = mem_aside(d->aside);
    if (d->others.object) holder_release(store, VALUE_SET, d->others.object);
    home_free_bytes(&d->others);
    mem_aside(was);
}

static bool takes(struct draw *d) {
    return d->pick == d->left || (size_t)((unsigned __int128)lane_random(d->lane) * d->left >> 64) < d->pick;
}

/* Each returns whether it is done; false once it has cost `most`. */
static bool draw_over(struct draw *d, struct resp_writer *w, size_t most) {
    struct slice member;
    for (size_t cost = 0; cost < most; cost += sets_effort_of(member)) {
        if (!d->left || !(d->pick || d->parts)) return true;
        set_next(d->set, &d->at, &member);
        if (takes(d)) {
            resp_bulk(w, member.p, member.n);
            d->pick--;
        } else if (d->parts) {
            set_add(&d->others, member);
        }
        d->left--;
    }
    return false;
}

static bool draw_any(struct draw *d, struct resp_writer *w, size_t most) {
    char text[NUM_I64_MAX];
    struct slice member;
    for (size_t cost = 0; cost < most; cost += sets_effort_of(member)) {
        if (!d->pick) return true;
        member = set_random(d->set, lane_random(d->lane), text);
        if (d->way == DRAW_FEW && !set_add(&d->others, member)) continue;
        resp_bulk(w, member.p, member.n);
        d->pick--;
    }
    return false;
}

static bool draw(struct draw *d, struct resp_writer *w, size_t most) {
    return d->way == DRAW_OVER ? draw_over(d, w, most) : draw_any(d, w, most);
}

/* What SPOP left takes the place of the set; if that set has gone from its key meanwhile, its members were popped before. */
static void leave_others(struct draw_work *g, struct session *s) {
    struct work *w = &g->work;
    struct home *others = &g->draw.others;
    struct key k = store_key(store_seed(w->store), g->key);
    unsigned shard = store_shard_of(k.hash);
    struct view own, *v = w->view;
    if (!v) {
        v = &own;
        view_init(v, w->store, w->db, clock_ms(), &s->lane->store_stats);
        store_lock(w->store, shard);
    }
    struct entry *e = view_peek(v, &k);
    if (e && entry_form(e) == FORM_POINTER && entry_pointer(e) == g->draw.set->object) {
        view_set_home(v, &k, VALUE_SET, others, VIEW_KEEP);
        notify_event(v, EVENT_SET, "spop", &k);
        others->object = NULL;
        w->wrote = true;
    }
    if (!w->view) store_unlock(w->store, shard);
}

static bool draw_slice(struct work *w, struct session *s) {
    struct draw_work *g = (struct draw_work *)w;
    do {
        if (!draw(&g->draw, &s->writer, BETWEEN_LOOKS)) continue;
        if (g->key.p) leave_others(g, s);
        return true;
    } while (!work_over(w));
    return false;
}

static void draw_drop(struct work *w) { draw_end(&((struct draw_work *)w)->draw, w->store); }

/* Goes on with d in slices; `key`: of SPOP's others. */
static struct draw_work *draw_later(struct call *c, const struct holder *h, const struct draw *d, struct slice key) {
    struct draw_work *g = work_new(c, sizeof *g + key.n, draw_slice, draw_drop);
    g->draw = *d;
    g->draw.set = work_keep(&g->work, h);
    g->work.aside = d->aside;
    if (!key.p) return g;
    g->key = (struct slice){memcpy(g + 1, key.p, key.n), key.n};
    return g;
}

static void draw_start(struct call *c, const struct holder *h, struct draw *d, size_t effort) {
    if (effort <= SETS_AT_ONCE) {
        bool was = mem_aside(d->aside);
        draw(d, c->w, SIZE_MAX);
        mem_aside(was);
        draw_end(d, c->v.store);
    } else {
        work_start(c, &draw_later(c, h, d, (struct slice){NULL, 0})->work);
    }
}

/* `pick` members of the n that there are. */
static struct draw draw_from(struct call *c, const struct holder *h, enum draw_way way, size_t pick, size_t n) {
    struct draw d = {.set = &h->home, .lane = c->s->lane, .way = way, .pick = pick, .left = n, .aside = true};
    home_init_own(&d.others, h->home.limits, h->home.seed);
    return d;
}

static void show_all(struct call *c, const struct holder *h, size_t n) {
    struct draw d = draw_from(c, h, DRAW_OVER, n, n);
    draw_start(c, h, &d, sets_effort(&h->home));
}

void sets_smembers(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_SET, &h)) return;
    size_t n = set_count(&h.home);
    resp_set(c->w, n);
    show_all(c, &h, n);
}

/* -- SRANDMEMBER ----------------------------------------------------------------------------------------------------------- */

static void random_one(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_SET, &h)) return;
    if (!h.entry) {
        resp_null(c->w);
        return;
    }
    char text[NUM_I64_MAX];
    struct slice member = set_random(&h.home, lane_random(c->s->lane), text);
    resp_bulk(c->w, member.p, member.n);
}

void sets_srandmember(struct call *c) {
    struct holder h;
    int64_t count;
    if (c->argc == 2) {
        random_one(c);
        return;
    }
    if (c->argc > 3) {
        reply_syntax(c);
        return;
    }
    if (!call_i64(c, 2, &count)) return;
    if (count == INT64_MIN) {
        reply_error(c, "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
        return;
    }
    if (!collection_read(c, 0, VALUE_SET, &h)) return;
    size_t n = set_count(&h.home), pick = (size_t)(count < 0 ? -count : count);
    if (!n) pick = 0;
    if (count >= 0 && pick > n) pick = n;
    enum draw_way way = count < 0 ? DRAW_AGAIN : n > SETS_AT_ONCE && pick < n / 3 ? DRAW_FEW : DRAW_OVER;
    struct draw d = draw_from(c, &h, way, pick, n);
    resp_array(c->w, pick);
    /* A few of many are as large as all of them on average, but not more than all. */
    size_t all = sets_effort(&h.home), effort = way == DRAW_OVER || !n ? all : pick * (all / n + 1);
    draw_start(c, &h, &d, effort);
}

/* -- SPOP ------------------------------------------------------------------------------------------------------------------ */

static void pop_one(struct call *c, struct holder *h) {
    char text[NUM_I64_MAX];
    struct slice member = set_random(&h->home, lane_random(c->s->lane), text);
    resp_bulk(c->w, member.p, member.n);
    set_remove(&h->home, member);
}

/* Where what stays of a set begins: as Redis does, a hash is given up for something smaller if most of it goes. */
static void begin_rest(const struct holder *h, struct home *rest, size_t pick, size_t stay) {
    const char *encoding = set_ops()->encoding(&h->home);
    home_init_own(rest, h->home.limits, h->home.seed);
    if (!strcmp(encoding, "intset")) return;
    set_expect(rest, SLICE(""), !strcmp(encoding, "hashtable") && stay * 5 > pick ? SIZE_MAX : 0);
}

/* All but a few: those are taken out of the set and put in its place, and what is left of it is shown. */
static void pop_all_but(struct call *c, struct holder *h, size_t n, size_t stay) {
    struct home rest;
    char text[NUM_I64_MAX];
    begin_rest(h, &rest, n - stay, stay);
    for (size_t i = 0; i < stay; i++) {
        struct slice member = set_random(&h->home, lane_random(c->s->lane), text);
        set_add(&rest, member);
        set_remove(&h->home, member);
    }
    n -= stay;
    struct draw d = draw_from(c, h, DRAW_OVER, n, n);
    struct draw_work *g = NULL;
    if (sets_effort(&h->home) <= SETS_AT_ONCE) draw(&d, c->w, SIZE_MAX);
    else g = draw_later(c, h, &d, (struct slice){NULL, 0});
    if (stay) view_set_home(&c->v, c->key, VALUE_SET, &rest, VIEW_KEEP);
    else view_unlink(&c->v, c->key);
    call_event(c, EVENT_SET, "spop", 0);
    if (!stay) call_event(c, EVENT_GENERIC, "del", 0);
    home_free_bytes(&rest);
    if (g) work_start(c, &g->work);
}

/* A large part of a large set: it is parted in slices. */
static void pop_part(struct call *c, struct holder *h, size_t pick, size_t n) {
    struct draw d = draw_from(c, h, DRAW_OVER, pick, n);
    begin_rest(h, &d.others, pick, n - pick);
    d.parts = true;
    d.aside = false;
    struct draw_work *g = draw_later(c, h, &d, c->argv[1]);
    g->work.makes = g->work.must = true;
    work_start(c, &g->work);
}

static void pop_several(struct call *c, struct holder *h, size_t pick) {
    size_t n = set_count(&h->home), stay = pick < n ? n - pick : 0;
    pick = n - stay;
    resp_set(c->w, pick);
    if (!pick) return;
    if (h->home.object && stay <= POP_AT_ONCE && (pick > POP_AT_ONCE || stay * 5 <= pick)) {
        pop_all_but(c, h, n, stay);
    } else if (h->home.object && pick > POP_AT_ONCE) {
        pop_part(c, h, pick, n);
    } else {
        h->changes = pick;
        for (; pick; pick--) pop_one(c, h);
        collection_done(h, "spop");
    }
}

void sets_spop(struct call *c) {
    struct holder h;
    int64_t count = 1;
    if (c->argc > 3) {
        reply_syntax(c);
        return;
    }
    if (c->argc == 3 && !call_range(c, 2, 0, INT64_MAX, &count, "ERR value is out of range, must be positive")) return;
    if (!collection_write(c, 0, VALUE_SET, &h)) return;
    if (c->argc == 3) {
        pop_several(c, &h, (size_t)count);
    } else if (h.entry) {
        pop_one(c, &h);
        collection_done(&h, "spop");
    } else {
        resp_null(c->w);
    }
}
