/* track_table: in each shard, which key has been read by whom.
 *
 * Thread rule: a shard's part under its lock, the counts by all. The tables hold references to the readers.
 */
#ifndef LARDER_COMMAND_TRACK_TABLE_H
#define LARDER_COMMAND_TRACK_TABLE_H

#include "command/reach.h"

struct track_key {
    struct track_key *chain;
    uint64_t hash;
    uint32_t n, room;     /* readers */
    union {
        struct reach *one;   /* room 1 */
        struct reach **many; /* ascending */
    };
    size_t keylen;
    char key[];
};

struct track_shard {
    struct track_key **bucket;
    uint32_t buckets, n;
};

struct track_table {
    struct track_shard shard[STORE_SHARDS];
    _Atomic uint64_t keys, items;
};

void track_table_add(struct track_table *t, const struct key *k, struct reach *who);
/* Takes the key out; NULL: it is not there. The caller frees it with track_table_drop. */
struct track_key *track_table_take(struct track_table *t, const struct key *k);
struct track_key *track_table_some(struct track_table *t, unsigned shard, const struct key *but); /* some key is taken out, rather not that one */
void track_table_drop(struct track_table *t, struct track_key *key);
static inline struct reach **track_table_readers(struct track_key *k) { return k->room == 1 ? &k->one : k->many; }
static inline struct slice track_table_name(const struct track_key *k) { return (struct slice){k->key, k->keylen}; }
/* Takes out what `which` says yes to, one after the other. */
void track_table_sift(struct track_table *t, unsigned shard, bool (*which)(void *arg, struct track_key *k),
    void (*taken)(void *arg, struct track_key *k), void *arg);
/* The whole shard's part, out of it. */
struct track_shard track_table_detach(struct track_table *t, unsigned shard);
/* Readers that are over are forgotten, and keys that nobody else has read. */
void track_table_clean(struct track_table *t, unsigned shard);

#endif
