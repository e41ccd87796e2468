#include "command/pack.h"

#include <assert.h>

#define KEEP 65536          /* bytes of scratch that stay */
#define SLICE_BYTES 131072  /* of plain strings in one slice: LZ4 does some 600 MB a second */
#define PATIENCE 4          /* failures in a row before anything is passed over */
struct pack_value {
    int arg;
    size_t at, n;
};

/* -- what is worth a try ----------------------------------------------------------------------------------------------------- */

enum { CONTROL, MARK, DIGIT, LETTER, BRACE, BRACKET, QUOTE, LESS, HIGH };

static uint8_t class_of(int c) {
    switch (c) {
    case '{': return BRACE;
    case '[': return BRACKET;
    case '"': return QUOTE;
    case '<': return LESS;
    default: break;
    }
    if (c >= 128) return HIGH;
    if (c < 32) return CONTROL;
    if (c >= '0' && c <= '9') return DIGIT;
    return (c | 32) >= 'a' && (c | 32) <= 'z' ? LETTER : MARK;
}

struct pack_memory *pack_memory_new(void) {
    struct pack_memory *m = mem_zalloc(MEM_MISC, sizeof *m);
    for (int c = 0; c < 256; c++) {
        m->second[c] = class_of(c);
        m->first[c] = (uint8_t)(PACK_CLASSES * m->second[c]);
    }
    return m;
}

void pack_memory_free(struct pack_memory *m) { mem_free(MEM_MISC, m); }

static bool worth_a_try(struct pack_memory *m, struct slice v) {
    uint8_t *pass = pack_passes_of(m, v);
    if (!*pass) return true;
    --*pass;
    return false;
}

static uint8_t *failures_of(struct pack_memory *m, struct slice v) { return &m->failed[pack_passes_of(m, v) - m->pass]; }

/* What is going to be passed over is counted now, so that passing over costs next to nothing. */
static void note_outcome(struct lane *l, struct slice v, bool paid) {
    uint8_t *failed = failures_of(l->pack_memory, v);
    if (paid) {
        *failed = 0;
        return;
    }
    if (*failed < PATIENCE + 4) ++*failed;
    unsigned over = *failed < PATIENCE ? 0 : 1u << 2 * (*failed - PATIENCE);
    if (over > PACK_PASSED) over = PACK_PASSED;
    *pack_passes_of(l->pack_memory, v) = (uint8_t)over;
    counter_add(&l->store_stats.pack_passed, over);
}

size_t pack_from(const struct store_config *config) {
    int64_t n = option_get(&config->compression_min_size);
    if (!option_get(&config->compression) || n <= 0) return SIZE_MAX;
    return n < PACKED_LEAST ? PACKED_LEAST : (size_t)n;
}

/* -- packing ----------------------------------------------------------------------------------------------------------------- */

/* Begins with the value, if it is worth it. */
static bool begin(struct lane *l, struct packing *g, struct slice v, struct buf *out) {
    const struct store_config *config = &l->env->store_config;
    if (v.n < pack_from(config) || v.n > UINT32_MAX || !worth_a_try(l->pack_memory, v)) return false;
    packing_begin(g, v, (int)option_get(&config->compression_acceleration), out);
    g->doubtful = *failures_of(l->pack_memory, v) >= PATIENCE;
    return true;
}

static enum packed_state step(struct lane *l, struct packing *g) {
    enum packed_state st = packing_step(g, l->packer);
    if (st == PACKED_MORE) return st;
    note_outcome(l, g->plain, st == PACKED_DONE);
    counter_add(st == PACKED_DONE ? &l->store_stats.packed : &l->store_stats.pack_failed, 1);
    return st;
}

bool pack_bytes(struct lane *l, struct packing *g, struct slice plain, struct buf *out, bool *more) {
    *more = false;
    if (!g->out && !begin(l, g, plain, out)) return false;
    for (size_t done = 0; done < SLICE_BYTES; done += PACKED_BLOCK) {
        enum packed_state st = step(l, g);
        if (st != PACKED_MORE) return st == PACKED_DONE;
    }
    *more = true;
    return false;
}

static bool pack_on(struct pack *p, struct lane *l, const struct request *q) {
    int every = q->command->keys[0].step == 2 ? 2 : q->argc; /* MSET: each second word */
    for (size_t done = 0; p->arg < q->argc; p->arg += every) {
        struct slice v = q->argv[p->arg];
        if (!p->packing && !begin(l, &p->at, v, &p->bytes)) continue;
        p->packing = true;
        p->at.plain = v; /* the input may lie elsewhere by now */
        enum packed_state st = PACKED_MORE;
        while (st == PACKED_MORE) {
            if (done >= SLICE_BYTES) return false;
            st = step(l, &p->at);
            done += v.n < PACKED_BLOCK ? v.n : PACKED_BLOCK;
        }
        p->packing = false;
        if (st != PACKED_DONE) continue;
        struct pack_value *w = (struct pack_value *)(void *)buf_room(&p->values, sizeof *w);
        *w = (struct pack_value){p->arg, p->at.start, p->bytes.n - p->at.start};
        p->values.n += sizeof *w;
        p->saved += v.n - w->n;
    }
    return true;
}

struct slice call_value_packed(const struct call *c, int arg, enum entry_form *form) {
    const struct pack_value *w = (const struct pack_value *)(const void *)c->pack->values.p;
    size_t low = 0, high = c->pack->values.n / sizeof *w;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (w[mid].arg < arg) low = mid + 1;
        else high = mid;
    }
    if (low == c->pack->values.n / sizeof *w || w[low].arg != arg) return c->argv[arg];
    *form = FORM_LZ4;
    return (struct slice){c->pack->bytes.p + w[low].at, w[low].n};
}

/* -- requests ---------------------------------------------------------------------------------------------------------------- */

static void init(struct pack *p) {
    *p = (struct pack){.arg = 0};
    buf_init(&p->bytes, MEM_CLIENT);
    buf_init(&p->values, MEM_CLIENT);
}

struct pack *pack_new(void) {
    struct pack *p = mem_alloc(MEM_CLIENT, sizeof *p);
    init(p);
    return p;
}

void pack_free(struct pack *p) {
    if (!p) return;
    buf_free(&p->bytes);
    buf_free(&p->values);
    mem_free(MEM_CLIENT, p);
}

/* What the lane's one holds moves to one of its own. */
static struct pack *move_out(struct pack *p) {
    struct pack *own = pack_new();
    *own = *p;
    own->at.out = &own->bytes;
    init(p);
    return own;
}

/* What was held is offered again. The request is not over yet: CLIENT REPLY SKIP, if that was before it, is still to come. */
static enum task_state hold_step(struct task *t, struct session *s, int64_t slice_us) {
    (void)t;
    (void)slice_us;
    s->reply_skip_next = s->reply_skip;
    return TASK_DONE;
}
static void hold_drop(struct task *t) { mem_free(MEM_CLIENT, t); }

static void hold(struct session *s) {
    struct task *t = mem_zalloc(MEM_CLIENT, sizeof *t);
    t->step = hold_step;
    t->drop = hold_drop;
    session_park(s, t);
}

bool pack_request(struct batch *b, struct session *s, const struct request *q) {
    struct call *c = &b->call;
    if (q->fault || !q->command->value || (b->careful && session_needs_auth(s))) return true;
    struct pack *p = s->pack ? s->pack : b->pack;
    if (!s->pack) p->arg = q->command->value;
    if (!pack_on(p, s->lane, q)) {
        if (!s->pack) s->pack = move_out(p);
        hold(s);
        return false;
    }
    c->pack = p;
    c->aside = true; /* even with nothing in it: it is to be given up */
    return true;
}

void pack_over(struct session *s, struct call *c) {
    struct pack *p = c->pack;
    if (!p) return;
    c->pack = NULL;
    if (p == s->pack) {
        pack_free(p);
        s->pack = NULL;
        return;
    }
    p->bytes.n = p->values.n = p->saved = 0;
    if (p->bytes.cap > KEEP) buf_free(&p->bytes);
}

struct pack *pack_keep(struct session *s, struct call *c) {
    struct pack *p = c->pack;
    c->pack = NULL;
    if (!p) return NULL;
    if (p != s->pack) return move_out(p);
    s->pack = NULL;
    return p;
}
