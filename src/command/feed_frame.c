#include "command/feed_frame.h"

#include "base/deltas.h"
#include "base/num.h"

#define MOST_HASHES 32768 /* in a frame */
#define MOST_TEXT 131072  /* bytes of changes, of who wants them as they are */

/* A frame being made. */
struct making {
    struct feed_frame *v;
    struct feed_found found;
    uint64_t until;
};

/* What is wanted of a piece, up to `until`. */
static void sift(struct making *m, const struct feed_piece *piece) {
    struct feed_frame *v = m->v;
    const uint32_t *hash = feed_ring_hashes(piece->block) - (piece->first - piece->block->first);
    const char *p = piece->block->data + piece->from;
    uint64_t seq = piece->first;
    for (; seq < piece->next && seq < m->until; seq++, hash--) {
        struct feed_change c = feed_wish_change(p);
        p += c.n;
        if (feed_wish_wants(&v->wish, &c)) feed_found_put(&m->found, v->wish.hashed, &c, *hash);
    }
    v->end.at = (uint32_t)(p - piece->block->data);
    v->end.seq = seq;
}

/* Of entries from..to of a block the hashes, which lie side by side. */
static void take_hashes(struct making *m, struct feed_block *b, uint64_t from, uint64_t to) {
    if (from < to) buf_put(&m->found.hashes, feed_ring_hashes(b) - (to - 1), (to - from) * sizeof(uint32_t));
}

/* All of a piece of a bare block: hashes, but for those of what is no key. */
static void take_bare(struct making *m, const struct feed_piece *piece) {
    struct feed_block *b = piece->block;
    uint64_t from = piece->first - b->first, to = piece->next - b->first;
    for (uint32_t at = piece->from; at < piece->to; m->found.n++) {
        struct slice text;
        uint32_t odd = feed_ring_odd(b, &at, &text);
        buf_put(&m->found.text, text.p, text.n);
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
    while (v->end.seq < m->until && m->found.hashes.n < MOST_HASHES * sizeof(uint32_t) && m->found.text.n < MOST_TEXT && feed_ring_next(e->feed, &v->end, &piece)) {
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

/* In order, and each once: several changes of one key are one. What is put in order may be put again. */
static void put_hashes(struct buf *out, struct buf *hashes) {
    size_t n = hashes->n / sizeof(uint32_t);
    struct buf room, packed;
    buf_init(&room, MEM_CLIENT);
    buf_init(&packed, MEM_CLIENT);
    n = deltas_sort((uint32_t *)(void *)hashes->p, n, (uint32_t *)(void *)buf_room(&room, hashes->n));
    hashes->n = n * sizeof(uint32_t);
    deltas_put(&packed, (uint32_t *)(void *)hashes->p, n);
    put_number(out, '$', 3 + packed.n);
    buf_puts(out, "h* ");
    buf_put(out, packed.p, packed.n);
    buf_puts(out, "\r\n");
    buf_free(&room);
    buf_free(&packed);
}

static void write_out(struct feed_frame *v, struct feed_found *found) {
    struct buf *out = &v->text;
    feed_frame_head(out, v->wish.proto, v->first, v->end.seq);
    if (v->lost) {
        buf_puts(out, v->wish.proto == 3 ? "_\r\n" : "*-1\r\n");
        return;
    }
    v->n = found->n + !!found->hashes.n;
    put_number(out, '*', v->n);
    if (found->hashes.n) put_hashes(out, &found->hashes);
    buf_put(out, found->text.p, found->text.n);
}

static void look_for(struct feed_frame *v, struct env *e, const struct feed_span *span) {
    struct making m = {.v = v, .until = span->until};
    feed_found_init(&m.found);
    feed_ring_hold(v->end.block);
    gather(&m, e);
    if (v->end.seq != span->from->seq) write_out(v, &m.found);
    feed_found_free(&m.found);
}

static struct feed_frame *make(struct env *e, const struct feed_wish *w, const struct feed_span *span) {
    struct feed_frame *v = mem_zalloc(MEM_CLIENT, sizeof *v);
    atomic_init(&v->refs, 1);
    v->wish = *w;
    buf_init(&v->wish.prefixes, MEM_CLIENT);
    buf_put(&v->wish.prefixes, w->prefixes.p, w->prefixes.n);
    buf_init(&v->text, MEM_CLIENT);
    v->first = span->first;
    v->from = v->end = *span->from;
    if (!span->found) {
        look_for(v, e, span);
    } else {
        v->end = *span->end;
        feed_ring_hold(v->end.block);
        write_out(v, span->found);
    }
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

struct feed_frame *feed_frame_get(struct feed_shelf *shelf, struct env *e, const struct feed_wish *w, const struct feed_span *span) {
    const struct feed_place *from = span->from;
    for (unsigned i = 0; i < FEED_SHELF && shelf->frame[i]; i++) {
        struct feed_frame *v = shelf->frame[i];
        if (v->from.seq == from->seq && v->first == span->first && v->wish.proto == w->proto && feed_wish_same(&v->wish, w)) return v;
    }
    struct feed_frame *v = make(e, w, span);
    if (v->end.seq == from->seq) {
        feed_frame_release(v);
        return NULL;
    }
    struct feed_frame **last = &shelf->frame[FEED_SHELF - 1];
    if (*last) feed_frame_release(*last);
    memmove(&shelf->frame[1], &shelf->frame[0], (FEED_SHELF - 1) * sizeof shelf->frame[0]);
    return shelf->frame[0] = v;
}
