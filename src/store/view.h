/* view: what a command may do with the keys whose shards are locked for it.
 *
 * A view is the store as one command sees it: one database, one moment. Expired entries are never seen: who finds one
 * removes it and counts it. A pointer to an entry is good until the next change to that key or the unlock.
 * Thread rule: the caller holds the locks of the shards of all keys it names. Nothing here takes a lock, evicts or waits.
 */
#ifndef LARDER_STORE_VIEW_H
#define LARDER_STORE_VIEW_H

#include "store/store.h"

struct view {
    struct store *store;
    unsigned db;
    bool touch;               /* does looking count as use? (CLIENT NO-TOUCH) */
    int64_t now;              /* ms */
    struct policy policy;     /* as of now */
    uint64_t random;          /* changes with each use */
    struct store_stats *stats;
    uint32_t rules;           /* the last one that there was when the command began (rule.h) */
    unsigned born;            /* bits by enum value_type: collections that came to be where nothing of the kind was */
};

void view_init(struct view *v, struct store *s, unsigned db, int64_t now, struct store_stats *stats);

void view_rules(struct view *v); /* from here on it sees the rules that there are now */

bool view_rules_old(const struct view *v); /* are there rules that it does not see? */

struct entry *view_get(struct view *v, const struct key *k);  /* NULL, or the live entry, its use noted */
void view_missed(struct view *v, const struct key *k);        /* somebody wanted to read it, and it is not there */
struct entry *view_peek(struct view *v, const struct key *k); /* the same without noting it */
uint32_t view_born(struct view *v, const struct key *k);      /* the access word of a new entry */

/* Sets a string, new or in place of whatever was there (which is freed). deadline 0: none. The value may lie in the old
 * entry. VIEW_KEEP as deadline keeps the old one. Returns the entry. */
#define VIEW_KEEP (-1)
/* `form` FORM_LZ4: the value is a packed string (packed.h). */
struct entry *view_set(struct view *v, const struct key *k, struct slice value, int64_t deadline, enum entry_form form);
/* The value's bytes, n of them, to be written to: what was there up to n stays, the rest is zero. Creates the key if it is
 * missing (e NULL). The form becomes `form`; the deadline stays. Room to grow is left behind larger values. */
char *view_edit(struct view *v, const struct key *k, struct entry *e, size_t n, enum entry_form form);
/* The key's entry is about to be changed where it lies, by other means than these: see capture.h. */
void view_change(struct view *v, const struct key *k);
/* The bytes of a string of at least n of them, to be written to where they are; NULL: only view_edit can do it. */
char *view_edit_here(struct view *v, const struct key *k, const struct entry *e, size_t n);
/* Sets what was made before, without the lock (entry_new, named as k): the entry is the table's from now on. */
void view_put(struct view *v, const struct key *k, struct entry *made);
/* Puts `made` where e is, as the same value in another form: with e's access and deadline as they are now. Returns it. */
struct entry *view_swap(struct view *v, const struct key *k, struct entry *e, struct entry *made);
/* Sets a collection, taking ownership of its object; its bytes, if it is packed, are copied. */
struct entry *view_set_home(struct view *v, const struct key *k, enum value_type t, const struct home *home, int64_t deadline);
bool view_delete(struct view *v, const struct key *k);        /* was it there, alive? */
bool view_unlink(struct view *v, const struct key *k);        /* the same; what takes long to free is left to the trash */
struct entry *view_set_deadline(struct view *v, const struct key *k, struct entry *e, int64_t deadline); /* 0: none */
/* Gives the entry `from` (in `v`) the name `to` in `target`, with its value, deadline and access; whatever `to` was is freed. */
void view_rename(struct view *v, const struct key *from, struct view *target, const struct key *to);
/* Bytes that it takes for a moment: of a large value that cannot stay in its block, as a reply refers to it or the name is too long. */
size_t view_rename_room(struct view *v, const struct key *from, struct view *target, const struct key *to);
void view_copy(struct view *v, const struct entry *e, struct view *target, const struct key *to);

/* Bytes that setting a value of n bytes at k may take on top of what is taken now, growth of the table included. */
size_t view_room_for(struct view *v, const struct key *k, size_t n);
/* The same of the i-th (from 0) of many keys, whose tables are not looked at: at most so much for all that come before it together. */
size_t view_room_beside(const struct view *v, const struct key *k, size_t n, size_t i);

#endif
