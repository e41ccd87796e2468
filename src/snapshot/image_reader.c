#include "snapshot/image_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW ((size_t)1 << 20) /* searched at a time for the head of a block */

#define BLOCK_RATIO 255                   /* of plain bytes to stored ones, at most */
#define STRING_MOST ((uint64_t)1 << 32)   /* bytes or members that a key can have */

struct image_reader {
    int fd;
    struct image_about about;
    struct native_block *block;
    size_t blocks, room;
    struct image_job *job;
    size_t jobs;
};

struct image_cursor {
    const struct image_reader *reader;
    const struct image_job *job;
    uint64_t at;           /* of the job's blocks */
    struct buf stored, space, rest, key;
    struct slice plain;    /* what is left of the block */
    uint32_t seen, told;   /* records in the block */
    bool large;
    struct allowance_giver giver;
};

/* -- bytes ------------------------------------------------------------------------------------------------------------------- */

static bool read_at(int fd, void *out, size_t n, uint64_t at) {
    for (char *to = out; n;) {
        ssize_t k = pread(fd, to, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            if (!k) errno = 0; /* the end */
            return false;
        }
        to += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return true;
}

static void add_block(struct image_reader *r, const struct native_block *b) {
    if (b->kind != NATIVE_RECORDS && b->kind != NATIVE_PIECE) {
        r->about.unknown += b->kind != NATIVE_INDEX;
        return;
    }
    if (r->blocks == r->room) {
        r->room = r->room ? r->room * 2 : 64;
        r->block = mem_realloc(MEM_UPKEEP, r->block, r->room * sizeof *r->block);
    }
    r->block[r->blocks++] = *b;
    r->about.records += b->records;
}

static bool within(const struct image_reader *r, const struct native_block *b) {
    uint64_t size = r->about.size;
    return b->stored <= NATIVE_BLOCK_MOST && b->offset >= NATIVE_HEAD && b->offset <= size &&
           size - b->offset >= (uint64_t)NATIVE_BLOCK + b->stored;
}

/* -- by the index ------------------------------------------------------------------------------------------------------------- */

static bool read_index(struct image_reader *r, uint64_t at, uint64_t *next, uint64_t *told) {
    uint8_t head[NATIVE_BLOCK];
    struct native_block b = {.offset = at};
    if (at < NATIVE_HEAD || !read_at(r->fd, head, sizeof head, at) || native_get_block(head, &b)) return false;
    if (b.kind != NATIVE_INDEX || b.codec != NATIVE_PLAIN || !within(r, &b) || b.stored > NATIVE_INDEX_MOST) return false;
    uint8_t *stored = mem_alloc(MEM_UPKEEP, b.stored + 1);
    struct slice plain;
    bool ok = read_at(r->fd, stored, b.stored, at + NATIVE_BLOCK) && !native_open(&b, stored, NULL, &plain) &&
              b.stored % NATIVE_ENTRY == 0;
    for (size_t i = 0; ok && i < b.stored; i += NATIVE_ENTRY) {
        struct native_block one;
        native_get_entry(stored + i, &one);
        ok = within(r, &one) && one.offset + NATIVE_BLOCK + one.stored <= at;
        if (ok) add_block(r, &one);
        (*told)++;
    }
    mem_free(MEM_UPKEEP, stored);
    *next = at + NATIVE_BLOCK + b.stored;
    return ok;
}

static bool by_index(struct image_reader *r) {
    uint8_t tail[NATIVE_TAIL];
    struct native_tail t;
    uint64_t size = r->about.size, told = 0;
    if (size < NATIVE_HEAD + NATIVE_TAIL || !read_at(r->fd, tail, sizeof tail, size - NATIVE_TAIL)) return false;
    if (native_get_tail(tail, &t) || t.size != size) return false;
    uint64_t at = t.index;
    for (uint32_t i = 0; i < t.indexes; i++)
        if (!read_index(r, at, &at, &told)) return false;
    return told == t.blocks;
}

/* -- by looking for heads ------------------------------------------------------------------------------------------------------ */

/* The next head of a block at or behind `at`; the file's size where there is none. */
static uint64_t seek_head(const struct image_reader *r, uint64_t at, struct native_block *b) {
    static const char magic[4] = "LBLK";
    const uint64_t size = r->about.size;
    char *window = mem_alloc(MEM_UPKEEP, WINDOW);
    uint64_t found = size;
    while (found == size && at < size && size - at >= NATIVE_BLOCK) {
        size_t n = size - at < WINDOW ? (size_t)(size - at) : WINDOW;
        if (!read_at(r->fd, window, n, at)) break;
        const char *p = window;
        while ((p = memmem(p, n - (size_t)(p - window), magic, sizeof magic))) {
            if (n - (size_t)(p - window) < NATIVE_BLOCK) break;
            b->offset = at + (uint64_t)(p - window);
            if (!native_get_block((const uint8_t *)p, b) && within(r, b)) {
                found = b->offset;
                break;
            }
            p++;
        }
        at += n < WINDOW ? n : n - NATIVE_BLOCK + 1;
    }
    mem_free(MEM_UPKEEP, window);
    return found;
}

static void by_heads(struct image_reader *r) {
    const uint64_t size = r->about.size;
    r->blocks = 0;
    r->about.records = r->about.unknown = 0;
    for (uint64_t at = NATIVE_HEAD, next; at < size; at = next) {
        uint8_t head[NATIVE_BLOCK];
        struct native_block b = {.offset = at};
        bool here = size - at >= NATIVE_BLOCK && read_at(r->fd, head, sizeof head, at) && !native_get_block(head, &b) && within(r, &b);
        if (!here) {
            struct native_tail t;
            uint8_t tail[NATIVE_TAIL];
            if (size - at == NATIVE_TAIL && read_at(r->fd, tail, sizeof tail, at) && !native_get_tail(tail, &t)) break;
            uint64_t found = seek_head(r, at, &b);
            r->about.lost += found - at;
            if (found == size) break;
        }
        add_block(r, &b);
        next = b.offset + NATIVE_BLOCK + b.stored;
    }
}

/* -- jobs --------------------------------------------------------------------------------------------------------------------- */

static int by_chain(const void *a, const void *b) {
    const struct native_block *x = a, *y = b;
    if (x->chain != y->chain) return x->chain < y->chain ? -1 : 1;
    if (x->piece != y->piece) return x->piece < y->piece ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static int by_heat(const void *a, const void *b) {
    const struct image_job *x = a, *y = b;
    if (x->heat != y->heat) return x->heat > y->heat ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Does the chain from block i on have all of its pieces? */
static bool chain_whole(const struct image_reader *r, size_t i, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const struct native_block *b = &r->block[i + k];
        if (b->kind != NATIVE_PIECE || b->piece != k || b->heat != r->block[i].heat) return false;
        if (((b->flags & NATIVE_LAST) != 0) != (k == n - 1)) return false;
    }
    return n <= UINT32_MAX;
}

static void make_jobs(struct image_reader *r) {
    if (r->blocks) qsort(r->block, r->blocks, sizeof *r->block, by_chain);
    r->job = mem_alloc(MEM_UPKEEP, (r->blocks + 1) * sizeof *r->job);
    for (size_t i = 0, n; i < r->blocks; i += n) {
        const struct native_block *b = &r->block[i];
        n = 1;
        while (b->chain && i + n < r->blocks && r->block[i + n].chain == b->chain) n++;
        if (b->chain ? !chain_whole(r, i, n) : b->kind != NATIVE_RECORDS) {
            r->about.broken++;
            continue;
        }
        struct image_job *j = &r->job[r->jobs++];
        *j = (struct image_job){.first = i, .blocks = (uint32_t)n, .heat = b->heat, .chain = b->chain != 0};
        for (size_t k = 0; k < n; k++) {
            j->bytes += NATIVE_BLOCK + r->block[i + k].stored;
            j->records += r->block[i + k].records;
        }
        r->about.bytes += j->bytes;
    }
    r->about.blocks = r->blocks;
    qsort(r->job, r->jobs, sizeof *r->job, by_heat);
}

enum image_read image_reader_open(struct image_reader **out, int fd, struct buf *why) {
    uint8_t head[NATIVE_HEAD] = {0};
    struct stat st;
    *out = NULL;
    if (fstat(fd, &st) || (!read_at(fd, head, sizeof head, 0) && errno)) {
        buf_puts(why, strerror(errno));
        return IMAGE_READ_FAILED;
    }
    struct native_head h = {.major = 0};
    switch (native_get_head(head, &h)) {
    case NATIVE_OK: break;
    case NATIVE_NEWER:
        buf_printf(why, "the file is of format version %u.%u; this program reads up to version %u", h.major, h.minor, NATIVE_MAJOR);
        return IMAGE_READ_NEWER;
    default:
        if (memcmp(head, NATIVE_MAGIC, 8) != 0) {
            buf_puts(why, "this is not a larder snapshot");
            return IMAGE_READ_NOT;
        }
        buf_puts(why, "the head of the file is damaged");
        return IMAGE_READ_DAMAGED;
    }
    struct image_reader *r = mem_zalloc(MEM_UPKEEP, sizeof *r);
    r->fd = fd;
    r->about.head = h;
    r->about.size = (uint64_t)st.st_size;
    r->about.whole = by_index(r);
    if (!r->about.whole) by_heads(r);
    make_jobs(r);
    *out = r;
    return IMAGE_READ_OK;
}

void image_reader_free(struct image_reader *r) {
    if (!r) return;
    mem_free(MEM_UPKEEP, r->block);
    mem_free(MEM_UPKEEP, r->job);
    mem_free(MEM_UPKEEP, r);
}

const struct image_about *image_reader_about(const struct image_reader *r) { return &r->about; }
size_t image_reader_jobs(const struct image_reader *r) { return r->jobs; }
const struct image_job *image_reader_job(const struct image_reader *r, size_t i) { return &r->job[i]; }
const struct native_block *image_reader_block(const struct image_reader *r, uint64_t i) { return &r->block[i]; }

/* -- cursors ------------------------------------------------------------------------------------------------------------------ */

struct image_cursor *image_cursor_new(const struct image_reader *r) {
    struct image_cursor *c = mem_zalloc(MEM_UPKEEP, sizeof *c);
    c->reader = r;
    buf_init(&c->stored, MEM_UPKEEP);
    buf_init(&c->space, MEM_UPKEEP);
    buf_init(&c->rest, MEM_UPKEEP);
    buf_init(&c->key, MEM_UPKEEP);
    return c;
}

void image_cursor_free(struct image_cursor *c) {
    if (!c) return;
    buf_free(&c->stored);
    buf_free(&c->space);
    buf_free(&c->rest);
    buf_free(&c->key);
    mem_free(MEM_UPKEEP, c);
}

/* The next block of the job. */
static enum image_read load(struct image_cursor *c) {
    const struct native_block *told = &c->reader->block[c->job->first + c->at++];
    struct native_block b = {.offset = told->offset};
    size_t n = NATIVE_BLOCK + told->stored;
    c->stored.n = 0;
    uint8_t *p = (uint8_t *)buf_room(&c->stored, n);
    c->plain = (struct slice){NULL, 0};
    c->seen = c->told = 0;
    if (!read_at(c->reader->fd, p, n, told->offset)) return errno ? IMAGE_READ_FAILED : IMAGE_READ_DAMAGED;
    if (native_get_block(p, &b) || b.stored != told->stored || b.kind != told->kind || b.chain != told->chain || b.piece != told->piece)
        return IMAGE_READ_DAMAGED;
    if (native_open(&b, p + NATIVE_BLOCK, &c->space, &c->plain)) {
        c->plain = (struct slice){NULL, 0};
        return IMAGE_READ_DAMAGED;
    }
    c->told = b.records;
    return IMAGE_READ_OK;
}

enum image_read image_cursor_open(struct image_cursor *c, const struct image_job *job) {
    c->job = job;
    c->at = 0;
    c->large = false;
    return load(c);
}

/* The block is gone when the next piece is read: the key stays. More than all blocks can hold is not believed. */
static enum image_read begin_large(struct image_cursor *c, struct record *r, uint64_t total) {
    c->large = true;
    c->key.n = 0;
    buf_put(&c->key, r->key.p, r->key.n);
    r->key = buf_slice(&c->key);
    return total > STRING_MOST || total / BLOCK_RATIO > c->job->bytes ? IMAGE_READ_DAMAGED : IMAGE_READ_OK;
}

enum image_read image_cursor_next(struct image_cursor *c, struct record *r, bool *large, uint64_t *total) {
    *large = c->job->chain;
    *total = 0;
    if (c->large || (!*large && !c->plain.n)) return c->large || c->seen == c->told ? IMAGE_READ_END : IMAGE_READ_DAMAGED;
    enum record_status st = *large ? record_get_head(&c->plain, r, total) : record_get(&c->plain, r);
    if (st) {
        c->plain.n = 0;
        c->seen = c->told; /* it was said once */
        return IMAGE_READ_DAMAGED;
    }
    c->seen++;
    r->heat = c->job->heat;
    return *large ? begin_large(c, r, *total) : IMAGE_READ_OK;
}

enum image_read image_cursor_more(struct image_cursor *c, struct slice *piece) {
    enum image_read st = IMAGE_READ_OK;
    while (!st && !c->plain.n) {
        if (c->at == c->job->blocks) return IMAGE_READ_END;
        st = load(c);
    }
    *piece = c->plain;
    c->plain.n = 0;
    return st;
}

void image_cursor_ask(struct image_cursor *c, struct allowance_giver g) { c->giver = g; }

/* What is left of one piece is the beginning of a member, and goes before the next one. */
enum image_read image_cursor_fill(struct image_cursor *c, const struct record *r, struct home *home, int64_t now) {
    struct record_fill f;
    struct slice piece, body;
    enum image_read st;
    record_fill_begin(&f, home, r, r->members, now);
    f.allowance = allowance_of(c->giver);
    c->rest.n = 0;
    while (!(st = image_cursor_more(c, &piece))) {
        body = piece;
        if (c->rest.n) {
            buf_put(&c->rest, piece.p, piece.n);
            if (c->rest.n < f.wants) continue;
            body = buf_slice(&c->rest);
            if (f.wants > RECORD_LARGE && !allowance_take(&f.allowance, f.wants)) return IMAGE_READ_NO_ROOM; /* one member */
        }
        enum record_status added = record_fill_add(&f, &body);
        if (added == RECORD_BAD) return IMAGE_READ_DAMAGED;
        if (added == RECORD_NO_ROOM) return IMAGE_READ_NO_ROOM;
        if (c->rest.n) buf_drop(&c->rest, c->rest.n - body.n);
        else buf_put(&c->rest, body.p, body.n);
    }
    if (c->rest.cap > WINDOW) buf_free(&c->rest);
    if (st != IMAGE_READ_END) return st;
    return record_fill_end(&f) || c->rest.n ? IMAGE_READ_DAMAGED : IMAGE_READ_OK;
}
