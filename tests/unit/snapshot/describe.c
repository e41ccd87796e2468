#include "describe.h"

#include "base/hash.h"
#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

struct lines {
    char **line;
    size_t n;
};

static void add_line(struct lines *l, const char *format, ...) {
    va_list args;
    if (!(l->n & (l->n - 1))) l->line = realloc(l->line, (l->n ? 2 * l->n : 1) * sizeof *l->line);
    va_start(args, format);
    cr_assert_geq(vasprintf(&l->line[l->n++], format, args), 0);
    va_end(args);
}

#define S(s) (int)(s).n, (s).p

char *describe(enum value_type t, const struct home *h) {
    struct lines l = {NULL, 0};
    struct slice member;
    struct member m;
    double score;
    struct list_at list;
    struct set_at set;
    struct zset_at zset;
    struct hash_at hash;
    memset(&set, 0, sizeof set);
    memset(&hash, 0, sizeof hash);
    switch (t) {
    case VALUE_LIST:
        if (!list_seek(h, &list, 0)) break;
        do add_line(&l, "%.*s", S(list.text));
        while (list_next(h, &list));
        list_leave(&list);
        break;
    case VALUE_SET:
        while (set_next(h, &set, &member)) add_line(&l, "%.*s", S(member));
        break;
    case VALUE_ZSET:
        zset_seek(&zset, h, 0, false);
        while (zset_next(&zset, &member, &score)) add_line(&l, "%.*s:%.17g", S(member), score);
        break;
    default:
        while (hash_next(h, &hash, 0, &m)) {
            if (m.due) add_line(&l, "%.*s=%.*s@%lld", S(m.name), S(m.value), (long long)(m.due - DESCRIBE_NOW));
            else add_line(&l, "%.*s=%.*s", S(m.name), S(m.value));
        }
    }
    if (l.n && (t == VALUE_SET || t == VALUE_HASH)) qsort(l.line, l.n, sizeof *l.line, by_text);
    struct buf out = {0};
    for (size_t i = 0; i < l.n; i++) {
        if (i) buf_put(&out, ",", 1);
        buf_puts(&out, l.line[i]);
        free(l.line[i]);
    }
    char *text = strdup(buf_cstr(&out));
    buf_free(&out);
    free(l.line);
    return text;
}

const char *describe_check(enum value_type t, const struct home *h) {
    switch (t) {
    case VALUE_LIST: return list_check(h);
    case VALUE_SET: return set_check(h);
    case VALUE_ZSET: return zset_check(h);
    default: return hash_check(h);
    }
}


void described_add(struct described *d, const struct record *r, struct slice string, const struct home *home) {
    struct lines l = {d->line, d->n};
    char *value = home ? describe(r->type, home) : NULL;
    if (home) string = slice_of(value);
    static const char *const type[] = {"string", "list", "set", "zset", "hash"};
    char use[32];
    snprintf(use, sizeof use, r->use == RECORD_IDLE ? "idle %u" : r->use ? "used %u" : "-", r->used);
    if (string.n > 100)
        add_line(&l, "%u %s %.*s %lld %s = %zu bytes %llx", r->db, type[r->type], S(r->key), (long long)r->deadline, use, string.n,
            (unsigned long long)hash_bytes(string.p, string.n, 0));
    else add_line(&l, "%u %s %.*s %lld %s = %.*s", r->db, type[r->type], S(r->key), (long long)r->deadline, use, S(string));
    free(value);
    *d = (struct described){l.line, l.n};
}

void described_sort(struct described *d) {
    if (d->n) qsort(d->line, d->n, sizeof *d->line, by_text);
}

void described_free(struct described *d) {
    for (size_t i = 0; i < d->n; i++) free(d->line[i]);
    free(d->line);
    *d = (struct described){NULL, 0};
}
