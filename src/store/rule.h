/* rule: invalidation by pattern. From the moment that rule_add returns no key is seen that matches and was written before.
 *
 * Rules are numbered. A segment knows up to which number it has been swept: what matches a later rule is not there any more,
 * and whoever comes upon it removes it (view.c). A new key that matches a later rule would look like an old one: so its
 * segment is swept first, at once. In the background every thread sweeps its part of the shards, in slices; when all have
 * passed a rule it is over and its number means nothing any more. So adding a rule costs no work proportional to keys, a
 * lookup while there is none one comparison, and a lookup while there are some a few instructions for each (sieve.h).
 *
 * A command sees the rules that there were when it began; what takes a value from one key to another, those that there are once
 * it has its locks (view_rules): else what is invalid could come to lie in a segment that is swept. Segments that merge were
 * swept alike.
 * Thread rule: adding and ending under the rules' lock; reading a rule under the lock of a shard with a segment that it has
 * not swept, which is why it cannot end meanwhile. The store owns the rules; who waits for one holds a reference.
 */
#ifndef LARDER_STORE_RULE_H
#define LARDER_STORE_RULE_H

#include "store/view.h"

#define RULE_RUNNING_MAX 1023 /* at a time */

struct rule;

struct rule_facts {
    uint64_t number;
    unsigned db;
    struct slice pattern;
    int64_t started_ms;
    uint64_t removed;   /* keys, so far */
    unsigned percent;   /* of the shards that are swept */
};

/* One rule for each of n patterns, all at one moment, with a reference each for the caller if `out` is not NULL. False: too many are running. No lock
 * held. */
bool rule_add(struct store *s, unsigned db, const struct slice *pattern, size_t n, struct rule **out);
struct rule *rule_newest(struct store *s); /* of those running, with a reference; NULL: there is none */
bool rule_over(const struct store *s, const struct rule *r);
uint64_t rule_removed(const struct rule *r); /* exact once it is over */
void rule_release(struct rule *r);
/* Those that are not over, oldest first. Takes the rules' lock. */
void rule_each(struct store *s, void (*each)(void *arg, const struct rule_facts *f), void *arg);
unsigned rule_running(const struct store *s);
uint64_t rule_removed_ever(const struct store *s);   /* by all, since the start */
uint64_t rule_removed_lately(const struct store *s); /* since the last reset */
void rule_removed_reset(struct store *s);

/* In the background, as store_expire_step: no lock held. Returns whether there is more to do right away. */
bool rule_sweep_step(struct store *s, unsigned part, unsigned parts, int64_t slice_us);

#endif
