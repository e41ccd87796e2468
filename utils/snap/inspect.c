#include "inspect_inside.h"

#include "base/hash.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    int64_t seconds;
    const char *name;
} lives[INSPECT_LIVES] = {{60, "up to a minute"}, {3600, "up to an hour"}, {86400, "up to a day"}, {604800, "up to a week"},
    {2592000, "up to 30 days"}, {INT64_MAX, "longer"}};

int64_t inspect_life(size_t i) { return lives[i].seconds; }

struct inspect *inspect_new(int64_t now) {
    struct inspect *p = mem_zalloc(MEM_MISC, sizeof *p);
    p->now = now;
    p->prefix = mem_zalloc(MEM_MISC, 2 * INSPECT_PREFIXES * sizeof *p->prefix);
    return p;
}

void inspect_free(struct inspect *p) {
    for (size_t i = 0; i < 2 * INSPECT_PREFIXES; i++) mem_free(MEM_MISC, p->prefix[i].text);
    for (size_t i = 0; i < p->larges; i++) buf_free(&p->large[i].key);
    mem_free(MEM_MISC, p->prefix);
    mem_free(MEM_MISC, p);
}

uint64_t inspect_keys(const struct inspect *p) { return p->all.keys; }

static uint64_t value_bytes(const struct record *r) {
    if (!r->home) return r->string.n;
    return r->home->object ? value_ops(r->type)->memory(r->home->object) : r->home->n;
}

static char *text_of(struct slice s) {
    struct buf b = {0};
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 32 || c == 127) buf_printf(&b, "\\x%02x", c);
        else buf_put(&b, &s.p[i], 1);
    }
    buf_cstr(&b);
    return b.p;
}

/* Up to the first of : / . | - and that with it. */
static struct slice prefix_of(struct slice key) {
    for (size_t i = 0; i < key.n; i++)
        if (memchr(":/.|-", key.p[i], 5)) return (struct slice){key.p, i + 1};
    return (struct slice){"", 0};
}

static struct inspect_prefix *prefix_at(struct inspect *p, struct slice text) {
    size_t i = hash_bytes(text.p, text.n, 0) % (2 * INSPECT_PREFIXES);
    for (; p->prefix[i].text; i = (i + 1) % (2 * INSPECT_PREFIXES))
        if (p->prefix[i].n == text.n && !memcmp(p->prefix[i].text, text.p, text.n)) return &p->prefix[i];
    if (p->prefixes == INSPECT_PREFIXES) return &p->others;
    p->prefixes++;
    p->prefix[i].text = mem_alloc(MEM_MISC, text.n + 1);
    memcpy(p->prefix[i].text, text.p, text.n);
    p->prefix[i].n = (uint32_t)text.n;
    return &p->prefix[i];
}

static void note_large(struct inspect *p, const struct record *r, uint64_t bytes) {
    if (p->larges == INSPECT_LARGEST && bytes <= p->large[INSPECT_LARGEST - 1].bytes) return;
    if (p->larges == INSPECT_LARGEST) buf_free(&p->large[--p->larges].key);
    size_t at = p->larges++;
    for (; at && p->large[at - 1].bytes < bytes; at--) p->large[at] = p->large[at - 1];
    p->large[at] = (struct inspect_large){{0}, bytes, r->type, r->db};
    buf_put(&p->large[at].key, r->key.p, r->key.n);
}

static void add(struct inspect_sum *s, uint64_t bytes, bool ttl, bool expired) {
    s->keys++;
    s->bytes += bytes;
    s->with_ttl += ttl;
    s->expired += expired;
}

void inspect_add(struct inspect *p, const struct record *r) {
    uint64_t bytes = r->key.n + value_bytes(r);
    bool ttl = r->deadline, expired = ttl && r->deadline <= p->now;
    struct inspect_sum *const sums[] = {&p->all, &p->type[r->type], &p->db[r->db < INSPECT_DATABASES ? r->db : INSPECT_DATABASES - 1],
        &prefix_at(p, prefix_of(r->key))->sum};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) add(sums[i], bytes, ttl, expired);
    p->heat[r->heat]++;
    note_large(p, r, bytes);
    for (size_t i = 0; ttl && !expired && i < INSPECT_LIVES; i++)
        if (lives[i].seconds == INT64_MAX || r->deadline - p->now <= lives[i].seconds * 1000) {
            p->ttl[i]++;
            break;
        }
}

/* -- printing ------------------------------------------------------------------------------------------------------------------- */

static void line(const char *name, const struct inspect_sum *s) {
    char human[NUM_DOUBLE_MAX];
    size_t n = num_put_human(human, s->bytes);
    printf("  %-24s %12" PRIu64 " keys %10.*s  %" PRIu64 " with a TTL, %" PRIu64 " expired\n", name, s->keys, (int)n, human, s->with_ttl,
        s->expired);
}

static int by_bytes(const void *a, const void *b) {
    const struct inspect_prefix *x = a, *y = b;
    if (!x->text != !y->text) return x->text ? -1 : 1;
    return (x->sum.bytes < y->sum.bytes) - (x->sum.bytes > y->sum.bytes);
}

void inspect_sort(struct inspect *p) { qsort(p->prefix, 2 * INSPECT_PREFIXES, sizeof *p->prefix, by_bytes); }

static void print_prefixes(const struct inspect *p, unsigned top) {
    puts("prefixes");
    for (size_t i = 0; i < p->prefixes && i < top; i++) {
        char *name = text_of((struct slice){p->prefix[i].text, p->prefix[i].n});
        line(*name ? name : "(none)", &p->prefix[i].sum);
        mem_free(MEM_MISC, name);
    }
    if (p->others.sum.keys) line("(others)", &p->others.sum);
}

void inspect_print(struct inspect *p, unsigned top) {
    inspect_sort(p);
    puts("keys");
    line("all", &p->all);
    for (int t = 0; t < VALUE_TYPES; t++)
        if (p->type[t].keys) line(value_type_name((enum value_type)t), &p->type[t]);
    puts("databases");
    for (unsigned d = 0; d < INSPECT_DATABASES; d++) {
        char name[16];
        snprintf(name, sizeof name, "%u", d);
        if (p->db[d].keys) line(name, &p->db[d]);
    }
    puts("times to live");
    for (size_t i = 0; i < INSPECT_LIVES; i++)
        if (p->ttl[i]) printf("  %-24s %12" PRIu64 "\n", lives[i].name, p->ttl[i]);
    print_prefixes(p, top);
    puts("largest");
    for (size_t i = 0; i < p->larges && i < top; i++) {
        char *key = text_of(buf_slice(&p->large[i].key));
        printf("  %12" PRIu64 " bytes  db %u  %-6s %s\n", p->large[i].bytes, p->large[i].db, value_type_name(p->large[i].type), key);
        mem_free(MEM_MISC, key);
    }
    printf("classes of heat, the hottest first:");
    for (unsigned i = RECORD_HEATS; i--;) printf(" %" PRIu64, p->heat[i]);
    puts("");
}
