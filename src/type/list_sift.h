/* list_sift: taking elements out all over a long list, in pieces: first every chunk that loses some is made anew, beside the list,
 * which only has to stay as it is meanwhile (held); then all of them are put in their places at once.
 *
 *   struct list_sift *s = list_sift_new(h, &needle, LIST_HEAD, SIZE_MAX);
 *   while (list_sift_on(s)) {}                       each time one chunk; between two of them anything may happen but changes
 *   gone = list_sift_put(s, h);                      under the lock, changes the list
 *   object = list_sift_free(s);                      what the chunks were before, for holder_release; NULL: nothing
 *
 * Thread rule: one thread at a time; the list held or locked. The caller owns it; the needle's text must stay.
 */
#ifndef LARDER_TYPE_LIST_SIFT_H
#define LARDER_TYPE_LIST_SIFT_H

#include "type/list.h"

struct list_sift;

struct list_sift *list_sift_new(const struct home *h, const struct list_needle *needle, enum list_end end, uint64_t most);
bool list_sift_on(struct list_sift *s); /* false: that was the last */
uint64_t list_sift_found(const struct list_sift *s);
/* `h` is the same object, not changed since. */
void list_sift_put(struct list_sift *s, struct home *h);
void *list_sift_free(struct list_sift *s);

#endif
