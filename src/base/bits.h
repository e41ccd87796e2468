/* bits: strings of bits, numbered from the highest bit of the first byte on; many at a time.
 *
 * What lies beyond the end reads as zero. Thread rule: pure functions; the caller owns the bytes.
 */
#ifndef LARDER_BASE_BITS_H
#define LARDER_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of n bytes' bits are set. */
uint64_t bits_count(const void *p, size_t n);
/* The place of the first bit of n bytes that is `bit`; 8 * n where there is none. */
uint64_t bits_find(const void *p, size_t n, bool bit);

/* The same for bits from..to, both included and both within the bytes at p; bits_find_part: to + 1 where there is none. */
uint64_t bits_count_part(const void *p, uint64_t from, uint64_t to);
uint64_t bits_find_part(const void *p, uint64_t from, uint64_t to, bool bit);

/* A number of 1 to 64 bits at bit `at`, highest first. bits_put: all of it lies within. */
uint64_t bits_get(const void *p, size_t n, uint64_t at, unsigned width);
void bits_put(void *p, uint64_t at, unsigned width, uint64_t value);

enum bits_op { BITS_AND, BITS_OR, BITS_XOR, BITS_NOT };
/* to[i] = to[i] op from[i] for n bytes; BITS_NOT: to[i] = ~from[i]. */
void bits_combine(enum bits_op op, void *to, const void *from, size_t n);

#endif
