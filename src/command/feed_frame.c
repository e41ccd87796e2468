#include "command/feed_frame.h"

#include "base/deltas.h"
#include "base/match.h"
#include "base/num.h"

#define MOST_HASHES 32768 /* in a frame */
#define MOST_TEXT 131072  /* bytes of changes, of who wants them as they are */

/* A frame being made. */
struct making {
    struct feed_frame *v;
    struct buf hashes, text; /* of keys; changes as they are sent */
    size_t n;                /* changes in text */
};

/* -- what is wanted ---------------------------------------------------------------------------------------------------------- */

/* One change, as it is sent. */
struct change {
    const char *at;
    size_t n; /* all of it */
    char kind;
    struct slice text;
};

static struct change change_at(const char *p) {
    struct change c = {.at = p};
    size_t len = 0;
    for (p++; *p != '\r'; p++) len = len * 10 + (size_t)(*p - '0');
    p += 2;
    c.kind = *p;
    size_t marked = p[2] == ' ' ? 3 : 4;
    c.text = (struct slice){p + marked, len - marked};
    c.n = (size_t)(p + len + 2 - c.at);
    return c;
}

static bool begins(struct slice text, struct slice prefix) { return text.n >= prefix.n && !memcmp(text.p, prefix.p, prefix.n); }

static bool is_wanted(const struct change *c, const struct buf *prefixes) {
    if (c->kind == 'f' || !prefixes->n) return true;
    for (const char *p = prefixes->p, *end = p + prefixes->n; p < end;) {
        struct slice prefix;
        memcpy(&prefix.n, p, sizeof prefix.n);
        prefix.p = p + sizeof prefix.n;
        p = prefix.p + prefix.n;
        if (c->kind == 'k' ? begins(c->text, prefix) : match_may_begin(c->text, prefix)) return true;
    }
    return false;
}

static bool is_same(const struct feed_wish *a, const struct feed_wish *b) {
    const struct buf *p = &a->prefixes, *q = &b->prefixes;
    return a->hashed == b->hashed && a->proto == b->proto && p->n == q->n && (!p->n || !memcmp(p->p, q->p, p->n));
}

/* -- making ------------------------------------------------------------------------------------------------------------------ */

static void sift(struct making *m, const struct feed_piece *piece) {
    const struct feed_wish *w = &m->v->wish;
    const uint32_t *hash = feed_ring_hashes(piece->block) - (piece->first - piece->block->first);
    for (const char *p = piece->block->data + piece->from, *end = piece->block->data + piece->to; p < end; hash--) {
        struct change c = change_at(p);
        p += c.n;
        if (!is_wanted(&c, &w->prefixes)) continue;
        if (w->hashed && c.kind == 'k') {
            buf_put(&m->hashes, hash, sizeof *hash);
        } else {
            buf_put(&m->text, c.at, c.n);
            m->n++;
        }
    }
}

/* Of entries from..to of a block the hashes, which lie side by side. */
static void take_hashes(struct making *m, struct feed_block *b, uint64_t from, uint64_t to) {
    if (from < to) buf_put(&m->hashes, feed_ring_hashes(b) - (to - 1), (to - from) * sizeof(uint32_t));
}

/* All of a piece of a bare block: hashes, but for those of what is no key. */
static void take_bare(struct making *m, const struct feed_piece *piece) {
    struct feed_block *b = piece->block;
    uint64_t from = piece->first - b->first, to = piece->next - b->first;
    for (uint32_t at = piece->from; at < piece->to; m->n++) {
        struct slice text;
        uint32_t odd = feed_ring_odd(b, &at, &text);
        buf_put(&m->text, text.p, text.n);
        take_hashes(m, b, from, odd);
        from = odd + 1;
    }
    take_hashes(m, b, from, to);
}

/* False: it is lost. */
static bool take(struct making *m, const struct feed_piece *piece) {
    const struct feed_wish *w = &m->v->wish;
    uint64_t first = piece->block->first;
    bool keys = feed_wish_keys(w);
    if (piece->bare && keys) return false;
    if (piece->bare) take_bare(m, piece);
    else if (keys || piece->odd) sift(m, piece);
    else take_hashes(m, piece->block, piece->first - first, piece->next - first);
    return true;
}

static void gather(struct making *m, struct env *e) {
    struct feed_frame *v = m->v;
    struct feed_piece piece;
    while (m->hashes.n < MOST_HASHES * sizeof(uint32_t) && m->text.n < MOST_TEXT && feed_ring_next(e->feed, &v->end, &piece)) {
        v->lost = !piece.block || !take(m, &piece);
        if (piece.block) feed_ring_release(piece.block);
        if (v->lost) return;
    }
}

static void put_number(struct buf *out, char mark, uint64_t v) {
    char *p = buf_room(out, 1 + NUM_I64_MAX + 2), *at = p;
    *at++ = mark;
    at += num_put_u64(at, v);
    *at++ = '\r';
    *at++ = '\n';
    out->n += (size_t)(at - p);
}

void feed_frame_head(struct buf *out, int proto, uint64_t first, uint64_t next) {
    buf_puts(out, proto == 3 ? ">4\r\n$4\r\nfeed\r\n" : "*4\r\n$4\r\nfeed\r\n");
    put_number(out, ':', first);
    put_number(out, ':', next);
}

/* In order, and each once: several changes of one key are one. */
static void put_hashes(struct buf *out, struct buf *hashes) {
    size_t n = hashes->n / sizeof(uint32_t);
    struct buf room, packed;
    buf_init(&room, MEM_CLIENT);
    buf_init(&packed, MEM_CLIENT);
    n = deltas_sort((uint32_t *)(void *)hashes->p, n, (uint32_t *)(void *)buf_room(&room, hashes->n));
    deltas_put(&packed, (uint32_t *)(void *)hashes->p, n);
    put_number(out, '$', 3 + packed.n);
    buf_puts(out, "h* ");
    buf_put(out, packed.p, packed.n);
    buf_puts(out, "\r\n");
    buf_free(&room);
    buf_free(&packed);
}

static void write_out(struct making *m) {
    struct feed_frame *v = m->v;
    struct buf *out = &v->text;
    feed_frame_head(out, v->wish.proto, v->first, v->end.seq);
    if (v->lost) {
        buf_puts(out, v->wish.proto == 3 ? "_\r\n" : "*-1\r\n");
        return;
    }
    v->n = m->n + !!m->hashes.n;
    put_number(out, '*', v->n);
    if (m->hashes.n) put_hashes(out, &m->hashes);
    buf_put(out, m->text.p, m->text.n);
}

static struct feed_frame *make(struct env *e, const struct feed_wish *w, const struct feed_place *from, uint64_t first) {
    struct feed_frame *v = mem_zalloc(MEM_CLIENT, sizeof *v);
    struct making m = {.v = v};
    atomic_init(&v->refs, 1);
    v->wish = *w;
    buf_init(&v->wish.prefixes, MEM_CLIENT);
    buf_put(&v->wish.prefixes, w->prefixes.p, w->prefixes.n);
    buf_init(&v->text, MEM_CLIENT);
    buf_init(&m.hashes, MEM_CLIENT);
    buf_init(&m.text, MEM_CLIENT);
    v->first = first;
    v->from = v->end = *from;
    feed_ring_hold(v->end.block);
    gather(&m, e);
    if (v->end.seq != from->seq) write_out(&m);
    buf_free(&m.hashes);
    buf_free(&m.text);
    return v;
}

/* -- the shelf --------------------------------------------------------------------------------------------------------------- */

void feed_frame_hold(struct feed_frame *v) { atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed); }

void feed_frame_release(void *frame) {
    struct feed_frame *v = frame;
    if (atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    feed_ring_release(v->end.block);
    buf_free(&v->wish.prefixes);
    buf_free(&v->text);
    mem_free(MEM_CLIENT, v);
}

void feed_frame_clear(struct feed_shelf *shelf) {
    for (unsigned i = 0; i < FEED_SHELF && shelf->frame[i]; i++) {
        feed_frame_release(shelf->frame[i]);
        shelf->frame[i] = NULL;
    }
}

struct feed_frame *feed_frame_get(
    struct feed_shelf *shelf, struct env *e, const struct feed_wish *w, const struct feed_place *from, uint64_t first) {
    for (unsigned i = 0; i < FEED_SHELF && shelf->frame[i]; i++) {
        struct feed_frame *v = shelf->frame[i];
        if (v->from.seq == from->seq && v->first == first && is_same(&v->wish, w)) return v;
    }
    struct feed_frame *v = make(e, w, from, first);
    if (v->end.seq == from->seq) {
        feed_frame_release(v);
        return NULL;
    }
    struct feed_frame **last = &shelf->frame[FEED_SHELF - 1];
    if (*last) feed_frame_release(*last);
    memmove(&shelf->frame[1], &shelf->frame[0], (FEED_SHELF - 1) * sizeof shelf->frame[0]);
    return shelf->frame[0] = v;
}
