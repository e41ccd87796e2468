#include "command/feed_sieve.h"

#include <stdlib.h>
#include <string.h>

#define MOST 4194304 /* bytes that are found in a walk */
#define KEPT 8192    /* of the room for what was found */

struct feed_mesh {
    struct feed_mesh *next;
    unsigned refs;        /* listeners; with none it goes when the next walk begins */
    bool ready;           /* the walk knows it */
    struct feed_wish wish;
    struct feed_found found;
    uint64_t last;        /* number of the last change that was found: it may have two of the prefixes */
};

/* Open addressing; several wishes may have one prefix. */
struct place {
    struct feed_mesh *mesh; /* NULL: free */
    uint64_t hash;
    struct slice prefix;
};

struct feed_sieve {
    struct feed_mesh *meshes;
    unsigned count;           /* of those with listeners */
    bool changed, over;       /* the table is not that of the wishes; the walk is at its end */
    uint64_t from;            /* where the walk began */
    struct feed_place end;    /* how far it is; no block: there is none */
    size_t found;             /* bytes */
    struct place *place;
    size_t mask;
    size_t *length;           /* of prefixes, each once, ascending */
    size_t lengths;
};

struct feed_sieve *feed_sieve_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct feed_sieve)); }

static void forget_place(struct feed_sieve *sv) {
    if (sv->end.block) feed_ring_release(sv->end.block);
    sv->end.block = NULL;
    sv->over = false;
}

static void mesh_free(struct feed_mesh *m) {
    feed_found_free(&m->found);
    buf_free(&m->wish.prefixes);
    mem_free(MEM_CLIENT, m);
}

/* Those that nobody has any more, or all. */
static void sweep(struct feed_sieve *sv, bool all) {
    for (struct feed_mesh **at = &sv->meshes; *at;) {
        struct feed_mesh *m = *at;
        if (m->refs && !all) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        mesh_free(m);
    }
}

void feed_sieve_free(struct feed_sieve *sv) {
    forget_place(sv);
    sweep(sv, true);
    mem_free(MEM_CLIENT, sv->place);
    mem_free(MEM_CLIENT, sv->length);
    mem_free(MEM_MISC, sv);
}

struct feed_mesh *feed_sieve_join(struct feed_sieve *sv, const struct feed_wish *w) {
    struct feed_mesh *m = sv->meshes;
    while (m && !feed_wish_same(&m->wish, w)) m = m->next;
    if (!m) {
        m = mem_zalloc(MEM_CLIENT, sizeof *m);
        m->wish = *w;
        buf_init(&m->wish.prefixes, MEM_CLIENT);
        buf_put(&m->wish.prefixes, w->prefixes.p, w->prefixes.n);
        feed_found_init(&m->found);
        m->next = sv->meshes;
        sv->meshes = m;
        sv->changed = true;
    }
    sv->count += !m->refs++;
    return m;
}

void feed_sieve_part(struct feed_sieve *sv, struct feed_mesh *m) {
    if (--m->refs) return;
    sv->changed = true;
    if (!--sv->count) forget_place(sv);
}

/* -- the table --------------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *p, size_t n) { return hash_bytes(p, n, 0); }

static void table_put(struct feed_sieve *sv, struct feed_mesh *m, struct slice prefix) {
    uint64_t hash = hash_of(prefix.p, prefix.n);
    size_t at = hash & sv->mask;
    while (sv->place[at].mesh) at = (at + 1) & sv->mask;
    sv->place[at] = (struct place){m, hash, prefix};
}

static int by_size(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static void keep_lengths_once(struct feed_sieve *sv, size_t n) {
    qsort(sv->length, n, sizeof *sv->length, by_size);
    sv->lengths = 0;
    for (size_t i = 0; i < n; i++)
        if (!i || sv->length[i] != sv->length[sv->lengths - 1]) sv->length[sv->lengths++] = sv->length[i];
}

static void make_table(struct feed_sieve *sv) {
    size_t n = 0, room = 4;
    sweep(sv, false);
    for (const struct feed_mesh *m = sv->meshes; m; m = m->next)
        for (const char *p = m->wish.prefixes.p, *end = p + m->wish.prefixes.n; p < end; n++) feed_wish_next(&p);
    while (room < 2 * n) room *= 2;
    mem_free(MEM_CLIENT, sv->place);
    mem_free(MEM_CLIENT, sv->length);
    sv->place = mem_zalloc(MEM_CLIENT, room * sizeof *sv->place);
    sv->length = mem_alloc(MEM_CLIENT, (n + 1) * sizeof *sv->length);
    sv->mask = room - 1;
    n = 0;
    for (struct feed_mesh *m = sv->meshes; m; m = m->next)
        for (const char *p = m->wish.prefixes.p, *end = p + m->wish.prefixes.n; p < end;) {
            struct slice prefix = feed_wish_next(&p);
            table_put(sv, m, prefix);
            sv->length[n++] = prefix.n;
        }
    keep_lengths_once(sv, n);
    sv->changed = false;
}

/* -- a walk ------------------------------------------------------------------------------------------------------------------ */

bool feed_sieve_begin(struct feed_sieve *sv, const struct feed_place *from) {
    sv->over = false;
    if (sv->count < 2) {
        forget_place(sv);
        return false;
    }
    if (sv->changed) make_table(sv);
    for (struct feed_mesh *m = sv->meshes; m; m = m->next) {
        m->ready = true;
        m->last = 0;
    }
    if (!sv->end.block) {
        sv->end = *from;
        feed_ring_hold(sv->end.block);
    }
    sv->from = sv->end.seq;
    sv->found = 0;
    return true;
}

static inline void find(struct feed_sieve *sv, struct feed_mesh *m, uint64_t seq, const struct feed_change *c, uint32_t hash) {
    if (m->last == seq) return;
    m->last = seq;
    feed_found_put(&m->found, m->wish.hashed, c, hash);
    sv->found += m->wish.hashed ? sizeof hash : c->n;
}

static void find_key(struct feed_sieve *sv, uint64_t seq, const struct feed_change *c, uint32_t told) {
    for (size_t i = 0; i < sv->lengths && sv->length[i] <= c->text.n; i++) {
        size_t n = sv->length[i];
        uint64_t hash = hash_of(c->text.p, n);
        const struct place *p;
        for (size_t at = hash & sv->mask; (p = &sv->place[at])->mesh; at = (at + 1) & sv->mask)
            if (p->hash == hash && p->prefix.n == n && !memcmp(p->prefix.p, c->text.p, n)) find(sv, p->mesh, seq, c, told);
    }
}

static void find_odd(struct feed_sieve *sv, uint64_t seq, const struct feed_change *c) {
    for (struct feed_mesh *m = sv->meshes; m; m = m->next)
        if (m->ready && feed_wish_wants(&m->wish, c)) find(sv, m, seq, c, 0);
}

static void walk(struct feed_sieve *sv, const struct feed_piece *piece, uint64_t until) {
    const uint32_t *hash = feed_ring_hashes(piece->block) - (piece->first - piece->block->first);
    const char *p = piece->block->data + piece->from;
    uint64_t seq = piece->first;
    for (; seq < piece->next && seq < until; seq++, hash--) {
        struct feed_change c = feed_wish_change(p);
        p += c.n;
        if (c.kind == 'k') find_key(sv, seq, &c, *hash);
        else find_odd(sv, seq, &c);
    }
    sv->end.at = (uint32_t)(p - piece->block->data);
    sv->end.seq = seq;
}

bool feed_sieve_step(struct feed_sieve *sv, struct env *e, uint64_t *until) {
    struct feed_piece piece;
    if (!sv->end.block) return false;
    if (sv->end.seq < *until && sv->found < MOST && feed_ring_next(e->feed, &sv->end, &piece)) {
        bool there = piece.block && !piece.bare;
        if (there) walk(sv, &piece, *until);
        if (piece.block) feed_ring_release(piece.block);
        if (!there) forget_place(sv); /* lost: each that stands there finds that out for itself */
        return there;
    }
    if (sv->end.seq < *until) *until = sv->end.seq;
    sv->over = true;
    return false;
}

struct feed_found *feed_sieve_get(struct feed_sieve *sv, struct feed_mesh *m, const struct feed_place *from, const struct feed_place **end) {
    if (!sv->over || !m || !m->ready || from->seq != sv->from || sv->end.seq == sv->from) return NULL;
    *end = &sv->end;
    return &m->found;
}

void feed_sieve_clear(struct feed_sieve *sv) {
    sv->over = false;
    for (struct feed_mesh *m = sv->meshes; m; m = m->next) {
        m->ready = false;
        m->found.n = m->found.hashes.n = m->found.text.n = 0;
        if (m->found.hashes.cap > KEPT) buf_free(&m->found.hashes);
        if (m->found.text.cap > KEPT) buf_free(&m->found.text);
    }
}
