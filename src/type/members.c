/* Buckets have numbers from N to 2N - 1, N being how many there are, and cover hashes in that order. To grow, bucket N becomes
 * 2N and 2N + 1; to shrink, the last two become one. With hashes spread along a curve that is nearly exponential, buckets are at
 * any moment between 3/4 and 3/2 of the mean, in the same mixture: so blocks that become free in growing are of sizes that are
 * taken again, and what the allocator holds is what is used.
 *
 * A bucket:  [used 4][n 2][size 2] records ... -> free <- ... tags
 *
 * Tag i (a byte of the hash) is the i-th byte from the block's end, so that neither records nor tags move when one is added, and
 * a search compares eight tags at a time. A record, found by stepping over those before it, is one of
 *   [name length | WITH_DUE] [value length] name value [due 6]     in hashes
 *   [name length] name                                             in sets
 *   [LONG] [pointer]                                               to [has due] [name length] [value length] [due 6] name value
 */
#include "type/members_inside.h"

#include <endian.h>
#include <stdlib.h>

#define LOAD 16       /* members to a bucket, on average */
#define FIRST 4       /* the first group begins with room for so many */
#define WIDEST 2048 /* more records in one bucket would be thousands of equal hashes under a random seed */

/* -- records ------------------------------------------------------------------------------------------------------------- */

static void put_long(struct members *m, uint8_t *record, const struct member *what) {
    size_t n = 1 + varint_size(what->name.n) + varint_size(what->value.n) + (what->due ? DUE_SIZE : 0) + what->name.n + what->value.n;
    uint8_t *block = mem_alloc(MEM_DATA, n), *p = block;
    *p++ = what->due != 0;
    p = varint_put(p, what->name.n);
    p = varint_put(p, what->value.n);
    if (what->due) p = put_due(p, what->due);
    put_slice(put_slice(p, what->name), what->value);
    m->bytes += mem_usable(block);
    m->longs++;
    record[0] = LONG;
    memcpy(record + 1, &block, sizeof block);
}

static void put_record(struct members *m, uint8_t *p, const struct member *what) {
    if (__builtin_expect(is_long(what), 0)) {
        put_long(m, p, what);
        return;
    }
    *p++ = (uint8_t)(what->name.n | (what->due ? WITH_DUE : 0));
    if (m->values) *p++ = (uint8_t)what->value.n;
    p = put_slice(put_slice(p, what->name), what->value);
    if (what->due) put_due(p, what->due);
}

static void drop_block(struct members *m, uint8_t *block) {
    m->bytes -= mem_usable(block);
    m->longs--;
    mem_free(MEM_DATA, block);
}

/* Frees what a record has outside of its bucket. */
static void drop_long(struct members *m, const uint8_t *p) {
    if (p[0] == LONG) drop_block(m, long_block(p));
}

/* -- buckets ------------------------------------------------------------------------------------------------------------- */

/* A block with room for so many bytes of records and so many tags, and for what more the allocator gives anyway. */
static struct bucket *bucket_new(struct members *m, size_t used, size_t n) {
    size_t size = mem_class((sizeof(struct bucket) + used + n + 7) & ~(size_t)7) & ~(size_t)7;
    if (n > WIDEST || size / 8 > UINT16_MAX) abort();
    struct bucket *b = mem_alloc(MEM_DATA, size);
    m->bytes += size;
    *b = (struct bucket){.size = (uint16_t)(size / 8)};
    return b;
}

static void bucket_drop(struct members *m, struct bucket *b) {
    if (!b) return;
    m->bytes -= block_size(b);
    mem_free(MEM_DATA, b);
}

/* Appends `n` records of `bytes` bytes and their tags, which lie as in a bucket: the first one last. */
static void bucket_append(struct bucket *b, const uint8_t *records, size_t bytes, const uint8_t *tags_end, size_t n) {
    memcpy(b->records + b->used, records, bytes);
    memcpy(tag_at(b, b->n + n - 1), tags_end - n, n);
    b->used += (uint32_t)bytes;
    b->n = (uint16_t)(b->n + n);
}

static void bucket_append_all(struct bucket *b, const struct bucket *from) {
    if (from) bucket_append(b, from->records, from->used, tag_at(from, 0) + 1, from->n);
}

/* Another block for bucket i, in which `used` bytes of records and n tags have room. */
static struct bucket *bucket_refit(struct members *m, struct bucket **slot, size_t used, size_t n) {
    struct bucket *old = *slot, *b = bucket_new(m, used, n);
    bucket_append_all(b, old);
    bucket_drop(m, old);
    return *slot = b;
}

static inline bool bucket_fits(const struct bucket *b, size_t used, size_t n) {
    return b && sizeof *b + used + n <= block_size(b);
}

/* After records went: a smaller block if a quarter of this one is free, none if all of it. */
static void bucket_trim(struct members *m, struct bucket **slot) {
    struct bucket *b = *slot;
    if (!b->n) {
        bucket_drop(m, b);
        *slot = NULL;
    } else if ((sizeof *b + b->used + b->n) * 4 < block_size(b) * 3) {
        bucket_refit(m, slot, b->used, b->n);
    }
}

#define BYTES 0x0101010101010101ull

/* Bit 7 of each byte of the result is set exactly where that byte of x is zero. */
static inline uint64_t zero_bytes(uint64_t x) {
    const uint64_t low = 0x7f * BYTES;
    return ~(((x & low) + low) | x | low);
}

struct found {
    uint8_t *record;
    size_t index;
};

/* Steps from record to record up to those whose tags match. */
static inline __attribute__((always_inline)) bool search(struct bucket *b, uint8_t tag, struct slice name, bool values, struct found *f) {
    const uint8_t *end = tag_at(b, 0) + 1;
    uint8_t *p = b->records;
    size_t i = 0;
    for (size_t from = 0; from < b->n; from += 8) {
        uint64_t eight;
        memcpy(&eight, end - from - 8, sizeof eight); /* below the tags there is at least the head */
        for (uint64_t hits = zero_bytes(le64toh(eight) ^ tag * BYTES); hits;) {
            unsigned at = (unsigned)__builtin_clzll(hits) / 8;
            if (from + at >= b->n) return false;
            for (; i < from + at; i++) p += record_size(p, values);
            struct member have;
            read_record(p, values, &have);
            if (slice_equal(have.name, name)) {
                *f = (struct found){p, i};
                return true;
            }
            hits &= ~(0x8000000000000000ull >> (8 * at));
        }
    }
    return false;
}

static inline bool bucket_search(const struct members *m, struct bucket *b, uint64_t hash, struct slice name, struct found *f) {
    if (!b) return false;
    return m->values ? search(b, tag_of(hash), name, true, f) : search(b, tag_of(hash), name, false, f);
}

/* Makes record f of the bucket as long as `size` says; 0: it goes, its tag too. */
static void bucket_resize(struct members *m, struct bucket **slot, struct found *f, size_t size) {
    struct bucket *b = *slot;
    size_t old = record_size(f->record, m->values), at = (size_t)(f->record - b->records);
    if (size > old && !bucket_fits(b, b->used + size - old, b->n)) {
        b = bucket_refit(m, slot, b->used + size - old, b->n);
        f->record = b->records + at;
    }
    memmove(f->record + size, f->record + old, b->used - at - old);
    b->used = (uint32_t)(b->used + size - old);
    if (size) return;
    uint8_t *last = tag_at(b, b->n - 1u);
    memmove(last + 1, last, b->n - 1u - f->index);
    b->n--;
}

/* -- growing and shrinking ----------------------------------------------------------------------------------------------- */

static void first_resize(struct members *m, size_t room) {
    m->bytes += (room - m->first_room) * sizeof(struct bucket *);
    m->part[0].bucket = mem_realloc(MEM_DATA, m->part[0].bucket, room * sizeof(struct bucket *));
    m->first_room = room;
}

static void add_place(struct members *m) {
    size_t i = m->buckets++;
    m->shift = shift_for(m->buckets);
    if (i < PART) {
        if (i >= m->first_room) first_resize(m, i * 2);
    } else if (!(i & (PART - 1))) {
        size_t parts = i >> PART_BITS;
        if (parts >= m->parts_room) {
            m->bytes += m->parts_room * sizeof *m->part;
            m->parts_room *= 2;
            m->part = mem_realloc(MEM_DATA, m->part, m->parts_room * sizeof *m->part);
        }
        m->part[parts] = (struct part){mem_alloc(MEM_DATA, PART * sizeof(struct bucket *)), NEVER};
        m->bytes += PART * sizeof(struct bucket *);
    }
    *slot_of(m, i) = NULL;
}

static void take_place(struct members *m) {
    size_t i = --m->buckets;
    if (i) m->shift = shift_for(i);
    if (i && !(i & (PART - 1))) {
        m->bytes -= PART * sizeof(struct bucket *);
        mem_free(MEM_DATA, part_of(m, i)->bucket);
    }
}

/* Bucket `buckets` becomes two of twice its number, the second of which is at a new place. */
static void split(struct members *m) {
    size_t to = m->buckets, from = place_of_number(to);
    add_place(m);
    struct bucket *b = *slot_of(m, from);
    if (!b) return;
    if (bound_of(m, from) != NEVER) note_due(m, to, bound_of(m, from));
    uint8_t side[WIDEST];
    size_t used[2] = {0, 0}, n[2] = {0, 0};
    const uint8_t *p = b->records;
    for (size_t i = 0; i < b->n; i++) {
        struct member have;
        read_record(p, m->values, &have);
        size_t size = record_size(p, m->values);
        side[i] = place_of(m, hash_of(m, have.name)) == to;
        used[side[i]] += size;
        n[side[i]]++;
        p += size;
    }
    if (!n[1]) return;
    struct bucket *half[2] = {n[0] ? bucket_new(m, used[0], n[0]) : NULL, bucket_new(m, used[1], n[1])};
    p = b->records;
    for (size_t i = 0, next; i < b->n; i = next) { /* runs that go to the same side */
        const uint8_t *run = p;
        for (next = i; next < b->n && side[next] == side[i]; next++) p += record_size(p, m->values);
        bucket_append(half[side[i]], run, (size_t)(p - run), tag_at(b, i) + 1, next - i);
    }
    bucket_drop(m, b);
    *slot_of(m, from) = half[0];
    *slot_of(m, to) = half[1];
}

/* One bucket less: the last one's records go back to its partner. */
static void merge(struct members *m) {
    size_t from = m->buckets - 1, to = place_of_number(from);
    struct bucket *b = *slot_of(m, from), **slot = slot_of(m, to);
    if (bound_of(m, from) != NEVER) note_due(m, to, bound_of(m, from));
    if (!*slot) {
        *slot = b;
    } else if (b) {
        bucket_refit(m, slot, (*slot)->used + b->used, (size_t)(*slot)->n + b->n);
        bucket_append_all(*slot, b);
        if ((*slot)->n > m->widest) m->widest = (*slot)->n;
        bucket_drop(m, b);
    }
    take_place(m);
    if (!m->sweep.running || m->sweep.at <= m->buckets) return;
    if (!(m->buckets & (PART - 1))) { /* the part is gone */
        lower(&m->sweep.beyond, m->sweep.part);
        m->sweep.begun = false;
    }
    m->sweep.at = m->buckets;
}

static void shrink(struct members *m) {
    while (m->buckets > 1 && m->count < m->buckets * (LOAD / 2)) merge(m);
    if (m->buckets == 1) m->widest = *slot_of(m, 0) ? (*slot_of(m, 0))->n : 0;
}

/* -- what others call ---------------------------------------------------------------------------------------------------- */

struct members *members_new(uint64_t seed, bool values) {
    struct members *m = mem_alloc(MEM_DATA, sizeof *m);
    *m = (struct members){.values = values, .seed = seed, .buckets = 1, .shift = 62, .parts_room = 1, .earliest = NEVER};
    value_object_init(m);
    m->part = mem_alloc(MEM_DATA, sizeof *m->part);
    m->part[0] = (struct part){NULL, NEVER};
    m->bytes = mem_usable(m) + sizeof *m->part;
    first_resize(m, FIRST);
    *slot_of(m, 0) = NULL;
    return m;
}

size_t members_count(const struct members *m) { return m->count; }
int64_t members_due(const struct members *m) { return m->deadlines ? m->earliest : 0; }
size_t members_deadlines(const struct members *m) { return m->deadlines; }
void members_mark(struct members *m, unsigned marks) { m->marks = (uint8_t)marks; }
unsigned members_marks(const struct members *m) { return m->marks; }

bool members_find(const struct members *m, struct slice name, struct member *out) {
    uint64_t hash = hash_of(m, name);
    struct found f;
    if (!bucket_search(m, *slot_of(m, place_of(m, hash)), hash, name, &f)) return false;
    read_record(f.record, m->values, out);
    return true;
}

static void replace(struct members *m, struct bucket **slot, struct found *f, const struct member *what) {
    m->deadlines -= has_due(f->record);
    drop_long(m, f->record);
    size_t size = size_for(m, what), old = record_size(f->record, m->values);
    if (size != old) bucket_resize(m, slot, f, size);
    put_record(m, f->record, what);
    if (size < old) bucket_trim(m, slot);
}

static void append(struct members *m, struct bucket **slot, uint8_t tag, const struct member *what) {
    struct bucket *b = *slot;
    size_t size = size_for(m, what), used = b ? b->used : 0, n = b ? b->n : 0;
    if (__builtin_expect(!bucket_fits(b, used + size, n + 1), 0)) b = bucket_refit(m, slot, used + size, n + 1);
    put_record(m, b->records + used, what);
    b->used = (uint32_t)(used + size);
    b->n = (uint16_t)(n + 1);
    *tag_at(b, n) = tag;
    if (b->n > m->widest) m->widest = b->n;
}

bool members_set(struct members *m, const struct member *what) {
    uint64_t hash = hash_of(m, what->name);
    size_t i = place_of(m, hash);
    struct bucket **slot = slot_of(m, i);
    struct found f;
    bool there = bucket_search(m, *slot, hash, what->name, &f);
    if (there) replace(m, slot, &f, what);
    else append(m, slot, tag_of(hash), what);
    if (__builtin_expect(what->due != 0, 0)) {
        m->deadlines++;
        note_due(m, i, what->due);
    }
    if (there) return false;
    if (++m->count > m->buckets * LOAD) split(m);
    return true;
}

bool members_remove(struct members *m, struct slice name) {
    uint64_t hash = hash_of(m, name);
    struct bucket **slot = slot_of(m, place_of(m, hash));
    struct found f;
    if (!bucket_search(m, *slot, hash, name, &f)) return false;
    m->deadlines -= has_due(f.record);
    drop_long(m, f.record);
    bucket_resize(m, slot, &f, 0);
    bucket_trim(m, slot);
    m->count--;
    shrink(m);
    return true;
}

/* The record is written anew from a copy of its own bytes: of a short one on the stack, of a long one in its old block. */
static void replace_due(struct members *m, struct bucket **slot, struct found *f, int64_t due) {
    uint8_t *block = f->record[0] == LONG ? long_block(f->record) : NULL, space[INLINE_MAX];
    struct member what;
    read_record(f->record, m->values, &what);
    if (!block) {
        memcpy(space, what.name.p, what.name.n + what.value.n);
        what.name.p = (const char *)space;
        what.value.p = (const char *)space + what.name.n;
    }
    what.due = due;
    size_t size = size_for(m, &what), old = record_size(f->record, m->values);
    if (size != old) bucket_resize(m, slot, f, size);
    put_record(m, f->record, &what);
    if (block) drop_block(m, block);
}

bool members_set_due(struct members *m, struct slice name, int64_t due) {
    uint64_t hash = hash_of(m, name);
    size_t i = place_of(m, hash);
    struct bucket **slot = slot_of(m, i);
    struct found f;
    if (!bucket_search(m, *slot, hash, name, &f)) return false;
    m->deadlines = m->deadlines - has_due(f.record) + (due != 0);
    replace_due(m, slot, &f, due);
    if (due) note_due(m, i, due);
    return true;
}

/* -- deadlines ----------------------------------------------------------------------------------------------------------- */

/* Removes what is due from bucket i; returns how many were looked at. */
static size_t expire_bucket(struct members *m, size_t i, int64_t now, size_t *gone) {
    struct bucket **slot = slot_of(m, i), *b = *slot;
    if (!b) return 1;
    size_t looked = b->n, before = b->n;
    uint8_t *p = b->records;
    for (size_t k = 0; k < b->n;) {
        struct member have;
        read_record(p, m->values, &have);
        if (have.due && have.due <= now) {
            m->deadlines--;
            drop_long(m, p);
            bucket_resize(m, slot, &(struct found){p, k}, 0);
            continue;
        }
        if (have.due) lower(&m->sweep.part, have.due);
        p += record_size(p, m->values);
        k++;
    }
    size_t went = before - b->n;
    if (went) bucket_trim(m, slot);
    m->count -= went;
    *gone += went;
    return looked;
}

/* Goes by the next part if nothing in it is due. */
static bool sweep_skips(struct members *m, int64_t now) {
    if (m->sweep.begun) return false;
    m->sweep.part = NEVER;
    int64_t earliest = part_of(m, m->sweep.at - 1)->earliest;
    m->sweep.begun = earliest <= now;
    if (m->sweep.begun) return false;
    lower(&m->sweep.beyond, earliest);
    m->sweep.at = (m->sweep.at - 1) & ~(PART - 1);
    return true;
}

bool members_expire(struct members *m, int64_t now, size_t most, size_t *gone) {
    if (!m->sweep.running) {
        if (!m->deadlines || m->earliest > now) return false;
        m->sweep.running = true;
        m->sweep.at = m->buckets;
        m->sweep.beyond = NEVER;
    }
    for (size_t looked = 0; m->sweep.at;) {
        if (looked >= most) {
            shrink(m);
            return true;
        }
        if (sweep_skips(m, now)) {
            looked++;
            continue;
        }
        looked += expire_bucket(m, --m->sweep.at, now, gone);
        if (m->sweep.at & (PART - 1)) continue;
        part_of(m, m->sweep.at)->earliest = m->sweep.part;
        lower(&m->sweep.beyond, m->sweep.part);
        m->sweep.begun = false;
    }
    m->sweep.running = false;
    m->earliest = m->sweep.beyond;
    shrink(m);
    return m->deadlines && m->earliest <= now; /* what came meanwhile */
}

/* -- as a whole ---------------------------------------------------------------------------------------------------------- */

size_t members_memory(const struct members *m) { return m->bytes; }
size_t members_effort(const struct members *m) { return m->buckets + m->longs; }

bool members_free(struct members *m, size_t most) {
    while (most) {
        struct bucket **slot = slot_of(m, m->buckets - 1), *b = *slot;
        size_t pieces = 1 + m->longs;
        if (b && m->longs) {
            const uint8_t *p = b->records;
            for (size_t i = 0; i < b->n; i++, p += record_size(p, m->values)) drop_long(m, p);
        }
        bucket_drop(m, b);
        *slot = NULL;
        if (m->buckets == 1) {
            mem_free(MEM_DATA, m->part[0].bucket);
            mem_free(MEM_DATA, m->part);
            mem_free(MEM_DATA, m);
            return true;
        }
        take_place(m);
        pieces -= m->longs;
        most -= pieces < most ? pieces : most;
    }
    return false;
}

/* The copy of a bucket points to the long records of the old one until it has copies of its own. */
static struct bucket *bucket_clone(struct members *to, const struct bucket *from) {
    if (!from) return NULL;
    struct bucket *b = bucket_new(to, from->used, from->n);
    bucket_append_all(b, from);
    uint8_t *p = b->records;
    for (size_t i = 0; i < b->n; i++, p += record_size(p, to->values)) {
        if (p[0] != LONG) continue;
        struct member have;
        read_long(p, &have);
        put_long(to, p, &have);
    }
    return b;
}

struct members *members_clone(const struct members *m) {
    struct members *to = members_new(m->seed, m->values);
    for (size_t i = 0; i < m->buckets; i++) {
        if (i) add_place(to);
        *slot_of(to, i) = bucket_clone(to, *slot_of(m, i));
        part_of(to, i)->earliest = part_of(m, i)->earliest;
    }
    to->marks = m->marks;
    to->widest = m->widest;
    to->count = m->count;
    to->deadlines = m->deadlines;
    to->earliest = m->earliest;
    return to;
}

