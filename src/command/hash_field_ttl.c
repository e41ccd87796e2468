/* Deadlines of fields, as Redis 7.4 has them: HEXPIRE and its kin set, HTTL and its kin tell, HPERSIST takes away. Each replies an
 * array with a number for each field that is named. */
#include "command/hashes.h"

#define LATEST (((1ll << 48) - 2) >> 2) /* ms: the latest moment that Redis takes */

enum { NO_FIELD = -2, NO_DEADLINE = -1, NOT_MET = 0, DONE = 1, DELETED = 2 };

void hashes_done(struct holder *h, const char *first, const char *second) {
    bool there = holder_close(h);
    if (first) notify_event(h->view, EVENT_HASH, first, h->key);
    if (second) notify_event(h->view, EVENT_HASH, second, h->key);
    if (!there && (first || second)) notify_event(h->view, EVENT_GENERIC, "del", h->key);
}

/* -- words --------------------------------------------------------------------------------------------------------------- */

bool hashes_read_due(struct call *c, int arg, bool seconds, bool relative, int64_t *due) {
    int64_t v, most = seconds ? LATEST / 1000 : LATEST;
    if (!call_i64(c, arg, &v)) return false;
    if (v < 0) {
        reply_error(c, "ERR invalid expire time, must be >= 0");
        return false;
    }
    int64_t from = relative ? c->v.now : 0;
    if (v > most || (seconds ? v * 1000 : v) > LATEST - from) {
        char name[64];
        size_t n = command_fullname(c->cmd, name, sizeof name);
        reply_errorf(c, "ERR invalid expire time in '%.*s' command", (int)n, name);
        return false;
    }
    *due = (seconds ? v * 1000 : v) + from;
    return true;
}

bool hashes_read_fields(struct call *c, int arg, const char *bad_count) {
    int64_t n;
    if (!call_is(c, arg, "FIELDS")) {
        reply_error(c, "ERR Mandatory argument FIELDS is missing or not at the right position");
        return false;
    }
    if (!call_range(c, arg + 1, 1, INT64_MAX, &n, bad_count)) return false;
    if (n == c->argc - arg - 2) return true;
    reply_error(c, "ERR The `numfields` parameter must match the number of arguments");
    return false;
}

/* -- HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT ---------------------------------------------------------------------------- */

enum condition { ALWAYS, NX, XX, GT, LT };

static enum condition condition_at(const struct call *c, int arg) {
    static const char *const words[] = {NULL, "NX", "XX", "GT", "LT"};
    for (unsigned i = NX; i <= LT; i++)
        if (call_is(c, arg, words[i])) return (enum condition)i;
    return ALWAYS;
}

static bool is_met(enum condition when, int64_t has, int64_t due) {
    switch (when) {
    case NX:
        return !has;
    case XX:
        return has;
    case GT:
        return has && due > has; /* none is later than any */
    case LT:
        return !has || due < has;
    default:
        return true;
    }
}

static int64_t expire_one(struct call *c, struct holder *h, struct slice field, enum condition when, int64_t due) {
    struct member m;
    if (!hash_get(&h->home, field, c->v.now, &m)) return NO_FIELD;
    if (!is_met(when, m.due, due)) return NOT_MET;
    if (due <= c->v.now) {
        hash_remove(&h->home, field, c->v.now);
        return DELETED;
    }
    hash_set_due(&h->home, field, due, c->v.now);
    return DONE;
}

static void expire(struct call *c, bool seconds, bool relative) {
    struct holder h;
    int64_t due;
    if (!collection_write(c, 0, VALUE_HASH, &h)) return;
    if (!hashes_read_due(c, 2, seconds, relative, &due)) return;
    enum condition when = condition_at(c, 3);
    int fields = when ? 4 : 3;
    if (!hashes_read_fields(c, fields, "ERR Parameter `numFields` should be greater than 0")) return;
    if (!collection_room(c, &h, h.home.n, (size_t)(c->argc - fields))) return; /* deadlines take bytes in each record */
    resp_array(c->w, (size_t)(c->argc - fields - 2));
    bool set = false, removed = false;
    for (int i = fields + 2; i < c->argc; i++) {
        int64_t did = collection_there(&h) ? expire_one(c, &h, c->argv[i], when, due) : NO_FIELD;
        set |= did == DONE;
        removed |= did == DELETED;
        resp_int(c->w, did);
    }
    hashes_done(&h, set ? "hexpire" : NULL, removed ? "hdel" : NULL);
}

void hashes_expire(struct call *c) { expire(c, true, true); }
void hashes_pexpire(struct call *c) { expire(c, false, true); }
void hashes_expireat(struct call *c) { expire(c, true, false); }
void hashes_pexpireat(struct call *c) { expire(c, false, false); }

/* -- HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME ------------------------------------------------------------------------------ */

static void tell(struct call *c, bool seconds, bool relative) {
    struct holder h;
    struct member m;
    if (!collection_read(c, 0, VALUE_HASH, &h)) return;
    if (!hashes_read_fields(c, 2, "ERR Number of fields must be a positive integer")) return;
    resp_array(c->w, (size_t)(c->argc - 4));
    for (int i = 4; i < c->argc; i++) {
        if (!hash_get(&h.home, c->argv[i], c->v.now, &m)) resp_int(c->w, NO_FIELD);
        else if (!m.due) resp_int(c->w, NO_DEADLINE);
        else resp_int(c->w, (m.due - (relative ? c->v.now : 0) + (seconds ? 999 : 0)) / (seconds ? 1000 : 1));
    }
}

void hashes_ttl(struct call *c) { tell(c, true, true); }
void hashes_pttl(struct call *c) { tell(c, false, true); }
void hashes_expiretime(struct call *c) { tell(c, true, false); }
void hashes_pexpiretime(struct call *c) { tell(c, false, false); }

/* -- HPERSIST ------------------------------------------------------------------------------------------------------------ */

void hashes_persist(struct call *c) {
    struct holder h;
    struct member m;
    if (!collection_write(c, 0, VALUE_HASH, &h)) return;
    if (!hashes_read_fields(c, 2, "ERR Number of fields must be a positive integer")) return;
    resp_array(c->w, (size_t)(c->argc - 4));
    bool done = false;
    for (int i = 4; i < c->argc; i++) {
        bool there = hash_get(&h.home, c->argv[i], c->v.now, &m), timed = there && m.due;
        if (timed) hash_set_due(&h.home, c->argv[i], 0, c->v.now);
        resp_int(c->w, timed ? DONE : there ? NO_DEADLINE : NO_FIELD);
        done |= timed;
    }
    hashes_done(&h, done ? "hpersist" : NULL, NULL);
}
