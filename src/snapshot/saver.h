/* saver: writes all that a store has to a file, as it is at one moment, while it goes on changing; one file at a time.
 *
 * A save begins a capture of the store (store/capture.h) and a thread, which takes what the capture hands out, gives it to an
 * image_writer, and ends by putting the file in its place. Somebody else calls capture_step for the parts. Whatever fails, the file
 * that was there stays as it was.
 * Thread rule: any thread; saver_new and saver_free when there is no other. The holder owns it.
 */
#ifndef LARDER_SNAPSHOT_SAVER_H
#define LARDER_SNAPSHOT_SAVER_H

#include "snapshot/image_writer.h"
#include "store/store.h"

struct saver_config {
    unsigned parts;                   /* of the capture */
    const struct type_limits *limits; /* outlive the saver, as does: */
    const setting *rate;              /* bytes a second; 0: as fast as it goes. Not kept to while writers wait for it */
    void (*room)(void *arg);          /* as capture_plan's */
    void (*ended)(void *arg, bool failed); /* before any saver_facts says so; on the save's thread. Not of one that was abandoned */
    void *arg;
};

struct saver_plan {
    const char *path;     /* copied */
    enum image_format format;
    bool compress, checksum;
    bool keep;            /* what stands at `path` so far is not to be lost: file_keep */
    uint64_t changes;     /* a number of the caller's: see saver_facts */
};

struct saver_facts {
    bool running;
    bool failed;          /* the last one that ended by itself did */
    int error;            /* errno of that */
    int64_t saved_s;      /* wall clock of the last success; 0: none yet */
    int64_t tried_s;      /* of the last beginning */
    int64_t lasted_s;     /* seconds that the last one took; -1: none yet */
    int64_t runs_s;       /* seconds so far of the one running; -1: none */
    uint64_t saves;       /* successes */
    uint64_t changes;     /* of the plan of the last success */
    uint64_t keys_total, keys_done; /* of the one running; 0 */
    uint64_t written;     /* bytes of the last success */
};

struct saver;

struct saver *saver_new(struct store *s, const struct saver_config *c);
void saver_free(struct saver *v); /* abandons what runs; somebody must still step its capture meanwhile */
/* The file will have what there is now. Takes all locks of the store for a moment. False: one is running, or there is no thread to be
 * had (logged). */
bool saver_start(struct saver *v, const struct saver_plan *plan);
/* The one running, if there is one, is to end without a file, soon. That is no failure. */
void saver_abandon(struct saver *v);
bool saver_running(const struct saver *v);
void saver_facts(struct saver *v, struct saver_facts *out);

#endif
