#include "l1/lease.h"

#include "base/clock.h"

#include <stdlib.h>

struct larder_result {
    void *data;
    size_t size;
    bool set;
};

static larder_load how_of(const struct larder *l, const larder_load *how) {
    larder_load h = how ? *how : (larder_load){-1, -1, -1};
    if (h.ttl_ms < 0) h.ttl_ms = 0;
    if (h.stale_ms < 0) h.stale_ms = l->o.stale_ms;
    if (h.negative_ttl_ms < 0) h.negative_ttl_ms = l->o.negative_ttl_ms;
    if (!h.ttl_ms) h.stale_ms = 0;
    return h;
}

static int64_t wait_deadline(const struct larder *l) { return clock_mono_us() + (int64_t)l->o.wait_ms * 1000; }

/* --- the life of a lease --- */

int lease_begin(struct larder *l, struct slice key, uint64_t hash, const larder_load *how, struct larder_lease **lease, larder_value *out) {
    int64_t deadline = wait_deadline(l);
    for (;;) {
        uint64_t token = near_token(l->near, hash);
        bool mine;
        struct flight *flight = flight_join(&l->flights, key, hash, token, &mine);
        if (!flight) return LARDER_BUSY;
        if (mine) {
            struct larder_lease *x = calloc(1, sizeof *x);
            if (!x) {
                flight_end(&l->flights, flight, LARDER_BUSY, NULL);
                return LARDER_BUSY;
            }
            *x = (struct larder_lease){.l = l, .flight = flight, .key = {flight->key, flight->key_n}, .hash = hash, .token = token,
                .how = *how, .began_us = clock_mono_us()};
            *lease = x;
            return LARDER_LOAD;
        }
        if (out->hold) { /* there is something to give out: no need to wait */
            flight_leave(&l->flights, flight);
            return LARDER_OK;
        }
        tally_count(near_record(l->near), COUNT_WAITS, 1);
        int status = flight_wait(&l->flights, flight, token, deadline, out);
        if (status != LARDER_LOAD) return status;
        if (clock_mono_us() > deadline) return LARDER_TIMEOUT;
    }
}

int lease_end(struct larder_lease *x, int status, const larder_value *value) {
    struct larder *l = x->l;
    if (x->gated) flight_gate_leave(&l->flights);
    flight_end(&l->flights, x->flight, status, value);
    free(x);
    return status;
}

/* A near value is pinned for the caller alone: who waits gets a copy, or, without memory for one, asks for himself. */
static int answer_all(struct larder_lease *x, int status, const larder_value *out) {
    larder_value copy = {.data = NULL};
    if (status != LARDER_OK || value_counted(out)) return lease_end(x, status, out);
    lease_end(x, value_copy(&copy, (struct slice){out->data, out->size}, out->flags) ? LARDER_OK : LARDER_LOAD, &copy);
    larder_release(&copy);
    return status;
}

int lease_ask(struct larder_lease *x, larder_value *out) {
    struct larder *l = x->l;
    struct near_record *r = near_record(l->near);
    int64_t deadline = wait_deadline(l);
    larder_value value = {.data = NULL};
    int status = leasing_take(x, r, deadline, &value);
    x->asked = true;
    if (status == LARDER_OK || (status == LARDER_LOAD && value.hold && !out->hold)) {
        larder_release(out);
        *out = value;
    } else {
        larder_release(&value);
    }
    return status == LARDER_LOAD ? status : answer_all(x, status, out);
}

/* Only who is about to load takes a place: those that wait to be loaded behind would keep it from those that are waited for. */
static int lease_gate(struct larder_lease *x) {
    if (flight_gate_enter(&x->l->flights, wait_deadline(x->l))) {
        x->gated = true;
        x->began_us = clock_mono_us();
        return LARDER_LOAD;
    }
    leasing_release(x);
    return lease_end(x, LARDER_BUSY, NULL);
}

/* --- ending it --- */

static void cost_learn(struct larder *l, struct near_record *r, int64_t us) {
    uint64_t now = (uint64_t)(us > 0 ? us : 1) * 1000, mean = atomic_load_explicit(&l->load_ns, memory_order_relaxed);
    atomic_store_explicit(&l->load_ns, mean ? mean - mean / 8 + now / 8 : now, memory_order_relaxed);
    tally_time(r, TIMED_LOAD, us * 1000);
}

int lease_fill(struct larder_lease *x, struct slice data, bool absent, larder_value *out) {
    struct larder *l = x->l;
    int64_t ttl = absent ? x->how.negative_ttl_ms : x->how.ttl_ms, now = clock_mono_us(), cost = now - x->began_us;
    larder_value value = {.data = NULL};
    cost_learn(l, near_record(l->near), cost);
    if (!absent && !value_copy(&value, data, 0)) return leasing_release(x), lease_end(x, LARDER_BUSY, NULL);
    if (!absent || ttl > 0) {
        int stored = leasing_store(x, absent ? ABSENT : data, ttl);
        struct read_item item = {.key = x->key, .value = data, .hash = x->hash, .token = x->token, .ttl = ttl ? ttl : -1, .since_us = now,
            .stale = x->how.stale_ms, .cost = cost / 1000 + 1, .absent = absent, .negative = absent, .doubtful = stored != LARDER_OK};
        if (stored == LARDER_OK || call_failed(stored)) read_put(l, &item);
    } else {
        leasing_release(x);
    }
    if (out && !absent) value_share(out, &value);
    int status = lease_end(x, absent ? LARDER_NOT_FOUND : LARDER_OK, absent ? NULL : &value);
    larder_release(&value);
    return status;
}

int larder_fill(larder_lease *lease, const void *data, size_t size) {
    if (!lease || (!data && size)) return LARDER_INVALID;
    return lease_fill(lease, (struct slice){data, size}, false, NULL);
}

int larder_fill_absent(larder_lease *lease) {
    if (!lease) return LARDER_INVALID;
    int status = lease_fill(lease, (struct slice){"", 0}, true, NULL);
    return status == LARDER_NOT_FOUND ? LARDER_OK : status;
}

int larder_abandon(larder_lease *lease) {
    if (!lease) return LARDER_INVALID;
    if (lease->asked) leasing_release(lease);
    tally_count(near_record(lease->l->near), COUNT_LOAD_FAILURES, lease->asked);
    lease_end(lease, LARDER_LOAD_FAILED, NULL);
    return LARDER_OK;
}

int larder_loaded(larder_result *result, const void *data, size_t size) {
    void *copy = malloc(size ? size : 1);
    if (!copy || (!data && size)) return free(copy), LARDER_LOAD_FAILED;
    if (size) memcpy(copy, data, size);
    free(result->data);
    *result = (larder_result){copy, size, true};
    return LARDER_OK;
}

int lease_run(struct larder_lease *x, larder_loader *loader, void *arg, larder_value *out) {
    struct larder *l = x->l;
    struct larder_result result = {.data = NULL};
    if (!x->asked) {
        int status = lease_ask(x, out);
        if (status != LARDER_LOAD) return status;
    }
    larder_release(out); /* a stale value is not what the caller waits for */
    int status = lease_gate(x);
    if (status != LARDER_LOAD) return status;
    tally_count(near_record(l->near), COUNT_LOADS, 1);
    status = loader(arg, x->key.p, x->key.n, &result);
    if (status == LARDER_NOT_FOUND) status = lease_fill(x, (struct slice){"", 0}, true, NULL);
    else if (status == LARDER_OK && result.set) status = lease_fill(x, (struct slice){result.data, result.size}, false, out);
    else larder_abandon(x), status = LARDER_LOAD_FAILED;
    free(result.data);
    return status;
}

/* --- what is near --- */

/* -ln(u) of a random u: the logarithm by its highest bit, with the bits behind it in place of the fraction. */
static double exponential(uint64_t seed) {
    seed += UINT64_C(0x9e3779b97f4a7c15);
    seed = (seed ^ seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    seed = (seed ^ seed >> 27) * UINT64_C(0x94d049bb133111eb);
    seed ^= seed >> 31 | 1;
    unsigned zeros = (unsigned)__builtin_clzll(seed);
    double fraction = (double)(seed << zeros << 1 >> 11) / 9007199254740992.0;
    return 0.6931471805599453 * (zeros + 1 - fraction);
}

/* XFetch (Vattani, Chierichetti, Lowenstein 2015): each reader alone decides, the more likely the nearer the end and the longer a load
 * takes, so that as a rule one of them has loaded it anew before it ends. */
static bool time_to_load(struct larder *l, const struct near_found *f) {
    double cost = near_unpack(f->entry->cost);
    if (l->o.early <= 0 || read_flagged(f, NEAR_ABSENT)) return false;
    if (cost <= 0) cost = (double)atomic_load_explicit(&l->load_ns, memory_order_relaxed) / 1e6;
    cost *= l->o.early;
    return f->left < cost * 44 && f->left < cost * exponential(clock_ticks()); /* 44: -ln of the smallest */
}

enum near_state { NEAR_NOTHING, NEAR_FRESH, NEAR_AGING, NEAR_STALE_ };

static enum near_state look(
    struct larder *l, struct slice key, uint64_t hash, const larder_load *how, larder_value *out, int *status, int64_t *left) {
    struct near_record *r = near_record(l->near);
    struct near_found f;
    int64_t now = near_now(l->near);
    if (!r || !read_kept(l, key) || !read_trusted(l, now)) return NEAR_NOTHING;
    uint64_t ticks = counter_get(&r->hits) % TIMED_SHARE ? 0 : clock_ticks();
    if (!near_get(l->near, r, key, hash, now, &f)) return counter_add(&r->misses, 1), NEAR_NOTHING;
    bool none = read_flagged(&f, NEAR_ABSENT) && !read_flagged(&f, NEAR_NEGATIVE); /* in the server: that is what loading is for */
    if (none || (f.left <= 0 && -(int64_t)f.left >= how->stale_ms)) {
        near_unpin(f.pin);
        counter_add(&r->misses, 1);
        return NEAR_NOTHING;
    }
    enum near_state state = f.left <= 0 ? NEAR_STALE_ : time_to_load(l, &f) ? NEAR_AGING : NEAR_FRESH;
    counter_add(f.left > 0 ? &r->hits : &r->stale, 1);
    if (ticks && f.left > 0) read_timed(l, r, ticks);
    *left = f.left;
    *status = read_hand_out(&f, out);
    return *status == LARDER_OK ? state : NEAR_FRESH;
}

static int fetch(struct larder *l, struct slice key, const larder_load *how, bool ask, larder_value *out, struct larder_lease **lease) {
    uint64_t hash = near_hash(l->near, key);
    int status = LARDER_NOT_FOUND;
    int64_t left = 0;
    *out = (larder_value){.data = NULL};
    enum near_state state = look(l, key, hash, how, out, &status, &left);
    if (state == NEAR_FRESH) return status;
    status = lease_begin(l, key, hash, how, lease, out);
    if (status != LARDER_LOAD) return status;
    (*lease)->early = state == NEAR_AGING;
    (*lease)->left = left;
    if (state != NEAR_NOTHING) tally_count(near_record(l->near), state == NEAR_AGING ? COUNT_EARLY : COUNT_STALE, 1);
    if (state != NEAR_NOTHING && !ask) return LARDER_LOAD;
    status = lease_ask(*lease, out);
    if (status == LARDER_LOAD && state == NEAR_NOTHING && out->hold) tally_count(near_record(l->near), COUNT_STALE, 1); /* the server's */
    return status;
}

int larder_fetch(larder *l, const char *key, size_t key_size, const larder_load *how, larder_value *out, larder_lease **lease) {
    if (!out || !lease || (!key && key_size)) return LARDER_INVALID;
    larder_load h = how_of(l, how);
    int status = fetch(l, (struct slice){key, key_size}, &h, true, out, lease);
    if (status == LARDER_LOAD) status = lease_gate(*lease);
    if (status == LARDER_LOAD) tally_count(near_record(l->near), COUNT_LOADS, 1);
    return status;
}

int larder_get_or_load(larder *l, const char *key, size_t key_size, larder_loader *loader, void *arg, const larder_load *how, larder_value *out) {
    if (!out || !loader || (!key && key_size)) return LARDER_INVALID;
    larder_load h = how_of(l, how);
    struct larder_lease *lease;
    int status = fetch(l, (struct slice){key, key_size}, &h, l->o.refreshers <= 0, out, &lease);
    if (status != LARDER_LOAD) return status;
    if (out->hold && behind_add(&l->behind, lease, loader, arg)) return LARDER_OK; /* good enough for now */
    if (out->hold && l->o.refreshers > 0) { /* enough is loaded behind already: the next who asks tries again */
        if (lease->asked) leasing_release(lease);
        lease_end(lease, LARDER_LOAD, NULL);
        return LARDER_OK;
    }
    return lease_run(lease, loader, arg, out);
}
