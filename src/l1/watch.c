#include "l1/watch.h"

#include "base/clock.h"
#include "base/num.h"
#include "l1/heard.h"
#include "l1/inside.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int watch_thread(pthread_t *thread, void *(*serve)(void *), void *arg) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, serve, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

int watch_init(struct watch *w) {
    pthread_condattr_t attr;
    link_init(&w->link);
    if ((w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) return errno;
    int failed = pthread_condattr_init(&attr);
    if (!failed) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        failed = pthread_cond_init(&w->tried, &attr);
        pthread_condattr_destroy(&attr);
    }
    if (!failed && (failed = pthread_mutex_init(&w->lock, NULL))) pthread_cond_destroy(&w->tried);
    w->made = !failed;
    if (failed) close(w->wake);
    w->random = (uint64_t)clock_mono_us() ^ (uintptr_t)w;
    return failed;
}

static void tell_first(struct watch *w, enum link_status status) {
    pthread_mutex_lock(&w->lock);
    if (!w->has_tried) {
        w->has_tried = true;
        w->first = status;
        snprintf(w->error, sizeof w->error, "%s", w->link.error);
        pthread_cond_broadcast(&w->tried);
    }
    pthread_mutex_unlock(&w->lock);
}

enum link_status watch_first(struct watch *w, int64_t deadline_us, char *error, size_t error_size) {
    struct timespec until = {deadline_us / 1000000, deadline_us % 1000000 * 1000};
    pthread_mutex_lock(&w->lock);
    while (!w->has_tried && pthread_cond_timedwait(&w->tried, &w->lock, &until) != ETIMEDOUT) {}
    enum link_status status = w->has_tried ? w->first : LINK_TIMEOUT;
    if (error_size) snprintf(error, error_size, "%s", w->error);
    pthread_mutex_unlock(&w->lock);
    return status;
}

/* --- trust --- */

static void trust_lose(struct larder *l) {
    if (!atomic_exchange(&l->trusted_until, 0)) return;
    atomic_store(&l->lost_at, near_now(l->near));
    atomic_fetch_add(&l->losses, 1);
}

static void trust_gain(struct larder *l, int64_t until) {
    if (!atomic_load(&l->trusted_until)) near_clear_doubtful(l->near); /* loaded while nobody told of changes */
    atomic_store(&l->lost_at, 0);
    atomic_store_explicit(&l->trusted_until, until, memory_order_release);
}

/* --- one connection --- */

static void ping(struct larder *l, int64_t now) {
    struct watch *w = &l->watch;
    link_words(&w->link, "PING", NULL);
    w->ping_us = now;
    w->ping_near = near_now(l->near);
    w->next_ping_us = now + (int64_t)l->o.feed_check_ms * 1000;
}

/* A PING's reply comes behind all changes that were made before it was sent. */
static void pong(struct larder *l) {
    struct watch *w = &l->watch;
    if (!w->ping_us) return;
    w->ping_us = 0;
    trust_gain(l, w->ping_near + 2 * (int64_t)l->o.feed_check_ms);
    if (!w->fresh) return;
    w->fresh = false;
    breaker_hint(&l->breaker, clock_mono_us()); /* the server is there: whoever comes next may try */
    tell_first(w, LINK_OK);
    keeper_wake(&l->keeper);
}

static enum link_status refused(struct watch *w, const struct reply_node *node) {
    if (node->kind == REPLY_ERROR) link_explain(&w->link, "PING");
    else snprintf(w->link.error, sizeof w->link.error, "the server answered what was not asked");
    return LINK_LOST;
}

static enum link_status hear_all(struct larder *l) {
    struct watch *w = &l->watch;
    enum link_status status;
    while ((status = link_buffered(&w->link)) == LINK_OK) {
        const struct reply_node *node = link_node(&w->link);
        if (node->kind == REPLY_PUSH) heard_push(l, node);
        else if (node->kind == REPLY_SIMPLE || node->kind == REPLY_TEXT || node->kind == REPLY_ARRAY) pong(l);
        else return refused(w, node);
    }
    return status == LINK_TIMEOUT ? LINK_OK : status;
}

/* Until it is lost, or the handle is closed: LINK_OK. */
static enum link_status follow(struct larder *l) {
    struct watch *w = &l->watch;
    int64_t check = (int64_t)l->o.feed_check_ms * 1000;
    for (w->ping_us = w->next_ping_us = 0; !w->stop;) {
        int64_t now = clock_mono_us();
        if (w->ping_us && now - w->ping_us > check) return LINK_TIMEOUT; /* silent */
        if (!w->ping_us && now >= w->next_ping_us) ping(l, now);
        enum link_status status = link_flush(&w->link, now + check);
        if (status != LINK_OK) return status;
        int64_t until = w->ping_us ? w->ping_us + check : w->next_ping_us;
        struct pollfd p[] = {{w->link.fd, POLLIN, 0}, {w->wake, POLLIN, 0}};
        if (poll(p, 2, until > now ? (int)((until - now) / 1000) + 1 : 0) < 0 && errno != EINTR) return LINK_LOST;
        if (!p[0].revents) continue;
        if ((status = link_fill(&w->link)) == LINK_LOST || (status = hear_all(l)) != LINK_OK) return status;
    }
    return LINK_OK;
}

/* Tries the servers in their order. */
static enum link_status find_server(struct larder *l) {
    struct watch *w = &l->watch;
    enum link_status status = LINK_LOST;
    for (size_t i = 0; i < l->urls.n && !w->stop; i++) {
        status = link_open(&w->link, &l->urls.url[i], l->o.name, clock_mono_us() + (int64_t)l->o.connect_timeout_ms * 1000);
        trouble_note(&l->trouble, status, &w->link);
        if (status != LINK_OK) continue;
        if (i != w->server) *w->epoch = 0;
        w->server = i;
        atomic_store(&l->leases, w->link.larder);
        return LINK_OK;
    }
    return status;
}

static void *serve(void *arg) {
    struct larder *l = arg;
    struct watch *w = &l->watch;
    int64_t wait = l->o.backoff_ms > 0 ? l->o.backoff_ms : 1;
    thread_name("larder-watch");
    while (!w->stop) {
        enum link_status status = find_server(l);
        if (status == LINK_OK) {
            status = heard_begin(l, clock_mono_us() + (int64_t)l->o.timeout_ms * 1000);
            trouble_note(&l->trouble, status, &w->link);
        }
        if (status == LINK_OK) {
            pool_turn(&l->pool, &l->urls.url[w->server]);
            pool_turn(&l->waiters, &l->urls.url[w->server]);
            w->fresh = true;
            trouble_note(&l->trouble, follow(l), &w->link);
            if (!w->fresh) wait = l->o.backoff_ms > 0 ? l->o.backoff_ms : 1;
        }
        trust_lose(l);
        tell_first(w, status == LINK_OK ? LINK_LOST : status);
        link_close(&w->link);
        if (w->stop) break;
        poll(&(struct pollfd){w->wake, POLLIN, 0}, 1, (int)breaker_jitter(&w->random, wait));
        wait = wait * 2 < l->o.backoff_max_ms ? wait * 2 : l->o.backoff_max_ms > wait ? l->o.backoff_max_ms : wait;
        if (wait > 1000) wait = 1000; /* one connection a second burdens nobody, and a server that is back is wanted */
    }
    return NULL;
}

int watch_start(struct watch *w, struct larder *l) {
    int failed = watch_thread(&w->thread, serve, l);
    w->started = !failed;
    return failed;
}

void watch_stop(struct watch *w) {
    if (!w->made) return;
    atomic_store(&w->stop, true);
    uint64_t one = 1;
    while (write(w->wake, &one, sizeof one) < 0 && errno == EINTR) {}
    if (w->started) pthread_join(w->thread, NULL);
    link_close(&w->link);
    close(w->wake);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->tried);
    w->made = false;
}
