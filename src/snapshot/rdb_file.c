#include "snapshot/rdb_file.h"

#include "snapshot/rdb_foreign.h"
#include "snapshot/rdb_lzf.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW ((size_t)1 << 20)
#define SUM_VERSION 5 /* the first with a checksum */
#define STEP ((size_t)1 << 20)
#define PIECE ((size_t)256 << 10)

enum {
    OP_SLOT_IMPORT = 243, OP_SLOT_INFO, OP_FUNCTION, OP_FUNCTION_OLD, OP_MODULE_DATA, OP_IDLE, OP_FREQUENCY, OP_AUX, OP_RESIZE,
    OP_EXPIRE_MS, OP_EXPIRE, OP_SELECT, OP_END
};

struct rdb_file {
    struct rdb_reader in;
    struct rdb_file_options options;
    struct rdb_file_about about;
    int fd, error;
    uint8_t *window;
    size_t room;
    const uint8_t *summed;   /* up to here the sum has what was read */
    uint64_t sum, start;     /* start: offset of the window in the file */
    unsigned db;
    struct rdb_space key, value;
    struct rdb_load *load;   /* of the record that is out */
    uint64_t left;           /* of a large string */
    struct rdb_lzf *lzf;     /* of a large string that is packed */
    struct buf why;
    bool begun;
    uint64_t op_offset;      /* where the last opcode or type stands */
};

/* -- the window --------------------------------------------------------------------------------------------------------------- */

static void sum_up(struct rdb_file *f) {
    if (f->in.p == f->summed) return;
    f->sum = rdb_wire_sum(f->sum, f->summed, (size_t)(f->in.p - f->summed));
    f->summed = f->in.p;
}

/* What has been read leaves the window. It grows only while the file really goes on. */
static bool refill(struct rdb_reader *in, size_t n) {
    struct rdb_file *f = (struct rdb_file *)(void *)((char *)in - offsetof(struct rdb_file, in));
    size_t have = (size_t)(in->end - in->p);
    sum_up(f);
    f->start += (uint64_t)(in->p - f->window);
    if (have) memmove(f->window, in->p, have);
    while (have < n) {
        if (have == f->room) f->window = mem_realloc(MEM_UPKEEP, f->window, f->room = f->room * 2);
        ssize_t k = read(f->fd, f->window + have, f->room - have);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) f->error = errno;
        if (k <= 0) break;
        have += (size_t)k;
    }
    in->p = f->summed = f->window;
    in->end = f->window + have;
    return have >= n;
}

uint64_t rdb_file_offset(const struct rdb_file *f) { return f->start + (uint64_t)(f->in.p - f->window); }

struct rdb_file *rdb_file_new(int fd, const struct rdb_file_options *o) {
    struct rdb_file *f = mem_zalloc(MEM_UPKEEP, sizeof *f);
    f->fd = fd;
    f->options = *o;
    f->window = mem_alloc(MEM_UPKEEP, f->room = WINDOW);
    f->in = (struct rdb_reader){.p = f->window, .end = f->window, .refill = refill};
    f->summed = f->window;
    buf_init(&f->key.bytes, MEM_UPKEEP);
    buf_init(&f->value.bytes, MEM_UPKEEP);
    return f;
}

void rdb_file_free(struct rdb_file *f) {
    if (!f) return;
    rdb_load_free(f->load);
    rdb_lzf_free(f->lzf);
    rdb_space_free(&f->key);
    rdb_space_free(&f->value);
    buf_free(&f->why);
    mem_free(MEM_UPKEEP, f->window);
    mem_free(MEM_UPKEEP, f);
}

const struct rdb_file_about *rdb_file_about(const struct rdb_file *f) { return &f->about; }
const char *rdb_file_why(struct rdb_file *f) { return buf_cstr(&f->why); }
void rdb_file_taken(struct rdb_file *f) { rdb_load_taken(f->load); }

/* -- what is wrong ------------------------------------------------------------------------------------------------------------- */

static enum rdb_file_status wrong(struct rdb_file *f, enum rdb_file_status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum rdb_file_status wrong(struct rdb_file *f, enum rdb_file_status st, const char *format, ...) {
    va_list args;
    f->why.n = 0;
    if (f->error) {
        buf_puts(&f->why, strerror(errno = f->error));
        return RDB_FILE_FAILED;
    }
    va_start(args, format);
    buf_vprintf(&f->why, format, args);
    va_end(args);
    return st;
}

static enum rdb_file_status bad(struct rdb_file *f, enum rdb_status st) {
    if (st == RDB_SHORT) return wrong(f, RDB_FILE_DAMAGED, "the file ends too early, at offset %llu", (unsigned long long)rdb_file_offset(f));
    return wrong(f, RDB_FILE_DAMAGED, "malformed data at offset %llu, in what begins at offset %llu",
        (unsigned long long)rdb_file_offset(f), (unsigned long long)f->op_offset);
}

/* -- the head ------------------------------------------------------------------------------------------------------------------ */

bool rdb_file_looks_right(const void *p, size_t n) { return n >= 9 && (!memcmp(p, "REDIS", 5) || !memcmp(p, "VALKEY", 6)); }

static enum rdb_file_status begin(struct rdb_file *f) {
    f->begun = true;
    if (!rdb_reader_has(&f->in, 9) || !rdb_file_looks_right(f->in.p, 9)) return wrong(f, RDB_FILE_NOT, "this is not an RDB file");
    f->about.valkey = *f->in.p == 'V';
    for (const uint8_t *p = f->in.p + (f->about.valkey ? 6 : 5); p < f->in.p + 9; p++) {
        if (*p < '0' || *p > '9') return wrong(f, RDB_FILE_NOT, "this is not an RDB file: its version is no number");
        f->about.version = f->about.version * 10 + (*p - '0');
    }
    f->in.p += 9;
    unsigned v = f->about.version;
    bool known = f->about.valkey ? v >= RDB_FILE_VALKEY_LEAST && v <= RDB_FILE_VALKEY_MOST : v >= 1 && v <= RDB_VERSION_MOST;
    if (known) return RDB_FILE_RECORD;
    return wrong(f, RDB_FILE_NEWER, "%s RDB version %u cannot be read; known are 1 to %u, and of Valkey's %u to %u",
        f->about.valkey ? "Valkey's" : "the", v, RDB_VERSION_MOST, RDB_FILE_VALKEY_LEAST, RDB_FILE_VALKEY_MOST);
}

/* -- opcodes ------------------------------------------------------------------------------------------------------------------- */

static enum rdb_status aux(struct rdb_file *f) {
    struct slice name, value;
    uint64_t n;
    enum rdb_status st = rdb_reader_string(&f->in, &f->key, &name);
    if (!st) st = rdb_reader_string(&f->in, &f->value, &value);
    if (st) return st;
    if (slice_is(name, "redis-ver") || slice_is(name, "valkey-ver"))
        snprintf(f->about.server, sizeof f->about.server, "%.*s", (int)(value.n < 31 ? value.n : 31), value.p);
    if (slice_is(name, "ctime") && num_u64(value, &n) && n <= INT64_MAX) f->about.created = (int64_t)n;
    if (slice_is(name, "used-mem") && num_u64(value, &n)) f->about.used_memory = n;
    return RDB_OK;
}

static enum rdb_status deadline(struct rdb_file *f, uint8_t op, struct record *r) {
    uint64_t v = 0;
    if (op == OP_EXPIRE_MS) {
        enum rdb_status st = rdb_reader_u64(&f->in, &v);
        if (st) return st;
    } else {
        if (!rdb_reader_has(&f->in, 4)) return RDB_SHORT;
        v = (uint64_t)(rdb_signed(rdb_little(f->in.p, 4), 32) * 1000);
        f->in.p += 4;
    }
    r->deadline = (int64_t)v;
    if (r->deadline <= 0) r->deadline = 1; /* long past */
    if (r->deadline > RECORD_DEADLINE_MOST) r->deadline = RECORD_DEADLINE_MOST;
    return RDB_OK;
}

static enum rdb_status used(struct rdb_file *f, uint8_t op, struct record *r) {
    uint64_t v = 0;
    uint8_t b = 0;
    enum rdb_status st = op == OP_IDLE ? rdb_reader_length(&f->in, &v) : rdb_reader_u8(&f->in, &b);
    r->use = op == OP_IDLE ? RECORD_IDLE : RECORD_FREQUENCY;
    r->used = op == OP_IDLE ? (uint32_t)(v < UINT32_MAX ? v : UINT32_MAX) : b;
    return st;
}

static enum rdb_status module_data(struct rdb_file *f) {
    f->about.module_data++;
    enum rdb_status st = rdb_foreign_lengths(&f->in, 3); /* module; when it is to be loaded, in two parts */
    return st ? st : rdb_foreign_module(&f->in);
}

static enum rdb_status slot_import(struct rdb_file *f) {
    uint64_t n = 0;
    enum rdb_status st = rdb_foreign_string(&f->in);
    if (!st) st = rdb_reader_length(&f->in, &n);
    while (!st && n--) st = rdb_foreign_lengths(&f->in, 2);
    return st;
}

static enum rdb_status resize(struct rdb_file *f) {
    uint64_t n = 0;
    enum rdb_status st = rdb_reader_length(&f->in, &n);
    f->about.keys_told += n;
    return st ? st : rdb_foreign_lengths(&f->in, 1);
}

static enum rdb_status select_db(struct rdb_file *f) {
    uint64_t n = 0;
    enum rdb_status st = rdb_reader_length(&f->in, &n);
    if (!st && n > INT32_MAX) st = RDB_BAD;
    f->db = (unsigned)n;
    return st;
}

/* What stands between keys. *known: it was one of these. */
static enum rdb_status opcode(struct rdb_file *f, uint8_t op, struct record *r, bool *known) {
    *known = true;
    switch (op) {
    case OP_AUX: return aux(f);
    case OP_RESIZE: return resize(f);
    case OP_SELECT: return select_db(f);
    case OP_EXPIRE:
    case OP_EXPIRE_MS: return deadline(f, op, r);
    case OP_IDLE:
    case OP_FREQUENCY: return used(f, op, r);
    case OP_SLOT_INFO: return rdb_foreign_lengths(&f->in, 3);
    case OP_FUNCTION:
        f->about.functions++;
        return rdb_foreign_string(&f->in);
    case OP_MODULE_DATA: return module_data(f);
    case OP_SLOT_IMPORT:
        if (f->about.valkey) return slot_import(f);
        break;
    default: break;
    }
    *known = false;
    return RDB_OK;
}

/* -- values -------------------------------------------------------------------------------------------------------------------- */

static bool is_stream(uint8_t type) { return type == RDB_STREAM || type == RDB_STREAM_2 || type == RDB_STREAM_3; }

/* A value of a kind that there is no place for. */
static enum rdb_file_status foreign(struct rdb_file *f, uint8_t type) {
    enum rdb_status st = rdb_foreign_string(&f->in); /* its key */
    if (!st && is_stream(type)) {
        f->about.streams++;
        st = rdb_foreign_stream(&f->in, type);
    } else if (!st) {
        f->about.modules++;
        st = rdb_foreign_lengths(&f->in, 1);
        if (!st) st = rdb_foreign_module(&f->in);
    }
    if (st) return bad(f, st);
    if (!f->options.refuse) return RDB_FILE_RECORD;
    return wrong(f, RDB_FILE_REFUSED, "a %s at offset %llu", is_stream(type) ? "stream" : "module's value",
        (unsigned long long)f->op_offset);
}

static enum rdb_file_status packed_string(struct rdb_file *f, struct record *r, uint64_t *total) {
    uint64_t packed, n;
    enum rdb_status st = rdb_reader_packed(&f->in, &packed, &n);
    if (!st && n > RECORD_LARGE) {
        f->lzf = rdb_lzf_new(&f->in, packed, *total = n);
        return RDB_FILE_LARGE;
    }
    if (!st) st = rdb_reader_unpack(&f->in, packed, n, &f->value, &r->string);
    return st ? bad(f, st) : RDB_FILE_RECORD;
}

static enum rdb_file_status string(struct rdb_file *f, struct record *r, uint64_t *total) {
    uint64_t n;
    bool special;
    enum rdb_status st = rdb_reader_head(&f->in, &n, &special);
    if (!st && special && n == RDB_PACKED) return packed_string(f, r, total);
    if (!st && !special && n > RECORD_LARGE) {
        f->left = *total = n;
        return n > (uint64_t)UINT32_MAX ? bad(f, RDB_BAD) : RDB_FILE_LARGE;
    }
    f->in.direct = true;
    if (!st) st = rdb_reader_body(&f->in, n, special, &f->value, &r->string);
    f->in.direct = false;
    return st ? bad(f, st) : RDB_FILE_RECORD;
}

/* RDB_FILE_END: there is nothing in it, go on with the next. */
static enum rdb_file_status collection(struct rdb_file *f, uint8_t type, struct record *r, bool wanted) {
    enum rdb_status st = rdb_load_new(&f->load, &f->in, type, f->options.limits, f->options.seed, f->options.now);
    if (!st && f->about.valkey) rdb_load_valkey(f->load);
    if (!st) rdb_load_ask(f->load, (struct allowance_giver){f->options.room, f->options.arg});
    if (!st && !wanted) rdb_load_forget(f->load);
    for (st = st ? st : RDB_MORE; st == RDB_MORE;) st = rdb_load_step(f->load, STEP);
    if (st == RDB_EMPTY || st == RDB_PAST) {
        f->about.empty += st == RDB_EMPTY;
        f->about.past += st == RDB_PAST;
        return RDB_FILE_END;
    }
    if (st) return bad(f, st);
    if (rdb_load_forgotten(f->load)) return RDB_FILE_PASSED;
    r->type = rdb_load_type(f->load);
    r->home = rdb_load_home(f->load);
    return RDB_FILE_RECORD;
}

static bool type_known(const struct rdb_file *f, uint8_t type) {
    if (f->about.valkey) return type <= RDB_HASH_FIELDS_OLD && type != 8;
    return type <= RDB_HASH_LISTPACK_FIELDS && type != 8;
}

static enum rdb_file_status value(struct rdb_file *f, uint8_t type, struct record *r, uint64_t *total) {
    if (type == RDB_MODULE)
        return wrong(f, RDB_FILE_DAMAGED, "a module's value in the first form, which cannot be parsed, at offset %llu",
            (unsigned long long)f->op_offset);
    if (!type_known(f, type))
        return wrong(f, RDB_FILE_DAMAGED, "unknown type %u at offset %llu", type, (unsigned long long)f->op_offset);
    if (is_stream(type) || type == RDB_MODULE_2) {
        enum rdb_file_status st = foreign(f, type);
        return st == RDB_FILE_RECORD ? RDB_FILE_END : st;
    }
    enum rdb_status st = rdb_reader_string(&f->in, &f->key, &r->key);
    if (st) return bad(f, st);
    r->db = f->db;
    bool wanted = !f->options.wants || f->options.wants(f->options.arg, r);
    if (type != RDB_STRING) return collection(f, type, r, wanted);
    if (wanted) return string(f, r, total);
    st = rdb_foreign_string(&f->in);
    return st ? bad(f, st) : RDB_FILE_PASSED;
}

/* -- the end ------------------------------------------------------------------------------------------------------------------- */

static enum rdb_file_status end(struct rdb_file *f) {
    uint64_t told;
    sum_up(f);
    if (f->about.version < SUM_VERSION) return RDB_FILE_END;
    uint64_t sum = f->sum;
    if (rdb_reader_u64(&f->in, &told)) return bad(f, RDB_SHORT);
    if (!told || told == sum) return RDB_FILE_END;
    return wrong(f, RDB_FILE_DAMAGED, "wrong checksum: the file says %016llx, its content has %016llx", (unsigned long long)told,
        (unsigned long long)sum);
}

enum rdb_file_status rdb_file_next(struct rdb_file *f, struct record *r, uint64_t *total) {
    enum rdb_file_status st = f->begun ? RDB_FILE_RECORD : begin(f);
    rdb_load_free(f->load);
    f->load = NULL;
    *r = (struct record){.db = 0};
    while (st == RDB_FILE_RECORD) {
        uint8_t op;
        bool known;
        f->op_offset = rdb_file_offset(f);
        if (rdb_reader_u8(&f->in, &op)) return bad(f, RDB_SHORT);
        if (op == OP_END) return end(f);
        enum rdb_status right = opcode(f, op, r, &known);
        if (right) return bad(f, right);
        if (known) {
            if (f->options.refuse && (op == OP_FUNCTION || op == OP_MODULE_DATA))
                return wrong(f, RDB_FILE_REFUSED, "%s at offset %llu", op == OP_FUNCTION ? "functions" : "a module's data",
                    (unsigned long long)f->op_offset);
            continue;
        }
        st = value(f, op, r, total);
        if (st < RDB_FILE_END) {
            f->about.records++;
            return st;
        }
        if (st != RDB_FILE_END) return st;
        rdb_load_free(f->load);
        f->load = NULL;
        *r = (struct record){.db = 0};
        st = RDB_FILE_RECORD;
    }
    return st;
}

enum rdb_file_status rdb_file_more(struct rdb_file *f, struct slice *piece) {
    if (f->lzf) {
        enum rdb_status st = rdb_lzf_next(f->lzf, piece);
        if (st) {
            rdb_lzf_free(f->lzf);
            f->lzf = NULL;
        }
        return !st ? RDB_FILE_RECORD : st == RDB_END ? RDB_FILE_END : bad(f, st);
    }
    if (!f->left) return RDB_FILE_END;
    if (f->in.p == f->in.end && !rdb_reader_has(&f->in, f->left < PIECE ? (size_t)f->left : PIECE)) return bad(f, RDB_SHORT);
    size_t n = (size_t)(f->in.end - f->in.p);
    if (n > f->left) n = (size_t)f->left;
    *piece = (struct slice){(const char *)f->in.p, n};
    f->in.p += n;
    f->left -= n;
    return RDB_FILE_RECORD;
}
