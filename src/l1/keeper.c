#include "l1/keeper.h"

#include "base/clock.h"
#include "l1/inside.h"

#include <time.h>

#define PAUSE_US 250000 /* between two looks; each tidies a 64th */
#define AT_ONCE 256     /* writes that waited, before other things get their turn */

int keeper_init(struct keeper *k) {
    pthread_condattr_t attr;
    *k = (struct keeper){.stop = false};
    int failed = pthread_condattr_init(&attr);
    if (failed) return failed;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    failed = pthread_cond_init(&k->more, &attr);
    pthread_condattr_destroy(&attr);
    if (!failed && (failed = pthread_mutex_init(&k->lock, NULL))) pthread_cond_destroy(&k->more);
    k->made = !failed;
    return failed;
}

/* One at a time and in order: a server that has just come back is not overrun. */
static void write_backlog(struct larder *l) {
    const struct backlog_item *item;
    for (unsigned i = 0; i < AT_ONCE && (item = backlog_oldest(&l->backlog)); i++) {
        int status = write_queued(l, item->argc, item->argv);
        if (call_failed(status) || status == LARDER_BUSY) return;
        if (status == LARDER_ERROR) tally_count(near_record(l->near), COUNT_DROPPED, 1); /* nobody is there to be told */
        backlog_done(&l->backlog);
    }
}

/* Nobody else may ask for long, if all that is wanted is near. */
static void probe(struct larder *l) {
    struct call c;
    if (breaker_state(&l->breaker) == BREAKER_CLOSED) return;
    int status = call_one(l, &c, 1, (struct slice[]){SLICE("PING")});
    if (status == LARDER_OK || status == LARDER_ERROR) call_end(&c, status);
}

static void *serve(void *arg) {
    struct larder *l = arg;
    struct keeper *k = &l->keeper;
    thread_name("larder-keeper");
    pthread_mutex_lock(&k->lock);
    int64_t tidy = clock_mono_us() + PAUSE_US;
    for (unsigned part = 0; !k->stop;) {
        struct timespec until = {tidy / 1000000, tidy % 1000000 * 1000};
        while (!k->woken && !k->stop && !pthread_cond_timedwait(&k->more, &k->lock, &until)) {}
        k->woken = false;
        if (k->stop) break;
        pthread_mutex_unlock(&k->lock);
        while (near_sweep(l->near)) {}
        if (clock_mono_us() >= tidy) { /* also where somebody wakes it all the time */
            near_tidy(l->near, part++);
            tidy = clock_mono_us() + PAUSE_US;
        }
        probe(l);
        if (!backlog_empty(&l->backlog)) write_backlog(l);
        pthread_mutex_lock(&k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

int keeper_start(struct keeper *k, struct larder *l) {
    int failed = watch_thread(&k->thread, serve, l);
    k->started = !failed;
    return failed;
}

void keeper_wake(struct keeper *k) {
    pthread_mutex_lock(&k->lock);
    k->woken = true;
    pthread_cond_signal(&k->more);
    pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k) {
    if (!k->made) return;
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->more);
    pthread_mutex_unlock(&k->lock);
    if (k->started) pthread_join(k->thread, NULL);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->more);
    k->made = false;
}
