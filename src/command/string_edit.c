/* Editing strings while they are saved. */
#include "command/strings.h"
#include "store/capture.h"

bool strings_edit_waits(struct call *c, int key, const struct entry *e) {
    if (!capture_on(c->v.store)) return false;
    view_change(&c->v, &c->key[key]); /* it is written next */
    if (!entry_pinned(e)) return false;
    c->busy = true;
    c->need = 1;
    return true;
}
