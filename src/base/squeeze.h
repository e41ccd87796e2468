/* squeeze: blocks of a few kilobytes made smaller, fast enough to be done while a client waits: zstd's lowest level with small
 * tables, without frame headers; who keeps a block keeps its length.
 *
 * Each thread has a pair of zstd's contexts (together some 170 KB) from its first block on.
 * Thread rule: any thread. The caller owns both sides.
 */
#ifndef LARDER_BASE_SQUEEZE_H
#define LARDER_BASE_SQUEEZE_H

#include <stddef.h>

#define SQUEEZE_MAX 16384 /* bytes of a block at most */

/* Bytes written to `out`; 0 if they would be more than `cap`. */
size_t squeeze_pack(void *out, size_t cap, const void *p, size_t n);
/* `n` is what was packed. Asserts that the block is one of squeeze_pack's. */
void squeeze_unpack(void *out, size_t n, const void *p, size_t packed);

#endif
