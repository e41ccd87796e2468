#include "base/chain.h"

#include "base/mem.h"

#include <assert.h>

#define OWN (CHAIN_CHUNK - sizeof(struct chain_chunk))

void chain_pool_init(struct chain_pool *pool, size_t keep) { *pool = (struct chain_pool){.keep = keep}; }

void chain_pool_free(struct chain_pool *pool) {
    while (pool->free) {
        struct chain_chunk *c = pool->free;
        pool->free = c->next;
        mem_free(MEM_CLIENT, c);
    }
    pool->count = 0;
}

static struct chain_chunk *chunk_take(struct chain_pool *pool, size_t cap) {
    struct chain_chunk *c;
    if (cap < OWN) cap = OWN;
    if (cap == OWN && pool->free) {
        c = pool->free;
        pool->free = c->next;
        pool->count--;
    } else {
        c = mem_alloc(MEM_CLIENT, sizeof *c + cap);
    }
    *c = (struct chain_chunk){.cap = cap, .data = c->own};
    return c;
}

static void chunk_drop(struct chain_pool *pool, struct chain_chunk *c) {
    if (c->release) c->release(c->arg);
    if (c->cap == OWN && pool->count < pool->keep) {
        c->next = pool->free;
        pool->free = c;
        pool->count++;
    } else {
        mem_free(MEM_CLIENT, c);
    }
}

void chain_init(struct chain *c, struct chain_pool *pool) { *c = (struct chain){.pool = pool}; }

void chain_free(struct chain *c) {
    while (c->head) {
        struct chain_chunk *k = c->head;
        c->head = k->next;
        chunk_drop(c->pool, k);
    }
    chain_init(c, c->pool);
}

/* The tail's length lives in `pos` while it is written to. */
static size_t tail_length(const struct chain *c) {
    return c->tail->cap ? (size_t)(c->pos - c->tail->own) : c->tail->n;
}

static void chain_append(struct chain *c, struct chain_chunk *k) {
    if (c->tail) {
        c->tail->n = tail_length(c);
        c->settled += c->tail->n;
        c->tail->next = k;
    } else {
        c->head = k;
    }
    c->tail = k;
    c->pos = k->own;
    c->end = k->own + k->cap;
}

char *chain_grow(struct chain *c, size_t n) {
    chain_append(c, chunk_take(c->pool, n));
    return c->pos;
}

void chain_put_slow(struct chain *c, const void *p, size_t n) {
    const char *from = p;
    size_t room = (size_t)(c->end - c->pos);
    if (room > n) room = n;
    if (room) {
        memcpy(c->pos, from, room);
        c->pos += room;
        from += room;
        n -= room;
    }
    if (!n) return;
    memcpy(chain_grow(c, n), from, n);
    c->pos += n;
}

void chain_ref(struct chain *c, const char *p, size_t n, chain_release *release, void *arg) {
    struct chain_chunk *k = mem_alloc(MEM_CLIENT, sizeof *k); /* a header is enough */
    *k = (struct chain_chunk){.data = p, .n = n, .release = release, .arg = arg};
    chain_append(c, k);
    c->pos = c->end = NULL;
}

size_t chain_size(const struct chain *c) { return c->tail ? c->settled + tail_length(c) - c->sent : 0; }

size_t chain_memory(const struct chain *c) {
    size_t sum = 0;
    for (const struct chain_chunk *k = c->head; k; k = k->next) sum += sizeof *k + (k->cap ? k->cap : k->n);
    return sum;
}

int chain_iov(struct chain *c, struct iovec *v, int max) {
    int n = 0;
    size_t skip = c->sent;
    for (struct chain_chunk *k = c->head; k && n < max; k = k->next) {
        size_t len = k == c->tail ? tail_length(c) : k->n;
        if (len > skip) v[n++] = (struct iovec){(char *)k->data + skip, len - skip};
        skip = 0;
    }
    return n;
}

void chain_sent(struct chain *c, size_t n) {
    c->sent += n;
    while (c->head) {
        struct chain_chunk *k = c->head;
        size_t len = k == c->tail ? tail_length(c) : k->n;
        if (c->sent < len) return;
        c->sent -= len;
        if (k == c->tail) {
            c->head = NULL;
            chunk_drop(c->pool, k);
            chain_init(c, c->pool);
            return;
        }
        c->settled -= len;
        c->head = k->next;
        chunk_drop(c->pool, k);
    }
}

void chain_move(struct chain *to, struct chain *from) {
    assert(!from->sent);
    if (!from->head) return;
    if (!to->head) {
        struct chain_pool *pool = to->pool;
        *to = *from;
        to->pool = pool;
    } else {
        size_t len = tail_length(to);
        to->tail->n = len;
        to->settled += len + from->settled;
        to->tail->next = from->head;
        to->tail = from->tail;
        to->pos = from->pos;
        to->end = from->end;
    }
    chain_init(from, from->pool);
}

void chain_copy(const struct chain *c, char *out) {
    size_t skip = c->sent;
    for (struct chain_chunk *k = c->head; k; k = k->next) {
        size_t len = k == c->tail ? tail_length(c) : k->n;
        memcpy(out, k->data + skip, len - skip);
        out += len - skip;
        skip = 0;
    }
}

struct chain_mark chain_mark(const struct chain *c) {
    return (struct chain_mark){c->tail, c->pos, c->settled};
}

void chain_rewind(struct chain *c, struct chain_mark m) {
    if (!m.tail) {
        chain_free(c);
        return;
    }
    struct chain_chunk *k = m.tail->next;
    m.tail->next = NULL;
    while (k) {
        struct chain_chunk *next = k->next;
        chunk_drop(c->pool, k);
        k = next;
    }
    c->tail = m.tail;
    c->pos = m.pos;
    c->end = m.tail->cap ? m.tail->own + m.tail->cap : m.pos;
    c->settled = m.settled;
}

void chain_cut(struct chain *c, struct chain_mark m, struct chain *rest) {
    assert(!rest->head && m.tail != c->tail);
    struct chain_pool *pool = rest->pool;
    *rest = *c;
    rest->pool = pool;
    rest->sent = 0;
    if (!m.tail) {
        assert(!c->sent);
        chain_init(c, c->pool);
        return;
    }
    rest->head = m.tail->next;
    rest->settled -= m.settled + m.tail->n;
    m.tail->next = NULL;
    c->tail = m.tail;
    c->settled = m.settled;
    c->pos = m.tail->cap ? m.tail->own + m.tail->n : m.pos;
    c->end = m.tail->cap ? m.tail->own + m.tail->cap : m.pos;
}

#define COPIED 2048 /* up to here bytes are copied, else chunks handed over */

void chain_join(struct chain *to, struct chain *from) {
    size_t n = chain_size(from);
    if (n > COPIED) {
        chain_move(to, from);
    } else if (n) {
        chain_copy(from, chain_room(to, n));
        chain_used(to, n);
        chain_free(from);
    }
}
