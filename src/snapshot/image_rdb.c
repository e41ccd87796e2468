/* Records as Redis's files have them. Trays hold records in our own form, so that who fills them is quick; they are taken apart here. */
#include "snapshot/image_inside.h"
#include "store/packed.h"
#include "type/hash.h"

#include <assert.h>
#include <errno.h>

enum { OP_IDLE = 248, OP_FREQUENCY = 249, OP_AUX = 250, OP_EXPIRE_MS = 252, OP_SELECT = 254, OP_END = 255 };
#define LZF_MOST ((size_t)4 << 20) /* longer strings are not packed: their packed form would have to be held as a whole */

void image_rdb_free(struct image_writer *w) {
    rdb_save_free(w->rdb.save);
    rdb_writer_free(&w->rdb.words);
    buf_free(&w->rdb.out);
    buf_free(&w->rdb.value);
}

static enum image_status put_out(struct image_writer *w, struct buf *out) {
    if (w->options.checksum) w->rdb.sum = rdb_wire_sum(w->rdb.sum, out->p, out->n);
    bool ok = image_writer_out(w, out->p, out->n);
    out->n = 0;
    return ok ? IMAGE_OK : IMAGE_FAILED;
}

static void put_aux(struct image_writer *w, const char *name, struct slice value) {
    rdb_writer_u8(&w->rdb.words, OP_AUX);
    rdb_writer_string(&w->rdb.words, slice_of(name));
    rdb_writer_string(&w->rdb.words, value);
}

static void put_aux_number(struct image_writer *w, const char *name, uint64_t v) {
    char text[NUM_I64_MAX];
    put_aux(w, name, (struct slice){text, num_put_u64(text, v)});
}

enum image_status image_rdb_begin(struct image_writer *w) {
    buf_printf(&w->rdb.out, "REDIS%04u", w->options.rdb_version);
    put_aux(w, "redis-ver", slice_of(w->options.rdb_version < 12 ? "7.0.0" : "7.4.0"));
    put_aux_number(w, "redis-bits", 64);
    put_aux_number(w, "ctime", (uint64_t)(w->options.now / 1000));
    put_aux_number(w, "used-mem", w->options.used_memory);
    put_aux_number(w, "aof-base", 0);
    return put_out(w, &w->rdb.out);
}

/* Hashes whose fields have deadlines are new in version 12. Before, the whole hash goes when its first field would: so nothing is
 * ever read that should be gone. */
static int64_t deadline_of(const struct image_writer *w, const struct record *r, const struct home *home) {
    int64_t due = r->type == VALUE_HASH && w->options.rdb_version < 12 ? hash_due(home) : 0;
    return due && (!r->deadline || due < r->deadline) ? due : r->deadline;
}

/* Up to the type's byte. */
static void put_head(struct image_writer *w, const struct record *r, int64_t deadline) {
    struct rdb_writer *words = &w->rdb.words;
    if (!w->rdb.selected || w->rdb.db != r->db) {
        rdb_writer_u8(words, OP_SELECT);
        rdb_writer_length(words, r->db);
        w->rdb.selected = true;
        w->rdb.db = r->db;
    }
    if (deadline) {
        rdb_writer_u8(words, OP_EXPIRE_MS);
        rdb_writer_u64(words, (uint64_t)deadline);
    }
    if (r->use == RECORD_IDLE) {
        rdb_writer_u8(words, OP_IDLE);
        rdb_writer_length(words, r->used);
    } else if (r->use == RECORD_FREQUENCY) {
        rdb_writer_u8(words, OP_FREQUENCY);
        rdb_writer_u8(words, (uint8_t)(r->used > 255 ? 255 : r->used));
    }
}

/* rdb_save puts the type's byte before the value; in a file the key lies between them. */
static struct rdb_save *save_new(const struct image_writer *w, const struct record *r, struct slice string, const struct home *home) {
    if (r->type == VALUE_STRING) return rdb_save_new_string(string, w->options.compress && string.n <= LZF_MOST);
    struct rdb_save *s = rdb_save_new(r->type, home, w->options.compress);
    if (w->options.rdb_version < 12) rdb_save_no_fields(s);
    return s;
}

static void begin_value(struct image_writer *w, const struct record *r, struct rdb_save *s) {
    rdb_save_step(s, IMAGE_BLOCK);
    struct buf *value = rdb_save_out(s);
    while (!value->n) rdb_save_step(s, IMAGE_BLOCK);
    rdb_writer_u8(&w->rdb.words, (uint8_t)value->p[0]);
    rdb_writer_string(&w->rdb.words, r->key);
    buf_put(&w->rdb.out, value->p + 1, value->n - 1);
    value->n = 0;
}

static void put_string(struct image_writer *w, const struct record *r, struct slice s) {
    rdb_writer_u8(&w->rdb.words, RDB_STRING);
    rdb_writer_string(&w->rdb.words, r->key);
    rdb_writer_string(&w->rdb.words, s);
}

/* False: it is not packed as it should be. */
static bool plain_string(struct image_writer *w, const struct record *r, struct slice *out) {
    *out = r->string;
    if (!r->original) return true;
    w->rdb.value.n = 0;
    char *to = buf_room(&w->rdb.value, r->original);
    *out = (struct slice){to, r->original};
    if (record_plain(r, r->string, to)) return true;
    w->error = EBADMSG;
    return false;
}

/* A large packed string is written plain, block by block. */
static enum image_status begin_packed(struct image_writer *w, const struct record *r) {
    put_head(w, r, r->deadline);
    rdb_writer_u8(&w->rdb.words, RDB_STRING);
    rdb_writer_string(&w->rdb.words, r->key);
    rdb_writer_length(&w->rdb.words, r->original);
    packed_open(&w->rdb.packed, r->string, 0);
    w->rdb.unpacking = true;
    return put_out(w, &w->rdb.out) ? IMAGE_FAILED : IMAGE_MORE;
}

static enum image_status step_packed(struct image_writer *w) {
    struct buf *value = &w->rdb.value;
    value->n = 0;
    char *to = buf_room(value, 2 * PACKED_BLOCK);
    value->n = packed_read(&w->rdb.packed, to, PACKED_BLOCK, to + PACKED_BLOCK);
    w->rdb.unpacking = value->n && w->rdb.packed.at < w->rdb.packed.length;
    enum image_status st = put_out(w, value);
    return st ? st : w->rdb.unpacking ? IMAGE_MORE : IMAGE_OK;
}

/* It is small as it lies, but not plain. */
static void put_long_packed(struct image_writer *w, const struct record *r) {
    if (!record_sound(r, r->string)) {
        w->error = EBADMSG;
        return;
    }
    enum image_status st = begin_packed(w, r);
    while (st == IMAGE_MORE) st = step_packed(w);
}

static void put_record(struct image_writer *w, const struct record *r) {
    if (r->type == VALUE_STRING) {
        struct slice s;
        if (r->original > LZF_MOST) {
            put_long_packed(w, r);
            return;
        }
        if (!plain_string(w, r, &s)) return;
        put_head(w, r, r->deadline);
        put_string(w, r, s);
        return;
    }
    struct home home;
    struct record_fill fill;
    struct slice body = r->body;
    home_init_own(&home, w->options.limits, w->options.seed);
    record_fill_begin(&fill, &home, r, r->members, w->options.now);
    enum record_status st = record_fill_add(&fill, &body);
    assert(!st);
    (void)st;
    if (value_ops(r->type)->count(&home)) {
        put_head(w, r, deadline_of(w, r, &home));
        struct rdb_save *s = save_new(w, r, (struct slice){NULL, 0}, &home);
        begin_value(w, r, s);
        while (rdb_save_step(s, IMAGE_BLOCK) == RDB_MORE) {}
        buf_put(&w->rdb.out, rdb_save_out(s)->p, rdb_save_out(s)->n);
        rdb_save_free(s);
    }
    if (home.object) value_free(r->type, home.object);
    home_free_bytes(&home);
}

enum image_status image_rdb_full(struct image_writer *w, const struct full *f) {
    struct slice in = buf_slice(&f->bytes);
    struct record r;
    while (in.n) {
        enum record_status st = record_get(&in, &r);
        assert(!st);
        if (st) break;
        put_record(w, &r);
    }
    return w->error ? IMAGE_FAILED : put_out(w, &w->rdb.out);
}

enum image_status image_rdb_large(struct image_writer *w, const struct record *r) {
    struct slice string = {NULL, 0};
    if (r->original && record_sound(r, r->string)) return begin_packed(w, r);
    if (r->type == VALUE_STRING && !plain_string(w, r, &string)) return IMAGE_FAILED;
    put_head(w, r, r->type == VALUE_STRING ? r->deadline : deadline_of(w, r, r->home));
    w->rdb.save = save_new(w, r, string, r->home);
    begin_value(w, r, w->rdb.save);
    return put_out(w, &w->rdb.out) ? IMAGE_FAILED : IMAGE_MORE;
}

enum image_status image_rdb_step(struct image_writer *w) {
    if (w->rdb.unpacking) return step_packed(w);
    bool more = rdb_save_step(w->rdb.save, IMAGE_BLOCK) == RDB_MORE;
    enum image_status st = put_out(w, rdb_save_out(w->rdb.save));
    if (!st && more) return IMAGE_MORE;
    rdb_save_free(w->rdb.save);
    w->rdb.save = NULL;
    buf_free(&w->rdb.value);
    return st;
}

enum image_status image_rdb_finish(struct image_writer *w) {
    rdb_writer_u8(&w->rdb.words, OP_END);
    enum image_status st = put_out(w, &w->rdb.out);
    if (st) return st;
    rdb_writer_u64(&w->rdb.words, w->rdb.sum);
    bool ok = image_writer_out(w, w->rdb.out.p, w->rdb.out.n);
    return ok ? IMAGE_OK : IMAGE_FAILED;
}
