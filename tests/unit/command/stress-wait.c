/* Waiting for keys, on several threads: no element is lost, none comes twice, nobody waits for ever, nothing is left behind.
 *
 * A program of its own and without Criterion, so that it runs under the thread sanitizer. */
#include "lanes.h"

#include "base/clock.h"
#include "command/wait.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LANES = 3, CLIENTS = 10, REQUESTS = 12000, KEYS = 5, PUSHED_MOST = 4 * REQUESTS, PATIENCE_S = 300 };

struct client {
    struct lanes_client c;
    bool takes;     /* its request's reply has elements that are no longer in any key */
    unsigned most;  /* so many at most */
};

struct worker {
    unsigned lane;
    uint64_t x;
    unsigned left, pushed, hangups, may_be_lost, waited, errors;
    struct client client[CLIENTS];
    uint8_t *got; /* of PUSHED_MOST elements of each lane: how often it was received here */
};

static struct {
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

/* -- clients ------------------------------------------------------------------------------------------------------------------- */

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
    struct buf *out = &c->c.out;
    if (!out->n) return;
    const char *bytes = buf_cstr(out);
    if (c->takes) note_elements(w, bytes, out->n);
    else if (*bytes == '-') w->errors++;
    out->n = 0;
}

static void client_send(struct worker *w, struct client *c, const char *text) {
    lanes_ask(&c->c, text);
    w->waited += c->c.s.task && c->c.s.task->unblock;
    client_output(w, c);
}

/* True if it did something. */
static bool client_step(struct worker *w, struct client *c) {
    if (!lanes_step(&c->c)) return false;
    client_output(w, c);
    return true;
}

static void client_hang_up(struct worker *w, struct client *c) {
    if (c->takes) w->may_be_lost += c->most;
    w->hangups++;
    lanes_client_end(&c->c);
    lanes_client_open(&c->c, w->lane);
}

static void push(struct worker *w, char *text, size_t cap, const char *form, unsigned key) {
    unsigned n = 1 + (unsigned)(draw(&w->x) % 2), lane = w->lane;
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
    for (unsigned i = 0; i < CLIENTS; i++) lanes_client_open(&w->client[i].c, w->lane);
    while (atomic_load(&net.over) < LANES) {
        bool busy = lanes_deliver(w->lane, false), asked = false;
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct client *c = &w->client[i];
            if (c->c.s.task) {
                busy |= client_step(w, c);
                if (c->c.s.task && c->c.s.task->unblock && draw(&w->x) % 4000 == 0) client_hang_up(w, c);
            } else if (w->left) {
                w->left--;
                client_ask(w, c);
                busy = true;
            }
            asked |= c->c.s.task != NULL;
        }
        if (!w->left && !asked && !over) {
            over = true;
            atomic_fetch_add(&net.over, 1);
        }
        if (!busy) lanes_deliver(w->lane, true);
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
        assert(!c->c.s.task);
    }
}

static void start(void) {
    for (unsigned i = 0; i < LANES; i++) net.worker[i] = (struct worker){.lane = i, .x = 1000003 * (i + 1), .left = REQUESTS, .got = calloc(LANES, PUSHED_MOST)};
    net.env = lanes_open(LANES, NULL);
    lanes_run(work, net.worker, sizeof *net.worker);
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
        for (unsigned k = 0; k < CLIENTS; k++) lanes_client_end(&net.worker[i].client[k].c);
        free(net.worker[i].got);
    }
    lanes_close();
    printf("%u passed, %u failed\n", n - failed, failed);
    return failed != 0;
}
