#include "base/sha1.h"

#include <sha1.h>
#include <sys/types.h>

void sha1_of(const void *p, size_t n, uint8_t out[SHA1_BYTES]) {
    SHA1_CTX c;
    SHA1Init(&c);
    SHA1Update(&c, p, n);
    SHA1Final(out, &c);
}
