#include "loopback.h"

#include "base/clock.h"
#include "command/changes.h"
#include "command/dispatch.h"
#include "command/feed.h"
#include "store/capture.h"
#include "store/policy.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

struct job {
    struct job *next;
    unsigned lane;
    void (*run)(struct lane *to, void *arg);
    void *arg;
};

struct loopback {
    struct host host; /* first: what the env knows of us */
    struct env *env;
    struct peer *peers;
    struct job *first, **last;
    unsigned shutdowns;
    bool manual;
};

/* -- the host -------------------------------------------------------------------------------------------------------------- */

static struct loopback *loopback_of(struct host *h) { return (struct loopback *)(void *)h; }
static struct peer *peer_of(struct session *s) { return s->host_session; }

static void host_post(struct host *h, unsigned lane, void (*run)(struct lane *to, void *arg), void *arg) {
    struct loopback *l = loopback_of(h);
    struct job *j = mem_alloc(MEM_CLIENT, sizeof *j);
    assert(lane < l->env->lanes);
    *j = (struct job){NULL, lane, run, arg};
    *l->last = j;
    l->last = &j->next;
}

static void host_close(struct session *s, bool after_replies) {
    struct peer *p = peer_of(s);
    p->ending = true;
    if (after_replies) return;
    p->end_now = true;
    session_leave(s);
}

static void host_wake(struct session *s) { peer_of(s)->ready = true; }
static void host_nothing(struct session *s) { (void)s; }
static void alarm_job(struct lane *l, void *arg) {
    (void)arg;
    feed_alarm(l);
}
static void host_alarm(struct lane *l, int64_t ms) {
    (void)ms;
    host_post(l->env->host, l->index, alarm_job, NULL);
}
static void host_pause(struct env *e) { (void)e; }

static void host_shutdown(struct env *e, bool now) {
    (void)now;
    loopback_of(e->host)->shutdowns++;
}

static const char *host_rewrite(struct env *e, struct buf *why) {
    (void)e;
    buf_puts(why, "there is no file");
    return buf_cstr(why);
}

/* -- life -------------------------------------------------------------------------------------------------------------------- */

static void defaults(struct env *e) {
    struct env_config *c = &e->config;
    c->proto_max_bulk_len = 512 << 20;
    c->slowlog_slower_than = 10000;
    c->slowlog_max_len = 128;
    c->latency_tracking = 1;
    c->maxclients = 10000;
    c->feed_size = 1 << 20;
    c->feed_keep = 60;
    c->stale_max_memory = 64 << 20;
    struct store_config *s = &e->store_config;
    s->policy = POLICY_NOEVICTION;
    s->lfu_log_factor = 10;
    s->lfu_decay_time = 1;
    s->threads = 1;
    s->active_expire = 1;
    s->databases = STORE_DATABASES;
    home_limits_default(&s->limits);
}

struct loopback *loopback_new(unsigned lanes, void (*configure)(struct env *e, void *arg), void *arg) {
    struct loopback *l = mem_zalloc(MEM_CLIENT, sizeof *l);
    l->last = &l->first;
    l->host = (struct host){host_post, host_close, host_wake, host_nothing, host_alarm, host_pause, host_shutdown, host_rewrite, NULL};
    command_start();
    l->env = env_new(lanes);
    l->env->host = &l->host;
    defaults(l->env);
    if (configure) configure(l->env, arg);
    env_open(l->env);
    return l;
}

struct env *loopback_env(struct loopback *l) { return l->env; }
unsigned loopback_shutdowns(const struct loopback *l) { return l->shutdowns; }
void loopback_manual(struct loopback *l, bool manual) { l->manual = manual; }

struct peer *loopback_open(struct loopback *l, unsigned lane) {
    struct peer *p = mem_zalloc(MEM_CLIENT, sizeof *p);
    session_init(&p->session, l->env->lane[lane]);
    p->session.host_session = p;
    snprintf(p->session.address, sizeof p->session.address, "loopback:%llu", (unsigned long long)p->session.id);
    snprintf(p->session.local_address, sizeof p->session.local_address, "loopback:0");
    p->net = l;
    p->open = true;
    buf_init(&p->input, MEM_CLIENT);
    buf_init(&p->output, MEM_CLIENT);
    struct peer **at = &l->peers;
    while (*at) at = &(*at)->next;
    *at = p;
    return p;
}

static void peer_take_output(struct peer *p) {
    size_t n = chain_size(&p->session.out);
    if (!n) return;
    chain_copy(&p->session.out, buf_room(&p->output, n));
    p->output.n += n;
    chain_sent(&p->session.out, n);
}

static void peer_end(struct peer *p) {
    peer_take_output(p);
    session_end(&p->session);
    p->open = false;
    buf_free(&p->input);
}

void loopback_free(struct loopback *l) {
    for (struct peer *p = l->peers; p; p = p->next)
        if (p->open) peer_end(p);
    while (loopback_deliver(l)) {}
    for (struct peer *p; (p = l->peers);) {
        l->peers = p->next;
        buf_free(&p->output);
        mem_free(MEM_CLIENT, p);
    }
    env_free(l->env);
    mem_free(MEM_CLIENT, l);
}

/* -- what goes on -------------------------------------------------------------------------------------------------------------- */

bool loopback_deliver(struct loopback *l) {
    struct job *j = l->first;
    if (!j) return false;
    l->first = j->next;
    if (!l->first) l->last = &l->first;
    j->run(l->env->lane[j->lane], j->arg);
    changes_settle(l->env->lane[j->lane]);
    mem_free(MEM_CLIENT, j);
    return true;
}

static bool task_due(struct peer *p) {
    struct session *s = &p->session;
    if (p->task != s->task) p->ready = true; /* a new one */
    p->task = s->task;
    return p->ready || (s->task->wake_us && s->task->wake_us <= clock_mono_us());
}

static bool peer_step(struct peer *p) {
    if (!task_due(p)) return false;
    p->ready = false;
    enum task_state state = session_step(&p->session, STORE_SLICE_US);
    if (state == TASK_AGAIN) p->ready = true;
    p->task = p->session.task;
    return true;
}

static bool peer_dispatch(struct peer *p) {
    if (!p->input.n || p->session.closing || dispatch_held(&p->session)) return false;
    size_t used = dispatch_input(&p->session, p->input.p, p->input.n, &p->need);
    assert(used <= p->input.n);
    buf_drop(&p->input, used);
    return used > 0 || p->session.task;
}

static bool peer_run(struct peer *p) {
    bool busy = p->session.task ? peer_step(p) : peer_dispatch(p);
    peer_take_output(p);
    bool ending = p->ending || p->session.closing;
    if (ending && (p->end_now || !p->session.task)) {
        peer_end(p);
        busy = true;
    }
    return busy;
}

/* The lanes' parts in a save that is under way. */
static bool capture_all(struct env *e) {
    bool busy = false;
    for (unsigned i = 0; i < e->lanes && capture_on(e->store); i++) busy |= capture_step(e->store, i, STORE_SLICE_US) == CAPTURE_MORE;
    return busy;
}

void loopback_run(struct loopback *l) {
    bool busy;
    do {
        busy = !l->manual && loopback_deliver(l);
        if (capture_all(l->env)) busy = true;
        for (struct peer *p = l->peers; p; p = p->next)
            if (p->open && peer_run(p)) busy = true;
    } while (busy);
}

bool loopback_wait(struct loopback *l, int64_t most_ms) {
    int64_t now = clock_mono_us(), until = 0;
    for (struct peer *p = l->peers; p; p = p->next) {
        const struct task *t = p->open ? p->session.task : NULL;
        if (t && t->wake_us && (!until || t->wake_us < until)) until = t->wake_us;
        if (p->open && p->session.held) until = now + 1000; /* CLIENT PAUSE: look again soon */
    }
    if (!until) return false;
    if (until > now + most_ms * 1000) until = now + most_ms * 1000;
    if (until > now) nanosleep(&(struct timespec){(until - now) / 1000000, (until - now) % 1000000 * 1000}, NULL);
    loopback_run(l);
    return true;
}

void peer_send(struct peer *p, const void *bytes, size_t n) {
    if (!p->open) return;
    buf_put(&p->input, bytes, n);
    loopback_run(p->net);
}

void peer_request(struct peer *p, const struct slice *argv, size_t argc) {
    struct buf b = {0};
    buf_printf(&b, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        buf_printf(&b, "$%zu\r\n", argv[i].n);
        buf_put(&b, argv[i].p, argv[i].n);
        buf_puts(&b, "\r\n");
    }
    peer_send(p, b.p, b.n);
    buf_free(&b);
}
