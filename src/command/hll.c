/* HyperLogLog: PFADD, PFCOUNT, PFMERGE on strings in Redis's form (type/hll.h). */
#include "command/hll.h"

#include "base/clock.h"
#include "command/thaw.h"
#include "command/work.h"
#include "store/entry.h"

#define AT_ONCE 24 /* keys that are merged without looking at the clock: a dense one takes 5 us */
#define PIECE 3

/* -- a key's value --------------------------------------------------------------------------------------------------------- */

#define NOT_VALID "WRONGTYPE Key is not a valid HyperLogLog string value."

/* Returns the error that its value is, or NULL. Of a packed one the value is not looked at. */
static const char *look(struct entry *e, struct hll_key *h) {
    h->e = e;
    h->value = SLICE("");
    h->taken = NULL;
    if (!e) return NULL;
    if (entry_type(e) != VALUE_STRING) return "WRONGTYPE Operation against a key holding the wrong kind of value";
    if (entry_packed(e)) return NULL;
    h->value = entry_value(e);
    return hll_valid(h->value) ? NULL : NOT_VALID;
}

/* The value, plain; *error as above. False: the call will be run again. */
static bool find(struct call *c, int key, bool write, struct hll_key *h, const char **error) {
    struct entry *e = write ? call_write(c, key) : call_read(c, key);
    *error = look(e, h);
    if (!e || *error || !entry_packed(e)) return true;
    if (write) {
        if (!(e = call_plain(c, key, e))) return false;
        *error = look(e, h);
        return true;
    }
    if (!call_text(c, key, e, &h->value)) return false;
    if (!hll_valid(h->value)) *error = NOT_VALID;
    return true;
}

bool hll_open(struct call *c, int key, bool write, struct hll_key *h) {
    const char *error;
    if (!find(c, key, write, h, &error)) return false;
    if (error) reply_error(c, error);
    return !error;
}

void hll_as_raw(struct call *c, const struct hll_key *h) {
    if (h->e && entry_form(h->e) != FORM_RAW && !entry_packed(h->e) && !entry_pinned(h->e)) view_edit(&c->v, &c->key[0], h->e, h->value.n, FORM_RAW);
}

void hll_edit(const struct store_config *config, struct hll_key *h) {
    size_t n = h->value.n;
    if (n > HLL_DENSE) h->taken = mem_alloc(MEM_CLIENT, n + HLL_GROWTH);
    h->edit = (struct hll){h->taken ? h->taken : h->space, n, (size_t)option_get(&config->limits.hll_sparse_bytes)};
    if (h->e) memcpy(h->edit.p, h->value.p, n);
    else hll_new(&h->edit);
}

void hll_store(struct view *v, const struct key *k, struct hll_key *h) {
    if (h->e && entry_packed(h->e)) { /* all of it is written anew */
        view_set(v, k, (struct slice){(const char *)h->edit.p, h->edit.n}, VIEW_KEEP, FORM_RAW);
        return;
    }
    char *p = h->e ? view_edit_here(v, k, h->e, h->edit.n) : NULL;
    if (!p || h->edit.n != h->value.n) p = view_edit(v, k, h->e, h->edit.n, FORM_RAW);
    memcpy(p, h->edit.p, h->edit.n);
}

void hll_close(struct hll_key *h) {
    mem_free(MEM_CLIENT, h->taken);
    h->taken = NULL;
}

/* -- PFADD ----------------------------------------------------------------------------------------------------------------- */

/* Raises what members i.. raise. False, it is corrupt: those before that was noticed are in, as in Redis. */
static bool add_members(struct call *c, struct hll *h, int i) {
    for (; i < c->argc; i++) {
        enum hll_change change = hll_raise(h, hll_place(c->argv[i]));
        if (change == HLL_CORRUPT) return false;
        if (change == HLL_CHANGED) hll_forget(h->p);
    }
    return true;
}

/* A dense one is changed where it lies, or in a block of its own if a reply still refers to that. */
static void add_dense(struct call *c, const struct hll_key *h, int i) {
    char *p = view_edit_here(&c->v, &c->key[0], h->e, HLL_DENSE);
    if (!p) p = view_edit(&c->v, &c->key[0], h->e, HLL_DENSE, FORM_RAW);
    add_members(c, &(struct hll){(uint8_t *)p, HLL_DENSE, 0}, i);
}

static void run_pfadd(struct call *c) {
    struct hll_key h;
    enum hll_change change = HLL_SAME;
    int i = 2;
    if (!hll_open(c, 0, true, &h)) return;
    for (; h.e && i < c->argc; i++) {
        change = hll_try(h.value, hll_place(c->argv[i]));
        if (change != HLL_SAME) break;
    }
    if (h.e && change == HLL_SAME) {
        hll_as_raw(c, &h);
        resp_int(c->w, 0);
        return;
    }
    if (!strings_room_to_edit(c, 0, HLL_DENSE + h.value.n)) return;
    if (h.e && hll_is_dense(h.value)) {
        add_dense(c, &h, i);
        call_event(c, EVENT_STRING, "pfadd", 0);
        resp_int(c->w, 1);
        return;
    }
    hll_edit(&call_env(c)->store_config, &h);
    if (!h.e) hll_forget(h.edit.p); /* as Redis: the estimate of a new one is not known */
    bool sound = add_members(c, &h.edit, i);
    hll_store(&c->v, &c->key[0], &h);
    if (sound) call_event(c, EVENT_STRING, "pfadd", 0);
    if (sound) resp_int(c->w, 1);
    else reply_error(c, HLL_CORRUPTED);
    hll_close(&h);
}

/* -- many keys --------------------------------------------------------------------------------------------------------------- */

struct source {
    struct slice value;
    struct entry *pinned;
    char *text; /* its own */
};

/* The registers of all keys together; in slices if they are many: the values are pinned or copied, and dest gets the registers
 * as it is by then, so nothing that was added meanwhile is lost. */
struct merge {
    struct work work;
    bool store;            /* PFMERGE: into `dest` */
    bool dense;            /* one of them is */
    const char *error;     /* the key behind those in `source` is this; the keys behind it are not looked at */
    struct slice dest;
    int at, n;
    uint8_t reg[HLL_REGISTERS];
    char *bytes;
    struct source source[];
};

static void merge_drop(struct work *w) {
    struct merge *m = (struct merge *)w;
    for (int i = 0; i < m->n; i++)
        if (m->source[i].pinned) entry_release(m->source[i].pinned);
        else mem_free(MEM_CLIENT, m->source[i].text);
    mem_free(MEM_CLIENT, m->bytes);
}

/* Returns the error, or NULL. `h`: what the key holds. */
static const char *merge_into(struct view *v, const struct key *k, struct hll_key *h, const struct store_config *config, bool dense,
    const uint8_t *reg) {
    const char *error = NULL;
    hll_edit(config, h);
    if (dense && !hll_is_dense((struct slice){(char *)h->edit.p, h->edit.n}) && !hll_to_dense(&h->edit)) error = HLL_CORRUPTED;
    else if (!hll_spread(&h->edit, reg)) error = HLL_CORRUPTED;
    if (!error) {
        hll_forget(h->edit.p);
        hll_store(v, k, h);
        notify_event(v, EVENT_STRING, "pfadd", k);
    }
    hll_close(h);
    return error;
}

/* With the lock of the key held: true, it is over, *error says how. False: the key holds a packed string, which is in `thaw` now. */
static bool merge_try(struct merge *m, struct session *s, struct view *v, const struct key *k, struct thaw *thaw, const char **error) {
    struct hll_key h;
    *error = look(view_get(v, k), &h);
    if (!*error && h.e && entry_packed(h.e)) {
        if (!thaw->plain || !thaw_is(thaw, h.e)) {
            thaw_drop(thaw);
            thaw_hold(thaw, h.e);
            return false;
        }
        h.value = thaw_all(thaw, s->lane);
        if (!hll_valid(h.value)) *error = NOT_VALID;
    }
    if (!*error) *error = merge_into(v, k, &h, &s->lane->env->store_config, m->dense, m->reg);
    return true;
}

/* False: to be gone on with once the call's locks are gone. */
static bool merge_store(struct merge *m, struct session *s, const char **error) {
    struct work *w = &m->work;
    struct key k = store_key(store_seed(w->store), m->dest);
    struct thaw thaw = {.pinned = NULL};
    struct view v;
    bool over;
    w->wrote = true;
    do {
        if (!w->view) {
            view_init(&v, w->store, w->db, clock_ms(), &s->lane->store_stats);
            store_lock(w->store, store_shard_of(k.hash));
        }
        over = merge_try(m, s, w->view ? w->view : &v, &k, &thaw, error);
        if (w->view) break;
        store_unlock(w->store, store_shard_of(k.hash));
        if (!over) thaw_all(&thaw, s->lane);
    } while (!over);
    thaw_drop(&thaw);
    return over;
}

static bool merge_on(struct work *w, struct session *s) {
    struct merge *m = (struct merge *)w;
    const char *error = NULL;
    while (m->at < m->n && !error) {
        if (!hll_gather(m->source[m->at++].value, m->reg)) error = HLL_CORRUPTED;
        else if (m->at % PIECE == 0 && work_over(w)) return false;
    }
    if (!error) error = m->error;
    if (!error && m->store && !merge_store(m, s, &error)) return false;
    if (error) work_error(w, s, error);
    else if (m->store) resp_ok(&s->writer);
    else resp_int(&s->writer, (int64_t)hll_count_registers(m->reg));
    return true;
}

/* False: the call will be run again. */
static bool merge_keep(struct call *c, struct merge *m) {
    size_t bytes = c->key[0].n, at = bytes;
    struct hll_key h;
    bool there = true;
    for (int i = 0; i < c->keys && !m->error; i++) {
        there &= find(c, i, false, &h, &m->error);
        if (!there || !h.e || m->error) continue;
        struct source *s = &m->source[m->n++];
        *s = (struct source){.value = h.value, .text = call_text_take(c, i, h.e)};
        if (!s->text && entry_pin(h.e)) s->pinned = h.e;
        if (!s->pinned && !s->text) bytes += h.value.n;
        m->dense |= hll_is_dense(h.value);
    }
    if (!there) return false;
    m->bytes = mem_alloc(MEM_CLIENT, bytes + 1);
    memcpy(m->bytes, c->key[0].p, c->key[0].n);
    m->dest = (struct slice){m->bytes, c->key[0].n};
    for (int i = 0; i < m->n; i++) {
        struct source *s = &m->source[i];
        if (s->pinned || s->text) continue;
        s->value.p = memcpy(m->bytes + at, s->value.p, s->value.n);
        at += s->value.n;
    }
    return true;
}

static void merge_in_slices(struct call *c, bool store) {
    struct merge *m = work_new(c, sizeof *m + (size_t)c->keys * sizeof *m->source, merge_on, merge_drop);
    m->store = store;
    if (merge_keep(c, m)) work_start(c, &m->work);
    else m->work.task.drop(&m->work.task);
}

/* Gathers the registers of all keys, which are few; false after an error was replied. */
static bool merge_at_once(struct call *c, uint8_t *reg, bool *dense) {
    struct hll_key h;
    bool there = true;
    for (int i = 0; i < c->keys; i++) {
        const char *error;
        there &= find(c, i, false, &h, &error);
        if (error && there) reply_error(c, error);
        if (error) return false; /* or one before it may be wrong, too */
        if (!there || !h.e) continue;
        *dense |= hll_is_dense(h.value);
        if (hll_gather(h.value, reg)) continue;
        reply_error(c, HLL_CORRUPTED);
        return false;
    }
    return there;
}

/* -- PFCOUNT and PFMERGE ------------------------------------------------------------------------------------------------------- */

static void count_one(struct call *c) {
    struct hll_key h;
    uint64_t count = 0;
    if (!hll_open(c, 0, false, &h)) return;
    hll_as_raw(c, &h);
    if (h.e && !hll_cached(h.value, &count)) {
        /* A packed one stays plain from now on, as its estimate is kept in it; unless that would be for want of room. */
        if (entry_packed(h.e) && store_fits(c->v.store, 2 * h.value.n + STRINGS_SPARE)) {
            if (!(h.e = call_plain(c, 0, h.e))) return;
            h.value = entry_value(h.e);
            hll_as_raw(c, &h);
            h.value = entry_value(h.e);
        }
        if (!hll_count(h.value, &count)) {
            reply_error(c, HLL_CORRUPTED);
            return;
        }
        char *p = view_edit_here(&c->v, &c->key[0], h.e, h.value.n); /* NULL: a reply refers to it; then the next PFCOUNT may keep the count */
        if (p) hll_set_cached((uint8_t *)p, count);
    }
    resp_int(c->w, (int64_t)count);
}

static void run_pfcount(struct call *c) {
    if (c->keys == 1) {
        count_one(c);
    } else if (c->keys > AT_ONCE) {
        merge_in_slices(c, false);
    } else {
        uint8_t reg[HLL_REGISTERS] = {0};
        bool dense = false;
        if (merge_at_once(c, reg, &dense)) resp_int(c->w, (int64_t)hll_count_registers(reg));
    }
}

static void run_pfmerge(struct call *c) {
    if (!strings_room_to_edit(c, 0, HLL_DENSE)) return;
    if (c->keys > AT_ONCE) {
        merge_in_slices(c, true);
        return;
    }
    uint8_t reg[HLL_REGISTERS] = {0};
    bool dense = false;
    if (!merge_at_once(c, reg, &dense)) return;
    struct hll_key h;
    const char *error;
    if (!find(c, 0, true, &h, &error)) return;
    if (!error) error = merge_into(&c->v, &c->key[0], &h, &call_env(c)->store_config, dense, reg);
    if (error) reply_error(c, error);
    else resp_ok(c->w);
}

/* -- rows ------------------------------------------------------------------------------------------------------------------------ */

static const struct command rows[] = {
    {.name = "PFADD",
        .arity = -2,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_HYPERLOGLOG,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RW | K_INSERT}},
        .run = run_pfadd,
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(1) to add every element.",
        .summary = "Adds elements to a HyperLogLog, which is made if there is none.",
        .syntax = "key [element [element ...]]"},
    {.name = "PFCOUNT",
        .arity = -2,
        .flags = C_READONLY,
        .categories = A_HYPERLOGLOG,
        .keys = {{KEYS_RANGE, 1, -1, 1, K_RW | K_ACCESS}},
        .run = run_pfcount,
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(1) for a key whose estimate is cached, else O(N) with N the number of keys, with a high constant.",
        .summary = "Estimates how many different elements a HyperLogLog, or the union of several, has seen.",
        .syntax = "key [key ...]"},
    {.name = "PFMERGE",
        .arity = -2,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_HYPERLOGLOG,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RW | K_ACCESS | K_INSERT}, {KEYS_RANGE, 2, -1, 1, K_RO | K_ACCESS}},
        .run = run_pfmerge,
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(N) to merge N HyperLogLogs, but with high constant times.",
        .summary = "Merges HyperLogLogs into one.",
        .syntax = "destkey sourcekey [sourcekey ...]"},
    {.name = "PFDEBUG",
        .arity = 3,
        .flags = C_WRITE | C_DENYOOM | C_ADMIN | C_SYSCMD,
        .categories = A_HYPERLOGLOG,
        .keys = {{KEYS_RANGE, 2, 0, 1, K_RW | K_ACCESS}},
        .run = hll_debug,
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "N/A",
        .summary = "Shows what a HyperLogLog is made of.",
        .syntax = "subcommand key"},
    {.name = "PFSELFTEST",
        .arity = 1,
        .flags = C_ADMIN | C_SYSCMD,
        .categories = A_HYPERLOGLOG,
        .run = hll_selftest,
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "N/A",
        .summary = "Checks that HyperLogLogs keep what they are told, and how good their estimates are."},
    {.name = NULL},
};

const struct command *command_rows_hll(void) { return rows; }
