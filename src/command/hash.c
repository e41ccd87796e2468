/* Hashes: fields one at a time or as named in the request. What walks over all of them is in hash_walk.c and hash_random.c,
 * deadlines of fields in hash_field_ttl.c and hash_field_ex.c. */
#include "command/hashes.h"

#include <math.h>

/* -- setting ------------------------------------------------------------------------------------------------------------- */

/* Sets the pairs from word 2 on; false after a reply, or if the call will be run again. */
static bool set_pairs(struct call *c, int64_t *fresh) {
    struct holder h;
    size_t bytes = 0, pairs = (size_t)(c->argc - 2) / 2;
    if (c->argc % 2) {
        reply_arity(c);
        return false;
    }
    if (!collection_write(c, 0, VALUE_HASH, &h)) return false;
    for (int i = 2; i < c->argc; i++) bytes += c->argv[i].n;
    if (!collection_room(c, &h, bytes, pairs)) return false;
    if (pairs > 1) hash_reserve(&h.home, bytes + 2 * pairs);
    *fresh = 0;
    for (int i = 2; i < c->argc; i += 2)
        *fresh += hash_put(&h.home, &(struct member){.name = c->argv[i], .value = c->argv[i + 1]}, c->v.now);
    h.changes = pairs;
    collection_done(&h, "hset");
    return true;
}

static void run_hset(struct call *c) {
    int64_t fresh;
    if (set_pairs(c, &fresh)) resp_int(c->w, fresh);
}

static void run_hmset(struct call *c) {
    int64_t fresh;
    if (set_pairs(c, &fresh)) resp_ok(c->w);
}

static void run_hsetnx(struct call *c) {
    struct holder h;
    struct member old;
    if (!collection_write(c, 0, VALUE_HASH, &h)) return;
    if (hash_get(&h.home, c->argv[2], c->v.now, &old)) {
        resp_int(c->w, 0);
        return;
    }
    if (!collection_room(c, &h, c->argv[2].n + c->argv[3].n, 1)) return;
    hash_put(&h.home, &(struct member){.name = c->argv[2], .value = c->argv[3]}, c->v.now);
    collection_done(&h, "hset");
    resp_int(c->w, 1);
}

/* -- getting ------------------------------------------------------------------------------------------------------------- */

static void reply_field(struct call *c, const struct holder *h, struct slice field) {
    struct member m;
    if (hash_get(&h->home, field, c->v.now, &m)) resp_bulk(c->w, m.value.p, m.value.n);
    else resp_null(c->w);
}

static void run_hget(struct call *c) {
    struct holder h;
    if (collection_read(c, 0, VALUE_HASH, &h)) reply_field(c, &h, c->argv[2]);
}

static void run_hmget(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_HASH, &h)) return;
    resp_array(c->w, (size_t)(c->argc - 2));
    for (int i = 2; i < c->argc; i++) reply_field(c, &h, c->argv[i]);
}

static void run_hstrlen(struct call *c) {
    struct holder h;
    struct member m;
    if (!collection_read(c, 0, VALUE_HASH, &h)) return;
    resp_int(c->w, hash_get(&h.home, c->argv[2], c->v.now, &m) ? (int64_t)m.value.n : 0);
}

static void run_hexists(struct call *c) {
    struct holder h;
    struct member m;
    if (collection_read(c, 0, VALUE_HASH, &h)) resp_int(c->w, hash_get(&h.home, c->argv[2], c->v.now, &m));
}

static void run_hdel(struct call *c) {
    struct holder h;
    int64_t gone = 0;
    if (!collection_write(c, 0, VALUE_HASH, &h)) return;
    for (int i = 2; i < c->argc && collection_there(&h); i++) gone += hash_remove(&h.home, c->argv[i], c->v.now);
    h.same = !gone;
    h.changes = (uint64_t)gone;
    if (gone) collection_done(&h, "hdel");
    else collection_close(c, &h);
    resp_int(c->w, gone);
}

/* -- numbers ------------------------------------------------------------------------------------------------------------- */

/* The field's value becomes `text`; its deadline stays. */
static bool put_number(struct call *c, struct holder *h, int64_t due, struct slice text, const char *event) {
    if (!collection_room(c, h, c->argv[2].n + text.n, 1)) return false;
    hash_put(&h->home, &(struct member){.name = c->argv[2], .value = text, .due = due}, c->v.now);
    collection_done(h, event);
    return true;
}

static void run_hincrby(struct call *c) {
    struct holder h;
    struct member m = {.due = 0};
    char text[NUM_I64_MAX];
    int64_t by, v = 0;
    if (!call_i64(c, 3, &by) || !collection_write(c, 0, VALUE_HASH, &h)) return;
    if (hash_get(&h.home, c->argv[2], c->v.now, &m)) {
        if (!num_i64(m.value, &v)) {
            reply_error(c, "ERR hash value is not an integer");
            return;
        }
    } else {
        m.due = 0;
    }
    if (__builtin_add_overflow(v, by, &v)) {
        reply_error(c, "ERR increment or decrement would overflow");
        return;
    }
    if (put_number(c, &h, m.due, (struct slice){text, num_put_i64(text, v)}, "hincrby")) resp_int(c->w, v);
}

static void run_hincrbyfloat(struct call *c) {
    struct holder h;
    struct member m = {.due = 0};
    char text[NUM_LONG_DOUBLE_MAX];
    long double by, v = 0;
    if (!num_long_double(c->argv[3], &by)) {
        reply_error(c, "ERR value is not a valid float");
        return;
    }
    if (!isfinite(by)) {
        reply_error(c, "ERR value is NaN or Infinity");
        return;
    }
    if (!collection_write(c, 0, VALUE_HASH, &h)) return;
    if (hash_get(&h.home, c->argv[2], c->v.now, &m)) {
        if (!num_long_double(m.value, &v)) {
            reply_error(c, "ERR hash value is not a float");
            return;
        }
    } else {
        m.due = 0;
    }
    v += by;
    if (!isfinite(v)) {
        reply_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    struct slice out = {text, num_put_long_double(text, v)};
    if (put_number(c, &h, m.due, out, "hincrbyfloat")) resp_bulk(c->w, out.p, out.n);
}

/* -- rows ---------------------------------------------------------------------------------------------------------------- */

#define KEY(f) .keys = {{KEYS_RANGE, 1, 0, 1, (f)}}
#define HASH .group = "hash", .categories = A_HASH
#define CONDITION "[NX | XX | GT | LT]"
#define FIELDS "FIELDS numfields field [field ...]"
#define PER_FIELD "O(N) where N is the number of fields that are named."
#define MOMENT "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds"
#define PAIRS "field value [field value ...]"

static const char *const hset_history[] = {"4.0.0", "Accepts multiple `field` and `value` arguments.", NULL};
static const char *const hdel_history[] = {"2.4.0", "Accepts multiple `field` arguments.", NULL};

static const struct command rows[] = {
    {.name = "HSET", .arity = -4, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = run_hset, .since = "2.0.0",
        .complexity = "O(1) for each pair, so O(N) for N pairs.", .history = hset_history,
        .summary = "Sets fields of a hash, which is made if it is missing.", .syntax = "key " PAIRS},
    {.name = "HSETNX", .arity = 4, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_INSERT), .run = run_hsetnx,
        .since = "2.0.0", .complexity = "O(1)", .summary = "Sets a field of a hash unless it is there already.",
        .syntax = "key field value"},
    {.name = "HMSET", .arity = -4, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = run_hmset,
        .since = "2.0.0", .complexity = "O(N) where N is the number of pairs.",
        .deprecated = "4.0.0 `HSET` with multiple field-value pairs", .summary = "Sets fields of a hash.", .syntax = "key " PAIRS},
    {.name = "HGET", .arity = 3, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO | K_ACCESS), .run = run_hget, .since = "2.0.0",
        .complexity = "O(1)", .summary = "Returns the value of a field.", .syntax = "key field"},
    {.name = "HMGET", .arity = -3, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO | K_ACCESS), .run = run_hmget, .since = "2.0.0",
        .complexity = PER_FIELD, .summary = "Returns the values of several fields.", .syntax = "key field [field ...]"},
    {.name = "HGETALL", .arity = 2, .flags = C_READONLY, HASH, KEY(K_RO | K_ACCESS), .run = hashes_getall, .since = "2.0.0",
        .complexity = "O(N) where N is the number of fields.", .tips = "nondeterministic_output_order",
        .summary = "Returns all fields of a hash with their values.", .syntax = "key"},
    {.name = "HKEYS", .arity = 2, .flags = C_READONLY, HASH, KEY(K_RO | K_ACCESS), .run = hashes_keys, .since = "2.0.0",
        .complexity = "O(N) where N is the number of fields.", .tips = "nondeterministic_output_order",
        .summary = "Returns all fields of a hash.", .syntax = "key"},
    {.name = "HVALS", .arity = 2, .flags = C_READONLY, HASH, KEY(K_RO | K_ACCESS), .run = hashes_vals, .since = "2.0.0",
        .complexity = "O(N) where N is the number of fields.", .tips = "nondeterministic_output_order",
        .summary = "Returns the values of all fields of a hash.", .syntax = "key"},
    {.name = "HLEN", .arity = 2, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO), .run = hashes_len, .since = "2.0.0",
        .complexity = "O(1)", .summary = "Returns how many fields a hash has.", .syntax = "key"},
    {.name = "HSTRLEN", .arity = 3, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO), .run = run_hstrlen, .since = "3.2.0",
        .complexity = "O(1)", .summary = "Returns how many bytes the value of a field has.", .syntax = "key field"},
    {.name = "HEXISTS", .arity = 3, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO), .run = run_hexists, .since = "2.0.0",
        .complexity = "O(1)", .summary = "Says whether a field is there.", .syntax = "key field"},
    {.name = "HDEL", .arity = -3, .flags = C_WRITE | C_FAST, HASH, KEY(K_RW | K_DELETE), .run = run_hdel, .since = "2.0.0",
        .complexity = PER_FIELD, .history = hdel_history, .summary = "Removes fields; a hash without fields is gone.",
        .syntax = "key field [field ...]"},
    {.name = "HINCRBY", .arity = 4, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_ACCESS | K_UPDATE), .run = run_hincrby,
        .since = "2.0.0", .complexity = "O(1)", .summary = "Adds to the integer in a field; a missing field counts as 0.",
        .syntax = "key field increment"},
    {.name = "HINCRBYFLOAT", .arity = 4, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = run_hincrbyfloat, .since = "2.6.0", .complexity = "O(1)",
        .summary = "Adds to the floating-point number in a field; a missing field counts as 0.", .syntax = "key field increment"},
    {.name = "HRANDFIELD", .arity = -2, .flags = C_READONLY, HASH, KEY(K_RO | K_ACCESS), .run = hashes_randfield, .since = "6.2.0",
        .complexity = "O(N) where N is the number of fields returned.", .tips = "nondeterministic_output",
        .summary = "Returns fields chosen by chance.", .syntax = "key [count [WITHVALUES]]"},
    {.name = "HSCAN", .arity = -3, .flags = C_READONLY, HASH, KEY(K_RO | K_ACCESS), .run = hashes_scan, .since = "2.8.0",
        .complexity = "O(1) for every call, O(N) for all calls that a whole walk takes, where N is the number of fields.",
        .tips = "nondeterministic_output", .summary = "Walks over the fields of a hash, a few at each call.",
        .syntax = "key cursor [MATCH pattern] [COUNT count] [NOVALUES]"},
    {.name = "HEXPIRE", .arity = -6, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = hashes_expire,
        .since = "7.4.0", .complexity = PER_FIELD, .summary = "Sets, in seconds from now, when fields expire.",
        .syntax = "key seconds " CONDITION " " FIELDS},
    {.name = "HPEXPIRE", .arity = -6, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = hashes_pexpire,
        .since = "7.4.0", .complexity = PER_FIELD, .summary = "Sets, in milliseconds from now, when fields expire.",
        .syntax = "key milliseconds " CONDITION " " FIELDS},
    {.name = "HEXPIREAT", .arity = -6, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = hashes_expireat,
        .since = "7.4.0", .complexity = PER_FIELD, .summary = "Sets, as a Unix time in seconds, when fields expire.",
        .syntax = "key unix-time-seconds " CONDITION " " FIELDS},
    {.name = "HPEXPIREAT", .arity = -6, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = hashes_pexpireat,
        .since = "7.4.0", .complexity = PER_FIELD, .summary = "Sets, as a Unix time in milliseconds, when fields expire.",
        .syntax = "key unix-time-milliseconds " CONDITION " " FIELDS},
    {.name = "HTTL", .arity = -5, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO | K_ACCESS), .run = hashes_ttl, .since = "7.4.0",
        .complexity = PER_FIELD, .tips = "nondeterministic_output", .summary = "Returns in how many seconds fields expire.",
        .syntax = "key " FIELDS},
    {.name = "HPTTL", .arity = -5, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO | K_ACCESS), .run = hashes_pttl, .since = "7.4.0",
        .complexity = PER_FIELD, .tips = "nondeterministic_output", .summary = "Returns in how many milliseconds fields expire.",
        .syntax = "key " FIELDS},
    {.name = "HEXPIRETIME", .arity = -5, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO | K_ACCESS), .run = hashes_expiretime,
        .since = "7.4.0", .complexity = PER_FIELD, .summary = "Returns when fields expire, as a Unix time in seconds.",
        .syntax = "key " FIELDS},
    {.name = "HPEXPIRETIME", .arity = -5, .flags = C_READONLY | C_FAST, HASH, KEY(K_RO | K_ACCESS), .run = hashes_pexpiretime,
        .since = "7.4.0", .complexity = PER_FIELD, .summary = "Returns when fields expire, as a Unix time in milliseconds.",
        .syntax = "key " FIELDS},
    {.name = "HPERSIST", .arity = -5, .flags = C_WRITE | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = hashes_persist, .since = "7.4.0",
        .complexity = PER_FIELD, .summary = "Takes the deadlines of fields away.", .syntax = "key " FIELDS},
    {.name = "HGETDEL", .arity = -5, .flags = C_WRITE | C_FAST, HASH, KEY(K_RW | K_ACCESS | K_DELETE), .run = hashes_getdel,
        .since = "8.0.0", .complexity = PER_FIELD, .summary = "Returns the values of fields and removes the fields.",
        .syntax = "key " FIELDS},
    {.name = "HGETEX", .arity = -5, .flags = C_WRITE | C_FAST, HASH, KEY(K_RW | K_ACCESS | K_UPDATE), .run = hashes_getex,
        .since = "8.0.0", .complexity = PER_FIELD, .summary = "Returns the values of fields and changes when the fields expire.",
        .syntax = "key [" MOMENT " | PERSIST] " FIELDS},
    {.name = "HSETEX", .arity = -6, .flags = C_WRITE | C_DENYOOM | C_FAST, HASH, KEY(K_RW | K_UPDATE), .run = hashes_setex,
        .since = "8.0.0", .complexity = PER_FIELD, .summary = "Sets fields and when they expire; a condition may be given.",
        .syntax = "key [FNX | FXX] [" MOMENT " | KEEPTTL] FIELDS numfields " PAIRS},
    {.name = NULL},
};

const struct command *command_rows_hash(void) { return rows; }
