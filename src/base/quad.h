/* quad: four numbers of 32 bits that are worked on at once.
 *
 * The compiler's vectors of 16 bytes, which every x86-64 and aarch64 has: + - & | ~ << >> and comparisons (all bits set: true) mean
 * what they do for one number, for each of the four.
 * Thread rule: plain values.
 */
#ifndef LARDER_BASE_QUAD_H
#define LARDER_BASE_QUAD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef int32_t quad __attribute__((vector_size(16)));
typedef uint32_t quad_unsigned __attribute__((vector_size(16)));
typedef float quad_float __attribute__((vector_size(16)));
typedef uint64_t quad_halves __attribute__((vector_size(16)));

static inline quad quad_all(uint32_t v) { return (quad){(int32_t)v, (int32_t)v, (int32_t)v, (int32_t)v}; }
static inline quad quad_load(const void *four) { /* not aligned */
    quad q;
    memcpy(&q, four, sizeof q);
    return q;
}
static inline void quad_store(void *four, quad q) { memcpy(four, &q, sizeof q); }
static inline quad quad_less(quad a, quad b) { return (quad)((quad_unsigned)a - (quad_unsigned)b); } /* where a - b may pass an int's range */
static inline quad_float quad_floats(quad q) { return __builtin_convertvector(q, quad_float); }
static inline bool quad_any(quad q) { return ((quad_halves)q)[0] | ((quad_halves)q)[1]; } /* is any bit set? */

#endif
