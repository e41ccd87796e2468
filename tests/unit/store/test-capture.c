/* What a capture hands out is what there was when it began, each key once, whatever happens meanwhile. */
#include "fixture.h"
#include "store/capture.h"
#include "store/holder.h"
#include "store/rule.h"
#include "type/set.h"

#include <pthread.h>

enum { DBS = 3, KEYS = 4000, MEMBERS = 512, PARTS = 2, LONGEST = 90000 };

struct value {
    enum { NOTHING, STRING, SET } kind;
    unsigned len;
    unsigned char fill;
    bool bad; /* a string whose bytes are not all alike */
    int64_t deadline;
    uint64_t member[MEMBERS / 64];
};

static struct value twin[DBS][KEYS], then[DBS][KEYS], seen[DBS][KEYS];
static unsigned twice, strange;
static char bytes[LONGEST];
static uint64_t x = 88172645463325252ull;

static unsigned draw(unsigned n) { return (unsigned)(fixture_random(&x) % n); }

/* -- the consumer -------------------------------------------------------------------------------------------------------------- */

static void read_set(const struct capture_item *item, struct value *v) {
    struct home home = item->object ? (struct home){.object = item->object, .form = VALUE_OBJECT}
                                    : (struct home){.p = (uint8_t *)(uintptr_t)item->value.p, .n = item->value.n,
                                          .form = (enum value_form)entry_form(item->entry)};
    struct set_at at = {0};
    struct slice member;
    unsigned m;
    while (set_next(&home, &at, &member)) {
        char text[32] = {0};
        memcpy(text, member.p, member.n);
        if (sscanf(text, "a member called %u", &m) == 1 && m < MEMBERS) v->member[m / 64] |= 1ull << m % 64;
        else v->bad = true;
    }
}

static void read_item(const struct capture_item *item) {
    struct slice key = entry_key(item->entry);
    unsigned n;
    char text[32] = {0};
    memcpy(text, key.p, key.n);
    if (sscanf(text, "key:%u", &n) != 1 || n >= KEYS || item->db >= DBS) {
        strange++;
        return;
    }
    struct value *v = &seen[item->db][n];
    twice += v->kind != NOTHING;
    v->deadline = entry_deadline(item->entry);
    if (entry_type(item->entry) == VALUE_SET) {
        v->kind = SET;
        read_set(item, v);
        return;
    }
    v->kind = STRING;
    v->len = (unsigned)item->value.n;
    v->fill = v->len ? (unsigned char)item->value.p[0] : 0;
    for (unsigned i = 0; i < v->len; i++) v->bad |= (unsigned char)item->value.p[i] != v->fill;
}

static void *consume(void *arg) {
    struct store *s = arg;
    struct capture_item item;
    for (struct parcel *p; (p = capture_take(s));) {
        while (capture_next(p, &item)) read_item(&item);
        capture_give(s, p);
    }
    return NULL;
}

/* -- random commands, on the store and on its twin -------------------------------------------------------------------------------- */

static bool alive(const struct value *v, int64_t now) { return v->kind && (!v->deadline || v->deadline > now); }

static void set_string(struct view *v, const struct key *k, struct value *t, int64_t now) {
    unsigned how = draw(100);
    *t = (struct value){.kind = STRING, .fill = (unsigned char)('a' + draw(26))};
    t->len = how < 2 ? draw(LONGEST) : how < 5 ? draw(8000) : draw(200);
    if (draw(4) == 0) t->deadline = now + 1 + draw(3000);
    memset(bytes, t->fill, t->len);
    view_set(v, k, (struct slice){bytes, t->len}, t->deadline, FORM_AUTO);
    if (!t->len) t->fill = 0;
}

/* Changes where it lies, or makes longer. */
static void edit_string(struct view *v, const struct key *k, struct value *t, struct entry *e) {
    unsigned n = draw(2) ? t->len : t->len + draw(300);
    if (!n) return;
    char *p = n == t->len ? view_edit_here(v, k, e, n) : NULL;
    if (!p) p = view_edit(v, k, e, n, FORM_RAW);
    t->len = n;
    t->fill = (unsigned char)('a' + draw(26));
    memset(p, t->fill, n);
}

static void change_set(struct view *v, const struct key *k, struct value *t, struct entry *e) {
    struct holder h;
    holder_open(&h, v, k, e, VALUE_SET);
    if (h.home.object && value_held(h.home.object)) return; /* a command would wait */
    if (!e) *t = (struct value){.kind = SET};
    for (unsigned i = draw(3) ? 3 : draw(400); i > 0; i--) {
        char text[32];
        unsigned m = draw(MEMBERS), add = draw(10) < 7;
        struct slice member = {text, (size_t)snprintf(text, sizeof text, "a member called %u", m)};
        if (add) set_add(&h.home, member);
        else set_remove(&h.home, member);
        if (add) t->member[m / 64] |= 1ull << m % 64;
        else t->member[m / 64] &= ~(1ull << m % 64);
    }
    if (!holder_close(&h)) t->kind = NOTHING;
}

static void rename_to(struct view *v, const struct key *k, struct value *t) {
    char text[32];
    unsigned db = draw(DBS), n = draw(KEYS);
    if (&twin[db][n] == t) return;
    struct store *s = v->store;
    struct key to = store_key(store_seed(s), (struct slice){text, (size_t)snprintf(text, sizeof text, "key:%u", n)});
    struct store_locks locks = {{0}};
    store_locks_add(&locks, store_shard_of(k->hash));
    store_locks_add(&locks, store_shard_of(to.hash));
    struct view target = *v;
    target.db = db;
    store_lock_many(s, &locks);
    if (view_peek(v, k)) {
        view_rename(v, k, &target, &to);
        twin[db][n] = *t;
        t->kind = NOTHING;
    }
    store_unlock_many(s, &locks);
}

static void one_command(struct fixture *f, int64_t now) {
    unsigned db = draw(DBS), n = draw(KEYS), what = draw(100);
    char text[32];
    struct value *t = &twin[db][n];
    struct view v = fixture_view(f, now);
    struct key k = fixture_key(f, text, sizeof text, n);
    v.db = db;
    if (what >= 95) {
        rename_to(&v, &k, t);
        return;
    }
    store_lock(f->store, store_shard_of(k.hash));
    struct entry *e = view_get(&v, &k);
    if (!e) t->kind = NOTHING; /* expired */
    if (what < 40) {
        set_string(&v, &k, t, now);
    } else if (what < 60) {
        view_unlink(&v, &k);
        t->kind = NOTHING;
    } else if (what < 70) {
        if (t->kind == STRING) edit_string(&v, &k, t, e);
    } else if (what < 90) {
        if (t->kind != STRING) change_set(&v, &k, t, e);
    } else if (e) {
        t->deadline = what % 2 ? now + 1 + draw(3000) : 0;
        view_set_deadline(&v, &k, e, t->deadline);
    }
    store_unlock(f->store, store_shard_of(k.hash));
}

static void whole_databases(struct fixture *f) {
    unsigned a = draw(DBS), b = draw(DBS);
    if (draw(2)) {
        store_lock_all(f->store);
        store_swap(f->store, a, b);
        store_unlock_all(f->store);
        static struct value spare[KEYS];
        memcpy(spare, twin[a], sizeof spare);
        memcpy(twin[a], twin[b], sizeof spare);
        memcpy(twin[b], spare, sizeof spare);
    } else {
        store_flush(f->store, (int)a, false);
        memset(twin[a], 0, sizeof twin[a]);
    }
}

/* -- captures -------------------------------------------------------------------------------------------------------------------- */

static bool equal(const struct value *a, const struct value *b) {
    if (a->kind != b->kind || a->deadline != b->deadline || a->bad) return false;
    if (a->kind == SET) return !memcmp(a->member, b->member, sizeof a->member);
    return a->len == b->len && a->fill == b->fill;
}

static void background(struct fixture *f, int64_t now) {
    store_expire_step(f->store, 0, 1, now, &f->stats, 500);
    store_compact_step(f->store, 0, 1, &f->stats, 500);
    store_trash_step(f->store, 500);
}

static bool step_all(struct fixture *f, int64_t slice_us) {
    bool done = true;
    for (unsigned part = 0; part < PARTS; part++) done &= capture_step(f->store, part, slice_us) == CAPTURE_DONE;
    return done;
}

/* Runs one while random commands come between its steps; returns how many keys it had. */
static unsigned run_capture(struct fixture *f, int64_t *now, bool cancel, size_t budget) {
    pthread_t thread;
    int64_t began = *now;
    memcpy(then, twin, sizeof then);
    memset(seen, 0, sizeof seen);
    twice = strange = 0;
    cr_assert(capture_begin(f->store, &(struct capture_plan){.parts = PARTS, .budget = budget, .now = began}));
    cr_assert_not(capture_begin(f->store, &(struct capture_plan){.parts = PARTS, .budget = budget, .now = began}));
    cr_assert_eq(pthread_create(&thread, NULL, consume, f->store), 0);
    for (bool over = false; !over;) {
        for (unsigned i = draw(400); i > 0; i--) one_command(f, *now);
        if (draw(30) == 0) whole_databases(f);
        background(f, *now);
        over = step_all(f, 20) && !store_trash(f->store) && !store_trash_step(f->store, 500); /* tables are over once they are gone */
        *now += draw(3);
        if (cancel && draw(10) == 0) capture_cancel(f->store);
    }
    pthread_join(thread, NULL);
    bool whole = capture_end(f->store);
    cr_assert(whole || cancel);
    if (!whole) return 0;
    unsigned n = 0;
    cr_assert_eq(twice, 0, "%u keys were handed out more than once", twice);
    cr_assert_eq(strange, 0);
    for (unsigned db = 0; db < DBS; db++)
        for (unsigned i = 0; i < KEYS; i++) {
            struct value *was = &then[db][i], *got = &seen[db][i];
            bool there = alive(was, began), went = there && was->deadline && was->deadline <= *now;
            n += got->kind != NOTHING;
            if (!there) cr_assert_eq(got->kind, NOTHING, "key:%u of %u was not there", i, db);
            else if (got->kind || !went) cr_assert(equal(got, was), "key:%u of %u: kind %d len %u fill %c for kind %d len %u fill %c", i, db,
                got->kind, got->len, got->fill, was->kind, was->len, was->fill);
        }
    return n;
}

Test(capture, hands_out_what_there_was_while_everything_changes) {
    struct fixture f;
    int64_t now = NOW;
    fixture_open(&f);
    for (unsigned i = 0; i < 20000; i++) one_command(&f, now);
    unsigned most = 0, cancelled = 0;
    for (unsigned round = 0; round < 24; round++) {
        unsigned n = run_capture(&f, &now, round % 5 == 4, round % 3 ? 256u << 10 : 8u << 20);
        cancelled += n == 0;
        if (n > most) most = n;
        for (unsigned i = 0; i < 3000; i++) one_command(&f, now);
        const char *wrong = store_check(f.store);
        cr_assert_null(wrong, "%s", wrong);
    }
    cr_assert_gt(most, KEYS, "there was something to hand out");
    cr_assert_lt(cancelled, 10);
    while (store_trash_step(f.store, 1000)) {}
    fixture_close(&f);
}

/* What has gone by eviction is in it; what a rule has invalidated is not. */
Test(capture, has_what_was_evicted_and_not_what_is_invalid) {
    struct fixture f;
    pthread_t thread;
    struct rule *rule;
    fixture_open(&f);
    memset(bytes, 'v', 100);
    for (unsigned n = 0; n < KEYS; n++) fixture_set(&f, n, bytes, 100, 0, NOW);
    cr_assert(rule_add(f.store, 0, &SLICE("key:1*"), 1, &rule));
    rule_release(rule);
    memset(seen, 0, sizeof seen);
    cr_assert(capture_begin(f.store, &(struct capture_plan){.parts = PARTS, .budget = 1 << 20, .now = NOW}));
    cr_assert_eq(pthread_create(&thread, NULL, consume, f.store), 0);
    f.config.maxmemory = (int64_t)mem_limited() - 300000; /* what is invalid goes first, and is about 140,000 */
    enum store_fit fit;
    while ((fit = store_make_room(f.store, 0, NOW, &f.stats, 250)) == FIT_LATER) {}
    cr_assert_eq(fit, FIT_YES);
    cr_assert_gt(counter_get(&f.stats.evicted), 100);
    while (!step_all(&f, 100)) {}
    pthread_join(thread, NULL);
    cr_assert(capture_end(f.store));
    for (unsigned n = 0; n < KEYS; n++) {
        char text[16];
        snprintf(text, sizeof text, "%u", n);
        cr_assert_eq(seen[0][n].kind, text[0] == '1' ? NOTHING : STRING, "key:%u", n);
    }
    f.config.maxmemory = 0;
    while (rule_sweep_step(f.store, 0, 1, 1000)) {}
    fixture_close(&f);
}

/* Nobody takes: walks stop at half of the budget, writers are told to at all of it. */
Test(capture, takes_no_more_than_its_budget) {
    struct fixture f;
    struct capture_facts facts;
    pthread_t thread;
    fixture_open(&f);
    memset(bytes, 'v', 1000);
    for (unsigned n = 0; n < KEYS; n++) fixture_set(&f, n, bytes, 1000, 0, NOW);
    uint64_t before = mem_used(MEM_UPKEEP);
    size_t budget = 1 << 20;
    cr_assert(capture_begin(f.store, &(struct capture_plan){.parts = 1, .budget = budget, .now = NOW}));
    enum capture_progress progress;
    while ((progress = capture_step(f.store, 0, 100)) == CAPTURE_MORE) {}
    cr_assert_eq(progress, CAPTURE_FULL);
    cr_assert_not(capture_pressed(f.store));
    cr_assert_leq(mem_used(MEM_UPKEEP) - before, budget * 3 / 4);
    for (unsigned n = 0; n < KEYS && !capture_pressed(f.store); n++) fixture_set(&f, n, bytes, 900, 0, NOW);
    cr_assert(capture_pressed(f.store));
    cr_assert_leq(mem_used(MEM_UPKEEP) - before, budget * 5 / 4);
    capture_facts(f.store, &facts);
    cr_assert_eq(facts.keys_total, KEYS);
    cr_assert(facts.on && !facts.cancelled && facts.keys_done < KEYS && facts.keys_done > 500);
    memset(seen, 0, sizeof seen);
    cr_assert_eq(pthread_create(&thread, NULL, consume, f.store), 0);
    while (capture_step(f.store, 0, 100) != CAPTURE_DONE) {}
    pthread_join(thread, NULL);
    cr_assert(capture_end(f.store));
    for (unsigned n = 0; n < KEYS; n++) cr_assert(seen[0][n].kind == STRING && seen[0][n].len == 1000);
    cr_assert_leq(mem_used(MEM_UPKEEP), before + MEM_SLACK); /* what threads have not told of yet */
    fixture_close(&f);
}
