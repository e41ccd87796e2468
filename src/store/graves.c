#include "store/graves.h"

#include "base/match.h"
#include "base/mem.h"

#define FIRST_ROOM 16

struct graves *graves_new(void) {
    struct graves *g = mem_zalloc(MEM_MISC, sizeof *g);
    for (unsigned i = 0; i < STORE_DATABASES; i++) g->file_db[i] = g->store_db[i] = i;
    return g;
}

void graves_free(struct graves *g) {
    if (!g) return;
    for (unsigned i = 0; i < STORE_SHARDS; i++)
        for (unsigned d = 0; d < STORE_DATABASES; d++) mem_free(MEM_MISC, g->set[i][d].slot);
    for (struct grave_pattern *p = g->patterns, *next; p; p = next) {
        next = p->next;
        mem_free(MEM_MISC, p);
    }
    mem_free(MEM_MISC, g);
}

/* -- sets: the shard's bits are the same in all, so the lower ones say where ------------------------------------------------------ */

static uint32_t place(const struct grave_set *s, uint64_t hash) {
    uint32_t i = (uint32_t)hash & (s->room - 1);
    while (s->slot[i] && s->slot[i] != hash) i = (i + 1) & (s->room - 1);
    return i;
}

static void grow(struct grave_set *s) {
    struct grave_set larger = {.room = s->room ? s->room * 2 : FIRST_ROOM};
    larger.slot = mem_zalloc(MEM_MISC, larger.room * sizeof *larger.slot);
    for (uint32_t i = 0; i < s->room; i++)
        if (s->slot[i]) larger.slot[place(&larger, s->slot[i])] = s->slot[i];
    larger.n = s->n;
    mem_free(MEM_MISC, s->slot);
    *s = larger;
}

static uint64_t marked(uint64_t hash) { return hash ? hash : 1; }

void graves_bury(struct graves *g, unsigned db, uint64_t hash) {
    if (!g) return;
    struct grave_set *s = &g->set[store_shard_of(hash)][g->file_db[db]];
    if (s->n >= s->room / 4 * 3) grow(s);
    uint32_t i = place(s, marked(hash));
    s->n += !s->slot[i];
    s->slot[i] = marked(hash);
}

/* -- whole databases -------------------------------------------------------------------------------------------------------------- */

void graves_flush(struct graves *g, int db) {
    if (!g) return;
    for (unsigned d = 0; d < STORE_DATABASES; d++)
        if (db < 0 || d == (unsigned)db) g->flushed[g->file_db[d]] = true;
}

void graves_swap(struct graves *g, unsigned a, unsigned b) {
    if (!g) return;
    unsigned of_a = g->file_db[a];
    g->file_db[a] = g->file_db[b];
    g->file_db[b] = of_a;
    g->store_db[g->file_db[a]] = a;
    g->store_db[g->file_db[b]] = b;
}

void graves_rule(struct graves *g, unsigned db, struct slice pattern) {
    if (!g) return;
    struct grave_pattern *p = mem_alloc(MEM_MISC, sizeof *p + pattern.n);
    lock_acquire(&g->lock);
    *p = (struct grave_pattern){.next = g->patterns, .db = g->file_db[db], .pattern = {p->text, pattern.n}};
    memcpy(p->text, pattern.p, pattern.n);
    g->patterns = p;
    atomic_store(&g->any_pattern, true);
    lock_release(&g->lock);
}

static bool matches_any(struct graves *g, unsigned file_db, struct slice key) {
    bool found = false;
    lock_acquire(&g->lock);
    for (const struct grave_pattern *p = g->patterns; p && !found; p = p->next)
        found = p->db == file_db && (slice_equal(p->pattern, SLICE("*")) || match_glob(p->pattern, key));
    lock_release(&g->lock);
    return found;
}

bool graves_hold_hash(const struct graves *g, unsigned file_db, uint64_t hash) {
    const struct grave_set *s = &g->set[store_shard_of(hash)][file_db];
    return g->flushed[file_db] || (s->n && s->slot[place(s, marked(hash))]);
}

bool graves_hold(struct graves *g, unsigned file_db, const struct key *k) {
    if (graves_hold_hash(g, file_db, k->hash)) return true;
    return atomic_load(&g->any_pattern) && matches_any(g, file_db, (struct slice){k->p, k->n});
}
