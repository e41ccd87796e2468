/* The near store's hit ratio on a trace beside exact LRU in the same bytes: both pay for an entry what the near store counts. */
#include "l1.h"

#include "l1/near_inside.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>

struct lru { /* by key number; the entry before the first is the head of the list */
    uint32_t *newer, *older, keys;
    uint32_t *bytes; /* 0: not in it */
    uint64_t used, limit;
};

static void *need(void *p) {
    if (!p) exit(fprintf(stderr, "bench-l1: out of memory\n"));
    return p;
}

static void unlink_key(struct lru *l, uint32_t k) {
    l->older[l->newer[k]] = l->older[k];
    l->newer[l->older[k]] = l->newer[k];
}

static void link_newest(struct lru *l, uint32_t k) {
    uint32_t head = l->keys;
    l->newer[k] = head;
    l->older[k] = l->older[head];
    l->newer[l->older[head]] = k;
    l->older[head] = k;
}

static void drop_oldest(struct lru *l) {
    uint32_t k = l->newer[l->keys];
    unlink_key(l, k);
    l->used -= l->bytes[k];
    l->bytes[k] = 0;
}

static bool lru_use(struct lru *l, uint32_t k, uint32_t bytes) {
    bool hit = l->bytes[k] != 0;
    if (hit) {
        unlink_key(l, k);
    } else {
        if (bytes > l->limit) return false;
        l->bytes[k] = bytes;
        l->used += bytes;
    }
    link_newest(l, k);
    while (l->used > l->limit) drop_oldest(l);
    return hit;
}

static void lru_make(struct lru *l, uint32_t keys, uint64_t limit) {
    *l = (struct lru){need(malloc((keys + 1) * sizeof *l->newer)), need(malloc((keys + 1) * sizeof *l->older)), keys,
        need(calloc(keys + 1, sizeof *l->bytes)), 0, limit};
    l->newer[keys] = l->older[keys] = keys;
}

static void lru_free(struct lru *l) {
    free(l->newer);
    free(l->older);
    free(l->bytes);
}

/* What the store counts for an entry: a block of malloc's and its share of slot and queues. */
static uint32_t cost(size_t key, uint64_t size) {
    size_t block = sizeof(struct near_entry) + key + size + 1 + 8;
    block = block < 32 ? 32 : (block + 15) & ~(size_t)15;
    return (uint32_t)(block - 8 + NEAR_OVERHEAD);
}

static void no_more(void *more) { (void)more; }

static bool near_use(struct near *s, struct slice key, const char *value, size_t size) {
    uint64_t hash = near_hash(s, key);
    struct near_found found;
    if (near_get(s, near_record(s), key, hash, near_now(s), &found)) {
        near_unpin(found.pin);
        return true;
    }
    near_put(s, &(struct near_item){.key = key, .value = {value, size}, .hash = hash, .token = near_token(s, hash), .ttl = 86400000});
    return false;
}

static void play(const struct trace *t, double share, uint64_t limit, const char *value) {
    char name[96], text[TRACE_KEY_MAX];
    struct lru lru;
    struct near *s = need(near_open(limit, no_more));
    uint64_t hits = 0, lru_hits = 0;
    lru_make(&lru, trace_keys(t), limit);
    for (uint64_t i = 0; i < trace_requests(t); i++) {
        uint32_t k = trace_at(t, i);
        size_t n = trace_key(t, k, text), size = trace_size(t, k, trace_hash(text, n));
        hits += near_use(s, (struct slice){text, n}, value, size);
        lru_hits += lru_use(&lru, k, cost(n, size));
    }
    snprintf(name, sizeof name, "hits %% at %g %%, exact LRU", share * 100);
    l1_figure(name, 100.0 * (double)lru_hits / (double)trace_requests(t));
    snprintf(name, sizeof name, "hits %% at %g %%, near store", share * 100);
    l1_figure(name, 100.0 * (double)hits / (double)trace_requests(t));
    near_close(s);
    lru_free(&lru);
}

int l1_evict(const char *path, int argc, char **argv) {
    static const double shares[] = {0.01, 0.1, 0.3};
    struct trace t = {.copies = 1};
    FILE *f = strcmp(path, "-") ? fopen(path, "r") : stdin;
    if (!f) return perror(path), 1;
    trace_read(&t, f, UINT64_MAX);
    uint64_t bytes = 0, most = 0;
    char text[TRACE_KEY_MAX];
    for (uint32_t k = 0; k < trace_keys(&t); k++) {
        size_t n = trace_key(&t, k, text);
        uint64_t size = trace_size(&t, k, trace_hash(text, n));
        bytes += cost(n, size);
        if (size > most) most = size;
    }
    char *value = need(calloc(1, most + 1));
    l1_figure("requests", (double)trace_requests(&t));
    l1_figure("MB of distinct entries", (double)bytes / 1048576);
    for (int i = 0; i < (argc ? argc : 3); i++) {
        double share = argc ? strtod(argv[i], NULL) : shares[i];
        play(&t, share, (uint64_t)((double)bytes * share), value);
    }
    free(value);
    trace_free(&t);
    if (f != stdin) fclose(f);
    return 0;
}
