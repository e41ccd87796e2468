/* HGETDEL, HGETEX, HSETEX, as Redis 8 has them: fields are read and removed, or read or set together with their deadlines. */
#include "command/hashes.h"

#define BAD_COUNT "ERR Number of fields must be a positive integer"

static bool reply_value(struct call *c, const struct holder *h, struct slice field, struct member *m) {
    bool there = hash_get(&h->home, field, c->v.now, m);
    if (there) resp_bulk(c->w, m->value.p, m->value.n);
    else resp_null(c->w);
    return there;
}

void hashes_getdel(struct call *c) {
    struct holder h;
    struct member m;
    if (!hashes_read_fields(c, 2, BAD_COUNT) || !collection_write(c, 0, VALUE_HASH, &h)) return;
    resp_array(c->w, (size_t)(c->argc - 4));
    bool removed = false;
    for (int i = 4; i < c->argc; i++)
        if (reply_value(c, &h, c->argv[i], &m)) removed |= hash_remove(&h.home, c->argv[i], c->v.now);
    hashes_done(&h, removed ? "hdel" : NULL, NULL);
}

/* -- words of HGETEX and HSETEX ------------------------------------------------------------------------------------------ */

enum what { LEAVE, KEEP, DROP, SET }; /* what becomes of deadlines */

struct words {
    enum what what;
    int64_t due;
    bool fnx, fxx;
    int first; /* the first field's argument */
};

struct unit {
    const char *word;
    bool seconds, relative;
};

static const struct unit *unit_at(const struct call *c, int arg) {
    static const struct unit units[] = {{"EX", true, true}, {"PX", false, true}, {"EXAT", true, false}, {"PXAT", false, false}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (call_is(c, arg, units[i].word)) return &units[i];
    return NULL;
}

static bool fail(struct call *c, const char *text) {
    reply_error(c, text);
    return false;
}

/* `arg` is at FIELDS, which ends the words; each field has `width` of those behind it. */
static bool read_last(struct call *c, int arg, int width, struct words *o) {
    int64_t n;
    if (arg + 1 >= c->argc) {
        reply_arity(c);
        return false;
    }
    if (!call_range(c, arg + 1, 1, INT32_MAX, &n, "ERR invalid number of fields")) return false;
    o->first = arg + 2;
    if (n * width == c->argc - o->first) return true;
    reply_arity(c);
    return false;
}

static bool read_words(struct call *c, bool set, struct words *o) {
    const char *other = set ? "KEEPTTL" : "PERSIST";
    const struct unit *unit = NULL, *u;
    int time = 0;
    *o = (struct words){.what = LEAVE};
    for (int i = 2; i < c->argc; i++) {
        if (call_is(c, i, "FIELDS")) {
            if (!read_last(c, i, set ? 2 : 1, o)) return false;
            return !unit || hashes_read_due(c, time, unit->seconds, unit->relative, &o->due);
        }
        bool condition = set && (call_is(c, i, "FNX") || call_is(c, i, "FXX"));
        if (condition) {
            if (o->fnx || o->fxx) return fail(c, "ERR Only one of FXX or FNX arguments can be specified");
            o->fnx = call_is(c, i, "FNX");
            o->fxx = !o->fnx;
            continue;
        }
        u = unit_at(c, i);
        if (!u && !call_is(c, i, other)) {
            reply_errorf(c, "ERR unknown argument: %.*s", (int)(c->argv[i].n < 128 ? c->argv[i].n : 128), c->argv[i].p);
            return false;
        }
        if (o->what != LEAVE) {
            reply_errorf(c, "ERR Only one of EX, PX, EXAT, PXAT or %s arguments can be specified", other);
            return false;
        }
        o->what = u ? SET : set ? KEEP : DROP;
        if (!u) continue;
        unit = u;
        time = ++i;
        if (time >= c->argc) return fail(c, "ERR missing expire time");
    }
    return fail(c, "ERR Mandatory argument FIELDS is missing or not at the right position");
}

/* -- HGETEX -------------------------------------------------------------------------------------------------------------- */

void hashes_getex(struct call *c) {
    struct holder h;
    struct member m;
    struct words o;
    if (!read_words(c, false, &o) || !collection_write(c, 0, VALUE_HASH, &h)) return;
    if (o.what == SET && !collection_room(c, &h, h.home.n, (size_t)(c->argc - o.first))) return;
    resp_array(c->w, (size_t)(c->argc - o.first));
    const char *did = NULL;
    for (int i = o.first; i < c->argc; i++) {
        if (!reply_value(c, &h, c->argv[i], &m)) continue;
        if (o.what == SET && o.due <= c->v.now) {
            hash_remove(&h.home, c->argv[i], c->v.now);
            did = "hdel";
        } else if (o.what == SET || (o.what == DROP && m.due)) {
            hash_set_due(&h.home, c->argv[i], o.due, c->v.now);
            did = o.what == SET ? "hexpire" : "hpersist";
        }
    }
    hashes_done(&h, did, NULL);
}

/* -- HSETEX -------------------------------------------------------------------------------------------------------------- */

static bool condition_met(const struct call *c, const struct holder *h, const struct words *o) {
    struct member m;
    if (!o->fnx && !o->fxx) return true;
    for (int i = o->first; i < c->argc; i += 2)
        if (hash_get(&h->home, c->argv[i], c->v.now, &m) == o->fnx) return false;
    return true;
}

void hashes_setex(struct call *c) {
    struct holder h;
    struct member m;
    struct words o;
    size_t bytes = 0;
    if (!read_words(c, true, &o) || !collection_write(c, 0, VALUE_HASH, &h)) return;
    if (!condition_met(c, &h, &o)) {
        resp_int(c->w, 0);
        return;
    }
    for (int i = o.first; i < c->argc; i++) bytes += c->argv[i].n;
    if (!collection_room(c, &h, bytes + h.home.n, (size_t)(c->argc - o.first))) return;
    bool gone = o.what == SET && o.due <= c->v.now, removed = false;
    for (int i = o.first; i < c->argc; i += 2) {
        if (gone) {
            removed |= hash_remove(&h.home, c->argv[i], c->v.now);
            continue;
        }
        int64_t due = o.what == SET ? o.due : 0;
        if (o.what == KEEP && hash_get(&h.home, c->argv[i], c->v.now, &m)) due = m.due;
        hash_put(&h.home, &(struct member){.name = c->argv[i], .value = c->argv[i + 1], .due = due}, c->v.now);
    }
    if (gone) hashes_done(&h, removed ? "hdel" : NULL, NULL);
    else hashes_done(&h, "hset", o.what == SET ? "hexpire" : NULL);
    resp_int(c->w, 1);
}
