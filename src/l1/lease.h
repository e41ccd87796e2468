/* lease: the duty to load one key, from when nobody in this process has it to when its value is there or it is given up.
 *
 * Invariant: a lease has its key's flight, and ends it once: by lease_fill, lease_end, or an answer of lease_ask that is not LARDER_LOAD.
 * Thread rule: one thread at a time, any of them. It belongs to whoever got it, and is gone when it has ended.
 */
#ifndef LARDER_L1_LEASE_H
#define LARDER_L1_LEASE_H

#include "l1/inside.h"

struct larder_lease {
    struct larder *l;
    struct flight *flight;
    struct slice key;
    uint64_t hash, token;
    larder_load how;
    enum lease_kind { LEASE_LOCAL, LEASE_SERVER, LEASE_LOCK, LEASE_EARLY } kind;
    bool asked, early, gated;
    int64_t began_us, left; /* left: of the value that is near, where it is loaded early */
    size_t mark_n;
    char mark[40]; /* the server's token, or what stands in the lock key */
};
int lease_begin(struct larder *l, struct slice key, uint64_t hash, const larder_load *how, struct larder_lease **lease, larder_value *out);
/* LARDER_LOAD: it is the caller's to load or to have loaded behind; else the lease is gone and this is the answer. A stale value may be left in *out. */
int lease_ask(struct larder_lease *x, larder_value *out);
int lease_fill(struct larder_lease *x, struct slice data, bool absent, larder_value *out); /* out may be NULL */
int lease_end(struct larder_lease *x, int status, const larder_value *value);
int lease_run(struct larder_lease *lease, larder_loader *loader, void *arg, larder_value *out);
/* leasing: the server's part of it */
int leasing_take(struct larder_lease *x, struct near_record *r, int64_t deadline, larder_value *out);
int leasing_store(struct larder_lease *x, struct slice data, int64_t ttl); /* LARDER_OK: stored; LARDER_DROPPED: the key changed */
void leasing_release(struct larder_lease *x);

#endif
