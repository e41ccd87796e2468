#include "command/pack.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/changes.h"
#include "command/feed.h"
#include "command/latency.h"
#include "command/monitor.h"
#include "command/persist.h"
#include "command/slowlog.h"
#include "command/tracking.h"
#include "command/thaw.h"
#include "command/wait.h"
#include "store/capture.h"

#include <stdio.h>

#define OUT_OF_MEMORY "OOM command not allowed when used memory > 'maxmemory'."
#define LOADING "LOADING Redis is loading the dataset in memory"
#define TRIES_AT_ONCE 4 /* other threads may take the room that was made: then again, but not for long */
#define TRIES_IN_ALL 10000
#define SAVE_WAIT_US 1000 /* between two looks whether a save has caught up */
#define HTTP_LOG_US 60000000 /* one line a minute about HTTP */

enum outcome { RAN, NO_ROOM, ROOM_LATER };

/* -- refusing ------------------------------------------------------------------------------------------------------------ */

/* Texts are cut at a NUL and at 128 bytes, as Redis prints them. */
static size_t shown(struct slice s, size_t most) { return strnlen(s.p, s.n < most ? s.n : most); }

/* Somebody else's browser, made to send HTTP here: nothing that it sent is answered. */
static void refuse_http(struct call *c) {
    struct env *e = call_env(c);
    int64_t now = clock_mono_us(), last = atomic_load(&e->http_logged_us);
    if ((!last || now - last > HTTP_LOG_US) && atomic_compare_exchange_strong(&e->http_logged_us, &last, now))
        log_warning("%s sent what looks like HTTP and is cut off: a web page may be used to send commands here",
            c->s->address);
    c->s->closing = true;
    e->host->close(c->s, false);
}

static void refuse_unknown(struct call *c) {
    struct slice name = c->argv[0];
    struct buf args = {0};
    if (call_is(c, 0, "post") || call_is(c, 0, "host:")) {
        refuse_http(c);
        return;
    }
    for (int i = 1; i < c->argc && args.n < 128; i++) {
        struct slice a = c->argv[i];
        buf_puts(&args, "'");
        buf_put(&args, a.p, shown(a, 128 - (args.n - 1)));
        buf_puts(&args, "' ");
    }
    reply_errorf(c, "ERR unknown command '%.*s', with args beginning with: %.*s", (int)shown(name, 128), name.p,
        (int)args.n, args.n ? args.p : "");
    buf_free(&args);
}

static void refuse_fault(struct call *c, enum request_fault fault) {
    switch (fault) {
    case FAULT_UNKNOWN:
        refuse_unknown(c);
        break;
    case FAULT_UNKNOWN_SUB:
        reply_unknown_sub(c);
        break;
    case FAULT_ARITY:
        reply_arity(c);
        break;
    case FAULT_NONE:
        break;
    }
}

static void count_rejected(struct call *c, const struct request *q) {
    if (q->fault == FAULT_UNKNOWN || q->fault == FAULT_UNKNOWN_SUB) return; /* no row to count it under */
    counter_add(&c->s->lane->commands[command_number(q->command)].rejected, 1);
}

static bool pause_holds(const struct env *e, bool write) {
    int64_t until = atomic_load_explicit(&e->pause_until_ms, memory_order_relaxed);
    if (!until || until <= clock_ms()) return false;
    return write || !atomic_load_explicit(&e->pause_writes_only, memory_order_relaxed);
}

bool dispatch_held(const struct session *s) {
    return s->task || (s->held && pause_holds(s->lane->env, s->held == HOLD_WRITE));
}

static void call_begin(struct call *c, const struct request *q) {
    c->cmd = q->command;
    c->argc = q->argc;
    c->argv = q->argv;
    c->need = 0;
    c->busy = c->failed = c->closed = c->again = false;
}

#define UNSAVED                                                                                                              \
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may "    \
    "modify the data set are disabled, because this instance is configured to report errors during writes if RDB "           \
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."

/* As in Redis, whose health checks so see it too. */
static bool refused_unsaved(const struct command *c) { return (c->flags & C_WRITE) || !strcmp(c->name, "PING"); }

/* In RESP2 replies and messages could not be told apart. */
static bool listener_may(const struct session *s, const struct request *q) {
    if (s->attends & (ATTEND_FEED | ATTEND_CHANNELS)) return q->command->flags & C_LISTENER;
    return true;
}

static void refuse_listener(struct call *c) {
    char name[128];
    size_t n = command_fullname(c->cmd, name, sizeof name);
    reply_errorf(c, "ERR Can't execute '%.*s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        (int)n, name);
}

enum admission { ADMITTED, REFUSED, HELD };

static enum admission request_admit(struct batch *b, struct session *s, const struct request *q) {
    struct call *c = &b->call;
    bool refused = true;
    call_begin(c, q);
    if (q->fault)
        refuse_fault(c, q->fault);
    else if (session_needs_auth(s) && !(q->command->flags & C_NO_AUTH))
        reply_error(c, "NOAUTH Authentication required.");
    else if (atomic_load_explicit(&s->lane->env->loading, memory_order_relaxed) && !(q->command->flags & C_LOADING))
        reply_error(c, LOADING);
    else if (persist_refuses(s->lane->env) && refused_unsaved(q->command))
        reply_error(c, UNSAVED);
    else if (s->attends && c->w->proto == 2 && !listener_may(s, q))
        refuse_listener(c);
    else
        refused = false;
    if (refused) {
        count_rejected(c, q);
        return REFUSED;
    }
    if (s->listener) {
        changes_settle(s->lane);
        feed_give(s, true); /* a reply comes behind what had changed */
    }
    bool write = q->command->flags & (C_WRITE | C_MAY_REPLICATE);
    if (!pause_holds(s->lane->env, write)) return ADMITTED;
    s->held = write ? HOLD_WRITE : HOLD_READ;
    return HELD;
}

/* -- what is noted when a command is over ---------------------------------------------------------------------------------- */

static void note_slow(struct session *s, const struct command *cmd, const struct slice *argv, int argc, uint64_t ticks) {
    struct env *e = s->lane->env;
    int64_t us = clock_ticks_us(ticks), slower = option_get(&e->config.slowlog_slower_than);
    int64_t max = option_get(&e->config.slowlog_max_len), threshold = option_get(&e->config.latency_threshold);
    if (slower >= 0 && us >= slower && max > 0 && !(cmd->flags & C_SKIP_SLOWLOG))
        slowlog_note(e->slowlog, s, argv, argc, us, (size_t)max);
    if (threshold > 0 && us / 1000 >= threshold)
        latency_note(e->latency, cmd->flags & C_FAST ? "fast-command" : "command", us / 1000);
}

void dispatch_finished(struct session *s, const struct command *c, uint64_t ticks) {
    struct command_stats *st = &s->lane->commands[command_number(c)];
    counter_add(&st->ticks, ticks);
    if (option_get(&s->lane->env->config.latency_tracking))
        hist_add(&st->latency, (uint64_t)((double)ticks * 1000 / clock_ticks_per_us()));
    char name[128]; /* its arguments are gone */
    struct slice word = {name, command_fullname(c, name, sizeof name)};
    note_slow(s, c, &word, 1, ticks);
}

/* Totals are brought up to date before anything runs that may ask for them, and at the end of a batch. */
static void flush_totals(struct batch *b, struct session *s) {
    counter_add(&s->lane->total_commands, b->ran);
    counter_add(&s->commands, b->ran);
    b->ran = 0;
}

/* What it took, under its command. Returns the ticks. */
static inline uint64_t count_call(struct batch *b, struct command_stats *st) {
    uint64_t now = clock_ticks(), took = now - b->ticks;
    b->ticks = now;
    counter_add(&st->calls, 1);
    counter_add(&st->ticks, took);
    if (__builtin_expect(b->tracking, 1)) hist_add(&st->latency, took * b->ns_per_tick >> 20); /* right up to an hour */
    b->ran++;
    return took;
}

static void request_parked(struct batch *b, struct session *s, const struct command *cmd, struct command_stats *st) {
    uint64_t now = clock_ticks();
    s->task->command = cmd;
    s->task->ticks += now - b->ticks;
    b->ticks = now;
    counter_add(&st->calls, 1);
    b->ran++;
}

static void request_done(struct batch *b, struct session *s, const struct request *q) {
    const struct call *c = &b->call;
    const struct command *cmd = q->command;
    struct command_stats *st = &s->lane->commands[command_number(cmd)];
    s->last = cmd;
    if (s->task) {
        request_parked(b, s, cmd, st);
    } else {
        uint64_t took = count_call(b, st);
        if (took >= b->slow) note_slow(s, cmd, q->argv, q->argc, took);
    }
    if (c->failed) counter_add(&st->failed, 1);
    if (c->closed) s->closing = true;
    if (b->monitored && !(cmd->flags & (C_SKIP_MONITOR | C_ADMIN))) monitor_feed(s, q->argv, q->argc);
    if (!(cmd->flags & (C_READONLY | C_WRITE)) || c->closed || b->ticks > b->ticks_late) b->refresh = true;
}

/* -- running ----------------------------------------------------------------------------------------------------------------- */

/* `tracked`: what it reads is noted, under the same locks. */
static inline void run_handler(struct call *c, bool tracked) {
    c->cmd->run(c);
    if (tracked) tracking_read(c->s, &c->v, c->key, c->keys);
}

static bool is_tracked(const struct call *c) { return c->s->attends & ATTEND_TRACKING && c->cmd->flags & C_READONLY; }

/* What moves a value from one key to another must know of each rule that the other's segment may have been swept for: so the rules
 * are looked at behind the locks. A command of one key may be under those that there were when its batch began. */
static void run_many(struct call *c) {
    struct store_locks locks = {{0}};
    wait_lock(c->s->lane, c->key, c->keys, &locks);
    view_rules(&c->v);
    run_handler(c, is_tracked(c));
    wait_unlock(c->s->lane, &c->v, c->key, c->keys, &locks);
}

static void run_with_all(struct call *c) {
    struct lane *l = c->s->lane;
    store_lock_all(c->v.store);
    view_rules(&c->v);
    run_handler(c, is_tracked(c));
    struct waiter *served = c->v.born & WAIT_TYPES ? wait_serve(l, &c->v, c->key, c->keys) : NULL;
    store_unlock_all(c->v.store);
    wait_tell(l, served);
}

/* It has made a collection, with its shard's lock held: there may be somebody waiting for it. */
static __attribute__((noinline)) void unlock_born(struct call *c, struct lock *lock) {
    struct waiter *served = wait_serve(c->s->lane, &c->v, c->key, 1);
    lock_release(lock);
    wait_tell(c->s->lane, served);
}

static inline void run_one(struct call *c, bool tracked) {
    unsigned shard = store_shard_of(c->key->hash);
    struct lock *lock = store_lock_of(c->v.store, shard);
    lock_acquire(lock);
    if (wait_far(c->waits, shard) && (c->cmd->flags & C_WRITE)) {
        lock_release(lock);
        run_many(c);
        return;
    }
    run_handler(c, tracked);
    if (__builtin_expect(c->v.born & WAIT_TYPES, 0)) unlock_born(c, lock);
    else lock_release(lock);
}

/* With no lock held: replies that lie packed get their bytes. */
static inline void settle_owing(struct call *c) {
    if (__builtin_expect(c->aside, 0)) owing_pay(c);
}

static inline void run_locked(struct call *c) {
    const struct command *cmd = c->cmd;
    if (__builtin_expect(cmd->flags & C_ALL_LOCKS, 0) && (!cmd->needs_all || cmd->needs_all(c->argv, c->argc))) {
        run_with_all(c);
    } else if (__builtin_expect(c->keys == 1, 1)) {
        run_one(c, is_tracked(c));
    } else if (c->keys) {
        run_many(c);
    } else {
        cmd->run(c);
    }
    settle_owing(c);
}

/* Once more, with what it wanted: that it looked for its keys was counted the first time. */
static void run_again(struct call *c) {
    struct store_stats *stats = c->v.stats;
    uint64_t hits = counter_get(&stats->hits), misses = counter_get(&stats->misses);
    bool touch = c->v.touch;
    c->v.touch = false;
    run_locked(c);
    c->v.touch = touch;
    counter_add(&stats->hits, hits - counter_get(&stats->hits));
    counter_add(&stats->misses, misses - counter_get(&stats->misses));
}

/* What was flushed or unlinked may not be freed yet: nothing can be evicted, and still there will be room. */
static enum store_fit room_from_trash(struct call *c, size_t need) {
    struct store *store = c->v.store;
    if (!store_trash(store)) return FIT_NO;
    bool more = store_trash_step(store, STORE_SLICE_US);
    if (store_fits(store, need)) return FIT_YES;
    return more ? FIT_LATER : FIT_NO;
}

/* A save under way is handed what is changed before it changes: no faster than it can take it. */
static bool held_back(const struct call *c) { return (c->cmd->flags & C_WRITE) && capture_pressed(c->v.store); }

/* About the bytes that it will store. */
static inline size_t request_bytes(const struct call *c, const struct request *q) {
    return q->size - (__builtin_expect(c->pack != NULL, 0) ? c->pack->saved : 0);
}

/* May it be that there is no room for it, of one kind or the other? */
static bool may_lack_room(const struct call *c, const struct request *q) {
    return ((q->command->flags & C_DENYOOM) && !store_fits(c->v.store, request_bytes(c, q))) ||
        ((q->command->flags & C_WRITE) && capture_pressed(c->v.store));
}

static size_t room_at_first(const struct call *c, const struct request *q) {
    return q->command->flags & C_DENYOOM ? request_bytes(c, q) : 0;
}

/* With no lock held, makes room for `need` more bytes and unpacks what the request wants, then runs it; again if it asks for more
 * than there is. */
static enum outcome run_with_room(struct batch *b, const struct request *q, size_t need) {
    struct call *c = &b->call;
    for (int i = 0; i < TRIES_AT_ONCE; i++) {
        if (c->busy || held_back(c)) return ROOM_LATER;
        bool again = c->again;
        if (again && need == 1) need = 0;
        enum store_fit fit = need ? store_make_room(c->v.store, need, c->v.now, c->v.stats, STORE_SLICE_US) : FIT_YES;
        if (fit == FIT_NO) fit = room_from_trash(c, need);
        switch (fit) {
        case FIT_YES:
            break;
        case FIT_LATER:
            return ROOM_LATER;
        case FIT_NO:
            return NO_ROOM;
        }
        if (again && !thaw_wanted(c->s, STORE_SLICE_US)) return ROOM_LATER;
        call_begin(c, q);
        if (again) run_again(c);
        else run_locked(c);
        if (!c->need) return RAN;
        need = c->need;
    }
    return ROOM_LATER;
}

static void refuse_for_room(struct batch *b, const struct request *q) {
    call_begin(&b->call, q);
    reply_error(&b->call, OUT_OF_MEMORY);
    count_rejected(&b->call, q);
}

/* -- waiting for room: a task with a copy of the request --------------------------------------------------------------------- */

struct room {
    struct task task;
    size_t need;
    unsigned tries;
    bool again;          /* call.again */
    struct pack *pack;   /* NULL: it has none */
    struct request request; /* its command is NULL: one has run, and its reply is followed by evicting down to the limit */
    struct slice argv[];
};

static enum task_state room_step(struct task *t, struct session *s, int64_t slice_us);
static void room_drop(struct task *t) {
    pack_free(((struct room *)(void *)t)->pack);
    mem_free(MEM_CLIENT, t);
}

static void room_park(struct session *s, const struct request *q, size_t need, struct call *c) {
    size_t argc = q ? (size_t)q->argc : 0, n = sizeof(struct room) + argc * sizeof(struct slice), bytes = 0;
    for (size_t i = 0; i < argc; i++) bytes += q->argv[i].n;
    struct room *r = mem_alloc(MEM_CLIENT, n + bytes);
    *r = (struct room){.task = {.step = room_step, .drop = room_drop}, .need = need};
    if (q) {
        r->again = c->again;
        r->pack = pack_keep(s, c);
        char *at = (char *)r + n;
        r->request = *q;
        r->request.argv = r->argv;
        for (size_t i = 0; i < argc; i++) {
            memcpy(at, q->argv[i].p, q->argv[i].n);
            r->argv[i] = (struct slice){at, q->argv[i].n};
            at += q->argv[i].n;
        }
        if (q->command->only_key) r->request.key.p = r->argv[q->command->only_key].p;
    }
    session_park(s, &r->task);
}

/* A write may have taken more than it asked for: down to the limit before its reply leaves. */
static void evict_down(struct batch *b, struct session *s) {
    struct view *v = &b->call.v;
    enum store_fit fit = store_make_room(v->store, 0, v->now, v->stats, STORE_SLICE_US);
    if (fit == FIT_LATER && !s->task) room_park(s, NULL, 0, NULL);
}

static void request_settle(struct batch *b, struct session *s, const struct request *q, enum outcome o) {
    thaw_over(s);
    if (o == NO_ROOM) {
        refuse_for_room(b, q);
        return;
    }
    request_done(b, s, q);
    bool watch = b->limited || (q->command->flags & C_ADMIN); /* CONFIG SET maxmemory has its effect at once */
    if (watch && !(q->command->flags & C_READONLY) && !store_fits(b->call.v.store, 0)) evict_down(b, s);
}

/* The request is over, or put off. */
static inline void aside_over(struct session *s, struct call *c) {
    if (__builtin_expect(!c->aside, 1)) return;
    c->aside = false;
    pack_over(s, c);
}

/* Again in the next turn, or, where a save has to catch up first, a little later. */
static enum task_state room_again(struct task *t, const struct store *store, bool busy) {
    if (!capture_pressed(store) && !capture_owes(store) && !(busy && capture_on(store))) return TASK_AGAIN;
    t->wake_us = clock_mono_us() + SAVE_WAIT_US;
    return TASK_WAIT;
}

static enum task_state room_step(struct task *t, struct session *s, int64_t slice_us) {
    struct room *r = (struct room *)(void *)t;
    struct batch *b = s->lane->batch;
    struct call *c = &b->call;
    batch_refresh(b, s);
    b->ticks = clock_ticks();
    if (!r->request.command) {
        bool later = store_make_room(c->v.store, 0, c->v.now, c->v.stats, slice_us) == FIT_LATER;
        return later ? room_again(t, c->v.store, false) : TASK_DONE;
    }
    call_begin(c, &r->request);
    request_keys(b, &r->request);
    c->again = r->again;
    c->pack = s->pack = r->pack;
    c->aside = r->pack;
    r->pack = NULL;
    s->task = NULL; /* the request may park in its turn: see session_step */
    enum outcome o = run_with_room(b, &r->request, r->need);
    if (o == ROOM_LATER && (c->busy || c->again || capture_on(c->v.store) || ++r->tries < TRIES_IN_ALL)) {
        if (c->need) r->need = c->busy ? 0 : c->need;
        r->again = c->again;
        r->pack = pack_keep(s, c);
        s->task = t;
        return room_again(t, c->v.store, c->busy);
    }
    request_settle(b, s, &r->request, o == RAN ? RAN : NO_ROOM);
    aside_over(s, c);
    flush_totals(b, s);
    return TASK_DONE;
}

/* -- the way of a request ------------------------------------------------------------------------------------------------------- */

static void request_end(struct batch *b, struct session *s, const struct request *q, enum outcome o) {
    if (o == ROOM_LATER)
        room_park(s, q, b->call.busy ? 0 : b->call.need ? b->call.need : room_at_first(&b->call, q), &b->call);
    else
        request_settle(b, s, q, o);
    aside_over(s, &b->call);
}

static void request_run(struct batch *b, struct session *s, struct request *q) {
    struct call *c = &b->call;
    enum outcome o = RAN;
    flush_totals(b, s);
    call_begin(c, q);
    request_keys(b, q);
    if (b->limited && may_lack_room(c, q)) {
        o = run_with_room(b, q, room_at_first(c, q));
    } else {
        run_locked(c);
        if (__builtin_expect(c->need != 0, 0)) o = run_with_room(b, q, c->need);
    }
    request_end(b, s, q, o);
}

/* The short way of nearly all requests: one key, no fault. Returns whether there is something to look at before the next. */
static inline bool request_run_simple(struct batch *b, struct session *s, struct request *q) {
    struct call *c = &b->call;
    const struct command *cmd = q->command;
    struct store *store = c->v.store;
    if (__builtin_expect(b->limited, 0) && may_lack_room(c, q)) {
        request_run(b, s, q);
        return true;
    }
    call_begin(c, q);
    c->key = &q->key;
    c->keys = 1;
    run_one(c, false);
    settle_owing(c);
    if (__builtin_expect(c->need != 0 || c->failed || c->closed || s->task, 0)) {
        enum outcome o = c->need ? run_with_room(b, q, c->need) : RAN;
        request_end(b, s, q, o);
        return true;
    }
    aside_over(s, c);
    uint64_t took = count_call(b, &s->lane->commands[command_number(cmd)]);
    if (__builtin_expect(took >= b->slow, 0)) note_slow(s, cmd, q->argv, q->argc, took);
    if (__builtin_expect(b->limited, 0) && (cmd->flags & C_WRITE) && !store_fits(store, 0)) {
        evict_down(b, s);
        if (s->task) return true;
    }
    return __builtin_expect(b->ticks > b->ticks_late, 0);
}

/* False: the request waits, with its bytes. */
static bool request_run_careful(struct batch *b, struct session *s, struct request *q) {
    struct chain_mark before = chain_mark(&s->out);
    switch (request_admit(b, s, q)) {
    case ADMITTED:
        request_run(b, s, q);
        break;
    case REFUSED:
        break;
    case HELD:
        aside_over(s, &b->call);
        return false;
    }
    aside_over(s, &b->call);
    session_silence(s, &before);
    session_replied(s, &before);
    if (s->attends & ATTEND_TRACKING && q->command) tracking_after(s, q->command);
    b->refresh = true;
    return true;
}

/* Runs the batch in order. Returns how many bytes are done with; *stop: something holds up the rest. */
static size_t batch_run(struct batch *b, struct session *s, bool *stop) {
    struct request *q = b->request, *const last = q + b->n;
    for (; q < last; q++) {
        if (__builtin_expect(q->size >= b->pack_from, 0) && !pack_ready(b, s, q)) {
            *stop = true;
            break;
        }
        if (__builtin_expect(q->simple && !b->careful, 1)) {
            if (__builtin_expect(!request_run_simple(b, s, q), 1)) continue;
            b->refresh |= b->ticks > b->ticks_late;
        } else if (b->careful || q->fault) {
            if (!request_run_careful(b, s, q)) {
                *stop = true;
                break;
            }
        } else {
            request_run(b, s, q);
        }
        if (s->task || s->closing) {
            if (!s->task) session_request_over(s);
            *stop = true;
            q++;
            break;
        }
        if (b->refresh) {
            session_request_over(s);
            batch_refresh(b, s);
        }
    }
    if (q > b->request) s->last = q[-1].command;
    flush_totals(b, s);
    return q > b->request ? q[-1].end : 0;
}

static void protocol_error(struct batch *b, struct session *s) {
    char text[128];
    struct chain_mark before = chain_mark(&s->out);
    snprintf(text, sizeof text, "ERR %s", s->reader.error);
    call_begin(&b->call, &(struct request){0});
    reply_error(&b->call, text);
    session_silence(s, &before);
    s->closing = true;
}

/* Asks the reader for the next request. False: there is none. */
static bool batch_read(struct batch *b, struct session *s, const char *p, size_t n, size_t *used, size_t *need) {
    struct resp_request r;
    b->n = 0;
    switch (resp_reader_next(&s->reader, &b->limits, p, n, &r, need)) {
    case RESP_MORE:
        return false;
    case RESP_ERROR:
        protocol_error(b, s);
        return false;
    case RESP_REQUEST:
        break;
    }
    if (r.argc)
        batch_single(b, &r);
    else
        *used = r.used;
    return true;
}

size_t dispatch_input(struct session *s, const char *p, size_t n, size_t *need) {
    struct batch *b = s->lane->batch;
    size_t done = 0;
    bool stop = false;
    if (need) *need = 0;
    s->held = HOLD_NONE;
    if (s->task || s->closing || !n) return 0;
    batch_refresh(b, s);
    b->ticks = clock_ticks();
    s->lane->running = s;
    while (done < n && !stop && !s->closing) {
        size_t skipped = 0;
        b->n = 0;
        if (resp_reader_idle(&s->reader)) batch_cut(b, p + done, n - done);
        if (!b->n && !batch_read(b, s, p + done, n - done, &skipped, need)) break;
        batch_bring_near(b);
        done += skipped + batch_run(b, s, &stop);
    }
    s->lane->running = NULL;
    changes_settle(s->lane);
    resp_reader_trim(&s->reader);
    return s->closing ? n : done;
}
