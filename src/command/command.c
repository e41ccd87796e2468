#include "command/command.h"

#include "base/mem.h"

#include <assert.h>
#include <ctype.h>

/* The names lie in an open-addressing table that is looked at with one multiplication and, nearly always, one compare. A name
 * of up to eight bytes is one word, a longer one its first and its last eight bytes and, past sixteen, a comparison. `fold`
 * has 0x20 where the name has a letter: there, and only there, either case is right. */
#define SLOTS 1024u

struct slot {
    uint64_t head, head_fold, tail, tail_fold;
    const struct command *command;
    size_t n;
};

/* Written once by command_start, before any other thread runs. */
static struct {
    struct slot slot[SLOTS];
    struct command *rows; /* all commands, then the subcommands of each, each list with an end row */
    const struct command **number;
    unsigned total;
} table;

/* Up to eight bytes as one word, by loads that overlap rather than a loop; the same bytes always give the same word. */
static inline uint64_t word_head(const char *p, size_t n) {
    if (n >= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        return v;
    }
    if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        return a | (uint64_t)b << 32;
    }
    const uint8_t *u = (const uint8_t *)p;
    return u[0] | (uint64_t)u[n / 2] << 8 | (uint64_t)u[n - 1] << 16;
}

static inline uint64_t word_tail(const char *p, size_t n) {
    if (n <= 8) return 0;
    uint64_t v;
    memcpy(&v, p + n - 8, 8);
    return v;
}

static inline unsigned place(uint64_t head, uint64_t tail) {
    uint64_t w = (head & 0xdfdfdfdfdfdfdfdfull) + ((tail & 0xdfdfdfdfdfdfdfdfull) << 1);
    return (unsigned)(w * 0x9e3779b97f4a7c15ull >> 54);
}
_Static_assert(SLOTS == 1u << 10, "place() takes the upper ten bits");

static uint64_t fold_of(uint64_t w) {
    uint64_t fold = 0;
    for (int i = 0; i < 64; i += 8)
        if (isalpha((int)(w >> i & 0xff))) fold |= 0x20ull << i;
    return fold;
}

static void slot_add(const struct command *c) {
    size_t n = strlen(c->name);
    uint64_t head = word_head(c->name, n), tail = word_tail(c->name, n);
    unsigned i = place(head, tail);
    while (table.slot[i].command) {
        assert(strcasecmp(table.slot[i].command->name, c->name));
        i = (i + 1) % SLOTS;
    }
    uint64_t head_fold = fold_of(head), tail_fold = fold_of(tail);
    table.slot[i] = (struct slot){head & ~head_fold, head_fold, tail & ~tail_fold, tail_fold, c, n};
}

const struct command *command_find(struct slice name) {
    if (__builtin_expect(!name.n, 0)) return NULL;
    uint64_t head = word_head(name.p, name.n), tail = word_tail(name.p, name.n);
    for (const struct slot *s = &table.slot[place(head, tail)]; s->command;) {
        if ((head & ~s->head_fold) == s->head && s->n == name.n) {
            if (name.n <= 8) return s->command;
            if ((tail & ~s->tail_fold) == s->tail && !strncasecmp(name.p, s->command->name, name.n)) return s->command;
        }
        if (++s == table.slot + SLOTS) s = table.slot;
    }
    return NULL;
}

const struct command *command_find_sub(const struct command *c, struct slice name) {
    for (const struct command *s = c->sub; s && s->name; s++)
        if (slice_is(name, s->name)) return s;
    return NULL;
}

unsigned command_total(void) { return table.total; }

const struct command *command_at(unsigned number) {
    assert(number < table.total);
    return table.number[number];
}

size_t command_fullname(const struct command *c, char *out, size_t cap) {
    size_t n = 0;
    if (c->container) {
        for (const char *p = c->container->name; *p && n < cap; p++) out[n++] = (char)tolower((unsigned char)*p);
        if (n < cap) out[n++] = '|';
    }
    for (const char *p = c->name; *p && n < cap; p++) out[n++] = (char)tolower((unsigned char)*p);
    return n;
}

bool command_arity_ok(const struct command *c, int argc) { return c->arity >= 0 ? argc == c->arity : argc >= -c->arity; }

/* One key at a place that the arity guarantees: dispatch then needs no search. */
static int only_key(const struct command *c) {
    const struct key_spec *k = c->keys;
    int least = c->arity < 0 ? -c->arity : c->arity;
    if (c->find_keys || k->how != KEYS_RANGE || k->last || (k->flags & K_NOT_KEY) || c->keys[1].how != KEYS_NONE) return 0;
    return k->first < least ? k->first : 0;
}

static unsigned rows_count(const struct command *rows) {
    unsigned n = 0;
    while (rows && rows[n].name) n++;
    return n;
}

static void number_row(struct command *c, const struct command *container) {
    c->number = table.total;
    c->container = container;
    c->only_key = only_key(c);
    table.number[table.total++] = c;
}

void command_start(void) {
    if (table.rows) return;
    const struct command *family[] = {command_rows_string(), command_rows_keyspace(), command_rows_connection(),
        command_rows_client(), command_rows_server(), command_rows_slowlog(), command_rows_latency(),
        command_rows_introspect(), command_rows_config()};
    const size_t families = sizeof family / sizeof *family;
    unsigned tops = 0, all = 1;
    for (size_t f = 0; f < families; f++) {
        tops += rows_count(family[f]);
        for (const struct command *c = family[f]; c->name; c++) all += 1 + (c->sub ? rows_count(c->sub) + 1 : 0);
    }
    assert(tops < SLOTS / 2);
    table.rows = mem_zalloc(MEM_MISC, all * sizeof *table.rows);
    table.number = mem_zalloc(MEM_MISC, all * sizeof *table.number);
    struct command *top = table.rows, *sub = table.rows + tops + 1;
    for (size_t f = 0; f < families; f++) {
        for (const struct command *c = family[f]; c->name; c++, top++) {
            *top = *c;
            number_row(top, NULL);
            slot_add(top);
            if (!c->sub) continue;
            top->sub = sub;
            for (const struct command *each = c->sub; each->name; each++, sub++) {
                *sub = *each;
                number_row(sub, top);
            }
            sub++; /* its end row is zero already */
        }
    }
}
