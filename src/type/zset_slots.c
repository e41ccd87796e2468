#include "type/zset_slots.h"

#define WORD sizeof(uint64_t)

static size_t first_size(size_t n) { return n <= 2 ? 16 : zset_slots_class(n * WORD); }
static size_t top_size(size_t chunks) { /* doubles: there are few, and they are small */
    size_t size = 16;
    while (size < chunks * sizeof(uint64_t *)) size *= 2;
    return size;
}

static size_t chunks_of(size_t n) { return (n + ZSET_SLOTS_CHUNK - 1) / ZSET_SLOTS_CHUNK; }

/* Bytes for n words. */
static size_t taken(size_t n) {
    if (!n) return 0;
    return top_size(chunks_of(n)) +
           (n <= ZSET_SLOTS_CHUNK ? first_size(n) : chunks_of(n) * ZSET_SLOTS_CHUNK * WORD);
}

void zset_slots_push(struct zset_slots *s, uint64_t word) {
    size_t n = s->n + 1, chunks = chunks_of(n);
    if (n == 1 || top_size(chunks) != top_size(chunks_of(s->n)))
        s->chunk = mem_realloc(MEM_DATA, s->chunk, top_size(chunks));
    if (n == 1) s->chunk[0] = mem_alloc(MEM_DATA, first_size(n));
    else if (n <= ZSET_SLOTS_CHUNK && first_size(n) != first_size(s->n))
        s->chunk[0] = mem_realloc(MEM_DATA, s->chunk[0], first_size(n));
    else if (n > ZSET_SLOTS_CHUNK && n % ZSET_SLOTS_CHUNK == 1)
        s->chunk[chunks - 1] = mem_alloc(MEM_DATA, ZSET_SLOTS_CHUNK * WORD);
    s->n = n;
    s->bytes = taken(n);
    *zset_slots_at(s, n - 1) = word;
}

void zset_slots_pop(struct zset_slots *s) {
    size_t n = s->n - 1, chunks = chunks_of(n);
    if (!n) {
        zset_slots_free(s);
        return;
    }
    if (n >= ZSET_SLOTS_CHUNK && n % ZSET_SLOTS_CHUNK == 0) mem_free(MEM_DATA, s->chunk[chunks]);
    else if (n < ZSET_SLOTS_CHUNK && first_size(n) != first_size(s->n))
        s->chunk[0] = mem_realloc(MEM_DATA, s->chunk[0], first_size(n));
    if (top_size(chunks) != top_size(chunks_of(s->n))) s->chunk = mem_realloc(MEM_DATA, s->chunk, top_size(chunks));
    s->n = n;
    s->bytes = taken(n);
}

void zset_slots_free(struct zset_slots *s) {
    for (size_t i = 0; i < chunks_of(s->n); i++) mem_free(MEM_DATA, s->chunk[i]);
    mem_free(MEM_DATA, s->chunk);
    *s = (struct zset_slots){.n = 0};
}
