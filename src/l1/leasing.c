/* leasing: who in the fleet loads a key. larderd's CACHE FETCH decides it; elsewhere a lock key does, which is less: it is asked again
 * and again instead of waiting, and only what this process has heard of voids a load. */
#include "l1/lease.h"

#include "base/clock.h"
#include "base/num.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#define LOCK_SUFFIX ":larder-lease"
#define PAUSE_MIN_US 2000
#define PAUSE_MAX_US 50000

static struct read_item item_of(const struct larder_lease *x, int64_t since_us) {
    return (struct read_item){.key = x->key, .hash = x->hash, .token = x->token, .stale = x->how.stale_ms, .since_us = since_us};
}

/* --- CACHE FETCH --- */

static int fetched_value(struct larder_lease *x, struct near_record *r, struct call *c, struct slice value, int64_t ttl, larder_value *out) {
    struct read_item item = item_of(x, c->began);
    item.absent = item.negative = slice_equal(value, ABSENT);
    item.value = value;
    item.ttl = ttl;
    tally_count(r, item.absent ? COUNT_L2_MISSES : COUNT_L2_HITS, 1);
    read_put(x->l, &item);
    if (item.absent) return LARDER_NOT_FOUND;
    return value_copy(out, value, 0) ? LARDER_OK : LARDER_BUSY;
}

/* status, value, time, token. LARDER_TIMEOUT is here: somebody else loads it. */
static int fetched(struct larder_lease *x, struct near_record *r, struct call *c, larder_value *out, bool *busy) {
    const struct reply_node *node = link_node(c->link);
    if (node->kind != REPLY_ARRAY || c->link->reader.n != 5 || node[3].kind != REPLY_INTEGER) return LARDER_ERROR;
    const struct reply_node *word = &node[1], *value = &node[2], *token = &node[4];
    if (slice_is(word->text, "hit")) return fetched_value(x, r, c, value->text, node[3].integer, out);
    bool stale = value->kind == REPLY_TEXT && !slice_equal(value->text, ABSENT);
    if (stale && !value_copy(out, value->text, LARDER_STALE)) return LARDER_BUSY;
    if (slice_is(word->text, "lease") && token->text.n < sizeof x->mark) {
        x->kind = LEASE_SERVER;
        x->mark_n = token->text.n;
        memcpy(x->mark, token->text.p, token->text.n);
        tally_count(r, COUNT_L2_MISSES, 1);
        return LARDER_LOAD;
    }
    if (slice_is(word->text, "stale")) return stale ? LARDER_OK : LARDER_NOT_FOUND;
    *busy = slice_is(word->text, "busy");
    return *busy ? LARDER_BUSY : LARDER_ERROR;
}

static int fetch_once(struct larder_lease *x, struct near_record *r, int64_t wait_ms, larder_value *out, bool *busy, bool *unknown) {
    struct larder *l = x->l;
    struct call c;
    char lease[NUM_I64_MAX], wait[NUM_I64_MAX];
    struct slice argv[] = {SLICE("CACHE"), SLICE("FETCH"), x->key, SLICE("LEASE"), {lease, num_put_i64(lease, l->o.lease_ms)}, SLICE("WAIT"),
        {wait, num_put_i64(wait, wait_ms)}};
    int status = call_begin(l, &c, wait_ms * 1000);
    if (status != LARDER_OK) return status;
    link_request(c.link, wait_ms ? 7 : 5, argv);
    status = call_send(&c);
    if (status == LARDER_OK) {
        const struct reply_node *node = link_node(c.link);
        *unknown = node->kind == REPLY_ERROR && node->text.n > 11 && !memcmp(node->text.p, "ERR unknown", 11);
        status = node->kind == REPLY_ERROR ? LARDER_ERROR : fetched(x, r, &c, out, busy);
    }
    return call_end(&c, status);
}

/* At first without waiting: a connection that waits is no use to others, so those that do are others. */
static int take_server(struct larder_lease *x, struct near_record *r, int64_t deadline, larder_value *out, bool *unknown) {
    bool busy = false;
    int status = fetch_once(x, r, 0, out, &busy, unknown);
    if (!busy) return status;
    int64_t left = (deadline - clock_mono_us()) / 1000;
    tally_count(r, COUNT_WAITS, 1);
    return left > 0 ? fetch_once(x, r, left, out, &busy, unknown) : status;
}

/* --- a lock key --- */

static struct slice lock_key(struct buf *b, struct slice key) {
    buf_put(b, key.p, key.n);
    buf_puts(b, LOCK_SUFFIX);
    return buf_slice(b);
}

/* GET, PTTL, SET lock NX: one round trip tells all. LARDER_BUSY with *busy: somebody else has the lock. */
static int lock_once(struct larder_lease *x, struct near_record *r, struct slice lock, larder_value *out, bool *busy) {
    struct larder *l = x->l;
    struct call c;
    char lease[NUM_I64_MAX];
    struct slice take[] = {SLICE("SET"), lock, {x->mark, x->mark_n}, SLICE("NX"), SLICE("PX"), {lease, num_put_i64(lease, l->o.lease_ms)}};
    x->token = near_token(l->near, x->hash);
    int status = call_begin(l, &c, 0);
    if (status != LARDER_OK) return status;
    link_request(c.link, 2, (struct slice[]){SLICE("EXISTS"), x->key}); /* a value needs no lock, so it is not taken then */
    if ((status = call_send(&c)) != LARDER_OK) return call_end(&c, status);
    bool there = link_node(c.link)->kind == REPLY_INTEGER && link_node(c.link)->integer;
    if (there) {
        struct read_item item = item_of(x, c.began);
        read_ask(&c, x->key);
        status = call_send(&c);
        if (status == LARDER_OK) status = read_answer(&c, r, &item, out);
        if (status == LARDER_NOT_FOUND && !item.negative) *busy = true; /* it went in between: once more */
        return call_end(&c, status);
    }
    link_request(c.link, 6, take);
    link_request(c.link, 2, (struct slice[]){SLICE("EXISTS"), x->key});
    if ((status = call_send(&c)) != LARDER_OK) return call_end(&c, status);
    bool refused = link_node(c.link)->kind == REPLY_ERROR;
    *busy = link_node(c.link)->kind == REPLY_NIL;
    if ((status = call_reply(&c)) != LARDER_OK) return call_end(&c, status);
    there = link_node(c.link)->kind == REPLY_INTEGER && link_node(c.link)->integer;
    call_end(&c, LARDER_OK);
    if (refused) return LARDER_ERROR;
    if (!*busy) x->kind = LEASE_LOCK;
    if (!*busy && there) { /* who had the lock filled the key and gave it back between our first look and the second: once more */
        leasing_release(x);
        x->kind = LEASE_LOCAL;
        *busy = true;
    }
    tally_count(r, COUNT_L2_MISSES, !*busy);
    return *busy ? LARDER_BUSY : LARDER_LOAD;
}

static int take_lock(struct larder_lease *x, struct near_record *r, int64_t deadline, larder_value *out) {
    uint64_t random = 0;
    struct buf name = {.p = NULL};
    struct slice lock = lock_key(&name, x->key);
    if (getrandom(&random, sizeof random, 0) != sizeof random) random = (uint64_t)clock_mono_us() ^ (uintptr_t)x;
    x->mark_n = (size_t)snprintf(x->mark, sizeof x->mark, "%016llx", (unsigned long long)random);
    random |= 1;
    int64_t pause = PAUSE_MIN_US;
    int status;
    for (;;) {
        bool busy = false;
        status = lock_once(x, r, lock, out, &busy);
        if (!busy || clock_mono_us() >= deadline) break;
        int64_t us = breaker_jitter(&random, pause);
        nanosleep(&(struct timespec){0, us * 1000}, NULL);
        pause = pause * 2 < PAUSE_MAX_US ? pause * 2 : PAUSE_MAX_US;
    }
    buf_free(&name);
    return status;
}

/* --- before its time --- */

/* Has another process loaded it anew already? Then what it stored will do. */
static int take_early(struct larder_lease *x, struct near_record *r, larder_value *out) {
    struct read_item item = item_of(x, 0);
    struct call c;
    x->kind = LEASE_EARLY;
    int status = call_begin(x->l, &c, 0);
    if (status != LARDER_OK) return LARDER_LOAD;
    read_ask(&c, x->key);
    status = call_send(&c);
    if (status == LARDER_OK) status = read_answer(&c, r, &item, out);
    call_end(&c, status);
    int64_t margin = (int64_t)(atomic_load(&x->l->load_ns) / 1000000) + 10;
    if (status == LARDER_OK && (item.ttl < 0 || item.ttl > x->left + margin)) return LARDER_OK;
    larder_release(out);
    return LARDER_LOAD;
}

int leasing_take(struct larder_lease *x, struct near_record *r, int64_t deadline, larder_value *out) {
    struct larder *l = x->l;
    bool unknown = false;
    if (x->early) return take_early(x, r, out);
    int status = LARDER_ERROR;
    bool server = atomic_load(&l->leases);
    if (server) status = take_server(x, r, deadline, out, &unknown);
    if (unknown) atomic_store(&l->leases, false);
    if (!server || unknown) status = take_lock(x, r, deadline, out);
    if (!call_failed(status)) return status;
    status = read_down(l, r, x->key, x->hash, status, true, out);
    x->kind = LEASE_LOCAL;
    x->token = near_token(l->near, x->hash);
    return call_failed(status) ? LARDER_LOAD : status; /* without a server everybody loads for himself */
}

/* --- storing --- */

static int store_server(struct larder_lease *x, struct slice data, int64_t ttl) {
    struct call c;
    char px[NUM_I64_MAX], stale[NUM_I64_MAX];
    struct slice argv[9] = {SLICE("CACHE"), SLICE("FILL"), x->key, {x->mark, x->mark_n}, data};
    size_t argc = 5;
    if (ttl > 0) {
        argv[argc++] = SLICE("PX");
        argv[argc++] = (struct slice){px, num_put_i64(px, ttl)};
        if (x->how.stale_ms > 0) {
            argv[argc++] = SLICE("STALE");
            argv[argc++] = (struct slice){stale, num_put_i64(stale, x->how.stale_ms)};
        }
    }
    int status = call_one(x->l, &c, argc, argv);
    if (status != LARDER_OK && status != LARDER_ERROR) return status;
    return call_end(&c, status == LARDER_OK && link_node(c.link)->kind == REPLY_NIL ? LARDER_DROPPED : status);
}

/* The lock was taken where there was no value: if there is one now, it is newer than what was loaded, whether we have heard of it yet or not. */
static int store_locked(struct larder_lease *x, struct slice data, int64_t ttl) {
    static const char script[] = "if redis.call('get',KEYS[2])~=ARGV[1] then return 0 end "
                                 "redis.call('del',KEYS[2]) "
                                 "if redis.call('exists',KEYS[1])==1 then return 0 end "
                                 "if ARGV[3]=='0' then redis.call('set',KEYS[1],ARGV[2]) else redis.call('set',KEYS[1],ARGV[2],'PX',ARGV[3]) end "
                                 "return 1";
    struct call c;
    struct buf name = {.p = NULL};
    char px[NUM_I64_MAX];
    struct slice argv[] = {SLICE("EVAL"), {script, sizeof script - 1}, SLICE("2"), x->key, lock_key(&name, x->key), {x->mark, x->mark_n}, data,
        {px, num_put_i64(px, ttl > 0 ? ttl : 0)}};
    int status = call_one(x->l, &c, 8, argv);
    buf_free(&name);
    if (status != LARDER_OK && status != LARDER_ERROR) return status;
    return call_end(&c, status == LARDER_OK && !link_node(c.link)->integer ? LARDER_DROPPED : status);
}

/* XX: a key that was deleted meanwhile stays so. */
static int store_early(struct larder_lease *x, struct slice data, int64_t ttl) {
    struct call c;
    char px[NUM_I64_MAX];
    struct slice argv[] = {SLICE("SET"), x->key, data, SLICE("XX"), SLICE("PX"), {px, num_put_i64(px, ttl)}};
    int status = call_one(x->l, &c, ttl > 0 ? 6 : 4, argv);
    if (status != LARDER_OK && status != LARDER_ERROR) return status;
    return call_end(&c, status == LARDER_OK && link_node(c.link)->kind == REPLY_NIL ? LARDER_DROPPED : status);
}

int leasing_store(struct larder_lease *x, struct slice data, int64_t ttl) {
    if (x->kind == LEASE_LOCAL) return LARDER_DOWN;
    if (x->kind == LEASE_SERVER) return store_server(x, data, ttl);
    if (!near_token_good(x->l->near, x->hash, x->token)) { /* heard that it changed while it was loaded */
        leasing_release(x);
        return LARDER_DROPPED;
    }
    return x->kind == LEASE_LOCK ? store_locked(x, data, ttl) : store_early(x, data, ttl);
}

void leasing_release(struct larder_lease *x) {
    static const char script[] = "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0";
    struct call c;
    struct buf name = {.p = NULL};
    int status;
    if (x->kind == LEASE_SERVER) {
        status = call_one(x->l, &c, 4, (struct slice[]){SLICE("CACHE"), SLICE("RELEASE"), x->key, {x->mark, x->mark_n}});
    } else if (x->kind == LEASE_LOCK) {
        struct slice argv[] = {SLICE("EVAL"), {script, sizeof script - 1}, SLICE("1"), lock_key(&name, x->key), {x->mark, x->mark_n}};
        status = call_one(x->l, &c, 5, argv);
    } else {
        return;
    }
    if (status == LARDER_OK || status == LARDER_ERROR) call_end(&c, status);
    buf_free(&name);
}
