/* Walks over all fields of a hash: at once if there are few, else in slices on the held hash. */
#include "command/cursor.h"
#include "command/hashes.h"
#include "command/work.h"

#define PIECE 32 /* fields between two looks at the clock */

enum parts { NAMES = 1, VALUES = 2 };

/* -- HGETALL, HKEYS, HVALS ----------------------------------------------------------------------------------------------- */

static void put_parts(struct resp_writer *w, const struct member *m, unsigned parts) {
    if (parts & NAMES) resp_bulk(w, m->name.p, m->name.n);
    if (parts & VALUES) resp_bulk(w, m->value.p, m->value.n);
}

static void put_head(struct resp_writer *w, size_t n, unsigned parts) {
    if (parts == (NAMES | VALUES)) resp_map(w, n);
    else resp_array(w, n);
}

struct walk {
    struct work work;
    const struct home *hash;
    struct hash_at at;
    unsigned parts;
    int64_t now;
    size_t n;
};

static bool walk_on(struct work *work, struct session *s) {
    struct walk *k = (struct walk *)work;
    struct member m;
    do {
        for (unsigned i = 0; i < PIECE; i++) {
            if (hash_next(k->hash, &k->at, k->now, &m)) {
                put_parts(&work->w, &m, k->parts);
                k->n++;
                continue;
            }
            put_head(&s->writer, k->n, k->parts);
            chain_join(&s->out, &work->body);
            return true;
        }
    } while (!work_over(work));
    return false;
}

static size_t count_alive(const struct home *h, int64_t now) {
    struct hash_at at = {0};
    size_t dead = 0;
    while (hash_count_due(h, &at, now, SIZE_MAX, &dead)) {}
    return hash_count(h) - dead;
}

static void walk(struct call *c, unsigned parts) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_HASH, &h)) return;
    if (hashes_small(&h.home)) {
        struct hash_at at = {0};
        struct member m;
        put_head(c->w, count_alive(&h.home, c->v.now), parts);
        while (hash_next(&h.home, &at, c->v.now, &m)) put_parts(c->w, &m, parts);
        return;
    }
    struct walk *k = work_new(c, sizeof *k, walk_on, NULL);
    k->hash = work_keep(&k->work, &h);
    k->parts = parts;
    k->now = c->v.now;
    work_start(c, &k->work);
}

void hashes_getall(struct call *c) { walk(c, NAMES | VALUES); }
void hashes_keys(struct call *c) { walk(c, NAMES); }
void hashes_vals(struct call *c) { walk(c, VALUES); }

/* -- HLEN ---------------------------------------------------------------------------------------------------------------- */

/* Fields past their deadline that nobody has removed yet do not count: there may be many of them. */
static bool len_on(struct work *work, struct session *s) {
    struct walk *k = (struct walk *)work;
    do
        if (!hash_count_due(k->hash, &k->at, k->now, PIECE, &k->n)) {
            resp_int(&s->writer, (int64_t)(hash_count(k->hash) - k->n));
            return true;
        }
    while (!work_over(work));
    return false;
}

void hashes_len(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_HASH, &h)) return;
    int64_t due = hash_due(&h.home);
    if (!due || due > c->v.now || hashes_small(&h.home)) {
        resp_int(c->w, (int64_t)count_alive(&h.home, c->v.now));
        return;
    }
    struct walk *k = work_new(c, sizeof *k, len_on, NULL);
    k->hash = work_keep(&k->work, &h);
    k->now = c->v.now;
    work_start(c, &k->work);
}

/* -- HSCAN --------------------------------------------------------------------------------------------------------------- */

struct scan {
    struct work work;
    const struct home *hash;
    struct cursor cursor;
    int64_t now;
};

static void scan_one(void *arg, const struct member *m) {
    struct scan *k = arg;
    k->cursor.count--;
    if ((m->due && m->due <= k->now) || !cursor_matches(&k->cursor, m->name)) return;
    cursor_put(&k->cursor, m->name);
    if (!k->cursor.flag) cursor_put(&k->cursor, m->value);
}

static bool scan_on(struct work *work, struct session *s) {
    struct scan *k = (struct scan *)work;
    do {
        k->cursor.at = hash_scan(k->hash, k->cursor.at, 1, scan_one, k);
        if (!k->cursor.at || k->cursor.count <= 0) {
            cursor_finish(&s->writer, &k->cursor);
            return true;
        }
    } while (!work_over(work));
    return false;
}

static void scan_drop(struct work *work) {
    struct scan *k = (struct scan *)work;
    chain_free(&k->cursor.body);
    mem_free(MEM_CLIENT, (char *)(uintptr_t)k->cursor.pattern.p);
}

static void scan_in_slices(struct call *c, const struct holder *h, const struct scan *from) {
    struct scan *k = work_new(c, sizeof *k, scan_on, scan_drop);
    struct slice pattern = from->cursor.pattern;
    char *copy = mem_alloc(MEM_CLIENT, pattern.n);
    if (pattern.n) memcpy(copy, pattern.p, pattern.n);
    k->cursor = from->cursor;
    k->cursor.pattern.p = copy;
    k->cursor.w.out = &k->cursor.body;
    k->hash = work_keep(&k->work, h);
    k->now = c->v.now;
    work_start(c, &k->work);
}

void hashes_scan(struct call *c) {
    struct holder h;
    struct scan k = {.now = c->v.now};
    uint64_t at;
    if (!cursor_read(c, 2, &at) || !collection_read(c, 0, VALUE_HASH, &h)) return;
    if (!collection_there(&h)) {
        cursor_reply_nothing(c);
        return;
    }
    if (!cursor_words(c, 3, "NOVALUES", &k.cursor)) return;
    k.cursor.at = at;
    if (k.cursor.count > HASHES_AT_ONCE && !hashes_small(&h.home)) {
        scan_in_slices(c, &h, &k);
        return;
    }
    k.cursor.at = hash_scan(&h.home, at, (size_t)k.cursor.count, scan_one, &k);
    cursor_reply(c, &k.cursor);
}
