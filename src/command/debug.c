/* DEBUG: looks into the server and lets it fail on purpose. One row per word; HELP is made of the rows.
 *
 * What goes over many keys (POPULATE, DIGEST) is a task: it takes one shard's lock at a time, for one key or one segment, and
 * stops when its slice is over.
 */
#include "command/introspect.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/match.h"
#include "base/mem.h"
#include "command/digest.h"
#include "command/keyspace.h"
#include "command/thaw.h"
#include "command/work.h"
#include "snapshot/rdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static bool slice_over(uint64_t start, int64_t slice_us) { return clock_ticks_us(clock_ticks() - start) >= slice_us; }

/* -- POPULATE -------------------------------------------------------------------------------------------------------------- */

struct populate {
    struct task task;
    unsigned db;
    uint64_t at, count;
    size_t size;        /* of a value; 0: as long as its text */
    struct buf key;     /* the prefix with its colon, then the number */
    size_t prefix;
    char *value;        /* NULL where size is 0 */
};

static void populate_drop(struct task *t) {
    struct populate *p = (struct populate *)t;
    buf_free(&p->key);
    mem_free(MEM_CLIENT, p->value);
    mem_free(MEM_CLIENT, p);
}

static struct slice populate_value(struct populate *p, char text[32]) {
    size_t n = (size_t)snprintf(text, 32, "value:%llu", (unsigned long long)p->at);
    if (!p->size) return (struct slice){text, n};
    memcpy(p->value, text, n < p->size ? n : p->size); /* the number never gets shorter: what lies behind is still zero */
    return (struct slice){p->value, p->size};
}

/* The next key, unless there is one of that name. Says how much room it lacks, 0: it is done. */
static size_t populate_one(struct populate *p, struct lane *lane) {
    struct store *s = lane->env->store;
    struct view v;
    char number[32];
    int n = snprintf(number, sizeof number, "%llu", (unsigned long long)p->at);
    p->key.n = p->prefix;
    buf_put(&p->key, number, (size_t)n);
    struct slice value = populate_value(p, number);
    struct key k = store_key(store_seed(s), buf_slice(&p->key));
    unsigned shard = store_shard_of(k.hash);
    size_t lacks = 0;
    store_lock(s, shard);
    view_init(&v, s, p->db, clock_ms(), &lane->store_stats);
    if (!view_peek(&v, &k)) {
        size_t need = view_room_for(&v, &k, value.n);
        if (store_fits(s, need)) view_set(&v, &k, value, 0, FORM_AUTO);
        else lacks = need ? need : 1;
    }
    store_unlock(s, shard);
    return lacks;
}

static enum task_state populate_step(struct task *t, struct session *s, int64_t slice_us) {
    struct populate *p = (struct populate *)t;
    uint64_t start = clock_ticks();
    while (p->at < p->count) {
        if (slice_over(start, slice_us)) return TASK_AGAIN;
        size_t lacks = populate_one(p, s->lane);
        if (!lacks) {
            p->at++;
            continue;
        }
        enum store_fit fit = store_make_room(s->lane->env->store, lacks, clock_ms(), &s->lane->store_stats, slice_us);
        if (fit == FIT_LATER) return TASK_AGAIN;
        if (fit == FIT_NO) {
            session_error(s, CALL_OUT_OF_MEMORY);
            return TASK_DONE;
        }
    }
    (void)store_fits(s->lane->env->store, 0); /* what was asked for last is there */
    resp_ok(&s->writer);
    return TASK_DONE;
}

#define POSITIVE "ERR value is out of range, must be positive"

static void populate_run(struct call *c) {
    int64_t count, size = 0;
    if (!call_range(c, 2, 0, INT64_MAX, &count, POSITIVE)) return;
    if (c->argc == 5 && !call_range(c, 4, 0, option_get(&call_env(c)->config.proto_max_bulk_len), &size, POSITIVE)) return;
    struct slice prefix = c->argc > 3 ? c->argv[3] : SLICE("key");
    struct populate *p = mem_zalloc(MEM_CLIENT, sizeof *p);
    p->task.step = populate_step;
    p->task.drop = populate_drop;
    p->db = c->s->db;
    p->count = (uint64_t)count;
    p->size = (size_t)size;
    if (size) p->value = mem_zalloc(MEM_CLIENT, (size_t)size);
    buf_init(&p->key, MEM_CLIENT);
    buf_put(&p->key, prefix.p, prefix.n);
    buf_put(&p->key, ":", 1);
    p->prefix = p->key.n;
    session_park(c->s, &p->task);
}

/* -- one key --------------------------------------------------------------------------------------------------------------- */

static struct entry *debugged(struct call *c) {
    struct entry *e = view_peek(&c->v, &c->key[0]);
    if (!e) reply_error(c, "ERR no such key");
    return e;
}

/* How many bytes the value takes in an RDB file, which has to be written to be known. */
struct describe {
    struct work work;
    struct rdb_save *save;
    struct entry *pinned;
    char *text;
    size_t bytes, count;
    bool quicklist;
    int64_t list_size, list_depth;
    char before[128], behind[64]; /* of the figure */
};

static void describe_drop(struct work *w) {
    struct describe *d = (struct describe *)w;
    rdb_save_free(d->save);
    if (d->pinned) entry_release(d->pinned);
    mem_free(MEM_CLIENT, d->text);
}

static bool describe_on(struct work *w, struct session *s) {
    struct describe *d = (struct describe *)w;
    struct buf out;
    enum rdb_status st;
    do {
        st = rdb_save_step(d->save, 4096);
        d->bytes += rdb_save_out(d->save)->n;
        rdb_save_out(d->save)->n = 0;
    } while (st == RDB_MORE && !work_over(w));
    if (st == RDB_MORE) return false;
    buf_init(&out, MEM_CLIENT);
    buf_printf(&out, "%s serializedlength:%zu %s", d->before, d->bytes - 1, d->behind); /* without the type */
    if (d->quicklist) {
        struct rdb_nodes n = rdb_save_nodes(d->save);
        buf_printf(&out, " ql_nodes:%zu ql_avg_node:%.2f ql_listpack_max:%lld ql_compressed:%d ql_uncompressed_size:%zu", n.nodes,
            (double)d->count / (double)n.nodes, (long long)d->list_size, d->list_depth != 0, n.bytes);
    }
    resp_simple(&s->writer, buf_cstr(&out));
    buf_free(&out);
    return true;
}

static void object_run(struct call *c) {
    struct entry *e = debugged(c);
    struct slice text;
    if (!e || (entry_type(e) == VALUE_STRING && !call_text(c, 0, e, &text))) return;
    struct describe *d = work_new(c, sizeof *d, describe_on, describe_drop);
    bool lfu = c->v.policy.kind & POLICY_COUNTS, compress = option_get(&call_env(c)->config.rdb_compression);
    uint32_t word = entry_access(e);
    int64_t idle = lfu ? 0 : policy_idle_ms(&c->v.policy, word) / 1000;
    if (!lfu) word = (uint32_t)(c->v.now / 1000 - idle); /* Redis's clock is in seconds */
    snprintf(d->before, sizeof d->before, "Value at:%p refcount:%d encoding:%s", (const void *)e, keyspace_refcount(c, e), entry_encoding(e));
    snprintf(d->behind, sizeof d->behind, "lru:%lu lru_seconds_idle:%lld", (unsigned long)(word & 0xffffff), (long long)idle);
    if (entry_type(e) == VALUE_STRING) {
        d->text = call_text_take(c, 0, e);
        if (!d->text && entry_pin(e)) d->pinned = e; /* else it is short and over with the first step */
        d->save = rdb_save_new_string(text, compress);
    } else {
        struct holder h;
        holder_look(&h, c->v.store, e, entry_type(e));
        d->save = rdb_save_new(entry_type(e), work_keep(&d->work, &h), compress);
        d->count = value_ops(entry_type(e))->count(&h.home);
        d->quicklist = entry_type(e) == VALUE_LIST && !strcmp(entry_encoding(e), "quicklist");
        d->list_size = option_get(&h.home.limits->list_size);
        d->list_depth = option_get(&h.home.limits->list_depth);
    }
    work_start(c, &d->work);
}

static void htstats_key_run(struct call *c) {
    if (debugged(c)) reply_error(c, "ERR The value stored at the specified key is not represented using an hash table");
}

static void htstats_reply(struct session *s, const struct store_shape *shapes, unsigned db) {
    const struct store_shape *shape = &shapes[db];
    struct buf out;
    buf_init(&out, MEM_CLIENT);
    buf_puts(&out, "[Dictionary HT]\n");
    if (!shape->keys) buf_puts(&out, "No stats available for empty dictionaries\n");
    else
        buf_printf(&out,
            " table size: %llu\n number of elements: %llu\n segments: %llu\n directory entries: %llu\n"
            " bytes: %llu\n bytes per element: %.2f\n filled: %.2f%%\n",
            (unsigned long long)shape->slots, (unsigned long long)shape->keys, (unsigned long long)shape->segments,
            (unsigned long long)shape->directory_entries, (unsigned long long)shape->index_bytes,
            (double)shape->index_bytes / (double)shape->keys, 100 * (double)shape->keys / (double)shape->slots);
    buf_puts(&out, "[Expires HT]\nDeadlines lie in the entries: there is no table of their own\n");
    resp_verbatim(&s->writer, "txt", buf_slice(&out));
    buf_free(&out);
}

static void htstats_run(struct call *c) {
    int64_t db;
    if (!call_i64(c, 2, &db)) return;
    if (db < 0 || db >= option_get(&call_env(c)->store_config.databases) || db >= STORE_DATABASES)
        reply_error(c, "ERR Out of range database");
    else memory_shapes(c, (unsigned)db, (unsigned)db + 1, htstats_reply);
}

/* -- replies for testing clients ------------------------------------------------------------------------------------------- */

static void protocol_run(struct call *c) {
    struct resp_writer *w = c->w;
    if (call_is(c, 2, "string")) resp_text(w, "Hello World");
    else if (call_is(c, 2, "integer")) resp_int(w, 12345);
    else if (call_is(c, 2, "double")) resp_double(w, 3.141);
    else if (call_is(c, 2, "null")) resp_null(w);
    else if (call_is(c, 2, "bignum")) resp_big_number(w, SLICE("1234567999999999999999999999999999999"));
    else if (call_is(c, 2, "true")) resp_bool(w, true);
    else if (call_is(c, 2, "false")) resp_bool(w, false);
    else if (call_is(c, 2, "verbatim")) resp_verbatim(w, "txt", SLICE("This is a verbatim\nstring"));
    else if (call_is(c, 2, "array") || call_is(c, 2, "set")) {
        if (call_is(c, 2, "set")) resp_set(w, 3);
        else resp_array(w, 3);
        for (int i = 0; i < 3; i++) resp_int(w, i);
    } else if (call_is(c, 2, "map")) {
        resp_map(w, 3);
        for (int i = 0; i < 3; i++) {
            resp_int(w, i);
            resp_bool(w, i == 1);
        }
    } else if (call_is(c, 2, "attrib")) {
        if (w->proto > 2) {
            resp_attribute(w, 1);
            resp_text(w, "key-popularity");
            resp_array(w, 2);
            resp_text(w, "key:123");
            resp_int(w, 90);
        }
        resp_text(w, "Some real reply following the attribute");
    } else if (call_is(c, 2, "push")) {
        if (w->proto < 3) {
            reply_error(c, "ERR RESP2 is not supported by this command");
            return;
        }
        resp_push(w, 2);
        resp_text(w, "server-cpu-usage");
        resp_int(w, 42);
        resp_text(w, "Some real reply following the push reply");
    } else
        reply_error(c, "ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

static void error_run(struct call *c) { reply_error_slice(c, c->argv[2]); }

/* -- the process ----------------------------------------------------------------------------------------------------------- */

static void sleep_until(int64_t mono_us) {
    for (int64_t left; (left = mono_us - clock_mono_us()) > 0;) {
        struct timespec t = {left / 1000000, left % 1000000 * 1000};
        nanosleep(&t, NULL);
    }
}

static void sleep_lane(struct lane *l, void *arg) {
    (void)l;
    sleep_until(*(int64_t *)arg);
    mem_free(MEM_MISC, arg);
}

/* The whole server stands still: every other lane is told to sleep until the same moment. */
static void sleep_run(struct call *c) {
    struct env *e = call_env(c);
    double seconds = 0;
    if (!num_double(c->argv[2], &seconds) || !(seconds > 0)) seconds = 0;
    if (seconds > 86400) seconds = 86400;
    int64_t until = clock_mono_us() + (int64_t)(seconds * 1e6);
    for (unsigned i = 0; seconds > 0 && i < e->lanes; i++) {
        if (i == c->s->lane->index) continue;
        int64_t *arg = mem_alloc(MEM_MISC, sizeof *arg);
        *arg = until;
        e->host->post(e->host, i, sleep_lane, arg);
    }
    sleep_until(until);
    resp_ok(c->w);
}

static _Noreturn void crash(const char *how) {
    log_warning("DEBUG %s: the server stops, as it was told to", how);
    abort();
}

static void assert_run(struct call *c) {
    (void)c;
    crash("ASSERT");
}
static void panic_run(struct call *c) {
    (void)c;
    crash("PANIC");
}
static void oom_run(struct call *c) {
    (void)c;
    mem_free(MEM_MISC, mem_alloc(MEM_MISC, SIZE_MAX / 4)); /* no machine has that much: mem_alloc aborts */
}
static void segfault_run(struct call *c) {
    char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        reply_errorf(c, "ERR no page to write to: %s", strerror(errno));
        return;
    }
    *(volatile char *)p = 1;
}

static void log_run(struct call *c) {
    log_warning("DEBUG LOG: %.*s", (int)(c->argv[2].n < 1024 ? c->argv[2].n : 1024), c->argv[2].p);
    resp_ok(c->w);
}

static void report_put(void *arg, const char *text) { buf_puts(arg, text); }
static void jmap_run(struct call *c) {
    struct buf out;
    buf_init(&out, MEM_CLIENT);
    mem_report(report_put, &out, true);
    resp_verbatim(c->w, "txt", buf_slice(&out));
    buf_free(&out);
}

static void change_repl_id_run(struct call *c) {
    struct env *e = call_env(c);
    char id[41];
    env_random_id(id);
    lock_acquire(&e->text_lock);
    memcpy(e->replication_id, id, sizeof id);
    lock_release(&e->text_lock);
    log_notice("Replication ID changed by DEBUG: now %s", id);
    resp_ok(c->w);
}

static void set_active_expire_run(struct call *c) {
    int64_t v;
    if (!num_i64(c->argv[2], &v)) v = 0; /* as atoi */
    atomic_store(&call_env(c)->store_config.active_expire, v != 0);
    resp_ok(c->w);
}

static void set_active_sweep_run(struct call *c) {
    int64_t v;
    if (!num_i64(c->argv[2], &v)) v = 0;
    atomic_store(&call_env(c)->store_config.sweep_held, v == 0);
    resp_ok(c->w);
}

static void skip_checksum_run(struct call *c) {
    int64_t v;
    if (!num_i64(c->argv[2], &v)) v = 0;
    atomic_store(&call_env(c)->config.skip_checksum, v != 0);
    resp_ok(c->w);
}

static void stringmatch_len_run(struct call *c) {
    int64_t n;
    if (!call_range(c, 2, 0, option_get(&call_env(c)->config.proto_max_bulk_len), &n, POSITIVE)) return;
    char *text = mem_alloc(MEM_CLIENT, (size_t)n + 1);
    memset(text, 'a', (size_t)n);
    resp_int(c->w, match_glob(c->argv[3], (struct slice){text, (size_t)n}));
    mem_free(MEM_CLIENT, text);
}

static void structsize_run(struct call *c) {
    char text[256];
    int n = snprintf(text, sizeof text, "bits:%zu slot:%zu key:%zu view:%zu call:%zu session:%zu lane:%zu task:%zu",
        sizeof(void *) * 8, sizeof(uint64_t), sizeof(struct key), sizeof(struct view), sizeof(struct call),
        sizeof(struct session), sizeof(struct lane), sizeof(struct task));
    resp_bulk(c->w, text, (size_t)n);
}

/* Every invariant of every table, all locks held: from a task, since the request itself holds some. */
static enum task_state check_step(struct task *t, struct session *s, int64_t slice_us) {
    (void)t;
    (void)slice_us;
    const char *wrong = store_check(s->lane->env->store);
    char text[256];
    if (wrong) {
        snprintf(text, sizeof text, "ERR %s", wrong);
        session_error(s, text);
    } else
        resp_ok(&s->writer);
    return TASK_DONE;
}

static void check_drop(struct task *t) { mem_free(MEM_CLIENT, t); }

static void check_run(struct call *c) {
    struct task *t = mem_zalloc(MEM_CLIENT, sizeof *t);
    t->step = check_step;
    t->drop = check_drop;
    session_park(c->s, t);
}

/* -- words ----------------------------------------------------------------------------------------------------------------- */

static void help_run(struct call *c);

static const struct word {
    const char *name;
    int min, max;             /* words of the request, DEBUG and its own included */
    int first_key, keys;      /* keys: how many, -1: all that follow */
    void (*run)(struct call *c);
    const char *usage, *text; /* as HELP shows them; the text with its indent */
} words[] = {
    {"ASSERT", 2, 2, 0, 0, assert_run, "ASSERT", "    Stop by an assertion that fails."},
    {"CHANGE-REPL-ID", 2, 2, 0, 0, change_repl_id_run, "CHANGE-REPL-ID", "    Take a new replication id."},
    {"CHECK", 2, 2, 0, 0, check_run, "CHECK", "    Check every table of the store. All clients wait meanwhile."},
    {"DIGEST", 2, 2, 0, 0, digest_run, "DIGEST", "    A checksum over all keys of all databases, equal to Redis's for equal content."},
    {"DIGEST-VALUE", 2, INT32_MAX, 2, -1, digest_value_run, "DIGEST-VALUE <key> [<key> ...]",
        "    A checksum of each key's value."},
    {"ERROR", 3, 3, 0, 0, error_run, "ERROR <string>", "    Reply with this error."},
    {"HELP", 2, 2, 0, 0, help_run, NULL, NULL},
    {"HTSTATS", 3, 4, 0, 0, htstats_run, "HTSTATS <dbid>", "    The shape of a database's tables."},
    {"HTSTATS-KEY", 3, 4, 2, 1, htstats_key_run, "HTSTATS-KEY <key>", "    The shape of the table that the key's value is."},
    {"JMAP", 2, 2, 0, 0, jmap_run, "JMAP", "    What the allocator holds, and where, in its own words."},
    {"LOG", 3, 3, 0, 0, log_run, "LOG <message>", "    Write to the server's log."},
    {"OBJECT", 3, 3, 2, 1, object_run, "OBJECT <key>", "    Where and how the key's value is stored."},
    {"OOM", 2, 2, 0, 0, oom_run, "OOM", "    Stop by running out of memory."},
    {"PANIC", 2, 2, 0, 0, panic_run, "PANIC", "    Stop at once, with a line in the log."},
    {"POPULATE", 3, 5, 0, 0, populate_run, "POPULATE <count> [<prefix>] [<size>]",
        "    Make keys <prefix>:0 and up ('key' unless told), values of <size> bytes."},
    {"PROTOCOL", 3, 3, 0, 0, protocol_run, "PROTOCOL <type>",
        "    Reply with a value of that type: string, integer, double, bignum, null, array, set, map, attrib, push,"
        " verbatim, true, false."},
    {"RELOAD", 2, INT32_MAX, 0, 0, reload_run, "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        "    Save, forget everything, and load what was saved. NOSAVE: load what is there; NOFLUSH: beside what there is;"
        " MERGE: in place of keys of the same name."},
    {"SEGFAULT", 2, 2, 0, 0, segfault_run, "SEGFAULT", "    Stop by an access that the kernel forbids."},
    {"SET-ACTIVE-EXPIRE", 3, 3, 0, 0, set_active_expire_run, "SET-ACTIVE-EXPIRE <0|1>",
        "    Whether keys past their time go before anybody asks for them."},
    {"SET-ACTIVE-SWEEP", 3, 3, 0, 0, set_active_sweep_run, "SET-ACTIVE-SWEEP <0|1>",
        "    Whether keys that were invalidated are removed before anybody asks for them."},
    {"SET-SKIP-CHECKSUM-VALIDATION", 3, 3, 0, 0, skip_checksum_run, "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        "    Whether RESTORE takes payloads whose checksum is wrong."},
    {"SLEEP", 3, 3, 0, 0, sleep_run, "SLEEP <seconds>", "    Stand still for that long, all threads."},
    {"STRINGMATCH-LEN", 4, 4, 0, 0, stringmatch_len_run, "STRINGMATCH-LEN <length> <pattern>",
        "    Match a pattern with a text of that many letters."},
    {"STRUCTSIZE", 2, 2, 0, 0, structsize_run, "STRUCTSIZE", "    Sizes of the server's structures."},
};

enum { WORDS = sizeof words / sizeof words[0] };

static const struct word *word_find(const struct slice *argv, int argc) {
    for (int i = 0; i < WORDS && argc > 1; i++)
        if (slice_is(argv[1], words[i].name) && argc >= words[i].min && argc <= words[i].max) return &words[i];
    return NULL;
}

static void help_run(struct call *c) {
    const char *lines[2 * WORDS + 1];
    size_t n = 0;
    for (int i = 0; i < WORDS; i++) {
        if (!words[i].usage) continue;
        lines[n++] = words[i].usage;
        lines[n++] = words[i].text;
    }
    lines[n] = NULL;
    reply_help(c, lines);
}

int debug_keys(const struct slice *argv, int argc, int *at, int max) {
    const struct word *w = word_find(argv, argc);
    int n = 0;
    if (!w || !w->keys) return 0;
    for (int i = w->first_key; i < argc && (w->keys < 0 || n < w->keys) && n < max; i++) at[n++] = i;
    return n;
}

void debug_run(struct call *c) {
    int64_t allowed = option_get(&call_env(c)->config.enable_debug);
    if (allowed == ENV_ALLOW_NO || (allowed == ENV_ALLOW_LOCAL && !session_is_local(c->s))) {
        reply_error(c, "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it"
            " from a local connection, otherwise you need to set this option in the configuration file, and then restart"
            " the server.");
        return;
    }
    const struct word *w = word_find(c->argv, c->argc);
    if (w) w->run(c);
    else
        reply_bad_sub(c);
}
