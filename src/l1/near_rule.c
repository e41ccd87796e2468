/* near_rule: all keys of a pattern go at one moment: readers obey the rule while a sweep takes them out behind it. */
#include "l1/near_inside.h"

#include "base/match.h"

#include <stdlib.h>

#define SLICE_LINES 128 /* looked at under the lock in one go */

bool near_ruled(const struct near_rules *rules, const struct near_entry *e) {
    uint16_t born = atomic_load_explicit((_Atomic uint16_t *)&e->born, memory_order_relaxed);
    for (uint32_t i = 0; i < rules->n; i++) {
        const struct near_rule *rule = &rules->rule[i];
        if ((int16_t)(rule->number - born) <= 0) continue;
        if (!rule->n || match_glob((struct slice){rules->text + rule->at, rule->n}, near_key(e))) return true;
    }
    return false;
}

/* Rules of `from` younger than `after`, and one more; NULL where there is none, or no memory (`*failed`). */
static struct near_rules *rules_new(const struct near_rules *from, const uint16_t *after, const struct slice *more, uint16_t number, bool *failed) {
    size_t bytes = (from ? from->bytes : 0) + (more ? more->n : 0);
    struct near_rules *to = malloc(sizeof *to + bytes);
    *failed = !to;
    if (!to) return NULL;
    to->n = to->bytes = 0;
    for (uint32_t i = 0; from && i < from->n; i++) {
        const struct near_rule *rule = &from->rule[i];
        if (after && (int16_t)(rule->number - *after) <= 0) continue;
        memcpy(to->text + to->bytes, from->text + rule->at, rule->n);
        to->rule[to->n++] = (struct near_rule){to->bytes, rule->n, rule->number};
        to->bytes += rule->n;
    }
    if (more) {
        memcpy(to->text + to->bytes, more->p, more->n);
        to->rule[to->n++] = (struct near_rule){to->bytes, (uint32_t)more->n, number};
        to->bytes += (uint32_t)more->n;
    }
    if (to->n) return to;
    free(to);
    return NULL;
}

static void publish(struct near *s, struct near_rules *rules) {
    struct near_rules *old = s->rules;
    atomic_store_explicit(&s->rules, rules, memory_order_release);
    if (!old) return;
    lock_acquire(&s->shard[0].lock);
    near_reclaim_later(s, &s->shard[0], old, 0);
    lock_release(&s->shard[0].lock);
}

void near_rule(struct near *s, struct slice pattern, bool sweep) {
    struct slice everything = {"", 0};
    bool failed = true;
    lock_acquire(&s->rules_lock);
    atomic_fetch_add_explicit(&s->stamp, 1, memory_order_seq_cst); /* before the number: see near_put */
    uint16_t number = (uint16_t)(atomic_fetch_add_explicit(&s->rule_number, 1, memory_order_seq_cst) + 1);
    const struct near_rules *now = s->rules;
    struct near_rules *rules = NULL;
    if (pattern.n && pattern.n < UINT16_MAX && (!now || now->n < NEAR_RULES_MAX)) rules = rules_new(now, NULL, &pattern, number, &failed);
    if (failed) rules = rules_new(NULL, NULL, &everything, number, &failed); /* too many: one for all */
    if (!failed) publish(s, rules);
    lock_release(&s->rules_lock);
    if (failed) near_wipe(s); /* no memory for one rule: then by hand, before this returns */
    if (sweep) near_sweep(s);
}

void near_clear(struct near *s) { near_rule(s, (struct slice){"", 0}, true); }

/* Looks at all entries of a shard in slices; takes out those that `unwanted` names. Entries that come meanwhile may be missed. */
typedef bool near_unwanted(struct near *s, struct near_entry *e, void *arg);

static uint64_t walk(struct near *s, struct near_shard *h, near_unwanted *unwanted, void *arg) {
    uint64_t gone = 0;
    lock_acquire(&h->lock);
    const struct near_table *walked = h->table;
    for (uint32_t line = 0; line < h->table->lines; line++) {
        if (line && line % SLICE_LINES == 0) {
            lock_release(&h->lock);
            lock_acquire(&h->lock);
            if (h->table != walked) { /* a slot may now be anywhere: once more */
                walked = h->table;
                line = 0;
            }
        }
        for (unsigned i = 0; i < NEAR_LINE; i++) {
            struct near_line *l = &h->table->line[line];
            struct near_place place = {l, i, near_slot_entry(atomic_load_explicit(&l->slot[i], memory_order_relaxed))};
            if (!place.entry || !unwanted(s, place.entry, arg)) continue;
            near_take_out(s, h, near_bits(near_hash(s, near_key(place.entry))), &place);
            gone++;
        }
    }
    near_reclaim(s, h);
    lock_release(&h->lock);
    return gone;
}

static bool any(struct near *s, struct near_entry *e, void *arg) {
    (void)s, (void)e, (void)arg;
    return true;
}

void near_wipe(struct near *s) {
    for (unsigned i = 0; i < s->shards; i++) walk(s, &s->shard[i], any, NULL);
}

struct sweep {
    const struct near_rules *rules;
    uint16_t number;
};

static bool ruled(struct near *s, struct near_entry *e, void *arg) {
    const struct sweep *w = arg;
    (void)s;
    if (near_ruled(w->rules, e)) return true;
    if ((int16_t)(w->number - atomic_load_explicit(&e->born, memory_order_relaxed)) > 0)
        atomic_store_explicit(&e->born, w->number, memory_order_relaxed);
    return false;
}

bool near_sweep(struct near *s) {
    bool failed;
    lock_acquire(&s->rules_lock);
    const struct near_rules *now = s->rules;
    struct near_rules *copy = now ? rules_new(now, NULL, NULL, 0, &failed) : NULL;
    lock_release(&s->rules_lock);
    if (!copy) return false;
    struct sweep w = {copy, copy->rule[copy->n - 1].number}; /* the youngest stands last */
    for (unsigned i = 0; i < s->shards; i++) {
        uint64_t gone = walk(s, &s->shard[i], ruled, &w);
        lock_acquire(&s->shard[i].lock);
        s->shard[i].erased += gone;
        lock_release(&s->shard[i].lock);
    }
    lock_acquire(&s->rules_lock);
    struct near_rules *left = rules_new(s->rules, &w.number, NULL, 0, &failed);
    if (!failed) publish(s, left); /* else the rule stays, which costs time only */
    lock_release(&s->rules_lock);
    free(copy);
    return true;
}

static bool doubtful(struct near *s, struct near_entry *e, void *arg) {
    (void)s, (void)arg;
    return near_flags(e) & NEAR_DOUBTFUL;
}

void near_clear_doubtful(struct near *s) {
    for (unsigned i = 0; i < s->shards; i++) walk(s, &s->shard[i], doubtful, NULL);
}

static bool expired(struct near *s, struct near_entry *e, void *arg) {
    (void)s;
    return (int32_t)(e->until + near_unpack(e->stale) - *(const uint32_t *)arg) <= 0;
}

void near_tidy(struct near *s, unsigned part) {
    struct near_shard *h = &s->shard[part % s->shards];
    uint32_t now = (uint32_t)near_now(s);
    uint64_t gone = walk(s, h, expired, &now);
    lock_acquire(&h->lock);
    h->expired += gone;
    lock_release(&h->lock);
}
