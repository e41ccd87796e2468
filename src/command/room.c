#include "command/room.h"

#include "base/clock.h"
#include "command/account.h"
#include "command/run.h"
#include "command/thaw.h"

#define TRIES_AT_ONCE 4 /* other threads may take the room that was made: then again, but not for long */
#define TRIES_IN_ALL 10000
#define SAVE_WAIT_US 1000 /* between two looks whether a save has caught up */

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

size_t room_at_first(const struct call *c, const struct request *q) {
    return q->command->flags & C_DENYOOM ? room_bytes(c, q) : 0;
}

/* With no lock held, makes room for `need` more bytes and unpacks what the request wants, then runs it; again if it asks for more
 * than there is. */
enum outcome room_run(struct batch *b, const struct request *q, size_t need) {
    struct call *c = &b->call;
    for (int i = 0; i < TRIES_AT_ONCE; i++) {
        if (c->busy || held_back(c)) return ROOM_LATER;
        bool again = c->again;
        if (again && need == 1) need = 0;
        uint64_t hash = c->keys == 1 ? c->key->hash : 0;
        enum store_fit fit = need ? store_make_room_for(c->v.store, hash, need, c->v.now, c->v.stats, STORE_SLICE_US) : FIT_YES;
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
    reply_error(&b->call, CALL_OUT_OF_MEMORY);
    account_rejected(&b->call, q);
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
void room_evict(struct batch *b, struct session *s) {
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
    account_request(b, s, q);
    bool watch = b->limited || (q->command->flags & C_ADMIN); /* CONFIG SET maxmemory has its effect at once */
    if (watch && !(q->command->flags & C_READONLY) && !store_fits(b->call.v.store, 0)) room_evict(b, s);
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
    enum outcome o = room_run(b, &r->request, r->need);
    if (o == ROOM_LATER && (c->busy || c->again || capture_on(c->v.store) || ++r->tries < TRIES_IN_ALL)) {
        if (c->need) r->need = c->busy ? 0 : c->need;
        r->again = c->again;
        r->pack = pack_keep(s, c);
        s->task = t;
        return room_again(t, c->v.store, c->busy);
    }
    request_settle(b, s, &r->request, o == RAN ? RAN : NO_ROOM);
    room_aside_over(s, c);
    account_totals(b, s);
    return TASK_DONE;
}

void room_end(struct batch *b, struct session *s, const struct request *q, enum outcome o) {
    if (o == ROOM_LATER)
        room_park(s, q, b->call.busy ? 0 : b->call.need ? b->call.need : room_at_first(&b->call, q), &b->call);
    else
        request_settle(b, s, q, o);
    room_aside_over(s, &b->call);
}
