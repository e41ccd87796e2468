/* CACHE FETCH, FILL and RELEASE. */
#include "command/fetch.h"

#include "base/clock.h"
#include "command/changes.h"
#include "command/lease.h"
#include "command/stale.h"
#include "command/thaw.h"
#include "command/tracking.h"

#include <stdio.h>

#define LEASE_MS 10000 /* where FETCH does not say */
#define LEASE_MOST 3600000
#define WAIT_MOST 86400000

/* -- replies ------------------------------------------------------------------------------------------------------------------ */

/* All but the value. */
static void put_head(struct resp_writer *w, const struct fetch_answer *a) {
    resp_array(w, 4);
    resp_text(w, a->status);
}

static void put_tail(struct resp_writer *w, const struct fetch_answer *a) {
    char text[17];
    resp_int(w, a->ms);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)a->token);
    if (a->token) resp_bulk(w, text, 16);
    else resp_null(w);
}

/* -- fetching: under the lock of the key's shard -------------------------------------------------------------------------------- */

struct asking {
    struct session *s;
    struct call *call;   /* NULL: from a task, */
    struct fetch *fetch; /* this one */
    struct view *v;
    const struct key *k;
    int64_t lease_ms;
    bool may_wait;
};

/* In a call, replies. In a task, says what will be replied with no lock held. */
static void answer(const struct asking *a, struct fetch_answer r) {
    if (a->call) {
        put_head(a->call->w, &r);
        reply_string(a->call, r.value);
        put_tail(a->call->w, &r);
        return;
    }
    struct fetch *f = a->fetch;
    f->answer = r;
    f->answered = true;
    if (r.value) thaw_hold(&f->value, r.value);
    f->packed = r.value && entry_packed(r.value);
}

static void answer_hit(const struct asking *a, struct entry *e) {
    if (entry_type(e) == VALUE_STRING) {
        answer(a, (struct fetch_answer){"hit", e, entry_deadline(e) ? entry_deadline(e) - a->v->now : -1, 0});
    } else if (a->call) {
        reply_wrong_type(a->call);
    } else {
        a->fetch->answered = a->fetch->wrong_type = true;
    }
}

static void answer_lease(const struct asking *a, struct stale *stale, uint64_t token, int64_t until_us) {
    int64_t ms = (until_us - clock_mono_us() + 999) / 1000;
    lease_book_add(a->s, a->v->db, a->k, token, until_us);
    counter_add(&a->s->lane->leases, 1);
    answer(a, (struct fetch_answer){"lease", stale ? stale->entry : NULL, ms > 0 ? ms : 0, token});
}

/* True: it was replied to. False: there is nothing but to wait. */
static bool fetch_try(const struct asking *a) {
    struct lane *l = a->s->lane;
    struct env *env = l->env;
    unsigned db = a->v->db;
    struct entry *e = view_get(a->v, a->k);
    if (a->call) counter_add(e ? &a->v->stats->hits : &a->v->stats->misses, 1);
    if (e) {
        answer_hit(a, e);
        return true;
    }
    if (a->call) notify_event(a->v, EVENT_MISS, "keymiss", a->k);
    struct stale *stale = stale_find(env, db, a->k, a->v->now);
    struct lease *lease = lease_find(env, db, a->k);
    if (lease && lease_is_free(lease)) { /* who waits comes first */
        lease_next(l, lease);
        lease = lease_find(env, db, a->k);
    }
    if (!lease) {
        uint64_t token = lease_take(env, db, a->k, a->lease_ms);
        answer_lease(a, stale, token, clock_mono_us() + a->lease_ms * 1000);
    } else if (stale) {
        answer(a, (struct fetch_answer){"stale", stale->entry, stale->until_ms - a->v->now, 0});
    } else if (!a->may_wait) {
        answer(a, (struct fetch_answer){"busy", NULL, lease_left_ms(lease), 0});
    } else {
        return false;
    }
    return true;
}

static int64_t wake_at(const struct fetch *f) {
    int64_t over = clock_mono_us() + lease_left_ms(f->lease) * 1000 + 500;
    return over < f->until_us ? over : f->until_us;
}

/* Looks again, under the lock; false: on with waiting. */
static bool fetch_look(struct fetch *f, struct session *s, struct view *v) {
    struct asking a = {s, NULL, f, v, &f->key, f->lease_ms, false};
    bool over = f->timed_out || clock_mono_us() >= f->until_us;
    bool there = false; /* it was filled a moment ago: whoever did has yet to tell us (lease_settle) */
    if (f->lease && !over && f->fate == FETCH_WAITS && lease_is_free(f->lease)) {
        there = view_peek(v, &f->key);
        if (!there) lease_next(s->lane, f->lease);
    }
    if (f->fate == FETCH_LEASED) {
        answer_lease(&a, stale_find(s->lane->env, f->db, &f->key, v->now), f->token, f->token_until_us);
        return true;
    }
    if (f->lease && !over && !there) return false;
    lease_leave(s->lane, f);
    a.may_wait = !over;
    if (fetch_try(&a)) return true;
    lease_join(s->lane, f);
    return false;
}

static struct fetch *fetch_of(struct task *t) { return (struct fetch *)(void *)t; }

static void free_plain(void *p) { mem_free(MEM_CLIENT, p); }

/* No lock held: a packed value is unpacked in slices. True: it was replied to. */
static bool fetch_reply(struct fetch *f, struct session *s, int64_t slice_us) {
    struct resp_writer *w = &s->writer;
    struct thaw *t = &f->value;
    uint64_t end = clock_ticks() + (uint64_t)((double)slice_us * 0.7 * clock_ticks_per_us());
    if (f->wrong_type) {
        session_error(s, "WRONGTYPE Operation against a key holding the wrong kind of value");
        return true;
    }
    if (f->packed && !t->plain) {
        packed_open(&t->at, t->stored, 0);
        t->plain = mem_alloc(MEM_CLIENT, t->at.length);
    }
    while (f->packed && t->at.at < t->at.length) {
        packed_read(&t->at, t->plain + t->at.at, t->at.length - t->at.at, packer_space(s->lane->packer));
        if (clock_ticks() > end && t->at.at < t->at.length) return false;
    }
    put_head(w, &f->answer);
    if (!f->answer.value) {
        resp_null(w);
    } else if (f->packed) {
        resp_bulk_ref(w, t->plain, t->at.length, free_plain, t->plain);
        t->plain = NULL;
    } else if (t->pinned && entry_pin(t->pinned)) {
        resp_bulk_ref(w, t->stored.p, t->stored.n, entry_release, t->pinned);
    } else {
        resp_bulk(w, t->stored.p, t->stored.n);
    }
    put_tail(w, &f->answer);
    return true;
}

static enum task_state fetch_step(struct task *t, struct session *s, int64_t slice_us) {
    struct fetch *f = fetch_of(t);
    struct store *store = s->lane->env->store;
    struct view v;
    if (!f->answered) {
        view_init(&v, store, f->db, clock_ms(), &s->lane->store_stats);
        v.touch = !f->no_touch;
        store_lock(store, store_shard_of(f->key.hash));
        bool known = fetch_look(f, s, &v);
        if (known && s->attends & ATTEND_TRACKING) tracking_read(s, &v, &f->key, 1);
        if (known) f->fate = FETCH_LEFT;
        else t->wake_us = wake_at(f);
        store_unlock(store, store_shard_of(f->key.hash));
    }
    if (!f->answered) return TASK_WAIT;
    return fetch_reply(f, s, slice_us) ? TASK_DONE : TASK_AGAIN;
}

static void fetch_drop(struct task *t) {
    struct fetch *f = fetch_of(t);
    struct lane *l = f->lane;
    unsigned shard = store_shard_of(f->key.hash);
    f->session = NULL;
    store_lock(l->env->store, shard);
    if (f->fate == FETCH_LEASED) lease_give_up(l, f->db, &f->key, f->token); /* nobody will hear of it */
    lease_leave(l, f);
    store_unlock(l->env->store, shard);
    thaw_drop(&f->value);
    fetch_release(f);
}

static bool fetch_unblock(struct task *t, struct session *s, bool with_error) {
    struct fetch *f = fetch_of(t);
    unsigned shard = store_shard_of(f->key.hash);
    (void)s;
    if (with_error) return false; /* there is always something to reply */
    store_lock(f->lane->env->store, shard);
    bool waits = f->fate == FETCH_WAITS;
    f->timed_out |= waits;
    store_unlock(f->lane->env->store, shard);
    return waits;
}

static void fetch_park(struct call *c, int64_t lease_ms, int64_t wait_ms) {
    struct fetch *f = mem_zalloc(MEM_CLIENT, sizeof *f + c->key->n);
    char *at = (char *)(f + 1);
    f->task = (struct task){.step = fetch_step, .drop = fetch_drop, .unblock = fetch_unblock};
    atomic_init(&f->refs, 1);
    f->lane = c->s->lane;
    f->session = c->s;
    f->db = c->v.db;
    f->no_touch = !c->v.touch;
    f->lease_ms = lease_ms;
    f->until_us = clock_mono_us() + wait_ms * 1000;
    if (c->key->n) memcpy(at, c->key->p, c->key->n);
    f->key = (struct key){at, c->key->n, c->key->hash};
    lease_join(f->lane, f);
    f->task.wake_us = wake_at(f);
    session_park(c->s, &f->task);
}

/* -- handlers ------------------------------------------------------------------------------------------------------------------ */

void fetch_run(struct call *c) {
    int64_t lease_ms = LEASE_MS, wait_ms = 0;
    for (int i = 3; i < c->argc; i += 2) {
        bool lease = call_is(c, i, "LEASE"), wait = call_is(c, i, "WAIT");
        if (i + 1 == c->argc || (!lease && !wait)) {
            reply_syntax(c);
            return;
        }
        if (lease && !call_range(c, i + 1, 1, LEASE_MOST, &lease_ms, "ERR LEASE is not an integer or out of range")) return;
        if (wait && !call_range(c, i + 1, 0, WAIT_MOST, &wait_ms, "ERR WAIT is not an integer or out of range")) return;
    }
    struct asking a = {c->s, c, NULL, &c->v, c->key, lease_ms, wait_ms > 0};
    if (!fetch_try(&a)) fetch_park(c, lease_ms, wait_ms);
}

static bool read_token(struct slice word, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < word.n; i++) {
        char ch = word.p[i];
        int digit = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
        if (digit < 0) return false;
        *out = *out << 4 | (uint64_t)digit;
    }
    return word.n == 16 && *out;
}

struct filling {
    int64_t ttl_ms, stale_ms; /* 0: none */
};

static bool read_filling(struct call *c, struct filling *f) {
    for (int i = 5; i < c->argc; i += 2) {
        bool ex = call_is(c, i, "EX"), px = call_is(c, i, "PX"), stale = call_is(c, i, "STALE");
        if (i + 1 == c->argc || (!ex && !px && !stale) || (!stale && f->ttl_ms) || (stale && f->stale_ms)) {
            reply_syntax(c);
            return false;
        }
        int64_t most = stale ? ENTRY_STALE_MAX : ex ? (INT64_MAX - c->v.now) / 1000 : INT64_MAX - c->v.now, v;
        if (!call_i64(c, i + 1, &v)) return false;
        if (v <= 0 || v > most) {
            reply_error(c, stale ? "ERR invalid stale window in 'cache|fill' command" : "ERR invalid expire time in 'cache|fill' command");
            return false;
        }
        if (stale) f->stale_ms = v;
        else f->ttl_ms = ex ? v * 1000 : v;
    }
    if (!f->stale_ms || f->ttl_ms) return true;
    reply_syntax(c);
    return false;
}

/* Nobody has the lease any more once the key has changed (lease_changed): so there is nothing to give up. */
void fetch_fill(struct call *c) {
    struct filling f = {0};
    uint64_t token;
    if (!read_filling(c, &f)) return;
    struct entry *e = call_write(c, 0);
    if (e && entry_type(e) != VALUE_STRING) {
        reply_wrong_type(c);
        return;
    }
    bool good = read_token(c->argv[3], &token) && lease_good(call_env(c), lease_find(call_env(c), c->v.db, c->key), token);
    if (!good) {
        counter_add(&c->s->lane->fills_refused, 1);
        resp_null(c->w);
        return;
    }
    enum entry_form form;
    struct slice value = call_value(c, 4, &form);
    struct entry_spec spec = {.type = VALUE_STRING, .form = form, .plain = form == FORM_LZ4 ? packed_length(value) : 0, .deadline = f.ttl_ms ? c->v.now + f.ttl_ms : 0,
        .key = {c->key->p, c->key->n}, .valuelen = value.n, .stale = f.stale_ms, .access = view_born(&c->v, c->key)};
    if (!call_room(c, view_room_for(&c->v, c->key, value.n) + ENTRY_EXTENSION)) return;
    struct entry *made = entry_new(&spec);
    if (value.n) memcpy((char *)(uintptr_t)entry_value(made).p, value.p, value.n);
    view_put(&c->v, c->key, made);
    counter_add(&c->s->lane->fills, 1);
    call_event(c, EVENT_STRING, "set", 0);
    if (f.ttl_ms) call_event(c, EVENT_GENERIC, "expire", 0);
    resp_ok(c->w);
}

void fetch_give_up(struct call *c) {
    uint64_t token;
    bool good = read_token(c->argv[3], &token) && lease_give_up(c->s->lane, c->v.db, c->key, token);
    resp_int(c->w, good);
}
