/* Lists, searched: LPOS, LREM, LINSERT. A long list is searched in slices while it is held; what is found is changed in the end,
 * all at once, under the key's lock. */
#include "base/clock.h"
#include "command/lists.h"
#include "command/wait.h"
#include "command/work.h"
#include "type/list_sift.h"

#define AT_ONCE_BYTES 65536 /* of lists that are searched at once */
#define FAR 256             /* elements after which a look at the clock costs nothing */

/* Longer ones are searched in slices. */
static bool is_long(const struct home *h) { return h->object && list_bytes(h) > AT_ONCE_BYTES; }

/* -- searching ----------------------------------------------------------------------------------------------- */

struct search {
    const struct home *home;
    struct list_needle needle;
    struct resp_writer *out; /* where ranks are written to; NULL: nowhere */
    bool backwards, begun;
    uint64_t pass;           /* matches that do not count yet */
    uint64_t want, most;     /* matches; elements to look at */
    uint64_t seen, found;
    struct list_at at;
};

/* Is one more match wanted behind this one? */
static bool search_match(struct search *s) {
    if (s->pass) {
        s->pass--;
        return true;
    }
    if (s->out) resp_int(s->out, (int64_t)s->at.rank);
    return ++s->found < s->want;
}

/* True: it is over; false: w's slice is. w NULL: to the end. */
static bool search_on(struct search *s, const struct work *w) {
    if (!s->begun) s->begun = list_seek(s->home, &s->at, s->backwards ? -1 : 0);
    if (!s->begun) return true;
    for (unsigned i = 1;; i++) {
        uint64_t from = s->at.rank;
        bool here = s->backwards ? list_here(&s->at, &s->needle) : list_skip_to(&s->at, &s->needle);
        uint64_t passed = s->at.rank - from; /* 0 on the way back */
        s->seen += passed + 1;
        if (s->seen > s->most || (here && !search_match(s)) || s->seen == s->most) return true;
        if (!(s->backwards ? list_prev(s->home, &s->at) : list_next(s->home, &s->at))) return true;
        if (w && (passed > FAR || i % 64 == 0) && work_over(w)) return false;
    }
}

static void search_end(struct search *s) {
    if (s->begun) list_leave(&s->at);
    s->begun = false;
}

/* -- LPOS ---------------------------------------------------------------------------------------------------- */

#define RANK_ZERO                                                                                                     \
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from " \
    "the end of the list"
#define RANK_RANGE "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"

static bool read_rank(struct call *c, int arg, struct search *s) {
    int64_t rank;
    if (!call_i64(c, arg, &rank)) return false;
    if (!rank || rank == INT64_MIN) {
        reply_error(c, rank ? RANK_RANGE : RANK_ZERO);
        return false;
    }
    s->backwards = rank < 0;
    s->pass = (uint64_t)(rank < 0 ? -rank : rank) - 1;
    return true;
}

/* The words from 3 on. */
static bool lpos_words(struct call *c, struct search *s, bool *counted) {
    int64_t v;
    *counted = false;
    s->want = 1;
    s->most = UINT64_MAX;
    for (int i = 3; i < c->argc; i += 2) {
        if (i + 1 == c->argc) {
            reply_syntax(c);
            return false;
        }
        if (call_is(c, i, "RANK")) {
            if (!read_rank(c, i + 1, s)) return false;
        } else if (call_is(c, i, "COUNT")) {
            if (!call_range(c, i + 1, 0, INT64_MAX, &v, "ERR COUNT can't be negative")) return false;
            *counted = true;
            s->want = v ? (uint64_t)v : UINT64_MAX;
        } else if (call_is(c, i, "MAXLEN")) {
            if (!call_range(c, i + 1, 0, INT64_MAX, &v, "ERR MAXLEN can't be negative")) return false;
            s->most = v ? (uint64_t)v : UINT64_MAX;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static void lpos_reply(struct resp_writer *w, const struct search *s, bool counted, struct chain *body) {
    if (counted) resp_array(w, s->found);
    else if (!s->found) resp_null(w);
    if (s->found) chain_join(w->out, body);
}

struct lpos {
    struct work work;
    struct search search;
    bool counted;
    char text[]; /* the needle's */
};

static bool lpos_on(struct work *w, struct session *s) {
    struct lpos *p = (struct lpos *)w;
    if (!search_on(&p->search, w)) return false;
    lpos_reply(&s->writer, &p->search, p->counted, &w->body);
    return true;
}

static void lpos_drop(struct work *w) { search_end(&((struct lpos *)w)->search); }

static void lpos_in_slices(struct call *c, const struct holder *h, const struct search *s, bool counted) {
    struct slice text = c->argv[2];
    struct lpos *p = work_new(c, sizeof *p + text.n, lpos_on, lpos_drop);
    p->search = *s;
    p->counted = counted;
    memcpy(p->text, text.p, text.n);
    list_needle_make(&p->search.needle, (struct slice){p->text, text.n});
    p->search.home = work_keep(&p->work, h);
    p->search.out = &p->work.w;
    work_start(c, &p->work);
}

void lists_lpos(struct call *c) {
    struct holder h;
    struct search s = {.want = 1};
    bool counted;
    if (!lpos_words(c, &s, &counted) || !collection_read(c, 0, VALUE_LIST, &h)) return;
    if (is_long(&h.home)) {
        lpos_in_slices(c, &h, &s, counted);
        return;
    }
    struct chain body;
    struct resp_writer w = {&body, c->w->proto};
    chain_init(&body, &c->s->lane->pool);
    list_needle_make(&s.needle, c->argv[2]);
    s.home = &h.home;
    s.out = &w;
    search_on(&s, NULL);
    search_end(&s);
    lpos_reply(c->w, &s, counted, &body);
    chain_free(&body);
}

/* -- LINSERT and LREM ---------------------------------------------------------------------------------------- */

/* What is to be done. */
struct change {
    struct slice needle;
    struct slice element; /* LINSERT: what is put in */
    bool insert, behind;
    enum list_end end;    /* LREM: from where, and how many at most */
    uint64_t most;
};

/* Closes the list, and says what was done to it, if anything was. */
static void change_done(const struct change *what, struct holder *h, uint64_t changed) {
    h->changes = changed;
    if (changed) collection_done(h, what->insert ? "linsert" : "lrem");
    else holder_close(h);
}

/* At once. Writes the reply. Returns how many elements it put in or took out. */
static uint64_t change_now(const struct change *what, struct home *h, struct resp_writer *w) {
    struct search s = {.home = h, .want = 1, .most = UINT64_MAX};
    list_needle_make(&s.needle, what->needle);
    if (!what->insert) {
        uint64_t n = list_remove(h, &s.needle, what->end, what->most);
        resp_int(w, (int64_t)n);
        list_shrunk(h);
        return n;
    }
    list_growing(h, what->element.n, 1); /* Redis does so whether the pivot is there or not */
    search_on(&s, NULL);
    uint64_t rank = s.at.rank;
    search_end(&s);
    if (s.found) list_insert(h, rank + what->behind, what->element);
    resp_int(w, s.found ? (int64_t)list_count(h) : -1);
    return s.found;
}

/* In slices: a search in the list, held; then, under the lock, the change, if nobody else reads the list. Who wants to change a
 * held list waits, so there is at most one of these to a list, and none waits for another. Should the key hold something else by
 * then, it is as if the command came only now. */
struct changing {
    struct work work;
    struct change what;
    struct key key;
    void *object;          /* the list; NULL: none yet */
    struct home home;      /* of it, to read */
    bool searched;
    struct search search;  /* LINSERT */
    struct list_sift *sift; /* LREM */
    char text[];
};

static void changing_begin(struct changing *g, const struct home *h) {
    value_hold(h->object);
    g->object = h->object;
    g->home = *h;
    g->home.resize = NULL;
    g->searched = false;
    g->search = (struct search){.home = &g->home, .want = 1, .most = UINT64_MAX};
    list_needle_make(&g->search.needle, g->what.needle);
    if (!g->what.insert) g->sift = list_sift_new(&g->home, &g->search.needle, g->what.end, g->what.most);
}

static void changing_end(struct changing *g) {
    search_end(&g->search);
    void *rest = g->sift ? list_sift_free(g->sift) : NULL;
    g->sift = NULL;
    if (rest) holder_release(g->work.store, VALUE_LIST, rest);
    if (g->object) holder_release(g->work.store, VALUE_LIST, g->object);
    g->object = NULL;
}

static void changing_drop(struct work *w) { changing_end((struct changing *)w); }

/* Under the lock, in the list that was searched. */
static void changing_put(struct changing *g, struct home *h, struct resp_writer *w) {
    if (g->what.insert) {
        list_growing(h, g->what.element.n, 1);
        list_insert(h, g->search.at.rank + g->what.behind, g->what.element);
        resp_int(w, (int64_t)list_count(h));
    } else {
        resp_int(w, (int64_t)list_sift_found(g->sift));
        list_sift_put(g->sift, h);
        list_shrunk(h);
    }
    g->work.wrote = true;
}

static bool held_by_others(const void *object) {
    return atomic_load_explicit(&((struct value_object *)(uintptr_t)object)->refs, memory_order_acquire) > 2;
}

/* Under the lock. True: it is over. */
static bool changing_at(struct changing *g, struct session *s, struct view *v) {
    struct entry *e = view_peek(v, &g->key);
    struct holder h;
    if (!e || entry_type(e) != VALUE_LIST) {
        if (e) session_error(s, "WRONGTYPE Operation against a key holding the wrong kind of value");
        else resp_int(&s->writer, 0);
        return true;
    }
    holder_open(&h, v, &g->key, e, VALUE_LIST);
    if (g->object && h.home.object == g->object) {
        if (held_by_others(g->object)) return false;
        changing_put(g, &h.home, &s->writer);
        change_done(&g->what, &h, 1); /* else it would be over */
        return true;
    }
    changing_end(g);
    if (h.home.object) {
        if (!value_held(h.home.object)) changing_begin(g, &h.home);
        return false;
    }
    change_done(&g->what, &h, change_now(&g->what, &h.home, &s->writer));
    return true;
}

/* True: it is over, nothing is to be changed. */
static bool changing_search(struct changing *g, struct session *s, const struct work *w) {
    uint64_t found;
    if (g->what.insert) {
        if (!search_on(&g->search, w)) return false;
        found = g->search.found;
    } else {
        while (list_sift_on(g->sift))
            if (work_over(w)) return false;
        found = list_sift_found(g->sift);
    }
    g->searched = true;
    if (!found) resp_int(&s->writer, g->what.insert ? -1 : 0);
    return !found;
}

static bool changing_on(struct work *w, struct session *s) {
    struct changing *g = (struct changing *)w;
    if (g->object && !g->searched) {
        if (changing_search(g, s, w)) return true;
        if (!g->searched) return false;
    }
    if (w->view) return changing_at(g, s, w->view);
    struct view v;
    struct store_locks locks = {{0}};
    view_init(&v, w->store, w->db, clock_ms(), &s->lane->store_stats);
    wait_lock(s->lane, &g->key, 1, &locks);
    bool over = changing_at(g, s, &v);
    wait_unlock(s->lane, &v, &g->key, 1, &locks);
    return over;
}

static void change_in_slices(struct call *c, const struct holder *h, const struct change *what) {
    size_t n = c->key[0].n + what->needle.n + what->element.n;
    struct changing *g = work_new(c, sizeof *g + n, changing_on, changing_drop);
    char *p = g->text;
    g->what = *what;
    g->key = c->key[0];
    g->key.p = memcpy(p, c->key[0].p, c->key[0].n);
    p += c->key[0].n;
    g->what.needle.p = memcpy(p, what->needle.p, what->needle.n);
    p += what->needle.n;
    if (what->element.n) g->what.element.p = memcpy(p, what->element.p, what->element.n);
    changing_begin(g, &h->home);
    work_start(c, &g->work);
}

static void change(struct call *c, const struct change *what) {
    struct holder h;
    if (!collection_write(c, 0, VALUE_LIST, &h)) return;
    if (!h.entry) {
        RESP_RAW(c->w, ":0\r\n");
        return;
    }
    if (what->insert && !collection_room(c, &h, what->element.n, 1)) return;
    if (is_long(&h.home)) {
        change_in_slices(c, &h, what);
        return;
    }
    change_done(what, &h, change_now(what, &h.home, c->w));
}

void lists_lrem(struct call *c) {
    struct change what = {.needle = c->argv[3], .most = UINT64_MAX};
    int64_t count;
    if (!call_i64(c, 2, &count)) return;
    if (count < 0) what.end = LIST_TAIL;
    if (count) what.most = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    change(c, &what);
}

void lists_linsert(struct call *c) {
    struct change what = {.needle = c->argv[3], .element = c->argv[4], .insert = true, .behind = call_is(c, 2, "AFTER")};
    if (!what.behind && !call_is(c, 2, "BEFORE")) {
        reply_syntax(c);
        return;
    }
    change(c, &what);
}
