#include "store/tell.h"

#include <assert.h>

void view_init(struct view *v, struct store *s, unsigned db, int64_t now, struct store_stats *stats) {
    *v = (struct view){.store = s, .db = db, .touch = true, .now = now, .policy = store_policy(s, now), .stats = stats,
        .random = (uint64_t)now ^ clock_ticks()};
    view_rules(v);
}

void view_rules(struct view *v) { v->rules = atomic_load_explicit(&v->store->rules.last, memory_order_acquire); }

void view_missed(struct view *v, const struct key *k) {
    if (v->touch) claims_missed(&v->store->claims, v->policy.density, k->hash);
}

bool view_rules_old(const struct view *v) {
    return v->rules != atomic_load_explicit(&v->store->rules.last, memory_order_acquire);
}

static uint64_t view_random(struct view *v) { return v->random = v->random * 6364136223846793005ull + 1442695040888963407ull; }

/* Removes an entry from its table and frees it. */
static void view_remove(struct view *v, uint64_t hash, struct spot at, struct entry *e, bool lazily) {
    table_remove(store_table(v->store, store_shard_of(hash), v->db), hash, at);
    store_drop(v->store, e, lazily);
}

static void view_expired(struct view *v, const struct key *k, struct spot at, struct entry *e) {
    store_expired(v->store, v->db, e, v->now, v->stats);
    view_remove(v, k->hash, at, e, true);
}

/* Is the entry under one of the rules that its segment has not been swept for? Then it goes. */
static __attribute__((noinline)) bool view_falls(struct view *v, const struct key *k, struct spot at, struct entry *e) {
    if (!rules_forbid(v->store, at.segment, v->rules, v->db, (struct slice){k->p, k->n}, true)) return false;
    view_remove(v, k->hash, at, e, true);
    return true;
}

/* The same, of a segment that has not been swept for all rules. */
static inline bool view_invalid(struct view *v, const struct key *k, struct spot at, struct entry *e) {
    return sieve_suspects(&v->store->rules.sieve, (struct slice){k->p, k->n}) && view_falls(v, k, at, e);
}

/* A capture under way gets an entry before it is changed or goes. */
static inline void view_keep(struct view *v, struct spot at) { store_keep(v->store, v->db, at); }

/* The live entry and its place; what is past its deadline or invalid goes. */
static inline struct entry *view_find(struct view *v, const struct key *k, struct spot *at) {
    struct entry *e = table_find(view_table(v, k), k, at);
    if (e && __builtin_expect(at->segment->swept != v->rules, 0) && view_invalid(v, k, *at, e)) return NULL;
    if (e && __builtin_expect(entry_kind(e) & ENTRY_DEADLINE, 0) && __builtin_expect(entry_deadline(e) <= v->now, 0)) {
        view_expired(v, k, *at, e);
        return NULL;
    }
    return e;
}

/* The access word after one more use. */
static uint32_t view_touched(struct view *v, const struct key *k, const struct entry *e) {
    if (__builtin_expect(v->policy.kind & POLICY_LHD, 1)) {
        struct density_lane *lane = store_density_lane(v->store, v->stats);
        size_t bytes = store_cost(e);
        if (__builtin_expect(claims_may_be(&v->store->claims, bytes), 0))
            claims_count(&v->store->claims, k->hash, density_clock(v->policy.density));
        if (__builtin_expect(!duel_has(v->store->duel, k->hash), 1))
            return density_used(v->policy.density, lane, entry_access(e), bytes);
        uint32_t word = density_used(v->policy.density, lane, entry_access(e), bytes);
        duel_use(v->store->duel, k->hash, word, bytes);
        return word;
    }
    return policy_touched(&v->policy, entry_access(e), view_random(v));
}

void view_change(struct view *v, const struct key *k) {
    if (__builtin_expect(!atomic_load_explicit(&v->store->capturing, memory_order_relaxed), 1)) return;
    struct spot at;
    if (table_find(view_table(v, k), k, &at)) view_keep(v, at);
}

uint32_t view_born(struct view *v, const struct key *k) {
    if (__builtin_expect(v->policy.kind & POLICY_LHD, 0)) {
        density_limit(v->policy.density, (uint64_t)option_get(&v->store->config->maxmemory));
        return density_born(v->policy.density, store_density_lane(v->store, v->stats), k->hash);
    }
    return policy_born(&v->policy);
}

static inline void view_used(struct view *v, const struct key *k, struct entry *e) {
    if (!v->touch) return;
    if (__builtin_expect(v->policy.kind & POLICY_COUNTS, 0)) entry_set_access(e, view_touched(v, k, e));
    else entry_set_access(e, (uint32_t)(v->policy.now / POLICY_TICK));
}

struct entry *view_peek(struct view *v, const struct key *k) {
    struct spot at;
    return view_find(v, k, &at);
}

struct entry *view_get(struct view *v, const struct key *k) {
    struct spot at;
    struct entry *e = view_find(v, k, &at);
    if (e) view_used(v, k, e);
    return e;
}

static bool lies_in(const char *p, const struct entry *e) {
    return e && p >= (const char *)e && p < (const char *)e + entry_size(e);
}

/* A table that begins has nothing old. But a rule that comes while the command is at work is for what it writes, too, or CACHE FILL, which
 * found its token good the moment before, would be later than an invalidation that has voided it; so it goes by what the command sees.
 * Rules whose sweep has come by here already do not come again, and would be over, and freed, with the table still behind them: they began
 * before this shard was locked. */
static uint32_t view_nothing_before(const struct view *v, const struct key *k) {
    uint32_t swept = v->store->shard[store_shard_of(k->hash)].swept;
    return (int32_t)(v->rules - swept) > 0 ? v->rules : swept;
}

/* Under a rule that its segment has not been swept for, a new entry would look like an old one: so it is swept now. */
void view_insert(struct view *v, const struct key *k, struct entry *e) {
    struct table *t = view_table(v, k);
    struct store *s = v->store;
    bool first = !t->dir;
    counter_add(&v->stats->sets, 1);
    if (!first) {
        uint64_t place = table_place(t, k->hash);
        if (__builtin_expect(t->dir[place]->swept != v->rules, 0) &&
            rules_forbid(s, t->dir[place], v->rules, v->db, (struct slice){k->p, k->n}, false))
            rules_sweep(s, t, place, v->rules, v->db);
    }
    table_insert(t, k->hash, e, s->seed);
    if (__builtin_expect(v->policy.kind & POLICY_LHD, 0) && duel_has(s->duel, k->hash))
        duel_use(s->duel, k->hash, entry_access(e), store_cost(e));
    if (first) t->dir[0]->swept = view_nothing_before(v, k);
}

void view_bear(struct view *v, const struct key *k, struct entry *e) {
    view_insert(v, k, e);
    if (__builtin_expect(option_get(&v->store->config->tell_born) != 0, 0)) store_tell(v->store, v->stats, STORE_BORN, v->db, k);
}

/* Puts the new entry where the old one was, or into the table. */
static void view_place(struct view *v, const struct key *k, struct spot at, struct entry *old, struct entry *e) {
    struct table *t = view_table(v, k);
    v->born |= 1u << entry_type(e);
    if (old) {
        view_keep(v, at);
        table_replace(t, at, e);
        store_drop(v->store, old, true);
    } else {
        view_bear(v, k, e);
    }
    view_written(v, k);
}

struct entry *view_set(struct view *v, const struct key *k, struct slice value, int64_t deadline, enum entry_form form) {
    struct spot at;
    struct entry *old = view_find(v, k, &at);
    if (old) counter_add(&v->stats->sets, 1);
    if (deadline == VIEW_KEEP) deadline = old ? entry_deadline(old) : 0;
    struct entry_spec spec = {.type = VALUE_STRING, .form = form, .deadline = deadline, .key = {k->p, k->n}, .valuelen = value.n,
        .plain = __builtin_expect(form == FORM_LZ4, 0) ? packed_length(value) : 0,
        .access = old && (v->policy.kind & POLICY_COUNTS) ? view_touched(v, k, old) : view_born(v, k)};
    if (old) view_keep(v, at);
    if (old && !lies_in(value.p, old) && entry_can_rewrite(old, &spec, false)) {
        int64_t before = entry_deadline(old);
        entry_rewrite(old, &spec, 0);
        if (value.n) memcpy((char *)entry_value(old).p, value.p, value.n);
        if (before | deadline) table_changed(view_table(v, k), at, before);
        view_written(v, k);
        return old;
    }
    struct entry *e = entry_new(&spec);
    if (value.n) memcpy((char *)entry_value(e).p, value.p, value.n);
    view_place(v, k, at, old, e);
    return e;
}

struct entry *view_set_home(struct view *v, const struct key *k, enum value_type t, const struct home *home, int64_t deadline) {
    struct spot at;
    struct entry *old = view_find(v, k, &at);
    if (old) counter_add(&v->stats->sets, 1);
    if (deadline == VIEW_KEEP) deadline = old ? entry_deadline(old) : 0;
    struct slice value = home->object ? (struct slice){(const char *)&home->object, sizeof home->object}
                                      : (struct slice){(const char *)home->p, home->n};
    struct entry_spec spec = {.type = t, .form = (enum entry_form)home->form, .deadline = deadline, .key = {k->p, k->n},
        .valuelen = value.n, .access = view_born(v, k)};
    struct entry *e = entry_new(&spec);
    memcpy((char *)entry_value(e).p, value.p, value.n);
    view_place(v, k, at, old, e);
    return e;
}

char *view_edit(struct view *v, const struct key *k, struct entry *e, size_t n, enum entry_form form) {
    struct spot at;
    struct entry *old = view_find(v, k, &at);
    assert(old == e);
    struct entry_spec spec = {.type = VALUE_STRING, .form = form, .key = {k->p, k->n}, .valuelen = n};
    size_t had = 0;
    if (!old) {
        spec.access = view_born(v, k);
    } else {
        spec.deadline = entry_deadline(old);
        spec.access = entry_access(old);
        had = entry_value(old).n;
    }
    size_t keep = had < n ? had : n;
    assert(!old || !entry_packed(old));
    if (old) view_keep(v, at);
    if (old && entry_can_rewrite(old, &spec, true)) {
        entry_rewrite(old, &spec, keep);
        e = old;
        view_written(v, k);
    } else {
        e = old ? entry_new_roomy(&spec) : entry_new(&spec);
        if (keep) memcpy((char *)entry_value(e).p, entry_value(old).p, keep);
        view_place(v, k, at, old, e);
    }
    char *bytes = (char *)entry_value(e).p;
    memset(bytes + keep, 0, n - keep);
    return bytes;
}

char *view_edit_here(struct view *v, const struct key *k, const struct entry *e, size_t n) {
    if (entry_form(e) != FORM_RAW) return NULL;
    view_change(v, k);
    struct slice value = entry_value(e);
    if (value.n < n || entry_pinned(e)) return NULL;
    view_written(v, k);
    return (char *)(uintptr_t)value.p;
}

void view_put(struct view *v, const struct key *k, struct entry *made) {
    struct spot at;
    struct entry *old = view_find(v, k, &at);
    if (old) counter_add(&v->stats->sets, 1);
    view_place(v, k, at, old, made);
}

struct entry *view_swap(struct view *v, const struct key *k, struct entry *e, struct entry *made) {
    struct spot at;
    struct entry *old = table_find(view_table(v, k), k, &at);
    int64_t deadline = entry_deadline(e), was = entry_deadline(made);
    assert(old == e);
    view_keep(v, at);
    entry_set_access(made, entry_access(e));
    table_replace(view_table(v, k), at, made);
    if (was != deadline) made = view_set_deadline(v, k, made, deadline);
    store_drop(v->store, e, true);
    return made;
}

static bool take_away(struct view *v, const struct key *k, bool lazily) {
    struct spot at;
    struct entry *e = view_find(v, k, &at);
    if (e) {
        view_keep(v, at);
        view_remove(v, k->hash, at, e, lazily);
        counter_add(&v->stats->changes, 1);
    }
    view_tell(v, k, STORE_DELETED);
    return e;
}

bool view_delete(struct view *v, const struct key *k) { return take_away(v, k, false); }

bool view_unlink(struct view *v, const struct key *k) { return take_away(v, k, true); }

struct entry *view_set_deadline(struct view *v, const struct key *k, struct entry *e, int64_t deadline) {
    struct spot at;
    struct entry *old = table_find(view_table(v, k), k, &at);
    assert(old == e);
    int64_t before = entry_deadline(old);
    if (before == deadline) return old;
    view_keep(v, at);
    struct entry_spec spec = entry_spec_of(old);
    spec.deadline = deadline;
    view_written(v, k);
    bool here = entry_set_deadline(old, deadline);
    if (!here && entry_can_rewrite(old, &spec, true)) {
        entry_rewrite(old, &spec, spec.valuelen);
        here = true;
    }
    if (here) {
        table_changed(view_table(v, k), at, before);
        return old;
    }
    e = entry_new(&spec);
    memcpy((char *)entry_value(e).p, entry_value(old).p, spec.valuelen);
    table_replace(view_table(v, k), at, e);
    entry_free_block(old); /* a collection lives on in the new block */
    return e;
}

/* A new entry called `to` with e's value: the value itself, or `object` where that is a collection. */
static void view_adopt(const struct entry *e, void *object, struct view *target, const struct key *to) {
    struct spot at;
    struct entry *old = view_find(target, to, &at);
    struct entry_spec spec = entry_spec_of(e);
    spec.key = (struct slice){to->p, to->n};
    struct entry *fresh = entry_new(&spec);
    if (spec.form == FORM_POINTER) memcpy((char *)entry_value(fresh).p, &object, sizeof object);
    else if (spec.valuelen) memcpy((char *)entry_value(fresh).p, entry_value(e).p, spec.valuelen);
    view_place(target, to, at, old, fresh);
}

size_t view_rename_room(struct view *v, const struct key *from, struct view *target, const struct key *to) {
    struct spot at;
    struct entry *e = view_find(v, from, &at);
    struct entry_spec spec = entry_spec_of(e);
    if (entry_need(&spec) <= SLAB_MAX) return 0;
    view_keep(v, at); /* it may refer to the value from now on */
    spec.key = (struct slice){to->p, to->n};
    return entry_can_rewrite(e, &spec, false) ? 0 : view_room_for(target, to, spec.valuelen);
}

/* In the block that it has, if that goes: then nothing is taken, and large values stay where they are. */
void view_rename(struct view *v, const struct key *from, struct view *target, const struct key *to) {
    struct spot at;
    struct entry *e = view_find(v, from, &at);
    assert(e);
    view_keep(v, at);
    view_tell(v, from, STORE_DELETED); /* first, as Redis tells it */
    table_remove(view_table(v, from), from->hash, at);
    if (entry_rename(e, (struct slice){to->p, to->n})) {
        struct entry *old = view_find(target, to, &at);
        view_place(target, to, at, old, e);
        return;
    }
    bool object = entry_form(e) == FORM_POINTER;
    view_adopt(e, object ? entry_pointer(e) : NULL, target, to);
    if (object) entry_free_block(e);
    else store_drop(v->store, e, true);
}

void view_copy(struct view *v, const struct entry *e, struct view *target, const struct key *to) {
    (void)v;
    view_adopt(e, entry_form(e) == FORM_POINTER ? value_ops(entry_type(e))->clone(entry_pointer(e)) : NULL, target, to);
}

static size_t entry_room(const struct view *v, const struct key *k, size_t n) {
    struct entry_spec spec = {.key = {k->p, k->n}, .valuelen = n, .deadline = v->now};
    size_t need = entry_need(&spec);
    return need <= SLAB_MAX ? slab_class_size(need) : mem_class(need);
}

/* Tables that begin, or grow: of those that hold n keys more, in the mean, and then what the one that is at it takes for a moment. */
#define BEGINS 256
#define EACH 16
#define AT_IT 4096

size_t view_room_beside(const struct view *v, const struct key *k, size_t n, size_t i) {
    return entry_room(v, k, n) + EACH + (i < STORE_SHARDS ? BEGINS : 0) + (i ? 0 : AT_IT);
}

size_t view_room_for(struct view *v, const struct key *k, size_t n) {
    struct spot at;
    struct table *t = view_table(v, k);
    size_t room = entry_room(v, k, n);
    return room + (table_find(t, k, &at) ? 0 : table_room(t, k->hash));
}
