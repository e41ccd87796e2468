/* Values, written as Redis 7.0 reads them.
 *
 * What reports a packed encoding and is not large is written as a blob, as Redis writes it; what is larger as its members one
 * by one, which Redis reads just as well. A list is written as the nodes of a quicklist, so it is walked twice: how many nodes
 * there are stands before them. */
#include "snapshot/rdb_pack.h"
#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

#include <assert.h>
#include <stdlib.h>

#define BLOB_ITEMS 4096   /* of a collection that is written as a blob; it takes one step */
#define BLOB_BYTES 100000 /* of its object; what Redis packs at its default limits is below */

enum phase { HEAD, PACKING, STRING, COUNTING, NODES, MEMBERS, DONE };

struct node { /* a quicklist's node that is being filled */
    size_t bytes, items;
};

struct rdb_save {
    enum value_type type;
    const struct home *home;
    struct slice string;
    struct rdb_writer w;
    struct buf out;
    enum phase phase;
    size_t at;              /* in the string */
    bool packed;            /* the string's pieces in the scratch are what is written */
    bool fields;            /* of a hash: some have deadlines */
    int64_t base;           /* the earliest of them */
    struct rdb_nodes nodes;
    struct node node;
    struct buf blob;
    bool walking;
    struct list_at list;    /* on the next element, while walking */
    union {
        struct set_at set;
        struct zset_at zset;
        struct hash_at hash;
    } walk;
};

static struct rdb_save *save_new(enum value_type t, bool compress) {
    struct rdb_save *s = mem_zalloc(MEM_CLIENT, sizeof *s);
    s->type = t;
    s->w.compress = compress;
    s->w.out = &s->out;
    buf_init(&s->out, MEM_CLIENT);
    buf_init(&s->blob, MEM_CLIENT);
    buf_init(&s->w.scratch, MEM_CLIENT);
    return s;
}

/* Exactly: Redis 7.0 does not know such hashes. */
static bool has_deadlines(const struct home *home) {
    struct hash_at at = {.packed = 0};
    struct member m = {.due = 0};
    if (!hash_due(home)) return false;
    if (home->object) return members_deadlines(home->object);
    while (!m.due && hash_next(home, &at, 0, &m)) {}
    return m.due;
}

struct rdb_save *rdb_save_new(enum value_type t, const struct home *home, bool compress) {
    struct rdb_save *s = save_new(t, compress);
    s->home = home;
    if (t == VALUE_HASH) s->fields = has_deadlines(home);
    return s;
}

struct rdb_save *rdb_save_new_string(struct slice string, bool compress) {
    struct rdb_save *s = save_new(VALUE_STRING, compress);
    s->string = string;
    return s;
}

void rdb_save_free(struct rdb_save *s) {
    if (!s) return;
    if (s->walking) list_leave(&s->list);
    rdb_writer_free(&s->w);
    buf_free(&s->out);
    buf_free(&s->blob);
    mem_free(MEM_CLIENT, s);
}

struct buf *rdb_save_out(struct rdb_save *s) { return &s->out; }
struct rdb_nodes rdb_save_nodes(const struct rdb_save *s) { return s->nodes; }
unsigned rdb_save_version(const struct rdb_save *s) { return s->fields ? RDB_VERSION_FIELDS : RDB_VERSION; }
void rdb_save_no_fields(struct rdb_save *s) { s->fields = false; }

/* -- strings --------------------------------------------------------------------------------------------------------------- */

static void begin_string(struct rdb_save *s) {
    rdb_writer_u8(&s->w, RDB_STRING);
    if (s->string.n <= RDB_LZF_PIECE) {
        rdb_writer_string(&s->w, s->string);
        s->phase = DONE;
    } else {
        s->phase = s->w.compress ? PACKING : STRING;
        if (s->phase == STRING) rdb_writer_length(&s->w, s->string.n);
    }
}

static void pack_string(struct rdb_save *s, size_t most) {
    for (size_t until = s->at + most; s->at < s->string.n && s->at < until;) {
        size_t n = s->string.n - s->at < RDB_LZF_PIECE ? s->string.n - s->at : RDB_LZF_PIECE;
        rdb_wire_lzf_add(&s->w.scratch, s->string.p + s->at, n);
        s->at += n;
    }
    if (s->at < s->string.n) return;
    s->packed = rdb_wire_lzf_pays(s->w.scratch.n, s->string.n);
    if (s->packed) rdb_wire_lzf_head(&s->w, s->w.scratch.n, s->string.n);
    else rdb_writer_length(&s->w, s->string.n);
    s->at = 0;
    s->phase = STRING;
}

static void put_string(struct rdb_save *s, size_t most) {
    struct slice from = s->packed ? buf_slice(&s->w.scratch) : s->string;
    size_t n = from.n - s->at < most ? from.n - s->at : most;
    buf_put(&s->out, from.p + s->at, n);
    s->at += n;
    if (s->at == from.n) s->phase = DONE;
}

/* -- blobs ----------------------------------------------------------------------------------------------------------------- */

static bool fits_blob(const struct rdb_save *s) {
    const struct value_ops *ops = value_ops(s->type);
    return !s->home->object || (ops->count(s->home) <= BLOB_ITEMS && ops->memory(s->home->object) <= BLOB_BYTES);
}

static bool reports(const struct rdb_save *s, const char *encoding) {
    return !strcmp(value_ops(s->type)->encoding(s->home), encoding);
}

static int by_value(const void *a, const void *b) {
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void put_intset(struct rdb_save *s) {
    size_t n = 0, count = set_count(s->home);
    int64_t *v = mem_alloc(MEM_CLIENT, count * sizeof *v);
    struct slice member;
    while (set_next(s->home, &s->walk.set, &member)) {
        bool whole = num_i64(member, &v[n++]);
        assert(whole);
        (void)whole;
    }
    qsort(v, n, sizeof *v, by_value);
    rdb_pack_put_intset(&s->blob, v, n);
    mem_free(MEM_CLIENT, v);
    rdb_writer_u8(&s->w, RDB_SET_INTSET);
    rdb_writer_blob(&s->w, buf_slice(&s->blob));
}

static void put_packed_zset(struct rdb_save *s) {
    size_t begin = rdb_pack_begin(&s->blob), n = 0;
    struct slice member;
    double score;
    char text[NUM_DOUBLE_MAX];
    zset_seek(&s->walk.zset, s->home, 0, false);
    for (; zset_next(&s->walk.zset, &member, &score); n += 2) {
        rdb_pack_add(&s->blob, member);
        rdb_pack_add(&s->blob, (struct slice){text, num_put_double(text, score)});
    }
    rdb_pack_end(&s->blob, begin, n);
    rdb_writer_u8(&s->w, RDB_ZSET_LISTPACK);
    rdb_writer_blob(&s->w, buf_slice(&s->blob));
}

static void put_packed_hash(struct rdb_save *s) {
    size_t begin = rdb_pack_begin(&s->blob), n = 0;
    struct member m;
    for (; hash_next(s->home, &s->walk.hash, 0, &m); n += 2) {
        rdb_pack_add(&s->blob, m.name);
        rdb_pack_add(&s->blob, m.value);
    }
    rdb_pack_end(&s->blob, begin, n);
    rdb_writer_u8(&s->w, RDB_HASH_LISTPACK);
    rdb_writer_blob(&s->w, buf_slice(&s->blob));
}

/* -- lists ----------------------------------------------------------------------------------------------------------------- */

/* Does one more element go into the node, by list-max-listpack-size as Redis reads it? */
static bool node_takes(const struct rdb_save *s, size_t bytes) {
    static const size_t most[] = {4096, 8192, 16384, 32768, 65536};
    int64_t size = option_get(&s->home->limits->list_size);
    size_t limit = size < -5 ? most[4] : size < 0 ? most[-size - 1] : most[1];
    if (!s->node.items) return true;
    return s->node.bytes + bytes <= limit && (size < 0 || s->node.items < (size_t)size);
}

static void walk_list(struct rdb_save *s) {
    s->walking = list_seek(s->home, &s->list, 0);
    s->node = (struct node){.items = 0};
}

/* Goes on to the next element; false: the walk is over. */
static bool walk_list_on(struct rdb_save *s) {
    if (list_next(s->home, &s->list)) return true;
    list_leave(&s->list);
    return s->walking = false;
}

static void count_nodes(struct rdb_save *s, size_t most) {
    for (size_t done = 0; s->walking && done < most; walk_list_on(s)) {
        size_t n = rdb_pack_size(s->list.text);
        if (!node_takes(s, n)) s->node = (struct node){.items = 0};
        if (!s->node.items) {
            s->nodes.nodes++;
            s->nodes.bytes += 7; /* head and end of its listpack */
        }
        s->nodes.bytes += n;
        s->node.bytes += n;
        s->node.items++;
        done += n / 4 + 8; /* nothing is written */
    }
    if (s->walking) return;
    rdb_writer_u8(&s->w, RDB_LIST_QUICKLIST_2);
    rdb_writer_length(&s->w, s->nodes.nodes);
    walk_list(s);
    s->phase = NODES;
}

static void put_node(struct rdb_save *s) {
    size_t n = 0;
    s->blob.n = 0;
    s->node = (struct node){.items = 0};
    size_t begin = rdb_pack_begin(&s->blob);
    do {
        if (!node_takes(s, n = rdb_pack_size(s->list.text))) break;
        rdb_pack_add(&s->blob, s->list.text);
        s->node.bytes += n;
        s->node.items++;
    } while (walk_list_on(s));
    rdb_pack_end(&s->blob, begin, s->node.items);
    rdb_writer_length(&s->w, 2); /* packed */
    rdb_writer_blob(&s->w, buf_slice(&s->blob));
}

static void put_nodes(struct rdb_save *s, size_t most) {
    for (size_t done = 0; s->walking && done < most; done += s->blob.n) put_node(s);
    if (!s->walking) s->phase = DONE;
}

/* -- members one by one ---------------------------------------------------------------------------------------------------- */

static bool put_set_member(struct rdb_save *s, size_t *bytes) {
    struct slice member;
    if (!set_next(s->home, &s->walk.set, &member)) return false;
    rdb_writer_string(&s->w, member);
    *bytes = member.n;
    return true;
}

static bool put_zset_member(struct rdb_save *s, size_t *bytes) {
    struct slice member;
    double score;
    if (!zset_next(&s->walk.zset, &member, &score)) return false;
    rdb_writer_string(&s->w, member);
    rdb_writer_double(&s->w, score);
    *bytes = member.n;
    return true;
}

static bool put_field(struct rdb_save *s, size_t *bytes) {
    struct member m;
    if (!hash_next(s->home, &s->walk.hash, 0, &m)) return false;
    if (s->fields) rdb_writer_length(&s->w, m.due ? (uint64_t)(m.due - s->base + 1) : 0);
    rdb_writer_string(&s->w, m.name);
    rdb_writer_string(&s->w, m.value);
    *bytes = m.name.n + m.value.n;
    return true;
}

static void put_members(struct rdb_save *s, size_t most) {
    bool more = true;
    for (size_t done = 0, n = 0; more && done < most; done += n + 32)
        more = s->type == VALUE_SET ? put_set_member(s, &n) : s->type == VALUE_ZSET ? put_zset_member(s, &n) : put_field(s, &n);
    if (!more) s->phase = DONE;
}

/* -- all of it ------------------------------------------------------------------------------------------------------------- */

static void begin_members(struct rdb_save *s) {
    s->phase = MEMBERS;
    rdb_writer_u8(&s->w, s->type == VALUE_SET ? RDB_SET : s->type == VALUE_ZSET ? RDB_ZSET_2 : s->fields ? RDB_HASH_FIELDS : RDB_HASH);
    if (s->fields) {
        s->base = hash_due(s->home);
        rdb_writer_u64(&s->w, (uint64_t)s->base);
    }
    size_t n = value_ops(s->type)->count(s->home);
    rdb_writer_length(&s->w, n);
    /* from the highest down: Redis reads that faster */
    if (s->type == VALUE_ZSET) zset_seek(&s->walk.zset, s->home, n - 1, true);
}

static void begin(struct rdb_save *s) {
    void (*blob)(struct rdb_save *) = NULL;
    switch (s->type) {
    case VALUE_STRING: begin_string(s); return;
    case VALUE_LIST:
        walk_list(s);
        s->phase = COUNTING;
        return;
    case VALUE_SET: blob = fits_blob(s) && reports(s, "intset") ? put_intset : NULL; break;
    case VALUE_ZSET: blob = fits_blob(s) && reports(s, "listpack") ? put_packed_zset : NULL; break;
    default: blob = !s->fields && fits_blob(s) && reports(s, "listpack") ? put_packed_hash : NULL;
    }
    if (blob) {
        blob(s);
        s->phase = DONE;
    } else
        begin_members(s);
}

enum rdb_status rdb_save_step(struct rdb_save *s, size_t most) {
    switch (s->phase) {
    case HEAD: begin(s); break;
    case PACKING: pack_string(s, most); break;
    case STRING: put_string(s, most); break;
    case COUNTING: count_nodes(s, most); break;
    case NODES: put_nodes(s, most); break;
    case MEMBERS: put_members(s, most); break;
    case DONE: break;
    }
    return s->phase == DONE ? RDB_OK : RDB_MORE;
}
