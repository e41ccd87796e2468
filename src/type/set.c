#include "type/set.h"

#include "type/intset.h"
#include "type/members.h"

enum kind { KIND_MEMBERS, KIND_INTS }; /* of an object: value_object.kind */

#define SMALL 1 /* members_marks: its encoding is still the small one */

/* Integers that are too many bytes for an entry. */
struct ints {
    struct value_object object;
    size_t n, room;
    uint8_t *p;
};

static inline bool is_ints(const void *object) { return ((const struct value_object *)object)->kind == KIND_INTS; }

/* Where the integers of a set lie that has only those. */
struct span {
    const uint8_t *p;
    size_t n;
};

static inline bool span_of(const struct home *h, struct span *s) {
    if (__builtin_expect(h->form == VALUE_PACKED, 1)) {
        *s = (struct span){h->p, h->n};
        return true;
    }
    if (h->form != VALUE_OBJECT || !is_ints(h->object)) return false;
    const struct ints *i = h->object;
    *s = (struct span){i->p, i->n};
    return true;
}

/* -- packed strings ------------------------------------------------------------------------------------------------------ */

/* A member's record, or NULL; *count is how many were looked at. */
static const uint8_t *strings_find(const struct home *h, struct slice member, size_t *count) {
    const uint8_t *p = h->p, *end = home_end(h);
    size_t looked = 0;
    if (__builtin_expect(member.n - 1 < 127, 1)) { /* a length of one byte: its record begins with two bytes that are known */
        uint8_t n = (uint8_t)member.n, first = (uint8_t)member.p[0];
        while (p < end) {
            const uint8_t *record = p;
            size_t length = varint_get(&p);
            p += length;
            looked++;
            if (record[0] == n && record[1] == first && !memcmp(record + 1, member.p, n)) {
                *count = looked;
                return record;
            }
        }
        *count = looked;
        return NULL;
    }
    while (p < end) {
        const uint8_t *record = p;
        size_t n = varint_get(&p);
        looked++;
        if (slice_equal((struct slice){(const char *)p, n}, member)) {
            *count = looked;
            return record;
        }
        p += n;
    }
    *count = looked;
    return NULL;
}

static size_t strings_count(const struct home *h) {
    size_t count = 0;
    for (const uint8_t *p = h->p, *end = home_end(h); p < end; count++) {
        size_t n = varint_get(&p);
        p += n;
    }
    return count;
}

static inline size_t string_size(struct slice s) { return varint_size(s.n) + s.n; }

static uint8_t *string_put(uint8_t *p, struct slice s) {
    p = varint_put(p, s.n);
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

/* -- walking ------------------------------------------------------------------------------------------------------------- */

static struct slice int_text(const struct span *s, size_t i, char *text) {
    return (struct slice){text, num_put_i64(text, intset_at(s->p, i))};
}

bool set_next(const struct home *h, struct set_at *at, struct slice *member) {
    struct span s;
    if (span_of(h, &s)) {
        if (at->place >= intset_count(s.p, s.n)) return false;
        *member = int_text(&s, at->place++, at->text);
        return true;
    }
    if (h->form == VALUE_PACKED_ALT) {
        if (at->place >= h->n) return false;
        const uint8_t *p = h->p + at->place;
        member->n = varint_get(&p);
        member->p = (const char *)p;
        at->place = (size_t)(p + member->n - h->p);
        return true;
    }
    struct members_at m = {at->place, at->inside};
    struct member have;
    if (!members_next(h->object, &m, &have)) return false;
    at->place = m.bucket;
    at->inside = m.record;
    *member = have.name;
    return true;
}

static size_t part_of(uint64_t random, size_t n) { return (size_t)((unsigned __int128)random * n >> 64); }

struct slice set_random(const struct home *h, uint64_t random, char text[NUM_I64_MAX]) {
    struct span s;
    if (span_of(h, &s)) return int_text(&s, part_of(random, intset_count(s.p, s.n)), text);
    if (h->form == VALUE_PACKED_ALT) {
        const uint8_t *p = h->p;
        for (size_t i = part_of(random, strings_count(h)); i; i--) {
            size_t n = varint_get(&p);
            p += n;
        }
        size_t n = varint_get(&p);
        return (struct slice){(const char *)p, n};
    }
    struct member have = {0};
    members_random(h->object, random, &have); /* there is one */
    return have.name;
}

struct show {
    set_each *each;
    void *arg;
};
static void show_member(void *arg, const struct member *what) {
    const struct show *s = arg;
    s->each(s->arg, what->name);
}

uint64_t set_scan(const struct home *h, uint64_t cursor, size_t count, set_each *each, void *arg) {
    if (h->object && !is_ints(h->object)) return members_scan(h->object, cursor, count, show_member, &(struct show){each, arg});
    struct set_at at = {0};
    struct slice member;
    while (set_next(h, &at, &member)) each(arg, member);
    return 0;
}

/* -- from one form to the next --------------------------------------------------------------------------------------------- */

static inline size_t limit(const setting *s) { return (size_t)option_get(s); }

static bool members_add(struct members *m, struct slice member) { return members_set(m, &(struct member){.name = member}); }

/* All members into a hash of them. */
static void become_members(struct home *h, bool small) {
    struct members *m = members_new(h->seed, false);
    struct set_at at = {0};
    struct slice member;
    while (set_next(h, &at, &member)) members_add(m, member);
    members_mark(m, small ? SMALL : 0);
    void *before = h->object;
    home_become(h, m);
    if (before) {
        mem_free(MEM_DATA, ((struct ints *)before)->p);
        mem_free(MEM_DATA, before);
    }
}

static void become_strings(struct home *h) {
    uint8_t packed[HOME_MAX], *to = packed;
    struct set_at at = {0};
    struct slice member;
    while (set_next(h, &at, &member)) to = string_put(to, member);
    size_t n = (size_t)(to - packed);
    h->form = VALUE_PACKED_ALT;
    if (n > h->n) home_grow(h, n - h->n);
    if (n) memcpy(h->p, packed, n);
    h->n = n;
}

/* The bytes of all integers as packed strings, at most. */
static size_t as_strings(const struct span *s, size_t *longest) {
    char text[NUM_I64_MAX];
    size_t count = intset_count(s->p, s->n);
    *longest = 0;
    if (!count) return 0;
    size_t low = int_text(s, 0, text).n, high = int_text(s, count - 1, text).n;
    *longest = low > high ? low : high;
    return count * (1 + *longest);
}

/* What is not an integer is to come to integers. */
static void leave_ints(struct home *h, const struct span *s, struct slice member) {
    size_t longest, bytes = as_strings(s, &longest), most = limit(&h->limits->set_value);
    bool small = intset_count(s->p, s->n) < limit(&h->limits->set_entries) && member.n <= most && longest <= most;
    if (small && !h->object && bytes + string_size(member) <= HOME_MAX) become_strings(h);
    else become_members(h, small);
}

void set_expect(struct home *h, struct slice first, size_t n) {
    int64_t v;
    size_t most_ints = limit(&h->limits->set_ints), most = limit(&h->limits->set_entries);
    struct span s;
    if (!h->object && !h->n) {
        if (n <= most_ints && num_i64(first, &v)) {
            h->form = VALUE_PACKED;
        } else {
            h->form = VALUE_PACKED_ALT;
            if (n > most) become_members(h, false);
        }
    } else if (span_of(h, &s)) {
        if (n > most_ints) become_members(h, false);
    } else if (n > most) {
        if (!h->object) become_members(h, false);
        else members_mark(h->object, 0);
    }
}

/* -- adding -------------------------------------------------------------------------------------------------------------- */

static void ints_become_object(struct home *h, size_t room) {
    struct ints *i = mem_alloc(MEM_DATA, sizeof *i);
    value_object_init(i);
    i->object.kind = KIND_INTS;
    i->n = h->n;
    i->p = mem_alloc(MEM_DATA, room);
    i->room = mem_usable(i->p);
    memcpy(i->p, h->p, h->n);
    home_become(h, i);
}

static void ints_insert(struct ints *i, int64_t v, size_t at) {
    size_t n = intset_grown(i->p, i->n, v);
    if (n > i->room) {
        i->p = mem_realloc(MEM_DATA, i->p, n + n / 16);
        i->room = mem_usable(i->p);
    }
    intset_insert(i->p, i->n, v, at);
    i->n = n;
}

size_t set_growth(const struct home *h, const struct slice *word, size_t n) {
    enum { HASHED_MOST = 40 }; /* bytes of an integer among members */
    if (!h->object || !is_ints(h->object)) return 0;
    const struct ints *ints = h->object;
    size_t have = intset_count(ints->p, ints->n), widest = ints->n, i = 0;
    int64_t v;
    for (; i < n && num_i64(word[i], &v); i++) {
        size_t grown = intset_grown(ints->p, ints->n, v);
        if (grown > widest) widest = grown;
    }
    if (i < n || have + n > limit(&h->limits->set_ints)) return have * HASHED_MOST;
    size_t most = widest + n * sizeof v;
    return most > ints->room ? mem_class(most + most / 16) - ints->room : 0;
}

static bool add_to_strings(struct home *h, struct slice member) {
    size_t count, size = string_size(member);
    if (strings_find(h, member, &count)) return false;
    bool small = count < limit(&h->limits->set_entries) && member.n <= limit(&h->limits->set_value);
    if (!small || h->n + size > HOME_MAX) {
        become_members(h, small);
        members_add(h->object, member);
        return true;
    }
    home_grow(h, size);
    string_put(h->p + h->n, member);
    h->n += size;
    return true;
}

static bool add_to_members(struct home *h, struct slice member) {
    struct members *m = h->object;
    if (!members_add(m, member)) return false;
    if (__builtin_expect(members_marks(m) & SMALL, 0)) {
        bool small = members_count(m) <= limit(&h->limits->set_entries) && member.n <= limit(&h->limits->set_value);
        if (!small) members_mark(m, 0);
    }
    return true;
}

static bool add_int(struct home *h, const struct span *s, int64_t v) {
    size_t at;
    if (intset_find(s->p, s->n, v, &at)) return false;
    if (__builtin_expect(h->object != NULL, 0)) {
        ints_insert(h->object, v, at);
    } else {
        size_t n = intset_grown(h->p, h->n, v);
        if (n <= HOME_MAX) {
            home_grow(h, n - h->n);
            intset_insert(h->p, h->n, v, at);
            h->n = n;
        } else {
            ints_become_object(h, n);
            ints_insert(h->object, v, at);
        }
    }
    if (__builtin_expect(set_count(h) > limit(&h->limits->set_ints), 0)) become_members(h, false);
    return true;
}

bool set_add(struct home *h, struct slice member) {
    struct span s;
    int64_t v;
    if (span_of(h, &s)) {
        if (num_i64(member, &v)) return add_int(h, &s, v);
        leave_ints(h, &s, member);
    }
    return h->object ? add_to_members(h, member) : add_to_strings(h, member);
}

/* -- looking and removing -------------------------------------------------------------------------------------------------- */

bool set_has(const struct home *h, struct slice member) {
    struct span s;
    if (span_of(h, &s)) {
        int64_t v;
        size_t at;
        return num_i64(member, &v) && intset_find(s.p, s.n, v, &at);
    }
    if (h->object) {
        struct member have;
        return members_find(h->object, member, &have);
    }
    size_t looked;
    return strings_find(h, member, &looked) != NULL;
}

bool set_remove(struct home *h, struct slice member) {
    struct span s;
    if (span_of(h, &s)) {
        int64_t v;
        size_t at;
        if (!num_i64(member, &v) || !intset_find(s.p, s.n, v, &at)) return false;
        if (h->object) {
            struct ints *i = h->object;
            i->n = intset_remove(i->p, i->n, at);
        } else {
            h->n = intset_remove(h->p, h->n, at);
        }
        return true;
    }
    if (h->object) return members_remove(h->object, member);
    size_t looked;
    const uint8_t *record = strings_find(h, member, &looked);
    if (!record) return false;
    home_remove(h, (size_t)(record - h->p), string_size(member));
    return true;
}

size_t set_count(const struct home *h) {
    struct span s;
    if (span_of(h, &s)) return intset_count(s.p, s.n);
    return h->object ? members_count(h->object) : strings_count(h);
}

/* -- as a value ------------------------------------------------------------------------------------------------------------ */

static const char *set_encoding(const struct home *h) {
    struct span s;
    if (span_of(h, &s)) return "intset";
    return !h->object || members_marks(h->object) & SMALL ? "listpack" : "hashtable";
}

static size_t set_memory(const void *object) {
    if (!is_ints(object)) return members_memory(object);
    return mem_usable(object) + mem_usable(((const struct ints *)object)->p);
}

static size_t set_effort(const void *object) { return is_ints(object) ? 2 : members_effort(object); }

static bool set_free(void *object, size_t most) {
    if (!is_ints(object)) return members_free(object, most);
    mem_free(MEM_DATA, ((struct ints *)object)->p);
    mem_free(MEM_DATA, object);
    return true;
}

static void *set_clone(const void *object) {
    if (!is_ints(object)) return members_clone(object);
    const struct ints *from = object;
    struct ints *i = mem_alloc(MEM_DATA, sizeof *i);
    value_object_init(i);
    i->object.kind = KIND_INTS;
    i->n = from->n;
    i->p = mem_alloc(MEM_DATA, from->n ? from->n : 1);
    i->room = mem_usable(i->p);
    if (from->n) memcpy(i->p, from->p, from->n);
    return i;
}

const struct value_ops *set_ops(void) {
    static const struct value_ops ops = {.encoding = set_encoding, .count = set_count, .memory = set_memory, .effort = set_effort,
        .free = set_free, .clone = set_clone};
    return &ops;
}

static const char *check_strings(const struct home *h) {
    if (h->n > HOME_MAX) return "packed strings are too many bytes";
    const uint8_t *p = h->p, *end = home_end(h);
    while (p < end) {
        const uint8_t *record = p;
        size_t looked, n = varint_get(&p);
        if (n > (size_t)(end - p)) return "a string ends behind the others";
        if (strings_find(h, (struct slice){(const char *)p, n}, &looked) != record) return "a string is there twice";
        p += n;
    }
    return NULL;
}

const char *set_check(const struct home *h) {
    struct span s;
    if ((h->form == VALUE_OBJECT) != (h->object != NULL)) return "the form is not what is there";
    if (h->n > h->room) return "more is used than there is";
    if (span_of(h, &s)) {
        if (!h->object && h->n > HOME_MAX) return "packed integers are too many bytes";
        return intset_check(s.p, s.n);
    }
    return h->object ? members_check(h->object) : check_strings(h);
}
