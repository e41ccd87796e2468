#include "l1/pool.h"

#include "base/mem.h"

#include <errno.h>
#include <time.h>

static void wake_time(int64_t deadline_us, struct timespec *t) {
    t->tv_sec = deadline_us / 1000000;
    t->tv_nsec = deadline_us % 1000000 * 1000;
}

int pool_init(struct pool *p, unsigned max, const char *name, struct trouble *trouble) {
    pthread_condattr_t attr;
    *p = (struct pool){.max = max ? max : 1, .name = name, .trouble = trouble};
    int failed = pthread_condattr_init(&attr);
    if (failed) return failed;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    failed = pthread_cond_init(&p->freed, &attr);
    pthread_condattr_destroy(&attr);
    if (!failed && (failed = pthread_mutex_init(&p->lock, NULL))) pthread_cond_destroy(&p->freed);
    return failed;
}

static void drop(struct pool_link *k) {
    link_close(&k->link);
    mem_free(MEM_CLIENT, k);
}

void pool_free(struct pool *p) {
    for (struct pool_link *k = p->idle, *next; k; k = next) {
        next = k->next;
        drop(k);
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->freed);
}

void pool_turn(struct pool *p, const struct url *url) {
    pthread_mutex_lock(&p->lock);
    p->url = url;
    p->turn++;
    struct pool_link *old = p->idle;
    p->idle = NULL;
    p->kept = 0;
    pthread_cond_broadcast(&p->freed);
    pthread_mutex_unlock(&p->lock);
    for (struct pool_link *next; old; old = next) {
        next = old->next;
        drop(old);
    }
}

static void give_place(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    p->lent--;
    pthread_cond_signal(&p->freed);
    pthread_mutex_unlock(&p->lock);
}

enum pool_status pool_take(struct pool *p, int64_t connect_deadline, int64_t wait_deadline, struct link **out) {
    struct timespec until;
    wake_time(wait_deadline, &until);
    pthread_mutex_lock(&p->lock);
    while (p->lent >= p->max) {
        if (pthread_cond_timedwait(&p->freed, &p->lock, &until) == ETIMEDOUT && p->lent >= p->max) {
            pthread_mutex_unlock(&p->lock);
            return POOL_FULL;
        }
    }
    p->lent++;
    struct pool_link *k = p->idle;
    if (k) {
        p->idle = k->next;
        p->kept--;
    }
    const struct url *url = p->url;
    uint64_t turn = p->turn;
    pthread_mutex_unlock(&p->lock);
    if (k && !link_alive(&k->link)) {
        drop(k);
        k = NULL;
    }
    if (!k) {
        k = mem_zalloc(MEM_CLIENT, sizeof *k);
        link_init(&k->link);
        k->turn = turn;
        enum link_status status = url ? link_open(&k->link, url, p->name, connect_deadline) : LINK_LOST;
        if (status != LINK_OK) {
            trouble_note(p->trouble, status, &k->link);
            drop(k);
            give_place(p);
            return POOL_NO_SERVER;
        }
    }
    *out = &k->link;
    return POOL_OK;
}

void pool_give(struct pool *p, struct link *link, enum link_status status) {
    struct pool_link *k = (struct pool_link *)link;
    trouble_note(p->trouble, status, link);
    pthread_mutex_lock(&p->lock);
    p->lent--;
    bool good = status == LINK_OK && k->turn == p->turn;
    if (good) {
        k->next = p->idle;
        p->idle = k;
        p->kept++;
    }
    pthread_cond_signal(&p->freed);
    pthread_mutex_unlock(&p->lock);
    if (!good) drop(k);
}
