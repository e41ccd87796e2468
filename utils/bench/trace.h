/* trace: requests of a cache's users, read from text, with keys and value sizes that follow from the keys alone.
 *
 * A line is a key, or a key, a space and the size of its value. With `copies` above 1 that many users play the trace side by side, a
 * request of each in turn, each with keys of its own and a few requests ahead of the one before: a limit so many times larger
 * then has about the same hit ratio, at sizes that servers are used with. With `scale` values are so many times larger.
 * A key on the wire is item:KEY, or item:COPY:KEY. A key without a size has one like those of web caches: 50 to 2000 bytes, the
 * median 250, the mean 373.
 * Thread rule: one thread. Whoever reads a trace owns it.
 */
#ifndef LARDER_BENCH_TRACE_H
#define LARDER_BENCH_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trace {
    uint32_t *request, keys, copies, scale;
    uint64_t requests;
    char **key;
    uint64_t *size; /* 0: it follows from the key */
    uint32_t *index, index_size; /* key numbers + 1 by hash, while reading */
};

#define TRACE_KEY_MAX 512

/* Reads at most `limit` requests; ends the program with a message where that fails. */
void trace_read(struct trace *t, FILE *from, uint64_t limit);
void trace_free(struct trace *t);

/* All copies together: how many requests, how many keys, and which key request i asks for. */
static inline uint64_t trace_requests(const struct trace *t) { return t->requests * t->copies; }
static inline uint32_t trace_keys(const struct trace *t) { return t->keys * t->copies; }
static inline uint32_t trace_at(const struct trace *t, uint64_t i) {
    uint64_t copy = i % t->copies, most = t->requests / 50 / t->copies, ahead = copy * (most < 3 ? most : 3);
    return t->request[(i / t->copies + ahead) % t->requests] * t->copies + (uint32_t)copy;
}

size_t trace_key(const struct trace *t, uint32_t key, char out[TRACE_KEY_MAX]); /* its length */
uint64_t trace_hash(const char *p, size_t n);
uint64_t trace_size(const struct trace *t, uint32_t key, uint64_t hash); /* of its value; hash: trace_hash of the key on the wire */
uint64_t trace_bytes(const struct trace *t); /* of all keys and values, once each */

#endif
