/* HRANDFIELD: fields chosen by chance, with or without repetition, in slices where that takes long.
 *
 * Without repetition: nearly all of them are found by going through the hash once, with a chance for each that comes out at
 * the wanted number; a few of many by drawing until they are enough, with a table of what was drawn.
 */
#include "base/hash.h"
#include "command/hashes.h"
#include "command/work.h"

#define PIECE 16 /* fields between two looks at the clock */
#define FEW 10   /* drawing is for fewer than one in so many */

struct sample {
    struct work work;
    const struct home *hash;
    struct hash_at at;
    int64_t now;
    bool values, repeats, begun;
    uint64_t want, left; /* to be shown; fields that the walk has still to come to */
    size_t dead;
    uint64_t *drawn;     /* hashes of their names; 0: empty; NULL: chosen by walking */
    uint64_t mask;
};

static void show(struct sample *k, struct session *s, const struct member *m) {
    struct resp_writer *w = &s->writer;
    if (k->values && w->proto == 3) resp_array(w, 2);
    resp_bulk(w, m->name.p, m->name.n);
    if (k->values) resp_bulk(w, m->value.p, m->value.n);
    k->want--;
}

static void begin(struct sample *k, struct session *s) {
    uint64_t alive = hash_count(k->hash) - k->dead;
    if (!alive) k->want = 0;
    if (!k->repeats && k->want > alive) k->want = alive;
    k->left = alive;
    k->at = (struct hash_at){.packed = 0};
    k->begun = true;
    resp_array(&s->writer, (size_t)(k->values && s->writer.proto == 2 ? k->want * 2 : k->want));
    if (k->repeats || !k->hash->object || k->want * FEW >= alive) return;
    k->mask = 15;
    while (k->mask < k->want * 2) k->mask = k->mask * 2 + 1;
    k->drawn = mem_zalloc(MEM_CLIENT, (k->mask + 1) * sizeof *k->drawn);
}

static bool draws_anew(struct sample *k, struct slice name) {
    uint64_t h = hash_bytes(name.p, name.n, k->hash->seed + 1) | 1;
    for (uint64_t i = h >> 8;; i++) {
        uint64_t *at = &k->drawn[i & k->mask];
        if (*at == h) return false;
        if (*at) continue;
        *at = h;
        return true;
    }
}

/* One step: true if it showed a field or passed one by. */
static void step(struct sample *k, struct session *s) {
    struct member m;
    uint64_t random = lane_random(s->lane);
    if (k->repeats) {
        if (hash_random(k->hash, random, k->now, &m)) show(k, s, &m);
    } else if (k->drawn) {
        if (hash_random(k->hash, random, k->now, &m) && draws_anew(k, m.name)) show(k, s, &m);
    } else if (hash_next(k->hash, &k->at, k->now, &m)) {
        if ((random >> 32) * k->left >> 32 < k->want) show(k, s, &m);
        k->left--;
    }
}

static bool sample_on(struct work *work, struct session *s) {
    struct sample *k = (struct sample *)work;
    do {
        if (!k->begun && !hash_count_due(k->hash, &k->at, k->now, PIECE, &k->dead)) begin(k, s);
        for (unsigned i = 0; i < PIECE && k->begun; i++) {
            if (!k->want) return true;
            step(k, s);
        }
    } while (!work_over(work));
    return false;
}

static void sample_drop(struct work *work) { mem_free(MEM_CLIENT, ((struct sample *)work)->drawn); }

static bool read_words(struct call *c, int64_t *count, bool *values) {
    *values = false;
    if (!call_i64(c, 2, count)) return false;
    if (*count == INT64_MIN) {
        reply_error(c, "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
        return false;
    }
    if (c->argc == 3) return true;
    if (c->argc > 4 || !call_is(c, 3, "WITHVALUES")) {
        reply_syntax(c);
        return false;
    }
    *values = true;
    if (*count >= -(INT64_MAX / 2) && *count <= INT64_MAX / 2) return true;
    reply_error(c, "ERR value is out of range");
    return false;
}

static void reply_one(struct call *c) {
    struct holder h;
    struct member m;
    if (!collection_read(c, 0, VALUE_HASH, &h)) return;
    if (hash_random(&h.home, lane_random(c->s->lane), c->v.now, &m)) resp_bulk(c->w, m.name.p, m.name.n);
    else resp_null(c->w);
}

void hashes_randfield(struct call *c) {
    struct holder h;
    int64_t count;
    bool values;
    if (c->argc == 2) {
        reply_one(c);
        return;
    }
    if (!read_words(c, &count, &values) || !collection_read(c, 0, VALUE_HASH, &h)) return;
    if (!count || !collection_there(&h)) {
        resp_array(c->w, 0);
        return;
    }
    struct sample *k = work_new(c, sizeof *k, sample_on, sample_drop);
    k->hash = work_keep(&k->work, &h);
    k->now = c->v.now;
    k->values = values;
    k->repeats = count < 0;
    k->want = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    work_start(c, &k->work);
}
