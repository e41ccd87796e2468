/* Keys, whatever they hold: is it there, delete, rename, copy, move; whole databases; OBJECT. */
#include "command/keyspace.h"

#include "command/cache.h"
#include "command/changes.h"
#include "command/persist.h"

#define NO_DATABASE "ERR DB index is out of range"
#define COPY_SPARE 16 /* of an object, what its copy may take beside what it does */

struct entry *keyspace_look(struct call *c, int key) {
    bool touch = c->v.touch;
    c->v.touch = false;
    struct entry *e = call_read(c, key);
    c->v.touch = touch;
    return e;
}

/* A number that Redis reads as an int, with an error of its own for those beyond. */
static bool read_int(struct call *c, int arg, int64_t *out) {
    if (!call_i64(c, arg, out)) return false;
    if (*out >= INT32_MIN && *out <= INT32_MAX) return true;
    reply_error(c, "ERR value is out of range, value must between -2147483648 and 2147483647");
    return false;
}

static bool database_ok(struct call *c, int64_t db) {
    if (db >= 0 && db < option_get(&call_env(c)->store_config.databases)) return true;
    reply_error(c, NO_DATABASE);
    return false;
}

/* -- one key or several --------------------------------------------------------------------------------- */

static void run_unlink(struct call *c) {
    int64_t n = 0;
    for (int i = 0; i < c->keys; i++) {
        if (!view_unlink(&c->v, &c->key[i])) continue;
        call_event(c, EVENT_GENERIC, "del", i);
        n++;
    }
    resp_int(c->w, n);
}

static void run_del(struct call *c) {
    if (option_get(&call_env(c)->config.lazy_user_del)) {
        run_unlink(c);
        return;
    }
    int64_t n = 0;
    for (int i = 0; i < c->keys; i++) {
        if (!view_delete(&c->v, &c->key[i])) continue;
        call_event(c, EVENT_GENERIC, "del", i);
        n++;
    }
    resp_int(c->w, n);
}

static void run_exists(struct call *c) {
    int64_t n = 0;
    for (int i = 0; i < c->keys; i++) n += keyspace_look(c, i) != NULL;
    resp_int(c->w, n);
}

/* Counts as a use of the keys, even for a connection that asked to leave no traces. */
static void run_touch(struct call *c) {
    int64_t n = 0;
    bool touch = c->v.touch;
    c->v.touch = true;
    for (int i = 0; i < c->keys; i++) n += call_read(c, i) != NULL;
    c->v.touch = touch;
    resp_int(c->w, n);
}

static void run_type(struct call *c) {
    struct entry *e = keyspace_look(c, 0);
    resp_simple(c->w, e ? value_type_name(entry_type(e)) : "none");
}

/* -- from one place to another -------------------------------------------------------------------------- */

/* Redis deletes what was there before, and so what comes is new; the store puts it in its place. */
static bool replaces(struct view *v, const struct key *k) {
    return notify_wants(lane_of_stats(v->stats), EVENT_NEW) && view_peek(v, k);
}

/* May key 0 go to `to`? It takes room only where it has to be copied. */
static bool rename_room(struct call *c, struct view *target, int to) {
    size_t n = view_rename_room(&c->v, &c->key[0], target, &c->key[to]);
    return !n || call_room(c, n);
}

static void rename_key(struct call *c, bool only_new) {
    if (!call_write(c, 0)) {
        reply_error(c, "ERR no such key");
        return;
    }
    struct slice from = {c->key[0].p, c->key[0].n}, to = {c->key[1].p, c->key[1].n};
    bool same = slice_equal(from, to), taken = only_new && call_write(c, 1);
    if (!same && !taken) {
        if (!rename_room(c, &c->v, 1)) return;
        bool over = replaces(&c->v, &c->key[1]);
        view_rename(&c->v, &c->key[0], &c->v, &c->key[1]);
        if (over) call_event(c, EVENT_NEW, "new", 1);
        call_event(c, EVENT_GENERIC, "rename_from", 0);
        call_event(c, EVENT_GENERIC, "rename_to", 1);
    }
    if (only_new)
        resp_int(c->w, !same && !taken);
    else
        resp_ok(c->w);
}
static void run_rename(struct call *c) { rename_key(c, false); }
static void run_renamenx(struct call *c) { rename_key(c, true); }

static void run_copy(struct call *c) {
    int64_t db = c->v.db;
    bool replace = false;
    for (int i = 3; i < c->argc; i++) {
        if (call_is(c, i, "REPLACE")) {
            replace = true;
        } else if (call_is(c, i, "DB") && i + 1 < c->argc) {
            if (!read_int(c, ++i, &db) || !database_ok(c, db)) return;
        } else {
            reply_syntax(c);
            return;
        }
    }
    struct slice from = {c->key[0].p, c->key[0].n}, to = {c->key[1].p, c->key[1].n};
    if (db == c->v.db && slice_equal(from, to)) {
        reply_error(c, "ERR source and destination objects are the same");
        return;
    }
    struct entry *e = call_read(c, 0);
    struct view target = call_view(c, (unsigned)db);
    if (!e || (view_peek(&target, &c->key[1]) && !replace)) {
        resp_int(c->w, 0);
        return;
    }
    size_t object = entry_form(e) == FORM_POINTER ? value_ops(entry_type(e))->memory(entry_pointer(e)) : 0;
    if (!call_room(c, view_room_for(&target, &c->key[1], entry_value(e).n) + object + object / COPY_SPARE)) return;
    bool over = replaces(&target, &c->key[1]);
    view_copy(&c->v, e, &target, &c->key[1]);
    if (over) notify_event(&target, EVENT_NEW, "new", &c->key[1]);
    notify_event(&target, EVENT_GENERIC, "copy_to", &c->key[1]);
    c->v.born |= target.born;
    entry_set_access(view_peek(&target, &c->key[1]), view_born(&target, &c->key[1])); /* used by nobody yet */
    resp_int(c->w, 1);
}

static void run_move(struct call *c) {
    int64_t db;
    if (!read_int(c, 2, &db) || !database_ok(c, db)) return;
    if (db == c->v.db) {
        reply_error(c, "ERR source and destination objects are the same");
        return;
    }
    view_rules(&c->v); /* one key, but it moves: see run_many of run.c */
    struct view target = call_view(c, (unsigned)db);
    bool go = call_write(c, 0) && !view_peek(&target, &c->key[0]);
    if (go) {
        if (!rename_room(c, &target, 0)) return;
        view_rename(&c->v, &c->key[0], &target, &c->key[0]);
        call_event(c, EVENT_GENERIC, "move_from", 0);
        notify_event(&target, EVENT_GENERIC, "move_to", &c->key[0]);
    }
    c->v.born |= target.born;
    resp_int(c->w, go);
}

/* -- whole databases ------------------------------------------------------------------------------------ */

static void reply_size(struct session *s, unsigned db) {
    resp_int(&s->writer, (int64_t)store_count(s->lane->env->store, db));
}
static void run_dbsize(struct call *c) { cache_when_swept(c, reply_size); }

static void run_swapdb(struct call *c) {
    int64_t a, b;
    if (!call_range(c, 1, INT32_MIN, INT32_MAX, &a, "ERR invalid first DB index")) return;
    if (!call_range(c, 2, INT32_MIN, INT32_MAX, &b, "ERR invalid second DB index")) return;
    if (!database_ok(c, a) || !database_ok(c, b)) return;
    if (a != b) {
        store_swap(c->v.store, (unsigned)a, (unsigned)b);
        counter_add(&c->v.stats->changes, 1);
        changes_flushed(c->s->lane, (unsigned)a);
        changes_flushed(c->s->lane, (unsigned)b);
    }
    c->v.born = ~0u; /* any key may be where there was none */
    resp_ok(c->w);
}

/* FLUSHALL SYNC replies once the memory is back; freeing it goes on in slices meanwhile. */
static enum task_state flush_step(struct task *t, struct session *s, int64_t slice_us) {
    (void)t;
    if (store_trash_step(s->lane->env->store, slice_us)) return TASK_AGAIN;
    resp_ok(&s->writer);
    return TASK_DONE;
}

static void flush_drop(struct task *t) { mem_free(MEM_CLIENT, t); }

static void flush(struct call *c, int db) {
    bool lazy = option_get(&call_env(c)->config.lazy_user_flush);
    if (c->argc == 2 && call_is(c, 1, "ASYNC")) {
        lazy = true;
    } else if (c->argc == 2 && call_is(c, 1, "SYNC")) {
        lazy = false;
    } else if (c->argc > 1) {
        reply_syntax(c);
        return;
    }
    if (db < 0) persist_abandon(call_env(c));
    for (unsigned d = 0; d < STORE_DATABASES; d++)
        if (db < 0 || d == (unsigned)db) counter_add(&c->v.stats->changes, store_count(c->v.store, d));
    store_flush(c->v.store, db, false);
    if (db < 0) persist_flushed(call_env(c));
    changes_flushed(c->s->lane, db < 0 ? STORE_DATABASES : (unsigned)db);
    if (lazy || !store_trash_step(c->v.store, STORE_SLICE_US)) {
        resp_ok(c->w);
        return;
    }
    struct task *t = mem_zalloc(MEM_CLIENT, sizeof *t);
    t->step = flush_step;
    t->drop = flush_drop;
    session_park(c->s, t);
}
static void run_flushdb(struct call *c) { flush(c, (int)c->v.db); }
static void run_flushall(struct call *c) { flush(c, -1); }

/* -- OBJECT --------------------------------------------------------------------------------------------- */

/* The key of an OBJECT subcommand; NULL after a null was replied. */
static struct entry *object_of(struct call *c) {
    struct entry *e = view_peek(&c->v, &c->key[0]); /* no keymiss, as in Redis */
    counter_add(e ? &c->v.stats->hits : &c->v.stats->misses, 1);
    if (!e) resp_null(c->w);
    return e;
}

static void object_encoding(struct call *c) {
    struct entry *e = object_of(c);
    if (e) resp_text(c->w, entry_encoding(e));
}

static void object_freq(struct call *c) {
    struct entry *e = object_of(c);
    if (!e) return;
    if (c->v.policy.kind & POLICY_COUNTS)
        resp_int(c->w, policy_frequency(&c->v.policy, entry_access(e)));
    else
        reply_error(c,
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
            "when "
            "switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

static void object_idletime(struct call *c) {
    struct entry *e = object_of(c);
    if (!e) return;
    if (c->v.policy.kind & POLICY_COUNTS)
        reply_error(c,
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching "
            "between policies at runtime LRU and LFU data will take some time to adjust.");
    else
        resp_int(c->w, policy_idle_ms(&c->v.policy, entry_access(e)) / 1000);
}

/* Every value has one owner. Redis, though, keeps one object for each of the integers 0 to 9999 and says so
 * by INT_MAX, unless an eviction policy needs the access time of each key. */
int keyspace_refcount(struct call *c, struct entry *e) {
    int64_t v;
    const struct store_config *config = &call_env(c)->store_config;
    bool shared =
        entry_type(e) == VALUE_STRING && !strcmp(entry_encoding(e), "int") && num_i64(entry_value(e), &v) &&
        v >= 0 && v < 10000 &&
        (!option_get(&config->maxmemory) || !(option_get(&config->policy) & (POLICY_LRU | POLICY_COUNTS)));
    return shared ? INT32_MAX : 1;
}

static void object_refcount(struct call *c) {
    struct entry *e = object_of(c);
    if (e) resp_int(c->w, keyspace_refcount(c, e));
}

static const char *const object_lines[] = {
    "ENCODING <key>",
    "    Say how the value at <key> is represented inside.",
    "FREQ <key>",
    "    Say how often <key> is used: under the LFU policies a logarithmic counter, under allkeys-lhd up to 63.",
    "IDLETIME <key>",
    "    Say for how many seconds nobody has used <key>; not under the LFU policies and allkeys-lhd.",
    "REFCOUNT <key>",
    "    Say how many references there are to the value at <key>.",
    NULL,
};
static void object_help(struct call *c) { reply_help(c, object_lines); }

/* -- rows ----------------------------------------------------------------------------------------------- */

#define AT(n, f)                                                                                             \
    { KEYS_RANGE, (n), 0, 1, (f) }
#define KEY(f)                                                                                               \
    { AT(1, f) }
#define ALL_KEYS(f)                                                                                          \
    {                                                                                                        \
        { KEYS_RANGE, 1, -1, 1, (f) }                                                                        \
    }
#define COMMON(GROUP) .group = GROUP, .categories = A_KEYSPACE

static const char *const exists_history[] = {"3.0.3", "Several keys at once.", NULL};
static const char *const expire_history[] = {"7.0.0", "NX, XX, GT and LT.", NULL};
static const char *const ttl_history[] = {"2.8.0", "-2 for a missing key.", NULL};
static const char *const scan_history[] = {"6.0.0", "TYPE.", NULL};
static const char *const renamenx_history[] = {"3.2.0", "The same name twice is no error any more.", NULL};
static const char *const flush_history[] = {"4.0.0", "ASYNC.", "6.2.0", "SYNC.", NULL};

#define OBJECT_ROW(NAME, RUN, SINCE, SUMMARY)                                                                \
    {                                                                                                        \
        .name = NAME, .arity = 3, .flags = C_READONLY, COMMON("generic"), .keys = {AT(2, K_RO)}, .run = RUN, \
        .since = SINCE, .complexity = "O(1)", .tips = "nondeterministic_output", .summary = SUMMARY,         \
        .syntax = "key"                                                                                      \
    }

static const struct command object_rows[] = {
    OBJECT_ROW("ENCODING", object_encoding, "2.2.3", "Says how the value at a key is represented inside."),
    OBJECT_ROW("FREQ", object_freq, "4.0.0", "Says how often a key is used: under the lfu policies and allkeys-lhd only."),
    OBJECT_ROW("IDLETIME", object_idletime, "2.2.3", "Says for how many seconds nobody has used a key: not under the lfu policies and allkeys-lhd."),
    OBJECT_ROW(
        "REFCOUNT", object_refcount, "2.2.3", "Says how many references there are to the value at a key."),
    {.name = "HELP",
        .arity = 2,
        .flags = C_LOADING | C_STALE,
        COMMON("generic"),
        .run = object_help,
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "Lists the subcommands."},
    {.name = NULL},
};

#define EXPIRE_ROW(NAME, RUN, SINCE, SUMMARY, WORD)                                                          \
    {                                                                                                        \
        .name = NAME, .arity = -3, .flags = C_WRITE | C_FAST, COMMON("generic"),                             \
        .keys = KEY(K_RW | K_UPDATE), .run = RUN, .since = SINCE, .complexity = "O(1)",                      \
        .history = expire_history, .summary = SUMMARY, .syntax = "key " WORD " [NX | XX | GT | LT]"          \
    }
#define TTL_ROW(NAME, RUN, SINCE, TIPS, HISTORY, SUMMARY)                                                    \
    {                                                                                                        \
        .name = NAME, .arity = 2, .flags = C_READONLY | C_FAST, COMMON("generic"),                           \
        .keys = KEY(K_RO | K_ACCESS), .run = RUN, .since = SINCE, .complexity = "O(1)", .tips = TIPS,        \
        .history = HISTORY, .summary = SUMMARY, .syntax = "key"                                              \
    }

static const struct command rows[] = {
    {.name = "DEL",
        .arity = -2,
        .flags = C_WRITE,
        COMMON("generic"),
        .keys = ALL_KEYS(K_RM | K_DELETE),
        .run = run_del,
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of keys that will be removed; for each collection among "
                      "them, O(M) where M is the number of its elements.",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
        .summary = "Deletes keys.",
        .syntax = "key [key ...]"},
    {.name = "UNLINK",
        .arity = -2,
        .flags = C_WRITE | C_FAST,
        COMMON("generic"),
        .keys = ALL_KEYS(K_RM | K_DELETE),
        .run = run_unlink,
        .since = "4.0.0",
        .complexity =
            "O(1) for each key removed regardless of its size. What is large is freed later, in slices.",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
        .summary = "Deletes keys at once and frees what they held in the background.",
        .syntax = "key [key ...]"},
    {.name = "EXISTS",
        .arity = -2,
        .flags = C_READONLY | C_FAST,
        COMMON("generic"),
        .keys = ALL_KEYS(K_RO),
        .run = run_exists,
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of keys to check.",
        .history = exists_history,
        .tips = "request_policy:multi_shard response_policy:agg_sum",
        .summary = "Counts how many of the given keys exist.",
        .syntax = "key [key ...]"},
    {.name = "TOUCH",
        .arity = -2,
        .flags = C_READONLY | C_FAST,
        COMMON("generic"),
        .keys = ALL_KEYS(K_RO),
        .run = run_touch,
        .since = "3.2.1",
        .complexity = "O(N) where N is the number of keys that will be touched.",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
        .summary = "Marks keys as used now and counts those that exist.",
        .syntax = "key [key ...]"},
    {.name = "TYPE",
        .arity = 2,
        .flags = C_READONLY | C_FAST,
        COMMON("generic"),
        .keys = KEY(K_RO),
        .run = run_type,
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Says what kind of value a key holds.",
        .syntax = "key"},
    EXPIRE_ROW("EXPIRE", expiry_expire, "1.0.0", "Lets a key expire in a number of seconds.", "seconds"),
    EXPIRE_ROW(
        "PEXPIRE", expiry_pexpire, "2.6.0", "Lets a key expire in a number of milliseconds.", "milliseconds"),
    EXPIRE_ROW("EXPIREAT", expiry_expireat, "1.2.0", "Lets a key expire at a Unix time in seconds.",
        "unix-time-seconds"),
    EXPIRE_ROW("PEXPIREAT", expiry_pexpireat, "2.6.0", "Lets a key expire at a Unix time in milliseconds.",
        "unix-time-milliseconds"),
    TTL_ROW("TTL", expiry_ttl, "1.0.0", "nondeterministic_output", ttl_history,
        "Says in how many seconds a key expires."),
    TTL_ROW("PTTL", expiry_pttl, "2.6.0", "nondeterministic_output", ttl_history,
        "Says in how many milliseconds a key expires."),
    TTL_ROW("EXPIRETIME", expiry_expiretime, "7.0.0", NULL, NULL,
        "Says at which Unix time in seconds a key expires."),
    TTL_ROW("PEXPIRETIME", expiry_pexpiretime, "7.0.0", NULL, NULL,
        "Says at which Unix time in milliseconds a key expires."),
    {.name = "PERSIST",
        .arity = 2,
        .flags = C_WRITE | C_FAST,
        COMMON("generic"),
        .keys = KEY(K_RW | K_UPDATE),
        .run = expiry_persist,
        .since = "2.2.0",
        .complexity = "O(1)",
        .summary = "Lets a key stay: takes its expiration away.",
        .syntax = "key"},
    {.name = "KEYS",
        .arity = 2,
        .flags = C_READONLY,
        .group = "generic",
        .categories = A_KEYSPACE | A_DANGEROUS,
        .run = scan_keys,
        .since = "1.0.0",
        .complexity = "O(N) with N being the number of keys in the database; done in slices, others are "
                      "served meanwhile.",
        .tips = "request_policy:all_shards nondeterministic_output_order",
        .summary = "Lists all keys that match a pattern.",
        .syntax = "pattern"},
    {.name = "SCAN",
        .arity = -2,
        .flags = C_READONLY,
        COMMON("generic"),
        .run = scan_scan,
        .since = "2.8.0",
        .complexity =
            "O(1) for every call, O(N) for all calls that a whole walk takes, where N is the number of keys.",
        .history = scan_history,
        .tips = "nondeterministic_output request_policy:special response_policy:special",
        .summary = "Walks over the keys of a database, a few at each call.",
        .syntax = "cursor [MATCH pattern] [COUNT count] [TYPE type]"},
    {.name = "RANDOMKEY",
        .arity = 1,
        .flags = C_READONLY,
        COMMON("generic"),
        .run = scan_randomkey,
        .since = "1.0.0",
        .complexity = "O(1)",
        .tips = "request_policy:all_shards response_policy:special nondeterministic_output",
        .summary = "Returns some key of the database."},
    {.name = "RENAME",
        .arity = 3,
        .flags = C_WRITE,
        COMMON("generic"),
        .keys = {AT(1, K_RW | K_ACCESS | K_DELETE), AT(2, K_OW | K_UPDATE)},
        .run = run_rename,
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Gives a key another name, taking the place of what has that name.",
        .syntax = "key newkey"},
    {.name = "RENAMENX",
        .arity = 3,
        .flags = C_WRITE | C_FAST,
        COMMON("generic"),
        .keys = {AT(1, K_RW | K_ACCESS | K_DELETE), AT(2, K_OW | K_INSERT)},
        .run = run_renamenx,
        .since = "1.0.0",
        .complexity = "O(1)",
        .history = renamenx_history,
        .summary = "Gives a key another name that nothing has yet.",
        .syntax = "key newkey"},
    {.name = "COPY",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM,
        COMMON("generic"),
        .keys = {AT(1, K_RO | K_ACCESS), AT(2, K_OW | K_UPDATE)},
        .run = run_copy,
        .since = "6.2.0",
        .complexity =
            "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        .summary = "Copies the value and expiration of a key to another key.",
        .syntax = "source destination [DB destination-db] [REPLACE]"},
    {.name = "MOVE",
        .arity = 3,
        .flags = C_WRITE | C_FAST,
        COMMON("generic"),
        .keys = KEY(K_RW | K_ACCESS | K_UPDATE),
        .run = run_move,
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Moves a key to another database.",
        .syntax = "key db"},
    {.name = "DBSIZE",
        .arity = 1,
        .flags = C_READONLY | C_FAST,
        COMMON("server"),
        .run = run_dbsize,
        .since = "1.0.0",
        .complexity = "O(1)",
        .tips = "request_policy:all_shards response_policy:agg_sum",
        .summary = "Returns how many keys the database has."},
    {.name = "SWAPDB",
        .arity = 3,
        .flags = C_WRITE | C_FAST | C_ALL_LOCKS,
        .group = "server",
        .categories = A_KEYSPACE | A_DANGEROUS,
        .run = run_swapdb,
        .since = "4.0.0",
        .complexity = "O(1)",
        .summary = "Exchanges the keys of two databases at one moment.",
        .syntax = "index1 index2"},
    {.name = "FLUSHDB",
        .arity = -1,
        .flags = C_WRITE,
        .group = "server",
        .categories = A_KEYSPACE | A_DANGEROUS,
        .run = run_flushdb,
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of keys in the selected database",
        .history = flush_history,
        .tips = "request_policy:all_shards response_policy:all_succeeded",
        .summary = "Deletes all keys of the database.",
        .syntax = "[ASYNC | SYNC]"},
    {.name = "FLUSHALL",
        .arity = -1,
        .flags = C_WRITE,
        .group = "server",
        .categories = A_KEYSPACE | A_DANGEROUS,
        .run = run_flushall,
        .since = "1.0.0",
        .complexity = "O(N) where N is the total number of keys in all databases",
        .history = flush_history,
        .tips = "request_policy:all_shards response_policy:all_succeeded",
        .summary = "Deletes all keys of all databases.",
        .syntax = "[ASYNC | SYNC]"},
    {.name = "OBJECT",
        .arity = -2,
        .group = "generic",
        .since = "2.2.3",
        .complexity = "Depends on subcommand.",
        .summary = "Questions about the value at a key.",
        .sub = object_rows},
    {.name = NULL},
};

const struct command *command_rows_keyspace(void) { return rows; }
