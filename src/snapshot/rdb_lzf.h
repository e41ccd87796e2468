/* rdb_lzf: LZF taken apart as a stream, so that a long string never lies somewhere packed and plain as a whole.
 *
 *   000LLLLL                      L + 1 bytes as they are follow
 *   LLLddddd [dddddddd more L]    L + 2 bytes (L 7: a byte more is added to L) from d + 1 bytes back, at most 8192
 *
 * Bytes come from a reader and go to a ring of two pieces, of which one is handed out while the other is what may be referred to.
 * Thread rule: one thread at a time. The holder owns it; a piece is good until the next step.
 */
#ifndef LARDER_SNAPSHOT_RDB_LZF_H
#define LARDER_SNAPSHOT_RDB_LZF_H

#include "snapshot/rdb_wire.h"

struct rdb_lzf;

/* `packed` bytes are to be read that stand for `plain`. */
struct rdb_lzf *rdb_lzf_new(struct rdb_reader *in, uint64_t packed, uint64_t plain);
void rdb_lzf_free(struct rdb_lzf *z); /* NULL: nothing */
/* The next piece. RDB_END: there was all of it; RDB_BAD, RDB_SHORT: there is not. */
enum rdb_status rdb_lzf_next(struct rdb_lzf *z, struct slice *piece);

#endif
