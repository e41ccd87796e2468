/* num: numbers to text and back, strict where Redis is strict.
 *
 * Thread rule: pure functions, locale-independent.
 */
#ifndef LARDER_BASE_NUM_H
#define LARDER_BASE_NUM_H

#include "base/slice.h"

/* Canonical signed decimal only: no '+', no leading zeros or spaces, no "-0", within int64_t. */
bool num_i64(struct slice s, int64_t *out);
/* The same for unsigned. */
bool num_u64(struct slice s, uint64_t *out);
/* A whole finite or infinite number as strtod reads it (inf, hex and exponents too); no spaces around, no NaN. */
bool num_double(struct slice s, double *out);
bool num_long_double(struct slice s, long double *out);
/* "100", "1k" (1000), "1kb" (1024), m mb g gb, b; any case. */
bool num_memory(struct slice s, uint64_t *out);

#define NUM_I64_MAX 21     /* bytes that num_put_i64 may write, with room for a NUL it does not write */
#define NUM_DOUBLE_MAX 128 /* for the double forms */
#define NUM_LONG_DOUBLE_MAX 5120
size_t num_put_i64(char *out, int64_t v);
size_t num_put_u64(char *out, uint64_t v);
/* Shortest decimal text that reads back as the same double, laid out as Redis 7.2 does: 3, 0.1, 1e+20, 1e-7, inf, -inf, nan. */
size_t num_put_double(char *out, double v);
/* As INCRBYFLOAT stores it: fixed notation with 17 digits behind the point, trailing zeros and point removed. */
size_t num_put_long_double(char *out, long double v);
/* Bytes for people, as INFO's *_human fields: "1.23M". */
size_t num_put_human(char *out, uint64_t bytes);

#endif
