/* MEMORY: what memory is used for. The figures are shared with INFO's section of the same name. */
#include "command/introspect.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/slab.h"

#include <stdio.h>

/* Fractions that mean something only where there is something to divide by. */
static double ratio(uint64_t a, uint64_t b) { return b ? (double)a / (double)b : 0; }

void memory_figures(struct env *e, struct memory_figures *out) {
    *out = (struct memory_figures){0};
    mem_system_read(&out->system);
    out->data = mem_used(MEM_DATA);
    out->index = mem_used(MEM_INDEX);
    out->misc = mem_used(MEM_MISC);
    out->clients = mem_used(MEM_CLIENT);
    out->used = out->data + out->index + out->misc;
    out->peak = mem_peak();
    out->startup = e->startup_bytes;
    out->overhead = out->index + out->misc;
    out->dataset = out->data;
    out->maxmemory = (uint64_t)option_get(&e->store_config.maxmemory);
    for (unsigned db = 0; db < STORE_DATABASES; db++) out->keys += store_count(e->store, db);
}

double memory_dataset_percent(const struct memory_figures *f) {
    uint64_t since_start = f->used > f->startup ? f->used - f->startup : 0;
    double percent = 100 * ratio(f->dataset, since_start);
    return percent > 100 ? 100 : percent;
}

/* -- USAGE ---------------------------------------------------------------------------------------------------------------- */

static bool usage_samples(struct call *c, int64_t *samples) {
    for (int i = 3; i < c->argc; i += 2) {
        if (!call_is(c, i, "SAMPLES") || i + 1 >= c->argc) {
            reply_syntax(c);
            return false;
        }
        if (!call_i64(c, i + 1, samples)) return false;
        if (*samples < 0) {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

void memory_usage(struct call *c) {
    int64_t samples = 5; /* a string is measured, not sampled; collections say what they take without sampling, too */
    if (!usage_samples(c, &samples)) return;
    struct entry *e = view_peek(&c->v, &c->key[0]);
    if (!e) {
        resp_null(c->w);
        return;
    }
    size_t n = entry_memory(e) + sizeof(uint64_t); /* and its slot */
    const struct value_ops *ops = value_ops(entry_type(e));
    if (ops && entry_form(e) == FORM_POINTER) n += ops->memory(entry_pointer(e));
    resp_int(c->w, (int64_t)n);
}

/* -- STATS ---------------------------------------------------------------------------------------------------------------- */

static void stat_int(struct resp_writer *w, const char *name, int64_t v) {
    resp_text(w, name);
    resp_int(w, v);
}

static void stat_double(struct resp_writer *w, const char *name, double v) {
    resp_text(w, name);
    resp_double(w, v);
}

/* How much more than `part` is `whole`, as ratio and in bytes. */
static void stat_excess(struct resp_writer *w, const char *ratio_name, const char *bytes_name, uint64_t whole,
    uint64_t part) {
    stat_double(w, ratio_name, ratio(whole, part));
    stat_int(w, bytes_name, (int64_t)whole - (int64_t)part);
}

/* Shapes of databases first .. end - 1, one shard at a time, as a task; then `done` replies. */
struct shapes {
    struct task task;
    unsigned first, db, end, shard;
    memory_shapes_done *done;
    struct store_shape shape[STORE_DATABASES];
};

static enum task_state shapes_step(struct task *t, struct session *s, int64_t slice_us) {
    struct shapes *h = (struct shapes *)t;
    struct store *store = s->lane->env->store;
    uint64_t start = clock_ticks();
    while (h->db < h->end) {
        if (clock_ticks_us(clock_ticks() - start) >= slice_us) return TASK_AGAIN;
        if (store_count(store, h->db)) store_shape_add(store, h->db, h->shard, &h->shape[h->db]);
        else h->shard = STORE_SHARDS - 1; /* nothing to look at */
        if (++h->shard == STORE_SHARDS) {
            h->shard = 0;
            h->db++;
        }
    }
    h->done(s, h->shape, h->first);
    return TASK_DONE;
}

static void shapes_drop(struct task *t) { mem_free(MEM_CLIENT, t); }

void memory_shapes(struct call *c, unsigned first, unsigned end, memory_shapes_done *done) {
    struct shapes *h = mem_zalloc(MEM_CLIENT, sizeof *h);
    h->task.step = shapes_step;
    h->task.drop = shapes_drop;
    h->first = h->db = first;
    h->end = end;
    h->done = done;
    session_park(c->s, &h->task);
}

static void stats_database(struct resp_writer *w, unsigned db, const struct store_shape *shape) {
    char name[16];
    snprintf(name, sizeof name, "db.%u", db);
    resp_text(w, name);
    resp_map(w, 3);
    stat_int(w, "overhead.hashtable.main", (int64_t)shape->index_bytes);
    stat_int(w, "overhead.hashtable.expires", 0); /* deadlines lie in the entries */
    stat_int(w, "overhead.hashtable.slot-to-keys", 0);
}

static void stats_reply(struct session *s, const struct store_shape *shape, unsigned first) {
    struct resp_writer *w = &s->writer;
    struct memory_figures f;
    size_t databases = 0;
    (void)first; /* all of them */
    memory_figures(s->lane->env, &f);
    for (unsigned db = 0; db < STORE_DATABASES; db++) databases += shape[db].keys > 0;
    resp_map(w, 27 + databases);
    stat_int(w, "peak.allocated", (int64_t)f.peak);
    stat_int(w, "total.allocated", (int64_t)f.used);
    stat_int(w, "startup.allocated", (int64_t)f.startup);
    stat_int(w, "replication.backlog", 0);
    stat_int(w, "clients.slaves", 0);
    stat_int(w, "clients.normal", (int64_t)f.clients);
    stat_int(w, "cluster.links", 0);
    stat_int(w, "aof.buffer", 0);
    stat_int(w, "lua.caches", 0);
    stat_int(w, "functions.caches", 0);
    for (unsigned db = 0; db < STORE_DATABASES; db++)
        if (shape[db].keys) stats_database(w, db, &shape[db]);
    stat_int(w, "overhead.total", (int64_t)f.overhead);
    stat_int(w, "keys.count", (int64_t)f.keys);
    stat_int(w, "keys.bytes-per-key", f.keys && f.used > f.startup ? (int64_t)((f.used - f.startup) / f.keys) : 0);
    stat_int(w, "dataset.bytes", (int64_t)f.dataset);
    stat_double(w, "dataset.percentage", memory_dataset_percent(&f));
    stat_double(w, "peak.percentage", 100 * ratio(f.used, f.peak));
    stat_int(w, "allocator.allocated", (int64_t)f.system.allocated);
    stat_int(w, "allocator.active", (int64_t)f.system.active);
    stat_int(w, "allocator.resident", (int64_t)f.system.resident);
    stat_excess(w, "allocator-fragmentation.ratio", "allocator-fragmentation.bytes", f.system.active, f.system.allocated);
    stat_excess(w, "allocator-rss.ratio", "allocator-rss.bytes", f.system.resident, f.system.active);
    stat_excess(w, "rss-overhead.ratio", "rss-overhead.bytes", f.system.rss, f.system.resident);
    stat_excess(w, "fragmentation", "fragmentation.bytes", f.system.rss, f.used);
}

void memory_stats(struct call *c) { memory_shapes(c, 0, STORE_DATABASES, stats_reply); }

/* -- DOCTOR --------------------------------------------------------------------------------------------------------------- */

#define DOCTOR_LEAST (5ull << 20)     /* below this every ratio is noise */
#define DOCTOR_CLIENT (200ull << 10)  /* more than this for each client is a lot */

static void doctor_look(struct env *e, const struct memory_figures *f, struct buf *out) {
    uint64_t clients = env_clients(e);
    const struct mem_system *s = &f->system;
    if (f->peak > f->used + f->used / 2)
        buf_puts(out, " * Peak: at its peak the server held over 1.5 times what it holds now. Where RSS has not followed, the"
            " allocator keeps the pages for later use; MEMORY PURGE gives them back.\n\n");
    if (ratio(s->rss, f->used) > 1.4 && s->rss > f->used + (10ull << 20))
        buf_puts(out, " * RSS: the process takes over 1.4 times what it uses. The causes below, if any, say where it goes.\n\n");
    if (ratio(s->active, s->allocated) > 1.1 && s->active > s->allocated + (10ull << 20))
        buf_puts(out, " * Fragmentation: over a tenth of the pages in use is free room between blocks. Values whose sizes change"
            " a lot cause it; it is worked off in the background.\n\n");
    if (ratio(s->resident, s->active) > 1.1 && s->resident > s->active + (10ull << 20))
        buf_puts(out, " * Free pages: the allocator holds more than a tenth of its pages unused. MEMORY PURGE gives them"
            " back.\n\n");
    if (ratio(s->rss, s->resident) > 1.1 && s->rss > s->resident + (10ull << 20))
        buf_puts(out, " * Other memory: over a tenth of RSS was not taken through the allocator (stacks, libraries, huge pages"
            " of the kernel).\n\n");
    if (clients && f->clients / clients > DOCTOR_CLIENT)
        buf_puts(out, " * Clients: their buffers take over 200 KB each on average. CLIENT LIST shows whose (qbuf, omem);"
            " client-output-buffer-limit and maxmemory-clients bound them.\n\n");
    if (f->maxmemory && f->used > f->maxmemory / 100 * 98 && option_get(&e->store_config.policy) == POLICY_NOEVICTION)
        buf_puts(out, " * Limit: maxmemory is all but reached and maxmemory-policy is noeviction: writes are refused next.\n\n");
}

void memory_doctor(struct call *c) {
    struct memory_figures f;
    struct buf out;
    buf_init(&out, MEM_CLIENT);
    memory_figures(call_env(c), &f);
    if (f.used < DOCTOR_LEAST + f.startup)
        buf_puts(&out, "There is next to nothing in memory, so there is nothing to diagnose. Ask again with more data.\n");
    else doctor_look(call_env(c), &f, &out);
    if (!out.n) buf_puts(&out, "Nothing is wrong with this server's memory as far as can be seen from here.\n");
    resp_verbatim(c->w, "txt", buf_slice(&out));
    buf_free(&out);
}

/* -- the allocator -------------------------------------------------------------------------------------------------------- */

static void report_put(void *arg, const char *text) { buf_puts(arg, text); }

void memory_malloc_stats(struct call *c) {
    struct buf out;
    buf_init(&out, MEM_CLIENT);
    mem_report(report_put, &out, false);
    resp_verbatim(c->w, "txt", buf_slice(&out));
    buf_free(&out);
}

void memory_purge(struct call *c) {
    while (slab_trim()) {}
    mem_purge();
    resp_ok(c->w);
}

void memory_help(struct call *c) {
    static const char *const lines[] = {
        "DOCTOR",
        "    Say in words what is wrong with the use of memory, if anything.",
        "MALLOC-STATS",
        "    The allocator's own report.",
        "PURGE",
        "    Give free pages back to the system now.",
        "STATS",
        "    What memory is used for, in figures.",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes that <key> takes with its value. Collections look at <count> elements",
        "    at the most (5 unless told, 0: all).",
        NULL,
    };
    reply_help(c, lines);
}
