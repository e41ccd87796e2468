#include "snapshot/rdb_lzf.h"

#define BACK 8192                  /* how far a reference goes back at most */
#define PIECE ((size_t)256 << 10)  /* bytes handed out at a time */
#define RUN_MOST (255 + 7 + 2)     /* bytes that one instruction makes at most */

struct rdb_lzf {
    struct rdb_reader *in;
    uint64_t packed, plain; /* still to be read, to be made */
    size_t n;               /* bytes in `space`: the last BACK of the piece before, if there were so many, then this one */
    uint8_t space[BACK + PIECE + RUN_MOST];
};

struct rdb_lzf *rdb_lzf_new(struct rdb_reader *in, uint64_t packed, uint64_t plain) {
    struct rdb_lzf *z = mem_alloc(MEM_UPKEEP, sizeof *z);
    z->in = in;
    z->packed = packed;
    z->plain = plain;
    z->n = 0;
    return z;
}

void rdb_lzf_free(struct rdb_lzf *z) { mem_free(MEM_UPKEEP, z); }

/* n more packed bytes, which lie at z->in->p. */
static enum rdb_status want(struct rdb_lzf *z, size_t n) {
    if (z->packed < n) return RDB_BAD;
    return rdb_reader_has(z->in, n) ? RDB_OK : RDB_SHORT;
}

static void take(struct rdb_lzf *z, size_t n) {
    z->in->p += n;
    z->packed -= n;
}

static enum rdb_status literal(struct rdb_lzf *z, size_t n) {
    enum rdb_status st = want(z, n);
    if (st) return st;
    if (n > z->plain) return RDB_BAD;
    memcpy(z->space + z->n, z->in->p, n);
    take(z, n);
    z->n += n;
    z->plain -= n;
    return RDB_OK;
}

static enum rdb_status reference(struct rdb_lzf *z, unsigned first) {
    size_t more = first >> 5 == 7 ? 2 : 1, n = first >> 5;
    enum rdb_status st = want(z, more);
    if (st) return st;
    if (more == 2) n += z->in->p[0];
    size_t back = ((size_t)(first & 31) << 8 | z->in->p[more - 1]) + 1;
    take(z, more);
    n += 2;
    if (back > z->n || n > z->plain) return RDB_BAD;
    uint8_t *to = z->space + z->n;
    for (size_t i = 0; i < n; i++) to[i] = to[i - back]; /* they may overlap */
    z->n += n;
    z->plain -= n;
    return RDB_OK;
}

enum rdb_status rdb_lzf_next(struct rdb_lzf *z, struct slice *piece) {
    size_t keep = z->n < BACK ? z->n : BACK;
    memmove(z->space, z->space + z->n - keep, keep);
    z->n = keep;
    while (z->plain && z->n - keep < PIECE) {
        enum rdb_status st = want(z, 1);
        if (st) return st;
        unsigned first = *z->in->p;
        take(z, 1);
        st = first < 32 ? literal(z, first + 1) : reference(z, first);
        if (st) return st;
    }
    *piece = (struct slice){(const char *)z->space + keep, z->n - keep};
    if (piece->n) return RDB_OK;
    return z->packed ? RDB_BAD : RDB_END;
}
