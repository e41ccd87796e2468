#include "command/session.h"

#include "base/clock.h"
#include "command/changes.h"
#include "command/account.h"
#include "command/feed.h"
#include "command/lease.h"
#include "command/monitor.h"
#include "command/pack.h"
#include "command/thaw.h"
#include "command/tracking.h"
#include "command/pubsub.h"
#include "command/push.h"

#include <assert.h>

bool session_needs_auth(const struct session *s) {
    return !s->authenticated && option_get(&s->lane->env->config.has_password);
}

/* What RESET puts back, too. */
static void session_defaults(struct session *s) {
    s->db = 0;
    s->authenticated = !option_get(&s->lane->env->config.has_password);
    s->monitor = s->no_evict = s->no_touch = s->readonly = false;
    s->replies_off = s->reply_skip = s->reply_skip_next = false;
    s->writer.proto = 2;
}

void session_init(struct session *s, struct lane *lane) {
    memset(s, 0, sizeof *s);
    s->lane = lane;
    s->id = atomic_fetch_add(&lane->env->next_session, 1) + 1;
    s->fd = -1;
    s->born_us = s->active_us = clock_mono_us();
    chain_init(&s->out, &lane->pool);
    s->writer.out = &s->out;
    resp_reader_init(&s->reader);
    session_defaults(s);
    s->next = lane->sessions;
    if (s->next) s->next->prev = s;
    lane->sessions = s;
    lane->session_count++;
    counter_add(&lane->clients, 1);
    counter_add(&lane->total_connections, 1);
}

static void task_drop(struct session *s, struct task *t) {
    bool blocks = t->unblock, timed = t->timed;
    t->drop(t);
    /* Behind it: whoever sees that a client waits no more finds none of its places in queues. */
    if (blocks) counter_add(&s->lane->blocked, (uint64_t)-1);
    if (timed) counter_add(&s->lane->blocked_timed, (uint64_t)-1);
}

static void task_free(struct session *s) {
    struct task *t = s->task;
    s->task = NULL;
    if (t) task_drop(s, t);
}

/* It listens to nothing any more. */
static void leave_all(struct session *s) {
    feed_leave(s);
    pubsub_leave(s);
    tracking_off(s);
    lease_book_close(s);
    changes_settle(s->lane);
}

void session_end(struct session *s) {
    struct lane *lane = s->lane;
    task_free(s);
    thaw_over(s);
    pack_free(s->pack);
    s->pack = NULL;
    leave_all(s);
    tracking_end(s);
    push_drop(s);
    mem_free(MEM_CLIENT, s->seats);
    if (s->monitor) monitor_end(s);
    s->monitor = false;
    chain_free(&s->out);
    resp_reader_free(&s->reader);
    session_set_text(&s->name, (struct slice){NULL, 0});
    session_set_text(&s->lib_name, (struct slice){NULL, 0});
    session_set_text(&s->lib_version, (struct slice){NULL, 0});
    if (s->prev)
        s->prev->next = s->next;
    else
        lane->sessions = s->next;
    if (s->next) s->next->prev = s->prev;
    s->next = s->prev = NULL;
    lane->session_count--;
    atomic_store_explicit(&lane->clients, lane->session_count, memory_order_relaxed);
}

void session_reset(struct session *s) {
    if (s->monitor) monitor_end(s);
    leave_all(s);
    session_defaults(s);
    session_set_text(&s->name, (struct slice){NULL, 0});
}

void session_park(struct session *s, struct task *t) {
    assert(!s->task && t->step && t->drop);
    s->task = t;
    if (t->unblock) counter_add(&s->lane->blocked, 1);
    t->timed = t->unblock && t->wake_us;
    if (t->timed) counter_add(&s->lane->blocked_timed, 1);
}

void session_silence(struct session *s, const struct chain_mark *before) {
    if (s->replies_off || s->reply_skip) chain_rewind(&s->out, *before);
}

void session_request_over(struct session *s) {
    s->reply_skip = s->reply_skip_next;
    s->reply_skip_next = false;
}

/* The request that the task stood for is over: what it cost is counted as the command's. */
static void task_over(struct session *s, struct task *t) {
    if (t->command) account_finished(s, t->command, t->ticks);
    if (s->task == t) s->task = NULL;
    if (!s->task) session_request_over(s);
    task_drop(s, t);
}

void session_replied(struct session *s, const struct chain_mark *before) {
    struct chain_mark now = chain_mark(&s->out);
    if (!s->attends) return;
    if (!s->task) {
        s->mid_reply = false;
        changes_settle(s->lane);
        if (s->listener) feed_give(s, false);
        push_settle(s);
    } else if (now.tail != before->tail || now.pos != before->pos) {
        s->mid_reply = true;
    }
}

enum task_state session_step(struct session *s, int64_t slice_us) {
    struct task *t = s->task;
    if (!t) return TASK_DONE;
    struct chain_mark before = chain_mark(&s->out);
    uint64_t started = clock_ticks();
    s->lane->running = s;
    enum task_state state = t->step(t, s, slice_us);
    t->ticks += clock_ticks() - started;
    session_silence(s, &before);
    if (state == TASK_DONE) task_over(s, t);
    session_replied(s, &before);
    s->lane->running = NULL;
    changes_settle(s->lane);
    if (state != TASK_DONE) return state;
    return s->task ? TASK_AGAIN : TASK_DONE; /* a task may end by running its request, and that may park anew */
}

size_t session_memory(const struct session *s) {
    size_t n = sizeof *s + chain_memory(&s->out) + s->query_bytes + s->query_room;
    n += s->reader.argcap * sizeof *s->reader.argv + s->reader.inline_words.cap;
    if (s->name) n += mem_usable(s->name);
    if (s->lib_name) n += mem_usable(s->lib_name);
    if (s->lib_version) n += mem_usable(s->lib_version);
    return n;
}

void session_set_text(char **field, struct slice value) {
    mem_free(MEM_CLIENT, *field);
    *field = NULL;
    if (!value.n) return;
    *field = mem_alloc(MEM_CLIENT, value.n + 1);
    memcpy(*field, value.p, value.n);
    (*field)[value.n] = 0;
}

/* Those who run MONITOR are normal clients, as in Redis; listeners of the feed are as subscribers. Replication is not built. */
const char *session_kind(const struct session *s) {
    return s->attends & (ATTEND_FEED | ATTEND_CHANNELS) ? "pubsub" : "normal";
}

bool session_is_local(const struct session *s) {
    static const char *const local[] = {"127.", "[::1]:", "::1:", "[::ffff:127.", "::ffff:127."};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (!strncmp(s->address, local[i], strlen(local[i]))) return true;
    return s->unix_socket;
}
