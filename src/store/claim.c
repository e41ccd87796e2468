#include "store/claim.h"

#include <math.h>

#define EARNED 6.0f                   /* moments when it was looked for, at the least, */
#define HARDER 4                      /* and so many times as many when it did not pay */
#define WINDOW 128.0f                 /* of them, after which what is counted is halved */
#define UNIT 16                       /* the clock goes by so many uses at a time (density's PUBLISH) */
#define STAYS 1.3f                    /* times what it earns: so that it does not come and go */
#define TOLD_FOR 1024                 /* uses for which a loss is not looked up again */
#define MOST(limit) ((limit) / 8 * 7) /* of maxmemory, for all that were let in */

void claims_open(struct claims *c) {
    atomic_store(&c->least, UINT64_MAX);
    c->need = EARNED;
}

static struct claim *claim_of(struct claims *c, uint64_t hash) {
    for (unsigned i = 0; i < CLAIMS; i++)
        if (c->claim[i].bytes && c->claim[i].hash == hash) return &c->claim[i];
    return NULL;
}

/* Half of a size: what an entry takes is told by several in several ways. */
static void least_again(struct claims *c) {
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < CLAIMS; i++)
        if (c->claim[i].in && c->claim[i].bytes / 2 < least) least = c->claim[i].bytes / 2;
    atomic_store(&c->least, least);
}

/* A place for it: an empty one, or that of who was not looked for for the longest time. */
static struct claim *claim_begin(struct claims *c, uint64_t hash, uint64_t bytes, uint64_t clock) {
    struct claim *at = NULL;
    for (unsigned i = 0; i < CLAIMS; i++) {
        struct claim *o = &c->claim[i];
        if (!at || !o->bytes || (at->bytes && !o->in && (at->in || o->last < at->last))) at = o;
    }
    *at = (struct claim){.hash = hash, .bytes = bytes, .since = clock, .last = clock};
    least_again(c);
    uint64_t marks = 0;
    for (unsigned i = 0; i < CLAIMS; i++) marks |= c->claim[i].bytes ? claim_mark(c->claim[i].hash) : 0;
    atomic_store(&c->marks, marks);
    return at;
}

static void claim_count(struct claim *m, uint64_t clock) {
    if (m->moments >= WINDOW && clock > m->since) {
        m->uses /= 2;
        m->moments /= 2;
        m->since = clock - (clock - m->since) / 2;
    }
    m->uses++;
    m->gained++;
    if (m->counted != clock) {
        m->moments++;
        m->wanted++;
    }
    m->counted = m->last = clock;
}

static float rate(const struct claim *m, uint64_t clock) {
    return m->uses / (float)((clock > m->since ? clock - m->since : 0) + UNIT);
}

static void claim_turn(struct claims *c, struct claim *m, bool in) {
    if (m->in == in) return;
    if (m->in)
        c->need = (float)m->gained < m->loss.misses ? c->need * HARDER : fmaxf(c->need / HARDER, EARNED);
    m->in = in;
    m->gained = m->wanted = 0;
    least_again(c);
}

/* What all others hold that were let in. */
static uint64_t held_beside(const struct claims *c, const struct claim *m) {
    uint64_t held = 0;
    for (unsigned i = 0; i < CLAIMS; i++)
        if (&c->claim[i] != m && c->claim[i].in) held += c->claim[i].bytes;
    return held;
}

static bool weaker(const struct claim *m, const struct claim *than, uint64_t clock) {
    return m != than && m->in && rate(m, clock) * 2 < rate(than, clock);
}

/* Where there is no room beside the others that were let in, those go that are looked for less than half as
 * often. How many bytes of them that must be; or, if all are too few, UINT64_MAX. */
static uint64_t to_yield(const struct claims *c, const struct claim *m, uint64_t limit, uint64_t clock) {
    uint64_t held = held_beside(c, m), yield = 0;
    for (unsigned i = 0; i < CLAIMS && held - yield + m->bytes > MOST(limit); i++)
        if (weaker(&c->claim[i], m, clock)) yield += c->claim[i].bytes;
    return held - yield + m->bytes > MOST(limit) ? UINT64_MAX : yield;
}

static void have_yield(struct claims *c, const struct claim *m, uint64_t bytes, uint64_t clock) {
    for (unsigned i = 0; i < CLAIMS && bytes; i++) {
        if (!weaker(&c->claim[i], m, clock)) continue;
        bytes -= c->claim[i].bytes;
        claim_turn(c, &c->claim[i], false);
    }
}

/* Those who look at one moment may be one who looks: a standard deviation is told by moments. Who was looked
 * for as often as there would be misses has lost enough. */
static bool earns_more(
    const struct claims *c, struct claim *m, struct duel *u, uint64_t held, uint64_t clock) {
    if (m->moments < EARNED) return false;
    m->loss = duel_loss(u, held, m->bytes);
    m->told = clock;
    float wanted = (float)m->wanted;
    return (wanted >= c->need || wanted > m->loss.misses) &&
           rate(m, clock) * (1 - 1 / sqrtf(m->moments)) > m->loss.hits;
}

/* Who is in has a little less to show. */
static bool earns_enough(struct claim *m, struct duel *u, uint64_t held, uint64_t clock) {
    if (clock - m->told >= TOLD_FOR) {
        m->loss = duel_loss(u, held, m->bytes);
        m->told = clock;
    }
    return rate(m, clock) * STAYS > m->loss.hits;
}

void claims_count(struct claims *c, uint64_t hash, uint64_t clock) {
    lock_acquire(&c->lock);
    struct claim *m = claim_of(c, hash);
    if (m) claim_count(m, clock);
    lock_release(&c->lock);
}

bool claims_let_in(
    struct claims *c, struct duel *u, uint64_t hash, uint64_t bytes, uint64_t limit, uint64_t clock) {
    lock_acquire(&c->lock);
    struct claim *m = claim_of(c, hash);
    if (!m) m = claim_begin(c, hash, bytes, clock);
    m->bytes = bytes;
    m->last = clock;
    uint64_t held = held_beside(c, m), yield = to_yield(c, m, limit, clock);
    bool in = yield <= held &&
              (m->in ? earns_enough(m, u, held - yield, clock) : earns_more(c, m, u, held - yield, clock));
    if (in) have_yield(c, m, yield, clock);
    claim_turn(c, m, in);
    lock_release(&c->lock);
    return in;
}

bool claims_keep(struct claims *c, struct duel *u, uint64_t hash, uint64_t limit, uint64_t clock) {
    lock_acquire(&c->lock);
    struct claim *m = claim_of(c, hash);
    bool in = m && m->in;
    if (in) {
        uint64_t held = held_beside(c, m);
        in = held + m->bytes <= MOST(limit) && earns_enough(m, u, held, clock);
        claim_turn(c, m, in);
    }
    lock_release(&c->lock);
    return in;
}
