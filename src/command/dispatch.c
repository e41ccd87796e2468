#include "command/dispatch.h"

#include "base/clock.h"
#include "command/account.h"
#include "command/admit.h"
#include "command/changes.h"
#include "command/pack.h"
#include "command/room.h"
#include "command/run.h"
#include "command/tracking.h"

#include <stdio.h>

bool dispatch_held(const struct session *s) {
    return s->task || (s->held && admit_paused(s->lane->env, s->held == HOLD_WRITE));
}

/* `lacks`: there may be no room for it. */
static void request_run(struct batch *b, struct session *s, struct request *q, bool lacks) {
    struct call *c = &b->call;
    enum outcome o = RAN;
    account_totals(b, s);
    call_begin(c, q);
    request_keys(b, q);
    if (lacks) {
        o = room_run(b, q, room_at_first(c, q));
    } else {
        run_locked(c);
        if (__builtin_expect(c->need != 0, 0)) o = room_run(b, q, c->need);
    }
    room_end(b, s, q, o);
}

/* The short way of nearly all requests: one key, no fault. Returns whether there is something to look at before the next. */
static inline bool request_run_simple(struct batch *b, struct session *s, struct request *q) {
    struct call *c = &b->call;
    const struct command *cmd = q->command;
    struct store *store = c->v.store;
    if (room_lacks(b, q)) {
        request_run(b, s, q, true);
        return true;
    }
    call_begin(c, q);
    c->key = &q->key;
    c->keys = 1;
    run_one(c, false);
    run_settle(c);
    if (__builtin_expect(c->need != 0 || c->failed || c->closed || s->task, 0)) {
        enum outcome o = c->need ? room_run(b, q, c->need) : RAN;
        room_end(b, s, q, o);
        return true;
    }
    room_aside_over(s, c);
    uint64_t took = account_call(b, &s->lane->commands[command_number(cmd)]);
    if (__builtin_expect(took >= b->slow, 0)) account_slow(s, cmd, q->argv, q->argc, took);
    if (__builtin_expect(b->limited, 0) && (cmd->flags & C_WRITE) && !store_fits(store, 0)) {
        room_evict(b, s);
        if (s->task) return true;
    }
    return __builtin_expect(b->ticks > b->ticks_late, 0);
}

/* False: the request waits, with its bytes. */
static bool request_run_careful(struct batch *b, struct session *s, struct request *q) {
    struct chain_mark before = chain_mark(&s->out);
    switch (admit_request(b, s, q)) {
    case ADMITTED:
        request_run(b, s, q, room_lacks(b, q));
        break;
    case REFUSED:
        break;
    case HELD:
        room_aside_over(s, &b->call);
        return false;
    }
    room_aside_over(s, &b->call);
    session_silence(s, &before);
    session_replied(s, &before);
    if (s->attends & ATTEND_TRACKING) tracking_after(s, q->command);
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
            request_run(b, s, q, room_lacks(b, q));
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
    account_totals(b, s);
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
