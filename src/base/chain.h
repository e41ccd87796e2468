/* chain: bytes on their way out, in chunks, so that nothing is moved when more comes and large values are not copied.
 *
 * A chunk either holds bytes itself or refers to bytes elsewhere with a release function that is called once, when they
 * are written or dropped. Chunks come from a pool that a thread keeps for all its connections, so that an idle connection
 * holds none. Invariant: [pos, end) is the free room of the tail chunk, and empty where the tail refers elsewhere.
 * Thread rule: a chain and its pool belong to one thread. The chain owns its chunks and frees them with chain_free.
 */
#ifndef LARDER_BASE_CHAIN_H
#define LARDER_BASE_CHAIN_H

#include "base/slice.h"

#include <sys/uio.h>

#define CHAIN_CHUNK 16384 /* a chunk with its header, the size that the pool keeps */

typedef void chain_release(void *arg);

struct chain_chunk {
    struct chain_chunk *next;
    const char *data; /* own bytes, or somebody else's */
    size_t n;         /* for the tail: only true after chain_sync */
    size_t cap;       /* of own bytes; 0 for a reference */
    chain_release *release;
    void *arg;
    char own[];
};

struct chain_pool {
    struct chain_chunk *free;
    size_t count, keep; /* at most `keep` chunks stay */
};

struct chain {
    struct chain_pool *pool;
    struct chain_chunk *head, *tail;
    char *pos, *end;
    size_t sent;    /* bytes of head already written */
    size_t settled; /* bytes in all chunks but the tail */
};

void chain_pool_init(struct chain_pool *pool, size_t keep);
void chain_pool_free(struct chain_pool *pool);

void chain_init(struct chain *c, struct chain_pool *pool);
void chain_free(struct chain *c);                /* drops everything; usable again */
char *chain_grow(struct chain *c, size_t n);     /* the slow half of chain_room */
void chain_ref(struct chain *c, const char *p, size_t n, chain_release *release, void *arg);
size_t chain_size(const struct chain *c);        /* bytes not yet written */
size_t chain_memory(const struct chain *c);      /* bytes it holds, chunks and references */
int chain_iov(struct chain *c, struct iovec *v, int max);  /* what to write next; returns how many were filled */
void chain_sent(struct chain *c, size_t n);      /* n bytes were written: drop them */
void chain_move(struct chain *to, struct chain *from);     /* append all of `from`, nothing of it sent yet; same pool */
void chain_copy(const struct chain *c, char *out);         /* all unsent bytes, chain_size of them */
void chain_join(struct chain *to, struct chain *from);   /* chain_move, but a few bytes are copied behind what `to` has */

/* At least n contiguous writable bytes at the end; chain_used says how many were written. */
static inline char *chain_room(struct chain *c, size_t n) {
    return __builtin_expect((size_t)(c->end - c->pos) >= n, 1) ? c->pos : chain_grow(c, n);
}
static inline void chain_used(struct chain *c, size_t n) { c->pos += n; }

void chain_put_slow(struct chain *c, const void *p, size_t n);
static inline void chain_put(struct chain *c, const void *p, size_t n) {
    if (__builtin_expect((size_t)(c->end - c->pos) <= n, 0)) { /* also nothing put to an empty chain: no NULL in memcpy */
        chain_put_slow(c, p, n);
        return;
    }
    memcpy(c->pos, p, n);
    c->pos += n;
}
static inline bool chain_empty(const struct chain *c) { return !c->head; }

/* A mark to return to: everything put after it can be taken back while nothing was sent in between. */
struct chain_mark {
    struct chain_chunk *tail;
    char *pos;
    size_t settled;
};
struct chain_mark chain_mark(const struct chain *c);
void chain_rewind(struct chain *c, struct chain_mark m);
/* What was put after m goes to `rest`, which is empty; it stays where it is in memory. It must begin a chunk: chain_grow was
 * called right after chain_mark. */
void chain_cut(struct chain *c, struct chain_mark m, struct chain *rest);

#endif
