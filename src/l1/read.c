#include "l1/inside.h"

#include "base/clock.h"
#include "base/num.h"
#include "l1/near_find.h"

static bool kept_by_prefix(const struct larder *l, struct slice key) {
    for (size_t i = 0; i < l->prefixes_n; i++)
        if (key.n >= l->prefixes[i].n && !memcmp(key.p, l->prefixes[i].p, l->prefixes[i].n)) return true;
    return false;
}

static inline bool kept(const struct larder *l, struct slice key) {
    if (__builtin_expect(l->o.l1_bytes && key.n <= NEAR_KEY_MAX && !l->prefixes_n, 1)) return true;
    return l->o.l1_bytes && key.n <= NEAR_KEY_MAX && kept_by_prefix(l, key);
}

bool read_kept(const struct larder *l, struct slice key) { return kept(l, key); }

static inline int hand_out(const struct near_found *f, larder_value *out) {
    if (__builtin_expect(read_flagged(f, NEAR_ABSENT), 0)) {
        near_unpin(f->pin);
        return LARDER_NOT_FOUND;
    }
    *out = (larder_value){near_value(f->entry), f->entry->size, f->left > 0 ? LARDER_FROM_L1 : LARDER_FROM_L1 | LARDER_STALE, (void *)f->pin};
    return LARDER_OK;
}

int read_hand_out(const struct near_found *f, larder_value *out) { return hand_out(f, out); }

void read_put(struct larder *l, const struct read_item *item) {
    int64_t ttl = item->absent ? l->o.negative_ttl_ms : l->o.l1_ttl_ms, keep = item->stale;
    if (!read_kept(l, item->key)) return;
    if (item->doubtful && ttl > l->o.down_ttl_ms) ttl = l->o.down_ttl_ms;
    if (item->ttl >= 0) {
        int64_t left = item->ttl - (clock_mono_us() - item->since_us) / 1000;
        if (left < ttl) ttl = left;
    }
    if (keep < l->o.stale_if_down_ms) keep = l->o.stale_if_down_ms;
    near_put(l->near, &(struct near_item){.key = item->key, .value = item->absent ? SLICE("") : item->value, .hash = item->hash,
        .token = item->token, .ttl = ttl, .stale = item->absent ? 0 : keep, .cost = item->cost,
        .flags = (uint8_t)((item->absent ? NEAR_ABSENT : 0) | (item->negative ? NEAR_NEGATIVE : 0) | (item->doubtful ? NEAR_DOUBTFUL : 0))});
}

/* While the server is gone: what was fresh when it was lost, or is stale for no longer than that, if the options allow it. What
 * was loaded since then is good for the time that it was given. */
int read_down(struct larder *l, struct near_record *r, struct slice key, uint64_t hash, int status, bool loading, larder_value *out) {
    struct near_found f;
    int64_t now = near_now(l->near), lost = atomic_load_explicit(&l->lost_at, memory_order_acquire);
    if (!r || !read_kept(l, key) || !near_get(l->near, r, key, hash, now, &f)) return status;
    bool ours = f.left > 0 && read_flagged(&f, NEAR_DOUBTFUL), none = loading && read_flagged(&f, NEAR_ABSENT) && !read_flagged(&f, NEAR_NEGATIVE);
    bool fresh = f.left > 0 && (ours || read_trusted(l, now));
    int64_t late = f.left < 0 ? -(int64_t)f.left : 0, gone = lost ? now - lost : 0;
    if (none || (!fresh && (l->o.stale_if_down_ms <= 0 || (gone > late ? gone : late) > l->o.stale_if_down_ms))) {
        near_unpin(f.pin);
        return status;
    }
    int got = read_hand_out(&f, out);
    if (got == LARDER_OK && !fresh) out->flags |= LARDER_STALE;
    counter_add(fresh ? &r->hits : &r->stale, 1);
    return got;
}

void read_ask(struct call *c, struct slice key) {
    link_request(c->link, 2, (struct slice[]){SLICE("GET"), key});
    if (read_kept(c->l, key)) link_request(c->link, 2, (struct slice[]){SLICE("PTTL"), key});
}

/* GET's reply has been read; PTTL's is still to come. */
int read_answer(struct call *c, struct near_record *r, struct read_item *item, larder_value *out) {
    const struct reply_node *node = link_node(c->link);
    int status = node->kind == REPLY_NIL ? LARDER_NOT_FOUND : node->kind == REPLY_TEXT ? LARDER_OK : LARDER_ERROR;
    if (status == LARDER_OK && slice_equal(node->text, ABSENT)) status = LARDER_NOT_FOUND;
    item->absent = status == LARDER_NOT_FOUND;
    item->negative = item->absent && node->kind == REPLY_TEXT; /* that it is absent stands there, with a TTL */
    if (status == LARDER_OK && !value_copy(out, node->text, 0)) status = LARDER_BUSY;
    tally_count(r, status == LARDER_OK ? COUNT_L2_HITS : COUNT_L2_MISSES, 1);
    if (!read_kept(c->l, item->key)) return status;
    int got = call_reply(c);
    if (got != LARDER_OK) return status == LARDER_OK || status == LARDER_NOT_FOUND ? (larder_release(out), got) : got;
    node = link_node(c->link);
    item->ttl = node->kind == REPLY_INTEGER ? node->integer : 0;
    item->since_us = c->began;
    item->value = (struct slice){out->data, out->size};
    if (item->absent && !item->negative) item->ttl = -1;
    else if (item->ttl == -2) return status; /* it went in between */
    if (status == LARDER_OK || status == LARDER_NOT_FOUND) read_put(c->l, item);
    return status;
}

static __attribute__((noinline)) int read_server(struct larder *l, struct near_record *r, struct slice key, uint64_t hash, larder_value *out) {
    struct read_item item = {.key = key, .hash = hash, .token = near_token(l->near, hash)};
    struct call c;
    int status = call_begin(l, &c, 0);
    if (status == LARDER_OK) {
        read_ask(&c, key);
        status = call_send(&c);
        if (status == LARDER_OK) status = read_answer(&c, r, &item, out);
        call_end(&c, status);
    }
    return call_failed(status) ? read_down(l, r, key, hash, status, false, out) : status;
}

void read_timed(struct larder *l, struct near_record *r, uint64_t ticks) {
    tally_time(r, TIMED_L1, (int64_t)((double)(clock_ticks() - ticks) / l->ticks_per_ns));
}

/* LARDER_LOAD: the server has to be asked. */
static int read_near(struct larder *l, struct near_record *r, struct slice key, uint64_t hash, larder_value *out) {
    int64_t now = near_find_now(l->near);
    struct near_found f;
    if (!kept(l, key) || !read_trusted(l, now)) return LARDER_LOAD;
    uint64_t hits = counter_get(&r->hits), ticks = hits % TIMED_SHARE ? 0 : clock_ticks();
    if (near_get(l->near, r, key, hash, now, &f)) {
        if (__builtin_expect(f.left > 0, 1)) {
            counter_add(&r->hits, 1);
            if (ticks) read_timed(l, r, ticks);
            return hand_out(&f, out);
        }
        near_unpin(f.pin);
    }
    counter_add(&r->misses, 1);
    return LARDER_LOAD;
}

/* What is not the usual case. */
static __attribute__((noinline)) int read_any(struct larder *l, struct slice key, uint64_t hash, larder_value *out) {
    struct near_record *r = near_record(l->near);
    *out = (larder_value){.data = NULL};
    if (!r) return LARDER_BUSY;
    int status = read_near(l, r, key, hash, out);
    return status == LARDER_LOAD ? read_server(l, r, key, hash, out) : status;
}

int larder_get(larder *l, const char *key, size_t key_size, larder_value *out) {
    if (__builtin_expect(!out || (!key && key_size), 0)) return LARDER_INVALID;
    struct near_record *r = pthread_getspecific(l->near->key);
    uint64_t hash = near_key_hash(l->near, key, key_size);
    if (__builtin_expect(r && counter_get(&r->hits) % TIMED_SHARE, 1)) { /* the one that is timed goes the longer way */
        _Atomic uintptr_t *pin;
        const struct near_entry *e = near_find_quick(l->near, r, (struct slice){key, key_size}, hash, &l->trusted_until, &pin);
        if (__builtin_expect(e != NULL, 1)) {
            counter_add(&r->hits, 1);
            *out = (larder_value){near_value(e), e->size, LARDER_FROM_L1, (void *)pin};
            return LARDER_OK;
        }
    }
    return read_any(l, (struct slice){key, key_size}, hash, out);
}

int larder_near(larder *l, const char *key, size_t key_size, larder_value *out) {
    if (!out || (!key && key_size)) return LARDER_INVALID;
    *out = (larder_value){.data = NULL};
    struct slice k = {key, key_size};
    struct near_record *r = near_record(l->near);
    return r ? read_near(l, r, k, near_hash(l->near, k), out) : LARDER_BUSY;
}

/* All that is not near goes out as one pipeline. */
int larder_mget(larder *l, const larder_slice *keys, size_t n, larder_value *out) {
    struct near_record *r = near_record(l->near);
    if (!slices_good(keys, n) || (n && !out)) return LARDER_INVALID;
    if (!r) return LARDER_BUSY;
    struct read_item *ask = mem_alloc(MEM_MISC, (n + 1) * sizeof *ask);
    size_t *index = mem_alloc(MEM_MISC, (n + 1) * sizeof *index), asked = 0, done = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice key = {keys[i].data, keys[i].size};
        uint64_t hash = near_hash(l->near, key);
        out[i] = (larder_value){.data = NULL};
        if (read_near(l, r, key, hash, &out[i]) != LARDER_LOAD) continue;
        ask[asked] = (struct read_item){.key = key, .hash = hash, .token = near_token(l->near, hash)};
        index[asked++] = i;
    }
    struct call c;
    int status = asked ? call_begin(l, &c, 0) : LARDER_OK;
    if (asked && status == LARDER_OK) {
        for (size_t i = 0; i < asked; i++) read_ask(&c, ask[i].key);
        for (; status == LARDER_OK && done < asked; done++) {
            int got = done ? call_reply(&c) : call_send(&c);
            if (got == LARDER_OK) got = read_answer(&c, r, &ask[done], &out[index[done]]);
            if (call_failed(got) || got == LARDER_BUSY) status = got;
        }
        call_end(&c, status);
        if (status != LARDER_OK) done--;
    }
    bool all = true;
    for (size_t i = done; call_failed(status) && i < asked; i++) {
        int got = read_down(l, r, ask[i].key, ask[i].hash, status, false, &out[index[i]]);
        all = all && !call_failed(got);
    }
    if (call_failed(status) && all) status = LARDER_OK;
    mem_free(MEM_MISC, ask);
    mem_free(MEM_MISC, index);
    return status;
}
