/* Packed:            [BIG]? records      BIG (a byte that begins no length): OBJECT ENCODING says hashtable
 *   a record         [name length] name [value length] value
 * Packed, timed:     [0 | BIG] [earliest deadline, or 0: 6] records
 *   a record         [name length] name [value length] value [deadline, or 0: 6]
 * Lengths as base/varint.h. Once a field has had a deadline a hash stays timed, as in Redis, until it is empty.
 */
#include "type/hash.h"

#define BIG 0xff
#define DUE_SIZE 6
#define HEAD_TIMED (1 + DUE_SIZE)

enum { MARK_BIG = 1, MARK_TIMED = 2 }; /* of a large one */

static bool is_timed(const struct home *h) { return h->form == VALUE_PACKED_ALT; }
static bool is_big(const struct home *h) { return h->n && h->p[0] == BIG; }
static size_t head_size(const struct home *h) { return is_timed(h) ? HEAD_TIMED : is_big(h); }
static bool is_dead(int64_t due, int64_t now) { return due && due <= now; }

static int64_t read_due(const uint8_t *p) {
    int64_t due = 0;
    for (unsigned i = 0; i < DUE_SIZE; i++) due |= (int64_t)p[i] << (8 * i);
    return due;
}

static void put_due(uint8_t *p, int64_t due) {
    for (unsigned i = 0; i < DUE_SIZE; i++) p[i] = (uint8_t)(due >> (8 * i));
}

static uint8_t *put_slice(uint8_t *p, struct slice s) {
    p = varint_put(p, s.n);
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

static size_t slice_size(struct slice s) { return varint_size(s.n) + s.n; }

/* -- packed -------------------------------------------------------------------------------------------------------------- */

/* Where a record and its parts are. */
struct record {
    size_t at, value, end; /* offsets: of the record, of its value's length, behind the value */
    size_t next;           /* of the record behind it */
};

static inline void read_packed(const struct home *h, size_t at, bool timed, struct record *r, struct member *out) {
    const uint8_t *p = h->p + at;
    r->at = at;
    out->name.n = varint_get(&p);
    out->name.p = (const char *)p;
    p += out->name.n;
    r->value = (size_t)(p - h->p);
    out->value.n = varint_get(&p);
    out->value.p = (const char *)p;
    p += out->value.n;
    r->next = r->end = (size_t)(p - h->p);
    out->due = 0;
    if (!timed) return;
    out->due = read_due(p);
    r->next += DUE_SIZE;
}

static inline __attribute__((always_inline)) bool search(const struct home *h, struct slice name, bool timed, struct record *r,
    struct member *out, size_t *before) {
    const uint8_t *p = h->p + head_size(h), *end = home_end(h);
    size_t n = 0;
    for (; p < end; n++) {
        const uint8_t *start = p;
        size_t length = varint_get(&p);
        if (length == name.n && (!length || !memcmp(p, name.p, length))) {
            read_packed(h, (size_t)(start - h->p), timed, r, out);
            *before = n;
            return true;
        }
        p += length;
        length = varint_get(&p);
        p += length + (timed ? DUE_SIZE : 0);
    }
    *before = n;
    return false;
}

/* *before: how many records come before it; all of them if it is not there. */
static bool find_packed(const struct home *h, struct slice name, struct record *r, struct member *out, size_t *before) {
    *before = 0;
    if (!h->n) return false;
    return is_timed(h) ? search(h, name, true, r, out, before) : search(h, name, false, r, out, before);
}

static size_t count_packed(const struct home *h, size_t from) {
    size_t n = 0, skip = is_timed(h) ? DUE_SIZE : 0;
    if (!h->n) return 0;
    for (const uint8_t *p = h->p + from, *end = home_end(h); p < end; n++) {
        size_t length = varint_get(&p);
        p += length;
        length = varint_get(&p);
        p += length + skip;
    }
    return n;
}

static void lower_due(struct home *h, int64_t due) {
    int64_t now = read_due(h->p + 1);
    if (due && (!now || due < now)) put_due(h->p + 1, due);
}

/* Gives all `n` records the room for a deadline. They are moved to the end of the new room, then each to its place. */
static void make_timed(struct home *h, size_t n) {
    size_t head = head_size(h), bytes = h->n - head, more = HEAD_TIMED - head + n * DUE_SIZE;
    bool big = is_big(h);
    home_grow(h, more);
    h->n += more;
    const uint8_t *from = memmove(h->p + h->n - bytes, h->p + head, bytes);
    uint8_t *to = h->p;
    *to++ = big ? BIG : 0;
    put_due(to, 0);
    to += DUE_SIZE;
    while (n--) {
        const uint8_t *start = from;
        for (int part = 0; part < 2; part++) {
            size_t length = varint_get(&from);
            from += length;
        }
        size_t size = (size_t)(from - start);
        memmove(to, start, size);
        put_due(to + size, 0);
        to += size + DUE_SIZE;
    }
    h->form = VALUE_PACKED_ALT;
}

static void make_big(struct home *h) {
    if (is_big(h)) return;
    if (is_timed(h)) h->p[0] = BIG;
    else *home_insert(h, 0, 1) = BIG;
}

static bool exceeds(const struct home *h, const struct member *what) {
    size_t most = (size_t)option_get(&h->limits->hash_value);
    return what->name.n > most || what->value.n > most;
}

static void make_object(struct home *h) {
    struct members *m = members_new(h->seed, true);
    struct member what;
    for (struct record r = {.next = h->n ? head_size(h) : 0}; r.next < h->n;) {
        read_packed(h, r.next, is_timed(h), &r, &what);
        members_set(m, &what);
    }
    members_mark(m, (is_big(h) ? MARK_BIG : 0u) | (is_timed(h) ? MARK_TIMED : 0u));
    home_become(h, m);
}

static bool put_object(struct home *h, const struct member *what, int64_t now) {
    struct members *m = h->object;
    struct member old;
    bool was_dead = members_deadlines(m) && members_find(m, what->name, &old) && is_dead(old.due, now);
    bool fresh = members_set(m, what) || was_dead;
    unsigned marks = members_marks(m), more = marks;
    if (!(marks & MARK_BIG) && (exceeds(h, what) || members_count(m) > (size_t)option_get(&h->limits->hash_entries))) more |= MARK_BIG;
    if (what->due) more |= MARK_TIMED;
    if (more != marks) members_mark(m, more);
    return fresh;
}

static void append_packed(struct home *h, const struct member *what, size_t size) {
    home_grow(h, size);
    uint8_t *p = put_slice(put_slice(h->p + h->n, what->name), what->value);
    if (is_timed(h)) put_due(p, what->due);
    h->n += size;
}

static void replace_packed(struct home *h, const struct record *r, const struct member *what) {
    uint8_t *p = home_resize_part(h, r->value, r->end - r->value, slice_size(what->value));
    p = put_slice(p, what->value);
    if (is_timed(h)) put_due(p, what->due);
}

/* The hash is empty: it begins anew. */
static void reset_packed(struct home *h) {
    h->n = 0;
    h->form = VALUE_PACKED;
}

bool hash_put(struct home *h, const struct member *what, int64_t now) {
    if (h->object) return put_object(h, what, now);
    struct record r;
    struct member old;
    size_t n, more;
    bool there = find_packed(h, what->name, &r, &old, &n), timed = is_timed(h);
    size_t size = slice_size(what->name) + slice_size(what->value) + (timed ? DUE_SIZE : 0);
    size_t total = there ? n + count_packed(h, r.at) : n + 1;
    more = size + 1; /* and perhaps BIG */
    if (what->due && !timed) more += HEAD_TIMED + total * DUE_SIZE;
    if (there) more -= r.next - r.at;
    if (total > (size_t)option_get(&h->limits->hash_entries) || h->n + more > HOME_MAX) {
        make_object(h);
        return put_object(h, what, now);
    }
    if (what->due && !timed) {
        make_timed(h, total - !there);
        size += DUE_SIZE;
        if (there) find_packed(h, what->name, &r, &old, &n);
    }
    if (there) replace_packed(h, &r, what);
    else append_packed(h, what, size);
    if (__builtin_expect(exceeds(h, what), 0)) make_big(h);
    if (what->due) lower_due(h, what->due);
    return !there || is_dead(old.due, now);
}

/* -- either -------------------------------------------------------------------------------------------------------------- */

size_t hash_count(const struct home *h) {
    return h->object ? members_count(h->object) : count_packed(h, head_size(h));
}

bool hash_get(const struct home *h, struct slice field, int64_t now, struct member *out) {
    struct record r;
    size_t n;
    bool there = h->object ? members_find(h->object, field, out) : find_packed(h, field, &r, out, &n);
    return there && !is_dead(out->due, now);
}

bool hash_remove(struct home *h, struct slice field, int64_t now) {
    struct member old;
    if (h->object) {
        bool dead = members_deadlines(h->object) && members_find(h->object, field, &old) && is_dead(old.due, now);
        return members_remove(h->object, field) && !dead;
    }
    struct record r;
    size_t n;
    if (!find_packed(h, field, &r, &old, &n)) return false;
    home_remove(h, r.at, r.next - r.at);
    if (h->n == head_size(h)) reset_packed(h);
    return !is_dead(old.due, now);
}

bool hash_set_due(struct home *h, struct slice field, int64_t due, int64_t now) {
    struct member what;
    struct record r;
    size_t n;
    if (h->object) {
        if (!hash_get(h, field, now, &what)) return false;
        if (due) members_mark(h->object, members_marks(h->object) | MARK_TIMED);
        return members_set_due(h->object, field, due);
    }
    if (!find_packed(h, field, &r, &what, &n) || is_dead(what.due, now)) return false;
    if (!is_timed(h)) {
        if (!due) return true;
        n += count_packed(h, r.at);
        if (h->n + HEAD_TIMED + n * DUE_SIZE > HOME_MAX) {
            make_object(h);
            return hash_set_due(h, field, due, now);
        }
        make_timed(h, n);
        find_packed(h, field, &r, &what, &n);
    }
    put_due(h->p + r.end, due);
    lower_due(h, due);
    return true;
}

void hash_reserve(struct home *h, size_t bytes) {
    if (!h->object && h->n + bytes <= HOME_MAX) home_grow(h, bytes);
}

int64_t hash_due(const struct home *h) {
    if (h->object) return members_due(h->object);
    return h->n && is_timed(h) ? read_due(h->p + 1) : 0;
}

static void expire_packed(struct home *h, int64_t now, size_t *gone) {
    int64_t earliest = 0;
    for (struct record r = {.next = head_size(h)}; r.next < h->n;) {
        struct member have;
        read_packed(h, r.next, true, &r, &have);
        if (is_dead(have.due, now)) {
            home_remove(h, r.at, r.next - r.at);
            r.next = r.at;
            ++*gone;
        } else if (have.due && (!earliest || have.due < earliest)) {
            earliest = have.due;
        }
    }
    put_due(h->p + 1, earliest);
    if (h->n == head_size(h)) reset_packed(h);
}

bool hash_expire(struct home *h, int64_t now, size_t most, size_t *gone) {
    if (h->object) return members_expire(h->object, now, most, gone);
    if (is_dead(hash_due(h), now)) expire_packed(h, now, gone);
    return false;
}

bool hash_next(const struct home *h, struct hash_at *at, int64_t now, struct member *out) {
    if (h->object) {
        while (members_next(h->object, &at->members, out))
            if (!is_dead(out->due, now)) return true;
        return false;
    }
    if (!at->packed) at->packed = head_size(h);
    while (at->packed < h->n) {
        struct record r;
        read_packed(h, at->packed, is_timed(h), &r, out);
        at->packed = r.next;
        if (!is_dead(out->due, now)) return true;
    }
    return false;
}

bool hash_count_due(const struct home *h, struct hash_at *at, int64_t now, size_t most, size_t *n) {
    struct member have;
    int64_t due = hash_due(h);
    if (!due || due > now) return false;
    if (h->object) return members_count_due(h->object, &at->members, now, most, n);
    while (hash_next(h, at, 0, &have)) *n += is_dead(have.due, now);
    return false;
}

/* Of the k-th of those that are there. */
static bool nth(const struct home *h, size_t k, int64_t now, struct member *out) {
    struct hash_at at = {0};
    while (hash_next(h, &at, now, out))
        if (!k--) return true;
    return false;
}

static size_t below(uint64_t random, size_t n) { return (size_t)((random >> 32) * n >> 32); }

bool hash_random(const struct home *h, uint64_t random, int64_t now, struct member *out) {
    size_t n = hash_count(h), due = 0;
    if (h->object) /* nearly always at once, but where most of them are due */
        for (unsigned i = 0; i < 64; i++) {
            if (!members_random(h->object, random + i, out)) return false;
            if (!is_dead(out->due, now)) return true;
        }
    struct hash_at at = {0};
    while (hash_count_due(h, &at, now, SIZE_MAX, &due)) {}
    return n > due && nth(h, below(random, n - due), now, out);
}

uint64_t hash_scan(const struct home *h, uint64_t cursor, size_t count, members_each *each, void *arg) {
    if (h->object) return members_scan(h->object, cursor, count, each, arg);
    struct hash_at at = {0};
    struct member have;
    while (hash_next(h, &at, 0, &have)) each(arg, &have);
    return 0;
}

/* -- as a value ---------------------------------------------------------------------------------------------------------- */

static const char *encoding(const struct home *h) {
    unsigned marks = h->object ? members_marks(h->object) : (is_big(h) ? MARK_BIG : 0u) | (is_timed(h) ? MARK_TIMED : 0u);
    return marks & MARK_BIG ? "hashtable" : marks & MARK_TIMED ? "listpackex" : "listpack";
}

static size_t memory(const void *object) { return members_memory(object); }
static size_t effort(const void *object) { return members_effort(object); }
static bool free_some(void *object, size_t most) { return members_free(object, most); }
static void *clone(const void *object) { return members_clone(object); }

static bool expire(struct home *h, int64_t now, size_t most) {
    size_t gone = 0;
    return hash_expire(h, now, most, &gone);
}

static const struct value_ops ops = {
    .encoding = encoding,
    .count = hash_count,
    .memory = memory,
    .effort = effort,
    .free = free_some,
    .clone = clone,
    .due = hash_due,
    .expire = expire,
};

const struct value_ops *hash_ops(void) { return &ops; }

static const char *check_packed(const struct home *h) {
    if (h->n > HOME_MAX) return "a packed hash is too large";
    if (!h->n) return h->form == VALUE_PACKED ? NULL : "an empty hash has deadlines";
    if (h->n == head_size(h)) return "a packed hash has a head and nothing else";
    if (is_timed(h) && h->p[0] != BIG && h->p[0]) return "the first byte of a timed hash is neither";
    int64_t earliest = is_timed(h) ? read_due(h->p + 1) : 0;
    for (struct record r = {.next = head_size(h)}, again; r.next < h->n;) {
        struct member have, first;
        size_t n;
        read_packed(h, r.next, is_timed(h), &r, &have);
        if (r.next > h->n) return "a record goes beyond the end";
        if (have.due && (!earliest || have.due < earliest)) return "a deadline is before the earliest";
        if (!find_packed(h, have.name, &again, &first, &n) || again.at != r.at) return "a field is there twice";
    }
    return NULL;
}

const char *hash_check(const struct home *h) {
    if ((h->form == VALUE_OBJECT) != (h->object != NULL)) return "form and object do not agree";
    return h->object ? members_check(h->object) : check_packed(h);
}
