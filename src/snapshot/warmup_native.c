/* Larder's own files: every thread takes the next block, the hottest first. */
#include "snapshot/warmup_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 5 /* who serves comes first */
#define AT_ONCE 6 /* classes of heat, a thirtieth of the keys, that do not wait until many are together */

static void empty(struct home *h) {
    h->n = 0;
    h->object = NULL;
    h->form = VALUE_PACKED;
}

/* The members of a small collection. False: they are not right. */
static bool take_body(struct hand *h, const struct record *r) {
    struct record_fill f;
    struct slice body = r->body;
    empty(&h->home);
    record_fill_begin(&f, &h->home, r, r->members, h->view.now);
    f.allowance = allowance_of((struct allowance_giver){hand_may_grow, h});
    enum record_status st = record_fill_add(&f, &body);
    bool right = !st && !record_fill_end(&f);
    bool past = right && !value_ops(r->type)->count(&h->home);
    if (right && !past) {
        hand_take_home(h, r, &h->home);
        return true;
    }
    if (h->home.object) value_free(r->type, h->home.object);
    hand_built(h);
    atomic_fetch_add(&h->w->count.expired, past);
    return right || st == RECORD_NO_ROOM;
}

/* Nothing is taken for a packed string before all of it is known to be right. */
static bool becomes_packed(struct entry *e, const struct record *r) {
    struct entry_spec spec = entry_spec_of(e);
    if (!record_sound(r, entry_value(e))) return false;
    spec.form = FORM_LZ4;
    spec.plain = r->original;
    entry_rewrite(e, &spec, spec.valuelen);
    return true;
}

/* The pieces of a large value go right where they are to stay. */
static enum image_read take_large_string(struct hand *h, struct image_cursor *c, struct record *r, uint64_t total) {
    struct entry *e = hand_entry(h, r, r->original ? FORM_RAW : FORM_AUTO, (size_t)total);
    struct slice piece;
    enum image_read st;
    if (!e) return IMAGE_READ_END;
    char *value = (char *)(uintptr_t)entry_value(e).p;
    uint64_t at = 0;
    while (!(st = image_cursor_more(c, &piece)) && total - at >= piece.n) {
        memcpy(value + at, piece.p, piece.n);
        at += piece.n;
    }
    bool right = st == IMAGE_READ_END && at == total;
    if (right && r->original) right = becomes_packed(e, r);
    if (right) hand_take(h, r, e);
    else entry_free(e);
    return right ? IMAGE_READ_END : st == IMAGE_READ_FAILED ? st : IMAGE_READ_DAMAGED;
}

static enum image_read take_large(struct hand *h, struct image_cursor *c, struct record *r, uint64_t total) {
    if (r->type == VALUE_STRING) return take_large_string(h, c, r, total);
    empty(&h->home);
    enum image_read st = image_cursor_fill(c, r, &h->home, h->view.now);
    if (!st && value_ops(r->type)->count(&h->home)) {
        hand_take_home(h, r, &h->home);
        return IMAGE_READ_END;
    }
    if (h->home.object) value_free(r->type, h->home.object);
    hand_built(h);
    return st && st != IMAGE_READ_NO_ROOM ? st : IMAGE_READ_END;
}

static enum image_read load_job(struct hand *h, struct image_cursor *c, const struct image_job *job) {
    struct record r;
    bool large;
    uint64_t total;
    enum image_read st = image_cursor_open(c, job);
    while (!st && !warmup_stopped(h->w)) {
        st = image_cursor_next(c, &r, &large, &total);
        if (st || !hand_wants(h, &r)) {
            if (!st && large) st = IMAGE_READ_END;
            continue;
        }
        if (large) st = take_large(h, c, &r, total);
        else if (r.type == VALUE_STRING) hand_take_string(h, &r);
        else if (!take_body(h, &r)) st = IMAGE_READ_DAMAGED;
    }
    return st;
}

static void load_jobs(struct warmup *w, unsigned number) {
    struct hand h;
    struct image_cursor *c = image_cursor_new(w->reader);
    hand_open(&h, w, number);
    image_cursor_ask(c, (struct allowance_giver){hand_may_grow, &h});
    while (!warmup_stopped(w)) {
        size_t i = atomic_fetch_add(&w->next_job, 1);
        if (i >= image_reader_jobs(w->reader)) break;
        const struct image_job *job = image_reader_job(w->reader, i);
        h.tally.read += job->bytes;
        if (job->chain) hand_put(&h); /* which takes a while */
        enum image_read st = load_job(&h, c, job);
        if (job->heat >= AT_ONCE) hand_put(&h);
        if (st == IMAGE_READ_DAMAGED || st == IMAGE_READ_FAILED) {
            char what[128];
            snprintf(what, sizeof what, "the block at offset %llu %s%s",
                (unsigned long long)image_reader_block(w->reader, job->first)->offset, st == IMAGE_READ_FAILED ? "cannot be read: " : "is damaged",
                st == IMAGE_READ_FAILED ? strerror(errno) : "");
            warmup_damaged(w, what);
        }
        atomic_fetch_add(&w->count.bytes_done, job->bytes);
        if (!number) warmup_progress(w);
    }
    hand_close(&h);
    image_cursor_free(c);
}

struct helper {
    struct warmup *w;
    pthread_t thread;
    unsigned number;
};

static void *help(void *arg) {
    struct helper *h = arg;
    thread_name("warm");
    mem_leave_to_background();
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    load_jobs(h->w, h->number);
    return NULL;
}

static void load_all(struct warmup *w) {
    struct helper helper[WARMUP_THREADS];
    unsigned n = 0;
    while (n + 1 < w->threads && n + 1 < image_reader_jobs(w->reader)) {
        helper[n] = (struct helper){.w = w, .number = n + 1};
        if (pthread_create(&helper[n].thread, NULL, help, &helper[n])) break;
        n++;
    }
    load_jobs(w, 0);
    while (n) pthread_join(helper[--n].thread, NULL);
}

bool warmup_native(struct warmup *w) {
    struct image_reader *r;
    struct buf why = {0};
    bool ok = !image_reader_open(&r, w->file->request.fd, &why);
    if (!ok) {
        warmup_failed(w, buf_cstr(&why));
        buf_free(&why);
        return false;
    }
    buf_free(&why);
    const struct image_about *about = image_reader_about(r);
    atomic_store(&w->count.bytes, about->bytes);
    atomic_store(&w->count.keys, about->records);
    if (!about->whole) warmup_damaged(w, "its index is missing or damaged: it was cut off, or is not all there");
    if (about->lost) warmup_damaged(w, "there are bytes that belong to no block");
    if (about->broken) warmup_damaged(w, "pieces of large values are missing");
    w->reader = r;
    atomic_store(&w->next_job, 0);
    if (!warmup_stopped(w)) load_all(w);
    w->reader = NULL;
    image_reader_free(r);
    return true;
}
