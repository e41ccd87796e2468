/* Values, read from what Redis wrote.
 *
 * A value is a walk over items: of one or of several words (a field, its value, its deadline), which stand one behind the other
 * (plain), in a blob, or in several blobs (a quicklist's nodes). Each item is added to the home as it is read, so a step may end
 * behind any of them. */
#include "snapshot/rdb_pack.h"
#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

#include <math.h>

enum layout { WHOLE, PLAIN, BLOB, NODES, NODES_2 };

enum { NODE_PLAIN = 1, NODE_PACKED = 2 }; /* of NODES_2 */

static const struct form {
    bool known;
    enum value_type type;
    enum layout layout;
    enum rdb_pack_kind pack;
    bool deadlines, relative; /* of a hash's fields; relative to the earliest */
    bool behind;              /* they stand behind the value, in 8 bytes, -1 for none */
    bool old_double;
} forms[] = {
    [RDB_STRING] = {true, .type = VALUE_STRING, .layout = WHOLE},
    [RDB_LIST] = {true, .type = VALUE_LIST, .layout = PLAIN},
    [RDB_SET] = {true, .type = VALUE_SET, .layout = PLAIN},
    [RDB_ZSET] = {true, .type = VALUE_ZSET, .layout = PLAIN, .old_double = true},
    [RDB_HASH] = {true, .type = VALUE_HASH, .layout = PLAIN},
    [RDB_ZSET_2] = {true, .type = VALUE_ZSET, .layout = PLAIN},
    [RDB_HASH_ZIPMAP] = {true, .type = VALUE_HASH, .layout = BLOB, .pack = RDB_PACK_ZIPMAP},
    [RDB_LIST_ZIPLIST] = {true, .type = VALUE_LIST, .layout = BLOB, .pack = RDB_PACK_ZIPLIST},
    [RDB_SET_INTSET] = {true, .type = VALUE_SET, .layout = BLOB, .pack = RDB_PACK_INTSET},
    [RDB_ZSET_ZIPLIST] = {true, .type = VALUE_ZSET, .layout = BLOB, .pack = RDB_PACK_ZIPLIST},
    [RDB_HASH_ZIPLIST] = {true, .type = VALUE_HASH, .layout = BLOB, .pack = RDB_PACK_ZIPLIST},
    [RDB_LIST_QUICKLIST] = {true, .type = VALUE_LIST, .layout = NODES, .pack = RDB_PACK_ZIPLIST},
    [RDB_HASH_LISTPACK] = {true, .type = VALUE_HASH, .layout = BLOB, .pack = RDB_PACK_LISTPACK},
    [RDB_ZSET_LISTPACK] = {true, .type = VALUE_ZSET, .layout = BLOB, .pack = RDB_PACK_LISTPACK},
    [RDB_LIST_QUICKLIST_2] = {true, .type = VALUE_LIST, .layout = NODES_2, .pack = RDB_PACK_LISTPACK},
    [RDB_SET_LISTPACK] = {true, .type = VALUE_SET, .layout = BLOB, .pack = RDB_PACK_LISTPACK},
    [RDB_HASH_FIELDS_OLD] = {true, .type = VALUE_HASH, .layout = PLAIN, .deadlines = true},
    [RDB_HASH_LISTPACK_FIELDS_OLD] = {true, .type = VALUE_HASH, .layout = BLOB, .pack = RDB_PACK_LISTPACK, .deadlines = true},
    [RDB_HASH_FIELDS] = {true, .type = VALUE_HASH, .layout = PLAIN, .deadlines = true, .relative = true},
    [RDB_HASH_LISTPACK_FIELDS] = {true, .type = VALUE_HASH, .layout = BLOB, .pack = RDB_PACK_LISTPACK, .deadlines = true,
        .relative = true},
};

static const struct form valkey_hash = {true, .type = VALUE_HASH, .layout = PLAIN, .deadlines = true, .behind = true};

struct rdb_load {
    struct rdb_reader *in;
    const struct form *form;
    struct home home;
    struct slice string;
    bool begun, taken;
    bool forgotten;      /* it is only read */
    bool packed;         /* `pack` is being walked */
    bool minus_zero;     /* a score is -0 */
    bool waits;          /* for room */
    size_t wants;
    uint64_t left;       /* plain items, or nodes */
    uint64_t items, past;
    int64_t base, now;   /* of relative deadlines */
    size_t done;         /* bytes in this step */
    struct allowance allowance;
    struct rdb_pack pack;
    struct rdb_space name, value, blob;
    struct rdb_item item[3];
};

struct found {
    struct slice name, value;
    double score;
    int64_t due;
};

static bool refused(uint8_t type) {
    return type == RDB_MODULE || type == RDB_MODULE_2 || type == RDB_STREAM || type == RDB_STREAM_2 || type == RDB_STREAM_3;
}

enum rdb_status rdb_load_new(struct rdb_load **out, struct rdb_reader *in, uint8_t type, const struct type_limits *limits,
    uint64_t seed, int64_t now) {
    *out = NULL;
    if (refused(type)) return RDB_UNSUPPORTED;
    if (type >= sizeof forms / sizeof *forms || !forms[type].known) return RDB_BAD;
    struct rdb_load *l = mem_zalloc(MEM_CLIENT, sizeof *l);
    l->in = in;
    l->form = &forms[type];
    l->now = now;
    home_init_own(&l->home, limits, seed);
    buf_init(&l->name.bytes, MEM_CLIENT);
    buf_init(&l->value.bytes, MEM_CLIENT);
    buf_init(&l->blob.bytes, MEM_CLIENT);
    *out = l;
    return RDB_OK;
}

void rdb_load_valkey(struct rdb_load *l) {
    if (l->form == &forms[RDB_HASH_FIELDS_OLD]) l->form = &valkey_hash;
}

void rdb_load_ask(struct rdb_load *l, struct allowance_giver g) { l->allowance = allowance_of(g); }

void rdb_load_wait(struct rdb_load *l, struct allowance_giver g) {
    rdb_load_ask(l, g);
    l->waits = true;
}

size_t rdb_load_wants(const struct rdb_load *l, size_t *built) {
    *built = l->allowance.built;
    return l->wants + l->wants / 4 + ALLOWANCE_STEP;
}

void rdb_load_forget(struct rdb_load *l) {
    if (l->home.object && !l->taken) value_free(l->form->type, l->home.object);
    l->home.object = NULL;
    l->forgotten = true;
}

bool rdb_load_forgotten(const struct rdb_load *l) { return l->forgotten; }

void rdb_load_free(struct rdb_load *l) {
    if (!l) return;
    rdb_load_forget(l);
    home_free_bytes(&l->home);
    rdb_space_free(&l->name);
    rdb_space_free(&l->value);
    rdb_space_free(&l->blob);
    mem_free(MEM_CLIENT, l);
}

/* -- adding ---------------------------------------------------------------------------------------------------------------- */

static enum rdb_status add(struct rdb_load *l, const struct found *m) {
    bool fresh = true;
    size_t n = m->name.n + m->value.n + ALLOWANCE_MEMBER;
    if (!l->forgotten && !allowance_take(&l->allowance, n)) {
        l->wants = n;
        if (l->waits) return RDB_ROOM;
        rdb_load_forget(l);
    }
    l->items++;
    l->done += n;
    if (l->forgotten) return RDB_OK;
    switch (l->form->type) {
    case VALUE_LIST:
        list_growing(&l->home, m->name.n, 1);
        list_push(&l->home, LIST_TAIL, m->name);
        break;
    case VALUE_SET: fresh = set_add(&l->home, m->name); break;
    case VALUE_ZSET:
        if (isnan(m->score)) return RDB_BAD;
        l->minus_zero |= m->score == 0 && signbit(m->score);
        fresh = zset_add(&l->home, m->name, &(double){m->score}, ZSET_SIGNED) == ZSET_ADDED;
        break;
    default:
        if (m->due && m->due <= l->now) {
            l->past++;
            break;
        }
        fresh = hash_put(&l->home, &(struct member){m->name, m->value, m->due}, 0);
    }
    return fresh ? RDB_OK : RDB_BAD; /* a member twice */
}

/* Deadlines up to 48 bits, as Redis has them. */
static enum rdb_status deadline(const struct rdb_load *l, uint64_t v, int64_t *due) {
    const uint64_t most = (uint64_t)1 << 48;
    if (v >= most) return RDB_BAD;
    *due = !v ? 0 : l->form->relative ? (int64_t)v + l->base - 1 : (int64_t)v;
    return *due < 0 || *due >= (int64_t)most ? RDB_BAD : RDB_OK;
}

/* -- plain ----------------------------------------------------------------------------------------------------------------- */

static enum rdb_status deadline_behind(const struct rdb_load *l, int64_t *due) {
    uint64_t v = 0;
    enum rdb_status st = rdb_reader_u64(l->in, &v);
    if (st || v == UINT64_MAX) return st;
    return v ? deadline(l, v, due) : RDB_BAD;
}

static enum rdb_status plain_item(struct rdb_load *l) {
    struct found m = {.due = 0};
    enum rdb_status st = RDB_OK;
    if (l->form->deadlines && !l->form->behind) {
        uint64_t due = 0;
        st = rdb_reader_length(l->in, &due);
        if (!st) st = deadline(l, due, &m.due);
    }
    if (!st) st = rdb_reader_string(l->in, &l->name, &m.name);
    if (!st && l->form->type == VALUE_ZSET)
        st = l->form->old_double ? rdb_reader_old_double(l->in, &m.score) : rdb_reader_double(l->in, &m.score);
    if (!st && l->form->type == VALUE_HASH) st = rdb_reader_string(l->in, &l->value, &m.value);
    if (!st && l->form->behind) st = deadline_behind(l, &m.due);
    return st ? st : add(l, &m);
}

/* -- packed ---------------------------------------------------------------------------------------------------------------- */

static unsigned words(const struct form *f) {
    return f->type == VALUE_LIST || f->type == VALUE_SET ? 1 : f->deadlines ? 3 : 2;
}

static enum rdb_status packed_item(struct rdb_load *l) {
    struct found m = {.due = 0};
    unsigned n = words(l->form);
    for (unsigned i = 0; i < n; i++) {
        enum rdb_status st = rdb_pack_next(&l->pack, &l->item[i]);
        if (st) return st == RDB_END && i ? RDB_BAD : st;
    }
    m.name = l->item[0].s;
    if (l->form->type == VALUE_ZSET && !num_double(l->item[1].s, &m.score)) return RDB_BAD;
    if (l->form->type == VALUE_HASH) m.value = l->item[1].s;
    if (n == 3 && (!num_i64(l->item[2].s, &m.due) || m.due < 0 || m.due >= (int64_t)1 << 48)) return RDB_BAD;
    return add(l, &m);
}

static enum rdb_status open_pack(struct rdb_load *l) {
    struct slice blob;
    enum rdb_status st = rdb_reader_string(l->in, &l->blob, &blob);
    if (!st) st = rdb_pack_open(&l->pack, l->form->pack, blob);
    l->done += st ? 0 : blob.n / 8; /* it may have been unpacked */
    l->packed = !st;
    return st;
}

/* The next node of a quicklist. */
static enum rdb_status open_node(struct rdb_load *l) {
    uint64_t kind = NODE_PACKED;
    enum rdb_status st = RDB_OK;
    struct found m = {.due = 0};
    l->left--;
    l->done += 16;
    if (l->form->layout == NODES_2) st = rdb_reader_length(l->in, &kind);
    if (st) return st;
    if (kind == NODE_PACKED) return open_pack(l);
    if (kind != NODE_PLAIN) return RDB_BAD;
    st = rdb_reader_string(l->in, &l->name, &m.name);
    if (!st && !m.name.n) st = RDB_BAD; /* only what is long stands alone */
    return st ? st : add(l, &m);
}

/* -- all of it ------------------------------------------------------------------------------------------------------------- */

static enum rdb_status begin(struct rdb_load *l) {
    uint64_t base = 0;
    enum rdb_status st = RDB_OK;
    l->begun = true;
    if (l->form->relative) st = rdb_reader_u64(l->in, &base);
    if (st) return st;
    if (base >= (uint64_t)1 << 48) return RDB_BAD;
    l->base = (int64_t)base;
    if (l->form->layout == BLOB) return open_pack(l);
    return rdb_reader_length(l->in, &l->left);
}

static enum rdb_status finish(struct rdb_load *l) {
    /* A skiplist that becomes a listpack loses the sign of 0; a listpack that has it, as earlier versions wrote, keeps it. */
    if (l->forgotten) return l->items ? RDB_OK : RDB_EMPTY;
    if (l->minus_zero && l->form->layout == PLAIN) zset_settle(&l->home);
    return l->items > l->past ? RDB_OK : l->past ? RDB_PAST : RDB_EMPTY;
}

static enum rdb_status next(struct rdb_load *l) {
    if (l->packed) {
        enum rdb_status st = packed_item(l);
        if (st != RDB_END) return st;
        l->packed = false;
    }
    if (!l->left) return RDB_END;
    if (l->form->layout != PLAIN) return open_node(l);
    l->left--;
    return plain_item(l);
}

/* Where the next member has no room it is as if it had not been read. */
static enum rdb_status next_if_room(struct rdb_load *l) {
    struct rdb_reader in = *l->in;
    struct rdb_pack pack = l->pack;
    uint64_t left = l->left;
    enum rdb_status st = next(l);
    if (st != RDB_ROOM) return st;
    *l->in = in;
    l->pack = pack;
    l->left = left;
    return st;
}

enum rdb_status rdb_load_step(struct rdb_load *l, size_t most) {
    if (l->form->layout == WHOLE) return rdb_reader_string(l->in, &l->name, &l->string);
    enum rdb_status st = l->begun ? RDB_OK : begin(l);
    for (l->done = 0; !st && l->done < most;) st = l->waits ? next_if_room(l) : next(l);
    return st == RDB_END ? finish(l) : st ? st : RDB_MORE;
}

enum value_type rdb_load_type(const struct rdb_load *l) { return l->form->type; }
struct slice rdb_load_string(const struct rdb_load *l) { return l->string; }
const struct home *rdb_load_home(const struct rdb_load *l) { return &l->home; }
void rdb_load_taken(struct rdb_load *l) { l->taken = true; }
