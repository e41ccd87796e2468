/* BITFIELD: integers of 1 to 64 bits at any bit of a string. */
#include "command/bitmap.h"

#include "base/bits.h"
#include "command/thaw.h"

#define OPS_FEW 32

enum overflow { WRAP, SAT, FAIL };
enum kind { GET, SET, INCRBY };

struct op {
    uint64_t at;
    int64_t value; /* to be set, or added */
    uint8_t bits;
    bool sign;
    enum kind kind;
    enum overflow overflow;
};

/* i1 to i64, u1 to u63. */
static bool read_type(struct call *c, int arg, struct op *o) {
    struct slice word = c->argv[arg];
    int64_t bits = 0;
    o->sign = word.n && word.p[0] == 'i';
    bool known = o->sign || (word.n && word.p[0] == 'u');
    if (!known || !num_i64((struct slice){word.p + 1, word.n - 1}, &bits) || bits < 1 || bits > (o->sign ? 64 : 63)) {
        reply_error(c, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
        return false;
    }
    o->bits = (uint8_t)bits;
    return true;
}

static bool read_overflow(struct call *c, int arg, enum overflow *o) {
    static const char *const names[] = {[WRAP] = "WRAP", [SAT] = "SAT", [FAIL] = "FAIL"};
    for (unsigned i = 0; i <= FAIL; i++)
        if (call_is(c, arg, names[i])) {
            *o = (enum overflow)i;
            return true;
        }
    reply_error(c, "ERR Invalid OVERFLOW type specified");
    return false;
}

/* Reads all operations into `op`, which has room for them. Returns how many, -1 after an error was replied; *last: the last bit
 * that is written to, *writes: is there one? */
static int read_ops(struct call *c, struct op *op, uint64_t *last, bool *writes) {
    enum overflow overflow = WRAP;
    int n = 0;
    *last = 0;
    *writes = false;
    for (int i = 2, left; i < c->argc; i++) {
        struct op *o = &op[n];
        left = c->argc - i - 1;
        if (left >= 1 && call_is(c, i, "OVERFLOW")) {
            if (!read_overflow(c, ++i, &overflow)) return -1;
            continue;
        }
        if (left >= 2 && call_is(c, i, "GET")) {
            o->kind = GET;
        } else if (left >= 3 && (call_is(c, i, "SET") || call_is(c, i, "INCRBY"))) {
            o->kind = call_is(c, i, "SET") ? SET : INCRBY;
        } else {
            reply_syntax(c);
            return -1;
        }
        o->overflow = overflow;
        if (!read_type(c, i + 1, o) || !bitmap_offset(c, i + 2, o->bits, &o->at)) return -1;
        i += 2;
        n++;
        if (o->kind == GET) continue;
        if (!call_i64(c, ++i, &o->value)) return -1;
        *writes = true;
        if (o->at + o->bits - 1 > *last) *last = o->at + o->bits - 1;
    }
    return n;
}

/* A number of that type, from its bits. */
static int64_t number_of(const struct op *o, uint64_t raw) {
    unsigned spare = 64u - o->bits;
    return o->sign ? (int64_t)(raw << spare) >> spare : (int64_t)raw;
}

/* Brings the exact result within the type's range, as the operation says. False: it is to fail. */
static bool fit(const struct op *o, __int128 exact, int64_t *out) {
    __int128 most = ((__int128)1 << (o->bits - o->sign)) - 1, least = o->sign ? -most - 1 : 0;
    bool over = exact > most, under = exact < least;
    /* Redis measures how far a number to be SET lies below the most in 64 bits: one so low that this overflows becomes the most,
     * not the least. Whoever comes from there finds the same bytes here. (At i64 none is too low.) */
    if (o->kind == SET && under && most - exact > INT64_MAX) over = true;
    if (!over && !under) {
        *out = (int64_t)exact;
        return true;
    }
    switch (o->overflow) {
    case WRAP:
        *out = number_of(o, (uint64_t)exact & (UINT64_MAX >> (64 - o->bits)));
        return true;
    case SAT:
        *out = (int64_t)(over ? most : least);
        return true;
    case FAIL:
        break;
    }
    return false;
}

/* For SET and INCRBY there are as many bytes as it takes. Returns whether it changed something. */
static bool run_op(struct call *c, const struct op *o, const struct bitmap *b) {
    int64_t was = number_of(o, bits_get(b->p, b->n, o->at, o->bits)), now;
    if (o->kind == GET) {
        resp_int(c->w, was);
        return false;
    }
    /* A negative number to be set as an unsigned one is a very large one: too large. */
    __int128 exact = o->kind == INCRBY ? (__int128)was + o->value : o->sign ? (__int128)o->value : (__int128)(uint64_t)o->value;
    if (!fit(o, exact, &now)) {
        resp_null(c->w);
        return false;
    }
    bits_put(b->p, o->at, o->bits, (uint64_t)now);
    resp_int(c->w, o->kind == SET ? was : now);
    return b->grows || was != now;
}

/* The bytes that are asked for, and operations that count bits from their first one. False: the call will be run again. */
static bool read_part(struct call *c, struct entry *e, struct op *op, int n, struct slice *part) {
    uint64_t first = UINT64_MAX, last = 0;
    for (int i = 0; i < n; i++) {
        if (op[i].at < first) first = op[i].at;
        if (op[i].at + op[i].bits > last) last = op[i].at + op[i].bits;
    }
    first &= ~7ull;
    if (!n) first = 0;
    for (int i = 0; i < n; i++) op[i].at -= first;
    return call_text_part(c, 0, e, (size_t)(first >> 3), (size_t)((last + 7 - first) >> 3), part);
}

static void bitfield(struct call *c, struct op *op, bool readonly) {
    uint64_t last;
    bool writes, ok;
    struct bitmap b = {.p = NULL};
    int n = read_ops(c, op, &last, &writes);
    if (n < 0) return;
    if (!writes) {
        struct entry *e = call_read_type(c, 0, VALUE_STRING, &ok);
        if (!ok) return;
        struct slice part;
        if (!read_part(c, e, op, n, &part)) return;
        b = (struct bitmap){.p = (uint8_t *)(uintptr_t)part.p, .n = part.n}; /* nothing is written */
    } else if (readonly) {
        reply_error(c, "ERR BITFIELD_RO only supports the GET subcommand");
        return;
    } else if (!bitmap_edit(c, last, &b)) {
        return;
    }
    resp_array(c->w, (size_t)n);
    bool changed = false;
    for (int i = 0; i < n; i++) changed |= run_op(c, &op[i], &b);
    if (changed) call_event(c, EVENT_STRING, "setbit", 0);
}

static void bitfield_with_room(struct call *c, bool readonly) {
    struct op few[OPS_FEW], *op = few;
    size_t most = (size_t)c->argc / 3 + 1;
    if (most > OPS_FEW) op = mem_alloc(MEM_CLIENT, most * sizeof *op);
    bitfield(c, op, readonly);
    if (op != few) mem_free(MEM_CLIENT, op);
}

void bitmap_bitfield(struct call *c) { bitfield_with_room(c, false); }
void bitmap_bitfield_ro(struct call *c) { bitfield_with_room(c, true); }

unsigned bitmap_bitfield_flags(const struct slice *argv, int argc, int at) {
    for (int i = at + 1; i < argc;) {
        int left = argc - i - 1;
        if (left >= 2 && slice_is(argv[i], "GET")) i += 3;
        else if (left >= 1 && slice_is(argv[i], "OVERFLOW")) i += 2;
        else return K_RW | K_ACCESS | K_UPDATE;
    }
    return K_RO | K_ACCESS;
}
