#include "command/command.h"

#include "base/mem.h"

#include <assert.h>
#include <ctype.h>

/* Names lie in open-addressing tables that are looked at with one multiplication and, as a rule, one compare. A name of up to
 * eight bytes, as nearly all are, is one word; longer ones have a table of their own, are placed by their first eight bytes and
 * compared in whole. `fold` has 0x20 where the name has a letter: there, and only there, either case is right. */
#define SLOT_BITS 10
#define SLOTS (1u << SLOT_BITS)
#define SPARE 64 /* a run may go past the last place, instead of beginning anew */
#define TRIES 200

struct slot {
    uint64_t word, fold;
    const struct command *command;
    size_t n;
};

/* Written once by command_start, before any other thread runs. */
static struct {
    uint64_t factor; /* odd; one that leaves few names out of their place */
    struct slot brief[SLOTS + SPARE], lengthy[SLOTS + SPARE];
    struct command *rows; /* all commands, then the subcommands of each, each list with an end row */
    const struct command **number;
    unsigned total;
} table;

/* A name's first bytes as one word, by loads that overlap rather than a loop; the same bytes always give the same word. */
static inline uint64_t word_of(const char *p, size_t n) {
    if (n < 4) {
        const uint8_t *u = (const uint8_t *)p;
        return u[0] | (uint64_t)u[n / 2] << 8 | (uint64_t)u[n - 1] << 16;
    }
    if (n <= 8) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        return a | (uint64_t)b << 32;
    }
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline unsigned place(uint64_t word, uint64_t factor) {
    return (unsigned)((word & 0xdfdfdfdfdfdfdfdfull) * factor >> (64 - SLOT_BITS));
}

static __attribute__((noinline)) const struct command *find_lengthy(struct slice name) {
    uint64_t w = word_of(name.p, name.n);
    for (const struct slot *s = &table.lengthy[place(w, table.factor)]; s->command; s++)
        if ((w & ~s->fold) == s->word && s->n == name.n && !strncasecmp(name.p, s->command->name, name.n)) return s->command;
    return NULL;
}

const struct command *command_find(struct slice name) {
    if (__builtin_expect(name.n - 1 >= 8, 0)) return name.n ? find_lengthy(name) : NULL;
    uint64_t w = word_of(name.p, name.n);
    const struct slot *s = &table.brief[place(w, table.factor)];
    while (__builtin_expect((w & ~s->fold) != s->word || s->n != name.n, 0)) {
        if (!s->command) return NULL;
        s++;
    }
    return s->command;
}

static uint64_t fold_of(uint64_t w) {
    uint64_t fold = 0;
    for (int i = 0; i < 64; i += 8)
        if (isalpha((int)(w >> i & 0xff))) fold |= 0x20ull << i;
    return fold;
}

/* Returns how far from its place the command came to lie. */
static unsigned slot_add(const struct command *c) {
    size_t n = strlen(c->name);
    uint64_t w = word_of(c->name, n), fold = fold_of(w);
    struct slot *t = n > 8 ? table.lengthy : table.brief, *s = &t[place(w, table.factor)], *first = s;
    for (; s->command; s++) assert(strcasecmp(s->command->name, c->name));
    assert(s < t + SLOTS + SPARE - 1);
    *s = (struct slot){w & ~fold, fold, c, n};
    return (unsigned)(s - first);
}

static unsigned slots_fill(uint64_t factor) {
    unsigned off = 0;
    memset(table.brief, 0, sizeof table.brief);
    memset(table.lengthy, 0, sizeof table.lengthy);
    table.factor = factor;
    for (const struct command *c = table.rows; c->name; c++) off += slot_add(c);
    return off;
}

/* Tries multipliers until every name lies in its place, or takes the best of many. */
static void slots_arrange(void) {
    uint64_t factor = 0x9e3779b97f4a7c15ull, best = factor;
    unsigned least = slots_fill(factor);
    for (int i = 0; i < TRIES && least; i++) {
        factor = (factor ^ factor >> 31) * 0xbf58476d1ce4e5b9ull | 1;
        unsigned off = slots_fill(factor);
        if (off >= least) continue;
        least = off;
        best = factor;
    }
    slots_fill(best);
}

const struct command *command_find_sub(const struct command *c, struct slice name) {
    const char first = name.n ? name.p[0] & 0x5f : 0; /* no name begins with a digit */
    for (const struct command *s = c->sub; s && s->name; s++)
        if (s->name[0] == first && slice_is(name, s->name)) return s;
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
    c->simple = c->only_key && (c->flags & (C_READONLY | C_WRITE)) && !(c->flags & C_ALL_LOCKS) && c->run;
    table.number[table.total++] = c;
}

void command_start(void) {
    if (table.rows) return;
    const struct command *family[] = {
        command_rows_bitmap(),
        command_rows_blocking(),
        command_rows_cache(),
        command_rows_client(),
        command_rows_config(),
        command_rows_connection(),
        command_rows_dump(),
        command_rows_geo(),
        command_rows_hash(),
        command_rows_hll(),
        command_rows_introspect(),
        command_rows_keyspace(),
        command_rows_latency(),
        command_rows_list(),
        command_rows_persist(),
        command_rows_pubsub(),
        command_rows_server(),
        command_rows_set(),
        command_rows_slowlog(),
        command_rows_sort(),
        command_rows_string(),
        command_rows_zset(),
        command_rows_zset_algebra(),
    };
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
            if (!c->sub) continue;
            top->sub = sub;
            for (const struct command *each = c->sub; each->name; each++, sub++) {
                *sub = *each;
                number_row(sub, top);
            }
            sub++; /* its end row is zero already */
        }
    }
    slots_arrange();
}
