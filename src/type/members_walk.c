/* Going through members without changing them: a random one, all of them, those that are due, by a cursor; and the check for tests. */
#include "type/members_inside.h"

static uint64_t next_random(uint64_t *state) { /* SplitMix64 (Steele, Lea, Flood) */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* A place among buckets * widest, until there is a record: so each is as likely as any other. */
bool members_random(const struct members *m, uint64_t random, struct member *out) {
    if (!m->count) return false;
    for (;;) {
        uint64_t r = next_random(&random);
        const struct bucket *b = *slot_of(m, (size_t)((unsigned __int128)r * m->buckets >> 64));
        size_t k = (size_t)((next_random(&random) >> 32) * m->widest >> 32);
        if (!b || k >= b->n) continue;
        const uint8_t *p = b->records;
        while (k--) p += record_size(p, m->values);
        read_record(p, m->values, out);
        return true;
    }
}

bool members_next(const struct members *m, struct members_at *at, struct member *out) {
    for (; at->bucket < m->buckets; at->bucket++, at->record = 0) {
        const struct bucket *b = *slot_of(m, at->bucket);
        if (!b || at->record >= b->used) continue;
        const uint8_t *p = b->records + at->record;
        read_record(p, m->values, out);
        at->record += record_size(p, m->values);
        return true;
    }
    return false;
}

bool members_count_due(const struct members *m, struct members_at *at, int64_t now, size_t most, size_t *n) {
    for (struct member have; most; most--) {
        while (at->bucket < m->buckets && part_of(m, at->bucket)->earliest > now)
            *at = (struct members_at){.bucket = (at->bucket | (PART - 1)) + 1};
        if (!members_next(m, at, &have)) return false;
        *n += have.due && have.due <= now;
    }
    return true;
}

/* The first position whose curve is at least `at`. */
static uint64_t position_where(uint64_t at) {
    uint64_t low = 0, high = 1ull << POSITION_BITS;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (curve(middle) < at) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void show_bucket(const struct members *m, const struct bucket *b, members_each *each, void *arg) {
    const uint8_t *p = b->records;
    for (size_t i = 0; i < b->n; i++) {
        struct member have;
        read_record(p, m->values, &have);
        p += record_size(p, m->values);
        each(arg, &have);
    }
}

uint64_t members_scan(const struct members *m, uint64_t cursor, size_t count, members_each *each, void *arg) {
    cursor &= (1ull << POSITION_BITS) - 1;
    for (size_t shown = 0, empty = 0;;) {
        unsigned shift;
        uint64_t i = number_of(m, cursor, &shift);
        const struct bucket *b = *slot_of(m, place_of_number(i));
        if (b) show_bucket(m, b, each, arg);
        shown += b ? b->n : 0;
        empty += !b;
        if (i + 1 >= 1ull << (63 - shift)) return 0;
        cursor = position_where((i + 1) << shift);
        if (shown >= count || empty >= 10 * count) return cursor;
    }
}

/* -- for tests ----------------------------------------------------------------------------------------------------------- */

struct sums {
    size_t count, bytes, longs, deadlines;
    int64_t earliest;
};

static const char *check_bucket(const struct members *m, size_t i, struct sums *s) {
    const struct bucket *b = *slot_of(m, i);
    if (!b) return NULL;
    if (!b->n) return "an empty bucket has a block";
    if (b->n > m->widest) return "a bucket is wider than the widest";
    if (sizeof *b + b->used + b->n > block_size(b)) return "records and tags overlap";
    if (mem_usable(b) < block_size(b)) return "a bucket is larger than its block";
    const uint8_t *p = b->records;
    for (size_t k = 0; k < b->n; k++, p += record_size(p, m->values)) {
        struct member have;
        read_record(p, m->values, &have);
        if (is_long(&have) != (p[0] == LONG)) return "a record lies where it should not";
        uint64_t hash = hash_of(m, have.name);
        if (place_of(m, hash) != i) return "a member is in a bucket that is not its own";
        if (*tag_at(b, k) != tag_of(hash)) return "a tag is not its member's";
        if (have.due && have.due < part_of(m, i)->earliest) return "a deadline is before its group's earliest";
        if (have.due) lower(&s->earliest, have.due);
        s->deadlines += have.due != 0;
        s->longs += p[0] == LONG;
        if (p[0] == LONG) s->bytes += mem_usable(long_block(p));
    }
    if (p != b->records + b->used) return "records do not end where they should";
    s->count += b->n;
    s->bytes += block_size(b);
    return NULL;
}

const char *members_check(const struct members *m) {
    struct sums s = {.earliest = NEVER};
    if (!m->buckets || m->shift != shift_for(m->buckets)) return "the shift does not fit the buckets";
    for (size_t i = 0; i < m->buckets; i++) {
        const char *wrong = check_bucket(m, i, &s);
        if (wrong) return wrong;
    }
    if (m->count != s.count) return "the count is wrong";
    if (m->longs != s.longs) return "the count of long records is wrong";
    if (m->deadlines != s.deadlines) return "the count of deadlines is wrong";
    if (s.earliest < m->earliest) return "a deadline is before the earliest";
    s.bytes += mem_usable(m) + m->parts_room * sizeof *m->part + m->first_room * sizeof(struct bucket *);
    if (m->buckets > PART) s.bytes += ((m->buckets - 1) >> PART_BITS) * PART * sizeof(struct bucket *);
    return m->bytes == s.bytes ? NULL : "the count of bytes is wrong";
}
