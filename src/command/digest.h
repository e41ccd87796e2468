/* digest: a sum over values that does not depend on the order of keys, members and fields: DEBUG DIGEST and DIGEST-VALUE.
 *
 * It is Redis's, so servers of both kinds can be compared. "Xor" is the exclusive or with the SHA-1 of some bytes; "mix" is that
 * and then the SHA-1 of the sum itself, which makes order count. A value mixes its type (4 bytes, big endian); a string and a
 * list's elements are mixed, members of a set xored; of hashes and sorted sets each pair gets a sum of its own that is xored, as keys' sums are.
 * Thread rule: as the homes it reads. A walk owns nothing but a list's place: digest_walk_end, unless it came to its end.
 */
#ifndef LARDER_COMMAND_DIGEST_H
#define LARDER_COMMAND_DIGEST_H

#include "base/sha1.h"
#include "store/view.h"
#include "type/hash.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

struct digest {
    uint8_t sum[SHA1_BYTES];
};

struct digest_walk {
    struct digest d; /* begins as the sum that the value is added to */
    enum value_type type;
    const struct home *home;
    bool walking;
    struct list_at list;
    union {
        struct set_at set;
        struct zset_at zset;
        struct hash_at hash;
    } at;
};

void digest_xor(struct digest *d, const void *p, size_t n);
void digest_mix(struct digest *d, const void *p, size_t n);
void digest_add(struct digest *d, const struct digest *other); /* xor of its sum */
void digest_expires(struct digest *d);                         /* the key has a deadline */
void digest_text(const struct digest *d, char out[2 * SHA1_BYTES + 1]);

void digest_string(struct digest *d, struct slice value);
void digest_walk_begin(struct digest_walk *w, const struct digest *from, enum value_type t, const struct home *home);
bool digest_walk_on(struct digest_walk *w, size_t most); /* true: all members were added */
void digest_walk_end(struct digest_walk *w);

/* DEBUG's words; digest.c */
struct call;
void digest_run(struct call *c);
void digest_value_run(struct call *c);

#endif
