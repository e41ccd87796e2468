/* LCS: the longest common subsequence of two strings, 64 cells of the usual table at a time.
 *
 * Let L(i,j) be the answer for the first i bytes of a and the first j bytes of b. In a row i of that table
 * two neighbours L(i,j-1) and L(i,j) differ by 0 or 1, so a row is b.n bits: here bit j-1 is 0 where they
 * differ. The next row follows from it by one addition with carry over the row (Hyyrö, "Bit-parallel
 * LCS-length computation revisited", 2004):
 *
 *     V' = (V + (V & M)) | (V & ~M)      M: where b has the byte a[i]; V starts as all ones
 *
 * LEN needs the last row only. To find the bytes themselves all rows are kept, a bit a cell, and walked from
 * the end: where a and b differ, the way goes up if the bit says that L(i,j) > L(i,j-1), else left, which is
 * Redis's choice among equals.
 *
 * Nothing of this is done with shards locked unless it is short: the strings are pinned or copied, and a task
 * goes on.
 */
#include "command/strings.h"

#include "command/thaw.h"

#include "base/clock.h"

enum stage { STAGE_SEEN, STAGE_MASKS, STAGE_ROWS, STAGE_COUNT, STAGE_TRACE, STAGE_FREE };

#define PIECE 4096   /* words or bytes that are worked on between two looks at the clock */
#define PIECE_US 15  /* and what that takes at most, about */
#define AT_ONCE 8192 /* the same for a whole job that needs no task */
#define PAGE 262144  /* bytes of a page of the table: so that no piece takes or frees much at once */

struct text {
    const char *p;
    size_t n;
    struct entry *pinned;
    char *copy;
};

struct lcs {
    struct task task;
    struct text a, b;
    bool idx, len, with_len;
    size_t min;
    enum stage stage;
    size_t at, word; /* where the stage is */
    unsigned carry;
    size_t words;   /* of a row */
    bool seen[256]; /* does a have that byte? */
    uint64_t *mask[256];
    uint64_t *row;  /* the one being worked on */
    uint8_t **page; /* of the table of all rows, a.n of `stride` bytes; NULL for LEN */
    size_t pages, stride;
    size_t total;      /* L(a.n, b.n) */
    size_t i, j, left; /* the way back; bytes of the result still to be found */
    char *result;
    size_t run_a, run_b, run; /* the match that the way is in: its first bytes and its length */
    struct chain body;        /* matches, as replies */
    struct resp_writer w;
    size_t matches;
};

static void release_result(void *p) { mem_free(MEM_CLIENT, p); }

static void text_drop(struct text *t) {
    if (t->pinned) entry_release(t->pinned);
    mem_free(MEM_CLIENT, t->copy);
}

static void lcs_drop(struct task *t) {
    struct lcs *l = (struct lcs *)t;
    text_drop(&l->a);
    text_drop(&l->b);
    for (int k = 0; k < 256; k++) mem_free(MEM_CLIENT, l->mask[k]);
    mem_free(MEM_CLIENT, l->row);
    while (l->pages) mem_free(MEM_CLIENT, l->page[--l->pages]);
    mem_free(MEM_CLIENT, l->page);
    mem_free(MEM_CLIENT, l->result);
    chain_free(&l->body);
    mem_free(MEM_CLIENT, l);
}

/* -- the stages: each call does a piece, and returns true once the stage is over ------------------------ */

/* Which bytes does a have? Only those need a mask. */
static bool seen_piece(struct lcs *l) {
    size_t end = l->a.n - l->at > PIECE ? l->at + PIECE : l->a.n;
    for (; l->at < end; l->at++) l->seen[(unsigned char)l->a.p[l->at]] = true;
    if (l->at < l->a.n) return false;
    for (int c = 0; c < 256; c++)
        if (l->seen[c]) l->mask[c] = mem_alloc(MEM_CLIENT, l->words * sizeof **l->mask);
    l->row = mem_alloc(MEM_CLIENT, l->words * sizeof *l->row);
    if (!l->len) l->page = mem_alloc(MEM_CLIENT, (l->a.n * l->stride / PAGE + 1) * sizeof *l->page);
    return true;
}

static bool masks_piece(struct lcs *l) {
    for (size_t words = PIECE / 64; words && l->word < l->words; words--, l->word++) {
        for (int c = 0; c < 256; c++)
            if (l->mask[c]) l->mask[c][l->word] = 0;
        size_t from = l->word * 64, n = l->b.n - from < 64 ? l->b.n - from : 64;
        for (size_t k = 0; k < n; k++) {
            uint64_t *m = l->mask[(unsigned char)l->b.p[from + k]];
            if (m) m[l->word] |= 1ull << k;
        }
    }
    return l->word == l->words;
}

static void row_words(uint64_t *row, const uint64_t *m, size_t n, unsigned *carry_io) {
    unsigned carry = *carry_io;
    for (size_t w = 0; w < n; w++) {
        uint64_t v = row[w], u = v & m[w], sum;
        unsigned over = __builtin_add_overflow(v, u, &sum);
        over |= __builtin_add_overflow(sum, (uint64_t)carry, &sum);
        carry = over;
        row[w] = sum | (v & ~m[w]);
    }
    *carry_io = carry;
}

/* Adds n bytes at `at`, the end of the table so far; all pages but the last of a small table are full ones.
 */
static void table_put(struct lcs *l, size_t at, const char *p, size_t n) {
    size_t whole = l->a.n * l->stride;
    while (n) {
        size_t in = at % PAGE, some = PAGE - in < n ? PAGE - in : n;
        if (at / PAGE == l->pages)
            l->page[l->pages++] = mem_alloc(MEM_CLIENT, whole - (at - in) < PAGE ? whole - (at - in) : PAGE);
        memcpy(l->page[at / PAGE] + in, p, some);
        p += some;
        at += some;
        n -= some;
    }
}

static bool rows_piece(struct lcs *l) {
    for (size_t budget = PIECE; budget && l->at < l->a.n;) {
        const uint64_t *m = l->mask[(unsigned char)l->a.p[l->at]] + l->word;
        size_t n = l->words - l->word < budget ? l->words - l->word : budget;
        if (!l->at) memset(l->row + l->word, 0xff, n * sizeof *l->row);
        row_words(l->row + l->word, m, n, &l->carry);
        if (l->page) {
            size_t from = l->word * 8, bytes = l->stride - from < n * 8 ? l->stride - from : n * 8;
            table_put(l, l->at * l->stride + from, (const char *)l->row + from, bytes);
        }
        l->word += n;
        budget -= n;
        if (l->word < l->words) return false;
        l->word = 0;
        l->carry = 0;
        l->at++;
    }
    return l->at == l->a.n;
}

static bool count_piece(struct lcs *l) {
    for (size_t n = PIECE; n && l->word < l->words; n--, l->word++) {
        size_t valid = l->b.n - l->word * 64;
        uint64_t zeros = ~l->row[l->word];
        if (valid < 64) zeros &= (1ull << valid) - 1;
        l->total += (size_t)__builtin_popcountll(zeros);
    }
    return l->word == l->words;
}

static void reply_range(struct resp_writer *w, size_t from, size_t n) {
    resp_array(w, 2);
    resp_int(w, (int64_t)from);
    resp_int(w, (int64_t)(from + n - 1));
}

static void run_over(struct lcs *l) {
    if (l->idx && l->run && l->run >= l->min) {
        resp_array(&l->w, l->with_len ? 3 : 2);
        reply_range(&l->w, l->run_a, l->run);
        reply_range(&l->w, l->run_b, l->run);
        if (l->with_len) resp_int(&l->w, (int64_t)l->run);
        l->matches++;
    }
    l->run = 0;
}

static bool trace_piece(struct lcs *l) {
    for (size_t n = PIECE; n && l->i && l->j; n--) {
        size_t i = l->i - 1, j = l->j - 1;
        if (l->a.p[i] == l->b.p[j]) {
            if (l->result) l->result[--l->left] = l->a.p[i];
            l->run_a = i;
            l->run_b = j;
            l->run++;
            l->i--;
            l->j--;
        } else {
            run_over(l);
            size_t at = i * l->stride + j / 8;
            while (l->pages - 1 > at / PAGE) mem_free(MEM_CLIENT, l->page[--l->pages]); /* done with these */
            if (l->page[at / PAGE][at % PAGE] >> j % 8 & 1) /* little endian: bit j of the row */
                l->j--;
            else
                l->i--;
        }
    }
    if (l->i && l->j) return false;
    run_over(l);
    return true;
}

/* Does a piece of the work; false once all is done. */
static bool lcs_piece(struct lcs *l) {
    switch (l->stage) {
    case STAGE_SEEN:
        if (seen_piece(l)) l->stage = STAGE_MASKS;
        return true;
    case STAGE_MASKS:
        if (!masks_piece(l)) return true;
        l->at = l->word = 0;
        l->stage = STAGE_ROWS;
        return true;
    case STAGE_ROWS:
        if (!rows_piece(l)) return true;
        l->word = 0;
        l->stage = STAGE_COUNT;
        return true;
    case STAGE_COUNT:
        if (!count_piece(l)) return true;
        if (l->len) return false;
        l->i = l->a.n;
        l->j = l->b.n;
        l->left = l->total;
        if (!l->idx && l->total) l->result = mem_alloc(MEM_CLIENT, l->total);
        l->stage = STAGE_TRACE;
        return true;
    case STAGE_TRACE:
        if (trace_piece(l)) l->stage = STAGE_FREE;
        return true;
    case STAGE_FREE:
        if (l->pages) mem_free(MEM_CLIENT, l->page[--l->pages]);
        return l->pages;
    }
    return false;
}

static void lcs_reply(struct lcs *l, struct session *s) {
    struct resp_writer *w = &s->writer;
    if (l->idx) {
        resp_map(w, 2);
        resp_text(w, "matches");
        resp_array(w, l->matches);
        chain_move(&s->out, &l->body);
        resp_text(w, "len");
        resp_int(w, (int64_t)l->total);
    } else if (l->len) {
        resp_int(w, (int64_t)l->total);
    } else if (l->result) {
        resp_bulk_ref(w, l->result, l->total, release_result, l->result);
        l->result = NULL;
    } else {
        resp_bulk(w, "", 0);
    }
}

static enum task_state lcs_step(struct task *t, struct session *s, int64_t slice_us) {
    struct lcs *l = (struct lcs *)t;
    uint64_t end = clock_ticks() + (uint64_t)((double)(slice_us - PIECE_US) * clock_ticks_per_us());
    while (lcs_piece(l))
        if (clock_ticks() >= end) return TASK_AGAIN;
    lcs_reply(l, s);
    return TASK_DONE;
}

/* -- the command ---------------------------------------------------------------------------------------- */

struct lcs_words {
    bool idx, len, with_len;
    int64_t min;
};

static bool lcs_read_words(struct call *c, struct lcs_words *o) {
    *o = (struct lcs_words){.idx = false};
    for (int i = 3; i < c->argc; i++) {
        if (call_is(c, i, "IDX")) {
            o->idx = true;
        } else if (call_is(c, i, "LEN")) {
            o->len = true;
        } else if (call_is(c, i, "WITHMATCHLEN")) {
            o->with_len = true;
        } else if (call_is(c, i, "MINMATCHLEN") && i + 1 < c->argc) {
            if (!call_i64(c, ++i, &o->min)) return false;
            if (o->min < 0) o->min = 0;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    if (o->idx && o->len) {
        reply_error(c, "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

/* The limits are Redis's, whose table takes 4 bytes a cell, so that what is refused there is refused here. */
static bool lcs_size_ok(struct call *c, size_t a, size_t b) {
    if (a >= UINT32_MAX - 1 || b >= UINT32_MAX - 1) {
        reply_error(c, "ERR String too long for LCS");
        return false;
    }
    uint64_t cells = ((uint64_t)a + 1) * ((uint64_t)b + 1);
    if (cells > (uint64_t)option_get(&call_env(c)->config.proto_max_bulk_len) / 4) {
        reply_error(c, "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        return false;
    }
    return true;
}

/* Keeps an entry's bytes readable after the call: large ones by reference, small ones by copy. */
static void text_keep(struct call *c, int key, struct text *t, struct entry *e) {
    t->copy = call_text_take(c, key, e);
    if (t->copy) return;
    if (e && entry_pin(e)) {
        t->pinned = e;
        return;
    }
    t->copy = mem_alloc(MEM_CLIENT, t->n ? t->n : 1);
    memcpy(t->copy, t->p, t->n);
    t->p = t->copy;
}

void strings_lcs(struct call *c) {
    struct lcs_words o;
    struct entry *ea = call_read(c, 0), *eb = call_read(c, 1);
    if ((ea && entry_type(ea) != VALUE_STRING) || (eb && entry_type(eb) != VALUE_STRING)) {
        reply_error(c, "ERR The specified keys must contain string values");
        return;
    }
    if (!lcs_read_words(c, &o)) return;
    if (!lcs_size_ok(c, ea ? entry_length(ea) : 0, eb ? entry_length(eb) : 0)) return;
    struct slice a, b;
    bool there = call_text(c, 0, ea, &a);
    if (!call_text(c, 1, eb, &b) || !there) return;

    struct lcs *l = mem_zalloc(MEM_CLIENT, sizeof *l);
    l->task.step = lcs_step;
    l->task.drop = lcs_drop;
    l->a = (struct text){.p = a.p, .n = a.n};
    l->b = (struct text){.p = b.p, .n = b.n};
    l->idx = o.idx;
    l->len = o.len;
    l->with_len = o.with_len;
    l->min = (size_t)o.min;
    l->words = (b.n + 63) / 64;
    l->stride = (b.n + 7) / 8;
    chain_init(&l->body, &c->s->lane->pool);
    l->w = (struct resp_writer){&l->body, c->w->proto};
    if (!a.n || !b.n) {
        lcs_reply(l, c->s);
        lcs_drop(&l->task);
    } else if (a.n * l->words + a.n + b.n <= AT_ONCE) {
        while (lcs_piece(l)) {}
        lcs_reply(l, c->s);
        lcs_drop(&l->task);
    } else {
        text_keep(c, 0, &l->a, ea);
        text_keep(c, 1, &l->b, eb);
        session_park(c->s, &l->task);
    }
}
