/* lists: what the commands of lists and their blocking forms have in common: taking elements off an end and telling of it.
 *
 * Nothing here opens or closes a key. `h` is open for change, `to` too; who calls has asked for room (collection_room). Encodings
 * are seen to.
 * Thread rule: under the locks of the keys' shards.
 */
#ifndef LARDER_COMMAND_LISTS_H
#define LARDER_COMMAND_LISTS_H

#include "command/collection.h"
#include "type/list.h"

/* LEFT or RIGHT; false after a syntax error was replied. */
bool lists_end(struct call *c, int arg, enum list_end *end);
/* Events' names. */
static inline const char *lists_pushed(enum list_end end) { return end == LIST_HEAD ? "lpush" : "rpush"; }
static inline const char *lists_popped(enum list_end end) { return end == LIST_HEAD ? "lpop" : "rpop"; }
/* Closes both after a move, and says so: first where it went to. `to` NULL: within one list. */
void lists_moved(struct holder *from, enum list_end from_end, struct holder *to, enum list_end to_end);
/* Takes one element off and writes it as a bulk. The list is not empty. */
void lists_pop(struct resp_writer *w, struct home *h, enum list_end end);
/* Takes `n` (at most as many as there are) off and writes them as an array. */
void lists_pop_many(struct resp_writer *w, struct home *h, enum list_end end, size_t n);
/* Takes n (at most as many as there are; large numbers too) off, closes the list, and replies them as an array. Nothing may be done
 * with c afterwards. */
void lists_pop_closing(struct call *c, struct holder *h, enum list_end end, uint64_t n);
/* Moves an element and writes it as a bulk. `from` is not empty. The same list at both: from == to. */
void lists_move(struct resp_writer *w, struct home *from, enum list_end from_end, struct home *to, enum list_end to_end);
/* Bytes of the element at an end: what lists_move needs room for. */
size_t lists_end_size(struct home *h, enum list_end end);

/* The words of LMPOP and BLMPOP from `arg` (numkeys) on; *count is 1 if there is no COUNT. False after an error was replied. */
struct lists_mpop {
    enum list_end end;
    int64_t count;
};
bool lists_mpop_words(struct call *c, int arg, struct lists_mpop *m);

/* The commands that search: list_search.c. */
void lists_lpos(struct call *c);
void lists_lrem(struct call *c);
void lists_linsert(struct call *c);

#endif
