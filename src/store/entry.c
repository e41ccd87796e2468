#include "store/entry.h"

#include "base/mem.h"
#include "base/num.h"
#include "store/slab.h"

#include <assert.h>
#include <stdatomic.h>

#define EMBSTR_MAX 44 /* Redis's OBJ_ENCODING_EMBSTR_SIZE_LIMIT */

static inline bool is_wide(int64_t deadline) {
    return deadline && (deadline < ENTRY_EPOCH || deadline - ENTRY_EPOCH >= (int64_t)1 << (8 * ENTRY_NARROW));
}

static inline size_t header_size(const struct entry_spec *s, bool extended) {
    return 5 + (extended ? ENTRY_EXTENSION : 0) + varint_size(s->key.n) + varint_size(s->valuelen) +
           (s->deadline && !extended ? ENTRY_NARROW : 0);
}

/* A stale window in two bytes: twelve bits of it, and how far they are shifted. Rounded up. */
static uint16_t stale_pack(int64_t ms) {
    unsigned shift = 0;
    if (ms > ENTRY_STALE_MAX) ms = ENTRY_STALE_MAX;
    while (ms > 4095ll << shift) shift++;
    return (uint16_t)(((uint64_t)ms + (1ull << shift) - 1) >> shift | shift << 12);
}

int64_t entry_stale(const struct entry *e) {
    uint16_t v = 0;
    if (entry_kind(e) & ENTRY_EXTENDED) memcpy(&v, (const char *)e + 6, sizeof v);
    return (int64_t)(v & 4095) << (v >> 12);
}

struct shape {
    bool extended; /* large blocks, wide deadlines and stale windows need the extension */
    size_t header, need;
};

static inline struct shape shape_of(const struct entry_spec *s) {
    size_t header = header_size(s, false), bytes = s->key.n + s->valuelen;
    bool extended = is_wide(s->deadline) || s->stale || header + bytes > SLAB_MAX;
    if (__builtin_expect(extended, 0)) header = header_size(s, true);
    return (struct shape){extended, header, header + bytes};
}

size_t entry_need(const struct entry_spec *s) { return shape_of(s).need; }

size_t entry_size(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    return (size_t)(p.value - (const char *)e) + p.valuelen;
}

/* Blocks larger than SLAB_MAX come from the allocator, all others from slabs: what an entry needs says where it lies. */
static bool in_slab(const struct entry *e) {
    return __builtin_expect(!(entry_kind(e) & ENTRY_EXTENDED), 1) || entry_size(e) <= SLAB_MAX;
}

size_t entry_memory(const struct entry *e) { return in_slab(e) ? slab_usable(e) : mem_usable(e); }

static _Atomic uint32_t *references(const struct entry *e) { return (_Atomic uint32_t *)((char *)e + 8); }

static uint8_t *put_header(struct entry *e, const struct entry_spec *s, bool extended) {
    uint8_t *p = (uint8_t *)e;
    p[0] = (uint8_t)((unsigned)s->type | (unsigned)s->form << 3 | (s->deadline ? ENTRY_DEADLINE : 0) | (extended ? ENTRY_EXTENDED : 0));
    memcpy(p + 1, &s->access, sizeof s->access);
    p += 5;
    if (__builtin_expect(extended, 0)) {
        uint16_t stale = stale_pack(s->stale);
        memset(p, 0, ENTRY_EXTENSION);
        memcpy(p + 1, &stale, sizeof stale);
        memcpy((char *)e + ENTRY_WIDE_AT, &s->deadline, sizeof s->deadline);
        p += ENTRY_EXTENSION;
    }
    p = varint_put(p, s->key.n);
    p = varint_put(p, s->valuelen);
    if (s->deadline && !extended) {
        int64_t v = s->deadline - ENTRY_EPOCH;
        memcpy(p, &v, ENTRY_NARROW);
        p += ENTRY_NARROW;
    }
    return p;
}

static struct entry *make(const struct entry_spec *s, size_t extra) {
    struct shape shape = shape_of(s);
    struct entry *e = shape.need <= SLAB_MAX ? slab_alloc(shape.need) : mem_alloc(MEM_DATA, shape.need + extra);
    uint8_t *p = put_header(e, s, shape.extended);
    memcpy(p, s->key.p, s->key.n);
    if (__builtin_expect(s->form == FORM_LZ4, 0)) packed_count(1, (int64_t)s->valuelen, (int64_t)s->plain);
    return e;
}

/* A packed string goes, or is written over. */
static void uncount(const struct entry *e) {
    struct slice v = entry_value(e);
    packed_count(-1, -(int64_t)v.n, -(int64_t)packed_length(v));
}

struct entry *entry_new(const struct entry_spec *s) { return make(s, 0); }
struct entry *entry_new_roomy(const struct entry_spec *s) { return make(s, s->valuelen / ENTRY_ROOMY); }

bool entry_can_rewrite(const struct entry *e, const struct entry_spec *s, bool grow) {
    if (entry_type(e) != s->type && (entry_form(e) == FORM_POINTER || s->form == FORM_POINTER)) return false;
    if (entry_form(e) == FORM_POINTER) return s->form == FORM_POINTER && entry_need(s) <= SLAB_MAX && in_slab(e) && entry_need(s) <= slab_usable(e);
    size_t need = shape_of(s).need;
    bool slab = in_slab(e);
    if ((need <= SLAB_MAX) != slab) return false;
    if (slab) {
        size_t usable = slab_usable(e);
        return need <= usable && (grow || slab_class_size(need) + 8 >= usable);
    }
    size_t usable = mem_usable(e);
    return need <= usable && (grow || usable - need <= usable / 4) && !entry_pinned(e);
}

void entry_rewrite(struct entry *e, const struct entry_spec *s, size_t keep) {
    struct entry_parts old = entry_parts(e);
    struct shape shape = shape_of(s);
    char *key = (char *)e + shape.header;
    if (__builtin_expect(entry_packed(e), 0)) uncount(e);
    if (__builtin_expect(s->form == FORM_LZ4, 0)) packed_count(1, (int64_t)s->valuelen, (int64_t)s->plain);
    if (key != old.key) memmove(key, old.key, old.keylen + keep);
    put_header(e, s, shape.extended);
}

bool entry_rename(struct entry *e, struct slice key) {
    struct entry_spec spec = entry_spec_of(e);
    struct entry_parts old = entry_parts(e);
    spec.key = key;
    if (!entry_can_rewrite(e, &spec, false)) return false;
    struct shape shape = shape_of(&spec);
    char *to = (char *)e + shape.header;
    memmove(to + key.n, old.value, old.valuelen);
    put_header(e, &spec, shape.extended);
    memcpy(to, key.p, key.n);
    return true;
}

bool entry_set_deadline(struct entry *e, int64_t deadline) {
    uint8_t *kind = (uint8_t *)e;
    if (in_slab(e)) return false;
    memcpy((char *)e + ENTRY_WIDE_AT, &deadline, sizeof deadline);
    *kind = (uint8_t)(deadline ? *kind | ENTRY_DEADLINE : *kind & ~ENTRY_DEADLINE);
    return true;
}

struct entry_spec entry_spec_of(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    return (struct entry_spec){.type = entry_type(e), .form = entry_form(e), .access = entry_access(e),
        .deadline = entry_parts_deadline(&p), .key = {p.key, p.keylen}, .valuelen = p.valuelen,
        .plain = entry_packed(e) ? packed_length((struct slice){p.value, p.valuelen}) : 0, .stale = entry_stale(e)};
}

static void free_now(struct entry *e) {
    if (__builtin_expect(entry_packed(e), 0)) uncount(e);
    if (in_slab(e)) slab_free(e);
    else mem_free(MEM_DATA, e);
}

void entry_free_block(struct entry *e) {
    /* A reply that refers to the value frees it when it is sent. */
    if (!in_slab(e) && atomic_fetch_or_explicit(references(e), ENTRY_GONE, memory_order_acq_rel)) return;
    free_now(e);
}

void entry_free(struct entry *e) {
    if (entry_form(e) == FORM_POINTER && value_release(entry_pointer(e))) value_free(entry_type(e), entry_pointer(e));
    entry_free_block(e);
}

bool entry_pin(struct entry *e) {
    if (in_slab(e)) return false;
    atomic_fetch_add_explicit(references(e), 1, memory_order_relaxed);
    return true;
}

void entry_release(void *e) {
    if (atomic_fetch_sub_explicit(references(e), 1, memory_order_acq_rel) == (ENTRY_GONE | 1)) free_now(e);
}

bool entry_pinned(const struct entry *e) {
    return !in_slab(e) && atomic_load_explicit(references(e), memory_order_acquire) != 0;
}

struct home entry_home(const struct entry *e) {
    struct entry_parts p = entry_parts(e);
    struct home h = {.form = (enum value_form)entry_form(e)};
    if (h.form == VALUE_OBJECT) {
        memcpy(&h.object, p.value, sizeof h.object);
    } else {
        h.p = (uint8_t *)(uintptr_t)p.value;
        h.n = h.room = p.valuelen;
    }
    return h;
}

int64_t entry_due_inside(const struct entry *e) {
    int64_t deadline = entry_deadline(e), due = 0;
    const struct value_ops *ops = value_ops(entry_type(e));
    if (ops && ops->due) {
        struct home h = entry_home(e);
        due = ops->due(&h);
    }
    return deadline && (!due || deadline < due) ? deadline : due;
}

const char *entry_encoding(const struct entry *e) {
    if (entry_type(e) != VALUE_STRING) {
        struct home h = entry_home(e);
        return value_ops(entry_type(e))->encoding(&h);
    }
    struct slice v = entry_value(e);
    int64_t n;
    if (entry_packed(e)) return packed_length(v) <= EMBSTR_MAX ? "embstr" : "raw"; /* too long for a number */
    if (entry_form(e) == FORM_RAW) return "raw";
    if (entry_form(e) == FORM_AUTO && v.n <= 20 && num_i64(v, &n)) return "int";
    return v.n <= EMBSTR_MAX ? "embstr" : "raw";
}
