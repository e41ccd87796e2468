#include "store/segment.h"

#include "base/mem.h"

#include <assert.h>

/* Bytes of a segment by size; from 512 on, four to a doubling. */
static const uint16_t sizes[] = {128, 256, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192};
#define SIZES (sizeof sizes / sizeof *sizes)
#define SLOTS(bytes) (((bytes) - sizeof(struct segment)) / 8 - 1) /* the last stays empty: it ends every search */
#define LIMIT(slots) ((slots) * 11 / 12)
/* As few entries as make a segment sparse, by size: they would leave a quarter of a smaller one free, so that one that grows and loses some
 * does not shrink at once, and where sizes are close they are under half of its own slots. */
#define SPARSE(bytes, smaller) (SLOTS(bytes) / 2 < LIMIT(SLOTS(smaller)) * 3 / 4 ? SLOTS(bytes) / 2 : LIMIT(SLOTS(smaller)) * 3 / 4)
static const uint16_t sparse[SIZES] = {0, 4 /* the smallest crowd soon */, SPARSE(512, 256), SPARSE(640, 512), SPARSE(768, 640), SPARSE(896, 768),
    SPARSE(1024, 896), SPARSE(1280, 1024), SPARSE(1536, 1280), SPARSE(1792, 1536), SPARSE(2048, 1792), SPARSE(2560, 2048),
    SPARSE(3072, 2560), SPARSE(3584, 3072), SPARSE(4096, 3584), SPARSE(5120, 4096), SPARSE(6144, 5120), SPARSE(7168, 6144),
    SPARSE(8192, 7168)};
#define SPREAD 24 /* by chance a segment of several hundred has this part more than the mean: one standard deviation */

static uint32_t slots_of(unsigned size) { return (uint32_t)SLOTS(sizes[size]); }
static uint32_t spill_of(uint32_t slots) { return slots / 16 + 1 < 32 ? slots / 16 + 1 : 32; }
static uint32_t limit_of(uint32_t slots) { return LIMIT(slots); }

static struct segment *make(unsigned size, unsigned depth) {
    struct segment *s = mem_zalloc(MEM_INDEX, sizes[size]);
    s->slots = slots_of(size);
    s->homes = s->slots - spill_of(s->slots);
    s->size = (uint8_t)size;
    s->depth = (uint8_t)depth;
    s->earliest = s->beyond = AGENDA_NEVER;
    return s;
}

struct segment *segment_new(size_t entries, unsigned depth) {
    unsigned size = 0;
    while (size + 1 < SIZES && entries * 9 / 8 >= limit_of(slots_of(size))) size++;
    return make(size, depth);
}

struct segment *segment_new_for(size_t entries, unsigned depth) {
    unsigned size = 0;
    while (size + 1 < SIZES && entries + entries / SPREAD > limit_of(slots_of(size))) size++;
    return make(size, depth);
}

void segment_free(struct segment *s) {
    if (s->agenda) agenda_free(s->agenda);
    mem_free(MEM_INDEX, s);
}
size_t segment_bytes(const struct segment *s) { return sizes[s->size]; }
bool segment_largest(const struct segment *s) { return s->size + 1 == SIZES; }

size_t segment_bytes_next(const struct segment *s) {
    return segment_largest(s) ? (size_t)sizes[SIZES - 1] * 2 : sizes[s->size + 1];
}

bool segment_full(const struct segment *s) { return s->used >= limit_of(s->slots); }
bool segment_sparse(const struct segment *s) { return s->used < sparse[s->size]; }

bool segment_insert(struct segment *s, uint64_t slot) { return segment_insert_at(s, segment_seek(s, segment_tag(slot)), slot); }

bool segment_insert_at(struct segment *s, uint32_t i, uint64_t slot) {
    uint32_t end = i;
    while (s->slot[end]) end++;
    if (end >= s->slots) return false;
    memmove(&s->slot[i + 1], &s->slot[i], (end - i) * sizeof s->slot[0]);
    s->slot[i] = slot;
    s->used++;
    return true;
}

void segment_remove(struct segment *s, uint32_t i) {
    uint32_t end = i + 1;
    while (s->slot[end] && segment_home(s, segment_tag(s->slot[end])) < end) end++;
    memmove(&s->slot[i], &s->slot[i + 1], (end - i - 1) * sizeof s->slot[0]);
    s->slot[end - 1] = 0;
    s->used--;
}

bool segment_append(struct segment *s, uint32_t *at, uint64_t slot) {
    uint32_t i = segment_home(s, segment_tag(slot));
    if (i < *at) i = *at;
    if (i >= s->slots) return false;
    s->slot[i] = slot;
    s->used++;
    *at = i + 1;
    return true;
}

static struct segment *filled(struct segment *s, unsigned size) {
    struct segment *out = make(size, s->depth);
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->slots; i++)
        if (s->slot[i] && !segment_append(out, &at, s->slot[i])) {
            segment_free(out);
            return NULL;
        }
    out->swept = s->swept;
    out->looked = s->looked;
    out->earliest = s->earliest;
    out->beyond = s->beyond;
    out->agenda = s->agenda;
    s->agenda = NULL;
    return out;
}

struct segment *segment_larger(struct segment *s) { return s->size + 1u < SIZES ? filled(s, s->size + 1u) : NULL; }

struct segment *segment_smaller(struct segment *s) {
    unsigned size = s->size;
    while (s->used < sparse[size]) size--;
    struct segment *out = NULL;
    for (; size < s->size && !out; size++) out = filled(s, size); /* where tags crowd a larger one may do */
    return out;
}

struct segment *segment_merged(const struct segment *a, const struct segment *b) {
    struct segment *out = segment_new(a->used + b->used, a->depth - 1u);
    uint32_t at = 0, i = 0, j = 0;
    out->earliest = out->beyond = a->earliest < b->earliest ? a->earliest : b->earliest;
    out->swept = a->swept;
    for (;;) {
        while (i < a->slots && !a->slot[i]) i++;
        while (j < b->slots && !b->slot[j]) j++;
        bool first = i < a->slots, second = j < b->slots;
        if (!first && !second) return out;
        bool from_a = first && (!second || segment_tag(a->slot[i]) <= segment_tag(b->slot[j]));
        if (!segment_append(out, &at, from_a ? a->slot[i++] : b->slot[j++])) break;
    }
    segment_free(out);
    return NULL;
}

#define AHEAD 16 /* slots whose entries are on their way */

size_t segment_sift(struct segment *s, segment_keep *keep, void *arg) {
    uint32_t at = 0;
    size_t gone = 0;
    for (uint32_t i = 0; i < s->slots; i++) {
        if (i + AHEAD < s->slots && s->slot[i + AHEAD]) __builtin_prefetch(segment_entry(s->slot[i + AHEAD]));
        uint64_t slot = s->slot[i];
        if (!slot) continue;
        s->slot[i] = 0;
        struct entry *kept = keep(arg, segment_entry(slot), segment_tag(slot));
        if (!kept) {
            gone++;
            continue;
        }
        uint32_t to = segment_home(s, segment_tag(slot));
        if (to < at) to = at;
        s->slot[to] = segment_moved(slot, kept); /* never behind i: nothing moves away from its home */
        at = to + 1;
    }
    s->used -= (uint32_t)gone;
    return gone;
}

/* Slots, then entries, are on their way before the first is looked at. */
static void fetch_tags(const struct segment *s, const uint16_t *tag, unsigned n) {
    for (unsigned k = 0; k < n; k++) __builtin_prefetch(&s->slot[segment_home(s, tag[k])]);
    for (unsigned k = 0; k < n; k++) {
        uint64_t slot = s->slot[segment_seek(s, tag[k])];
        if (slot) __builtin_prefetch(segment_entry(slot));
    }
}

size_t segment_sift_tags(struct segment *s, const uint16_t *tag, unsigned n, segment_keep *keep, void *arg) {
    size_t gone = 0;
    fetch_tags(s, tag, n);
    for (unsigned k = 0; k < n; k++)
        for (uint32_t i = segment_seek(s, tag[k]); s->slot[i] && segment_tag(s->slot[i]) == tag[k];) {
            struct entry *kept = keep(arg, segment_entry(s->slot[i]), tag[k]);
            if (kept) {
                s->slot[i] = segment_moved(s->slot[i], kept);
                i++;
                continue;
            }
            segment_remove(s, i);
            gone++;
        }
    return gone;
}

/* -- deadlines ------------------------------------------------------------------------------------------------------------- */

static void set_earliest(struct segment *s) {
    int64_t next = s->agenda ? agenda_next(s->agenda) : AGENDA_NEVER;
    s->earliest = next < s->beyond ? next : s->beyond;
}

void segment_note_soon(struct segment *s, uint32_t tag, int64_t due) {
    struct agenda *a = s->agenda;
    if (!a || due >= a->until) s->beyond = due;
    else if (!agenda_add(a, tag, due) && a->until < s->beyond) s->beyond = a->until;
    set_earliest(s);
}

void segment_schedule(struct segment *s, const struct agenda *sheet, int64_t beyond) {
    struct agenda *before = s->agenda;
    s->agenda = sheet->room ? agenda_keep(sheet) : NULL;
    s->beyond = beyond;
    set_earliest(s);
    if (before) agenda_free(before);
}

unsigned segment_take_due(struct segment *s, int64_t now, uint16_t tag[AGENDA_ROOM_MAX]) {
    unsigned n = s->agenda ? agenda_take(s->agenda, now, tag) : 0;
    set_earliest(s);
    return n;
}

static bool on_agenda(const struct segment *s, uint32_t tag, int64_t due) {
    const struct agenda *a = s->agenda;
    for (unsigned i = a ? a->first : 0; a && i < a->end; i++)
        if ((a->item[i] & 0xffff) == tag && agenda_time(a, i) <= due) return true;
    return false;
}

static const char *check_deadlines(const struct segment *s) {
    for (uint32_t i = 0; i < s->slots; i++) {
        int64_t due = s->slot[i] ? entry_due(segment_entry(s->slot[i])) : 0;
        if (due && s->earliest == AGENDA_NEVER) return "expiry will not come, though there is a deadline";
        if (due) due = entry_deadline(segment_entry(s->slot[i])); /* what is inside may have to rest */
        if (!due) continue;
        if (s->agenda && due < s->agenda->base) due = s->agenda->base; /* over already when it was noted: noted as of then */
        if (due < s->earliest) return "a deadline is before the segment's earliest";
        if (due < s->beyond && !on_agenda(s, segment_tag(s->slot[i]), due)) return "a deadline that is soon is not on the agenda";
    }
    return NULL;
}

const char *segment_check(const struct segment *s) {
    uint32_t used = 0, last = 0;
    if (s->slot[s->slots]) return "the slot that ends searches is taken";
    for (uint32_t i = 0; i < s->slots; i++) {
        if (!s->slot[i]) continue;
        uint32_t tag = segment_tag(s->slot[i]), home = segment_home(s, tag);
        used++;
        if (tag < last) return "tags are not in order";
        if (home > i) return "an entry lies before its home";
        for (uint32_t k = home; k < i; k++)
            if (!s->slot[k]) return "an empty slot between an entry and its home";
        last = tag;
    }
    return used == s->used ? check_deadlines(s) : "the count of used slots is wrong";
}
