/* Waiting for keys, on several threads: no element is lost, none comes twice, nobody waits for ever, nothing is left behind.
 *
 * Lanes without sockets, each on a thread of its own: jobs come through a list under a lock. A program of its own and without
 * Criterion, so that it runs under the thread sanitizer. */
#include "base/clock.h"
#include "command/dispatch.h"
#include "command/wait.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LANES = 3, CLIENTS = 10, REQUESTS = 12000, KEYS = 5, PUSHED_MOST = 4 * REQUESTS, PATIENCE_S = 300 };

struct job {
    struct job *next;
    void (*run)(struct lane *to, void *arg);
    void *arg;
};

struct client {
    struct session s;
    const struct task *seen;
    bool ready;
    bool takes;     /* its request's reply has elements that are no longer in any key */
    unsigned most;  /* so many at most */
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, **last;
    struct lane *lane;
    uint64_t x;
    unsigned left, pushed, hangups, may_be_lost, waited, errors;
    struct client client[CLIENTS];
    uint8_t *got; /* of PUSHED_MOST elements of each lane: how often it was received here */
};

static struct {
    struct host host;
    struct env *env;
    struct worker worker[LANES];
    _Atomic unsigned over; /* lanes whose clients have all that they asked for */
} net;

static uint64_t draw(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* -- the host ---------------------------------------------------------------------------------------------------------------- */

static void host_post(struct host *h, unsigned lane, void (*run)(struct lane *to, void *arg), void *arg) {
    struct worker *w = &net.worker[lane];
    struct job *j = malloc(sizeof *j);
    (void)h;
    *j = (struct job){NULL, run, arg};
    pthread_mutex_lock(&w->lock);
    *w->last = j;
    w->last = &j->next;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

static void host_wake(struct session *s) { ((struct client *)s->host_session)->ready = true; }
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

/* Runs what was posted; with none, and `idle`, waits a moment for some. */
static bool deliver(struct worker *w, bool idle) {
    pthread_mutex_lock(&w->lock);
    if (!w->first && idle) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&w->more, &w->lock, &until);
    }
    struct job *list = w->first;
    w->first = NULL;
    w->last = &w->first;
    pthread_mutex_unlock(&w->lock);
    bool any = list;
    for (struct job *j = list, *next; j; j = next) {
        next = j->next;
        j->run(w->lane, j->arg);
        free(j);
    }
    return any;
}

/* -- clients ------------------------------------------------------------------------------------------------------------------- */

static void client_open(struct worker *w, struct client *c) {
    *c = (struct client){0};
    session_init(&c->s, w->lane);
    c->s.host_session = c;
    snprintf(c->s.address, sizeof c->s.address, "stress:%llu", (unsigned long long)c->s.id);
}

/* Elements are "v", the lane that pushed it and its number: bulks of a line each. */
static void note_elements(struct worker *w, const char *p, size_t n) {
    const char *end = p + n;
    for (const char *line = p; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        unsigned lane, number;
        if (sscanf(line, "v%u-%u\r", &lane, &number) == 2) w->got[lane * PUSHED_MOST + number]++;
        if (*line == '-') w->errors++;
        line = stop ? stop + 1 : end;
    }
}

static void client_output(struct worker *w, struct client *c) {
    size_t n = chain_size(&c->s.out);
    if (!n) return;
    char *bytes = malloc(n + 1);
    chain_copy(&c->s.out, bytes);
    bytes[n] = 0;
    if (c->takes) note_elements(w, bytes, n);
    else if (*bytes == '-') w->errors++;
    chain_sent(&c->s.out, n);
    free(bytes);
}

static void client_send(struct worker *w, struct client *c, const char *text) {
    struct buf frame = {0};
    unsigned words = 1;
    for (const char *p = text; *p; p++) words += *p == ' ';
    buf_printf(&frame, "*%u\r\n", words);
    for (const char *p = text; words--; p += strcspn(p, " ") + 1) {
        size_t n = strcspn(p, " ");
        buf_printf(&frame, "$%zu\r\n", n);
        buf_put(&frame, p, n);
        buf_puts(&frame, "\r\n");
    }
    size_t need, used = dispatch_input(&c->s, frame.p, frame.n, &need);
    assert(used == frame.n);
    buf_free(&frame);
    w->waited += c->s.task && c->s.task->unblock;
    client_output(w, c);
}

/* True if it did something. */
static bool client_step(struct worker *w, struct client *c) {
    struct task *t = c->s.task;
    bool due = c->ready || t != c->seen || (t->wake_us && clock_mono_us() >= t->wake_us);
    if (!due) return false;
    c->ready = session_step(&c->s, STORE_SLICE_US) == TASK_AGAIN;
    c->seen = c->s.task;
    client_output(w, c);
    return true;
}

static void client_hang_up(struct worker *w, struct client *c) {
    if (c->takes) w->may_be_lost += c->most;
    w->hangups++;
    session_leave(&c->s);
    session_end(&c->s);
    client_open(w, c);
}

static void push(struct worker *w, char *text, size_t cap, const char *form, unsigned key) {
    unsigned n = 1 + (unsigned)(draw(&w->x) % 2), lane = w->lane->index;
    int at = snprintf(text, cap, form, key);
    bool zset = *text == 'Z';
    for (unsigned i = 0; i < n; i++)
        at += snprintf(text + at, cap - (size_t)at, "%s v%u-%u", zset ? " 1" : "", lane, w->pushed++);
}

static void client_ask(struct worker *w, struct client *c) {
    static const char *const timeout[] = {"0.001", "0.003", "0.02"};
    char text[256];
    unsigned a = (unsigned)(draw(&w->x) % KEYS), b = (unsigned)(draw(&w->x) % KEYS), d = (unsigned)(draw(&w->x) % KEYS);
    unsigned what = (unsigned)(draw(&w->x) % 100);
    const char *t = timeout[draw(&w->x) % 3];
    c->takes = false;
    c->most = 1;
    if (what < 16) push(w, text, sizeof text, draw(&w->x) % 2 ? "RPUSH l%u" : "LPUSH l%u", a);
    else if (what < 20) push(w, text, sizeof text, "ZADD z%u", a);
    else if (what < 24) snprintf(text, sizeof text, "RENAMENX l%u l%u", a, b);
    else if (what < 28) snprintf(text, sizeof text, "LMOVE l%u l%u LEFT RIGHT", a, b);
    else if (what < 30) snprintf(text, sizeof text, "SELECT %u", a % 2);
    else if (what < 31) snprintf(text, sizeof text, "SWAPDB 0 1");
    else if (what < 33) snprintf(text, sizeof text, "MOVE l%u %u", a, b % 2);
    else if (what < 35) snprintf(text, sizeof text, "CLIENT UNBLOCK %u", (unsigned)(draw(&w->x) % (LANES * CLIENTS)) + 1);
    else if (what < 54) snprintf(text, sizeof text, "BLMOVE l%u l%u LEFT RIGHT %s", a, b, t);
    else {
        c->takes = true;
        if (what < 80) snprintf(text, sizeof text, "BLPOP l%u l%u l%u %s", a, b, d, t);
        else if (what < 88) snprintf(text, sizeof text, "BLMPOP %s 2 l%u l%u LEFT COUNT %u", t, a, b, c->most = 3);
        else snprintf(text, sizeof text, "BZPOPMIN z%u z%u %s", a, b, t);
    }
    client_send(w, c, text);
}

static void *work(void *arg) {
    struct worker *w = arg;
    bool over = false;
    for (unsigned i = 0; i < CLIENTS; i++) client_open(w, &w->client[i]);
    while (atomic_load(&net.over) < LANES) {
        bool busy = deliver(w, false), asked = false;
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct client *c = &w->client[i];
            if (c->s.task) {
                busy |= client_step(w, c);
                if (c->s.task && c->s.task->unblock && draw(&w->x) % 4000 == 0) client_hang_up(w, c);
            } else if (w->left) {
                w->left--;
                client_ask(w, c);
                busy = true;
            }
            asked |= c->s.task != NULL;
        }
        if (!w->left && !asked && !over) {
            over = true;
            atomic_fetch_add(&net.over, 1);
        }
        if (!busy) deliver(w, true);
    }
    return NULL;
}

/* -- the end -------------------------------------------------------------------------------------------------------------------- */

static void take_the_rest(struct worker *w) {
    struct client *c = &w->client[0];
    char text[64];
    c->takes = true;
    for (unsigned i = 0; i < 2 * KEYS; i++) {
        snprintf(text, sizeof text, "SELECT %u", i % 2);
        client_send(w, c, text);
        snprintf(text, sizeof text, "LPOP l%u 1000000", i / 2);
        client_send(w, c, text);
        snprintf(text, sizeof text, "ZPOPMIN z%u 1000000", i / 2);
        client_send(w, c, text);
        assert(!c->s.task);
    }
}

static void configure(struct env *e) {
    e->config.proto_max_bulk_len = 512 << 20;
    e->config.slowlog_slower_than = 10000;
    e->config.slowlog_max_len = 128;
    e->config.latency_tracking = 1;
    e->store_config.policy = POLICY_NOEVICTION;
    e->store_config.threads = LANES;
    e->store_config.databases = STORE_DATABASES;
    home_limits_default(&e->store_config.limits);
}

static void start(void) {
    clock_start();
    command_start();
    net.host = (struct host){host_post, host_close, host_wake, host_flush, NULL, host_pause, host_shutdown, host_rewrite, NULL};
    net.env = env_new(LANES);
    net.env->host = &net.host;
    configure(net.env);
    env_open(net.env);
    for (unsigned i = 0; i < LANES; i++) {
        struct worker *w = &net.worker[i];
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->more, NULL);
        w->last = &w->first;
        w->lane = net.env->lane[i];
        w->x = 1000003 * (i + 1);
        w->left = REQUESTS;
        w->got = calloc(LANES, PUSHED_MOST);
    }
    for (unsigned i = 0; i < LANES; i++)
        if (pthread_create(&net.worker[i].thread, NULL, work, &net.worker[i])) abort();
}

struct sums {
    unsigned pushed, missing, twice, hangups, may_be_lost, waited, errors;
};

static struct sums sum_up(void) {
    struct sums s = {0};
    for (unsigned i = 0; i < LANES; i++) {
        const struct worker *w = &net.worker[i];
        s.pushed += w->pushed;
        s.hangups += w->hangups;
        s.may_be_lost += w->may_be_lost;
        s.waited += w->waited;
        s.errors += w->errors;
        for (unsigned k = 0; k < w->pushed; k++) {
            unsigned times = 0;
            for (unsigned l = 0; l < LANES; l++) times += net.worker[l].got[i * PUSHED_MOST + k];
            s.missing += !times;
            s.twice += times > 1;
        }
    }
    return s;
}

int main(void) {
    alarm(PATIENCE_S); /* a deadlock ends the program */
    start();
    for (unsigned i = 0; i < LANES; i++) pthread_join(net.worker[i].thread, NULL);
    for (unsigned i = 0; i < LANES; i++)
        while (deliver(&net.worker[i], false)) {}
    take_the_rest(&net.worker[0]);
    uint64_t keys = atomic_load(&net.env->waits->keys), far = 0, blocked = env_lane_stat(net.env, offsetof(struct lane, blocked));
    for (unsigned i = 0; i < STORE_SHARDS; i++) far += atomic_load(&net.env->waits->far[i]);
    struct sums s = sum_up();
    const char *wrong = store_check(net.env->store);
    const struct {
        const char *what;
        bool ok;
    } tests[] = {{"every invariant holds", !wrong}, {"no element came twice", !s.twice},
        {"none is lost but with who hung up", s.missing <= s.may_be_lost}, {"many waited", s.waited > REQUESTS / 4},
        {"some hung up", s.hangups > 0}, {"no queue is left", !keys && !far}, {"nobody is counted as blocked", !blocked}};
    unsigned failed = 0, n = sizeof tests / sizeof *tests;
    for (unsigned i = 0; i < n; i++) {
        failed += !tests[i].ok;
        if (!tests[i].ok) printf("FAILED: %s%s%s\n", tests[i].what, wrong ? ": " : "", wrong ? wrong : "");
    }
    printf("%u pushed, %u waited, %u hung up, %u missing of at most %u, %u twice, %u errors\n", s.pushed, s.waited, s.hangups,
        s.missing, s.may_be_lost, s.twice, s.errors);
    for (unsigned i = 0; i < LANES; i++) {
        for (unsigned k = 0; k < CLIENTS; k++) session_end(&net.worker[i].client[k].s);
        free(net.worker[i].got);
    }
    env_free(net.env);
    printf("%u passed, %u failed\n", n - failed, failed);
    return failed != 0;
}
