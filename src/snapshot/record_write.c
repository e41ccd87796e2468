/* Records into bytes. */
#include "snapshot/record.h"
#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

enum { FORM_SHIFT = 3, DEADLINE = 0x20, USE_SHIFT = 6 };
#define HEAD_MOST 64 /* bytes of a record but for key and value */

struct record_pieces {
    struct record record;
    size_t at;             /* in the string */
    bool walking, over;    /* over: nothing is left to be written */
    struct list_at list;
    union {
        struct set_at set;
        struct zset_at zset;
        struct hash_at hash;
    } walk;
};

/* -- the parts --------------------------------------------------------------------------------------------------------------- */

static uint8_t *put_deadline(uint8_t *p, int64_t deadline) {
    uint64_t v = deadline < 0 ? 1 : deadline > RECORD_DEADLINE_MOST ? RECORD_DEADLINE_MOST : (uint64_t)deadline;
    for (int i = 0; i < 6; i++) *p++ = (uint8_t)(v >> 8 * i);
    return p;
}

static uint8_t *put_bytes(uint8_t *p, struct slice s) {
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

static void put_text(struct buf *out, struct slice s) {
    uint8_t *p = (uint8_t *)buf_room(out, s.n + 5);
    out->n += (size_t)(put_bytes(varint_put(p, s.n), s) - p);
}

/* Up to the value. */
static uint8_t *put_head(uint8_t *p, const struct record *r) {
    *p++ = (uint8_t)(r->type | (r->original ? 1u << FORM_SHIFT : 0) | (r->deadline ? DEADLINE : 0) | (unsigned)r->use << USE_SHIFT);
    p = varint_put(p, r->db);
    if (r->use == RECORD_IDLE) *p++ = record_idle_pack(r->used);
    if (r->use == RECORD_FREQUENCY) *p++ = (uint8_t)(r->used > 255 ? 255 : r->used);
    if (r->deadline) p = put_deadline(p, r->deadline);
    p = put_bytes(varint_put(p, r->key.n), r->key);
    if (r->original) p = varint_put(p, r->original);
    return p;
}

uint8_t record_idle_pack(uint32_t seconds) {
    uint64_t v = (uint64_t)seconds + 1; /* at least 1: 2^k <= v */
    unsigned power = 63 - (unsigned)__builtin_clzll(v);
    unsigned eighths = power < 3 ? (unsigned)((v << (3 - power)) & 7) : (unsigned)(v >> (power - 3) & 7);
    return (uint8_t)(power > 31 ? 255 : power * 8 + eighths);
}

uint32_t record_idle_unpack(uint8_t b) {
    uint64_t eighths = 8 + (b & 7);
    unsigned power = b >> 3;
    uint64_t v = power < 3 ? eighths >> (3 - power) : eighths << (power - 3);
    return (uint32_t)(v - 1);
}

/* -- members ------------------------------------------------------------------------------------------------------------------ */

static uint64_t members(const struct record *r) { return r->home ? value_ops(r->type)->count(r->home) : r->members; }

static bool put_element(struct record_pieces *p, struct buf *out) {
    if (!p->walking) p->walking = list_seek(p->record.home, &p->list, 0);
    if (!p->walking) return false;
    put_text(out, p->list.text);
    if (list_next(p->record.home, &p->list)) return true;
    list_leave(&p->list);
    p->walking = false;
    p->over = true;
    return true;
}

static bool put_member(struct record_pieces *p, struct buf *out) {
    struct slice member;
    if (!set_next(p->record.home, &p->walk.set, &member)) return false;
    put_text(out, member);
    return true;
}

static bool put_scored(struct record_pieces *p, struct buf *out) {
    struct slice member;
    double score;
    if (!p->walking) {
        zset_seek(&p->walk.zset, p->record.home, 0, false);
        p->walking = true;
    }
    if (!zset_next(&p->walk.zset, &member, &score)) return false;
    uint64_t bits;
    memcpy(&bits, &score, sizeof bits);
    uint8_t *to = (uint8_t *)buf_room(out, 8);
    for (int i = 0; i < 8; i++) to[i] = (uint8_t)(bits >> 8 * i);
    out->n += 8;
    put_text(out, member);
    return true;
}

static bool put_field(struct record_pieces *p, struct buf *out) {
    struct member m;
    if (!hash_next(p->record.home, &p->walk.hash, 0, &m)) return false;
    uint8_t *from = (uint8_t *)buf_room(out, m.name.n + m.value.n + 16), *to = varint_put(from, m.name.n * 2 + (m.due != 0));
    if (m.due) to = put_deadline(to, m.due);
    to = put_bytes(to, m.name);
    to = put_bytes(varint_put(to, m.value.n), m.value);
    out->n += (size_t)(to - from);
    return true;
}

static bool put_next(struct record_pieces *p, struct buf *out) {
    if (p->over) return false;
    switch (p->record.type) {
    case VALUE_LIST: return put_element(p, out);
    case VALUE_SET: return put_member(p, out);
    case VALUE_ZSET: return put_scored(p, out);
    default: return put_field(p, out);
    }
}

/* -- whole -------------------------------------------------------------------------------------------------------------------- */

static size_t value_bytes(const struct record *r) {
    if (r->type == VALUE_STRING) return r->string.n;
    if (!r->home) return r->body.n;
    if (!r->home->object) return 2 * r->home->n;
    return value_ops(r->type)->memory(r->home->object);
}

size_t record_room(const struct record *r) { return HEAD_MOST + r->key.n + value_bytes(r); }
bool record_large(const struct record *r) { return value_bytes(r) > RECORD_LARGE; }

static void put_collection(struct buf *out, const struct record *r) {
    /* The members' bytes are told before them: room for the longest length is left, and closed up behind. */
    size_t at = out->n;
    buf_room(out, 10);
    out->n += 10;
    if (r->home) {
        struct record_pieces p = {.record = *r};
        while (put_next(&p, out)) {}
    } else {
        buf_put(out, r->body.p, r->body.n);
    }
    uint8_t count[5], head[5];
    size_t k = (size_t)(varint_put(count, members(r)) - count), n = out->n - at - 10;
    size_t l = (size_t)(varint_put(head, n + k) - head);
    uint8_t *p = (uint8_t *)out->p + at;
    memmove(p + l + k, p + 10, n);
    memcpy(p, head, l);
    memcpy(p + l, count, k);
    out->n = at + l + k + n;
}

void record_put(struct buf *out, const struct record *r) {
    bool string = r->type == VALUE_STRING;
    uint8_t *from = (uint8_t *)buf_room(out, HEAD_MOST + r->key.n + (string ? r->string.n : 0)), *to = put_head(from, r);
    if (string) to = put_bytes(varint_put(to, r->string.n), r->string);
    out->n += (size_t)(to - from);
    if (!string) put_collection(out, r);
}

/* -- in pieces ---------------------------------------------------------------------------------------------------------------- */

struct record_pieces *record_pieces_new(const struct record *r) {
    struct record_pieces *p = mem_zalloc(MEM_UPKEEP, sizeof *p);
    p->record = *r;
    return p;
}

void record_pieces_free(struct record_pieces *p) {
    if (!p) return;
    if (p->record.type == VALUE_LIST && p->walking) list_leave(&p->list);
    mem_free(MEM_UPKEEP, p);
}

void record_pieces_head(const struct record_pieces *p, struct buf *out) {
    const struct record *r = &p->record;
    uint8_t *from = (uint8_t *)buf_room(out, HEAD_MOST + r->key.n), *to = put_head(from, r);
    uint64_t total = r->type == VALUE_STRING ? r->string.n : members(r);
    for (int i = 0; i < 8; i++) *to++ = (uint8_t)(total >> 8 * i);
    out->n += (size_t)(to - from);
}

enum record_status record_pieces_step(struct record_pieces *p, struct buf *out, size_t most) {
    const struct record *r = &p->record;
    size_t until = out->n + most;
    if (r->home) {
        while (out->n < until)
            if (!put_next(p, out)) return RECORD_OK;
        return RECORD_MORE;
    }
    struct slice all = r->type == VALUE_STRING ? r->string : r->body;
    size_t n = all.n - p->at < most ? all.n - p->at : most;
    buf_put(out, all.p + p->at, n);
    p->at += n;
    return p->at < all.n ? RECORD_MORE : RECORD_OK;
}
