#include "snapshot/heat.h"

#include "store/density.h"
#include "store/view.h"

#include <stdlib.h>

#define SAMPLE 4096

struct sample {
    const struct heat *heat;
    uint64_t rank[SAMPLE];
    size_t n;
};

/* The word of density.h with another frequency. */
static uint32_t density_frequent(uint32_t word, uint32_t frequency) {
    const uint32_t most = (1u << (32 - DENSITY_AGE_BITS)) - 1;
    return (word & ~most) | (frequency < most ? frequency : most);
}

/* Higher is hotter. */
static uint64_t rank_of(const struct heat *h, const struct entry *e) {
    const struct policy *p = &h->policy;
    uint32_t word = entry_access(e);
    if (p->kind & POLICY_LFU) return policy_frequency(p, word) + 1;
    if (!(p->kind & POLICY_LHD)) return UINT32_MAX - (uint64_t)(policy_idle_ms(p, word) / POLICY_TICK);
    float evict = -density_rank(p->density, density_clock(p->density), word, entry_size(e));
    uint32_t bits; /* of a float, made to compare as it does */
    memcpy(&bits, &evict, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static void see(void *arg, struct entry *e) {
    struct sample *s = arg;
    s->rank[s->n++] = rank_of(s->heat, e);
}

static int falling(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

/* Many may have the same rank: where that would make the class more than twice as large as it should be, they belong to a colder
 * one. */
static uint64_t floor_of(const struct sample *s, unsigned percent) {
    if (!s->n) return 0;
    size_t i = (s->n - 1) * percent / 100;
    uint64_t rank = s->rank[i];
    while (i < s->n && s->rank[i] == rank) i++;
    return i * 100 > 2 * percent * s->n ? rank + 1 : rank;
}

void heat_learn(struct heat *h, struct store *s, int64_t now) {
    static const unsigned share[RECORD_HEATS] = {100, 75, 50, 30, 15, 7, 3, 1}; /* percent that are in the class or a hotter one */
    struct view view;
    view_init(&view, s, 0, now, NULL);
    *h = (struct heat){.policy = view.policy};
    struct sample *sample = mem_alloc(MEM_UPKEEP, sizeof *sample);
    sample->heat = h;
    sample->n = 0;
    uint64_t total = 0, random = (uint64_t)now * 0x9e3779b97f4a7c15ull | 1;
    for (unsigned db = 0; db < STORE_DATABASES; db++) total += store_count(s, db);
    for (unsigned db = 0; db < STORE_DATABASES; db++) {
        uint64_t n = total ? (store_count(s, db) * SAMPLE + total - 1) / total : 0;
        for (uint64_t i = 0; i < n && sample->n < SAMPLE; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            store_sample(s, db, now, random, see, sample);
        }
    }
    qsort(sample->rank, sample->n, sizeof *sample->rank, falling);
    for (unsigned i = 1; i < RECORD_HEATS; i++) h->floor[i] = floor_of(sample, share[i]);
    mem_free(MEM_UPKEEP, sample);
}

void heat_describe(const struct heat *h, const struct entry *e, struct record *r) {
    uint64_t rank = rank_of(h, e);
    r->heat = 0;
    while (r->heat < RECORD_HEATS - 1 && rank >= h->floor[r->heat + 1]) r->heat++;
    if (h->policy.kind & POLICY_COUNTS) {
        r->use = RECORD_FREQUENCY;
        r->used = policy_frequency(&h->policy, entry_access(e));
    } else {
        r->use = RECORD_IDLE;
        r->used = (uint32_t)(policy_idle_ms(&h->policy, entry_access(e)) / 1000);
    }
}

uint32_t heat_word(const struct policy *p, const struct record *r, uint32_t word) {
    if (r->use == RECORD_IDLE && !(p->kind & POLICY_COUNTS)) return policy_word_idle(p, (int64_t)r->used * 1000);
    if (r->use != RECORD_FREQUENCY || !(p->kind & POLICY_COUNTS)) return word;
    return p->kind & POLICY_LFU ? policy_word_frequency(p, r->used) : density_frequent(word, r->used);
}
