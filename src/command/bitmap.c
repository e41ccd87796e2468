/* Strings of bits: single ones, counts, positions, combinations. BITFIELD is in bitfield.c.
 *
 * What is large is counted, searched and combined in slices with no lock held, in entries that are pinned meanwhile: whoever
 * changes such a key gets a new entry. So a count is that of one moment, and so are the strings that BITOP combines; its result
 * is stored, as a whole, when it is ready.
 */
#include "command/bitmap.h"

#include "base/bits.h"
#include "base/clock.h"
#include "command/thaw.h"
#include "command/work.h"
#include "store/entry.h"

#define LARGE (1u << 20)       /* bytes: more is worked on in slices */
#define PIECE_BITS (1u << 20)  /* between two looks at the clock; a power of two */
#define PIECE_BYTES (1u << 17) /* the same for BITOP, over all strings */
#define PIECE_LEAST 1024       /* of each string, however many there are */

/* -- single bits ----------------------------------------------------------------------------------------------------------- */

bool bitmap_offset(struct call *c, int arg, unsigned times, uint64_t *at) {
    struct slice word = c->argv[arg];
    int64_t v, limit = option_get(&call_env(c)->config.proto_max_bulk_len);
    bool relative = times && word.n && word.p[0] == '#';
    if (relative) word = (struct slice){word.p + 1, word.n - 1};
    if (!num_i64(word, &v) || (relative && __builtin_mul_overflow(v, (int64_t)times, &v)) || v < 0 || v >> 3 >= limit) {
        reply_error(c, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *at = (uint64_t)v;
    return true;
}

bool bitmap_edit(struct call *c, uint64_t last, struct bitmap *b) {
    bool ok;
    struct entry *e = call_write_type(c, 0, VALUE_STRING, &ok);
    if (!ok || !strings_editable(c, 0, e)) return false;
    if (e && !(e = call_plain(c, 0, e))) return false;
    size_t n = (size_t)(last >> 3) + 1, had = e ? entry_value(e).n : 0;
    b->n = had > n ? had : n;
    b->grows = !e || had < n;
    if (e && (b->p = (uint8_t *)view_edit_here(&c->v, &c->key[0], e, n))) return true;
    if (!strings_room_to_edit(c, 0, b->n)) return false;
    b->p = (uint8_t *)view_edit(&c->v, &c->key[0], e, b->n, FORM_RAW);
    return true;
}

static void run_setbit(struct call *c) {
    uint64_t at;
    int64_t on;
    if (!bitmap_offset(c, 2, 0, &at)) return;
    if (!call_range(c, 3, 0, 1, &on, "ERR bit is not an integer or out of range")) return;
    struct bitmap b;
    if (!bitmap_edit(c, at, &b)) return;
    uint8_t *p = b.p + (at >> 3);
    unsigned shift = 7 - (at & 7), was = *p >> shift & 1;
    *p = (uint8_t)((*p & ~(1u << shift)) | (unsigned)on << shift);
    if (b.grows || was != (unsigned)on) call_event(c, EVENT_STRING, "setbit", 0);
    resp_int(c->w, was);
}

static void run_getbit(struct call *c) {
    uint64_t at;
    bool ok;
    if (!bitmap_offset(c, 2, 0, &at)) return;
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    struct slice v;
    if (!call_text_part(c, 0, e, (size_t)(at >> 3), 1, &v)) return;
    resp_int(c->w, v.n ? (uint8_t)v.p[0] >> (7 - (at & 7)) & 1 : 0);
}

/* -- BITCOUNT and BITPOS --------------------------------------------------------------------------------------------------- */

/* A walk over bits at..to of a part of a string: counts those that are set, or looks for the first that is `bit`. */
struct walk {
    const uint8_t *p;
    uint64_t before;  /* bits of the string that are before the part */
    uint64_t at, to;
    bool find, bit, found;
    uint64_t count;   /* of set bits; when looking for one: where it was found */
    int64_t not_found; /* what is replied then */
};

/* Up to `piece` (a power of two) bits more. True: the walk is over. */
static bool walk_piece(struct walk *k, uint64_t piece) {
    uint64_t to = (k->at | (piece - 1)) < k->to ? k->at | (piece - 1) : k->to;
    if (k->find) {
        k->count = bits_find_part(k->p, k->at, to, k->bit);
        k->found = k->count <= to;
    } else {
        k->count += bits_count_part(k->p, k->at, to);
    }
    k->at = to + 1;
    return k->found || to == k->to;
}

static void walk_reply(const struct walk *k, struct resp_writer *w) {
    resp_int(w, k->find ? k->found ? (int64_t)(k->before + k->count) : k->not_found : (int64_t)k->count);
}

struct walk_work {
    struct work work;
    struct walk walk;
    struct entry *pinned; /* or: */
    char *text;
};

static bool walk_on(struct work *w, struct session *s) {
    struct walk_work *k = (struct walk_work *)w;
    while (!walk_piece(&k->walk, PIECE_BITS))
        if (work_over(w)) return false;
    walk_reply(&k->walk, &s->writer);
    return true;
}

static void walk_drop(struct work *w) {
    struct walk_work *k = (struct walk_work *)w;
    if (k->pinned) entry_release(k->pinned);
    mem_free(MEM_CLIENT, k->text);
}

/* Bits at..to of the string itself. */
static void walk(struct call *c, struct entry *e, struct walk *k) {
    struct slice part;
    size_t from = (size_t)(k->at >> 3);
    if (!call_text_part(c, 0, e, from, (size_t)(k->to >> 3) - from + 1, &part)) return;
    k->p = (const uint8_t *)part.p;
    k->before = (uint64_t)from * 8;
    k->at -= k->before;
    k->to -= k->before;
    if (part.n > LARGE) {
        struct walk_work *w = work_new(c, sizeof *w, walk_on, walk_drop);
        w->walk = *k;
        w->text = call_text_part_take(c, 0, e, from, part.n);
        if (!w->text && entry_pin(e)) w->pinned = e;
        work_start(c, &w->work);
        return;
    }
    struct walk at_once = *k;
    walk_piece(&at_once, 1ull << 63);
    walk_reply(&at_once, c->w);
}

/* BYTE or BIT. */
static bool read_unit(struct call *c, int arg, bool *bits) {
    *bits = call_is(c, arg, "BIT");
    if (*bits || call_is(c, arg, "BYTE")) return true;
    reply_syntax(c);
    return false;
}

/* Bytes or bits start..end of a string of n bytes, as GETRANGE counts them, are made into bits. False: there are none. */
static bool range_of(size_t n, int64_t start, int64_t end, bool bits, struct walk *k) {
    int64_t all = bits ? (int64_t)n * 8 : (int64_t)n;
    if (start < 0) start = start + all < 0 ? 0 : start + all;
    if (end < 0) end = end + all < 0 ? 0 : end + all;
    if (end >= all) end = all - 1;
    if (start > end) return false;
    k->at = (uint64_t)start * (bits ? 1 : 8);
    k->to = bits ? (uint64_t)end : (uint64_t)end * 8 + 7;
    return true;
}

static void run_bitcount(struct call *c) {
    struct walk k = {.find = false};
    int64_t start = 0, end = -1;
    bool ok, bits = false;
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    if (!e) { /* whatever else is said */
        resp_int(c->w, 0);
        return;
    }
    if (c->argc == 3 || c->argc > 5) {
        reply_syntax(c);
        return;
    }
    if (c->argc > 3) {
        if (!call_i64(c, 2, &start) || !call_i64(c, 3, &end)) return;
        bool backwards = start < 0 && end < 0 && start > end;
        if (!backwards && c->argc > 4 && !read_unit(c, 4, &bits)) return;
        if (backwards) {
            resp_int(c->w, 0);
            return;
        }
    }
    if (range_of(entry_length(e), start, end, bits, &k)) walk(c, e, &k);
    else resp_int(c->w, 0);
}

static void run_bitpos(struct call *c) {
    struct walk k = {.find = true};
    int64_t bit, start = 0, end = -1;
    bool ok, bits = false;
    if (!call_i64(c, 2, &bit)) return;
    if (bit != 0 && bit != 1) {
        reply_error(c, "ERR The bit argument must be 1 or 0.");
        return;
    }
    struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
    if (!ok) return;
    if (!e) { /* no end of zeros */
        resp_int(c->w, bit ? -1 : 0);
        return;
    }
    if (c->argc > 6) {
        reply_syntax(c);
        return;
    }
    if (c->argc > 3 && !call_i64(c, 3, &start)) return;
    if (c->argc > 5 && !read_unit(c, 5, &bits)) return;
    if (c->argc > 4 && !call_i64(c, 4, &end)) return;
    size_t n = entry_length(e);
    k.bit = bit;
    k.not_found = bit || c->argc > 4 ? -1 : (int64_t)n * 8; /* behind the string is the first zero, if it has none */
    if (range_of(n, start, end, bits, &k)) walk(c, e, &k);
    else resp_int(c->w, -1);
}

/* -- BITOP ------------------------------------------------------------------------------------------------------------------- */

struct source {
    const uint8_t *p;
    size_t n;
    struct entry *entry; /* in slices: it is pinned, or NULL */
    char *text;          /* in slices: `p`, if it is its own */
};

/* Bytes from..to of the result. A string that ends before them counts as zeros. */
static void combine(enum bits_op op, const struct source *s, int n, uint8_t *out, size_t from, size_t to) {
    for (int i = 0; i < n; i++, s++) {
        size_t end = s->n < from ? from : s->n < to ? s->n : to, k = end - from;
        if (i == 0 && op != BITS_NOT) {
            if (k) memcpy(out, s->p + from, k);
            memset(out + k, 0, to - end);
            continue;
        }
        if (k) bits_combine(op, out, s->p + from, k);
        if (op == BITS_AND) memset(out + k, 0, to - end);
    }
}

struct combine_work {
    struct work work;
    enum bits_op op;
    struct entry *made; /* the result */
    uint8_t *out;
    size_t at, size, piece;
    char *copies;
    int n;
    struct source source[];
};

static void combine_drop(struct work *w) {
    struct combine_work *k = (struct combine_work *)w;
    for (int i = 0; i < k->n; i++)
        if (k->source[i].entry) entry_release(k->source[i].entry);
        else mem_free(MEM_CLIENT, k->source[i].text);
    if (k->made) entry_free(k->made);
    mem_free(MEM_CLIENT, k->copies);
}

static void combine_store(struct combine_work *k, struct session *s) {
    struct work *w = &k->work;
    struct key key = store_key(store_seed(w->store), entry_key(k->made));
    struct view v;
    w->wrote = true;
    if (w->view) {
        view_put(w->view, &key, k->made);
        notify_event(w->view, EVENT_STRING, "set", &key);
    } else {
        unsigned shard = store_shard_of(key.hash);
        view_init(&v, w->store, w->db, clock_ms(), &s->lane->store_stats);
        store_lock(w->store, shard);
        view_put(&v, &key, k->made);
        notify_event(&v, EVENT_STRING, "set", &key);
        store_unlock(w->store, shard);
    }
    k->made = NULL;
}

static bool combine_on(struct work *w, struct session *s) {
    struct combine_work *k = (struct combine_work *)w;
    while (k->at < k->size) {
        size_t to = k->size - k->at < k->piece ? k->size : k->at + k->piece;
        combine(k->op, k->source, k->n, k->out + k->at, k->at, to);
        k->at = to;
        if (work_over(w) && to < k->size) return false;
    }
    combine_store(k, s);
    resp_int(&s->writer, (int64_t)k->size);
    return true;
}

/* Strings that cannot be pinned are small: they are copied. */
static void combine_keep(struct call *c, struct combine_work *k, const struct source *source) {
    size_t bytes = 0, at = 0;
    for (int i = 0; i < k->n; i++) {
        struct source *s = &k->source[i];
        *s = source[i];
        if (s->entry && (s->text = call_text_take(c, i + 1, s->entry)) != NULL) s->entry = NULL;
        if (s->text || (s->entry && entry_pin(s->entry))) continue;
        s->entry = NULL;
        bytes += s->n;
    }
    k->copies = mem_alloc(MEM_CLIENT, bytes + 1);
    for (int i = 0; i < k->n; i++) {
        struct source *s = &k->source[i];
        if (s->entry || s->text || !s->n) continue;
        s->p = memcpy(k->copies + at, s->p, s->n);
        at += s->n;
    }
}

static void combine_in_slices(struct call *c, enum bits_op op, const struct source *source, int n, size_t size) {
    struct combine_work *k = work_new(c, sizeof *k + (size_t)n * sizeof *source, combine_on, combine_drop);
    struct entry_spec spec = {.type = VALUE_STRING, .form = FORM_RAW, .access = policy_born(&c->v.policy),
        .key = {c->key[0].p, c->key[0].n}, .valuelen = size};
    k->op = op;
    k->n = n;
    k->size = size;
    k->piece = PIECE_BYTES / (unsigned)n;
    if (k->piece < PIECE_LEAST) k->piece = PIECE_LEAST;
    combine_keep(c, k, source);
    k->made = entry_new(&spec);
    k->out = (uint8_t *)(uintptr_t)entry_value(k->made).p;
    work_start(c, &k->work);
}

static void combine_at_once(struct call *c, enum bits_op op, const struct source *source, int n, size_t size) {
    uint8_t few[4096], *out = size <= sizeof few ? few : mem_alloc(MEM_CLIENT, size);
    combine(op, source, n, out, 0, size);
    view_set(&c->v, &c->key[0], (struct slice){(const char *)out, size}, 0, FORM_RAW);
    call_event(c, EVENT_STRING, "set", 0);
    if (out != few) mem_free(MEM_CLIENT, out);
    resp_int(c->w, (int64_t)size);
}

/* Finds the strings; false after an error was replied, or if the call will be run again. */
static bool combine_open(struct call *c, struct source *source, int n, size_t *longest, size_t *all) {
    bool there = true;
    *longest = *all = 0;
    for (int i = 0; i < n; i++) {
        bool ok;
        struct entry *e = call_read_type(c, i + 1, VALUE_STRING, &ok);
        if (!ok) return false;
        struct slice v;
        there &= call_text(c, i + 1, e, &v);
        source[i] = (struct source){(const uint8_t *)v.p, v.n, e, NULL};
        *all += v.n;
        if (v.n > *longest) *longest = v.n;
    }
    return there;
}

static void bitop(struct call *c, enum bits_op op, struct source *source, int n) {
    size_t longest, all;
    if (!combine_open(c, source, n, &longest, &all)) return;
    if (!longest) {
        if (view_unlink(&c->v, &c->key[0])) call_event(c, EVENT_GENERIC, "del", 0);
        resp_int(c->w, 0);
    } else if (!strings_room(c, 0, longest)) {
        return;
    } else if (all <= LARGE) {
        combine_at_once(c, op, source, n, longest);
    } else {
        combine_in_slices(c, op, source, n, longest);
    }
}

static void run_bitop(struct call *c) {
    static const char *const names[] = {[BITS_AND] = "AND", [BITS_OR] = "OR", [BITS_XOR] = "XOR", [BITS_NOT] = "NOT"};
    struct source few[16], *source = few;
    unsigned op = 0;
    int n = c->argc - 3;
    while (op <= BITS_NOT && !call_is(c, 1, names[op])) op++;
    if (op > BITS_NOT) {
        reply_syntax(c);
        return;
    }
    if (op == BITS_NOT && n != 1) {
        reply_error(c, "ERR BITOP NOT must be called with a single source key.");
        return;
    }
    if ((size_t)n > sizeof few / sizeof *few) source = mem_alloc(MEM_CLIENT, (size_t)n * sizeof *source);
    bitop(c, (enum bits_op)op, source, n);
    if (source != few) mem_free(MEM_CLIENT, source);
}

/* -- rows -------------------------------------------------------------------------------------------------------------------- */

#define UNIT "[BYTE{since 7.0.0} | BIT{since 7.0.0}]"
#define FIELD "encoding offset"

static const char *const unit_history[] = {"7.0.0", "BYTE and BIT.", NULL};

static const struct command rows[] = {
    {.name = "SETBIT",
        .arity = 4,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_BITMAP,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RW | K_ACCESS | K_UPDATE}},
        .run = run_setbit,
        .group = "bitmap",
        .since = "2.2.0",
        .complexity = "O(1)",
        .summary = "Sets or clears a bit of a string, which grows if need be, and returns what it was.",
        .syntax = "key offset value"},
    {.name = "GETBIT",
        .arity = 3,
        .flags = C_READONLY | C_FAST,
        .categories = A_BITMAP,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RO | K_ACCESS}},
        .run = run_getbit,
        .group = "bitmap",
        .since = "2.2.0",
        .complexity = "O(1)",
        .summary = "Returns a bit of a string.",
        .syntax = "key offset"},
    {.name = "BITCOUNT",
        .arity = -2,
        .flags = C_READONLY,
        .categories = A_BITMAP,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RO | K_ACCESS}},
        .run = run_bitcount,
        .group = "bitmap",
        .since = "2.6.0",
        .complexity = "O(N)",
        .history = unit_history,
        .summary = "Counts the bits that are set in a string or a part of it.",
        .syntax = "key [start end " UNIT "]"},
    {.name = "BITPOS",
        .arity = -3,
        .flags = C_READONLY,
        .categories = A_BITMAP,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RO | K_ACCESS}},
        .run = run_bitpos,
        .group = "bitmap",
        .since = "2.8.7",
        .complexity = "O(N)",
        .history = unit_history,
        .summary = "Finds the first set or the first clear bit in a string or a part of it.",
        .syntax = "key bit [start [end " UNIT "]]"},
    {.name = "BITOP",
        .arity = -4,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_BITMAP,
        .keys = {{KEYS_RANGE, 2, 0, 1, K_OW | K_UPDATE}, {KEYS_RANGE, 3, -1, 1, K_RO | K_ACCESS}},
        .run = run_bitop,
        .group = "bitmap",
        .since = "2.6.0",
        .complexity = "O(N)",
        .summary = "Combines strings bit by bit and stores the result.",
        .syntax = "<AND | OR | XOR | NOT> destkey key [key ...]"},
    {.name = "BITFIELD",
        .arity = -2,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_BITMAP,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RW | K_ACCESS | K_UPDATE | K_VARIABLE_FLAGS}},
        .run = bitmap_bitfield,
        .key_flags = bitmap_bitfield_flags,
        .group = "bitmap",
        .since = "3.2.0",
        .complexity = "O(1) for each subcommand specified",
        .summary = "Reads and changes integers of any width within a string.",
        .syntax = "key [GET " FIELD " | [OVERFLOW <WRAP | SAT | FAIL>] <SET " FIELD " value | INCRBY " FIELD " increment> "
                  "[GET " FIELD " | [OVERFLOW <WRAP | SAT | FAIL>] <SET " FIELD " value | INCRBY " FIELD " increment> ...]]"},
    {.name = "BITFIELD_RO",
        .arity = -2,
        .flags = C_READONLY | C_FAST,
        .categories = A_BITMAP,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RO | K_ACCESS}},
        .run = bitmap_bitfield_ro,
        .group = "bitmap",
        .since = "6.0.0",
        .complexity = "O(1) for each subcommand specified",
        .summary = "Reads integers of any width within a string.",
        .syntax = "key [GET " FIELD " [GET " FIELD " ...]]"},
    {.name = NULL},
};

const struct command *command_rows_bitmap(void) { return rows; }
