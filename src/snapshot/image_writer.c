#include "snapshot/image_inside.h"

#include <assert.h>
#include <errno.h>

#define SPARES 8 /* blocks that are kept to be filled again */
#define FIRST_BLOCK ((size_t)16 << 10)

struct image_writer *image_writer_new(const struct image_options *o) {
    struct image_writer *w = mem_zalloc(MEM_UPKEEP, sizeof *w);
    w->options = *o;
    if (!w->options.rdb_version) w->options.rdb_version = RDB_VERSION;
    w->ready_end = &w->ready;
    struct buf *const all[] = {&w->native.scratch, &w->native.piece, &w->native.index, &w->rdb.out, &w->rdb.value,
        &w->rdb.words.scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) buf_init(all[i], MEM_UPKEEP);
    w->rdb.words.out = &w->rdb.out;
    w->rdb.words.compress = o->compress;
    return w;
}

static void full_free(struct full *f) {
    if (!f) return;
    buf_free(&f->bytes);
    mem_free(MEM_UPKEEP, f);
}

static void list_free(struct full *f) {
    for (struct full *next; f; f = next) {
        next = f->next;
        full_free(f);
    }
}

void image_writer_free(struct image_writer *w) {
    if (!w) return;
    for (struct tray *t = w->trays, *next; t; t = next) {
        next = t->next;
        for (unsigned i = 0; i < RECORD_HEATS; i++) full_free(t->open[i]);
        mem_free(MEM_UPKEEP, t);
    }
    list_free(w->ready);
    list_free(w->spare);
    image_native_free(w);
    image_rdb_free(w);
    mem_free(MEM_UPKEEP, w);
}

struct tray *image_writer_tray(struct image_writer *w) {
    struct tray *t = mem_zalloc(MEM_UPKEEP, sizeof *t);
    t->writer = w;
    lock_acquire(&w->lock);
    t->next = w->trays;
    w->trays = t;
    lock_release(&w->lock);
    return t;
}

/* -- trays ------------------------------------------------------------------------------------------------------------------- */

static struct full *full_new(struct image_writer *w, uint8_t heat) {
    lock_acquire(&w->lock);
    struct full *f = w->spare;
    if (f) {
        w->spare = f->next;
        w->spares--;
    }
    lock_release(&w->lock);
    if (!f) {
        f = mem_zalloc(MEM_UPKEEP, sizeof *f);
        buf_init(&f->bytes, MEM_UPKEEP);
        buf_room(&f->bytes, FIRST_BLOCK);
    }
    f->bytes.n = f->records = f->volatiles = 0;
    f->heat = heat;
    f->next = NULL;
    return f;
}

static void full_ready(struct image_writer *w, struct full *f) {
    lock_acquire(&w->lock);
    *w->ready_end = f;
    w->ready_end = &f->next;
    lock_release(&w->lock);
    atomic_fetch_add(&w->waiting, f->bytes.n);
}

bool tray_put(struct tray *t, const struct record *r) {
    uint8_t heat = r->heat < RECORD_HEATS ? r->heat : RECORD_HEATS - 1;
    struct full *f = t->open[heat];
    if (!f) f = t->open[heat] = full_new(t->writer, heat);
    assert(!record_large(r));
    record_put(&f->bytes, r);
    f->records++;
    f->volatiles += r->deadline != 0;
    if (f->bytes.n < IMAGE_BLOCK) return false;
    t->open[heat] = NULL;
    full_ready(t->writer, f);
    return true;
}

size_t image_writer_waiting(struct image_writer *w) { return atomic_load_explicit(&w->waiting, memory_order_relaxed); }

/* -- writing ------------------------------------------------------------------------------------------------------------------ */

bool image_writer_out(struct image_writer *w, const void *p, size_t n) {
    if (!n || w->options.sink(w->options.arg, p, n)) {
        w->facts.written += n;
        return true;
    }
    w->error = errno ? errno : EIO;
    return false;
}

static bool is_rdb(const struct image_writer *w) { return w->options.format == IMAGE_RDB; }

static enum image_status begin(struct image_writer *w) {
    if (w->error) return IMAGE_FAILED;
    if (w->begun) return IMAGE_OK;
    w->begun = true;
    return is_rdb(w) ? image_rdb_begin(w) : image_native_begin(w);
}

static void done_with(struct image_writer *w, struct full *f) {
    bool keep;
    atomic_fetch_sub(&w->waiting, f->bytes.n);
    w->facts.records += f->records;
    w->facts.volatiles += f->volatiles;
    w->facts.plain += f->bytes.n;
    lock_acquire(&w->lock);
    keep = w->spares < SPARES && f->bytes.cap <= 2 * IMAGE_BLOCK;
    if (keep) {
        f->next = w->spare;
        w->spare = f;
        w->spares++;
    }
    lock_release(&w->lock);
    if (!keep) full_free(f);
}

enum image_status image_writer_flush(struct image_writer *w) {
    enum image_status st = begin(w);
    assert(!w->native.pieces && !w->rdb.save && !w->rdb.unpacking);
    while (!st) {
        lock_acquire(&w->lock);
        struct full *f = w->ready;
        if (f && !(w->ready = f->next)) w->ready_end = &w->ready;
        lock_release(&w->lock);
        if (!f) break;
        st = is_rdb(w) ? image_rdb_full(w, f) : image_native_full(w, f);
        done_with(w, f);
    }
    return st;
}

enum image_status image_writer_large(struct image_writer *w, const struct record *r) {
    enum image_status st = begin(w);
    if (st) return st;
    w->facts.records++;
    w->facts.volatiles += r->deadline != 0;
    return is_rdb(w) ? image_rdb_large(w, r) : image_native_large(w, r);
}

enum image_status image_writer_step(struct image_writer *w) { return is_rdb(w) ? image_rdb_step(w) : image_native_step(w); }

enum image_status image_writer_finish(struct image_writer *w) {
    for (unsigned heat = RECORD_HEATS; heat--;)
        for (struct tray *t = w->trays; t; t = t->next)
            if (t->open[heat]) {
                full_ready(w, t->open[heat]);
                t->open[heat] = NULL;
            }
    enum image_status st = image_writer_flush(w);
    return st ? st : is_rdb(w) ? image_rdb_finish(w) : image_native_finish(w);
}

int image_writer_errno(const struct image_writer *w) { return w->error; }
struct image_facts image_writer_facts(const struct image_writer *w) { return w->facts; }
