#include "l1/behind.h"

#include "l1/lease.h"
#include "l1/watch.h"

#include <errno.h>
#include <stdlib.h>

int behind_init(struct behind *b, unsigned threads) {
    *b = (struct behind){.max = threads};
    if (!threads) return 0;
    int failed = pthread_mutex_init(&b->lock, NULL);
    if (!failed && (failed = pthread_cond_init(&b->more, NULL))) pthread_mutex_destroy(&b->lock);
    b->made = !failed;
    if (!failed && !(b->thread = calloc(threads, sizeof *b->thread))) failed = ENOMEM;
    return failed;
}

static void *serve(void *arg) {
    struct behind *b = arg;
    thread_name("larder-behind");
    pthread_mutex_lock(&b->lock);
    for (;;) {
        while (!b->n && !b->stop) {
            b->idle++;
            pthread_cond_wait(&b->more, &b->lock);
            b->idle--;
        }
        if (b->stop) break;
        struct behind_task task = b->task[b->head];
        b->head = (b->head + 1) % BEHIND_QUEUE;
        b->n--;
        pthread_mutex_unlock(&b->lock);
        larder_value value = {.data = NULL};
        lease_run(task.lease, task.loader, task.arg, &value);
        larder_release(&value);
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

bool behind_add(struct behind *b, larder_lease *lease, larder_loader *loader, void *arg) {
    if (!b->max) return false;
    pthread_mutex_lock(&b->lock);
    if (b->n >= b->idle && b->threads < b->max && !b->stop)
        b->threads += watch_thread(&b->thread[b->threads], serve, b) == 0;
    bool fits = b->n < BEHIND_QUEUE && b->threads && !b->stop;
    if (fits) {
        b->task[(b->head + b->n++) % BEHIND_QUEUE] = (struct behind_task){lease, loader, arg};
        pthread_cond_signal(&b->more);
    }
    pthread_mutex_unlock(&b->lock);
    return fits;
}

void behind_stop(struct behind *b) {
    if (!b->made) return;
    pthread_mutex_lock(&b->lock);
    b->stop = true;
    pthread_cond_broadcast(&b->more);
    pthread_mutex_unlock(&b->lock);
    for (unsigned i = 0; i < b->threads; i++) pthread_join(b->thread[i], NULL);
    for (; b->n; b->n--, b->head = (b->head + 1) % BEHIND_QUEUE) larder_abandon(b->task[b->head].lease);
    free(b->thread);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->more);
    b->made = false;
}
