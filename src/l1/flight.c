#include "l1/flight.h"

#include "l1/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static struct timespec wake_time(int64_t deadline_us) {
    return (struct timespec){deadline_us / 1000000, deadline_us % 1000000 * 1000};
}

static int pair_init(pthread_mutex_t *lock, pthread_cond_t *cond) {
    pthread_condattr_t attr;
    int failed = pthread_condattr_init(&attr);
    if (failed) return failed;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    failed = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    if (!failed && (failed = pthread_mutex_init(lock, NULL))) pthread_cond_destroy(cond);
    return failed;
}

int flights_init(struct flights *f, unsigned loads) {
    int failed = pair_init(&f->gate_lock, &f->gate_free);
    unsigned i = 0;
    f->gate = loads ? loads : 1;
    for (; !failed && i < FLIGHT_STRIPES; i++) failed = pair_init(&f->stripe[i].lock, &f->stripe[i].done);
    return failed;
}

void flights_free(struct flights *f) {
    for (unsigned i = 0; i < FLIGHT_STRIPES; i++) {
        pthread_mutex_destroy(&f->stripe[i].lock);
        pthread_cond_destroy(&f->stripe[i].done);
    }
    pthread_mutex_destroy(&f->gate_lock);
    pthread_cond_destroy(&f->gate_free);
}

static struct flight_stripe *stripe_of(struct flights *f, uint64_t hash) { return &f->stripe[hash % FLIGHT_STRIPES]; }

struct flight *flight_join(struct flights *f, struct slice key, uint64_t hash, uint64_t token, bool *mine) {
    struct flight_stripe *s = stripe_of(f, hash);
    pthread_mutex_lock(&s->lock);
    struct flight *x = s->first;
    while (x && !(x->hash == hash && slice_equal((struct slice){x->key, x->key_n}, key))) x = x->next;
    *mine = !x;
    if (x) {
        x->holders++;
    } else if ((x = malloc(sizeof *x + key.n))) {
        *x = (struct flight){.next = s->first, .hash = hash, .token = token, .holders = 1, .key_n = key.n};
        if (key.n) memcpy(x->key, key.p, key.n);
        s->first = x;
    }
    pthread_mutex_unlock(&s->lock);
    return x;
}

/* Under the stripe's lock. */
static bool drop(struct flight *x) { return --x->holders == 0; }

static void destroy(struct flight *x) {
    larder_release(&x->value);
    free(x);
}

void flight_end(struct flights *f, struct flight *x, int status, const larder_value *value) {
    struct flight_stripe *s = stripe_of(f, x->hash);
    pthread_mutex_lock(&s->lock);
    struct flight **at = &s->first;
    while (*at != x) at = &(*at)->next;
    *at = x->next; /* who comes now begins anew */
    x->done = true;
    x->status = status;
    if (value) value_share(&x->value, value);
    bool last = drop(x);
    if (!last) pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
    if (last) destroy(x);
}

int flight_wait(struct flights *f, struct flight *x, uint64_t token, int64_t deadline_us, larder_value *out) {
    struct flight_stripe *s = stripe_of(f, x->hash);
    struct timespec until = wake_time(deadline_us);
    int status = LARDER_TIMEOUT;
    pthread_mutex_lock(&s->lock);
    while (!x->done && pthread_cond_timedwait(&s->done, &s->lock, &until) != ETIMEDOUT) {}
    if (x->done) {
        status = x->token == token ? x->status : LARDER_LOAD;
        if (status == LARDER_OK) value_share(out, &x->value);
    }
    bool last = drop(x);
    pthread_mutex_unlock(&s->lock);
    if (last) destroy(x);
    return status;
}

void flight_leave(struct flights *f, struct flight *x) {
    struct flight_stripe *s = stripe_of(f, x->hash);
    pthread_mutex_lock(&s->lock);
    bool last = drop(x);
    pthread_mutex_unlock(&s->lock);
    if (last) destroy(x);
}

bool flight_gate_enter(struct flights *f, int64_t deadline_us) {
    struct timespec until = wake_time(deadline_us);
    pthread_mutex_lock(&f->gate_lock);
    while (!f->gate && pthread_cond_timedwait(&f->gate_free, &f->gate_lock, &until) != ETIMEDOUT) {}
    bool in = f->gate > 0;
    f->gate -= in;
    pthread_mutex_unlock(&f->gate_lock);
    return in;
}

void flight_gate_leave(struct flights *f) {
    pthread_mutex_lock(&f->gate_lock);
    f->gate++;
    pthread_cond_signal(&f->gate_free);
    pthread_mutex_unlock(&f->gate_lock);
}
