#include "l1/trouble.h"

#include "base/clock.h"

#include <stdio.h>

int trouble_init(struct trouble *t) {
    *t = (struct trouble){0};
    return pthread_mutex_init(&t->lock, NULL);
}

void trouble_free(struct trouble *t) { pthread_mutex_destroy(&t->lock); }

void trouble_note(struct trouble *t, enum link_status status, const struct link *k) {
    if (status == LINK_OK) return;
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&t->lock);
    t->at_us = now ? now : 1;
    snprintf(t->text, sizeof t->text, "%s", *k->error ? k->error : status == LINK_TIMEOUT ? "no answer in time" : "the connection was lost");
    pthread_mutex_unlock(&t->lock);
}

bool trouble_read(struct trouble *t, char *text, size_t size, int64_t *ago_us) {
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&t->lock);
    bool any = t->at_us;
    if (size) snprintf(text, size, "%s", t->text);
    if (ago_us) *ago_us = any && now > t->at_us ? now - t->at_us : 0;
    pthread_mutex_unlock(&t->lock);
    return any;
}
