#include "store/rule.h"

#include "base/match.h"
#include "store/tell.h"

#include <assert.h>

struct rule {
    _Atomic uint32_t refs;
    uint32_t number;
    enum sieve_kind sieved;
    unsigned db; /* SWAPDB changes it, under all locks */
    _Atomic uint64_t removed;
    int64_t started_ms;
    struct slice pattern;
    char text[];
};

/* -- matching -------------------------------------------------------------------------------------------------------------- */

static bool matches(const struct rule *r, unsigned db, struct slice key) {
    return r->db == db && (slice_equal(r->pattern, SLICE("*")) || match_glob(r->pattern, key));
}

/* The oldest rule behind `swept`, up to `last`, that the key falls under. */
static struct rule *rule_for(const struct rules *rules, uint32_t swept, uint32_t last, unsigned db, struct slice key) {
    for (uint32_t at = (swept + 1) % RULE_RING, end = (last + 1) % RULE_RING; at != end; at = (at + 1) % RULE_RING) {
        struct rule *r = atomic_load_explicit(&rules->slot[at], memory_order_relaxed);
        if (matches(r, db, key)) return r;
    }
    return NULL;
}

static void rule_count(struct rules *rules, struct rule *r) {
    atomic_fetch_add_explicit(&r->removed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&rules->removed, 1, memory_order_relaxed);
}

bool rules_forbid(struct store *s, const struct segment *seg, uint32_t last, unsigned db, struct slice key, bool count) {
    if ((int32_t)(last - seg->swept) <= 0) return false;
    struct rule *r = rule_for(&s->rules, seg->swept, last, db, key);
    if (r && count) rule_count(&s->rules, r);
    return r != NULL;
}

struct sweeping {
    struct store *store;
    uint32_t swept, last;
    unsigned db;
};

static struct entry *sweep_one(void *arg, struct entry *e, uint32_t tag) {
    (void)tag;
    struct sweeping *w = arg;
    if (!sieve_suspects(&w->store->rules.sieve, entry_key(e))) return e;
    struct rule *r = rule_for(&w->store->rules, w->swept, w->last, w->db, entry_key(e));
    if (!r) return e;
    rule_count(&w->store->rules, r);
    store_drop(w->store, e, true);
    return NULL;
}

void rules_sweep(struct store *s, struct table *t, uint64_t place, uint32_t last, unsigned db) {
    struct segment *seg = t->dir[place];
    if ((int32_t)(last - seg->swept) <= 0) return;
    struct sweeping w = {s, seg->swept, last, db};
    seg->swept = last; /* before it may shrink or merge */
    table_sift(t, place, sweep_one, &w, NULL);
}

/* -- life of a rule -------------------------------------------------------------------------------------------------------- */

static struct rule *rule_new(unsigned db, struct slice pattern, uint32_t refs) {
    struct rule *r = mem_alloc(MEM_MISC, sizeof *r + pattern.n);
    *r = (struct rule){.db = db, .started_ms = clock_ms(), .pattern = {r->text, pattern.n}};
    memcpy(r->text, pattern.p, pattern.n);
    atomic_init(&r->refs, refs);
    return r;
}

static void rules_tell(struct store *s, unsigned db, const struct slice *pattern, size_t n) {
    for (size_t i = 0; i < n && store_watched(s); i++)
        store_tell(s, NULL, STORE_INVALIDATED, db, &(struct key){pattern[i].p, pattern[i].n, 0});
}

bool rule_add(struct store *s, unsigned db, const struct slice *pattern, size_t n, struct rule **out) {
    struct rules *rules = &s->rules;
    lock_acquire(&rules->lock);
    uint32_t last = atomic_load(&rules->last);
    bool room = n + (last - atomic_load(&rules->over)) <= RULE_RUNNING_MAX;
    for (size_t i = 0; room && i < n; i++) {
        struct rule *r = rule_new(db, pattern[i], out ? 2 : 1);
        r->number = last + 1 + (uint32_t)i;
        r->sieved = sieve_add(&rules->sieve, pattern[i]);
        atomic_store_explicit(&rules->slot[r->number % RULE_RING], r, memory_order_relaxed);
        if (out) out[i] = r;
        graves_rule(s->graves, db, pattern[i]);
    }
    if (room) {
        atomic_store(&rules->last, last + (uint32_t)n);
        rules_tell(s, db, pattern, n);
    }
    lock_release(&rules->lock);
    return room;
}

struct rule *rule_newest(struct store *s) {
    struct rules *rules = &s->rules;
    struct rule *r = NULL;
    lock_acquire(&rules->lock);
    if (rules->last != rules->over) {
        r = rules->slot[rules->last % RULE_RING];
        atomic_fetch_add(&r->refs, 1);
    }
    lock_release(&rules->lock);
    return r;
}

void rule_release(struct rule *r) {
    if (atomic_fetch_sub(&r->refs, 1) == 1) mem_free(MEM_MISC, r);
}

bool rule_over(const struct store *s, const struct rule *r) {
    return (int32_t)(atomic_load(&s->rules.over) - r->number) >= 0;
}

uint64_t rule_removed(const struct rule *r) { return atomic_load(&r->removed); }
unsigned rule_running(const struct store *s) { return atomic_load(&s->rules.last) - atomic_load(&s->rules.over); }
uint64_t rule_removed_ever(const struct store *s) { return atomic_load(&s->rules.removed); }
uint64_t rule_removed_lately(const struct store *s) { return rule_removed_ever(s) - atomic_load(&s->rules.forgotten); }
void rule_removed_reset(struct store *s) { atomic_store(&s->rules.forgotten, rule_removed_ever(s)); }

void rules_swap(struct store *s, unsigned a, unsigned b) {
    lock_acquire(&s->rules.lock);
    for (uint32_t i = s->rules.over + 1, last = s->rules.last; (int32_t)(last - i) >= 0; i++) {
        struct rule *r = s->rules.slot[i % RULE_RING];
        if (r->db == a || r->db == b) r->db = r->db == a ? b : a;
    }
    lock_release(&s->rules.lock);
}

void rules_free(struct store *s) {
    for (uint32_t i = s->rules.over + 1, last = s->rules.last; (int32_t)(last - i) >= 0; i++)
        rule_release(s->rules.slot[i % RULE_RING]);
}

/* -- in the background ------------------------------------------------------------------------------------------------------ */

/* Of the shards' parts, how much this pass and earlier ones have swept for the rule. */
static unsigned percent_swept(const struct store *s, uint32_t number) {
    unsigned parts = atomic_load(&s->rules.parts), sum = 0;
    for (unsigned p = 0; p < parts; p++) {
        const struct rule_part *part = &s->rules.part[p];
        if ((int32_t)(atomic_load(&part->swept) - number) >= 0) sum += 100;
        else if ((int32_t)(atomic_load(&part->pass) - number) >= 0) sum += atomic_load(&part->percent);
    }
    return parts ? sum / parts : 0;
}

void rule_each(struct store *s, void (*each)(void *arg, const struct rule_facts *f), void *arg) {
    lock_acquire(&s->rules.lock);
    for (uint32_t i = s->rules.over + 1, last = s->rules.last; (int32_t)(last - i) >= 0; i++) {
        const struct rule *r = s->rules.slot[i % RULE_RING];
        struct rule_facts f = {r->number, r->db, r->pattern, r->started_ms, rule_removed(r), percent_swept(s, r->number)};
        each(arg, &f);
    }
    lock_release(&s->rules.lock);
}

/* Rules that every part has swept for are over. */
static void rules_end(struct store *s, unsigned parts) {
    struct rules *rules = &s->rules;
    lock_acquire(&rules->lock);
    uint32_t over = atomic_load(&rules->over), lowest = atomic_load(&rules->last);
    for (unsigned p = 0; p < parts; p++) {
        uint32_t swept = atomic_load(&rules->part[p].swept);
        if ((int32_t)(swept - lowest) < 0) lowest = swept;
    }
    while ((int32_t)(lowest - over) > 0) {
        over++;
        struct rule *r = rules->slot[over % RULE_RING];
        atomic_store(&rules->over, over);
        sieve_drop(&rules->sieve, r->sieved);
        rule_release(r);
    }
    lock_release(&rules->lock);
}

bool rule_sweep_step(struct store *s, unsigned part, unsigned parts, int64_t slice_us) {
    assert(part < parts && parts <= STORE_PARTS);
    struct rule_part *p = &s->rules.part[part];
    uint32_t last = atomic_load(&s->rules.last);
    atomic_store_explicit(&s->rules.parts, parts, memory_order_relaxed);
    if (option_get(&s->config->sweep_held)) return false;
    if (!p->walk.running) {
        if (atomic_load(&p->swept) == last) return false;
        atomic_store(&p->pass, last);
        walk_start(&p->walk, part);
        p->walk.rules = &p->pass;
    }
    uint64_t start = clock_ticks();
    for (struct stop at; walk_next(s, &p->walk, parts, &at);) {
        rules_sweep(s, at.table, at.place, atomic_load(&p->pass), at.db);
        store_unlock(s, at.shard);
        atomic_store_explicit(&p->percent, at.shard * 100 / STORE_SHARDS, memory_order_relaxed);
        if (slice_over(start, slice_us / 2)) return true;
    }
    atomic_store(&p->swept, atomic_load(&p->pass));
    rules_end(s, parts);
    return atomic_load(&p->swept) != atomic_load(&s->rules.last);
}
