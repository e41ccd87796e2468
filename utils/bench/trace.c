#include "trace.h"

#include <stdlib.h>
#include <string.h>

static void *need(void *p) {
    if (p) return p;
    fprintf(stderr, "trace: out of memory\n");
    exit(2);
}

/* FNV-1a, then the last mix of MurmurHash3: keys that are counted up differ in all bits. */
uint64_t trace_hash(const char *p, size_t n) {
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 0x100000001b3;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
    return h ^ h >> 33;
}

/* Where a key stands in the index, or the empty place where it would. */
static uint32_t *place_of(const struct trace *t, const char *key) {
    uint32_t at = (uint32_t)trace_hash(key, strlen(key)) & (t->index_size - 1);
    while (t->index[at] && strcmp(t->key[t->index[at] - 1], key)) at = (at + 1) & (t->index_size - 1);
    return &t->index[at];
}

static void index_grow(struct trace *t) {
    free(t->index);
    t->index_size = t->index_size ? t->index_size * 2 : 1 << 16;
    t->index = need(calloc(t->index_size, sizeof *t->index));
    for (uint32_t k = 0; k < t->keys; k++) *place_of(t, t->key[k]) = k + 1;
}

/* Arrays double when their length is a power of two. */
static void *room_for_one(void *p, uint64_t length, size_t width) {
    return length & (length - 1) ? p : need(realloc(p, (length ? length * 2 : 1) * width));
}

static uint32_t key_number(struct trace *t, const char *key, uint64_t size) {
    if (t->keys >= t->index_size / 2) index_grow(t);
    uint32_t *place = place_of(t, key);
    if (*place) return *place - 1;
    t->key = room_for_one(t->key, t->keys, sizeof *t->key);
    t->size = room_for_one(t->size, t->keys, sizeof *t->size);
    t->key[t->keys] = need(strdup(key));
    t->size[t->keys] = size;
    *place = t->keys + 1;
    return t->keys++;
}

void trace_read(struct trace *t, FILE *from, uint64_t limit) {
    char *line = NULL;
    size_t cap = 0;
    while (t->requests < limit && getline(&line, &cap, from) > 0) {
        size_t n = strcspn(line, " \r\n");
        if (!n) continue;
        uint64_t size = line[n] == ' ' ? strtoull(line + n, NULL, 10) : 0;
        line[n] = 0;
        if (n > TRACE_KEY_MAX - 32) {
            fprintf(stderr, "trace: a key of %zu bytes\n", n);
            exit(2);
        }
        t->request = room_for_one(t->request, t->requests, sizeof *t->request);
        t->request[t->requests++] = key_number(t, line, size);
    }
    free(line);
    free(t->index);
    t->index = NULL;
    if (!t->copies) t->copies = 1;
    if (!t->scale) t->scale = 1;
    if (t->requests) return;
    fprintf(stderr, "trace: no requests\n");
    exit(2);
}

void trace_free(struct trace *t) {
    for (uint32_t k = 0; k < t->keys; k++) free(t->key[k]);
    free(t->key);
    free(t->size);
    free(t->request);
}

size_t trace_key(const struct trace *t, uint32_t key, char out[TRACE_KEY_MAX]) {
    const char *text = t->key[key / t->copies];
    return (size_t)(t->copies == 1 ? snprintf(out, TRACE_KEY_MAX, "item:%s", text)
                                   : snprintf(out, TRACE_KEY_MAX, "item:%u:%s", key % t->copies, text));
}

uint64_t trace_size(const struct trace *t, uint32_t key, uint64_t hash) {
    /* Sixteenths of a lognormal distribution (sigma 0.9), cut off at both ends; straight lines between. */
    static const uint16_t point[] = {50, 63, 89, 113, 136, 161, 188, 217, 250, 288, 333, 388, 459, 556, 704, 994, 2000};
    uint64_t size = t->size[key / t->copies];
    if (!size) {
        unsigned sixteenth = hash >> 12 & 15, rest = hash & 4095;
        size = point[sixteenth] + (point[sixteenth + 1] - point[sixteenth]) * rest / 4096;
    }
    return size * t->scale;
}

uint64_t trace_bytes(const struct trace *t) {
    uint64_t sum = 0;
    char text[TRACE_KEY_MAX];
    for (uint32_t k = 0; k < trace_keys(t); k++) {
        size_t n = trace_key(t, k, text);
        sum += n + trace_size(t, k, trace_hash(text, n));
    }
    return sum;
}
