/* heard: what the server tells of changes, in either of its two ways, and what that means for the near store.
 *
 * Thread rule: watch's thread. Nothing is owned here.
 */
#ifndef LARDER_L1_HEARD_H
#define LARDER_L1_HEARD_H

#include "l1/link.h"

struct larder;

/* Asks to be told. After LINK_OK the near store holds nothing that changed unheard: it was emptied, or what was missed follows. */
enum link_status heard_begin(struct larder *l, int64_t deadline);
void heard_push(struct larder *l, const struct reply_node *node);

#endif
