#include "l1/inside.h"

#include "base/clock.h"

bool call_failed(int status) { return status == LARDER_DOWN || status == LARDER_TIMEOUT; }

static int status_of(enum link_status status) {
    return status == LINK_OK ? LARDER_OK : status == LINK_TIMEOUT ? LARDER_TIMEOUT : LARDER_DOWN;
}

int call_begin(struct larder *l, struct call *c, int64_t wait_us) {
    int64_t now = clock_mono_us(), timeout = (int64_t)l->o.timeout_ms * 1000;
    *c = (struct call){.l = l, .pool = wait_us ? &l->waiters : &l->pool, .began = now, .deadline = now + timeout + wait_us};
    if (!breaker_enter(&l->breaker, now)) return LARDER_DOWN;
    switch (pool_take(c->pool, now + (int64_t)l->o.connect_timeout_ms * 1000, now + timeout, &c->link)) {
    case POOL_OK:
        c->began = now = clock_mono_us(); /* waiting for a connection is no answer's time */
        c->deadline = now + timeout + wait_us;
        return LARDER_OK;
    case POOL_FULL:
        breaker_cancel(&l->breaker);
        return LARDER_BUSY;
    default:
        breaker_leave(&l->breaker, false, clock_mono_us());
        tally_count(near_record(l->near), COUNT_ERRORS, 1);
        return LARDER_DOWN;
    }
}

int call_send(struct call *c) {
    int status = status_of(link_flush(c->link, c->deadline));
    return status == LARDER_OK ? call_reply(c) : status;
}

int call_reply(struct call *c) {
    int status;
    do status = status_of(link_reply(c->link, c->deadline));
    while (status == LARDER_OK && link_node(c->link)->kind == REPLY_PUSH);
    if (status != LARDER_OK || !link_later(c->link)) return status;
    link_explain(c->link, "the server");
    return LARDER_DOWN;
}

int call_end(struct call *c, int status) {
    struct near_record *r = near_record(c->l->near);
    bool failed = call_failed(status);
    int64_t now = clock_mono_us();
    pool_give(c->pool, c->link, !failed ? LINK_OK : status == LARDER_TIMEOUT ? LINK_TIMEOUT : LINK_LOST);
    breaker_leave(&c->l->breaker, !failed, now);
    if (failed) tally_count(r, status == LARDER_TIMEOUT ? COUNT_TIMEOUTS : COUNT_ERRORS, 1);
    else if (c->pool == &c->l->pool) tally_time(r, TIMED_L2, (now - c->began) * 1000);
    return status;
}

int call_one(struct larder *l, struct call *c, size_t argc, const struct slice *argv) {
    int status = call_begin(l, c, 0);
    if (status != LARDER_OK) return status;
    link_request(c->link, argc, argv);
    status = call_send(c);
    if (status != LARDER_OK) return call_end(c, status);
    return link_node(c->link)->kind == REPLY_ERROR ? LARDER_ERROR : LARDER_OK;
}
