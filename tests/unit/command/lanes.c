#include "lanes.h"

#include "base/clock.h"
#include "command/dispatch.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LANES_MOST = 8, LANES_WORDS = 32 };

struct job {
    struct job *next;
    void (*run)(struct lane *to, void *arg);
    void *arg;
};

struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, **last;
};

static struct {
    struct host host;
    struct env *env;
    unsigned n;
    struct inbox inbox[LANES_MOST];
} net;

/* -- the host ---------------------------------------------------------------------------------------------------------------- */

static void host_post(struct host *h, unsigned lane, void (*run)(struct lane *to, void *arg), void *arg) {
    struct inbox *in = &net.inbox[lane];
    struct job *j = malloc(sizeof *j);
    (void)h;
    *j = (struct job){NULL, run, arg};
    pthread_mutex_lock(&in->lock);
    *in->last = j;
    in->last = &j->next;
    pthread_cond_signal(&in->more);
    pthread_mutex_unlock(&in->lock);
}

static void host_wake(struct session *s) { ((struct lanes_client *)s->host_session)->ready = true; }
static void host_close(struct session *s, bool after_replies) {
    (void)s;
    (void)after_replies;
}
static void host_flush(struct session *s) { (void)s; }
static void host_pause(struct env *e) { (void)e; }
static void host_shutdown(struct env *e, bool now) {
    (void)e;
    (void)now;
}
static const char *host_rewrite(struct env *e, struct buf *why) {
    (void)e;
    (void)why;
    return "there is no file";
}

bool lanes_deliver(unsigned lane, bool idle) {
    struct inbox *in = &net.inbox[lane];
    pthread_mutex_lock(&in->lock);
    if (!in->first && idle) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&in->more, &in->lock, &until);
    }
    struct job *list = in->first;
    in->first = NULL;
    in->last = &in->first;
    pthread_mutex_unlock(&in->lock);
    bool any = list;
    for (struct job *j = list, *next; j; j = next) {
        next = j->next;
        j->run(net.env->lane[lane], j->arg);
        free(j);
    }
    return any;
}

struct env *lanes_open(unsigned n, void (*configure)(struct env *e)) {
    assert(n <= LANES_MOST);
    clock_start();
    command_start();
    net.n = n;
    net.host = (struct host){host_post, host_close, host_wake, host_flush, NULL, host_pause, host_shutdown, host_rewrite, NULL};
    struct env *e = net.env = env_new(n);
    e->host = &net.host;
    e->config.proto_max_bulk_len = 512 << 20;
    e->config.slowlog_slower_than = 10000;
    e->config.slowlog_max_len = 128;
    e->config.latency_tracking = 1;
    e->store_config.policy = POLICY_NOEVICTION;
    e->store_config.threads = n;
    e->store_config.databases = STORE_DATABASES;
    home_limits_default(&e->store_config.limits);
    if (configure) configure(e);
    env_open(e);
    for (unsigned i = 0; i < n; i++) {
        pthread_mutex_init(&net.inbox[i].lock, NULL);
        pthread_cond_init(&net.inbox[i].more, NULL);
        net.inbox[i].last = &net.inbox[i].first;
    }
    return e;
}

void lanes_run(void *(*work)(void *worker), void *worker, size_t size) {
    pthread_t thread[LANES_MOST];
    for (unsigned i = 0; i < net.n; i++)
        if (pthread_create(&thread[i], NULL, work, (char *)worker + i * size)) abort();
    for (unsigned i = 0; i < net.n; i++) pthread_join(thread[i], NULL);
    for (bool any = true; any;) {
        any = false;
        for (unsigned i = 0; i < net.n; i++) any |= lanes_deliver(i, false);
    }
}

void lanes_close(void) { env_free(net.env); }

/* -- clients ------------------------------------------------------------------------------------------------------------------- */

void lanes_client_open(struct lanes_client *c, unsigned lane) {
    *c = (struct lanes_client){0};
    buf_init(&c->out, MEM_CLIENT);
    session_init(&c->s, net.env->lane[lane]);
    c->s.host_session = c;
    snprintf(c->s.address, sizeof c->s.address, "lanes:%llu", (unsigned long long)c->s.id);
}

void lanes_client_end(struct lanes_client *c) {
    session_leave(&c->s);
    session_end(&c->s);
    buf_free(&c->out);
}

static void take_output(struct lanes_client *c) {
    size_t n = chain_size(&c->s.out);
    if (!n) return;
    chain_copy(&c->s.out, buf_room(&c->out, n));
    c->out.n += n;
    chain_sent(&c->s.out, n);
}

void lanes_send(struct lanes_client *c, const struct slice *word, unsigned n) {
    struct buf frame;
    buf_init(&frame, MEM_CLIENT); /* the other side's memory */
    buf_printf(&frame, "*%u\r\n", n);
    for (unsigned i = 0; i < n; i++) {
        buf_printf(&frame, "$%zu\r\n", word[i].n);
        buf_put(&frame, word[i].p, word[i].n);
        buf_puts(&frame, "\r\n");
    }
    size_t need, used = dispatch_input(&c->s, frame.p, frame.n, &need);
    assert(used == frame.n);
    (void)used;
    buf_free(&frame);
    take_output(c);
}

void lanes_ask(struct lanes_client *c, const char *text) {
    struct slice word[LANES_WORDS];
    unsigned n = 0;
    for (const char *p = text; *p && n < LANES_WORDS; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        word[n++] = (struct slice){p, len};
        p += len;
    }
    lanes_send(c, word, n);
}

bool lanes_step(struct lanes_client *c) {
    struct task *t = c->s.task;
    bool due = t && (c->ready || t != c->seen || (t->wake_us && clock_mono_us() >= t->wake_us));
    if (!due) return false;
    c->ready = session_step(&c->s, STORE_SLICE_US) == TASK_AGAIN;
    c->seen = c->s.task;
    take_output(c);
    return true;
}
