/* Strings as a whole: set, get, and parts of them. Numbers are in string_number.c, LCS in lcs.c. */
#include "command/strings.h"

#include "command/owing.h"
#include "command/thaw.h"

#define TOO_LONG "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
#define BY_REFERENCE 16384 /* a part of a value from this size on is sent from where it lies */

void strings_bad_expire(struct call *c) {
    char name[64];
    size_t n = command_fullname(c->cmd, name, sizeof name);
    reply_errorf(c, "ERR invalid expire time in '%.*s' command", (int)n, name);
}

static void reply_value_or_null(struct call *c, struct entry *e) {
    if (e)
        reply_string(c, e);
    else
        resp_null(c->w);
}

static void reply_one(struct call *c) { RESP_RAW(c->w, ":1\r\n"); }
static void reply_zero(struct call *c) { RESP_RAW(c->w, ":0\r\n"); }

/* -- GET and SET ---------------------------------------------------------------------------------------- */

static void run_get(struct call *c) {
    struct entry *e = call_read(c, 0);
    if (__builtin_expect(!e, 0)) {
        resp_null(c->w);
        return;
    }
    if (__builtin_expect(entry_type(e) != VALUE_STRING, 0)) {
        reply_wrong_type(c);
        return;
    }
    reply_string(c, e);
}

/* Room for the value at `arg`; false after a reply, or if the call will be run again. */
static inline bool value_room(struct call *c, int arg) {
    enum entry_form form;
    return strings_room(c, 0, call_value(c, arg, &form).n);
}

static inline void value_set(struct call *c, int key, int arg, int64_t deadline) {
    enum entry_form form;
    struct slice v = call_value(c, arg, &form);
    view_set(&c->v, &c->key[key], v, deadline, form);
}

static inline void set_told(const struct call *c, int key, bool expires) {
    call_event(c, EVENT_STRING, "set", key);
    if (expires) call_event(c, EVENT_GENERIC, "expire", key);
}

enum when { WHEN_NONE, WHEN_EX, WHEN_PX, WHEN_EXAT, WHEN_PXAT };

struct set_words {
    bool nx, xx, get, keep, persist;
    enum when when;
    int when_arg;
};

static enum when when_named(struct slice word) {
    if (slice_is(word, "EX")) return WHEN_EX;
    if (slice_is(word, "PX")) return WHEN_PX;
    if (slice_is(word, "EXAT")) return WHEN_EXAT;
    if (slice_is(word, "PXAT")) return WHEN_PXAT;
    return WHEN_NONE;
}

/* The options of SET from word 3 on, or those of GETEX from word 2 on. A time may be named twice in the same
 * unit, as in Redis; the later one counts. */
static bool read_words(struct call *c, bool set, struct set_words *o) {
    *o = (struct set_words){.nx = false};
    for (int i = set ? 3 : 2; i < c->argc; i++) {
        enum when w;
        if (set && !o->xx && call_is(c, i, "NX")) {
            o->nx = true;
        } else if (set && !o->nx && call_is(c, i, "XX")) {
            o->xx = true;
        } else if (set && call_is(c, i, "GET")) {
            o->get = true;
        } else if (set && !o->when && call_is(c, i, "KEEPTTL")) {
            o->keep = true;
        } else if (!set && !o->when && call_is(c, i, "PERSIST")) {
            o->persist = true;
        } else if (i + 1 < c->argc && !o->keep && !o->persist && (w = when_named(c->argv[i])) != WHEN_NONE &&
                   (o->when == WHEN_NONE || o->when == w)) {
            o->when = w;
            o->when_arg = ++i;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* The deadline that the word at `arg` asks for; false after an error was replied. */
static bool read_deadline(struct call *c, int arg, enum when w, int64_t *deadline) {
    int64_t v;
    if (!call_i64(c, arg, &v)) return false;
    bool seconds = w == WHEN_EX || w == WHEN_EXAT, relative = w == WHEN_EX || w == WHEN_PX;
    if (v <= 0 || (seconds && v > INT64_MAX / 1000)) goto bad;
    if (seconds) v *= 1000;
    if (relative && v > INT64_MAX - c->v.now) goto bad;
    *deadline = relative ? v + c->v.now : v;
    return true;
bad:
    strings_bad_expire(c);
    return false;
}

static void set_with_words(struct call *c) {
    struct set_words o;
    int64_t deadline = 0;
    if (!read_words(c, true, &o)) return;
    if (o.when && !read_deadline(c, o.when_arg, o.when, &deadline)) return;
    if (!value_room(c, 2)) return;
    struct entry *e = NULL;
    if (o.get) {
        bool ok;
        e = call_read_type(c, 0, VALUE_STRING, &ok);
        if (!ok) return;
        reply_value_or_null(c, e);
    } else if (o.nx || o.xx) {
        e = call_write(c, 0);
    }
    if ((o.nx && e) || (o.xx && !e)) {
        if (!o.get) resp_null(c->w);
        return;
    }
    value_set(c, 0, 2, o.keep ? VIEW_KEEP : deadline);
    set_told(c, 0, o.when);
    if (!o.get) resp_ok(c->w);
}

static void run_set(struct call *c) {
    if (__builtin_expect(c->argc > 3, 0)) {
        set_with_words(c);
        return;
    }
    if (__builtin_expect(!value_room(c, 2), 0)) return;
    value_set(c, 0, 2, 0);
    set_told(c, 0, false);
    resp_ok(c->w);
}

static void run_setnx(struct call *c) {
    if (!value_room(c, 2)) return;
    if (call_write(c, 0)) {
        reply_zero(c);
        return;
    }
    value_set(c, 0, 2, 0);
    set_told(c, 0, false);
    reply_one(c);
}

static void set_expiring(struct call *c, enum when w) {
    int64_t deadline;
    if (!read_deadline(c, 2, w, &deadline)) return;
    if (!value_room(c, 3)) return;
    value_set(c, 0, 3, deadline);
    set_told(c, 0, true);
    resp_ok(c->w);
}
static void run_setex(struct call *c) { set_expiring(c, WHEN_EX); }
static void run_psetex(struct call *c) { set_expiring(c, WHEN_PX); }

static void run_getset(struct call *c) {
    bool ok;
    if (!value_room(c, 2)) return;
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    reply_value_or_null(c, e);
    value_set(c, 0, 2, 0);
    set_told(c, 0, false);
}

static void run_getdel(struct call *c) {
    bool ok;
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    reply_value_or_null(c, e);
    bool there = view_delete(&c->v, &c->key[0]); /* if it is not there as well: a warm-up shall not bring it */
    if (there) call_event(c, EVENT_GENERIC, "del", 0);
}

static void run_getex(struct call *c) {
    struct set_words o;
    int64_t deadline = 0;
    bool ok;
    if (!read_words(c, false, &o)) return;
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    if (!e) {
        resp_null(c->w);
        return;
    }
    if (o.when && !read_deadline(c, o.when_arg, o.when, &deadline)) return;
    reply_string(c, e);
    if (o.when && deadline <= c->v.now) {
        view_delete(&c->v, &c->key[0]);
        call_event(c, EVENT_GENERIC, "del", 0);
    } else if (o.when || (o.persist && entry_deadline(e))) {
        view_set_deadline(&c->v, &c->key[0], e, deadline);
        call_event(c, EVENT_GENERIC, o.when ? "expire" : "persist", 0);
    }
}

/* -- several keys at once ------------------------------------------------------------------------------- */

static void run_mget(struct call *c) {
    resp_array(c->w, (size_t)c->keys);
    for (int i = 0; i < c->keys; i++) {
        struct entry *e = call_read(c, i);
        reply_value_or_null(c, e && entry_type(e) == VALUE_STRING ? e : NULL);
    }
}

/* Room for all pairs together; false after a reply, or if the call will be run again. */
static bool pairs_ok(struct call *c) {
    if (c->argc % 2 == 0) {
        reply_arity(c);
        return false;
    }
    size_t need = 0;
    enum entry_form form;
    for (int i = 0; i < c->keys; i++) {
        size_t n = call_value(c, 2 * i + 2, &form).n;
        need += c->keys > 1 ? view_room_beside(&c->v, &c->key[i], n, (size_t)i) : view_room_for(&c->v, &c->key[i], n);
    }
    return call_room(c, need);
}

static void set_pairs(struct call *c) {
    for (int i = 0; i < c->keys; i++) {
        value_set(c, i, 2 * i + 2, 0);
        set_told(c, i, false);
    }
}

static void run_mset(struct call *c) {
    if (!pairs_ok(c)) return;
    set_pairs(c);
    resp_ok(c->w);
}

static void run_msetnx(struct call *c) {
    if (!pairs_ok(c)) return;
    for (int i = 0; i < c->keys; i++)
        if (call_write(c, i)) {
            reply_zero(c);
            return;
        }
    set_pairs(c);
    reply_one(c);
}

/* -- parts ---------------------------------------------------------------------------------------------- */

/* May a string be `have` and `more` bytes long? */
static bool length_ok(struct call *c, size_t have, size_t more) {
    uint64_t limit = (uint64_t)option_get(&call_env(c)->config.proto_max_bulk_len);
    if (more <= limit && have <= limit - more) return true;
    reply_error(c, TOO_LONG);
    return false;
}

static void run_append(struct call *c) {
    bool ok;
    struct slice tail = c->argv[2];
    struct entry *e = call_write_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    size_t n = e ? entry_length(e) : 0;
    if (e && !length_ok(c, n, tail.n)) return;
    if (!strings_editable(c, 0, e)) return;
    if (e && !(e = call_plain(c, 0, e))) return;
    if (!strings_room_to_edit(c, 0, n + tail.n)) return;
    if (e) {
        char *p = view_edit(&c->v, &c->key[0], e, n + tail.n, FORM_RAW);
        memcpy(p + n, tail.p, tail.n);
    } else {
        view_set(&c->v, &c->key[0], tail, 0, FORM_AUTO);
    }
    call_event(c, EVENT_STRING, "append", 0);
    resp_int(c->w, (int64_t)(n + tail.n));
}

static void run_setrange(struct call *c) {
    int64_t offset;
    bool ok;
    struct slice part = c->argv[3];
    if (!call_i64(c, 2, &offset)) return;
    if (offset < 0) {
        reply_error(c, "ERR offset is out of range");
        return;
    }
    struct entry *e = call_write_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    size_t n = e ? entry_length(e) : 0;
    if (!part.n) {
        resp_int(c->w, (int64_t)n);
        return;
    }
    if (!length_ok(c, (size_t)offset, part.n)) return;
    size_t end = (size_t)offset + part.n;
    if (end > n) n = end;
    if (!strings_editable(c, 0, e)) return;
    if (e && !(e = call_plain(c, 0, e))) return;
    if (!strings_room_to_edit(c, 0, n)) return;
    char *p = view_edit(&c->v, &c->key[0], e, n, FORM_RAW);
    memcpy(p + offset, part.p, part.n);
    call_event(c, EVENT_STRING, "setrange", 0);
    resp_int(c->w, (int64_t)n);
}

static void run_strlen(struct call *c) {
    bool ok;
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (ok) resp_int(c->w, e ? (int64_t)entry_length(e) : 0);
}

static void run_getrange(struct call *c) {
    int64_t from, to;
    bool ok;
    if (!call_i64(c, 2, &from) || !call_i64(c, 3, &to)) return;
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    struct slice v = e ? entry_value(e) : (struct slice){"", 0};
    int64_t n = e ? (int64_t)entry_length(e) : 0;
    if (from < 0 && to < 0 && from > to) n = 0; /* backwards, wherever the ends may lie */
    if (from < 0) from = from + n < 0 ? 0 : from + n;
    if (to < 0) to = to + n < 0 ? 0 : to + n;
    if (to >= n) to = n - 1;
    if (from > to || !n) {
        resp_bulk(c->w, "", 0);
        return;
    }
    size_t part = (size_t)(to - from + 1);
    if (entry_packed(e))
        owing_bulk(c, e, (size_t)from, part);
    else if (part >= BY_REFERENCE && entry_pin(e))
        resp_bulk_ref(c->w, v.p + from, part, entry_release, e);
    else
        resp_bulk(c->w, v.p + from, part);
}

/* -- rows ----------------------------------------------------------------------------------------------- */

#define KEY(f)                                                                                               \
    {                                                                                                        \
        { KEYS_RANGE, 1, 0, 1, (f) }                                                                         \
    }
#define EXPIRATION "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds"
#define PART_COST                                                                                            \
    "O(N) where N is the length of the returned string. Copying out of a string is so cheap that short "     \
    "parts can be "                                                                                          \
    "taken as O(1)."

static const char *const set_history[] = {"2.6.12", "EX, PX, NX and XX.", "6.0.0", "KEEPTTL.", "6.2.0",
    "GET, EXAT and PXAT.", "7.0.0", "NX together with GET.", NULL};

static const struct command rows[] = {
    {.name = "GET",
        .arity = 2,
        .flags = C_READONLY | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RO | K_ACCESS),
        .run = run_get,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Returns the string stored at a key.",
        .syntax = "key"},
    {.name = "SET",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE | K_VARIABLE_FLAGS),
        .run = run_set,
        .value = 2,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .history = set_history,
        .summary =
            "Stores a string at a key, whatever was there before; conditions and a deadline may be given.",
        .syntax = "key value [NX | XX] [GET] [" EXPIRATION " | KEEPTTL]"},
    {.name = "SETNX",
        .arity = 3,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_OW | K_INSERT),
        .run = run_setnx,
        .value = 2,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Stores a string at a key that does not exist yet.",
        .syntax = "key value"},
    {.name = "SETEX",
        .arity = 4,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_STRING,
        .keys = KEY(K_OW | K_UPDATE),
        .run = run_setex,
        .value = 3,
        .group = "string",
        .since = "2.0.0",
        .complexity = "O(1)",
        .summary = "Stores a string at a key for a number of seconds.",
        .syntax = "key seconds value"},
    {.name = "PSETEX",
        .arity = 4,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_STRING,
        .keys = KEY(K_OW | K_UPDATE),
        .run = run_psetex,
        .value = 3,
        .group = "string",
        .since = "2.6.0",
        .complexity = "O(1)",
        .summary = "Stores a string at a key for a number of milliseconds.",
        .syntax = "key milliseconds value"},
    {.name = "GETSET",
        .arity = 3,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = run_getset,
        .value = 2,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .deprecated = "6.2.0 `SET` with the `!GET` argument",
        .summary = "Stores a string at a key and returns the one that was there.",
        .syntax = "key value"},
    {.name = "GETDEL",
        .arity = 2,
        .flags = C_WRITE | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_DELETE),
        .run = run_getdel,
        .group = "string",
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "Returns the string stored at a key and deletes the key.",
        .syntax = "key"},
    {.name = "GETEX",
        .arity = -2,
        .flags = C_WRITE | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = run_getex,
        .group = "string",
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "Returns the string stored at a key and changes when the key expires.",
        .syntax = "key [" EXPIRATION " | PERSIST]"},
    {.name = "MGET",
        .arity = -2,
        .flags = C_READONLY | C_FAST,
        .categories = A_STRING,
        .keys = {{KEYS_RANGE, 1, -1, 1, K_RO | K_ACCESS}},
        .run = run_mget,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of keys to retrieve.",
        .tips = "request_policy:multi_shard",
        .summary = "Returns the strings stored at several keys.",
        .syntax = "key [key ...]"},
    {.name = "MSET",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_STRING,
        .keys = {{KEYS_RANGE, 1, -1, 2, K_OW | K_UPDATE}},
        .run = run_mset,
        .value = 2,
        .group = "string",
        .since = "1.0.1",
        .complexity = "O(N) where N is the number of keys to set.",
        .tips = "request_policy:multi_shard response_policy:all_succeeded",
        .summary = "Stores strings at several keys at one moment.",
        .syntax = "key value [key value ...]"},
    {.name = "MSETNX",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_STRING,
        .keys = {{KEYS_RANGE, 1, -1, 2, K_OW | K_INSERT}},
        .run = run_msetnx,
        .value = 2,
        .group = "string",
        .since = "1.0.1",
        .complexity = "O(N) where N is the number of keys to set.",
        .tips = "request_policy:multi_shard response_policy:agg_min",
        .summary = "Stores strings at several keys at one moment, provided that none of them exists.",
        .syntax = "key value [key value ...]"},
    {.name = "APPEND",
        .arity = 3,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_INSERT),
        .run = run_append,
        .group = "string",
        .since = "2.0.0",
        .complexity = "O(1). Amortized over many short appends: room to grow is kept behind the value.",
        .summary = "Adds bytes to the end of the string at a key, or stores them at a new one.",
        .syntax = "key value"},
    {.name = "STRLEN",
        .arity = 2,
        .flags = C_READONLY | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RO),
        .run = run_strlen,
        .group = "string",
        .since = "2.2.0",
        .complexity = "O(1)",
        .summary = "Returns how many bytes the string at a key has.",
        .syntax = "key"},
    {.name = "INCR",
        .arity = 2,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = strings_incr,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Adds one to the integer at a key; a missing key counts as 0.",
        .syntax = "key"},
    {.name = "DECR",
        .arity = 2,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = strings_decr,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Takes one from the integer at a key; a missing key counts as 0.",
        .syntax = "key"},
    {.name = "INCRBY",
        .arity = 3,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = strings_incrby,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Adds a number to the integer at a key; a missing key counts as 0.",
        .syntax = "key increment"},
    {.name = "DECRBY",
        .arity = 3,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = strings_decrby,
        .group = "string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Takes a number from the integer at a key; a missing key counts as 0.",
        .syntax = "key decrement"},
    {.name = "INCRBYFLOAT",
        .arity = 3,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = strings_incrbyfloat,
        .group = "string",
        .since = "2.6.0",
        .complexity = "O(1)",
        .summary = "Adds a floating-point number to the number at a key; a missing key counts as 0.",
        .syntax = "key increment"},
    {.name = "GETRANGE",
        .arity = 4,
        .flags = C_READONLY,
        .categories = A_STRING,
        .keys = KEY(K_RO | K_ACCESS),
        .run = run_getrange,
        .group = "string",
        .since = "2.4.0",
        .complexity = PART_COST,
        .summary = "Returns a part of the string at a key.",
        .syntax = "key start end"},
    {.name = "SUBSTR",
        .arity = 4,
        .flags = C_READONLY,
        .categories = A_STRING,
        .keys = KEY(K_RO | K_ACCESS),
        .run = run_getrange,
        .group = "string",
        .since = "1.0.0",
        .complexity = PART_COST,
        .deprecated = "2.0.0 `GETRANGE`",
        .summary = "Returns a part of the string at a key.",
        .syntax = "key start end"},
    {.name = "SETRANGE",
        .arity = 4,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_STRING,
        .keys = KEY(K_RW | K_UPDATE),
        .run = run_setrange,
        .group = "string",
        .since = "2.2.0",
        .complexity =
            "O(M) where M is the length of the value argument; O(1) for the short ones that are usual.",
        .summary = "Writes over a part of the string at a key, which grows if it must.",
        .syntax = "key offset value"},
    {.name = "LCS",
        .arity = -3,
        .flags = C_READONLY,
        .categories = A_STRING,
        .keys = {{KEYS_RANGE, 1, 1, 1, K_RO | K_ACCESS}},
        .run = strings_lcs,
        .group = "string",
        .since = "7.0.0",
        .complexity = "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        .summary = "Finds the longest sequence of bytes that the strings at two keys have in common.",
        .syntax = "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]"},
    {.name = NULL},
};

const struct command *command_rows_string(void) { return rows; }
