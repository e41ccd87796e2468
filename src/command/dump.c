/* DUMP and RESTORE: values as Redis serializes them, to take them from one server to another.
 *
 *   payload: type (1), value (snapshot/rdb.h), RDB version (2, little endian), CRC-64 of all before it (8, little endian)
 *
 * What is small is done at once; what may take longer as a work. A large value that is dumped is held as it is meanwhile. One
 * that is restored is built outside of the keyspace, with no lock, and put in its place at the end; so its key is looked at
 * twice: other commands may have made it in between.
 */
#include "base/clock.h"
#include "command/pack.h"
#include "command/thaw.h"
#include "command/wait.h"
#include "command/work.h"
#include "snapshot/heat.h"
#include "snapshot/rdb_wire.h"

#include <assert.h>
#include <stdio.h>

#define FOOTER 10
#define AT_ONCE 16384  /* a value or payload of more bytes is a work's */
#define STRING_AT_ONCE 64 /* a string's payload, which may be packed: not under a lock */
#define BUSY_KEY "BUSYKEY Target key name already exists."
#define STEP 4096      /* bytes between two looks at the clock */

static void footer_put(uint8_t *p, unsigned version, uint64_t sum) {
    p[0] = (uint8_t)version;
    p[1] = (uint8_t)(version >> 8);
    sum = rdb_wire_sum(sum, p, 2);
    for (int i = 0; i < 8; i++) p[2 + i] = (uint8_t)(sum >> 8 * i);
}

/* -- DUMP ------------------------------------------------------------------------------------------------------------------ */

struct dump {
    struct work work;
    struct rdb_save *save;
    struct entry *pinned; /* a string, which is read where it lies */
    char *text;           /* one that lies packed */
    uint64_t sum;
};

static void dump_drop(struct work *w) {
    struct dump *d = (struct dump *)w;
    rdb_save_free(d->save);
    if (d->pinned) entry_release(d->pinned);
    mem_free(MEM_CLIENT, d->text);
}

static void dump_reply(struct dump *d, struct session *s) {
    uint8_t footer[FOOTER];
    char head[32];
    footer_put(footer, rdb_save_version(d->save), d->sum);
    chain_put(&d->work.body, footer, sizeof footer);
    resp_raw(&s->writer, head, (size_t)snprintf(head, sizeof head, "$%zu\r\n", chain_size(&d->work.body)));
    chain_join(&s->out, &d->work.body);
    RESP_RAW(&s->writer, "\r\n");
}

static bool dump_on(struct work *w, struct session *s) {
    struct dump *d = (struct dump *)w;
    struct buf *out = rdb_save_out(d->save);
    enum rdb_status st;
    do {
        st = rdb_save_step(d->save, STEP);
        d->sum = rdb_wire_sum(d->sum, out->p, out->n);
        chain_put(&w->body, out->p, out->n);
        out->n = 0;
    } while (st == RDB_MORE && !work_over(w));
    if (st == RDB_MORE) return false;
    dump_reply(d, s);
    return true;
}

/* `text`: a string's bytes. */
static void dump_later(struct call *c, struct entry *e, struct slice text) {
    struct dump *d = work_new(c, sizeof *d, dump_on, dump_drop);
    bool compress = option_get(&call_env(c)->config.rdb_compression);
    if (entry_type(e) == VALUE_STRING) {
        d->text = call_text_take(c, 0, e);
        bool pinned = !d->text && entry_pin(e); /* larger than any slab's block */
        assert(pinned || d->text);
        d->pinned = pinned ? e : NULL;
        d->save = rdb_save_new_string(text, compress);
    } else {
        struct holder h;
        holder_look(&h, c->v.store, e, entry_type(e));
        d->save = rdb_save_new(entry_type(e), work_keep(&d->work, &h), compress);
    }
    work_start(c, &d->work);
}

static void dump_now(struct call *c, struct entry *e, struct slice text) {
    bool compress = option_get(&call_env(c)->config.rdb_compression);
    struct rdb_save *save;
    struct holder h;
    if (entry_type(e) == VALUE_STRING) {
        save = rdb_save_new_string(text, compress);
    } else {
        holder_look(&h, c->v.store, e, entry_type(e));
        save = rdb_save_new(entry_type(e), &h.home, compress);
    }
    struct buf *out = rdb_save_out(save);
    while (rdb_save_step(save, SIZE_MAX) == RDB_MORE) {}
    uint8_t *footer = (uint8_t *)buf_room(out, FOOTER);
    footer_put(footer, rdb_save_version(save), rdb_wire_sum(0, out->p, out->n));
    out->n += FOOTER;
    resp_bulk(c->w, out->p, out->n);
    rdb_save_free(save);
}

static void run_dump(struct call *c) {
    struct entry *e = call_read(c, 0);
    struct slice text = SLICE("");
    if (!e) {
        resp_null(c->w);
        return;
    }
    bool string = entry_type(e) == VALUE_STRING;
    if (string && !call_text(c, 0, e, &text)) return;
    if (string ? text.n > AT_ONCE : entry_home(e).object != NULL) dump_later(c, e, text);
    else dump_now(c, e, text);
}

/* -- RESTORE --------------------------------------------------------------------------------------------------------------- */

struct wish { /* what RESTORE's words say */
    bool replace, absolute;
    int64_t ttl, idle, frequency; /* idle and frequency: -1 not said */
};

static bool read_words(struct call *c, struct wish *o) {
    *o = (struct wish){.idle = -1, .frequency = -1};
    for (int i = 4; i < c->argc; i++) {
        bool more = i + 1 < c->argc;
        if (call_is(c, i, "REPLACE")) {
            o->replace = true;
        } else if (call_is(c, i, "ABSTTL")) {
            o->absolute = true;
        } else if (call_is(c, i, "IDLETIME") && more && o->frequency == -1) {
            if (!call_i64(c, ++i, &o->idle)) return false;
            if (o->idle < 0) {
                reply_error(c, "ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
        } else if (call_is(c, i, "FREQ") && more && o->idle == -1) {
            if (!call_i64(c, ++i, &o->frequency)) return false;
            if (o->frequency < 0 || o->frequency > 255) {
                reply_error(c, "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static bool footer_right(struct call *c, struct slice payload) {
    if (payload.n < FOOTER) return false;
    const uint8_t *p = (const uint8_t *)payload.p, *footer = p + payload.n - FOOTER;
    if (rdb_little(footer, 2) > RDB_VERSION_MOST) return false;
    if (option_get(&call_env(c)->config.skip_checksum)) return true;
    return rdb_wire_sum(0, p, payload.n - 8) == rdb_little(footer + 2, 8);
}

/* When the key shall expire; 0: never. False: that is over already. */
static bool wish_deadline(const struct wish *o, int64_t now, int64_t *deadline) {
    uint64_t at = (uint64_t)o->ttl + (o->ttl && !o->absolute ? (uint64_t)now : 0);
    *deadline = (int64_t)at; /* one beyond all numbers is in the past, as in Redis */
    return !at || *deadline > now;
}

static void wish_access(const struct wish *o, const struct policy *p, struct entry *e) {
    struct record r = {.use = RECORD_UNUSED}; /* as one that is loaded */
    if (o->frequency >= 0) r.use = RECORD_FREQUENCY, r.used = (uint32_t)o->frequency;
    else if (o->idle >= 0) r.use = RECORD_IDLE, r.used = o->idle > UINT32_MAX ? UINT32_MAX : (uint32_t)o->idle;
    entry_set_access(e, heat_word(p, &r, entry_access(e)));
}

/* Puts what was read in its place; `packed`: a string that was packed meanwhile. */
static void restore_put(struct view *v, const struct key *k, const struct wish *o, struct rdb_load *l, struct slice packed) {
    int64_t deadline;
    if (!wish_deadline(o, v->now, &deadline)) {
        if (view_unlink(v, k)) notify_event(v, EVENT_GENERIC, "del", k);
        return;
    }
    struct entry *e;
    bool over = notify_wants(lane_of_stats(v->stats), EVENT_NEW) && view_peek(v, k); /* what replaces it is new to Redis */
    if (rdb_load_type(l) == VALUE_STRING) {
        e = packed.n ? view_set(v, k, packed, deadline, FORM_LZ4) : view_set(v, k, rdb_load_string(l), deadline, FORM_AUTO);
    } else {
        e = view_set_home(v, k, rdb_load_type(l), rdb_load_home(l), deadline);
        rdb_load_taken(l);
    }
    wish_access(o, &v->policy, e);
    if (over) notify_event(v, EVENT_NEW, "new", k);
    notify_event(v, EVENT_GENERIC, "restore", k);
}

/* Bytes that the value takes besides its object, which is there already, and those that the object takes. */
static size_t restore_room(struct view *v, const struct key *k, const struct rdb_load *l, size_t *object) {
    *object = 0;
    if (rdb_load_type(l) == VALUE_STRING) return view_room_for(v, k, rdb_load_string(l).n);
    const struct home *h = rdb_load_home(l);
    if (!h->object) return view_room_for(v, k, h->n);
    *object = value_ops(rdb_load_type(l))->memory(h->object);
    return view_room_for(v, k, sizeof h->object);
}

static const char *load_error(enum rdb_status st) {
    return st == RDB_UNSUPPORTED ? "ERR Bad data format: a type of value that is not supported" : "ERR Bad data format";
}

static void restore_past(struct view *v, const struct key *k, const struct wish *o) {
    if (o->replace && view_unlink(v, k)) notify_event(v, EVENT_GENERIC, "del", k);
}

static bool restore_may_grow(void *store, size_t built, size_t n) {
    (void)built;
    return store_fits(store, n);
}

static void restore_now(struct call *c, const struct wish *o, struct slice payload) {
    const uint8_t *p = (const uint8_t *)payload.p;
    struct rdb_reader in = {.p = p + 1, .end = p + payload.n - FOOTER};
    struct rdb_load *l;
    enum rdb_status st = in.p > in.end ? RDB_SHORT
        : rdb_load_new(&l, &in, *p, &call_env(c)->store_config.limits, store_seed(c->v.store), c->v.now);
    if (st) {
        reply_error(c, load_error(st));
        return;
    }
    rdb_load_wait(l, (struct allowance_giver){restore_may_grow, c->v.store});
    while ((st = rdb_load_step(l, SIZE_MAX)) == RDB_MORE) {}
    if (st == RDB_ROOM) { /* once more, with room for twice of what there is */
        size_t built, wants = rdb_load_wants(l, &built);
        rdb_load_free(l);
        call_room_slow(c, wants + 2 * built);
        return;
    }
    size_t object, room = st ? 0 : restore_room(&c->v, &c->key[0], l, &object);
    if (!st && !store_fits(c->v.store, room)) {
        rdb_load_free(l);
        call_room_slow(c, room + object);
        return;
    }
    if (!st) restore_put(&c->v, &c->key[0], o, l, SLICE(""));
    if (st == RDB_PAST) restore_past(&c->v, &c->key[0], o);
    if (!st || st == RDB_PAST) resp_ok(c->w);
    else reply_error(c, load_error(st));
    rdb_load_free(l);
}

/* -- RESTORE of what is large ---------------------------------------------------------------------------------------------- */

struct restore {
    struct work work;
    struct wish wish;
    struct rdb_reader in;
    struct rdb_load *load; /* NULL until the first step */
    bool read, packing_over;
    enum rdb_status status;
    struct packing packing; /* of a string */
    struct buf packed;
    size_t key;            /* bytes of it, which the payload follows */
    size_t payload;
    size_t wants;          /* room for the next member */
    char bytes[];
};

static void restore_drop(struct work *w) {
    struct restore *r = (struct restore *)w;
    rdb_load_free(r->load);
    buf_free(&r->packed);
}

/* What is being built counts as used. FIT_LATER: the slice is over. */
static enum store_fit restore_fits(struct restore *r, struct session *s, size_t more) {
    struct store *store = r->work.store;
    if (store_fits(store, more)) return FIT_YES;
    return store_make_room(store, more, clock_ms(), &s->lane->store_stats, STORE_SLICE_US / 2);
}

static enum rdb_status restore_read(struct restore *r, struct session *s) {
    struct store *store = r->work.store;
    const uint8_t *p = (const uint8_t *)r->bytes + r->key;
    if (r->load) return rdb_load_step(r->load, STEP);
    r->in = (struct rdb_reader){.p = p + 1, .end = p + r->payload - FOOTER};
    enum rdb_status st = rdb_load_new(&r->load, &r->in, *p, &s->lane->env->store_config.limits, store_seed(store), clock_ms());
    if (st) return st;
    rdb_load_wait(r->load, (struct allowance_giver){restore_may_grow, store});
    return RDB_MORE;
}

static void restore_finish(struct restore *r, struct session *s) {
    struct store *store = r->work.store;
    struct key k = store_key(store_seed(store), (struct slice){r->bytes, r->key});
    struct store_locks locks = {{0}};
    struct view v;
    r->work.wrote = true;
    view_init(&v, store, r->work.db, clock_ms(), &s->lane->store_stats);
    wait_lock(s->lane, &k, 1, &locks);
    bool busy = !r->wish.replace && view_peek(&v, &k);
    if (!busy && r->status == RDB_OK) restore_put(&v, &k, &r->wish, r->load, buf_slice(&r->packed));
    if (!busy && r->status == RDB_PAST) restore_past(&v, &k, &r->wish);
    wait_unlock(s->lane, &v, &k, 1, &locks);
    if (busy) session_error(s, BUSY_KEY);
    else resp_ok(&s->writer);
}

/* A string is packed, as SET would. False: the slice is over. */
static bool restore_pack(struct restore *r, struct session *s) {
    while (r->status == RDB_OK && rdb_load_type(r->load) == VALUE_STRING && !r->packing_over) {
        bool more;
        pack_bytes(s->lane, &r->packing, rdb_load_string(r->load), &r->packed, &more);
        if (more) return false;
        r->packing_over = true;
    }
    return true;
}

static bool restore_on(struct work *w, struct session *s) {
    struct restore *r = (struct restore *)w;
    enum store_fit fit = FIT_YES;
    if (w->view) return false; /* not under the call's locks */
    while (!r->read) {
        if (work_over(w)) return false;
        if ((fit = restore_fits(r, s, r->wants)) != FIT_YES) break;
        size_t built;
        r->status = restore_read(r, s);
        r->wants = r->status == RDB_ROOM ? rdb_load_wants(r->load, &built) : 0;
        r->read = r->status != RDB_MORE && r->status != RDB_ROOM;
    }
    if (r->read && r->status != RDB_OK && r->status != RDB_PAST) {
        session_error(s, load_error(r->status));
        return true;
    }
    if (fit == FIT_YES && !restore_pack(r, s)) return false;
    if (fit == FIT_YES) fit = restore_fits(r, s, AT_ONCE + mem_class(r->status ? 0 : r->packed.n ? r->packed.n : rdb_load_string(r->load).n));
    if (fit == FIT_NO) session_error(s, CALL_OUT_OF_MEMORY);
    if (fit != FIT_YES) return fit == FIT_NO;
    restore_finish(r, s);
    return true;
}

static void restore_later(struct call *c, const struct wish *o, struct slice payload) {
    size_t key = c->key[0].n;
    struct restore *r = work_new(c, sizeof *r + key + payload.n, restore_on, restore_drop);
    r->wish = *o;
    buf_init(&r->packed, MEM_CLIENT);
    r->key = key;
    r->payload = payload.n;
    memcpy(r->bytes, c->key[0].p, key);
    memcpy(r->bytes + key, payload.p, payload.n);
    work_start(c, &r->work);
}

static void run_restore(struct call *c) {
    struct wish o;
    if (!read_words(c, &o)) return;
    if (!o.replace && call_write(c, 0)) {
        reply_error(c, BUSY_KEY);
        return;
    }
    if (!call_i64(c, 2, &o.ttl)) return;
    if (o.ttl < 0) {
        reply_error(c, "ERR Invalid TTL value, must be >= 0");
        return;
    }
    if (!footer_right(c, c->argv[3])) {
        reply_error(c, "ERR DUMP payload version or checksum are wrong");
        return;
    }
    bool string = *c->argv[3].p == RDB_STRING && pack_from(&call_env(c)->store_config) != SIZE_MAX;
    if (c->argv[3].n > (string ? STRING_AT_ONCE : AT_ONCE)) restore_later(c, &o, c->argv[3]);
    else restore_now(c, &o, c->argv[3]);
}

/* -- rows ------------------------------------------------------------------------------------------------------------------ */

#define KEY(f) {{KEYS_RANGE, 1, 0, 1, (f)}}
#define COST "O(1) to make or find the key and O(N*M) for its value, of N members of average size M; O(N*M*log(N)) to restore a " \
    "sorted set. Large values are done in slices, others are served meanwhile."

static const char *const restore_history[] = {"3.0.0", "The REPLACE option.", "5.0.0", "The ABSTTL option.",
    "5.0.0", "The IDLETIME and FREQ options.", NULL};

#define RESTORE(NAME, FLAGS, GROUP, SINCE, SUMMARY)                                                                      \
    {.name = NAME,                                                                                                       \
        .arity = -4,                                                                                                     \
        .flags = C_WRITE | C_DENYOOM | (FLAGS),                                                                          \
        .group = GROUP,                                                                                                  \
        .categories = A_KEYSPACE | A_DANGEROUS,                                                                          \
        .keys = KEY(K_OW | K_UPDATE),                                                                                    \
        .run = run_restore,                                                                                              \
        .since = SINCE,                                                                                                  \
        .complexity = COST,                                                                                              \
        .history = restore_history,                                                                                      \
        .summary = SUMMARY,                                                                                              \
        .syntax = "key ttl serialized-value [REPLACE{since 3.0.0}] [ABSTTL{since 5.0.0}] [IDLETIME seconds{since 5.0.0}] "    \
                  "[FREQ frequency{since 5.0.0}]"}

static const struct command rows[] = {
    {.name = "DUMP",
        .arity = 2,
        .flags = C_READONLY,
        .group = "generic",
        .categories = A_KEYSPACE,
        .keys = KEY(K_RO | K_ACCESS),
        .run = run_dump,
        .since = "2.6.0",
        .complexity = COST,
        .tips = "nondeterministic_output",
        .summary = "Returns the value of a key, serialized.",
        .syntax = "key"},
    RESTORE("RESTORE", 0, "generic", "2.6.0", "Makes a key of a value that DUMP serialized."),
    RESTORE("RESTORE-ASKING", C_ASKING | C_SYSCMD, "server", "3.0.0", "RESTORE for keys that move between the nodes of a cluster."),
    {.name = NULL},
};

const struct command *command_rows_dump(void) { return rows; }
