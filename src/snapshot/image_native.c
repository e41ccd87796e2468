/* Blocks as they are written to larder's own files. */
#include "snapshot/image_inside.h"

void image_native_free(struct image_writer *w) {
    record_pieces_free(w->native.pieces);
    buf_free(&w->native.scratch);
    buf_free(&w->native.piece);
    buf_free(&w->native.index);
}

enum image_status image_native_begin(struct image_writer *w) {
    uint8_t head[NATIVE_HEAD];
    native_put_head(head, &(struct native_head){NATIVE_MAJOR, NATIVE_MINOR, w->options.now, w->options.used_memory});
    return image_writer_out(w, head, sizeof head) ? IMAGE_OK : IMAGE_FAILED;
}

static enum image_status put_block(struct image_writer *w, struct native_block b, struct slice plain) {
    uint8_t head[NATIVE_BLOCK];
    struct slice stored = native_press(plain.p, plain.n, w->options.compress && b.kind != NATIVE_INDEX, &w->native.scratch, &b.codec);
    b.offset = w->facts.written;
    b.plain = (uint32_t)plain.n;
    b.stored = (uint32_t)stored.n;
    native_put_block(head, &b, stored.p);
    if (!image_writer_out(w, head, sizeof head) || !image_writer_out(w, stored.p, stored.n)) return IMAGE_FAILED;
    if (b.kind == NATIVE_INDEX) return IMAGE_OK;
    native_put_entry((uint8_t *)buf_room(&w->native.index, NATIVE_ENTRY), &b);
    w->native.index.n += NATIVE_ENTRY;
    w->facts.blocks++;
    return IMAGE_OK;
}

enum image_status image_native_full(struct image_writer *w, const struct full *f) {
    return put_block(w, (struct native_block){.kind = NATIVE_RECORDS, .heat = f->heat, .records = f->records}, buf_slice(&f->bytes));
}

/* -- large values ------------------------------------------------------------------------------------------------------------- */

enum image_status image_native_large(struct image_writer *w, const struct record *r) {
    struct image_native *n = &w->native;
    n->pieces = record_pieces_new(r);
    n->chain++;
    n->piece_number = 0;
    n->heat = r->heat < RECORD_HEATS ? r->heat : RECORD_HEATS - 1;
    n->piece.n = 0;
    record_pieces_head(n->pieces, &n->piece);
    return IMAGE_MORE;
}

/* A member may be longer than a block may be: so what a step gave is cut again. */
static enum image_status put_pieces(struct image_writer *w, bool last) {
    struct image_native *n = &w->native;
    enum image_status st = IMAGE_OK;
    for (size_t at = 0; !st && at < n->piece.n;) {
        size_t k = n->piece.n - at < 2 * IMAGE_BLOCK ? n->piece.n - at : IMAGE_BLOCK;
        bool end = last && at + k == n->piece.n;
        struct native_block b = {.kind = NATIVE_PIECE, .heat = n->heat, .flags = end ? NATIVE_LAST : 0, .records = !n->piece_number,
            .piece = n->piece_number, .chain = n->chain};
        st = put_block(w, b, (struct slice){n->piece.p + at, k});
        n->piece_number++;
        at += k;
    }
    w->facts.plain += n->piece.n;
    n->piece.n = 0;
    return st;
}

enum image_status image_native_step(struct image_writer *w) {
    struct image_native *n = &w->native;
    bool last = record_pieces_step(n->pieces, &n->piece, IMAGE_BLOCK) == RECORD_OK;
    enum image_status st = put_pieces(w, last);
    if (!st && !last) return IMAGE_MORE;
    record_pieces_free(n->pieces);
    n->pieces = NULL;
    if (n->piece.cap > 4 * IMAGE_BLOCK) buf_free(&n->piece);
    return st;
}

/* -- the end ------------------------------------------------------------------------------------------------------------------ */

enum image_status image_native_finish(struct image_writer *w) {
    const struct buf *index = &w->native.index;
    struct native_tail t = {.index = w->facts.written, .blocks = w->facts.blocks, .records = w->facts.records};
    uint8_t tail[NATIVE_TAIL];
    for (size_t at = 0; at < index->n || !t.indexes; at += NATIVE_INDEX_MOST, t.indexes++) {
        size_t k = index->n - at < NATIVE_INDEX_MOST ? index->n - at : NATIVE_INDEX_MOST;
        enum image_status st = put_block(w, (struct native_block){.kind = NATIVE_INDEX}, (struct slice){index->p + at, k});
        if (st) return st;
    }
    t.size = w->facts.written + sizeof tail;
    native_put_tail(tail, &t);
    return image_writer_out(w, tail, sizeof tail) ? IMAGE_OK : IMAGE_FAILED;
}
