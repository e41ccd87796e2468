/* From a record to an entry that is put in. */
#include "snapshot/warmup_inside.h"

#include "base/clock.h"
#include "base/match.h"
#include "store/capture.h"

#include <unistd.h>

#define MARGIN_MOST ((size_t)256 << 10)
#define ERRAND 200 /* records */
#define CLAIM_MOST 4096 /* bytes that stay kept for a thread until it has something larger, or ends */
#define SLOT 11 /* bytes of a table for a key */
#define LARGE ((size_t)1 << 20) /* what does not fit is left out alone from here on; below, the warm-up is over */

static void grow(struct home *h, size_t room) {
    h->p = mem_realloc(MEM_UPKEEP, h->p, room * 2);
    h->room = room * 2;
}

void hand_open(struct hand *h, struct warmup *w, unsigned number) {
    struct store *s = w->config.store;
    *h = (struct hand){.w = w, .stats = w->stats[number]};
    h->item = mem_alloc(MEM_UPKEEP, 2 * WARMUP_BATCH * sizeof *h->item);
    h->spare = h->item + WARMUP_BATCH;
    h->home = (struct home){.limits = &w->config.store_config->limits, .seed = store_seed(s), .resize = grow};
    hand_refresh(h);
}

/* What a thread was told that fits is kept for it until it asks for nothing: here it has taken it, or does not want it any more. */
void hand_rest(struct hand *h) { (void)store_fits(h->w->config.store, 0); }

void hand_close(struct hand *h) {
    hand_put(h);
    hand_rest(h);
    mem_free(MEM_UPKEEP, h->item);
    mem_free(MEM_UPKEEP, h->home.p);
}

struct replacing {
    struct hand *hand;
    size_t from, n;
    struct warm_counts *counts;
};

static void replace_some(void *arg, struct store_stats *stats) {
    struct replacing *r = arg;
    warm_put(r->hand->w->config.store, r->hand->item + r->from, r->hand->spare, r->n, clock_ms(), stats,
        &(struct warm_how){.replace = true}, r->counts);
}

/* On a thread that serves, so a few at a time. */
static void replace(struct hand *h, struct warm_counts *c) {
    const struct warmup_config *config = &h->w->config;
    bool run = true;
    for (struct replacing r = {.hand = h, .counts = c}; r.from < h->n; r.from += r.n) {
        r.n = h->n - r.from < ERRAND ? h->n - r.from : ERRAND;
        if (!config->errand) replace_some(&r, h->stats);
        else if (run) run = config->errand(config->arg, replace_some, &r);
        for (size_t i = 0; !run && i < r.n; i++) entry_free(h->item[r.from + i].entry);
    }
}

/* What is being built by others may not fit in the end, and is not worth more than what is there. */
static bool others_yield(struct hand *h) {
    struct warmup *w = h->w;
    if (h->building || !atomic_load(&w->building)) return false;
    atomic_store(&w->yield, true);
    while (atomic_load(&w->building) && !warmup_stopped(w)) usleep(1000);
    return true;
}

static void no_room(struct hand *h) {
    if (!others_yield(h)) atomic_store(&h->w->full, true);
}

/* The file says how many records it has; it is believed up to twice what those that were read take of it. */
void tally_expect(const struct tally *t, struct warmup *w, uint64_t expect[STORE_DATABASES]) {
    uint64_t size = atomic_load(&w->count.bytes), told = atomic_load(&w->count.keys), limit = (uint64_t)option_get(&w->config.store_config->maxmemory);
    double all = t->read ? (double)t->records * (double)size / (double)t->read : 0;
    if (told && (double)told < 2 * all) all = (double)told;
    double taken = t->records ? all * (double)t->taken / (double)t->records : 0;
    if (limit && t->taken) { /* no more than there is room for */
        uint64_t used = mem_limited(), left = used < limit ? limit - used : 0;
        double fit = (double)t->taken + (double)left / ((double)t->bytes / (double)t->taken + SLOT);
        if (taken > fit) taken = fit;
    }
    for (unsigned d = 0; d < STORE_DATABASES; d++)
        expect[d] = t->taken ? (uint64_t)(taken * (double)t->of_db[d] / (double)t->taken / STORE_SHARDS) : 0;
}

void hand_put(struct hand *h) {
    struct warmup *w = h->w;
    struct store *s = w->config.store;
    struct warm_counts c = {0};
    if (w->file->request.replace) {
        replace(h, &c);
    } else if (h->n) {
        uint64_t expect[STORE_DATABASES];
        tally_expect(&h->tally, w, expect);
        warm_put(s, h->item, h->spare, h->n, clock_ms(), h->stats, &(struct warm_how){.expect = expect}, &c);
    }
    h->n = 0;
    atomic_fetch_add(&w->count.loaded, c.loaded);
    atomic_fetch_add(&w->loaded_ever, c.loaded);
    atomic_fetch_add(&w->count.present, c.present);
    atomic_fetch_add(&w->count.buried, c.buried);
    atomic_fetch_add(&w->count.no_room, c.no_room);
    if (c.no_room) no_room(h);
    if (w->config.born && (c.born & (1u << VALUE_LIST | 1u << VALUE_ZSET))) w->config.born(w->config.arg);
    while (capture_pressed(s) && !warmup_stopped(w)) usleep(1000); /* what it replaces would have to be kept */
    hand_refresh(h);
}

void hand_refresh(struct hand *h) { view_init(&h->view, h->w->config.store, 0, clock_ms(), h->stats); }

bool hand_wants(struct hand *h, struct record *r) {
    const struct warmup_request *q = &h->w->file->request;
    struct warmup_count *c = &h->w->count;
    h->tally.records++;
    if (r->db >= STORE_DATABASES || r->db >= (unsigned)option_get(&h->w->config.store_config->databases)) {
        atomic_fetch_add(&c->out_of_range, 1);
        return false;
    }
    bool matches = !q->pattern.n || slice_equal(q->pattern, SLICE("*")) || match_glob(q->pattern, r->key);
    if (!matches || (q->db >= 0 && r->db != (unsigned)q->db)) {
        atomic_fetch_add(&c->filtered, 1);
        return false;
    }
    if (r->deadline && r->deadline <= h->view.now) {
        atomic_fetch_add(&c->expired, 1);
        atomic_fetch_add(&h->w->expired_ever, 1);
        return false;
    }
    int64_t latest = q->max_ttl_ms ? h->view.now + q->max_ttl_ms : 0;
    if (latest && (!r->deadline || r->deadline > latest)) r->deadline = latest;
    return true;
}

/* Something stays free: else the next command would have to evict for what has just been loaded. */
static size_t margin(const struct hand *h) {
    size_t part = (size_t)option_get(&h->w->config.store_config->maxmemory) / 64;
    return part < MARGIN_MOST ? part : MARGIN_MOST;
}

static bool fits(const struct hand *h, size_t n) { return store_fits(h->w->config.store, n + margin(h)); }

bool hand_has_room(struct hand *h, size_t n) {
    if (fits(h, n) || (others_yield(h) && fits(h, n))) return true;
    atomic_fetch_add(&h->w->count.no_room, 1);
    if (n < LARGE) atomic_store(&h->w->full, true);
    return false;
}

bool hand_may_grow(void *hand, size_t built, size_t n) {
    struct hand *h = hand;
    struct warmup *w = h->w;
    if (!h->building) {
        h->building = true;
        if (!atomic_fetch_add(&w->building, 1)) atomic_store(&w->yield, false);
    }
    if (warmup_stopped(w)) return false;
    bool may = fits(h, n) && !atomic_load(&w->yield);
    if (may) {
        hand_rest(h); /* the margin is not kept for it: while n of it is taken, those who serve would have to evict for the rest */
        may = store_fits(w->config.store, n);
    }
    if (may) return true;
    atomic_fetch_add(&w->count.no_room, 1);
    /* Beside another one that is being built, which may not stay, that says nothing of what there is room for. */
    if (built + n < LARGE && atomic_load(&w->building) == 1) atomic_store(&w->full, true);
    return false;
}

void hand_built(struct hand *h) {
    if (!h->building) return;
    h->building = false;
    hand_rest(h);
    if (atomic_fetch_sub(&h->w->building, 1) == 1) atomic_store(&h->w->yield, false);
}

struct entry *hand_entry(struct hand *h, const struct record *r, enum entry_form form, size_t n) {
    struct key k = store_key(store_seed(h->w->config.store), r->key);
    struct entry_spec spec = {.type = r->type, .form = form, .deadline = r->deadline, .key = r->key, .valuelen = n, .plain = r->original};
    size_t need = entry_need(&spec);
    if (!hand_has_room(h, need)) return NULL;
    spec.access = heat_word(&h->view.policy, r, view_born(&h->view, &k));
    h->item[h->n].hash = k.hash;
    h->tally.bytes += need;
    struct entry *e = entry_new(&spec);
    if (need > CLAIM_MOST) hand_rest(h);
    return e;
}

void hand_take(struct hand *h, const struct record *r, struct entry *e) {
    h->item[h->n] = warm_item_of(e, h->item[h->n].hash, r->db);
    h->tally.taken++;
    h->tally.of_db[r->db]++;
    if (++h->n == WARMUP_BATCH) hand_put(h);
}

void hand_take_string(struct hand *h, const struct record *r) {
    if (r->original && !record_sound(r, r->string)) {
        warmup_damaged(h->w, "a packed value is not what it should be");
        return;
    }
    struct entry *e = hand_entry(h, r, r->original ? FORM_LZ4 : FORM_AUTO, r->string.n);
    if (!e) return;
    if (r->string.n) memcpy((char *)(uintptr_t)entry_value(e).p, r->string.p, r->string.n);
    hand_take(h, r, e);
}

void hand_take_home(struct hand *h, const struct record *r, const struct home *home) {
    struct slice value = home->object ? (struct slice){(const char *)&home->object, sizeof home->object}
                                      : (struct slice){(const char *)home->p, home->n};
    hand_built(h);
    struct entry *e = hand_entry(h, r, (enum entry_form)home->form, value.n);
    if (!e) {
        if (home->object) value_free(r->type, home->object);
        return;
    }
    memcpy((char *)(uintptr_t)entry_value(e).p, value.p, value.n);
    hand_take(h, r, e);
}
