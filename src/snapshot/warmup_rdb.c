/* RDB files: there is one stream, so one thread takes it apart and makes entries, and another puts them in. */
#include "snapshot/warmup_inside.h"

#include "base/clock.h"
#include "snapshot/rdb_file.h"

#include <stdio.h>

#define COUNT_EVERY 256 /* records between two looks at how far it is */

/* The other half: what one hand has filled, the other puts in, by turns. */
struct relay {
    struct warmup *w;
    struct hand putter;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool ready, over;
};

static void *relay_run(void *arg) {
    struct relay *y = arg;
    thread_name("warm");
    mem_leave_to_background();
    pthread_mutex_lock(&y->mutex);
    while (!y->over || y->ready) {
        if (!y->ready) {
            pthread_cond_wait(&y->changed, &y->mutex);
            continue;
        }
        pthread_mutex_unlock(&y->mutex);
        hand_put(&y->putter);
        pthread_mutex_lock(&y->mutex);
        y->ready = false;
        pthread_cond_signal(&y->changed);
    }
    pthread_mutex_unlock(&y->mutex);
    hand_rest(&y->putter);
    return NULL;
}

/* Hands over what h holds, and gets an empty place for as many. */
static void relay_give(struct relay *y, struct hand *h) {
    pthread_mutex_lock(&y->mutex);
    while (y->ready) pthread_cond_wait(&y->changed, &y->mutex);
    struct warm_item *item = y->putter.item, *spare = y->putter.spare;
    y->putter.item = h->item;
    y->putter.spare = h->spare;
    y->putter.n = h->n;
    y->putter.tally = h->tally;
    h->item = item;
    h->spare = spare;
    h->n = 0;
    y->ready = true;
    pthread_cond_signal(&y->changed);
    pthread_mutex_unlock(&y->mutex);
    hand_refresh(h);
}

static bool relay_open(struct relay *y, struct warmup *w) {
    *y = (struct relay){.w = w};
    pthread_mutex_init(&y->mutex, NULL);
    pthread_cond_init(&y->changed, NULL);
    hand_open(&y->putter, w, 1);
    if (w->threads > 1 && !pthread_create(&y->thread, NULL, relay_run, y)) return true;
    hand_close(&y->putter);
    return false;
}

static void relay_close(struct relay *y) {
    pthread_mutex_lock(&y->mutex);
    y->over = true;
    pthread_cond_signal(&y->changed);
    pthread_mutex_unlock(&y->mutex);
    pthread_join(y->thread, NULL);
    hand_close(&y->putter);
}

/* -- reading -------------------------------------------------------------------------------------------------------------------- */

struct reading {
    struct hand hand;
    struct rdb_file *file;
};

static void look_around(struct reading *r) {
    r->hand.tally.read = rdb_file_offset(r->file);
    atomic_store(&r->hand.w->count.bytes_done, r->hand.tally.read);
    atomic_store(&r->hand.w->count.keys, rdb_file_about(r->file)->keys_told);
    warmup_progress(r->hand.w);
}

static bool wants(void *reading, struct record *r) { return hand_wants(&((struct reading *)reading)->hand, r); }

static bool room(void *reading, size_t built, size_t n) {
    look_around(reading); /* a value may take longer than all others together */
    return hand_may_grow(&((struct reading *)reading)->hand, built, n);
}

static enum rdb_file_status take_large(struct reading *in, const struct record *r, uint64_t total) {
    struct hand *h = &in->hand;
    struct entry *e = hand_entry(h, r, FORM_AUTO, (size_t)total);
    char *value = e ? (char *)(uintptr_t)entry_value(e).p : NULL;
    struct slice piece = {NULL, 0};
    enum rdb_file_status st;
    for (size_t at = 0; !(st = rdb_file_more(in->file, &piece)); at += piece.n) {
        if (e) memcpy(value + at, piece.p, piece.n);
        look_around(in);
    }
    if (st == RDB_FILE_END && e) hand_take(h, r, e);
    else if (e) entry_free(e);
    return st == RDB_FILE_END ? RDB_FILE_RECORD : st;
}

static void take(struct hand *h, struct rdb_file *f, const struct record *r) {
    if (r->type == VALUE_STRING) {
        hand_take_string(h, r);
        return;
    }
    if (r->home->object) rdb_file_taken(f);
    hand_take_home(h, r, r->home);
}

static enum rdb_file_status load(struct warmup *w, struct reading *in, struct relay *y) {
    struct rdb_file *f = in->file;
    struct hand *h = &in->hand;
    struct record r;
    uint64_t total = 0, n = 0;
    enum rdb_file_status st;
    while ((st = rdb_file_next(f, &r, &total)) < RDB_FILE_END && !warmup_stopped(w)) {
        if (st == RDB_FILE_LARGE) {
            if ((st = take_large(in, &r, total)) != RDB_FILE_RECORD) break;
        } else if (st == RDB_FILE_RECORD) {
            take(h, f, &r);
        }
        hand_built(h);
        if (y && h->n == WARMUP_BATCH - 1) relay_give(y, h);
        if (++n % COUNT_EVERY == 0) look_around(in);
    }
    return st;
}

static void ended(struct warmup *w, struct rdb_file *f, enum rdb_file_status st) {
    const struct rdb_file_about *about = rdb_file_about(f);
    atomic_store(&w->count.bytes_done, rdb_file_offset(f));
    atomic_store(&w->count.keys, about->keys_told);
    atomic_store(&w->count.passed_by, about->streams + about->modules + about->module_data + about->functions);
    atomic_fetch_add(&w->count.expired, about->past);
    if (st == RDB_FILE_REFUSED) {
        char why[200];
        snprintf(why, sizeof why, "it has %s, and warm-foreign says refuse", rdb_file_why(f));
        warmup_failed(w, why);
    } else if (st > RDB_FILE_END) {
        warmup_failed(w, rdb_file_why(f));
    }
}

bool warmup_rdb(struct warmup *w) {
    struct reading in;
    struct relay y;
    struct rdb_file_options o = {.limits = &w->config.store_config->limits, .seed = store_seed(w->config.store), .now = clock_ms(),
        .refuse = w->file->request.refuse, .wants = wants, .room = room, .arg = &in};
    struct rdb_file *f = in.file = rdb_file_new(w->file->request.fd, &o);
    hand_open(&in.hand, w, 0);
    bool two = relay_open(&y, w);
    enum rdb_file_status st = load(w, &in, two ? &y : NULL);
    hand_close(&in.hand);
    if (two) relay_close(&y);
    ended(w, f, st);
    rdb_file_free(f);
    return st <= RDB_FILE_END;
}
