/* option: see option.h.
 *
 * Two locks: `changing` is held by whoever changes options, apply functions included, so that a change is whole; `lock` only
 * while a text is read or swapped, so that an apply function, or anybody else, may read options meanwhile.
 */
#include "base/option.h"

#include "base/match.h"
#include "base/num.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct item {
    const struct option_row *row;
    struct item *target; /* of an alias, else itself */
    struct item *next;   /* with the same first letter */
    setting *field;      /* of a scalar */
    setting own;         /* the field of a scalar that has no other */
    struct buf text;     /* of a text or list */
    void *owner;
    bool set, lined;     /* ever set; a file's line was seen */
};

struct options {
    struct lock changing, lock;
    struct item **item;
    size_t n, cap;
    struct item *letter[32]; /* by first letter, in any case: names are looked up at every line */
};

/* What a row may hold. */
struct value {
    int64_t number;
    struct buf text;
};

static bool is_text(const struct option_row *r) { return r->type == OPTION_TEXT || r->type == OPTION_LIST; }

struct options *options_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct options)); }

void options_free(struct options *o) {
    for (size_t i = 0; i < o->n; i++) {
        buf_free(&o->item[i]->text);
        mem_free(MEM_MISC, o->item[i]);
    }
    mem_free(MEM_MISC, o->item);
    mem_free(MEM_MISC, o);
}

static struct item *find(const struct options *o, struct slice name) {
    struct item *it = name.n ? o->letter[*name.p & 31] : NULL;
    while (it && !slice_is(name, it->row->name)) it = it->next;
    return it;
}

static struct item *must_find(const struct options *o, const char *name) {
    struct item *it = find(o, slice_of(name));
    assert(it && it->target);
    return it->target;
}

/* -- reading values ----------------------------------------------------------------------------------------------------- */

static bool parse_word(const struct option_row *r, struct slice s, int64_t *out) {
    for (const struct option_word *w = r->words; w->name; w++)
        if (slice_is(s, w->name)) {
            *out = w->value;
            return true;
        }
    return false;
}

static bool bad_word(const struct option_row *r, struct buf *why) {
    buf_puts(why, "argument(s) must be one of the following: ");
    for (const struct option_word *w = r->words; w->name; w++) buf_printf(why, "%s%s", w == r->words ? "" : ", ", w->name);
    return false;
}

static bool in_bounds(const struct option_row *r, int64_t v, struct buf *why) {
    if (v >= r->min && v <= r->max) return true;
    if (r->type == OPTION_OCTAL)
        buf_printf(why, "argument must be between %" PRIo64 " and %" PRIo64 " inclusive", (uint64_t)r->min, (uint64_t)r->max);
    else
        buf_printf(why, "argument must be between %" PRId64 " and %" PRId64 " inclusive", r->min, r->max);
    return false;
}

static bool parse_memory(const struct option_row *r, struct slice s, int64_t *out, struct buf *why) {
    uint64_t v;
    if ((r->flags & OPTION_PERCENT) && s.n > 1 && s.p[s.n - 1] == '%') {
        if (!num_u64((struct slice){s.p, s.n - 1}, &v)) {
            buf_puts(why, "argument must be a memory or percent value");
            return false;
        }
        *out = -(int64_t)(v > 101 ? 101 : v);
        if (v > 100) buf_puts(why, "percentage argument must be less or equal to 100");
        return v <= 100;
    }
    if (!s.n) v = 0; /* as in Redis */
    else if (!num_memory(s, &v)) {
        buf_puts(why, r->flags & OPTION_PERCENT ? "argument must be a memory or percent value" : "argument must be a memory value");
        return false;
    }
    *out = v > INT64_MAX ? INT64_MAX : (int64_t)v;
    return in_bounds(r, *out, why);
}

static bool parse_octal(const struct option_row *r, struct slice s, int64_t *out, struct buf *why) {
    uint64_t v = 0;
    bool ok = s.n > 0 && s.n < 20;
    for (size_t i = 0; ok && i < s.n; i++) {
        ok = s.p[i] >= '0' && s.p[i] <= '7';
        v = v * 8 + (uint64_t)(s.p[i] - '0');
    }
    if (!ok) {
        buf_puts(why, "argument couldn't be parsed as an octal number");
        return false;
    }
    *out = (int64_t)v;
    return in_bounds(r, *out, why);
}

static bool parse_scalar(const struct option_row *r, struct slice s, int64_t *out, struct buf *why) {
    switch (r->type) {
    case OPTION_BOOL:
        *out = slice_is(s, "yes");
        if (*out || slice_is(s, "no")) return true;
        buf_puts(why, "argument must be 'yes' or 'no'");
        return false;
    case OPTION_ENUM: return parse_word(r, s, out) || bad_word(r, why);
    case OPTION_MEMORY: return parse_memory(r, s, out, why);
    case OPTION_OCTAL: return parse_octal(r, s, out, why);
    default:
        if (num_i64(s, out)) return in_bounds(r, *out, why);
        buf_puts(why, "argument couldn't be parsed into an integer");
        return false;
    }
}

static bool parse_bits(const struct option_row *r, const struct slice *word, size_t n, int64_t *out, struct buf *why) {
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t bit;
        if (!parse_word(r, word[i], &bit)) return bad_word(r, why);
        *out |= bit;
    }
    return true;
}

static bool parse_text(struct item *it, const struct slice *word, size_t n, bool line, struct buf *out, struct buf *why) {
    const struct option_row *r = it->row;
    if (!r->form) {
        for (size_t i = 0; i < n; i++) {
            if (i) buf_put(out, " ", 1);
            buf_put(out, word[i].p, word[i].n);
        }
        return true;
    }
    bool anew = line && (r->flags & OPTION_REPEATS) && !it->lined;
    const char *error = r->form(out, anew ? SLICE("") : buf_slice(&it->text), word, n, line);
    if (error) buf_puts(why, error);
    return !error;
}

/* The words of a list that comes as one text; the array is MEM_MISC's, at least one word. */
static struct slice *split(struct slice s, size_t *n) {
    struct slice *w = mem_alloc(MEM_MISC, (s.n / 2 + 1) * sizeof *w);
    *n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t end = i;
        while (end < s.n && s.p[end] != ' ') end++;
        if (end > i) w[(*n)++] = (struct slice){s.p + i, end - i};
        i = end + 1;
    }
    if (!*n) w[(*n)++] = (struct slice){s.p, 0};
    return w;
}

static bool parse_many(struct item *it, const struct slice *word, size_t n, bool line, struct value *out, struct buf *why) {
    if (it->row->type == OPTION_BITS) return parse_bits(it->row, word, n, &out->number, why);
    return parse_text(it, word, n, line, &out->text, why);
}

/* A list is its words, whether they come one by one or several in one text. */
static bool parse_list(struct item *it, const struct slice *word, size_t n, bool line, struct value *out, struct buf *why) {
    struct buf all = {0};
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put(&all, " ", 1);
        buf_put(&all, word[i].p, word[i].n);
    }
    struct slice *w = split(buf_slice(&all), &n);
    bool ok = parse_many(it, w, n, line, out, why);
    mem_free(MEM_MISC, w);
    buf_free(&all);
    return ok;
}

static bool parse(struct item *it, const struct slice *word, size_t n, bool line, struct value *out, struct buf *why) {
    const struct option_row *r = it->row;
    bool many = r->type == OPTION_LIST || r->type == OPTION_BITS;
    if (n != 1 && (!many || n == 0)) {
        buf_puts(why, "wrong number of arguments");
        return false;
    }
    if (many) return parse_list(it, word, n, line, out, why);
    return is_text(r) ? parse_text(it, word, 1, line, &out->text, why) : parse_scalar(r, word[0], &out->number, why);
}

/* Puts the value into the item, and what was there into `v`. Returns whether they differ. */
static bool swap(struct options *o, struct item *it, struct value *v) {
    if (!is_text(it->row)) {
        int64_t old = atomic_exchange_explicit(it->field, v->number, memory_order_relaxed);
        bool differ = old != v->number;
        v->number = old;
        return differ;
    }
    bool differ = !slice_equal(buf_slice(&it->text), buf_slice(&v->text));
    lock_acquire(&o->lock);
    struct buf old = it->text;
    it->text = v->text;
    v->text = old;
    lock_release(&o->lock);
    return differ;
}

/* -- rows --------------------------------------------------------------------------------------------------------------- */

static struct item *item_new(struct options *o, const struct option_row *row, void *base, void *owner) {
    struct item *it = mem_zalloc(MEM_MISC, sizeof *it);
    it->row = row;
    it->target = it;
    it->owner = owner;
    bool bound = base && !(row->flags & OPTION_ALIAS) && !is_text(row);
    it->field = bound ? (setting *)(void *)((char *)base + row->offset) : &it->own;
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 256;
        o->item = mem_realloc(MEM_MISC, o->item, o->cap * sizeof(struct item *));
    }
    struct item **list = &o->letter[*row->name & 31];
    it->next = *list;
    *list = it;
    return o->item[o->n++] = it;
}

static void set_initial(struct options *o, struct item *it) {
    struct value v = {0};
    struct buf why = {0};
    bool ok = parse(it, &(struct slice){it->row->initial, strlen(it->row->initial)}, 1, false, &v, &why);
    if (!ok) {
        fprintf(stderr, "option %s: its own initial value is refused: %s\n", it->row->name, buf_cstr(&why));
        abort();
    }
    swap(o, it, &v);
    buf_free(&v.text);
    buf_free(&why);
}

void options_add(struct options *o, const struct option_row *rows, size_t n, void *base, void *owner) {
    lock_acquire(&o->changing);
    size_t first = o->n;
    for (size_t i = 0; i < n; i++) {
        assert(!find(o, slice_of(rows[i].name)));
        struct item *it = item_new(o, &rows[i], base, owner);
        if (!(rows[i].flags & OPTION_ALIAS)) set_initial(o, it);
    }
    for (size_t i = first; i < o->n; i++)
        if (o->item[i]->row->flags & OPTION_ALIAS) o->item[i]->target = must_find(o, o->item[i]->row->initial);
    lock_release(&o->changing);
}

const struct option_row *option_row(struct options *o, const char *name) {
    struct item *it = find(o, slice_of(name));
    return it ? it->target->row : NULL;
}

const struct option_row *option_at(struct options *o, size_t i) { return i < o->n ? o->item[i]->row : NULL; }

bool option_is_set(struct options *o, const char *name) { return must_find(o, name)->set; }

/* -- changing ----------------------------------------------------------------------------------------------------------- */

bool options_line(struct options *o, const struct slice *argv, size_t argc, struct buf *why) {
    assert(argc > 0);
    struct item *it = find(o, argv[0]);
    if (!it) {
        buf_puts(why, "unknown directive '");
        buf_put(why, argv[0].p, argv[0].n);
        buf_puts(why, "'");
        return false;
    }
    it = it->target;
    struct value v = {0};
    lock_acquire(&o->changing);
    bool ok = parse(it, argv + 1, argc - 1, true, &v, why);
    if (ok) {
        swap(o, it, &v);
        it->set = it->lined = true;
    }
    lock_release(&o->changing);
    buf_free(&v.text);
    return ok;
}

struct change {
    struct item *it;
    struct value v; /* the new value until it is swapped in, then the old one */
    bool differs;
};

static void refuse(struct buf *why, struct slice name, const char *reason) {
    buf_puts(why, "ERR CONFIG SET failed (possibly related to argument '");
    buf_put(why, name.p, name.n);
    buf_printf(why, "') - %s", reason);
}

/* May these options be changed at all, before any value is looked at? */
static bool changes_allowed(struct options *o, const struct slice *pairs, size_t n, struct change *c, bool trusted, struct buf *why) {
    for (size_t i = 0; i < n; i++) {
        struct slice name = pairs[2 * i];
        struct item *it = find(o, name);
        if (!it || (it->target->row->flags & OPTION_FILE)) {
            buf_puts(why, "ERR Unknown option or number of arguments for CONFIG SET - '");
            buf_put(why, name.p, name.n);
            buf_puts(why, "'");
            return false;
        }
        c[i].it = it->target;
        const char *reason = NULL;
        if (it->target->row->flags & OPTION_FIXED) reason = "can't set immutable config";
        else if ((it->target->row->flags & OPTION_PROTECTED) && !trusted) reason = "can't set protected config";
        for (size_t j = 0; !reason && j < i; j++)
            if (c[j].it == it->target) reason = "duplicate parameter";
        if (reason) {
            refuse(why, name, reason);
            return false;
        }
    }
    return true;
}

static const char *apply(struct change *c) {
    const struct option_row *r = c->it->row;
    return c->differs && r->apply ? r->apply(c->it->owner, r->name) : NULL;
}

/* Swaps all values in and applies them; if one is refused, all are swapped back, and those applied already once more. */
static bool change_all(struct options *o, const struct slice *pairs, size_t n, struct change *c, struct buf *why) {
    for (size_t i = 0; i < n; i++) c[i].differs = swap(o, c[i].it, &c[i].v);
    for (size_t i = 0; i < n; i++) {
        const char *error = apply(&c[i]);
        if (!error) continue;
        refuse(why, pairs[2 * i], error);
        for (size_t j = 0; j < n; j++) swap(o, c[j].it, &c[j].v);
        for (size_t j = 0; j <= i; j++) (void)apply(&c[j]); /* what was right before is right again */
        return false;
    }
    for (size_t i = 0; i < n; i++) c[i].it->set = true;
    return true;
}

bool options_set(struct options *o, const struct slice *pairs, size_t n, bool trusted, struct buf *why) {
    assert(n % 2 == 0);
    n /= 2;
    struct change *c = mem_zalloc(MEM_MISC, n * sizeof *c);
    struct buf reason = {0};
    lock_acquire(&o->changing);
    bool ok = changes_allowed(o, pairs, n, c, trusted, why);
    for (size_t i = 0; ok && i < n; i++) {
        ok = parse(c[i].it, &pairs[2 * i + 1], 1, false, &c[i].v, &reason);
        if (!ok) refuse(why, pairs[2 * i], buf_cstr(&reason));
    }
    ok = ok && change_all(o, pairs, n, c, why);
    lock_release(&o->changing);
    for (size_t i = 0; i < n; i++) buf_free(&c[i].v.text);
    mem_free(MEM_MISC, c);
    buf_free(&reason);
    return ok;
}

/* -- writing values ----------------------------------------------------------------------------------------------------- */

static void print_words(const struct option_row *r, int64_t v, struct buf *out) {
    bool any = false;
    for (const struct option_word *w = r->words; w->name; w++) {
        bool has = r->type == OPTION_ENUM ? v == w->value : v == w->value || (w->value && (v & w->value) == w->value);
        if (!has) continue;
        buf_printf(out, "%s%s", any ? " " : "", w->name);
        any = true;
        if (r->type == OPTION_ENUM) return;
    }
}

static void print_scalar(const struct option_row *r, int64_t v, struct buf *out) {
    switch (r->type) {
    case OPTION_BOOL: buf_puts(out, v ? "yes" : "no"); break;
    case OPTION_ENUM:
    case OPTION_BITS: print_words(r, v, out); break;
    case OPTION_OCTAL: buf_printf(out, "%" PRIo64, (uint64_t)v); break;
    default:
        if (v < 0 && (r->flags & OPTION_PERCENT)) buf_printf(out, "%" PRId64 "%%", -v);
        else buf_printf(out, "%" PRId64, v);
    }
}

static void print(struct options *o, struct item *it, struct buf *out) {
    if (!is_text(it->row)) {
        print_scalar(it->row, option_get(it->field), out);
        return;
    }
    lock_acquire(&o->lock);
    buf_put(out, it->text.p, it->text.n);
    lock_release(&o->lock);
}

void option_text(struct options *o, const char *name, struct buf *out) {
    out->n = 0;
    print(o, must_find(o, name), out);
}

bool option_is_initial(struct options *o, const char *name) {
    struct item *it = must_find(o, name);
    struct buf now = {0}, why = {0};
    struct value v = {0};
    print(o, it, &now);
    bool same = parse(it, &(struct slice){it->row->initial, strlen(it->row->initial)}, 1, false, &v, &why);
    if (!is_text(it->row)) print_scalar(it->row, v.number, &v.text);
    same = same && slice_equal(buf_slice(&now), buf_slice(&v.text));
    buf_free(&now);
    buf_free(&why);
    buf_free(&v.text);
    return same;
}

bool option_matches(struct options *o, const char *name, struct slice value) {
    struct item *it = must_find(o, name);
    assert(is_text(it->row));
    unsigned char differ = 0;
    lock_acquire(&o->lock);
    size_t n = it->text.n;
    for (size_t i = 0; i < value.n; i++) differ |= (unsigned char)(value.p[i] ^ (n ? it->text.p[i % n] : 0));
    lock_release(&o->lock);
    return !(differ | (value.n != n));
}

void options_each(struct options *o, const struct slice *patterns, size_t n,
    void (*each)(void *arg, struct slice name, struct slice value), void *arg) {
    struct buf value = {0};
    for (size_t i = 0; i < o->n; i++) {
        const struct option_row *r = o->item[i]->row;
        struct slice name = slice_of(r->name);
        bool found = false;
        if (r->flags & OPTION_FILE) continue;
        for (size_t p = 0; !found && p < n; p++) {
            bool exact = slice_is(patterns[p], r->name);
            found = exact || (!(r->flags & OPTION_HIDDEN) && match_glob_nocase(patterns[p], name));
            if (exact) name = patterns[p];
        }
        if (!found) continue;
        value.n = 0;
        print(o, o->item[i]->target, &value);
        each(arg, name, buf_slice(&value));
    }
    buf_free(&value);
}

static bool is_plain(unsigned char c) { return isalnum(c) || (c && strchr("-_.,:;/*+@%=^~!?|&[]{}()$<>#", c)) || c >= 0x80; }

void option_quote(struct slice word, struct buf *out) {
    bool plain = word.n > 0;
    for (size_t i = 0; plain && i < word.n; i++) plain = is_plain((unsigned char)word.p[i]);
    if (plain) {
        buf_put(out, word.p, word.n);
        return;
    }
    buf_put(out, "\"", 1);
    for (size_t i = 0; i < word.n; i++) {
        unsigned char c = (unsigned char)word.p[i];
        static const char raw[] = "\n\r\t\a\b\"\\", escaped[] = "nrtab\"\\";
        const char *at = c ? strchr(raw, c) : NULL;
        if (at) buf_printf(out, "\\%c", escaped[at - raw]);
        else if (c < ' ' || c == 0x7f) buf_printf(out, "\\x%02x", c);
        else buf_put(out, (const char *)&c, 1);
    }
    buf_put(out, "\"", 1);
}

static void write_memory(int64_t v, struct buf *out) {
    static const char *const unit[] = {"", "kb", "mb", "gb"};
    int u = 0;
    while (u < 3 && v && v % 1024 == 0) {
        v /= 1024;
        u++;
    }
    buf_printf(out, "%" PRId64 "%s", v, unit[u]);
}

static void write_list(const struct option_row *r, struct slice text, struct buf *out) {
    size_t n;
    struct slice *w = split(text, &n);
    for (size_t i = 0; i < n; i++) {
        if (i && r->max && i % (size_t)r->max == 0) buf_printf(out, "\n%s", r->name);
        buf_put(out, " ", 1);
        option_quote(w[i], out);
    }
    mem_free(MEM_MISC, w);
}

void option_write(struct options *o, const char *name, struct buf *out) {
    struct item *it = must_find(o, name);
    const struct option_row *r = it->row;
    buf_puts(out, r->name);
    struct buf value = {0};
    print(o, it, &value);
    if (r->type == OPTION_LIST) {
        write_list(r, buf_slice(&value), out);
    } else {
        buf_put(out, " ", 1);
        int64_t v = option_get(it->field);
        if (r->type == OPTION_TEXT) option_quote(buf_slice(&value), out);
        else if (r->type == OPTION_MEMORY && v > 0) write_memory(v, out);
        else buf_put(out, value.p, value.n);
    }
    buf_put(out, "\n", 1);
    buf_free(&value);
}
