#include "command/collection.h"

#define MEMBER_MOST 64  /* what a member takes beyond its bytes, in the worst of the structures, at most */
#define GROWTH_MOST 16384 /* a part of the structure, or of the table, that grows or splits meanwhile */
#define CLASSES 4         /* blocks of the allocator's come in so many sizes to a doubling: large members take up to a part of their bytes more */
#define LARGE 4096

static bool opens(struct call *c, struct entry *e, enum value_type t) {
    if (!e || __builtin_expect(entry_type(e) == t, 1)) return true;
    reply_wrong_type(c);
    return false;
}

bool collection_read(struct call *c, int key, enum value_type t, struct holder *h) {
    struct entry *e = call_read(c, key);
    if (!opens(c, e, t)) return false;
    holder_look(h, c->v.store, e, t);
    return true;
}

bool collection_write(struct call *c, int key, enum value_type t, struct holder *h) {
    struct entry *e = call_write(c, key);
    if (!opens(c, e, t)) return false;
    holder_open(h, &c->v, &c->key[key], e, t);
    if (__builtin_expect(h->home.object != NULL, 0) && value_held(h->home.object)) {
        c->busy = true;
        c->need = 1;
        return false;
    }
    return true;
}

bool collection_room(struct call *c, struct holder *h, size_t bytes, size_t members) {
    if (bytes > LARGE) bytes += bytes / CLASSES;
    return call_room(c, bytes + members * MEMBER_MOST + 2 * h->home.n + GROWTH_MOST);
}

bool collection_done(struct holder *h, const char *event) {
    bool there = holder_close(h);
    notify_event(h->view, notify_class(h->type), event, h->key);
    if (!there) notify_event(h->view, EVENT_GENERIC, "del", h->key);
    return there;
}
