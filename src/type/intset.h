/* intset: integers, each once, in ascending order, all of one width: the smallest of 2, 4 and 8 bytes that holds each of them.
 *
 *   byte 0   the width: 1, 2 or 3 for 1 << that many bytes
 *   then     the integers, in the machine's own byte order
 *
 * How many there are follows from the length; no bytes at all are the empty set. A width never shrinks but by becoming empty.
 * Thread rule: pure functions on bytes that the caller owns.
 */
#ifndef LARDER_TYPE_INTSET_H
#define LARDER_TYPE_INTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t intset_count(const uint8_t *p, size_t n) { return n ? (n - 1) >> p[0] : 0; }
int64_t intset_at(const uint8_t *p, size_t i);
/* Is v there? *at is its place, or the one where it belongs. */
bool intset_find(const uint8_t *p, size_t n, int64_t v, size_t *at);
size_t intset_grown(const uint8_t *p, size_t n, int64_t v); /* bytes once v, which is not there, has been added */
void intset_insert(uint8_t *p, size_t n, int64_t v, size_t at); /* at the place that intset_find said; there is room at p */
size_t intset_remove(uint8_t *p, size_t n, size_t at);      /* returns how many bytes are left */
const char *intset_check(const uint8_t *p, size_t n);       /* for tests */

#endif
