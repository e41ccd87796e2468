/* warmup: snapshots loaded into a store that serves at the same time: from larder's own files and from RDB files.
 *
 * Files wait in a queue; one is loaded at a time, by threads of its own, of which a native file keeps all busy: each takes the
 * next hottest block. An RDB file is read by one and put in by another. What clients write, delete, flush or invalidate from the
 * moment on that the queue stops being empty wins over all files in it (store/warm.h). It ends at maxmemory: nothing is evicted for what is colder.
 * A damaged block is lost alone, and counted, unless `strict`; an RDB file that is damaged has only what stood before.
 *
 * Thread rule: any thread, but for new and free; facts may be a moment old. The caller owns it, and it owns the descriptors it was given.
 */
#ifndef LARDER_SNAPSHOT_WARMUP_H
#define LARDER_SNAPSHOT_WARMUP_H

#include "base/option.h"
#include "base/slice.h"
#include "store/store.h"

enum warmup_state { WARMUP_NONE, WARMUP_RUNNING, WARMUP_DONE, WARMUP_FULL, WARMUP_CANCELLED, WARMUP_FAILED };

struct warmup_config {
    struct store *store;
    struct store_config *store_config; /* its `threads` grows while there are more */
    const setting *threads;  /* 0: as many as cores */
    const setting *strict;
    /* Lists or sorted sets were put in: somebody may be waiting for one. On a thread of the warm-up. May be NULL. */
    void (*born)(void *arg);
    /* The queue is empty; `failed`: the last file that could not be loaded, else NULL. On a thread of the warm-up. May be NULL */
    void (*over)(void *arg, const char *failed);
    /* Runs a job on a thread that the store's hook knows by its stats, for what replaces others' keys, and waits for it. False: it
     * was not run, and never will be. NULL: there is no hook. */
    bool (*errand)(void *arg, void (*job)(void *job_arg, struct store_stats *stats), void *job_arg);
    void *arg;
};

struct warmup_request {
    const char *path;      /* as it is called in the log; copied */
    int fd;                /* open for reading; the warm-up's from now on */
    struct slice pattern;  /* only keys that match; empty: all. Copied */
    int db;                /* only keys of that database; -1: all */
    int64_t max_ttl_ms;    /* no key lives longer from now on; 0: as the file says */
    bool replace;          /* what is there goes */
    bool refuse;           /* a file with streams, modules or functions */
};

struct warmup_facts {      /* of the file that is being loaded, or was last */
    enum warmup_state state;
    char path[256], format[24], why[256]; /* why it failed */
    unsigned waiting;      /* files behind it */
    int64_t started_ms;    /* wall clock */
    double seconds;        /* so far, or that it took */
    uint64_t bytes, bytes_done;
    uint64_t keys;         /* that the file is said to have; 0: it does not say */
    uint64_t loaded, present, buried, expired, filtered, no_room;
    uint64_t out_of_range; /* of databases that there are none of */
    uint64_t damaged;      /* blocks, chains and what was cut off */
    uint64_t passed_by;    /* streams, modules' values and data, functions */
    double rate;           /* keys a second */
    double eta;            /* seconds; below 0: not known */
    uint64_t loaded_ever, expired_ever;
};

struct warmup;

struct warmup *warmup_new(const struct warmup_config *c);
void warmup_free(struct warmup *w); /* cancels and waits; NULL: nothing */
/* False: a thread could not be started; the request is dropped and its descriptor closed. */
bool warmup_add(struct warmup *w, const struct warmup_request *r);
bool warmup_cancel(struct warmup *w); /* the running one and those that wait. False: there is none */
bool warmup_running(struct warmup *w);
void warmup_wait(struct warmup *w);   /* until the queue is empty */
void warmup_facts(struct warmup *w, struct warmup_facts *out);
const char *warmup_state_name(enum warmup_state s);

/* May a save write over that file? Not while it is still being loaded, nor when it could not be read. NULL, or why not. */
const char *warmup_guards(struct warmup *w, const char *path);
/* Was the file at `path` given up by warmup_cancel, and not loaded as a whole since? A save that takes its place keeps it under another
 * name. */
bool warmup_gave_up(struct warmup *w, const char *path);
void warmup_forget(struct warmup *w); /* what was given up: its keys are not wanted any more */
/* A file that is not even tried, as warmup_guards should know. The descriptor is closed; below 0: it could not be opened. */
void warmup_unreadable(struct warmup *w, const char *path, int fd, const char *why);
/* Looks at the head of a file, which is left where it was. False: it is no snapshot that can be read, and why says what it is. */
bool warmup_looks_right(int fd, struct buf *why);

#endif
