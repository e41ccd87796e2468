/* What SORT does, a little at a time: read the elements, look up their weights, sort, look up what is asked for. */
#include "command/sort.h"

#include "command/thaw.h"

#include "base/clock.h"
#include "base/num.h"
#include "store/entry.h"
#include "type/hash.h"

#include <ctype.h>
#include <math.h>

#define PIECE 32          /* elements between two looks at the clock */
#define RUN 16            /* elements that are sorted by insertion */
#define PAGE_FIRST 2048
#define PAGE 65536
#define BY_REFERENCE 16384

/* -- bytes that stay ------------------------------------------------------------------------------------------------------- */

struct sort_page {
    struct sort_page *next;
    size_t room;
    char bytes[];
};

static const char *keep(struct sort *s, struct slice text) {
    struct sort_page *page = s->pages;
    if (!page || page->room - s->page_used < text.n) {
        size_t room = page ? PAGE : PAGE_FIRST;
        if (room < text.n) room = text.n;
        page = mem_alloc(MEM_CLIENT, sizeof *page + room);
        page->next = s->pages;
        page->room = room;
        s->pages = page;
        s->page_used = 0;
    }
    char *at = page->bytes + s->page_used;
    if (text.n) memcpy(at, text.p, text.n);
    s->page_used += text.n;
    return at;
}

void sort_drop(struct work *w) {
    struct sort *s = (struct sort *)w;
    if (s->on_list) list_leave(&s->list);
    for (struct sort_page *page = s->pages, *next; page; page = next) {
        next = page->next;
        mem_free(MEM_CLIENT, page);
    }
    if (s->made.object) value_free(VALUE_LIST, s->made.object);
    home_free_bytes(&s->made);
    buf_free(&s->name);
    mem_free(MEM_CLIENT, s->item);
    mem_free(MEM_CLIENT, s->other);
    mem_free(MEM_CLIENT, s->words);
}

/* -- reading ----------------------------------------------------------------------------------------------------------------- */

static bool begin_reading(struct sort *s, size_t rank) {
    switch (s->type) {
    case VALUE_LIST:
        s->on_list = list_seek(s->home, &s->list, (int64_t)rank);
        return s->on_list;
    case VALUE_ZSET:
        zset_seek(&s->zset, s->home, rank, s->unsorted && s->descending);
        break;
    default:
        break;
    }
    return true;
}

/* The next element; false at the end. */
static bool next(struct sort *s, struct slice *out) {
    double score;
    switch (s->type) {
    case VALUE_LIST:
        if (s->n && !(s->unsorted && s->descending ? list_prev : list_next)(s->home, &s->list)) return false;
        *out = s->list.text;
        return true;
    case VALUE_ZSET:
        return zset_next(&s->zset, out, &score);
    default:
        return set_next(s->home, &s->set, out);
    }
}

/* True: all are read. */
static bool read_piece(struct sort *s) {
    struct slice text;
    for (int i = 0; i < PIECE; i++) {
        if (s->n == s->total || !next(s, &text)) return true;
        s->item[s->n++] = (struct sort_item){.p = keep(s, text), .n = (uint32_t)text.n};
    }
    return false;
}

/* -- looking up -------------------------------------------------------------------------------------------------------------- */

/* What a pattern names for an element: its value, good until found_over. */
struct found {
    struct thaw thaw;     /* where it lies packed */
    struct slice value;
    struct entry *string; /* that it is the whole of; NULL: a part of something */
    bool locked, packed;
    unsigned shard;
};

static bool found_in(struct sort *s, struct view *v, const struct sort_pattern *p, const struct key *k, struct found *f) {
    struct entry *e = view_get(v, k);
    counter_add(e ? &v->stats->hits : &v->stats->misses, 1);
    if (!e && !s->looking) notify_event(v, EVENT_MISS, "keymiss", k);
    if (!e) return false;
    if (p->source == SORT_STRING) {
        if (entry_type(e) != VALUE_STRING) return false;
        if (entry_packed(e)) {
            f->packed = true;
            if (s->work.view) s->waits = true; /* unpacking is nothing to do under the call's locks */
            else thaw_hold(&f->thaw, e);
            return true;
        }
        f->value = entry_value(e);
        f->string = e;
        return true;
    }
    struct holder h;
    struct member m;
    if (entry_type(e) != VALUE_HASH) return false;
    holder_look(&h, s->work.store, e, VALUE_HASH);
    if (!hash_get(&h.home, p->field, v->now, &m)) return false;
    f->value = m.value;
    return true;
}

static void found_over(struct sort *s, struct found *f) {
    if (f->locked) store_unlock(s->work.store, f->shard);
    f->locked = false;
}

static void found_drop(struct sort *s, struct found *f) {
    found_over(s, f);
    if (f->packed) thaw_drop(&f->thaw);
}

/* False: there is nothing, and found_drop is not needed. If s->waits is set, it is to be looked up once more, later. */
static bool find(struct sort *s, const struct sort_pattern *p, const struct sort_item *item, struct found *f) {
    *f = (struct found){.locked = false};
    if (p->source == SORT_NOTHING) return false;
    if (p->source == SORT_SELF) {
        f->value = (struct slice){item->p, item->n};
        return true;
    }
    s->name.n = 0;
    buf_put(&s->name, p->head.p, p->head.n);
    buf_put(&s->name, item->p, item->n);
    buf_put(&s->name, p->tail.p, p->tail.n);
    struct key k = store_key(store_seed(s->work.store), buf_slice(&s->name));
    if (!s->work.view) {
        f->locked = true;
        f->shard = store_shard_of(k.hash);
        store_lock(s->work.store, f->shard);
    }
    bool there = found_in(s, s->work.view ? s->work.view : &s->later, p, &k, f);
    if (!there || f->packed) found_over(s, f);
    if (f->packed && !s->waits) f->value = thaw_all(&f->thaw, s->lane);
    return there;
}

/* -- weights ----------------------------------------------------------------------------------------------------------------- */

/* As strtod reads it, which is what Redis takes for a weight: spaces before it are no matter, nothing at all is 0, and what is
 * behind a zero byte is not seen. */
static bool score_of(struct slice text, double *out) {
    int64_t whole;
    if (num_i64(text, &whole)) {
        *out = (double)whole;
        return true;
    }
    text.n = text.n ? strnlen(text.p, text.n) : 0;
    *out = 0;
    if (!text.n) return true;
    while (text.n && isspace((unsigned char)*text.p)) text = (struct slice){text.p + 1, text.n - 1};
    return num_double(text, out) && fpclassify(*out) != FP_SUBNORMAL;
}

/* False: a weight is no number. */
static bool weigh(struct sort *s, struct sort_item *item) {
    struct found f = {.value = {item->p, item->n}};
    bool there = !s->by || find(s, &s->weight, item, &f), ok = true;
    if (s->waits) return true;
    if (!s->alpha) {
        item->score = 0;
        if (there) ok = score_of(f.value, &item->score);
    } else {
        item->by = there ? keep(s, f.value) : NULL;
        item->by_n = (uint32_t)f.value.n;
    }
    if (s->by && there) found_drop(s, &f);
    return ok;
}

enum weighing { WEIGH_MORE, WEIGH_DONE, WEIGH_WRONG };

static enum weighing weigh_piece(struct sort *s) {
    if (s->unsorted || (s->alpha && !s->by)) return WEIGH_DONE; /* elements are their own weights */
    for (int i = 0; i < PIECE && s->at < s->n; i++, s->at++) {
        if (!weigh(s, &s->item[s->at])) return WEIGH_WRONG;
        if (s->waits) return WEIGH_MORE;
    }
    return s->at == s->n ? WEIGH_DONE : WEIGH_MORE;
}

/* -- sorting ----------------------------------------------------------------------------------------------------------------- */

static int bytes_order(const char *a, size_t an, const char *b, size_t bn) {
    int order = memcmp(a, b, an < bn ? an : bn);
    return order ? order : an < bn ? -1 : an > bn;
}

/* Equal numbers are ordered by the elements' bytes; equal texts stay as they were. */
static int order_of(const struct sort *s, const struct sort_item *a, const struct sort_item *b) {
    int order;
    if (!s->alpha) order = a->score < b->score ? -1 : a->score > b->score ? 1 : bytes_order(a->p, a->n, b->p, b->n);
    else if (!s->by) order = bytes_order(a->p, a->n, b->p, b->n);
    else if (!a->by || !b->by) order = !b->by - !a->by;
    else order = bytes_order(a->by, a->by_n, b->by, b->by_n);
    return s->descending ? -order : order;
}

/* The next RUN elements are brought into order. True: all are. */
static bool run_piece(struct sort *s) {
    size_t from = s->at, to = s->n - from < RUN ? s->n : from + RUN;
    for (size_t i = from + 1; i < to; i++) {
        struct sort_item item = s->item[i];
        size_t k = i;
        for (; k > from && order_of(s, &s->item[k - 1], &item) > 0; k--) s->item[k] = s->item[k - 1];
        s->item[k] = item;
    }
    s->at = to;
    return to == s->n;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Begins to merge the two runs from `at` on. */
static void merge_begin(struct sort *s, size_t at) {
    s->at = s->left = s->out = at;
    s->right = least(at + s->width, s->n);
}

/* Merges a few elements more of two runs of `width` into the other half; then the next two, then runs of twice the width. True:
 * there is one run. */
static bool merge_piece(struct sort *s) {
    if (s->width >= s->n) return true;
    size_t middle = least(s->at + s->width, s->n), end = least(s->at + 2 * s->width, s->n);
    for (int i = 0; i < 4 * PIECE && s->out < end; i++) {
        bool left = s->left < middle && (s->right == end || order_of(s, &s->item[s->left], &s->item[s->right]) <= 0);
        s->other[s->out++] = s->item[left ? s->left++ : s->right++];
    }
    if (s->out < end) return false;
    if (end < s->n) {
        merge_begin(s, end);
        return false;
    }
    struct sort_item *sorted = s->other;
    s->other = s->item;
    s->item = sorted;
    s->width *= 2;
    merge_begin(s, 0);
    return false;
}

/* -- the result -------------------------------------------------------------------------------------------------------------- */

static void put(struct sort *s, const struct found *f) {
    struct resp_writer *w = &s->work.w;
    if (s->store) {
        list_growing(&s->made, f->value.n, 1);
        list_push(&s->made, LIST_TAIL, f->value);
    } else if (f->string && f->value.n >= BY_REFERENCE && entry_pin(f->string)) {
        resp_bulk_ref(w, f->value.p, f->value.n, entry_release, f->string);
    } else {
        resp_bulk(w, f->value.p, f->value.n);
    }
}

/* Under the call's locks: does one of the values of an item lie packed? */
static bool item_waits(struct sort *s, const struct sort_item *item) {
    struct found f;
    struct store_stats *stats = s->work.view->stats;
    uint64_t hits = counter_get(&stats->hits), misses = counter_get(&stats->misses);
    bool touch = s->work.view->touch;
    s->work.view->touch = false;
    s->looking = true;
    for (int i = 0; i < s->gets && !s->waits; i++)
        if (s->get[i].source == SORT_STRING && find(s, &s->get[i], item, &f)) found_over(s, &f);
    s->work.view->touch = touch;
    s->looking = false;
    counter_add(&stats->hits, hits - counter_get(&stats->hits)); /* this was no use of them */
    counter_add(&stats->misses, misses - counter_get(&stats->misses));
    return s->waits;
}

static void put_item(struct sort *s, const struct sort_item *item) {
    struct found f = {.value = {item->p, item->n}};
    if (!s->gets) put(s, &f);
    for (int i = 0; i < s->gets; i++) {
        if (find(s, &s->get[i], item, &f)) {
            put(s, &f);
            found_drop(s, &f);
        } else if (s->store) {
            put(s, &(struct found){.value = SLICE("")});
        } else {
            resp_null(&s->work.w);
        }
    }
}

static bool put_piece(struct sort *s) {
    for (int i = 0; i < PIECE && s->at < s->to; i++) {
        if (s->work.view && s->any_packed && item_waits(s, &s->item[s->at])) return false;
        put_item(s, &s->item[s->at++]);
    }
    return s->at == s->to;
}

static void finish(struct sort *s, struct session *to) {
    size_t n = (s->to - s->from) * (size_t)(s->gets ? s->gets : 1);
    if (s->store) {
        work_put(&s->work, to, s->dest, VALUE_LIST, &s->made, "sortstore");
        s->made.object = NULL; /* the key's now */
        resp_int(&to->writer, (int64_t)n);
    } else {
        resp_array(&to->writer, n);
        chain_join(&to->out, &s->work.body);
    }
}

/* -- one after the other ----------------------------------------------------------------------------------------------------- */

static void stage_begin(struct sort *s, enum sort_stage stage) {
    s->stage = stage;
    s->at = stage == SORT_PUT ? s->from : 0;
    if (stage != SORT_MERGE) return;
    s->width = RUN;
    if (s->n > RUN) s->other = mem_alloc(MEM_CLIENT, s->n * sizeof *s->other);
    merge_begin(s, 0);
}

enum step { STEP_MORE, STEP_DONE, STEP_WRONG };

static enum step step(struct sort *s) {
    switch (s->stage) {
    case SORT_READ:
        if (read_piece(s)) stage_begin(s, SORT_WEIGH);
        return STEP_MORE;
    case SORT_WEIGH:
        switch (weigh_piece(s)) {
        case WEIGH_MORE:
            return STEP_MORE;
        case WEIGH_DONE:
            stage_begin(s, s->unsorted ? SORT_PUT : SORT_RUNS);
            return STEP_MORE;
        case WEIGH_WRONG:
            break;
        }
        return STEP_WRONG;
    case SORT_RUNS:
        if (run_piece(s)) stage_begin(s, SORT_MERGE);
        return STEP_MORE;
    case SORT_MERGE:
        if (merge_piece(s)) stage_begin(s, SORT_PUT);
        return STEP_MORE;
    case SORT_PUT:
        break;
    }
    return put_piece(s) ? STEP_DONE : STEP_MORE;
}

bool sort_on(struct work *w, struct session *to) {
    struct sort *s = (struct sort *)w;
    s->lane = to->lane;
    if (!w->view) {
        view_init(&s->later, w->store, w->db, clock_ms(), &to->lane->store_stats);
        s->later.touch = !to->no_touch;
    }
    for (;;) {
        switch (step(s)) {
        case STEP_MORE:
            if (s->waits || work_over(w)) {
                s->waits = false;
                return false;
            }
            break;
        case STEP_DONE:
            finish(s, to);
            return true;
        case STEP_WRONG:
            work_error(w, to, "ERR One or more scores can't be converted into double");
            return true;
        }
    }
}

/* -- beginning --------------------------------------------------------------------------------------------------------------- */

static size_t count_of(const struct sort *s) { return s->home ? value_ops(s->type)->count(s->home) : 0; }

/* LIMIT, as Redis reads it: what lies beyond the ends is cut off. */
static void set_range(struct sort *s, size_t count) {
    s->from = s->skip < 0 ? 0 : (uint64_t)s->skip > count ? count : (size_t)s->skip;
    s->to = s->limit < 0 || (uint64_t)s->limit > count - s->from ? count : s->from + (size_t)s->limit;
}

/* Where the elements keep their order, those that nobody asked for need not be read. */
static void read_less(struct sort *s, size_t count, size_t *rank) {
    size_t skip = s->from;
    *rank = 0;
    if (!s->unsorted || s->type == VALUE_SET) return;
    *rank = s->descending && count ? count - 1 - least(skip, count - 1) : skip;
    s->to -= skip;
    s->from = 0;
    s->total = s->to;
}

static struct slice copied(char **at, struct slice text) {
    char *p = *at;
    if (text.n) memcpy(p, text.p, text.n);
    *at += text.n;
    return (struct slice){p, text.n};
}

static size_t pattern_size(const struct sort_pattern *p) { return p->head.n + p->tail.n + p->field.n; }

static void pattern_copy(struct sort_pattern *p, char **at) {
    p->head = copied(at, p->head);
    p->tail = copied(at, p->tail);
    p->field = copied(at, p->field);
}

static void keep_words(struct sort *s) {
    size_t n = s->dest.n + pattern_size(&s->weight);
    for (int i = 0; i < s->gets; i++) n += pattern_size(&s->get[i]);
    s->words = mem_alloc(MEM_CLIENT, n + 1);
    char *at = s->words;
    s->dest = copied(&at, s->dest);
    pattern_copy(&s->weight, &at);
    for (int i = 0; i < s->gets; i++) pattern_copy(&s->get[i], &at);
}

void sort_start(struct call *c, struct sort *s, const struct holder *h) {
    size_t rank, count;
    struct packed_totals packed;
    packed_totals(&packed);
    s->any_packed = packed.values;
    if (h) s->home = work_keep(&s->work, h);
    s->type = h ? h->type : VALUE_LIST;
    if (s->unsorted && s->type == VALUE_SET && s->store) { /* a set has no order that could be stored: its elements' */
        s->unsorted = s->by = false;
        s->alpha = true;
    }
    s->total = count = count_of(s);
    set_range(s, count);
    read_less(s, count, &rank);
    keep_words(s);
    buf_init(&s->name, MEM_CLIENT);
    home_init_own(&s->made, &call_env(c)->store_config.limits, store_seed(c->v.store));
    s->item = mem_alloc(MEM_CLIENT, s->total * sizeof *s->item + 1);
    if (!s->total || !begin_reading(s, rank)) s->total = 0;
    work_start(c, &s->work);
}
