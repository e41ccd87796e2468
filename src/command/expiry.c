/* When keys end: EXPIRE and its kin, TTL and its kin, PERSIST. */
#include "command/keyspace.h"
#include "command/strings.h"

enum condition { IF_NONE = 1 /* NX */, IF_SOME = 2 /* XX */, IF_LATER = 4 /* GT */, IF_EARLIER = 8 /* LT */ };

static bool read_conditions(struct call *c, unsigned *out) {
    unsigned f = 0;
    for (int i = 3; i < c->argc; i++) {
        if (call_is(c, i, "NX")) {
            f |= IF_NONE;
        } else if (call_is(c, i, "XX")) {
            f |= IF_SOME;
        } else if (call_is(c, i, "GT")) {
            f |= IF_LATER;
        } else if (call_is(c, i, "LT")) {
            f |= IF_EARLIER;
        } else {
            struct buf b = {.n = 0};
            buf_puts(&b, "ERR Unsupported option ");
            buf_put(&b, c->argv[i].p, c->argv[i].n);
            reply_error_slice(c, buf_slice(&b));
            buf_free(&b);
            return false;
        }
    }
    if ((f & IF_NONE) && (f & ~(unsigned)IF_NONE)) {
        reply_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((f & IF_LATER) && (f & IF_EARLIER)) {
        reply_error(c, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *out = f;
    return true;
}

/* A key without a deadline counts as one that ends never: later than all. `old` 0: no deadline. */
static bool conditions_hold(unsigned f, int64_t old, int64_t deadline) {
    if ((f & IF_NONE) && old) return false;
    if ((f & IF_SOME) && !old) return false;
    if ((f & IF_LATER) && (!old || deadline <= old)) return false;
    if ((f & IF_EARLIER) && old && deadline >= old) return false;
    return true;
}

static void expire(struct call *c, int64_t unit, bool absolute) {
    unsigned f;
    int64_t deadline;
    if (!read_conditions(c, &f)) return;
    if (!call_i64(c, 2, &deadline)) return;
    if (__builtin_mul_overflow(deadline, unit, &deadline) ||
        __builtin_add_overflow(deadline, absolute ? 0 : c->v.now, &deadline)) {
        strings_bad_expire(c);
        return;
    }
    struct entry *e = call_write(c, 0);
    if (!e || !conditions_hold(f, entry_deadline(e), deadline)) {
        RESP_RAW(c->w, ":0\r\n");
        return;
    }
    bool over = deadline <= c->v.now;
    if (over) view_unlink(&c->v, &c->key[0]);
    else view_set_deadline(&c->v, &c->key[0], e, deadline);
    call_event(c, EVENT_GENERIC, over ? "del" : "expire", 0);
    RESP_RAW(c->w, ":1\r\n");
}

void expiry_expire(struct call *c) { expire(c, 1000, false); }
void expiry_pexpire(struct call *c) { expire(c, 1, false); }
void expiry_expireat(struct call *c) { expire(c, 1000, true); }
void expiry_pexpireat(struct call *c) { expire(c, 1, true); }

/* -2: no such key, -1: it has no deadline. Seconds are rounded to the nearest. */
static void reply_deadline(struct call *c, bool absolute, bool seconds) {
    struct entry *e = keyspace_look(c, 0);
    int64_t v = e ? entry_deadline(e) : 0;
    if (!v) {
        resp_int(c->w, e ? -1 : -2);
        return;
    }
    if (!absolute) v = v > c->v.now ? v - c->v.now : 0;
    if (seconds) v = v / 1000 + (v % 1000 >= 500);
    resp_int(c->w, v);
}

void expiry_ttl(struct call *c) { reply_deadline(c, false, true); }
void expiry_pttl(struct call *c) { reply_deadline(c, false, false); }
void expiry_expiretime(struct call *c) { reply_deadline(c, true, true); }
void expiry_pexpiretime(struct call *c) { reply_deadline(c, true, false); }

void expiry_persist(struct call *c) {
    struct entry *e = call_write(c, 0);
    bool had = e && entry_deadline(e);
    if (had) {
        view_set_deadline(&c->v, &c->key[0], e, 0);
        call_event(c, EVENT_GENERIC, "persist", 0);
    }
    resp_int(c->w, had);
}
