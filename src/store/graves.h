/* graves: what warm.h remembers of keys that went while a warm-up runs, for the files of this folder only.
 *
 * Everything is kept by the databases of the file: `file_db` says which of them a database of the store now is.
 * Thread rule: graves under their shard's lock; `file_db`, `store_db` and `flushed` change under all of them; patterns under `lock`.
 */
#ifndef LARDER_STORE_GRAVES_H
#define LARDER_STORE_GRAVES_H

#include "base/slice.h"
#include "store/store.h"

struct grave_set { /* hashes, open addressing; 0 is an empty place */
    uint64_t *slot;
    uint32_t n, room;
};

struct grave_pattern {
    struct grave_pattern *next;
    unsigned db;
    struct slice pattern;
    char text[];
};

struct graves {
    struct grave_set set[STORE_SHARDS][STORE_DATABASES];
    unsigned file_db[STORE_DATABASES], store_db[STORE_DATABASES];
    bool flushed[STORE_DATABASES];
    struct lock lock;
    struct grave_pattern *patterns;
    _Atomic bool any_pattern;
};

/* `g` may be NULL: then nothing happens. */
void graves_bury(struct graves *g, unsigned db, uint64_t hash);   /* its shard is locked */
void graves_flush(struct graves *g, int db);                      /* all are locked; db < 0: all */
void graves_swap(struct graves *g, unsigned a, unsigned b);       /* all are locked */
void graves_rule(struct graves *g, unsigned db, struct slice pattern); /* before the rule can be seen */
bool graves_hold(struct graves *g, unsigned file_db, const struct key *k); /* its shard is locked */
bool graves_hold_hash(const struct graves *g, unsigned file_db, uint64_t hash); /* the same, while there is no pattern */

struct graves *graves_new(void);
void graves_free(struct graves *g);

#endif
