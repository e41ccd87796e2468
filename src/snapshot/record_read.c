/* Records out of bytes. Nothing is read behind the end, and no number is believed before the bytes for it are there. */
#include "snapshot/record.h"
#include "store/packed.h"
#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

#include <math.h>

#define LZ4_MOST 255 /* bytes that one byte of LZ4 can stand for, about */
#define LZ4_LONGEST ((size_t)1 << 30)

struct cursor {
    const uint8_t *p, *end;
    size_t wants; /* how many bytes from p on would be needed; after false */
    bool cut;     /* what is there may be right: there is too little of it */
};

static bool has(struct cursor *c, size_t n) {
    if ((size_t)(c->end - c->p) >= n) return true;
    c->wants = n;
    c->cut = true;
    return false;
}

static bool length(struct cursor *c, size_t *out) {
    if (!has(c, 1)) return false;
    size_t n = *c->p < 128 ? 1 : *c->p < 192 ? 2 : 5;
    if (!has(c, n)) return false;
    *out = varint_get(&c->p);
    return true;
}

static bool bytes(struct cursor *c, size_t n, struct slice *out) {
    if (!has(c, n)) return false;
    *out = (struct slice){(const char *)c->p, n};
    c->p += n;
    return true;
}

static bool text(struct cursor *c, struct slice *out) {
    size_t n;
    return length(c, &n) && bytes(c, n, out);
}

static bool little(struct cursor *c, int n, uint64_t *out) {
    if (!has(c, (size_t)n)) return false;
    *out = 0;
    for (int i = 0; i < n; i++) *out |= (uint64_t)c->p[i] << 8 * i;
    c->p += n;
    return true;
}

static bool deadline(struct cursor *c, int64_t *out) {
    uint64_t v;
    if (!little(c, 6, &v)) return false;
    *out = (int64_t)v;
    return v;
}

/* -- heads -------------------------------------------------------------------------------------------------------------------- */

static bool get_head(struct cursor *c, struct record *r) {
    size_t db;
    uint8_t tag;
    *r = (struct record){.db = 0};
    if (!has(c, 1)) return false;
    tag = *c->p++;
    r->type = (enum value_type)(tag & 7);
    r->use = (enum record_use)(tag >> 6);
    unsigned form = tag >> 3 & 3;
    if (!length(c, &db) || db > UINT16_MAX) return false;
    r->db = (unsigned)db;
    if (r->type > VALUE_HASH || form > 1 || (form && r->type != VALUE_STRING) || r->use > RECORD_FREQUENCY) return false;
    if (r->use) {
        if (!has(c, 1)) return false;
        r->used = r->use == RECORD_IDLE ? record_idle_unpack(*c->p) : *c->p;
        c->p++;
    }
    if ((tag & 0x20) && !deadline(c, &r->deadline)) return false;
    if (!text(c, &r->key)) return false;
    return !form || (length(c, &r->original) && r->original && r->original <= LZ4_LONGEST);
}

bool record_sound(const struct record *r, struct slice packed) {
    char *space = mem_alloc(MEM_UPKEEP, PACKED_BLOCK);
    bool right = packed_sound(packed, space) && packed_length(packed) == r->original;
    mem_free(MEM_UPKEEP, space);
    return right;
}

bool record_plain(const struct record *r, struct slice packed, char *out) {
    char *space = mem_alloc(MEM_UPKEEP, PACKED_BLOCK);
    bool right = packed_sound(packed, space) && packed_length(packed) == r->original;
    if (right) packed_part(packed, 0, r->original, out, space);
    mem_free(MEM_UPKEEP, space);
    return right;
}

static bool original_likely(const struct record *r, uint64_t n) { return !r->original || r->original / LZ4_MOST <= n; }

static enum record_status taken(struct slice *in, const struct cursor *c, bool ok) {
    if (!ok) return RECORD_BAD;
    in->n -= (size_t)((const char *)c->p - in->p);
    in->p = (const char *)c->p;
    return RECORD_OK;
}

static bool get(struct cursor *c, struct record *r) {
    struct slice value;
    size_t count;
    if (!get_head(c, r) || !text(c, &value)) return false;
    if (r->type == VALUE_STRING) {
        r->string = value;
        return original_likely(r, value.n);
    }
    struct cursor body = {.p = (const uint8_t *)value.p, .end = (const uint8_t *)value.p + value.n};
    if (!length(&body, &count)) return false;
    r->members = count;
    r->body = (struct slice){(const char *)body.p, (size_t)(body.end - body.p)};
    return count;
}

enum record_status record_get(struct slice *in, struct record *r) {
    struct cursor c = {.p = (const uint8_t *)in->p, .end = (const uint8_t *)in->p + in->n};
    return taken(in, &c, get(&c, r));
}

enum record_status record_get_head(struct slice *in, struct record *r, uint64_t *total) {
    struct cursor c = {.p = (const uint8_t *)in->p, .end = (const uint8_t *)in->p + in->n};
    bool ok = get_head(&c, r) && little(&c, 8, total) && *total && original_likely(r, *total);
    if (ok && r->type != VALUE_STRING) r->members = *total;
    return taken(in, &c, ok);
}

/* -- members ------------------------------------------------------------------------------------------------------------------ */

void record_fill_begin(struct record_fill *f, struct home *home, const struct record *r, uint64_t members, int64_t now) {
    *f = (struct record_fill){.home = home, .type = r->type, .left = members, .now = now};
}

/* Reads one; adds it if it is all there. False: it is not, or it is wrong (c->cut tells). */
static bool add_scored(struct cursor *c, struct record_fill *f) {
    uint64_t bits;
    double score;
    struct slice member;
    if (!little(c, 8, &bits) || !text(c, &member)) return false;
    memcpy(&score, &bits, sizeof score);
    return !isnan(score) && zset_add(f->home, member, &score, ZSET_SIGNED) == ZSET_ADDED;
}

static bool add_field(struct cursor *c, struct record_fill *f) {
    struct member m = {.due = 0};
    size_t n;
    if (!length(c, &n)) return false;
    if ((n & 1) && !deadline(c, &m.due)) return false;
    if (!bytes(c, n / 2, &m.name) || !text(c, &m.value)) return false;
    if (m.due && m.due <= f->now) {
        f->past++;
        return true;
    }
    return hash_put(f->home, &m, 0);
}

static bool add_one(struct cursor *c, struct record_fill *f) {
    struct slice one;
    switch (f->type) {
    case VALUE_ZSET: return add_scored(c, f);
    case VALUE_HASH: return add_field(c, f);
    default: break;
    }
    if (!text(c, &one)) return false;
    if (f->type == VALUE_SET) return set_add(f->home, one);
    list_growing(f->home, one.n, 1);
    list_push(f->home, LIST_TAIL, one);
    return true;
}

enum record_status record_fill_add(struct record_fill *f, struct slice *body) {
    struct cursor c = {.p = (const uint8_t *)body->p, .end = (const uint8_t *)body->p + body->n};
    enum record_status st = RECORD_OK;
    while (!st && f->left) {
        const uint8_t *begin = c.p;
        if (add_one(&c, f)) {
            f->left--;
            if (!allowance_take(&f->allowance, (size_t)(c.p - begin) + ALLOWANCE_MEMBER)) st = RECORD_NO_ROOM;
            continue;
        }
        st = c.cut ? RECORD_MORE : RECORD_BAD;
        f->wants = (size_t)(c.p - begin) + c.wants;
        c.p = begin;
    }
    if (!st && !f->left && c.p != c.end) st = RECORD_BAD;
    body->n = (size_t)(c.end - c.p);
    body->p = (const char *)c.p;
    return st;
}

enum record_status record_fill_end(struct record_fill *f) {
    return f->left || (!f->past && !value_ops(f->type)->count(f->home)) ? RECORD_BAD : RECORD_OK;
}
