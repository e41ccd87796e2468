#include "command/changes.h"
#include "command/tracking.h"

#include "base/clock.h"
#include "base/match.h"
#include "command/reach.h"
#include "command/topic.h"
#include "command/track_table.h"
#include "command/track_told.h"

#include <stdlib.h>

#define WALKED_MOST 4000 /* keys that an invalidation by pattern looks at; of more, all are told to be invalid */

struct tracks {
    _Atomic uint64_t clients;
    struct track_table table;
    _Atomic uint64_t gone; /* gone: readers that are over, ever */
    struct lock trash_lock;
    struct trash_shard *trash;      /* tables that nobody refers to, to be freed */
};

struct trash_shard {
    struct trash_shard *next;
    struct track_shard shard;
    uint32_t at;
};

struct track_lane {
    struct told *changed; /* for those who track prefixes; NULL: nothing */
    bool flushed;
    unsigned shard;       /* of the cleaning at work */
    uint64_t pass, clean; /* `gone` when it began, and when the last that is over did */
};

struct tracks *tracks_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct tracks)); }
struct track_lane *track_lane_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct track_lane)); }
void track_lane_free(struct track_lane *tl) {
    track_told_release(tl->changed);
    mem_free(MEM_MISC, tl);
}

/* -- telling ---------------------------------------------------------------------------------------------------------------------- */

/* `own`: by a command, and who runs it may not want to hear of it. */
static void tell_readers(struct lane *l, struct track_key *k, bool own) {
    const struct session *by = own ? l->running : NULL;
    const struct reach *silent = by && by->tracking && by->tracking->noloop ? by->tracking->self : NULL;
    struct reach **r = track_table_readers(k);
    struct told *t = track_told_new();
    track_told_add(t, 0, track_table_name(k));
    for (uint32_t i = 0; i < k->n; i++)
        if (r[i] != silent && !atomic_load_explicit(&r[i]->over, memory_order_relaxed)) track_told_send(l, r[i], t);
    track_told_release(t);
}

static void tell_and_drop(struct lane *l, struct track_key *k, bool own) {
    tell_readers(l, k, own);
    track_table_drop(&l->env->tracks->table, k);
}

void tracking_changed(struct lane *l, const struct key *k, bool own) {
    struct tracks *ts = l->env->tracks;
    struct track_key *read = track_table_take(&ts->table, k);
    if (read) tell_and_drop(l, read, own);
    if (!topic_count(l->env, TOPIC_PREFIX)) return;
    if (!l->track->changed) l->track->changed = track_told_new();
    track_told_add(l->track->changed, own && l->running ? l->running->id : 0, (struct slice){k->p, k->n});
    l->unsettled = true;
}

/* -- reading ---------------------------------------------------------------------------------------------------------------------- */

static bool wants(const struct tracking *t) {
    if (!t->self || t->bcast) return false;
    return t->optin ? t->caching : t->optout ? !t->caching : true;
}

static void bound(struct lane *l, const struct key *but) {
    struct tracks *ts = l->env->tracks;
    uint64_t most = (uint64_t)option_get(&l->env->config.tracking_max_keys);
    while (most && atomic_load_explicit(&ts->table.keys, memory_order_relaxed) > most) {
        struct track_key *k = track_table_some(&ts->table, store_shard_of(but->hash), but);
        if (!k) return;
        tell_and_drop(l, k, false);
    }
}

/* If there is a rule that the view does not see yet, what was read may be invalid already, and the rule may have been told of. */
void tracking_read(struct session *s, const struct view *v, const struct key *key, int keys) {
    struct lane *l = s->lane;
    if (!wants(s->tracking)) return;
    for (int i = 0; i < keys; i++) {
        track_table_add(&l->env->tracks->table, &key[i], s->tracking->self);
        if (view_rules_old(v)) tracking_changed(l, &key[i], false);
        bound(l, &key[i]);
    }
}

/* -- those who track prefixes ------------------------------------------------------------------------------------------------------- */

struct prefix_letter {
    struct letter letter;
    struct topic *topic;
    struct told *told; /* NULL: everything */
};

struct own_sieve {
    uint64_t id;
    struct told *others;
    bool any;
};

static void sift_own(void *arg, uint64_t by, struct slice key) {
    struct own_sieve *v = arg;
    if (by == v->id) v->any = true;
    else track_told_add(v->others, by, key);
}

static void say_without_own(struct session *s, struct told *t) {
    struct own_sieve v = {s->id, track_told_new(), false};
    track_told_each(t, sift_own, &v);
    if (!v.any) track_told_say(s, t);
    else if (v.others->n) track_told_say(s, v.others);
    track_told_release(v.others);
}

static void open_prefix(struct lane *l, struct letter *m) {
    struct prefix_letter *p = (struct prefix_letter *)(void *)m;
    const struct topic_lane *tl = &p->topic->lane[l->index];
    for (size_t i = 0; i < tl->n; i++) {
        struct session *s = tl->seat[i]->session;
        if (p->told && s->tracking && s->tracking->noloop) say_without_own(s, p->told);
        else track_told_say(s, p->told);
    }
    topic_release(p->topic, l->env->lanes);
    track_told_release(p->told);
    mem_free(MEM_CLIENT, p);
}

static void send_prefix(struct lane *l, struct topic *t, struct told *told) {
    for (unsigned to = 0; to < l->env->lanes; to++) {
        if (to != l->index && !atomic_load(&t->lane[to].count)) continue;
        struct prefix_letter *p = mem_alloc(MEM_CLIENT, sizeof *p);
        *p = (struct prefix_letter){.letter = {.open = open_prefix}, .topic = t, .told = track_told_hold(told)};
        topic_hold(t);
        mail_send(l, to, &p->letter);
    }
}

struct prefix_sieve {
    struct lane *lane;
    struct topic *topic;
    struct told *all, *some;
};

static void sift_prefix(void *arg, uint64_t by, struct slice key) {
    struct prefix_sieve *v = arg;
    struct slice name = v->topic->name;
    if (key.n >= name.n && !memcmp(key.p, name.p, name.n)) track_told_add(v->some, by, key);
}

static void tell_prefix(void *arg, struct topic *t) {
    struct prefix_sieve *v = arg;
    v->topic = t;
    v->some = track_told_new();
    track_told_each(v->all, sift_prefix, v);
    if (v->some->n) send_prefix(v->lane, t, v->some);
    track_told_release(v->some);
}

struct sorted_key {
    uint64_t by;
    struct slice key;
};

static int compare_keys(const void *a, const void *b) {
    const struct sorted_key *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int order = n ? memcmp(x->key.p, y->key.p, n) : 0;
    if (order) return order;
    if (x->key.n != y->key.n) return x->key.n < y->key.n ? -1 : 1;
    return x->by < y->by ? -1 : x->by > y->by;
}

static void gather(void *arg, uint64_t by, struct slice key) {
    struct sorted_key k = {by, key};
    buf_put(arg, &k, sizeof k);
}

/* In order, each once: as Redis tells them. */
static struct told *in_order(const struct told *t) {
    struct buf list;
    struct told *out = track_told_new();
    buf_init(&list, MEM_CLIENT);
    track_told_each(t, gather, &list);
    struct sorted_key *k = (struct sorted_key *)(void *)list.p;
    qsort(k, t->n, sizeof *k, compare_keys);
    for (size_t i = 0; i < t->n; i++)
        if (!i || compare_keys(&k[i], &k[i - 1])) track_told_add(out, k[i].by, k[i].key);
    buf_free(&list);
    return out;
}

static void settle_prefixes(struct lane *l) {
    struct told *t = l->track->changed;
    if (!t) return;
    l->track->changed = NULL;
    struct prefix_sieve v = {.lane = l, .all = t->n > 1 ? in_order(t) : track_told_hold(t)};
    topic_each(l->env, TOPIC_PREFIX, NULL, tell_prefix, &v);
    track_told_release(v.all);
    track_told_release(t);
}

/* -- everything, and patterns ------------------------------------------------------------------------------------------------------- */

struct all_letter {
    struct letter letter;
    bool readers; /* only those that do not track prefixes */
};

static void open_all(struct lane *l, struct letter *m) {
    bool readers = ((struct all_letter *)(void *)m)->readers;
    for (struct session *s = l->sessions; s; s = s->next)
        if (s->tracking && s->tracking->self && !(readers && s->tracking->bcast)) track_told_say(s, NULL);
    mem_free(MEM_CLIENT, m);
}

static void detach(struct tracks *ts, unsigned shard) {
    struct track_shard whole = track_table_detach(&ts->table, shard);
    if (!whole.buckets) return;
    struct trash_shard *t = mem_zalloc(MEM_CLIENT, sizeof *t);
    t->shard = whole;
    lock_acquire(&ts->trash_lock);
    t->next = ts->trash;
    ts->trash = t;
    lock_release(&ts->trash_lock);
}

/* Who reads while this goes on is forgotten too, and told after that. */
static void tell_all(struct lane *l, bool readers) {
    struct env *e = l->env;
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        store_lock(e->store, i);
        detach(e->tracks, i);
        store_unlock(e->store, i);
    }
    for (unsigned to = 0; to < e->lanes; to++) {
        struct all_letter *a = mem_alloc(MEM_CLIENT, sizeof *a);
        *a = (struct all_letter){.letter = {.open = open_all}, .readers = readers};
        mail_send(l, to, &a->letter);
    }
}

void tracking_flushed(struct lane *l) {
    if (!atomic_load(&l->env->tracks->clients)) return;
    l->track->flushed = true;
    l->unsettled = true;
}

struct pattern_walk {
    struct lane *lane;
    struct slice pattern;
};

static bool is_meant(void *arg, struct track_key *k) {
    const struct pattern_walk *w = arg;
    return slice_equal(w->pattern, SLICE("*")) || match_glob(w->pattern, track_table_name(k));
}

static void meant_taken(void *arg, struct track_key *k) { tell_and_drop(((struct pattern_walk *)arg)->lane, k, false); }

static void tell_if_it_meets(void *arg, struct topic *t) {
    const struct pattern_walk *w = arg;
    if (match_may_begin(w->pattern, t->name)) send_prefix(w->lane, t, NULL);
}

void tracking_invalidated(struct lane *l, struct slice pattern) {
    struct env *e = l->env;
    struct tracks *ts = e->tracks;
    struct pattern_walk w = {l, pattern};
    if (!atomic_load(&ts->clients)) return;
    topic_each(e, TOPIC_PREFIX, NULL, tell_if_it_meets, &w);
    if (atomic_load(&ts->table.keys) > WALKED_MOST) {
        tell_all(l, true);
        return;
    }
    for (unsigned i = 0; i < STORE_SHARDS; i++) {
        store_lock(e->store, i);
        track_table_sift(&ts->table, i, is_meant, meant_taken, &w);
        store_unlock(e->store, i);
    }
}

void tracking_settle(struct lane *l) {
    if (l->track->flushed) {
        l->track->flushed = false;
        tell_all(l, false);
    }
    settle_prefixes(l);
}

/* -- a session's -------------------------------------------------------------------------------------------------------------------- */

void tracking_on(struct session *s, const struct tracking *how, const struct slice *prefix, size_t prefixes) {
    struct env *e = s->lane->env;
    if (!s->tracking) s->tracking = mem_zalloc(MEM_CLIENT, sizeof *s->tracking);
    struct tracking *t = s->tracking;
    struct reach *self = t->self;
    if (!self) {
        self = reach_new(s);
        atomic_fetch_add(&e->tracks->clients, 1);
        changes_watch(e, 1);
    }
    reach_release(t->target);
    bool caching = t->caching; /* it is for the next command that is not CLIENT */
    *t = *how;
    t->self = self;
    t->caching = caching;
    s->attends |= ATTEND_TRACKING;
    for (size_t i = 0; i < prefixes; i++) topic_join(s, TOPIC_PREFIX, prefix[i]);
    if (t->bcast && !prefixes) topic_join(s, TOPIC_PREFIX, SLICE(""));
}

void tracking_off(struct session *s) {
    struct tracking *t = s->tracking;
    struct env *e = s->lane->env;
    if (!t || !t->self) return;
    topic_part_all(s, TOPIC_PREFIX);
    reach_end(t->self);
    reach_release(t->target);
    *t = (struct tracking){0};
    s->attends &= ~(unsigned)ATTEND_TRACKING;
    atomic_fetch_add(&e->tracks->gone, 1);
    atomic_fetch_sub(&e->tracks->clients, 1);
    changes_watch(e, -1);
}

void tracking_end(struct session *s) {
    tracking_off(s);
    mem_free(MEM_CLIENT, s->tracking);
    s->tracking = NULL;
    reach_end(s->reach);
    s->reach = NULL;
}

void tracking_after(struct session *s, const struct command *c) {
    const struct command *box = c ? command_container(c) : NULL;
    if (!box || strcmp(box->name, "CLIENT")) s->tracking->caching = false;
}

struct tracking_facts tracking_facts(const struct env *e) {
    const struct tracks *ts = e->tracks;
    return (struct tracking_facts){atomic_load(&ts->clients), atomic_load(&ts->table.keys), atomic_load(&ts->table.items)};
}

/* -- in the background ---------------------------------------------------------------------------------------------------------------- */

static bool slice_over(uint64_t start, int64_t slice_us) { return clock_ticks_us(clock_ticks() - start) >= slice_us; }

/* True: it is all freed. */
static bool free_some(struct tracks *ts, struct trash_shard *t, uint64_t start, int64_t slice_us) {
    for (; t->at < t->shard.buckets; t->at++)
        for (struct track_key *k; (k = t->shard.bucket[t->at]);) {
            if (slice_over(start, slice_us)) return false;
            t->shard.bucket[t->at] = k->chain;
            track_table_drop(&ts->table, k);
        }
    mem_free(MEM_CLIENT, t->shard.bucket);
    mem_free(MEM_CLIENT, t);
    return true;
}

static bool empty_trash(struct tracks *ts, uint64_t start, int64_t slice_us) {
    for (;;) {
        lock_acquire(&ts->trash_lock);
        struct trash_shard *t = ts->trash;
        if (t) ts->trash = t->next;
        lock_release(&ts->trash_lock);
        if (!t) return false;
        if (free_some(ts, t, start, slice_us)) continue;
        lock_acquire(&ts->trash_lock);
        t->next = ts->trash;
        ts->trash = t;
        lock_release(&ts->trash_lock);
        return true;
    }
}

bool tracking_step(struct lane *l, int64_t slice_us) {
    struct tracks *ts = l->env->tracks;
    struct track_lane *tl = l->track;
    uint64_t start = clock_ticks();
    if (empty_trash(ts, start, slice_us)) return true;
    if (!tl->shard && tl->clean == atomic_load(&ts->gone)) return false;
    if (!tl->shard) tl->pass = atomic_load(&ts->gone);
    for (; tl->shard < STORE_SHARDS; tl->shard++) {
        if (tl->shard % l->env->lanes != l->index) continue;
        if (slice_over(start, slice_us / 2)) return true;
        store_lock(l->env->store, tl->shard);
        track_table_clean(&ts->table, tl->shard);
        store_unlock(l->env->store, tl->shard);
    }
    tl->shard = 0;
    tl->clean = tl->pass;
    return tl->clean != atomic_load(&ts->gone);
}

static bool any_key(void *arg, struct track_key *k) {
    (void)arg, (void)k;
    return true;
}
static void drop_key(void *arg, struct track_key *k) { track_table_drop(arg, k); }

void tracks_free(struct tracks *ts) {
    empty_trash(ts, clock_ticks(), INT64_MAX);
    for (unsigned i = 0; i < STORE_SHARDS; i++) track_table_sift(&ts->table, i, any_key, drop_key, &ts->table);
    mem_free(MEM_MISC, ts);
}
