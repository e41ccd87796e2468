/* sha1: SHA-1, where Redis's own answers are made of it (DEBUG DIGEST). Not for secrets.
 *
 * The implementation is libmd's. Thread rule: pure functions.
 */
#ifndef LARDER_BASE_SHA1_H
#define LARDER_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20

void sha1_of(const void *p, size_t n, uint8_t out[SHA1_BYTES]);

#endif
