#include "l1/heard.h"

#include "base/deltas.h"
#include "base/hash.h"
#include "base/num.h"
#include "l1/inside.h"

#include <stdio.h>

#define REQUEST_WORDS (2 + 4 + 1 + 1)
#define TOGETHER 256 /* hashes */

static void clear(struct larder *l) {
    near_rule(l->near, SLICE(""), false);
    atomic_fetch_add(&l->flushes, 1);
    keeper_wake(&l->keeper);
}

static void key_changed(struct larder *l, struct slice key) {
    near_erase(l->near, key, near_hash(l->near, key));
    atomic_fetch_add_explicit(&l->invalidations, 1, memory_order_relaxed);
}

/* --- CACHE FEED --- */

/* Those of all databases; ours has a seed of its own. */
static bool hashes_changed(struct larder *l, struct slice packed) {
    struct deltas d;
    uint32_t hash[TOGETHER];
    size_t n = 0;
    if (!l->watch.hashed || !deltas_open(&d, packed)) return false;
    atomic_fetch_add_explicit(&l->invalidations, d.left, memory_order_relaxed);
    while (deltas_next(&d, &hash[n])) {
        if (++n < TOGETHER) continue;
        near_erase_hashed(l->near, hash, n);
        n = 0;
    }
    near_erase_hashed(l->near, hash, n);
    return !d.left;
}

/* "k0 user:17": a letter, the database or '*', a space, the rest. What is not understood may mean anything. */
static void change(struct larder *l, struct slice s) {
    const char *space = s.n ? memchr(s.p, ' ', s.n) : NULL;
    uint64_t db = 0;
    if (!space || space - s.p < 2) {
        clear(l);
        return;
    }
    struct slice where = {s.p + 1, (size_t)(space - s.p) - 1}, what = {space + 1, s.n - (size_t)(space - s.p) - 1};
    if (!slice_equal(where, SLICE("*"))) {
        if (!num_u64(where, &db)) clear(l);
        else if (db != l->urls.url[l->watch.server].db) return;
    }
    if (*s.p == 'k') {
        key_changed(l, what);
    } else if (*s.p == 'p') {
        near_rule(l->near, what, false);
        atomic_fetch_add_explicit(&l->invalidations, 1, memory_order_relaxed);
        keeper_wake(&l->keeper);
    } else if (*s.p != 'h' || !slice_equal(where, SLICE("*")) || !hashes_changed(l, what)) {
        clear(l);
    }
}

static void frame(struct larder *l, const struct reply_node *node) {
    if (node->n < 4 || node[2].kind != REPLY_INTEGER || node[3].kind != REPLY_INTEGER) {
        clear(l);
        return;
    }
    l->watch.seq = (uint64_t)node[3].integer;
    if (node[4].kind == REPLY_NIL) clear(l); /* we were too slow */
    for (uint32_t i = 0; i < node[4].n; i++) change(l, node[5 + i].text);
}

static struct slice field(const struct reply_node *node, const char *name) {
    const struct reply_node *value = reply_field(node, name);
    return value && value->kind <= REPLY_SIMPLE ? value->text : (struct slice){"", 0};
}

static void feed_ask(struct larder *l, bool hashed) {
    struct watch *w = &l->watch;
    char seq[NUM_I64_MAX];
    struct slice *argv = mem_alloc(MEM_MISC, (REQUEST_WORDS + l->prefixes_n) * sizeof *argv);
    size_t argc = 0;
    argv[argc++] = SLICE("CACHE");
    argv[argc++] = SLICE("FEED");
    if (*w->epoch) {
        argv[argc++] = SLICE("FROM");
        argv[argc++] = (struct slice){seq, num_put_u64(seq, w->seq)};
        argv[argc++] = SLICE("EPOCH");
        argv[argc++] = slice_of(w->epoch);
    }
    if (hashed) argv[argc++] = SLICE("HASHED");
    if (l->prefixes_n) argv[argc++] = SLICE("PREFIX");
    for (size_t i = 0; i < l->prefixes_n; i++) argv[argc++] = l->prefixes[i];
    link_request(&w->link, argc, argv);
    mem_free(MEM_MISC, argv);
}

/* The near store hashes as the server does from here on, with the seed of its database. */
static bool hash_as_server(struct larder *l, const struct reply_node *node) {
    struct slice digits = field(node, "seed");
    uint64_t seed = 0;
    if (!slice_is(field(node, "hash"), "xxh3-28") || digits.n != 16) return false;
    for (size_t i = 0; i < digits.n; i++) {
        const char *all = "0123456789abcdef", *at = memchr(all, digits.p[i], 16);
        if (!at) return false;
        seed = seed << 4 | (uint64_t)(at - all);
    }
    near_reseed(l->near, hash_seed(seed, l->urls.url[l->watch.server].db));
    return true;
}

enum begun { BEGUN, BEGUN_NOT /* the server has no feed */, BEGUN_OTHERWISE /* not with hashes that we know */ };

static enum begun feed_begun(struct larder *l, bool hashed) {
    struct watch *w = &l->watch;
    const struct reply_node *node = link_node(&w->link), *seq;
    if (node->kind == REPLY_ERROR) return hashed && slice_is(node->text, "ERR syntax error") ? BEGUN_OTHERWISE : BEGUN_NOT;
    if (!node->n || !(seq = reply_field(node, "seq"))) return BEGUN_NOT;
    struct slice epoch = field(node, "epoch");
    if (hashed && !hash_as_server(l, node)) return BEGUN_OTHERWISE;
    w->hashed = hashed;
    if (slice_is(field(node, "status"), "resumed")) {
        atomic_fetch_add(&l->resumes, 1);
    } else {
        w->seq = (uint64_t)seq->integer;
        clear(l);
    }
    snprintf(w->epoch, sizeof w->epoch, "%.*s", (int)(epoch.n < sizeof w->epoch ? epoch.n : 0), epoch.p);
    return BEGUN;
}

/* --- CLIENT TRACKING --- */

static void tracking_ask(struct larder *l) {
    struct slice *argv = mem_alloc(MEM_MISC, (4 + 2 * l->prefixes_n) * sizeof *argv);
    size_t argc = 0;
    argv[argc++] = SLICE("CLIENT");
    argv[argc++] = SLICE("TRACKING");
    argv[argc++] = SLICE("ON");
    argv[argc++] = SLICE("BCAST");
    for (size_t i = 0; i < l->prefixes_n; i++) {
        argv[argc++] = SLICE("PREFIX");
        argv[argc++] = l->prefixes[i];
    }
    link_request(&l->watch.link, argc, argv);
    mem_free(MEM_MISC, argv);
}

/* An array of keys, or null: all. */
static void invalidate(struct larder *l, const struct reply_node *node) {
    if (node->kind != REPLY_ARRAY) {
        clear(l);
        return;
    }
    for (uint32_t i = 0; i < node->n; i++) key_changed(l, node[1 + i].text);
}

/* --- either --- */

static enum link_status asked(struct larder *l, int64_t deadline) {
    struct link *k = &l->watch.link;
    enum link_status status = link_flush(k, deadline);
    do status = status == LINK_OK ? link_reply(k, deadline) : status;
    while (status == LINK_OK && link_node(k)->kind == REPLY_PUSH);
    return status;
}

enum link_status heard_begin(struct larder *l, int64_t deadline) {
    struct watch *w = &l->watch;
    if (!l->o.l1_bytes) return LINK_OK;
    enum link_status status;
    enum begun begun = BEGUN_OTHERWISE;
    for (bool hashed = true; begun == BEGUN_OTHERWISE; hashed = false) {
        feed_ask(l, hashed);
        if ((status = asked(l, deadline)) != LINK_OK) return status;
        begun = feed_begun(l, hashed);
    }
    w->fed = begun == BEGUN;
    atomic_store(&l->has_feed, w->fed);
    if (w->fed) return LINK_OK;
    *w->epoch = 0;
    tracking_ask(l);
    if ((status = asked(l, deadline)) != LINK_OK) return status;
    if (link_node(&w->link)->kind == REPLY_ERROR) {
        link_explain(&w->link, "CLIENT TRACKING");
        return link_later(&w->link) ? LINK_LOST : LINK_REFUSED;
    }
    clear(l); /* what changed before this was told to nobody */
    return LINK_OK;
}

void heard_push(struct larder *l, const struct reply_node *node) {
    if (!node->n) return;
    if (slice_equal(node[1].text, SLICE("feed"))) frame(l, node);
    else if (slice_equal(node[1].text, SLICE("invalidate")) && node->n >= 2) invalidate(l, &node[2]);
}
