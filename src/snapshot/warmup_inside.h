/* warmup_inside: a warm-up under way, for warmup.c and the two loaders only.
 *
 * Thread rule: counters by any of its threads; `file` is set before the threads that see it start. A hand belongs to its thread.
 */
#ifndef LARDER_SNAPSHOT_WARMUP_INSIDE_H
#define LARDER_SNAPSHOT_WARMUP_INSIDE_H

#include "snapshot/heat.h"
#include "snapshot/image_reader.h"
#include "snapshot/warmup.h"
#include "store/warm.h"

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

#define WARMUP_BATCH 16384 /* records that are put in together: some for each segment of a cache of millions */
#define WARMUP_THREADS 32

struct warmup_file {
    struct warmup_file *next;
    struct warmup_request request;
    char *path;
    struct buf pattern;
    dev_t dev;
    ino_t ino;
    struct timespec mtime;
};

struct warmup_count { /* of one file */
    _Atomic uint64_t bytes, bytes_done, keys, loaded, present, buried, expired, filtered, no_room, out_of_range, damaged, passed_by;
};

/* What one thread has come across, by which it is guessed what is to come. */
struct tally {
    uint64_t read;            /* bytes of the file */
    uint64_t records, taken;  /* of these, so many were wanted */
    uint64_t bytes;           /* that those take */
    uint64_t of_db[STORE_DATABASES];
};

/* What one thread has. The stats outlive the run: the store has a lane of them. */
struct hand {
    struct warmup *w;
    struct store_stats *stats;
    struct view view;         /* for what a new entry's access word is */
    struct warm_item *item, *spare;
    size_t n;
    struct tally tally;
    struct home home;         /* its bytes are used again */
    bool building;            /* a collection that has asked for room */
};

struct warmup {
    struct warmup_config config;
    pthread_mutex_t mutex;    /* the queue, `state` and what facts are made of */
    pthread_cond_t changed;
    struct warmup_file *file, *waiting, **last;
    struct warmup_file *unreadable; /* those that a save may not write over */
    struct warmup_file *given_up;   /* by warmup_cancel, before their end */
    enum warmup_state state;
    bool running;             /* a thread is at the queue */
    pthread_t thread;
    bool joinable;
    char path[256], format[24], why[256];
    int64_t started_ms, started_us, ended_us, logged_us;
    struct warmup_count count;
    _Atomic uint64_t loaded_ever, expired_ever;
    _Atomic bool cancelled, full, broken; /* the file is given up; broken: strict, and something is damaged */
    bool strict;
    unsigned threads;
    _Atomic unsigned building;  /* hands that are building what may turn out not to fit */
    _Atomic bool yield;         /* ... and are to give it up, since others need the room */
    struct store_stats *stats[WARMUP_THREADS];
    /* native */
    const struct image_reader *reader;
    _Atomic size_t next_job;
};

static inline bool warmup_stopped(struct warmup *w) {
    return atomic_load_explicit(&w->cancelled, memory_order_relaxed) || atomic_load_explicit(&w->full, memory_order_relaxed) ||
           atomic_load_explicit(&w->broken, memory_order_relaxed);
}
/* How many keys each shard will have of each database of the file, about (warmup_hand.c). */
void tally_expect(const struct tally *t, struct warmup *w, uint64_t expect[STORE_DATABASES]);
void warmup_progress(struct warmup *w);                /* a line of the log now and then */
void warmup_failed(struct warmup *w, const char *why); /* of the whole file */
void warmup_damaged(struct warmup *w, const char *what); /* of a part; the file goes on unless it is strict */

/* -- hands (warmup_hand.c) ------------------------------------------------------------------------------------------------------ */
void hand_open(struct hand *h, struct warmup *w, unsigned number);
void hand_close(struct hand *h);                       /* what it still holds is put in */
void hand_rest(struct hand *h);                        /* by the thread that used it, before it ends: it keeps no room */
void hand_put(struct hand *h);                         /* puts in what it holds */
void hand_refresh(struct hand *h);                     /* what time it is */
/* May the record be loaded? Sets its deadline as the request wants it. */
bool hand_wants(struct hand *h, struct record *r);
/* Is there room for n more bytes? If not, the warm-up is over, or that one is left out because it is large. What is still being built
 * gives way to what is whole. */
bool hand_has_room(struct hand *h, size_t n);
/* The same of a collection that is being built, asked as allowance.h does; hand_built when it is there, or was given up. */
bool hand_may_grow(void *hand, size_t built, size_t n);
void hand_built(struct hand *h);
/* An entry for a record of which the value has n bytes, to be filled; then hand_take. NULL: there is no room. */
struct entry *hand_entry(struct hand *h, const struct record *r, enum entry_form form, size_t n);
void hand_take(struct hand *h, const struct record *r, struct entry *e);
void hand_take_string(struct hand *h, const struct record *r);
void hand_take_home(struct hand *h, const struct record *r, const struct home *home); /* the object is the store's then */

bool warmup_native(struct warmup *w); /* false: it could not be loaded, and warmup_failed was told why */
bool warmup_rdb(struct warmup *w);

#endif
