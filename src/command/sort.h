/* sort: what SORT is asked for, and the work that does it. sort.c reads the words and has the rows, sort_run.c does it.
 *
 * The collection is held as it is and read out; weights and values are looked up by pattern, in the call (which has all locks
 * then) or later, each under its own shard's lock: what is done in one slice is of one moment, as in Redis, what takes more is not.
 * Thread rule: the session's thread. A sort owns what it has gathered.
 */
#ifndef LARDER_COMMAND_SORT_H
#define LARDER_COMMAND_SORT_H

#include "base/buf.h"
#include "command/work.h"
#include "type/list.h"
#include "type/set.h"
#include "type/zset.h"

/* BY and GET: a key's name with * for the element, perhaps a field of the hash there. */
enum sort_source { SORT_SELF /* # */, SORT_NOTHING /* no * */, SORT_STRING, SORT_FIELD };
struct sort_pattern {
    enum sort_source source;
    struct slice head, tail, field;
};

struct sort_item {
    const char *p;
    uint32_t n, by_n;
    union {
        double score;
        const char *by; /* NULL: no such key */
    };
};

enum sort_stage { SORT_READ, SORT_WEIGH, SORT_RUNS, SORT_MERGE, SORT_PUT };

struct sort_page;
struct sort {
    struct work work;
    /* What is asked for. */
    bool descending, alpha, by, unsorted, store;
    struct sort_pattern weight;
    int64_t skip, limit;         /* limit < 0: none */
    struct slice dest;
    char *words;                 /* dest and the patterns' parts lie here, once they must outlive the call */
    /* The collection; there is one exactly if home is set. */
    enum value_type type;
    const struct home *home;
    struct set_at set;
    struct zset_at zset;
    struct list_at list;
    bool on_list;                /* `list` is to be left */
    /* How far it is. */
    enum sort_stage stage;
    struct sort_item *item, *other; /* `total` of them; the other half of merging */
    size_t total, n;             /* n: that were read */
    size_t from, to, at;         /* items to be replied; where the stage is */
    size_t width, left, right, out; /* merging */
    struct sort_page *pages;     /* bytes of elements and weights */
    size_t page_used;
    struct buf name;             /* of a key to be looked up */
    struct view later;           /* out of the call: as of this slice */
    struct home made;            /* STORE: the list */
    struct lane *lane;
    bool looking;                /* whether anything waits: this is no use of it */
    bool any_packed;             /* does any string lie packed (store/packed.h)? */
    bool waits;                  /* one that is needed does, and cannot be unpacked before the call is over */
    int gets;
    struct sort_pattern get[];
};

void sort_start(struct call *c, struct sort *s, const struct holder *h); /* h NULL: there is no collection */
bool sort_on(struct work *w, struct session *to);
void sort_drop(struct work *w);

#endif
